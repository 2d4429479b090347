//! App operations: everything of one person, to hand out to them and to forget. However much it is, an answer holds no
//! more than a page of it.

use std::fmt;
use std::str::FromStr;

use bellwether_model::event::Properties;
use bellwether_model::{EnvironmentKey, Event, FlagKey, Json, Revision, SegmentKey, Seq, Unit, VariantKey};
use bellwether_store::{Id, Person};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::input::{at_most, shortened};
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::intake::conceal::is_hash;
use crate::quarantine::event;

/// Changes that are named at most.
const MOST_NAMING: usize = 100;
/// Events of a page unless it is said, and at most.
const PAGE: u32 = 500;
const MOST: u32 = 5_000;
/// The bytes of the events of a page, as JSON, where it is more than one event. In memory they are some twenty times as many.
const PAGE_BYTES: usize = 8 << 20;
/// What is looked at of the quarantine at once: events, and their bytes.
const HELD_AT_ONCE: (usize, usize) = (500, 1 << 20);

/// Where a page goes on: in the quarantine, after which everything that is stored follows. In this order an event that is
/// released between two pages comes again, and in the other it would be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// After a number in the quarantine.
    Held(i64),
    /// After a stored event.
    Stored(Seq),
}

/// What comes before a number in the quarantine.
const HELD: &str = "quarantine:";

impl FromStr for After {
    type Err = AppError;

    fn from_str(text: &str) -> Result<Self, AppError> {
        let after = match text.strip_prefix(HELD) {
            Some(number) => number.parse().ok().filter(|number| *number >= 0).map(Self::Held),
            None => text.parse().ok().map(|seq| Self::Stored(Seq(seq))),
        };
        after.ok_or_else(|| {
            AppError::bad_input(
                format!("`{}` is no place to go on from", shortened(text)),
                "send the `next` of the page before as `after`, as it was",
            )
        })
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(number) => write!(f, "{HELD}{number}"),
            Self::Stored(seq) => seq.0.fmt(f),
        }
    }
}

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
    /// Only what comes after this: the `next` of the page before.
    after: Option<String>,
    /// At most so many events, 500 unless given, 5000 at most; fewer where they are larger than 8 MB together.
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
    /// The user that the id is, if there is one, as it is stored.
    user: Option<String>,
    /// The devices that are theirs or were: what was done there without a user is in `events`, too.
    devices: Vec<String>,
    /// What is known of them now. On the first page, as the lists and flags.
    #[schemars(with = "Json")]
    properties: Properties,
    /// The lists that they are on.
    lists: Vec<OnList>,
    /// The flags that remember them.
    enrolments: Vec<Enrolled>,
    /// Their events that do not follow the tracking plan and are kept apart, in the order in which they came. These come
    /// first, on as many pages as they need.
    #[schemars(with = "Vec<Json>")]
    quarantine: Vec<Event>,
    /// Their stored events in the order in which they came, with their groups; once there are no more in quarantine.
    #[schemars(with = "Vec<Json>")]
    events: Vec<Event>,
    /// Send it as `after` for the next page; absent on the last. Who asks until it is absent has everything.
    next: Option<String>,
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
        let after: Option<After> = after.as_deref().map(str::parse).transpose()?;
        // Also where whoever pages begins at 0.
        let first = after.is_none_or(|after| after == After::Stored(Seq(0)));
        let limit = at_most(limit, PAGE, MOST)?;
        let hash = app.pepper.id(text(&id));
        let forms = forms(app, &environment, id, &hash);
        let people = forms.iter().map(|form| app.store.person(&environment, *form));
        let meant = Meant {
            people: people.collect::<Result<_, _>>()?,
            other: forms.get(1).map(|form| text(form).to_owned()),
        };
        let mut exported = Exported {
            user: meant.user(),
            devices: meant.devices(),
            properties: Properties::new(),
            lists: Vec::new(),
            enrolments: Vec::new(),
            quarantine: Vec::new(),
            events: Vec::new(),
            next: None,
        };
        if first {
            for person in meant.people.iter().rev() {
                exported.properties.extend(app.store.properties_of(&environment, person));
            }
            exported.lists = app.lists_with(&meant.ids(&id))?;
            let remembered = app.remembered(&environment, &meant.units())?;
            exported.enrolments =
                remembered.into_iter().map(|(flag, variant)| Enrolled { flag, variant }).collect();
        }
        let mut room = PAGE_BYTES;
        // Where the next page goes on if nothing more fits on this one.
        let mut from = after.filter(|_| !first).unwrap_or(After::Held(0));
        if let After::Held(number) = from {
            let held = app.held_of(ctx, &environment, &meant, number, limit)?;
            exported.quarantine = held.events;
            room = room.saturating_sub(held.bytes);
            from = After::Held(held.last);
            if held.more || exported.quarantine.len() == limit {
                exported.next = Some(from.to_string());
                return Ok(exported);
            }
        }
        let seq = match from {
            After::Stored(seq) => seq,
            After::Held(_) => Seq(0),
        };
        let limit = limit - exported.quarantine.len();
        let page = app.store.events_of(&environment, &forms, seq, limit, room)?;
        if page.bytes > room && !exported.quarantine.is_empty() {
            exported.next = Some(from.to_string());
            return Ok(exported);
        }
        let last = page.events.last().filter(|_| page.more);
        exported.next = last.map(|(seq, _)| After::Stored(*seq).to_string());
        exported.events = page.events.into_iter().map(|(_, event)| event).collect();
        Ok(exported)
    }
}

/// Somebody's events in quarantine, as many as a page holds.
struct Held {
    events: Vec<Event>,
    bytes: usize,
    /// The last number that was looked at.
    last: i64,
    /// Whether there are others after it.
    more: bool,
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
        let (ids, units) = (meant.ids(&id), meant.units());
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
        forgot.quarantined = app.scrub_held(&environment, &held, &ids)?;
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
        forgot.quarantined += app.scrub_held(&environment, &held_now()?, &ids)?;
        app.violations.forget_examples(&environment);
        forgot.files_left = app.store.forgetting();
        Ok(said(forgot))
    }
}

impl App {
    fn held_of(
        &self,
        ctx: &Ctx,
        environment: &EnvironmentKey,
        meant: &Meant,
        after: i64,
        limit: usize,
    ) -> Result<Held, AppError> {
        let mut found = Held { events: Vec::new(), bytes: 0, last: after, more: false };
        let (events, bytes) = HELD_AT_ONCE;
        loop {
            let (piece, more) = self.quarantine.file.page(environment, None, found.last, events, bytes)?;
            for kept in piece {
                let event = event(&kept)?;
                if meant.has(&event, kept.held.after) {
                    let with = found.bytes + kept.held.body.len();
                    if found.events.len() == limit || (with > PAGE_BYTES && !found.events.is_empty()) {
                        found.more = true;
                        return Ok(found);
                    }
                    found.bytes = with;
                    found.events.push(event);
                }
                found.last = kept.id;
            }
            if !more {
                return Ok(found);
            }
            if ctx.stop() {
                // Never a page that looks whole.
                return Err(AppError::conflict("nobody waits for the answer any more", "ask again"));
            }
        }
    }

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
