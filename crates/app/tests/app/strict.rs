//! App tests: a field that nobody knows is refused wherever it stands, with its place.

use std::collections::HashMap;
use std::sync::Mutex;

use bellwether_model::Json;
use serde_json::json;

use crate::house::House;

/// How many inputs of an operation are tried. Those of all other tests are: see [`House::did`].
const TRIED: u32 = 5;

/// Fields that hold whatever their sender likes.
const FREE: [&str; 4] = ["value", "context", "schema", "properties"];

/// Puts an unknown field into each object of an input that an operation takes, one after the other.
pub(crate) fn check_once(house: &House, operation: &str, input: &Json) {
    static SEEN: Mutex<Option<HashMap<String, u32>>> = Mutex::new(None);
    {
        let mut seen = SEEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let count = seen.get_or_insert_default().entry(operation.to_owned()).or_default();
        *count += 1;
        if *count > TRIED {
            return;
        }
    }
    let mut places = Vec::new();
    objects(input, &mut String::new(), &mut places);
    for place in places {
        let mut wrong = input.clone();
        wrong.pointer_mut(&place).unwrap()["zzz"] = json!(1);
        match house.rehearse(operation, wrong) {
            Ok(_) => panic!("{operation} took an unknown field at `{place}` of {input}"),
            Err(e) => {
                assert!(e.message.contains("zzz"), "{operation} at `{place}` of {input}: {}", e.message)
            }
        }
    }
}

fn objects(value: &Json, place: &mut String, into: &mut Vec<String>) {
    let length = place.len();
    match value {
        Json::Object(fields) => {
            into.push(place.clone());
            for (name, value) in fields.iter().filter(|(name, _)| !FREE.contains(&name.as_str())) {
                place.push('/');
                place.push_str(&name.replace('~', "~0").replace('/', "~1"));
                objects(value, place, into);
                place.truncate(length);
            }
        }
        Json::Array(items) => {
            for (at, item) in items.iter().enumerate().take(3) {
                place.push_str(&format!("/{at}"));
                objects(item, place, into);
                place.truncate(length);
            }
        }
        _ => {}
    }
}

/// Each of these would mean the opposite of what it says, if the field were dropped.
#[test]
fn a_field_that_turns_a_rule_around_is_refused() {
    let house = House::new();
    house.split_flag("f", 5_000);
    house.did("segment.save", json!({"segment": "staff", "why": "test"}));
    let targeting = |condition: Json| {
        json!({"flag": "f", "environment": "production", "why": "test",
            "rules": [{"name": "r", "when": [[condition]], "serve": {"serve": "variant", "variant": "on"}}]})
    };
    let clause = |more: &str| {
        let mut clause = json!({"attribute": "team", "op": "is", "values": ["core"]});
        clause[more] = true.into();
        clause
    };
    let all = [
        house.refused("flag.target", targeting(json!({"segment": "staff", "negate": true}))),
        house.refused("flag.target", targeting(json!({"segment": "staff", "nott": true}))),
        house.refused("flag.target", targeting(clause("negate"))),
        house.refused("segment.save", json!({"segment": "staff", "when": [[clause("not")]], "why": "test"})),
        house.refused(
            "holdout.save",
            json!({"holdout": "h", "share": 100, "covers": {"covers": "everything", "except": ["f"]}, "why": "test"}),
        ),
        house.refused(
            "schedule.create",
            json!({"environment": "production", "at": house.now.0 + 60_000, "why": "test",
                "planned": {"plan": "toggle", "flag": "f", "on": true, "off": false}}),
        ),
        house.refused(
            "flag.create",
            json!({"flag": "g", "variants": [{"key": "a", "value": 1, "valu": 2}, {"key": "b", "value": {"any": {"thing": 1}}}]}),
        ),
    ];
    insta::assert_snapshot!(all.join("\n\n"));
}
