//! Ledger, tests: people, sessions, keys and setup links; what is forgotten is gone from the disk,
//! and no error says what it should not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::num::NonZeroU32;

use bellwether_ledger::{Ledger, LedgerError, NewKey, NewPerson, Role, Scope};
use bellwether_model::{Actor, EnvironmentKey, Millis};
use common::{Place, live, shop};

const ADA: NewPerson<'_> = NewPerson {
    id: "p_1",
    email: "Ada@Example.com ",
    name: "Ada Lovelace-Unmistakable",
    role: Role::Admin,
    password_hash: "$argon2id$unmistakable",
};

fn grace() -> NewPerson<'static> {
    NewPerson { id: "p_2", email: "grace@example.com", name: "Grace", role: Role::Viewer, ..ADA }
}

#[test]
fn a_person_is_found_by_address_and_by_id() {
    let place = Place::new();
    let ledger = place.open();
    let people = ledger.people();
    let ada = people.create_person(&ADA, Millis(5)).unwrap();
    people.create_person(&grace(), Millis(6)).unwrap();
    assert_eq!(ada.email, "ada@example.com");
    assert_eq!(people.person_by_email("ADA@example.com").unwrap(), Some(ada.clone()));
    assert_eq!(people.person("p_1").unwrap(), Some(ada.clone()));
    assert_eq!(people.person("p_9").unwrap(), None);
    let ids: Vec<_> = place.open().people().list().unwrap().into_iter().map(|p| p.id).collect();
    assert_eq!(ids, ["p_1", "p_2"]);

    let check = |new: NewPerson<'_>| people.create_person(&new, Millis(7)).unwrap_err().message();
    assert_eq!(check(NewPerson { id: "p_3", ..ADA }), "somebody has this email address or id already");
    assert_eq!(check(NewPerson { email: "x@y", ..ADA }), "somebody has this email address or id already");
    for email in ["", "ada", "@host", "ada@", "a b@c", "a@b\nc@d"] {
        assert_eq!(check(NewPerson { id: "p_4", email, ..ADA }), "this is not an email address", "{email}");
    }
}

#[test]
fn a_session_lasts_until_it_is_over_or_ended() {
    let place = Place::new();
    let ledger = place.open();
    let people = ledger.people();
    people.create_person(&ADA, Millis(0)).unwrap();
    people.create_person(&grace(), Millis(0)).unwrap();
    let open = |token: &str, person: &str, expires| {
        people.open_session(token, person, "csrf-1", Millis(expires), Millis(0))
    };
    open("t1", "p_1", 100).unwrap();
    open("t2", "p_1", 200).unwrap();
    open("t3", "p_2", 200).unwrap();
    let session = people.session("t1", Millis(99)).unwrap().unwrap();
    assert_eq!(
        (session.person.role, session.csrf.as_str(), session.expires),
        (Role::Admin, "csrf-1", Millis(100))
    );
    assert_eq!(people.session("t1", Millis(100)).unwrap(), None, "it is over");
    assert_eq!(people.session("t9", Millis(0)).unwrap(), None);
    assert!(people.end_session("t1").unwrap() && !people.end_session("t1").unwrap());
    assert_eq!(people.session("t1", Millis(0)).unwrap(), None, "it was ended");

    // A new password ends what the old one began, for this person only.
    people.set_password("p_1", "$argon2id$new").unwrap();
    assert_eq!(people.person("p_1").unwrap().unwrap().password_hash, "$argon2id$new");
    assert_eq!(people.session("t2", Millis(0)).unwrap(), None);
    assert!(people.session("t3", Millis(0)).unwrap().is_some());

    assert_eq!(open("t4", "p_9", 1).unwrap_err().message(), "there is no person `p_9`");
    assert_eq!(people.set_password("p_9", "h").unwrap_err().message(), "there is no person `p_9`");
    assert!(open("t3", "p_2", 300).is_err(), "a token is used once");

    // Sessions that are over are swept out when another begins.
    people.open_session("t5", "p_2", "c", Millis(900), Millis(500)).unwrap();
    let kept: i64 = place.hands().query_row("select count(*) from sessions", [], |r| r.get(0)).unwrap();
    assert_eq!(kept, 1);
}

#[test]
fn a_key_works_until_it_is_revoked() {
    let place = Place::new();
    let ledger = place.open();
    let people = ledger.people();
    let environment: EnvironmentKey = "production".parse().unwrap();
    let by = Actor::Person { id: "p_1".to_owned() };
    let new = NewKey {
        id: "k_1",
        name: "web",
        scope: Scope::Client,
        environment: Some(&environment),
        events_per_second: None,
        secret_hash: "h1",
        created_by: &by,
    };
    let key = people.create_key(&new, Millis(3)).unwrap();
    let admin = NewKey { id: "k_2", scope: Scope::Admin, environment: None, secret_hash: "h2", ..new };
    people.create_key(&admin, Millis(4)).unwrap();
    assert_eq!(people.key_by_hash("h1").unwrap(), Some(key.clone()));
    assert_eq!(people.key_by_hash("h9").unwrap(), None);
    let check = |new| people.create_key(&new, Millis(5)).unwrap_err().message();
    assert_eq!(check(NewKey { id: "k_3", ..new }), "this key exists already");
    assert_eq!(check(NewKey { secret_hash: "h3", ..new }), "this key exists already");
    assert_eq!(
        check(NewKey { id: "k_4", scope: Scope::Server, environment: None, secret_hash: "h4", ..new }),
        "a `server` key is for one environment"
    );

    people.revoke_key("k_1", Millis(9)).unwrap();
    people.revoke_key("k_1", Millis(99)).unwrap();
    assert_eq!(people.key_by_hash("h1").unwrap(), None);
    let revoked: Vec<_> = people.keys().unwrap().into_iter().map(|k| (k.id, k.revoked)).collect();
    assert_eq!(revoked, [("k_1".to_owned(), Some(Millis(9))), ("k_2".to_owned(), None)]);
    assert_eq!(people.revoke_key("k_9", Millis(9)).unwrap_err().message(), "there is no key `k_9`");
}

#[test]
fn a_key_keeps_the_rate_that_it_was_given_last() {
    let place = Place::new();
    let ledger = place.open();
    let (environment, by) = ("production".parse().unwrap(), Actor::System);
    let rate = NonZeroU32::new;
    let new = NewKey {
        id: "k_1",
        name: "web",
        scope: Scope::Client,
        environment: Some(&environment),
        events_per_second: rate(u32::MAX),
        secret_hash: "h1",
        created_by: &by,
    };
    let made = ledger.people().create_key(&new, Millis(3)).unwrap();
    assert_eq!(made.events_per_second, rate(u32::MAX));
    ledger.people().create_key(&NewKey { id: "k_2", secret_hash: "h2", ..new }, Millis(4)).unwrap();
    drop(ledger);
    let ledger = place.open();
    let stored = |secret| ledger.people().key_by_hash(secret).unwrap().unwrap().events_per_second;
    for asked in [rate(7), None, rate(1)] {
        ledger.people().limit_key("k_1", asked).unwrap();
        assert_eq!((stored("h1"), stored("h2")), (asked, rate(u32::MAX)), "of this key alone");
    }
    let unknown = ledger.people().limit_key("k_9", None).unwrap_err();
    assert_eq!(unknown.message(), "there is no key `k_9`");
}

#[test]
fn a_setup_link_is_used_once_and_the_newest_one_counts() {
    let place = Place::new();
    let ledger = place.open();
    let people = ledger.people();
    assert!(!people.take_setup("s1").unwrap());
    people.set_setup("s1", Millis(0)).unwrap();
    people.set_setup("s2", Millis(1)).unwrap();
    assert!(!people.take_setup("s1").unwrap(), "an older link is worthless");
    let taken = std::thread::scope(|scope| {
        let takers = [(); 4].map(|()| scope.spawn(|| people.take_setup("s2").unwrap()));
        takers.map(|t| t.join().unwrap())
    });
    assert_eq!(taken.iter().filter(|t| **t).count(), 1);
}

#[test]
fn a_person_can_be_forgotten_and_the_log_stays() {
    let place = Place::new();
    let ledger = place.open();
    let made = live(&ledger, shop::history());
    let people = ledger.people();
    let ada = NewPerson { id: "p_4f1c", ..ADA };
    people.create_person(&ada, Millis(0)).unwrap();
    people.create_person(&grace(), Millis(0)).unwrap();
    people.open_session("unmistakable-token", "p_4f1c", "c", Millis(100), Millis(0)).unwrap();
    let on_disk = |text: &str| {
        let files = std::fs::read_dir(place.path().parent().unwrap()).unwrap();
        files
            .map(|f| std::fs::read(f.unwrap().path()).unwrap())
            .any(|bytes| bytes.windows(text.len()).any(|w| w.eq_ignore_ascii_case(text.as_bytes())))
    };
    let personal =
        ["ada@example.com", "Lovelace-Unmistakable", "$argon2id$unmistakable", "unmistakable-token"];
    assert!(personal.iter().all(|text| on_disk(text)));
    people.set_password("p_2", "$other").unwrap();

    assert!(people.forget("p_4f1c").unwrap() && !people.forget("p_4f1c").unwrap());
    for text in personal {
        assert!(!on_disk(text), "`{text}` is still on disk");
    }
    assert_eq!(people.session("unmistakable-token", Millis(0)).unwrap(), None);
    assert!(people.person("p_2").unwrap().is_some());
    let page = bellwether_ledger::Page { limit: 100, ..Default::default() };
    let kept = ledger.changes(&page).unwrap();
    assert!(kept.iter().rev().eq(&made));
    assert_eq!(Ledger::doctor(&place.path()).unwrap().findings, []);
}

#[test]
fn no_error_says_what_is_secret() {
    let place = Place::new();
    let ledger = place.open();
    let people = ledger.people();
    let by = Actor::System;
    people.create_person(&ADA, Millis(0)).unwrap();
    let key = NewKey {
        id: "k",
        name: "n",
        scope: Scope::Admin,
        environment: None,
        events_per_second: None,
        secret_hash: "unmistakable-hash",
        created_by: &by,
    };
    people.create_key(&key, Millis(0)).unwrap();
    people.set_setup("unmistakable-setup", Millis(0)).unwrap();
    let mut errors: Vec<LedgerError> = vec![
        people.create_person(&ADA, Millis(0)).unwrap_err(),
        people.create_key(&key, Millis(0)).unwrap_err(),
    ];
    place.hands().execute_batch("update people set role = 'unmistakable'").unwrap();
    errors.push(people.person("p_1").unwrap_err());
    place
        .hands()
        .execute_batch("drop table sessions; drop table api_keys; drop table setup_links; drop table people")
        .unwrap();
    errors.extend([
        people.create_person(&ADA, Millis(0)).unwrap_err(),
        people.create_key(&key, Millis(0)).unwrap_err(),
        people.key_by_hash("unmistakable-hash").unwrap_err(),
        people.session("unmistakable-token", Millis(0)).unwrap_err(),
        people.take_setup("unmistakable-setup").unwrap_err(),
    ]);
    for error in errors {
        let said = format!("{error} {error:?}").to_lowercase();
        assert!(!said.contains("unmistakable") && !said.contains("ada"), "{said}");
    }
}

#[test]
fn words_read_back() {
    for role in [Role::Viewer, Role::Editor, Role::Admin] {
        assert_eq!(role.to_string().parse::<Role>().unwrap(), role);
    }
    for scope in [Scope::Client, Scope::Server, Scope::Admin] {
        assert_eq!(scope.to_string().parse::<Scope>().unwrap(), scope);
    }
    assert!(Role::Viewer < Role::Editor && Role::Editor < Role::Admin);
    assert_eq!("root".parse::<Role>().unwrap_err().message, "`root` is not a role");
}
