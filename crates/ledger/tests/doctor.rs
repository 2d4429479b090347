//! Ledger, tests: the doctor names every sort of damage and the change where it is, and alters
//! nothing; a ledger whose tail is damaged does not open.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use bellwether_ledger::{Fault, Ledger};
use common::{Place, live, shop};
use sha2::{Digest as _, Sha256};

fn world() -> Place {
    let place = Place::new();
    let ledger = place.open();
    live(&ledger, shop::history());
    place
}

/// What the doctor says, and whether the ledger opens.
fn look(place: &Place) -> String {
    let report = Ledger::doctor(&place.path()).unwrap();
    let mut said: Vec<String> = report.findings.iter().map(|f| format!("{:?}: {f}", f.fault)).collect();
    if report.healthy() {
        said.push("healthy".to_owned());
    }
    said.push(match Ledger::open(&place.path()) {
        Ok(ledger) => format!("opens at {}", ledger.state().revision),
        Err(error) => format!("does not open: {}", error.message()),
    });
    said.join("\n")
}

#[test]
fn damage_is_named_with_its_place() {
    let world = world();
    let check = |sql: &str| {
        let copy = world.copy();
        copy.tamper(sql);
        format!("-- {sql}\n{}\n", look(&copy))
    };
    let said = [
        check("update changes set at = at + 1 where false"),
        check("delete from changes where revision = 5; delete from touches where revision = 5"),
        check("delete from changes where revision = 1; delete from touches where revision = 1"),
        check("update changes set edit = replace(edit, '\"on\":false', '\"on\":true') where revision = 8"),
        check("update changes set why = 'another reason' where revision = 9"),
        check("update changes set at = at + 1 where revision = 30"),
        check("update changes set digest = zeroblob(32) where revision = 12"),
        check("update changes set edit = 'x' where revision = 6"),
        check("update changes set edit = replace(edit, '\"v\":1', '\"v\":2') where revision = 7"),
        check("delete from touches where revision = 17 and subject = 'flag/checkout'"),
        check("insert into touches values ('flag/checkout', 4)"),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    -- update changes set at = at + 1 where false
    healthy
    opens at 30

    -- delete from changes where revision = 5; delete from touches where revision = 5
    Gap: change `6`: it follows `4`; what was between them is missing
    Dangling: change `28`: it finds nothing to act on
    Dangling: change `29`: it finds nothing to act on
    Dangling: change `30`: it finds nothing to act on
    does not open: change `5` of the ledger is damaged: it is missing, and `6` follows

    -- delete from changes where revision = 1; delete from touches where revision = 1
    Gap: change `2`: it follows `0`; what was between them is missing
    does not open: change `1` of the ledger is damaged: it is missing, and `2` follows

    -- update changes set edit = replace(edit, '"on":false', '"on":true') where revision = 8
    Altered: change `8`: it is not what was written
    does not open: change `8` of the ledger is damaged: it is not what was written

    -- update changes set why = 'another reason' where revision = 9
    Altered: change `9`: it is not what was written
    does not open: change `9` of the ledger is damaged: it is not what was written

    -- update changes set at = at + 1 where revision = 30
    Altered: change `30`: it is not what was written
    does not open: change `30` of the ledger is damaged: it is not what was written

    -- update changes set digest = zeroblob(32) where revision = 12
    Altered: change `12`: it is not what was written
    Altered: change `13`: it is not what was written
    does not open: change `12` of the ledger is damaged: it is not what was written

    -- update changes set edit = 'x' where revision = 6
    Altered: change `6`: it is not what was written
    Unreadable: change `6`: its edit is not JSON: expected value at line 1 column 1
    does not open: change `6` of the ledger is damaged: it is not what was written

    -- update changes set edit = replace(edit, '"v":1', '"v":2') where revision = 7
    Altered: change `7`: it is not what was written
    Unreadable: change `7`: its edit has version `2`, and this program reads up to `1`
    Dangling: change `10`: it finds nothing to act on
    Dangling: change `16`: it finds nothing to act on
    does not open: change `7` of the ledger is damaged: it is not what was written

    -- delete from touches where revision = 17 and subject = 'flag/checkout'
    Index: change `17`: the index of what it touched does not agree with it
    opens at 30

    -- insert into touches values ('flag/checkout', 4)
    Index: change `4`: the index of what it touched does not agree with it
    opens at 30
    "#);
}

#[test]
fn missing_lists_and_guards_are_named() {
    let world = world();
    let conn = world.hands();
    conn.execute_batch("pragma foreign_keys = off; drop trigger changes_stay; delete from lists").unwrap();
    // The list was cited until the experiment shipped, and its targets still are.
    insta::assert_snapshot!(look(&world), @r"
    Unguarded: trigger `changes_stay` is not there, so the log can be altered
    List: change `17`: flag `checkout` in `production` cites list `l_77`, which is not there
    opens at 30
    ");
}

#[test]
fn lists_that_are_not_as_they_were_written_are_named() {
    let world = world();
    let ledger = world.open();
    let few = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let base = bellwether_model::ListId("l_77".into());
    let members = ledger.prepare_edit(&base, few(&["eve"]), few(&["ada"]), shop::START).unwrap();
    let mut edited = shop::edit(shop::segment("s", "p", [Some("edited"), None]));
    edited.lists = vec![(bellwether_model::ListId("edited".into()), members)];
    live(&ledger, vec![edited]);
    let _left = ledger.prepare((0..3_000).map(|n| n.to_string()).collect(), shop::START).unwrap();
    drop(ledger);
    let check = |sql: &str| {
        let copy = world.copy();
        copy.tamper(sql);
        format!("-- {sql}\n{}\n", look(&copy))
    };
    let said = [
        check("update list_series set state = state"),
        check("update list_series set state = 'writing'"),
        check("delete from lists where id = 'l_77'"),
        check("update list_members set since = 5 where member = 'eve'"),
        check("update list_members set until = 2 where member = 'ada'"),
        check(
            "insert into list_members select series, member, 1, null, 1 from list_members where member = 'grace'",
        ),
        check("update list_members set position = 3 where member = 'eve'"),
        check("delete from list_members where member = 'grace'"),
    ];
    insta::assert_snapshot!(said.join("\n"), @r"
    -- update list_series set state = state
    healthy
    opens at 31

    -- update list_series set state = 'writing'
    List: list `l_77` is not whole
    List: list `edited` is not whole
    opens at 31

    -- delete from lists where id = 'l_77'
    List: change `17`: flag `checkout` in `production` cites list `l_77`, which is not there
    List: list `edited` is made of a list that is not there
    opens at 31

    -- update list_members set since = 5 where member = 'eve'
    List: list `l_77` has a member since or until a list that is not there
    opens at 31

    -- update list_members set until = 2 where member = 'ada'
    List: list `l_77` has a member since or until a list that is not there
    opens at 31

    -- insert into list_members select series, member, 1, null, 1 from list_members where member = 'grace'
    List: list `l_77` has a member twice
    opens at 31

    -- update list_members set position = 3 where member = 'eve'
    List: list `l_77` has a member at a place that was never written
    opens at 31

    -- delete from list_members where member = 'grace'
    healthy
    opens at 31
    ");
}

#[test]
fn the_lists_of_segments_are_looked_for() {
    let world = world();
    let ledger = world.open();
    live(&ledger, shop::later());
    live(&ledger, shop::latest());
    drop(ledger);
    assert!(Ledger::doctor(&world.path()).unwrap().healthy());
    let conn = world.hands();
    conn.execute_batch(
        "pragma foreign_keys = off; delete from list_members; delete from lists where id = 'l_81'",
    )
    .unwrap();
    insta::assert_snapshot!(look(&world), @r"
    List: change `31`: segment `staff` cites list `l_81`, which is not there
    opens at 73
    ");
}

#[test]
fn a_wrong_snapshot_is_named_even_if_it_looks_right() {
    let place = Place::new();
    let ledger = place.open();
    live(&ledger, shop::history());
    let toggles = (0..240).map(|i| shop::edit(shop::toggle("checkout", "staging", i % 2 == 0)));
    live(&ledger, toggles.collect());
    drop(ledger);
    let check = |sql: &str| {
        let copy = place.copy();
        copy.tamper(sql);
        look(&copy)
    };
    // Somebody who knows the form: another state with the right checksum.
    let (digest, state): (Vec<u8>, String) = place
        .hands()
        .query_row("select log_digest, state from snapshots", [], |r| Ok((r.get(0)?, r.get(1)?)))
        .unwrap();
    let forged = state.replacen("Checkout", "Checkmate", 1);
    assert_ne!(forged, state);
    let sum: [u8; 32] = Sha256::new().chain_update(&digest).chain_update(&forged).finalize().into();
    let hex: String = sum.iter().map(|b| format!("{b:02x}")).collect();
    let said = [
        check(""),
        check("update snapshots set state = replace(state, 'Checkout', 'Checkmate')"),
        check(&format!("update snapshots set state = '{}', checksum = x'{hex}'", forged.replace('\'', "''"))),
        check("update snapshots set log_digest = zeroblob(32)"),
        check("update snapshots set fold = 0"),
        check("update snapshots set revision = 999"),
    ];
    insta::assert_snapshot!(said.join("\n\n"), @r"
    healthy
    opens at 270

    Snapshot: change `256`: its snapshot is wrong: its checksum does not match
    opens at 270

    Snapshot: change `256`: its snapshot is not what the log folds to
    opens at 270

    Snapshot: change `256`: its snapshot is wrong: its checksum does not match
    opens at 270

    healthy
    opens at 270

    Gap: change `999`: there is a snapshot of it, but not the change
    opens at 270
    ");
}

#[test]
fn a_damaged_page_is_named() {
    let world = world();
    let mut bytes = std::fs::read(world.path()).unwrap();
    let page = 4096;
    // The first table page behind the schema is that of the changes.
    for byte in &mut bytes[page + 8..page + 200] {
        *byte = 0xff;
    }
    std::fs::write(world.path(), bytes).unwrap();
    match Ledger::doctor(&world.path()) {
        Ok(report) => assert!(report.findings.iter().any(|f| f.fault == Fault::Database), "{report:?}"),
        Err(error) => assert!(error.message().contains("malformed"), "{error}"),
    }
    assert!(Ledger::open(&world.path()).is_err());
}

#[test]
fn the_doctor_alters_nothing_and_needs_a_ledger() {
    let world = world();
    let before = std::fs::read(world.path()).unwrap();
    assert!(Ledger::doctor(&world.path()).unwrap().healthy());
    assert_eq!(std::fs::read(world.path()).unwrap(), before);
    let nowhere = world.path().with_file_name("nowhere");
    let error = Ledger::doctor(&nowhere).unwrap_err();
    assert!(error.message().starts_with("there is no ledger `"), "{error}");
    assert!(!nowhere.exists());

    // It looks at a ledger that is being written, too.
    let ledger = world.open();
    live(&ledger, vec![shop::edit(shop::toggle("checkout", "staging", false))]);
    assert_eq!(Ledger::doctor(&world.path()).unwrap().changes, 31);
}
