//! Families of least squares with errors that are not independent.

use super::other;
use crate::case::Case;
use bellwether_stats::regression::{Correction, Covariance, Errors, Kernel, Regression};
use bellwether_stats::{Alternative, Level};

fn errors_of(fit: &Regression, covariance: &Covariance) -> Vec<f64> {
    (0..fit.coefficients().len()).map(|i| covariance.se(i).unwrap()).collect()
}

fn groups(case: &Case<'_>, name: &str) -> Vec<u64> {
    case.list(name).into_iter().map(|group| group as u64).collect()
}

pub(super) fn cluster_robust(case: &Case<'_>) {
    let (y, t) = (case.list("y"), case.list("treatment"));
    if case.function() == "OLS 2-way cluster" {
        let fit = Regression::fit(&y, &[&t]).unwrap();
        let (a, b) = (groups(case, "cluster_a"), groups(case, "cluster_b"));
        let both = fit.covariance(Errors::TwoWay { a: &a, b: &b }).unwrap();
        case.numbers("coef", fit.coefficients());
        return case.numbers("se", &errors_of(&fit, &both));
    }
    let fit = Regression::fit(&y, &[&t, &case.list("x")]).unwrap();
    let clusters = groups(case, "cluster");
    let clustered =
        |correction| fit.covariance(Errors::Clustered { clusters: &clusters, correction }).unwrap();
    let errors = |correction| errors_of(&fit, &clustered(correction));
    case.numbers("coef", fit.coefficients());
    match case.function() {
        "vcovCL" => {
            case.numbers("se_HC0_noadjust", &errors(Correction::None));
            case.numbers("se_HC0_cadjust", &errors(Correction::Groups));
            case.numbers("se_HC1", &errors(Correction::Hc1));
            case.numbers("se_CR2", &errors(Correction::Cr2));
            let cr2 = clustered(Correction::Cr2);
            let df: Vec<f64> = (0..3).map(|i| cr2.df(i).unwrap()).collect();
            case.numbers("df_satterthwaite_CR2", &df);
            for (name, white) in [("se_HC2_white", Errors::Hc2), ("se_HC3_white", Errors::Hc3)] {
                case.numbers(name, &errors_of(&fit, &fit.covariance(white).unwrap()));
            }
        }
        "OLS cluster" => {
            case.numbers("se", &errors(Correction::Hc1));
            case.numbers("se_nocorr", &errors(Correction::None));
            let hc1 = clustered(Correction::Hc1);
            let estimates: Vec<_> = (0..3).map(|i| hc1.estimate(i).unwrap()).collect();
            let p = |normal: bool| -> Vec<f64> {
                let read = |e: bellwether_stats::Estimate| if normal { e.as_normal() } else { e };
                estimates.iter().map(|e| read(*e).test(0.0, Alternative::TwoSided).unwrap().p).collect()
            };
            case.numbers("p_normal", &p(true));
            case.numbers("p_t_Gminus1", &p(false));
            let z: Vec<f64> = estimates.iter().map(|e| e.value() / e.se()).collect();
            case.numbers("z", &z);
            let ends = estimates[1].interval(Level::P95);
            case.numbers("ci95_t", &[ends.low, ends.high]);
        }
        _ => other(case),
    }
}

pub(super) fn hac(case: &Case<'_>) {
    let fit = Regression::fit(&case.list("y"), &[&case.list("treatment")]).unwrap();
    let errors =
        |kernel, adjusted| errors_of(&fit, &fit.covariance(Errors::Hac { kernel, adjusted }).unwrap());
    case.numbers("coef", fit.coefficients());
    match case.function() {
        "NeweyWest" => {
            let kernel = Kernel::Bartlett { lag: case.count("lag") as usize };
            case.numbers("se_nw", &errors(kernel, false));
            case.numbers("se_nw_adj", &errors(kernel, true));
            case.numbers("se_andrews_qs", &errors(Kernel::Andrews, true));
        }
        "OLS HAC" => {
            let kernel = Kernel::Bartlett { lag: case.count("maxlags") as usize };
            case.numbers("se", &errors(kernel, false));
            case.numbers("se_corrected", &errors(kernel, true));
        }
        _ => other(case),
    }
}
