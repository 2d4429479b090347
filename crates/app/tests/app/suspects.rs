//! App tests: personal data where the plan says that there is none is found, and told without telling it.

use bellwether_app::{Door, Sent};
use serde_json::{Value as Json, json};

use crate::house::{HOUR, House};

fn bring(house: &House, secret: &str, events: &Json) {
    let body = serde_json::to_vec(&json!({"api_key": secret, "events": events})).unwrap();
    assert_eq!(house.bring(Door::AmplitudeBatch, &Sent { body: &body, ..Sent::default() }).status, 200);
}

fn report(house: &House) -> Json {
    house.did("personal.report", json!({"environment": "production"}))
}

fn lines(report: &Json) -> Vec<String> {
    let suspects = report["suspects"].as_array().unwrap();
    let line = |s: &Json| {
        let earlier = if s["earlier"] == json!(true) { " earlier" } else { "" };
        format!("{} {}{earlier}", s["message"].as_str().unwrap(), s["shape"].as_str().unwrap())
    };
    suspects.iter().map(line).collect()
}

#[test]
fn what_looks_personal_is_said_by_place_kind_and_share_and_never_shown() {
    let house = House::new();
    let secret = house.key("server");
    let signup = |i: usize, more: Json| {
        let mut event = json!({"event_type": "signup", "user_id": format!("user-{i}"), "time": house.now,
            "event_properties": {"plan": "pro", "order": 1_732_700_000_000_u64 + i as u64}});
        event["event_properties"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let mut events: Vec<Json> = (0..10)
        .map(|i| {
            signup(
                i,
                json!({"form": {"contact": [format!("ada.{i}@example.com")]}, "card": "4242 4242 4242 4242"}),
            )
        })
        .collect();
    // One of many numbers looks like a card by chance.
    events.extend(
        (10..30).map(|i| {
            signup(i, json!({"ref": if i == 10 { "4242424242424242" } else { "4242424242424241" }}))
        }),
    );
    events.push(json!({"event_type": "$identify", "user_id": "ada@example.com", "time": house.now,
        "user_properties": {"$set": {"phone": "+41446681800", "plan": "pro"}}}));
    events.push(json!({"event_type": "visit", "user_id": "user-1", "time": house.now, "groups": {"bank": "DE89370400440532013000"}}));
    bring(&house, &secret, &events.into());

    let found = report(&house);
    insta::assert_snapshot!(lines(&found).join("\n"), @r"
    10 of 10 values of `form.contact[]` of `signup` look like an e-mail address xxx.9@xxxxxxx.xxx
    1 of 1 values of the user's `phone` look like a telephone number +99999999999
    1 of 1 values of the id `groups.bank` look like an IBAN xx99999999999999999999
    1 of 32 values of the id `user_id` look like an e-mail address xxx@xxxxxxx.xxx
    10 of 10 values of `card` of `signup` look like a number of a bank card 9999 9999 9999 9999
    ");
    assert_eq!(found["looked_at"], 32);
    let told = found.to_string();
    for value in ["ada.", "example.com", "4242", "446681800", "37040044"] {
        assert!(!told.contains(value), "{value} in {told}");
    }
}

#[test]
fn what_the_plan_calls_personal_is_no_news_and_what_was_found_by_itself_is_remembered() {
    let mut house = House::new();
    let secret = house.key("server");
    let signup = json!([{"event_type": "signup", "user_id": "user-1", "event_properties": {"email": "ada@example.com"},
        "user_properties": {"mail": "ada@example.com"}}]);
    bring(&house, &secret, &signup);
    house.app.commit().unwrap();
    house.app.look_around(house.now, &|| false).unwrap();
    assert_eq!(report(&house)["suspects"].as_array().unwrap().len(), 2);

    let plan = json!({"events": {"signup": {"properties": {"email": {"type": "string", "personal": true}}}},
        "rules": {"personal": ["mail"]}});
    house.did("plan.save", json!({"plan": plan, "why": "test"}));
    // What was stored before the plan said it is still there, and known to be.
    let now = report(&house);
    assert!(now["suspects"].as_array().unwrap().iter().all(|s| s["earlier"] == json!(true)), "{now}");

    // What comes now is masked, and nothing new is found.
    house.later(HOUR);
    bring(&house, &secret, &signup);
    house.app.commit().unwrap();
    house.app.look_around(house.now, &|| false).unwrap();
    assert_eq!(report(&house)["suspects"].as_array().unwrap().len(), 2);

    // What the plan calls personal is counted: the first came before it did, the second is masked.
    let marked = report(&house)["marked"].clone();
    insta::assert_snapshot!(marked, @r#"[{"event":"signup","of":"event","owner":null,"plain":1,"property":"email","stored":2},{"event":null,"of":"user","owner":null,"plain":1,"property":"mail","stored":2}]"#);
    assert!(house.refused("personal.report", json!({"environment": "nowhere"})).starts_with("404"));
}

/// Events of a type that nobody sends often stand behind thousands of others, and are stored as long.
#[test]
fn what_is_found_in_a_rare_type_stays_until_it_is_gone() {
    let mut house = House::new();
    let secret = house.key("server");
    let person = json!({"event_type": "signup", "user_id": "user-1", "time": house.now,
        "event_properties": {"email": "ada@example.com"}});
    bring(&house, &secret, &json!([person]));
    house.app.commit().unwrap();
    for minute in 0..4 {
        house.later(60_000);
        let views = (0..1_500).map(|i| {
            json!({"event_type": "view", "user_id": format!("user-{}", 2 + i), "time": house.now,
                "insert_id": format!("{minute}-{i}")})
        });
        bring(&house, &secret, &views.collect::<Json>());
        house.app.commit().unwrap();
    }
    let found = report(&house);
    insta::assert_snapshot!(lines(&found).join("\n"), @"1 of 1 values of `email` of `signup` look like an e-mail address xxx@xxxxxxx.xxx");
    assert_eq!((&found["looked_at"], &found["cut"]), (&json!(5_001), &json!(false)));

    // Found by itself, it is remembered no longer than it is there.
    let planned =
        json!({"events": {"signup": {"properties": {"email": {"type": "string", "personal": true}}}}});
    house.did("plan.save", json!({"plan": planned, "why": "it is"}));
    assert_eq!(report(&house)["marked"][0]["plain"], 1);
    house.did("plan.save", json!({"plan": {}, "why": "it is not"}));
    bring(
        &house,
        &secret,
        &json!([{"event_type": "signup", "user_id": "user-1", "time": house.now,
        "event_properties": {"card": "4242 4242 4242 4242", "n": 1}}]),
    );
    house.app.commit().unwrap();
    house.app.look_around(house.now, &|| false).unwrap();
    house.did("person.forget", json!({"environment": "production", "user": "user-1", "confirm": "user-1"}));
    house.app.step(house.now).unwrap();
    assert_eq!(lines(&report(&house)), Vec::<String>::new());
}

/// However many types came after others, each is looked at: of those with many events the newest, of the others all.
#[test]
fn the_newest_of_each_type_are_looked_at() {
    let mut house = House::new();
    let secret = house.key("server");
    let mut bring_all = |event: &str, count: usize, with: usize| {
        for from in (0..count).step_by(1_500) {
            let events = (from..count.min(from + 1_500)).map(|i| {
                let mail = if i == with { "ada@example.com" } else { "none" };
                json!({"event_type": event, "user_id": format!("user-{i}"), "time": house.now,
                    "insert_id": format!("{event}-{i}"), "event_properties": {"mail": mail}})
            });
            bring(&house, &secret, &events.collect::<Json>());
            house.app.commit().unwrap();
            house.later(1_000);
        }
    };
    bring_all("few", 7, 0);
    bring_all("some", 300, 250);
    // Among the newest 200 of its type, and not.
    bring_all("long ago", 5_200, 5_100);
    bring_all("too far", 5_200, 4_000);
    bring_all("often", 6_000, 3_000);
    let found = report(&house);
    let mut places: Vec<&str> =
        found["suspects"].as_array().unwrap().iter().map(|s| s["event"].as_str().unwrap()).collect();
    places.sort_unstable();
    assert_eq!(places, ["few", "long ago", "often", "some"]);
    assert_eq!((&found["looked_at"], &found["cut"]), (&json!(5_000 + 200 + 200 + 200 + 7), &json!(false)));
}

/// A name that is personal is so as it is written; that another differs from it by case alone is said, by the plan and of what
/// is stored.
#[test]
fn a_name_that_differs_from_a_personal_one_by_case_alone_is_named() {
    let house = House::new();
    let secret = house.key("server");
    let plan = json!({"rules": {"personal": ["Phone"], "environments": {"production": {"personal": "drop"}}},
        "events": {"signup": {"properties": {
            "Email": {"type": "string", "personal": true}, "EMAIL": {"type": "string"}, "phone": {"type": "string"}}}}});
    let saved = house.did("plan.save", json!({"plan": plan, "why": "test"}));
    let warned: Vec<&str> =
        saved["warnings"].as_array().unwrap().iter().map(|lint| lint["message"].as_str().unwrap()).collect();
    assert_eq!(
        warned[..2],
        [
            "property `EMAIL` of `signup` is not personal, and `Email` is: names are personal as they are written",
            "property `phone` of `signup` is not personal, and `Phone` is: names are personal as they are written",
        ],
        "{warned:?}"
    );
    let names = json!({"Email": "a", "email": "b", "EMAIL": "c", "phone": "d", "other": "e"});
    bring(
        &house,
        &secret,
        &json!([
        {"event_type": "signup", "user_id": "user-1", "event_properties": names, "user_properties": {"phone": "f", "email": "g"}},
        {"event_type": "visit", "user_id": "user-1", "event_properties": names}]),
    );
    house.app.commit().unwrap();
    let found = report(&house);
    let alike = found["alike"].as_array().unwrap().iter().map(|one| one["message"].as_str().unwrap());
    insta::assert_snapshot!(alike.collect::<Vec<_>>().join("\n"), @r"
    `EMAIL` of `signup` is stored as it came in 1 of the events that were looked at, and the plan calls `Email` personal
    `email` of `signup` is stored as it came in 1 of the events that were looked at, and the plan calls `Email` personal
    `phone` of `signup` is stored as it came in 1 of the events that were looked at, and the plan calls `Phone` personal
    `phone` of `visit` is stored as it came in 1 of the events that were looked at, and the plan calls `Phone` personal
    the user's `phone` is stored as it came in 2 of the events that were looked at, and the plan calls `Phone` personal
    ");
    assert_eq!(found["alike"][0]["like"], "Email");
}
