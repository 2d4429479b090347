//! App tests: the executable semantics of intake. Runs every scenario of `scenarios-dev.json` that is about
//! it, or those of the file that `SCENARIOS` names.

use bellwether_app::{Door, Sent};
use serde_json::{Map, Value as Json, json};

use crate::captures::{door, gzip, shown};
use crate::house::House;

fn scenarios() -> Json {
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/../query/tests/scenarios-dev.json").to_owned();
    let file = std::env::var("SCENARIOS").unwrap_or(ours);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{file}: {e}"));
    serde_json::from_str(&text).unwrap()
}

/// The body with a key of ours where the scenario says `KEY`.
fn keyed(value: &Json, secret: &str) -> Json {
    match value {
        Json::String(text) if text == "KEY" => secret.into(),
        Json::Object(map) => {
            map.iter().map(|(k, v)| (k.clone(), keyed(v, secret))).collect::<Map<_, _>>().into()
        }
        Json::Array(list) => list.iter().map(|v| keyed(v, secret)).collect(),
        other => other.clone(),
    }
}

/// Hands in the request of a scenario, and gives status and body.
fn request(house: &House, secret: &str, query: &Json) -> (u64, Json) {
    let path = query["path"].as_str().unwrap_or("/2/httpapi");
    let at = door(path).unwrap_or_else(|| panic!("no door is at `{path}`"));
    let form = matches!(at, Door::AmplitudeIdentify | Door::AmplitudeGroupIdentify);
    let mut body = match (query.get("raw_body").and_then(Json::as_str), query.get("body")) {
        (Some(raw), _) => raw.replace("KEY", secret).into_bytes(),
        (None, Some(Json::Object(fields))) if form => {
            let fields = fields.iter().map(|(name, value)| {
                let value = keyed(value, secret);
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (name.clone(), text)
            });
            serde_urlencoded::to_string(fields.collect::<Vec<_>>()).unwrap().into_bytes()
        }
        (None, Some(body)) => serde_json::to_vec(&keyed(body, secret)).unwrap(),
        (None, None) => Vec::new(),
    };
    let encoding = query["content_encoding"].as_str();
    if encoding == Some("gzip") {
        body = gzip(&body);
    }
    let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
    let bearer = format!("Bearer {secret}");
    let sent =
        Sent { content_type: kind, encoding, authorization: Some(&bearer), body: &body, ..Sent::default() };
    let reply = shown(house.bring(at, &sent));
    (reply[0].as_u64().unwrap(), reply[1].clone())
}

/// What is expected of a scenario and is not so.
fn differences(scenario: &Json) -> Vec<String> {
    let mut house = House::new();
    let secret = house.key("client");
    let (query, expect) = (&scenario["query"], &scenario["expect"]);
    if let Some(steps) = query["identify_sequence"].as_array() {
        let event = |kind: &str, properties: &Json| json!({"event_type": kind, "user_id": "user-1", "device_id": "device-1", "user_properties": properties});
        for step in steps {
            house.send(&json!({"api_key": secret, "events": [event("$identify", step)]})).unwrap();
        }
        house.send(&json!({"api_key": secret, "events": [event("A", &Json::Null)]})).unwrap();
    }
    let mut answer = (0, Json::Null);
    if query.get("body").is_some() || query.get("raw_body").is_some() {
        answer = request(&house, &secret, query);
        if let Some(apart) = query["two_requests_apart_s"].as_i64() {
            house.later(apart * 1_000);
            answer = request(&house, &secret, query);
        }
    }
    let stored = house.events();
    let newest = stored.first().cloned().unwrap_or_default();
    let mut wrong = Vec::new();
    for (what, expected) in expect.as_object().unwrap() {
        let got = match what.as_str() {
            "status" => answer.0.into(),
            "stored" => (stored.len() as u64).into(),
            "events_ingested" => answer.1["events_ingested"].clone(),
            "user_properties" => newest["user_properties"].as_object().map_or(json!({}), |p| json!(p)),
            "user_id_kept" => newest["who"].to_string().contains("\"user\"").into(),
            "revenue" => newest["properties"]["$revenue"].clone(),
            // What the protocol says is there; what we say more, such as a hint, is ours.
            "body" => {
                let said = expected.as_object().unwrap().keys().map(|k| (k.clone(), answer.1[k].clone()));
                Json::Object(said.collect())
            }
            "body_keys" => {
                let keys = expected.as_array().unwrap().iter();
                keys.filter(|k| answer.1.get(k.as_str().unwrap()).is_some()).cloned().collect()
            }
            // Anything else is a field of the answer.
            other => answer.1[other].clone(),
        };
        let same = match (got.as_f64(), expected.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-4,
            _ => got == *expected,
        };
        if !same {
            wrong.push(format!("`{what}` is {got}, expected {expected}; the answer is {}", answer.1));
        }
    }
    wrong
}

#[test]
fn intake_means_what_the_scenarios_say() {
    let file = scenarios();
    let (mut ran, mut wrong) = (vec![], vec![]);
    for scenario in file["scenarios"].as_array().unwrap().iter().filter(|s| s["kind"] == "ingest") {
        let id = scenario["id"].as_str().unwrap();
        wrong.extend(differences(scenario).into_iter().map(|difference| format!("{id}: {difference}")));
        ran.push(id);
    }
    println!("ran: {}", ran.join(" "));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if std::env::var("SCENARIOS").is_err() {
        assert_eq!(ran, ["N01", "N03", "N04", "N08", "N09", "N11", "N13"]);
    }
}
