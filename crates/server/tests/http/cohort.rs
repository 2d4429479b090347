//! Server tests: lists that are too long for Amplitude's rules are loaded as cohorts, by who may have rules.

use base64::Engine;
use serde_json::{Value as Json, json};

use crate::house::{Reply, Server, call};

/// A flag that targets a list of 10,001 ids, and the list's id.
fn long_list(server: &Server) -> String {
    let ids: Vec<String> = (0..10_001).map(|n| format!("user-{n}")).collect();
    call(&server.app, &server.grant, "flag.create", json!({"flag": "staff"}));
    let targets = json!([{"variant": "on", "ids": ids}]);
    let input = json!({"flag": "staff", "environment": "production", "targets": targets, "why": "x"});
    call(&server.app, &server.grant, "flag.target", input);
    let on = json!({"flag": "staff", "environment": "production", "on": true, "why": "x"});
    call(&server.app, &server.grant, "flag.toggle", on);
    let bearer = format!("Bearer {}", server.server);
    let flags = server.ask("GET", "/sdk/v2/flags", &[("authorization", &bearer)], &[]).json();
    let flag = flags.as_array().unwrap().iter().find(|flag| flag["key"] == "staff").unwrap();
    let condition = &flag["segments"][0]["conditions"][0][0];
    assert_eq!(condition["selector"], json!(["context", "user", "cohort_ids"]));
    condition["values"][0].as_str().unwrap().to_owned()
}

fn ask(server: &Server, path: &str, secret: &str) -> Reply {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("whatever:{secret}"));
    server.ask("GET", path, &[("authorization", &format!("Basic {pair}"))], &[])
}

#[test]
fn a_long_list_is_a_cohort() {
    let server = Server::start();
    let list = long_list(&server);
    let path = format!("/sdk/v1/cohort/{list}?maxCohortSize=10001");
    let reply = ask(&server, &path, &server.server);
    assert_eq!(reply.status, 200);
    let cohort = reply.json();
    assert_eq!((&cohort["cohortId"], &cohort["groupType"]), (&json!(list), &json!("User")));
    assert_eq!(cohort["size"], 10_001);
    assert_eq!(cohort["memberIds"].as_array().map(Vec::len), Some(10_001));
    assert_eq!(cohort["memberIds"][10_000], "user-10000");
    let again = format!("{path}&lastModified={}", cohort["lastModified"]);
    let reply = ask(&server, &again, &server.server);
    assert_eq!((reply.status, reply.body.len()), (204, 0), "a list never changes");
}

#[test]
fn what_is_no_cohort_or_not_theirs_is_refused() {
    let server = Server::start();
    let list = long_list(&server);
    let made = json!({"name": "elsewhere", "scope": "server", "environment": "development"});
    let elsewhere =
        call(&server.app, &server.grant, "key.create", made)["secret"].as_str().unwrap().to_owned();
    let check = |path: &str, secret: &str, status: u16, said: &str| {
        let reply = ask(&server, path, secret);
        let body = reply.json();
        let (message, hint) = (body["message"].as_str().unwrap(), body["hint"].as_str().unwrap());
        assert!(reply.status == status && message.contains(said) && !hint.is_empty(), "{path}: {body}");
    };
    let path = format!("/sdk/v1/cohort/{list}");
    check(&path, "bws_nobody", 401, "key");
    check(&path, &server.client, 403, "`client` key");
    check(&path, &server.admin, 403, "SDK");
    check(&path, &elsewhere, 404, "no cohort");
    check("/sdk/v1/cohort/nothing", &server.server, 404, "no cohort `nothing`");
    check(&format!("{path}?maxCohortSize=10000"), &server.server, 413, "10001 members");
    check(&format!("{path}?maxCohortSize=many"), &server.server, 400, "`maxCohortSize` is `many`");
    let none = server.ask("GET", &path, &[], &[]);
    assert_eq!((none.status, none.json()["code"].clone()), (401, Json::from("unauthenticated")));
}
