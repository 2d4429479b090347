//! Which function of this room answers which reference function, and what is not offered yet.

use crate::case::{Case, Check, numbers};
use bellwether_stats::planning::{
    Design, power_of_proportions, sample_size_of_means, sample_size_of_proportions,
};
use bellwether_stats::special::{beta, chi_squared, normal, student_t};
use bellwether_stats::{
    Comparison, ConfidenceSequence, Level, Moments, NormalMixture, Proportion, Relative, RelativeMethod,
    SampleRatioSequence, Sides, Tuning, newcombe, sample_ratio, two_proportions, welch, wilson,
};

/// Families with at least one function that this room offers.
pub(crate) const OFFERED: &[(&str, Check)] = &[
    ("distributions", distributions),
    ("two_proportion", two_proportion),
    ("t_test", t_test),
    ("gbstats_frequentist", gbstats),
    ("srm", srm),
    ("srm_sequential", srm_sequential),
    ("asymptotic_cs", asymptotic_cs),
    ("confidence_sequence", confidence_sequence),
    ("msprt", msprt),
    ("power_sample_size", power_sample_size),
];

/// Reference functions, by family, without a counterpart in this room.
const NOT_OFFERED: &[&str] = &[
    // distributions: the noncentral t.
    "nct",
    // two_proportion: continuity correction, G, exact tests.
    "Proportion norm",
    "Proportion log-likelihood",
    "Proportion pearson",
    "Proportion fisher",
    // srm: exact binomial.
    "SampleRatio",
    // confidence_sequence: other mixtures than the normal.
    "bernoulli_confidence_interval",
    "gamma_exponential_mixture_bound",
    "poly_stitching_bound",
    // power_sample_size: noncentral t, noncentral F, a planner with the baseline variance in both arms.
    "power.t.test",
    "pwr.t2n.test",
    "SampleSize.binomial",
    "FTestAnovaPower",
    "Mean.solve_power",
];

fn other(case: &Case<'_>) {
    if NOT_OFFERED.contains(&case.function()) {
        case.not_offered();
    }
    // Otherwise nothing was looked at, and the account says so.
}

fn distributions(case: &Case<'_>) {
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

fn two_proportion(case: &Case<'_>) {
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
fn undivided(arm: &Proportion) -> Moments {
    let (n, rate) = (arm.n(), arm.rate().unwrap());
    Moments::new(n, rate, rate * (1.0 - rate) * (n - 1) as f64).unwrap()
}

fn t_test(case: &Case<'_>) {
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
fn gbstats_arms(case: &Case<'_>) -> [Moments; 2] {
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

fn gbstats(case: &Case<'_>) {
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

fn leave_out_comparison(case: &Case<'_>, name: &str) {
    let names = ["expected", "ci", "p", "se"].map(|field| format!("{name}.{field}"));
    case.left_out(&names.each_ref().map(String::as_str));
}

/// The lift where we too use the delta method. Where the control mean is within 3 standard errors of
/// zero we do not: there the reference's relative values are left out by convention.
fn delta(case: &Case<'_>, ours: &Comparison) -> Option<Relative> {
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

/// A two-sided confidence sequence around an estimate, and its p-value at this look.
fn sequential(case: &Case<'_>, name: &str, tuning: Tuning, estimate: f64, se: f64) {
    let [control, treatment] = gbstats_arms(case);
    let n = control.n() + treatment.n();
    let level = Level::from_alpha(case.input("alpha")).unwrap();
    let sequence = ConfidenceSequence::new(level, tuning, Sides::Two);
    let half_width = sequence.half_width(se, n);
    let field = |field: &str| format!("{name}.{field}");
    case.number(&field("expected"), estimate);
    case.number(&field("se"), se);
    case.numbers(&field("ci"), &[estimate - half_width, estimate + half_width]);
    case.number(&field("p"), sequence.ln_p(estimate / se, n).exp());
}

fn asymptotic_cs(case: &Case<'_>) {
    let tuning = Tuning::new(case.input("N_star")).unwrap();
    let level = Level::from_alpha(case.input("alpha")).unwrap();
    let two = ConfidenceSequence::new(level, tuning, Sides::Two);
    let one = ConfidenceSequence::new(level, tuning, Sides::One);
    match case.function() {
        "AsympCS half-width (unit variance)" => {
            let n = case.count("n");
            let se = (n as f64).sqrt().recip();
            case.number("rho_approx", two.rho());
            case.number("halfwidth_two_sided", two.half_width(se, n));
            case.number("halfwidth_one_sided", one.half_width(se, n));
            case.number("confseq_normal_mixture_two_sided_over_n", two.half_width(se, n));
            case.number("gb_halfwidth", two.half_width(se, n));
            case.left_out(&["rho_exact_lambertw", "halfwidth_two_sided_exact_rho"]);
        }
        "SequentialTwoSidedTTest" => {
            let [control, treatment] = gbstats_arms(case);
            let n = control.n() + treatment.n();
            let ours = welch(&control, &treatment, level).unwrap();
            sequential(case, "absolute", tuning, ours.estimate, ours.se);
            let Some(relative) = delta(case, &ours) else {
                return;
            };
            sequential(case, "relative", tuning, relative.lift, relative.se);
            if case.has("relative_greater.ci") {
                case.number("relative_greater.expected", relative.lift);
                case.number("relative_greater.se", relative.se);
                let low = relative.lift - one.half_width(relative.se, n);
                case.numbers("relative_greater.ci", &[low, f64::INFINITY]);
                // Theirs is found by bisection until the end of the interval is within a few
                // 1e-6 of zero, and clipped.
                let p = |lift: f64| one.ln_p(lift / relative.se, n).exp().clamp(1e-5, 0.4999);
                let lift = relative.lift;
                let slack = p(lift - 2.5e-6) - p(lift + 2.5e-6);
                case.numbers_within("relative_greater.p", &[p(lift)], 0.0, slack + 1e-12);
            }
        }
        _ => other(case),
    }
}

fn confidence_sequence(case: &Case<'_>) {
    match case.function() {
        "normal_mixture_bound" => {
            assert_eq!(case.input("alpha"), case.input("alpha_opt"));
            let level = Level::from_alpha(case.input("alpha")).unwrap();
            let tuning = Tuning::new(case.input("v_opt")).unwrap();
            let sequence = ConfidenceSequence::new(level, tuning, Sides::Two);
            // The bound of a sum of `v` terms of unit variance is `v` times that of their mean.
            let bound = |v: f64| v * sequence.half_width(v.sqrt().recip(), v as u64);
            let bounds: Vec<f64> = case.list("v").into_iter().map(bound).collect();
            case.numbers("two_sided", &bounds);
            // The exact one-sided mixture; ours is the closed form of GrowthBook.
            case.left_out(&["one_sided", "log_mix_two_sided_s", "log_mix_one_sided_s"]);
        }
        _ => other(case),
    }
}

fn msprt(case: &Case<'_>) {
    let mixture = NormalMixture::new(case.input("tau2")).unwrap();
    let (estimate, variance) = (case.input("delta_hat"), case.input("V"));
    let level = Level::from_alpha(case.input("alpha")).unwrap();
    let ln_ratio = mixture.ln_likelihood_ratio(estimate, variance);
    case.number("lambda_", ln_ratio.exp());
    case.number("p_always_valid_single_look", (-ln_ratio).exp().min(1.0));
    case.number("ci_halfwidth", mixture.half_width(variance, level));
    let limit = case.input("truncation_L");
    let within = mixture.ln_likelihood_ratio_within(limit, estimate, variance);
    case.number("lambda_truncated", within.exp());
}

fn srm(case: &Case<'_>) {
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

fn srm_sequential(case: &Case<'_>) {
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

fn power_sample_size(case: &Case<'_>) {
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
