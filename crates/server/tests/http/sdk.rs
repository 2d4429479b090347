//! Server tests: what SDKs are answered.

use base64::Engine;
use serde_json::{Value as Json, json};

use crate::house::{Server, call};

#[test]
fn ofrep_answers_one_flag_and_all_of_them() {
    let server = Server::start();
    let context = br#"{"context": {"targetingKey": "user-1"}}"#;
    let bearer = format!("Bearer {}", server.client);
    let check = |headers: &[(&str, &str)]| {
        let one = server.ask("POST", "/ofrep/v1/evaluate/flags/f", headers, context);
        assert_eq!(one.status, 200);
        let one = one.json();
        assert_eq!(
            one,
            json!({"key": "f", "value": one["variant"] == "on", "variant": one["variant"], "reason": "SPLIT"})
        );
        let all = server.ask("POST", "/ofrep/v1/evaluate/flags", headers, context).json();
        assert_eq!(all["flags"], json!([one]));
        let uri = all["eventStreams"][0]["endpoint"]["requestUri"].as_str().unwrap();
        assert!(uri.starts_with("/ofrep/v1/stream?token="), "{uri}");
    };
    check(&[("authorization", &bearer)]);
    check(&[("x-api-key", &server.client)]);
}

#[test]
fn who_has_no_id_gets_what_divides_nobody_and_is_told_what_is_missing() {
    let server = Server::start();
    let bearer = format!("Bearer {}", server.client);
    let ask = |path: &str, context: Json| {
        let body = serde_json::to_vec(&json!({"context": context})).unwrap();
        server.ask("POST", &format!("/ofrep/v1/evaluate/flags{path}"), &[("authorization", &bearer)], &body)
    };
    let in_production = |operation: &str, mut input: Json| {
        input
            .as_object_mut()
            .unwrap()
            .extend([("environment".into(), "production".into()), ("why".into(), "x".into())]);
        call(&server.app, &server.grant, operation, input);
    };
    // `f` divides users, `d` devices, and `t` nobody: it has a target and a rule.
    call(&server.app, &server.grant, "flag.create", json!({"flag": "d", "unit": "device"}));
    call(&server.app, &server.grant, "flag.create", json!({"flag": "t"}));
    let shares = json!([{"variant": "on", "share": 5000}, {"variant": "off", "share": 5000}]);
    in_production("flag.target", json!({"flag": "d", "default": {"serve": "split", "shares": shares}}));
    let rule = json!({"when": [[{"attribute": "country", "op": "is", "values": ["FI"]}]],
        "serve": {"serve": "variant", "variant": "on"}});
    let targets = json!([{"variant": "on", "ids": ["user-7"]}]);
    let default = json!({"serve": "variant", "variant": "off"});
    in_production(
        "flag.target",
        json!({"flag": "t", "targets": targets, "rules": [rule], "default": default}),
    );
    for flag in ["d", "t"] {
        in_production("flag.toggle", json!({"flag": flag, "on": true}));
    }
    let lacks = |flag: &str, code: &str, field: &str| {
        json!({"key": flag, "errorCode": code, "errorDetails": format!(
            "flag `{flag}` divides by `{field}`, which the context does not have; send it as text")})
    };
    let user = lacks("f", "TARGETING_KEY_MISSING", "targetingKey");
    let device = lacks("d", "INVALID_CONTEXT", "device_id");
    let plain = |variant: &str, reason: &str| json!({"key": "t", "value": variant == "on", "variant": variant, "reason": reason});
    let events = server.state().1;
    for nobody in [json!({}), json!({"targetingKey": null}), json!({"targetingKey": ""})] {
        for (path, said) in [("/f", &user), ("/d", &device)] {
            let reply = ask(path, nobody.clone());
            assert_eq!((reply.status, &reply.json()), (400, said), "{nobody}");
        }
        assert_eq!(ask("/t", nobody.clone()).json(), plain("off", "DEFAULT"), "{nobody}");
        let all = ask("", nobody.clone()).json();
        assert_eq!(all["flags"], json!([device, user, plain("off", "DEFAULT")]), "{nobody}");
    }
    assert_eq!(ask("/t", json!({"country": "FI"})).json(), plain("on", "TARGETING_MATCH"));
    assert_eq!(server.state().1, events, "nobody was exposed");
    assert_eq!(ask("/f", json!({"targetingKey": "user-1"})).status, 200);
    assert_eq!(ask("/d", json!({"device_id": "device-1"})).json()["reason"], "SPLIT");
    // What divides nobody needs nobody, also of the flag that did.
    in_production("flag.toggle", json!({"flag": "f", "on": false}));
    assert_eq!(ask("/f", json!({})).json()["reason"], "DISABLED");
}

#[test]
fn a_tag_names_the_answer_of_one_context() {
    let server = Server::start();
    let bulk = |user: &str, tag: &str| {
        let body = format!(r#"{{"context": {{"targetingKey": "{user}"}}}}"#);
        let bearer = format!("Bearer {}", server.client);
        let headers = [("authorization", bearer.as_str()), ("if-none-match", tag)];
        server.ask("POST", "/ofrep/v1/evaluate/flags", &headers, body.as_bytes())
    };
    let first = bulk("user-1", "");
    let tag = first.header("etag").unwrap().to_owned();
    for sent in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let same = bulk("user-1", &sent);
        assert_eq!(
            (same.status, same.body.len(), same.header("etag")),
            (304, 0, Some(tag.as_str())),
            "{sent}"
        );
    }
    assert_eq!(bulk("user-2", &tag).status, 200, "another context");
    call(&server.app, &server.grant, "flag.describe", json!({"flag": "f", "name": "new name"}));
    assert_eq!(bulk("user-1", &tag).status, 304, "nothing that is served has changed");
    call(
        &server.app,
        &server.grant,
        "flag.toggle",
        json!({"flag": "f", "environment": "production", "on": false, "why": "x"}),
    );
    let changed = bulk("user-1", &tag);
    assert_eq!((changed.status, &changed.json()["flags"][0]["reason"]), (200, &json!("DISABLED")));
}

#[test]
fn amplitude_gets_variants_and_only_a_server_key_the_rules() {
    let server = Server::start();
    let with = |key: &str, more: &[(&str, &str)], method: &str, path: &str, body: &[u8]| {
        let key = format!("Api-Key {key}");
        let mut headers = vec![("authorization", key.as_str())];
        headers.extend(more);
        server.ask(method, path, &headers, body)
    };
    let encode = |value: Json| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    let user = encode(json!({"user_id": "user-1", "device_id": null}));
    let got = with(&server.client, &[("x-amp-exp-user", &user)], "GET", "/sdk/v2/vardata?v=0", b"");
    let got = got.json();
    let sent = with(&server.client, &[], "POST", "/sdk/v2/vardata?v=0", br#"{"user_id": "user-1"}"#).json();
    assert_eq!(got, sent);
    assert!(["on", "off"].iter().any(|v| got["f"]["key"] == **v), "{got}");
    let none = encode(json!(["g"]));
    let headers = [("x-amp-exp-user", user.as_str()), ("x-amp-exp-flag-keys", none.as_str())];
    assert_eq!(with(&server.client, &headers, "GET", "/sdk/v2/vardata?v=0", b"").json(), json!({}));
    assert_eq!(with(&server.client, &[], "GET", "/sdk/v2/flags", b"").json(), json!([]));
    let rules = with(&server.server, &[], "GET", "/sdk/v2/flags", b"").json();
    assert_eq!(rules[0]["key"], "f");
    let status = server.ask("GET", "/status", &[], b"");
    assert_eq!(status.body, b"OK");
    assert_eq!(
        server.ask("GET", "/config/any-key?config_group=browser", &[], b"").json(),
        json!({"configs": {}})
    );
}

#[test]
fn vardata_records_as_its_headers_say() {
    let server = Server::start();
    let ask = |user: &str, more: &[(&str, &str)]| {
        let key = format!("Api-Key {}", server.client);
        let mut headers = vec![("authorization", key.as_str())];
        headers.extend(more);
        let before = server.state().1;
        let body = json!({"user_id": user}).to_string();
        assert_eq!(server.ask("POST", "/sdk/v2/vardata", &headers, body.as_bytes()).status, 200);
        server.state().1 - before
    };
    assert_eq!(ask("user-1", &[]), 1, "an assignment unless told otherwise");
    assert_eq!(ask("user-2", &[("x-amp-exp-track", "no-track")]), 0);
    assert_eq!(ask("user-3", &[("x-amp-exp-track", "read-only")]), 0);
    assert_eq!(ask("user-4", &[("x-amp-exp-track", "track"), ("x-amp-exp-exposure-track", "track")]), 2);
    assert_eq!(ask("user-5", &[("x-amp-exp-track", "no-track"), ("x-amp-exp-exposure-track", "track")]), 1);
}

#[test]
fn browsers_of_any_site_may_use_the_sdk_doors_and_not_the_api() {
    let server = Server::start();
    let preflight = |path: &str, method: &str, headers: &str| {
        let asked = [
            ("origin", "https://shop.example"),
            ("access-control-request-method", method),
            ("access-control-request-headers", headers),
        ];
        server.ask("OPTIONS", path, &asked, b"")
    };
    let check = |path: &str, method: &str, headers: &str| {
        let reply = preflight(path, method, headers);
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(reply.header("access-control-allow-credentials"), None, "{path}");
        let allowed = reply.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
        assert_eq!(allowed, headers, "{path}");
        assert!(reply.header("access-control-allow-methods").unwrap().contains(method), "{path}");
    };
    check("/ofrep/v1/evaluate/flags", "POST", "authorization,content-type,if-none-match,x-api-key");
    check("/ofrep/v1/evaluate/flags/f", "POST", "authorization,content-type");
    check("/ofrep/v1/stream?token=x", "GET", "cache-control");
    check(
        "/sdk/v2/vardata?v=0",
        "GET",
        "authorization,x-amp-exp-user,x-amp-exp-track,x-amp-exp-exposure-track",
    );
    check("/sdk/v2/flags", "GET", "authorization,x-amp-exp-library");
    check("/2/httpapi", "POST", "content-type,content-encoding");
    check("/batch", "POST", "content-type,content-encoding");
    let reply = preflight("/api/flags", "POST", "content-type");
    assert_eq!(reply.header("access-control-allow-origin"), None);
    // Without these a browser cannot read the tag and never gets a 304; refusals must be readable too.
    let headers = [("origin", "https://shop.example"), ("authorization", "Bearer guess")];
    let reply = server.ask("POST", "/ofrep/v1/evaluate/flags", &headers, b"{}");
    assert_eq!(reply.status, 401);
    let exposed = reply.header("access-control-expose-headers").unwrap().to_ascii_lowercase();
    assert!(exposed.contains("etag") && exposed.contains("retry-after"), "{exposed}");
}

#[test]
fn a_user_with_half_a_character_is_answered_as_with_the_replacement_character() {
    let server = Server::start();
    let bearer = format!("Bearer {}", server.client);
    let auth = ("authorization", bearer.as_str());
    let base64 = |json: &str| base64::engine::general_purpose::URL_SAFE.encode(json);
    let (half, whole) = (r#"{"user_id": "user \ud83d"}"#, r#"{"user_id": "user \ufffd"}"#);
    let wanted = server.ask("POST", "/sdk/v2/vardata", &[auth], whole.as_bytes());
    assert!(wanted.status == 200 && wanted.json()["f"].is_object());
    let keys = base64(r#"["f", "\ude00"]"#);
    let user = base64(half);
    let asked: [(&[(&str, &str)], &str); 3] = [
        (&[auth], half),
        (&[auth, ("x-amp-exp-user", &user)], ""),
        (&[auth, ("x-amp-exp-user", &user), ("x-amp-exp-flag-keys", &keys)], ""),
    ];
    for (headers, body) in asked {
        let reply = server.ask("POST", "/sdk/v2/vardata", headers, body.as_bytes());
        assert_eq!((reply.status, reply.json()), (200, wanted.json()), "{headers:?}");
    }
    let context = br#"{"context": {"targetingKey": "user \ud83d", "\ude00": ["\uDC00"]}}"#;
    for path in ["/ofrep/v1/evaluate/flags/f", "/ofrep/v1/evaluate/flags"] {
        assert_eq!(server.ask("POST", path, &[auth], context).status, 200);
    }
    // People's own words are not changed behind their back.
    let body = json!({"flag": "g"}).to_string().replace("\"g\"", r#""g", "description": "\ud83d""#);
    let admin = format!("Bearer {}", server.admin);
    assert_eq!(server.ask("POST", "/api/flags", &[("authorization", &admin)], body.as_bytes()).status, 400);
}
