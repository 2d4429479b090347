//! Model: what is known of a user or a group, and how events change it. Properties are not retroactive: an
//! event keeps what was known when it came.
//!
//! Changes are an object of operations, in Amplitude's words, which say most:
//!
//! | operation | value | effect |
//! |---|---|---|
//! | `$clearAll` | anything | removes all properties |
//! | `$unset` | an object whose names count | removes these |
//! | `$set` | an object | sets |
//! | `$setOnce` | an object | sets what is not there yet |
//! | `$add` | an object of numbers | adds; what is missing, or is no number, is 0 |
//! | `$append`, `$prepend` | an object | adds to the end or the start of a list |
//! | `$postInsert`, `$preInsert` | an object | the same without what is in the list already |
//! | `$remove` | an object | removes all that are equal from a list |
//!
//! Where an event brings several, they are done in the order of this table.

use serde_json::map::Entry;

use crate::Json;
use crate::event::Properties;
use crate::id::Invalid;

/// Properties that are kept of one user or group; what is new past them is not taken.
pub const MOST_PROPERTIES: usize = 1_000;
/// Values that a list grows to; what is new past them is not taken.
pub const MOST_VALUES: usize = 1_000;

/// The operations, in the order in which they are done.
pub const OPERATIONS: [&str; 10] = [
    "$clearAll",
    "$unset",
    "$set",
    "$setOnce",
    "$add",
    "$append",
    "$prepend",
    "$postInsert",
    "$preInsert",
    "$remove",
];

/// Changes as a sender wrote them, checked: operations, or plain names, which are set.
///
/// ```
/// use bellwether_model::profile;
/// use serde_json::json;
/// let plain = json!({"plan": "pro"}).as_object().unwrap().clone();
/// assert_eq!(serde_json::Value::from(profile::changes(plain).unwrap()), json!({"$set": {"plan": "pro"}}));
/// let mixed = json!({"plan": "pro", "$add": {"n": 1}}).as_object().unwrap().clone();
/// assert!(profile::changes(mixed).is_err());
/// ```
///
/// # Errors
/// When operations and plain names are mixed, or an operation has a value that it cannot be done with.
pub fn changes(sent: Properties) -> Result<Properties, Invalid> {
    let operations = sent.keys().filter(|name| OPERATIONS.contains(&name.as_str())).count();
    if operations == 0 {
        let mut changes = Properties::new();
        if !sent.is_empty() {
            changes.insert("$set".into(), sent.into());
        }
        return Ok(changes);
    }
    if operations < sent.len() {
        return Err(Invalid::new(
            "operations and plain properties are mixed",
            "send operations such as `$set` only, or plain properties only",
        ));
    }
    for (operation, value) in &sent {
        let Json::Object(values) = value else {
            if operation == "$clearAll" {
                continue;
            }
            return Err(Invalid::new(
                format!("`{operation}` has no object"),
                "send an object of properties with it",
            ));
        };
        if operation == "$add"
            && let Some((name, _)) = values.iter().find(|(_, by)| !by.is_number())
        {
            return Err(Invalid::new(format!("`$add` of `{name}` is no number"), "add numbers only"));
        }
    }
    Ok(sent)
}

/// Applies changes that [`changes`] gave. What is unknown among them does nothing.
///
/// ```
/// use bellwether_model::profile;
/// use serde_json::json;
/// let mut known = json!({"seats": 2, "tags": ["a"]}).as_object().unwrap().clone();
/// let changes = json!({"$add": {"seats": 3}, "$postInsert": {"tags": ["a", "b"]}}).as_object().unwrap().clone();
/// profile::apply(&mut known, &changes);
/// assert_eq!(serde_json::Value::from(known), json!({"seats": 5, "tags": ["a", "b"]}));
/// ```
pub fn apply(known: &mut Properties, changes: &Properties) {
    for operation in OPERATIONS {
        let Some(value) = changes.get(operation) else { continue };
        if operation == "$clearAll" {
            known.clear();
            continue;
        }
        for (name, value) in value.as_object().into_iter().flatten() {
            let room = known.len() < MOST_PROPERTIES || known.contains_key(name);
            match operation {
                "$unset" => drop(known.remove(name)),
                "$remove" => {
                    if let Some(list) = known.get_mut(name) {
                        remove(list, value);
                    }
                }
                _ if !room => {}
                "$set" => set(known, name, value),
                "$setOnce" if !known.contains_key(name) => set(known, name, value),
                "$setOnce" => {}
                "$add" => add(known, name, value),
                "$append" => list(known, name, value, true, false),
                "$prepend" => list(known, name, value, false, false),
                "$postInsert" => list(known, name, value, true, true),
                "$preInsert" => list(known, name, value, false, true),
                _ => {}
            }
        }
    }
}

/// Null is what is not known, so setting it is forgetting.
fn set(known: &mut Properties, name: &str, value: &Json) {
    if value.is_null() {
        known.remove(name);
    } else {
        known.insert(name.to_owned(), value.clone());
    }
}

fn add(known: &mut Properties, name: &str, by: &Json) {
    let sum = match known.get(name) {
        Some(was) => match (was.as_i64(), by.as_i64()) {
            (Some(was), Some(by)) => was.checked_add(by).map(Json::from),
            _ => Some(was.as_f64().unwrap_or(0.0) + by.as_f64().unwrap_or(0.0))
                .filter(|sum| sum.is_finite())
                .map(Json::from),
        },
        None => Some(by.clone()),
    };
    // A sum that no number holds leaves what there is.
    if let Some(sum) = sum {
        known.insert(name.to_owned(), sum);
    }
}

/// One value, or each of a list.
fn each(value: &Json) -> &[Json] {
    match value {
        Json::Array(values) => values,
        one => std::slice::from_ref(one),
    }
}

fn list(known: &mut Properties, name: &str, value: &Json, end: bool, once: bool) {
    let slot = match known.entry(name) {
        Entry::Vacant(vacant) => vacant.insert(Json::Array(Vec::new())),
        Entry::Occupied(occupied) => occupied.into_mut(),
    };
    let mut values = match std::mem::take(slot) {
        Json::Array(values) => values,
        one => vec![one],
    };
    let mut new: Vec<Json> = Vec::new();
    for value in each(value).iter().filter(|v| !v.is_null()) {
        if !(once && (values.contains(value) || new.contains(value))) {
            new.push(value.clone());
        }
    }
    new.truncate(MOST_VALUES.saturating_sub(values.len()));
    let at = if end { values.len() } else { 0 };
    values.splice(at..at, new);
    *slot = Json::Array(values);
}

fn remove(from: &mut Json, value: &Json) {
    let gone = each(value);
    match from {
        Json::Array(values) => values.retain(|v| !gone.contains(v)),
        one if gone.contains(one) => *one = Json::Array(Vec::new()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn after(steps: &[Json]) -> Json {
        let mut known = Properties::new();
        for step in steps {
            apply(&mut known, &changes(step.as_object().unwrap().clone()).unwrap());
        }
        known.into()
    }

    #[test]
    fn each_operation_does_what_the_table_says() {
        let check = |steps: &[Json], expected: Json| assert_eq!(after(steps), expected, "{steps:?}");
        let two = json!({"$set": {"a": 1, "b": 2}});
        check(&[two.clone(), json!({"$clearAll": "-"}), json!({"$set": {"c": 3}})], json!({"c": 3}));
        check(&[two.clone(), json!({"$unset": {"a": "-"}})], json!({"b": 2}));
        check(&[two.clone(), json!({"a": 7})], json!({"a": 7, "b": 2}));
        check(&[two.clone(), json!({"$set": {"a": null}})], json!({"b": 2}));
        check(&[two, json!({"$setOnce": {"a": 7, "c": 8}})], json!({"a": 1, "b": 2, "c": 8}));
        check(&[json!({"$add": {"n": 2}}), json!({"$add": {"n": 3}})], json!({"n": 5}));
        check(&[json!({"$add": {"n": 2}}), json!({"$add": {"n": 0.5}})], json!({"n": 2.5}));
        check(&[json!({"$set": {"n": "x"}}), json!({"$add": {"n": 1.5}})], json!({"n": 1.5}));
        check(&[json!({"$set": {"n": i64::MAX}}), json!({"$add": {"n": 1}})], json!({"n": i64::MAX}));
        check(&[json!({"$set": {"n": f64::MAX}}), json!({"$add": {"n": f64::MAX}})], json!({"n": f64::MAX}));
        let list = json!({"$append": {"l": ["a", "b"]}});
        check(&[list.clone(), json!({"$append": {"l": "a"}})], json!({"l": ["a", "b", "a"]}));
        check(&[list.clone(), json!({"$prepend": {"l": ["c", "d"]}})], json!({"l": ["c", "d", "a", "b"]}));
        check(&[list.clone(), json!({"$postInsert": {"l": ["b", "c", "c"]}})], json!({"l": ["a", "b", "c"]}));
        check(
            &[list.clone(), json!({"$preInsert": {"l": ["c", "a", "d"]}})],
            json!({"l": ["c", "d", "a", "b"]}),
        );
        check(&[json!({"l": "a"}), json!({"$append": {"l": "b"}})], json!({"l": ["a", "b"]}));
        check(
            &[json!({"$append": {"l": ["a", "b", "a"]}}), json!({"$remove": {"l": "a"}})],
            json!({"l": ["b"]}),
        );
        check(&[list, json!({"$remove": {"l": ["a", "b"], "m": 1}})], json!({"l": []}));
        // Several at once go in the order of the table.
        check(
            &[json!({"a": 1}), json!({"$add": {"a": 2}, "$set": {"a": 5}, "$clearAll": "-"})],
            json!({"a": 7}),
        );
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let check = |sent: Json, message: &str| {
            let refused = changes(sent.as_object().unwrap().clone()).unwrap_err();
            assert_eq!(refused.message, message);
        };
        check(json!({"$set": {"a": 1}, "b": 2}), "operations and plain properties are mixed");
        check(json!({"$append": 7}), "`$append` has no object");
        check(json!({"$add": {"n": "1"}}), "`$add` of `n` is no number");
        // A name that only looks like an operation is a name.
        assert_eq!(after(&[json!({"$email": "x"})]), json!({"$email": "x"}));
    }

    #[test]
    fn nothing_grows_without_end() {
        let mut known = Properties::new();
        for i in 0..MOST_PROPERTIES + 5 {
            apply(&mut known, json!({"$set": {format!("p{i}"): 1}}).as_object().unwrap());
        }
        assert_eq!(known.len(), MOST_PROPERTIES);
        // What is there can still be changed.
        apply(&mut known, json!({"$set": {"p0": 2}}).as_object().unwrap());
        assert_eq!(known["p0"], 2);
        let mut known = Properties::new();
        for _ in 0..MOST_VALUES + 5 {
            apply(&mut known, json!({"$append": {"l": 1}}).as_object().unwrap());
        }
        assert_eq!(known["l"].as_array().unwrap().len(), MOST_VALUES);
        // Of what is too much at once the first are taken.
        for (operation, ends) in [("$append", [0, 999]), ("$prepend", [1_000, 599])] {
            let list = |of: std::ops::Range<usize>| Json::from(of.collect::<Vec<_>>());
            let mut known = json!({"l": list(0..600)}).as_object().unwrap().clone();
            let begin = if operation == "$append" { 600 } else { 1_000 };
            apply(&mut known, json!({operation: {"l": list(begin..begin + 600)}}).as_object().unwrap());
            let grown = known["l"].as_array().unwrap();
            assert_eq!(
                (grown.len(), [&grown[0], &grown[999]]),
                (MOST_VALUES, [&json!(ends[0]), &json!(ends[1])])
            );
        }
        // What was set is longer, and stays.
        let mut known = json!({"l": vec![1; 1_200]}).as_object().unwrap().clone();
        apply(&mut known, json!({"$append": {"l": [2, 3]}}).as_object().unwrap());
        assert_eq!(known["l"], json!(vec![1; 1_200]));
    }

    fn any_changes() -> impl Strategy<Value = Json> {
        let value = prop_oneof![
            Just(Json::Null),
            (-3..3_i64).prop_map(Json::from),
            "[ab]".prop_map(Json::from),
            proptest::collection::vec("[ab]", 0..3).prop_map(|v| json!(v)),
        ];
        let object = proptest::collection::hash_map("[xyz]", value, 0..3).prop_map(|m| json!(m));
        proptest::collection::hash_map(
            (0..OPERATIONS.len()).prop_map(|i| OPERATIONS[i].to_owned()),
            object,
            1..4,
        )
        .prop_map(|m| json!(m))
    }

    proptest! {
        #[test]
        fn changing_twice_what_is_no_sum_or_list_is_changing_it_once(
            steps in proptest::collection::vec(any_changes(), 0..6), last in any_changes()
        ) {
            let read = |sent: &Json| changes(sent.as_object().unwrap().clone());
            let mut known = Properties::new();
            for changes in steps.iter().filter_map(|s| read(s).ok()) {
                apply(&mut known, &changes);
            }
            prop_assert!(known.values().all(|v| !v.is_null()), "null is what is not known: {known:?}");
            let mut last = last;
            for more in ["$add", "$append", "$prepend"] {
                last.as_object_mut().unwrap().remove(more);
            }
            if let Ok(changes) = read(&last) {
                apply(&mut known, &changes);
                let once = known.clone();
                // Removing what an insertion brings is the one order that matters.
                if !(changes.contains_key("$remove") || changes.contains_key("$preInsert")) {
                    apply(&mut known, &changes);
                    prop_assert_eq!(known, once);
                }
            }
        }
    }
}
