//! Ledger: a layer is divided among the flags that belong to it. Reshaping it moves nobody from one
//! flag's part into another's.

use std::collections::BTreeSet;

use bellwether_model::{Layer, LayerKey};

use super::*;

pub(super) fn saved(state: &State, layer: &Layer) -> Result<(), LedgerError> {
    let key = &layer.key;
    let was = state.layers.get(key).map(|l| &l.value);
    shelved("layer", key, was.map(|was| was.archived), layer.archived)?;
    if let Some(was) = was.filter(|was| was.salt() != layer.salt()) {
        return Err(refused(
            format!("another salt would draw everybody in layer `{}` anew", was.key),
            "keep the salt; for a new draw make a new layer",
        ));
    }
    for flag in state.flags.values().filter(|flag| flag.layer.as_ref() == Some(key)) {
        same_unit(flag, layer)?;
        if layer.archived && !flag.archived {
            return Err(refused(
                format!("flag `{}` belongs to layer `{key}`", flag.key),
                "take it out of the layer first",
            ));
        }
    }
    for range in layer.ranges() {
        // A flag may own its part before it is put into the layer: so it is never in it without one.
        let flag = state.flags.get(&range.flag).ok_or_else(|| unknown("flag", &range.flag))?;
        same_unit(flag, layer)?;
    }
    // What a layer owns that is new nobody can belong to yet.
    was.map_or(Ok(()), |was| reshaped(state, was, layer))
}

/// A flag's part of a layer that is there, and nothing else of it, is another.
pub(super) fn allotted(state: &State, layer: &Layer, flag: &FlagKey) -> Result<(), LedgerError> {
    let was = &state.layers.get(&layer.key).ok_or_else(|| unknown("layer", &layer.key))?.value;
    if !state.flags.contains_key(flag) {
        return Err(unknown("flag", flag));
    }
    // What the others have and what the layer is stays; where the part lies, `saved` looks at.
    let others =
        |layer: &Layer| layer.ranges().iter().filter(|r| r.flag != *flag).cloned().collect::<Vec<_>>();
    let is = |layer: &Layer| (layer.name.clone(), layer.unit, layer.created, layer.archived);
    if is(was) != is(layer) || others(was) != others(layer) {
        return Err(refused(
            format!("this alters more of layer `{}` than the part of flag `{flag}`", layer.key),
            "save the layer as a whole for that",
        ));
    }
    saved(state, layer)
}

/// Each flag's part grows or shrinks where it is, and what was another's is not taken.
fn reshaped(state: &State, was: &Layer, next: &Layer) -> Result<(), LedgerError> {
    let shared = |a: &bellwether_model::layer::Stretch, b: &bellwether_model::layer::Stretch| {
        a.to.min(b.to).saturating_sub(a.from.max(b.from))
    };
    for new in next.ranges() {
        if let Some(old) = was.ranges().iter().find(|old| old.flag != new.flag && shared(old, new) > 0) {
            return Err(refused(
                format!(
                    "this would give what flag `{}` has of layer `{}` to flag `{}`",
                    old.flag, was.key, new.flag
                ),
                format!("let flag `{}` shrink first, then give what is free", old.flag),
            ));
        }
    }
    let flags: BTreeSet<&FlagKey> = was.ranges().iter().chain(next.ranges()).map(|r| &r.flag).collect();
    for flag in flags {
        let kept: u16 = was
            .ranges()
            .iter()
            .filter(|old| old.flag == *flag)
            .flat_map(|old| {
                next.ranges().iter().filter(|new| new.flag == *flag).map(move |new| shared(old, new))
            })
            .sum();
        let (before, after) = (was.share(flag), next.share(flag));
        if kept < before.points().min(after.points()) {
            return Err(refused(
                format!("this would move the part of flag `{flag}` in layer `{}`", was.key),
                "let it grow or shrink where it is",
            ));
        }
        if after > before && state.flags.get(flag).is_some_and(|flag| flag.archived) {
            return Err(archived(flag));
        }
        running::same_part(state, flag, was, next)?;
    }
    Ok(())
}

/// The layer that a flag belongs to, or would, is there and divides by the same unit.
pub(super) fn holds(state: &State, flag: &Flag, layer: &LayerKey) -> Result<(), LedgerError> {
    let layer = state.layers.get(layer).ok_or_else(|| unknown("layer", layer))?;
    if layer.archived {
        return Err(refused(format!("layer `{}` is archived", layer.key), "restore it first"));
    }
    same_unit(flag, layer)
}

fn same_unit(flag: &Flag, layer: &Layer) -> Result<(), LedgerError> {
    if flag.unit == layer.unit {
        return Ok(());
    }
    Err(refused(
        format!(
            "flag `{}` divides by `{}`, and layer `{}` by `{}`",
            flag.key,
            flag.unit.attribute(),
            layer.key,
            layer.unit.attribute()
        ),
        "use a layer of the flag's own unit",
    ))
}
