//! App tests: who may do what.

use bellwether_app::{Grant, Permission, REGISTRY, Setup};
use serde_json::{Value as Json, json};

use crate::house::{DAY, House, MINUTE, PASSWORD, START};

#[test]
fn every_operation_asks_for_its_permission() {
    let house = House::new();
    let mut table = String::new();
    let grants: Vec<(&str, Grant)> = ["client", "server", "admin"]
        .map(|scope| (scope, house.app.key(&house.key(scope)).unwrap()))
        .into_iter()
        .chain([("an admin", house.admin.clone())])
        .collect();
    let before = house.revision();
    for entry in REGISTRY {
        for (who, grant) in &grants {
            // An input that no operation takes: who may not call it must not learn that.
            let refusal = house.ask_as(grant, entry.name, json!({"?": 1})).unwrap_err();
            let may = refusal.code != "forbidden";
            let expected = matches!(*who, "admin" | "an admin");
            assert_eq!(may, expected, "{} for {who}: {}", entry.name, refusal.message);
            assert!(!refusal.hint.is_empty());
        }
        table.push_str(&format!(
            "{:<20} {:?} {:?} {:?}\n",
            entry.name, entry.needs, entry.class, entry.effect
        ));
    }
    assert_eq!(house.revision(), before);
    insta::assert_snapshot!("permissions", table);
}

#[test]
fn what_changes_needs_more_than_looking() {
    for entry in REGISTRY {
        let reads = entry.effect == bellwether_app::Effect::Reads;
        if !reads {
            assert!(entry.needs >= Permission::Edit, "{}", entry.name);
            assert!(entry.method != bellwether_app::Method::Get, "{}", entry.name);
        }
    }
}

#[test]
fn sdk_keys_open_one_environment_and_only_a_server_key_the_rules() {
    let house = House::new();
    for (scope, rules) in [("client", Some(false)), ("server", Some(true)), ("admin", None)] {
        let grant = house.app.key(&house.key(scope)).unwrap();
        let sdk = grant.sdk();
        assert_eq!(sdk.as_ref().ok().map(|g| g.rules), rules, "{scope}");
        if let Ok(sdk) = sdk {
            assert_eq!(sdk.environment.as_str(), "production");
        }
    }
}

#[test]
fn keys_are_listed_newest_first() {
    let mut house = House::new();
    for scope in ["server", "client", "admin"] {
        house.key(scope);
        house.later(MINUTE);
    }
    let keys = house.did("key.list", json!({}));
    let names: Vec<&Json> = keys["keys"].as_array().unwrap().iter().map(|key| &key["name"]).collect();
    assert_eq!(names, ["admin", "client", "server"]);
}

#[test]
fn a_revoked_key_opens_nothing_from_now_on() {
    let house = House::new();
    let secret = house.key("server");
    let grant = house.app.key(&secret).unwrap();
    assert!(!house.app.revoked(&grant.actor));
    let keys = house.did("key.list", json!({}));
    house.did("key.revoke", json!({"key": keys["keys"][0]["id"]}));
    for _ in 0..2 {
        assert_eq!(house.app.key(&secret).unwrap_err().code, "unauthenticated");
    }
    assert!(house.app.revoked(&grant.actor), "a stream that is open must hear of it");
    assert!(house.restart().app.key(&secret).is_err());
}

#[test]
fn a_key_is_known_as_soon_as_it_is_made() {
    let house = House::new();
    assert!(house.app.key("bws_nobody").is_err());
    let secret = house.key("server");
    assert!(house.app.key(&secret).is_ok());
    assert!(matches!(house.app.key_in_memory(&secret), Some(Ok(_))));
}

#[test]
fn a_rehearsed_key_is_no_key() {
    let house = House::new();
    let made = house
        .rehearse("key.create", json!({"name": "k", "scope": "server", "environment": "production"}))
        .unwrap();
    assert!(made["id"].is_string());
    assert_eq!(made.get("secret"), None, "one that opens nothing would be taken for one that does");
    assert_eq!(house.did("key.list", json!({})), json!({"keys": []}));
}

#[test]
fn a_setup_link_works_once_and_is_not_used_up_by_a_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let settings = bellwether_app::Settings::new(dir.path(), Box::new(|| {}));
    let (app, _) = bellwether_app::App::open(settings, START).unwrap();
    let token = app.offer_setup(START).unwrap().unwrap();
    let setup = |email: &str, name: &str, password: &str, token: &str| {
        let (email, name) = (email.to_owned(), name.to_owned());
        app.set_up(&Setup { token: token.to_owned(), email, name, password: password.to_owned() }, START)
    };
    for (email, name, password) in [
        ("ada", "Ada", PASSWORD),
        ("ada@example.com", " ", PASSWORD),
        ("ada@example.com", "Ada", "short"),
        ("a b@example.com", "Ada", PASSWORD),
        ("@example.com", "Ada", PASSWORD),
    ] {
        assert_eq!(setup(email, name, password, &token).unwrap_err().code, "bad_input", "{email}");
    }
    assert_eq!(setup("ada@example.com", "Ada", PASSWORD, "guess").unwrap_err().code, "forbidden");
    setup("Ada@Example.com", "Ada", PASSWORD, &token).unwrap();
    assert_eq!(setup("eve@example.com", "Eve", PASSWORD, &token).unwrap_err().code, "forbidden");
    assert_eq!(app.offer_setup(START).unwrap(), None);
    assert!(app.log_in(" ada@example.com ", PASSWORD, "127.0.0.1", START).is_ok());
}

#[test]
fn a_session_ends_by_logging_out_and_by_time() {
    let mut house = House::new();
    assert!(house.app.session(&house.session, house.now).is_ok());
    house.later(14 * DAY - 1);
    assert!(house.app.session(&house.session, house.now).is_ok());
    house.later(1);
    assert!(house.app.session(&house.session, house.now).is_err());
    let login = house.app.log_in("ada@example.com", PASSWORD, "127.0.0.1", house.now).unwrap();
    house.app.log_out(&login.token).unwrap();
    assert!(house.app.session(&login.token, house.now).is_err());
}

#[test]
fn guessing_a_password_is_slowed_down() {
    let mut house = House::new();
    let try_in = |house: &House, email: &str, password: &str, from: &str| {
        house.app.log_in(email, password, from, house.now).map(|_| ()).map_err(|e| e.code)
    };
    let mut refused = 0;
    while try_in(&house, "ada@example.com", "a wrong password", "203.0.113.9") != Err("too_many") {
        refused += 1;
        assert!(refused <= 20, "nobody stops it");
    }
    assert_eq!(refused, 10);
    assert_eq!(try_in(&house, "ada@example.com", PASSWORD, "203.0.113.9"), Err("too_many"));
    assert_eq!(
        try_in(&house, "ADA@example.com ", PASSWORD, "203.0.113.9"),
        Err("too_many"),
        "the same address"
    );
    assert_eq!(try_in(&house, "ada@example.com", PASSWORD, "198.51.100.7"), Ok(()), "somebody else");
    house.later(15 * 60_000);
    assert_eq!(try_in(&house, "ada@example.com", PASSWORD, "203.0.113.9"), Ok(()), "later");
}
