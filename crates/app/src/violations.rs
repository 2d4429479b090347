//! App: how events do not follow the tracking plan, counted since the start. What is held is bounded, whatever
//! senders make up: past the bound what is rare goes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bellwether_model::plan::Treatment;
use bellwether_model::{EnvironmentKey, Millis};

use crate::intake::judge::{Fault, Reason};

/// One event that did not follow the plan, and by what.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) environment: EnvironmentKey,
    pub(crate) event: Box<str>,
    pub(crate) faults: Vec<Fault>,
    /// The SDK, or the door that it came by.
    pub(crate) source: Box<str>,
    pub(crate) treatment: Treatment,
}

/// What is counted apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Case {
    pub(crate) environment: EnvironmentKey,
    pub(crate) event: Box<str>,
    pub(crate) property: Option<Box<str>>,
    pub(crate) reason: Reason,
    pub(crate) source: Box<str>,
}

/// How often it happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) accepted: u64,
    pub(crate) quarantined: u64,
    pub(crate) rejected: u64,
    pub(crate) first: Millis,
    pub(crate) last: Millis,
    /// The newest value that is not personal, as JSON.
    pub(crate) example: Option<Box<str>>,
}

impl Seen {
    pub(crate) fn count(&self) -> u64 {
        self.accepted + self.quarantined + self.rejected
    }
}

/// Cases that are held at once: a few hundred bytes each.
const MOST: usize = 5_000;

/// What was seen since the start. A tree, because senders choose these texts.
#[derive(Debug)]
pub(crate) struct Violations {
    since: Millis,
    cases: Mutex<Cases>,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Cases {
    pub(crate) seen: BTreeMap<Case, Seen>,
    /// Events, however many faults each has.
    pub(crate) events: BTreeMap<EnvironmentKey, u64>,
    /// Cases that had to go.
    pub(crate) forgotten: u64,
}

impl Violations {
    pub(crate) fn new(since: Millis) -> Self {
        Self { since, cases: Mutex::default() }
    }

    /// Since when is counted.
    pub(crate) fn since(&self) -> Millis {
        self.since
    }

    pub(crate) fn note(&self, violations: Vec<Violation>, now: Millis) {
        if violations.is_empty() {
            return;
        }
        let mut cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        for Violation { environment, event, faults, source, treatment } in violations {
            *cases.events.entry(environment.clone()).or_default() += 1;
            for Fault { property, reason, example } in faults {
                let (environment, event, source) = (environment.clone(), event.clone(), source.clone());
                let case = Case { environment, event, property, reason, source };
                let seen = cases.seen.entry(case).or_insert_with(|| Seen { first: now, ..Seen::default() });
                *match treatment {
                    Treatment::Accept => &mut seen.accepted,
                    Treatment::Quarantine => &mut seen.quarantined,
                    Treatment::Reject => &mut seen.rejected,
                } += 1;
                seen.last = now;
                if example.is_some() {
                    seen.example = example;
                }
                if cases.seen.len() > MOST {
                    cases.forget();
                }
            }
        }
    }

    /// Forgets the values that were kept as examples: somebody of the environment is forgotten, and one may be theirs.
    pub(crate) fn forget_examples(&self, environment: &EnvironmentKey) {
        let mut cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = cases.seen.iter_mut().filter(|(case, _)| case.environment == *environment);
        mine.for_each(|(_, seen)| seen.example = None);
    }

    /// How many events of an environment did not follow the plan.
    pub(crate) fn events(&self, environment: &EnvironmentKey) -> u64 {
        let cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        cases.events.get(environment).copied().unwrap_or_default()
    }

    /// What was seen of an environment.
    pub(crate) fn of(&self, environment: &EnvironmentKey) -> (Vec<(Case, Seen)>, u64) {
        let cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = cases.seen.iter().filter(|(case, _)| case.environment == *environment);
        (mine.map(|(case, seen)| (case.clone(), seen.clone())).collect(), cases.forgotten)
    }
}

impl Cases {
    /// Keeps half: what was seen most, and of that what was seen last.
    fn forget(&mut self) {
        let mut ranks: Vec<_> = self.seen.values().map(|seen| (seen.count(), seen.last)).collect();
        let middle = ranks.len() / 2;
        let (_, &mut middle, _) = ranks.select_nth_unstable(middle);
        let before = self.seen.len();
        let mut room = MOST / 2;
        self.seen.retain(|_, seen| {
            let keeps = (seen.count(), seen.last) >= middle && room > 0;
            room -= usize::from(keeps);
            keeps
        });
        self.forgotten += (before - self.seen.len()) as u64;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_frequent_stays_whatever_senders_make_up() {
        let violations = Violations::new(Millis(0));
        let one = |event: &str| Violation {
            environment: "production".parse().unwrap(),
            event: event.into(),
            faults: vec![Fault { property: None, reason: Reason::UnplannedEvent, example: None }],
            source: "sdk".into(),
            treatment: Treatment::Accept,
        };
        for round in 0..30_000_i64 {
            violations.note(vec![one(&format!("made up {round}"))], Millis(round));
            if round % 10 == 0 {
                violations.note(vec![one("Real")], Millis(round));
            }
        }
        let (seen, forgotten) = violations.of(&"production".parse().unwrap());
        assert!(seen.len() <= MOST, "{}", seen.len());
        assert!(forgotten > 0);
        let real = seen.iter().find(|(case, _)| &*case.event == "Real").unwrap();
        assert_eq!((real.1.accepted, real.1.first, real.1.last), (3_000, Millis(0), Millis(29_990)));
    }
}
