//! App tests: the life of a flag, and who gets what of it.

use std::sync::atomic::Ordering;

use serde_json::{Value as Json, json};

use crate::house::House;
use crate::rollouts::at;

#[test]
fn a_flag_is_made_switched_archived_and_restored() {
    let house = House::new();
    let made = house.did("flag.create", json!({"flag": "f", "description": "new checkout"}));
    assert_eq!(
        made["states"],
        json!({"production": "off: everybody gets `off`", "development": "off: everybody gets `off`"})
    );
    assert_eq!(made["changed_by"], json!({"kind": "person", "name": "Ada"}));
    assert_eq!(house.peeked("f", "user-1"), "off");
    let rung = house.rings.load(Ordering::Relaxed);
    house.did("flag.toggle", at("f", json!({"on": true})));
    assert_eq!(house.rings.load(Ordering::Relaxed), rung + 1);
    assert_eq!(house.peeked("f", "user-1"), "on");
    house.did("flag.describe", json!({"flag": "f", "name": "Checkout"}));
    house.did("flag.archive", json!({"flag": "f", "why": "done"}));
    let context = crate::house::user(json!({"user_id": "user-1"}));
    let track = bellwether_app::Track::Nothing;
    let served = house.served();
    let answer = house.app.evaluate(&served, "f", &context, track, None, house.now);
    assert!(answer.is_none(), "an archived flag is served to nobody");
    assert_eq!(house.did("flag.list", json!({}))["flags"], json!([]));
    house.did("flag.archive", json!({"flag": "f", "archived": false, "why": "needed again"}));
    assert_eq!(house.peeked("f", "user-1"), "on");
    let changes = house.did("change.list", json!({"flag": "f"}));
    let said: Vec<_> =
        changes["changes"].as_array().unwrap().iter().map(|c| c["sentence"].as_str().unwrap()).collect();
    assert_eq!(
        said,
        [
            "restored flag f",
            "archived flag f",
            "changed the name or the description of flag f",
            "turned f on in production",
            "created flag f with 2 variants"
        ]
    );
}

#[test]
fn refusals_say_what_to_do_and_change_nothing() {
    let house = House::new();
    house.split_flag("f", 5_000);
    let (before, flags) = (house.revision(), house.did("flag.list", json!({})));
    let check = |operation: &str, input: Json, expected: &str| {
        assert_eq!(house.refused(operation, input), expected, "{operation}");
    };
    check(
        "flag.toggle",
        json!({"flag": "f", "environment": "production", "on": false}),
        "400 a change in `production` needs a reason, because customers are served from it\nhint: say in `why` what this is for",
    );
    check("flag.toggle", at("g", json!({"on": true})), "404 there is no flag `g`\nhint: use `f`");
    check("flag.create", json!({"flag": "f"}), "400 flag `f` exists already\nhint: choose another key");
    check(
        "flag.create",
        json!({"flag": "no good"}),
        "400 in `flag`: `no good` is not a key\nhint: use 1 to 100 letters, digits, `.`, `_` or `-`, starting with a letter or digit, such as `no_good`",
    );
    check(
        "flag.reshare",
        at("f", json!({"shares": [{"variant": "on", "share": 4000}, {"variant": "off", "share": 5000}]})),
        "400 a split must add up to 100%: these shares make `90%`\nhint: raise `off` to 60% or add a variant",
    );
    check(
        "flag.target",
        at("f", json!({"default": {"serve": "variant", "variant": "maybe"}})),
        "400 in environment `production`: flag `f` has no variant `maybe`\nhint: use one of `on`, `off`",
    );
    check(
        "flag.target",
        at("f", json!({"default": {"serve": "rollout"}})),
        "409 flag `f` has no rollout here\nhint: begin one with `rollout.start`",
    );
    for (name, attribute, values, expected) in [
        ("", "", json!(["x"]), "rule 1 tests no attribute"),
        ("", "plan", json!([]), "rule 1 tests `plan` against nothing"),
        ("paying", "plan", json!([]), "rule 1 (`paying`) tests `plan` against nothing"),
    ] {
        let clause = json!({"attribute": attribute, "op": "is", "values": values});
        let rule = json!({"name": name, "when": [[clause]], "serve": {"serve": "variant", "variant": "on"}});
        check(
            "flag.target",
            at("f", json!({"rules": [rule]})),
            &format!(
                "400 in environment `production`: {expected}\nhint: name an attribute and give at least one value"
            ),
        );
    }
    check(
        "change.list",
        json!({"flag": "f", "metric": "m"}),
        "400 the list can be of one thing\nhint: give one of `flag`, `experiment`, `metric`, `segment`, `layer`, `holdout`, `beta`, `schedule`, `event`, `proposal` and `plan`",
    );
    assert_eq!(house.revision(), before);
    assert_eq!(house.did("flag.list", json!({})), flags);
}

#[test]
fn who_mistypes_a_name_is_told_what_there_is() {
    let house = House::new();
    let check = |operation: &str, input: Json, expected: &str| {
        assert_eq!(house.refused(operation, input), expected, "{operation}");
    };
    let none = "404 there is no flag `gate`\nhint: there is none yet; make one with `flag.create`";
    check("flag.get", json!({"flag": "gate"}), none);
    for flag in ["gate_30", "free-shipping"] {
        house.did("flag.create", json!({"flag": flag}));
    }
    let meant = "hint: did you mean `gate_30`? `flag.list` shows what there is";
    let input = |flag: &str, environment: &str| json!({"flag": flag, "environment": environment, "on": true, "why": "test", "context": {}});
    let explain = |mut input: Json| {
        input
            .as_object_mut()
            .unwrap()
            .retain(|name, _| ["flag", "environment", "context"].contains(&name.as_str()));
        input
    };
    let toggle = |mut input: Json| {
        input.as_object_mut().unwrap().remove("context");
        input
    };
    let unknown = format!("404 there is no flag `gate-30`\n{meant}");
    check("flag.get", json!({"flag": "gate-30"}), &unknown);
    check("flag.toggle", toggle(input("gate-30", "production")), &unknown);
    check("flag.explain", explain(input("gate-30", "production")), &unknown);
    let mut then = explain(input("gate-30", "production"));
    then["revision"] = json!(house.revision());
    check("flag.explain", then, &unknown);
    // No operation makes an environment: what there is is all there is.
    let nowhere = "404 there is no environment `moon`\nhint: use `development` or `production`";
    check("flag.toggle", toggle(input("gate_30", "moon")), nowhere);
    check("flag.explain", explain(input("gate_30", "moon")), nowhere);
    check("key.create", json!({"name": "k", "scope": "client", "environment": "moon"}), nowhere);
    check("event.catalogue", json!({"environment": "moon"}), nowhere);
    check(
        "flag.toggle",
        toggle(input("gate_30", "prod")),
        "404 there is no environment `prod`\nhint: use `development` or `production`",
    );
    check(
        "flag.toggle",
        toggle(input("gate_30", "Producton")),
        "404 there is no environment `Producton`\nhint: did you mean `production`? `environment.list` shows what there is",
    );
    let allowed = "hint: use 1 to 100 letters, digits, `.`, `_` or `-`, starting with a letter or digit";
    check(
        "flag.create",
        json!({"flag": "Gate 30!"}),
        &format!("400 in `flag`: `Gate 30!` is not a key\n{allowed}, such as `gate_30`"),
    );
    check(
        "flag.create",
        json!({"flag": "x", "kind": "string", "variants": [{"key": "a", "value": ""}, {"key": "!", "value": ""}]}),
        &format!("400 in `variants[1].key`: `!` is not a key\n{allowed}"),
    );
}

#[test]
fn each_state_is_a_sentence() {
    let house = House::new();
    house.split_flag("f", 2_500);
    let state = || house.did("flag.get", json!({"flag": "f"}))["states"]["production"].clone();
    let target = |more: Json| house.did("flag.target", at("f", more));
    assert_eq!(state(), "on: 25% get `on`, 75% get `off`");
    let rule = json!({"when": [[{"attribute": "plan", "op": "is", "values": ["pro"]}]],
        "serve": {"serve": "variant", "variant": "on"}});
    target(json!({"rules": [rule]}));
    assert_eq!(state(), "on: 1 rule decides first, then 25% get `on`, 75% get `off` of the others");
    let ids = json!([{"variant": "on", "ids": ["user-1"]}, {"variant": "off", "ids": ["user-2"]}]);
    target(json!({"targets": ids, "default": {"serve": "variant", "variant": "off"}}));
    assert_eq!(state(), "on: 2 targets and 1 rule decide first, then everybody else gets `off`");
    target(json!({"targets": [], "rules": [], "default": {"serve": "variant", "variant": "on"}}));
    assert_eq!(state(), "on: everybody gets `on`");
    let metric = json!({"metric": "errors", "event": "error", "measure": {"measure": "conversion"}, "better": "lower"});
    house.did("metric.save", metric);
    let rollout = json!({"candidate": "on", "control": "off", "share": 500,
        "guard": {"metric": "errors", "margin": 0.01}});
    house.did("rollout.start", at("f", rollout));
    assert_eq!(state(), "on: a guarded rollout gives `on` to 5% so far");
    house.did("rollout.halt", at("f", json!({})));
    assert_eq!(state(), "on: everybody gets `off`, because the rollout of `on` is halted");
    house.did("rollout.resume", at("f", json!({})));
    house.did("rollout.finish", at("f", json!({})));
    assert_eq!(state(), "on: everybody gets `on`, which is rolled out");
    house.did("flag.toggle", at("f", json!({"on": false})));
    assert_eq!(state(), "off: everybody gets `off`");
    house.did("flag.archive", json!({"flag": "f", "why": "test"}));
    assert_eq!(state(), "archived: served to nobody");
}

#[test]
fn a_rollout_that_becomes_narrower_says_so() {
    let house = House::new();
    house.split_flag("f", 2_500);
    house.did("rollout.start", at("f", json!({"candidate": "on", "control": "off", "share": 5_000})));
    let narrowed = house.did("rollout.widen", at("f", json!({"share": 60})));
    let warned = &narrowed["warnings"][0];
    assert_eq!(
        warned["message"],
        "the rollout of flag `f` is narrower: it gave its candidate to `50%`, and now gives it to `0.6%`"
    );
    let hint = warned["hint"].as_str().unwrap();
    assert!(hint.contains("basis points"), "{hint}");
}

#[test]
fn a_stale_edit_is_refused_with_what_is_newer() {
    let house = House::new();
    house.split_flag("f", 5_000);
    let read = house.did("flag.get", json!({"flag": "f"}))["revision"].clone();
    house.did("flag.describe", json!({"flag": "f", "name": "newer"}));
    let mut edit = at("f", json!({"on": false, "if_revision": read}));
    let stale = house.ask("flag.toggle", edit.clone()).unwrap_err();
    assert_eq!((stale.code, stale.refusal.status()), ("stale", 409));
    let newest = house.revision();
    let said = format!(
        "flag `f` was changed by Ada at 2026-09-21T14:13:20Z: it is at revision `{newest}`, and this edit expects `{read}`"
    );
    assert_eq!(stale.message, said);
    let details = stale.details.unwrap();
    assert_eq!(details["by"], json!({"kind": "person", "name": "Ada"}));
    let rehearsed = house.rehearse("flag.toggle", edit.clone()).unwrap_err();
    assert_eq!((rehearsed.message, rehearsed.details), (said, Some(details.clone())));
    assert_eq!(details["expected"], read);
    assert_eq!(details["newest"], house.revision());
    edit["if_revision"] = details["newest"].clone();
    house.did("flag.toggle", edit);
}

#[test]
fn targets_win_over_rules_and_rules_over_the_default() {
    let house = House::new();
    house.split_flag("f", 0);
    let targeting = json!({
        "targets": [{"variant": "on", "ids": ["user-7"]}],
        "rules": [{"name": "pros", "when": [[{"attribute": "plan", "op": "is", "values": ["pro"]}]],
            "serve": {"serve": "variant", "variant": "on"}}],
    });
    let set = house.did("flag.target", at("f", targeting));
    assert_eq!(set["targets"].as_object().unwrap().values().collect::<Vec<_>>(), [&json!(["user-7"])]);
    assert_eq!(house.peeked("f", "user-7"), "on");
    assert_eq!(house.peeked("f", "user-8"), "off");
    let explained = house.did(
        "flag.explain",
        json!({"flag": "f", "environment": "production", "context": {"targetingKey": "user-8", "plan": "pro"}}),
    );
    assert!(explained.to_string().contains("pros"), "{explained}");
    // What is left out stays.
    house.did("flag.target", at("f", json!({"off": "on"})));
    assert_eq!(house.peeked("f", "user-7"), "on");
    house.did("flag.target", at("f", json!({"targets": []})));
    assert_eq!(house.peeked("f", "user-7"), "off");
    // As it was before: the past can be asked.
    let then = house.did(
        "flag.explain",
        json!({"flag": "f", "environment": "production", "context": {"targetingKey": "user-7"},
            "revision": set["revision"]}),
    );
    assert_eq!(then["explanation"]["variant"], "on", "{then}");
}

#[test]
fn who_is_divided_by_a_rule_is_not_compared_with_the_others() {
    let house = House::new();
    house.split_flag("f", 10_000);
    let shares = json!([{"variant": "on", "share": 10_000}, {"variant": "off", "share": 0}]);
    let rule = json!({"when": [[{"attribute": "plan", "op": "is", "values": ["pro"]}]],
        "serve": {"serve": "split", "shares": shares}});
    house.did(
        "flag.target",
        json!({"flag": "f", "environment": "production", "rules": [rule], "why": "test"}),
    );
    let both = [bellwether_app::Track::Assignment, bellwether_app::Track::Exposure];
    for (who, plan) in [("user-1", "pro"), ("user-2", "free")] {
        let context = crate::house::user(json!({"user_id": who, "user_properties": {"plan": plan}}));
        let served = house.served();
        let answers = house.app.evaluate_all(&served, None, &context, &both, None, house.now);
        assert_eq!((answers[0].variant, answers[0].reason), ("on", "SPLIT"), "{who}");
    }
    let events = house.events();
    let mut recorded: Vec<_> = events.iter().map(|e| (e["event"].as_str().unwrap(), &e["who"])).collect();
    recorded.sort_by_key(|(event, _)| *event);
    let second = json!({"user": "user-2"});
    assert_eq!(recorded, [("$assignment", &second), ("$exposure", &second)]);
}

#[test]
fn while_an_experiment_runs_targets_and_rules_may_be_said_again_and_not_changed() {
    let house = House::new();
    house.split_flag("f", 5_000);
    let rules = json!([{"name": "pros", "serve": {"serve": "variant", "variant": "on"},
        "when": [[{"attribute": "plan", "op": "is", "values": ["pro"]}]]}]);
    let targets = |ids: &[&str]| json!([{"variant": "on", "ids": ids}]);
    house.did("flag.target", at("f", json!({"targets": targets(&["user-7", "user-8"]), "rules": rules})));
    let metric = json!({"metric": "buys", "event": "buy", "measure": {"measure": "conversion"}});
    house.did("metric.save", metric);
    let plan = json!({"experiment": "e", "flag": "f", "environment": "production", "control": "off",
        "metric": "buys", "days": 7});
    house.did("experiment.create", plan);
    house.did("experiment.start", json!({"experiment": "e", "why": "test"}));
    let refused = "400 this would change who takes part in experiment `e` while it runs\n\
        hint: keep prerequisites, targets and rules as they are, or stop the experiment first";
    let fewer = at("f", json!({"targets": targets(&["user-7"])}));
    assert_eq!(house.refused("flag.target", fewer.clone()), refused);
    assert_eq!(house.refused("flag.target", at("f", json!({"rules": []}))), refused);
    // The page sends all there is, also where only the default grows.
    let shares = json!([{"variant": "on", "share": 5_000}, {"variant": "off", "share": 5_000}]);
    let default = json!({"serve": "split", "shares": shares, "salt": "f-1"});
    let before = house.did("flag.get", json!({"flag": "f"}));
    let same = json!({"targets": targets(&["user-7", "user-8"]), "rules": rules, "default": default});
    let after = house.did("flag.target", at("f", same));
    assert_eq!((&after["flag"], &after["targets"]), (&before["flag"], &before["targets"]));
    house.did("experiment.stop", json!({"experiment": "e", "why": "test"}));
    house.did("flag.target", fewer);
}

#[test]
fn growing_a_split_moves_nobody_who_had_a_variant() {
    let house = House::new();
    house.did(
        "flag.create",
        json!({"flag": "f", "kind": "string", "variants": [
        {"key": "a", "value": "A"}, {"key": "b", "value": "B"}, {"key": "off", "value": "-"}]}),
    );
    let split = |a: u32| json!([{"variant": "a", "share": a}, {"variant": "b", "share": a}, {"variant": "off", "share": 10_000 - 2 * a}]);
    house.did(
        "flag.target",
        at("f", json!({"default": {"serve": "split", "shares": split(500), "rest": "off"}})),
    );
    house.did("flag.toggle", at("f", json!({"on": true})));
    let users: Vec<_> = (0..5_000).map(|i| format!("user-{i}")).collect();
    let mut before: Vec<_> = users.iter().map(|u| house.peeked("f", u)).collect();
    for share in [1_000, 5_000] {
        house.did("flag.reshare", at("f", json!({"shares": split(share)})));
        let after: Vec<_> = users.iter().map(|u| house.peeked("f", u)).collect();
        let moved = before.iter().zip(&after).filter(|(b, a)| *b != "off" && b != a).count();
        assert_eq!(moved, 0, "at {share}");
        before = after;
    }
    assert!(before.iter().all(|v| v != "off"));
}

#[test]
fn many_hands_on_one_split_lose_no_edit() {
    let house = House::new();
    house.did(
        "flag.create",
        json!({"flag": "f", "kind": "string", "variants": [
        {"key": "a", "value": "A"}, {"key": "b", "value": "B"}, {"key": "off", "value": "-"}]}),
    );
    let shares = |a: u32, b: u32| json!([{"variant": "a", "share": a}, {"variant": "b", "share": b}, {"variant": "off", "share": 10_000 - a - b}]);
    house.did(
        "flag.target",
        at("f", json!({"default": {"serve": "split", "shares": shares(100, 100), "rest": "off"}})),
    );
    house.did("flag.toggle", at("f", json!({"on": true})));
    let users: Vec<_> = (0..2_000).map(|i| format!("user-{i}")).collect();
    // Two people take turns in giving each other's arm more; whoever has a variant keeps it.
    let mut held: Vec<String> = users.iter().map(|u| house.peeked("f", u)).collect();
    for round in 1..=10_u32 {
        std::thread::scope(|scope| {
            for hand in 0..2 {
                let (house, shares) = (&house, &shares);
                scope.spawn(move || {
                    let grown = 100 + round * 100 + hand * 50;
                    house.did("flag.reshare", at("f", json!({"shares": shares(grown, grown)})));
                });
            }
        });
        let now: Vec<_> = users.iter().map(|u| house.peeked("f", u)).collect();
        for (had, has) in held.iter().zip(&now) {
            assert!(
                has == had || had == "off" || has == "off",
                "moved from `{had}` to `{has}` in round {round}"
            );
        }
        held = now;
    }
}

#[test]
fn a_rehearsal_says_what_would_be_and_changes_nothing() {
    let house = House::new();
    house.split_flag("f", 5_000);
    let before = (house.revision(), house.did("flag.get", json!({"flag": "f"})));
    let would = |operation: &str, input: Json| {
        house.rehearse(operation, input).unwrap_or_else(|e| panic!("{operation}: {} {}", e.code, e.message))
    };
    let off = would("flag.toggle", at("f", json!({"on": false})));
    assert_eq!(off["states"]["production"], "off: everybody gets `off`");
    assert_eq!(off["revision"], before.0 + 1);
    let targeted = would("flag.target", at("f", json!({"targets": [{"variant": "on", "ids": ["user-7"]}]})));
    assert_eq!(targeted["targets"].as_object().unwrap().values().collect::<Vec<_>>(), [&json!(["user-7"])]);
    assert_eq!(would("flag.create", json!({"flag": "g"}))["flag"]["key"], "g");
    let metric = json!({"metric": "m", "event": "buy", "measure": {"measure": "conversion"}});
    assert_eq!(would("metric.save", metric)["metric"]["event"], "buy");
    assert!(house.rehearse("flag.toggle", at("nobody", json!({"on": false}))).is_err());
    assert_eq!((house.revision(), house.did("flag.get", json!({"flag": "f"}))), before);
}
