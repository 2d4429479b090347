//! App tests: what outlives a restart.

use serde_json::json;

use crate::house::{House, production};

#[test]
fn flags_events_sessions_keys_and_stream_tokens_outlive_a_restart() {
    let house = House::new();
    house.split_flag("f", 5_000);
    let secret = house.key("server");
    house
        .send(&json!({"api_key": secret, "events": [{"event_type": "visit", "user_id": "user-1"}]}))
        .unwrap();
    let users: Vec<_> = (0..50).map(|i| format!("user-{i}")).collect();
    let before: Vec<_> = users.iter().map(|u| house.shown("f", u)).collect();
    let (flags, events, revision) = (house.did("flag.list", json!({})), house.events(), house.revision());
    let (token, tag) = (
        house.app.stream_token(&production()).unwrap(),
        house.app.served(&production()).unwrap().tag.clone(),
    );

    let house = house.restart();
    assert_eq!(house.did("flag.list", json!({})), flags);
    assert_eq!(house.events(), events);
    assert_eq!(house.revision(), revision);
    assert_eq!(users.iter().map(|u| house.peeked("f", u)).collect::<Vec<_>>(), before);
    assert!(house.app.session(&house.session, house.now).is_ok());
    assert!(house.app.key(&secret).is_ok());
    assert_eq!(house.app.stream_environment(&token).unwrap(), production());
    assert_eq!(house.app.served(&production()).unwrap().tag, tag);
    // Recorded again after the restart, and once all the same.
    for user in &users {
        house.shown("f", user);
    }
    assert_eq!(house.events().len(), events.len());
}

#[test]
fn a_stream_token_opens_its_own_environment_and_cannot_be_altered() {
    let house = House::new();
    let token = house.app.stream_token(&production()).unwrap();
    let (_, mac) = token.split_once('.').unwrap();
    for wrong in ["", ".", "production", "production.", "é.ffffffffffffffffffffffffffffffff"] {
        assert!(house.app.stream_environment(wrong).is_err(), "{wrong}");
    }
    assert!(house.app.stream_environment(&format!("development.{mac}")).is_err());
    let altered = if token.ends_with('0') { "1" } else { "0" };
    assert!(house.app.stream_environment(&format!("{}{altered}", &token[..token.len() - 1])).is_err());
    assert!(house.app.stream_environment(&token).is_ok());
    let other = House::with(2, |_| {});
    assert!(other.app.stream_environment(&token).is_err(), "another installation's");
}
