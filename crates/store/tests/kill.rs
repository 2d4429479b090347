//! Store: `kill -9` at random. Every event that was acknowledged is there exactly once, every other
//! at most once. 20 rounds; 200 with `PROOF=full`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Event, Millis, Properties, Span};
use bellwether_store::{Outcome, Settings, Store};

const DIR: &str = "BELLWETHER_KILL_DIR";
const ROUND: &str = "BELLWETHER_KILL_ROUND";
/// Ids of one round: more than a child can send before it is killed.
const ROUND_IDS: u64 = 100_000_000;

/// Each round has its own, so that it can be read without all those before it.
fn environment(round: u64) -> EnvironmentKey {
    format!("r{round}").parse().unwrap()
}

fn event(id: u64) -> Event {
    let mut properties = Properties::new();
    properties.insert("page".into(), format!("/{}", id % 17).into());
    properties.insert("price".into(), (id % 5).into());
    Event {
        environment: environment(id / ROUND_IDS),
        event: "visit".into(),
        who: Who::User(format!("u{}", id % 9)),
        time: Millis(i64::try_from(id).unwrap()),
        received: Millis(i64::try_from(id).unwrap()),
        insert_id: Some(id.to_string()),
        session: None,
        properties,
        user_properties: Properties::new(),
        groups: Properties::new(),
        group_properties: Default::default(),
        user_changes: Default::default(),
        group_changes: Default::default(),
        revision: None,
    }
}

fn settings() -> Settings {
    // Every step seals or merges, so that a kill often hits a part or the manifest half-way.
    Settings { seal_rows: 5_000, seal_age: Span(0), ..Settings::default() }
}

/// The process that is killed: three senders that send each batch twice, one thread that commits and
/// one that seals. It prints the ids of a batch once they are acknowledged. It ends only by being killed.
#[test]
fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    // A thread that panics must not leave the others spinning and the parent waiting.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    let (store, _) = Store::open(Path::new(&dir), settings()).unwrap();
    let out = Mutex::new(std::io::stdout());
    let next = AtomicU64::new(round * ROUND_IDS);
    let (store, out, next) = (&store, &out, &next);
    std::thread::scope(|scope| {
        for sender in 0..3_u64 {
            scope.spawn(move || {
                let mut size = sender;
                loop {
                    size = (size * 7 + 3) % 40;
                    let first = next.fetch_add(size + 1, Ordering::Relaxed);
                    let ids: Vec<u64> = (first..=first + size).collect();
                    let batch = || ids.iter().map(|&id| event(id)).collect::<Vec<_>>();
                    let ticket = store.append(batch()).unwrap();
                    // A sender that lost patience sends the same again.
                    let retry = store.append(batch()).unwrap();
                    assert_eq!(retry.taken.stored, 0);
                    for ticket in [ticket, retry] {
                        while store.outcome(&ticket) == Outcome::Waiting {
                            std::thread::yield_now();
                        }
                        assert_eq!(store.outcome(&ticket), Outcome::Committed);
                    }
                    let mut out = out.lock().unwrap();
                    for id in ids {
                        writeln!(out, "ack {id}").unwrap();
                    }
                    out.flush().unwrap();
                }
            });
        }
        scope.spawn(move || {
            loop {
                store.commit().unwrap();
                std::thread::yield_now();
            }
        });
        scope.spawn(move || {
            loop {
                store.step(Millis(0)).unwrap();
                std::thread::yield_now();
            }
        });
    });
}

/// Every event of a round that was acknowledged is there, nothing is there twice, and all are as they
/// were sent.
fn count(store: &Store, acknowledged: &BTreeSet<u64>, round: u64) {
    let mut there = BTreeSet::new();
    for event in store.snapshot().events(&environment(round), usize::MAX).unwrap() {
        let id = event.insert_id.as_deref().unwrap().parse().unwrap();
        assert_eq!(event, self::event(id));
        assert!(there.insert(id), "round {round}: event {id} is there twice");
    }
    for id in acknowledged.range(round * ROUND_IDS..(round + 1) * ROUND_IDS) {
        assert!(there.contains(id), "round {round}: event {id} was acknowledged and is gone");
    }
}

#[test]
fn what_was_acknowledged_is_there_once_after_a_kill() {
    let rounds = if std::env::var("PROOF").is_ok_and(|p| p == "full") { 200 } else { 20 };
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("events");
    let mut acknowledged = BTreeSet::new();
    let (mut parts, mut replayed) = (0, 0);
    // A fixed, badly behaved sequence: the kill itself falls where the machine happens to be.
    let mut patience = 1_u64;
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(DIR, &dir)
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        patience = patience.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let enough = patience % 1_009 + 1;
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (mut heard, mut line) = (0, String::new());
        // What it said before it died counts too, but for a last line that is cut off.
        while out.read_line(&mut line).unwrap() > 0 {
            if let Some((_, id)) = line.strip_suffix('\n').and_then(|l| l.rsplit_once("ack ")) {
                acknowledged.insert(id.parse::<u64>().unwrap());
                heard += 1;
                if heard == enough {
                    child.kill().unwrap();
                }
            }
            line.clear();
        }
        assert!(heard >= enough, "the child ended by itself");
        child.wait().unwrap();

        let (store, recovery) = Store::open(&dir, settings()).unwrap();
        parts = recovery.parts;
        replayed += recovery.replayed;
        count(&store, &acknowledged, round);

        // Senders without an answer send again; what was stored is known, what was not is taken, and
        // either way it is there once.
        let newest = acknowledged.last().copied().unwrap();
        let again: Vec<u64> = (newest.saturating_sub(60).max(round * ROUND_IDS)..newest + 120).collect();
        let _ = store.append(again.iter().map(|&id| event(id)).collect()).unwrap();
        store.commit().unwrap();
        acknowledged.extend(again);
        count(&store, &acknowledged, round);
    }
    let report = Store::doctor_deep(&dir).unwrap();
    assert!(report.is_sound(), "{report:?}");
    let (store, _) = Store::open(&dir, settings()).unwrap();
    (0..rounds).for_each(|round| count(&store, &acknowledged, round));
    assert!(parts > 0 && replayed > 0, "kills fell on an idle store");
    println!("{rounds} kills, {} events acknowledged, each there exactly once", acknowledged.len());
}
