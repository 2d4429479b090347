//! Properties of group-sequential designs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Binding, Boundary, Decision, Design, Futility, Looks, Spending};
use crate::special::normal;
use crate::{Level, Refusal, Sides};
use proptest::prelude::*;

fn spending() -> impl Strategy<Value = Spending> {
    prop_oneof![
        Just(Spending::OBrienFleming),
        Just(Spending::Pocock),
        (-8.0..4.0f64).prop_map(Spending::HwangShihDeCani),
        (0.3..5.0f64).prop_map(Spending::KimDeMets),
    ]
}

fn sides() -> impl Strategy<Value = Sides> {
    prop_oneof![Just(Sides::One), Just(Sides::Two)]
}

/// Up to five looks, the last at 1.
fn looks() -> impl Strategy<Value = Looks> {
    proptest::collection::vec(0.1..1.0f64, 1..6).prop_map(|gaps| {
        let total: f64 = gaps.iter().sum();
        let mut t = 0.0;
        let mut shares: Vec<f64> = gaps
            .iter()
            .map(|gap| {
                t += gap / total;
                t
            })
            .collect();
        *shares.last_mut().unwrap() = 1.0;
        Looks::new(&shares).unwrap()
    })
}

fn level() -> impl Strategy<Value = Level> {
    (-18.0..-1.2f64).prop_map(|ln| Level::from_alpha(ln.exp()).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn exactly_alpha_is_spent_as_the_function_says(looks in looks(), level in level(), sides in sides(), f in spending()) {
        let design = Design::new(&looks, level, sides, Boundary::Spending(f)).unwrap();
        let (alpha, both) = match sides {
            Sides::One => (level.alpha(), 1.0),
            Sides::Two => (level.alpha() / 2.0, 2.0),
        };
        for (&t, spent) in looks.shares().iter().zip(design.spent()) {
            // What a look cannot see beside what was spent before is spent by the next.
            prop_assert!((spent - both * f.spent(t, alpha).unwrap()).abs() <= 1e-12 * level.alpha(), "{t}: {spent}");
        }
        prop_assert!((design.spent().last().unwrap() / level.alpha() - 1.0).abs() < 1e-12);
        // Without drift, to stop above is half of the error of both sides.
        prop_assert!((design.power(0.0).unwrap() - alpha).abs() < 1e-12);
    }

    #[test]
    fn classical_bounds_spend_alpha_too(looks in looks(), level in level(), sides in sides(), delta in -0.2..0.7f64) {
        let design = Design::new(&looks, level, sides, Boundary::WangTsiatis(delta)).unwrap();
        prop_assert!((design.spent().last().unwrap() / level.alpha() - 1.0).abs() < 1e-11);
        let c: Vec<f64> =
            design.critical_z().iter().zip(looks.shares()).map(|(z, t)| z / t.powf(delta - 0.5)).collect();
        prop_assert!(c.iter().all(|x| (x / c[0] - 1.0).abs() < 1e-12));
    }

    /// What a look needs does not depend on the looks that may come after it.
    #[test]
    fn bounds_depend_on_the_looks_so_far(looks in looks(), f in spending(), sides in sides()) {
        let all = Design::new(&looks, Level::P95, sides, Boundary::Spending(f)).unwrap();
        for k in 1..=looks.shares().len() {
            let some = Looks::new(&looks.shares()[..k]).unwrap();
            let some = Design::new(&some, Level::P95, sides, Boundary::Spending(f)).unwrap();
            prop_assert_eq!(some.critical_z(), &all.critical_z()[..k]);
        }
    }

    #[test]
    fn the_drift_has_its_power(looks in looks(), f in spending(), sides in sides(), power in 0.1..0.99f64) {
        let design = Design::new(&looks, Level::P95, sides, Boundary::Spending(f)).unwrap();
        let drift = design.drift(power).unwrap();
        prop_assert!((design.power(drift).unwrap() - power).abs() < 1e-10);
        prop_assert!(design.inflation(power).unwrap() > 1.0 - 1e-6);
        let stops: f64 = design.stopping(drift).unwrap().iter().map(|s| s.above + s.below).sum();
        prop_assert!(stops >= power - 1e-12 && stops <= 1.0 + 1e-12);
        let expected = design.expected_information(drift).unwrap();
        prop_assert!(expected <= 1.0 + 1e-12 && expected >= looks.shares()[0] - 1e-12);
    }

    /// Stopping exactly on the bound of a look has spent what the look has spent; and then the end of
    /// the interval is zero.
    #[test]
    fn p_and_interval_are_one_ordering(looks in looks(), f in spending(), sides in sides(), se in 1e-3..1e3f64) {
        let design = Design::new(&looks, Level::P95, sides, Boundary::Spending(f)).unwrap();
        for (k, (&c, &spent)) in design.critical_z().iter().zip(design.spent()).enumerate() {
            if c.is_infinite() {
                continue;
            }
            let outcome = design.outcome(k, c * (1.0 + 1e-15) * se, se).unwrap();
            prop_assert_eq!(outcome.decision, Decision::Effect);
            prop_assert!((outcome.p / spent - 1.0).abs() < 1e-9, "{} {spent}", outcome.p);
            let far = design.outcome(k, (c + 0.3) * se, se).unwrap();
            prop_assert!(far.p < outcome.p && far.interval.low > 0.0);
            prop_assert!(far.interval.low < far.estimate && far.estimate < far.interval.high);
            // Luck stopped it: the estimate is drawn towards nothing, where a look before could have seen anything. One that spends
            // 1e-20 leaves it where it is, to rounding.
            let before = if k == 0 { 0.0 } else { design.spent()[k - 1] };
            prop_assert!(far.estimate < (c + 0.3) * se * (1.0 + 1e-9));
            prop_assert!(before < 1e-6 || far.estimate < (c + 0.3) * se);
            if k + 1 == looks.shares().len() {
                prop_assert!(outcome.interval.low.abs() < 1e-9 * se);
                let none = design.outcome(k, (c - 1e-6) * se, se).unwrap();
                prop_assert_eq!(none.decision, Decision::GiveUp);
                prop_assert!(none.interval.low < 0.0 && none.p > 0.05);
            }
        }
    }

    #[test]
    fn a_mirrored_result_mirrors_the_answer(looks in looks(), f in spending(), beyond in 0.01..3.0f64) {
        let design = Design::new(&looks, Level::P95, Sides::Two, Boundary::Spending(f)).unwrap();
        let k = looks.shares().len() - 1;
        let z = design.critical_z()[k] + beyond;
        let (a, b) = (design.outcome(k, z, 1.0).unwrap(), design.outcome(k, -z, 1.0).unwrap());
        prop_assert!((a.p / b.p - 1.0).abs() < 1e-9);
        prop_assert!((a.estimate + b.estimate).abs() < 1e-8);
        prop_assert!((a.interval.low + b.interval.high).abs() < 1e-8);
    }

    #[test]
    fn futility_leaves_alpha_and_power_exact(looks in looks(), f in spending(), g in spending(), power in 0.6..0.95f64) {
        let level = Level::from_alpha(0.025).unwrap();
        let plain = Design::new(&looks, level, Sides::One, Boundary::Spending(f)).unwrap();
        for binding in [Binding::NonBinding, Binding::Binding] {
            let futility = Futility { spending: g, power, binding, drift: None };
            let design = match plain.clone().with_futility(futility) {
                Ok(design) => design,
                Err(refusal) => {
                    prop_assert!(matches!(refusal, Refusal::NotConverged { .. }), "{refusal}");
                    continue;
                }
            };
            let (beta, drift) = design.beta_spent().unwrap();
            prop_assert!((design.power(drift).unwrap() - power).abs() < 1e-9);
            prop_assert!((beta.last().unwrap() - (1.0 - power)).abs() < 1e-9);
            for (&t, spent) in looks.shares().iter().zip(beta) {
                prop_assert!((spent - g.spent(t, 1.0 - power).unwrap()).abs() < 1e-9);
            }
            // Heeded, a bound that does not bind spends less than alpha.
            let (upper, lower) = (design.critical_z(), design.futility_z().unwrap());
            prop_assert_eq!(upper.last(), lower.last());
            prop_assert!(lower.iter().zip(upper).all(|(l, u)| l <= u));
            let heeded = design.power(0.0).unwrap();
            match binding {
                Binding::NonBinding => prop_assert!(heeded < 0.025 + 1e-12),
                Binding::Binding => prop_assert!((heeded / 0.025 - 1.0).abs() < 1e-9),
            }
            prop_assert!((design.spent().last().unwrap() / 0.025 - 1.0).abs() < 1e-9);
        }
    }
}

#[test]
fn one_look_is_the_fixed_test() {
    let looks = Looks::equal(1).unwrap();
    let design =
        Design::new(&looks, Level::P95, Sides::Two, Boundary::Spending(Spending::OBrienFleming)).unwrap();
    assert!((design.critical_z()[0] + normal::quantile(0.025)).abs() < 1e-14);
    let outcome = design.outcome(0, 3.0, 2.0).unwrap();
    assert!((outcome.estimate - 3.0).abs() < 1e-12);
    assert!((outcome.p - 2.0 * normal::sf(1.5)).abs() < 1e-13);
    assert!((outcome.interval.low - (3.0 + 2.0 * normal::quantile(0.025))).abs() < 1e-11);
    assert!((design.inflation(0.8).unwrap() - 1.0).abs() < 1e-12);
}

/// Overrunning: what is left at the planned end is spent by the look that really is the last.
#[test]
fn looks_past_the_plan_spend_what_is_left() {
    let level = Level::from_alpha(0.025).unwrap();
    let boundary = Boundary::Spending(Spending::Pocock);
    let over = Looks::new(&[0.4, 0.8, 1.15]).unwrap();
    let design = Design::new(&over, level, Sides::One, boundary).unwrap();
    assert!((design.spent()[2] - 0.025).abs() < 1e-14);
    // Nothing is left for a look after that.
    let again = Looks::new(&[0.4, 0.8, 1.15, 1.3]).unwrap();
    let design = Design::new(&again, level, Sides::One, boundary).unwrap();
    assert_eq!(design.critical_z()[3], f64::INFINITY);
    assert!((design.spent()[3] - 0.025).abs() < 1e-14);
    // Ended early: the last look takes the rest, and needs less than if more were to come.
    let early = Looks::new(&[0.4, 0.8]).unwrap();
    let ended = Design::ending(&early, level, Sides::One, Spending::Pocock).unwrap();
    assert!((ended.spent()[1] - 0.025).abs() < 1e-14);
    assert!(ended.critical_z()[1] < design.critical_z()[1]);
}

/// Looks that came at other times than planned keep the planned drift.
#[test]
fn futility_is_monitored_under_the_planned_drift() {
    let level = Level::from_alpha(0.025).unwrap();
    let boundary = Boundary::Spending(Spending::OBrienFleming);
    let mut futility = Futility {
        spending: Spending::HwangShihDeCani(-2.0),
        power: 0.8,
        binding: Binding::NonBinding,
        drift: None,
    };
    let plan = Design::new(&Looks::equal(3).unwrap(), level, Sides::One, boundary).unwrap();
    let plan = plan.with_futility(futility).unwrap();
    futility.drift = Some(plan.beta_spent().unwrap().1);
    let came = Looks::new(&[0.3, 0.7, 1.0]).unwrap();
    let design = Design::new(&came, level, Sides::One, boundary).unwrap().with_futility(futility).unwrap();
    let beta = design.beta_spent().unwrap().0;
    assert!((beta[0] - Spending::HwangShihDeCani(-2.0).spent(0.3, 0.2).unwrap()).abs() < 1e-12);
    assert!((design.spent()[2] - 0.025).abs() < 1e-12);
    assert!((beta[2] - 0.2).abs() < 0.01);
}

#[test]
fn a_close_look_and_a_tiny_alpha_are_exact() {
    let level = Level::from_alpha(1e-12).unwrap();
    let looks = Looks::new(&[0.1, 0.5, 0.5001, 1.0]).unwrap();
    for boundary in [Boundary::Spending(Spending::OBrienFleming), Boundary::POCOCK] {
        let design = Design::new(&looks, level, Sides::One, boundary).unwrap();
        assert!((design.spent().last().unwrap() / 1e-12 - 1.0).abs() < 1e-9, "{boundary:?}");
    }
}

#[test]
fn what_cannot_be_answered_is_refused() {
    let looks = Looks::equal(3).unwrap();
    let boundary = Boundary::Spending(Spending::OBrienFleming);
    let design = Design::new(&looks, Level::P95, Sides::Two, boundary).unwrap();
    let check = |refusal: Refusal, text: &str| assert_eq!(refusal.to_string(), text);
    check(
        design.outcome(0, 1.0, 1.0).unwrap_err(),
        "the z statistic of a result must lie beyond a bound of a look that is not the last: `1`",
    );
    check(
        design.decide(3, 1.0).unwrap_err(),
        "the number of a look, counted from `0`, must lie among the planned `0` to `2`: `3`",
    );
    check(design.outcome(2, 1.0, 0.0).unwrap_err(), "a standard error must lie above 0: `0`");
    check(
        design.outcome(2, f64::NAN, 1.0).unwrap_err(),
        "an estimate must lie among the finite numbers: `NaN`",
    );
    check(design.power(31.0).unwrap_err(), "a drift must lie between -30 and 30: `31`");
    check(design.drift(0.01).unwrap_err(), "a power must lie between alpha, `0.05`, and 1: `0.01`");
    let futility =
        Futility { spending: Spending::Pocock, power: 0.8, binding: Binding::Binding, drift: None };
    check(
        design.clone().with_futility(futility).unwrap_err(),
        "a design with futility must lie on one side: `two sides`",
    );
    let classical = Design::new(&looks, Level::P95, Sides::One, Boundary::POCOCK).unwrap();
    assert!(matches!(classical.with_futility(futility), Err(Refusal::OutOfRange { .. })));
    assert!(Design::new(&looks, Level::P95, Sides::One, Boundary::WangTsiatis(f64::NAN)).is_err());
    assert!(Design::of_bounds(&looks, Sides::One, &[2.0, 2.0], None).is_err());
    // Paths beyond 9 are not followed: what is spent there alone would not be exact.
    let tiny = |alpha: f64, sides| Design::new(&looks, Level::from_alpha(alpha).unwrap(), sides, boundary);
    check(
        tiny(1e-14, Sides::Two).unwrap_err(),
        "the alpha of a side of a group-sequential design must lie at or above `1e-12`: `0.000000000000005`",
    );
    assert!(tiny(1e-300, Sides::One).is_err() && tiny(1e-12, Sides::One).is_ok());
    let last = Level::from_alpha(1e-13).unwrap();
    assert!(Design::ending(&looks, last, Sides::One, Spending::Pocock).is_err());
    for bounds in [[f64::INFINITY, f64::INFINITY, 12.0], [f64::INFINITY, 15.0, 30.0]] {
        assert!(Design::of_bounds(&looks, Sides::One, &bounds, None).is_err(), "{bounds:?}");
    }
    assert!(Design::of_bounds(&looks, Sides::One, &[-1.0; 3], None).is_err());
    assert!(Design::of_bounds(&looks, Sides::Two, &[f64::INFINITY; 3], None).is_err());
}
