//! App tests: how the data is: fresh, doubled, of programs, and unlike the days before.

use bellwether_app::{Door, Sent};
use serde_json::{Value as Json, json};

use crate::house::{DAY, House};

fn bring(house: &House, secret: &str, events: &[Json]) {
    for events in events.chunks(1_000) {
        let body = serde_json::to_vec(&json!({"api_key": secret, "events": events})).unwrap();
        assert_eq!(house.bring(Door::AmplitudeBatch, &Sent { body: &body, ..Sent::default() }).status, 200);
    }
}

/// A day's events: so many, with a plan that most have.
fn day(house: &House, n: usize, plans: &[&str], with: usize) -> Vec<Json> {
    (0..n)
        .map(|i| {
            let mut event = json!({"event_type": "signup", "user_id": format!("user-{i}"), "time": house.now,
                "insert_id": format!("{}-{i}", house.now), "event_properties": {"n": i}});
            if i % 10 < with {
                event["event_properties"]["plan"] = plans[i % plans.len()].into();
            }
            event
        })
        .collect()
}

fn health(house: &House) -> Json {
    house.did("event.health", json!({"environment": "production"}))
}

#[test]
fn a_day_that_is_unlike_those_before_is_said_and_others_are_not() {
    let mut house = House::with(1, |settings| {
        settings.rates.unit_batch = 0;
        settings.rates.bot = 0;
    });
    let secret = house.key("server");
    for _ in 0..20 {
        let events = day(&house, 400, &["free", "pro"], 9);
        bring(&house, &secret, &events);
        // An SDK that heard no answer sends it again.
        bring(&house, &secret, &events[..1]);
        house.later(DAY);
        house.app.commit().unwrap();
        house.app.step(house.now).unwrap();
    }
    let calm = health(&house);
    assert_eq!((&calm["drifts"], &calm["judged"], &calm["young"]), (&json!([]), &json!(1), &json!(0)));
    assert_eq!((&calm["stored"], &calm["duplicates"]), (&json!(8_000), &json!(20)));
    assert_eq!(calm["events"][0]["planned"], json!(null), "there is no plan");

    bring(&house, &secret, &day(&house, 1_600, &["free", "team"], 4));
    house.later(DAY);
    house.app.look_around(house.now, &|| false).unwrap();
    let moved = health(&house);
    let said: Vec<&str> =
        moved["drifts"].as_array().unwrap().iter().map(|drift| drift["message"].as_str().unwrap()).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    `signup` came 1600 times, and 400 were expected
    40% of `signup` have `plan`, and 90% had it in the week before
    `plan` of `signup` has new values: `team`
    `plan` of `signup` has values no more that it had: `pro`
    ");
    assert!(house.refused("event.health", json!({"environment": "nowhere"})).starts_with("404"));
}

/// What a type is compared with goes with its time; that it stopped is said all the same.
#[test]
fn that_a_type_stopped_is_said_however_short_events_are_kept() {
    // With ten days, what is stored is enough also where nothing is remembered.
    for (kept, restarts) in [(7, false), (10, true)] {
        let mut house = House::with(1, |settings| {
            settings.rates.unit_batch = 0;
            settings.rates.bot = 0;
        });
        let secret = house.key("server");
        let plan = json!({"rules": {"environments": {"production": {"retention_days": kept}}}});
        house.did("plan.save", json!({"plan": plan, "why": "the law"}));
        // Half of the day, so that what is kept until then is not whole.
        house.later(DAY / 2);
        let whole_day = |house: &mut House| {
            house.app.commit().unwrap();
            // The clock goes on steadily, or nothing is removed.
            for _ in 0..25 {
                house.later(DAY / 25);
                house.app.step(house.now).unwrap();
            }
            house.app.look_around(house.now, &|| false).unwrap();
        };
        for n in 0..20 {
            // The days differ much, so that no spread tells them from none.
            let events = day(&house, [100, 900, 300, 1_500][n % 4], &["free"], 9);
            bring(&house, &secret, &events);
            whole_day(&mut house);
        }
        let before = health(&house);
        assert_eq!((&before["drifts"], &before["judged"]), (&json!([]), &json!(1)), "{kept}: {before}");
        let left =
            house.did("event.catalogue", json!({"environment": "production"}))["events"][0]["count"].clone();
        assert!(left.as_u64().unwrap() < 14_000, "{kept}: {left} of 14,000 are left");
        if restarts {
            house = house.restart();
        }
        whole_day(&mut house);
        let said = health(&house)["drifts"].clone();
        assert!(
            said[0]["message"].as_str().is_some_and(|s| s.starts_with("`signup` came 0 times")),
            "{kept}: {said}"
        );
    }
}
