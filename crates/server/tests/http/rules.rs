//! Server tests: the rules are for `server` keys, are sent once, and a change of them is told.

use serde_json::{Value as Json, json};

use crate::house::{Open, Reply, Server, call};

fn ask(server: &Server, path: &str, secret: &str, tag: &str) -> Reply {
    let bearer = format!("Bearer {secret}");
    server.ask("GET", path, &[("authorization", &*bearer), ("if-none-match", tag)], b"")
}

fn toggle(server: &Server, environment: &str, on: bool) {
    let input = json!({"flag": "f", "environment": environment, "on": on, "why": "x"});
    call(&server.app, &server.grant, "flag.toggle", input);
}

#[test]
fn rules_are_for_server_keys_and_admins() {
    let server = Server::start();
    let check = |path: &str, secret: &str, status: u16, message: &str| {
        for door in ["/api/rules", "/api/rules/stream", "/api/rules/lists/x"] {
            if status == 200 && door != "/api/rules" {
                continue;
            }
            let reply = ask(&server, &format!("{door}{path}"), secret, "");
            assert_eq!(reply.status, status, "{door}{path}");
            if status != 200 {
                let body = reply.json();
                assert_eq!(body["message"], message, "{body}");
                assert!(body["hint"].is_string(), "{body}");
            }
        }
    };
    check("", &server.server, 200, "");
    check("?environment=production", &server.server, 200, "");
    check("?environment=production", &server.admin, 200, "");
    check("?environment=development", &server.admin, 200, "");
    check("", &server.client, 403, "a `client` key gets answers, never rules");
    check(
        "?environment=development",
        &server.server,
        403,
        "the key belongs to environment `production`, and not to `development`",
    );
    check("", &server.admin, 400, "no environment is named, and the credential belongs to none");
    check("?environment=a%20b", &server.admin, 400, "`a b` is not a key");
    assert_eq!(server.ask("GET", "/api/rules", &[], b"").status, 401);
    assert_eq!(ask(&server, "/api/rules?environment=nowhere", &server.admin, "").status, 404);
    assert_eq!(server.api("POST", "/api/rules", &json!({})).status, 405);
}

#[test]
fn rules_that_are_known_are_not_sent_again() {
    let server = Server::start();
    let first = ask(&server, "/api/rules", &server.server, "");
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!(
        (first.header("cache-control"), &first.json()["version"]),
        (Some("private, no-cache"), &json!(2))
    );
    let known = ask(&server, "/api/rules", &server.server, &format!("\"x\", W/{tag}"));
    assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, Some(&*tag)));
    toggle(&server, "development", true);
    assert_eq!(ask(&server, "/api/rules", &server.server, &tag).status, 304, "not of this environment");
    toggle(&server, "production", false);
    let then = ask(&server, "/api/rules", &server.server, &tag);
    assert_eq!((then.status, &then.json()["flags"][0]["settings"]["production"]["on"]), (200, &json!(false)));
}

#[test]
fn a_long_list_is_got_by_its_name() {
    let server = Server::start();
    let ids: Vec<String> = (0..1_200).map(|n| format!("user-{n}")).collect();
    let targets = json!([{"variant": "on", "ids": ids}]);
    let input = json!({"flag": "f", "environment": "production", "targets": targets, "why": "x"});
    call(&server.app, &server.grant, "flag.target", input);
    let rules = ask(&server, "/api/rules", &server.server, "").json();
    let [list] = rules["apart"].as_array().unwrap().as_slice() else { panic!("{rules}") };
    assert!(rules.get("lists").is_none(), "{rules}");
    let path = format!("/api/rules/lists/{}", list.as_str().unwrap());
    let got: Vec<String> = serde_json::from_slice(&ask(&server, &path, &server.server, "").body).unwrap();
    assert_eq!(got, ids);
    let other = ask(&server, &format!("{path}?environment=development"), &server.admin, "");
    assert_eq!((other.status, &other.json()["code"]), (404, &json!("not_found")), "it is not cited there");
}

/// The tag of the next word of a stream.
fn told(stream: &mut Open) -> String {
    stream.until("event: rules\ndata: ");
    let data: Json = serde_json::from_str(stream.until("\n\n").trim()).unwrap();
    format!("\"{}\"", data["etag"].as_str().unwrap())
}

#[test]
fn a_stream_tells_the_tag_at_once_and_at_each_change_of_rules_or_trials() {
    let mut server = Server::start();
    let bearer = format!("Bearer {}", server.server);
    let mut stream = server.open("/api/rules/stream", &[("authorization", &bearer)]);
    let tag = || ask(&server, "/api/rules", &server.server, "").header("etag").unwrap().to_owned();
    let first = told(&mut stream);
    assert_eq!(first, tag());
    // Two changes that come to the same rules before anybody reads are none: each is read before the next.
    toggle(&server, "production", false);
    let off = told(&mut stream);
    assert_eq!((&*off, off != first), (&*tag(), true));
    toggle(&server, "production", true);
    let last = told(&mut stream);
    assert_eq!(last, first, "the same rules have the same tag");

    let metric = json!({"metric": "m", "event": "bought", "measure": {"measure": "conversion"}});
    call(&server.app, &server.grant, "metric.save", metric);
    let experiment = json!({"experiment": "e", "flag": "f", "environment": "production", "control": "off",
        "metric": "m", "days": 7, "hypothesis": "more"});
    call(&server.app, &server.grant, "experiment.create", experiment);
    call(&server.app, &server.grant, "experiment.start", json!({"experiment": "e", "why": "x"}));
    let trial = told(&mut stream);
    assert_eq!((trial.as_str(), trial != first), (&*tag(), true));
    let rules = ask(&server, "/api/rules", &server.server, "").json();
    assert!(rules["trials"]["f"].as_str().unwrap().starts_with("experiment e "), "{rules}");
    server.stop_soon();
    assert!(!stream.rest().contains("data:"));
    server.stop();
}
