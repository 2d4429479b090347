//! Xtask: what comes in from outside. Licences are checked here too, so that the rule holds on a
//! machine without cargo-deny; `deny.toml` says the same and adds advisories.

use crate::house::House;

/// Licences that we accept. None of them asks anything of those who use Bellwether over a network.
const ACCEPTED: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "0BSD",
    "ISC",
    "MPL-2.0",
    "Zlib",
    "Unicode-3.0",
    "CC0-1.0",
    "BSL-1.0",
];

pub(crate) fn check(house: &House) -> Vec<String> {
    let packages = house.metadata.packages.iter().map(|p| (p.name.as_str(), p.license.as_deref()));
    let mut found: Vec<String> = packages.filter_map(|(name, licence)| refused(name, licence)).collect();
    // The two lists of what is accepted are one list.
    let deny = house.read("deny.toml");
    found.extend(
        ACCEPTED
            .iter()
            .filter(|licence| !deny.contains(&format!("\"{licence}\"")))
            .map(|licence| format!("deny.toml does not accept `{licence}`, and the tidy test does")),
    );
    found
}

fn refused(name: &str, licence: Option<&str>) -> Option<String> {
    match licence {
        None => Some(format!("`{name}` does not say its licence")),
        Some(expression) if accepted(expression) => None,
        Some(expression) => Some(format!("`{name}` is under `{expression}`, which we do not accept")),
    }
}

/// Whether an SPDX expression can be met with licences that we accept: `OR` binds less than `AND`;
/// the old form `MIT/Apache-2.0` means `OR`. An exception only ever allows more.
fn accepted(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    either(&tokens, &mut at) && at == tokens.len()
}

fn either(tokens: &[&str], at: &mut usize) -> bool {
    let mut met = both(tokens, at);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        met |= both(tokens, at);
    }
    met
}

fn both(tokens: &[&str], at: &mut usize) -> bool {
    let mut met = one(tokens, at);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(tokens, at);
    }
    met
}

fn one(tokens: &[&str], at: &mut usize) -> bool {
    let Some(token) = tokens.get(*at) else { return false };
    *at += 1;
    if *token == "(" {
        let met = either(tokens, at);
        let closed = tokens.get(*at) == Some(&")");
        *at += 1;
        return met && closed;
    }
    if tokens.get(*at) == Some(&"WITH") {
        *at += 2;
    }
    ACCEPTED.contains(token)
}

pub(crate) fn check_locks(house: &House) -> Vec<String> {
    let mut found = crates(&house.read("Cargo.lock"));
    for lock in house.files("", &["package-lock.json"]) {
        found.extend(npm(&lock, &house.read(&lock)));
    }
    found
}

fn crates(lock: &str) -> Vec<String> {
    let sources = lock.lines().filter_map(|line| line.strip_prefix("source = "));
    sources
        .filter(|source| *source != "\"registry+https://github.com/rust-lang/crates.io-index\"")
        .map(|source| format!("Cargo.lock: a package comes from `{}`", source.trim_matches('"')))
        .collect()
}

fn npm(lock: &str, text: &str) -> Vec<String> {
    let resolved = text.lines().filter_map(|line| line.trim().strip_prefix("\"resolved\": \""));
    resolved
        .filter(|from| !from.starts_with("https://registry.npmjs.org/"))
        .map(|from| format!("{lock}: a package comes from `{}`", from.trim_end_matches(['"', ','])))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_or_not() {
        let check = |expression: &str, fine: bool| assert_eq!(accepted(expression), fine, "{expression}");
        check("MIT", true);
        check("MIT/Apache-2.0", true);
        check("GPL-3.0-only OR MIT", true);
        check("GPL-3.0-only AND MIT", false);
        check("(MIT OR GPL-3.0-only) AND Unicode-3.0", true);
        check("MIT AND (GPL-3.0-only OR AGPL-3.0-only)", false);
        check("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", true);
        check("AGPL-3.0-only", false);
        check("SSPL-1.0", false);
        check("MIT AND", false);
        check("(MIT", false);
        check("", false);
    }

    #[test]
    fn a_package_without_a_licence_is_refused() {
        assert_eq!(refused("a", None).as_deref(), Some("`a` does not say its licence"));
        assert_eq!(refused("a", Some("Unlicense OR MIT")), None);
    }

    #[test]
    fn a_lock_names_public_registries_only() {
        assert!(crates("source = \"registry+https://github.com/rust-lang/crates.io-index\"").is_empty());
        assert_eq!(crates("source = \"git+https://example.com/a\"").len(), 1);
        assert!(npm("l", "  \"resolved\": \"https://registry.npmjs.org/a/-/a-1.tgz\",").is_empty());
        assert_eq!(npm("l", "  \"resolved\": \"http://mirror.example/a.tgz\",").len(), 1);
    }
}
