//! Server tests: the doors of events, each at its path and in its words.

use base64::Engine;
use bellwether_server::{Limits, Proxies};
use serde_json::{Value as Json, json};

use crate::house::{Reply, Server, call};

/// A path, how its key is sent, a body that brings one event, and what is answered.
fn doors(server: &Server) -> Vec<(&'static str, &'static str, Option<String>, Json, &'static str)> {
    let key = server.client.as_str();
    let basic =
        || Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{key}:"))));
    let bearer = || Some(format!("Bearer {key}"));
    let amplitude = json!({"api_key": key, "events": [{"event_type": "a", "user_id": "user-1"}]});
    let message = |kind: &str| json!({"type": kind, "event": "a", "userId": "user-1", "name": "a", "groupId": "g", "previousId": "p"});
    let batch = json!({"batch": [message("track")]});
    let posthog = json!({"api_key": key, "event": "a", "distinct_id": "user-1"});
    let mixpanel = json!({"event": "a", "properties": {"token": key, "distinct_id": "user-1"}});
    let log = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"eventName": "a", "attributes": [
        {"key": "user.id", "value": {"stringValue": "user-1"}}]}]}]}]});
    let mut doors = vec![
        ("POST", "/2/httpapi", None, amplitude.clone(), "events_ingested"),
        ("POST", "/batch", None, amplitude, "events_ingested"),
        ("POST", "/v1/batch", basic(), batch.clone(), r#"{"success":true}"#),
        ("POST", "/v1/b", basic(), batch.clone(), r#"{"success":true}"#),
        ("POST", "/v1/import", basic(), batch, r#"{"success":true}"#),
        (
            "POST",
            "/i/v1/analytics/events",
            bearer(),
            json!({"batch": [{"event": "a", "uuid": "u", "distinct_id": "user-1"}]}),
            r#"{"results":{"u":{"result":"ok"}}}"#,
        ),
        ("POST", "/track?verbose=1", None, mixpanel.clone(), r#"{"error":null,"status":1}"#),
        ("POST", "/track/", None, mixpanel.clone(), "1"),
        ("POST", "/import?strict=1", basic(), json!([mixpanel]), "num_records_imported\":1"),
        ("POST", "/engage", None, json!({"$token": key, "$distinct_id": "user-1", "$set": {"a": 1}}), "1"),
        (
            "POST",
            "/groups",
            None,
            json!({"$token": key, "$group_key": "g", "$group_id": "h", "$set": {"a": 1}}),
            "1",
        ),
        ("POST", "/v1/logs", bearer(), log, "{}"),
    ];
    for (path, short) in [
        ("/v1/track", "/v1/t"),
        ("/v1/identify", "/v1/i"),
        ("/v1/page", "/v1/p"),
        ("/v1/screen", "/v1/s"),
        ("/v1/group", "/v1/g"),
        ("/v1/alias", "/v1/a"),
    ] {
        for path in [path, short] {
            doors.push(("POST", path, basic(), message("nothing"), r#"{"success":true}"#));
        }
    }
    for path in ["/batch/", "/e", "/e/", "/i/v0/e", "/i/v0/e/", "/capture", "/capture/"] {
        doors.push(("POST", path, None, posthog.clone(), r#"{"status":1}"#));
    }
    doors
}

fn ask(server: &Server, method: &str, path: &str, authorization: Option<&str>, body: &[u8]) -> Reply {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(authorization.map(|value| ("authorization", value)));
    server.ask(method, path, &headers, body)
}

#[test]
fn each_path_leads_to_its_protocol() {
    let server = Server::start();
    for (method, path, authorization, body, said) in doors(&server) {
        let before = server.state().1;
        let reply = ask(&server, method, path, authorization.as_deref(), body.to_string().as_bytes());
        let text = String::from_utf8(reply.body.clone()).unwrap();
        assert_eq!(reply.status, 200, "{path}: {text}");
        assert!(text.contains(said), "{path}: {text}");
        assert_eq!(server.state().1, before + 1, "{path}");
    }
}

#[test]
fn a_browser_may_send_to_each_of_them_and_the_wrong_method_is_told_so() {
    let server = Server::start();
    for (_, path, ..) in doors(&server) {
        let headers = [
            ("origin", "https://shop.example"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,content-encoding,authorization"),
        ];
        let preflight = server.ask("OPTIONS", path, &headers, b"");
        assert_eq!(preflight.status, 200, "{path}");
        // To whom asks with credentials, as Mixpanel's SDK does, a browser gives only what is for it by name.
        let named = ["/track", "/engage", "/groups", "/import"].iter().any(|door| path.starts_with(door));
        let (origin, credentials) = if named { ("https://shop.example", Some("true")) } else { ("*", None) };
        assert_eq!(preflight.header("access-control-allow-origin"), Some(origin), "{path}");
        assert_eq!(preflight.header("access-control-allow-credentials"), credentials, "{path}");
        let wrong = server.ask("PUT", path, &[("origin", "https://shop.example")], b"");
        // What a script may read of an answer: how long to wait, where it waits as long and goes on.
        let exposed = wrong.header("access-control-expose-headers").map(str::to_ascii_lowercase);
        assert_eq!(exposed.as_deref(), named.then_some("retry-after"), "{path}");
        let text = String::from_utf8_lossy(&wrong.body).into_owned();
        assert_eq!(wrong.status, 405, "{path}: {text}");
        assert!(
            text == "0" || text.contains("not sent with PUT") || text.contains("use POST"),
            "{path}: {text}"
        );
    }
}

#[test]
fn what_a_get_brings_is_taken_where_the_protocol_has_it() {
    let server = Server::start();
    let key = server.client.as_str();
    let encode = |value: Json| {
        let text = base64::engine::general_purpose::STANDARD.encode(value.to_string());
        serde_urlencoded::to_string([("data", text)]).unwrap()
    };
    let form = |identification: Json| {
        serde_urlencoded::to_string([("api_key", key), ("identification", &identification.to_string())])
            .unwrap()
    };
    let queries = [
        ("/track", encode(json!({"event": "a", "properties": {"token": key, "distinct_id": "user-1"}})), "1"),
        ("/engage", encode(json!({"$token": key, "$distinct_id": "user-1", "$set": {"a": 1}})), "1"),
        (
            "/groups",
            encode(json!({"$token": key, "$group_key": "g", "$group_id": "h", "$set": {"a": 1}})),
            "1",
        ),
        ("/e/", encode(json!({"api_key": key, "event": "a", "distinct_id": "user-1"})), r#"{"status":1}"#),
        ("/identify", form(json!({"user_id": "user-1", "user_properties": {"a": 1}})), "success"),
        (
            "/groupidentify",
            form(json!({"group_type": "g", "group_value": "h", "group_properties": {"a": 1}})),
            "success",
        ),
    ];
    for (path, query, said) in queries {
        let before = server.state().1;
        let reply = server.ask("GET", &format!("{path}?{query}"), &[], b"");
        assert_eq!((reply.status, String::from_utf8_lossy(&reply.body).as_ref()), (200, said), "{path}");
        assert_eq!(server.state().1, before + 1, "{path}");
    }
    for path in ["/2/httpapi", "/batch", "/v1/track", "/import", "/v1/logs", "/batch/"] {
        assert_eq!(server.ask("GET", path, &[], b"").status, 405, "{path}");
    }
}

/// Each protocol's own words for: no such key, and a disk that refuses.
#[test]
fn a_refusal_is_in_the_words_of_its_protocol() {
    let server = Server::start();
    let (log, away) = (server.dir.path().join("events/wal"), server.dir.path().join("away"));
    for (method, path, authorization, body, _) in doors(&server) {
        let guess = |text: &str| text.replace(&server.client, "guess");
        let authorization = authorization.as_deref();
        let wrong = authorization.map(|_| "Bearer guess");
        let unknown = ask(&server, method, path, wrong, guess(&body.to_string()).as_bytes());
        let amplitude = matches!(path, "/2/httpapi" | "/batch");
        assert_eq!(unknown.status, if amplitude { 400 } else { 401 }, "{path}");
        std::fs::rename(&log, &away).unwrap();
        let lost = ask(&server, method, path, authorization, body.to_string().as_bytes());
        std::fs::rename(&away, &log).unwrap();
        assert_eq!((lost.status, lost.header("retry-after")), (503, Some("1")), "{path}");
        let text = String::from_utf8_lossy(&lost.body).into_owned();
        assert!(
            text == "0" || text.contains("disk refused") || text.contains("\"code\":503"),
            "{path}: {text}"
        );
        assert_eq!(server.state().1, 0, "{path}");
    }
}

/// A reader of JSON may have names of its own, by which it takes an object for something else: what is sent may have any
/// name, and is read as it came wherever it is read again.
#[test]
fn a_name_of_the_readers_own_is_a_name_like_others() {
    for token in
        ["$serde_json::private::RawValue", "$serde_json::private::Number", "$__toml_private_datetime"]
    {
        let server = Server::start();
        let key = server.client.as_str();
        let basic =
            Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{key}:"))));
        let event = |properties: Json| json!({"api_key": key, "event": "E", "distinct_id": "user-1", "properties": properties});
        let odd: Json = serde_json::from_str(&format!(r#"{{"a": {{"{token}": "not json"}}}}"#)).unwrap();
        assert_eq!(odd["a"][token], "not json", "the reader of this program knows no `{token}`");
        let bodies = [
            ("/batch/", None, json!({"api_key": key, "batch": [event(odd.clone())]})),
            ("/e/", None, event(json!({"$unset": [token]}))),
            ("/e/", None, event(json!({"$groups": {"company": "acme"}}))),
            ("/engage", None, json!({"$token": key, "$distinct_id": "user-1", "$unset": [token]})),
            (
                "/groups",
                None,
                json!({"$token": key, "$group_key": token, "$group_id": "h", "$set": {"a": 1}}),
            ),
            ("/v1/track", basic.clone(), json!({"event": "E", "userId": "user-1", "properties": odd})),
            ("/v1/identify", basic, json!({"userId": "user-1", "traits": {token: "1", "b": {token: 1}}})),
        ];
        let count = bodies.len();
        for (path, authorization, body) in bodies {
            let reply = ask(&server, "POST", path, authorization.as_deref(), body.to_string().as_bytes());
            assert_eq!(reply.status, 200, "{path} {token}: {}", String::from_utf8_lossy(&reply.body));
        }
        let export = server.api("GET", "/api/person?environment=production&user=user-1", &Json::Null);
        let text = String::from_utf8_lossy(&export.body).into_owned();
        assert_eq!(export.status, 200, "{token}: {text}");
        assert!(text.matches("not json").count() == 2, "{token}: {text}");
        assert_eq!(server.state().1, count as u64, "{token}");
    }
}

#[test]
fn behind_a_proxy_an_address_is_the_senders() {
    for (proxies, ip) in [(&["127.0.0.0/8"][..], "198.51.100.0"), (&[], "127.0.0.0")] {
        let proxies = Proxies::at(proxies.iter().copied()).unwrap();
        let server = Server::within(Limits { proxies, ..Limits::default() });
        let body = json!({"api_key": server.client, "events": [{"event_type": "a", "user_id": "user-1", "ip": "$remote"}]});
        let headers = [("x-forwarded-for", "10.0.0.7, 198.51.100.7")];
        let reply = server.ask("POST", "/2/httpapi", &headers, body.to_string().as_bytes());
        assert_eq!(reply.status, 200, "{}", reply.json());
        let stored = call(&server.app, &server.grant, "event.recent", json!({"environment": "production"}));
        assert_eq!(stored["events"][0]["user_properties"]["ip"], ip, "{stored}");
    }
}
