//! Server tests: whatever is thrown at any door, it answers, and never with a fault of its own.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::house::Server;

fn paths() -> Vec<String> {
    let mut paths: Vec<String> = bellwether_app::REGISTRY.iter().map(|e| e.path.to_owned()).collect();
    let others = [
        "/ofrep/v1/evaluate/flags/{flag}",
        "/ofrep/v1/evaluate/flags",
        "/ofrep/v1/stream?token={flag}",
        "/sdk/v2/vardata",
        "/sdk/v2/flags",
        "/sdk/v1/cohort/{flag}?maxCohortSize=1",
        "/flagd.sync.v1.FlagSyncService/SyncFlags",
        "/2/httpapi",
        "/batch",
        "/config/{key}",
        "/api/login",
        "/api/setup",
        "/api/logout",
        "/api/me",
        "/api/clock",
        "/api/clock/advance",
        "/status",
        "/openapi.json",
        "/",
    ];
    paths.extend(others.map(str::to_owned));
    paths.sort();
    paths.dedup();
    paths
}

fn body(key: String) -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![
        Just("-1"),
        Just("0"),
        Just("1e400"),
        Just("18446744073709551615"),
        Just("9999999999999")
    ];
    let value = prop_oneof![
        number.prop_map(str::to_owned),
        "[a-z]{0,6}".prop_map(|s| format!("{s:?}")),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("{}".to_owned()),
        Just("[]".to_owned()),
        Just("[{\"variant\":\"on\",\"share\":5000},{\"variant\":\"off\",\"share\":5000}]".to_owned()),
        Just("{\"serve\":\"split\",\"shares\":[]}".to_owned()),
        Just("[{\"event_type\":\"a\",\"user_id\":\"user-1\"}]".to_owned()),
        Just("{\"targetingKey\":\"user-1\"}".to_owned()),
        Just("\"production\"".to_owned()),
        Just("\"f\"".to_owned()),
        Just("\"2026-09-21\"".to_owned()),
        Just(format!("{key:?}")),
    ];
    let names = [
        "flag",
        "environment",
        "on",
        "why",
        "shares",
        "default",
        "rules",
        "targets",
        "context",
        "events",
        "api_key",
        "event",
        "from",
        "to",
        "zone",
        "limit",
        "by",
        "if_revision",
        "revision",
        "email",
        "password",
        "token",
        "metric",
        "measure",
        "days",
        "control",
        "candidate",
        "share",
        "experiment",
        "user_id",
        "variants",
        "since",
    ];
    let field = (0..names.len(), value).prop_map(move |(i, v)| format!("\"{}\":{v}", names[i]));
    let object =
        proptest::collection::vec(field, 0..6).prop_map(|f| format!("{{{}}}", f.join(",")).into_bytes());
    prop_oneof![
        2 => object,
        1 => proptest::collection::vec(any::<u8>(), 0..200),
        1 => Just(Vec::new()),
        1 => (1_usize..400).prop_map(|n| "[".repeat(n).into_bytes()),
    ]
}

#[test]
fn nothing_that_is_sent_is_a_fault_of_ours() {
    let server = Server::start();
    let paths = paths();
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"];
    let names = ["f", "e", "buys", "nobody", "%FF", "%00", "a%2Fb", "..", "%F0%9F%A6%8A", "-"];
    let queries = [
        "",
        "?environment=production",
        "?limit=-1",
        "?before=18446744073709551615",
        "?%FF=%FF&&=",
        "?dry_run=true",
        "?revision=99999999999999999999",
        "?environment=production&limit=4294967296",
        "?flag_key=f,,g",
    ];
    let headers = [
        ("x-amp-exp-user", "e30"),
        ("x-amp-exp-user", "!!"),
        ("content-encoding", "gzip"),
        ("if-none-match", "\"x\", *"),
        ("cookie", "bellwether_session=x; ="),
        ("x-amp-exp-flag-keys", "WzFd"),
        ("x-csrf-token", "x"),
        ("content-type", "multipart/form-data"),
    ];
    let keys = [
        format!("Bearer {}", server.admin),
        format!("Bearer {}", server.server),
        format!("Api-Key {}", server.client),
        "Bearer".to_owned(),
        "Basic eDp5".to_owned(),
    ];
    let request = (
        0..methods.len(),
        0..paths.len(),
        0..names.len(),
        0..queries.len(),
        0..headers.len(),
        0..keys.len(),
        body(server.client.clone()),
    );
    TestRunner::new(Config::with_cases(600))
        .run(&request, |(method, path, name, query, header, key, body)| {
            let mut path = paths[path].clone();
            while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
                path.replace_range(from..=to, names[name]);
            }
            let query = if path.contains('?') { "" } else { queries[query] };
            let sent = [headers[header], ("authorization", keys[key].as_str())];
            // A request that would be left open: a stream that was granted.
            let reply = server.ask(methods[method], &format!("{path}{query}"), &sent, &body);
            prop_assert!(
                reply.status < 500,
                "{} {}{}: {} {}",
                methods[method],
                path,
                query,
                reply.status,
                String::from_utf8_lossy(&reply.body)
            );
            if reply.status >= 400 && methods[method] != "HEAD" && path != "/" {
                let body: Result<serde_json::Value, _> = serde_json::from_slice(&reply.body);
                prop_assert!(
                    body.is_ok_and(|b| b.is_object()),
                    "{} {path}{query}: {}",
                    methods[method],
                    String::from_utf8_lossy(&reply.body)
                );
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(server.ask("GET", "/status", &[], b"").body, b"OK", "it still stands");
}
