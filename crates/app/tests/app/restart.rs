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
        house.app.stream_token(&house.app.key(&secret).unwrap()).unwrap(),
        house.app.served(&production()).unwrap().tag.clone(),
    );

    let house = house.restart();
    assert_eq!(house.did("flag.list", json!({})), flags);
    assert_eq!(house.events(), events);
    assert_eq!(house.revision(), revision);
    assert_eq!(users.iter().map(|u| house.peeked("f", u)).collect::<Vec<_>>(), before);
    assert!(house.app.session(&house.session, house.now).is_ok());
    assert!(house.app.key(&secret).is_ok());
    assert_eq!(house.app.stream_opened(&token).unwrap().0, production());
    assert_eq!(house.app.served(&production()).unwrap().tag, tag);
    // Recorded again after the restart, and once all the same.
    for user in &users {
        house.shown("f", user);
    }
    assert_eq!(house.events().len(), events.len());
}

#[test]
fn a_stream_token_opens_its_own_environment_for_its_own_key_and_cannot_be_altered() {
    let house = House::new();
    let grant = |scope: &str| house.app.key(&house.key(scope)).unwrap();
    let (client, server) = (grant("client"), grant("server"));
    let token = house.app.stream_token(&client).unwrap();
    let (opens, mac) = token.rsplit_once('.').unwrap();
    let (_, id) = opens.split_once('.').unwrap();
    let other = house.app.stream_token(&server).unwrap();
    let altered = if token.ends_with('0') { "1" } else { "0" };
    let wrong = [
        "",
        ".",
        "production",
        "production.",
        "é.ffffffffffffffffffffffffffffffff",
        opens,
        &format!("development.{id}.{mac}"),
        &format!("production.{mac}"),
        &format!("{}.{mac}", other.rsplit_once('.').unwrap().0),
        &format!("{}{altered}", &token[..token.len() - 1]),
    ];
    for wrong in wrong {
        assert!(house.app.stream_opened(wrong).is_err(), "{wrong}");
    }
    assert_eq!(house.app.stream_opened(&token).unwrap(), (production(), client.actor.clone()));
    let foreign = House::with(2, |_| {});
    assert!(foreign.app.stream_opened(&token).is_err(), "another installation's");
    for nobody in [&house.admin, &grant("admin")] {
        assert!(house.app.stream_token(nobody).is_err(), "it opens no environment: {nobody:?}");
    }

    house.did("key.revoke", json!({"key": id}));
    assert!(house.app.stream_opened(&token).is_err(), "its key was revoked");
    assert!(house.app.stream_opened(&other).is_ok(), "the other key was not");
    let house = house.restart();
    assert!(house.app.stream_opened(&token).is_err());
    assert!(house.app.stream_opened(&other).is_ok());
}
