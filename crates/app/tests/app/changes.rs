//! App tests: the log of changes: who did what, in a sentence, and what stood before and after it.

use serde_json::{Value as Json, json};

use crate::house::House;
use crate::rollouts::at;

#[test]
fn a_change_is_shown_with_what_stood_before_and_after_it() {
    let house = House::new();
    house.split_flag("f", 1_000);
    let shares = json!([{"variant": "on", "share": 4_000}, {"variant": "off", "share": 6_000}]);
    house.did("flag.reshare", at("f", json!({"shares": shares})));
    let ids = json!([{"variant": "on", "ids": ["ana-1"]}]);
    house.did("flag.target", at("f", json!({"targets": ids})));
    let shown = house.did("change.get", json!({"revision": house.revision()}));
    assert_eq!(shown["sentence"], house.did("change.list", json!({}))["changes"][0]["sentence"]);
    let of = |when: &str, part: &str| shown[when]["settings"]["production"][part].clone();
    // What somebody else had changed before is not told as the work of who came last.
    assert_eq!(of("before", "default"), of("after", "default"));
    assert_eq!(of("before", "targets"), Json::Null);
    assert_eq!(of("after", "targets")[0]["variant"], "on");
    assert_eq!(
        shown["lists"],
        json!([{"list": "targets of `on` in `production`", "before": 0, "after": 1, "came": 1, "went": 0,
            "added": ["ana-1"], "removed": []}])
    );
    // Of a list of ids the change itself has a name that nobody can read.
    let listed = |input: Json| {
        let made = house.did("segment.ids", input);
        house.did("change.get", json!({"revision": made["revision"]}))["lists"].clone()
    };
    house.did("segment.save", json!({"segment": "staff", "why": "test"}));
    let many: Vec<String> = (0..150).map(|n| format!("user-{n:03}")).collect();
    let of = |add: &[String], remove: &[&str]| json!({"segment": "staff", "list": "included", "add": add, "remove": remove, "why": "test"});
    let came = listed(of(&many, &[]));
    assert_eq!((&came[0]["came"], came[0]["added"].as_array().unwrap().len()), (&json!(150), 100));
    assert_eq!(
        listed(of(&["eve".to_owned(), "user-007".to_owned()], &["user-149", "nobody"])),
        json!([{"list": "included", "before": 150, "after": 150, "came": 1, "went": 1,
            "added": ["eve"], "removed": ["user-149"]}])
    );
    let first =
        house.did("change.list", json!({"flag": "f"}))["changes"].as_array().unwrap().last().unwrap().clone();
    let made = house.did("change.get", json!({"revision": first["change"]["revision"]}));
    assert_eq!((&made["before"], &made["after"]["key"]), (&Json::Null, &json!("f")));
    let revision = house.revision();
    for missing in [json!(0), json!(revision + 1), json!(u64::MAX)] {
        let said = house.refused("change.get", json!({"revision": missing}));
        assert_eq!(
            said,
            format!(
                "404 there is no revision `{missing}`\nhint: the newest is `{revision}`: `change.list` shows them"
            )
        );
    }
}

#[test]
fn each_change_is_a_sentence_whose_subject_is_who_made_it() {
    let mut house = House::new();
    house.split_flag("f", 2_500);
    let shares = json!([{"variant": "on", "share": 5_000}, {"variant": "off", "share": 5_000}]);
    house.did("flag.reshare", at("f", json!({"shares": shares})));
    let rollout = json!({"candidate": "on", "control": "off", "share": 500});
    house.did("rollout.start", at("f", rollout));
    house.later(1_000);
    let widened = house.did("rollout.widen", at("f", json!({"share": 2_000})));
    assert_eq!(widened["warnings"], json!([]));
    house.did("rollout.halt", at("f", json!({})));
    house.did("rollout.resume", at("f", json!({})));
    house.did("rollout.finish", at("f", json!({})));
    let changes = house.did("change.list", json!({}));
    let said: Vec<_> =
        changes["changes"].as_array().unwrap().iter().map(|c| c["sentence"].as_str().unwrap()).collect();
    assert_eq!(
        said,
        [
            "finished the rollout of f in production",
            "resumed the rollout of f in production at 20%",
            "halted the rollout of f in production",
            "set the rollout of f in production to on for 20%",
            "started the rollout of f in production: on to 5%",
            "set the shares of f in production to on 50%, off 50%",
            "turned f on in production",
            "changed who gets what of f in production",
            "created flag f with 2 variants",
            "created environment development",
            "created environment production",
        ]
    );
}
