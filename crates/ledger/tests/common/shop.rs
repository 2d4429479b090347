//! Ledger, tests: a short history of a shop in which every kind of edit happens.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use bellwether_ledger::Proposed;
use bellwether_model::{Actor, Json, ListId, Millis};
use serde_json::json;

/// When it begins.
pub const START: Millis = Millis(1_770_000_000_000);

/// An edit from its stored words, by a person, with a reason.
pub fn edit(edit: Json) -> Proposed {
    let edit = serde_json::from_value(edit.clone()).unwrap_or_else(|e| panic!("{edit}: {e}"));
    let by = Actor::Person { id: "p_4f1c".to_owned() };
    Proposed { by, why: "because".to_owned(), edit, expect: None, lists: vec![] }
}

pub fn environment(key: &str, production: bool) -> Json {
    json!({"edit": "environment_created",
        "environment": {"key": key, "name": key.to_uppercase(), "production": production}})
}

/// A flag with the variants `off`, `control` and `treatment` and one default everywhere.
pub fn flag(key: &str, environments: &[&str], default: &Json) -> Json {
    let settings: serde_json::Map<String, Json> = environments
        .iter()
        .map(|e| ((*e).to_owned(), json!({"on": true, "off": "off", "default": default})))
        .collect();
    json!({"edit": "flag_created", "flag": {"key": key, "name": key, "kind": "string", "unit": "user",
        "variants": [{"key": "off", "value": "-"}, {"key": "control", "value": "c"}, {"key": "treatment", "value": "t"}],
        "settings": settings, "created": START}})
}

pub fn variant(key: &str) -> Json {
    json!({"serve": "variant", "variant": key})
}

/// Control and treatment get so many basis points each, in ranges that grow from both ends of the
/// lower and the upper half; `off` has the rest.
pub fn split(control: u16, treatment: u16) -> Json {
    let ranges = [
        (0, control, "control"),
        (control, 5_000, "off"),
        (5_000, 5_000 + treatment, "treatment"),
        (5_000 + treatment, 10_000, "off"),
    ];
    let ranges: Vec<Json> = ranges
        .iter()
        .filter(|(from, to, _)| from < to)
        .map(|(from, to, variant)| json!({"from": from, "to": to, "variant": variant}))
        .collect();
    json!({"salt": "s1", "rest": "off", "ranges": ranges})
}

pub fn served(split: Json) -> Json {
    json!({"serve": "split", "split": split})
}

pub fn targeting(flag: &str, environment: &str, default: &Json) -> Json {
    json!({"edit": "targeting_replaced", "flag": flag, "environment": environment,
        "setting": {"on": true, "off": "off", "default": default}})
}

pub fn toggle(flag: &str, environment: &str, on: bool) -> Json {
    json!({"edit": "flag_toggled", "flag": flag, "environment": environment, "on": on})
}

pub fn reshare(flag: &str, environment: &str, split: Json) -> Json {
    json!({"edit": "split_reshared", "flag": flag, "environment": environment, "split": split})
}

pub fn archive(flag: &str, archived: bool) -> Json {
    json!({"edit": "flag_archived", "flag": flag, "archived": archived})
}

pub fn rollout(control: u16, treatment: u16, guard: Option<&str>, state: Json) -> Json {
    let guard = guard.map(|m| json!({"metric": m, "margin": 0.01, "alpha": 0.05, "window": 600_000}));
    json!({"candidate": "treatment", "control": "control", "split": split(control, treatment),
        "guard": guard, "state": state, "started": START, "epoch": 0, "epoch_began": START})
}

pub fn set_rollout(flag: &str, environment: &str, rollout: Json) -> Json {
    json!({"edit": "rollout_set", "flag": flag, "environment": environment, "rollout": rollout})
}

pub fn metric(key: &str, event: &str) -> Json {
    json!({"edit": "metric_saved", "metric": {"key": key, "name": key, "event": event,
        "measure": {"measure": "conversion"}, "better": "higher"}})
}

pub fn experiment(key: &str, flag: &str, environment: &str, metric: &str) -> Json {
    json!({"edit": "experiment_saved", "experiment": {"key": key, "name": key, "flag": flag,
        "environment": environment, "state": {"state": "draft"}, "plan": {
            "control": "control",
            "arms": [{"variant": "control", "share": 5000}, {"variant": "treatment", "share": 5000}],
            "metric": metric, "horizon": {"horizon": "after", "span": 1_209_600_000_u64}, "alpha": 0.05}}})
}

pub fn start(key: &str) -> Json {
    json!({"edit": "experiment_started", "experiment": key, "since": START})
}

pub fn stop(key: &str) -> Json {
    json!({"edit": "experiment_stopped", "experiment": key, "at": START.0 + 500_000})
}

pub fn ship(key: &str, variant: &str) -> Json {
    json!({"edit": "experiment_shipped", "experiment": key, "at": START.0 + 600_000, "variant": variant})
}

/// A segment of users by their plan, with these lists.
pub fn segment(key: &str, plan: &str, lists: [Option<&str>; 2]) -> Json {
    json!({"edit": "segment_saved", "segment": {"key": key, "name": key, "unit": "user", "created": START,
        "when": [[{"attribute": "plan", "op": "is", "values": [plan]}]],
        "included": lists[0], "excluded": lists[1]}})
}

/// A layer by users: flags with what they own of it, in basis points.
pub fn layer(key: &str, ranges: &[(u16, u16, &str)]) -> Json {
    let ranges: Vec<Json> =
        ranges.iter().map(|(from, to, flag)| json!({"from": from, "to": to, "flag": flag})).collect();
    json!({"edit": "layer_saved", "layer": {"key": key, "name": key, "unit": "user", "created": START,
        "salt": format!("{key}:1"), "ranges": ranges}})
}

/// A layer so divided, of which one flag got its part.
pub fn allotted(flag: &str, layer: Json) -> Json {
    json!({"edit": "layer_allotted", "layer": layer["layer"], "flag": flag})
}

pub fn holdout(key: &str, share: u16, covers: Json) -> Json {
    json!({"edit": "holdout_saved", "holdout": {"key": key, "name": key, "unit": "user", "created": START,
        "salt": format!("{key}:1"), "share": share, "covers": covers}})
}

pub fn everything() -> Json {
    json!({"covers": "everything"})
}

pub fn team_flags(team: &str) -> Json {
    json!({"covers": "team", "team": team})
}

pub fn these(flags: &[&str]) -> Json {
    json!({"covers": "flags", "flags": flags})
}

pub fn team(flag: &str, team: Option<&str>) -> Json {
    json!({"edit": "flag_team_set", "flag": flag, "team": team})
}

pub fn layered(flag: &str, layer: Option<&str>) -> Json {
    json!({"edit": "flag_layer_set", "flag": flag, "layer": layer})
}

pub fn schema(flag: &str, schema: Option<Json>) -> Json {
    json!({"edit": "flag_schema_set", "flag": flag, "schema": schema})
}

/// A targeting that needs another flag to serve one of these variants, where it is given, and whose
/// rule, where it is given, serves `control` to the members of a segment.
pub fn gated(
    flag: &str,
    environment: &str,
    needs: Option<(&str, &[&str])>,
    asks: Option<&str>,
    default: &Json,
) -> Json {
    let mut edit = targeting(flag, environment, default);
    if let Some((flag, variants)) = needs {
        edit["setting"]["prerequisites"] = json!([{"flag": flag, "variants": variants}]);
    }
    if let Some(segment) = asks {
        edit["setting"]["rules"] =
            json!([{"name": "members", "when": [[{"segment": segment}]], "serve": variant("control")}]);
    }
    edit
}

/// Other variants of a flag: keys and text.
pub fn variants(flag: &str, variants: &[(&str, &str)]) -> Json {
    let variants: Vec<Json> =
        variants.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    json!({"edit": "flag_variants_replaced", "flag": flag, "variants": variants})
}

/// The same thing, archived.
pub fn archived(mut edit: Json) -> Json {
    let what = edit["edit"].as_str().unwrap_or_default().trim_end_matches("_saved").to_owned();
    edit[what]["archived"] = json!(true);
    edit
}

/// An environment as it would be saved, with a bucketing.
pub fn saved(key: &str, production: bool, bucketing: &str) -> Json {
    json!({"edit": "environment_saved",
        "environment": {"key": key, "name": key, "production": production, "bucketing": bucketing}})
}

/// Every kind of edit, every actor and every state that a rollout can be in.
pub fn history() -> Vec<Proposed> {
    let widening = json!({"state": "widening"});
    let halted = json!({"state": "halted", "at": START.0 + 9, "because": "errors rose by `2%`"});
    let done = json!({"state": "done", "at": START.0 + 10});
    let guard = Actor::Guard { flag: "banner".parse().unwrap(), environment: "production".parse().unwrap() };
    let mut checkout = edit(flag("checkout", &["production", "staging"], &variant("control")));
    checkout.by = Actor::Key { id: "k_9d02".to_owned() };
    let mut targeted =
        edit(json!({"edit": "targeting_replaced", "flag": "checkout", "environment": "production",
        "setting": {"on": false, "off": "off",
            "targets": [{"variant": "treatment", "list": "l_77"}],
            "rules": [{"name": "pro in Europe", "serve": variant("treatment"), "when": [[
                {"attribute": "plan.tier", "op": "is", "values": ["pro"]},
                {"attribute": "country", "op": "is_not", "values": ["US", "CA"]},
                {"attribute": "app", "op": "version_greater_or_equal", "values": ["2.10"]}],
                [{"attribute": "email", "op": "ends_with", "values": ["@example.com"]}]]}],
            "default": served(split(500, 500))}}));
    targeted.lists = vec![(ListId("l_77".to_owned()), vec!["ada".to_owned(), "grace".to_owned()].into())];
    let mut sum = metric("revenue", "purchase");
    sum["metric"]["measure"] = json!({"measure": "sum", "property": "price"});
    sum["metric"]["only"] = json!([{"property": "user.plan", "op": "is_not", "values": ["(none)"]}]);
    sum["metric"]["better"] = json!("lower");
    let mut number = flag("ratio", &["staging"], &variant("off"));
    number["flag"]["kind"] = json!("number");
    number["flag"]["variants"] =
        json!([{"key": "off", "value": 0.1, "description": "a tenth"}, {"key": "big", "value": 3e300}]);
    let mut document = flag("theme", &["staging"], &variant("off"));
    document["flag"]["kind"] = json!("json");
    document["flag"]["unit"] = json!("device");
    document["flag"]["variants"] =
        json!([{"key": "off", "value": {"b": [1, null, "ü"], "a": {"c": 0.30000000000000004}}}]);
    let mut halt = edit(set_rollout("banner", "production", rollout(1000, 1000, Some("bounce"), halted)));
    halt.by = guard;

    let mut history = vec![edit(environment("production", true)), edit(environment("staging", false))];
    for first in &mut history {
        first.by = Actor::System;
    }
    history.extend([
        checkout,
        edit(number),
        edit(document),
        edit(json!({"edit": "flag_described", "flag": "checkout", "name": "Checkout", "description": "Ein Schritt 🛒"})),
        targeted,
        edit(toggle("checkout", "production", false)),
        edit(toggle("checkout", "production", true)),
        edit(reshare("checkout", "production", split(2500, 2500))),
        edit(metric("signup", "signup")),
        edit(metric("bounce", "bounce")),
        edit(sum),
        edit(experiment("one-step", "checkout", "production", "signup")),
        edit(start("one-step")),
        edit(reshare("checkout", "production", split(5000, 5000))),
        edit(ship("one-step", "treatment")),
        edit(flag("banner", &["production"], &variant("control"))),
        edit(set_rollout("banner", "production", rollout(500, 500, Some("bounce"), widening.clone()))),
        edit(reshare("banner", "production", split(1000, 1000))),
        edit(experiment("banner-1", "banner", "production", "revenue")),
        edit(start("banner-1")),
        halt,
        edit(stop("banner-1")),
        edit(set_rollout("banner", "production", rollout(1000, 3000, None, widening))),
        edit(set_rollout("banner", "production", rollout(1000, 3000, None, done))),
        edit(experiment("never", "banner", "production", "revenue")),
        edit(archive("theme", true)),
        edit(archive("theme", false)),
        edit(archive("theme", true)),
    ]);
    history
}

/// What happens in the shop later, when it has segments, layers and holdouts: every edit that came with
/// them.
pub fn later() -> Vec<Proposed> {
    let list = |id: &str, ids: &[&str]| {
        (ListId(id.to_owned()), ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>().into())
    };
    let mut staff = segment("staff", "staff", [Some("l_80"), Some("l_81")]);
    staff["segment"]["description"] = json!("whoever works here");
    let mut staff = edit(staff);
    staff.lists = vec![list("l_80", &["ada"]), list("l_81", &["eve", "mallory"])];
    let mut near = segment("near", "pro", [None, None]);
    near["segment"]["unit"] = json!("account");
    near["segment"]["when"] = json!([
        [{"attribute": "ip", "op": "in_network", "values": ["10.0.0.0/8", "2001:db8::/32"]},
         {"attribute": "email", "op": "matches", "values": ["@example\\.(com|org)$"]}],
        [{"attribute": "joined", "op": "before", "values": ["2026-01-01"]},
         {"attribute": "roles", "op": "set_contains_any", "values": ["admin", "owner"]},
         {"attribute": "app", "op": "version_caret", "values": ["2.1.0"]}]]);
    let mut gated = gated(
        "checkout",
        "production",
        Some(("banner", &["control", "treatment"])),
        Some("staff"),
        &served(split(500, 500)),
    );
    gated["setting"]["rules"][0]["when"] = json!([[{"segment": "staff"}, {"segment": "near", "not": true}], [{"attribute": "plan", "op": "is", "values": ["pro"]}]]);
    let mut born = flag("prices", &["production", "staging"], &variant("off"));
    born["flag"]["team"] = json!("payments");
    born["flag"]["layer"] = json!("first-page");
    born["flag"]["schema"] = json!({"type": "string", "maxLength": 1});
    let mut worded =
        variants("prices", &[("off", "+"), ("control", "c"), ("treatment", "t"), ("third", "z")]);
    worded["variants"][3]["description"] = json!("a third way");
    let mut by = edit(team("checkout", Some("payments")));
    by.by = Actor::Key { id: "k_9d02".to_owned() };
    vec![
        staff,
        edit(near),
        edit(layer("first-page", &[])),
        edit(layered("banner", Some("first-page"))),
        edit(layer("first-page", &[(0, 2_500, "banner")])),
        edit(born),
        edit(layer("first-page", &[(0, 2_500, "banner"), (5_000, 10_000, "prices")])),
        edit(holdout("all-year", 200, everything())),
        edit(holdout("payments", 500, team_flags("payments"))),
        edit(holdout("banners", 1_000, these(&["banner", "checkout"]))),
        by,
        edit(gated),
        edit(schema("prices", Some(json!({"enum": ["-", "+", "c", "t", "z"]})))),
        edit(worded),
        edit(saved("staging", false, "cbor")),
        edit(layered("banner", None)),
        edit(team("checkout", None)),
        edit(schema("prices", None)),
        edit(archived(holdout("banners", 1_000, these(&["banner", "checkout"])))),
        edit(archive("prices", true)),
        edit(archived(layer("first-page", &[(5_000, 10_000, "prices")]))),
    ]
}

pub fn beta(key: &str, flags: &[(&str, &str)], segment: &str) -> Json {
    let flags: serde_json::Map<String, Json> =
        flags.iter().map(|(flag, variant)| ((*flag).to_owned(), json!(variant))).collect();
    json!({"edit": "beta_saved", "beta": {"key": key, "name": key, "flags": flags, "created": START,
        "audience": [[{"segment": segment}], [{"attribute": "beta", "op": "is", "values": ["yes"]}]]}})
}

pub fn switch(beta: &str, environment: &str, on: bool) -> Json {
    json!({"edit": "beta_switched", "beta": beta, "environment": environment, "on": on})
}

pub fn enrolment(flag: &str, environment: &str, limits: Json) -> Json {
    json!({"edit": "enrolment_set", "flag": flag, "environment": environment, "enrolment": limits})
}

/// A scheduled change in production, so long after the beginning, as it waits or with what became of it.
pub fn schedule(key: &str, planned: &Json, after: i64, state: Json) -> Json {
    json!({"edit": "schedule_saved", "schedule": {"key": key, "environment": "production",
        "planned": planned, "at": START.0 + after, "by": {"actor": "person", "id": "p_4f1c"},
        "why": "on Monday", "state": state}})
}

/// By the scheduled change itself.
pub fn by_schedule(mut proposed: Proposed, schedule: &str) -> Proposed {
    proposed.by = Actor::Schedule { schedule: schedule.parse().unwrap() };
    proposed
}

/// By the ramp of a flag.
pub fn by_ramp(mut proposed: Proposed, flag: &str, environment: &str) -> Proposed {
    proposed.by = Actor::Ramp { flag: flag.parse().unwrap(), environment: environment.parse().unwrap() };
    proposed
}

/// The rollout with a ramp of 10%, 50% and everybody that has taken so many steps.
pub fn ramped(mut rollout: Json, taken: u64, pace: Json) -> Json {
    rollout["ramp"] = json!({"taken": taken, "pace": pace, "steps": [
        {"share": 1_000, "hold": 600_000}, {"share": 5_000, "hold": 3_600_000}, {"share": 10_000, "hold": 0}]});
    rollout
}

/// Its next step is due so long after the beginning.
pub fn due(after: i64) -> Json {
    json!({"pace": "due", "at": START.0 + after})
}

/// What happens in the shop last, when flags are ramped, limited, scheduled and shown to beta testers.
pub fn latest() -> Vec<Proposed> {
    let waiting = json!({"state": "waiting"});
    let toggle = json!({"plan": "toggle", "flag": "checkout", "on": false});
    let portions = json!([{"variant": "off", "share": 0}, {"variant": "control", "share": 5_000},
        {"variant": "treatment", "share": 5_000}]);
    let planned = [
        json!({"plan": "reshare", "flag": "checkout", "shares": portions}),
        json!({"plan": "widen", "flag": "banner", "share": 2_500}),
        json!({"plan": "halt", "flag": "banner"}),
        json!({"plan": "finish", "flag": "banner"}),
        json!({"plan": "switch", "beta": "friends", "on": true}),
    ];
    let ramped = |treatment, taken, pace| {
        let widening = rollout(1_000, treatment, None, json!({"state": "widening"}));
        edit(set_rollout("banner", "production", ramped(widening, taken, pace)))
    };
    let mut latest = vec![
        edit(beta("friends", &[("checkout", "treatment"), ("banner", "treatment")], "staff")),
        edit(switch("friends", "production", true)),
        edit(switch("friends", "production", false)),
        edit(beta("friends", &[("checkout", "treatment")], "staff")),
        edit(enrolment("checkout", "production", json!({"share": 5_000, "units": 10_000, "sticky": true}))),
        ramped(1_000, 1, json!({"pace": "paused", "left": 1_000})),
        ramped(1_000, 1, due(57_000)),
        by_ramp(ramped(5_000, 2, due(3_658_000)), "banner", "production"),
        edit(schedule("monday", &toggle, 59_500, waiting.clone())),
        by_schedule(edit(self::toggle("checkout", "production", false)), "monday"),
        edit(schedule("tuesday", &toggle, 10_000_000, waiting.clone())),
        edit(schedule(
            "tuesday",
            &toggle,
            10_000_000,
            json!({"state": "cancelled", "at": START.0 + 1_000_000}),
        )),
    ];
    for (n, planned) in planned.iter().enumerate() {
        latest.push(edit(schedule(&format!("plan-{n}"), planned, 67_500, waiting.clone())));
    }
    let refused = json!({"state": "refused", "at": START.0 + 68_000, "because": "no rollout"});
    latest.push(by_schedule(edit(schedule("plan-1", &planned[1], 67_500, refused)), "plan-1"));
    latest.push(edit(archived(beta("friends", &[("checkout", "treatment")], "staff"))));
    // Resumed after a halt, where its ramp was paused.
    let mut resumed = rollout(1_000, 5_000, None, json!({"state": "widening"}));
    resumed["resumed"] = json!(START.0 + 70_000);
    let paused = json!({"pace": "paused", "left": 3_600_000});
    latest.push(edit(set_rollout("banner", "production", self::ramped(resumed, 2, paused))));
    latest.push(edit(layer("first-page", &[(5_000, 10_000, "prices")])));
    latest.push(edit(allotted("prices", layer("first-page", &[(5_000, 7_000, "prices")]))));
    latest
}

pub fn plan(changes: Json) -> Json {
    json!({"edit": "plan_changed", "changes": changes})
}

/// An event type with one property.
pub fn planned(event: &str, required: bool) -> Json {
    json!({"save": {event: {"description": "it was paid", "owner": "payments", "properties": {
        "total": {"type": "number", "required": required, "description": "in euros"},
        "currency": {"type": "string", "values": ["EUR", "USD"]},
        "email": {"type": "string", "personal": true},
        "items": {"type": "list", "items": "string"}}}}})
}

/// A proposal of the tracking plan.
pub fn proposal(key: &str, base: u64, changes: &Json, state: Json) -> Json {
    json!({"edit": "proposal_saved", "proposal":
        {"key": key, "title": "what is sold", "base": base, "changes": changes, "state": state}})
}

pub fn approve(key: &str) -> Json {
    json!({"edit": "proposal_approved", "proposal": key})
}

pub fn plan_rules(review: bool) -> Json {
    json!({"rules": {"naming": {"events": "title_case", "properties": {"pattern": "[a-z]+"}}, "review": review,
        "environments": {"production": {"invalid": "quarantine", "unplanned_events": "reject"}}}})
}

/// What happens in the shop when its events are planned.
pub fn tracked() -> Vec<Proposed> {
    let open = json!({"state": "open"});
    let mut approved = edit(approve("sold"));
    approved.by = Actor::Key { id: "k_9d02".to_owned() };
    vec![
        edit(plan(planned("Order Completed", false))),
        edit(plan(plan_rules(true))),
        edit(proposal("sold", 75, &planned("Order Completed", true), open.clone())),
        approved,
        edit(proposal("gone", 77, &json!({"remove": ["Order Completed"]}), open)),
        edit(proposal(
            "gone",
            77,
            &json!({"remove": ["Order Completed"]}),
            json!({"state": "closed", "at": START, "because": "because"}),
        )),
    ]
}

/// All that happens in the shop.
pub fn whole() -> Vec<Proposed> {
    [history(), later(), latest(), tracked()].concat()
}
