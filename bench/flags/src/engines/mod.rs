//! Bench of flags: the engines, ours and the peers'. Each file says how its engine is used and where
//! that favours it.

mod bellwether;
mod eppo;
mod flagd;
mod growthbook;
mod launchdarkly;
mod yggdrasil;

use crate::Failure;
use crate::engine::Subject;
use crate::scenario::{Rule, Scenario};

/// What our own engine is called.
pub(crate) const OURS: &str = "bellwether";

/// Every engine that can do the scenario, ours first and the empty harness last; or only the one that
/// was asked for.
pub(crate) fn all(scenario: &Scenario, only: Option<&str>) -> Result<Vec<Subject>, Failure> {
    let segment = scenario.rules.flags.iter().any(|flag| flag.rule == Rule::Members);
    let wanted = |name: &str| only.is_none_or(|only| name.starts_with(only));
    let mut subjects = Vec::new();
    macro_rules! engines {
        ($($when:expr => $engine:ty),* $(,)?) => {$(
            if $when && wanted(<$engine as crate::engine::Engine>::NAME) {
                subjects.push(Subject::new::<$engine>(scenario)?);
            }
        )*};
    }
    engines! {
        true => bellwether::Bellwether,
        true => yggdrasil::Yggdrasil,
        true => launchdarkly::LaunchDarkly<false>,
        segment => launchdarkly::LaunchDarkly<true>,
        true => eppo::Eppo,
        true => growthbook::Growthbook,
        true => flagd::Flagd,
    }
    if only.is_none() {
        subjects.push(Subject::nothing(scenario));
    }
    match subjects.iter().find(|s| s.name == OURS && s.count.calls > 0) {
        Some(ours) => Err(format!(
            "our evaluation allocates in scenario {}: {} times in {} evaluations",
            scenario.name, ours.count.calls, ours.counted
        )
        .into()),
        None => Ok(subjects),
    }
}
