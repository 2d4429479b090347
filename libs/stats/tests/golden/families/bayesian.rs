//! Posteriors: GrowthBook's normal model, and rates by quadrature.

use super::comparison::gbstats_arms;
use super::other;
use crate::case::Case;
use bellwether_stats::bayes::{Beta, BetaComparison, NormalPosterior, Prior, Scale, lift};
use bellwether_stats::{Level, Proportion};

pub(super) fn bayesian(case: &Case<'_>) {
    match case.function() {
        "EffectBayesianABTest" => effect(case),
        "beta-binomial P(B>A), expected loss" => rates(case),
        _ => other(case),
    }
}

fn effect(case: &Case<'_>) {
    let [control, treatment] = gbstats_arms(case);
    let level = Level::from_alpha(case.input("alpha")).unwrap();
    let given = case.raw("prior");
    let prior = match given["mean"].as_f64() {
        None => Prior::FLAT,
        Some(mean) => {
            let variance = given["variance"].as_f64().unwrap();
            Prior::normal(mean, variance, Scale::Relative).unwrap()
        }
    };
    let ours = lift(&control, &treatment, &prior).unwrap();
    for (name, posterior) in [("absolute", ours.absolute), ("relative", ours.relative.unwrap())] {
        let chances = [posterior.chance_above(0.0).unwrap(), posterior.chance_below(0.0).unwrap()];
        // The risk of each choice, control's first: where less is better they change places.
        let risks = [posterior.expected_gain(), posterior.expected_loss()];
        check(case, name, &posterior, level, chances[0], risks);
        check(case, &format!("{name}_inverse"), &posterior, level, chances[1], [risks[1], risks[0]]);
    }
}

fn check(
    case: &Case<'_>,
    name: &str,
    posterior: &NormalPosterior,
    level: Level,
    chance: f64,
    risks: [f64; 2],
) {
    let interval = posterior.interval(level);
    case.number(&format!("{name}.chance_to_win"), chance);
    case.number(&format!("{name}.expected"), posterior.mean());
    case.numbers(&format!("{name}.ci"), &[interval.low, interval.high]);
    case.numbers(&format!("{name}.risk"), &risks);
}

/// `P(treatment > control)` over the log-odds of control, on a grid so fine and wide that it is exact to rounding.
fn chance_by_trapezoid(control: &Beta, treatment: &Beta) -> f64 {
    let (a, b) = (control.a(), control.b());
    const STEP: f64 = 1e-3;
    let density = |w: f64| {
        // p^a (1-p)^b, whose logarithm has no cancellation at either end.
        let (ln_p, ln_q) = (-(-w).exp().ln_1p(), -w.exp().ln_1p());
        (a * ln_p + b * ln_q + libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b)).exp()
    };
    let grid = (-150_000..=150_000).map(|i| f64::from(i) * STEP);
    let terms = grid.map(|w| density(w) * treatment.chance_above(1.0 / (1.0 + (-w).exp())).unwrap());
    STEP * terms.sum::<f64>()
}

fn rates(case: &Case<'_>) {
    let prior = Beta::new(case.input("prior_a"), case.input("prior_b")).unwrap();
    let arm = |x, n| prior.after(&Proportion::new(case.count(x), case.count(n)).unwrap());
    let (control, treatment) = (arm("x_control", "n_control"), arm("x_treatment", "n_treatment"));
    let compared = BetaComparison::new(control, treatment);
    // scipy's quadrature loses a belief that piles up at an end, and may even say `inf`: then the trapezoid rule decides.
    let better = compared.chance_treatment_better().unwrap();
    let theirs = case.output("prob_treatment_better").first().copied().flatten();
    let by_rule = chance_by_trapezoid(&control, &treatment);
    match theirs {
        Some(theirs) if (better - by_rule).abs() < 1e-11 && (theirs - by_rule).abs() > 1e-8 => {
            case.untrue(&["prob_treatment_better"]);
        }
        _ => case.number("prob_treatment_better", better),
    }
    case.number("expected_loss_choose_treatment", compared.expected_loss_of_treatment().unwrap());
    for (name, belief) in [("ci95_treatment", treatment), ("ci95_control", control)] {
        let interval = belief.interval(Level::P95);
        case.numbers(name, &[interval.low, interval.high]);
    }
}
