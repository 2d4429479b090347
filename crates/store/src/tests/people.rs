//! Store: tests. What was told of people stays known when the events that told it are past their time, and a start finds it
//! as it was; but nothing of who is forgotten.

use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Event, Json, Millis, Properties};

use super::{named, read_dir};
use crate::{Id, Past, Settings, Store, StoreError};

fn here() -> EnvironmentKey {
    "production".parse().unwrap()
}

fn open(home: &std::path::Path) -> Store {
    Store::open(home, Settings { seal_rows: 1, ..Settings::default() }).unwrap().0
}

fn on(user: &str, device: &str) -> Who {
    Who::Both { user: user.into(), device: device.into() }
}

fn set(name: &str, value: &str) -> Properties {
    let values = Properties::from_iter([(name.to_owned(), Json::from(value))]);
    Properties::from_iter([("$set".to_owned(), Json::Object(values))])
}

/// An event of a type that is kept, or of one that is not.
fn event(n: i64, sort: &str, who: Who) -> Event {
    Event { event: sort.into(), who, ..named(&format!("e{n}"), n) }
}

fn of_group(event: Event, name: &str, value: &str) -> Event {
    let groups = Properties::from_iter([("company".to_owned(), Json::from("acme"))]);
    Event { groups, group_changes: set(name, value), ..event }
}

fn part(store: &Store, events: Vec<Event>) {
    let _ = store.append(events).unwrap();
    store.commit().unwrap();
    store.flush().unwrap();
}

/// All events of the type `brief` go.
fn pass(store: &Store) {
    let mut past = Past::default();
    past.only(&here(), "brief", Some(Millis(1_000)));
    let mut now = Millis(2_000);
    while store.expire(&past, now).unwrap() > 0 || store.stats().events > kept(store) {
        store.step(now).unwrap();
        now = Millis(now.0 + 86_400_000);
    }
}

fn kept(store: &Store) -> u64 {
    let events = store.snapshot().events(&here(), usize::MAX).unwrap();
    events.iter().filter(|event| event.event != "brief").count() as u64
}

fn owner(store: &Store, device: &str) -> Option<String> {
    store.person(&here(), Id::Device(device)).unwrap().user
}

/// What an event of these ids keeps, as it is known now.
fn known(store: &Store, who: Who) -> (Properties, Properties) {
    let n = 10_000 + store.stats().events as i64;
    let groups = Properties::from_iter([("company".to_owned(), Json::from("acme"))]);
    let _ = store.append(vec![Event { groups, ..event(n, "visit", who) }]).unwrap();
    store.commit().unwrap();
    let newest = store.snapshot().events(&here(), 1).unwrap().remove(0);
    (newest.user_properties, newest.group_properties)
}

/// Every byte of the files of what is known of people.
fn written(home: &std::path::Path) -> String {
    let files = read_dir(home).into_iter().filter(|(path, _)| path.to_string_lossy().contains("people-"));
    files.map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect()
}

fn json(value: &str) -> Properties {
    serde_json::from_str(value).unwrap()
}

#[test]
fn what_gone_events_told_is_known_after_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let told = Event { user_changes: set("plan", "pro"), ..event(2, "brief", on("ada", "phone")) };
    part(&store, vec![event(1, "visit", Who::Device("phone".into())), of_group(told, "size", "large")]);
    part(&store, vec![event(3, "visit", Who::Device("phone".into()))]);
    pass(&store);
    let is = |store: &Store| (owner(store, "phone"), known(store, Who::Device("phone".into())));
    let before = is(&store);
    assert_eq!(before.0.as_deref(), Some("ada"));
    assert_eq!(before.1, (json(r#"{"plan":"pro"}"#), json(r#"{"company":{"acme":{"size":"large"}}}"#)));
    drop(store);
    assert_eq!(is(&open(home.path())), before);
    // Nor does what comes then, in any order of parts and log.
    let store = open(home.path());
    part(&store, vec![event(4, "visit", on("bo", "phone")), event(5, "visit", on("ada", "phone"))]);
    drop(store);
    let store = open(home.path());
    let shared = store.person(&here(), Id::Device("phone")).unwrap_err();
    assert!(matches!(&shared, StoreError::Shared { users, .. } if *users == ["ada", "bo"]), "{shared}");
    drop(store);
    assert!(Store::doctor_deep(home.path()).unwrap().is_sound());
}

#[test]
fn nothing_is_known_of_who_is_forgotten_whose_events_are_gone() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let told = |n, sort, user: &str| {
        let told = event(n, sort, on(user, &format!("{user}-phone")));
        Event { user_changes: set("name", &format!("{user}-secret")), ..told }
    };
    part(
        &store,
        vec![
            of_group(told(1, "brief", "ada"), "boss", "ada-secret"),
            of_group(told(2, "visit", "bo"), "size", "large"),
            of_group(told(3, "brief", "cy"), "city", "Bern"),
            of_group(event(4, "visit", Who::Device("ada-phone".into())), "anonymous", "ada-secret"),
        ],
    );
    pass(&store);
    assert!(written(home.path()).contains("ada-secret") && written(home.path()).contains("ada-phone"));
    let person = store.forget(&here(), Id::User("ada")).unwrap();
    assert_eq!((person.user.as_deref(), person.devices), (Some("ada"), vec!["ada-phone".to_owned()]));
    // What others told of the group stays where their events do.
    let group = json(r#"{"company":{"acme":{"size":"large"}}}"#);
    let bo = (json(r#"{"name":"bo-secret"}"#), group.clone());
    let holds = |store: &Store| {
        assert_eq!(owner(store, "ada-phone"), None);
        assert_eq!(owner(store, "cy-phone").as_deref(), Some("cy"));
        assert_eq!(known(store, on("bo", "bo-phone")), bo);
        assert_eq!(known(store, Who::User("ada".into())), (Properties::new(), group.clone()));
    };
    holds(&store);
    // A kill at once after it, and another one once all is done.
    drop(store);
    let store = open(home.path());
    holds(&store);
    while store.forgetting() > 0 {
        store.step(Millis(5_000)).unwrap();
    }
    let left = written(home.path());
    assert!(!left.contains("ada") && left.contains("bo-secret") && left.contains("cy-phone"), "{left}");
    let print = crate::fingerprint::Fingerprint::of_id(&here(), b'u', "ada");
    assert!(!left.contains(&serde_json::to_string(&print).unwrap()), "nor the hash of the id: {left}");
    drop(store);
    holds(&open(home.path()));
    assert!(Store::doctor_deep(home.path()).unwrap().is_sound());
}

#[test]
fn a_start_does_not_read_what_a_checkpoint_has() {
    let home = tempfile::tempdir().unwrap();
    let settings = Settings { seal_rows: 1, checkpoint_bytes: 1, ..Settings::default() };
    let (store, _) = Store::open(home.path(), settings.clone()).unwrap();
    part(&store, vec![Event { user_changes: set("plan", "pro"), ..event(1, "visit", on("ada", "phone")) }]);
    store.step(Millis(100)).unwrap();
    assert!(written(home.path()).contains("phone"));
    let parts = store.snapshot();
    let asked = std::cell::RefCell::new(0);
    let since = crate::store::lock(&store.manifest).people.clone().unwrap().seq;
    let wanted = |seq, _| seq > since;
    crate::people::told(&parts.parts, &[], &wanted, &mut |_, _| *asked.borrow_mut() += 1).unwrap();
    assert_eq!(asked.take(), 0);
    // Written again only when much more is new, however often a step looks.
    let file = |store: &Store| crate::store::lock(&store.manifest).people.clone().unwrap().file;
    let before = file(&store);
    store.step(Millis(100)).unwrap();
    assert_eq!(file(&store), before);
    drop((parts, store));
    let (store, _) = Store::open(home.path(), settings).unwrap();
    assert_eq!(known(&store, on("ada", "phone")).0, json(r#"{"plan":"pro"}"#));
}

#[test]
fn what_waits_for_a_commit_is_in_no_checkpoint() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let told =
        |n, user: &str| Event { user_changes: set("name", user), ..event(n, "visit", on(user, "phone")) };
    part(&store, vec![told(1, "ada")]);
    let _ = store.append(vec![told(2, "bo"), told(3, "ada")]).unwrap();
    store.checkpoint(&mut crate::store::lock(&store.manifest), 0).unwrap();
    let text = written(home.path());
    assert!(text.contains("ada") && !text.contains("bo"), "{text}");
    drop(store);
    assert_eq!(owner(&open(home.path()), "phone").as_deref(), Some("ada"));
}

#[test]
fn damage_to_what_is_known_is_said_and_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    part(&store, vec![event(1, "brief", on("ada", "phone")), event(2, "visit", on("bo", "tablet"))]);
    pass(&store);
    drop(store);
    let path = read_dir(home.path()).into_keys().find(|path| path.to_string_lossy().contains("people-"));
    let path = home.path().join(path.unwrap());
    let whole = std::fs::read(&path).unwrap();
    let wrongs: [(&str, Vec<u8>); 4] = [
        ("cut", whole[..whole.len() - 3].to_vec()),
        ("empty", Vec::new()),
        ("another device", String::from_utf8(whole.clone()).unwrap().replace("phone", "house").into_bytes()),
        ("no text", vec![0xff; whole.len()]),
    ];
    for (what, wrong) in wrongs {
        std::fs::write(&path, wrong).unwrap();
        let before = read_dir(home.path());
        let refused = Store::open(home.path(), Settings::default()).unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt { .. }), "{what}: {refused}");
        assert_eq!(Store::doctor(home.path()).unwrap().findings.len(), 1, "{what}");
        assert_eq!(read_dir(home.path()), before, "{what}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(Store::open(home.path(), Settings::default()).is_err());
    std::fs::write(&path, whole).unwrap();
    assert_eq!(owner(&open(home.path()), "phone").as_deref(), Some("ada"));
}
