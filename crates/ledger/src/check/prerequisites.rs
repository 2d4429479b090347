//! Ledger: the flags that another flag needs are served where it is, and never need it in turn.

use bellwether_model::prerequisite;

use super::*;

/// Every prerequisite of a setting names a flag that is served there, and variants that it has.
pub(super) fn named(
    state: &State,
    flag: &Flag,
    environment: &EnvironmentKey,
    setting: &Setting,
) -> Result<(), LedgerError> {
    for needed in setting.prerequisites.iter().filter(|needed| needed.flag != flag.key) {
        let parent = state.flags.get(&needed.flag).ok_or_else(|| unknown("flag", &needed.flag))?;
        let would = format!("flag `{}` would need it", flag.key);
        if parent.archived {
            return Err(refused(
                format!("flag `{}` is archived, and {would}", parent.key),
                "restore it first, or need another flag",
            ));
        }
        if !parent.settings.contains_key(environment) {
            return Err(refused(
                format!("flag `{}` is not served in `{environment}`, and {would}", parent.key),
                "replace its targeting there first, or need another flag",
            ));
        }
        if let Some(variant) = needed.variants.iter().find(|v| parent.variant(v).is_none()) {
            let has: Vec<_> = parent.variants.iter().map(|v| format!("`{}`", v.key)).collect();
            return Err(refused(
                format!("flag `{}` has no variant `{variant}`, and {would}", parent.key),
                format!("need one of {}", has.join(", ")),
            ));
        }
    }
    Ok(())
}

/// With this flag as it would be, no flags need one another in a circle.
pub(super) fn no_circle(state: &State, next: &Flag) -> Result<(), LedgerError> {
    for (environment, setting) in &next.settings {
        if setting.prerequisites.is_empty() {
            continue;
        }
        let others = state.flags.values().map(|f| &f.value).filter(|flag| flag.key != next.key);
        prerequisite::check(environment, others.chain([next]))?;
    }
    Ok(())
}

/// No live flag needs this one.
pub(super) fn needless(state: &State, key: &FlagKey) -> Result<(), LedgerError> {
    for flag in state.flags.values().filter(|flag| !flag.archived) {
        let needs = |s: &Setting| s.prerequisites.iter().any(|needed| needed.flag == *key);
        if let Some((environment, _)) = flag.settings.iter().find(|(_, setting)| needs(setting)) {
            return Err(refused(
                format!("flag `{}` needs flag `{key}` in `{environment}`", flag.key),
                format!("take the prerequisite off flag `{}` first", flag.key),
            ));
        }
    }
    Ok(())
}
