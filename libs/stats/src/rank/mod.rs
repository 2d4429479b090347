//! Tests by rank and by the shape of a distribution: for values whose mean says little.
//!
//! They answer other questions than [`crate::welch`]: whether a treated value tends to be larger
//! ([`mann_whitney`], [`brunner_munzel`]), whether the distributions differ at all
//! ([`kolmogorov_smirnov`]), whether the spread does ([`brown_forsythe`]). A metric whose *total* matters
//! (revenue) wants its mean.

mod exact;
mod groups;
mod kolmogorov;
mod pairs;
mod trimmed;
mod wilcoxon;

pub use exact::{EXACT_LIMIT, exact_shift_interval, mann_whitney_exact};
pub use groups::{FTest, brown_forsythe, kruskal_wallis};
pub(crate) use kolmogorov::ln_limit as ln_kolmogorov;
pub use kolmogorov::{EXACT_CELLS, kolmogorov_smirnov};
pub use pairs::{hodges_lehmann, shift_interval};
pub use trimmed::yuen;
pub use wilcoxon::{Correction, MannWhitney, brunner_munzel, mann_whitney};

use crate::{Arm, Refusal};

/// The values of an arm in rising order.
struct Sorted(Vec<f64>);

impl Sorted {
    fn new(values: &[f64], arm: Arm, need: u64) -> Result<Self, Refusal> {
        let have = values.len() as u64;
        if have < need {
            return Err(Refusal::TooLittle { arm, have, need });
        }
        finite(values)?;
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        // -0.0 sorts before 0.0 and equals it.
        for value in &mut values {
            *value += 0.0;
        }
        Ok(Self(values))
    }

    fn len(&self) -> f64 {
        self.0.len() as f64
    }
}

fn finite(values: &[f64]) -> Result<(), Refusal> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(bad) => Err(Refusal::out_of_range("a value of a metric", "among the finite numbers", bad)),
        None => Ok(()),
    }
}

/// Both arms merged: for each distinct value how often it occurs in control and in treatment, in rising
/// order.
fn tally(control: &Sorted, treatment: &Sorted) -> Vec<(u64, u64)> {
    let mut groups: Vec<(f64, u64, u64)> = Vec::new();
    let (mut c, mut t) = (control.0.iter().peekable(), treatment.0.iter().peekable());
    loop {
        let (value, of_control) = match (c.peek(), t.peek()) {
            (None, None) => break,
            (Some(&&a), Some(&&b)) if a <= b => (a, true),
            (Some(&&a), None) => (a, true),
            (_, Some(&&b)) => (b, false),
        };
        if of_control {
            c.next()
        } else {
            t.next()
        };
        let (dc, dt) = if of_control { (1, 0) } else { (0, 1) };
        match groups.last_mut() {
            Some(last) if last.0 == value => {
                last.1 += dc;
                last.2 += dt;
            }
            _ => groups.push((value, dc, dt)),
        }
    }
    groups.into_iter().map(|(_, c, t)| (c, t)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::{Alternative, Level, Variances};
    use proptest::prelude::*;

    /// Whole numbers, so that there are ties.
    fn arm(size: core::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
        proptest::collection::vec((0..12i32).prop_map(f64::from), size)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        /// By definition, over all pairs.
        #[test]
        fn w_counts_pairs(c in arm(1..20), t in arm(1..20)) {
            let Ok(ours) = mann_whitney(&c, &t, Alternative::TwoSided, Correction::None) else { return Ok(()) };
            let w: f64 = t.iter().flat_map(|t| c.iter().map(move |c| f64::from(u8::from(t > c)) + 0.5 * f64::from(u8::from(t == c)))).sum();
            prop_assert_eq!(ours.w, w);
            prop_assert!((ours.superiority - w / (c.len() * t.len()) as f64).abs() < 1e-15);
        }

        #[test]
        fn the_shift_is_the_median_of_pairwise_differences(c in arm(1..20), t in arm(1..20)) {
            let mut pairs: Vec<f64> = t.iter().flat_map(|t| c.iter().map(move |c| t - c)).collect();
            pairs.sort_by(f64::total_cmp);
            let middle = pairs.len() / 2;
            let median = if pairs.len() % 2 == 1 { pairs[middle] } else { 0.5 * (pairs[middle - 1] + pairs[middle]) };
            prop_assert_eq!(hodges_lehmann(&c, &t).unwrap(), median);
        }

        /// The exact distribution by enumeration of all splits of the pooled ranks.
        #[test]
        fn exact_p_is_a_count_of_splits(c in arm(1..7), t in arm(1..6)) {
            let pooled: Vec<f64> = c.iter().chain(&t).copied().collect();
            let w = |treated: u32| -> f64 {
                let (mut a, mut b) = (Vec::new(), Vec::new());
                for (i, &x) in pooled.iter().enumerate() {
                    if treated >> i & 1 == 1 { b.push(x) } else { a.push(x) }
                }
                b.iter().flat_map(|t| a.iter().map(move |c| f64::from(u8::from(t > c)) + 0.5 * f64::from(u8::from(t == c)))).sum()
            };
            let splits: Vec<f64> = (0u32..1 << pooled.len()).filter(|s| s.count_ones() as usize == t.len()).map(w).collect();
            let own = w(((1 << t.len()) - 1) << c.len());
            let share = |keep: &dyn Fn(f64) -> bool| splits.iter().filter(|w| keep(**w)).count() as f64 / splits.len() as f64;
            let (greater, less) = (share(&|w| w >= own), share(&|w| w <= own));
            let p = |alternative| mann_whitney_exact(&c, &t, alternative).unwrap().p;
            prop_assert!((p(Alternative::Greater) - greater).abs() < 1e-12);
            prop_assert!((p(Alternative::Less) - less).abs() < 1e-12);
            prop_assert!((p(Alternative::TwoSided) - (2.0 * greater.min(less)).min(1.0)).abs() < 1e-12);
        }

        #[test]
        fn swapping_the_arms_turns_the_sign(c in arm(3..20), t in arm(3..20)) {
            let (Ok(forth), Ok(back)) = (brunner_munzel(&c, &t, Alternative::Greater), brunner_munzel(&t, &c, Alternative::Less)) else { return Ok(()) };
            prop_assert!((forth.ln_p - back.ln_p).abs() < 1e-9);
            let p = |a: &[f64], b: &[f64]| kolmogorov_smirnov(a, b).unwrap();
            prop_assert!((p(&c, &t).p - p(&t, &c).p).abs() < 1e-12);
            prop_assert_eq!(p(&c, &t).statistic, p(&t, &c).statistic);
        }

        /// Where no value occurs twice, the squared z of two groups is Kruskal and Wallis' statistic.
        #[test]
        fn two_groups_of_kruskal_are_mann_and_whitney(c in arm(2..20), t in arm(2..20)) {
            let Ok(z) = mann_whitney(&c, &t, Alternative::TwoSided, Correction::None) else { return Ok(()) };
            let h = kruskal_wallis(&[&c, &t]).unwrap();
            prop_assert!((h.statistic - z.test.statistic.powi(2)).abs() < 1e-9);
            prop_assert!((h.p - z.test.p).abs() < 1e-9);
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let too_little = |arm, have, need| Refusal::TooLittle { arm, have, need };
        let two_sided = Alternative::TwoSided;
        let w = |c: &[f64], t: &[f64]| mann_whitney(c, t, two_sided, Correction::Half).unwrap_err();
        assert_eq!(w(&[], &[1.0]), too_little(Arm::Control, 0, 1));
        assert_eq!(w(&[1.0], &[]), too_little(Arm::Treatment, 0, 1));
        assert_eq!(w(&[2.0, 2.0], &[2.0]), Refusal::NoVariance);
        assert!(w(&[f64::NAN], &[2.0]).to_string().starts_with("a value of a metric must lie"));
        assert_eq!(hodges_lehmann(&[], &[1.0]), Err(too_little(Arm::Control, 0, 1)));
        assert_eq!(kolmogorov_smirnov(&[], &[1.0]), Err(too_little(Arm::Control, 0, 1)));
        assert_eq!(brunner_munzel(&[1.0], &[1.0, 2.0], two_sided), Err(too_little(Arm::Control, 1, 2)));
        assert_eq!(brunner_munzel(&[1.0, 2.0], &[3.0, 4.0], two_sided), Err(Refusal::NoVariance));
        assert_eq!(yuen(&[1.0], &[1.0, 2.0], 0.1, Variances::Unequal), Err(too_little(Arm::Control, 1, 2)));
        assert!(yuen(&[1.0, 2.0], &[1.0, 2.0], 0.5, Variances::Equal).is_err());
        assert!(kruskal_wallis(&[&[1.0, 2.0]]).is_err());
        assert_eq!(kruskal_wallis(&[&[1.0, 1.0], &[1.0]]), Err(Refusal::NoVariance));
        assert!(brown_forsythe(&[&[1.0], &[2.0]]).is_err());
        // Too few for any interval at this level.
        assert!(exact_shift_interval(&[1.0, 2.0], &[3.0, 4.0], Level::P95).is_err());
        let many: Vec<f64> = (0..5_000).map(f64::from).collect();
        assert!(mann_whitney_exact(&many, &many, two_sided).is_err());
    }

    #[test]
    fn many_values_have_a_shift_too() {
        let control: Vec<f64> = (0..100_000).map(|i| f64::from(i) * 1e-3 + 1e9).collect();
        let treatment: Vec<f64> = control.iter().map(|x| x + 0.25).collect();
        assert!((hodges_lehmann(&control, &treatment).unwrap() - 0.25).abs() < 1e-6);
        let interval = shift_interval(&control, &treatment, Level::P95).unwrap();
        assert!(interval.low < 0.25 && 0.25 < interval.high);
    }
}
