//! App intake, tests: what is taken of whom, over any schedule.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

const START: Millis = Millis(1_790_000_000_000);

fn at(ms: i64) -> Millis {
    Millis(START.0 + ms)
}

fn entry(key: u64, own: u32, all: u32, events: u64) -> Entry {
    Entry { key, own, all, events }
}

/// Over every stretch of time: at most what leaks in it, and what may come at once.
fn bounded(taken: &[(i64, u64)], rate: u32, largest: u64) -> Result<(), TestCaseError> {
    let burst = u128::from((30 * u64::from(rate)).max(largest));
    for (from, (begin, _)) in taken.iter().enumerate() {
        let mut sum = 0_u128;
        for (end, events) in &taken[from..] {
            sum += u128::from(*events);
            let most = burst * 1_000 + u128::from(rate) * u128::from(end.abs_diff(*begin));
            prop_assert!(sum * 1_000 <= most, "{sum} from {begin} to {end} at {rate}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn neither_a_key_nor_an_environment_ever_brings_more_than_its_rate(
        all in prop_oneof![Just(0_u32), 1..500_u32],
        own in proptest::collection::vec(prop_oneof![Just(0_u32), 1..300_u32], 4),
        asks in proptest::collection::vec((0..20_000_i64, 0..4_usize, 1..3_000_u64, 0..4_u8), 1..120),
    ) {
        let mut shares = Shares::default();
        let (mut taken, mut of_all, mut largest, mut now) = (vec![Vec::new(); 4], Vec::new(), 0, 0);
        for (gap, key, events, sort) in asks {
            // Some come at once, and some are large.
            now += if sort < 2 { gap / 100 } else { gap };
            let events = if sort % 2 == 0 { events.div_ceil(100) } else { events };
            largest = largest.max(events);
            let wait = match shares.enter(entry(key as u64, own[key], all, events), at(now)) {
                Ok(_) => 0,
                Err(held) => held.wait(),
            };
            if wait == 0 {
                taken[key].push((now, events));
                of_all.push((now, events));
                continue;
            }
            prop_assert!(all > 0 || own[key] > 0, "nobody asked for a limit");
            // Nothing comes meanwhile, so what was said is true: it is taken then. One that nobody waits for is not.
            if sort == 3 {
                now += i64::try_from(wait).unwrap();
                shares.enter(entry(key as u64, own[key], all, events), at(now)).unwrap();
                taken[key].push((now, events));
                of_all.push((now, events));
            }
        }
        for (key, taken) in taken.iter().enumerate().filter(|(key, _)| own[*key] > 0) {
            bounded(taken, own[key], largest)?;
        }
        if all > 0 {
            bounded(&of_all, all, largest)?;
        }
    }

    #[test]
    fn a_key_that_sends_alone_has_the_whole_environment(
        all in 1..2_000_u32, asks in proptest::collection::vec((0..9_000_i64, 1..60_000_u64), 1..80),
    ) {
        let (mut shares, mut whole, mut now) = (Shares::default(), Bucket::default(), 0);
        for (gap, events) in asks {
            now += gap;
            let leak = per_milli(all);
            let over = whole.over(millionths(events), leak, 30_000 * leak, at(now));
            let entered = shares.enter(entry(7, 0, all, events), at(now));
            prop_assert_eq!(entered.is_ok(), over == 0, "{:?}", entered);
            if over == 0 {
                whole.fill(millionths(events), leak, at(now));
            }
        }
    }

    #[test]
    fn whoever_sends_its_part_is_taken_and_what_it_leaves_is_not_lost(
        all in 20..2_000_u32,
        wild in 1..4_u64,
        polite in proptest::collection::vec((0..60_000_i64, 200..15_000_i64), 1..4),
    ) {
        const STEP: i64 = 50;
        const TIME: i64 = 240_000;
        let keys = wild + polite.len() as u64;
        let part = per_milli(all) / keys;
        let mut shares = Shares::default();
        let mut taken = vec![0_u64; wild as usize];
        let mut total = 0_u64;
        // What those who had everything took before goes at an equal part, from all of the upper half.
        let joined = polite.iter().map(|(joins, _)| *joins).max().unwrap();
        let settled = joined + 15_000 * i64::try_from(keys).unwrap();
        let mut next: Vec<i64> = polite.iter().map(|(joins, _)| *joins).collect();
        for now in (0..TIME).step_by(STEP as usize) {
            for (key, taken) in taken.iter_mut().enumerate() {
                // As much as it can, in small requests and large ones.
                for events in [u64::from(all), u64::from(all) / 20 + 1, 1] {
                    while shares.enter(entry(key as u64, 0, all, events), at(now)).is_ok() {
                        total += events;
                        *taken += if now >= settled { events } else { 0 };
                    }
                }
            }
            for (index, ((_, period), next)) in polite.iter().zip(&mut next).enumerate() {
                let events = part * period.unsigned_abs() / 1_000_000;
                if now < *next || events == 0 {
                    continue;
                }
                *next += (period + STEP - 1) / STEP * STEP;
                let entered = shares.enter(entry(100 + index as u64, 0, all, events), at(now));
                total += if entered.is_ok() { events } else { 0 };
                prop_assert!(entered.is_ok() || now < settled, "{events} at {now}: {entered:?}");
            }
        }
        // All that leaked was filled again.
        let leaked = u64::from(all) * TIME.unsigned_abs() / 1_000;
        prop_assert!(total + u64::from(all) >= leaked, "{total} of {leaked}");
        // Those that want more have an equal part, too.
        let of_one = part * (TIME - settled).unsigned_abs() / 1_000_000;
        for taken in taken {
            prop_assert!(taken + u64::from(all) * 16 / keys >= of_one, "{taken} of {of_one}");
        }
    }
}

#[test]
fn who_begins_waits_for_its_first_request_and_no_longer() {
    let mut shares = Shares::default();
    // One has filled the environment's whole 3,000.
    while shares.enter(entry(1, 0, 100, 10), START).is_ok() {}
    assert_eq!(shares.enter(entry(2, 0, 100, 20), START).unwrap_err(), Held::Full { wait: 200 });
    let wild = shares.enter(entry(1, 0, 100, 10), at(200)).unwrap_err();
    assert_eq!(wild, Held::Share { wait: 15_000, among: 2 }, "it holds twice its part of the upper half");
    shares.enter(entry(2, 0, 100, 20), at(200)).unwrap();
}

#[test]
fn who_was_silent_for_a_minute_has_no_part() {
    let mut shares = Shares::default();
    let mut most = |now: i64| {
        let mut taken = 0;
        while shares.enter(entry(1, 0, 100, 10), at(now)).is_ok() {
            taken += 10;
        }
        let _ = shares.enter(entry(2, 0, 100, 0), at(now));
        taken
    };
    // The other asks once a visit, and so counts from the second on.
    assert_eq!([most(0), most(59_000), most(118_000)], [3_000, 2_250, 2_250]);
    assert_eq!(shares.enter(entry(1, 0, 100, 1), at(178_000)).map(|_| ()), Ok(()));
    let mut taken = 1;
    while shares.enter(entry(1, 0, 100, 1), at(178_000)).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, 3_000, "it has been silent since");
}

#[test]
fn what_is_known_of_keys_is_bounded_and_goes() {
    let mut shares = Shares::default();
    for key in 0..300_000 {
        let _ = shares.enter(entry(key, 1, 0, 1), START);
        assert!(shares.keys.len() <= MOST_COUNTED);
        assert_eq!(shares.active as usize, shares.keys.len());
    }
    let now = at(60_000);
    shares.enter(entry(7, 1, 0, 90), now).unwrap();
    assert_eq!(shares.keys.len(), 1, "nobody else sent for a minute");
    // What is owed is not forgotten by waiting: ninety events are as many seconds.
    shares.enter(entry(8, 1, 0, 1), at(125_000)).unwrap();
    assert!(shares.enter(entry(7, 1, 0, 10), at(125_000)).is_err());
    shares.forget(7);
    shares.enter(entry(7, 1, 0, 10), at(125_000)).unwrap();
    assert_eq!(shares.active, 2);
}

#[test]
fn a_request_that_is_taken_back_was_only_asked() {
    let mut shares = Shares::default();
    shares.enter(entry(1, 5, 9, 100), START).unwrap();
    let level = |shares: &Shares| {
        let lane = &shares.keys[&1];
        [shares.all, lane.own, lane.share].map(|bucket| bucket.leaked(0, START))
    };
    let before = level(&shares);
    let entered = shares.enter(entry(1, 5, 9, 50), START).unwrap();
    assert!(level(&shares).iter().zip(&before).all(|(after, before)| after > before));
    shares.back(entered);
    assert_eq!(level(&shares), before);
}
