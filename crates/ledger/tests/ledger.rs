//! Ledger, tests: the log is the state. What was applied is read back, refolded, reopened and
//! travelled through to the same value, and of two who edit the same thing one wins.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Barrier;

use bellwether_ledger::{Ledger, LedgerError, Page, State};
use bellwether_model::{ListId, Millis, Revision, Subject};
use common::{Place, live, shop, step, storm};
use proptest::prelude::*;

fn page(before: Option<u64>, limit: u32, about: Option<Subject>) -> Page {
    Page { before: before.map(Revision), limit, about }
}

fn refolded(ledger: &Ledger) -> State {
    let mut changes = ledger.changes(&page(None, u32::MAX, None)).unwrap();
    changes.reverse();
    let mut state = State::default();
    assert!(changes.iter().all(|c| state.apply(c)));
    state
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn the_state_is_the_fold_of_the_log(storm in storm::storm(30)) {
        let place = Place::new();
        let ledger = place.open();
        let mut then = vec![State::default()];
        for (proposed, ago) in storm {
            let at = common::next(&ledger);
            let proposed = storm::based(proposed, ago, &ledger.state(), at);
            let dry = ledger.try_apply(&proposed, at).map(|c| (c.revision, c.edit));
            let newest = ledger.changes(&page(None, 1, None)).unwrap();
            let wet = step(&ledger, proposed);
            prop_assert_eq!(&dry, &wet.clone().map(|c| (c.revision, c.edit)));
            match wet {
                Ok(change) => {
                    prop_assert_eq!(&ledger.changes(&page(None, 1, None)).unwrap(), &vec![change]);
                    then.push((*ledger.state()).clone());
                }
                Err(_) => {
                    prop_assert_eq!(then.last().unwrap(), &*ledger.state());
                    prop_assert_eq!(newest, ledger.changes(&page(None, 1, None)).unwrap());
                }
            }
        }
        prop_assert_eq!(&refolded(&ledger), &*ledger.state());
        for (revision, state) in then.iter().enumerate() {
            prop_assert_eq!(state, &ledger.state_at(Revision(revision as u64)).unwrap());
        }
        let newest = ledger.state();
        drop(ledger);
        prop_assert_eq!(&*place.open().state(), &*newest);
        let report = Ledger::doctor(&place.path()).unwrap();
        prop_assert!(report.healthy(), "{:?}", report);
        prop_assert_eq!(report.changes, newest.revision.0);
    }
}

#[test]
fn a_snapshot_and_the_tail_are_the_fold_of_the_whole_log() {
    let place = Place::new();
    let ledger = place.open();
    live(&ledger, shop::history());
    let toggles = (0..560).map(|i| shop::edit(shop::toggle("checkout", "staging", i % 3 == 0)));
    live(&ledger, toggles.collect());
    let (newest, early, late) =
        (ledger.state(), ledger.state_at(Revision(200)).unwrap(), ledger.state_at(Revision(400)).unwrap());
    drop(ledger);
    let snapshots = |place: &Place| -> Vec<u64> {
        let conn = place.hands();
        let mut statement = conn.prepare("select revision from snapshots order by revision").unwrap();
        let rows = statement.query_map([], |r| r.get::<_, i64>(0)).unwrap();
        rows.map(|r| r.unwrap().cast_unsigned()).collect()
    };
    assert_eq!(snapshots(&place), [256, 512]);
    assert!(Ledger::doctor(&place.path()).unwrap().healthy());

    // Whatever becomes of the snapshots, the ledger opens to the same state.
    let check = |sql: &str| {
        let copy = place.copy();
        copy.tamper(sql);
        let ledger = copy.open();
        assert_eq!(*ledger.state(), *newest, "{sql}");
        assert_eq!(ledger.state_at(Revision(200)).unwrap(), early, "{sql}");
        assert_eq!(ledger.state_at(Revision(400)).unwrap(), late, "{sql}");
        assert_eq!(refolded(&ledger), *newest, "{sql}");
        step(&ledger, shop::edit(shop::toggle("checkout", "staging", true))).unwrap();
    };
    check("");
    check("delete from snapshots");
    check("delete from snapshots where revision = 512");
    check("update snapshots set state = '{}' where revision = 512");
    check("update snapshots set state = substr(state, 1, 100), checksum = zeroblob(32)");
    check("update snapshots set state = replace(state, '\"on\":true', '\"on\":false')");
    check("update snapshots set log_digest = zeroblob(32) where revision = 256");
    check("update snapshots set fold = 99, state = 'of another program'");
}

#[test]
fn only_the_newest_snapshots_are_kept() {
    let place = Place::new();
    let ledger = place.open();
    live(&ledger, shop::history());
    // Nothing is waited for here but the disk; the log's own promise is tested elsewhere.
    let toggles = (0..256 * 10).map(|i| shop::edit(shop::toggle("checkout", "staging", i % 2 == 0)));
    live(&ledger, toggles.collect());
    let kept: i64 = place.hands().query_row("select count(*) from snapshots", [], |r| r.get(0)).unwrap();
    assert_eq!(kept, 8);
}

#[test]
fn the_log_is_read_in_pages_and_by_subject() {
    let place = Place::new();
    let ledger = place.open();
    let all = live(&ledger, shop::history());
    let mut read = Vec::new();
    let mut before = None;
    loop {
        let some = ledger.changes(&page(before, 7, None)).unwrap();
        let Some(last) = some.last() else { break };
        before = Some(last.revision.0);
        read.extend(some);
    }
    read.reverse();
    assert_eq!(read, all);
    assert_eq!(ledger.changes(&page(Some(u64::MAX), 1, None)).unwrap(), all[all.len() - 1..]);
    assert_eq!(ledger.changes(&page(Some(1), 9, None)).unwrap(), []);
    assert_eq!(ledger.changes(&page(None, 0, None)).unwrap(), []);

    let about = |subject| {
        let found = ledger.changes(&page(None, 100, Some(subject))).unwrap();
        found.iter().map(|c| c.revision.0).collect::<Vec<_>>()
    };
    // Shipping the experiment, change 17, altered the flag too.
    assert_eq!(about(Subject::Flag("checkout".parse().unwrap())), [17, 16, 10, 9, 8, 7, 6, 3]);
    assert_eq!(about(Subject::Experiment("one-step".parse().unwrap())), [17, 15, 14]);
    assert_eq!(about(Subject::Metric("checkout".parse().unwrap())), Vec::<u64>::new());
    assert_eq!(ledger.state().flags["checkout"].revision, Revision(17));
}

#[test]
fn a_ledger_that_is_closed_is_one_file() {
    let place = Place::new();
    let ledger = place.open();
    live(&ledger, shop::history());
    drop(ledger);
    let files: Vec<_> = std::fs::read_dir(place.path().parent().unwrap())
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, ["ledger.sqlite"]);
}

#[test]
fn the_future_is_unknown() {
    let place = Place::new();
    let ledger = place.open();
    live(&ledger, shop::history());
    let said = ledger.state_at(Revision(31)).unwrap_err();
    assert_eq!(said.message(), "there is no revision `31`");
    assert!(ledger.state_at(Revision(u64::MAX)).is_err());
    assert_eq!(ledger.state_at(Revision(0)).unwrap(), State::default());
}

#[test]
fn of_two_who_edit_the_same_thing_one_wins() {
    let place = Place::new();
    let (one, other) = (place.open(), place.open());
    live(
        &one,
        vec![
            shop::edit(shop::environment("staging", false)),
            shop::edit(shop::flag("f", &["staging"], &shop::variant("off"))),
        ],
    );
    for round in 0..30_u64 {
        // Two threads of one program, or two programs on one file.
        let ledgers = if round % 2 == 0 { [&one, &one] } else { [&one, &other] };
        let based = Revision(round + 2);
        let gate = Barrier::new(2);
        let outcomes = std::thread::scope(|scope| {
            let edits = ledgers.map(|ledger| {
                let gate = &gate;
                scope.spawn(move || {
                    let mut edit = shop::edit(shop::toggle("f", "staging", round % 3 == 0));
                    edit.expect = Some(based);
                    gate.wait();
                    ledger.apply(edit, Millis(1))
                })
            });
            edits.map(|edit| edit.join().unwrap())
        });
        let won: Vec<_> = outcomes.iter().filter_map(|o| o.as_ref().ok()).collect();
        assert_eq!(won.iter().map(|c| c.revision.0).collect::<Vec<_>>(), [round + 3]);
        let lost = outcomes.iter().find_map(|o| o.as_ref().err()).unwrap();
        let LedgerError::Stale { subject, expected, newest, by, at } = lost else { panic!("{lost}") };
        assert_eq!(*subject, Subject::Flag("f".parse().unwrap()));
        assert_eq!((*expected, *newest, by, *at), (based, won[0].revision, &won[0].by, won[0].at));
    }
    assert_eq!(refolded(&one), *place.open().state());
}

#[test]
fn a_stale_edit_learns_who_was_there_first() {
    let place = Place::new();
    let ledger = place.open();
    live(&ledger, shop::history());
    let check = |expect: u64| {
        let mut edit = shop::edit(shop::toggle("checkout", "staging", false));
        edit.expect = Some(Revision(expect));
        ledger.try_apply(&edit, Millis(0))
    };
    // Changes of other things since then do not matter; changes of this flag do.
    assert!(check(17).is_ok() && check(30).is_ok());
    let LedgerError::Stale { expected, newest, .. } = check(16).unwrap_err() else { panic!("not stale") };
    assert_eq!((expected, newest), (Revision(16), Revision(17)));
    insta::assert_snapshot!(check(16).unwrap_err(), @r"
    flag `checkout` is at revision `17`, by person `p_4f1c` at 2026-02-02T02:40:16Z, and this edit expects `16`
    hint: read it again, and repeat the edit based on revision `17` if it still holds
    ");
    insta::assert_snapshot!(check(31).unwrap_err(), @r"
    revision `31` does not exist: the newest is `30`
    hint: read the subject again; the ledger may have been restored from a backup
    ");
}

#[test]
fn lists_are_written_once_with_the_change_that_cites_them() {
    let place = Place::new();
    let ledger = place.open();
    live(&ledger, shop::history());
    let id = |text: &str| ListId(text.to_owned());
    let texts = |of: &[&str]| of.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>();
    assert_eq!(*ledger.list(&id("l_77")).unwrap(), ["ada".to_owned(), "grace".to_owned()]);

    let cites = |list: &str, lists: &[(&str, &[&str])]| {
        let mut edit = shop::targeting("checkout", "staging", &shop::variant("off"));
        edit["setting"]["targets"] = serde_json::json!([{"variant": "control", "list": list}]);
        let mut edit = shop::edit(edit);
        edit.lists = lists.iter().map(|(l, of)| (id(l), texts(of).into())).collect();
        step(&ledger, edit).map(|_| ())
    };
    assert_eq!(cites("l_77", &[]), Ok(()), "a list can be cited again");
    assert_eq!(cites("l_78", &[("l_78", &[])]), Ok(()), "an empty list is one");
    assert!(ledger.list(&id("l_78")).unwrap().is_empty());
    let said = [
        cites("l_79", &[]),
        cites("l_77", &[("l_77", &["eve"])]),
        cites("l_77", &[("l_80", &["eve"])]),
        cites("l_81", &[("l_81", &["eve", ""])]),
        cites("l_82", &[("l_82", &[]), ("l_82", &["eve"])]),
        cites("", &[("", &[])]),
    ];
    insta::assert_snapshot!(said.map(|r| r.unwrap_err().to_string()).join("\n"), @r"
    there is no list `l_79`
    hint: send the list together with the edit that cites it
    list `l_77` exists already
    hint: a list is written once: send the members under a new id
    list `l_80` is not cited by this edit, or is given twice
    hint: send each list once, with the edit whose targets cite it
    list `l_81` has an empty id in it
    hint: name each user or device by its id
    list `l_82` is not cited by this edit, or is given twice
    hint: send each list once, with the edit whose targets cite it
    a list has an id of 1 to 100 bytes
    hint: give each list a random id
    ");
    for refused in ["l_79", "l_80", "l_81", "l_82"] {
        assert!(ledger.list(&id(refused)).is_err(), "{refused} was stored");
    }
    assert_eq!(ledger.list(&id("l_77")).unwrap().len(), 2);
}

#[test]
fn the_database_itself_refuses_to_alter_the_log() {
    let place = Place::new();
    let ledger = place.open();
    live(&ledger, shop::history());
    let before = ledger.changes(&page(None, 100, None)).unwrap();
    let conn = place.hands();
    let row = "select revision, at, by, why, edit, digest from changes where revision = 4";
    let check = |sql: &str| conn.execute_batch(sql).unwrap_err().to_string();
    let said = [
        check("update changes set why = 'no reason' where revision = 4"),
        check("delete from changes where revision = 30"),
        check("delete from changes"),
        check(
            "insert into changes select revision + 40, at, by, why, edit, digest from changes where revision = 4",
        ),
        check(&format!("insert or replace into changes {row}")),
        check(&format!("replace into changes {row}")),
        check(&format!("insert into changes {row} on conflict do update set why = 'no reason'")),
    ];
    insta::assert_snapshot!(said.join("\n"), @r"
    a change is never altered
    a change is never removed
    a change is never removed
    changes are numbered without gaps
    changes are numbered without gaps
    changes are numbered without gaps
    changes are numbered without gaps
    ");
    assert_eq!(ledger.changes(&page(None, 100, None)).unwrap(), before);
}
