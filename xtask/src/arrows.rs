//! Xtask: who uses whom. An arrow between rooms that the table does not allow is a decision that
//! nobody has taken; one that is declared and not used is a wait for nothing.

use crate::code;
use crate::house::{House, Room};

pub(crate) fn check(house: &House) -> Vec<String> {
    let mut found = Vec::new();
    for (room, package) in house.packages() {
        let code = code::of(house, &room.folder);
        let tests: String = ["tests", "benches", "examples", "src"]
            .iter()
            .flat_map(|folder| house.files(&format!("{}/{folder}", room.folder), &[".rs"]))
            .map(|file| house.read(&file))
            .collect();
        for dependency in package.dependencies.iter().filter(|d| d.name.starts_with("bellwether-")) {
            let name = dependency.name.trim_start_matches("bellwether-");
            found.extend(arrow(room, name));
            let called = dependency.name.replace('-', "_");
            let used = code.iter().any(|(_, text)| text.contains(&called)) || tests.contains(&called);
            if !used {
                found.push(format!("`{}` declares the arrow to `{name}` and does not use it", room.folder));
            }
        }
        for (file, text) in &code {
            found.extend(names(room, file, text));
        }
    }
    found
}

/// What is wrong with an arrow from a room to another, in the sentence of the room.
fn arrow(room: &Room, to: &str) -> Option<String> {
    let allowed = room.may_use.iter().any(|arrow| arrow.room == to);
    (!allowed).then(|| {
        format!(
            "`{}` uses `{to}`: {}\nhint: another way, or a commit of its own that adds the arrow to the table and says why",
            room.folder,
            room.says()
        )
    })
}

/// Names of a room of which only some may be used.
fn names(room: &Room, file: &str, code: &str) -> Vec<String> {
    let narrow = room.may_use.iter().filter(|arrow| !arrow.only.is_empty());
    let mut found = Vec::new();
    for arrow in narrow {
        let path = format!("bellwether_{}::", arrow.room);
        for (at, _) in code.match_indices(&path) {
            let rest = code[at + path.len()..].trim_start();
            let listed = match rest.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap_or_default(),
                None => rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default(),
            };
            let named = listed.split(',').map(str::trim).filter(|name| !name.is_empty());
            for name in named.filter(|name| !arrow.only.iter().any(|only| only == name)) {
                found.push(format!(
                    "`{file}` uses `{name}` of `{}`, and may use only `{}`",
                    arrow.room,
                    arrow.only.join("`, `")
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::{rooms, tests::TABLE};

    #[test]
    fn an_arrow_that_is_not_in_the_table_fails_with_the_sentence_of_the_room() {
        let rooms = rooms(TABLE).unwrap();
        assert_eq!(arrow(&rooms[2], "model"), None);
        let complaint = arrow(&rooms[0], "query").unwrap();
        assert!(
            complaint.starts_with(
                "`libs/model` uses `query`: `libs/model` is \"the words\" and may use nothing of ours\n"
            ),
            "{complaint}"
        );
    }

    #[test]
    fn a_narrow_arrow_lets_through_what_it_names() {
        let query = &rooms(TABLE).unwrap()[2];
        let check = |code: &str, wrong: usize| assert_eq!(names(query, "a.rs", code).len(), wrong, "{code}");
        check("use bellwether_stats::Moments;", 0);
        check("use bellwether_stats::{Moments};", 0);
        check("use bellwether_stats::{Moments, Proportion, welch};", 2);
        check("bellwether_stats::welch(a, b)", 1);
        check("use bellwether_model::Anything;", 0);
    }
}
