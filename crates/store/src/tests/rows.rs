//! Store: tests. What goes into a part comes out the same, and lies in it as promised.

use std::ops::ControlFlow;

use bellwether_columns::{Cells, Ids, PropertyName, Scan, Want};
use bellwether_model::event::Who;
use bellwether_model::{Event, Json, Millis};
use serde_json::json;

use super::{named, open};
use crate::Store;

pub(super) fn want(properties: &[&str]) -> Want {
    Want {
        environment: "production".parse().unwrap(),
        events: None,
        from: Millis(i64::MIN),
        to: Millis(i64::MAX),
        properties: properties.iter().map(|name| PropertyName::parse(name)).collect(),
        ids: Ids::Came,
    }
}

fn cells(store: &Store, name: &str) -> Cells {
    let mut found = Cells::Missing;
    let each = &mut |batch: &bellwether_columns::Batch| {
        found = batch.properties[0].clone();
        ControlFlow::Continue(())
    };
    store.snapshot().scan(&want(&[name]), each).unwrap();
    found
}

/// Values of one property go into a part and come back, whole and as a column of this kind.
#[track_caller]
fn check(values: &[Json], kind: &str) {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let events = values.iter().enumerate().map(|(i, value)| {
        let mut event = named(&i.to_string(), i as i64);
        event.properties.insert("x".into(), value.clone());
        event
    });
    let _ = store.append(events.collect()).unwrap();
    store.commit().unwrap();
    let in_memory = format!("{:?}", cells(&store, "x"));
    store.flush().unwrap();
    assert_eq!(store.stats().parts, 1);
    let back: Vec<Json> = store
        .snapshot()
        .events(&"production".parse().unwrap(), usize::MAX)
        .unwrap()
        .into_iter()
        .rev()
        .map(|event| event.properties["x"].clone())
        .collect();
    assert_eq!(format!("{back:?}"), format!("{values:?}"));
    let in_part = format!("{:?}", cells(&store, "x"));
    assert_eq!(in_part, in_memory);
    assert!(in_part.starts_with(kind), "{in_part}");
}

#[test]
fn every_value_comes_back_as_it_was() {
    check(&[json!("a"), json!("b"), json!("a"), json!("")], "Text");
    check(&[json!(true), json!(false)], "Booleans");
    check(&[json!(1), json!(-5), json!(i64::MAX), json!(i64::MIN)], "Mixed");
    check(&[json!(1.5), json!(2.0), json!(-0.0), json!(1e300)], "Numbers");
    check(&[json!(5), json!(4.99), json!(-7), json!(0)], "Numbers");
    check(&[json!(5), json!(5.0), json!(0.1)], "Numbers");
    check(&[json!(1_i64 << 53), json!(-(1_i64 << 53))], "Numbers");
    check(&[json!(9_007_199_254_740_993_i64), json!(0.5)], "Mixed");
    check(&[json!(u64::MAX), json!(1)], "Mixed");
    check(&[json!("1"), json!(1), json!([1, 0.1]), json!({"a": null}), json!(true)], "Mixed");
    check(&[json!("{\"a\":1}"), json!("null"), json!("1")], "Text");
}

#[test]
fn properties_past_the_limit_are_kept_in_one_column() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let mut events = Vec::new();
    for i in 0..300_i64 {
        let mut event = named(&i.to_string(), i);
        event.properties.insert(format!("rare{i}"), json!(i));
        event.properties.insert("often".into(), json!(i));
        event.user_properties.insert(format!("rare{i}"), json!(format!("{i}")));
        events.push(event);
    }
    let _ = store.append(events.clone()).unwrap();
    store.commit().unwrap();
    let asked = ["often", "rare1", "rare299", "user.rare299", "p", "user.rare7"];
    let all = |store: &Store| {
        let mut rows = Vec::new();
        store
            .snapshot()
            .scan(&want(&asked), &mut |batch| {
                let row = |row| {
                    (
                        batch.time[row],
                        batch.properties.iter().map(|c| c.text(row).map(String::from)).collect::<Vec<_>>(),
                    )
                };
                rows.extend((0..batch.rows).map(row));
                ControlFlow::Continue(())
            })
            .unwrap();
        rows.sort();
        rows
    };
    let before = all(&store);
    store.flush().unwrap();
    assert_eq!(all(&store), before);
    assert_eq!(before.iter().flat_map(|(_, cells)| cells).flatten().count(), 300 + 4);
    let back = store.snapshot().events(&"production".parse().unwrap(), 300).unwrap();
    assert!(back.iter().rev().eq(events.iter()));
}

/// Many row groups: more rows than one holds, of users whose lines do not end at its edge.
#[test]
fn a_part_of_several_row_groups_is_sorted_along_each_unit() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let events: Vec<Event> = (0..70_000_i64)
        .map(|i| {
            let mut event = named("", i);
            event.insert_id = None;
            event.time = Millis((i * 7_919) % 70_000);
            let user = format!("u{}", i % 600);
            event.who = if i % 3 == 0 { Who::Device(user) } else { Who::Both { user, device: "d".into() } };
            event.properties.insert("page".into(), json!(format!("/{}", i % 5_000)));
            event
        })
        .collect();
    let _ = store.append(events).unwrap();
    store.commit().unwrap();
    store.flush().unwrap();

    let mut lines: Vec<(String, i64)> = Vec::new();
    let mut pages = 0;
    store
        .snapshot()
        .scan(&want(&["page"]), &mut |batch| {
            for row in 0..batch.rows {
                let unit = batch.user.get(row).or(batch.device.get(row)).unwrap();
                lines.push((unit.to_owned(), batch.time[row]));
                pages += usize::from(batch.properties[0].text(row).is_some_and(|p| p.starts_with('/')));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((lines.len(), pages), (70_000, 70_000));
    let key = |(unit, time): &(String, i64)| (crc32fast::hash(unit.as_bytes()) % 64, unit.clone(), *time);
    assert!(lines.is_sorted_by_key(key));

    // Asking for a short time touches nothing else; breaking off ends it.
    let narrow = Want { from: Millis(100), to: Millis(110), ..want(&[]) };
    let mut times = Vec::new();
    let each = &mut |batch: &bellwether_columns::Batch| {
        times.extend_from_slice(&batch.time);
        ControlFlow::Continue(())
    };
    store.snapshot().scan(&narrow, each).unwrap();
    times.sort_unstable();
    assert_eq!(times, (100..110).collect::<Vec<_>>());
    let mut calls = 0;
    let once = &mut |_: &bellwether_columns::Batch| {
        calls += 1;
        ControlFlow::Break(())
    };
    store.snapshot().scan(&want(&[]), once).unwrap();
    assert_eq!(calls, 1);
}

/// Parts whose rows, put together, pass the edge of a row group, with texts that all of them have and texts that each
/// has alone.
#[test]
fn parts_that_become_one_of_several_row_groups_keep_each_row() {
    let home = tempfile::tempdir().unwrap();
    let settings = crate::Settings { seal_rows: 100_000, ..crate::Settings::default() };
    let store = crate::Store::open(home.path(), settings).unwrap().0;
    let mut sent = Vec::new();
    for part in 0..4_i64 {
        let events: Vec<Event> = (0..20_000)
            .map(|i| {
                let mut event = named("", part * 20_000 + i);
                event.insert_id = None;
                event.who = Who::User(format!("u{}", (i * 31) % 3_000));
                event.properties.insert("page".into(), json!(format!("/{}", i % 50)));
                if i % 3 != 0 {
                    event.properties.insert("of".into(), json!(format!("{part} {}", i % 700)));
                }
                event
            })
            .collect();
        sent.extend(events.clone());
        let _ = store.append(events).unwrap();
        store.commit().unwrap();
        store.flush().unwrap();
    }
    let mut merged = 0;
    while merged == 0 {
        merged = store.step(Millis(0)).unwrap().merged;
    }
    assert_eq!(merged, 4);
    let mut found = store.snapshot().events(&"production".parse().unwrap(), usize::MAX).unwrap();
    found.sort_by_key(|event| event.received);
    assert_eq!(found.len(), sent.len());
    assert!(found == sent);
    drop(store);
    assert!(Store::doctor_deep(home.path()).unwrap().is_sound());
}

#[test]
fn an_event_takes_few_bytes() {
    const EVENTS: usize = 20_000;
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let mut random = 1_u64;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random >> 16
    };
    let mut json = 0;
    for _ in 0..EVENTS / 100 {
        let events: Vec<Event> = (0..100)
            .map(|_| {
                let at = 1_771_622_898_000 + (next() % 3_600_000) as i64;
                let (a, b, c, d) = (next(), next(), next(), next());
                let mut event = named("", at);
                event.insert_id = Some(format!(
                    "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                    a & 0xffff_ffff,
                    b & 0xffff,
                    b >> 16 & 0xfff,
                    b >> 28 & 0xfff,
                    (c ^ d << 7) & 0xffff_ffff_ffff
                ));
                event.event =
                    ["view_item", "search", "add_to_cart", "purchase"][(next() % 4) as usize].into();
                event.who = Who::Both {
                    user: format!("user-{}", next() % 4_000),
                    device: format!("d-{}", next() % 4_000),
                };
                event.time = Millis(at - 40);
                event
                    .properties
                    .insert("platform".into(), ["ios", "web", "android"][(next() % 3) as usize].into());
                event.properties.insert("page".into(), format!("/products/{}", next() % 500).into());
                event.properties.insert("price".into(), ((next() % 9_000) as f64 / 100.0).into());
                event.properties.insert("logged_in".into(), next().is_multiple_of(2).into());
                json += serde_json::to_vec(&event).unwrap().len();
                event
            })
            .collect();
        let _ = store.append(events).unwrap();
        store.commit().unwrap();
    }
    let log = store.stats().bytes;
    store.flush().unwrap();
    let size = |extension: &str| {
        let files = super::read_dir(home.path());
        files.iter().filter(|(p, _)| p.extension().unwrap() == extension).map(|(_, b)| b.len()).sum::<usize>()
    };
    let each = |bytes: usize| bytes as f64 / EVENTS as f64;
    let (part, list, hot) = (each(size("parquet")), each(size("ids")), each(size("hot")));
    println!(
        "json {}, log {}, part {part}, list {list}, hot {hot} bytes an event",
        each(json),
        each(log as usize)
    );
    // 16 of the UUID, 28 and a filter in the list.
    assert!(part < 16.0 + 32.0, "{part}");
    assert!(list < 28.0 + 4.5, "{list}");
    // Seven properties and ids, of users that have five events each.
    assert!(hot < 24.0, "{hot}");
}
