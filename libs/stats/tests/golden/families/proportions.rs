//! Families of proportions, splits and rates of events.

use super::comparison::undivided;
use crate::case::Case;
use bellwether_stats::counts::{self, Count};
use bellwether_stats::proportions::{
    Continuity, agresti_caffo, clopper_pearson, corrected_z, corrected_z_test, fisher, likelihood_ratio,
    log_ratio, miettinen_nurminen, odds_ratio, pearson, pooled_z, ratio_score, ratio_score_low,
    ratio_score_test, score_test, unpooled,
};
use bellwether_stats::{
    Alternative, Direction, Estimate, Interval, Level, Proportion, Variances, difference, newcombe,
    sample_ratio, sample_ratio_corrected, sample_ratio_exact, sample_ratio_g, sample_ratio_g_of_few,
    sample_ratio_of_few, two_proportions, wilson,
};

fn ends(interval: Interval) -> [f64; 2] {
    [interval.low, interval.high]
}

pub(super) fn two_proportion(case: &Case<'_>) {
    if case.function().starts_with("Proportion ") {
        return tea_tasting(case);
    }
    let arm = |x, n| Proportion::new(case.count(x), case.count(n)).unwrap();
    let control = arm("x_control", "n_control");
    let treatment = arm("x_treatment", "n_treatment");
    let ours = two_proportions(&control, &treatment, Level::P95).unwrap();
    match case.function() {
        "prop.test" => {
            case.number("chi2", ours.statistic * ours.statistic);
            case.number("p", ours.p);
            case.numbers("ci95_wald_unpooled", &ends(ours.interval));
            case.number("p_yates", pearson(&control, &treatment, Continuity::Yates).unwrap().p);
            case.number("fisher_p", fisher(&control, &treatment, Alternative::TwoSided).unwrap().p);
            match odds_ratio(&control, &treatment) {
                Ok(ratio) => {
                    // Their search stops at 1e-4 of the ratio or of its inverse, whichever is below 1: a large ratio is off
                    // by more than its tolerance. Then the definition decides.
                    let near = |theirs: &f64| (ratio - theirs).abs() <= 1e-4 * theirs.abs();
                    match case.output("fisher_or_cmle").first() {
                        Some(Some(theirs)) if !near(theirs) => {
                            case.root("fisher_or_cmle", ratio, |odds| excess(&control, &treatment, odds));
                        }
                        _ => case.numbers_within("fisher_or_cmle", &[ratio], 1e-4, 0.0),
                    }
                }
                // Infinite: a null in the reference.
                Err(_) => case.absent("fisher_or_cmle"),
            }
        }
        "proportions_ztest" => statsmodels(case, &control, &treatment),
        "ZTest" => spotify(case, unpooled(&control, &treatment).unwrap(), &control),
        "StudentsTTest" => {
            let [c, t] = [control, treatment].map(|arm| undivided(&arm));
            spotify(case, difference(&c, &t, Variances::Unequal).unwrap(), &control);
        }
        _ => {}
    }
}

/// Their root search is good to 1e-5 (README), and goes wrong where control is certain: then the definition decides.
fn ratio_by_score(case: &Case<'_>, control: &Proportion, treatment: &Proportion, level: Level) {
    const NAME: &str = "ci95_ratio_score";
    let ours = match ratio_score(control, treatment, level) {
        Ok(interval) => ends(interval),
        Err(_) => [ratio_score_low(control, treatment, level).unwrap(), f64::INFINITY],
    };
    let rejected = |end: f64, p: f64, by: f64| {
        let test = ratio_score_test(control, treatment, end, Alternative::TwoSided);
        test.is_ok_and(|test| (test.p - p).abs() < by)
    };
    let theirs: Vec<f64> = case.output(NAME).into_iter().flatten().collect();
    let just = |ends: &[f64], by| ends.iter().all(|end| rejected(*end, level.alpha(), by));
    if just(&ours, 1e-6) && theirs.len() == 2 && !just(&theirs, 1e-3) {
        return case.untrue(&[NAME]);
    }
    case.numbers_within(NAME, &ours, 1e-5, 1e-12);
}

fn statsmodels(case: &Case<'_>, control: &Proportion, treatment: &Proportion) {
    let level = Level::P95;
    let ours = two_proportions(control, treatment, level).unwrap();
    let p = |alternative| pooled_z(control, treatment, alternative).unwrap().p;
    case.number("z_pooled", ours.statistic);
    case.number("p_pooled", p(Alternative::TwoSided));
    assert_eq!(ours.p, p(Alternative::TwoSided));
    case.number("p_larger", p(Alternative::Greater));
    case.number("p_smaller", p(Alternative::Less));
    case.numbers("ci95_wald", &ends(ours.interval));
    case.numbers("ci95_newcomb", &ends(newcombe(control, treatment, level).unwrap()));
    case.numbers("ci95_agresti-caffo", &ends(agresti_caffo(control, treatment, level).unwrap()));
    case.numbers("wilson_treatment", &ends(wilson(treatment, level).unwrap()));
    case.numbers("cp_treatment", &ends(clopper_pearson(treatment, level).unwrap()));
    if case.has("ci95_ratio_log") {
        case.numbers(
            "ci95_ratio_log",
            &ends(log_ratio(control, treatment).unwrap().interval(level)).map(f64::exp),
        );
    }
    if case.has("ci95_ratio_score") {
        ratio_by_score(case, control, treatment, level);
    }
    let interval = miettinen_nurminen(control, treatment, level).unwrap();
    case.numbers_within("ci95_mn", &ends(interval), 1e-8, 1e-12);
    let test = score_test(control, treatment, -0.01, Alternative::Greater).unwrap();
    // What is below the smallest number is zero in the reference, and has a logarithm here.
    let below_all = test.ln_p < f64::MIN_POSITIVE.ln() && case.output("ni_mn_margin0.01_p") == [Some(0.0)];
    case.numbers_within("ni_mn_margin0.01_p", &[if below_all { 0.0 } else { test.p }], 1e-8, 0.0);
    // statsmodels' difference score test puts a count where the restricted likelihood needs a sample size: README, "which value
    // is the truth", 2. The true values are the two above.
    case.untrue(&["ci95_score", "ni_score_margin0.01_p"]);
}

/// Spotify: the interval over the control mean as if that were known, and a margin as a share of it.
fn spotify(case: &Case<'_>, estimate: Estimate, control: &Proportion) {
    let baseline = control.rate().unwrap();
    let level = Level::P95;
    case.number("diff", estimate.value());
    case.number("p", estimate.test(0.0, Alternative::TwoSided).unwrap().p);
    case.numbers("ci", &ends(estimate.interval(level)));
    case.number("rel_diff", estimate.value() / baseline);
    case.numbers("rel_ci", &ends(estimate.interval(level).relative_to_known(baseline).unwrap()));
    let Some(nim) = case.raw("nim").as_array() else { return };
    let margin = nim[0].as_f64().unwrap() * baseline;
    let better = match nim[1].as_str().unwrap() {
        "increase" => Direction::Higher,
        "decrease" => Direction::Lower,
        other => panic!("unknown direction {other}"),
    };
    case.number("ni_p", estimate.not_worse(margin, better).unwrap().p);
    let (null, bounds) = match better {
        Direction::Higher => (-margin, [estimate.lower_bound(level), f64::INFINITY]),
        Direction::Lower => (margin, [f64::NEG_INFINITY, estimate.upper_bound(level)]),
    };
    case.number("ni_null", null);
    case.numbers("ni_ci", &bounds);
}

/// Successes and units of control and of treatment, from rows.
fn arms_of_rows(case: &Case<'_>) -> [Proportion; 2] {
    let (variant, hits) = (case.list("variant"), case.list("b"));
    [0.0, 1.0].map(|arm| {
        let of_arm: Vec<f64> =
            variant.iter().zip(&hits).filter(|(v, _)| **v == arm).map(|(_, b)| *b).collect();
        Proportion::new(of_arm.iter().sum::<f64>() as u64, of_arm.len() as u64).unwrap()
    })
}

fn tea_tasting(case: &Case<'_>) {
    let [control, treatment] = arms_of_rows(case);
    let (c, t) = (control.rate().unwrap(), treatment.rate().unwrap());
    case.number("control", c);
    case.number("treatment", t);
    case.number("effect_size", t - c);
    case.number("rel_effect_size", t / c - 1.0);
    let two_sided = Alternative::TwoSided;
    let p = match case.function() {
        "Proportion norm" => {
            let ours = corrected_z(&control, &treatment, Level::P95).unwrap();
            case.number("effect_size_ci_lower", ours.interval.low);
            case.number("effect_size_ci_upper", ours.interval.high);
            case.number("rel_effect_size_ci_lower", ours.ratio.low - 1.0);
            case.number("rel_effect_size_ci_upper", ours.ratio.high - 1.0);
            assert_eq!(ours.test, corrected_z_test(&control, &treatment, two_sided).unwrap());
            ours.test.p
        }
        "Proportion pearson" => pearson(&control, &treatment, Continuity::Yates).unwrap().p,
        "Proportion log-likelihood" => likelihood_ratio(&control, &treatment, Continuity::Yates).unwrap().p,
        "Proportion fisher" => fisher(&control, &treatment, two_sided).unwrap().p,
        _ => return,
    };
    case.number("pvalue", p);
    // They give intervals with the normal approximation only.
    if case.function() != "Proportion norm" {
        for end in ["lower", "upper"] {
            case.absent(&format!("effect_size_ci_{end}"));
            case.absent(&format!("rel_effect_size_ci_{end}"));
        }
    }
}

pub(super) fn srm(case: &Case<'_>) {
    if case.function() == "SampleRatio" {
        let variant = case.list("variant");
        let n = variant.len() as u64;
        let treated = variant.iter().filter(|v| **v == 1.0).count() as u64;
        case.number("control", (n - treated) as f64);
        case.number("treatment", treated as f64);
        let (counts, shares) = ([treated, n - treated], [case.input("ratio"), 1.0]);
        // tea-tasting is exact below 1,000 units.
        let test = if n < 1_000 { sample_ratio_exact } else { sample_ratio_corrected };
        return case.number("pvalue", test(&counts, &shares).unwrap().p);
    }
    let observed: Vec<u64> = case.list("observed").into_iter().map(|o| o as u64).collect();
    let weights = case.list("weights");
    // The references compute χ² for any number of units; the ordinary door refuses fewer than five expected ones.
    let ours = sample_ratio_of_few(&observed, &weights).unwrap();
    if let Ok(plain) = sample_ratio(&observed, &weights) {
        assert_eq!(plain, ours);
    }
    case.number("p", ours.p);
    if case.has("chi2") {
        case.number("chi2", ours.chi2);
    }
    if case.has("g") {
        let g = sample_ratio_g_of_few(&observed, &weights).unwrap();
        if let Ok(plain) = sample_ratio_g(&observed, &weights) {
            assert_eq!(plain, g);
        }
        case.number("g", g.statistic);
        case.number("p_g", g.p);
    }
    if case.has("binom_exact_p") {
        match sample_ratio_exact(&observed, &weights) {
            Ok(exact) => case.number("binom_exact_p", exact.p),
            // Of more than two arms: a null in the reference.
            Err(_) => case.absent("binom_exact_p"),
        }
    }
}

pub(super) fn rate_comparison(case: &Case<'_>) {
    let arm = |x, exposure| Count::new(case.count(x), case.input(exposure)).unwrap();
    let control = arm("count_control", "exposure_control");
    let treatment = arm("count_treatment", "exposure_treatment");
    type OneTest =
        fn(&Count, &Count, f64, Alternative) -> Result<bellwether_stats::Test, bellwether_stats::Refusal>;
    let tests: [(&str, OneTest); 5] = [
        ("p_score", counts::score),
        ("p_wald", counts::wald),
        ("p_etest", counts::e_test),
        ("p_exact-cond", counts::exact_conditional),
        ("p_sqrt", counts::square_root),
    ];
    for (name, test) in tests {
        case.number(name, test(&control, &treatment, 1.0, Alternative::TwoSided).unwrap().p);
    }
}

/// By how much the successes of treatment that are expected at these odds, given the margins, exceed those observed, as a share of
/// them: term by term from the table that was observed.
fn excess(control: &Proportion, treatment: &Proportion, odds: f64) -> f64 {
    let successes = control.successes() + treatment.successes();
    let (low, high) = (successes.saturating_sub(control.n()), successes.min(treatment.n()));
    let observed = treatment.successes();
    // P(k + 1)/P(k) of the hypergeometric distribution.
    let step = |k: u64| {
        let (more, fewer) =
            ((treatment.n() - k) * (successes - k), (k + 1) * (control.n() + k + 1 - successes));
        odds * more as f64 / fewer as f64
    };
    let (mut total, mut mean) = (1.0, 0.0);
    let mut weight = 1.0;
    for k in observed..high {
        weight *= step(k);
        total += weight;
        mean += weight * (k + 1 - observed) as f64;
    }
    weight = 1.0;
    for k in (low..observed).rev() {
        weight /= step(k);
        total += weight;
        mean -= weight * (observed - k) as f64;
    }
    mean / total / observed as f64
}
