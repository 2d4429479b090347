//! Xtask: what is written for people stays true as far as a machine can tell. A link leads to a file,
//! an invariant names tests that exist, a decision names what lost.

use crate::house::{House, cells};

pub(crate) fn check(house: &House) -> Vec<String> {
    let mut found = Vec::new();
    for page in house.files("", &[".md"]) {
        let text = house.read(&page);
        for target in links(&text) {
            let file = resolve(&page, target);
            if !house.root.join(&file).exists() {
                found.push(format!("{page}: the link `{target}` leads nowhere"));
            }
        }
    }
    for invariant in invariants(&house.read("ARCHITECTURE.md")) {
        found.extend(untested(&invariant, &|path| house.read(path)));
    }
    let decisions = house.files("docs/decisions", &[".md"]);
    for (n, page) in decisions.iter().filter(|p| !p.ends_with("README.md")).enumerate() {
        found.extend(decision(page, &house.read(page), n + 1));
    }
    found
}

/// The targets of links that lead to files here, without their anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.match_indices("](").filter_map(|(at, _)| {
        // Pictures are written by the browser tests, and may be newer than the page.
        let label = text[..at].rfind('[').unwrap_or(at);
        let picture = text[..label].ends_with('!') && !text[label..at].contains(']');
        let target = text[at + 2..].split(')').next()?;
        (!picture).then_some(target)
    });
    targets
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
}

fn resolve(page: &str, target: &str) -> String {
    let mut steps: Vec<&str> = page.split('/').collect();
    steps.pop();
    for step in target.split('/') {
        match step {
            "." | "" => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    steps.join("/")
}

/// A row of the catalogue: an id and where it is tested.
struct Invariant {
    id: String,
    tests: Vec<String>,
}

/// The rows of every table whose columns are `id`, `promise` and `tested by`.
fn invariants(text: &str) -> Vec<Invariant> {
    let mut rows = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("| id | promise | tested by |") {
            inside = true;
        } else if !line.starts_with('|') {
            inside = false;
        } else if inside && !line.starts_with("|--") {
            let row = cells(line);
            let tests = row.get(2).map(|c| c.split('`').skip(1).step_by(2).map(str::to_owned).collect());
            let id = row.first().cloned().unwrap_or_default();
            rows.push(Invariant { id, tests: tests.unwrap_or_default() });
        }
    }
    rows
}

/// What is missing of an invariant's tests, each written as `file` or `file::test`.
fn untested(invariant: &Invariant, read: &dyn Fn(&str) -> String) -> Vec<String> {
    let Invariant { id, tests } = invariant;
    if tests.is_empty() {
        return vec![format!("the invariant {id} names no test")];
    }
    let missing = tests.iter().filter(|test| {
        let (file, name) = test.split_once("::").unwrap_or((test, ""));
        let text = read(file);
        text.is_empty() || !(name.is_empty() || text.contains(&format!("fn {name}(")))
    });
    missing.map(|test| format!("the invariant {id} names the test `{test}`, which is not there")).collect()
}

/// A decision is numbered without gaps and says what was chosen, what lost and what would reopen it.
fn decision(page: &str, text: &str, number: usize) -> Vec<String> {
    let mut found = Vec::new();
    let name = page.rsplit('/').next().unwrap_or(page);
    if !name.starts_with(&format!("{number:04}-")) {
        found.push(format!("{page}: the next decision is number {number:04}"));
    }
    for part in ["## What we do", "## What lost", "## What would reopen it"] {
        if !text.contains(part) {
            found.push(format!("{page}: there is no `{part}`"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_and_resolved() {
        let text = "a [b](c.md#d) ![e](f.png) [g](https://h) [i](#j) [![k](l.png)](../m.md)";
        assert_eq!(links(text).collect::<Vec<_>>(), ["c.md", "../m.md"]);
        assert_eq!(resolve("docs/guide/a.md", "../b/./c.md"), "docs/b/c.md");
        assert_eq!(resolve("README.md", "docs/a.md"), "docs/a.md");
    }

    #[test]
    fn an_invariant_without_its_test_is_noticed() {
        let text =
            "| id | promise | tested by |\n|---|---|---|\n| W1 | a | `t.rs::b`, `c.mjs` |\n| W2 | a | |\n\nx";
        let read = |path: &str| if path == "t.rs" { "fn b() {}".to_owned() } else { String::new() };
        let found: Vec<String> = invariants(text).iter().flat_map(|i| untested(i, &read)).collect();
        assert_eq!(
            found,
            ["the invariant W1 names the test `c.mjs`, which is not there", "the invariant W2 names no test",]
        );
    }

    #[test]
    fn a_decision_says_what_lost() {
        let whole = "## What we do\n## What lost\n## What would reopen it\n";
        assert!(decision("docs/decisions/0001-a.md", whole, 1).is_empty());
        assert_eq!(decision("docs/decisions/0003-a.md", "## What we do\n", 2).len(), 3);
    }
}
