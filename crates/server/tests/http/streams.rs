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

#[test]
fn a_client_key_hears_no_rules_and_a_revoked_one_nothing_more() {
    let server = Server::start();
    let key = format!("Api-Key {}", server.client);
    let mut stream = server.open("/sdk/stream/v1/flags", &[("authorization", &key)]);
    stream.until("data: []\n\n");
    let keys = call(&server.app, &server.grant, "key.list", json!({}));
    let id = keys["keys"].as_array().unwrap().iter().find(|k| k["scope"] == "client").unwrap()["id"].clone();
    call(&server.app, &server.grant, "key.revoke", json!({"key": id}));
    let rest = stream.rest();
    assert!(!rest.contains("data"), "{rest}");
    let again = server.ask("GET", "/sdk/stream/v1/flags", &[("authorization", &key)], b"");
    assert_eq!(again.status, 401);
}
