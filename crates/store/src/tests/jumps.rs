//! Store: tests. The clock that stamps receipts is wrong for a while, forward or back, and is set
//! right again; what is sent again is known by how long ago that truly was.

use std::collections::BTreeMap;

use bellwether_model::{Millis, Span};
use proptest::prelude::*;

use super::{WEEK, named};
use crate::{Settings, Store};

const HOUR: i64 = 3_600_000;

#[derive(Debug, Clone)]
enum Act {
    /// Hours go by, and an event comes.
    Pass(i64),
    /// The clock is so many days ahead of the truth.
    Set(i64),
    /// The event that is so many back comes again.
    Again(usize),
    Step,
    Seal,
    Reopen,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let quiet = prop_oneof![
        8 => (0_i64..20).prop_map(Act::Pass),
        6 => (0_usize..12).prop_map(Act::Again),
        2 => Just(Act::Step),
        2 => Just(Act::Seal),
        2 => Just(Act::Reopen),
    ];
    let quiet = proptest::collection::vec(quiet, 1..15);
    let days = prop_oneof![Just(0_i64), -400_i64..400, -12_i64..12].prop_map(|days| days * 2);
    // Between six jumps lie seven stretches.
    proptest::collection::vec((days, quiet), 1..7).prop_map(|rounds| {
        rounds.into_iter().flat_map(|(days, quiet)| std::iter::once(Act::Set(days)).chain(quiet)).collect()
    })
}

/// An event that was stored: when that truly was, and what the clock said.
#[derive(Clone, Copy)]
struct Stored {
    truly: i64,
    received: i64,
}

fn run(acts: Vec<Act>) {
    let home = tempfile::tempdir().unwrap();
    let settings =
        || Settings { seal_rows: 3, merge_rows: 50, seal_age: Span::DAY.times(9_999), ..Settings::default() };
    let mut store = Store::open(home.path(), settings()).unwrap().0;
    let (mut truly, mut ahead) = (1_000 * 24 * HOUR, 0);
    let mut all: Vec<Stored> = Vec::new();
    let mut last: BTreeMap<usize, Stored> = BTreeMap::new();
    let mut names = 0;
    for act in acts {
        let name = match act {
            Act::Pass(hours) => {
                truly += hours * HOUR;
                names += 1;
                names - 1
            }
            Act::Set(days) => {
                ahead = days * 24 * HOUR;
                continue;
            }
            Act::Again(back) if back < names => names - 1 - back,
            Act::Again(_) => continue,
            Act::Step => {
                store.step(Millis(0)).unwrap();
                continue;
            }
            Act::Seal => {
                store.flush().unwrap();
                continue;
            }
            Act::Reopen => {
                drop(store);
                store = Store::open(home.path(), settings()).unwrap().0;
                continue;
            }
        };
        let received = truly + ahead;
        let ticket = store.append(vec![named(&name.to_string(), received)]).unwrap();
        store.commit().unwrap();
        let now = Stored { truly, received };
        if let Some(before) = last.get(&name) {
            let since = all.iter().skip_while(|s| s.truly < before.truly).chain([&now]);
            let went_back =
                since.clone().zip(since.skip(1)).any(|(a, b)| b.received < a.received - 24 * HOUR);
            // As long as a clock that jumped forward stays there, that looks like a quiet time.
            let quiet = received - before.received >= WEEK && !went_back;
            if now.truly - before.truly < WEEK && !quiet {
                let age = (now.truly - before.truly) / HOUR;
                assert_eq!(ticket.taken.duplicates, 1, "`{name}` is {age} hours old");
            }
        }
        if ticket.taken.stored == 1 {
            all.push(now);
            last.insert(name, now);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, max_shrink_iters: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn a_clock_that_jumps_and_comes_back_forgets_nothing(acts in acts()) {
        run(acts);
    }
}

#[test]
fn a_year_ahead_and_back_costs_nothing_and_memory_stays_bounded() {
    let home = tempfile::tempdir().unwrap();
    let open = || Store::open(home.path(), Settings::default()).unwrap().0;
    let mut store = open();
    let day = |n: i64| n * 24 * HOUR;
    let put = |store: &Store, name: &str, received| {
        let ticket = store.append(vec![named(name, received)]).unwrap();
        store.commit().unwrap();
        ticket.taken.stored == 1
    };
    assert!(put(&store, "before", day(1_000)));
    assert!(put(&store, "during", day(1_365)));
    store.flush().unwrap();
    for hour in 0..24 * 30 {
        if hour % 100 == 0 {
            store.flush().unwrap();
            drop(store);
            store = open();
        }
        let now = day(1_000) + hour * HOUR;
        assert!(put(&store, &hour.to_string(), now));
        if hour < 24 * 6 {
            assert!(!put(&store, "before", now) && !put(&store, "during", now), "{hour}");
        }
        if hour > 0 {
            assert!(!put(&store, &(hour - hour.min(24 * 7 - 1)).to_string(), now), "{hour}");
        }
        store.step(Millis(0)).unwrap();
        assert!(store.stats().remembered <= 8 * 24 + 2, "{}", store.stats().remembered);
    }
}
