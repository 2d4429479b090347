//! App intake: ids that are no ids: what programs write where they have none, which would make one giant user of many people,
//! and copies of many events.

/// In any case.
const PLACEHOLDERS: [&str; 12] =
    ["anonymous", "nil", "none", "null", "n/a", "na", "nan", "undefined", "unknown", "{}", "lmy47d", "-1"];

/// Whether an id is a placeholder.
pub(super) fn is_placeholder(id: &str) -> bool {
    PLACEHOLDERS.iter().any(|one| one.eq_ignore_ascii_case(id.trim()))
}

/// Whether an id names nobody: empty, a placeholder, or all zeros as a device gives it whose owner limits
/// tracking.
pub(crate) fn names_nobody(id: &str) -> bool {
    is_placeholder(id) || id.trim().chars().all(|c| matches!(c, '0' | '-'))
}
