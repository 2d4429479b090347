//! App operations: everything of one person, to hand out to them and to forget.

mod export;

use bellwether_model::{EnvironmentKey, Event, FlagKey, Revision, SegmentKey, Seq, Unit, VariantKey};
use bellwether_store::{Id, Person};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::intake::conceal::is_hash;

pub(super) use export::Export;

/// Changes that are named at most.
const MOST_NAMING: usize = 100;

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

/// The same id with a hash in its place.
fn with<'h>(id: &Id<'_>, hash: &'h str) -> Id<'h> {
    match id {
        Id::User(_) => Id::User(hash),
        Id::Device(_) => Id::Device(hash),
    }
}

/// Somebody as the store has them under an id and under its hash, whatever their environment stores of ids now and stored
/// before.
struct Meant {
    people: Vec<Person>,
    /// The form of the id that nothing new is stored under.
    other: Option<String>,
}

impl Meant {
    /// The user, the newest way of storing ids first.
    fn user(&self) -> Option<String> {
        self.people.iter().find_map(|person| person.user.clone())
    }

    fn devices(&self) -> Vec<String> {
        let mut devices: Vec<String> =
            self.people.iter().flat_map(|person| &person.devices).cloned().collect();
        // Whoever was never seen is themselves, in both forms.
        devices.retain(|device| self.other.as_ref() != Some(device));
        devices.sort();
        devices.dedup();
        devices
    }

    /// By how many ids they are known. It grows as they come by others.
    fn known(&self) -> usize {
        self.units().len()
    }

    /// The units that they are to flags.
    fn units(&self) -> Vec<(Unit, &str)> {
        let users = self.people.iter().filter_map(|person| person.user.as_deref());
        let devices = self.people.iter().flat_map(|person| &person.devices);
        users.map(|id| (Unit::User, id)).chain(devices.map(|id| (Unit::Device, id.as_str()))).collect()
    }

    /// Every id of theirs, the one that was asked for among them.
    fn ids(&self, id: &Id<'_>) -> Vec<String> {
        let mut ids = vec![text(id).to_owned()];
        ids.extend(self.units().into_iter().map(|(_, id)| id.to_owned()));
        ids.sort();
        ids.dedup();
        ids
    }

    /// What was decided of theirs is known by: their ids as a user, and the devices that were nobody's before they came.
    fn decided(&self, id: &Id<'_>) -> Vec<String> {
        let users = self.people.iter().filter_map(|person| person.user.as_deref());
        let devices = self.people.iter().flat_map(Person::first_on);
        let asked = Some(text(id)).filter(|_| matches!(id, Id::User(_)));
        let mut ids: Vec<String> = users.chain(devices).chain(asked).map(str::to_owned).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// Whether an event that is kept apart is theirs, as the store says it of those that it has.
    fn has(&self, event: &Event, after: Option<Seq>) -> bool {
        self.people.iter().any(|person| person.has(event.who.user(), event.who.device(), after))
    }
}

/// An id as it is given and as its hash; one where it is the hash. That which its environment stores now comes first.
fn forms<'i>(app: &App, environment: &EnvironmentKey, id: Id<'i>, hash: &'i str) -> Vec<Id<'i>> {
    let unit = match id {
        Id::User(_) => Unit::User,
        Id::Device(_) => Unit::Device,
    };
    let mut forms = vec![with(&id, hash), id];
    if app.stored_id(environment, unit, text(&id)) == text(&id) {
        forms.reverse();
    }
    forms.dedup();
    forms
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

/// What was forgotten.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Forgot {
    /// The user that the id is, if there is one, as it is stored.
    user: Option<String>,
    /// The devices that are theirs or were: what was done there without a user is forgotten, too.
    devices: Vec<String>,
    /// Stored events that are gone. What came while this ran is gone, too, and not counted.
    events: u64,
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
        let hash = app.pepper.id(text(&id));
        let forms = forms(app, &environment, id, &hash);
        let meant = Meant {
            people: forms
                .iter()
                .map(|form| app.store.person(&environment, *form))
                .collect::<Result<_, _>>()?,
            other: forms.get(1).map(|form| text(form).to_owned()),
        };
        let (ids, decided, units) = (meant.ids(&id), meant.decided(&id), meant.units());
        let held_now = || {
            let mut held = Vec::new();
            app.each_held(&environment, &mut |kept, event| {
                if meant.has(&event, kept.held.after) {
                    held.push(kept.id);
                }
            })?;
            Ok::<_, AppError>(held)
        };
        let held = held_now()?;
        let mut forgot = Forgot {
            events: app.store.count_of(&environment, &forms)?,
            quarantined: held.len() as u64,
            listed: 0,
            enrolled: 0,
            files_left: app.store.forgetting(),
            named_in: app.ledger.naming(text(&id), MOST_NAMING)?,
            notes: vec![
                "backups that were made before hold the person: delete them, or forget again after restoring one",
                "ids on lists are not those of one environment: the person is off the lists of all",
            ],
            user: meant.user(),
            devices: meant.devices(),
        };
        if meant.units().iter().any(|(_, stored)| is_hash(stored) && *stored != hash) {
            forgot.notes.push(
                "of the person's other ids only hashes are stored: where lists name these ids they still do",
            );
        }
        let said = |mut forgot: Forgot| {
            if (forgot.events, forgot.quarantined, forgot.listed, forgot.enrolled) == (0, 0, 0, 0) {
                forgot
                    .notes
                    .insert(0, "nobody is known by this id here: look at how it is written, and where");
            }
            forgot
        };
        if ctx.dry_run {
            forgot.listed = app.lists_with(&ids)?.len();
            forgot.enrolled = app.remembered(&environment, &units)?.len();
            return Ok(said(forgot));
        }
        // Everything else first: it goes by ids, and who else belongs to the person is known by the events. So a
        // call that was cut off is made again as it was.
        let _editing = app.editing();
        forgot.quarantined = app.scrub_held(&environment, &held, &decided)?;
        forgot.enrolled = app.forget_units(&environment, &units)?;
        forgot.listed = app.ledger.forget(&ids)?;
        app.ledger.scrub()?;
        if forgot.listed > 0 {
            app.republish(ctx.now)?;
        }
        for form in &forms {
            // That which is stored now, always: a call that was cut off is made again. The other where there is anything.
            if Some(form) == forms.first() || app.store.count_of(&environment, &[*form])? > 0 {
                app.store.forget(&environment, *form)?;
            }
        }
        // What came there meanwhile was acknowledged before this is answered, and may have been decided since: it goes, too.
        forgot.quarantined += app.scrub_held(&environment, &held_now()?, &decided)?;
        app.violations.forget_examples(&environment);
        forgot.files_left = app.store.forgetting();
        Ok(said(forgot))
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
