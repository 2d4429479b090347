//! Flags, tests: Amplitude's evaluation, written down literally from section 5.4 and 5.5 of the
//! protocol notes over the JSON of the flags. It shares no code with the room that it checks.
#![allow(dead_code)]

use serde_json::{Map, Value, json};

/// What the SDK answers for one user: the flags are given in an order in which none comes before those
/// that it depends on.
pub(crate) fn evaluate_all(flags: &[Value], user: &Value) -> Map<String, Value> {
    let mut target = json!({"context": {"user": user}, "result": {}});
    let mut left: Vec<&Value> = flags.iter().collect();
    while !left.is_empty() {
        let keys: Vec<&Value> = left.iter().map(|f| &f["key"]).collect();
        let waits = |flag: &&Value| {
            flag["dependencies"].as_array().is_some_and(|d| d.iter().any(|key| keys.contains(&key)))
        };
        let (later, now): (Vec<&Value>, Vec<&Value>) = left.iter().partition(|flag| waits(flag));
        assert!(!now.is_empty(), "a circle of dependencies");
        for flag in now {
            if let Some(variant) = evaluate_at(flag, &target) {
                target["result"][flag["key"].as_str().unwrap()] = variant;
            }
        }
        left = later;
    }
    target["result"].as_object().unwrap().clone()
}

/// What the SDK answers for one flag that depends on no other.
pub(crate) fn evaluate(flag: &Value, user: &Value) -> Option<Value> {
    evaluate_at(flag, &json!({"context": {"user": user}, "result": {}}))
}

fn evaluate_at(flag: &Value, target: &Value) -> Option<Value> {
    for segment in flag["segments"].as_array()? {
        let Some(key) = evaluate_segment(target, segment) else { continue };
        let Some(variant) = flag["variants"].get(&key) else { continue };
        let mut metadata = Map::new();
        for part in [&flag["metadata"], &segment["metadata"], &variant["metadata"]] {
            if let Some(part) = part.as_object() {
                metadata.extend(part.clone());
            }
        }
        let mut result = variant.as_object()?.clone();
        result.insert("metadata".to_owned(), metadata.into());
        return Some(result.into());
    }
    None
}

fn evaluate_segment(target: &Value, segment: &Value) -> Option<String> {
    if let Some(groups) = segment.get("conditions") {
        let all = |group: &Value| group.as_array().is_some_and(|g| g.iter().all(|c| matches(target, c)));
        if !groups.as_array()?.iter().any(all) {
            return None;
        }
    }
    bucket(target, segment).or_else(|| segment["variant"].as_str().map(str::to_owned))
}

fn bucket(target: &Value, segment: &Value) -> Option<String> {
    let bucket = segment.get("bucket")?;
    let value = string(select(target, &bucket["selector"])?);
    if value.is_empty() {
        return None;
    }
    let hash = murmur3(format!("{}/{value}", bucket["salt"].as_str()?).as_bytes());
    let within = |range: &Value, n: u32| {
        range[0].as_u64().is_some_and(|a| a <= n.into())
            && range[1].as_u64().is_some_and(|b| u64::from(n) < b)
    };
    for allocation in bucket["allocations"].as_array()? {
        if within(&allocation["range"], hash % 100) {
            for distribution in allocation["distributions"].as_array()? {
                if within(&distribution["range"], hash / 100) {
                    return distribution["variant"].as_str().map(str::to_owned);
                }
            }
        }
    }
    None
}

fn select<'t>(target: &'t Value, selector: &Value) -> Option<&'t Value> {
    let mut at = target;
    for step in selector.as_array()? {
        at = at.as_object()?.get(step.as_str()?)?;
    }
    (!at.is_null()).then_some(at)
}

fn matches(target: &Value, condition: &Value) -> bool {
    let op = condition["op"].as_str().unwrap();
    let values: Vec<&str> =
        condition["values"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    matches_value(select(target, &condition["selector"]), op, &values)
}

/// Whether an operator, in Amplitude's words, holds for a value that may be missing.
pub(crate) fn matches_value(value: Option<&Value>, op: &str, values: &[&str]) -> bool {
    let set = op.starts_with("set ");
    match value {
        None => match op {
            "is not" | "does not contain" | "set does not contain" | "set does not contain any" => {
                !values.contains(&"(none)")
            }
            "regex match" | "regex does not match" | "set is not" => false,
            _ => values.contains(&"(none)"),
        },
        Some(value) => match list(value) {
            Some(elements) if set => match_set(&elements, op, values),
            None if set => false,
            Some(elements) => elements.iter().any(|e| match_string(e, op, values)),
            None => match_string(&string(value), op, values),
        },
    }
}

fn match_set(elements: &[String], op: &str, values: &[&str]) -> bool {
    let texts: Vec<&str> = elements.iter().map(String::as_str).collect();
    let same = || values.iter().all(|v| texts.contains(v)) && texts.iter().all(|t| values.contains(t));
    let all = || texts.len() >= values.len() && values.iter().all(|v| is(v, &texts));
    let any = || values.iter().any(|v| is(v, &texts));
    match op {
        "set is" => same(),
        "set is not" => !same(),
        "set contains" => all(),
        "set does not contain" => !all(),
        "set contains any" => any(),
        "set does not contain any" => !any(),
        other => panic!("no operator `{other}`"),
    }
}

fn match_string(value: &str, op: &str, values: &[&str]) -> bool {
    match op {
        "is" => is(value, values),
        "is not" => !is(value, values),
        "contains" => contains(value, values),
        "does not contain" => !contains(value, values),
        "regex match" => values.iter().any(|pattern| search(value, pattern)),
        "regex does not match" => !values.iter().any(|pattern| search(value, pattern)),
        "less" | "less or equal" | "greater" | "greater or equal" => {
            values.iter().any(|v| ordered(op, number(value).partial_cmp(&number(v))))
        }
        _ => {
            let op = op.strip_prefix("version ").unwrap();
            let parsed: Vec<_> = values.iter().filter_map(|v| version(v)).collect();
            match version(value) {
                Some(value) if !parsed.is_empty() => {
                    parsed.iter().any(|v| ordered(op, Some(compare_versions(&value, v))))
                }
                _ => values.iter().any(|v| ordered(op, Some(value.cmp(v)))),
            }
        }
    }
}

fn is(value: &str, values: &[&str]) -> bool {
    let lower = value.to_lowercase();
    let truth = |word: &str| word == "true" || word == "false";
    if truth(&lower) && values.iter().any(|v| truth(&v.to_lowercase())) {
        return values.iter().any(|v| v.to_lowercase() == lower);
    }
    values.contains(&value)
}

fn contains(value: &str, values: &[&str]) -> bool {
    values.iter().any(|v| value.to_lowercase().contains(&v.to_lowercase()))
}

fn ordered(op: &str, ordering: Option<std::cmp::Ordering>) -> bool {
    let Some(ordering) = ordering else { return false };
    match op {
        "less" => ordering.is_lt(),
        "less or equal" => ordering.is_le(),
        "greater" => ordering.is_gt(),
        "greater or equal" => ordering.is_ge(),
        other => panic!("no operator `{other}`"),
    }
}

/// `Number(text)` for the ASCII decimals that the tests use.
fn number(text: &str) -> f64 {
    let text = text.trim();
    if text.is_empty() {
        return 0.0;
    }
    if text.chars().any(|c| c.is_ascii_alphabetic() && c != 'e' && c != 'E') {
        return f64::NAN;
    }
    text.parse().unwrap_or(f64::NAN)
}

/// Major, minor, patch and the pre-release.
pub(crate) fn version(text: &str) -> Option<([u64; 3], String)> {
    let (numbers, pre) = match text.split_once('-') {
        Some((numbers, pre)) => (numbers, format!("-{pre}")),
        None => (text, String::new()),
    };
    let parts: Vec<&str> = numbers.split('.').collect();
    let plain = parts.iter().all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    let named = pre.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !plain || !named || pre.starts_with("-.") || pre.contains("..") {
        return None;
    }
    let n = |i: usize| parts.get(i).map_or(Some(0), |p| p.parse().ok());
    match parts.len() {
        2 if pre.is_empty() => Some(([n(0)?, n(1)?, 0], pre)),
        3 => Some(([n(0)?, n(1)?, n(2)?], pre)),
        _ => None,
    }
}

pub(crate) fn compare_versions(a: &([u64; 3], String), b: &([u64; 3], String)) -> std::cmp::Ordering {
    // A release is after its pre-releases.
    let key = |v: &([u64; 3], String)| (v.0, v.1.is_empty(), v.1.clone());
    key(a).cmp(&key(b))
}

/// A search. What JavaScript needs to see one letter where it has two halves is one letter here.
fn search(text: &str, pattern: &str) -> bool {
    let ours = pattern
        // At the end, and no letter behind it.
        .replace("(?![\\s\\S])(?!\\Z)", "\\z")
        .replace("(?:[\\uD800-\\uDBFF][\\uDC00-\\uDFFF]|[^", "(?:[^")
        .replace("\\uD800-\\uDFFF", "")
        .replace("(?![\\s\\S])", "\\z");
    regex::Regex::new(&ours).unwrap().is_match(text)
}

pub(crate) fn list(value: &Value) -> Option<Vec<String>> {
    let parsed;
    let items = match value {
        Value::Array(items) => items,
        Value::String(text) if text.starts_with('[') => {
            parsed = serde_json::from_str::<Vec<Value>>(text).ok()?;
            &parsed
        }
        _ => return None,
    };
    Some(items.iter().filter(|i| !i.is_null()).map(string).filter(|s| !s.is_empty()).collect())
}

pub(crate) fn string(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => whole(other).to_string(),
    }
}

/// JavaScript has one type of number and writes whole ones without a point.
fn whole(value: &Value) -> Value {
    match value {
        Value::Number(n) => match n.as_f64() {
            Some(n) if n.fract() == 0.0 && n.abs() < 1e15 => json!(n as i64),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(whole).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), whole(v))).collect()),
        other => other.clone(),
    }
}

/// MurmurHash3 x86 32, seed 0, from its reference description.
pub(crate) fn murmur3(data: &[u8]) -> u32 {
    let mix = |k: u32| k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let mut h = 0_u32;
    let chunks = data.chunks_exact(4);
    let tail = chunks.remainder().iter().rev().fold(0_u32, |k, b| (k << 8) | u32::from(*b));
    for chunk in chunks {
        h ^= mix(chunk.iter().rev().fold(0, |k, b| (k << 8) | u32::from(*b)));
        h = h.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    h ^= mix(tail);
    h ^= u32::try_from(data.len()).unwrap();
    h ^= h >> 16;
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}
