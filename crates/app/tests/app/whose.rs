//! App tests: whose an event in quarantine is that names a device and no user, whatever else comes, comes again, is decided
//! or is lost. A naive list of what happened says it, too.

use std::collections::{BTreeMap, BTreeSet};

use bellwether_app::Outcome;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value as Json, json};

use crate::house::House;
use crate::quarantine::{quarantining, take};

const USERS: [&str; 3] = ["anna-anna", "bert-bert", "cara-cara"];

/// An event of somebody on one of two devices, which the plan has or has not.
#[derive(Debug, Clone)]
struct One {
    good: bool,
    user: Option<usize>,
    device: usize,
    /// Its name, by which a copy is known.
    id: Option<usize>,
}

#[derive(Debug, Clone)]
enum Step {
    /// A request with these.
    Send(Vec<One>),
    /// A request with the first, which is not answered, then one with the second, which is; and a kill.
    Kill(Vec<One>, Vec<One>),
    /// All that is in quarantine is deleted.
    Delete,
}

fn one(good: impl Strategy<Value = bool>) -> impl Strategy<Value = One> {
    (good, prop::option::weighted(0.6, 0..USERS.len()), 0_usize..2, prop::option::weighted(0.7, 0_usize..4))
        .prop_map(|(good, user, device, id)| One { good, user, device, id })
}

fn step() -> impl Strategy<Value = Step> {
    let many = |good| prop::collection::vec(one(Just(good)), 1..5);
    prop_oneof![
        8 => prop::collection::vec(one(any::<bool>()), 1..6).prop_map(Step::Send),
        5 => (many(true), many(false)).prop_map(|(lost, held)| Step::Kill(lost, held)),
        1 => Just(Step::Delete),
    ]
}

/// What happened, as a list has it. An event is named by its device and its `insert_id`.
#[derive(Debug, Default)]
struct Naive {
    /// How many events came.
    now: usize,
    stored: BTreeSet<(usize, usize)>,
    decided: BTreeSet<(usize, usize)>,
    /// Each with its number, when it came, and what it is.
    held: Vec<(usize, usize, One)>,
    /// The users of each device, and since when each has it.
    turns: BTreeMap<usize, Vec<(usize, usize)>>,
}

impl Naive {
    fn send(&mut self, events: &[One]) {
        let name = |one: &One| one.id.map(|id| (one.device, id));
        // What is kept apart is so before the rest is stored.
        for (at, one) in events.iter().enumerate().filter(|(_, one)| !one.good) {
            let known = |name: (usize, usize)| {
                let held =
                    self.held.iter().any(|(.., held)| held.id.map(|id| (held.device, id)) == Some(name));
                held || self.stored.contains(&name) || self.decided.contains(&name)
            };
            if !name(one).is_some_and(known) {
                self.held.push((self.now + at, self.now + at, one.clone()));
            }
        }
        for (at, one) in events.iter().enumerate().filter(|(_, one)| one.good) {
            let held = self.held.iter().any(|(.., held)| name(held).is_some() && name(held) == name(one));
            if held || name(one).is_some_and(|name| !self.stored.insert(name)) {
                continue;
            }
            if let Some(user) = one.user {
                let turns = self.turns.entry(one.device).or_default();
                if turns.last().is_none_or(|(_, last)| *last != user) {
                    turns.push((self.now + at, user));
                }
            }
        }
        self.now += events.len();
    }

    /// Nothing of a request was stored that was not answered; what came after it and was may be a copy of it all the same, and
    /// is held as often as it was not.
    fn kill(&mut self, lost: &[One], held: &[One]) {
        let before = self.stored.clone();
        let waiting = lost.iter().filter_map(|one| one.id.map(|id| (one.device, id)));
        let waiting: Vec<_> = waiting
            .filter(|name| !self.held.iter().any(|(.., h)| h.id.map(|id| (h.device, id)) == Some(*name)))
            .collect();
        self.now += lost.len();
        self.stored.extend(waiting);
        self.send(held);
        self.stored = before;
    }

    fn whose(&self, (_, came, one): &(usize, usize, One)) -> Option<usize> {
        let turns = self.turns.get(&one.device).map(Vec::as_slice).unwrap_or_default();
        let then = turns.iter().rfind(|(from, _)| from <= came).or_else(|| turns.first());
        one.user.or_else(|| then.map(|(_, user)| *user))
    }
}

/// As it is sent. Devices, users and names are of one case, so that all cases share an installation.
fn sent(events: &[One], case: usize, first: usize) -> Json {
    let each = events.iter().enumerate().map(|(at, one)| {
        let sort = if one.good { "Page Viewed" } else { "X" };
        json!({"event_type": sort, "user_id": one.user.map(|user| format!("{}-{case}", USERS[user])),
            "device_id": format!("tablet-{}-{case}", one.device), "insert_id": one.id.map(|id| id.to_string()),
            "event_properties": {"path": (first + at).to_string()}})
    });
    each.collect()
}

/// What is handed out to each user of what is in quarantine.
fn handed_out(house: &House, case: usize) -> Vec<Vec<usize>> {
    let of = |user: &str| {
        let input = json!({"environment": "production", "user": format!("{user}-{case}")});
        let theirs = house.did("person.export", input)["quarantine"].as_array().unwrap().clone();
        theirs.iter().map(|event| event["properties"]["path"].as_str().unwrap().parse().unwrap()).collect()
    };
    USERS.map(of).into()
}

fn check(mut house: House, key: &str, case: usize, steps: &[Step]) -> House {
    let mut naive = Naive::default();
    for (done, step) in steps.iter().enumerate() {
        match step {
            Step::Send(events) => {
                house.send(&json!({"api_key": key, "events": sent(events, case, naive.now)})).unwrap();
                naive.send(events);
            }
            Step::Kill(lost, held) => {
                // Nothing is committed, as where the kill comes before it.
                take(&house, key, &sent(lost, case, naive.now));
                let outcome = take(&house, key, &sent(held, case, naive.now + lost.len()));
                assert!(matches!(outcome, Outcome::Answered(_) | Outcome::Waiting { .. }));
                house = house.restart();
                naive.kill(lost, held);
            }
            Step::Delete => {
                house.did("quarantine.delete", json!({"environment": "production", "all": true}));
                let gone = naive.held.drain(..).filter_map(|(.., one)| one.id.map(|id| (one.device, id)));
                naive.decided.extend(gone);
            }
        }
        let expected = (0..USERS.len()).map(|user| {
            let theirs = naive.held.iter().filter(|held| naive.whose(held) == Some(user));
            theirs.map(|(number, ..)| *number).collect()
        });
        let expected: Vec<Vec<usize>> = expected.collect();
        assert_eq!(handed_out(&house, case), expected, "case {case} after {done} of {steps:#?}");
    }
    house.did("quarantine.delete", json!({"environment": "production", "all": true}));
    house
}

#[test]
fn what_is_held_without_a_user_is_of_whoever_the_list_says() {
    let (mut house, key) = quarantining(|_| {});
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let cases = if std::env::var("PROOF").is_ok_and(|v| v == "full") { 2_000 } else { 60 };
    for case in 0..cases {
        let steps = prop::collection::vec(step(), 1..7).new_tree(&mut runner).unwrap().current();
        house = check(house, &key, case, &steps);
    }
}

#[test]
fn a_copy_of_a_sign_in_names_nobody_to_what_follows_it() {
    let (house, key) = quarantining(|_| {});
    let send = |events: &[One]| {
        house.send(&json!({"api_key": key, "events": sent(events, 0, 0)})).unwrap();
    };
    let anna = One { good: true, user: Some(0), device: 0, id: Some(0) };
    send(std::slice::from_ref(&anna));
    send(&[One { user: Some(1), id: Some(1), ..anna.clone() }]);
    // The first comes again, beside what is done by now.
    send(&[anna.clone(), One { good: false, user: None, id: None, ..anna }]);
    assert_eq!(handed_out(&house, 0), [vec![], vec![1], vec![]]);
}

/// What waits for its commit has a number, which another event has after a kill.
#[test]
fn what_is_held_while_others_wait_is_not_of_who_signs_in_after_a_kill() {
    let (house, key) = quarantining(|_| {});
    let anna = One { good: true, user: Some(0), device: 0, id: None };
    house.send(&json!({"api_key": key, "events": sent(std::slice::from_ref(&anna), 0, 0)})).unwrap();
    let elsewhere = vec![One { user: Some(2), device: 1, ..anna.clone() }; 5];
    let Outcome::Waiting { .. } = take(&house, &key, &sent(&elsewhere, 0, 1)) else { panic!("it is taken") };
    let held = One { good: false, user: None, ..anna.clone() };
    let Outcome::Answered(reply) = take(&house, &key, &sent(&[held], 0, 6)) else { panic!("it is answered") };
    assert_eq!(reply.status, 200);
    let house = house.restart();
    house.send(&json!({"api_key": key, "events": sent(&[One { user: Some(1), ..anna }], 0, 7)})).unwrap();
    assert_eq!(handed_out(&house, 0), [vec![6], vec![], vec![]]);
}

/// What is stored of each user, and of whom each stored event is.
fn stored(house: &House, case: usize) -> (Vec<Vec<String>>, Vec<String>) {
    let path = |event: &Json| event["properties"]["path"].as_str().unwrap().to_owned();
    let of = |user: &str| {
        let input = json!({"environment": "production", "user": format!("{user}-{case}")});
        house.did("person.export", input)["events"].as_array().unwrap().iter().map(path).collect()
    };
    let mut whose: Vec<String> = house
        .events()
        .iter()
        .filter(|event| event["who"].to_string().contains(&format!("-{case}\"")))
        .map(|event| format!("{} {}", path(event), event["who"]))
        .collect();
    whose.sort();
    (USERS.map(of).into(), whose)
}

/// However many are released with one call: the later ones see whose a device is by those that came before them.
#[test]
fn what_is_released_at_once_is_of_whom_it_would_be_one_by_one() {
    let houses = [quarantining(|_| {}), quarantining(|_| {})];
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let cases = if std::env::var("PROOF").is_ok_and(|v| v == "full") { 600 } else { 40 };
    let requests = prop::collection::vec(prop::collection::vec(one(prop::bool::weighted(0.2)), 1..5), 1..6);
    for case in 0..cases {
        let requests = requests.new_tree(&mut runner).unwrap().current();
        for (house, key) in &houses {
            let mut first = 0;
            for events in &requests {
                house.send(&json!({"api_key": key, "events": sent(events, case, first)})).unwrap();
                first += events.len();
            }
        }
        let [(at_once, _), (one_by_one, _)] = &houses;
        at_once.did("quarantine.release", json!({"environment": "production", "all": true}));
        let list = one_by_one.did("quarantine.list", json!({"environment": "production", "limit": 500}));
        for held in list["events"].as_array().unwrap() {
            let this = json!({"environment": "production", "ids": [held["id"]]});
            one_by_one.did("quarantine.release", this);
        }
        assert_eq!(stored(at_once, case), stored(one_by_one, case), "case {case} of {requests:#?}");
    }
}

#[test]
fn what_is_released_takes_no_device_from_who_signs_in_meanwhile() {
    for later in 0..20 {
        let (house, key) = quarantining(|_| {});
        let held: Vec<One> =
            (0..2).map(|device| One { good: false, user: Some(0), device, id: None }).collect();
        house.send(&json!({"api_key": key, "events": sent(&held, 0, 0)})).unwrap();
        // The release waits for this to say what leaves, and meanwhile somebody signs in.
        let hands = rusqlite::Connection::open(house.dir.path().join("quarantine.sqlite")).unwrap();
        hands.execute_batch("begin immediate").unwrap();
        let bert = One { good: true, user: Some(1), device: 0, id: None };
        let signs_in = sent(std::slice::from_ref(&bert), 0, 2);
        std::thread::scope(|scope| {
            let release = scope.spawn(|| crate::quarantine::release(&house));
            // At first before it has looked whose the device is, at last long after.
            (0..later * 1_000).for_each(|_| std::thread::yield_now());
            house.send(&json!({"api_key": key, "events": signs_in})).unwrap();
            hands.execute_batch("rollback").unwrap();
            assert_eq!(release.join().unwrap(), json!({"stored": 2, "duplicates": 0}));
        });
        // What is done there next without a user is of who signed in.
        let next = sent(&[One { user: None, ..bert }], 0, 3);
        house.send(&json!({"api_key": key, "events": next})).unwrap();
        let (theirs, _) = stored(&house, 0);
        assert_eq!(theirs, [vec!["0", "1"], vec!["2", "3"], vec![]], "{later}");
    }
}
