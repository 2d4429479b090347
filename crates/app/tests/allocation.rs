//! App, tests: an event that follows the tracking plan costs no allocation more than it does where nothing is planned, and
//! none more where rates hold than where there are none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod opened;

use bellwether_app::{Door, Outcome, Rates, Sent, Settings};
use bellwether_model::Json;
use serde_json::json;

use opened::{NOW, Opened};

const EVENTS: u64 = 2_000;

/// What a request of events that follow the plan allocates, with a plan in force or without.
fn allocated(planned: bool, follow: bool) -> u64 {
    let house = Opened::new();
    let key = house.key();
    if planned {
        let currencies: Vec<String> = (0..40).map(|n| format!("C{n}")).collect();
        let properties = json!({
            "total": {"type": "number", "required": true}, "count": {"type": "integer"}, "first": {"type": "boolean"},
            "currency": {"type": "string", "values": currencies}, "plan": {"type": "string", "values": ["pro", "free"]},
            "at": {"type": "date_time"}, "tags": {"type": "list", "items": "string"}, "more": {"type": "object"}});
        let plan = json!({"events": {"Order Completed": {"properties": properties}}});
        house.did("plan.save", json!({"plan": plan, "why": "test"}));
    }
    let total = if follow { json!(9.5) } else { json!("9.5") };
    let event = |n: u64| {
        json!({"event_type": "Order Completed", "user_id": format!("user-{n}"), "insert_id": n.to_string(),
            "time": NOW, "event_properties": {"total": total, "count": n, "first": true, "currency": "C39", "plan": "pro",
            "at": "2026-11-27T09:00:00+01:00", "tags": ["a", "b"], "more": {"a": 1}, "$lib": "x", "missing": null}})
    };
    let events: Vec<Json> = (0..EVENTS).map(event).collect();
    let body = json!({"api_key": key, "events": events}).to_string();
    let sent = Sent { body: body.as_bytes(), ..Sent::default() };
    let mut outcome = None;
    let count =
        allocation_counter::measure(|| outcome = Some(house.app.take(Door::AmplitudeBatch, &sent, NOW)))
            .count_total;
    assert!(matches!(outcome, Some(Outcome::Waiting { .. })), "{outcome:?}");
    count
}

#[test]
fn an_event_that_follows_the_plan_allocates_nothing_for_it() {
    let (without, with) = (allocated(false, true), allocated(true, true));
    assert!(without > EVENTS, "{without}: nothing was counted");
    assert!(with <= without + 10, "{with} with a plan, {without} without, for {EVENTS} events");
    // What does not follow it is named, which allocates: this test can fail.
    let faulty = allocated(true, false);
    assert!(faulty > with + EVENTS, "{faulty}");
}

/// What the second request of a key allocates, with rates in force or without.
fn limited(rates: bool, most: u32) -> (u64, Outcome) {
    let house = Opened::with(|dir| {
        let environment = if rates { most } else { 0 };
        let rates = Rates { environment, unit: 0, unit_batch: 0, bot: 0 };
        Settings { rates, ..Settings::new(dir, Box::new(|| {})) }
    });
    let key = if rates { house.limited(most) } else { house.key() };
    let body = |from: u64| {
        let event =
            |n: u64| json!({"event_type": "a", "user_id": format!("user-{n}"), "insert_id": n.to_string()});
        let events: Vec<Json> = (from..from + EVENTS).map(event).collect();
        json!({"api_key": key, "events": events}).to_string()
    };
    let take = |body: &str| {
        let sent = Sent { body: body.as_bytes(), ..Sent::default() };
        house.app.take(Door::AmplitudeBatch, &sent, NOW)
    };
    let (first, second) = (body(0), body(EVENTS));
    // What is made once for a key and an environment is there then.
    take(&first);
    house.app.commit().unwrap();
    let mut outcome = None;
    let count = allocation_counter::measure(|| outcome = Some(take(&second))).count_total;
    (count, outcome.unwrap())
}

#[test]
fn a_rate_costs_no_allocation_per_event() {
    let ((without, _), (with, taken)) = (limited(false, 0), limited(true, 1_000));
    assert!(matches!(taken, Outcome::Waiting { .. }), "{taken:?}");
    assert!(without > EVENTS, "{without}: nothing was counted");
    assert!(with <= without + 10, "{with} with rates, {without} without, for {EVENTS} events");
    // The rates are in force: a tenth of them does not let it in.
    let (_, refused) = limited(true, 100);
    assert!(matches!(refused, Outcome::Answered(_)), "{refused:?}");
}
