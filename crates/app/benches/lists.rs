//! App, bench: what a million ids on a list cost, and whom they keep waiting. It asserts no duration;
//! it prints what it saw, of one installation on one disk:
//!
//!     cargo bench -p bellwether-app --bench lists
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../tests/opened/mod.rs"]
mod opened;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bellwether_app::{App, Settings};
use bellwether_model::Json;
use serde_json::json;

use opened::{NOW, Opened};

/// What is done here again and again.
trait Busy {
    fn toggle(&self, flag: &str, on: bool);
    fn upload(&self, segment: &str, ids: std::ops::Range<u32>) -> Json;
}

impl Busy for Opened {
    fn toggle(&self, flag: &str, on: bool) {
        self.did("flag.toggle", json!({"flag": flag, "environment": "production", "on": on, "why": "bench"}));
    }

    fn upload(&self, segment: &str, ids: std::ops::Range<u32>) -> Json {
        let text: String = ids.map(|n| format!("user-{n}\n")).collect();
        self.did(
            "segment.upload",
            json!({"segment": segment, "list": "included", "ids": text, "why": "bench"}),
        )
    }
}

/// Does something while another thread toggles a flag without a pause. Says how long it took, and how
/// long each toggle.
fn beside(house: &Opened, deed: impl FnOnce()) -> (Duration, Vec<Duration>) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let toggler = scope.spawn(|| {
            let (mut waits, mut on) = (Vec::new(), false);
            while !over.load(Ordering::Relaxed) {
                on = !on;
                let began = Instant::now();
                house.toggle("other", on);
                waits.push(began.elapsed());
            }
            waits
        });
        let began = Instant::now();
        deed();
        let took = began.elapsed();
        over.store(true, Ordering::Relaxed);
        (took, toggler.join().unwrap())
    })
}

/// Bytes that this process has handed to the system for writing.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap_or(0)
}

fn say(what: &str, took: Duration, bytes: u64, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let at = |part: usize| waits.get((waits.len() * part / 100).min(waits.len().saturating_sub(1)));
    println!(
        "{what:<44} {took:>9.1?}  {:>9.1} kB written; {} toggles beside it, median {:.1?}, 99% {:.1?}, longest {:.1?}",
        bytes as f64 / 1024.0,
        waits.len(),
        at(50).copied().unwrap_or_default(),
        at(99).copied().unwrap_or_default(),
        waits.last().copied().unwrap_or_default(),
    );
}

fn main() {
    let house = Opened::new();
    house.did("segment.save", json!({"segment": "many", "why": "bench"}));
    for flag in ["asking", "other"] {
        house.did("flag.create", json!({"flag": flag}));
    }
    let rules = json!([{"when": [[{"segment": "many"}]], "serve": {"serve": "variant", "variant": "on"}}]);
    house.did(
        "flag.target",
        json!({"flag": "asking", "environment": "production", "why": "bench", "rules": rules}),
    );
    house.toggle("asking", true);

    let (took, waits) = beside(&house, || {
        for _ in 0..50 {
            house.did("flag.describe", json!({"flag": "asking", "name": "Asking"}));
        }
    });
    say("50 small changes", took, 0, waits);

    let before = written();
    let began = Instant::now();
    house.upload("many", 0..1_000_000);
    say("an upload of a million ids, alone", began.elapsed(), written() - before, vec![]);
    let (took, waits) = beside(&house, || {
        house.upload("many", 5..1_000_005);
    });
    say("another", took, 0, waits);

    let amend = |add: &[String], remove: &[String]| {
        let ids =
            json!({"segment": "many", "list": "included", "add": add, "remove": remove, "why": "bench"});
        house.did("segment.ids", ids)
    };
    let few = |n: u32| {
        let add: Vec<String> = (0..2).map(|i| format!("new-{n}-{i}")).collect();
        let remove: Vec<String> = (0..3).map(|i| format!("user-{}", 100 + 991 * (3 * n + i))).collect();
        (add, remove)
    };
    let before = written();
    let began = Instant::now();
    let (add, remove) = few(0);
    amend(&add, &remove);
    say("five ids of it edited", began.elapsed(), written() - before, vec![]);
    let (took, waits) = beside(&house, || {
        for n in 1..=10 {
            let (add, remove) = few(n);
            amend(&add, &remove);
        }
    });
    say("the same 10 times", took, 0, waits);
    for (from, n) in [(300_000, 200_u32), (300_001, 10_000), (300_002, 50_000)] {
        let add: Vec<String> =
            (0..n).map(|i| format!("more-{n}-{}", i.wrapping_mul(2_654_435_761))).collect();
        let before = written();
        let (took, waits) = beside(&house, || {
            let remove: Vec<String> = (0..n).map(|i| format!("user-{}", from + 7 * i)).collect();
            amend(&add, &remove);
        });
        say(&format!("{n} ids added and as many removed"), took, written() - before, waits);
    }
    let ids: Vec<String> = (0..50_000).map(|n| format!("target-{n}")).collect();
    let (took, waits) = beside(&house, || {
        let targets = json!([{"variant": "on", "ids": ids}]);
        house.did(
            "flag.target",
            json!({"flag": "asking", "environment": "production", "targets": targets, "why": "bench"}),
        );
    });
    say("50000 targets", took, 0, waits);
    let Opened { app, dir, .. } = house;
    drop(app);
    let began = Instant::now();
    App::open(Settings::new(dir.path(), Box::new(|| {})), NOW).unwrap();
    say("started again", began.elapsed(), 0, vec![]);
    let began = Instant::now();
    let found = App::doctor(dir.path(), false).unwrap();
    say("the doctor", began.elapsed(), 0, vec![]);
    assert_eq!(found.findings, [""; 0]);
}
