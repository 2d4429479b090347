//! Xtask: the house's own checks and generated files. Its tests are the rules of `ARCHITECTURE.md`
//! and `CONTRIBUTING.md` that a machine can hold: who may use whom and know what, what a file looks
//! like, which licences come in, and that nothing generated or cited is out of date.
//!
//! A check is a function from the [`House`] to complaints. Each is tested twice: on the tree as it
//! is, where it must have none, and on a tree that breaks its rule, where it must have one.

mod arrows;
mod code;
mod form;
mod generated;
mod house;
mod knowledge;
mod licences;
mod pages;

use std::io::Write;
use std::process::ExitCode;

use house::House;

type Check = fn(&House) -> Vec<String>;

/// Every rule, by the sentence that it enforces.
const RULES: &[(&str, Check)] = &[
    ("the table of rooms is the workspace", house::check),
    ("a room uses only the rooms that the table allows, and those it names", arrows::check),
    ("a room knows nothing that the table forbids", knowledge::check),
    ("every file says which room it is, and few are long", form::check),
    ("nothing committed names a machine", form::check_machines),
    ("every dependency has a licence that we accept", licences::check),
    ("lock files name the public registries only", licences::check_locks),
    ("links lead somewhere, and each invariant's test exists", pages::check),
    ("generated files are fresh", generated::check),
];

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some("tidy") => House::open().map(|house| complaints(&house)),
        Some("generate") => generated::write().map(|()| Vec::new()),
        Some("reference") => generated::write_reference().map(|()| Vec::new()),
        _ => Err("say `tidy`, `generate`, or `reference` (of the OpenAPI document as it is)".to_owned()),
    };
    match done {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => say(&complaints.join("\n")),
        Err(why) => say(&why),
    }
}

fn say(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::FAILURE
}

fn complaints(house: &House) -> Vec<String> {
    RULES.iter().flat_map(|(_, check)| check(house)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test per rule, so that the name of a failure is the sentence of the rule.
    macro_rules! rules {
        ($($name:ident: $sentence:literal),* $(,)?) => {
            $(#[test]
            fn $name() {
                let house = House::open().unwrap();
                let (_, check) = RULES.iter().find(|(s, _)| *s == $sentence).unwrap();
                let found = check(&house);
                assert!(found.is_empty(), "{}:\n{}", $sentence, found.join("\n"));
            })*

            #[test]
            fn every_rule_is_tested() {
                assert_eq!(RULES.iter().map(|(s, _)| *s).collect::<Vec<_>>(), [$($sentence),*]);
            }
        };
    }

    rules! {
        table: "the table of rooms is the workspace",
        arrows: "a room uses only the rooms that the table allows, and those it names",
        knowledge: "a room knows nothing that the table forbids",
        form: "every file says which room it is, and few are long",
        machines: "nothing committed names a machine",
        licences: "every dependency has a licence that we accept",
        locks: "lock files name the public registries only",
        pages: "links lead somewhere, and each invariant's test exists",
        generated: "generated files are fresh",
    }
}
