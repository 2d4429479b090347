//! Ledger: a segment of users is there for every rule that asks for it, and stays what it was for those
//! that decide who takes part in a running experiment.

use bellwether_model::{Beta, Condition, Segment, SegmentKey};

use super::*;

pub(super) fn saved(state: &State, segment: &Segment) -> Result<(), LedgerError> {
    segment.check()?;
    let was = state.segments.get(&segment.key).map(|s| &s.value);
    shelved("segment", &segment.key, was.map(|was| was.archived), segment.archived)?;
    if segment.archived
        && let Some((flag, environment)) = state.flags.values().filter(|f| !f.archived).find_map(|flag| {
            let asking = flag.settings.iter().find(|(_, s)| asked(s).any(|(_, k)| *k == segment.key));
            asking.map(|(environment, _)| (&flag.key, environment))
        })
    {
        return Err(refused(
            format!(
                "segment `{}` is asked for by the rules of flag `{flag}` in `{environment}`",
                segment.key
            ),
            "take it out of the rules first",
        ));
    }
    let shown = |beta: &Beta| {
        let mut asked = beta.audience.iter().flatten().filter_map(Condition::segment);
        !beta.archived && asked.any(|key| *key == segment.key)
    };
    if segment.archived
        && let Some(beta) = state.betas.values().find(|beta| shown(beta))
    {
        return Err(refused(
            format!("segment `{}` is asked for by the audience of beta `{}`", segment.key, beta.value.key),
            "take it out of the audience first",
        ));
    }
    let same = |was: &Segment| {
        was.when == segment.when
            && was.included == segment.included
            && was.excluded == segment.excluded
            && was.unit == segment.unit
    };
    if was.is_none_or(same) { Ok(()) } else { running::same_segment(state, segment) }
}

/// Every segment that rules ask for is there.
pub(super) fn named(state: &State, setting: &Setting) -> Result<(), LedgerError> {
    asked(setting).try_for_each(|(n, key)| there(state, key, &format!("rule {n}")))
}

/// A segment that somebody asks for is there.
pub(super) fn there(state: &State, key: &SegmentKey, who: &str) -> Result<(), LedgerError> {
    let segment = state.segments.get(key).ok_or_else(|| unknown("segment", key))?;
    if segment.archived {
        return Err(refused(
            format!("segment `{key}`, which {who} asks for, is archived"),
            "restore it first",
        ));
    }
    Ok(())
}

/// The segments that rules ask for, each with the number of its rule.
fn asked(setting: &Setting) -> impl Iterator<Item = (usize, &SegmentKey)> {
    let rules = (1..).zip(&setting.rules);
    rules.flat_map(|(n, rule)| rule.when.iter().flatten().filter_map(move |c| Some((n, c.segment()?))))
}
