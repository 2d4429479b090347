//! App: names that name nothing. Whoever mistypes one is told which is nearest, or what there is.

use bellwether_ledger::{LedgerError, State};
use bellwether_model::{Key, Subject};
use serde_json::json;

use crate::App;
use crate::error::{AppError, Refusal};

/// So many names are listed; of more, the operation that lists them is named.
const LISTED: usize = 8;

/// What there is of a sort, and the operations that list and make it.
struct Sort<'s> {
    names: Vec<&'s str>,
    list: &'static str,
    make: Option<&'static str>,
}

impl<'s> Sort<'s> {
    fn of(what: &str, state: &'s State) -> Option<Self> {
        let sort = |names, list, make| Some(Self { names, list, make });
        match what {
            "environment" => {
                sort(state.environments.keys().map(|k| k.as_str()).collect(), "environment.list", None)
            }
            "flag" => {
                sort(state.flags.keys().map(|k| k.as_str()).collect(), "flag.list", Some("flag.create"))
            }
            "metric" => {
                sort(state.metrics.keys().map(|k| k.as_str()).collect(), "metric.list", Some("metric.save"))
            }
            "experiment" => sort(
                state.experiments.keys().map(|k| k.as_str()).collect(),
                "experiment.list",
                Some("experiment.create"),
            ),
            "segment" => sort(
                state.segments.keys().map(|k| k.as_str()).collect(),
                "segment.list",
                Some("segment.save"),
            ),
            "layer" => {
                sort(state.layers.keys().map(|k| k.as_str()).collect(), "layer.list", Some("layer.save"))
            }
            "holdout" => sort(
                state.holdouts.keys().map(|k| k.as_str()).collect(),
                "holdout.list",
                Some("holdout.save"),
            ),
            "beta" => sort(state.betas.keys().map(|k| k.as_str()).collect(), "beta.list", Some("beta.save")),
            "scheduled change" => sort(
                state.schedules.keys().map(|k| k.as_str()).collect(),
                "schedule.list",
                Some("schedule.create"),
            ),
            "proposal" => sort(
                state.proposals.keys().map(|k| k.as_str()).collect(),
                "plan.proposals",
                Some("plan.propose"),
            ),
            "event type" => sort(
                state.plan.iter().flat_map(|plan| plan.value.events.keys()).map(|k| k.as_str()).collect(),
                "plan.get",
                Some("plan.save"),
            ),
            _ => None,
        }
    }

    fn hint(&self, wanted: &str) -> String {
        let Self { names, list, make } = self;
        if let Some(near) = nearest(wanted, names) {
            return format!("did you mean `{near}`? `{list}` shows what there is");
        }
        match (names.len(), make) {
            (0, Some(make)) => format!("there is none yet; make one with `{make}`"),
            (0, None) => "there is none".to_owned(),
            (1..=LISTED, _) => {
                let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                format!("use {}", one_of(&quoted))
            }
            _ => format!("`{list}` shows what there is"),
        }
    }
}

/// The name among `names`, which operation `list` shows, that was probably meant; else what there is.
pub(crate) fn meant(wanted: &str, names: Vec<&str>, list: &'static str) -> String {
    Sort { names, list, make: None }.hint(wanted)
}

fn one_of(quoted: &[String]) -> String {
    match quoted {
        [first] => first.clone(),
        [all @ .., last] => format!("{} or {last}", all.join(", ")),
        [] => String::new(),
    }
}

/// The name that was probably meant: a third of its letters may be wrong, whatever their case.
pub(crate) fn nearest<'n>(wanted: &str, names: &[&'n str]) -> Option<&'n str> {
    let wanted = wanted.to_lowercase();
    let near = |name: &&&str| {
        let name = name.to_lowercase();
        let (letters, others) = (wanted.chars().count(), name.chars().count());
        let most = (letters.max(others) / 3).max(1);
        // So many letters at least are to be put in or taken out: most names are far away at a glance.
        if letters.abs_diff(others) > most {
            return None;
        }
        let away = distance(&wanted, &name);
        (away <= most && away < others).then_some(away)
    };
    // No key is longer; a text that is, is not near to one and not worth the work.
    if wanted.len() > 2 * Key::LONGEST {
        return None;
    }
    names.iter().filter_map(|name| Some((near(&name)?, *name))).min().map(|(_, name)| name)
}

/// How many letters must be put in, taken out or replaced to make one word of the other (Levenshtein 1966).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (slot, other) in row.iter_mut().zip(std::iter::once(None).chain(b.iter().map(Some))) {
            let above = *slot;
            let here = match other {
                None => i + 1,
                Some(other) => (diagonal + usize::from(letter != *other)).min(above + 1).min(left + 1),
            };
            (diagonal, left, *slot) = (above, here, here);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// A text made into a key, as near as can be: `Gate 30!` is `gate_30`. `None` where nothing is left.
pub(crate) fn made_key(text: &str) -> Option<Key> {
    let mut made = String::new();
    for c in text.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' | '.' | '-' => made.push(c),
            _ if made.ends_with('_') => {}
            _ => made.push('_'),
        }
    }
    let made = made.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let short = made.get(..made.len().min(Key::LONGEST)).unwrap_or_default();
    short.trim_end_matches(['_', '.', '-']).parse().ok()
}

impl App {
    /// There is no such thing; what there is instead.
    pub(crate) fn unknown(&self, what: &'static str, key: impl std::fmt::Display) -> AppError {
        let (key, state) = (key.to_string(), self.ledger.state());
        if what == "revision" {
            let hint = format!("the newest is `{}`: `change.list` shows them", state.revision);
            return AppError::not_found(what, key, hint);
        }
        let hint = Sort::of(what, &state).map(|sort| sort.hint(&key));
        let shown: String = key.chars().take(Key::LONGEST).collect();
        AppError::not_found(what, shown, hint.unwrap_or_else(|| format!("look at the list of {what}s")))
    }

    /// What the ledger refused, with the names that it does not know.
    pub(crate) fn refused(&self, error: LedgerError) -> AppError {
        match error {
            LedgerError::Stale { subject, expected, newest, by, at } => {
                let by = self.actor_view(&by);
                let (what, key) = match &subject {
                    Subject::Environment(key) => ("environment", key.as_str()),
                    Subject::Flag(key) => ("flag", key.as_str()),
                    Subject::Metric(key) => ("metric", key.as_str()),
                    Subject::Experiment(key) => ("experiment", key.as_str()),
                    Subject::Segment(key) => ("segment", key.as_str()),
                    Subject::Layer(key) => ("layer", key.as_str()),
                    Subject::Holdout(key) => ("holdout", key.as_str()),
                    Subject::Beta(key) => ("beta", key.as_str()),
                    Subject::Schedule(key) => ("scheduled change", key.as_str()),
                    Subject::Plan => ("tracking plan", ""),
                    Subject::EventType(name) => ("event type", name.as_str()),
                    Subject::Proposal(key) => ("proposal", key.as_str()),
                };
                let what = if key.is_empty() { format!("the {what}") } else { format!("{what} `{key}`") };
                let message = format!(
                    "{what} was changed by {} at {at}: it is at revision `{newest}`, and this edit \
                     expects `{expected}`",
                    by.name
                );
                let hint = format!(
                    "read it again, and repeat the edit based on revision `{newest}` if it still holds"
                );
                let details =
                    json!({"subject": subject, "expected": expected, "newest": newest, "by": by, "at": at});
                AppError { details: Some(details), ..AppError::new(Refusal::Stale, "stale", message, hint) }
            }
            LedgerError::Unknown { what, key } => self.unknown(what, key),
            other => other.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hint_names_the_nearest_or_what_there_is() {
        let many: Vec<String> = (0..9).map(|n| format!("flag-{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let check = |names: &[&str], wanted: &str, expected: &str| {
            let sort = Sort { names: names.to_vec(), list: "flag.list", make: Some("flag.create") };
            assert_eq!(sort.hint(wanted), expected, "{wanted}");
        };
        let meant = "did you mean `gate_30`? `flag.list` shows what there is";
        for wanted in ["gate_30", "gate-30", "Gate_30", "gate30", "gate_3", "gates_300", "gtae_30"] {
            check(&["zebra", "gate_30", "gate_900"], wanted, meant);
        }
        check(&["zebra", "gate_30"], "checkout", "use `zebra` or `gate_30`");
        check(&["a"], "b", "use `a`");
        check(&["a", "b", "c"], "", "use `a`, `b` or `c`");
        check(&[], "checkout", "there is none yet; make one with `flag.create`");
        check(&many, "checkout", "`flag.list` shows what there is");
        check(&["gate_30"], &"x".repeat(1_000_000), "use `gate_30`");
        let environments = Sort { names: vec![], list: "environment.list", make: None };
        assert_eq!(environments.hint("x"), "there is none");
    }

    #[test]
    fn a_text_is_made_into_a_key() {
        for (text, made) in [
            ("Gate 30!", Some("gate_30")),
            ("  --New checkout (v2.1) ", Some("new_checkout_v2.1")),
            ("käse", Some("k_se")),
            ("checkout", Some("checkout")),
            ("!!!", None),
            ("", None),
            ("ключ", None),
        ] {
            assert_eq!(made_key(text).as_ref().map(Key::as_str), made, "{text}");
        }
        assert_eq!(made_key(&"é7".repeat(1_000)).unwrap().as_str().len(), 99);
    }

    /// The definition, without its table.
    fn plainly(a: &[char], b: &[char]) -> usize {
        match (a, b) {
            ([], rest) | (rest, []) => rest.len(),
            ([x, a_rest @ ..], [y, b_rest @ ..]) => (plainly(a_rest, b_rest) + usize::from(x != y))
                .min(plainly(a_rest, b) + 1)
                .min(plainly(a, b_rest) + 1),
        }
    }

    proptest! {
        #[test]
        fn distances_are_those_of_the_definition(a in "[abcé]{0,5}", b in "[abcé]{0,5}") {
            let chars = |t: &str| t.chars().collect::<Vec<_>>();
            prop_assert_eq!(distance(&a, &b), plainly(&chars(&a), &chars(&b)));
        }

        #[test]
        fn whatever_is_made_is_a_key(text in any::<String>()) {
            if let Some(made) = made_key(&text) {
                prop_assert_eq!(made_key(made.as_str()), Some(made));
            }
        }
    }
}
