//! App tests: what was recorded from real SDKs, replayed; the stored events and the answers are snapshots.

use std::io::Write;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bellwether_app::{Body, Call, Door, Reply, Sent};
use bellwether_model::Millis;
use serde_json::{Value as Json, json};

use crate::house::House;

/// 2026-11-22T12:48:50Z, a while after the recordings.
const RECORDED: Millis = Millis(1_795_351_730_000);

/// The recordings beside the repository, or where `SHARED` says; `None` after one line that says so.
fn recordings() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").to_owned();
    let shared = std::env::var("SHARED").unwrap_or(beside);
    let path = PathBuf::from(shared).join("data/captures");
    if !path.is_dir() {
        println!("skipped: no shared data");
        return None;
    }
    Some(path)
}

/// The door of a path.
pub(crate) fn door(path: &str) -> Option<Door> {
    Some(match path {
        "/2/httpapi" => Door::AmplitudeHttp,
        "/batch" => Door::AmplitudeBatch,
        "/identify" => Door::AmplitudeIdentify,
        "/groupidentify" => Door::AmplitudeGroupIdentify,
        "/v1/batch" => Door::Segment(None),
        "/v1/track" => Door::Segment(Some(Call::Track)),
        "/v1/identify" => Door::Segment(Some(Call::Identify)),
        "/v1/page" => Door::Segment(Some(Call::Page)),
        "/v1/screen" => Door::Segment(Some(Call::Screen)),
        "/v1/group" => Door::Segment(Some(Call::Group)),
        "/v1/alias" => Door::Segment(Some(Call::Alias)),
        "/batch/" | "/e/" | "/capture/" | "/i/v0/e/" => Door::PostHog,
        "/i/v1/analytics/events" => Door::PostHogV1,
        "/track" => Door::MixpanelTrack,
        "/engage" => Door::MixpanelEngage,
        "/groups" => Door::MixpanelGroups,
        "/import" => Door::MixpanelImport,
        "/v1/logs" => Door::OtlpLogs,
        _ => return None,
    })
}

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// The answer, as it is shown.
pub(crate) fn shown(reply: Reply) -> Json {
    match reply {
        Reply { status, body: Body::Json(body), .. } => json!([status, body]),
        Reply { status, body: Body::Text(body), .. } => json!([status, body]),
        Reply { status, body: Body::Protobuf(body), .. } => json!([status, format!("{} bytes", body.len())]),
    }
}

/// A text in base64 with another key in it.
fn rekeyed(encoded: &str, secret: &str) -> String {
    let text = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
    STANDARD.encode(text.replace("TOKEN", secret).replace("WRITEKEY", secret))
}

/// A recorded request, handed in with a key of ours.
fn replay(house: &House, secret: &str, recorded: &Json) -> Option<Vec<Json>> {
    let (path, query) = recorded["path"]
        .as_str()
        .unwrap()
        .split_once('?')
        .unwrap_or((recorded["path"].as_str().unwrap(), ""));
    let door = door(path)?;
    let header = |name: &str| {
        let headers = recorded["headers"].as_object().unwrap();
        headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str().unwrap())
    };
    let query = match query.split_once("data=") {
        Some((before, data)) => {
            let data = data.replace("%3D", "=");
            format!("{before}data={}", rekeyed(&data, secret).replace('=', "%3D").replace('+', "%2B"))
        }
        None => query.to_owned(),
    };
    let body = match &recorded["body"] {
        Json::Null => Vec::new(),
        Json::String(form) => {
            let data = form.strip_prefix("data=").unwrap();
            format!("data={}", rekeyed(data, secret).replace('=', "%3D").replace('+', "%2B")).into_bytes()
        }
        body => {
            let mut body = body.clone();
            for name in ["api_key", "writeKey"] {
                if body[name].is_string() {
                    body[name] = secret.into();
                }
            }
            serde_json::to_vec(&body).unwrap()
        }
    };
    let basic = header("authorization")
        .and_then(|a| a.strip_prefix("Basic "))
        .map(|encoded| format!("Basic {}", rekeyed(encoded, secret)));
    let bring = |body: &[u8]| {
        let encoding = header("content-encoding");
        let packed = if encoding == Some("gzip") { gzip(body) } else { body.to_vec() };
        let sent = Sent {
            query: &query,
            content_type: header("content-type").unwrap_or_default(),
            encoding,
            authorization: basic.as_deref(),
            peer: Some("203.0.113.9"),
            body: &packed,
            ..Sent::default()
        };
        shown(house.bring(door, &sent))
    };
    let answer = bring(&body);
    let lists = answer[1]["events_with_missing_fields"].as_object();
    let Some(lists) = lists else { return Some(vec![answer]) };
    // An SDK drops the events that are listed and sends the others again.
    let listed: Vec<u64> =
        lists.values().flat_map(|l| l.as_array().unwrap()).map(|i| i.as_u64().unwrap()).collect();
    let mut again: Json = serde_json::from_slice(&body).unwrap();
    let events = again["events"].as_array_mut().unwrap();
    let mut index = 0_u64..;
    events.retain(|_| index.next().is_some_and(|at| !listed.contains(&at)));
    let next = bring(&serde_json::to_vec(&again).unwrap());
    Some(vec![answer, next])
}

#[test]
fn what_sdks_were_seen_to_send_is_stored_as_it_means() {
    let Some(dir) = recordings() else { return };
    let mut files: Vec<_> =
        std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let mut replayed = Vec::new();
    for file in files {
        let recorded: Json = serde_json::from_slice(&std::fs::read(dir.join(&file)).unwrap()).unwrap();
        let name = file.trim_end_matches(".json");
        let requests = recorded.as_array().unwrap().iter().filter(|r| r["path"].is_string());
        let mut house = House::new();
        house.now = RECORDED;
        let secret = house.key("client");
        let answers: Vec<Json> = requests.filter_map(|r| replay(&house, &secret, r)).flatten().collect();
        if answers.is_empty() {
            continue;
        }
        let mut stored = house.events();
        stored.reverse();
        insta::with_settings!({ snapshot_suffix => name, omit_expression => true }, {
            insta::assert_json_snapshot!("captures", json!({"answers": answers, "stored": stored}));
        });
        replayed.push(name.to_owned());
    }
    assert_eq!(replayed.len(), 14, "{replayed:?}");
}
