//! Ledger, tests: nobody waits for a long list, and none is cited or left that is not whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use bellwether_model::{ListId, Millis};
use rusqlite::Connection;

use super::BATCH;
use crate::{Ledger, shop};

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("user-{n}")).collect()
}

fn count(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Series that no change cites, and the members in them.
fn left(path: &Path) -> (i64, i64) {
    let uncited = "where series not in (select series from lists)";
    let of = |table: &str| count(path, &format!("select count(*) from {table} {uncited}"));
    (of("list_series"), of("list_members"))
}

fn world(path: &Path) -> Ledger {
    let ledger = Ledger::open(path).unwrap();
    for proposed in shop::history() {
        ledger.apply(proposed, shop::START).unwrap();
    }
    ledger
}

fn cites(list: &str) -> crate::Proposed {
    shop::edit(shop::segment("s", "p", [Some(list), None]))
}

#[test]
fn others_write_between_any_two_batches_and_a_crash_there_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    let ledger = world(&path);
    let (mut batches, mut on) = (0, false);
    let members = ledger
        .prepare_with(ids(3 * BATCH + 7), Millis(5), &mut || {
            batches += 1;
            on = !on;
            // On this very thread: it would wait for ever if the writer were not free.
            ledger.apply(shop::edit(shop::toggle("checkout", "staging", on)), shop::START).unwrap();
            ledger.people().set_setup("link", Millis(batches)).unwrap();

            // The machine stops here.
            let stopped = tempfile::tempdir().unwrap();
            let copy = stopped.path().join("ledger.sqlite");
            for end in ["", "-wal"] {
                let name = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
                std::fs::copy(name(&path), name(&copy)).unwrap();
            }
            assert_eq!(Ledger::doctor(&copy).unwrap().findings, []);
            assert_eq!(left(&copy).0, 1);
            let again = Ledger::open(&copy).unwrap();
            assert_eq!(left(&copy), (0, 0));
            assert_eq!(*again.state(), *ledger.state());
            assert!(again.list(&ListId("long".into())).is_err());
        })
        .unwrap();
    assert_eq!(batches, 4);
    let mut proposed = cites("long");
    proposed.lists = vec![(ListId("long".into()), members.clone())];
    ledger.try_apply(&proposed, shop::START).unwrap();
    ledger.apply(proposed, shop::START).unwrap();
    assert_eq!(*ledger.list(&ListId("long".into())).unwrap(), *ids(3 * BATCH + 7));
    assert_eq!(left(&path), (0, 0));

    // It is cited once, and stays when somebody gives it back.
    let mut again = cites("longer");
    again.lists = vec![(ListId("longer".into()), members.clone())];
    assert_eq!(
        ledger.apply(again, shop::START).unwrap_err().to_string(),
        "this list was swept away before a change cited it, or was cited before\nhint: send it again"
    );
    ledger.discard(members).unwrap();
    assert_eq!(ledger.list(&ListId("long".into())).unwrap().len(), 3 * BATCH + 7);
    assert_eq!(Ledger::doctor(&path).unwrap().findings, []);
}

/// Page after page is the whole list in the order of its text, whatever was edited in between.
#[test]
fn a_list_is_read_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    let ledger = world(&path);
    let members = ledger.prepare(ids(3 * BATCH), Millis(5)).unwrap();
    let mut proposed = cites("many");
    proposed.lists = vec![(ListId("many".into()), members)];
    ledger.apply(proposed, shop::START).unwrap();
    let many = ListId("many".into());
    let gone = vec!["user-0".to_owned(), "user-17".to_owned()];
    let members = ledger.prepare_edit(&many, vec!["ada".to_owned()], gone, Millis(5)).unwrap();
    let mut proposed = cites("edited");
    proposed.lists = vec![(ListId("edited".into()), members)];
    ledger.apply(proposed, shop::START).unwrap();
    for id in [many, ListId("edited".into())] {
        let mut expected = ledger.list(&id).unwrap().to_vec();
        expected.sort();
        let mut read: Vec<String> = Vec::new();
        loop {
            let page = ledger.page(&id, read.last().map_or("", String::as_str), 997).unwrap();
            read.extend_from_slice(&page);
            if page.len() < 997 {
                break;
            }
        }
        assert_eq!(read, expected);
    }
    assert!(ledger.page(&ListId("nowhere".into()), "", 1).is_err());
}

#[test]
fn what_is_swept_while_it_is_written_is_not_cited() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    let ledger = world(&path);
    let mut others = Vec::new();
    let swept = ledger.prepare_with(ids(3 * BATCH), Millis(5), &mut || {
        others.push(Ledger::open(&path).unwrap());
    });
    assert!(swept.unwrap_err().message().starts_with("this list was swept away"));
    assert_eq!(left(&path), (0, 0));

    // Whole, but not cited yet.
    let members = ledger.prepare(ids(BATCH + 1), Millis(5)).unwrap();
    assert_eq!(left(&path), (1, i64::try_from(BATCH).unwrap() + 1));
    others.push(Ledger::open(&path).unwrap());
    assert_eq!(left(&path), (0, 0));
    let mut proposed = cites("long");
    proposed.lists = vec![(ListId("long".into()), members)];
    assert!(ledger.apply(proposed, shop::START).unwrap_err().message().starts_with("this list was swept"));

    // Others write while it is swept, too, and nobody can cite what is half gone.
    let members = ledger.prepare(ids(3 * BATCH), Millis(6)).unwrap();
    let mut proposed = cites("long");
    proposed.lists = vec![(ListId("long".into()), members)];
    let mut refused = 0;
    ledger
        .sweep(None, &mut || {
            assert!(ledger.apply(proposed.clone(), shop::START).is_err());
            refused += 1;
        })
        .unwrap();
    assert_eq!((refused, left(&path)), (4, (0, 0)));
}

#[test]
fn what_nobody_cites_for_a_day_is_swept_when_the_next_one_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    let ledger = world(&path);
    let day = 24 * 60 * 60 * 1_000;
    for (now, expected) in [(0, 1), (day, 2), (day + 1, 2), (3 * day, 1)] {
        let _ = ledger.prepare(ids(BATCH + 1), Millis(now)).unwrap();
        assert_eq!(left(&path).0, expected, "at {now}");
    }
}

#[test]
fn a_few_ids_are_written_as_a_few_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    let ledger = world(&path);
    let mut proposed = cites("long");
    proposed.lists = vec![(ListId("long".into()), ledger.prepare(ids(20_000), Millis(0)).unwrap())];
    ledger.apply(proposed, shop::START).unwrap();
    let rows = || {
        ["true", "until is not null", "since > 0"]
            .map(|which| count(&path, &format!("select count(*) from list_members where {which}")))
    };
    // Two are on a list of the shop.
    assert_eq!(rows(), [20_002, 0, 0]);
    let texts = |of: &[&str]| of.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let base = ListId("long".into());
    let edit = |base: &ListId, added: &[&str], removed: &[&str]| {
        ledger.prepare_edit(base, texts(added), texts(removed), Millis(0)).unwrap()
    };
    let edited = edit(&base, &["a", "b", "user-7", "a"], &["user-3", "user-19999", "nobody"]);
    let rival = edit(&base, &["c"], &[]);
    assert_eq!(rows(), [20_002, 0, 0], "it is written with the change");
    let bring = |list: &str, members| {
        let mut proposed = cites(list);
        proposed.lists = vec![(ListId(list.into()), members)];
        ledger.apply(proposed, shop::START).map(|_| ())
    };
    bring("edited", edited).unwrap();
    assert_eq!(rows(), [20_004, 2, 2]);
    assert_eq!(
        bring("rival", rival.clone()).unwrap_err().to_string(),
        "another list was made of list `long` before\nhint: read the list again, and edit the newest"
    );
    // The past is a list like any other, and is then written whole.
    bring("branch", edit(&base, &["c"], &[])).unwrap();
    assert_eq!(rows(), [40_005, 2, 2]);
    let list = |id: &str| ledger.list(&ListId(id.into())).unwrap();
    assert_eq!(*list("long"), *ids(20_000));
    assert_eq!((list("edited").len(), &list("edited")[19_998..]), (20_000, &texts(&["a", "b"])[..]));
    assert_eq!((list("branch").len(), &list("branch")[20_000..]), (20_001, &texts(&["c"])[..]));
    assert_eq!(left(&path), (0, 0));
    assert_eq!(Ledger::doctor(&path).unwrap().findings, []);
}

#[test]
fn a_series_that_is_mostly_gone_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    let ledger = world(&path);
    let mut known = "l0".to_owned();
    let mut proposed = cites(&known);
    proposed.lists = vec![(ListId(known.clone()), vec!["ada".to_owned()].into())];
    ledger.apply(proposed, shop::START).unwrap();
    let series = "select count(*) from list_series";
    let begun = count(&path, series);
    // Each list is of 300 others: when the seventh comes, 1,500 have gone and 301 are left.
    for n in 1..=8 {
        let new = format!("l{n}");
        let of = |n: i32| (0..300).map(|id| format!("{n}-{id}")).collect::<Vec<_>>();
        // Half at a time, so that it stays a difference.
        let (added, removed) = (of(n), if n > 1 { of(n - 1) } else { vec![] });
        for (half, added, removed) in [("a", added, vec![]), ("", vec![], removed)] {
            let name = format!("{new}{half}");
            let base = ListId(known.clone());
            let mut proposed = cites(&name);
            let members = ledger.prepare_edit(&base, added, removed, Millis(0)).unwrap();
            proposed.lists = vec![(ListId(name.clone()), members)];
            ledger.apply(proposed, shop::START).unwrap();
            known = name;
        }
    }
    assert_eq!(count(&path, series), begun + 1);
    for n in 1..=8 {
        let list = ledger.list(&ListId(format!("l{n}"))).unwrap();
        assert_eq!((list.len(), &*list[0], &*list[300]), (301, "ada", &*format!("{n}-299")));
    }
    assert_eq!(Ledger::doctor(&path).unwrap().findings, []);
}
