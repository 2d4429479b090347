//! Ledger, tests: a crash at any moment keeps every change that was acknowledged and nothing of one
//! that was not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bellwether_ledger::{Ledger, Members, State};
use bellwether_model::{ListId, Revision};
use common::{Place, live, shop, step};
use proptest::prelude::*;

const LEDGER: &str = "BELLWETHER_TEST_LEDGER";

/// Writes until it is killed, and says of every change that it has been acknowledged.
#[test]
#[ignore = "the child of the test below"]
fn writes_until_killed() {
    let Some(path) = std::env::var_os(LEDGER) else { return };
    let ledger = Ledger::open(&PathBuf::from(path)).unwrap();
    if ledger.state().revision == Revision(0) {
        live(
            &ledger,
            vec![
                shop::edit(shop::environment("staging", false)),
                shop::edit(shop::flag("f", &["staging"], &shop::variant("off"))),
            ],
        );
    }
    // The state says which change was the last: the name is the revision it was given at.
    loop {
        let name = (ledger.state().revision.0 + 1).to_string();
        let edit =
            serde_json::json!({"edit": "flag_described", "flag": "f", "name": name, "description": ""});
        let change = step(&ledger, shop::edit(edit)).unwrap();
        println!("\nacknowledged {}", change.revision);
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let place = Place::new();
    for round in 0..8_usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["writes_until_killed", "--exact", "--ignored", "--nocapture"])
            .env(LEDGER, place.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("acknowledged ").and_then(|n| n.parse::<u64>().ok()))
            // The fourth round goes over a snapshot.
            .nth(if round == 3 { 300 } else { 1 + 7 * round })
            .unwrap();
        child.kill().unwrap();
        child.wait().unwrap();

        assert_eq!(Ledger::doctor(&place.path()).unwrap().findings, []);
        let state = place.open().state();
        assert!(state.revision.0 >= acknowledged, "round {round}: `{acknowledged}` is gone");
        assert_eq!(state.flags["f"].name, state.revision.to_string());
    }
}

/// How many ids the lists of the test below have: some transactions' worth.
const MANY: usize = 9_000;

/// Writes long lists until it is killed, edits each by a few, and says of each that it is cited.
#[test]
#[ignore = "the child of the test below"]
fn lists_until_killed() {
    let Some(path) = std::env::var_os(LEDGER) else { return };
    let ledger = Ledger::open(&PathBuf::from(path)).unwrap();
    if ledger.state().revision == Revision(0) {
        live(&ledger, vec![shop::edit(shop::environment("staging", false))]);
    }
    let cite = |list: String, members: Members| {
        let mut proposed = shop::edit(shop::segment("s", "p", [Some(&list), None]));
        proposed.lists = vec![(ListId(list.clone()), members)];
        let change = step(&ledger, proposed).unwrap();
        println!("\ncited {list} at {}", change.revision);
        ListId(list)
    };
    loop {
        let n = ledger.state().revision;
        println!("\nwriting {n}");
        let whole = (0..MANY).map(|id| format!("{n}-{id}")).collect();
        let base = cite(format!("whole-{n}"), ledger.prepare(whole, shop::START).unwrap());
        let (added, removed) = (vec!["ada".to_owned(), "eve".to_owned()], vec![format!("{n}-0")]);
        let edited = ledger.prepare_edit(&base, added, removed, shop::START).unwrap();
        cite(format!("edited-{n}"), edited);
    }
}

#[test]
fn a_list_is_whole_or_not_there_after_a_kill() {
    let place = Place::new();
    for round in 0..8_usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["lists_until_killed", "--exact", "--ignored", "--nocapture"])
            .env(LEDGER, place.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = |line: &String| line.starts_with("cited ") || line.starts_with("writing ");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let said: Vec<String> = lines.filter(said).take(1 + 2 * round).collect();
        child.kill().unwrap();
        child.wait().unwrap();

        assert_eq!(Ledger::doctor(&place.path()).unwrap().findings, []);
        let ledger = place.open();
        let left = "select count(*) from list_series where series not in (select series from lists)";
        let left: i64 = place.hands().query_row(left, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "round {round}");
        for line in said.iter().filter_map(|line| line.strip_prefix("cited ")) {
            let (list, revision) = line.split_once(" at ").unwrap();
            let then = ledger.state_at(Revision(revision.parse().unwrap())).unwrap();
            assert_eq!(then.segments["s"].included, Some(ListId(list.to_owned())));
        }
        let conn = place.hands();
        let mut lists = conn.prepare("select id from lists").unwrap();
        for list in lists.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap) {
            let ids = ledger.list(&ListId(list.clone())).unwrap();
            let (kind, n) = list.split_once('-').unwrap();
            if kind == "whole" {
                assert!(ids.len() == MANY && ids[MANY - 1] == format!("{n}-{}", MANY - 1), "{list}");
            } else {
                assert!(ids.len() == MANY + 1 && ids[0] == format!("{n}-1") && ids[MANY] == "eve", "{list}");
            }
        }
    }
}

#[test]
fn what_was_not_committed_is_not_there() {
    let place = Place::new();
    let ledger = place.open();
    live(&ledger, shop::history());
    let conn = place.hands();
    // A writer that dies between the log's row and the commit, its pages spilled to the disk.
    conn.execute_batch(
        "pragma cache_size = 1; pragma cache_spill = 1; begin immediate;
         insert into changes select 31, at, by, why, edit, digest from changes where revision = 4;",
    )
    .unwrap();
    let big = "x".repeat(200_000);
    conn.execute("insert into lists values (?1, 31, 1, 9)", [&big]).unwrap();
    let copy = place.copy();
    assert_eq!(Ledger::doctor(&copy.path()).unwrap().findings, []);
    let again = copy.open();
    assert_eq!(*again.state(), *ledger.state());
    let change = step(&again, shop::edit(shop::toggle("checkout", "staging", false))).unwrap();
    assert_eq!(change.revision, Revision(31));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    /// The write-ahead log ends, or is damaged, anywhere: what is left is the ledger as it was at some
    /// revision, whole.
    #[test]
    fn a_torn_write_ahead_log_is_a_prefix(at in 0.0_f64..1.0, flip in any::<bool>()) {
        let place = Place::new();
        let ledger = place.open();
        let mut then = vec![State::default()];
        for proposed in shop::history() {
            step(&ledger, proposed).unwrap();
            then.push((*ledger.state()).clone());
        }
        let torn = place.copy();
        drop(ledger);
        let wal = PathBuf::from(format!("{}-wal", torn.path().display()));
        let mut bytes = std::fs::read(&wal).unwrap();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let at = (at * bytes.len() as f64) as usize;
        if flip {
            bytes[at] ^= 0x10;
        } else {
            bytes.truncate(at);
        }
        std::fs::write(&wal, bytes).unwrap();
        let again = torn.open();
        let revision = again.state().revision.0;
        prop_assert_eq!(&*again.state(), &then[usize::try_from(revision).unwrap()]);
        prop_assert_eq!(Ledger::doctor(&torn.path()).unwrap().findings, vec![]);
    }
}
