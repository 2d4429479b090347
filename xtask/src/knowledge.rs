//! Xtask: what a room must never know. A clock below `server` would make a test wait for midnight;
//! I/O in `flags` would make an answer depend on more than the question.

use std::collections::{HashMap, HashSet, VecDeque};

use cargo_metadata::{DependencyKind, PackageId};

use crate::code::{self, lines_with};
use crate::house::{House, Room};

/// A word of the table's last column, the names in code that betray it, and the packages that bring it.
struct Knowledge {
    word: &'static str,
    names: &'static [&'static str],
    packages: &'static [&'static str],
}

const ASYNC: &[&str] = &["tokio", "async-std", "smol", "futures-executor", "mio", "async-executor"];
const NETWORK: &[&str] = &["tokio", "mio", "socket2", "hyper", "axum", "ureq", "reqwest", "rustls"];

const KNOWLEDGE: &[Knowledge] = &[
    Knowledge {
        word: "clock",
        names: &[
            "SystemTime",
            "Instant::now",
            "time::Instant",
            "Timestamp::now",
            "Zoned::now",
            "Utc::now",
            "thread::sleep",
            "wait_timeout",
            "recv_timeout",
        ],
        // No package: arrow brings chrono in without its clock.
        packages: &[],
    },
    Knowledge {
        word: "I/O",
        names: &[
            "std::fs",
            "std::net",
            "io::stdin",
            "io::stdout",
            "io::stderr",
            "std::env",
            "std::process",
            "File",
            "TcpStream",
        ],
        packages: NETWORK,
    },
    Knowledge { word: "network", names: &["std::net", "TcpStream", "TcpListener"], packages: NETWORK },
    Knowledge { word: "async", names: &["async", "await", "block_on"], packages: ASYNC },
    Knowledge {
        word: "randomness",
        names: &["getrandom", "rand", "thread_rng", "RandomState"],
        packages: &["getrandom", "rand", "fastrand"],
    },
];

/// Packages that ask for randomness only to seed their hash tables, as the tables of `std` do in every room:
/// no answer depends on it, and the search does not go behind them.
const SEEDED: &[&str] = &["ahash"];

/// Words that the arrows enforce: what a room may not use it cannot know.
const BY_ARROWS: &[&str] =
    &["flags", "events", "plans", "store", "ledger", "queries", "trial", "HTTP", "projects"];

pub(crate) fn check(house: &House) -> Vec<String> {
    let mut found = Vec::new();
    let graph = graph(house);
    for (room, package) in house.packages() {
        let code = code::of(house, &room.folder);
        let brought = reach(&graph, &package.id);
        let brought: HashSet<&str> = house
            .metadata
            .packages
            .iter()
            .filter(|p| brought.contains(&p.id))
            .map(|p| p.name.as_str())
            .collect();
        found.extend(known(room, &code, &brought));
    }
    found
}

fn known(room: &Room, code: &[(String, String)], brought: &HashSet<&str>) -> Vec<String> {
    let mut found = Vec::new();
    for word in room.never.iter().filter(|word| !BY_ARROWS.contains(&word.as_str())) {
        let Some(knowledge) = KNOWLEDGE.iter().find(|k| k.word == word) else {
            found.push(format!("`{}` must never know `{word}`, and nothing enforces that", room.folder));
            continue;
        };
        for (file, text) in code {
            for name in knowledge.names {
                found.extend(lines_with(text, name).into_iter().map(|line| {
                    format!("{file}:{line}: `{name}`, and `{}` must never know {word}", room.folder)
                }));
            }
        }
        for package in knowledge.packages.iter().filter(|p| brought.contains(*p)) {
            found.push(format!("`{}` brings in `{package}`, and must never know {word}", room.folder));
        }
    }
    found
}

type Graph<'a> = HashMap<&'a PackageId, Vec<&'a PackageId>>;

/// What each package is compiled with, tests and build scripts aside.
fn graph(house: &House) -> Graph<'_> {
    let packages = house.metadata.packages.iter();
    let seeded: HashSet<&PackageId> =
        packages.filter(|p| SEEDED.contains(&p.name.as_str())).map(|p| &p.id).collect();
    let nodes = house.metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    nodes
        .map(|node| {
            let normal = node.deps.iter().filter(|dependency| {
                !seeded.contains(&node.id)
                    && dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
            });
            (&node.id, normal.map(|dependency| &dependency.pkg).collect())
        })
        .collect()
}

/// Everything that a package is compiled with, itself included.
fn reach<'a>(graph: &Graph<'a>, from: &'a PackageId) -> HashSet<&'a PackageId> {
    let (mut seen, mut next) = (HashSet::from([from]), VecDeque::from([from]));
    while let Some(package) = next.pop_front() {
        for dependency in graph.get(package).into_iter().flatten() {
            if seen.insert(dependency) {
                next.push_back(dependency);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::{rooms, tests::TABLE};

    fn complaints(code: &str, brought: &[&str]) -> Vec<String> {
        let model = &rooms(TABLE).unwrap()[0];
        known(model, &[("a.rs".to_owned(), code.to_owned())], &brought.iter().copied().collect())
    }

    #[test]
    fn a_clock_and_a_file_are_noticed() {
        assert_eq!(complaints("fn fine() {}", &["serde"]), [""; 0]);
        assert_eq!(
            complaints("fn now() {\n    SystemTime::now()\n}", &[]),
            ["a.rs:2: `SystemTime`, and `libs/model` must never know clock"]
        );
        assert_eq!(
            complaints("use std::fs;", &["tokio"]),
            [
                "a.rs:1: `std::fs`, and `libs/model` must never know I/O",
                "`libs/model` brings in `tokio`, and must never know I/O",
            ]
        );
    }

    #[test]
    fn a_word_that_nothing_enforces_is_noticed() {
        let mut model = rooms(TABLE).unwrap().remove(0);
        model.never = vec!["clok".into(), "store".into()];
        let found = known(&model, &[], &HashSet::new());
        assert_eq!(found, ["`libs/model` must never know `clok`, and nothing enforces that"]);
    }
}
