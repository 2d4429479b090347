//! What peers got wrong, and this room must not: adjusted means, lifts and quantiles. The numbers are those of the
//! list of defects in docs/reference/statistics.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/random.rs"]
mod random;

use bellwether_stats::adjust::{RatioSlope, cuped, cuped_ratio, post_stratify, ratio};
use bellwether_stats::quantile::QuantileArm;
use bellwether_stats::{JointMoments, Level, Moments, welch};
use random::Random;

/// GrowthBook's documentation has the cluster ratio of quantiles upside down: more clustering would narrow the interval.
#[test]
fn defect_05_more_clustering_widens_the_interval_of_a_quantile() {
    let mut random = Random(5);
    // 200 users of 10 events; a share of an event's value is its user's.
    let mut se = |alike: f64| {
        let (mut values, mut users) = (Vec::new(), Vec::new());
        for user in 0..200 {
            let own = random.normal();
            for _ in 0..10 {
                values.push(alike * own + (1.0 - alike * alike).sqrt() * random.normal());
                users.push(user);
            }
        }
        let plain = QuantileArm::of(&values, 0.9).unwrap().se();
        QuantileArm::of_clustered(&values, &users, 0.9).unwrap().se() / plain
    };
    let widths = [0.0, 0.5, 0.8, 0.99].map(&mut se);
    assert!((widths[0] - 1.0).abs() < 0.2, "{widths:?}");
    assert!(widths.is_sorted() && widths[3] > 2.0, "{widths:?}");
}

/// Two versions of gbstats call themselves 0.8.0 and differ. Here the method of a result has a version, and another
/// formula has another name.
#[test]
fn defect_07_results_carry_the_version_of_their_method() {
    let arm = |shift: f64| {
        let columns: [Vec<f64>; 4] = [3, 5, 7, 11].map(|step| {
            (0..120).map(|i| 5.0 + shift + f64::from((i * step) % 13) + f64::from(i % 4)).collect()
        });
        columns
    };
    let (control, treatment) = (arm(0.0), arm(0.3));
    let joint = |arm: &[Vec<f64>; 4], n: usize| {
        JointMoments::of(&arm[..n].iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap()
    };
    let adjusted = cuped(&joint(&control, 2), &joint(&treatment, 2)).unwrap();
    let of_ratio =
        cuped_ratio(&joint(&control, 4), &joint(&treatment, 4), RatioSlope::Joint).unwrap().effect().unwrap();
    let moments = |arm: &[Vec<f64>; 4]| Moments::of(&arm[0]).unwrap();
    let strata = post_stratify(&[[moments(&control), moments(&treatment)]]).unwrap();
    let names = [
        adjusted.effect().unwrap().lift.unwrap().method().name(),
        adjusted.lift_without_covariance().unwrap().method().name(),
        of_ratio.difference.method().name(),
        ratio(&joint(&control, 2), &joint(&treatment, 2)).unwrap().difference.method().name(),
        strata.effect.difference.method().name(),
        welch(&moments(&control), &moments(&treatment), Level::P95).unwrap().method.name(),
    ];
    assert_eq!(
        names,
        [
            "cuped.1",
            "cuped-without-covariance.1",
            "cuped-ratio.1",
            "ratio-delta.1",
            "post-stratified.1",
            "welch-t.1"
        ]
    );
}

/// spotify-confidence divides the absolute interval by the control mean as if that were known: with a noisy baseline it covers
/// too rarely.
#[test]
fn defect_11_the_interval_of_a_lift_knows_that_its_baseline_is_noisy() {
    let mut random = Random(11);
    let (mut ours, mut theirs) = (0, 0);
    let runs = 2_000;
    for _ in 0..runs {
        // A control mean of 1 ± 0.1, a lift of 50 %.
        let mut arm = |mean: f64| {
            let values: Vec<f64> = (0..100).map(|_| mean + random.normal()).collect();
            Moments::of(&values).unwrap()
        };
        let (control, treatment) = (arm(1.0), arm(1.5));
        let result = welch(&control, &treatment, Level::P95).unwrap();
        ours += u32::from(result.relative.unwrap().interval.contains(0.5));
        let c = control.mean().unwrap();
        theirs += u32::from(result.interval.low / c <= 0.5 && 0.5 <= result.interval.high / c);
    }
    // 95 % of 2,000 is 1,900 ± 10; a point of slack for the delta method.
    assert!((1_860..=1_930).contains(&ours), "{ours}");
    assert!(theirs < 1_800, "{theirs}");
}
