//! Published experiments, by their numbers: what this room says about them is known.
//!
//! Cookie Cats (a mobile game that moved its first gate): the data set is not ours to ship, its counts
//! are enough.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bellwether_stats::special::student_t;
use bellwether_stats::{
    Level, Moments, Proportion, RelativeMethod, SampleRatioSequence, sample_ratio, two_proportions, welch,
};

const CONTROL: u64 = 44_700;
const TREATMENT: u64 = 45_489;

#[track_caller]
fn close(ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() <= 1e-9 * theirs.abs(), "{ours} {theirs}");
}

#[test]
fn cookie_cats_retention() {
    let check = |control: u64, treatment: u64, expected: [f64; 5]| {
        let control = Proportion::new(control, CONTROL).unwrap();
        let treatment = Proportion::new(treatment, TREATMENT).unwrap();
        let result = two_proportions(&control, &treatment, Level::P95).unwrap();
        let [difference, low, high, z, p] = expected;
        close(result.estimate, difference);
        close(result.interval.low, low);
        close(result.interval.high, high);
        close(result.statistic, z);
        close(result.p, p);
        let relative = result.relative.unwrap();
        assert_eq!(relative.method, RelativeMethod::Delta);
        close(relative.lift, difference / control.rate().unwrap());
        assert_eq!(relative.interval.contains(0.0), result.interval.contains(0.0));
    };
    check(
        20_034,
        20_119,
        [
            -0.005905169787341458,
            -0.012392439449445217,
            0.0005820998747623016,
            -1.7840862247974725,
            0.07440965529691913,
        ],
    );
    check(
        8_502,
        8_279,
        [
            -0.008201298315205913,
            -0.013281552418885545,
            -0.0031210442115262808,
            -3.164358912748191,
            0.001554249975614329,
        ],
    );
}

#[test]
fn cookie_cats_split() {
    let check = sample_ratio(&[CONTROL, TREATMENT], &[0.5, 0.5]).unwrap();
    close(check.p, 0.008607987810836262);
    let mut sequence = SampleRatioSequence::new(&[0.5, 0.5]).unwrap();
    let p = sequence.observe(&[CONTROL, TREATMENT]).unwrap();
    assert!((p - 0.14163).abs() < 5e-6, "{p}");
}

/// The variances are published with two decimals: so many digits of t are known.
#[test]
fn cookie_cats_rounds() {
    let arm =
        |n: u64, sum: f64, variance: f64| Moments::new(n, sum / n as f64, variance * (n - 1) as f64).unwrap();
    let control = arm(CONTROL, 2_344_795.0, 65_903.32);
    let treatment = arm(TREATMENT, 2_333_530.0, 10_669.74);
    let result = welch(&control, &treatment, Level::P95).unwrap();
    assert!((result.statistic / -0.885_437_433_127_067_2 - 1.0).abs() < 1e-6);
    assert!((result.p / 0.375_924_384_093_260_6 - 1.0).abs() < 1e-6);
}

/// `2·(1 - cdf)` is zero from p = 1e-16 on; several peers report that.
#[test]
fn tiny_p_values_are_reported() {
    let arm = |successes| Proportion::new(successes, 100_000).unwrap();
    let result = two_proportions(&arm(10_000), &arm(13_200), Level::P95).unwrap();
    assert!((22.0..23.0).contains(&result.statistic));
    assert!(result.p > 1e-116 && result.p < 1e-106, "{:e}", result.p);
    close(result.ln_p.exp(), result.p);
    // Past the range of f64 the logarithm still says how small.
    let result = two_proportions(&arm(10_000), &arm(30_000), Level::P95).unwrap();
    assert_eq!(result.p, f64::MIN_POSITIVE);
    assert!((-7_000.0..-6_000.0).contains(&result.ln_p), "{}", result.ln_p);
    // t = 14 with 500 degrees of freedom: 5e-38 by the survival function.
    let p = 2.0 * student_t::sf(14.0, 500.0);
    assert!(p > 1e-39 && p < 1e-36, "{p:e}");
}
