//! Cli, tests: what was acknowledged and is kept apart is there once after a kill (W1), beside what was stored.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::common::Server;

/// Sends until the server is gone. Each event is bad, each other one is good.
fn send(
    server: &str,
    key: &str,
    sender: usize,
    first: usize,
    acknowledged: &Mutex<Vec<usize>>,
    stop: &AtomicBool,
) {
    for n in (first..).step_by(2) {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let event = |id: usize| {
            let properties = if id.is_multiple_of(2) { json!({"path": "/"}) } else { json!({}) };
            json!({"event_type": "Page Viewed", "user_id": format!("sender-{sender}"), "insert_id": id.to_string(),
                "event_properties": properties})
        };
        let ids = [n * 2, n * 2 + 1];
        let body = json!({"api_key": key, "events": ids.map(event)});
        let reply = ureq::post(format!("{server}/batch")).send_json(body);
        match reply {
            Ok(reply) if reply.status().is_success() => acknowledged.lock().unwrap().extend(ids),
            Ok(_) => {}
            // It is gone: whether the last ones were taken is not known.
            Err(_) => return,
        }
    }
}

/// How often each `insert_id` is there.
fn counted<'e>(events: impl Iterator<Item = &'e Value>) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        let id = event["insert_id"].as_str().unwrap().parse().unwrap();
        *counts.entry(id).or_default() += 1;
    }
    counts
}

fn held(server: &Server) -> BTreeMap<usize, usize> {
    let (mut events, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let page = server.json(&[
            "quarantine",
            "list",
            "--environment",
            "production",
            "--limit",
            "500",
            "--after",
            &after,
        ]);
        events.extend(page["events"].as_array().unwrap().iter().map(|held| held["event"].clone()));
        match page["next"].as_i64() {
            Some(next) => after = next.to_string(),
            None => return counted(events.iter()),
        }
    }
}

/// A server with a plan and without rates, and a key to send to it by.
fn unlimited(data: &Path) -> (Server, String) {
    let server = Server::start(data, &["--events-per-unit", "0", "--events-per-environment", "0"]);
    crate::planned(&server);
    let made =
        server.json(&["key", "create", "--name", "k", "--scope", "client", "--environment", "production"]);
    let key = made["secret"].as_str().unwrap().to_owned();
    (server, key)
}

#[test]
fn what_is_in_quarantine_is_there_once_after_a_kill() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let (mut server, key) = unlimited(&data);
    let admin = server.key.clone();
    let acknowledged = Mutex::new(Vec::new());
    for round in 0..4 {
        let (before, stop) = (acknowledged.lock().unwrap().len(), AtomicBool::new(false));
        let running = AtomicUsize::new(2);
        let address = server.address.clone();
        std::thread::scope(|scope| {
            for sender in 0..2 {
                let (running, acknowledged, stop, key, address) =
                    (&running, &acknowledged, &stop, &key, &address);
                scope.spawn(move || {
                    send(address, key, sender, round * 100_000 + sender, acknowledged, stop);
                    running.fetch_sub(1, Ordering::Relaxed);
                });
            }
            // The kill comes while requests are under way.
            while acknowledged.lock().unwrap().len() < before + 40 + 10 * round
                && running.load(Ordering::Relaxed) > 0
            {
                std::thread::yield_now();
            }
            drop(server);
            stop.store(true, Ordering::Relaxed);
        });
        server = Server::again(&data, &admin);
        let held = held(&server);
        let acknowledged = acknowledged.lock().unwrap();
        assert!(acknowledged.len() > before, "nothing was acknowledged");
        for id in acknowledged.iter().filter(|id| !id.is_multiple_of(2)) {
            assert_eq!(held.get(id), Some(&1), "{id} was acknowledged");
        }
        assert!(held.values().all(|count| *count == 1));
        assert!(held.keys().all(|id| !id.is_multiple_of(2)), "what follows the plan is not kept apart");
    }
    // Released, they are in the store as often as they should be.
    let (count, good) = (held(&server).len(), acknowledged.lock().unwrap().len() / 2);
    let released = server.json(&["quarantine", "release", "--environment", "production", "--all", "true"]);
    assert_eq!((&released["stored"], &released["duplicates"]), (&json!(count), &json!(0)));
    assert!(held(&server).is_empty());
    let catalogue = server.json(&["event", "catalogue", "--environment", "production"]);
    let stored =
        catalogue["events"].as_array().unwrap().iter().find(|event| event["event"] == "Page Viewed").unwrap();
    assert!(stored["count"].as_u64().unwrap() >= (count + good) as u64, "{stored}");
    server.stop();
}

fn page_viewed(user: Option<String>, device: String, good: bool) -> Value {
    let properties = if good { json!({"path": "/"}) } else { json!({}) };
    json!({"event_type": "Page Viewed", "user_id": user, "device_id": device, "event_properties": properties})
}

/// Sends events; whether they were acknowledged.
fn acknowledged(server: &str, key: &str, events: &[Value]) -> bool {
    let reply = ureq::post(format!("{server}/batch")).send_json(json!({"api_key": key, "events": events}));
    reply.is_ok_and(|reply| reply.status().is_success())
}

/// What waits for its commit while something is held has numbers, which others have after a kill.
#[test]
fn what_is_in_quarantine_after_a_kill_is_not_of_who_signs_in_after_it() {
    const DEVICES: usize = 12;
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let (mut server, key) = unlimited(&data);
    let admin = server.key.clone();
    for round in 0..8 {
        let sign_in = |user: &str| -> Vec<Value> {
            let who = |n| (Some(format!("{user}-{round}-{n}")), format!("tablet-{round}-{n}"));
            (0..DEVICES).map(who).map(|(user, device)| page_viewed(user, device, true)).collect()
        };
        assert!(acknowledged(&server.address, &key, &sign_in("anna")));
        let (address, stop) = (server.address.clone(), AtomicBool::new(false));
        let (address, stop, key) = (&address, &stop, &key);
        let held = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for sender in 0..4 {
                scope.spawn(move || {
                    let many = vec![page_viewed(None, format!("elsewhere-{sender}"), true); 1_000];
                    while !stop.load(Ordering::Relaxed) && acknowledged(address, key, &many) {}
                });
            }
            let held = &held;
            scope.spawn(move || {
                let alone = |n: &usize| page_viewed(None, format!("tablet-{round}-{n}"), false);
                for _ in (0..DEVICES).take_while(|n| acknowledged(address, key, &[alone(n)])) {
                    held.fetch_add(1, Ordering::Relaxed);
                }
            });
            // The kill comes while the next is on its way.
            while held.load(Ordering::Relaxed) < 3 + round {
                std::thread::yield_now();
            }
            drop(server);
            stop.store(true, Ordering::Relaxed);
        });
        let held = held.into_inner();
        server = Server::again(&data, &admin);
        assert!(acknowledged(&server.address, key, &sign_in("bert")));
        let theirs = |user: String| {
            let whose = ["person", "export", "--environment", "production", "--user", &user];
            server.json(&whose)["quarantine"].as_array().unwrap().len()
        };
        for n in 0..DEVICES {
            assert_eq!(theirs(format!("bert-{round}-{n}")), 0, "{n} in round {round}");
            assert!(n >= held || theirs(format!("anna-{round}-{n}")) == 1, "{n} in round {round}");
        }
    }
    server.stop();
}
