//! The share of each arm.

use crate::bayes::{Beta, NormalPosterior, SPAN};
use crate::quadrature;
use crate::special::normal;
use crate::{Direction, Method, Refusal};
use serde::{Deserialize, Serialize};

/// How beliefs become shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Thompson sampling: each arm with the chance that it is the best. All traffic goes to the best arm in
    /// the end, and little is learnt of how much better it is.
    Thompson,
    /// Top-two Thompson sampling (Russo 2016): the best of one draw with the probability given, otherwise the
    /// best of the draws in which another arm is best. Finds the best arm soonest at about ½.
    TopTwo {
        /// Probability to play the leader, above 0 and up to 1.
        leader: f64,
    },
    /// Each arm with half of the chance that it is best or second best. GrowthBook's "top-two": not the rule
    /// of the literature, to compare with. With two arms it is always one half each.
    BestOrSecond,
}

impl Rule {
    /// How shares are made.
    pub const METHOD: Method = Method::BanditWeights;
}

/// What no share falls below.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Floor {
    /// `f + (1 - kf)·w`: every arm is drawn towards equal shares (GrowthBook's, with `f = 0.01`).
    Mixed(
        /// `f`, at 0 or above, and at most one over the number of arms.
        f64,
    ),
    /// Arms below `f` are raised to it, and the others give in proportion: they keep their ratios.
    Raised(
        /// `f`, at 0 or above, and at most one over the number of arms.
        f64,
    ),
}

impl Floor {
    /// Shares with the floor, which add up to one.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a floor that leaves no room, or weights that are not shares of one.
    ///
    /// ```
    /// use bellwether_stats::bandit::Floor;
    /// let shares = Floor::Raised(0.1).apply(&[0.9, 0.1, 0.0]).unwrap();
    /// assert!((shares[0] - 0.8).abs() < 1e-12 && shares[2] == 0.1);
    /// let mixed = Floor::Mixed(0.1).apply(&[0.9, 0.1, 0.0]).unwrap();
    /// assert!((mixed[0] - 0.73).abs() < 1e-12);
    /// ```
    pub fn apply(self, weights: &[f64]) -> Result<Vec<f64>, Refusal> {
        let k = weights.len() as f64;
        let (Self::Mixed(floor) | Self::Raised(floor)) = self;
        if !(floor >= 0.0 && floor * k <= 1.0 + 1e-12) {
            let range = format!("at 0 or above, and at most `{}`, one over the number of arms", 1.0 / k);
            return Err(Refusal::out_of_range("the floor of a share", &range, floor));
        }
        let total: f64 = weights.iter().sum();
        if weights.is_empty() || weights.iter().any(|w| w.is_nan() || *w < 0.0) || (total - 1.0).abs() > 1e-6
        {
            return Err(Refusal::out_of_range(
                "the weights of arms",
                "at 0 or above, and add up to 1",
                total,
            ));
        }
        let weights: Vec<f64> = weights.iter().map(|w| w / total).collect();
        Ok(match self {
            Self::Mixed(_) => weights.iter().map(|w| floor + (1.0 - k * floor) * w).collect(),
            Self::Raised(_) => raised(&weights, floor),
        })
    }
}

/// Raising some may bring others below the floor: at most as often as there are arms.
fn raised(weights: &[f64], floor: f64) -> Vec<f64> {
    let mut held = vec![false; weights.len()];
    loop {
        let (mut count, mut free) = (0.0, 0.0);
        for (w, held) in weights.iter().zip(&held) {
            if *held { count += 1.0 } else { free += w }
        }
        let factor = if free > 0.0 { (1.0 - count * floor) / free } else { 0.0 };
        let mut more = false;
        for (w, held) in weights.iter().zip(&mut held) {
            if !*held && w * factor < floor {
                (*held, more) = (true, true);
            }
        }
        if !more {
            let share = |(w, held): (&f64, &bool)| if *held { floor } else { w * factor };
            return weights.iter().zip(&held).map(share).collect();
        }
    }
}

/// Shares from beliefs about means.
///
/// # Errors
/// [`Refusal::TooFew`] below two arms, [`Refusal::OutOfRange`] for a leader's probability.
///
/// ```
/// use bellwether_stats::Direction;
/// use bellwether_stats::bandit::{Rule, weights_of_means};
/// use bellwether_stats::bayes::{NormalPosterior, Prior};
/// let arm = |mean| NormalPosterior::new(mean, 1.0, &Prior::FLAT).unwrap();
/// let weights = weights_of_means(&[arm(0.0), arm(2.0)], Rule::Thompson, Direction::Higher).unwrap();
/// assert!((weights[1] - 0.9213503964748575).abs() < 1e-12);
/// ```
pub fn weights_of_means(
    arms: &[NormalPosterior],
    rule: Rule,
    better: Direction,
) -> Result<Vec<f64>, Refusal> {
    let cuts = arms.iter().map(|arm| SPAN.map(|z| arm.quantile(z))).collect::<Vec<_>>();
    let at = |arm: &NormalPosterior, x: f64| {
        let z = (x - arm.mean()) / arm.sd();
        Belief { density: normal::pdf(z) / arm.sd(), below: normal::cdf(z), above: normal::sf(z) }
    };
    weights(arms, &cuts, at, rule, better)
}

/// Shares from beliefs about rates.
///
/// # Errors
/// [`Refusal::TooFew`] below two arms, [`Refusal::OutOfRange`] for a leader's probability.
pub fn weights_of_rates(arms: &[Beta], rule: Rule, better: Direction) -> Result<Vec<f64>, Refusal> {
    let cuts: Vec<[f64; 9]> = arms.iter().map(Beta::span).collect();
    let at = |arm: &Beta, w: f64| {
        let at = arm.at(w);
        Belief { density: at.ln_density.exp(), below: at.ln_lower.exp(), above: at.ln_upper.exp() }
    };
    weights(arms, &cuts, at, rule, better)
}

/// A belief at one point: its density, and what is below and above.
#[derive(Debug, Clone, Copy)]
struct Belief {
    density: f64,
    below: f64,
    above: f64,
}

fn weights<A>(
    arms: &[A],
    cuts: &[[f64; 9]],
    at: impl Fn(&A, f64) -> Belief,
    rule: Rule,
    better: Direction,
) -> Result<Vec<f64>, Refusal> {
    if arms.len() < 2 {
        return Err(Refusal::too_few("arms", arms.len() as u64, 2));
    }
    if let Rule::TopTwo { leader } = rule
        && !(leader > 0.0 && leader <= 1.0)
    {
        return Err(Refusal::out_of_range("the probability to play the leader", "above 0, up to 1", leader));
    }
    // One grid for all arms, fine wherever one of them has its mass.
    let mut points: Vec<f64> = cuts.iter().flatten().copied().collect();
    points.sort_by(f64::total_cmp);
    points.dedup();
    let panel = quadrature::Rule::new(16);
    let (mut best, mut second) = (vec![0.0; arms.len()], vec![0.0; arms.len()]);
    for pair in points.windows(2) {
        let &[low, high] = pair else { continue };
        for (x, weight) in panel.over(low, high, 1) {
            let beliefs: Vec<Belief> = arms
                .iter()
                .map(|arm| {
                    let Belief { density, below, above } = at(arm, x);
                    match better {
                        Direction::Higher => Belief { density, below, above },
                        // The others have to be above.
                        Direction::Lower => Belief { density, below: above, above: below },
                    }
                })
                .collect();
            for (i, own) in beliefs.iter().enumerate() {
                let mass = weight * own.density;
                if mass == 0.0 {
                    continue;
                }
                // Product of "the other is worse", and the same with exactly one of them better.
                let (mut none, mut one) = (1.0, 0.0);
                for (_, other) in beliefs.iter().enumerate().filter(|(j, _)| *j != i) {
                    one = one * other.below + none * other.above;
                    none *= other.below;
                }
                if let (Some(best), Some(second)) = (best.get_mut(i), second.get_mut(i)) {
                    *best += mass * none;
                    *second += mass * one;
                }
            }
        }
    }
    let best = to_one(&best)?;
    match rule {
        Rule::Thompson => Ok(best),
        Rule::BestOrSecond => {
            let second = to_one(&second)?;
            Ok(best.iter().zip(&second).map(|(b, s)| 0.5 * (b + s)).collect())
        }
        Rule::TopTwo { leader } => top_two(&best, leader),
    }
}

/// `β·α_i + (1-β)·Σ_{j≠i} α_j·α_i/(1-α_j)`, where `α_j` is the chance that arm `j` is best.
fn top_two(best: &[f64], leader: f64) -> Result<Vec<f64>, Refusal> {
    let all: f64 = best.iter().sum();
    let challenge = |i: usize, own: f64| -> f64 {
        let others = best.iter().enumerate().filter(|(j, _)| *j != i);
        // 1 - α_j as the sum of the others, which keeps its digits where α_j is nearly one.
        others
            .map(|(j, chance)| {
                let rest: f64 = best.iter().enumerate().filter(|(l, _)| *l != j).map(|(_, a)| a).sum();
                if rest > 0.0 { chance * own / rest } else { 0.0 }
            })
            .sum()
    };
    let shares: Vec<f64> = best
        .iter()
        .enumerate()
        .map(|(i, &own)| (leader * own + (1.0 - leader) * challenge(i, own)) / all)
        .collect();
    to_one(&shares)
}

fn to_one(weights: &[f64]) -> Result<Vec<f64>, Refusal> {
    let total: f64 = weights.iter().sum();
    if total > 0.0 && total.is_finite() {
        return Ok(weights.iter().map(|w| w / total).collect());
    }
    Err(Refusal::not_converged("the weights of arms"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::bayes::{BetaComparison, Prior};
    use proptest::prelude::*;

    fn mean(mean: f64, sd: f64) -> NormalPosterior {
        NormalPosterior::new(mean, sd, &Prior::FLAT).unwrap()
    }

    fn rule() -> impl Strategy<Value = Rule> {
        prop_oneof![
            Just(Rule::Thompson),
            Just(Rule::BestOrSecond),
            (0.05..1.0f64).prop_map(|leader| Rule::TopTwo { leader }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn two_arms_have_the_chance_to_win(a in -3.0..3.0f64, ln_sa in -5.0..2.0f64, b in -3.0..3.0f64, ln_sb in -5.0..2.0f64) {
            let (sa, sb) = (ln_sa.exp(), ln_sb.exp());
            let weights = weights_of_means(&[mean(a, sa), mean(b, sb)], Rule::Thompson, Direction::Higher).unwrap();
            let exact = normal::cdf((b - a) / sa.hypot(sb));
            prop_assert!((weights[1] - exact).abs() < 1e-9, "{} {exact}", weights[1]);
        }

        #[test]
        fn two_rates_have_the_chance_to_win(a in 0.5..500.0f64, b in 0.5..500.0f64, c in 0.5..500.0f64, d in 0.5..500.0f64) {
            let (x, y) = (Beta::new(a, b).unwrap(), Beta::new(c, d).unwrap());
            let weights = weights_of_rates(&[x, y], Rule::Thompson, Direction::Higher).unwrap();
            let exact = BetaComparison::new(x, y).chance_treatment_better().unwrap();
            prop_assert!((weights[1] - exact).abs() < 1e-9, "{} {exact}", weights[1]);
        }

        /// Turning every sign and the direction changes nothing; nor does the order of the arms.
        #[test]
        fn lower_is_better_is_a_mirror(means in proptest::collection::vec(-2.0..2.0f64, 2..6), rule in rule()) {
            let arms: Vec<_> = means.iter().enumerate().map(|(i, m)| mean(*m, 0.3 + 0.2 * i as f64)).collect();
            let mirrored: Vec<_> = arms.iter().map(|a| mean(-a.mean(), a.sd())).rev().collect();
            let high = weights_of_means(&arms, rule, Direction::Higher).unwrap();
            let low = weights_of_means(&mirrored, rule, Direction::Lower).unwrap();
            prop_assert!((high.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            for (a, b) in high.iter().zip(low.iter().rev()) {
                prop_assert!((a - b).abs() < 1e-9);
            }
        }

        #[test]
        fn a_floor_holds(raw in proptest::collection::vec(0.0..1.0f64, 2..8), share in 0.0..1.0f64) {
            let total: f64 = raw.iter().sum::<f64>() + 1e-9;
            let weights: Vec<f64> = raw.iter().map(|w| (w + 1e-9 / raw.len() as f64) / total).collect();
            let floor = share / raw.len() as f64;
            for floored in [Floor::Mixed(floor), Floor::Raised(floor)] {
                let shares = floored.apply(&weights).unwrap();
                prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                prop_assert!(shares.iter().all(|s| *s >= floor - 1e-12));
                for (i, j) in (0..raw.len()).flat_map(|i| (0..raw.len()).map(move |j| (i, j))) {
                    prop_assert!(weights[i] > weights[j] || shares[i] <= shares[j] + 1e-12);
                }
            }
        }
    }

    /// By draws: the closed form is what the rule does.
    #[test]
    fn shares_are_the_frequencies_of_the_rule() {
        let arms = [mean(0.0, 1.0), mean(0.5, 0.7), mean(0.8, 1.5), mean(-0.5, 0.2)];
        let mut state = 42u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let uniform = ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
            normal::quantile(uniform)
        };
        let n = 200_000;
        let (mut best, mut either) = ([0.0; 4], [0.0; 4]);
        for _ in 0..n {
            let drawn = arms.map(|arm| arm.mean() + arm.sd() * draw());
            let mut order = [0, 1, 2, 3];
            order.sort_by(|&i, &j| drawn[j].total_cmp(&drawn[i]));
            best[order[0]] += 1.0 / f64::from(n);
            either[order[0]] += 0.5 / f64::from(n);
            either[order[1]] += 0.5 / f64::from(n);
        }
        let ours = |rule| weights_of_means(&arms, rule, Direction::Higher).unwrap();
        let (thompson, pairs, leading) =
            (ours(Rule::Thompson), ours(Rule::BestOrSecond), ours(Rule::TopTwo { leader: 1.0 }));
        for i in 0..4 {
            assert!((thompson[i] - best[i]).abs() < 0.004, "{thompson:?} {best:?}");
            assert!((pairs[i] - either[i]).abs() < 0.004, "{pairs:?} {either:?}");
            assert!((leading[i] - thompson[i]).abs() < 1e-12);
        }
    }

    #[test]
    fn a_hopeless_arm_keeps_its_tiny_share() {
        let arms = [mean(0.0, 1.0), mean(10.0, 1.0)];
        let weights = weights_of_means(&arms, Rule::Thompson, Direction::Higher).unwrap();
        let exact = normal::sf(10.0 / 2f64.sqrt());
        assert!(exact < 1e-12 && (weights[0] / exact - 1.0).abs() < 1e-6, "{weights:?} {exact}");
    }

    #[test]
    fn what_is_no_bandit_is_refused() {
        let one = weights_of_means(&[mean(0.0, 1.0)], Rule::Thompson, Direction::Higher);
        assert_eq!(one.unwrap_err().to_string(), "too little data: `1` arms, this method needs `2`");
        let two = [mean(0.0, 1.0); 2];
        assert!(weights_of_means(&two, Rule::TopTwo { leader: 0.0 }, Direction::Higher).is_err());
        assert_eq!(
            Floor::Mixed(0.6).apply(&[0.5, 0.5]).unwrap_err().to_string(),
            "the floor of a share must lie at 0 or above, and at most `0.5`, one over the number of arms: `0.6`"
        );
        assert!(Floor::Raised(0.1).apply(&[0.5, f64::NAN]).is_err());
        assert!(Floor::Raised(0.1).apply(&[0.5, 0.1]).is_err());
    }
}
