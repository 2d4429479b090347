//! App tests: scheduled changes, on a clock that is set by hand.

use serde_json::{Value as Json, json};

use crate::house::{DAY, HOUR, House, MINUTE};
use crate::rollouts::at;

/// Plans something in production, so many milliseconds from now, and gives its key.
fn plan(house: &House, planned: Json, after: i64) -> String {
    let input = json!({"environment": "production", "planned": planned, "at": house.now.0 + after, "why": "launch day"});
    house.did("schedule.create", input)["schedule"]["key"].as_str().unwrap().to_owned()
}

fn toggle(flag: &str, on: bool) -> Json {
    json!({"plan": "toggle", "flag": flag, "on": on})
}

/// What became of each: when, what, how it stands, and why it was refused.
fn list(house: &House) -> Vec<String> {
    let all = house.did("schedule.list", json!({"over": true}));
    let said = |view: &Json| {
        let state = &view["schedule"]["state"];
        let why = state["because"].as_str().map(|why| format!(": {why}")).unwrap_or_default();
        format!("{}, {}{why}", view["sentence"].as_str().unwrap(), state["state"].as_str().unwrap())
    };
    all["schedules"].as_array().unwrap().iter().map(said).collect()
}

fn waiting(house: &House) -> usize {
    house.did("schedule.list", json!({}))["schedules"].as_array().unwrap().len()
}

/// The newest changes, oldest first: who, what and why.
fn newest(house: &House, n: u64) -> Vec<String> {
    let changes = house.did("change.list", json!({"limit": n}));
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    let said = |c: &Json| {
        format!("{} {}: {}", text(&c["by"]["name"]), text(&c["sentence"]), text(&c["change"]["why"]))
    };
    changes["changes"].as_array().unwrap().iter().rev().map(said).collect()
}

fn rolling(house: &House, flag: &str) {
    house.did("flag.create", json!({"flag": flag}));
    house.did("flag.toggle", at(flag, json!({"on": true})));
    house.did("rollout.start", at(flag, json!({"candidate": "on", "control": "off", "share": 500})));
}

fn step(house: &House) -> (u64, u64) {
    let stepped = house.app.step(house.now).unwrap();
    (stepped.made, stepped.refused)
}

#[test]
fn what_is_planned_is_made_in_its_time_and_once() {
    let mut house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    let key = plan(&house, toggle("f", true), HOUR);
    house.later(HOUR - 1);
    assert_eq!((step(&house), house.peeked("f", "user-1").as_str()), ((0, 0), "off"));
    house.later(1);
    let (before, rings) = (house.revision(), house.rings.load(std::sync::atomic::Ordering::Relaxed));
    assert_eq!((step(&house), house.peeked("f", "user-1").as_str()), ((1, 0), "on"));
    assert_eq!(house.revision(), before + 1, "the change says itself that it was scheduled");
    assert!(house.rings.load(std::sync::atomic::Ordering::Relaxed) > rings, "clients are told");
    house.later(DAY);
    assert_eq!((step(&house), house.revision()), ((0, 0), before + 1));
    let house = house.restart();
    assert_eq!((step(&house), house.revision()), ((0, 0), before + 1));
    assert_eq!(newest(&house, 1), ["a schedule of Ada turned f on in production: launch day"]);
    // Both the flag and the schedule have that change.
    for about in [json!({"flag": "f", "limit": 1}), json!({"schedule": key, "limit": 1})] {
        assert_eq!(house.did("change.list", about)["changes"][0]["change"]["revision"], before + 1);
    }
    let all = house.did("schedule.list", json!({"over": true, "flag": "f"}));
    let state = &all["schedules"][0]["schedule"]["state"];
    assert_eq!(state["state"], "done");
    assert_eq!(state["revision"], before + 1);
}

/// Everything that can be planned, and what is so already.
#[test]
fn every_plan_does_what_the_operation_does() {
    let mut house = House::new();
    rolling(&house, "r");
    rolling(&house, "s");
    rolling(&house, "t");
    house.split_flag("split", 5_000);
    house.did("flag.create", json!({"flag": "b"}));
    house.did("flag.toggle", at("b", json!({"on": true})));
    let audience = json!([[{"attribute": "plan", "op": "is", "values": ["pro"]}]]);
    house.did("beta.save", json!({"beta": "q", "flags": {"b": "on"}, "audience": audience}));
    let shares = json!([{"variant": "on", "share": 7_000}, {"variant": "off", "share": 3_000}]);
    let plans = [
        json!({"plan": "reshare", "flag": "split", "shares": shares}),
        json!({"plan": "widen", "flag": "r", "share": 2_500}),
        json!({"plan": "halt", "flag": "s"}),
        json!({"plan": "finish", "flag": "t"}),
        json!({"plan": "switch", "beta": "q", "on": true}),
        toggle("split", false),
        json!({"plan": "widen", "flag": "r", "share": 10_000}),
    ];
    // The second time everything is so already, and nothing breaks.
    for again in 0..2 {
        for (n, planned) in (0..).zip(&plans) {
            plan(&house, planned.clone(), MINUTE + n);
        }
        house.later(2 * MINUTE);
        let before = house.revision();
        // To widen what is done is refused; to bring everybody what everybody has is not.
        let refused = u64::from(again == 1);
        assert_eq!((step(&house), house.revision()), ((7 - refused, refused), before + 7));
    }
    let default = |flag: &str| {
        house.did("flag.get", json!({"flag": flag}))["flag"]["settings"]["production"]["default"].clone()
    };
    let ranges = default("split")["split"]["ranges"].as_array().unwrap().clone();
    let off = ranges.iter().filter(|r| r["variant"] == "off");
    let points: u64 = off.map(|r| r["to"].as_u64().unwrap() - r["from"].as_u64().unwrap()).sum();
    assert_eq!(points, 3_000);
    let state = |flag: &str| default(flag)["rollout"]["state"]["state"].as_str().unwrap().to_owned();
    assert_eq!(["r", "s", "t"].map(state), ["done", "halted", "done"]);
    assert_eq!(house.did("beta.get", json!({"beta": "q"}))["beta"]["on"], json!(["production"]));
    insta::assert_snapshot!(newest(&house, 7).join("\n"), @r"
    a schedule of Ada set the shares of split in production to on 70%, off 30%: launch day
    a schedule of Ada could not set the rollout of r to 25% in production, as was scheduled: the rollout of `r` is not widening
    a schedule of Ada halted the rollout of s in production: launch day
    a schedule of Ada finished the rollout of t in production: launch day
    a schedule of Ada turned beta q on in production: launch day
    a schedule of Ada turned split off in production: launch day
    a schedule of Ada finished the rollout of r in production: launch day
    ");
    insta::assert_snapshot!(list(&house).join("\n"), @r"
    set the shares of split to on 70%, off 30%, done
    set the rollout of r to 25%, done
    halt the rollout of s, done
    finish the rollout of t, done
    turn beta q on, done
    turn split off, done
    set the rollout of r to 100%, done
    set the shares of split to on 70%, off 30%, done
    set the rollout of r to 25%, refused: the rollout of `r` is not widening
    halt the rollout of s, done
    finish the rollout of t, done
    turn beta q on, done
    turn split off, done
    set the rollout of r to 100%, done
    ");
}

#[test]
fn what_is_there_then_may_refuse_it_and_keeps_nothing_else_from_happening() {
    let mut house = House::new();
    for flag in ["f", "g", "old"] {
        house.did("flag.create", json!({"flag": flag}));
    }
    let half = json!([{"variant": "on", "share": 5_000}, {"variant": "off", "share": 5_000}]);
    // Two at one time, and one before: by time, then by key.
    plan(&house, json!({"plan": "halt", "flag": "f"}), HOUR);
    plan(&house, toggle("old", true), HOUR + 1);
    plan(&house, json!({"plan": "reshare", "flag": "g", "shares": half}), HOUR + 1);
    plan(&house, toggle("g", true), HOUR + 1);
    plan(&house, toggle("g", false), 2 * HOUR);
    let cancelled = plan(&house, toggle("f", true), HOUR);
    house.did("flag.archive", json!({"flag": "old", "why": "test"}));
    house.did("schedule.cancel", json!({"schedule": cancelled, "why": "not today"}));
    let again = house.refused("schedule.cancel", json!({"schedule": cancelled, "why": "again"}));
    let over = "is over\nhint: look at what became of it; make another one for another change";
    assert_eq!(again, format!("400 scheduled change `{cancelled}` {over}"));
    let unknown = house.refused("schedule.cancel", json!({"schedule": "nothing", "why": "again"}));
    assert!(unknown.starts_with("404 there is no scheduled change `nothing`\nhint: use "), "{unknown}");
    // A server that was away for a day does all of it when it is back, in order.
    house.later(DAY);
    let house = house.restart();
    let before = house.revision();
    assert_eq!((step(&house), house.revision()), ((2, 3), before + 5));
    assert_eq!(house.peeked("g", "user-1"), "off", "the later one came last");
    assert_eq!((step(&house), house.revision()), ((0, 0), before + 5));
    assert_eq!(waiting(&house), 0);
    let mut list = list(&house);
    // Those of one time are in the order of their keys, which are drawn.
    list[2..5].sort();
    insta::assert_snapshot!(list.join("\n"), @r"
    halt the rollout of f, refused: flag `f` has no rollout here
    turn f on, cancelled
    set the shares of g to on 50%, off 50%, refused: flag `g` serves one variant to everybody
    turn g on, done
    turn old on, refused: flag `old` is archived
    turn g off, done
    ");
    let refusal = newest(&house, 5).into_iter().find(|said| said.contains("halt")).unwrap();
    insta::assert_snapshot!(refusal, @r"
    a schedule of Ada could not halt the rollout of f in production, as was scheduled: flag `f` has no rollout here
    ");
}

#[test]
fn what_cannot_be_planned_is_refused() {
    let house = House::new();
    for flag in ["f", "old"] {
        house.did("flag.create", json!({"flag": flag}));
    }
    house.did("flag.archive", json!({"flag": "old", "why": "test"}));
    let before = house.revision();
    let refused = |planned: Json, after: i64, why: &str, environment: &str| {
        let input =
            json!({"environment": environment, "planned": planned, "at": house.now.0 + after, "why": why});
        house.refused("schedule.create", input)
    };
    let said = [
        refused(toggle("f", true), 0, "why", "production"),
        refused(toggle("f", true), -DAY, "why", "production"),
        refused(toggle("none", true), HOUR, "why", "production"),
        refused(toggle("old", true), HOUR, "why", "production"),
        refused(toggle("f", true), HOUR, " ", "production"),
        refused(toggle("f", true), HOUR, "why", "moon"),
        refused(json!({"plan": "reshare", "flag": "f", "shares": []}), HOUR, "why", "production"),
        refused(
            json!({"plan": "reshare", "flag": "f", "shares": [{"variant": "of", "share": 10_000}]}),
            HOUR,
            "why",
            "production",
        ),
        refused(json!({"plan": "explode", "flag": "f"}), HOUR, "why", "production"),
        refused(json!({"plan": "widen", "flag": "f", "share": 10_001}), HOUR, "why", "production"),
        refused(json!({"plan": "switch", "beta": "none", "on": true}), HOUR, "why", "production"),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    400 `2026-09-21T14:13:20Z` has passed
    hint: plan it for a time to come, or make the change now
    400 `2026-09-20T14:13:20Z` has passed
    hint: plan it for a time to come, or make the change now
    404 there is no flag `none`
    hint: use `f` or `old`
    400 flag `old` is archived
    hint: restore it first
    400 a change in `production` needs a reason, because customers are served from it
    hint: say in `why` what this is for
    404 there is no environment `moon`
    hint: use `development` or `production`
    400 a split must add up to 100%: these shares make `0%`
    hint: give at least one variant a share
    400 flag `f` has no variant `of`
    hint: use one of `on`, `off`
    400 in `planned.plan`: `explode` is not a word that belongs here
    hint: what there is: `toggle`, `reshare`, `widen`, `halt`, `finish`, `switch`
    400 in `planned`: `10001` basis points is more than everybody
    hint: what belongs in `planned`: What is to be done, such as `{"plan": "toggle", "flag": "checkout", "on": true}`, `{"plan": "widen", "flag": "checkout", "share": 2500}`, the same with `halt` or `finish` and no share, `{"plan": "switch", "beta": "friends", "on": true}`, or `{"plan": "reshare", "flag": "checkout", "shares": [{"variant": "on", "share": 10000}]}`
    404 there is no beta `none`
    hint: there is none yet; make one with `beta.save`
    "#);
    assert_eq!((house.revision(), waiting(&house)), (before, 0));
    // Where nobody is served, no reason is needed; and a rehearsal plans nothing.
    let input = json!({"environment": "development", "planned": toggle("f", true), "at": house.now.0 + HOUR});
    house.rehearse("schedule.create", input.clone()).unwrap();
    assert_eq!(waiting(&house), 0);
    house.did("schedule.create", input);
    assert_eq!(waiting(&house), 1);
}

/// A halt that is planned for the moment of a step, or that was missed together with it, comes first.
#[test]
fn what_somebody_planned_comes_before_the_step_of_a_ramp() {
    let mut house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    house.did("flag.toggle", at("f", json!({"on": true})));
    let steps = json!([{"share": 500, "hold": HOUR}, {"share": 10_000}]);
    house.did("rollout.start", at("f", json!({"candidate": "on", "control": "off", "steps": steps})));
    plan(&house, json!({"plan": "halt", "flag": "f"}), HOUR);
    house.later(HOUR);
    let stepped = house.app.step(house.now).unwrap();
    assert_eq!((stepped.made, stepped.taken), (1, 0));
    let halted = house.did("flag.get", json!({"flag": "f"}));
    assert_eq!(
        halted["states"]["production"],
        "on: everybody gets `off`, because the rollout of `on` is halted"
    );
}

/// However much else is due before it.
#[test]
fn what_is_left_for_the_next_round_comes_before_the_step_of_its_ramp() {
    let mut house = House::new();
    for flag in ["f", "g", "other"] {
        house.did("flag.create", json!({"flag": flag}));
        house.did("flag.toggle", at(flag, json!({"on": true})));
    }
    let steps = json!([{"share": 500, "hold": HOUR}, {"share": 10_000}]);
    for flag in ["f", "g"] {
        house.did("rollout.start", at(flag, json!({"candidate": "on", "control": "off", "steps": steps})));
    }
    for n in 0..50 {
        plan(&house, toggle("other", n % 2 == 0), HOUR - 1);
    }
    plan(&house, json!({"plan": "widen", "flag": "f", "share": 2_000}), HOUR);
    house.later(HOUR);
    let stepped = house.app.step(house.now).unwrap();
    assert_eq!((stepped.made, stepped.taken), (50, 1), "the other ramp takes its step");
    let stepped = house.app.step(house.now).unwrap();
    assert_eq!((stepped.made, stepped.refused, stepped.taken), (1, 0, 0));
    let state = house.did("flag.get", json!({"flag": "f"}))["states"]["production"].clone();
    assert!(state.as_str().unwrap().contains("20%"), "{state}");
}

#[test]
fn a_round_is_bounded_and_the_next_one_goes_on() {
    let mut house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    for n in 0..120 {
        plan(&house, toggle("f", n % 2 == 0), HOUR + n);
    }
    house.later(2 * HOUR);
    assert_eq!([(); 4].map(|()| step(&house).0), [50, 50, 20, 0]);
    assert_eq!(house.peeked("f", "user-1"), "off", "the last one wins");
}

/// In the order in which they were planned, whatever their random keys.
#[test]
fn what_is_planned_for_one_moment_is_made_in_order() {
    let mut house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    let at = house.now.0 + 1_000;
    for n in 0..8 {
        let planned = json!({"plan": "toggle", "flag": "f", "on": n % 2 == 0});
        house.did(
            "schedule.create",
            json!({"environment": "production", "planned": planned, "at": at, "why": "test"}),
        );
    }
    house.later(1_000);
    assert_eq!(step(&house), (8, 0));
    let flag = house.did("flag.get", json!({"flag": "f"}));
    assert_eq!(flag["flag"]["settings"]["production"]["on"], false);
}

#[test]
fn what_a_key_planned_that_was_revoked_is_not_made() {
    let mut house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    let made = house.did("key.create", json!({"name": "robot", "scope": "admin"}));
    let grant = house.app.key(made["secret"].as_str().unwrap()).unwrap();
    let planned = json!({"plan": "toggle", "flag": "f", "on": true});
    let schedule =
        json!({"environment": "production", "planned": planned, "at": house.now.0 + 1_000, "why": "x"});
    house.ask_as(&grant, "schedule.create", schedule).unwrap();
    house.did("key.revoke", json!({"key": made["id"]}));
    house.later(1_000);
    assert_eq!(step(&house), (0, 1));
    let over = house.did("schedule.list", json!({"over": true}));
    assert_eq!(
        over["schedules"][0]["schedule"]["state"]["because"],
        "whoever planned this may not edit any more"
    );
}

/// What speaks against a plan as things are is said, and keeps nobody from planning it.
#[test]
fn a_plan_that_contradicts_another_or_would_be_refused_today_is_warned_of() {
    let mut house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    let warned = |house: &House, planned: Json, after: i64| -> Vec<String> {
        let input =
            json!({"environment": "production", "planned": planned, "at": house.now.0 + after, "why": "x"});
        let rehearsed = house.rehearse("schedule.create", input.clone()).unwrap();
        let view = house.did("schedule.create", input);
        assert_eq!(rehearsed["warnings"], view["warnings"]);
        let warnings = view["warnings"].as_array().cloned().unwrap_or_default();
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        warnings.iter().map(|w| format!("{}\nhint: {}", text(&w["message"]), text(&w["hint"]))).collect()
    };
    let (halt, finish) = (json!({"plan": "halt", "flag": "f"}), json!({"plan": "finish", "flag": "f"}));
    let widen = |share: u32| json!({"plan": "widen", "flag": "f", "share": share});
    let none = Vec::<String>::new();
    assert_eq!(warned(&house, toggle("f", true), HOUR), none);
    assert_eq!(warned(&house, toggle("f", true), HOUR), none, "the same again");
    assert_eq!(warned(&house, toggle("f", false), HOUR + MINUTE), none, "a minute later is another moment");
    let other =
        json!({"environment": "development", "planned": toggle("f", false), "at": house.now.0 + HOUR});
    assert_eq!(house.did("schedule.create", other)["warnings"], json!([]), "elsewhere");
    let mut said = warned(&house, toggle("f", false), HOUR - 1);
    said.extend(warned(&house, halt.clone(), 2 * HOUR));
    rolling(&house, "g");
    let of_g = |mut planned: Json| {
        planned["flag"] = json!("g");
        planned
    };
    assert_eq!(warned(&house, of_g(widen(2_000)), 2 * HOUR), none);
    assert_eq!(warned(&house, of_g(widen(10_000)), 3 * HOUR), none);
    said.extend(warned(&house, of_g(widen(3_000)), 4 * HOUR));
    said.extend(warned(&house, of_g(halt.clone()), HOUR));
    said.extend(warned(&house, of_g(finish), 5 * HOUR));
    insta::assert_snapshot!(said.join("\n"), @r"
    at `2026-09-21T15:13:20Z` it is planned to turn f on
    hint: cancel one of them with `schedule.cancel`; to turn f on comes last
    today this would be refused: flag `f` has no rollout here
    hint: it is made to what is there at its time; until then: begin one with `rollout.start`
    at `2026-09-21T17:13:20Z` it is planned to set the rollout of g to 100%: of a rollout that is done, the later plan is refused
    hint: cancel one of them with `schedule.cancel`, or plan them the other way round
    at `2026-09-21T16:13:20Z` it is planned to set the rollout of g to 20%: of a rollout that is halted, the later plan is refused
    hint: cancel one of them with `schedule.cancel`, or plan them the other way round
    at `2026-09-21T17:13:20Z` it is planned to set the rollout of g to 100%: of a rollout that is halted, the later plan is refused
    hint: cancel one of them with `schedule.cancel`, or plan them the other way round
    at `2026-09-21T18:13:20Z` it is planned to set the rollout of g to 30%: of a rollout that is halted, the later plan is refused
    hint: cancel one of them with `schedule.cancel`, or plan them the other way round
    at `2026-09-21T15:13:20Z` it is planned to halt the rollout of g: of a rollout that is halted, the later plan is refused
    hint: cancel one of them with `schedule.cancel`, or plan them the other way round
    ");
    // They are planned all the same.
    assert_eq!(waiting(&house), 11);
    house.later(DAY);
    let (made, refused) = step(&house);
    assert_eq!(made + refused, 11);
}

/// What is over leaves the state after a while; who planned it is still known.
#[test]
fn the_last_plans_that_are_over_are_listed_and_the_log_has_all() {
    let mut house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    for n in 0..25 {
        plan(&house, toggle("f", n % 2 == 0), HOUR + n);
    }
    house.later(2 * HOUR);
    assert_eq!(step(&house), (25, 0));
    assert_eq!(list(&house).len(), 20);
    let changes = newest(&house, 25);
    assert!(changes.iter().all(|said| said.starts_with("a schedule of Ada turned f o")), "{changes:?}");
    let house = house.restart();
    assert_eq!((list(&house).len(), newest(&house, 25)), (20, changes));
}

#[test]
fn who_archives_a_flag_is_told_of_what_waits_for_it() {
    let house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    let plan = |at: i64| {
        let planned = json!({"plan": "toggle", "flag": "f", "on": true});
        json!({"environment": "production", "why": "t", "at": house.now.0 + at, "planned": planned})
    };
    house.did("schedule.create", plan(3_600_000));
    let archived = house.did("flag.archive", json!({"flag": "f", "why": "t"}));
    assert_eq!(
        archived["warnings"][0]["message"],
        "1 scheduled change waits for flag `f`, and it is refused when the time comes"
    );
    let restored = house.did("flag.archive", json!({"flag": "f", "archived": false, "why": "t"}));
    assert_eq!(restored["warnings"], json!([]));
}
