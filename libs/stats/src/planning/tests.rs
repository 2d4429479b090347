//! Plans keep what they promise: the planned size has the planned power, and no smaller one has.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use proptest::prelude::*;

fn design() -> impl Strategy<Value = Design> {
    let sides = prop_oneof![Just(Sides::One), Just(Sides::Two)];
    (0.001..0.2f64, 0.5..0.99f64, sides, 0.1..10.0f64).prop_map(|(alpha, power, sides, k)| {
        let level = Level::from_alpha(alpha).unwrap();
        Design::new(level, power, sides).unwrap().with_allocation(k).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The planned size has the planned power, and a smaller one has not.
    #[test]
    fn sizes_of_means_have_their_power(design in design(), effect in 0.001..0.1f64, sd in 0.5..2.0f64) {
        let size = sample_size_of_means(effect, sd, 1.0, &design).unwrap();
        let (nc, nt) = size.rounded_up();
        let at = |nc, nt| power_of_means(effect, (sd, nc), (1.0, nt), design.level, design.sides).unwrap();
        prop_assert!(at(nc, nt) >= design.power - 1e-12);
        prop_assert!(at(nc - 2, nt - 2) < design.power);
    }

    #[test]
    fn sizes_of_rates_have_their_power(design in design(), rate in 0.02..0.9f64, effect in 0.005..0.05f64) {
        let size = sample_size_of_proportions(rate, rate + effect, &design).unwrap();
        let (nc, nt) = size.rounded_up();
        let got = power_of_proportions((rate, nc), (rate + effect, nt), design.level, design.sides).unwrap();
        // Rounding both arms up moves the split a little; the far tail only adds.
        prop_assert!(got >= design.power - 1e-3 && got <= design.power + 0.1, "{got}");
    }
}

#[test]
fn impossible_plans_are_refused() {
    let check =
        |c: f64, t: f64| sample_size_of_proportions(c, t, &Design::default()).unwrap_err().to_string();
    assert_eq!(check(1.2, 0.5), "a rate must lie from 0 to 1: `1.2`");
    assert_eq!(check(0.5, 0.5), "a plan needs an effect to look for: both arms expect `0.5`");
    assert!(Design::new(Level::P95, 1.0, Sides::Two).is_err());
    assert!(Design::default().with_allocation(0.0).is_err());
    assert!(sample_size_of_means(f64::NAN, 1.0, 1.0, &Design::default()).is_err());
    assert!(power_of_proportions((0.1, 0), (0.2, 5), Level::P95, Sides::Two).is_err());
}
