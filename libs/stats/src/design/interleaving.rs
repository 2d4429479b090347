//! Interleaving: one list out of two rankings, and the clicks tell which is preferred.
//!
//! It sees differences with a tenth of the users or less, because each user compares both; it measures a preference,
//! not a lift of any metric.

use crate::eval::{clustered_mean, sign_test};
use crate::random::Random;
use crate::special::{binomial, normal};
use crate::{Estimate, Interval, Level, Refusal, Test};

/// Which ranking an item was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Team {
    /// The first ranking.
    A,
    /// The second one.
    B,
}

/// Team-draft interleaving (Radlinski, Kurup and Joachims 2008): in each round a coin says who picks first, and each
/// ranking adds its best item that is not yet in the list. Items of both rankings have the same chance of every place, so
/// that where people look first favours none.
///
/// The list ends at `length`, or when a ranking has nothing more to add and the other neither.
///
/// ```
/// use bellwether_stats::design::interleaving::team_draft;
/// let list = team_draft(&["x", "y", "z"], &["y", "x", "w"], 3, 7);
/// assert_eq!(list.len(), 3);
/// assert!(list.iter().any(|(item, _)| *item == "x") && list.iter().any(|(item, _)| *item == "y"));
/// ```
pub fn team_draft<T: PartialEq + Clone>(a: &[T], b: &[T], length: usize, seed: u64) -> Vec<(T, Team)> {
    let mut random = Random::new(seed, 0);
    let mut list: Vec<(T, Team)> = Vec::with_capacity(length.min(a.len() + b.len()));
    while list.len() < length {
        let before = list.len();
        let order = if random.coin() { [Team::A, Team::B] } else { [Team::B, Team::A] };
        for team in order {
            let ranking = match team {
                Team::A => a,
                Team::B => b,
            };
            let best = ranking.iter().find(|item| list.iter().all(|(taken, _)| taken != *item));
            if let Some(item) = best.filter(|_| list.len() < length) {
                list.push((item.clone(), team));
            }
        }
        if list.len() == before {
            break;
        }
    }
    list
}

/// Balanced interleaving (Joachims 2002): the rankings take turns, who begins is a coin, and an item that is already there is
/// passed over, so that the list is the best of both down to nearly the same depth. Credit by [`balanced_credit`].
pub fn balanced<T: PartialEq + Clone>(a: &[T], b: &[T], length: usize, seed: u64) -> Vec<T> {
    let a_first = Random::new(seed, 0).coin();
    let mut list: Vec<T> = Vec::with_capacity(length.min(a.len() + b.len()));
    let (mut of_a, mut of_b) = (a.iter().peekable(), b.iter().peekable());
    let (mut taken_a, mut taken_b) = (0, 0);
    while list.len() < length {
        let a_picks = of_b.peek().is_none()
            || of_a.peek().is_some() && (taken_a < taken_b || taken_a == taken_b && a_first);
        let next = if a_picks {
            taken_a += 1;
            of_a.next()
        } else {
            taken_b += 1;
            of_b.next()
        };
        match next {
            Some(item) if !list.contains(item) => list.push(item.clone()),
            Some(_) => {}
            None => break,
        }
    }
    list
}

/// What one query said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// More clicks on the first ranking's items.
    A,
    /// More clicks on the second's.
    B,
    /// As many, or none.
    Tie,
}

fn verdict(a: usize, b: usize) -> Verdict {
    match a.cmp(&b) {
        core::cmp::Ordering::Greater => Verdict::A,
        core::cmp::Ordering::Less => Verdict::B,
        core::cmp::Ordering::Equal => Verdict::Tie,
    }
}

/// Credit of a team-draft list: each clicked place counts for the team that filled it. Places beyond the list count for none.
pub fn team_credit<T>(list: &[(T, Team)], clicked: &[usize]) -> Verdict {
    let of = |team: Team| {
        clicked.iter().filter(|&&place| list.get(place).is_some_and(|(_, t)| *t == team)).count()
    };
    verdict(of(Team::A), of(Team::B))
}

/// Credit of a balanced list: clicks on what either ranking has among its first `k`, where `k` is the depth at which the lowest
/// clicked item stands in the ranking that has it higher.
pub fn balanced_credit<T: PartialEq>(a: &[T], b: &[T], list: &[T], clicked: &[usize]) -> Verdict {
    let items: Vec<&T> = clicked.iter().filter_map(|&place| list.get(place)).collect();
    let lowest = clicked.iter().max().and_then(|&place| list.get(place));
    let depth = |ranking: &[T]| lowest.and_then(|lowest| ranking.iter().position(|item| item == lowest));
    let Some(k) = [depth(a), depth(b)].into_iter().flatten().min() else {
        return Verdict::Tie;
    };
    let of = |ranking: &[T]| {
        items.iter().filter(|item| ranking.iter().take(k + 1).any(|other| other == **item)).count()
    };
    verdict(of(a), of(b))
}

/// Queries by what they said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preference {
    /// Won by the first ranking.
    pub a: u64,
    /// Won by the second.
    pub b: u64,
    /// Undecided.
    pub ties: u64,
}

impl Preference {
    /// Counts verdicts.
    pub fn of(verdicts: &[Verdict]) -> Self {
        let count = |verdict: Verdict| verdicts.iter().filter(|v| **v == verdict).count() as u64;
        Self { a: count(Verdict::A), b: count(Verdict::B), ties: count(Verdict::Tie) }
    }

    /// All of them, also where no `u64` counts them.
    fn queries(&self) -> f64 {
        self.a as f64 + self.b as f64 + self.ties as f64
    }

    /// `(wins of B + ties/2)/n - 1/2`: above zero where the second ranking is preferred. None without queries.
    pub fn delta(&self) -> Option<f64> {
        let n = self.queries();
        (n > 0.0).then(|| (self.b as f64 - self.a as f64) / (2.0 * n))
    }

    /// The exact sign test of "neither is preferred" on the queries that were decided, each counted as independent: where users have many,
    /// see [`by_user`].
    ///
    /// # Errors
    /// [`Refusal::TooFew`] where all are tied.
    pub fn test(&self) -> Result<Test, Refusal> {
        sign_test(self.b, self.a)
    }

    /// The interval of [`Preference::delta`]: all preferences that the score test does not reject (Tango 1998, of the difference
    /// of paired proportions). It has width also where nobody preferred one ranking or all were tied, and stays within
    /// ±½; its mean coverage at 95 % is 95 to 99 %, by counting, but at single preferences down to 86 % with 2 or 3 queries, 88 % with 5
    /// and 91 % with 20, as with Wilson's.
    /// Queries count as independent: where users have many, see [`by_user`].
    ///
    /// # Errors
    /// [`Refusal::TooFew`] below two queries.
    pub fn interval(&self, level: Level) -> Result<Interval, Refusal> {
        let n = self.queries();
        let Some(delta) = self.delta().filter(|_| n >= 2.0) else {
            return Err(Refusal::too_few("queries", n as u64, 2));
        };
        let z = -normal::quantile(level.alpha() / 2.0);
        let (a, b) = (self.a as f64 / n, self.b as f64 / n);
        let below = lowest_preference(a, b, n, z);
        let above = -lowest_preference(b, a, n, z);
        Ok(Interval { low: (below / 2.0).min(delta), high: (above / 2.0).max(delta) })
    }
}

/// The lowest `Δ = p_b - p_a` that the score test does not reject, of the shares that were seen:
/// `(b - a - Δ)² <= z² (2q + Δ(1 - Δ))/n`, where `q` is the most likely share of `a` under `Δ`.
fn lowest_preference(a: f64, b: f64, n: f64, z: f64) -> f64 {
    let too_low = |delta: f64| {
        let half = (2.0 - b + a) * delta - a - b;
        let product = a * delta * (1.0 - delta);
        let root = (half * half + 8.0 * product).max(0.0).sqrt();
        // The larger root of 2q² + half·q - product, without a difference of like numbers.
        let q = if half > 0.0 { 2.0 * product / (half + root) } else { (root - half) / 4.0 };
        let variance = (2.0 * q + delta * (1.0 - delta)).max(0.0) / n;
        b - a - delta > z * variance.sqrt()
    };
    let (mut low, mut high) = (-1.0, b - a);
    if !too_low(low) {
        return low;
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return low;
        }
        if too_low(middle) { low = middle } else { high = middle }
    }
}

/// The preference with an error by user: each query scores `-1/2`, `0` or `1/2`, and queries of a user depend on each other.
///
/// # Errors
/// [`Refusal::LengthsDiffer`]; as [`clustered_mean`].
pub fn by_user(verdicts: &[Verdict], users: &[u64]) -> Result<Estimate, Refusal> {
    let scores: Vec<f64> = verdicts
        .iter()
        .map(|verdict| match verdict {
            Verdict::A => -0.5,
            Verdict::B => 0.5,
            Verdict::Tie => 0.0,
        })
        .collect();
    clustered_mean(&scores, users)
}

/// How many decided queries the exact sign test needs to see, with the power given at a two-sided error rate, that a share
/// `rate` of them (other than one half) prefers one ranking. The other way round, the smallest share beyond one half that a
/// number of queries sees, is [`visible`].
///
/// The normal approximation `((z_{α/2}/2 + z_β√(p(1-p)))/(p - 1/2))²` is where the search begins: the test rejects by whole
/// queries, errs less than it may, and needs a few more. Beyond 100,000 queries the `1/|p - 1/2|` of a continuity correction is
/// added instead.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a rate outside of (0, 1), one so close to one half that more than 10¹⁸ queries would be needed, or a
/// power outside of (0, 1); [`Refusal::NoEffect`] for a rate of one half.
///
/// ```
/// use bellwether_stats::{Level, design::interleaving::queries_needed};
/// assert_eq!(queries_needed(0.55, Level::P95, 0.8).unwrap(), 786);
/// ```
pub fn queries_needed(rate: f64, level: Level, power: f64) -> Result<u64, Refusal> {
    if !(rate > 0.0 && rate < 1.0) {
        return Err(Refusal::out_of_range("a rate of preference", "between 0 and 1", rate));
    }
    let z_power = power_quantile(power)?;
    if rate == 0.5 {
        return Err(Refusal::NoEffect { value: rate });
    }
    let near = nearly_needed(rate, level, z_power).ceil().max(1.0);
    if near > EXACT {
        let needed = (near + 1.0 / (rate - 0.5).abs()).ceil();
        if needed > MOST {
            let range = format!("further from `0.5` than `{MOST:e}` queries can see");
            return Err(Refusal::out_of_range("a rate of preference", &range, rate));
        }
        return Ok(needed as u64);
    }
    let mut queries = near as u64;
    while sign_power(queries, rate, level) < power {
        queries += 1;
    }
    Ok(queries)
}

/// Beyond this many queries the closed formula stands for the exact test.
const EXACT: f64 = 1e5;

/// Nobody has more queries.
const MOST: f64 = 1e18;

/// By the normal approximation, without the correction. A power below the error rate needs none.
fn nearly_needed(rate: f64, level: Level, z_power: f64) -> f64 {
    let z = -normal::quantile(level.alpha() / 2.0);
    let root = 0.5 * z + z_power * (rate * (1.0 - rate)).sqrt();
    (root.max(0.0) / (rate - 0.5)).powi(2)
}

/// The power of the exact two-sided sign test of so many decided queries.
fn sign_power(queries: u64, rate: f64, level: Level) -> f64 {
    let n = queries as f64;
    let rejects =
        |fewer: f64| core::f64::consts::LN_2 + binomial::ln_cdf(fewer, n, 0.5) <= level.alpha().ln();
    // The most that the loser may have, from just above where the normal distribution has it.
    let z = -normal::quantile(level.alpha() / 2.0);
    let mut most = (0.5 * n - 0.5 * z * n.sqrt() + 2.0).floor().min(n);
    while most >= 0.0 && !rejects(most) {
        most -= 1.0;
    }
    if most < 0.0 {
        return 0.0;
    }
    binomial::ln_cdf(most, n, rate).exp() + binomial::ln_cdf(most, n, 1.0 - rate).exp()
}

/// The smallest share of preference above one half that the exact sign test sees in so many decided queries; beyond 100,000
/// by the closed formula of [`queries_needed`].
///
/// # Errors
/// [`Refusal::TooFew`] where it would not reject even if all of them preferred one ranking, [`Refusal::OutOfRange`] for a power
/// outside of (0, 1).
pub fn visible(queries: u64, level: Level, power: f64) -> Result<f64, Refusal> {
    let z_power = power_quantile(power)?;
    // 2·2^-n has to be at most alpha.
    let need = (1.0 - level.alpha().log2()).ceil();
    if (queries as f64) < need {
        return Err(Refusal::too_few("queries", queries, need as u64));
    }
    let (mut low, mut high) = (0.5f64, 1.0f64);
    loop {
        let rate = 0.5 * (low + high);
        if rate <= low || rate >= high {
            return Ok(high);
        }
        let blind = if queries as f64 > EXACT {
            nearly_needed(rate, level, z_power) + 1.0 / (rate - 0.5) > queries as f64
        } else {
            sign_power(queries, rate, level) < power
        };
        if blind { low = rate } else { high = rate }
    }
}

fn power_quantile(power: f64) -> Result<f64, Refusal> {
    if power > 0.0 && power < 1.0 {
        return Ok(normal::quantile(power));
    }
    Err(Refusal::out_of_range("a power", "between 0 and 1", power))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn rankings() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        let ranking = || {
            proptest::collection::btree_set(0..30u8, 1..15).prop_map(|s| s.into_iter().collect::<Vec<u8>>())
        };
        (ranking().prop_shuffle(), ranking().prop_shuffle())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// No item twice, both teams within one of each other while both have something, and each team's items in its order.
        #[test]
        fn drafts_are_fair((a, b) in rankings(), length in 1..20usize, seed in any::<u64>()) {
            let list = team_draft(&a, &b, length, seed);
            let union: std::collections::BTreeSet<u8> = a.iter().chain(&b).copied().collect();
            prop_assert_eq!(list.len(), length.min(union.len()));
            let items: std::collections::BTreeSet<u8> = list.iter().map(|(item, _)| *item).collect();
            prop_assert_eq!(items.len(), list.len());
            for (team, ranking) in [(Team::A, &a), (Team::B, &b)] {
                let places: Vec<usize> = list.iter().filter(|(_, t)| *t == team)
                    .map(|(item, _)| ranking.iter().position(|other| other == item).unwrap()).collect();
                prop_assert!(places.is_sorted());
            }
            let both = balanced(&a, &b, length, seed);
            prop_assert_eq!(both.len(), length.min(union.len()));
            // The same ranking twice: the list is it, and nobody is preferred by balanced credit.
            prop_assert_eq!(&balanced(&a, &a, a.len(), seed), &a);
            prop_assert_eq!(balanced_credit(&a, &a, &a, &[0, a.len() - 1]), Verdict::Tie);
        }
    }

    /// Who clicks by chance prefers nobody: the property for which team-draft was made.
    #[test]
    fn random_clicks_prefer_nobody() {
        let (a, b) = ([1, 2, 3, 4, 5, 6], [2, 3, 1, 6, 7, 8]);
        let verdicts: Vec<Verdict> = (0..20_000u64)
            .map(|seed| {
                let list = team_draft(&a, &b, 4, seed);
                // The upper places are clicked more often.
                let place = ((seed * 2_654_435_761) % 16).min(15) as usize;
                team_credit(&list, &[[0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3][place]])
            })
            .collect();
        let preference = Preference::of(&verdicts);
        assert!(preference.test().unwrap().p > 0.01, "{preference:?}");
    }

    #[test]
    fn a_preference_is_counted() {
        let preference = Preference { a: 40, b: 60, ties: 100 };
        assert_eq!(preference.delta(), Some(0.05));
        // R: binom.test(60, 100)$p.value
        assert!((preference.test().unwrap().p / 0.056_887_933_640_980_78 - 1.0).abs() < 1e-10);
        // The score test at 0 is McNemar's, z = 20/√100: a little less careful than the exact test.
        assert!(!preference.interval(Level::P95).unwrap().contains(0.0));
        assert!(preference.interval(Level::P99).unwrap().contains(0.0));
        assert!(matches!(
            Preference { ties: 9, ..Preference::default() }.test(),
            Err(Refusal::TooFew { .. })
        ));
        assert_eq!(Preference::default().delta(), None);
        let list = [("x", Team::A), ("y", Team::B), ("z", Team::B)];
        assert_eq!(team_credit(&list, &[1, 2, 9]), Verdict::B);
        assert_eq!(team_credit(&list, &[0, 1]), Verdict::Tie);
        // One clicked item, first in A and third in B: at depth one only A has it.
        assert_eq!(balanced_credit(&["x", "y"], &["y", "z", "x"], &["x", "y", "z"], &[0]), Verdict::A);
        let verdicts = [Verdict::B, Verdict::B, Verdict::A, Verdict::Tie];
        let ours = by_user(&verdicts, &[1, 1, 2, 3]).unwrap();
        // Two queries, one and one: worth 16/6 users.
        assert!((ours.value() - 0.125).abs() < 1e-12 && (ours.df().unwrap() - 5.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn sensitivity_and_size_are_inverses() {
        for rate in [0.51, 0.55, 0.7, 0.3] {
            let n = queries_needed(rate, Level::P95, 0.8).unwrap();
            let beyond = 0.5 + (rate - 0.5f64).abs();
            let seen = |queries| visible(queries, Level::P95, 0.8).unwrap();
            assert!(seen(n) <= beyond + 1e-12, "{rate} {n}");
            // The power has teeth: one query less may see it less well, and does where the search has gone on.
            assert!(seen(n - 1) > beyond - 2e-3, "{rate} {n} {}", seen(n - 1));
        }
        // By the sums of the binomial in fractions of whole numbers: the first with a power of 0.8 at 60 %.
        assert_eq!(queries_needed(0.6, Level::P95, 0.8), Ok(199));
        // Beyond the exact search, its correction: as many as the normal approximation's and 1/0.001 more.
        assert!(queries_needed(0.501, Level::P95, 0.8).unwrap().abs_diff(1_963_212) < 10);
        assert!(
            queries_needed(0.5, Level::P95, 0.8).is_err() && queries_needed(1.0, Level::P95, 0.8).is_err()
        );
        assert!(visible(3, Level::P95, 0.8).is_err() && visible(100, Level::P95, 1.0).is_err());
    }
}
