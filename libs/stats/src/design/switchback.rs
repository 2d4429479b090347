//! Switchbacks: everybody gets the same arm for a block of time, and blocks take turns by chance.

use crate::adjust::effect;
use crate::joint::same_length;
use crate::random::Random;
use crate::regression::{Errors, Kernel, Regression};
use crate::{Arm, Caution, Estimate, Method, Moments, Refusal, Test};

/// How the arms of blocks are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// A coin for each block.
    Coin,
    /// One of each two blocks in a row, by a coin for each pair: arms share trends and days. The pairs make strata of
    /// two, and the randomisation test uses them.
    Pairs,
}

/// A switchback: blocks of so many intervals, of which the first few after a change of arm are not counted.
///
/// The washout must cover how long an arm's effect lasts beyond its end (orders that were placed before, drivers
/// that still drive), and a block needs more intervals than the washout. What carries over for longer biases the
/// estimate towards zero, and no analysis can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switchback {
    block: usize,
    washout: usize,
    mechanism: Mechanism,
}

impl Switchback {
    /// With blocks of `block` intervals, of which the first `washout` after a change of arm are dropped.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] unless the washout is shorter than the block.
    pub fn new(block: usize, washout: usize, mechanism: Mechanism) -> Result<Self, Refusal> {
        if washout >= block {
            return Err(Refusal::out_of_range(
                "a washout",
                &format!("below a block of `{block}` intervals"),
                washout,
            ));
        }
        Ok(Self { block, washout, mechanism })
    }

    /// The arm of each block: whether it is treated.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] above 100 million blocks.
    pub fn assign(&self, blocks: usize, seed: u64) -> Result<Vec<bool>, Refusal> {
        super::few_units("the blocks of a switchback", blocks)?;
        Ok(self.draw(blocks, seed))
    }

    fn draw(&self, blocks: usize, seed: u64) -> Vec<bool> {
        let mut random = Random::new(seed, 0);
        let mut arms = Vec::with_capacity(blocks + 1);
        while arms.len() < blocks {
            let arm = random.coin();
            arms.push(arm);
            if self.mechanism == Mechanism::Pairs {
                arms.push(!arm);
            }
        }
        arms.truncate(blocks);
        arms
    }

    /// The mean of each block over the intervals that count, and its arm. The last block may be cut short.
    fn means(&self, outcomes: &[f64], treated: &[bool]) -> Result<Vec<(f64, bool)>, Refusal> {
        same_length("arms", treated.len(), "blocks", outcomes.len().div_ceil(self.block))?;
        // Also of a washout: assigned again, it may count.
        if let Some(wrong) = outcomes.iter().find(|outcome| !outcome.is_finite()) {
            return Err(Refusal::out_of_range("an outcome", "among the finite numbers", wrong));
        }
        let before = core::iter::once(None).chain(treated.iter().map(|&arm| Some(arm)));
        let blocks = outcomes.chunks(self.block).zip(treated).zip(before);
        blocks
            // The washout of a last block may be all of it.
            .filter_map(|((outcomes, &arm), before)| {
                let changed = before.is_some_and(|before| before != arm);
                let counted = outcomes.get(if changed { self.washout } else { 0 }..)?;
                (!counted.is_empty())
                    .then(|| Moments::of(counted).map(|m| (m.mean().unwrap_or(f64::NAN), arm)))
            })
            .collect()
    }

    /// The effect, each block counted as one value: Welch's test of the block means. Blocks are taken for independent;
    /// where neighbouring ones are alike beyond the washout, see [`Switchback::series`].
    ///
    /// # Errors
    /// [`Refusal::LengthsDiffer`] unless there is an arm for each block, [`Refusal::OutOfRange`] for an outcome that is not finite, also
    /// in a washout, [`Refusal::TooLittle`] below two blocks an arm, [`Refusal::NoVariance`].
    pub fn blocks(&self, outcomes: &[f64], treated: &[bool]) -> Result<Estimate, Refusal> {
        let means = self.means(outcomes, treated)?;
        let [control, treatment] = [false, true].map(|arm| {
            Moments::of(&means.iter().filter(|(_, a)| *a == arm).map(|(mean, _)| *mean).collect::<Vec<_>>())
        });
        Ok(effect(&control?, &treatment?, Method::WelchT)?.difference)
    }

    /// The effect by a regression of the block means on their arms, with Newey and West's errors over `lag` blocks.
    /// Below some 20 blocks an arm these errors are too small (blocks that do not depend on each other, lag 3: 10 reject 11 %, 20 9 %),
    /// which a [`Caution::FewClusters`] says; [`Switchback::randomisation`] is exact.
    ///
    /// # Errors
    /// As [`Switchback::blocks`].
    pub fn series(&self, outcomes: &[f64], treated: &[bool], lag: usize) -> Result<Estimate, Refusal> {
        let means = self.means(outcomes, treated)?;
        let (values, arms): (Vec<f64>, Vec<f64>) =
            means.iter().map(|(mean, arm)| (*mean, f64::from(u8::from(*arm)))).unzip();
        let fit = Regression::fit(&values, &[&arms])?;
        if !fit.dropped().is_empty() {
            let arm = if arms.first() == Some(&0.0) { Arm::Treatment } else { Arm::Control };
            return Err(Refusal::TooLittle { arm, have: 0, need: 2 });
        }
        let series =
            fit.covariance(Errors::Hac { kernel: Kernel::Bartlett { lag }, adjusted: true })?.estimate(1)?;
        let treatment: f64 = arms.iter().sum();
        Ok(series.with_caution(Caution::of_worth_in_arms(arms.len() as f64 - treatment, treatment)))
    }

    /// The test that belongs to the design: blocks are assigned again as they were, and the washout with them. Exact for "no
    /// interval's outcome depends on its arm", whatever trends and rhythms the outcomes have.
    ///
    /// # Errors
    /// As [`randomisation`](super::randomisation), [`Refusal::LengthsDiffer`], and [`Refusal::TooLittle`] where an arm has no block.
    pub fn randomisation(
        &self,
        outcomes: &[f64],
        treated: &[bool],
        draws: u64,
        seed: u64,
    ) -> Result<Test, Refusal> {
        let means = self.means(outcomes, treated)?;
        for (arm, name) in [(false, Arm::Control), (true, Arm::Treatment)] {
            if means.iter().all(|(_, a)| *a != arm) {
                return Err(Refusal::TooLittle { arm: name, have: 0, need: 1 });
            }
        }
        let statistic = |arms: &[bool]| {
            let Ok(means) = self.means(outcomes, arms) else { return f64::NAN };
            let mean = |arm: bool| {
                let (mut sum, mut n) = (0.0, 0.0);
                for (value, _) in means.iter().filter(|(_, a)| *a == arm) {
                    sum += value;
                    n += 1.0;
                }
                sum / n
            };
            mean(true) - mean(false)
        };
        // Unrelated to the seed of the assignment that was.
        let assign = |draw: u64| self.draw(treated.len(), Random::new(seed, draw).next());
        super::randomisation(treated, draws, assign, statistic)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::Alternative;

    /// A daily rhythm, an effect, and its carry-over into the first interval of the next block.
    fn day(arms: &[bool], block: usize, effect: f64) -> Vec<f64> {
        let mut outcomes = Vec::new();
        for (at, &arm) in arms.iter().enumerate() {
            for i in 0..block {
                let time = (at * block + i) as f64;
                let carried = i == 0 && at > 0 && arms[at - 1];
                let acts = if i == 0 { carried } else { arm };
                outcomes.push(
                    10.0 + (time / 24.0).sin()
                        + f64::from((time as u32 * 37) % 11) / 11.0
                        + if acts { effect } else { 0.0 },
                );
            }
        }
        outcomes
    }

    #[test]
    fn washout_takes_off_what_carries_over() {
        let with = Switchback::new(4, 1, Mechanism::Pairs).unwrap();
        let without = Switchback::new(4, 0, Mechanism::Pairs).unwrap();
        let arms = with.assign(200, 5).unwrap();
        let outcomes = day(&arms, 4, 2.0);
        let [a, b] = [with, without].map(|s| s.blocks(&outcomes, &arms).unwrap().value());
        assert!((a - 2.0).abs() < 0.1, "{a}");
        // A quarter of a block has the arm before, which is the other one for three blocks of four, in both arms:
        // 2·(1 - 2·3/16).
        assert!((1.1..1.4).contains(&b), "{b}");
        let p = with.randomisation(&outcomes, &arms, 199, 1).unwrap().p;
        assert!((p - 1.0 / 200.0).abs() < 1e-12, "{p}");
        let series = with.series(&outcomes, &arms, 3).unwrap();
        assert!((series.value() - a).abs() < 1e-9);
        assert!(series.test(0.0, Alternative::TwoSided).unwrap().p < 1e-6);
    }

    #[test]
    fn pairs_hold_one_of_each() {
        for seed in 0..50 {
            let arms = Switchback::new(3, 1, Mechanism::Pairs).unwrap().assign(21, seed).unwrap();
            assert_eq!(arms.len(), 21);
            assert!(arms.chunks_exact(2).all(|pair| pair[0] != pair[1]));
        }
        let arms = Switchback::new(3, 1, Mechanism::Coin).unwrap().assign(1_000, 3).unwrap();
        assert!((400..600).contains(&arms.iter().filter(|arm| **arm).count()));
    }

    #[test]
    fn what_is_no_switchback_is_refused() {
        assert_eq!(
            Switchback::new(3, 3, Mechanism::Coin).unwrap_err().to_string(),
            "a washout must lie below a block of `3` intervals: `3`"
        );
        let plan = Switchback::new(2, 1, Mechanism::Coin).unwrap();
        assert!(matches!(plan.blocks(&[1.0; 5], &[true, false]), Err(Refusal::LengthsDiffer { .. })));
        assert!(matches!(plan.blocks(&[1.0; 6], &[true; 3]), Err(Refusal::TooLittle { .. })));
        assert!(matches!(plan.series(&[1.0; 6], &[true; 3], 1), Err(Refusal::TooLittle { .. })));
        assert_eq!(
            plan.randomisation(&[1.0; 6], &[true; 3], 99, 1).unwrap_err().to_string(),
            "too little data: control has `0` of the `1` units that this test needs"
        );
    }

    /// Newey and West's errors are too small where blocks are few, and say so.
    #[test]
    fn a_series_of_few_blocks_is_told() {
        let plan = Switchback::new(4, 1, Mechanism::Pairs).unwrap();
        for (blocks, told) in [(10, true), (38, true), (40, false), (48, false)] {
            let arms = plan.assign(blocks, 5).unwrap();
            let series = plan.series(&day(&arms, 4, 2.0), &arms, 3).unwrap();
            assert_eq!(series.caution().is_some(), told, "{blocks}");
        }
    }
}
