//! Sim, bench: what questions over 90 days of 100,000 people cost, with the hot columns beside the parts and without
//! them. It asserts no duration; it prints the time of the processor, of one thread, with files in the page cache:
//!
//!     cargo bench -p bellwether-sim --bench scan
//!
//! The sketch: a count of one event type reads of each event its type (1 byte) and its time (4), of people who are told
//! apart also their ids, once for each person and block. Two million events are 10 MB, which one core reads
//! from the page cache, checks and compares in some 10 ms.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::path::Path;

use bellwether_model::event::Who;
use bellwether_model::{Event, Json, Millis, Properties, Span};
use bellwether_query::catalogue;
use bellwether_query::segmentation::{self, Segmentation};
use bellwether_store::{Settings, Store};
use serde_json::json;

const EVENTS: u64 = 2_000_000;
const PEOPLE: f64 = 100_000.0;
const DAYS: u64 = 90;
const DAY: u64 = 86_400_000;
/// The first of January 2026.
const BEGIN: u64 = 1_767_225_600_000;
const ROUNDS: u32 = 20;

/// Numbers that look like chance, the same each time.
struct Chance(u64);

impl Chance {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.unit() * n as f64) as u64
    }
}

fn event(chance: &mut Chance, n: u64) -> Event {
    let at = BEGIN + n * (DAYS * DAY / EVENTS) + chance.below(1_000);
    // Some do much, most do little; each has a country and a plan.
    let person = (PEOPLE * chance.unit().powi(2)) as u64;
    let kind = chance.below(20).min(chance.below(20));
    let mut properties = Properties::from_iter([
        ("platform".to_owned(), json!(["ios", "android", "web", "tv", "desk"][person as usize % 5])),
        ("country".to_owned(), json!(format!("c{}", person % 50))),
        ("page".to_owned(), json!(format!("/products/{}", chance.below(2_000)))),
    ]);
    if kind == 3 {
        properties.insert("price".to_owned(), json!(chance.below(9_000) as f64 / 100.0));
    }
    let device = format!("device-{person:08}-{}", chance.below(2));
    // A tenth of what people do, they do before they sign in.
    let who = match chance.below(10) {
        0 => Who::Device(device),
        _ => Who::Both { user: format!("user-{person:010}"), device },
    };
    Event {
        environment: "production".parse().unwrap(),
        event: format!("event {kind}"),
        who,
        time: Millis(at as i64),
        received: Millis(at as i64 + 40),
        insert_id: None,
        session: None,
        properties,
        user_properties: Properties::from_iter([(
            "plan".to_owned(),
            json!(["free", "pro", "team"][person as usize % 3]),
        )]),
        groups: Properties::new(),
        group_properties: Properties::new(),
        user_changes: Properties::new(),
        group_changes: Properties::new(),
        revision: None,
    }
}

fn fill(dir: &Path) {
    // A server seals at least every five minutes; here a call is an hour, and 2,000 syncs would measure the disk.
    let settings = Settings { seal_age: Span::HOUR.times(6), ..Settings::default() };
    let (store, _) = Store::open(dir, settings).unwrap();
    let mut chance = Chance(42);
    let mut stepping = 0.0;
    let mut step = |now: Millis| {
        let began = spent();
        let step = store.step(now).unwrap();
        stepping += spent() - began;
        step
    };
    for call in 0..EVENTS / 1_000 {
        let events: Vec<Event> = (call * 1_000..(call + 1) * 1_000).map(|n| event(&mut chance, n)).collect();
        let now = events.last().unwrap().received;
        let _ = store.append(events).unwrap();
        store.commit().unwrap();
        step(now);
        let day = (now.0 as u64 - BEGIN) / DAY;
        if (now.0 as u64 - BEGIN) % DAY < DAY * DAYS * 1_000 / EVENTS && [10, 30, 60, 89].contains(&day) {
            let (took, _) = time(|| answer(&store, &early()));
            println!(
                "day {day}, {} parts: a question about the fifth takes {took:.1} ms",
                store.stats().parts
            );
        }
    }
    store.flush().unwrap();
    let end = Millis((BEGIN + (DAYS + 1) * DAY) as i64);
    for _ in 0..200 {
        step(end);
    }
    let stats = store.stats();
    println!(
        "{} events in {} parts; sealing and merging took {:.2} µs an event",
        stats.events,
        stats.parts,
        stepping * 1e6 / EVENTS as f64
    );
    for extension in ["parquet", "hot", "ids"] {
        println!("`.{extension}`: {:.1} bytes an event", size(dir, extension) as f64 / EVENTS as f64);
    }
}

fn files(dir: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let all = std::fs::read_dir(dir.join("parts")).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|e| e == extension)).collect()
}

fn size(dir: &Path, extension: &str) -> u64 {
    files(dir, extension).iter().map(|path| std::fs::metadata(path).unwrap().len()).sum()
}

/// What this thread has had of the processor, in seconds, whatever else the machine does.
fn spent() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn answer(store: &Store, asked: &Segmentation) -> String {
    serde_json::to_string(&segmentation::run(asked, Millis(0), &store.snapshot(), &|| false).unwrap())
        .unwrap()
}

/// A question about one of the first days.
fn early() -> Segmentation {
    let asked = json!({"environment": "production", "event": "_any", "measure": "uniques", "from": "2026-01-05", "to": "2026-01-05"});
    serde_json::from_value(asked).unwrap()
}

/// What a question takes, in milliseconds, over some rounds, since the system counts in steps; and what was answered.
fn time(mut ask: impl FnMut() -> String) -> (f64, String) {
    let mut answer = String::new();
    let began = spent();
    for _ in 0..ROUNDS {
        answer = ask();
    }
    ((spent() - began) * 1e3 / f64::from(ROUNDS), answer)
}

fn ask(store: &Store) -> Vec<(&'static str, f64, String)> {
    let (all, day) = (("2026-01-01", "2026-03-31"), ("2026-02-10", "2026-02-10"));
    let question = |(from, to): (&str, &str), more: Json| -> Segmentation {
        let mut asked = json!({"environment": "production", "event": "event 2", "from": from, "to": to});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(asked).unwrap()
    };
    let filter = json!([{"property": "user.plan", "op": "is", "values": ["pro"]}]);
    let questions = [
        ("totals, 90 days", question(all, json!({}))),
        ("totals by country, 90 days", question(all, json!({"by": "country"}))),
        ("totals by page, filtered, 90 days", question(all, json!({"by": "page", "filters": filter}))),
        ("uniques, 90 days", question(all, json!({"measure": "uniques"}))),
        ("uniques of any event, 90 days", question(all, json!({"measure": "uniques", "event": "_any"}))),
        ("uniques by platform, 90 days", question(all, json!({"measure": "uniques", "by": "platform"}))),
        ("totals, one day", question(day, json!({}))),
        ("uniques by platform, one day", question(day, json!({"measure": "uniques", "by": "platform"}))),
    ];
    let mut found = Vec::new();
    for (name, asked) in questions {
        let (took, answer) = time(|| answer(store, &asked));
        found.push((name, took, answer));
    }
    let here = "production".parse().unwrap();
    let (took, answer) = time(|| {
        serde_json::to_string(
            &catalogue::read(&here, Millis(i64::MAX), &store.snapshot(), &|| false).unwrap(),
        )
        .unwrap()
    });
    found.push(("catalogue", took, answer));
    found
}

fn main() {
    let home = tempfile::tempdir().unwrap();
    fill(home.path());
    let open = || Store::open(home.path(), Settings::default()).unwrap().0;
    let hot = ask(&open());
    files(home.path(), "hot").iter().for_each(|path| std::fs::remove_file(path).unwrap());
    // Written again by steps, of which there are none here.
    let pages = ask(&open());
    println!("| question | pages, ms | hot columns, ms | × |\n|---|---:|---:|---:|");
    for ((name, slow, expected), (_, fast, answer)) in pages.into_iter().zip(hot) {
        assert_eq!(answer, expected, "{name}");
        println!("| {name} | {slow:.1} | {fast:.1} | {:.1} |", slow / fast);
    }
}
