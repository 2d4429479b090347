//! App: what whoever makes an edit should know of it, though nothing keeps it from being made: that those are
//! served otherwise whom nobody meant, or that a limit limits nothing.

use bellwether_ledger::State;
use bellwether_model::{
    Beta, Covers, Enrolment, EnvironmentKey, Flag, FlagKey, Holdout, Layer, RolloutState, Serve, Setting,
    Share,
};

use crate::view::{Warning, among, units};

/// That a flag that is on is off for those outside its part of the layer that it is in.
pub(crate) fn outside_layer(state: &State, key: &FlagKey) -> Option<Warning> {
    let flag = &state.flags.get(key)?.value;
    let layer = &state.layers.get(flag.layer.as_ref()?)?.value;
    let (own, free) = (layer.share(key), layer.free());
    let who = match own {
        Share::ALL => return None,
        Share::NONE => "everybody".to_owned(),
        own => format!("the `{}` of everybody outside it", rest(own)),
    };
    let part = match own {
        Share::NONE => format!("has no part of layer `{}`", layer.key),
        own => format!("has `{own}` of layer `{}`", layer.key),
    };
    let gets = kept_out(flag, &who)?;
    let more = if own == Share::NONE { "a" } else { "a larger" };
    let hint = if free == Share::NONE {
        format!(
            "all of layer `{0}` is owned: make another flag's part smaller with `layer.allot`, or take `{key}` out of it",
            layer.key
        )
    } else {
        format!("give it {more} part with `layer.allot`: `{free}` of layer `{}` is free", layer.key)
    };
    Some(Warning { message: format!("flag `{key}` {part}: {gets}"), hint })
}

/// That people leave the part of a layer that a flag which is on had.
pub(crate) fn smaller_part(state: &State, was: &Layer, key: &FlagKey) -> Option<Warning> {
    let flag = &state.flags.get(key)?.value;
    let (before, after) = (was.share(key), state.layers.get(&was.key)?.share(key));
    let lost = before.points().checked_sub(after.points()).filter(|lost| *lost > 0)?;
    let lost = Share::basis_points(lost).ok()?;
    let gets = kept_out(flag, &format!("the `{lost}` of everybody who leave it"))?;
    Some(Warning {
        message: format!("flag `{key}` had `{before}` of layer `{}` and now has `{after}`: {gets}", was.key),
        hint: format!("if that was not meant, give it `{before}` again while nobody else has taken it"),
    })
}

/// What those get who are kept out, wherever the flag is on and would serve them anything else; what
/// is targeted comes before the layer.
fn kept_out(flag: &Flag, who: &str) -> Option<String> {
    let on = |setting: &&Setting| setting.on && !flag.archived && serves_more(setting);
    let settings = flag.settings.iter().filter(|(_, setting)| on(setting));
    let places: Vec<(&EnvironmentKey, &Setting)> = settings.collect();
    let said: Vec<String> = places
        .iter()
        .map(|(environment, setting)| {
            let but = if setting.targets.is_empty() { "" } else { " but its targets" };
            format!("in `{environment}` {who}{but} gets `{}`", setting.off)
        })
        .collect();
    (!said.is_empty()).then(|| among(&said, "and"))
}

/// Whether anybody gets anything else than the off variant.
fn serves_more(setting: &Setting) -> bool {
    let serves = setting.rules.iter().map(|rule| &rule.serve).chain([&setting.default]);
    serves.flat_map(Serve::variants).any(|variant| *variant != setting.off)
}

fn rest(of: Share) -> Share {
    Share::basis_points(Share::ALL.points() - of.points()).unwrap_or(Share::NONE)
}

/// That changes are scheduled of a flag that is archived: they are refused when their time comes.
pub(crate) fn plans_in_vain(state: &State, key: &FlagKey) -> Option<Warning> {
    let waiting = state.schedules.values().filter(|s| s.waiting() && s.planned.flag() == Some(key)).count();
    let (plans, they) = match waiting {
        0 => return None,
        1 => ("1 scheduled change waits".to_owned(), "it is"),
        many => (format!("{many} scheduled changes wait"), "they are"),
    };
    Some(Warning {
        message: format!("{plans} for flag `{key}`, and {they} refused when the time comes"),
        hint: "cancel with `schedule.cancel`, or restore the flag before".to_owned(),
    })
}

/// That an archived flag stays in the betas that name it, whose audience gets nothing of it.
pub(crate) fn betas_in_vain(state: &State, key: &FlagKey) -> Option<Warning> {
    let betas = state.betas.values().map(|beta| &beta.value);
    let named = |beta: &&Beta| !beta.archived && beta.flags.contains_key(key);
    let betas: Vec<String> = betas.filter(named).map(|beta| format!("`{}`", beta.key)).collect();
    (!betas.is_empty()).then(|| Warning {
        message: format!(
            "flag `{key}` is in beta {}, whose audience gets nothing of it now",
            among(&betas, "and")
        ),
        hint: "take it out with `beta.save`, or restore the flag".to_owned(),
    })
}

/// That a holdout keeps people from nothing, because no flag is there that it covers.
pub(crate) fn idle_holdout(state: &State, holdout: &Holdout) -> Option<Warning> {
    let covered = state.flags.values().any(|flag| !flag.value.archived && holdout.covers(&flag.value));
    if holdout.archived || covered {
        return None;
    }
    let key = &holdout.key;
    let (what, hint) = match &holdout.covers {
        Covers::Everything => ("there is no flag".to_owned(), "it covers each flag from when it is made"),
        Covers::Team { team } => (
            format!("team `{team}` has no flags"),
            "say whose a flag is with `flag.team`; it covers each from then on",
        ),
        // An edit names none that is archived.
        Covers::Flags { .. } => return None,
    };
    Some(Warning {
        message: format!("holdout `{key}` keeps people from nothing: {what}"),
        hint: hint.to_owned(),
    })
}

/// That a rollout that was to be widened is narrower than it was.
pub(crate) fn narrowed(key: &FlagKey, before: Share, now: Share) -> Option<Warning> {
    (now < before).then(|| Warning {
        message: format!(
            "the rollout of flag `{key}` is narrower: it gave its candidate to `{before}`, and now gives it to `{now}`"
        ),
        hint: "if that was not meant, widen it again; a share is in basis points, of which 100 are 1%".to_owned(),
    })
}

/// That what limits a default limits nothing, because the default divides nobody.
pub(crate) fn idle_limits(state: &State, key: &FlagKey, environment: &EnvironmentKey) -> Option<Warning> {
    let setting = state.flags.get(key)?.settings.get(environment)?;
    let limits = limits(&setting.enrolment)?;
    let variant = match &setting.default {
        Serve::Variant { variant } => variant,
        Serve::Rollout { rollout } if matches!(rollout.state, RolloutState::Done { .. }) => {
            &rollout.candidate
        }
        // A rollout that is halted gives nobody the candidate.
        Serve::Split { .. } | Serve::Rollout { .. } => return None,
    };
    let divided = format!("the default of flag `{key}` in `{environment}` divides nobody");
    let message = match *variant == setting.off {
        true => format!("{divided}: everybody gets `{variant}`, and the limit ({limits}) waits"),
        false => format!("{divided}: everybody gets `{variant}`, and the limit ({limits}) keeps nobody out"),
    };
    let hint = "it holds from when the default is a split (`flag.target`) or a rollout (`rollout.start`); `flag.enrolment` takes it away";
    Some(Warning { message, hint: hint.to_owned() })
}

/// ``at most 10% of everybody and 100 units``.
fn limits(enrolment: &Enrolment) -> Option<String> {
    let most: Vec<String> = enrolment
        .share
        .map(|share| format!("{share} of everybody"))
        .into_iter()
        .chain(enrolment.units.map(|most| units(most.get())))
        .collect();
    let most = (!most.is_empty()).then(|| format!("at most {}", among(&most, "and")));
    let said: Vec<String> = most.into_iter().chain(enrolment.sticky.then(|| "sticky".to_owned())).collect();
    (!said.is_empty()).then(|| said.join(", "))
}
