//! App operations: everything of one person, handed out by pages. However much it is, an answer holds no more than a page
//! of it, and whoever asks until there is nothing more has everything.

use std::fmt;
use std::str::FromStr;

use bellwether_model::event::Properties;
use bellwether_model::{EnvironmentKey, Event, FlagKey, Json, Seq, VariantKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Meant, OnList, asked};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::operation::input::{at_most, shortened};
use crate::operation::{Class, Ctx, Effect, Method, Operation};
use crate::quarantine::event;

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
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.strip_prefix(HELD) {
            Some(number) => number.parse().ok().filter(|number| *number >= 0).map(Self::Held).ok_or(()),
            None => text.parse().map(|seq| Self::Stored(Seq(seq))).map_err(|_| ()),
        }
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

/// The `next` of a page: where it goes on, and by how many ids the person was known on the pages before. A device that became
/// theirs since has events that would have stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Next {
    after: After,
    /// Not there in a place that somebody made up.
    known: Option<usize>,
}

impl FromStr for Next {
    type Err = AppError;

    fn from_str(text: &str) -> Result<Self, AppError> {
        let parts = match text.split_once('.') {
            Some((after, known)) => after.parse().ok().zip(known.parse().ok().map(Some)),
            None => text.parse().ok().zip(Some(None)),
        };
        parts.map(|(after, known)| Self { after, known }).ok_or_else(|| {
            AppError::bad_input(
                format!("`{}` is no place to go on from", shortened(text)),
                "send the `next` of the page before as `after`, as it was",
            )
        })
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

pub(in crate::operation) struct Export;

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
        let asked = asked(user, device)?;
        let before: Option<Next> = after.as_deref().map(str::parse).transpose()?;
        let after = before.map(|next| next.after);
        // Also where whoever pages begins at 0.
        let first = after.is_none_or(|after| after == After::Stored(Seq(0)));
        let limit = at_most(limit, PAGE, MOST)?;
        let meant = Meant::of(app, &environment, asked)?;
        let forms = meant.forms();
        // A look through all events is for the first page.
        let seen = match first {
            true => app.store.seen(&environment, &forms)?,
            false => app.store.known(&environment, &forms)?,
        };
        let known = meant.known();
        if before.and_then(|next| next.known).is_some_and(|before| before != known) {
            return Err(came_by_another());
        }
        let next = |after: After| Some(format!("{after}.{known}"));
        let mut exported = Exported {
            user: meant.user(&seen),
            devices: meant.devices(&seen),
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
            exported.lists = app.lists_with(&meant.ids())?;
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
                exported.next = next(from);
                return Ok(exported);
            }
        }
        let seq = match from {
            After::Stored(seq) => seq,
            After::Held(_) => Seq(0),
        };
        let limit = limit - exported.quarantine.len();
        let page = app.store.events_of(&environment, &forms, seq, limit, room)?;
        // Also between the two looks of this page.
        if Meant::units_of(&page.people).len() != known {
            return Err(came_by_another());
        }
        if page.bytes > room && !exported.quarantine.is_empty() {
            exported.next = next(from);
            return Ok(exported);
        }
        exported.next =
            page.events.last().filter(|_| page.more).and_then(|(seq, _)| next(After::Stored(*seq)));
        exported.events = page.events.into_iter().map(|(_, event)| event).collect();
        Ok(exported)
    }
}

/// Why there is no next page: it would look as if it was all of them.
fn came_by_another() -> AppError {
    AppError::conflict(
        "since the first page they came by another device, and what was done there before would be missing",
        "ask for the first page again, without `after`",
    )
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
}
