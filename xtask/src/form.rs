//! Xtask: what a file looks like. It opens by saying which room it is and what it promises, it can be
//! read in one sitting, and it says nothing about the machine that it was written on.

use crate::house::House;

/// Lines that a file may have without giving a reason.
const LONG: usize = 500;
/// How a longer file gives its reason, in its opening.
const BECAUSE: &str = "//! Long because: ";

/// How a file begins that the product writes for other programs.
const MADE: &str = "// Made by `bellwether ";

pub(crate) fn check(house: &House) -> Vec<String> {
    let files = ["libs", "crates", "xtask"].iter().flat_map(|folder| house.files(folder, &[".rs"]));
    files.filter_map(|file| shape(&file, &house.read(&file))).collect()
}

fn shape(file: &str, text: &str) -> Option<String> {
    let first = text.lines().next().unwrap_or_default();
    // What is written for other programs says what made it, in a comment that may be included anywhere.
    if first.starts_with(MADE) {
        return None;
    }
    if first.strip_prefix("//! ").is_none_or(|says| says.trim().len() < 10) {
        return Some(format!("`{file}` does not open with `//!`: which room this is and what it promises"));
    }
    let lines = text.lines().count();
    let reason = text.lines().take_while(|l| l.starts_with("//!")).any(|l| l.starts_with(BECAUSE));
    (lines > LONG && !reason).then(|| {
        format!(
            "`{file}` has {lines} lines\nhint: cut it where it says two things, or open it with `{BECAUSE}…`"
        )
    })
}

/// Text that we write by hand or generate, lock files aside.
const TEXT: &[&str] = &[
    ".rs",
    ".md",
    ".toml",
    ".json",
    ".mjs",
    ".js",
    ".ts",
    ".tsx",
    ".py",
    ".txt",
    ".css",
    ".html",
    ".yaml",
    ".yml",
    "Makefile",
    ".snap",
    ".cjs",
    ".ci/run",
    ".ci/suite",
    ".ci/summary",
    ".ci/prepare",
    ".npmrc",
];

pub(crate) fn check_machines(house: &House) -> Vec<String> {
    // Written apart, so that this file does not break its own rule.
    let homes = ["root", "home", "Users", "work"].map(|home| format!("/{home}/"));
    let files = house.files("", TEXT);
    let files =
        files.iter().filter(|f| !f.ends_with("package-lock.json") && !f.starts_with(".cargo/registry"));
    files.flat_map(|file| machines(file, &house.read(file), &homes)).collect()
}

fn machines(file: &str, text: &str, homes: &[String]) -> Vec<String> {
    let named = |line: &str, home: &str| {
        line.match_indices(home).any(|(at, _)| {
            // The beginning of a path: not `docs/work/`, not `https://example.com/home/`.
            !line[..at].ends_with(|c: char| c.is_alphanumeric() || "./_-}>)".contains(c))
        })
    };
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(n, line)| homes.iter().find(|home| named(line, home)).map(|home| (n, home)))
        .map(|(n, home)| format!("{file}:{}: a path below `{home}` is of one machine only", n + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_opens_with_what_it_is() {
        let check = |text: &str, fine: bool| assert_eq!(shape("a.rs", text).is_none(), fine, "{text:.40}");
        check("//! Model: the words of the house.\n", true);
        check("//! stub\n", false);
        check("use a;\n//! Model: the words of the house.\n", false);
        check("", false);
    }

    #[test]
    fn a_long_file_gives_its_reason() {
        let long = "fn f() {}\n".repeat(500);
        let check = |text: String, fine: bool| assert_eq!(shape("a.rs", &text).is_none(), fine);
        check(format!("//! Model: the words.\n{long}"), false);
        check(format!("//! Model: the words.\n//! Long because: it is one table.\n{long}"), true);
    }

    #[test]
    fn a_path_of_one_machine_is_noticed() {
        let homes = ["/attic/".to_owned()];
        let check = |line: &str, wrong: usize| assert_eq!(machines("a", line, &homes).len(), wrong, "{line}");
        check("see /attic/ana/notes", 1);
        check("x = \"/attic/ana\"", 1);
        check("https://example.com/attic/ana and docs/attic/a", 0);
    }
}
