//! App tests: an id is the same text wherever it comes in, or events and answers would not meet.

use serde_json::json;

use crate::house::House;

#[test]
fn an_id_is_kept_as_it_was_sent() {
    let house = House::new();
    house.split_flag("f", 10_000);
    let secret = house.key("server");
    house.shown("f", " ada lovelace ");
    house
        .send(&json!({"api_key": secret, "events": [{"event_type": "buy", "user_id": " ada lovelace "}]}))
        .unwrap();
    let who: Vec<_> = house.events().iter().map(|e| e["who"].clone()).collect();
    assert_eq!(who, [json!({"user": " ada lovelace "}), json!({"user": " ada lovelace "})]);
}
