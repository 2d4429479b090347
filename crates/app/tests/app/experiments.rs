//! App tests: an experiment from its plan to the change that it ends in.

use serde_json::{Value as Json, json};

use crate::house::{DAY, Dice, HOUR, House};

const CONVERSION: &str = "conversion";

fn planned(house: &House) -> Json {
    house.split_flag("f", 5_000);
    let metric = json!({"metric": "buys", "event": "buy", "measure": {"measure": CONVERSION}});
    house.did("metric.save", metric);
    let plan = json!({"experiment": "e", "flag": "f", "environment": "production", "control": "off",
        "metric": "buys", "days": 7});
    house.did("experiment.create", plan)
}

fn begin(house: &House) {
    house.did("experiment.start", json!({"experiment": "e", "why": "test"}));
}

/// Shows the flag to `n` users and lets them buy with a rate for each variant.
fn live(house: &House, n: usize, on: f64, off: f64) {
    let (secret, mut dice) = (house.key("server"), Dice(42));
    let users: Vec<_> = (0..n).map(|i| format!("user-{i}")).collect();
    for users in users.chunks(1_000) {
        let mut bought = Vec::new();
        for user in users {
            let rate = if house.shown("f", user) == "on" { on } else { off };
            if dice.below(rate) {
                bought.push(json!({"event_type": "buy", "user_id": user, "time": house.now.0 + 1}));
            }
        }
        house.send(&json!({"api_key": secret, "events": bought})).unwrap();
    }
}

#[test]
fn a_lift_ends_in_shipping_it() {
    let mut house = House::new();
    planned(&house);
    begin(&house);
    house.later(HOUR);
    live(&house, 6_000, 0.16, 0.10);
    house.later(DAY);
    let early = house.did("experiment.results", json!({"experiment": "e"}));
    assert_eq!(early["judgement"]["verdict"]["verdict"], "running", "{}", early["judgement"]["verdict"]);
    assert_eq!(early["judgement"]["interim"], true);
    assert_eq!(early["judgement"]["ends_at"], early["experiment"]["ends"]);
    let compared = &early["judgement"]["comparisons"][0]["compared"];
    assert!(compared["interval"].is_object() && compared.get("significant").is_none(), "{compared}");
    let too_early = house.refused("experiment.ship", json!({"experiment": "e"}));
    assert!(too_early.starts_with("400 experiment `e` has no winner"), "{too_early}");
    house.later(7 * DAY);
    let done = house.did("experiment.results", json!({"experiment": "e"}));
    assert_eq!(done["judgement"]["verdict"], json!({"verdict": "ship", "variant": "on"}));
    assert_eq!(done["judgement"]["interim"], false);
    assert_eq!(done["judgement"]["comparisons"][0]["compared"]["significant"], true);
    let again = house.did("experiment.results", json!({"experiment": "e"}));
    assert_eq!(again, done, "the same evidence gives the same numbers");

    let shipped = house.did("experiment.ship", json!({"experiment": "e"}));
    assert_eq!(shipped["experiment"]["state"]["variant"], "on");
    assert!((0..200).all(|i| house.peeked("f", &format!("user-{i}")) == "on"));
    let change = &house.did("change.list", json!({"experiment": "e"}))["changes"][0];
    assert_eq!(change["sentence"], "shipped on of experiment e");
    assert_eq!(change["change"]["why"], done["judgement"]["sentence"]);
    assert!(house.refused("experiment.stop", json!({"experiment": "e", "why": "x"})).starts_with("400"));
}

#[test]
fn what_an_ended_experiment_says_stays_by_the_metric_that_decided_it() {
    for ship in [true, false] {
        let mut house = House::new();
        planned(&house);
        begin(&house);
        house.later(HOUR);
        live(&house, 6_000, 0.16, 0.10);
        house.later(8 * DAY);
        if ship {
            house.did("experiment.ship", json!({"experiment": "e"}));
        } else {
            house.did("experiment.stop", json!({"experiment": "e", "why": "enough"}));
        }
        let results = |house: &House| house.did("experiment.results", json!({"experiment": "e"}));
        let then = results(&house);
        let counts = then["judgement"]["counts"].as_array().unwrap();
        assert!(counts.iter().all(|c| c["converted"].as_u64() > Some(0)), "{counts:?}");
        house.later(HOUR);
        let other = json!({"metric": "buys", "event": "return", "measure": {"measure": CONVERSION}});
        house.did("metric.save", other);
        let now = results(&house);
        for part in ["metric", "judgement"] {
            assert_eq!(now[part], then[part], "{part}");
        }
        assert_eq!(now["computed"]["plan_hash"], then["computed"]["plan_hash"]);
        // Without the old definition nobody would have converted.
        assert_eq!(now["metric"]["event"], "buy");
    }
}

/// Evaluations take ids as they are, and events lose those of fewer than five characters: such units are
/// exposed and can never convert.
#[test]
fn units_that_can_never_convert_are_said() {
    let mut house = House::new();
    planned(&house);
    begin(&house);
    house.later(HOUR);
    let secret = house.key("server");
    let ids = |from: u32, to: u32| (from..to).map(|i| i.to_string()).collect::<Vec<_>>();
    let shown = |house: &House, ids: &[String]| ids.iter().for_each(|id| drop(house.shown("f", id)));
    let buys = |ids: &[String]| -> Json {
        let device =
            |id: &String| json!({"event_type": "buy", "user_id": id, "device_id": format!("device-{id}")});
        ids.iter().map(device).collect()
    };
    let warnings =
        |house: &House| house.did("experiment.results", json!({"experiment": "e"}))["warnings"].clone();
    shown(&house, &ids(10_000, 10_400));
    house.send(&json!({"api_key": secret, "events": buys(&ids(10_000, 10_050))})).unwrap();
    house.later(HOUR);
    assert_eq!(warnings(&house), json!([]));
    shown(&house, &ids(9_700, 10_000));
    house.send(&json!({"api_key": secret, "events": buys(&ids(9_700, 10_000))})).unwrap();
    house.later(HOUR);
    let said = warnings(&house);
    assert_eq!(
        said[0]["message"],
        "`300` of `700` exposed units have ids of fewer than 5 characters, and none of them did `buy`: \
         events lose ids that are so short, so these units cannot convert"
    );
    assert!(said[0]["hint"].as_str().unwrap().contains("min_id_length"), "{said}");
    // Senders that keep short ids lose nothing.
    let kept =
        json!({"api_key": secret, "events": buys(&ids(9_700, 9_750)), "options": {"min_id_length": 1}});
    house.send(&kept).unwrap();
    house.later(HOUR);
    assert_eq!(warnings(&house), json!([]));
}

#[test]
fn against_the_verdict_a_variant_is_shipped_only_with_a_reason() {
    let mut house = House::new();
    planned(&house);
    begin(&house);
    house.later(HOUR);
    live(&house, 500, 0.1, 0.1);
    house.later(8 * DAY);
    let ship = |more: Json| {
        let mut input = json!({"experiment": "e"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    assert_eq!(
        house.refused("experiment.ship", ship(json!({"variant": "on"}))),
        "400 shipping `e` against its verdict needs a reason\nhint: say why the verdict does not decide"
    );
    house.did("experiment.ship", ship(json!({"variant": "on", "why": "support asks for it"})));
    let why = house.did("change.list", json!({"experiment": "e"}))["changes"][0]["change"]["why"].clone();
    assert!(why.as_str().unwrap().starts_with("support asks for it (the verdict was: "), "{why}");
}

/// 1,000 and 1,100 units: p = 0.029 would not warn, 1,000 and 1,150 do.
#[test]
fn while_the_sample_ratio_warns_even_a_winner_is_shipped_only_with_a_reason() {
    let mut house = House::new();
    planned(&house);
    begin(&house);
    house.later(HOUR);
    let secret = house.key("server");
    let mut events = Vec::new();
    for (variant, units, buyers) in [("off", 1_000, 100), ("on", 1_150, 230)] {
        for i in 0..units {
            let user = format!("{variant}-{i:05}");
            let shown = json!({"flag_key": "f", "variant": variant});
            events.push(json!({"event_type": "$exposure", "user_id": user, "event_properties": shown}));
            if i < buyers {
                events.push(json!({"event_type": "buy", "user_id": user}));
            }
        }
    }
    for events in events.chunks(1_000) {
        house.send(&json!({"api_key": secret, "events": events})).unwrap();
    }
    house.later(8 * DAY);
    let results = house.did("experiment.results", json!({"experiment": "e"}));
    let judgement = &results["judgement"];
    assert_eq!(judgement["verdict"], json!({"verdict": "ship", "variant": "on"}), "{judgement}");
    assert_eq!(judgement["sample_ratio"]["warn"], true, "{judgement}");
    for variant in [json!(null), json!("on")] {
        let refused = house.refused("experiment.ship", json!({"experiment": "e", "variant": variant}));
        assert!(refused.starts_with("400 the sample ratio of `e` is off (p = 0.00"), "{refused}");
        assert!(refused.contains("\nhint: ") && refused.contains("`why`"), "{refused}");
    }
    house.did("experiment.ship", json!({"experiment": "e", "why": "a bot, now blocked"}));
    let why = house.did("change.list", json!({"experiment": "e"}))["changes"][0]["change"]["why"].clone();
    assert!(why.as_str().unwrap().starts_with("a bot, now blocked (the verdict was: ship `on`"), "{why}");
}

#[test]
fn while_it_runs_its_plan_metric_and_split_stay() {
    let house = House::new();
    let draft = planned(&house);
    let plan = |days: u32| {
        json!({"experiment": "e", "flag": "f", "environment": "production", "control": "off",
            "metric": "buys", "days": days})
    };
    house.did("experiment.create", plan(14));
    let mut stale = plan(21);
    stale["if_revision"] = draft["revision"].clone();
    assert!(house.refused("experiment.create", stale).starts_with("409"));
    begin(&house);
    let before = house.revision();
    let starts = |operation: &str, input: Json, begins: &str| {
        let refused = house.refused(operation, input);
        assert!(refused.starts_with(begins), "{operation}: {refused}");
        assert!(refused.contains("\nhint: "));
        assert_eq!(house.revision(), before);
    };
    starts("experiment.create", plan(1), "400 experiment `e` is running");
    let metric = |event: &str| json!({"metric": "buys", "event": event, "measure": {"measure": CONVERSION}});
    starts("metric.save", metric("other"), "400 metric `buys` decides experiment `e`, which is running");
    starts("flag.archive", json!({"flag": "f", "why": "x"}), "400 experiment `e` is running");
    let variant = json!({"flag": "f", "environment": "production", "why": "x",
        "default": {"serve": "variant", "variant": "on"}});
    starts("flag.target", variant, "400 experiment `e` runs");
    starts("experiment.start", json!({"experiment": "e", "why": "x"}), "400 experiment `e` is running");
    let mut renamed = metric("buy");
    renamed["name"] = "Buyers".into();
    house.did("metric.save", renamed);
}

#[test]
fn it_starts_only_on_a_flag_that_is_on_and_split_as_planned() {
    let house = House::new();
    planned(&house);
    let start = || json!({"experiment": "e", "why": "test"});
    let toggle = |on: bool| json!({"flag": "f", "environment": "production", "on": on, "why": "test"});
    house.did("flag.toggle", toggle(false));
    assert!(house.refused("experiment.start", start()).starts_with("409 flag `f` is off"));
    house.did("flag.toggle", toggle(true));
    let shares = json!([{"variant": "on", "share": 4000}, {"variant": "off", "share": 6000}]);
    house
        .did("flag.reshare", json!({"flag": "f", "environment": "production", "shares": shares, "why": "x"}));
    assert_eq!(
        house.refused("experiment.start", start()),
        "409 the plan is `off 50%, on 50%`, and flag `f` splits `off 60%, on 40%`\nhint: set the flag's shares as planned, or plan anew"
    );
    let mut future = start();
    future["since"] = json!(house.now.0 + 1);
    assert!(house.refused("experiment.start", future).contains("is in the future"));
    let production = house.refused("experiment.start", json!({"experiment": "e"}));
    assert!(production.starts_with("409") || production.contains("needs a reason"), "{production}");
}
