//! Families of answers that hold at every look.

use super::comparison::gbstats_arms;
use super::other;
use crate::case::{Case, numbers};
use bellwether_stats::bayes::{Prior, lift};
use bellwether_stats::sequential::{Mixture, PolyStitching, bernoulli_interval};
use bellwether_stats::{
    ConfidenceSequence, Level, NormalMixture, Proportion, SampleRatioSequence, Sides, Tuning, welch,
};

/// A two-sided confidence sequence around an estimate, and its p-value at this look.
pub(super) fn sequential(case: &Case<'_>, name: &str, tuning: Tuning, estimate: f64, se: f64) {
    let [control, treatment] = gbstats_arms(case);
    let n = control.n() + treatment.n();
    let level = Level::from_alpha(case.input("alpha")).unwrap();
    let sequence = ConfidenceSequence::new(level, tuning, Sides::Two);
    let half_width = sequence.half_width(se, n).unwrap();
    let field = |field: &str| format!("{name}.{field}");
    case.number(&field("expected"), estimate);
    case.number(&field("se"), se);
    case.numbers(&field("ci"), &[estimate - half_width, estimate + half_width]);
    case.number(&field("p"), sequence.ln_p(estimate / se, n).unwrap().exp());
}

pub(super) fn asymptotic_cs(case: &Case<'_>) {
    let tuning = Tuning::new(case.input("N_star")).unwrap();
    let level = Level::from_alpha(case.input("alpha")).unwrap();
    let two = ConfidenceSequence::new(level, tuning, Sides::Two);
    let one = ConfidenceSequence::new(level, tuning, Sides::One);
    match case.function() {
        "AsympCS half-width (unit variance)" => {
            let n = case.count("n");
            let se = (n as f64).sqrt().recip();
            case.number("rho_approx", two.rho());
            case.number("halfwidth_two_sided", two.half_width(se, n).unwrap());
            case.number("halfwidth_one_sided", one.half_width(se, n).unwrap());
            case.number("confseq_normal_mixture_two_sided_over_n", two.half_width(se, n).unwrap());
            case.number("gb_halfwidth", two.half_width(se, n).unwrap());
            let exact = ConfidenceSequence::exactly_tuned(level, tuning, Sides::Two);
            case.number("rho_exact_lambertw", exact.rho());
            case.number("halfwidth_two_sided_exact_rho", exact.half_width(se, n).unwrap());
        }
        "SequentialTwoSidedTTest" => {
            let [control, treatment] = gbstats_arms(case);
            let n = control.n() + treatment.n();
            let ours = welch(&control, &treatment, level).unwrap();
            sequential(case, "absolute", tuning, ours.estimate, ours.se);
            // The lift by the delta method also where ours would be by Fieller's.
            let relative = lift(&control, &treatment, &Prior::FLAT).unwrap().relative.unwrap();
            let (lift, se) = (relative.mean(), relative.sd());
            sequential(case, "relative", tuning, lift, se);
            if case.has("relative_greater.ci") {
                case.number("relative_greater.expected", lift);
                case.number("relative_greater.se", se);
                case.numbers("relative_greater.ci", &[lift - one.half_width(se, n).unwrap(), f64::INFINITY]);
                // Theirs is found by bisection until the end of the interval is within a few
                // 1e-6 of zero, and clipped.
                let p = |lift: f64| one.ln_p(lift / se, n).unwrap().exp().clamp(1e-5, 0.4999);
                let slack = p(lift - 2.5e-6) - p(lift + 2.5e-6);
                case.numbers_within("relative_greater.p", &[p(lift)], 0.0, slack + 1e-12);
            }
        }
        _ => other(case),
    }
}

pub(super) fn confidence_sequence(case: &Case<'_>) {
    let level = Level::from_alpha(case.input("alpha")).unwrap();
    let over_time =
        |bound: &dyn Fn(f64) -> f64| -> Vec<f64> { case.list("v").into_iter().map(bound).collect() };
    match case.function() {
        "normal_mixture_bound" => {
            let tuned_at = Level::from_alpha(case.input("alpha_opt")).unwrap();
            let v_opt = case.input("v_opt");
            let [one, two] = [Sides::One, Sides::Two].map(|s| Mixture::normal(s, v_opt, tuned_at).unwrap());
            case.numbers("one_sided", &over_time(&|v| one.bound(v, level).unwrap()));
            case.numbers("two_sided", &over_time(&|v| two.bound(v, level).unwrap()));
            // At three standard deviations.
            let ln = |mixture: Mixture| over_time(&|v| mixture.e_value(3.0 * v.sqrt(), v).unwrap().ln());
            case.numbers("log_mix_one_sided_s", &ln(one));
            case.numbers("log_mix_two_sided_s", &ln(two));
        }
        "gamma_exponential_mixture_bound" | "gamma_poisson_mixture_bound" => {
            // Where a case does not say at which alpha it is tuned, it is 0.05.
            let tuned_at =
                case.raw("alpha_opt").as_f64().map_or(Level::P95, |a| Level::from_alpha(a).unwrap());
            let (v_opt, c) = (case.input("v_opt"), case.input("c"));
            let mixture = match case.function() {
                "gamma_exponential_mixture_bound" => Mixture::gamma_exponential(v_opt, c, tuned_at),
                _ => Mixture::gamma_poisson(v_opt, c, tuned_at),
            };
            case.numbers("bound", &over_time(&|v| mixture.clone().unwrap().bound(v, level).unwrap()));
        }
        "poly_stitching_bound" => {
            let [v_min, c, s, eta] = ["v_min", "c", "s", "eta"].map(|name| case.input(name));
            let boundary = PolyStitching::new(v_min, c, s, eta).unwrap();
            case.numbers("bound", &over_time(&|v| boundary.bound(v, level).unwrap()));
        }
        "bernoulli_confidence_interval" => {
            let rate = Proportion::new(case.count("successes"), case.count("trials")).unwrap();
            let tuned_at =
                case.raw("alpha_opt").as_f64().map_or(Level::P95, |a| Level::from_alpha(a).unwrap());
            let ours = bernoulli_interval(&rate, case.input("t_opt"), tuned_at, level).unwrap();
            case.numbers("ci", &[ours.low, ours.high]);
        }
        _ => other(case),
    }
}

pub(super) fn msprt(case: &Case<'_>) {
    let mixture = NormalMixture::new(case.input("tau2")).unwrap();
    let (estimate, variance) = (case.input("delta_hat"), case.input("V"));
    let level = Level::from_alpha(case.input("alpha")).unwrap();
    let ln_ratio = mixture.ln_likelihood_ratio(estimate, variance).unwrap();
    case.number("lambda_", ln_ratio.exp());
    case.number("p_always_valid_single_look", (-ln_ratio).exp().min(1.0));
    case.number("ci_halfwidth", mixture.half_width(variance, level).unwrap());
    let limit = case.input("truncation_L");
    let within = mixture.ln_likelihood_ratio_within(limit, estimate, variance).unwrap();
    case.number("lambda_truncated", within.exp());
}

pub(super) fn srm_sequential(case: &Case<'_>) {
    let concentration = case.input("dirichlet_concentration");
    let mut sequence = SampleRatioSequence::with_concentration(&case.list("null"), concentration).unwrap();
    let (mut p, mut factors) = (Vec::new(), Vec::new());
    for increment in case.raw("increments").as_array().unwrap() {
        let counts: Vec<u64> = numbers(increment).into_iter().map(|x| x as u64).collect();
        p.push(sequence.observe(&counts).unwrap());
        factors.push(sequence.ln_bayes_factor().exp());
    }
    case.numbers("p", &p);
    case.numbers("bayes_factor", &factors);
}
