//! Store: tests. Whatever is done to a store in whatever order, it answers as a list of events would.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bellwether_columns::{Ids, Known, PropertyName, Rows, Scan, Want};
use bellwether_model::{EnvironmentKey, Event, Millis, Properties, Seq, Span, profile};
use proptest::prelude::*;

use super::WEEK;
use super::gen_events::event;
use crate::{Outcome, Settings, Store, StoreError, Ticket};

#[derive(Debug, Clone)]
enum Act {
    Append(Vec<Event>),
    Commit,
    /// A commit to a disk that takes so many bytes and then no more.
    CommitToFullDisk(usize),
    Step,
    Flush,
    Reopen,
    Ask(Want, usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => proptest::collection::vec(event(), 0..6).prop_map(Act::Append),
        4 => Just(Act::Commit),
        1 => (0_usize..40).prop_map(Act::CommitToFullDisk),
        3 => Just(Act::Step),
        3 => Just(Act::Flush),
        1 => Just(Act::Reopen),
        3 => (want(), 0_usize..12).prop_map(|(want, limit)| Act::Ask(want, limit)),
    ]
}

fn want() -> impl Strategy<Value = Want> {
    let name = prop_oneof![
        Just("plan"),
        Just("count"),
        Just("price"),
        Just("paid"),
        Just("any"),
        Just("user.any"),
        Just("user.price"),
        Just("group.company"),
        Just("never"),
    ];
    (
        prop_oneof![Just("production"), Just("staging"), Just("nowhere")],
        proptest::option::of(proptest::collection::vec(prop_oneof![Just("visit"), Just("buy")], 0..2)),
        (0_i64..1_000, 0_i64..1_200),
        proptest::collection::vec(name, 0..4),
        prop_oneof![
            Just(Ids::None),
            Just(Ids::Came),
            Just(Ids::People(Known::Then)),
            Just(Ids::People(Known::Now))
        ],
    )
        .prop_map(|(environment, events, (from, span), names, ids)| Want {
            environment: environment.parse().expect("a key"),
            events: events.map(|list| list.into_iter().map(str::to_owned).collect()),
            from: Millis(from),
            to: Millis(from + span),
            properties: names.into_iter().map(PropertyName::parse).collect(),
            ids,
        })
}

/// What a store should hold.
#[derive(Default)]
struct Model {
    committed: Vec<Event>,
    queued: Vec<Event>,
    waiting: Vec<Ticket>,
    /// Whether the open log file refuses writes.
    broken: bool,
}

impl Model {
    /// Whether the event is new, by reading through everything.
    fn admits(&self, event: &Event) -> bool {
        const DAY: i64 = WEEK / 7;
        let unit =
            |e: &Event| e.who.device().map_or((1, e.who.user().map(str::to_owned)), |d| (0, Some(d.into())));
        let same = |known: &Event| {
            known.insert_id == event.insert_id
                && known.environment == event.environment
                && unit(known) == unit(event)
        };
        if event.insert_id.is_none() || self.committed.is_empty() {
            return event.insert_id.is_none() || !self.queued.iter().any(same);
        }
        // Stretches in which the clock went on steadily, and where each ends so far.
        let mut runs: Vec<(Vec<&Event>, i64)> = Vec::new();
        for event in &self.committed {
            let at = event.received.0;
            match runs.last_mut() {
                Some((run, end)) if (at - *end).abs() <= DAY => {
                    run.push(event);
                    *end = at.max(*end);
                }
                _ => runs.push((vec![event], at)),
            }
        }
        let runs = runs.split_off(runs.len().saturating_sub(8));
        let now = event.received.0;
        let newest = runs.last().map_or(0, |(_, end)| *end);
        let steady = (now - newest).abs() <= DAY;
        let known = runs.iter().enumerate().any(|(i, (run, end))| {
            let end = if steady && i == runs.len() - 1 { now.max(*end) } else { *end };
            let later: i64 = (i + 1..runs.len())
                .map(|j| {
                    let end = if steady && j == runs.len() - 1 { now.max(runs[j].1) } else { runs[j].1 };
                    end - runs[j].0[0].received.0
                })
                .sum();
            // Into this stretch, into a later one, or now.
            let begun = self.begun_back(run[0]);
            let back = begun
                || runs[i + 1..].iter().any(|(run, _)| self.begun_back(run[0]))
                || (!steady && now < newest);
            run.iter().any(|known| {
                let age = end - known.received.0 + later;
                same(known) && age < WEEK && (back || (now - known.received.0).abs() < WEEK)
            })
        });
        !known && !self.queued.iter().any(same)
    }

    /// Whether the clock went back when the stretch that this event begins began.
    fn begun_back(&self, first: &Event) -> bool {
        let before = self.committed.iter().take_while(|e| !std::ptr::eq(*e, first));
        let (mut end, mut any) = (i64::MIN, false);
        for event in before {
            let at = event.received.0;
            end = if any && (at - end).abs() <= WEEK / 7 { at.max(end) } else { at };
            any = true;
        }
        any && first.received.0 < end
    }

    fn append(&mut self, events: &[Event]) -> (u64, u64) {
        let before = self.queued.len();
        for event in events {
            if self.admits(event) {
                let mut event = event.clone();
                event.properties.retain(|_, v| !v.is_null());
                event.user_properties.retain(|_, v| !v.is_null());
                let before: Vec<&Event> = self.committed.iter().chain(&self.queued).collect();
                remember(&before, &mut event);
                self.queued.push(event);
            }
        }
        let stored = (self.queued.len() - before) as u64;
        (stored, events.len() as u64 - stored)
    }

    fn newest(&self, environment: &EnvironmentKey, limit: usize) -> Vec<Event> {
        let mut events: Vec<Event> =
            self.committed.iter().rev().filter(|e| e.environment == *environment).cloned().collect();
        events.sort_by_key(|e| std::cmp::Reverse(e.received));
        events.truncate(limit);
        events
    }
}

/// Writes into an event what is known of its user and its groups, by living through all that was before.
fn remember(before: &[&Event], event: &mut Event) {
    let mut owners: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut known: BTreeMap<String, Properties> = BTreeMap::new();
    let mut person = String::new();
    for event in before.iter().copied().chain([&*event]) {
        let here = event.environment.to_string();
        let of_user = |user: &str| format!("{here} user {user}");
        person = match (event.who.user(), event.who.device()) {
            (Some(user), Some(device)) => {
                let of = (here.clone(), device.to_owned());
                if owners.insert(of, user.to_owned()).is_none() {
                    let mut claimed =
                        known.get(&format!("{here} device {device}")).cloned().unwrap_or_default();
                    claimed.extend(known.get(&of_user(user)).cloned().unwrap_or_default());
                    known.insert(of_user(user), claimed);
                }
                of_user(user)
            }
            (Some(user), None) => of_user(user),
            (None, device) => {
                let device = device.unwrap().to_owned();
                match owners.get(&(here.clone(), device.clone())) {
                    Some(user) => of_user(user),
                    None => format!("{here} device {device}"),
                }
            }
        };
        profile::apply(known.entry(person.clone()).or_default(), &event.user_changes);
        if event.groups.contains_key("company") {
            profile::apply(known.entry(format!("{here} acme")).or_default(), &event.group_changes);
        }
    }
    let mut properties = known.get(&person).cloned().unwrap_or_default();
    for (name, value) in std::mem::take(&mut event.user_properties) {
        properties.entry(name).or_insert(value);
    }
    event.user_properties = properties;
    let acme = known.get(&format!("{} acme", event.environment)).filter(|known| !known.is_empty());
    if let (true, Some(acme)) = (event.groups.contains_key("company"), acme) {
        event.group_properties.insert("company".into(), serde_json::json!({"acme": acme}));
    }
}

fn lose_hot(dir: &std::path::Path) {
    for entry in std::fs::read_dir(dir.join("parts")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "hot") {
            std::fs::remove_file(path).unwrap();
        }
    }
}

/// A row, as text: the same whichever batch it came in.
pub(super) fn rows(scan: &dyn Scan, want: &Want) -> Vec<String> {
    let mut rows = Vec::new();
    scan.scan(want, &mut |batch| {
        for row in 0..batch.rows {
            let cells: Vec<_> = batch.properties.iter().map(|c| (c.text(row), c.number(row))).collect();
            rows.push(format!(
                "{} {:?} {:?} {:?} {:?} {cells:?}",
                batch.time[row],
                batch.event.get(row),
                batch.user.get(row),
                batch.device.get(row),
                batch.person.get(row),
            ));
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    rows.sort();
    rows
}

fn settle(store: &Store, model: &mut Model, result: Result<Seq, StoreError>) {
    let expected = match result {
        Ok(_) => {
            model.committed.append(&mut model.queued);
            Outcome::Committed
        }
        Err(StoreError::Lost { .. }) => {
            model.queued.clear();
            model.broken = false;
            Outcome::Lost
        }
        Err(other) => panic!("{other}"),
    };
    for ticket in model.waiting.drain(..) {
        assert_eq!(store.outcome(&ticket), expected);
    }
}

fn run(acts: Vec<Act>, settings: &Settings) {
    let home = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    let mut store = Store::open(home.path(), settings.clone()).unwrap().0;
    for act in acts.into_iter().chain([Act::Commit, Act::Reopen]) {
        match act {
            Act::Append(events) => {
                let (stored, duplicates) = model.append(&events);
                let ticket = store.append(events).unwrap();
                assert_eq!((ticket.taken.stored, ticket.taken.duplicates), (stored, duplicates));
                if !model.queued.is_empty() {
                    assert_eq!(store.outcome(&ticket), Outcome::Waiting);
                    model.waiting.push(ticket);
                } else {
                    assert_eq!(store.outcome(&ticket), Outcome::Committed);
                }
            }
            Act::Commit => {
                let result = store.commit();
                assert!(result.is_ok() || model.broken, "{result:?}");
                settle(&store, &mut model, result);
            }
            // Even where the record would have gone to a file that was begun for it.
            Act::CommitToFullDisk(torn) if torn % 2 == 1 => {
                crate::store::lock(&store.writer).log.full = Some(vec![7; torn]);
                let result = store.commit();
                crate::store::lock(&store.writer).log.full = None;
                settle(&store, &mut model, result);
            }
            Act::CommitToFullDisk(torn) => {
                crate::store::lock(&store.writer).log.break_file(&vec![7; torn]);
                model.broken = true;
                let result = store.commit();
                settle(&store, &mut model, result);
            }
            Act::Step => {
                store.step(Millis(0)).unwrap();
            }
            Act::Flush => {
                store.flush().unwrap();
            }
            Act::Reopen => {
                drop(store);
                model.queued.clear();
                model.waiting.clear();
                model.broken = false;
                let report = Store::doctor_deep(home.path()).unwrap();
                let recent = report.findings.iter().all(|f| f.contains("taken again"));
                assert!(report.is_sound() || recent, "{:?}", report.findings);
                // Lost, they are written again by steps.
                if model.committed.len() % 2 == 1 {
                    lose_hot(home.path());
                }
                store = Store::open(home.path(), settings.clone()).unwrap().0;
            }
            Act::Ask(want, limit) => {
                let snapshot = store.snapshot();
                let oracle = Rows::new(model.committed.clone(), snapshot.seq());
                let expected = rows(&oracle, &want);
                assert_eq!(rows(&snapshot, &want), expected);
                // Without the hot columns it is the same.
                snapshot.parts.iter().for_each(|part| part.give_up());
                assert_eq!(rows(&snapshot, &want), expected);
                snapshot.parts.iter().for_each(|part| part.warm());
                assert_eq!(
                    snapshot.events(&want.environment, limit).unwrap(),
                    model.newest(&want.environment, limit)
                );
                let of =
                    |event: &str| want.events.as_ref().is_none_or(|asked| asked.iter().any(|e| e == event));
                let mut newest = model.newest(&want.environment, usize::MAX);
                newest.retain(|e| of(&e.event));
                newest.truncate(limit);
                assert_eq!(snapshot.newest(&want.environment, &of, limit).unwrap(), newest);
            }
        }
        assert_eq!(store.stats().events, model.committed.len() as u64);
    }
    for environment in ["production", "staging"] {
        let environment = environment.parse().unwrap();
        let stored = store.snapshot().events(&environment, usize::MAX).unwrap();
        assert_eq!(stored, model.newest(&environment, usize::MAX));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_store_answers_as_a_list_would(
        acts in proptest::collection::vec(act(), 1..60), seal_rows in 1_usize..60, step_rows in 1_usize..90,
        dedupe_bytes in prop_oneof![Just(0_usize), Just(1 << 20)],
    ) {
        let seal_age = Span::DAY.times(100);
        run(acts, &Settings { seal_rows, step_rows, dedupe_bytes, merge_rows: 300, seal_age, ..Settings::default() });
    }
}
