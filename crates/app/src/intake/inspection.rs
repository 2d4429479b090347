//! App intake: what the tracking plan finds in the events of one request, until the request as a whole is taken
//! or refused.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bellwether_model::event::Who;
use bellwether_model::plan::Treatment;
use bellwether_model::{EnvironmentKey, Event, Json, Millis};
use bellwether_store::Fingerprint;

use super::bots::Agents;
use super::conceal::Pepper;
use super::door::{Door, Sent};
use super::judge::{Fault, Found, Judges, Reason, SentAs, VERDICT, example};
use crate::App;
use crate::error::AppError;
use crate::violations::Violation;

/// Judges the events of one request, and keeps what it finds.
pub(super) struct Inspection {
    judges: Arc<Judges>,
    pepper: Pepper,
    agents: Agents,
    door: Door,
    /// How many more events the quarantine takes.
    room: usize,
    /// How many events are stored so far.
    passed: Cell<usize>,
    aside: RefCell<Aside>,
}

/// What is not simply stored of a request.
#[derive(Debug, Default)]
pub(crate) struct Aside {
    /// Events for the quarantine, in the order of the request.
    pub(super) held: Vec<Apart>,
    /// What did not follow the plan.
    pub(super) violations: Vec<Violation>,
}

/// An event for the quarantine.
#[derive(Debug)]
pub(crate) struct Apart {
    pub(crate) event: Event,
    pub(crate) why: Vec<String>,
    /// What it was before something of it was concealed.
    pub(crate) sent: SentAs,
    /// How many of the request's events that are stored stand before it.
    pub(super) before: usize,
}

/// An event on a device that something held without a user names, too, too early to be in the store yet.
struct Sign<'e> {
    /// Where it stands among the request's events that are stored.
    at: usize,
    event: &'e Event,
    print: Option<Fingerprint>,
}

impl App {
    /// Gives those without a user the user whom an event before them in their request brought onto their device: when they are
    /// kept apart, that one is not in the store yet. One that came before, or is kept apart itself, brings nobody. For whoever
    /// keeps others from putting something into the quarantine meanwhile.
    pub(super) fn name_users(
        &self,
        held: &mut [Apart],
        stored: &[Event],
        now: Millis,
    ) -> Result<(), AppError> {
        let alone = held.iter().filter(|apart| matches!(apart.event.who, Who::Device(_)));
        let last = alone.clone().map(|apart| apart.before).max().unwrap_or_default();
        let devices: HashSet<(EnvironmentKey, String)> =
            alone.filter_map(|apart| place(&apart.event)).collect();
        let signs = stored.iter().take(last).enumerate().filter(|(_, event)| {
            !devices.is_empty() && place(event).is_some_and(|place| devices.contains(&place))
        });
        let signs: Vec<Sign<'_>> =
            signs.map(|(at, event)| Sign { at, event, print: Fingerprint::of(event) }).collect();
        if !signs.iter().any(|sign| matches!(sign.event.who, Who::Both { .. })) {
            return Ok(());
        }
        let prints: Vec<_> = signs.iter().map(|sign| (sign.print, sign.event.received)).collect();
        let mut came = self.store.knows(&prints)?.known;
        let mut seen = HashSet::new();
        for (sign, came) in signs.iter().zip(&mut came) {
            let Some(print) = sign.print else { continue };
            // A copy within the request is kept apart first, unless it was decided lately.
            let apart = || held.iter().any(|apart| Fingerprint::of(&apart.event) == Some(print));
            *came = *came
                || !seen.insert(print)
                || self.quarantine.is_there(sign.event)
                || (apart() && !self.quarantine.was_decided(sign.event, now)?);
        }
        let mut signs = signs.iter().zip(came).filter(|(_, came)| !came).map(|(sign, _)| sign).peekable();
        let mut on: HashMap<(EnvironmentKey, String), &str> = HashMap::new();
        for Apart { event, before, .. } in held {
            while let Some(Sign { event, .. }) = signs.next_if(|sign| sign.at < *before) {
                if let (Who::Both { user, .. }, Some(place)) = (&event.who, place(event)) {
                    on.insert(place, user);
                }
            }
            if let Who::Device(device) = &event.who
                && let Some(user) = place(event).and_then(|place| on.get(&place))
            {
                event.who = Who::Both { user: (*user).to_owned(), device: device.clone() };
            }
        }
        Ok(())
    }
}

/// The device of an event, where it has one.
fn place(event: &Event) -> Option<(EnvironmentKey, String)> {
    Some((event.environment.clone(), event.who.device()?.to_owned()))
}

/// Why an event is not taken.
pub(super) struct Rejected {
    /// Whether something that must be there is not.
    pub(super) missing: bool,
    /// Whether it is the event type that is wrong.
    pub(super) name: bool,
    pub(super) hint: String,
}

/// Whether a value tells who an event is of, anywhere within it.
fn tells(value: &Json, event: &Event) -> bool {
    let ids = || [event.who.user(), event.who.device()].into_iter().flatten();
    match value {
        Json::String(text) => ids().any(|id| text.contains(id)),
        Json::Array(list) => list.iter().any(|value| tells(value, event)),
        Json::Object(map) => {
            map.iter().any(|(name, value)| ids().any(|id| name.contains(id)) || tells(value, event))
        }
        Json::Number(number) => ids().any(|id| number.to_string().contains(id)),
        Json::Null | Json::Bool(_) => false,
    }
}

impl Inspection {
    pub(super) fn new(app: &App, door: Door, sent: &Sent<'_>) -> Self {
        let judges = app.judges.load_full();
        let pepper = app.pepper.clone();
        let agents = Agents::of(sent.agent);
        let room = app.quarantine.room();
        Self { judges, pepper, agents, door, room, passed: Cell::default(), aside: RefCell::default() }
    }

    /// How many events of this request go into the quarantine.
    pub(super) fn held(&self) -> usize {
        self.aside.borrow().held.len()
    }

    /// Whether an admitted event is stored, and then it is marked where it does not follow the plan; if not, it went
    /// into the quarantine. Or why it is rejected.
    pub(super) fn pass(&self, event: &mut Event) -> Result<bool, Rejected> {
        let passes = self.judged(event)?;
        self.passed.set(self.passed.get() + usize::from(passes));
        Ok(passes)
    }

    fn judged(&self, event: &mut Event) -> Result<bool, Rejected> {
        // Judged as it came, and stored without what is not to be stored.
        let mut found = self.judges.judge(event);
        for fault in found.iter_mut().flat_map(|found| &mut found.faults) {
            // An id is not kept where a person cannot be forgotten.
            let value = fault.property.as_deref().and_then(|name| event.properties.get(name));
            fault.example.take_if(|_| value.is_none_or(|value| tells(value, event)));
        }
        let held = found.as_ref().is_some_and(|found| found.treatment == Treatment::Quarantine);
        let sent = if held { self.judges.sent(event) } else { SentAs::new() };
        self.agents.mark(event);
        self.judges.conceal(event, &self.pepper);
        for fault in found.iter_mut().flat_map(|found| &mut found.faults) {
            // Nor is what is not stored as it came, such as an address.
            let value = fault.property.as_deref().and_then(|name| event.properties.get(name));
            fault.example.take_if(|shown| value.is_none_or(|value| example(value) != *shown));
        }
        let Some(Found { mut treatment, verdict, faults }) = found else { return Ok(true) };
        let mut aside = self.aside.borrow_mut();
        let mut full = "";
        if treatment == Treatment::Quarantine && aside.held.len() >= self.room {
            // What is acknowledged is kept, and there is no room to keep it.
            treatment = Treatment::Reject;
            full = "; the quarantine is full";
        }
        let source = match event.user_properties.get("library").and_then(Json::as_str) {
            Some(library) => super::judge::cut(library, 100),
            None => self.door.word().into(),
        };
        let violation = |faults| Violation {
            environment: event.environment.clone(),
            event: super::judge::cut(&event.event, 100),
            faults,
            source,
            treatment,
        };
        match treatment {
            Treatment::Accept => {
                aside.violations.push(violation(faults));
                event.properties.insert(VERDICT.into(), verdict.word().into());
                Ok(true)
            }
            Treatment::Quarantine => {
                let why = faults.iter().map(Fault::sentence).collect();
                aside.violations.push(violation(faults));
                aside.held.push(Apart { event: event.clone(), why, sent, before: self.passed.get() });
                Ok(false)
            }
            Treatment::Reject => {
                let first = faults.first();
                let rejected = Rejected {
                    missing: faults.iter().all(|fault| fault.reason == Reason::Missing),
                    name: first.is_some_and(|fault| fault.reason == Reason::UnplannedEvent),
                    hint: format!("{}{full}", first.map(Fault::sentence).unwrap_or_default()),
                };
                aside.violations.push(violation(faults));
                Err(rejected)
            }
        }
    }

    /// What is set aside of a request that is taken.
    pub(super) fn taken(self) -> Aside {
        self.aside.into_inner()
    }

    /// What is left of a request that is refused: the others are sent again, and count then.
    pub(super) fn refused(self) -> Vec<Violation> {
        let mut violations = self.aside.into_inner().violations;
        violations.retain(|violation| violation.treatment == Treatment::Reject);
        violations
    }
}
