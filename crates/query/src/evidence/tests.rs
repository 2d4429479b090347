//! Query: evidence against a naive join, and the corners of what counts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use bellwether_columns::Rows;
use bellwether_model::Event;
use bellwether_model::event::{EXPOSURE, Who};
use bellwether_model::metric::{Better, Filter, FilterOp};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const DAY: i64 = 86_400_000;

fn event(name: &str, who: Who, time: i64, properties: &serde_json::Value) -> Event {
    Event {
        environment: "production".parse().unwrap(),
        event: name.into(),
        who,
        time: Millis(time),
        received: Millis(time),
        insert_id: None,
        session: None,
        properties: properties.as_object().unwrap().clone(),
        user_properties: serde_json::Map::new(),
        groups: serde_json::Map::new(),
        group_properties: Default::default(),
        user_changes: Default::default(),
        group_changes: Default::default(),
        revision: None,
    }
}

fn user(id: &str) -> Who {
    Who::User(id.into())
}

fn exposure(who: Who, time: i64, variant: &str) -> Event {
    event(EXPOSURE, who, time, &json!({"flag_key": "checkout", "variant": variant}))
}

fn ask(measure: Measure, watch: Watch) -> Ask {
    Ask {
        environment: "production".parse().unwrap(),
        flag: "checkout".parse().unwrap(),
        unit: Unit::User,
        variants: vec!["control".parse().unwrap(), "treatment".parse().unwrap()],
        metric: Metric {
            key: "m".parse().unwrap(),
            name: "m".into(),
            description: String::new(),
            event: "purchase".into(),
            only: vec![],
            measure,
            better: Better::Higher,
        },
        from: Millis(0),
        since: Millis(0),
        to: Millis(3 * DAY),
        outcomes_to: Millis(4 * DAY),
        watch,
        stretch: Span::DAY,
        shortest: 0,
    }
}

fn collected(ask: &Ask, events: Vec<Event>) -> Evidence {
    collect(ask, &Rows::new(events, Seq(1)), &|| false).unwrap()
}

/// `exposed units converted` of each arm, then what is in none.
fn shown(evidence: &Evidence) -> String {
    let arm = |a: &Arm| format!("{}/{}/{} ", a.exposed, a.units, a.converted);
    let arms: String = evidence.arms.iter().map(arm).collect();
    let Evidence { crossed, immature, unlisted, anonymous, .. } = evidence;
    format!("{arms}crossed {crossed} immature {immature} unlisted {unlisted} anonymous {anonymous}")
}

#[test]
fn only_what_comes_after_the_first_exposure_counts() {
    let at = |time| event("purchase", user("u"), time, &json!({}));
    let count = |watch, outcomes: &[i64]| {
        let mut events: Vec<Event> = outcomes.iter().map(|&t| at(t)).collect();
        events.extend([exposure(user("u"), 100, "treatment"), exposure(user("u"), 50, "treatment")]);
        collected(&ask(Measure::Count, watch), events).arms[1].moments.mean().unwrap()
    };
    // Before it, in its millisecond, after it, at and after the end of outcomes.
    assert!((count(Watch::Open, &[49, 50, 51, 4 * DAY - 1, 4 * DAY]) - 3.0).abs() < 1e-12);
    // The last millisecond of the window is in it.
    assert!((count(Watch::For(Span(10)), &[49, 50, 60, 61]) - 2.0).abs() < 1e-12);
}

#[test]
fn who_calls_itself_a_program_is_in_no_arm_and_who_is_fast_is() {
    let marked = |mut event: Event, mark: &str| {
        event.properties.insert("$bot".into(), mark.into());
        event
    };
    let bought = |id: &str| event("purchase", user(id), 60, &json!({}));
    let events = vec![
        exposure(user("person"), 50, "control"),
        bought("person"),
        marked(exposure(user("crawler"), 50, "treatment"), "agent"),
        marked(bought("crawler"), "agent"),
        // What it did before somebody saw what it is counts for it as for anybody.
        exposure(user("half"), 50, "treatment"),
        marked(bought("half"), "agent"),
        marked(exposure(user("fast"), 50, "treatment"), "pace"),
        marked(bought("fast"), "pace"),
    ];
    let found = collected(&ask(Measure::Conversion, Watch::Open), events);
    insta::assert_snapshot!(shown(&found), @"1/1/1 2/2/1 crossed 0 immature 0 unlisted 0 anonymous 0");
    assert_eq!(found.bots, 1);
}

#[test]
fn a_unit_counts_once_its_window_has_passed() {
    let watch = |by| Watch::Matured { window: Span(10), by: Millis(by) };
    let events = vec![
        exposure(user("a"), 0, "control"),
        exposure(user("b"), 5, "treatment"),
        event("purchase", user("b"), 6, &json!({})),
    ];
    let look = |by| shown(&collected(&ask(Measure::Conversion, watch(by)), events.clone()));
    insta::assert_snapshot!(look(10), @"1/0/0 1/0/0 crossed 0 immature 2 unlisted 0 anonymous 0");
    insta::assert_snapshot!(look(11), @"1/1/0 1/0/0 crossed 0 immature 1 unlisted 0 anonymous 0");
    insta::assert_snapshot!(look(16), @"1/1/0 1/1/1 crossed 0 immature 0 unlisted 0 anonymous 0");
}

#[test]
fn what_a_visitor_did_is_the_users_and_a_look_that_is_repeated_finds_what_it_found() {
    let device = |id: &str| Who::Device(id.into());
    let both = |user: &str, device: &str| Who::new(Some(user.into()), Some(device.into())).unwrap();
    let buy = |who: Who, time| event("purchase", who, time, &json!({}));
    let events = |late: bool| {
        let mut events = vec![
            exposure(user("ana"), 0, "treatment"),
            event("visit", both("ana", "phone"), 1, &json!({})),
            // Ana's phone, not signed in.
            buy(device("phone"), 2),
            // Nobody knows yet whose tablet this is.
            buy(device("tablet"), 3),
            // A guest's: never anybody's.
            buy(device("kiosk"), 4),
        ];
        events.extend(late.then(|| event("visit", both("ana", "tablet"), 50, &json!({}))));
        events
    };
    let count = |watch, late| {
        let evidence = collected(&ask(Measure::Count, watch), events(late));
        evidence.arms[1].moments.mean().unwrap()
    };
    let matured = Watch::Matured { window: Span(10), by: Millis(20) };
    let found = [Watch::Open, matured].map(|watch| [false, true].map(|late| count(watch, late)));
    assert_eq!(found, [[1.0, 2.0], [1.0, 1.0]]);
    // A flag that divides by device goes by devices.
    let by_device = Ask { unit: Unit::Device, ..ask(Measure::Count, Watch::Open) };
    assert_eq!(collected(&by_device, events(true)).anonymous, 1);
}

#[test]
fn first_exposures_are_counted_by_stretch() {
    let events = vec![
        exposure(user("a"), 5, "control"),
        exposure(user("a"), 30, "control"),
        exposure(user("b"), 14, "treatment"),
        exposure(user("c"), 15, "treatment"),
        exposure(user("d"), 35, "treatment"),
    ];
    let ask =
        Ask { from: Millis(5), since: Millis(5), stretch: Span(10), ..ask(Measure::Count, Watch::Open) };
    let stretches: Vec<_> =
        collected(&ask, events).stretches.into_iter().map(|s| (s.index, s.units)).collect();
    assert_eq!(stretches, [(0, vec![1, 1]), (1, vec![0, 1]), (3, vec![0, 1])]);
}

#[test]
fn short_ids_are_counted_apart() {
    let did = |id: &str| event("purchase", user(id), 2, &json!({}));
    let ids = ["1234", "ключ", "12345", "ключи", "123", "12"];
    let mut events: Vec<_> = ids.iter().map(|id| exposure(user(id), 1, "control")).collect();
    events.extend([exposure(user("12"), 1, "treatment"), did("123"), did("12345")]);
    let counted = |shortest| {
        let ask = Ask { shortest, ..ask(Measure::Conversion, Watch::Open) };
        let evidence = collected(&ask, events.clone());
        assert_eq!((evidence.arms[0].exposed, evidence.crossed), (5, 1));
        (evidence.short, evidence.short_converted)
    };
    assert_eq!([0, 1, 4, 5, 6].map(counted), [(0, 0), (0, 0), (1, 1), (3, 1), (5, 2)]);
}

/// One sender, perhaps a hostile one, must not be able to end every judgement.
#[test]
fn amounts_that_cannot_be_amounts_are_set_aside() {
    let paid = |id: &str, x: serde_json::Value| event("purchase", user(id), 2, &json!({"x": x}));
    let sums = Measure::Sum { property: "x".into() };
    let mut events: Vec<_> = ["a", "b", "c"].iter().map(|id| exposure(user(id), 1, "treatment")).collect();
    events.extend([exposure(user("d"), 1, "treatment"), exposure(user("d"), 2, "control")]);
    events.extend([
        paid("a", json!(5)),
        paid("a", json!(1e200)),
        paid("b", json!(-1e308)),
        paid("d", json!(1e200)),
    ]);
    events.extend([paid("c", json!(MAX_AMOUNT)), paid("nobody", json!(1e200)), paid("b", json!("text"))]);
    let found = collected(&ask(sums, Watch::Open), events.clone());
    let arm = &found.arms[1];
    assert_eq!((found.set_aside, arm.units, arm.converted), (2, 3, 3));
    assert!((arm.moments.mean().unwrap() - (MAX_AMOUNT + 5.0) / 3.0).abs() < 1.0);
    // What is not summed is not looked at.
    assert_eq!(collected(&ask(Measure::Count, Watch::Open), events).set_aside, 0);
    // The largest amounts, many times: still numbers.
    let mut most: Vec<_> = (0..2_000).map(|i| exposure(user(&format!("u{i}")), 1, "control")).collect();
    most.extend((0..2_000).map(|i| paid(&format!("u{i}"), json!(if i % 2 == 0 { 1e15 } else { -1e15 }))));
    let found = collected(&ask(Measure::Sum { property: "x".into() }, Watch::Open), most);
    assert_eq!(found.set_aside, 0);
    assert!((found.arms[0].moments.variance().unwrap() / 1e30 - 1.0).abs() < 1e-3);
}

#[test]
fn what_is_in_no_arm_is_counted() {
    let other = event(EXPOSURE, user("z"), 1, &json!({"flag_key": "search", "variant": "treatment"}));
    let events = vec![
        exposure(user("crossed"), 1, "control"),
        exposure(user("crossed"), 2, "treatment"),
        exposure(user("off"), 1, "off"),
        exposure(user("off"), 2, "control"),
        exposure(Who::Device("d".into()), 1, "control"),
        exposure(user("late"), 3 * DAY, "control"),
        exposure(user("early"), -1, "control"),
        other,
    ];
    insta::assert_snapshot!(shown(&collected(&ask(Measure::Count, Watch::Open), events)), @"1/1/0 0/0/0 crossed 1 immature 0 unlisted 1 anonymous 1");
}

/// After shares have changed, whoever was there before is in no arm, whatever it is reported to see now.
#[test]
fn who_was_there_before_the_shares_changed_is_in_no_arm() {
    let events = vec![
        exposure(user("stays"), 10, "control"),
        exposure(user("stays"), 120, "control"),
        exposure(user("moves"), 99, "control"),
        exposure(user("moves"), 110, "treatment"),
        exposure(user("moves"), 111, "treatment"),
        exposure(user("new"), 100, "treatment"),
        exposure(user("newer"), 130, "control"),
        // Before the rollout itself: another comparison, which says nothing of this one.
        exposure(user("long ago"), 4, "control"),
        exposure(user("long ago"), 140, "treatment"),
        event("purchase", user("moves"), 115, &json!({})),
        event("purchase", user("new"), 115, &json!({})),
    ];
    let of = |since| {
        let ask = Ask { from: Millis(5), since: Millis(since), ..ask(Measure::Conversion, Watch::Open) };
        let evidence = collected(&ask, events.clone());
        format!("{} earlier {}", shown(&evidence), evidence.earlier)
    };
    insta::assert_snapshot!(of(100), @"1/1/0 2/2/1 crossed 0 immature 0 unlisted 0 anonymous 0 earlier 2");
    insta::assert_snapshot!(of(5), @"2/2/0 2/2/1 crossed 1 immature 0 unlisted 0 anonymous 0 earlier 0");
}

#[test]
fn a_device_is_joined_by_its_own_id() {
    let both = |user: &str| Who::Both { user: user.into(), device: "d".into() };
    let events = vec![
        exposure(Who::Device("d".into()), 1, "control"),
        event("purchase", both("u1"), 2, &json!({})),
        event("purchase", both("u2"), 3, &json!({})),
    ];
    let ask = Ask { unit: Unit::Device, ..ask(Measure::Count, Watch::Open) };
    let evidence = collected(&ask, events);
    assert_eq!((evidence.arms[0].units, evidence.arms[0].moments.mean()), (1, Some(2.0)));
}

#[test]
fn questions_without_an_answer_are_refused() {
    let refused = |ask: &Ask, events, cancel: bool| {
        collect(ask, &Rows::new(events, Seq(1)), &|| cancel).unwrap_err().to_string()
    };
    let base = ask(Measure::Sum { property: "x".into() }, Watch::Open);
    insta::assert_snapshot!(refused(&base, vec![], true), @r"
    the query was cancelled
    hint: ask again, for fewer days or with a filter
    ");
    let control: VariantKey = "control".parse().unwrap();
    let twice = Ask { variants: vec![control.clone(), control], ..base.clone() };
    insta::assert_snapshot!(refused(&twice, vec![], false), @r"
    variant `control` is compared with itself
    hint: name each variant once
    ");
    let late = Watch::Matured { window: Span(1), by: Millis(4 * DAY + 1) };
    insta::assert_snapshot!(refused(&Ask { watch: late, ..base.clone() }, vec![], false), @r"
    a window that passed by `1970-01-05T00:00:00.001Z` is not seen whole: outcomes end at `1970-01-05T00:00:00Z`
    hint: count outcomes up to the look
    ");
    let endless = Ask { stretch: Span(0), ..base.clone() };
    insta::assert_snapshot!(refused(&endless, vec![], false), @r"
    a stretch of `0` ms holds no exposure
    hint: use a day, such as 86400000
    ");
    insta::assert_snapshot!(refused(&Ask { variants: vec![], ..base }, vec![], false), @r"
    `0` variants cannot be compared
    hint: name 1 to 256 variants
    ");
}

fn any_event() -> impl Strategy<Value = Event> {
    let who = (0u8..6, 0u8..4).prop_filter_map("an id", |(u, d)| {
        Who::new((u > 0).then(|| format!("u{u}")), (d > 0).then(|| format!("d{d}")))
    });
    let time = prop_oneof![-DAY..5 * DAY, 0i64..20];
    let exposed = (
        prop_oneof![9 => Just("checkout"), 1 => Just("search")],
        prop_oneof![6 => Just("control"), 6 => Just("treatment"), 1 => Just("off")],
    )
        .prop_map(|(flag, variant)| (EXPOSURE, json!({"flag_key": flag, "variant": variant})));
    let x =
        prop_oneof![Just(json!(null)), Just(json!("7")), (-9i32..99).prop_map(|n| json!(f64::from(n) / 4.0))];
    let did =
        (prop_oneof![4 => Just("purchase"), 1 => Just("visit")], x, prop_oneof![Just("pro"), Just("free")])
            .prop_map(|(name, x, plan)| (name, json!({"x": x, "plan": plan})));
    (who, time, prop_oneof![exposed, did]).prop_map(|(who, t, (name, p))| event(name, who, t, &p))
}

/// The join as its definition reads, unit by unit.
fn naive(ask: &Ask, events: &[Event]) -> (BTreeMap<String, Vec<f64>>, u64, u64, u64) {
    let owner = |at: usize| {
        let device = events[at].who.device()?;
        let turns = events.iter().enumerate().filter(|(_, e)| e.who.device() == Some(device));
        let turns: Vec<(usize, &str)> = turns.filter_map(|(at, e)| Some((at, e.who.user()?))).collect();
        let before = turns.iter().rev().find(|(turn, _)| *turn <= at);
        let later = turns.first().filter(|_| !matches!(ask.watch, Watch::Matured { .. }));
        before.or(later).map(|(_, user)| (*user).to_owned())
    };
    let id = |e: &Event| match ask.unit {
        Unit::User => e.who.user().map(str::to_owned),
        Unit::Device => e.who.device().map(str::to_owned),
        Unit::Session | Unit::Account => None,
    };
    let listed = |e: &Event| ask.variants.iter().any(|v| e.properties["variant"] == v.as_str());
    let shown: Vec<&Event> = events
        .iter()
        .filter(|e| e.event == EXPOSURE && e.properties["flag_key"] == "checkout" && listed(e))
        .filter(|e| (ask.from..ask.to).contains(&e.time))
        .collect();
    let units: BTreeSet<String> = shown.iter().filter_map(|e| id(e)).collect();
    let (mut arms, mut crossed, mut earlier, mut immature) = (BTreeMap::<String, Vec<f64>>::new(), 0, 0, 0);
    for unit in units {
        let mine: Vec<&&Event> = shown.iter().filter(|e| id(e).as_ref() == Some(&unit)).collect();
        let variants: BTreeSet<&str> = mine.iter().filter_map(|e| e.properties["variant"].as_str()).collect();
        let first = mine.iter().map(|e| e.time).min().unwrap();
        let (window, by) = match ask.watch {
            Watch::Open => (i64::MAX, Millis(i64::MAX)),
            Watch::For(w) => (w.0 as i64, Millis(i64::MAX)),
            Watch::Matured { window, by } => (window.0 as i64, by),
        };
        if first < ask.since {
            earlier += 1;
        } else if variants.len() > 1 {
            crossed += 1;
        } else if first.0.saturating_add(window) >= by.0 && by.0 != i64::MAX {
            immature += 1;
        } else {
            let whose = |at: usize, e: &Event| match ask.unit {
                Unit::User => id(e).or_else(|| owner(at)),
                _ => id(e),
            };
            let outcomes: Vec<&Event> = events
                .iter()
                .enumerate()
                .filter(|(at, e)| e.event == "purchase" && whose(*at, e).as_ref() == Some(&unit))
                .map(|(_, e)| e)
                .filter(|e| ask.metric.only.is_empty() || e.properties["plan"] == "pro")
                .filter(|e| e.time >= first && e.time < ask.outcomes_to && e.time.0 - first.0 <= window)
                .collect();
            let value = match ask.metric.measure {
                Measure::Conversion => f64::from(u8::from(!outcomes.is_empty())),
                Measure::Count => outcomes.len() as f64,
                Measure::Sum { .. } => outcomes.iter().filter_map(|e| e.properties["x"].as_f64()).sum(),
            };
            arms.entry((*variants.first().unwrap()).to_owned()).or_default().push(value);
        }
    }
    (arms, crossed, earlier, immature)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn the_join_is_that_of_a_naive_one(
        events in proptest::collection::vec(any_event(), 0..60),
        measure in prop_oneof![Just(Measure::Conversion), Just(Measure::Count), Just(Measure::Sum { property: "x".into() })],
        watch in prop_oneof![
            Just(Watch::Open), (1u64..86_400_000).prop_map(|w| Watch::For(Span(w))),
            (1u64..30, 0i64..40).prop_map(|(w, by)| Watch::Matured { window: Span(w), by: Millis(by) }),
        ],
        since in prop_oneof![Just(0i64), 1i64..20], device: bool, filtered: bool, seed: u64,
    ) {
        let mut ask = Ask { since: Millis(since), ..ask(measure, watch) };
        ask.unit = if device { Unit::Device } else { Unit::User };
        if filtered {
            ask.metric.only = vec![Filter { property: "plan".into(), op: FilterOp::Is, values: vec!["pro".into()] }];
        }
        let (arms, crossed, earlier, immature) = naive(&ask, &events);
        let mut shuffled = events.clone();
        shuffled.sort_by_key(|e| (e.time.0 as u64).wrapping_mul(seed | 1));
        let evidence = collected(&ask, events);
        // Whose a device is depends on who came first.
        if device || shuffled.iter().all(|e| e.who.user().is_some()) {
            prop_assert_eq!(&evidence, &collected(&ask, shuffled));
        }
        let none = (evidence.crossed, evidence.earlier, evidence.immature);
        prop_assert_eq!(none, (crossed, earlier, immature));
        for arm in &evidence.arms {
            let none = Vec::new();
            let values = arms.get(arm.variant.as_str()).unwrap_or(&none);
            prop_assert_eq!(arm.units, values.len() as u64);
            prop_assert_eq!(arm.moments.n(), arm.units);
            // Values are quarters, so their sums are exact in any order.
            let sum: f64 = values.iter().sum();
            prop_assert!((arm.moments.mean().unwrap_or(0.0) * arm.units as f64 - sum).abs() < 1e-9);
            let mean = sum / values.len().max(1) as f64;
            let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0);
            if let Some(got) = arm.moments.variance() {
                prop_assert!((got - variance).abs() < 1e-9 * (1.0 + variance));
            }
            if ask.metric.measure == Measure::Conversion {
                prop_assert!((arm.converted as f64 - sum).abs() < 1e-12);
            }
        }
        let exposed: u64 = evidence.arms.iter().map(|a| a.exposed).sum();
        prop_assert_eq!(exposed, evidence.arms.iter().map(|a| a.units).sum::<u64>() + immature);
        for (i, arm) in evidence.arms.iter().enumerate() {
            prop_assert_eq!(evidence.stretches.iter().map(|s| s.units[i]).sum::<u64>(), arm.exposed);
        }
        prop_assert!(evidence.stretches.windows(2).all(|w| w[0].index < w[1].index));
    }

    /// What a unit did is final once its window has passed: a later look, with more events, only adds
    /// units. (Variants follow from the id here, as they do from a sticky split.)
    #[test]
    fn a_later_look_only_adds_units(
        events in proptest::collection::vec(any_event(), 0..80),
        window in 1u64..10, looks in (0i64..40, 0i64..40),
    ) {
        let mut events = events;
        // They come in the order of their times; one that comes late may tell more of what was.
        events.sort_by_key(|e| e.time);
        for event in events.iter_mut().filter(|e| e.event == EXPOSURE) {
            let odd = event.who.user().is_some_and(|u| u == "u1" || u == "u3");
            event.properties.insert("variant".into(), if odd { "control" } else { "treatment" }.into());
        }
        let look = |at: i64, units: &[&str]| {
            let known: Vec<Event> = events
                .iter()
                .filter(|e| e.time.0 < at && (units.is_empty() || e.who.user().is_none_or(|u| units.contains(&u))))
                .cloned()
                .collect();
            let watch = Watch::Matured { window: Span(window), by: Millis(at) };
            let (to, outcomes_to) = (Millis(at), Millis(at));
            collected(&Ask { to, outcomes_to, ..ask(Measure::Count, watch) }, known)
        };
        let (early, late) = (looks.0.min(looks.1), looks.0.max(looks.1));
        prop_assert_eq!(look(early, &[]).crossed, 0);
        // Unit by unit: measured early means measured late, with the same value.
        for unit in ["u1", "u2", "u3", "u4", "u5"] {
            for (before, after) in look(early, &[unit]).arms.iter().zip(&look(late, &[unit]).arms) {
                prop_assert!(before.units == 0 || before == after);
            }
        }
    }
}
