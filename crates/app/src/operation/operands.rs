//! App: what of clauses an evaluation takes and nobody can mean, or would make others wait. A stored rule may have it,
//! which must keep nobody from turning its flag off; so what somebody writes is asked here, and not what is there.

use bellwether_flags::is_number;
use bellwether_model::{Clause, Condition, Op, operand::Version};

use super::input::shortened;
use super::serve::RuleInput;
use crate::error::AppError;
use crate::view::{Warning, among};

/// Stands for "no value".
const NONE: &str = "(none)";

/// Clauses, each with its place.
pub(super) type Placed<'c> = Vec<(String, &'c Clause)>;

/// The clauses of rules.
pub(super) fn of_rules(rules: &[RuleInput]) -> Placed<'_> {
    let rules = rules.iter().enumerate();
    rules.flat_map(|(at, rule)| of_groups(&format!("rules[{at}].when"), &rule.when)).collect()
}

/// The clauses of groups of conditions.
pub(super) fn of_groups<'c>(place: &str, groups: &'c [Vec<Condition>]) -> Placed<'c> {
    placed(place, groups.iter().map(|group| group.iter().map(Condition::clause)))
}

/// The clauses of a segment.
pub(super) fn of_segment(groups: &[Vec<Clause>]) -> Placed<'_> {
    placed("when", groups.iter().map(|group| group.iter().map(Some)))
}

fn placed<'c>(
    place: &str,
    groups: impl Iterator<Item = impl Iterator<Item = Option<&'c Clause>>>,
) -> Placed<'c> {
    let mut found = Vec::new();
    for (group, conditions) in groups.enumerate() {
        let clauses = conditions.enumerate().filter_map(|(at, clause)| Some((at, clause?)));
        found.extend(clauses.map(|(at, clause)| (format!("{place}[{group}][{at}]"), clause)));
    }
    found
}

/// The most patterns that a flag's rules in one environment, a segment or an audience may have together. Each may take
/// 256 KiB and a millisecond once compiled, and is compiled anew with every change of anything.
const MOST_PATTERNS: usize = 100;

/// Refuses what no evaluation can mean, and what would make every later change wait.
///
/// # Errors
/// `bad_input` with the place and the value.
pub(super) fn are_meant(clauses: &Placed<'_>) -> Result<(), AppError> {
    are_few(clauses)?;
    are_numbers(clauses)
}

fn are_few(clauses: &Placed<'_>) -> Result<(), AppError> {
    let patterns = clauses.iter().filter(|(_, clause)| matches!(clause.op, Op::Matches | Op::DoesNotMatch));
    let mut count = 0;
    for (place, clause) in patterns {
        count += clause.values.len();
        if count > MOST_PATTERNS {
            return Err(AppError::bad_input(
                format!(
                    "in `{place}.values`: there are `{count}` patterns so far, and at most {MOST_PATTERNS} are compiled"
                ),
                "join patterns with `|`, or tell words by `contains`, which looks for all of them at once",
            ));
        }
    }
    Ok(())
}

/// Refuses a comparison of numbers with what is no number: it holds for nobody, and its like for others, for
/// everybody.
///
/// # Errors
/// `bad_input` with the place and the value.
fn are_numbers(clauses: &Placed<'_>) -> Result<(), AppError> {
    let numbers = [Op::Less, Op::LessOrEqual, Op::Greater, Op::GreaterOrEqual];
    for (place, clause) in clauses.iter().filter(|(_, clause)| numbers.contains(&clause.op)) {
        if let Some(value) = clause.values.iter().find(|value| *value != NONE && !is_number(value)) {
            let (op, value) = (clause.op.word(), shortened(value));
            return Err(AppError::bad_input(
                format!("in `{place}.values`: `{value}` is not a number, and `{op}` compares numbers"),
                "write a number such as `18` or `-2.5`; versions are compared by `version_less` and its like, times by \
                 `before` and `after`",
            ));
        }
    }
    Ok(())
}

/// That an operator of versions compares as text, because what it was given is none.
pub(super) fn no_versions(clauses: &Placed<'_>) -> Vec<Warning> {
    let versions = [Op::VersionLess, Op::VersionLessOrEqual, Op::VersionGreater, Op::VersionGreaterOrEqual];
    let mut warnings = Vec::new();
    for (place, clause) in clauses.iter().filter(|(_, clause)| versions.contains(&clause.op)) {
        let none = clause.values.iter().filter(|value| *value != NONE && Version::parse(value).is_none());
        let none: Vec<String> = none.take(3).map(|value| format!("`{}`", shortened(value))).collect();
        if let Some(are) =
            [None, Some("is no version"), Some("are no versions")].get(none.len().min(2)).copied().flatten()
        {
            warnings.push(Warning {
                message: format!("in `{place}.values`: {} {are}, and `{}` compares it as text, where `10.0` comes before `9.0`", among(&none, "and"), clause.op.word()),
                hint: "write `major.minor` or `major.minor.patch`, such as `2.1` or `2.1.0-rc.1`".to_owned(),
            });
        }
    }
    warnings
}
