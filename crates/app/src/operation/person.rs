//! App operations: everything of one person, to hand out to them and to forget.

use bellwether_model::event::Properties;
use bellwether_model::{EnvironmentKey, Event, FlagKey, Json, Revision, SegmentKey, Seq, Unit, VariantKey};
use bellwether_store::{Id, Person};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;

/// Changes that are named at most.
const MOST_NAMING: usize = 100;
/// Events of a page unless it is said, and at most.
const PAGE: u32 = 500;
const MOST: u32 = 5_000;

/// What a person is told by: one of both.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportInput {
    /// Where.
    environment: EnvironmentKey,
    /// The user.
    user: Option<String>,
    /// Or a device: where it is a user's, that user.
    device: Option<String>,
    /// Only events after this one: the `next` of the page before.
    after: Option<Seq>,
    /// At most so many events, 500 unless given, 5000 at most.
    limit: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgetInput {
    /// Where.
    environment: EnvironmentKey,
    /// The user.
    user: Option<String>,
    /// Or a device: where it is a user's, that user.
    device: Option<String>,
    /// The same id again, because nothing brings back what is forgotten. A dry run needs none.
    confirm: Option<String>,
}

fn meant<'i>(user: Option<&'i str>, device: Option<&'i str>) -> Result<Id<'i>, AppError> {
    match (user, device) {
        (Some(user), None) if !user.is_empty() => Ok(Id::User(user)),
        (None, Some(device)) if !device.is_empty() => Ok(Id::Device(device)),
        _ => Err(AppError::bad_input("who is meant is not said once", "give `user`, or `device`")),
    }
}

fn text<'i>(id: &Id<'i>) -> &'i str {
    match id {
        Id::User(id) | Id::Device(id) => id,
    }
}

/// The units that a person is to flags.
fn units(person: &Person) -> Vec<(Unit, &str)> {
    let user = person.user.iter().map(|user| (Unit::User, user.as_str()));
    user.chain(person.devices.iter().map(|device| (Unit::Device, device.as_str()))).collect()
}

/// Every id of a person, the one that was asked for among them.
fn ids(person: &Person, id: &Id<'_>) -> Vec<String> {
    let mut ids = vec![text(id).to_owned()];
    ids.extend(person.user.iter().chain(&person.devices).cloned());
    ids.sort();
    ids.dedup();
    ids
}

/// Whether an event that is kept apart is theirs, as the store says it of those that it has.
fn is_of(event: &Event, person: &Person) -> bool {
    match (event.who.user(), event.who.device()) {
        (Some(user), _) => person.user.as_deref() == Some(user),
        (None, device) => person.devices.iter().any(|of| Some(of.as_str()) == device),
    }
}

/// A list that names a person.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PersonList")]
pub(crate) struct OnList {
    /// The flag whose individual targets it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<FlagKey>,
    /// Where the target is.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<EnvironmentKey>,
    /// What the target gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<VariantKey>,
    /// The segment that it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<SegmentKey>,
}

/// What a flag remembers of a person.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PersonEnrolment")]
pub(crate) struct Enrolled {
    /// The flag.
    flag: FlagKey,
    /// What they keep; absent where they have only a place, or it is their user's.
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<VariantKey>,
}

/// Somebody, and a page of what they did.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Exported {
    /// The user that the id is, if there is one.
    user: Option<String>,
    /// The devices that are theirs or were: what was done there without a user is in `events`, too.
    devices: Vec<String>,
    /// What is known of them now. On the first page, as all that follows but the events.
    #[schemars(with = "Json")]
    properties: Properties,
    /// The lists that they are on.
    lists: Vec<OnList>,
    /// The flags that remember them.
    enrolments: Vec<Enrolled>,
    /// Their events that do not follow the tracking plan and are kept apart.
    #[schemars(with = "Vec<Json>")]
    quarantine: Vec<Event>,
    /// Their events in the order in which they came, with their groups.
    #[schemars(with = "Vec<Json>")]
    events: Vec<Event>,
    /// Send it as `after` for the next page; absent on the last.
    next: Option<Seq>,
}

pub(super) struct Export;

impl Operation for Export {
    const NAME: &'static str = "person.export";
    const ABOUT: &'static str = "Hands out everything that is stored of one person, page by page.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/person");
    const NEEDS: Permission = Permission::Admin;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = ExportInput;
    type Output = Exported;

    fn run(app: &App, ctx: &Ctx, input: ExportInput) -> Result<Exported, AppError> {
        let ExportInput { environment, user, device, after, limit } = input;
        app.served(&environment)?;
        let id = meant(user.as_deref(), device.as_deref())?;
        let limit = usize::try_from(limit.unwrap_or(PAGE).clamp(1, MOST)).unwrap_or(usize::MAX);
        let (person, mut events) =
            app.store.events_of(&environment, id, after.unwrap_or_default(), limit + 1)?;
        let more = events.len() > limit;
        events.truncate(limit);
        let next = events.last().filter(|_| more).map(|(seq, _)| *seq);
        let mut exported = Exported {
            properties: Properties::new(),
            lists: Vec::new(),
            enrolments: Vec::new(),
            quarantine: Vec::new(),
            events: events.into_iter().map(|(_, event)| event).collect(),
            next,
            user: None,
            devices: Vec::new(),
        };
        if after.is_none() && !ctx.stop() {
            exported.properties = app.store.properties_of(&environment, &person);
            exported.lists = app.lists_with(&ids(&person, &id))?;
            let remembered = app.remembered(&environment, &units(&person))?;
            exported.enrolments =
                remembered.into_iter().map(|(flag, variant)| Enrolled { flag, variant }).collect();
            app.each_held(&environment, &mut |_, event| {
                if is_of(&event, &person) {
                    exported.quarantine.push(event);
                }
            })?;
        }
        Ok(Exported { user: person.user, devices: person.devices, ..exported })
    }
}

/// What was forgotten.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Forgot {
    /// The user that the id is, if there is one.
    user: Option<String>,
    /// The devices that are theirs or were: what was done there without a user is forgotten, too.
    devices: Vec<String>,
    /// Events that were kept apart and are gone.
    quarantined: u64,
    /// Entries on lists that are gone, those of old revisions included. In a dry run those of now.
    listed: usize,
    /// What flags remembered of them and do no more.
    enrolled: usize,
    /// Files that are still looked through for whoever is being forgotten, one after the other and by itself, also after
    /// a restart. Nobody sees them there. A dry run says later how many are left; at 0 no file has anybody.
    files_left: usize,
    /// The newest changes in which somebody wrote the id into a rule or a reason. The log of changes keeps them.
    named_in: Vec<Revision>,
    /// What holds them still.
    notes: Vec<&'static str>,
}

pub(super) struct Forget;

impl Operation for Forget {
    const NAME: &'static str = "person.forget";
    const ABOUT: &'static str = "Forgets a person: their events, properties, enrolments and places on lists. What comes of the same id later is of somebody new.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/person/forget");
    const NEEDS: Permission = Permission::Admin;
    const CLASS: Class = Class::Bulk;
    const EFFECT: Effect = Effect::Destroys;
    type Input = ForgetInput;
    type Output = Forgot;

    fn run(app: &App, ctx: &Ctx, input: ForgetInput) -> Result<Forgot, AppError> {
        let ForgetInput { environment, user, device, confirm } = input;
        app.served(&environment)?;
        let id = meant(user.as_deref(), device.as_deref())?;
        if !ctx.dry_run && confirm.as_deref() != Some(text(&id)) {
            return Err(AppError::bad_input(
                "forgetting is not confirmed",
                "give the same id as `confirm`; a dry run says first who is meant",
            ));
        }
        if !ctx.dry_run {
            // Exposures that wait are of them, too.
            app.commit()?;
        }
        // Before it is forgotten whose devices are.
        let person = app.store.person(&environment, id)?;
        let (ids, units) = (ids(&person, &id), units(&person));
        let mut held = Vec::new();
        app.each_held(&environment, &mut |number, event| {
            if is_of(&event, &person) {
                held.push(number);
            }
        })?;
        let mut forgot = Forgot {
            quarantined: held.len() as u64,
            listed: 0,
            enrolled: 0,
            files_left: app.store.forgetting(),
            named_in: app.ledger.naming(text(&id), MOST_NAMING)?,
            notes: vec![
                "backups that were made before hold the person: delete them, or forget again after restoring one",
                "ids on lists are not those of one environment: the person is off the lists of all",
            ],
            user: person.user.clone(),
            devices: person.devices.clone(),
        };
        if ctx.dry_run {
            forgot.listed = app.lists_with(&ids)?.len();
            forgot.enrolled = app.remembered(&environment, &units)?.len();
            return Ok(forgot);
        }
        // Everything else first: it goes by ids, and who else belongs to the person is known by the events. So a
        // call that was cut off is made again as it was.
        let _editing = app.editing();
        forgot.quarantined = app.scrub_held(&environment, &held)?;
        forgot.enrolled = app.forget_units(&environment, &units)?;
        forgot.listed = app.ledger.forget(&ids)?;
        app.ledger.scrub()?;
        if forgot.listed > 0 {
            app.republish(ctx.now)?;
        }
        app.store.forget(&environment, id)?;
        forgot.files_left = app.store.forgetting();
        Ok(forgot)
    }
}

impl App {
    /// The lists of now that one of these ids is on.
    fn lists_with(&self, ids: &[String]) -> Result<Vec<OnList>, AppError> {
        let state = self.ledger.state();
        let mut found = Vec::new();
        let none = || OnList { flag: None, environment: None, variant: None, segment: None };
        for flag in state.flags.values().map(|flag| &flag.value) {
            for (environment, setting) in &flag.settings {
                for target in &setting.targets {
                    if self.ledger.listed(&target.list, ids)?.contains(&true) {
                        let (flag, variant) = (Some(flag.key.clone()), Some(target.variant.clone()));
                        found.push(OnList {
                            flag,
                            variant,
                            environment: Some(environment.clone()),
                            ..none()
                        });
                    }
                }
            }
        }
        for segment in state.segments.values().map(|segment| &segment.value) {
            for list in segment.lists() {
                if self.ledger.listed(list, ids)?.contains(&true) {
                    found.push(OnList { segment: Some(segment.key.clone()), ..none() });
                }
            }
        }
        Ok(found)
    }
}
