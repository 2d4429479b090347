//! Families of fixed-horizon comparisons, of planning and of the distributions beneath.

use super::sequential::sequential;
use super::{NOT_OFFERED, other};
use crate::case::Case;
use bellwether_stats::planning::{
    Design, power_of_proportions, sample_size_of_means, sample_size_of_proportions,
};
use bellwether_stats::special::{beta, chi_squared, normal, student_t};
use bellwether_stats::{
    Comparison, Level, Moments, Proportion, Relative, RelativeMethod, Sides, Tuning, newcombe, sample_ratio,
    two_proportions, welch, wilson,
};

pub(super) fn two_proportion(case: &Case<'_>) {
    if NOT_OFFERED.contains(&case.function()) {
        return other(case);
    }
    let arm = |x, n| Proportion::new(case.count(x), case.count(n)).unwrap();
    let control = arm("x_control", "n_control");
    let treatment = arm("x_treatment", "n_treatment");
    let ours = two_proportions(&control, &treatment, Level::P95).unwrap();
    let wald = [ours.interval.low, ours.interval.high];
    let lift = || (treatment.rate().unwrap() - control.rate().unwrap()) / control.rate().unwrap();
    match case.function() {
        "prop.test" => {
            case.number("chi2", ours.statistic * ours.statistic);
            case.number("p", ours.p);
            case.numbers("ci95_wald_unpooled", &wald);
            case.left_out(&["p_yates", "fisher_p", "fisher_or_cmle"]);
        }
        "proportions_ztest" => {
            case.number("z_pooled", ours.statistic);
            case.number("p_pooled", ours.p);
            case.numbers("ci95_wald", &wald);
            let hybrid = newcombe(&control, &treatment, Level::P95).unwrap();
            case.numbers("ci95_newcomb", &[hybrid.low, hybrid.high]);
            let score = wilson(&treatment, Level::P95).unwrap();
            case.numbers("wilson_treatment", &[score.low, score.high]);
            case.left_out(&["p_larger", "p_smaller", "ci95_agresti-caffo", "ci95_mn"]);
            case.left_out(&["ci95_ratio_log", "ci95_ratio_score", "cp_treatment"]);
            // Two of these are known to be wrong, see the notes of the cases.
            case.left_out(&["ci95_score", "ni_score_margin0.01_p", "ni_mn_margin0.01_p"]);
        }
        "ZTest" => {
            case.number("diff", ours.estimate);
            case.numbers("ci", &wald);
            case.number("rel_diff", lift());
            // p with the unpooled variance; a relative interval that takes the control mean as fixed.
            case.left_out(&["p", "rel_ci", "ni_p", "ni_null", "ni_ci"]);
        }
        "StudentsTTest" => {
            let [control, treatment] = [control, treatment].map(|arm| undivided(&arm));
            let ours = welch(&control, &treatment, Level::P95).unwrap();
            case.number("diff", ours.estimate);
            case.numbers("ci", &[ours.interval.low, ours.interval.high]);
            case.number("p", ours.p);
            case.number("rel_diff", lift());
            case.left_out(&["rel_ci", "ni_p", "ni_null", "ni_ci"]);
        }
        _ => other(case),
    }
}

/// Moments whose *sample* variance is `p(1-p)`: peers that give proportions to a t test divide by n.
pub(super) fn undivided(arm: &Proportion) -> Moments {
    let (n, rate) = (arm.n(), arm.rate().unwrap());
    Moments::new(n, rate, rate * (1.0 - rate) * (n - 1) as f64).unwrap()
}

pub(super) fn t_test(case: &Case<'_>) {
    let [control, treatment] = ["control", "treatment"].map(|arm| Moments::of(&case.list(arm)).unwrap());
    let ours = welch(&control, &treatment, Level::P95).unwrap();
    case.number("t", ours.statistic);
    case.number("df", ours.df.unwrap());
    case.number("p_two_sided", ours.p);
    case.numbers("ci95", &[ours.interval.low, ours.interval.high]);
    case.left_out(&["p_greater", "ci95_lower_greater", "p_less_mu0.1"]);
    case.left_out(&["student_t", "student_p"]);
}

/// Control `a` and treatment `b` of a GrowthBook case, by GrowthBook's conventions.
pub(super) fn gbstats_arms(case: &Case<'_>) -> [Moments; 2] {
    ["a", "b"].map(|arm| {
        let field = |name: &str| case.raw(arm)[name].as_f64().unwrap();
        let n = field("n") as u64;
        match case.text("kind") {
            "mean" => Moments::from_sums(n, field("sum"), field("sum_squares")).unwrap(),
            "proportion" => undivided(&Proportion::new(field("sum") as u64, n).unwrap()),
            kind => panic!("unknown kind {kind}"),
        }
    })
}

pub(super) fn gbstats(case: &Case<'_>) {
    let [control, treatment] = gbstats_arms(case);
    let level = Level::from_alpha(case.input("alpha")).unwrap();
    let ours = welch(&control, &treatment, level).unwrap();
    if let Some(relative) = delta(case, &ours) {
        case.number("relative.expected", relative.lift);
        case.number("relative.se", relative.se);
        let ends = [relative.interval.low, relative.interval.high];
        case.numbers("relative.ci", &ends);
        if case.has("sequential_relative_N5000.ci") {
            let tuning = Tuning::new(5_000.0).unwrap();
            let (lift, se) = (relative.lift, relative.se);
            sequential(case, "sequential_relative_N5000", tuning, lift, se);
        }
    }
    // The test of the relative lift; ours is that of the difference.
    case.left_out(&["relative.p"]);
    if case.has("absolute.p") {
        case.number("absolute.expected", ours.estimate);
        case.number("absolute.se", ours.se);
        case.numbers("absolute.ci", &[ours.interval.low, ours.interval.high]);
        case.number("absolute.p", ours.p);
    }
    for side in ["relative_greater", "relative_less", "absolute_greater", "absolute_less"] {
        leave_out_comparison(case, side);
    }
}

pub(super) fn leave_out_comparison(case: &Case<'_>, name: &str) {
    let names = ["expected", "ci", "p", "se"].map(|field| format!("{name}.{field}"));
    case.left_out(&names.each_ref().map(String::as_str));
}

/// The lift where we too use the delta method. Where the control mean is within 3 standard errors of
/// zero we do not: there the reference's relative values are left out by convention.
pub(super) fn delta(case: &Case<'_>, ours: &Comparison) -> Option<Relative> {
    match &ours.relative {
        Ok(relative) if relative.method == RelativeMethod::Delta => Some(*relative),
        _ => {
            for name in ["relative", "relative_greater", "sequential_relative_N5000"] {
                leave_out_comparison(case, name);
            }
            None
        }
    }
}

pub(super) fn srm(case: &Case<'_>) {
    if NOT_OFFERED.contains(&case.function()) {
        return other(case);
    }
    let observed: Vec<u64> = case.list("observed").into_iter().map(|o| o as u64).collect();
    let ours = sample_ratio(&observed, &case.list("weights")).unwrap();
    case.number("p", ours.p);
    if case.has("chi2") {
        case.number("chi2", ours.chi2);
    }
    case.left_out(&["binom_exact_p", "g", "p_g"]);
}

pub(super) fn distributions(case: &Case<'_>) {
    let over =
        |name: &str, f: &dyn Fn(f64) -> f64| -> Vec<f64> { case.list(name).into_iter().map(f).collect() };
    match case.function() {
        "qnorm" => case.numbers("qnorm", &over("p", &normal::quantile)),
        "pnorm" => {
            // R 4.2 stops at -37.5 and gives 0 for Φ(-38) = 2.9e-316; its own logarithm says better.
            let cdf = over("x", &|x| if x < -37.5 { 0.0 } else { normal::cdf(x) });
            assert!(normal::cdf(-38.0) > 0.0);
            case.numbers("cdf", &cdf);
            case.numbers("logcdf", &over("x", &normal::ln_cdf));
            case.numbers("sf", &over("x", &normal::sf));
        }
        "t" => {
            let df = case.input("df");
            case.numbers("qt", &over("p", &|p| student_t::quantile(p, df)));
            case.numbers("cdf", &over("x", &|x| student_t::cdf(x, df)));
            case.numbers("sf", &over("x", &|x| student_t::sf(x, df)));
        }
        "chi2" => {
            let df = case.input("df");
            case.numbers("sf", &over("x", &|x| chi_squared::sf(x, df)));
            let p = [1e-6, 0.05, 0.5, 0.95, 0.999_999];
            case.numbers("q", &p.map(|p| chi_squared::quantile(p, df)));
        }
        "beta" => {
            let (a, b) = (case.input("a"), case.input("b"));
            case.numbers("q", &over("p", &|p| beta::quantile(p, a, b)));
            case.number("cdf_at_mean", beta::cdf(a / (a + b), a, b));
        }
        _ => other(case),
    }
}

pub(super) fn power_sample_size(case: &Case<'_>) {
    let design = |sides, ratio: f64| {
        let level = Level::from_alpha(case.input("alpha")).unwrap();
        let design = Design::new(level, case.input("power"), sides).unwrap();
        // Their ratio is n2/n1; the second sample is our treatment.
        design.with_allocation(ratio.recip()).unwrap()
    };
    match case.function() {
        "power.prop.test" => {
            let (p1, p2) = (case.input("p1"), case.input("p2"));
            let size = |sides| sample_size_of_proportions(p1, p2, &design(sides, 1.0)).unwrap();
            case.number("n_per_arm_two_sided", size(Sides::Two).treatment);
            case.number("n_per_arm_one_sided", size(Sides::One).treatment);
            let (nc, nt) = size(Sides::Two).rounded_up();
            let level = Level::from_alpha(case.input("alpha")).unwrap();
            let power = power_of_proportions((p1, nc), (p2, nt), level, Sides::Two).unwrap();
            case.number("power_at_ceil_n_strict", power);
        }
        "tt_ind_solve_power" => {
            let sides = match case.text("alternative") {
                "two-sided" => Sides::Two,
                _ => Sides::One,
            };
            let design = design(sides, case.input("ratio"));
            let size = sample_size_of_means(case.input("effect_size"), 1.0, 1.0, &design).unwrap();
            case.number("n1_z", size.control);
            // Noncentral t; the smallest effect that a given size can see.
            case.left_out(&["n1_t", "power_t_at_1000", "mde_z_n1_5000"]);
        }
        "samplesize_proportions_2indep_onetail" => {
            let (p1, p2, ratio) = (case.input("p1"), case.input("p2"), case.input("ratio"));
            // Their first sample has the rate p2: it is our treatment, and n1 its size.
            let design = design(Sides::Two, ratio.recip());
            let size = sample_size_of_proportions(p1, p2, &design).unwrap();
            case.number("n1", size.treatment);
            let level = Level::from_alpha(case.input("alpha")).unwrap();
            let control = (2_000.0 * ratio) as u64;
            let power = power_of_proportions((p1, control), (p2, 2_000), level, Sides::Two).unwrap();
            case.number("power_at_2000", power);
            case.left_out(&["es_h"]);
        }
        _ => other(case),
    }
}
