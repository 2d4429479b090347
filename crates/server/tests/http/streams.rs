//! Server tests: streams hear of changes, and end when they must.

use serde_json::{Value as Json, json};

use crate::house::{Server, call};

fn toggle(server: &Server, on: bool) {
    let input = json!({"flag": "f", "environment": "production", "on": on, "why": "x"});
    call(&server.app, &server.grant, "flag.toggle", input);
}

fn address(server: &Server) -> String {
    let bearer = format!("Bearer {}", server.client);
    let context = br#"{"context": {"targetingKey": "user-1"}}"#;
    let all = server.ask("POST", "/ofrep/v1/evaluate/flags", &[("authorization", &bearer)], context).json();
    all["eventStreams"][0]["endpoint"]["requestUri"].as_str().unwrap().to_owned()
}

#[test]
fn ofrep_is_told_that_something_changed() {
    let mut server = Server::start();
    let mut stream = server.open(&address(&server), &[]);
    let head = stream.until(": connected\n\n");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    toggle(&server, false);
    let told = stream.until("\n\n");
    let lines: Vec<_> = told.lines().skip_while(|l| !l.starts_with("id: ")).collect();
    let [id, event, data] = lines[..3] else { panic!("{told}") };
    let data: Json = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(event, "event: message");
    assert_eq!(id.strip_prefix("id: "), data["etag"].as_str());
    assert_eq!((&data["type"], &data["lastModified"]), (&json!("refetchEvaluation"), &json!(1_790_000_000)));
    server.stop_soon();
    let rest = stream.rest();
    assert!(!rest.contains("data:"), "it ends without another word: {rest}");
    server.stop();
}

/// The tag of the next word of a stream.
fn told(stream: &mut crate::house::Open) -> String {
    stream.until("data: ");
    let data: Json = serde_json::from_str(stream.until("\n\n").trim()).unwrap();
    data["etag"].as_str().unwrap().to_owned()
}

#[test]
fn what_changes_between_a_clients_answers_and_its_stream_is_said_at_once() {
    let server = Server::start();
    let early = address(&server);
    toggle(&server, false);
    let late = address(&server);
    // Nothing rings any more: what is said is said on connecting.
    let new = told(&mut server.open(&early, &[]));
    assert!(late.ends_with(&format!("&knows={new}")), "{late}");
    // A client that was away says what it heard last, and that counts: the address is older.
    let old = early.split("&knows=").nth(1).unwrap();
    for address in [&early, &late] {
        assert_eq!(told(&mut server.open(address, &[("last-event-id", old)])), new, "{address}");
    }
}

#[test]
fn to_who_knows_it_all_nothing_is_said() {
    let mut server = Server::start();
    let early = address(&server);
    toggle(&server, false);
    let (late, plain) = (address(&server), early.split("&knows=").next().unwrap());
    let new = late.split("&knows=").nth(1).unwrap();
    let asked: [(&str, &[(&str, &str)]); 4] = [
        (&late, &[]),
        (&late, &[("last-event-id", "")]),
        (&early, &[("last-event-id", new)]),
        // An address of before, which names nothing, asks for what comes.
        (plain, &[]),
    ];
    let streams = asked.map(|(address, headers)| server.open(address, headers));
    let streams = streams.map(|mut stream| {
        stream.until(": connected\n\n");
        stream
    });
    server.stop_soon();
    for (stream, (address, _)) in streams.into_iter().zip(asked) {
        let rest = stream.rest();
        assert!(!rest.contains("data:"), "{address}: {rest}");
    }
}

#[test]
fn amplitude_gets_all_flags_at_once_and_at_each_change() {
    let server = Server::start();
    let key = format!("Api-Key {}", server.server);
    let mut stream = server.open("/sdk/stream/v1/flags", &[("authorization", &key)]);
    let flags = |stream: &mut crate::house::Open| -> Json {
        stream.until("data: ");
        serde_json::from_str(stream.until("\n\n").trim()).unwrap()
    };
    let first = flags(&mut stream);
    assert_eq!(first[0]["key"], "f");
    toggle(&server, false);
    let second = flags(&mut stream);
    assert_ne!(first, second);
    assert_eq!(second, server.ask("GET", "/sdk/v2/flags", &[("authorization", &key)], b"").json());
}

fn revoke_client_key(server: &Server) {
    let keys = call(&server.app, &server.grant, "key.list", json!({}));
    let id = keys["keys"].as_array().unwrap().iter().find(|k| k["scope"] == "client").unwrap()["id"].clone();
    call(&server.app, &server.grant, "key.revoke", json!({"key": id}));
}

#[test]
fn an_ofrep_stream_ends_with_its_key_and_a_new_key_gets_a_stream_of_its_own() {
    let server = Server::start();
    let ask = |secret: &str, tag: &str| {
        let bearer = format!("Bearer {secret}");
        let headers = [("authorization", &*bearer), ("if-none-match", tag)];
        server.ask(
            "POST",
            "/ofrep/v1/evaluate/flags",
            &headers,
            br#"{"context": {"targetingKey": "user-1"}}"#,
        )
    };
    let first = ask(&server.client, "");
    let tag = first.header("etag").unwrap();
    let old = address(&server);
    let mut stream = server.open(&old, &[]);
    stream.until(": connected\n\n");
    assert_eq!(ask(&server.client, tag).status, 304);
    revoke_client_key(&server);
    let rest = stream.rest();
    assert!(!rest.contains("data"), "{rest}");
    assert_eq!(server.ask("GET", &old, &[], b"").status, 401);
    // The tag of the old key's answer: with a 304 the client would go on with a stream that is closed to it.
    let answer = ask(&server.server, tag);
    assert_eq!(answer.status, 200);
    let new = answer.json()["eventStreams"][0]["endpoint"]["requestUri"].as_str().unwrap().to_owned();
    server.open(&new, &[]).until(": connected\n\n");
}

#[test]
fn a_client_key_hears_no_rules_and_a_revoked_one_nothing_more() {
    let server = Server::start();
    let key = format!("Api-Key {}", server.client);
    let mut stream = server.open("/sdk/stream/v1/flags", &[("authorization", &key)]);
    stream.until("data: []\n\n");
    revoke_client_key(&server);
    let rest = stream.rest();
    assert!(!rest.contains("data"), "{rest}");
    let again = server.ask("GET", "/sdk/stream/v1/flags", &[("authorization", &key)], b"");
    assert_eq!(again.status, 401);
}
