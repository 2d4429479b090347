//! Trial: a verdict in words. What is said here becomes the reason of a change, so it carries its
//! numbers.

use bellwether_model::experiment::Plan;
use bellwether_model::metric::{Better, Measure};
use bellwether_model::{Metric, VariantKey};

use super::{Compared, Comparison, Interval, Judgement, Relative, Verdict};
use crate::words::{self, Scale};

pub(super) fn say(plan: &Plan, metric: &Metric, judgement: &Judgement) -> String {
    let verdict = match &judgement.verdict {
        Verdict::Broken => return broken(plan, judgement),
        Verdict::Running { ends_at } => {
            format!("running until {ends_at}, no decision before: {}", effects(metric, judgement))
        }
        Verdict::EndedEarly { at, planned } => format!(
            "ended on {at}, before the planned {planned}, so nothing is decided: {}",
            effects(metric, judgement)
        ),
        Verdict::Ship { variant } => format!("ship `{variant}`: {}", effects(metric, judgement)),
        Verdict::Keep { variant } => format!("keep `{variant}`: {}", effects(metric, judgement)),
        Verdict::Inconclusive => {
            let shown = judgement.comparisons.iter().any(|c| c.compared.significant());
            let what = if shown { "no treatment is shown to be better" } else { "no difference shown" };
            format!("{what}: {}{}", effects(metric, judgement), not_excluded(plan, metric, judgement))
        }
        Verdict::TooLittle { reason, .. } => reason.clone(),
    };
    let shared = match judgement.comparisons.len() {
        0 | 1 => String::new(),
        n => format!(
            "; `{n}` comparisons share alpha {}: {}intervals are at {}",
            words::percent(plan.alpha),
            if judgement.verdict.decides() { "p-values are Bonferroni's, " } else { "" },
            words::percent(1.0 - judgement.alpha)
        ),
    };
    let ratio = match judgement.sample_ratio.p {
        Some(p) if judgement.sample_ratio.warn => {
            format!("; the sample ratio is off ({}): find out why before you act", words::p(p))
        }
        _ => String::new(),
    };
    format!("{verdict}{shared}{ratio}")
}

/// `signup of treatment is +3.1 points (0.4 to 5.8), p = 0.002, 13.10% of 10,021 against 10.00% of 9,979`,
/// for each treatment; without p where nothing is decided, because it would be read as a decision.
fn effects(metric: &Metric, judgement: &Judgement) -> String {
    let level = |variant: &VariantKey| {
        let counts = judgement.counts.iter().find(|c| c.variant == *variant);
        counts.map_or_else(String::new, |c| words::level(metric, c.mean, c.units))
    };
    let less = if metric.better == Better::Lower { " (less is better)" } else { "" };
    let one = |c: &Comparison| match &c.compared {
        Compared::Refused { reason, .. } => format!("`{}` cannot be compared: {reason}", c.variant),
        Compared::Given { estimate, interval, p_adjusted, relative, .. } => format!(
            "`{}`{less} of `{}` is {}, {}{} against {}",
            metric.key,
            c.variant,
            effect(metric, *estimate, *interval, relative),
            if judgement.verdict.decides() { format!("{}, ", words::p(*p_adjusted)) } else { String::new() },
            level(&c.variant),
            level(&judgement.control),
        ),
    };
    let all: Vec<String> = judgement.comparisons.iter().map(one).collect();
    all.join("; ")
}

/// Points for a conversion, the plain difference and its lift for a mean. The interval is that of the
/// difference: it agrees with the p-value beside it, and that of the lift need not, because it holds the
/// error of the control's mean as well.
fn effect(metric: &Metric, estimate: f64, interval: Interval, relative: &Relative) -> String {
    let difference = Scale::absolute(metric).effect(estimate, interval.low, interval.high);
    match (&metric.measure, relative) {
        (Measure::Count | Measure::Sum { .. }, Relative::Given { lift, interval }) => {
            let lift = Scale::Percent.point(*lift, interval.high - interval.low);
            format!("{difference}, a lift of {lift}")
        }
        _ => difference,
    }
}

/// What the intervals leave open, and whether it matters.
fn not_excluded(plan: &Plan, metric: &Metric, judgement: &Judgement) -> String {
    let scale = Scale::absolute(metric);
    let one = |c: &Comparison| match &c.compared {
        Compared::Given { interval, significant: Some(false), .. } => {
            let small = plan.effect.is_some_and(|e| interval.low > -e.abs() && interval.high < e.abs());
            Some(if small {
                let width = interval.high - interval.low;
                let worth = scale.size(plan.effect.unwrap_or(0.0), width);
                format!("; an effect of {worth}, the smallest worth finding, is excluded")
            } else {
                format!("; an effect between {} is not excluded", scale.between(interval.low, interval.high))
            })
        }
        _ => None,
    };
    judgement.comparisons.iter().filter_map(one).collect()
}

fn broken(plan: &Plan, judgement: &Judgement) -> String {
    let arms: Vec<String> =
        judgement.counts.iter().map(|c| format!("`{}` has {}", c.variant, words::count(c.exposed))).collect();
    let total: u32 = plan.arms.iter().map(|a| u32::from(a.share.points())).sum();
    let shares: Vec<String> = plan
        .arms
        .iter()
        .map(|a| words::percent(f64::from(a.share.points()) / f64::from(total.max(1))))
        .collect();
    format!(
        "the split is broken: {} where {} were planned ({}); do not use these numbers",
        arms.join(", "),
        shares.join(" / "),
        judgement.sample_ratio.said()
    )
}
