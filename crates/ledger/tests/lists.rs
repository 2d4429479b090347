//! Ledger, tests: lists are what a naive copy of each would be, however they were made of one another,
//! and after ids were forgotten.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use bellwether_ledger::{Ledger, Members};
use bellwether_model::ListId;
use common::{Place, live, shop, step};
use proptest::prelude::*;

/// What is done to the lists.
#[derive(Debug, Clone)]
enum Deed {
    /// A new list of so many ids from a number on, some of them twice.
    Whole {
        from: u32,
        count: u32,
    },
    /// One of those that are there, the newest more often, with some more and without others.
    Edit {
        of: usize,
        added: Vec<u32>,
        removed: Vec<u32>,
        more: u32,
    },
    /// What is prepared is not cited, because the change is refused, or nobody proposes it.
    Waste {
        count: u32,
        refused: bool,
    },
    /// Somebody wants to be forgotten.
    Forget(u32),
    Reopen,
}

fn deed() -> impl Strategy<Value = Deed> {
    let id = || 0_u32..60;
    let some = || prop::collection::vec(id(), 0..6);
    prop_oneof![
        2 => (id(), prop_oneof![0_u32..30, 1_990_u32..2_010, 4_100_u32..4_110])
            .prop_map(|(from, count)| Deed::Whole { from, count }),
        8 => (0_usize..8, some(), some(), prop_oneof![6 => Just(0_u32), 1 => 480_u32..520])
            .prop_map(|(of, added, removed, more)| Deed::Edit { of, added, removed, more }),
        1 => (1_990_u32..2_010, any::<bool>()).prop_map(|(count, refused)| Deed::Waste { count, refused }),
        1 => id().prop_map(Deed::Forget),
        1 => Just(Deed::Reopen),
    ]
}

fn texts(of: impl IntoIterator<Item = u32>) -> Vec<String> {
    of.into_iter().map(|n| format!("user-{n}")).collect()
}

fn distinct(ids: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for id in ids {
        if seen.insert(id.clone()) {
            kept.push(id);
        }
    }
    kept
}

fn cite(ledger: &Ledger, list: &str, members: Members, why: &str) -> bool {
    let mut proposed = shop::edit(shop::segment("s", "p", [Some(list), None]));
    proposed.lists = vec![(ListId(list.to_owned()), members)];
    proposed.why = why.to_owned();
    step(ledger, proposed).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn lists_are_what_naive_copies_would_be(deeds in prop::collection::vec(deed(), 0..24)) {
        let place = Place::new();
        let mut ledger = place.open();
        live(&ledger, vec![shop::edit(shop::environment("production", true))]);
        let mut lists: Vec<(String, Vec<String>)> = Vec::new();
        for deed in deeds {
            let name = format!("list-{}", lists.len());
            match deed {
                Deed::Whole { from, count } => {
                    let ids = texts((from..from + count).chain(from..from + count.min(3)));
                    let members = ledger.prepare(ids.clone(), shop::START).unwrap();
                    prop_assert!(cite(&ledger, &name, members, "because"));
                    lists.push((name, distinct(ids)));
                }
                Deed::Edit { of, added, removed, more } => {
                    let Some((base, known)) = lists.iter().rev().nth(of) else { continue };
                    let added = texts(added.into_iter().chain(70_000..70_000 + more));
                    let removed = texts(removed);
                    let base = ListId(base.clone());
                    let on: Vec<bool> = added.iter().map(|id| known.contains(id)).collect();
                    prop_assert_eq!(ledger.listed(&base, &added).unwrap(), on);
                    let kept = known.iter().filter(|id| !removed.contains(id)).cloned();
                    let expected = distinct(kept.chain(added.clone()).collect());
                    let members = ledger.prepare_edit(&base, added, removed, shop::START).unwrap();
                    prop_assert!(cite(&ledger, &name, members, "because"));
                    lists.push((name, expected));
                }
                Deed::Waste { count, refused } => {
                    let members = ledger.prepare(texts(0..count), shop::START).unwrap();
                    if refused {
                        prop_assert!(!cite(&ledger, &name, members.clone(), " "), "it gives no reason");
                    }
                    ledger.discard(members).unwrap();
                }
                Deed::Forget(id) => {
                    let id = format!("user-{id}");
                    place.hands().execute("delete from list_members where member = ?1", [&id]).unwrap();
                    lists.iter_mut().for_each(|(_, ids)| ids.retain(|known| *known != id));
                }
                Deed::Reopen => {
                    drop(ledger);
                    ledger = place.open();
                }
            }
            if let Some((name, expected)) = lists.last() {
                prop_assert_eq!(&*ledger.list(&ListId(name.clone())).unwrap(), &expected[..]);
            }
        }
        for (name, expected) in &lists {
            prop_assert_eq!(&*ledger.list(&ListId(name.clone())).unwrap(), &expected[..], "{}", name);
        }
        let left = "select count(*) from list_series where series not in (select series from lists)";
        let left: i64 = place.hands().query_row(left, [], |row| row.get(0)).unwrap();
        prop_assert_eq!(left, 0);
        prop_assert_eq!(Ledger::doctor(&place.path()).unwrap().findings, vec![]);
    }
}

#[test]
fn what_cannot_be_on_a_list_is_refused_before_it_is_written() {
    let place = Place::new();
    let ledger = place.open();
    let many = |last: String| texts(0..3_000).into_iter().chain([last]).collect::<Vec<_>>();
    let nowhere = ListId("nowhere".to_owned());
    let said = [
        ledger.prepare(many(String::new()), shop::START),
        ledger.prepare(many("x".repeat(1_025)), shop::START),
        ledger.prepare_edit(&nowhere, texts(0..2), vec![], shop::START),
        ledger.prepare_edit(&nowhere, texts(0..3_000), vec![], shop::START),
        ledger.prepare_edit(&nowhere, vec![String::new()], vec![], shop::START),
    ];
    insta::assert_snapshot!(said.map(|r| r.unwrap_err().to_string()).join("\n"), @r"
    a list has an empty id in it
    hint: name each user or device by its id
    the id of a target is longer than `1024` characters
    hint: say it shorter, and keep the rest elsewhere
    there is no list `nowhere`
    hint: send the list together with the edit that cites it
    there is no list `nowhere`
    hint: send the list together with the edit that cites it
    a list has an empty id in it
    hint: name each user or device by its id
    ");
    let written: i64 =
        place.hands().query_row("select count(*) from list_series", [], |row| row.get(0)).unwrap();
    assert_eq!(written, 0);
}

#[test]
fn who_edits_the_same_list_at_the_same_time_is_refused_but_one() {
    let place = Place::new();
    let ledger = place.open();
    live(&ledger, vec![shop::edit(shop::environment("production", true))]);
    assert!(cite(&ledger, "base", texts(0..9).into(), "because"));
    let base = ListId("base".to_owned());
    let edits: Vec<Members> = (0..4)
        .map(|n| ledger.prepare_edit(&base, texts(10 + n..11 + n), vec![], shop::START).unwrap())
        .collect();
    let other = place.open();
    let won: Vec<bool> = std::thread::scope(|scope| {
        let edits = edits.into_iter().enumerate().map(|(n, edit)| {
            let ledger = if n % 2 == 0 { &ledger } else { &other };
            scope.spawn(move || cite(ledger, &format!("edit-{n}"), edit, "because"))
        });
        edits.collect::<Vec<_>>().into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
    assert_eq!(Ledger::doctor(&place.path()).unwrap().findings, []);
}
