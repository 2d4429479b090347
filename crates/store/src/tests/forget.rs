//! Store: tests. Who is forgotten is in no byte of any file, and everybody else is what they were.

use std::path::Path;

use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Event, Json, Millis, Properties, Seq};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::{named, read_dir};
use crate::{Id, Settings, Store, StoreError};

/// Ids that nothing compresses, so that they are found in pages and log records as they are.
const GONE: &str = "kQ7vXz31-9fJtR0pLwYb64GdNh2sMcUe";
const DEVICE: &str = "Zw8Ry5Tn-1xCq7Vb3LkPj90HgFd6SaMu";
const OTHER: &str = "Hs4Nf9Kc-2mWd8Eq6TvBx15YzLr7JgPo";

fn here() -> EnvironmentKey {
    "production".parse().unwrap()
}

fn event(n: i64, who: Who) -> Event {
    let text = |text: String| Properties::from_iter([("page".to_owned(), Json::from(text))]);
    let of = who.user().or(who.device()).unwrap_or_default().to_owned();
    let mut event = named(&format!("{of}/{n}"), n);
    event.user_changes = Properties::from_iter([("$set".to_owned(), Json::from(text(of.clone())))]);
    event.properties = text(of.clone());
    // Only they have this property: its name tells of them, too.
    event.properties.insert(format!("only-{of}"), n.into());
    event.who = who;
    event
}

fn user() -> Who {
    Who::User(GONE.into())
}

fn device() -> Who {
    Who::Device(DEVICE.into())
}

fn both() -> Who {
    Who::Both { user: GONE.into(), device: DEVICE.into() }
}

fn other() -> Who {
    Who::User(OTHER.into())
}

fn put(store: &Store, events: Vec<Event>) {
    let _ = store.append(events).unwrap();
    store.commit().unwrap();
}

/// The files in which an id is: byte for byte, and in what is in the pages of parts and the records of the log.
fn files_with(dir: &Path, id: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (path, bytes) in read_dir(dir) {
        let name = path.display().to_string();
        let mut texts = vec![bytes.clone()];
        if name.ends_with(".parquet") {
            let reader = SerializedFileReader::new(bytes::Bytes::from(bytes.clone())).unwrap();
            texts.push(format!("{:?}", reader.metadata()).into_bytes());
            for group in 0..reader.num_row_groups() {
                let group = reader.get_row_group(group).unwrap();
                for column in 0..group.num_columns() {
                    // Dictionaries are pages, too.
                    for page in group.get_column_page_reader(column).unwrap() {
                        texts.push(page.unwrap().buffer().to_vec());
                    }
                }
            }
        }
        if name.ends_with(".wal") {
            let mut at = 32;
            while let Some(length) = bytes.get(at..at + 4) {
                let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
                let begin = at + 16;
                texts.push(lz4_flex::decompress_size_prepended(&bytes[begin..begin + length]).unwrap());
                at = begin + length;
            }
        }
        if texts.iter().any(|text| text.windows(id.len()).any(|window| window == id.as_bytes())) {
            found.push(name.split(['/', '-', '.']).next().unwrap_or_default().to_owned());
        }
    }
    found.dedup();
    found
}

fn seen(store: &Store) -> Vec<String> {
    let events = store.snapshot().events(&here(), usize::MAX).unwrap();
    let mut seen: Vec<String> =
        events.iter().map(|e| e.insert_id.clone().unwrap_or_default().replace(OTHER, "other")).collect();
    seen.sort();
    seen
}

/// A store with the person in parts, large and small, and in the log.
fn filled(dir: &Path, settings: &Settings) -> Store {
    let (store, _) = Store::open(dir, settings.clone()).unwrap();
    for part in 0..3 {
        let n = |i: i64| Millis(part * 100 + i).0;
        put(
            &store,
            vec![event(n(0), device()), event(n(1), other()), event(n(2), both()), event(n(3), user())],
        );
        store.flush().unwrap();
    }
    // A part with nobody else in it, and one without them.
    put(&store, vec![event(400, user())]);
    store.flush().unwrap();
    put(&store, vec![event(401, other())]);
    store.flush().unwrap();
    put(&store, vec![event(402, other()), event(403, both())]);
    store
}

#[test]
fn no_byte_of_who_was_forgotten_is_left_and_everybody_else_is() {
    let home = tempfile::tempdir().unwrap();
    let settings = Settings::default();
    let store = filled(home.path(), &settings);
    for id in [GONE, DEVICE] {
        assert_eq!(files_with(home.path(), id), ["parts", "wal"], "what is looked for is found");
    }
    let person = store.forget(&here(), Id::Device(DEVICE)).unwrap();
    assert_eq!((person.user.as_deref(), person.devices.as_slice()), (Some(GONE), &[DEVICE.to_owned()][..]));
    let others = ["other/1", "other/101", "other/201", "other/401", "other/402"];
    // At once, though parts have them still, and after a kill.
    assert_eq!(seen(&store), others);
    assert!(store.forgetting() > 0);
    drop(store);
    let (store, _) = Store::open(home.path(), settings.clone()).unwrap();
    assert_eq!(seen(&store), others);
    assert!(!files_with(home.path(), GONE).is_empty());
    while store.forgetting() > 0 {
        store.step(Millis(500)).unwrap();
    }
    for id in [GONE, DEVICE] {
        assert!(files_with(home.path(), id).is_empty());
    }
    assert!(!files_with(home.path(), OTHER).is_empty());
    assert_eq!(seen(&store), others);
    assert_eq!(store.snapshot().len(), 5);
    // Whoever comes with that id is somebody new, whose properties nobody knows.
    let bare = Event { user_changes: Properties::new(), ..event(600, both()) };
    put(&store, vec![bare]);
    let newest = store.snapshot().events(&here(), 1).unwrap();
    assert_eq!((&newest[0].who, &newest[0].user_properties), (&both(), &Properties::new()));
    drop(store);
    assert!(Store::doctor_deep(home.path()).unwrap().is_sound());
}

#[test]
fn a_step_forgets_a_piece_and_a_reader_keeps_what_it_began_with() {
    let home = tempfile::tempdir().unwrap();
    let settings = Settings { step_rows: 1, ..Settings::default() };
    let store = filled(home.path(), &settings);
    let before = store.snapshot();
    store.forget(&here(), Id::User(GONE)).unwrap();
    let mut steps = 0;
    for _ in 0..200 {
        steps += usize::from(store.step(Millis(500)).is_ok() && store.forgetting() > 1);
    }
    assert!(steps > 3, "it took `{steps}` steps");
    // Its files go when it does.
    assert_eq!(before.events(&here(), usize::MAX).unwrap().len(), 16);
    assert_eq!(store.forgetting(), 1);
    drop(before);
    store.step(Millis(500)).unwrap();
    assert_eq!(store.forgetting(), 0);
    assert!(files_with(home.path(), GONE).is_empty());
}

#[test]
fn a_device_of_several_users_does_not_say_who_is_meant() {
    let home = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(home.path(), Settings::default()).unwrap();
    let on = |user: &str| Who::Both { user: user.into(), device: DEVICE.into() };
    let anonymous = |n| event(n, device());
    put(&store, vec![anonymous(1), event(2, on("ada")), anonymous(3), event(4, on("bo")), anonymous(5)]);
    let refused = store.forget(&here(), Id::Device(DEVICE)).unwrap_err();
    assert!(matches!(&refused, StoreError::Shared { users, .. } if *users == ["ada", "bo"]), "{refused}");
    // What the first did before and after signing in goes; what the second did stays, the device's name with it.
    store.forget(&here(), Id::User("ada")).unwrap();
    let left: Vec<i64> =
        store.snapshot().events(&here(), 9).unwrap().iter().map(|event| event.received.0).collect();
    assert_eq!(left, [5, 4]);
    // From here on the device was always the second's.
    assert_eq!(store.person(&here(), Id::Device(DEVICE)).unwrap().user.as_deref(), Some("bo"));
}

#[test]
fn a_page_of_a_person_is_the_first_of_their_events_that_fit() {
    let home = tempfile::tempdir().unwrap();
    let store = filled(home.path(), &Settings::default());
    let ids = [Id::User(GONE)];
    let size = |event: &Event| serde_json::to_vec(event).unwrap().len();
    let all = store.events_of(&here(), &ids, Seq(0), usize::MAX, usize::MAX).unwrap();
    let names: Vec<&str> = all.events.iter().map(|(_, event)| event.insert_id.as_deref().unwrap()).collect();
    let of = |who: &str, n: i64| format!("{who}/{n}");
    let mut expected = Vec::new();
    for part in 0..3 {
        expected.extend([of(DEVICE, part * 100), of(GONE, part * 100 + 2), of(GONE, part * 100 + 3)]);
    }
    expected.extend([of(GONE, 400), of(GONE, 403)]);
    assert_eq!(names, expected);
    assert_eq!(store.count_of(&here(), &ids).unwrap(), 11);
    let each: usize = size(&all.events[0].1);
    for limit in [1, 2, 5, 10, 11, 12] {
        for most in [0, each, 2 * each + 40, 7 * each, usize::MAX] {
            for (begin, after) in
                [Seq(0)].into_iter().chain(all.events.iter().map(|(seq, _)| *seq)).enumerate()
            {
                let left = all.events.get(begin..).unwrap();
                let mut bytes = 0;
                let fits = left.iter().take(limit).enumerate().take_while(|(at, (_, event))| {
                    bytes += size(event);
                    *at == 0 || bytes <= most
                });
                let fits: Vec<_> = fits.map(|(_, placed)| placed.clone()).collect();
                let page = store.events_of(&here(), &ids, after, limit, most).unwrap();
                let case = format!("{limit} of {most} bytes after {begin}");
                assert_eq!(page.events, fits, "{case}");
                assert_eq!(page.more, fits.len() < left.len(), "{case}");
                assert_eq!(page.bytes, fits.iter().map(|(_, event)| size(event)).sum::<usize>(), "{case}");
            }
        }
    }
    // Others are not counted, and who is forgotten is seen by nobody, parts that have them still included.
    store.forget(&here(), Id::User(GONE)).unwrap();
    assert!(store.forgetting() > 0);
    assert_eq!(store.count_of(&here(), &ids).unwrap(), 0);
    assert_eq!(store.events_of(&here(), &ids, Seq(0), 1, 0).unwrap().events, []);
    assert_eq!(store.count_of(&here(), &[Id::User(OTHER), Id::User(GONE)]).unwrap(), 5);
}
