//! Cli: tables as people read them, held against whole outputs.

#![allow(clippy::unwrap_used)]
use super::*;
use serde_json::json;

fn shown(operation: &str, answer: Value, width: usize) -> String {
    table(bellwether_app::find(operation).unwrap(), &answer, width).unwrap()
}

#[test]
fn a_list_is_a_table_of_what_its_schema_says() {
    let key = |id: &str, name: &str, scope: &str, environment: Value, rate: Value, revoked: Value| {
        json!({"id": id, "name": name, "scope": scope, "environment": environment, "events_per_second": rate,
            "created": 1_795_372_405_991_i64, "revoked": revoked})
    };
    let keys = json!({"keys": [
        key("DFG1", "shop", "client", json!("production"), json!(250), Value::Null),
        key("Zz6o", "ops", "admin", Value::Null, Value::Null, json!(1_795_372_463_985_i64)),
    ]});
    insta::assert_snapshot!(shown("key.list", keys, 100), @"
    id    name  scope   environment  events per second  revoked (UTC)     created (UTC)
    DFG1  shop  client  production                 250                    2026-11-22 18:33
    Zz6o  ops   admin                                   2026-11-22 18:34  2026-11-22 18:33
    ");

    let events = json!({"seq": 968_437, "events": [
        {"event": "visit", "count": 1_192_596, "first": 0, "last": 1_795_372_401_199_i64},
        {"event": "signup", "count": 12, "first": 1_787_596_415_760_i64, "last": 1_795_372_401_199_i64},
    ]});
    insta::assert_snapshot!(shown("event.catalogue", events, 100), @"
    event       count  first (UTC)       last (UTC)
    visit   1,192,596  1970-01-01 00:00  2026-11-22 18:33
    signup         12  2026-08-24 18:33  2026-11-22 18:33

    seq 968437
    ");

    let segments = json!({"segments": [{
        "segment": {"key": "staff", "name": "Staff", "unit": "user", "included": "lTk3cIPCxlioPjae", "when": [[]]},
        "included": {"count": 1_000_000, "first": []}, "excluded": {"count": 0, "first": []}, "used_by": [],
        "changed": 1_795_372_405_991_i64, "changed_by": {"kind": "person", "name": "Ada"}, "revision": 6,
    }]});
    insta::assert_snapshot!(shown("segment.list", segments, 100), @"
    key    name   excluded   included  changed (UTC)     changed by  revision
    staff  Staff         0  1,000,000  2026-11-22 18:33  Ada                6
    ");
}

#[test]
fn what_is_nested_is_a_column_and_what_repeats_is_left_out() {
    let change = json!({
        "about": {"subject": "flag", "key": "checkout"},
        "by": {"kind": "person", "name": "Ana"},
        "change": {"at": 1_795_372_405_991_i64, "by": {"actor": "person", "id": "OzE3"}, "revision": 43,
            "edit": {"edit": "flag_toggled", "flag": "checkout"}, "why": "the \u{1b}[31mrelease"},
        "sentence": "switched checkout on in production",
    });
    insta::assert_snapshot!(shown("change.list", json!({"changes": [change], "next": 43}), 140), @"
    at (UTC)          key       by   sentence                            why               revision
    2026-11-22 18:33  checkout  Ana  switched checkout on in production  the  [31mrelease        43

    next 43
    ");
}

#[test]
fn an_event_is_a_line_with_its_time_who_it_is_of_and_its_properties() {
    let event = |event: &str, who: Value, properties: Value| {
        json!({"event": event, "environment": "production", "time": 1_795_369_147_909_i64, "insert_id": "cc40",
            "received": 1_795_369_147_910_i64, "who": who, "properties": properties, "session": 5,
            "groups": {"company": ["acme"]}, "group_properties": {"company": {"acme": {"plan": "pro"}}},
            "user_properties": {"set": {"plan": "guest"}}, "source": {"library": "x", "n": 1}})
    };
    let long = "8f14e45f-ceea-467f-a8d2-1f0c1b2d3e4f";
    let list = json!({"events": [
        event("add_to_cart", json!({"both": {"device": "d-9f90", "user": "u-ac6d"}}), json!({"category": "bags", "price": 12.86, "gift": true})),
        event("Order Completed", json!({"device": long}), json!({"$verdict": "invalid", "total": "9.5",
            "coupon": null, "lines": [{"sku": 1}], "note": "a text that is longer than a glance", "\u{1b}[31m": "x"})),
        event("visit", json!({"user": "u-1"}), json!({})),
    ]});
    insta::assert_snapshot!(shown("event.recent", list.clone(), 200), @r#"
    time (UTC)        event            who                   verdict  properties
    2026-11-22 17:39  add_to_cart      u-ac6d                         category=bags gift=true price=12.86
    2026-11-22 17:39  Order Completed  8f14e45f-ceea-467f-…  invalid   [31m=x coupon=null lines=[{"sku":1}] note="a text that is longer t…" total=9.5
    2026-11-22 17:39  visit            u-1
    "#);
    for width in [80, 100, 120] {
        let text = shown("event.recent", list.clone(), width);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
        assert!(text.contains("invalid") && text.contains("category=b"), "{width}:\n{text}");
    }
    // Without a mark there is no column for it, and what is in them has its room.
    let plain = json!({"events": [list["events"][0]]});
    insta::assert_snapshot!(shown("event.recent", plain, 80), @"
    time (UTC)        event        who     properties
    2026-11-22 17:39  add_to_cart  u-ac6d  category=bags gift=true price=12.86
    ");
}

#[test]
fn what_is_kept_apart_is_a_line_for_each_event_with_whom_and_why() {
    let held = |id: i64, who: Value, why: Value| {
        json!({"id": id, "at": 1_795_372_405_991_i64, "why": why, "event": {"event": "Order Completed", "who": who,
            "environment": "production", "time": 1_795_369_147_909_i64, "received": 1_795_372_405_991_i64,
            "insert_id": "a", "properties": {"total": "9.5", "lines": [{"sku": 1}]}, "user_properties": {"library": "x"}}})
    };
    let required = "property `total` is required";
    let wrong = "property `total` is `number`, and this is `string`";
    let long = "8f14e45f-ceea-467f-a8d2-1f0c1b2d3e4f";
    let kinds =
        json!([{"event": "Order Completed", "count": 1_203, "first": 0, "last": 1_795_372_405_991_i64}]);
    let list = json!({"types": kinds, "next": 1_203, "events": [
        held(9, json!({"user": "u-1"}), json!([required])),
        held(1_203, json!({"both": {"device": "d-1", "user": long}}), json!([required, wrong])),
        held(1_204, json!({"device": long}), json!([wrong])),
    ]});
    insta::assert_snapshot!(shown("quarantine.list", list.clone(), 200), @"
    types:
    event            count  first (UTC)       last (UTC)
    Order Completed  1,203  1970-01-01 00:00  2026-11-22 18:33

    events:
    at (UTC)            id  event            who                   why
    2026-11-22 18:33     9  Order Completed  u-1                   property `total` is required
    2026-11-22 18:33  1203  Order Completed  8f14e45f-ceea-467f-…  property `total` is required; property `total` is `number`, and this is `string`
    2026-11-22 18:33  1204  Order Completed  8f14e45f-ceea-467f-…  property `total` is `number`, and this is `string`

    next 1203
    ");
    for width in [60, 80, 100] {
        let text = shown("quarantine.list", list.clone(), width);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
    }
    let none = json!({"types": [], "events": [], "next": null});
    assert_eq!(shown("quarantine.list", none, 100), "no types yet\n\nno events yet");
}

#[test]
fn a_violation_says_which_sdk_sent_it() {
    let violation = |property: Value, message: &str, example: Value, source: &str| {
        json!({"event": "Order Completed", "property": property, "reason": "wrong_type", "wanted": "number", "got": "string",
            "message": message, "hint": null, "count": 12, "accepted": 0, "quarantined": 12, "rejected": 0,
            "first": 1_795_372_405_991_i64, "last": 1_795_372_405_991_i64, "example": example, "source": source})
    };
    let list = json!({"since": 1_795_372_405_991_i64, "forgotten": 0, "violations": [
        violation(json!("total"), "property `total` is `number`, and this is `string`", json!("\"9.5\""), "amplitude-node-ts/1.5.73"),
        violation(json!(null), "the event type is not in the tracking plan", json!(null), "segment"),
    ]});
    insta::assert_snapshot!(shown("plan.violations", list.clone(), 140), @r#"
    event            message                           count  quarantined  source                    example  first (UTC)       last (UTC)
    Order Completed  property `total` is `number`, a…     12           12  amplitude-node-ts/1.5.73  "9.5"    2026-11-22 18:33  2026-11-22 18:33
    Order Completed  the event type is not in the tr…     12           12  segment                            2026-11-22 18:33  2026-11-22 18:33

    forgotten 0, since 2026-11-22 18:33 UTC
    "#);
    for width in [80, 100] {
        let text = shown("plan.violations", list.clone(), width);
        assert!(text.contains("amplitude-node") && text.contains("quarantined"), "{width}:\n{text}");
    }
    // What was done with them is said of each way in which something was.
    let mut mixed = list;
    mixed["violations"][1]["quarantined"] = json!(0);
    mixed["violations"][1]["rejected"] = json!(7);
    mixed["violations"][1]["accepted"] = json!(5);
    let text = shown("plan.violations", mixed, 100);
    let said: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(said[0], ["event", "message", "count", "accepted", "quarantined", "rejected", "source"]);
    let counts = |line: &[&str]| line.iter().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>();
    assert_eq!((counts(&said[1]), counts(&said[2])), (vec![12, 0, 12, 0], vec![12, 5, 0, 7]), "{text}");
}

#[test]
fn nothing_yet_is_said_and_one_thing_is_no_table() {
    assert_eq!(shown("flag.list", json!({"flags": [], "revision": 2}), 100), "no flags yet");
    let flag = bellwether_app::find("flag.get").unwrap();
    assert!(table(flag, &json!({"flag": {}, "states": {}}), 100).is_none());
    let guard = bellwether_app::find("guard.status").unwrap();
    assert!(table(guard, &json!({"rollout": {}, "verdict": {}, "warnings": []}), 100).is_none());
}

#[test]
fn a_narrow_terminal_cuts_cells_and_then_columns() {
    let cells = |n: usize| {
        vec![("key".to_owned(), Cell::text("k".repeat(n))), ("why".to_owned(), Cell::text("w".repeat(n)))]
    };
    for width in [30, 60, 100] {
        let mut again = Table::default();
        again.row(cells(5));
        again.row(cells(80));
        let text = again.text(width);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
        assert_eq!(text.contains("why"), width > 30, "{text}");
    }
}

#[test]
fn a_list_of_flags_fits_and_says_their_states_whole() {
    let flag = |key: &str, state: &str| {
        json!({"flag": {"key": key, "name": "New checkout", "kind": "boolean", "created": 0}, "revision": 6,
            "states": {"development": "off: everybody gets `control`", "production": state},
            "changed": 1_795_379_159_670_i64, "changed_by": {"kind": "key", "name": "cli"}})
    };
    let flags = json!({"revision": 6, "flags": [
        flag("checkout", "on: 50% get `control`, 50% get `treatment`"),
        flag("new-checkout", "off: everybody gets `off`"),
    ]});
    insta::assert_snapshot!(shown("flag.list", flags.clone(), 100), @"
    key           development                    production
    checkout      off: everybody gets `control`  on: 50% get `control`, 50% get `treatment`
    new-checkout  off: everybody gets `control`  off: everybody gets `off`

    revision 6
    ");
    for width in [60, 80, 100, 125, 160] {
        let text = shown("flag.list", flags.clone(), width);
        assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
    }
}

#[test]
fn scheduled_changes_are_what_is_planned_when_and_by_whom() {
    let schedule = |key: &str, planned: Value, state: Value, sentence: &str| {
        json!({"schedule": {"key": key, "environment": "production", "planned": planned, "at": 1_795_372_405_991_i64,
            "by": {"actor": "person", "id": "OzE3"}, "why": "launch day", "state": state},
            "sentence": sentence, "planned_by": {"kind": "person", "name": "Ana"}, "revision": 43})
    };
    let schedules = json!({"schedules": [
        schedule("UnYvxlFj20vv", json!({"plan": "toggle", "flag": "checkout", "on": true}),
            json!({"state": "waiting"}), "turn checkout on"),
        schedule("aBYrSUkymXov", json!({"plan": "halt", "flag": "banner"}),
            json!({"state": "refused", "at": 1_795_372_406_000_i64, "because": "flag `banner` has no rollout here"}),
            "halt the rollout of banner"),
        schedule("rmtXomVgyRpZ", json!({"plan": "switch", "beta": "friends", "on": false}),
            json!({"state": "done", "at": 1_795_372_406_000_i64, "revision": 44}), "turn beta friends off"),
    ]});
    insta::assert_snapshot!(shown("schedule.list", schedules.clone(), 200), @r"
    at (UTC)          key           sentence                    environment  state                                       planned by  why         revision
    2026-11-22 18:33  UnYvxlFj20vv  turn checkout on            production   waiting                                     Ana         launch day        43
    2026-11-22 18:33  aBYrSUkymXov  halt the rollout of banner  production   refused: flag `banner` has no rollout here  Ana         launch day        43
    2026-11-22 18:33  rmtXomVgyRpZ  turn beta friends off       production   done                                        Ana         launch day        43
    ");
    insta::assert_snapshot!(shown("schedule.list", schedules, 100), @r"
    at (UTC)          key           sentence                    environment  state
    2026-11-22 18:33  UnYvxlFj20vv  turn checkout on            production   waiting
    2026-11-22 18:33  aBYrSUkymXov  halt the rollout of banner  production   refused: flag `banner` has…
    2026-11-22 18:33  rmtXomVgyRpZ  turn beta friends off       production   done
    ");
}

#[test]
fn thousands_are_set_apart() {
    for (number, text) in
        [(0, "0"), (999, "999"), (1_000, "1,000"), (44_700, "44,700"), (1_234_567, "1,234,567")]
    {
        assert_eq!(thousands(number), text);
    }
}
