//! Families of ratios, covariates, strata, caps and quantiles.

use super::other;
use crate::case::{Case, numbers};
use bellwether_stats::adjust::{
    Adjusted, Caps, Effect, RatioSlope, cuped_of_few, cuped_ratio_of_few, post_stratify, ratio, ratio_moments,
};
use bellwether_stats::quantile::{Definition, QuantileArm, compare, quantile as quantile_of};
use bellwether_stats::regression::{Errors, Regression, lin};
use bellwether_stats::resample::Bootstrap;
use bellwether_stats::{
    Alternative, Estimate, JointMoments, Level, Moments, Refusal, Variances, log_ratio, welch,
};
use serde_json::Value;

/// The difference and the lift of a GrowthBook case.
/// As the references, which adjust arms of any size; where the ordinary door answers, it says the same.
pub(super) fn adjust(control: &JointMoments, treatment: &JointMoments) -> Adjusted {
    let few = cuped_of_few(control, treatment).unwrap();
    if let Ok(plain) = bellwether_stats::adjust::cuped(control, treatment) {
        assert_eq!(plain, few);
    }
    few
}

/// The same of ratios.
fn adjust_ratio(control: &JointMoments, treatment: &JointMoments, slope: RatioSlope) -> Adjusted {
    let few = cuped_ratio_of_few(control, treatment, slope).unwrap();
    if let Ok(plain) = bellwether_stats::adjust::cuped_ratio(control, treatment, slope) {
        assert_eq!(plain, few);
    }
    few
}

fn gbstats(case: &Case<'_>, effect: &Effect) {
    let relative = effect.lift.clone().unwrap();
    let level = Level::from_alpha(case.input("alpha")).unwrap();
    for (name, estimate) in [("absolute", &effect.difference), ("relative", &relative)] {
        estimated(case, name, estimate, level);
    }
}

fn estimated(case: &Case<'_>, name: &str, estimate: &Estimate, level: Level) {
    let field = |field: &str| format!("{name}.{field}");
    if !case.has(&field("p")) {
        return;
    }
    case.number(&field("expected"), estimate.value());
    case.number(&field("se"), estimate.se());
    let ends = estimate.interval(level);
    case.numbers(&field("ci"), &[ends.low, ends.high]);
    case.number(&field("p"), estimate.test(0.0, Alternative::TwoSided).unwrap().p);
}

/// Sums of one arm of a GrowthBook case, as moments of the columns named.
fn sums(arm: &Value, columns: &[&str], products: &[&str]) -> JointMoments {
    let of = |name: &str| &arm[name];
    let sums: Vec<f64> = columns.iter().map(|c| of(c)["sum"].as_f64().unwrap()).collect();
    let mut products = products.iter();
    let mut all = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        for _ in 0..i {
            all.push(of(products.next().unwrap()).as_f64().unwrap());
        }
        all.push(of(column)["sum_squares"].as_f64().unwrap());
    }
    JointMoments::from_sums(arm["n"].as_u64().unwrap(), &sums, &all).unwrap()
}

/// The rows of each arm, as moments of the columns named.
fn rows(case: &Case<'_>, arm: &str, columns: &[&str]) -> [JointMoments; 2] {
    let arms = case.list(arm);
    [0.0, 1.0].map(|arm| {
        let own: Vec<Vec<f64>> = columns
            .iter()
            .map(|column| {
                let values = case.list(column);
                values.into_iter().zip(&arms).filter(|(_, a)| **a == arm).map(|(v, _)| v).collect()
            })
            .collect();
        JointMoments::of(&own.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap()
    })
}

/// The fields of tea-tasting, whose relative interval is on the logarithmic scale.
fn tea_tasting(case: &Case<'_>, control: &Moments, treatment: &Moments) {
    let level = Level::P95;
    let ours = welch(control, treatment, level).unwrap();
    case.number("control", control.mean().unwrap());
    case.number("treatment", treatment.mean().unwrap());
    case.number("effect_size", ours.estimate);
    case.number("effect_size_ci_lower", ours.interval.low);
    case.number("effect_size_ci_upper", ours.interval.high);
    case.number("pvalue", ours.p);
    case.number("statistic", ours.statistic);
    case.number("rel_effect_size", treatment.mean().unwrap() / control.mean().unwrap() - 1.0);
    let ends = log_ratio(control, treatment, Variances::Unequal).unwrap().interval(level);
    case.number("rel_effect_size_ci_lower", ends.low.exp_m1());
    case.number("rel_effect_size_ci_upper", ends.high.exp_m1());
}

pub(super) fn ratio_delta(case: &Case<'_>) {
    match case.function() {
        "RatioStatistic t-test" => {
            let [control, treatment] = ["a", "b"].map(|arm| sums(case.raw(arm), &["m", "d"], &["md"]));
            gbstats(case, &ratio(&control, &treatment).unwrap());
        }
        "svyratio" => {
            let joint = JointMoments::of(&[&case.list("numerator"), &case.list("denominator")]).unwrap();
            let ours = ratio_moments(&joint, 0, 1).unwrap();
            case.number("ratio", ours.mean().unwrap());
            case.number("se", (ours.variance().unwrap() / ours.n() as f64).sqrt());
        }
        "ratio" => {
            let arms = rows(case, "variant", &["num", "den"]);
            let [control, treatment] = arms.map(|arm| ratio_moments(&arm, 0, 1).unwrap());
            tea_tasting(case, &control, &treatment);
        }
        _ => other(case),
    }
}

fn adjusted(case: &Case<'_>, ours: &Adjusted, pypi: bool) {
    case.number("theta", ours.theta()[0]);
    let mut effect = ours.effect().unwrap();
    if pypi {
        effect.lift = ours.lift_without_covariance();
    }
    gbstats(case, &effect);
}

pub(super) fn cuped(case: &Case<'_>) {
    match case.function() {
        "RegressionAdjustedStatistic" => {
            let [control, treatment] = ["a", "b"].map(|arm| sums(case.raw(arm), &["post", "pre"], &["xy"]));
            let ours = adjust(&control, &treatment);
            adjusted(case, &ours, case.version().contains("PyPI"));
        }
        "OLS & pooled-theta CUPED" => cuped_of_rows(case),
        _ => other(case),
    }
}

fn cuped_of_rows(case: &Case<'_>) {
    let welch_of = |name: &str, ours: &Adjusted| {
        let effect = ours.effect().unwrap().difference;
        let test = effect.test(0.0, Alternative::TwoSided).unwrap();
        case.number(&format!("{name}_effect"), effect.value());
        case.number(&format!("{name}_t"), test.statistic);
        case.number(&format!("{name}_p"), test.p);
        effect
    };
    let [control, treatment] = rows(case, "treatment", &["y", "x"]);
    let one = adjust(&control, &treatment);
    case.number("theta_pooled", one.theta()[0]);
    case.number("var_reduction_pooled", one.variance_reduction());
    case.number("cuped_df", welch_of("cuped", &one).df().unwrap());
    let [control, treatment] = rows(case, "treatment", &["y", "x", "x2"]);
    let two = adjust(&control, &treatment);
    case.numbers("theta_multi", two.theta());
    welch_of("cuped_multi", &two);

    let [y, t, x, x2] = ["y", "treatment", "x", "x2"].map(|name| case.list(name));
    let one = Regression::fit(&y, &[&t, &x]).unwrap();
    let se = |fit: &Regression, errors| -> Vec<f64> {
        let covariance = fit.covariance(errors).unwrap();
        (0..fit.coefficients().len()).map(|i| covariance.se(i).unwrap()).collect()
    };
    case.numbers("ancova_coef", one.coefficients());
    case.numbers("ancova_se", &se(&one, Errors::Classical));
    case.numbers("ancova_se_HC2", &se(&one, Errors::Hc2));
    let two = Regression::fit(&y, &[&t, &x, &x2]).unwrap();
    case.number("ancova2_effect", two.coefficients()[1]);
    case.number("ancova2_se_HC2", se(&two, Errors::Hc2)[1]);
    let treated: Vec<bool> = t.iter().map(|t| *t == 1.0).collect();
    let (effect, se_of_effect) = match lin(&y, &treated, &[&x, &x2]) {
        Ok(ours) => (ours.value(), ours.se()),
        // The door refuses fewer than ten units in an arm, the reference does not: then the regression itself.
        Err(Refusal::TooLittle { .. }) => {
            let centred = |column: &[f64]| -> Vec<f64> {
                let mean = column.iter().sum::<f64>() / column.len() as f64;
                column.iter().map(|value| value - mean).collect()
            };
            let (x, x2) = (centred(&x), centred(&x2));
            let of_treated = |column: &[f64]| column.iter().zip(&t).map(|(x, t)| x * t).collect::<Vec<_>>();
            let fit = Regression::fit(&y, &[&t, &x, &x2, &of_treated(&x), &of_treated(&x2)]).unwrap();
            (fit.coefficients()[1], se(&fit, Errors::Hc2)[1])
        }
        Err(refusal) => panic!("{refusal}"),
    };
    case.number("lin_effect", effect);
    case.number("lin_se_HC2", se_of_effect);
}

pub(super) fn cuped_ratio(case: &Case<'_>) {
    match case.function() {
        "RegressionAdjustedRatioStatistic" => {
            let products = ["m_d", "m_mp", "mp_d", "m_dp", "d_dp", "mp_dp"];
            let [control, treatment] =
                ["a", "b"].map(|arm| sums(case.raw(arm), &["m", "d", "mp", "dp"], &products));
            let ours = adjust_ratio(&control, &treatment, RatioSlope::SumOfArms);
            adjusted(case, &ours, false);
        }
        "ratio_cuped" => {
            let [control, treatment] = rows(case, "variant", &["num", "den", "num_pre", "den_pre"]);
            let ours = adjust_ratio(&control, &treatment, RatioSlope::Joint);
            tea_tasting(case, ours.control(), ours.treatment());
        }
        _ => other(case),
    }
}

pub(super) fn post_stratification(case: &Case<'_>) {
    if case.function() != "EffectMomentsPostStratification" {
        return other(case);
    }
    let strata: Vec<[Moments; 2]> = case
        .raw("strata")
        .as_array()
        .unwrap()
        .iter()
        .map(|stratum| {
            ["a", "b"].map(|arm| {
                let field = |name: &str| stratum[arm][name].as_f64().unwrap();
                Moments::from_sums(field("n") as u64, field("sum"), field("sum_squares")).unwrap()
            })
        })
        .collect();
    let ours = post_stratify(&strata).unwrap();
    assert!(ours.merged.is_empty());
    gbstats(case, &ours.effect);
}

pub(super) fn winsorized(case: &Case<'_>) {
    let (control, treatment) = (case.list("control"), case.list("treatment"));
    let pooled = [control.clone(), treatment.clone()].concat();
    let caps = Caps::at_quantiles(&pooled, case.input("lower_q"), case.input("upper_q")).unwrap();
    case.number("cap_low", caps.low());
    case.number("cap_high", caps.high());
    let [control, treatment] = [control, treatment].map(|values| caps.winsorised(&values).unwrap());
    let ours = welch(&control, &treatment, Level::P95).unwrap();
    case.number("mean_c", control.mean().unwrap());
    case.number("mean_t", treatment.mean().unwrap());
    case.number("t", ours.statistic);
    case.number("p", ours.p);
    case.number("df", ours.df.unwrap());
}

pub(super) fn quantile(case: &Case<'_>) {
    match case.function() {
        "QuantileStatistic t-test" => {
            let [control, treatment] = ["a", "b"].map(|arm| {
                let field = |name: &str| case.raw(arm)[name].as_f64().unwrap();
                QuantileArm::from_ends(field("n") as u64, field("hat"), field("lower"), field("upper"))
                    .unwrap()
            });
            gbstats(case, &compare(&control, &treatment).unwrap());
        }
        "quantile" => {
            let values = case.list("x");
            for (name, definition) in [("type7", Definition::Linear), ("type1", Definition::InverseEcdf)] {
                let ours: Vec<f64> =
                    case.list("p").iter().map(|p| quantile_of(&values, *p, definition).unwrap()).collect();
                case.numbers(name, &ours);
            }
        }
        name if name.starts_with("Quantile bootstrap") => {
            let (arms, values) = (case.list("variant"), case.list("y"));
            let [control, treatment] = [0.0, 1.0].map(|arm| -> Vec<f64> {
                values.iter().zip(&arms).filter(|(_, a)| **a == arm).map(|(v, _)| *v).collect()
            });
            let of = |values: &[f64]| quantile_of(values, case.input("q"), Definition::Linear).unwrap();
            let (c, t) = (of(&control), of(&treatment));
            for (name, ours) in
                [("control", c), ("treatment", t), ("effect_size", t - c), ("rel_effect_size", t / c - 1.0)]
            {
                // The points are exact; the tolerance of the case is that of its draws.
                case.numbers_within(name, &[ours], 1e-12, 1e-12);
            }
            let boot = Bootstrap::new(20_000, 1).unwrap();
            let ends = |statistic: fn(f64, f64) -> f64| {
                let draws = boot.of_two(&control, &treatment, |c, t| statistic(of(c), of(t))).unwrap();
                draws.basic(Level::P95).unwrap()
            };
            let absolute = ends(|c, t| t - c);
            case.number("effect_size_ci_lower", absolute.low);
            case.number("effect_size_ci_upper", absolute.high);
            // Half a unit of the metric, as a share of control.
            let relative = ends(|c, t| t / c - 1.0);
            case.numbers_within("rel_effect_size_ci_lower", &[relative.low], 0.0, case.abs() / c);
            case.numbers_within("rel_effect_size_ci_upper", &[relative.high], 0.0, case.abs() / c);
        }
        _ => other(case),
    }
}

pub(super) fn bootstrap(case: &Case<'_>) {
    // More draws than theirs, so that the distance is theirs.
    let boot = Bootstrap::new(100_000, 1).unwrap();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    match case.function() {
        "boot.ci mean" => {
            let draws = boot.of(&numbers(case.raw("x")), mean).unwrap();
            case.number("se", draws.se());
            for (name, ends) in [
                ("perc95", draws.percentile(Level::P95)),
                ("basic95", draws.basic(Level::P95)),
                ("bca95", draws.bca(Level::P95)),
            ] {
                let ends = ends.unwrap();
                case.numbers(name, &[ends.low, ends.high]);
            }
            case.numbers_within("acceleration_jack", &[draws.acceleration().unwrap()], 1e-6, 0.0);
        }
        "bootstrap 2-sample mean diff" => {
            let (control, treatment) = (case.list("control"), case.list("treatment"));
            let draws = boot.of_two(&control, &treatment, |c, t| mean(t) - mean(c)).unwrap();
            case.number("se", draws.se());
            for (name, ends) in [
                ("percentile", draws.percentile(Level::P95)),
                ("basic", draws.basic(Level::P95)),
                ("BCa", draws.bca(Level::P95)),
            ] {
                let ends = ends.unwrap();
                case.numbers(name, &[ends.low, ends.high]);
            }
            let median = |values: &[f64]| quantile_of(values, 0.5, Definition::Linear).unwrap();
            let boot = Bootstrap::new(20_000, 1).unwrap();
            let draws = boot.of_two(&control, &treatment, |c, t| median(t) - median(c)).unwrap();
            let ends = draws.percentile(Level::P95).unwrap();
            // The medians take few values: their ends are known to 0.15 of the width, says the case.
            let abs = 0.15 * (ends.high - ends.low);
            case.numbers_within("median_diff_percentile", &[ends.low, ends.high], 0.0, abs);
        }
        _ => other(case),
    }
}
