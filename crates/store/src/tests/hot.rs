//! Store: tests. Hot columns answer what pages answer, whatever has become of them.

use std::path::PathBuf;

use bellwether_columns::{Ids, Known, PropertyName, Want};
use bellwether_model::event::Who;
use bellwether_model::{Event, Millis};
use proptest::prelude::*;
use serde_json::json;

use super::oracle::rows;
use super::rows::want;
use super::{Files, named, open, read_dir, write_dir};
use crate::Store;

/// Events of many kinds: each property has values of one type, as most do, and some have many.
fn events(count: i64) -> Vec<Event> {
    let each = (0..count).map(|i| {
        let mut event = named(&i.to_string(), i);
        event.event = ["visit", "search", "buy"][(i % 7 % 3) as usize].into();
        event.time = Millis((i * 7_919) % count - 20);
        let user = format!("u{}", i % 61);
        event.who = match i % 3 {
            0 => Who::Device(format!("d{}", i % 9)),
            1 => Who::User(user),
            _ => Who::Both { user, device: format!("d{}", i % 12) },
        };
        let mut set = |name: &str, value| drop(event.properties.insert(name.into(), value));
        set("plan", json!(["free", "pro"][(i % 2) as usize]));
        set("page", json!(format!("/{i}")));
        set("paid", json!(i % 3 == 0));
        set("count", json!(i % 11 - 5));
        set("price", json!(f64::from(i as i32 % 100) / 8.0));
        set("odd", json!([i]));
        let mut set = |name: &str, value| drop(event.user_properties.insert(name.into(), value));
        set("tier", json!(["a", "b"][(i % 61 % 2) as usize]));
        set("huge", json!(if i % 2 == 0 { i64::MIN } else { i64::MAX }));
        if i % 50 == 0 {
            set("rare", json!(true));
        }
        event
    });
    each.collect()
}

/// Those that are hot, if there are not many events; pages alone have the others.
const HOT: [&str; 8] = ["plan", "page", "paid", "count", "price", "user.tier", "user.rare", "never"];
const COLD: [&str; 2] = ["odd", "user.huge"];

/// A store with one part of these events.
fn store(count: i64) -> (tempfile::TempDir, Store) {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let _ = store.append(events(count)).unwrap();
    store.commit().unwrap();
    store.flush().unwrap();
    (home, store)
}

/// What pages answer.
fn of_pages(store: &Store, want: &Want) -> Vec<String> {
    let snapshot = store.snapshot();
    snapshot.parts.iter().for_each(|part| part.give_up());
    let found = rows(&snapshot, want);
    snapshot.parts.iter().for_each(|part| part.warm());
    found
}

fn beside(files: &Files) -> PathBuf {
    files.keys().find(|path| path.extension().unwrap() == "hot").unwrap().clone()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Several blocks, each question about some rows of each.
    #[test]
    fn hot_columns_and_pages_have_the_same_rows(
        properties in proptest::sample::subsequence([&HOT[..], &COLD].concat(), 0..=3),
        kinds in proptest::option::of(proptest::sample::subsequence(vec!["visit", "search", "buy", "none"], 0..4)),
        (from, span) in (-100_i64..70_000, 0_i64..80_000),
        ids in prop_oneof![Just(Ids::None), Just(Ids::Came), Just(Ids::People(Known::Then)), Just(Ids::People(Known::Now))],
    ) {
        // Made once: what is asked does not change it.
        static MADE: std::sync::LazyLock<(tempfile::TempDir, Store)> = std::sync::LazyLock::new(|| store(70_000));
        let want = Want {
            events: kinds.map(|kinds| kinds.into_iter().map(str::to_owned).collect()),
            from: Millis(from),
            to: Millis(from + span),
            properties: properties.into_iter().map(PropertyName::parse).collect(),
            ids,
            ..want(&[])
        };
        prop_assert_eq!(rows(&MADE.1.snapshot(), &want), of_pages(&MADE.1, &want));
    }
}

#[test]
fn what_is_hot_is_answered_without_a_page() {
    let (home, store) = store(500);
    let parquet = store.snapshot().parts[0].path().to_owned();
    let wanted = Want { ids: Ids::People(Known::Now), ..want(&HOT) };
    let expected = of_pages(&store, &wanted);
    std::fs::rename(&parquet, home.path().join("aside")).unwrap();
    assert_eq!(rows(&store.snapshot(), &wanted), expected);
    assert_eq!(expected.len(), 500);
    for cold in COLD {
        let answer = bellwether_columns::Scan::scan(&store.snapshot(), &want(&[cold]), &mut |_| {
            std::ops::ControlFlow::Continue(())
        });
        assert!(answer.unwrap_err().to_string().contains(parquet.file_name().unwrap().to_str().unwrap()));
    }
}

#[test]
fn whatever_byte_is_turned_over_the_answer_is_the_same_and_they_are_written_again() {
    let (home, made) = store(12);
    let wanted = Want { ids: Ids::People(Known::Now), ..want(&HOT) };
    let expected = of_pages(&made, &wanted);
    drop(made);
    let files = read_dir(home.path());
    let hot = beside(&files);
    let lost = std::iter::once(None).chain((0..files[&hot].len()).map(Some));
    for at in lost {
        let mut damaged = files.clone();
        match at {
            Some(at) => damaged.get_mut(&hot).unwrap()[at] ^= 0x41,
            None => drop(damaged.remove(&hot)),
        }
        let home = write_dir(&damaged);
        let report = Store::doctor_deep(home.path()).unwrap();
        assert_eq!(report.is_sound(), at.is_none(), "byte {at:?}: {:?}", report.findings);
        let store = open(home.path());
        assert_eq!(rows(&store.snapshot(), &wanted), expected, "byte {at:?}");
        assert_eq!(rows(&store.snapshot(), &wanted), expected, "byte {at:?}");
        // The first magic is for people and other programs: no answer depends on it.
        if at.is_none_or(|at| at >= 8) {
            for _ in 0..3 {
                store.step(Millis(0)).unwrap();
            }
            assert!(read_dir(home.path()) == files, "byte {at:?}");
        }
    }
}

#[test]
fn a_step_writes_them_a_piece_and_what_is_gone_is_not_written() {
    let (home, made) = store(200);
    drop(made);
    let files = read_dir(home.path());
    let hot = beside(&files);
    std::fs::remove_file(home.path().join(&hot)).unwrap();
    let settings = crate::Settings { step_rows: 20, seal_rows: 1_000, ..crate::Settings::default() };
    let (store, _) = Store::open(home.path(), settings).unwrap();
    let mut steps = 0;
    while !home.path().join(&hot).exists() {
        store.step(Millis(0)).unwrap();
        steps += 1;
        assert!(steps < 100);
    }
    assert!(steps > 5, "{steps}");
    assert_eq!(read_dir(home.path())[&hot], files[&hot]);
    // Begun again, and then its part goes: with what was written of it.
    std::fs::remove_file(home.path().join(&hot)).unwrap();
    drop(store);
    let settings = crate::Settings { step_rows: 20, seal_rows: 1_000, ..crate::Settings::default() };
    let (store, _) = Store::open(home.path(), settings).unwrap();
    store.step(Millis(0)).unwrap();
    assert!(home.path().join(hot.with_added_extension("tmp")).exists());
    store.forget(&"production".parse().unwrap(), crate::Id::User("u1")).unwrap();
    let mut left = 1_000;
    while store.forgetting() > 0 && left > 0 {
        store.step(Millis(0)).unwrap();
        left -= 1;
    }
    store.step(Millis(0)).unwrap();
    drop(store);
    assert_eq!(read_dir(home.path()).keys().filter(|path| path.extension().unwrap() == "hot").count(), 1);
    let report = Store::doctor_deep(home.path()).unwrap();
    assert!(report.is_sound() && report.notes.is_empty(), "{report:?}");
}

/// What writing them costs, for the record: `cargo test -p bellwether-store -- --ignored --nocapture cost`.
#[test]
#[ignore = "it measures and asserts nothing"]
fn cost() {
    use crate::part::hot::Encoder;
    let (_home, store) = store(140_000);
    let snapshot = store.snapshot();
    let columns = Encoder::columns(snapshot.parts[0].schema());
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let batches: Vec<_> =
        snapshot.parts[0].batches(Some(&columns), 8_192).unwrap().map(Result::unwrap).collect();
    for _ in 0..5 {
        // Of the processor, whatever else it does.
        let spent = || -> f64 {
            let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
            stat.split(' ').next().unwrap().parse().unwrap()
        };
        let began = spent();
        let mut out = Vec::new();
        let mut encoder = Encoder::begin(&batches[0].schema(), &mut out);
        batches.iter().for_each(|batch| encoder.push(batch, &mut out).unwrap());
        encoder.finish(&mut out).unwrap();
        let took = (spent() - began) / 140_000.0;
        println!("{took:.0} ns and {:.1} bytes an event", out.len() as f64 / 140_000.0);
    }
}
