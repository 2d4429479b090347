//! Server tests: what cannot be taken is answered in the words of its door, and nothing is stored.

use serde_json::{Value as Json, json};

use crate::house::{Reply, Server};

/// A refusal of the API: `{code, message, hint, request_id}`.
fn refused(reply: &Reply, status: u16, code: &str, message: &str) {
    let body = reply.json();
    assert_eq!((reply.status, &body["code"]), (status, &json!(code)), "{body}");
    assert!(body["message"].as_str().unwrap().contains(message), "`{message}` in {body}");
    assert!(!body["hint"].as_str().unwrap().is_empty(), "{body}");
    assert_eq!(body["request_id"].as_str(), reply.header("x-request-id"), "{body}");
}

#[test]
fn the_api_says_what_is_wrong_and_changes_nothing() {
    let server = Server::start();
    let before = server.state();
    let bearer = format!("Bearer {}", server.admin);
    let raw = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend(headers);
        server.ask(method, path, &all, body)
    };
    let check = |method: &str, path: &str, body: &[u8], status: u16, code: &str, message: &str| {
        refused(&raw(method, path, &[], body), status, code, message);
        assert_eq!(server.state(), before, "{method} {path}");
    };
    let toggle = "/api/flags/f/toggle";
    check("POST", toggle, b"{", 400, "bad_input", "the body is not JSON");
    check("POST", toggle, b"\xff\xfe{\0}\0", 400, "bad_input", "the body is not JSON");
    check("POST", toggle, b"[1]", 400, "bad_input", "not an object");
    check("POST", toggle, b"{}", 400, "bad_input", "`environment` is missing");
    check("POST", toggle, br#"{"environment":"production","on":"yes"}"#, 400, "bad_input", "in `on`");
    check("POST", toggle, br#"{"environment":"production","on":true,"oops":1}"#, 400, "bad_input", "oops");
    check("POST", toggle, br#"{"environment":"nowhere","on":true,"why":"x"}"#, 404, "not_found", "nowhere");
    check("POST", toggle, br#"{"environment":"production","on":true}"#, 400, "bad_input", "needs a reason");
    check(
        "POST",
        toggle,
        br#"{"flag":"g","environment":"production","on":true,"why":"x"}"#,
        400,
        "bad_input",
        "twice",
    );
    let twice = br#"{"environment":"production","why":"x","on":true,"on":false}"#;
    check("POST", toggle, twice, 400, "bad_input", "in the body, `on` is there twice at line 1 column 59");
    let deep = br#"{"environment":"production","why":"x","rules":[{"name":"r","when":[[{"attribute":"a","op":"is","values":["x"],"values":["y"]}]]}]}"#;
    check(
        "PUT",
        "/api/flags/f/targeting",
        deep,
        400,
        "bad_input",
        "`rules[0].when[0][0].values` is there twice",
    );
    check("POST", "/api/flags/f/toggle?on=true", b"{}", 400, "bad_input", "in the query");
    let dry = br#"{"environment":"production","on":false,"why":"x"}"#;
    for word in ["1", "yes", "True", ""] {
        check("POST", &format!("{toggle}?dry_run={word}"), dry, 400, "bad_input", "in `dry_run`");
    }
    check("POST", "/api/flags/%FF/toggle", b"{}", 400, "bad_input", "the path is not UTF-8");
    check("GET", "/api/flags/no%20good", b"", 400, "bad_input", "is not a key");
    check("GET", "/api/flags/nobody", b"", 404, "not_found", "there is no flag `nobody`");
    check("GET", "/api/changes?limit=many", b"", 400, "bad_input", "in `limit`");
    check("GET", "/api/changes?limit=1&limit=2", b"", 400, "bad_input", "twice");
    check("GET", "/api/changes?oops=1", b"", 400, "bad_input", "has no argument `oops`");
    check("GET", "/api/nowhere", b"", 404, "not_found", "there is no `GET /api/nowhere`");
    for absent in [
        "/array/key/config.js",
        "/array/key/config",
        "/static/array.js",
        "/s/?x=1",
        "/decide?v=3",
        "/v1/projects/key/settings",
    ] {
        check("GET", absent, b"", 404, "not_found", "there is no `GET");
    }
    check("DELETE", "/api/flags", b"", 405, "method", "there is no `DELETE /api/flags`");
    check("POST", toggle, &vec![b' '; (1 << 20) + 1], 413, "too_large", "larger");
    let ninety = json!({"environment": "production", "why": "x",
        "shares": [{"variant": "on", "share": 4000}, {"variant": "off", "share": 5000}]});
    let ninety = serde_json::to_vec(&ninety).unwrap();
    check("POST", "/api/flags/f/shares", &ninety, 400, "bad_input", "these shares make `90%`");
    let stale = br#"{"environment":"production","on":false,"why":"x","if_revision":1}"#;
    check("POST", toggle, stale, 409, "stale", "");
    let stale = raw("POST", toggle, &[], stale).json();
    assert_eq!(stale["details"]["newest"], before.0);
    let gzip = raw("POST", toggle, &[("content-encoding", "gzip")], b"\x1f\x8b\x08\0garbage");
    refused(&gzip, 400, "bad_input", "the body is not JSON");
    // A rehearsal is answered as the deed would be, and is none.
    let rehearsed = raw("POST", &format!("{toggle}?dry_run=true"), &[], dry);
    assert_eq!(rehearsed.status, 200);
    assert_eq!(rehearsed.json()["revision"], before.0 + 1);
    assert_eq!(server.state(), before);
}

#[test]
fn nobody_and_the_wrong_key_are_refused_at_every_operation() {
    let server = Server::start();
    for entry in bellwether_app::REGISTRY {
        let path = entry.path.replace(['{', '}'], "");
        let method = entry.method.word();
        let body: &[u8] = if method == "GET" || method == "DELETE" { b"" } else { b"{}" };
        refused(&server.ask(method, &path, &[], body), 401, "unauthenticated", "nobody is logged in");
        for key in [&server.client, &server.server] {
            let bearer = format!("Bearer {key}");
            let reply = server.ask(method, &path, &[("authorization", &bearer)], body);
            // Query parameters are looked at first; what is refused is refused in any case.
            assert!(matches!(reply.status, 400 | 403), "{method} {path}: {}", reply.status);
        }
        refused(
            &server.ask(method, &path, &[("authorization", "Bearer guess")], body),
            401,
            "unauthenticated",
            "there is no such key",
        );
    }
}

#[test]
fn ofrep_refuses_in_its_own_words() {
    let server = Server::start();
    let before = server.state();
    let bearer = format!("Bearer {}", server.client);
    let check = |path: &str, body: &[u8], status: u16, expected: Json| {
        let reply = server.ask("POST", path, &[("authorization", &bearer)], body);
        let mut sent = reply.json();
        let details = sent.as_object_mut().unwrap().remove("errorDetails");
        assert!(
            details.is_some_and(|d| d.as_str().is_some_and(|d| d.contains(';'))),
            "details with a hint: {sent}"
        );
        assert_eq!((reply.status, sent), (status, expected), "{path}");
        assert_eq!(server.state(), before);
    };
    let (single, bulk) = ("/ofrep/v1/evaluate/flags/f", "/ofrep/v1/evaluate/flags");
    let invalid = |key: bool, code: &str| {
        if key { json!({"key": "f", "errorCode": code}) } else { json!({"errorCode": code}) }
    };
    for (path, key) in [(single, true), (bulk, false)] {
        check(path, b"{", 400, invalid(key, "PARSE_ERROR"));
        check(path, b"\xff", 400, invalid(key, "PARSE_ERROR"));
        check(path, b"[]", 400, invalid(key, "PARSE_ERROR"));
        check(path, b"{}", 400, invalid(key, "INVALID_CONTEXT"));
        check(path, br#"{"context": 7}"#, 400, invalid(key, "INVALID_CONTEXT"));
        check(path, br#"{"context": {"plan": "a", "plan": "b"}}"#, 400, invalid(key, "PARSE_ERROR"));
        let long = json!({"context": {"targetingKey": "a", "agent": "x".repeat((64 << 10) + 1)}}).to_string();
        check(path, long.as_bytes(), 400, invalid(key, "INVALID_CONTEXT"));
        check(path, br#"{"context": {"targetingKey": 7}}"#, 400, invalid(key, "INVALID_CONTEXT"));
        let large = if key { json!({"key": "f"}) } else { json!({}) };
        check(path, &vec![b' '; (1 << 20) + 1], 413, large);
    }
    let context = br#"{"context": {"targetingKey": "user-1"}}"#;
    check("/ofrep/v1/evaluate/flags/g", context, 404, json!({"key": "g", "errorCode": "FLAG_NOT_FOUND"}));
    check("/ofrep/v1/evaluate/flags/%FF", context, 400, json!({"key": "%FF", "errorCode": "PARSE_ERROR"}));
    let methods = [
        ("GET", "/ofrep/v1/evaluate/flags/f", Some("f")),
        ("PUT", "/ofrep/v1/evaluate/flags/a%2Fb", Some("a/b")),
        ("DELETE", "/ofrep/v1/evaluate/flags/%FF", Some("%FF")),
        ("GET", bulk, None),
        ("POST", "/ofrep/v1/stream", None),
    ];
    for (method, path, key) in methods {
        let reply = server.ask(method, path, &[("authorization", &bearer)], context);
        let sent = reply.json();
        let said = (reply.status, sent["errorCode"].as_str(), sent.get("key").and_then(Json::as_str));
        assert_eq!(said, (405, Some("GENERAL"), key), "{method} {path}: {sent}");
        assert!(sent["errorDetails"].as_str().unwrap().contains(';') && sent.get("code").is_none(), "{sent}");
    }
    for (key, status) in [("", 401), ("Bearer guess", 401), (&*format!("Bearer {}", server.admin), 403)] {
        let reply = server.ask("POST", bulk, &[("authorization", key)], context);
        assert_eq!((reply.status, &reply.json()["errorCode"]), (status, &json!("GENERAL")));
    }
    assert_eq!(server.ask("GET", "/ofrep/v1/stream?token=guess", &[], b"").status, 401);
}

#[test]
fn events_are_refused_in_the_words_that_sdks_read() {
    let server = Server::start();
    let before = server.state();
    let check = |path: &str, headers: &[(&str, &str)], body: &[u8], status: u16, error: &str| {
        let reply = server.ask("POST", path, headers, body);
        let sent = reply.json();
        assert_eq!(
            (reply.status, &sent["code"], &sent["error"]),
            (status, &json!(status), &json!(error)),
            "{sent}"
        );
        assert!(sent["hint"].is_string(), "{sent}");
        assert_eq!(server.state(), before);
    };
    for path in ["/2/httpapi", "/batch"] {
        check(path, &[], b"", 400, "Missing request body");
        check(path, &[], b"{", 400, "Invalid JSON request body");
        check(path, &[("content-encoding", "gzip")], b"{}", 400, "Invalid JSON request body");
        check(path, &[("content-encoding", "br")], b"{}", 400, "Invalid JSON request body");
        check(
            path,
            &[("content-type", "application/json; charset=utf-16")],
            b"\xff\xfe{\0}\0",
            400,
            "Invalid JSON request body",
        );
        check(
            path,
            &[],
            br#"{"api_key": "guess", "events": [{}]}"#,
            400,
            "Invalid API key: there is no such key, or it was revoked",
        );
        let body = json!({"api_key": server.client, "events": [{"event_type": "a", "user_id": "user-1"}, {"user_id": 7}]});
        check(path, &[], &serde_json::to_vec(&body).unwrap(), 400, "Request missing required field");
    }
    check("/2/httpapi", &[], &vec![b' '; (1 << 20) + 1], 413, "Payload too large");
    check("/batch", &[], &vec![b' '; (20 << 20) + 1], 413, "Payload too large");
    check("/batch", &[], &vec![b' '; (20 << 20) + 2], 413, "Payload too large");
    check("/2/nowhere", &[], b"{}", 404, "Invalid request path");
    let reply = server.ask("GET", "/2/httpapi", &[], b"");
    assert_eq!((reply.status, &reply.json()["code"]), (405, &json!(405)));
    // Gzip without its header is taken: some SDKs forget it. So is any content type.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let body = json!({"api_key": server.client, "events": [{"event_type": "a", "user_id": "user-1"}]});
    std::io::Write::write_all(&mut packed, &serde_json::to_vec(&body).unwrap()).unwrap();
    let packed = packed.finish().unwrap();
    for (i, headers) in
        [&[("content-type", "text/plain")][..], &[("content-encoding", "gzip")]].iter().enumerate()
    {
        let reply = server.ask("POST", "/2/httpapi", headers, &packed);
        assert_eq!((reply.status, &reply.json()["events_ingested"]), (200, &json!(1)));
        assert_eq!(server.state().1, before.1 + i as u64 + 1, "stored before it is answered");
    }
}

#[test]
fn amplitude_experiment_refuses_what_it_cannot_read() {
    let server = Server::start();
    let before = server.state();
    let key = format!("Api-Key {}", server.server);
    let check = |headers: &[(&str, &str)], body: &[u8], message: &str| {
        let mut all = vec![("authorization", key.as_str())];
        all.extend(headers);
        refused(&server.ask("POST", "/sdk/v2/vardata?v=0", &all, body), 400, "bad_input", message);
        assert_eq!(server.state(), before);
    };
    check(&[], b"", "there is no user");
    check(&[], b"{", "not JSON");
    check(&[], b"{}", "neither `user_id` nor `device_id`");
    check(&[], br#"{"user_id":"a","user_id":"b"}"#, "`user_id` is there twice");
    let long = json!({"user_id": "a", "user_properties": {"tags": vec![1; 10_001]}}).to_string();
    check(&[], long.as_bytes(), "the attribute `user_properties.tags` is a list of `10001` elements");
    check(&[("x-amp-exp-user", "not base64 json")], b"", "x-amp-exp-user");
    check(&[("x-amp-exp-user", "e30"), ("x-amp-exp-flag-keys", "e30")], b"", "neither");
    let reply = server.ask("POST", "/sdk/v2/vardata", &[], b"{}");
    refused(&reply, 401, "unauthenticated", "no key was sent");
    let large = server.ask("POST", "/sdk/v2/vardata", &[("authorization", &key)], &vec![b' '; (1 << 20) + 1]);
    refused(&large, 413, "too_large", "larger");
}

#[test]
fn a_disk_that_refuses_is_a_503_and_the_retry_is_stored_once() {
    let server = Server::start();
    let before = server.state();
    let body = json!({"api_key": server.client, "events": [{"event_type": "a", "user_id": "user-1", "insert_id": "i"}]});
    let send = || server.ask("POST", "/2/httpapi", &[], &serde_json::to_vec(&body).unwrap());
    let (log, away) = (server.dir.path().join("events/wal"), server.dir.path().join("away"));
    std::fs::rename(&log, &away).unwrap();
    let refused = send();
    let sent = refused.json();
    assert_eq!(
        (refused.status, &sent["code"], &sent["error"]),
        (503, &json!(503), &json!("Service unavailable"))
    );
    std::fs::rename(&away, &log).unwrap();
    for _ in 0..2 {
        assert_eq!(send().status, 200);
    }
    assert_eq!(server.state(), (before.0, before.1 + 1));
}

#[test]
fn a_list_comes_as_text_whole_or_not_at_all() {
    let server = Server::start();
    let bearer = format!("Bearer {}", server.admin);
    let put = |query: &str, kind: &str, body: &[u8]| {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        server.ask("PUT", &format!("/api/segments/staff/ids?{query}"), &headers, body)
    };
    let made = server.api("PUT", "/api/segments/staff", &json!({"why": "test"}));
    assert_eq!(made.status, 200, "{}", made.json());
    let (text, query) = ("text/plain; charset=utf-8", "list=included&why=test");
    // More than any other body may have.
    let many: String = (0..200_000).map(|n| format!("user-{n}\n")).collect();
    assert!(many.len() > 1 << 20);
    let taken = put(query, text, many.as_bytes());
    assert_eq!((taken.status, &taken.json()["included"]["count"]), (200, &json!(200_000)));
    let before = server.state();
    let would = put(&format!("{query}&dry_run=true"), text, b"ada\n");
    assert_eq!((would.status, &would.json()["included"]["first"]), (200, &json!(["ada"])));
    let check = |query: &str, kind: &str, body: &[u8], status: u16, code: &str, message: &str| {
        refused(&put(query, kind, body), status, code, message);
    };
    check(query, text, b"ada\nb\xffb\n", 400, "bad_input", "in line `2`: byte `2` is not UTF-8");
    check(query, text, b"ada\n\nbob\n", 400, "bad_input", "in line `2`: an id is empty");
    check(query, "application/json", b"[\"ada\"]", 400, "bad_input", "this takes plain text");
    check("why=test", text, b"ada", 400, "bad_input", "`list` is missing");
    check("list=both&why=test", text, b"ada", 400, "bad_input", "in `list`");
    check("list=included", text, b"ada", 400, "bad_input", "needs a reason");
    check(&format!("{query}&ids=ada"), text, b"bob", 400, "bad_input", "twice");
    check(query, text, &vec![b'a'; (64 << 20) + 1], 413, "too_large", "larger");
    assert_eq!(server.state(), before);
}
