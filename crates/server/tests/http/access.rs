//! Server tests: cookies, the page's token, and who is slowed down.

use bellwether_server::{Limits, Proxies};
use serde_json::{Value as Json, json};

use crate::house::{PASSWORD, Reply, Server};

fn log_in(server: &Server, password: &str, headers: &[(&str, &str)]) -> Reply {
    let body = json!({"email": "ada@example.com", "password": password});
    server.ask("POST", "/api/login", headers, &serde_json::to_vec(&body).unwrap())
}

fn cookie(reply: &Reply) -> String {
    reply.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

#[test]
fn a_session_is_a_cookie_and_changes_need_the_pages_token() {
    let server = Server::start();
    let reply = log_in(&server, PASSWORD, &[]);
    let set = reply.header("set-cookie").unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"), "{set}");
    let (cookie, csrf) = (cookie(&reply), reply.json()["csrf"].as_str().unwrap().to_owned());
    let me = server.ask("GET", "/api/me", &[("cookie", &cookie)], b"").json();
    assert_eq!((&me["csrf"], &me["person"]["name"]), (&json!(csrf), &json!("Ada")));
    let toggle = |headers: &[(&str, &str)]| {
        let body = br#"{"environment":"production","on":true,"why":"x"}"#;
        server.ask("POST", "/api/flags/f/toggle", headers, body)
    };
    let before = server.state();
    for headers in [&[("cookie", cookie.as_str())][..], &[("cookie", &cookie), ("x-csrf-token", "guess")]] {
        let reply = toggle(headers);
        assert_eq!((reply.status, &reply.json()["code"]), (403, &json!("csrf")));
    }
    assert_eq!(server.state(), before);
    assert_eq!(
        server.ask("GET", "/api/flags", &[("cookie", &cookie)], b"").status,
        200,
        "looking needs none"
    );
    assert_eq!(toggle(&[("cookie", &cookie), ("x-csrf-token", &csrf)]).status, 200);
    let out = |headers: &[(&str, &str)]| server.ask("POST", "/api/logout", headers, b"").status;
    assert_eq!(out(&[("cookie", &cookie)]), 403);
    assert_eq!(out(&[("cookie", &cookie), ("x-csrf-token", &csrf)]), 200);
    assert_eq!(server.ask("GET", "/api/me", &[("cookie", &cookie)], b"").status, 401);
    assert_eq!(out(&[]), 200, "twice is fine");
}

#[test]
fn another_site_cannot_log_anybody_in() {
    let server = Server::start();
    for (site, status) in [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)] {
        let reply = log_in(&server, PASSWORD, &[("sec-fetch-site", site)]);
        assert_eq!(reply.status, status, "{site}");
        assert_eq!(reply.header("set-cookie").is_some(), status == 200, "{site}");
    }
}

#[test]
fn guessing_is_slowed_down_and_errors_show_no_password() {
    let server = Server::start();
    for _ in 0..10 {
        let reply = log_in(&server, "a wrong password", &[]);
        assert_eq!((reply.status, &reply.json()["code"]), (401, &json!("unauthenticated")));
    }
    let reply = log_in(&server, PASSWORD, &[]);
    assert_eq!((reply.status, &reply.json()["code"]), (429, &json!("too_many")));
    assert_eq!(reply.header("retry-after"), Some("900"));
    let bodies: [Json; 4] = [
        json!({"email": "x", "password": 12_345_678}),
        json!({"email": "x"}),
        json!({"email": "x", "password": "y", "more": 1}),
        json!([]),
    ];
    for body in bodies {
        let reply = server.ask("POST", "/api/login", &[], &serde_json::to_vec(&body).unwrap());
        assert_eq!(reply.status, 400, "{body}");
        assert!(!String::from_utf8_lossy(&reply.body).contains("12345678"));
    }
}

#[test]
fn the_clock_is_an_admins_to_move_and_only_forward() {
    let server = Server::start();
    let advance = |to: Json| server.api("POST", "/api/clock/advance", &json!({"to": to}));
    let now = server.api("GET", "/api/clock", &Json::Null).json();
    assert_eq!(now, json!({"mode": "manual", "now": 1_790_000_000_000_i64}));
    assert_eq!(advance(json!(1_790_000_060_000_i64)).json()["now"], 1_790_000_060_000_i64);
    for wrong in [json!(0), json!(i64::MAX), json!("now"), json!(1.5)] {
        assert_eq!(advance(wrong.clone()).status, 400, "{wrong}");
    }
    let bearer = format!("Bearer {}", server.server);
    let body = br#"{"to": 1790000070000}"#;
    assert_eq!(server.ask("POST", "/api/clock/advance", &[("authorization", &bearer)], body).status, 403);
    assert_eq!(server.ask("POST", "/api/clock/advance", &[], body).status, 401);
}

#[test]
fn anybody_may_ask_whether_the_first_account_is_made() {
    let server = Server::start();
    let reply = server.ask("GET", "/api/setup", &[], b"");
    assert_eq!((reply.status, reply.json()), (200, json!({"open": false})));
    let wrong = server.ask("POST", "/api/setup", &[], b"{}");
    assert_eq!(wrong.status, 400, "asking is one thing, setting up another");
}

/// Everybody can choose among the addresses of their network.
#[test]
fn guesses_from_one_network_of_version_6_are_of_one() {
    let server = Server::within(Limits { proxies: Proxies::at(["127.0.0.1"]).unwrap(), ..Limits::default() });
    let from = |address: &str| log_in(&server, "a wrong password", &[("x-forwarded-for", address)]).status;
    let statuses: Vec<u16> = (0..11).map(|n| from(&format!("2001:db8:0:1::{n:x}"))).collect();
    assert_eq!((&statuses[..10], statuses[10]), (&[401; 10][..], 429));
    assert_eq!(["2001:db8:0:2::1", "198.51.100.7", "198.51.100.8"].map(from), [401; 3]);
}
