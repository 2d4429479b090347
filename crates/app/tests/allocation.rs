//! App, tests: an event that follows the tracking plan costs no allocation more than it does where nothing is planned.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bellwether_app::{App, Cancel, Ctx, Door, Outcome, Progress, Sent, Settings, Setup, find};
use bellwether_model::{Json, Millis};
use serde_json::json;

/// The system's allocator, which counts what this thread asks of it.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed on to the system's allocator as it came; the count is a thread-local cell
// that is made without allocating.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's own promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's own promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const NOW: Millis = Millis(1_790_000_000_000);
const EVENTS: u64 = 2_000;

/// What a request of events that follow the plan allocates, with a plan in force or without.
fn allocated(planned: bool, follow: bool) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let (app, _) = App::open(Settings::new(dir.path(), Box::new(|| {})), NOW).unwrap();
    let token = app.offer_setup(NOW).unwrap().unwrap();
    let password = "a long enough password".into();
    let login =
        app.set_up(&Setup { token, email: "a@example.com".into(), name: "A".into(), password }, NOW).unwrap();
    let (grant, ..) = app.session(&login.token, NOW).unwrap();
    let did = |operation: &str, input: Json| {
        let (cancel, progress) = (Cancel::default(), Progress::default());
        let ctx = Ctx { now: NOW, grant: grant.clone(), dry_run: false, cancel, progress };
        find(operation).unwrap().call(&app, &ctx, input).unwrap()
    };
    let key = did("key.create", json!({"name": "k", "scope": "client", "environment": "production"}));
    if planned {
        let currencies: Vec<String> = (0..40).map(|n| format!("C{n}")).collect();
        let properties = json!({
            "total": {"type": "number", "required": true}, "count": {"type": "integer"}, "first": {"type": "boolean"},
            "currency": {"type": "string", "values": currencies}, "plan": {"type": "string", "values": ["pro", "free"]},
            "at": {"type": "date_time"}, "tags": {"type": "list", "items": "string"}, "more": {"type": "object"}});
        let plan = json!({"events": {"Order Completed": {"properties": properties}}});
        did("plan.save", json!({"plan": plan, "why": "test"}));
    }
    let total = if follow { json!(9.5) } else { json!("9.5") };
    let event = |n: u64| {
        json!({"event_type": "Order Completed", "user_id": format!("user-{n}"), "insert_id": n.to_string(),
            "time": NOW, "event_properties": {"total": total, "count": n, "first": true, "currency": "C39", "plan": "pro",
            "at": "2026-11-27T09:00:00+01:00", "tags": ["a", "b"], "more": {"a": 1}, "$lib": "x", "missing": null}})
    };
    let events: Vec<Json> = (0..EVENTS).map(event).collect();
    let body = json!({"api_key": key["secret"], "events": events}).to_string();
    let sent = Sent { body: body.as_bytes(), ..Sent::default() };
    let before = COUNT.get();
    let outcome = app.take(Door::AmplitudeBatch, &sent, NOW);
    let count = COUNT.get() - before;
    assert!(matches!(outcome, Outcome::Waiting { .. }), "{outcome:?}");
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
