//! Ledger: the variants of a flag. One that somebody may get is not taken away, and one that a running
//! experiment compares keeps its value.

use bellwether_model::Variant;

use super::*;

/// The deepest nesting of a variant's JSON value; what is read back must not run into the parser's
/// own limit of 128 with what surrounds it.
pub(super) const DEEPEST: usize = 64;

/// What replaces the variants of a flag holds together with all that names them.
pub(super) fn replaced(state: &State, flag: &Flag, next: &[Variant]) -> Result<(), LedgerError> {
    shallow(next)?;
    let key = &flag.key;
    for was in &flag.variants {
        let Some(new) = next.iter().find(|new| new.key == was.key) else {
            if let Some(place) = used(state, flag, &was.key) {
                return Err(refused(
                    format!("variant `{}` of flag `{key}` is used by {place}", was.key),
                    "keep it, or let another variant take its place there first",
                ));
            }
            continue;
        };
        if new.value == was.value {
            continue;
        }
        let compares = |e: &Experiment| {
            e.running() && e.flag == *key && e.plan.arms.iter().any(|arm| arm.variant == was.key)
        };
        if let Some(experiment) = state.experiments.values().find(|e| compares(e)) {
            return Err(refused(
                format!(
                    "variant `{}` of flag `{key}` is an arm of experiment `{}`, which is running",
                    was.key, experiment.key
                ),
                "stop the experiment first, or add another variant",
            ));
        }
    }
    Ok(())
}

/// Where a variant is named: by the flag itself, by one that needs it, by an experiment that has not
/// ended, by a beta.
fn used(state: &State, flag: &Flag, variant: &VariantKey) -> Option<String> {
    let own = flag.settings.iter().find_map(|(environment, setting)| {
        place(setting, variant).map(|place| format!("{place} in `{environment}`"))
    });
    let needed = || {
        state.flags.values().filter(|other| !other.archived).find_map(|other| {
            let needs = |s: &Setting| {
                s.prerequisites.iter().any(|p| p.flag == flag.key && p.variants.contains(variant))
            };
            let (environment, _) = other.settings.iter().find(|(_, setting)| needs(setting))?;
            Some(format!("a prerequisite of flag `{}` in `{environment}`", other.key))
        })
    };
    let compared = || {
        state.experiments.values().find_map(|e| {
            let ended = matches!(e.state, ExperimentState::Stopped { .. } | ExperimentState::Shipped { .. });
            let arms = || e.plan.arms.iter().any(|arm| arm.variant == *variant);
            (!ended && e.flag == flag.key && arms()).then(|| format!("experiment `{}`", e.key))
        })
    };
    let shown = || {
        let mut betas = state.betas.values().filter(|beta| !beta.archived);
        let beta = betas.find(|beta| beta.flags.get(&flag.key) == Some(variant))?;
        Some(format!("beta `{}`", beta.value.key))
    };
    own.or_else(needed).or_else(compared).or_else(shown)
}

/// Where in a setting a variant is named.
fn place(setting: &Setting, variant: &VariantKey) -> Option<String> {
    if setting.off == *variant {
        return Some("the off switch".to_owned());
    }
    if setting.targets.iter().any(|target| target.variant == *variant) {
        return Some("a target".to_owned());
    }
    for (n, rule) in (1..).zip(&setting.rules) {
        if rule.serve.variants().contains(&variant) {
            return Some(match rule.name.as_str() {
                "" => format!("rule {n}"),
                name => format!("rule {n} (`{name}`)"),
            });
        }
    }
    let what = match &setting.default {
        Serve::Variant { .. } => "the default",
        Serve::Split { .. } => "the default's split",
        Serve::Rollout { .. } => "the rollout",
    };
    setting.default.variants().contains(&variant).then(|| what.to_owned())
}

/// No value is nested too deep to be read back.
pub(super) fn shallow(variants: &[Variant]) -> Result<(), LedgerError> {
    match variants.iter().find(|variant| deep(&variant.value, DEEPEST)) {
        None => Ok(()),
        Some(variant) => Err(refused(
            format!("the value of variant `{}` is nested too deep", variant.key),
            format!("nest at most {DEEPEST} objects and lists"),
        )),
    }
}

/// Whether a value is nested deeper than `most`; walks no deeper than that.
pub(super) fn deep(value: &Json, most: usize) -> bool {
    let Some(less) = most.checked_sub(1) else {
        return value.is_array() || value.is_object();
    };
    match value {
        Json::Array(items) => items.iter().any(|v| deep(v, less)),
        Json::Object(fields) => fields.values().any(|v| deep(v, less)),
        _ => false,
    }
}
