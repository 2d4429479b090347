//! App tests: what an input may look like, and what is said of one that is wrong.

use serde_json::{Value as Json, json};

use crate::house::House;

#[test]
fn what_compares_with_no_number_is_refused_and_with_no_version_warned_of() {
    let house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    let clause = |op: &str, value: &str| json!([[{"attribute": "age", "op": op, "values": [value]}]]);
    let target = |op: &str, value: &str| {
        let rules = json!([{"when": clause(op, value), "serve": {"serve": "variant", "variant": "on"}}]);
        json!({"flag": "f", "environment": "production", "why": "test", "rules": rules})
    };
    let segment = |op: &str, value: &str| json!({"segment": "s", "why": "test", "when": clause(op, value)});
    let beta = |op: &str, value: &str| json!({"beta": "b", "why": "test", "flags": {"f": "on"}, "audience": clause(op, value)});
    type Written<'w> = &'w dyn Fn(&str, &str) -> Json;
    let ways: [(&str, Written<'_>, &str); 3] = [
        ("flag.target", &target, "rules[0].when[0][0]"),
        ("segment.save", &segment, "when[0][0]"),
        ("beta.save", &beta, "audience[0][0]"),
    ];
    for (operation, input, place) in ways {
        for op in ["less", "less_or_equal", "greater", "greater_or_equal"] {
            for value in ["cheap", "18 years", "1,000", "", " "] {
                let said = house.refused(operation, input(op, value));
                let expected = format!(
                    "400 in `{place}.values`: `{value}` is not a number, and `{op}` compares numbers"
                );
                assert_eq!(said.lines().next(), Some(expected.as_str()), "{operation}");
            }
            for value in ["18", "-2.5", "1e3", "0x1f", "(none)"] {
                assert_eq!(
                    house.did(operation, input(op, value))["warnings"],
                    json!([]),
                    "{operation} {op} {value}"
                );
            }
        }
        let warned = house.did(operation, input("version_less", "10"));
        let expected = format!(
            "in `{place}.values`: `10` is no version, and `version_less` compares it as text, where `10.0` comes before `9.0`"
        );
        assert_eq!(warned["warnings"][0]["message"], expected);
        assert_eq!(house.did(operation, input("version_less", "10.0"))["warnings"], json!([]));
    }
    house.did("flag.toggle", json!({"flag": "f", "environment": "production", "on": true, "why": "test"}));
}

#[test]
fn patterns_are_few_and_a_stored_flag_can_be_turned_off_whatever_it_has() {
    let house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    let patterns = |from: u32, to: u32| {
        let values: Vec<String> = (from..to).map(|n| format!("[^a]{{80}}{n}")).collect();
        json!({"attribute": "mail", "op": "matches", "values": values})
    };
    let rules = |most: u32| {
        // In two clauses: it is their sum that counts.
        json!([{"when": [[patterns(0, 60)], [patterns(60, most)]], "serve": {"serve": "variant", "variant": "on"}}])
    };
    let target =
        |most: u32| json!({"flag": "f", "environment": "production", "why": "test", "rules": rules(most)});
    house.did("flag.target", target(100));
    let said = house.refused("flag.target", target(101));
    assert_eq!(
        said.lines().next(),
        Some(
            "400 in `rules[0].when[1][0].values`: there are `101` patterns so far, and at most 100 are compiled"
        )
    );
    let segment = json!({"segment": "s", "why": "test", "when": [[patterns(0, 101)]]});
    assert!(
        house
            .refused("segment.save", segment)
            .starts_with("400 in `when[0][0].values`: there are `101` patterns")
    );
    let beta = json!({"beta": "b", "why": "test", "flags": {"f": "on"}, "audience": [[patterns(0, 101)]]});
    assert!(
        house
            .refused("beta.save", beta)
            .starts_with("400 in `audience[0][0].values`: there are `101` patterns")
    );
    house.did("flag.toggle", json!({"flag": "f", "environment": "production", "on": true, "why": "test"}));
}

#[test]
fn what_does_not_belong_is_said_in_words_of_json() {
    let house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    let said: Vec<String> = [
        ("flag.toggle", json!({"flag": "f", "environment": "production"})),
        ("flag.toggle", json!({"flag": "f", "environment": "production", "on": "yes"})),
        ("flag.toggle", json!({"flag": "f", "environment": 7, "on": true})),
        ("flag.toggle", json!({"flag": "f", "environment": "production", "on": null})),
        ("flag.toggle", json!({"flag": "f", "environment": "production", "onn": true})),
        ("flag.reshare", json!({"flag": "f", "environment": "production", "shares": {}})),
        ("flag.reshare", json!({"flag": "f", "environment": "production", "shares": [{"variant": "on", "share": 70_000}]})),
        ("flag.reshare", json!({"flag": "f", "environment": "production", "shares": [{"variant": "on", "share": 0.5}]})),
        ("flag.reshare", json!({"flag": "f", "environment": "production", "shares": ["on"]})),
        ("flag.target", json!({"flag": "f", "environment": "production", "rules": [{"when": [[{"attribute": "a", "op": "iss", "values": []}]]}]})),
        ("flag.target", json!({"flag": "f", "environment": "production", "rules": [{"when": [["a"]]}]})),
        ("flag.target", json!({"flag": "f", "environment": "production", "default": {"serve": "nothing"}})),
        ("flag.target", json!({"flag": "f", "environment": "production", "default": "on"})),
        ("flag.target", json!({"flag": "f", "environment": "production", "default": {"variant": "on"}})),
        ("flag.target", json!({"flag": "f", "environment": "production", "if_revision": -1})),
        ("flag.enrolment", json!({"flag": "f", "environment": "production", "units": 0})),
        ("flag.create", json!({"flag": "g", "kind": "colour"})),
        ("flag.create", json!({"flag": "Not a key"})),
        ("metric.save", json!({"metric": "m", "event": "e", "measure": {"measure": "median"}})),
        ("metric.save", json!({"metric": "m", "event": "e", "measure": "count"})),
        ("schedule.create", json!({"environment": "production", "planned": {"plan": "halt", "flag": "f"}, "at": "tomorrow"})),
        ("schedule.create", json!({"environment": "production", "planned": {"plan": "halt", "flag": "f"}, "at": true})),
        ("schedule.create", json!({"environment": "production", "planned": {"plan": "halt", "flag": "f"}, "at": 1_795_000_000})),
        ("holdout.save", json!({"holdout": "h", "share": "5%", "covers": {"covers": "everything"}})),
        ("holdout.save", json!({"holdout": "h", "share": 0.05, "covers": {"covers": "everything"}})),
        ("holdout.save", json!({"holdout": "h", "share": "much", "covers": {"covers": "everything"}})),
        ("rollout.start", json!({"flag": "f", "environment": "production", "candidate": "on", "control": "off", "steps": [{"share": 1, "hold": "soon"}]})),
    ]
    .into_iter()
    .map(|(operation, input)| format!("{operation} {}", house.refused(operation, input)))
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_time_is_written_as_a_number_or_as_text() {
    let house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    let plan = |at: Json| {
        json!({"environment": "production", "why": "test", "at": at,
            "planned": {"plan": "toggle", "flag": "f", "on": true}})
    };
    let day = jiff::Timestamp::from_millisecond(house.ctx().now.0 + 86_400_000).unwrap();
    let text = day.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let millis = text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    for at in [json!(text), json!(millis), json!(millis.to_string())] {
        assert_eq!(house.did("schedule.create", plan(at))["schedule"]["at"], millis);
    }
}

#[test]
fn a_share_may_be_typed_in_percent() {
    let widen = bellwether_app::find("rollout.widen").unwrap();
    let typed = |share: &str| {
        bellwether_app::from_text(widen, &[("share".to_owned(), share.to_owned())], None)
            .map(|input| input["share"].clone())
            .map_err(|refused| format!("{}\nhint: {}", refused.message, refused.hint))
    };
    for (text, points) in [("5%", 500), ("0.25 %", 25), ("100%", 10_000), ("500", 500)] {
        assert_eq!(typed(text), Ok(json!(points)), "{text}");
    }
    for (text, said) in [
        ("101%", "`101%` is not a share\nhint: a share lies between 0% and 100% with at most two decimals"),
        (
            "0.001%",
            "`0.001%` is not a share\nhint: a share lies between 0% and 100% with at most two decimals",
        ),
        (
            "five%",
            "in `share`: `five%` is not a share\nhint: write one such as `5%`, or in basis points such as `500`",
        ),
        ("NaN%", "`NaN%` is not a share\nhint: a share lies between 0% and 100% with at most two decimals"),
    ] {
        assert_eq!(typed(text), Err(said.to_owned()), "{text}");
    }
}

#[test]
fn a_page_of_none_or_of_too_many_is_refused() {
    let house = House::new();
    house.did("flag.create", json!({"flag": "f"}));
    let ids = json!({"segment": "s", "list": "included", "ids": "a", "why": "test"});
    house.did("segment.save", json!({"segment": "s", "why": "test", "when": []}));
    house.did("segment.upload", ids);
    let pages = [
        ("change.list", json!({}), 500),
        ("event.recent", json!({"environment": "production"}), 500),
        ("quarantine.list", json!({"environment": "production"}), 500),
        ("person.export", json!({"environment": "production", "user": "ada"}), 5_000),
        ("segment.members", json!({"segment": "s", "list": "included"}), 10_000),
        ("flag.preview", json!({"flag": "f", "environment": "production"}), 1_000),
    ];
    for (operation, input, most) in pages {
        let with = |limit: u32| {
            let mut input = input.clone();
            input["limit"] = limit.into();
            input
        };
        for limit in [1, most] {
            house.did(operation, with(limit));
        }
        for limit in [0, most + 1, u32::MAX] {
            let said = house.refused(operation, with(limit));
            assert!(
                said.starts_with(&format!(
                    "400 the limit `{limit}` is out of its bounds\nhint: leave it out for "
                )),
                "{said}"
            );
        }
    }
}

#[test]
fn a_day_that_is_none_is_named() {
    let house = House::new();
    for day in ["1764288000000", "yesterday", "2026-02-30", ""] {
        let input = json!({"environment": "production", "event": "a", "from": day, "to": "2026-09-21"});
        let said = house.refused("query.segmentation", input);
        assert!(
            said.starts_with("400 ") && said.contains(&format!("`{day}` is no day, such as `2026-11-28`")),
            "{said}"
        );
    }
}
