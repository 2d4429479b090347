//! App tests: events are removed when they are past the time that the tracking plan gives them, and not before.

use bellwether_model::Millis;
use serde_json::{Value as Json, json};

use crate::forgotten::{files_with, settle};
use crate::house::{DAY, HOUR, House};

/// A value for each type that nothing compresses, so that it is found wherever it is.
fn mark(kind: &str) -> &'static str {
    match kind {
        "$identify" => "kQ7vXz31-9fJtR0pLwYb64GdNh2sMcUe",
        "Short" => "Zw8Ry5Tn-1xCq7Vb3LkPj90HgFd6SaMu",
        "Long" => "Hs4Nf9Kc-2mWd8Eq6TvBx15YzLr7JgPo",
        _ => "Pb6Gt1Xe-5uKj3Za9WcQn72RmVy8FsDh",
    }
}

fn plan(house: &House, retention: &Json, own: &Json) -> Json {
    let plan = json!({"rules": {"environments": {"production": retention}}, "events": own});
    house.did("plan.save", json!({"plan": plan, "why": "test"}))
}

/// An experiment that is judged by who buys, and has not begun.
fn experiment(house: &House) {
    house.split_flag("f", 5_000);
    house.did("metric.save", json!({"metric": "buys", "event": "buy", "measure": {"measure": "conversion"}}));
    house.did(
        "experiment.create",
        json!({"experiment": "e", "flag": "f", "environment": "production",
        "control": "off", "metric": "buys", "days": 14}),
    );
}

fn send(house: &House, key: &str, types: &[&str]) {
    let event = |kind: &&str| {
        json!({"event_type": kind, "user_id": "user-1", "time": 1_700_000_000_000_i64,
            "event_properties": {"mark": mark(kind)}})
    };
    house.send(&json!({"api_key": key, "events": types.iter().map(event).collect::<Vec<_>>()})).unwrap();
}

/// The types that are stored, each as often as it is, in their order.
fn types(house: &House) -> Vec<String> {
    let mut all: Vec<String> =
        house.events().iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect();
    all.sort();
    all
}

#[test]
fn events_go_when_they_are_past_their_time() {
    let mut house = House::new();
    let saved = plan(
        &house,
        &json!({"retention_days": 30}),
        &json!({"Short": {"retention_days": 7}, "Long": {"retention_days": 90}}),
    );
    let messages: Vec<&str> =
        saved["warnings"].as_array().unwrap().iter().map(|w| w["message"].as_str().unwrap()).collect();
    assert_eq!(
        messages,
        [
            "in `production`, events are removed 30 days after they were received",
            "events of type `Long` are removed 90 days after they were received",
            "events of type `Short` are removed 7 days after they were received",
        ]
    );
    let key = house.key("server");
    let all = ["$identify", "Long", "Short", "Usual"];
    // Times of events say nothing: all happened long ago.
    send(&house, &key, &all);
    settle(&house);
    assert_eq!(types(&house), all);
    for (days, left) in [
        (6, &all[..]),
        (3, &["$identify", "Long", "Usual"]),
        (19, &["$identify", "Long", "Usual"]),
        (4, &["$identify", "Long"]),
        (56, &["$identify", "Long"]),
        (4, &["$identify"]),
        (400, &["$identify"]),
    ] {
        house.later(days * DAY);
        settle(&house);
        assert_eq!(types(&house), left, "{days} days later");
        house = house.restart();
        assert_eq!(types(&house), left, "{days} days later, after a restart");
        // No byte of what is gone is there.
        for kind in all {
            assert_eq!(!files_with(&house, mark(kind)).is_empty(), left.contains(&kind), "{kind}");
        }
    }
}

#[test]
fn a_chart_says_which_days_are_not_all_there() {
    let mut house = House::new();
    plan(&house, &json!({}), &json!({"Short": {"retention_days": 7}}));
    let key = house.key("server");
    send(&house, &key, &["Short", "Usual"]);
    house.later(30 * DAY);
    settle(&house);
    let day = |ago: i64| Millis(house.now.0 - ago * DAY).to_string().chars().take(10).collect::<String>();
    let check = |event: &str, from: i64, warned: bool| {
        let asked = json!({"environment": "production", "event": event, "from": day(from), "to": day(0)});
        let answer = house.did("query.segmentation", asked);
        let said = answer["warnings"].to_string();
        assert_eq!(said.contains("0 there is no count"), warned, "{event} of {from} days: {said}");
    };
    let asked = json!({"environment": "production", "event": "Short", "from": day(40), "to": day(0)});
    let said = house.did("query.segmentation", asked)["warnings"].to_string();
    assert!(!said.contains("ever") && !said.contains("there is none"), "it was there: {said}");
    check("Short", 40, true);
    check("_any", 40, true);
    check("Short", 5, false);
    check("Usual", 40, false);
}

#[test]
fn what_is_new_stays_where_what_is_old_goes() {
    let mut house = House::new();
    plan(&house, &json!({}), &json!({"Short": {"retention_days": 7}}));
    let key = house.key("server");
    for _ in 0..12 {
        send(&house, &key, &["Short", "Usual"]);
        settle(&house);
        house.later(DAY);
    }
    settle(&house);
    let stored = types(&house);
    let short = stored.iter().filter(|kind| *kind == "Short").count();
    // The last step is in the afternoon of the thirteenth day: those of the last six mornings are not past their time, and
    // those of the two before perhaps are not gone yet.
    assert!((6..=8).contains(&short), "{stored:?}");
    assert_eq!(stored.len() - short, 12);
}

#[test]
fn a_clock_that_is_wrong_for_a_while_removes_nothing() {
    let house = House::new();
    plan(&house, &json!({"retention_days": 30}), &json!({}));
    let key = house.key("server");
    send(&house, &key, &["Usual"]);
    settle(&house);
    for minute in 0..59 {
        house.app.step(Millis(house.now.0 + 400 * DAY + minute * 60_000)).unwrap();
    }
    settle(&house);
    assert_eq!(types(&house), ["Usual"]);
}

#[test]
fn what_an_experiment_is_judged_by_stays_until_it_ends() {
    let mut house = House::new();
    plan(&house, &json!({"retention_days": 7}), &json!({"buy": {"retention_days": 7}}));
    let key = house.key("server");
    experiment(&house);
    send(&house, &key, &["before"]);
    house.later(HOUR);
    house.did("experiment.start", json!({"experiment": "e", "why": "test"}));
    house.shown("f", "user-1");
    send(&house, &key, &["buy", "visit"]);
    settle(&house);
    house.later(13 * DAY);
    settle(&house);
    assert_eq!(types(&house), ["$exposure", "buy", "visit"], "what came before it goes");
    let judged = house.did("experiment.results", json!({"experiment": "e"}));
    house.later(7 * DAY);
    settle(&house);
    let over = house.did("experiment.results", json!({"experiment": "e"}));
    assert_eq!(over["judgement"]["comparisons"][0]["units"], judged["judgement"]["comparisons"][0]["units"]);
    house.did("experiment.stop", json!({"experiment": "e", "why": "test"}));
    house.later(13 * DAY);
    settle(&house);
    assert_eq!(types(&house), ["$exposure", "buy", "visit"], "there is time to look at it and to ship");
    let stopped = house.did("experiment.results", json!({"experiment": "e"}));
    assert_eq!(
        stopped["judgement"]["comparisons"][0]["units"],
        judged["judgement"]["comparisons"][0]["units"]
    );
    house.later(2 * DAY);
    settle(&house);
    assert_eq!(types(&house), Vec::<String>::new());
    let said = house.refused("experiment.results", json!({"experiment": "e"}));
    assert!(said.contains("what it was judged by is removed"), "{said}");
}

#[test]
fn an_experiment_does_not_start_for_days_that_are_removed() {
    let mut house = House::new();
    plan(&house, &json!({}), &json!({"buy": {"retention_days": 7}}));
    experiment(&house);
    house.later(20 * DAY);
    let start = |ago: i64| json!({"experiment": "e", "since": house.now.0 - ago * DAY, "why": "test"});
    let said = house.refused("experiment.start", start(8));
    assert!(
        said.starts_with("409 ") && said.contains("what was received of `buy` in `production` before"),
        "{said}"
    );
    house.did("experiment.start", start(6));
}

#[test]
fn what_is_in_quarantine_goes_as_what_is_stored() {
    let mut house = House::new();
    let handling = json!({"retention_days": 30, "unplanned_events": "quarantine"});
    plan(&house, &handling, &json!({"Planned": {}, "Short": {"retention_days": 7}}));
    let key = house.key("server");
    let held = |house: &House| {
        house.did("event.health", json!({"environment": "production"}))["quarantined"].clone()
    };
    for _ in 0..3 {
        send(&house, &key, &["Unknown", "Unknown"]);
        house.later(DAY);
    }
    settle(&house);
    assert_eq!(held(&house), 6);
    house.later(28 * DAY);
    settle(&house);
    assert_eq!(held(&house), 2, "those of two days are past their time");
    house.later(DAY);
    settle(&house);
    assert_eq!(held(&house), 0);
    assert!(files_with(&house, mark("Unknown")).is_empty());
}

#[test]
fn a_clock_that_was_far_ahead_keeps_nothing_in_quarantine() {
    let mut house = House::new();
    let handling = json!({"retention_days": 7, "unplanned_events": "quarantine"});
    plan(&house, &handling, &json!({"Planned": {}}));
    let key = house.key("server");
    let right = house.now;
    house.later(400 * DAY);
    (0..3).for_each(|_| send(&house, &key, &["Unknown"]));
    settle(&house);
    house.now = right;
    send(&house, &key, &["Unknown"]);
    let held = |house: &House| {
        house.did("event.health", json!({"environment": "production"}))["quarantined"].clone()
    };
    assert_eq!(held(&house), 4);
    house.later(9 * DAY);
    settle(&house);
    assert_eq!(held(&house), 3, "those of the year to come are not past their time");
}

#[test]
fn a_time_that_is_too_short_is_refused() {
    let house = House::new();
    for days in [json!(0), json!(6), json!(36_501), json!(-1), json!("week"), json!(7.5)] {
        let plan = json!({"rules": {"environments": {"production": {"retention_days": days}}}});
        let said = house.refused("plan.save", json!({"plan": plan, "why": "test"}));
        assert!(said.starts_with("400 "), "{said}");
    }
    let plan = json!({"events": {"A": {"retention_days": 6}}});
    let said = house.refused("plan.save", json!({"plan": plan, "why": "test"}));
    let wanted =
        "in `plan.events.A.retention_days`: events cannot be kept for `6` days\nhint: give 7 to 36500 days: ";
    assert!(said.contains(wanted), "{said}");
}

/// What is said is of how long an event is kept in the end: as its type says, else its environment.
#[test]
fn a_plan_says_what_is_kept_less_long_and_nothing_else() {
    let keeps = |own: &Json, production: &Json| {
        let of_type = if own.is_null() { json!({}) } else { json!({"retention_days": own}) };
        let of_all = if production.is_null() { json!({}) } else { json!({"retention_days": production}) };
        json!({"rules": {"environments": {"production": of_all}}, "events": {"Order": of_type}})
    };
    let none = json!(null);
    let without = json!({"rules": {"environments": {"production": {"retention_days": 30}}}, "events": {}});
    let everywhere = "events of type `Order` are removed 20 days after they were received";
    let here = "in `production`, events of type `Order` are removed 30 days after they were received";
    let shorter = "in `production`, events of type `Order` are removed 100 days after they were received";
    let all = "in `production`, events are removed 30 days after they were received";
    let elsewhere = "in `development`, events of type `Order` are removed 100 days after they were received";
    let check = |was: Json, now: Json, said: &[&str]| {
        let house = House::new();
        house.did("plan.save", json!({"plan": was, "why": "the law"}));
        let checked = house.did("plan.check", json!({"plan": now}));
        let found: Vec<&str> = checked["consequences"]
            .as_array()
            .unwrap()
            .iter()
            .map(|lint| lint["message"].as_str().unwrap())
            .collect();
        assert_eq!(found, said, "{was} -> {now}");
        let saved = house.did("plan.save", json!({"plan": now, "why": "another"}));
        assert_eq!(saved["warnings"], checked["consequences"], "{was} -> {now}");
    };
    // Its own is taken away, or it is planned no more, and its environment's is shorter.
    check(keeps(&json!(730), &json!(30)), keeps(&none, &json!(30)), &[here]);
    check(keeps(&json!(730), &json!(30)), without, &[here]);
    check(keeps(&json!(730), &none), keeps(&none, &json!(30)), &[all, here]);
    // Its own is longer than its environment's, where it has one; elsewhere it was kept for ever.
    check(keeps(&none, &json!(30)), keeps(&json!(100), &json!(30)), &[elsewhere]);
    check(
        keeps(&none, &json!(400)),
        keeps(&json!(100), &json!(400)),
        &[&shorter.replace("in `production`, ", "")],
    );
    // Its own is longer: what becomes of the others is not of it.
    check(keeps(&json!(730), &json!(400)), keeps(&json!(730), &json!(30)), &[all]);
    check(keeps(&json!(7), &json!(30)), keeps(&none, &json!(30)), &[]);
    check(keeps(&json!(30), &none), keeps(&json!(20), &none), &[everywhere]);
    check(keeps(&json!(30), &none), keeps(&none, &none), &[]);
}
