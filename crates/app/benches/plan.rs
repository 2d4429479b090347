//! App, bench: what the tracking plan costs an event that follows it, from a request's bytes to the commit, without
//! HTTP. It asserts no duration; it prints what it saw, of one thread and one installation:
//!
//!     cargo bench -p bellwether-app --bench plan
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../tests/opened/mod.rs"]
mod opened;

use std::time::Instant;

use bellwether_app::{Door, Outcome, Rates, Sent, Settings};
use bellwether_model::Json;
use serde_json::json;

use opened::{NOW, Opened};

/// Events of a request.
const BATCH: usize = 1_000;
/// Requests of a round.
const REQUESTS: usize = 100;
/// Rounds of each kind; they take turns.
const ROUNDS: usize = 5;

/// Requests of events with ten properties each; `round` keeps their ids apart.
fn requests(key: &str, round: usize) -> Vec<Vec<u8>> {
    let event = |n: usize| {
        json!({"event_type": format!("Event {}", n % 20), "user_id": format!("user-{}", n % 5_000), "time": NOW,
            "insert_id": format!("{round}-{n}"), "library": "amplitude-node-ts/1.5.73", "event_properties": {
            "total": 9.5, "currency": "EUR", "count": n, "path": "/checkout", "plan": "pro", "first": n.is_multiple_of(2),
            "tags": ["a", "b"], "at": "2026-11-27T09:00:00Z", "referrer": "https://example.com", "step": 3}})
    };
    let request = |r: usize| {
        let events: Vec<Json> = (r * BATCH..(r + 1) * BATCH).map(event).collect();
        json!({"api_key": key, "events": events}).to_string().into_bytes()
    };
    (0..REQUESTS).map(request).collect()
}

/// A plan of the twenty event types and as many others.
fn plan() -> Json {
    let kinds = [
        ("total", "number"),
        ("count", "integer"),
        ("path", "string"),
        ("plan", "string"),
        ("first", "boolean"),
        ("at", "date_time"),
        ("referrer", "string"),
        ("step", "integer"),
    ];
    let properties: serde_json::Map<String, Json> = kinds
        .into_iter()
        .map(|(name, kind)| (name.to_owned(), json!({"type": kind, "required": true})))
        .chain([
            ("currency".to_owned(), json!({"type": "string", "values": ["USD", "EUR", "SEK"]})),
            ("tags".to_owned(), json!({"type": "list", "items": "string"})),
        ])
        .collect();
    let events: serde_json::Map<String, Json> =
        (0..40).map(|n| (format!("Event {n}"), json!({"properties": properties}))).collect();
    json!({"events": events, "rules": {"environments": {"production": {"invalid": "reject"}}}})
}

fn main() {
    let rates = Rates { environment: 0, unit: 0, unit_batch: 0, bot: 0 };
    let house = Opened::with(|dir| Settings { rates, ..Settings::new(dir, Box::new(|| {})) });
    let (app, key) = (&house.app, house.key());
    let mut seen = [Vec::new(), Vec::new()];
    for round in 0..2 * ROUNDS {
        let planned = round % 2 == 1;
        let wanted = if planned { plan() } else { json!({"events": {}}) };
        if round > 0 {
            house.did("plan.save", json!({"plan": wanted, "why": "bench"}));
        }
        let requests = requests(&key, round);
        let began = Instant::now();
        for body in &requests {
            let outcome = app.take(Door::AmplitudeBatch, &Sent { body, ..Sent::default() }, NOW);
            assert!(matches!(outcome, Outcome::Waiting { .. }), "{outcome:?}");
            app.commit().unwrap();
        }
        let took = began.elapsed();
        app.step(NOW).unwrap();
        #[allow(clippy::cast_precision_loss)]
        seen[usize::from(planned)].push(took.as_nanos() as f64 / (BATCH * REQUESTS) as f64);
    }
    assert_eq!(house.did("plan.violations", json!({"environment": "production"}))["violations"], json!([]));
    for (what, seen) in ["without a plan", "with a plan"].into_iter().zip(&mut seen) {
        seen.sort_by(f64::total_cmp);
        println!(
            "{what}: {:.0} ns an event (from {:.0} to {:.0})",
            seen[ROUNDS / 2],
            seen[0],
            seen[ROUNDS - 1]
        );
    }
}
