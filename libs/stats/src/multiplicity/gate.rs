//! Hypotheses that wait for others: serial gates and graphs of hypotheses.

use super::{Adjustment, adjust};
use crate::Refusal;
use serde::{Deserialize, Serialize};

/// Serial gatekeeping: families in order of importance, primary before secondary. A family is tested at
/// the full level, adjusted within itself, once *every* hypothesis of all families before it was
/// rejected; otherwise nothing in it can be.
///
/// Gives adjusted p-values by family: the larger of a hypothesis' own adjusted value and the largest of
/// all families before it. The family-wise error over everything is that of the adjustment within a
/// family. It fails its users, not its level, where one primary metric of several misses: put into
/// the first family only what must be shown.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a p-value outside of 0 to 1.
///
/// ```
/// use bellwether_stats::multiplicity::{Adjustment, serial_gate};
/// let conversion = [0.01];
/// let secondary = [0.02, 0.2];
/// let adjusted = serial_gate(&[&conversion, &secondary], Adjustment::Holm).unwrap();
/// assert_eq!(adjusted, [vec![0.01], vec![0.04, 0.2]]);
/// ```
pub fn serial_gate(families: &[&[f64]], within: Adjustment) -> Result<Vec<Vec<f64>>, Refusal> {
    let mut before = 0.0f64;
    let mut answer = Vec::with_capacity(families.len());
    for family in families {
        let adjusted: Vec<f64> = adjust(family, within)?.into_iter().map(|p| p.max(before)).collect();
        before = adjusted.iter().copied().fold(before, f64::max);
        answer.push(adjusted);
    }
    Ok(answer)
}

/// A graph of hypotheses (Bretz, Maurer, Brannath and Posch 2009): shares of alpha, and to whom a
/// hypothesis hands its share once it is rejected.
///
/// Holm, fixed sequences, fallback and parallel gates are such graphs. The family-wise error is at most
/// alpha, whatever the dependence of the tests.
///
/// ```
/// use bellwether_stats::multiplicity::Graph;
/// // Two primary hypotheses at alpha/2 each; each hands its share to a secondary one, and that one back.
/// let graph = Graph::new(
///     vec![0.5, 0.5, 0.0, 0.0],
///     vec![
///         vec![0.0, 0.0, 1.0, 0.0],
///         vec![0.0, 0.0, 0.0, 1.0],
///         vec![0.0, 1.0, 0.0, 0.0],
///         vec![1.0, 0.0, 0.0, 0.0],
///     ],
/// )
/// .unwrap();
/// let adjusted = graph.adjust(&[0.01, 0.5, 0.02, 0.001]).unwrap();
/// assert_eq!(adjusted, [0.02, 0.5, 0.04, 0.5]);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Graph {
    shares: Vec<f64>,
    hands: Vec<Vec<f64>>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    shares: Vec<f64>,
    hands: Vec<Vec<f64>>,
}

impl TryFrom<Stored> for Graph {
    type Error = Refusal;
    fn try_from(Stored { shares, hands }: Stored) -> Result<Self, Refusal> {
        Self::new(shares, hands)
    }
}

impl From<Graph> for Stored {
    fn from(Graph { shares, hands }: Graph) -> Self {
        Self { shares, hands }
    }
}

/// Sums of shares may exceed one by their rounding.
const ROUNDING: f64 = 1e-12;

/// Each rejection rewrites all hands that are left: a second or so for this many.
const MOST_HYPOTHESES: usize = 1_000;

fn few(hypotheses: usize) -> Result<(), Refusal> {
    if hypotheses <= MOST_HYPOTHESES {
        return Ok(());
    }
    let range = format!("at or below `{MOST_HYPOTHESES}`");
    Err(Refusal::out_of_range("the hypotheses of a graph", &range, hypotheses))
}

impl Graph {
    /// From the share of alpha of each hypothesis, and for each the shares in which it hands its own
    /// on. Both add up to at most one; nobody hands to itself.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a share outside of 0 to 1, sums above one, or more than 1,000 hypotheses;
    /// [`Refusal::ArmsDiffer`] where the matrix is not square.
    pub fn new(shares: Vec<f64>, hands: Vec<Vec<f64>>) -> Result<Self, Refusal> {
        let m = shares.len();
        few(m)?;
        for row in core::iter::once(&shares).chain(&hands) {
            if row.len() != m {
                return Err(Refusal::ArmsDiffer { counts: row.len(), shares: m });
            }
            if let Some(bad) = row.iter().find(|share| !(0.0..=1.0).contains(*share)) {
                return Err(Refusal::out_of_range("a share of alpha", "from 0 to 1", bad));
            }
            let sum: f64 = row.iter().sum();
            if sum > 1.0 + ROUNDING {
                return Err(Refusal::out_of_range("the sum of shares of alpha", "at or below 1", sum));
            }
        }
        if hands.len() != m {
            return Err(Refusal::ArmsDiffer { counts: hands.len(), shares: m });
        }
        if hands.iter().enumerate().any(|(i, row)| row.get(i).is_some_and(|own| *own != 0.0)) {
            return Err(Refusal::out_of_range("what a hypothesis hands to itself", "at 0", 1));
        }
        Ok(Self { shares, hands })
    }

    /// A fixed sequence: the first hypothesis has all of alpha, and hands it to the next.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] above 1,000 hypotheses: [`serial_gate`] takes any number.
    pub fn sequence(hypotheses: usize) -> Result<Self, Refusal> {
        few(hypotheses)?;
        let row = |to: usize| (0..hypotheses).map(|j| f64::from(u8::from(j == to))).collect::<Vec<_>>();
        Ok(Self { shares: row(0), hands: (0..hypotheses).map(|i| row(i + 1)).collect() })
    }

    /// Holm's procedure: equal shares, handed on equally.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] above 1,000 hypotheses: [`adjust`] takes any number.
    pub fn holm(hypotheses: usize) -> Result<Self, Refusal> {
        few(hypotheses)?;
        let m = hypotheses as f64;
        let hands = |i: usize| (0..hypotheses).map(|j| if i == j { 0.0 } else { 1.0 / (m - 1.0) }).collect();
        Ok(Self { shares: vec![1.0 / m; hypotheses], hands: (0..hypotheses).map(hands).collect() })
    }

    /// Adjusted p-values, in the order of the hypotheses: reject where they are at most alpha.
    ///
    /// # Errors
    /// [`Refusal::ArmsDiffer`] for another number of p-values than hypotheses,
    /// [`Refusal::OutOfRange`] for one outside of 0 to 1.
    pub fn adjust(&self, p: &[f64]) -> Result<Vec<f64>, Refusal> {
        if p.len() != self.shares.len() {
            return Err(Refusal::ArmsDiffer { counts: p.len(), shares: self.shares.len() });
        }
        if let Some(bad) = p.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            return Err(Refusal::out_of_range("a p-value", "from 0 to 1", bad));
        }
        // What is left: (place in the input, p, share, what it hands to each of the left).
        let mut left: Vec<Hypothesis> = p
            .iter()
            .zip(&self.shares)
            .zip(&self.hands)
            .enumerate()
            .map(|(place, ((&p, &share), hands))| Hypothesis { place, p, share, hands: hands.clone() })
            .collect();
        let mut adjusted = vec![1.0; p.len()];
        let mut before = 0.0f64;
        while let Some(next) = easiest(&left) {
            let rejected = left.remove(next);
            before = before.max((rejected.p / rejected.share).min(1.0));
            if let Some(slot) = adjusted.get_mut(rejected.place) {
                *slot = before;
            }
            hand_on(&mut left, &rejected);
        }
        Ok(adjusted)
    }
}

#[derive(Debug, Clone)]
struct Hypothesis {
    place: usize,
    p: f64,
    share: f64,
    /// By place in the input.
    hands: Vec<f64>,
}

impl Hypothesis {
    fn hands_to(&self, place: usize) -> f64 {
        self.hands.get(place).copied().unwrap_or(0.0)
    }
}

/// The hypothesis with the smallest p-value for its share, where any has a share.
fn easiest(left: &[Hypothesis]) -> Option<usize> {
    left.iter()
        .enumerate()
        .filter(|(_, h)| h.share > 0.0)
        .min_by(|(_, a), (_, b)| (a.p / a.share).total_cmp(&(b.p / b.share)))
        .map(|(i, _)| i)
}

/// The update of Bretz et al.: shares and hands flow around the rejected hypothesis.
fn hand_on(left: &mut [Hypothesis], rejected: &Hypothesis) {
    for h in left {
        h.share += rejected.share * rejected.hands_to(h.place);
        let through = h.hands_to(rejected.place);
        let loops = through * rejected.hands_to(h.place);
        let own = h.place;
        for (to, hand) in h.hands.iter_mut().enumerate() {
            let flows = *hand + through * rejected.hands_to(to);
            *hand = if to == own || loops >= 1.0 { 0.0 } else { flows / (1.0 - loops) };
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Vec<f64>> {
        proptest::collection::vec(0.0..1.0f64, 2..7)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn holm_is_a_graph(p in values()) {
            let graph = Graph::holm(p.len()).unwrap().adjust(&p).unwrap();
            for (a, b) in graph.iter().zip(adjust(&p, Adjustment::Holm).unwrap()) {
                prop_assert!((a - b).abs() < 1e-9, "{graph:?}");
            }
        }

        #[test]
        fn a_fixed_sequence_is_a_graph_and_a_gate(p in values()) {
            let graph = Graph::sequence(p.len()).unwrap().adjust(&p).unwrap();
            let families: Vec<&[f64]> = p.chunks(1).collect();
            let gate = serial_gate(&families, Adjustment::Bonferroni).unwrap().concat();
            prop_assert_eq!(graph, gate);
        }

        /// Nothing after a gate is rejected before all that stands before it.
        #[test]
        fn a_gate_keeps_its_order(primary in values(), secondary in values()) {
            let adjusted = serial_gate(&[&primary, &secondary], Adjustment::Hommel).unwrap();
            let hardest = adjusted[0].iter().copied().fold(0.0, f64::max);
            prop_assert!(adjusted[1].iter().all(|p| *p >= hardest));
        }
    }

    #[test]
    fn what_is_no_graph_is_refused() {
        let check = |shares: &[f64], hands: &[&[f64]]| {
            Graph::new(shares.to_vec(), hands.iter().map(|row| row.to_vec()).collect())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            check(&[0.7, 0.7], &[&[0.0, 1.0], &[1.0, 0.0]]),
            "the sum of shares of alpha must lie at or below 1: `1.4`"
        );
        assert_eq!(
            check(&[1.0, -0.5], &[&[0.0, 1.0], &[1.0, 0.0]]),
            "a share of alpha must lie from 0 to 1: `-0.5`"
        );
        assert_eq!(
            check(&[0.5, 0.5], &[&[0.5, 0.5], &[1.0, 0.0]]),
            "what a hypothesis hands to itself must lie at 0: `1`"
        );
        assert!(Graph::new(vec![1.0], vec![]).is_err());
        assert!(Graph::holm(2).unwrap().adjust(&[0.1]).is_err());
        assert!(Graph::holm(2).unwrap().adjust(&[0.1, f64::NAN]).is_err());
        assert_eq!(Graph::holm(1).unwrap().adjust(&[0.03]), Ok(vec![0.03]));
    }
}
