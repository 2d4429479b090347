//! Query: segmentation against a naive count, and the corners of its semantics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use bellwether_columns::{Known, Rows};
use bellwether_model::Event;
use bellwether_model::event::{ASSIGNMENT, EXPOSURE, Who};
use bellwether_model::metric::FilterOp;
use jiff::civil::date;
use proptest::prelude::*;
use serde_json::json;

use super::*;

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

const DAY: i64 = 86_400_000;

fn asked(name: &str, measure: Measure, by: Option<&str>) -> Segmentation {
    Segmentation {
        environment: "production".parse().unwrap(),
        event: name.into(),
        measure,
        from: date(1970, 1, 1),
        to: date(1970, 1, 3),
        zone: "UTC".into(),
        filters: vec![],
        unit: Unit::People,
        by: by.map(str::to_owned),
        bots: false,
        limit: 10,
    }
}

fn answer(asked: &Segmentation, events: Vec<Event>) -> Answer {
    run(asked, Millis(DAY + 5), &Rows::new(events, Seq(9)), &|| false).unwrap()
}

fn shown(answer: &Answer) -> String {
    let line = |s: &Series| format!("{} {:?} {}\n", s.group.as_deref().unwrap_or("-"), s.values, s.total);
    answer.series.iter().map(line).collect()
}

#[test]
fn what_programs_did_is_left_out_and_said() {
    let who = |id: &str| Who::User(id.into());
    let mut events: Vec<Event> = (0..20_000).map(|i| event("a", who("u"), 0, &json!({"k": i % 2}))).collect();
    events.push(event("a", who("crawler"), 0, &json!({"$bot": "agent", "k": 0})));
    events.push(event("a", who("fast"), 0, &json!({"$bot": "pace", "k": 7})));
    events.push(event("b", who("crawler"), 0, &json!({"$bot": "agent"})));
    let base = asked("a", Measure::Totals, Some("k"));
    let people = answer(&base, events.clone());
    assert_eq!((shown(&people).as_str(), people.bots), ("0 [10000, 0, 0] 10000\n1 [10000, 0, 0] 10000\n", 2));
    let all = answer(&Segmentation { bots: true, ..base }, events.clone());
    assert_eq!(all.bots, 0);
    assert_eq!(all.series.iter().map(|s| s.total).sum::<u64>(), 20_002);
    let uniques = answer(&asked(ANY, Measure::Uniques, None), events);
    assert_eq!((uniques.series[0].total, uniques.bots), (1, 3));
}

#[test]
fn a_user_is_one_on_every_device_and_a_device_is_whose_it_is() {
    let both = |user: &str, device: &str| Who::Both { user: user.into(), device: device.into() };
    let events = vec![
        event("a", both("u1", "d1"), 0, &json!({})),
        event("a", both("u1", "d2"), 1, &json!({})),
        event("a", Who::Device("d1".into()), 2, &json!({})),
        event("a", Who::Device("u1".into()), DAY, &json!({})),
        event("a", Who::User("u1".into()), DAY, &json!({})),
        event("a", Who::Device("d3".into()), 0, &json!({})),
        event("b", both("u1", "d3"), 0, &json!({})),
    ];
    insta::assert_snapshot!(shown(&answer(&asked("a", Measure::Uniques, None), events)), @"- [1, 2, 0] 2");
}

#[test]
fn any_event_is_what_people_did() {
    let u = || Who::User("u".into());
    let events = vec![
        event(EXPOSURE, u(), 0, &json!({})),
        event(ASSIGNMENT, u(), 0, &json!({})),
        event("a", u(), 0, &json!({})),
        event("b", u(), DAY, &json!({})),
    ];
    insta::assert_snapshot!(shown(&answer(&asked(ANY, Measure::Totals, None), events.clone())), @"- [1, 1, 0] 2");
    insta::assert_snapshot!(shown(&answer(&asked(EXPOSURE, Measure::Totals, None), events)), @"- [1, 0, 0] 1");
}

#[test]
fn a_property_that_no_event_had_is_named() {
    let u = || Who::User("u".into());
    let absent = |name: &str, filter: &str, by: &str, events: &[Event]| {
        let filters = vec![Filter { property: filter.into(), op: FilterOp::IsNot, values: vec!["x".into()] }];
        answer(&Segmentation { filters, ..asked(name, Measure::Totals, Some(by)) }, events.to_vec()).absent
    };
    let mut one = event("a", u(), 0, &json!({"plan": "x", "null": null}));
    one.user_properties = json!({"plan": "pro"}).as_object().unwrap().clone();
    // The filter leaves nothing over, but `plan` was there; and an exposure is not what somebody did.
    let events =
        [one, event("b", u(), 0, &json!({"b": 1})), event(EXPOSURE, u(), 0, &json!({"variant": "x"}))];
    assert_eq!(absent("a", "plan", "user.plan", &events), [] as [&str; 0]);
    assert_eq!(absent("a", "plam", "user.b", &events), ["plam", "user.b"]);
    assert_eq!(absent("a", "null", "null", &events), ["null"]);
    assert_eq!(absent(ANY, "b", "variant", &events), ["variant"]);
    assert_eq!(absent("c", "plam", "user.b", &events), [] as [&str; 0], "there was nothing to have it");
}

#[test]
fn what_the_limit_cuts_is_said() {
    let events: Vec<Event> = ["x", "y", "y", "z", "z", "z", "w"]
        .iter()
        .map(|g| event("a", Who::User("u".into()), 0, &json!({"g": g})))
        .chain([event("a", Who::User("u".into()), DAY, &json!({"g": null}))])
        .collect();
    let asked = Segmentation { limit: 3, ..asked("a", Measure::Totals, Some("g")) };
    let answer = answer(&asked, events);
    insta::assert_snapshot!(shown(&answer), @r"
    z [3, 0, 0] 3
    y [2, 0, 0] 2
    (none) [0, 1, 0] 1
    ");
    assert_eq!(answer.cut, Cut { groups: 2, largest: 1 });
    assert_eq!(answer.partial, Some(date(1970, 1, 2)));
}

#[test]
fn questions_without_an_answer_are_refused() {
    let refused = |asked: Segmentation, cancel: bool| {
        run(&asked, Millis(0), &Rows::default(), &|| cancel).unwrap_err().to_string()
    };
    let base = asked("a", Measure::Totals, None);
    insta::assert_snapshot!(refused(Segmentation { limit: 0, ..base.clone() }, false), @r"
    a limit of `0` series cannot be answered
    hint: use 1 to 1000
    ");
    insta::assert_snapshot!(refused(base, true), @r"
    the query was cancelled
    hint: ask again, for fewer days or with a filter
    ");
    let unknown = serde_json::from_str::<Segmentation>(
        r#"{"environment":"e","event":"a","from":"1970-01-01","to":"1970-01-02","form":1}"#,
    );
    assert!(unknown.is_err());
}

#[test]
fn too_many_groups_are_refused_rather_than_kept() {
    let events = (0..=MOST_GROUPS).map(|i| event("a", Who::User("u".into()), 0, &json!({"g": i}))).collect();
    let error =
        run(&asked("a", Measure::Totals, Some("g")), Millis(0), &Rows::new(events, Seq(1)), &|| false);
    insta::assert_snapshot!(error.unwrap_err(), @r"
    the breakdown has more than `100000` values
    hint: break down by a property with fewer values, or add a filter
    ");
}

/// Over many batches, and each person on each day.
#[test]
fn many_events_of_few_people_are_few_people() {
    let event = |i: i64| event("a", Who::User(format!("u{}", i % 7)), i % (3 * DAY), &json!({}));
    let events = (0..200_000).map(|i| event(i * 1_303)).collect();
    insta::assert_snapshot!(shown(&answer(&asked("a", Measure::Uniques, None), events)), @"- [7, 7, 7] 7");
}

/// Events that are handed out one by one, and not in the order in which they came.
struct Shuffled(Vec<Event>, u64);

impl Scan for Shuffled {
    fn seq(&self) -> Seq {
        Seq(9)
    }

    fn scan(
        &self,
        want: &Want,
        each: &mut dyn FnMut(&Batch) -> std::ops::ControlFlow<()>,
    ) -> Result<(), bellwether_columns::ScanError> {
        let mut owners = bellwether_columns::Owners::default();
        let mut rows: Vec<(Seq, &Event)> = (1..).map(Seq).zip(&self.0).collect();
        for (seq, event) in &rows {
            if let (Some(user), Some(device)) = (event.who.user(), event.who.device()) {
                owners.saw(&event.environment, device, user, *seq);
            }
        }
        rows.sort_by_key(|(seq, _)| seq.0.wrapping_mul(self.1 | 1));
        for (seq, event) in rows.into_iter().filter(|(_, event)| want.wants(event)) {
            let mut batch = Batch::of(&[event], want.ids, &want.properties);
            batch.name_people(owners.of(&want.environment), &[seq], Known::Now, Seq(u64::MAX));
            if each(&batch).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// A row of the property test: who, when, and its properties.
fn any_event() -> impl Strategy<Value = Event> {
    let who = (0u8..4, 0u8..3).prop_filter_map("an id", |(u, d)| {
        Who::new((u > 0).then(|| format!("u{u}")), (d > 0).then(|| format!("d{d}")))
    });
    let value =
        prop_oneof![Just(json!("x")), Just(json!("y")), Just(json!(1)), Just(json!(null)), Just(json!([1]))];
    let company = prop_oneof![
        Just(json!({})),
        Just(json!({"company": "acme", "team": "x"})),
        Just(json!({"company": ["acme", "beta"]})),
        Just(json!({"company": []}))
    ];
    (prop_oneof![Just("a"), Just("b"), Just(EXPOSURE)], who, -DAY..5 * DAY, value, company).prop_map(
        |(name, who, time, g, groups)| Event {
            groups: groups.as_object().unwrap().clone(),
            ..event(name, who, time, &json!({"g": g}))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn counts_are_those_of_a_naive_count(
        events in proptest::collection::vec(any_event(), 0..40),
        uniques: bool, any: bool, by: bool, filtered: bool, companies: bool, seed: u64,
    ) {
        let measure = if uniques { Measure::Uniques } else { Measure::Totals };
        let mut asked = asked(if any { ANY } else { "a" }, measure, by.then_some("g"));
        if companies {
            asked.unit = Unit::Group("company".into());
        }
        if filtered {
            asked.filters = vec![Filter { property: "g".into(), op: FilterOp::IsNot, values: vec!["y".into(), "1".into()] }];
        }
        let name = |e: &Event| match &e.properties["g"] {
            serde_json::Value::Null => "(none)".to_owned(),
            serde_json::Value::String(s) => s.clone(),
            other => other.to_string(),
        };
        // (group, day) and (group, whole) to the distinct keys that are counted there.
        let mut naive: BTreeMap<(Option<String>, Option<usize>), BTreeSet<String>> = BTreeMap::new();
        for (i, e) in events.iter().enumerate() {
            let kind = if any { e.event != EXPOSURE } else { e.event == "a" };
            let day = usize::try_from(e.time.0.div_euclid(DAY)).ok().filter(|d| *d < 3);
            if let Some(day) = day && kind && !(filtered && ["y", "1"].contains(&name(e).as_str())) {
                let on = |of: &Event| of.who.device() == e.who.device() && of.who.user().is_some();
                let last = || events[..i].iter().rfind(|of| on(of)).or_else(|| events.iter().find(|of| on(of)));
                let member = match e.groups.get("company") {
                    Some(serde_json::Value::Array(list)) => list.iter().map(|of| of.as_str().unwrap()).collect(),
                    Some(of) => vec![of.as_str().unwrap()],
                    None => vec![],
                };
                let keys = match (uniques, companies, e.who.user(), e.who.device()) {
                    (false, true, ..) if member.is_empty() => vec![],
                    (false, ..) => vec![i.to_string()],
                    (true, true, ..) => member.into_iter().map(str::to_owned).collect(),
                    (true, false, Some(u), _) => vec![format!("user {u}")],
                    (true, false, None, d) => vec![match last() {
                        Some(of) => format!("user {}", of.who.user().unwrap()),
                        None => format!("device {}", d.unwrap()),
                    }],
                };
                for (key, at) in keys.iter().flat_map(|key| [(key, Some(day)), (key, None)]) {
                    naive.entry((by.then(|| name(e)), at)).or_default().insert(key.clone());
                }
            }
        }
        // The order of rows must not matter.
        let shuffled = Shuffled(events.clone(), seed);
        let answered = answer(&asked, events);
        prop_assert_eq!(&answered, &run(&asked, Millis(DAY + 5), &shuffled, &|| false).unwrap());
        let n = |group: &Option<String>, day| naive.get(&(group.clone(), day)).map_or(0, |s| s.len() as u64);
        for series in &answered.series {
            prop_assert_eq!(&series.values, &(0..3).map(|d| n(&series.group, Some(d))).collect::<Vec<_>>());
            prop_assert_eq!(series.total, n(&series.group, None));
        }
        let groups = naive.keys().filter(|(_, at)| at.is_none()).count();
        prop_assert_eq!(answered.series.len(), if by { groups } else { 1 });
        prop_assert!(answered.series.windows(2).all(|w| w[0].total >= w[1].total));
    }
}
