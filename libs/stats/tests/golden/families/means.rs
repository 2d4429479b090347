//! Families of means.

use super::adjusted::adjust;
use super::comparison::gbstats_arms;
use super::sequential::sequential;
use crate::case::Case;
use bellwether_stats::{
    Alternative, Direction, Estimate, JointMoments, Level, Moments, Tuning, Variances, difference, lift,
    log_ratio, welch,
};

fn p(estimate: &Estimate, alternative: Alternative) -> f64 {
    estimate.test(0.0, alternative).unwrap().p
}

pub(super) fn t_test(case: &Case<'_>) {
    let [control, treatment] = ["control", "treatment"].map(|arm| Moments::of(&case.list(arm)).unwrap());
    let ours = difference(&control, &treatment, Variances::Unequal).unwrap();
    let test = ours.test(0.0, Alternative::TwoSided).unwrap();
    case.number("t", test.statistic);
    case.number("df", ours.df().unwrap());
    case.number("p_two_sided", test.p);
    let interval = ours.interval(Level::P95);
    case.numbers("ci95", &[interval.low, interval.high]);
    case.number("p_greater", p(&ours, Alternative::Greater));
    case.number("ci95_lower_greater", ours.lower_bound(Level::P95));
    case.number("p_less_mu0.1", ours.test(0.1, Alternative::Less).unwrap().p);
    let pooled = difference(&control, &treatment, Variances::Equal).unwrap();
    let test = pooled.test(0.0, Alternative::TwoSided).unwrap();
    case.number("student_t", test.statistic);
    case.number("student_p", test.p);
}

pub(super) fn gbstats(case: &Case<'_>) {
    let [control, treatment] = gbstats_arms(case);
    let level = Level::from_alpha(case.input("alpha")).unwrap();
    let absolute = difference(&control, &treatment, Variances::Unequal).unwrap();
    let relative = lift(&control, &treatment).unwrap();
    // The same numbers as the default comparison, wherever that too takes the delta method.
    assert_eq!(welch(&control, &treatment, level).unwrap().se, absolute.se());
    for (name, estimate) in [("relative", relative), ("absolute", absolute)] {
        if case.has(&format!("{name}.p")) {
            let interval = estimate.interval(level);
            case.number(&format!("{name}.expected"), estimate.value());
            case.number(&format!("{name}.se"), estimate.se());
            case.numbers(&format!("{name}.ci"), &[interval.low, interval.high]);
            case.number(&format!("{name}.p"), p(&estimate, Alternative::TwoSided));
        }
        let greater = [estimate.lower_bound(level), f64::INFINITY];
        // The release on PyPI gives the bound below the estimate where that above it belongs: a one-sided
        // interval that leaves out the estimate. The commit of 2026-08 has it right.
        let upper = if case.version().starts_with("git") { estimate.upper_bound(level) } else { greater[0] };
        let less = [f64::NEG_INFINITY, upper];
        for (side, alternative, bounds) in
            [("greater", Alternative::Greater, greater), ("less", Alternative::Less, less)]
        {
            let name = format!("{name}_{side}");
            if case.has(&format!("{name}.p")) {
                case.number(&format!("{name}.expected"), estimate.value());
                case.number(&format!("{name}.se"), estimate.se());
                case.numbers(&format!("{name}.ci"), &bounds);
                case.number(&format!("{name}.p"), p(&estimate, alternative));
            }
        }
    }
    if case.has("sequential_relative_N5000.ci") {
        let tuning = Tuning::new(5_000.0).unwrap();
        sequential(case, "sequential_relative_N5000", tuning, relative.value(), relative.se());
    }
}

/// Mean and standard deviation of a unit after CUPED, over one sample.
pub(super) fn adjusted(y: &[f64], x: &[f64]) -> (f64, f64) {
    let joint = JointMoments::of(&[y, x]).unwrap();
    let theta = joint.covariance(0, 1).unwrap() / joint.covariance(1, 1).unwrap();
    let moments = joint.combination(theta * joint.mean(1).unwrap(), &[1.0, -theta]).unwrap();
    (moments.mean().unwrap(), moments.variance().unwrap().sqrt())
}

/// Columns of rows by arm: control, then treatment.
fn by_arm(case: &Case<'_>, columns: &[&[f64]]) -> [JointMoments; 2] {
    let variant = case.list("variant");
    [0.0, 1.0].map(|arm| {
        let mut joint = JointMoments::empty(columns.len()).unwrap();
        for (i, _) in variant.iter().enumerate().filter(|(_, v)| **v == arm) {
            joint.push(&columns.iter().map(|column| column[i]).collect::<Vec<_>>()).unwrap();
        }
        joint
    })
}

pub(super) fn tea_tasting_mean(case: &Case<'_>) {
    let (y, x) = (case.list("y"), case.list("x"));
    let [control, treatment] = if case.function().contains("cuped") {
        let [control, treatment] = by_arm(case, &[&y, &x]);
        let adjusted = adjust(&control, &treatment);
        [*adjusted.control(), *adjusted.treatment()]
    } else {
        by_arm(case, &[&y]).map(|arm| arm.column(0).unwrap())
    };
    let (c, t) = (control.mean().unwrap(), treatment.mean().unwrap());
    case.number("control", c);
    case.number("treatment", t);
    case.number("effect_size", t - c);
    case.number("rel_effect_size", t / c - 1.0);
    let equal = case.function().contains("eqvar");
    let variances = if equal { Variances::Equal } else { Variances::Unequal };
    let z = |estimate: Estimate| if case.function().contains("_z") { estimate.as_normal() } else { estimate };
    let absolute = z(difference(&control, &treatment, variances).unwrap());
    // A mean at or below zero has no logarithm.
    let ratio = log_ratio(&control, &treatment, variances).ok().map(z);
    let level = Level::P95;
    let alternative = match case.function() {
        name if name.contains("greater") => Alternative::Greater,
        name if name.contains("less") => Alternative::Less,
        _ => Alternative::TwoSided,
    };
    let bounds = |e: &Estimate| match alternative {
        Alternative::Greater => [e.lower_bound(level), f64::INFINITY],
        Alternative::Less => [f64::NEG_INFINITY, e.upper_bound(level)],
        Alternative::TwoSided => [e.interval(level).low, e.interval(level).high],
    };
    // Without a bound theirs is -∞ also for a ratio.
    let relative = |end: f64| if end == f64::NEG_INFINITY { end } else { end.exp() - 1.0 };
    let [low, high] = bounds(&absolute);
    case.number("effect_size_ci_lower", low);
    case.number("effect_size_ci_upper", high);
    match ratio.as_ref().map(bounds) {
        Some([low, high]) => {
            case.number("rel_effect_size_ci_lower", relative(low));
            case.number("rel_effect_size_ci_upper", relative(high));
        }
        None => ["lower", "upper"].iter().for_each(|end| case.absent(&format!("rel_effect_size_ci_{end}"))),
    }
    let test = absolute.test(0.0, alternative).unwrap();
    case.number("pvalue", test.p);
    case.number("statistic", test.statistic);
}

pub(super) fn non_inferiority(case: &Case<'_>) {
    let [control, treatment] = ["control", "treatment"].map(|arm| Moments::of(&case.list(arm)).unwrap());
    let ours = difference(&control, &treatment, Variances::Unequal).unwrap();
    let tost = ours.equivalence(case.input("low"), case.input("upp")).unwrap();
    case.number("tost_p", tost.p);
    case.number("t_low", tost.above_low.statistic);
    case.number("p_low", tost.above_low.p);
    case.number("t_upp", tost.below_high.statistic);
    case.number("p_upp", tost.below_high.p);
    let test = ours.not_worse(case.input("ni_margin"), Direction::Higher).unwrap();
    case.number("ni_t", test.statistic);
    case.number("ni_p", test.p);
    case.number("ni_df", test.df.unwrap());
}
