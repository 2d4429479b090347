//! Families of rank tests and of several hypotheses.

use crate::case::Case;
use bellwether_stats::multiplicity::{Adjustment, adjust};
use bellwether_stats::rank::{
    Correction, brown_forsythe, brunner_munzel, exact_shift_interval, hodges_lehmann, kolmogorov_smirnov,
    kruskal_wallis, mann_whitney, mann_whitney_exact, shift_interval, yuen,
};
use bellwether_stats::{Alternative, Level, Variances};

const TWO_SIDED: Alternative = Alternative::TwoSided;

/// Tolerance of W and the p-values of R, whatever that of its intervals: README.
const EXACT: (f64, f64) = (1e-10, 1e-12);

pub(super) fn mann_whitney_family(case: &Case<'_>) {
    let [control, treatment] = if case.function() == "MannWhitneyU" {
        let (variant, y) = (case.list("variant"), case.list("y"));
        [0.0, 1.0].map(|arm| variant.iter().zip(&y).filter(|(v, _)| **v == arm).map(|(_, y)| *y).collect())
    } else {
        [case.list("control"), case.list("treatment")]
    };
    let test = |correction| mann_whitney(&control, &treatment, TWO_SIDED, correction).unwrap();
    let (plain, corrected) = (test(Correction::None), test(Correction::Half));
    match case.function() {
        "wilcox.test" | "wilcox.test ties" => {
            case.numbers_within("W", &[plain.w], EXACT.0, EXACT.1);
            case.numbers_within("p_normal_cc", &[corrected.test.p], EXACT.0, EXACT.1);
            case.numbers_within("p_normal_nocc", &[plain.test.p], EXACT.0, EXACT.1);
            if case.has("kruskal_H") {
                let kruskal = kruskal_wallis(&[&control, &treatment]).unwrap();
                case.number("kruskal_H", kruskal.statistic);
                case.number("kruskal_p", kruskal.p);
            }
            if case.has("hl_exact") {
                shift(case, &control, &treatment);
            }
        }
        "mannwhitneyu etc" => {
            case.number("U", corrected.w);
            case.number("p", corrected.test.p);
            case.number("prob_superiority", corrected.superiority);
            // Their sign is the other way round: theirs is positive where control tends to be larger.
            let munzel = brunner_munzel(&control, &treatment, TWO_SIDED).unwrap();
            case.number("brunner_munzel_t", -munzel.statistic);
            case.number("brunner_munzel_p", munzel.p);
            let smirnov = kolmogorov_smirnov(&control, &treatment).unwrap();
            case.number("ks_d", smirnov.statistic);
            case.number("ks_p", smirnov.p);
            let yuen = yuen(&control, &treatment, 0.1, Variances::Unequal).unwrap();
            let yuen = yuen.test(0.0, TWO_SIDED).unwrap();
            case.number("yuen_trim10_t", yuen.statistic);
            case.number("yuen_trim10_p", yuen.p);
            let spread = brown_forsythe(&[&control, &treatment]).unwrap();
            case.number("levene_bf_W", spread.statistic);
            case.number("levene_bf_p", spread.p);
        }
        "MannWhitneyU" => {
            case.number("control", 1.0 - corrected.superiority);
            case.number("treatment", corrected.superiority);
            case.number("effect_size", 2.0 * corrected.superiority - 1.0);
            // scipy's `auto`, which they use: exact where an arm has eight values or fewer and none are equal.
            let few = control.len().min(treatment.len()) <= 8 && !ties(&control, &treatment);
            let exact = || mann_whitney_exact(&control, &treatment, TWO_SIDED).unwrap().p;
            case.number("pvalue", if few { exact() } else { corrected.test.p });
            case.number("statistic", corrected.w);
        }
        _ => {}
    }
}

fn ties(control: &[f64], treatment: &[f64]) -> bool {
    let mut all = [control, treatment].concat();
    all.sort_by(f64::total_cmp);
    all.windows(2).any(|pair| pair[0] == pair[1])
}

fn shift(case: &Case<'_>, control: &[f64], treatment: &[f64]) {
    let exact = mann_whitney_exact(control, treatment, TWO_SIDED).unwrap();
    case.numbers_within("p_exact", &[exact.p], EXACT.0, EXACT.1);
    case.numbers_within("hl_exact", &[hodges_lehmann(control, treatment).unwrap()], EXACT.0, EXACT.1);
    // R searches for the root of a step function and may stop anywhere between the two middle differences:
    // README, "which value is the truth", 3.
    case.untrue(&["hodges_lehmann"]);
    let interval = shift_interval(control, treatment, Level::P95).unwrap();
    case.numbers("ci95", &[interval.low, interval.high]);
    let interval = exact_shift_interval(control, treatment, Level::P95).unwrap();
    case.numbers("ci95_exact", &[interval.low, interval.high]);
}

pub(super) fn multiplicity(case: &Case<'_>) {
    let p = case.list("p");
    let level = |name: &str| Level::from_alpha(case.input(name)).unwrap();
    let methods: &[(&str, Adjustment)] = match case.function() {
        "p.adjust" => &[
            ("holm", Adjustment::Holm),
            ("bonferroni", Adjustment::Bonferroni),
            ("BH", Adjustment::BenjaminiHochberg),
            ("BY", Adjustment::BenjaminiYekutieli),
            ("hochberg", Adjustment::Hochberg),
            ("hommel", Adjustment::Hommel),
        ],
        "multipletests" => &[
            ("bonferroni", Adjustment::Bonferroni),
            ("sidak", Adjustment::Sidak),
            ("holm", Adjustment::Holm),
            ("holm-sidak", Adjustment::HolmSidak),
            ("simes-hochberg", Adjustment::Hochberg),
            ("hommel", Adjustment::Hommel),
            ("fdr_bh", Adjustment::BenjaminiHochberg),
            ("fdr_by", Adjustment::BenjaminiYekutieli),
            ("fdr_tsbh", Adjustment::TwoStageBenjaminiHochberg(level("alpha"))),
        ],
        _ => return,
    };
    for (name, by) in methods {
        let adjusted = adjust(&p, *by).unwrap();
        case.numbers(name, &adjusted);
        let reject = format!("{name}_reject");
        if case.has(&reject) {
            let alpha = case.input("alpha");
            case.decisions(&reject, &adjusted.iter().map(|p| *p <= alpha).collect::<Vec<_>>());
        }
    }
}
