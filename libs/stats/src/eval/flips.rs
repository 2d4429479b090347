//! Flakiness: whether a suite's verdict would stand were it run again, and which items do not keep theirs.

use super::flip_rate;
use crate::comparison::probability;
use crate::multiplicity::{Adjustment, adjust};
use crate::random::{Random, check_draws};
use crate::special::binomial;
use crate::{Level, Method, Proportion, Refusal};

/// Runs below which a share of them says nothing.
const FEWEST_DRAWS: u64 = 200;

/// What reruns of one suite would say, with nothing changed but the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reruns {
    /// Of the pairs of runs that were drawn, those whose two verdicts differ: its rate is the probability that the
    /// suite's verdict flips on a rerun.
    pub differ: Proportion,
    /// Of all runs that were drawn, those that pass: one less its rate is the probability that a suite that has
    /// passed fails on a rerun.
    pub pass: Proportion,
}

impl Reruns {
    /// How it is made.
    pub const METHOD: Method = Method::VerdictFlips;
}

/// How probable it is that the verdict of a suite flips on a rerun, from several answers to each item.
///
/// A run asks each item `answers` times. Each of the `draws` takes, of every item, twice as many of the answers that were
/// given, by chance and none of them twice: two runs that are independent of each other, as real ones are. `verdict` gets the scores
/// of a run, the mean of each item's answers, and says whether the suite passes. The share of pairs whose verdicts
/// differ is therefore unbiased, as [`flip_rate`] is, which it equals for a suite of one item. Two bootstrap samples, drawn
/// with replacement, would share answers and leave out part of the spread: with two answers to an item half of it.
///
/// It holds for these items; that other items would say something else is in the error of the suite's mean. It assumes
/// independent answers. The error of the draws is that of a share of them: ±0.5 points for 10,000 at most. That of the answers is
/// larger for small suites, and a suite whose mean lies at its threshold flips every second time.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a run without answers, an answer that is not finite or above 10 million draws, [`Refusal::TooFew`] without items, for an
/// item with less than twice as many answers as a run asks for, and below 200 draws.
///
/// ```
/// use bellwether_stats::eval::verdict_flips;
/// // Nine items always pass and one does every other time; nine in ten are needed, or all of them.
/// let mut items: Vec<&[f64]> = vec![&[1.0; 4]; 9];
/// items.push(&[1.0, 0.0, 1.0, 0.0]);
/// let passes = |least: f64| move |scores: &[f64]| scores.iter().sum::<f64>() >= least;
/// assert_eq!(verdict_flips(&items, 1, 10_000, 7, passes(9.0)).unwrap().differ.successes(), 0);
/// let strict = verdict_flips(&items, 1, 10_000, 7, passes(10.0)).unwrap();
/// // 2/3: of the pairs of answers to the tenth item, four in six differ.
/// assert!((strict.differ.rate().unwrap() - 2.0 / 3.0).abs() < 0.02);
/// ```
pub fn verdict_flips(
    items: &[&[f64]],
    answers: usize,
    draws: u64,
    seed: u64,
    verdict: impl Fn(&[f64]) -> bool,
) -> Result<Reruns, Refusal> {
    if items.is_empty() {
        return Err(Refusal::too_few("items", 0, 1));
    }
    if answers == 0 {
        return Err(Refusal::out_of_range("the answers of a run to an item", "above 0", answers));
    }
    check_draws(draws, FEWEST_DRAWS)?;
    let both = answers.saturating_mul(2);
    for given in items {
        if given.len() < both {
            return Err(Refusal::too_few("answers to an item", given.len() as u64, both as u64));
        }
        if let Some(wrong) = given.iter().find(|answer| !answer.is_finite()) {
            return Err(Refusal::out_of_range("a score", "among the finite numbers", wrong));
        }
    }
    let mut items: Vec<Vec<f64>> = items.iter().map(|given| given.to_vec()).collect();
    let mean = |answers: &[f64]| answers.iter().sum::<f64>() / answers.len() as f64;
    let (mut first, mut second) = (vec![0.0; items.len()], vec![0.0; items.len()]);
    let (mut differ, mut pass) = (0, 0);
    for draw in 0..draws {
        let mut random = Random::new(seed, draw);
        for ((given, first), second) in items.iter_mut().zip(&mut first).zip(&mut second) {
            // The beginning of a random order; that it goes on from the order of the draw before does no harm.
            for place in 0..both {
                let other = place + random.below(given.len() - place);
                given.swap(place, other);
            }
            let (ours, theirs) = given.split_at(answers);
            *first = mean(ours);
            *second = mean(theirs.get(..answers).unwrap_or(theirs));
        }
        let verdicts = [verdict(&first), verdict(&second)];
        differ += u64::from(verdicts[0] != verdicts[1]);
        pass += verdicts.map(u64::from).iter().sum::<u64>();
    }
    Ok(Reruns { differ: Proportion::new(differ, draws)?, pass: Proportion::new(pass, 2 * draws)? })
}

/// An item whose answers flip more often than is tolerated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flaky {
    /// Its place among the items, from 0.
    pub item: usize,
    /// How often two answers to it differ, unbiased ([`flip_rate`]).
    pub flip_rate: f64,
    /// The probability of so many flips at the rate that is tolerated, adjusted for the number of items.
    pub adjusted_p: f64,
}

/// The items to quarantine.
#[derive(Debug, Clone, PartialEq)]
pub struct Quarantine {
    /// Those that are flaky, the worst first.
    pub flaky: Vec<Flaky>,
    /// Places of the items with fewer than two answers, of which nothing is known.
    pub unknown: Vec<usize>,
}

impl Quarantine {
    /// How it is made.
    pub const METHOD: Method = Method::Quarantine;
}

/// Which items flip more often than `tolerated`, so that they say more of chance than of what is tested: to be
/// repaired, or asked more often, before a suite depends on them.
///
/// `items` counts the passes among the answers to each. An item is stable where it nearly always passes, or nearly always fails:
/// with `2p(1-p)` at most `tolerated`. Its exact p-value is that of at least `min(c, n - c)` rare answers at that rate, the larger of the
/// two binomial tails; by Benjamini and Hochberg no more than the error rate of `level` of a list is expected to be stable.
///
/// Assumes independent answers. A few of them say little: at a tolerated rate of 2 % one odd answer in three has a p-value of 0.03
/// and two in ten one of 0.004, before they are adjusted for the number of items.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a tolerated rate outside of [0, 0.5).
///
/// ```
/// use bellwether_stats::eval::quarantine;
/// use bellwether_stats::{Level, Proportion};
/// let items = [(10, 10), (6, 10), (0, 10), (9, 10), (1, 1)].map(|(c, n)| Proportion::new(c, n).unwrap());
/// let list = quarantine(&items, 0.02, Level::P95).unwrap();
/// assert_eq!((list.flaky.len(), list.flaky[0].item, list.unknown), (1, 1, vec![4]));
/// assert!((list.flaky[0].flip_rate - 8.0 / 15.0).abs() < 1e-12);
/// ```
pub fn quarantine(items: &[Proportion], tolerated: f64, level: Level) -> Result<Quarantine, Refusal> {
    if !(0.0..0.5).contains(&tolerated) {
        return Err(Refusal::out_of_range("a tolerated flip rate", "from 0 to below 0.5", tolerated));
    }
    // The smaller root of 2p(1-p).
    let rare = tolerated / (1.0 + (1.0 - 2.0 * tolerated).sqrt());
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (item, answers) in items.iter().enumerate() {
        match flip_rate(answers.n(), answers.successes()) {
            Ok(rate) => {
                let rarer = answers.successes().min(answers.n() - answers.successes());
                let ln_p = binomial::ln_sf_inclusive(rarer as f64, answers.n() as f64, rare);
                known.push((item, rate, probability(ln_p)));
            }
            Err(_) => unknown.push(item),
        }
    }
    let p: Vec<f64> = known.iter().map(|(_, _, p)| *p).collect();
    let adjusted = adjust(&p, Adjustment::BenjaminiHochberg)?;
    let listed = known.into_iter().zip(adjusted).filter(|(_, adjusted)| *adjusted <= level.alpha());
    let mut flaky: Vec<Flaky> =
        listed.map(|((item, flip_rate, _), adjusted_p)| Flaky { item, flip_rate, adjusted_p }).collect();
    flaky.sort_by(|a, b| b.flip_rate.total_cmp(&a.flip_rate).then(a.item.cmp(&b.item)));
    Ok(Quarantine { flaky, unknown })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn at_least(least: f64) -> impl Fn(&[f64]) -> bool {
        move |scores| scores.iter().sum::<f64>() >= least - 1e-9
    }

    /// Unbiased: over all that three answers to each of two items can be, its mean is what two runs really do. The bootstrap's
    /// is not.
    #[test]
    fn flips_of_a_verdict_are_unbiased() {
        for (p, q, least) in [(0.8, 0.6, 2.0), (0.3, 0.9, 1.0), (0.5, 0.5, 2.0)] {
            let (mut flips, mut pass, mut bootstrap) = (0.0, 0.0, 0.0);
            for outcome in 0..64u32 {
                let bits: Vec<f64> = (0..6).map(|bit| f64::from(outcome >> bit & 1)).collect();
                let weight: f64 = (0..6)
                    .map(|bit| if bit < 3 { p } else { q })
                    .zip(&bits)
                    .map(|(p, bit)| if *bit == 1.0 { p } else { 1.0 - p })
                    .product();
                let items = [&bits[..3], &bits[3..]];
                let ours = verdict_flips(&items, 1, 10_000, u64::from(outcome), at_least(least)).unwrap();
                flips += weight * ours.differ.rate().unwrap();
                pass += weight * ours.pass.rate().unwrap();
                let passes =
                    |[p, q]: [f64; 2]| if least == 2.0 { p * q } else { 1.0 - (1.0 - p) * (1.0 - q) };
                let drawn = passes(items.map(|item| item.iter().sum::<f64>() / 3.0));
                bootstrap += weight * 2.0 * drawn * (1.0 - drawn);
            }
            let passes = if least == 2.0 { p * q } else { 1.0 - (1.0 - p) * (1.0 - q) };
            let truth = 2.0 * passes * (1.0 - passes);
            assert!((flips - truth).abs() < 0.006, "{flips} {truth}");
            assert!((pass - passes).abs() < 0.004, "{pass} {passes}");
            assert!(bootstrap < truth - 0.03, "{bootstrap} {truth}");
        }
    }

    /// For one item it is the item's own flip rate; a run that asks more often flips less often.
    #[test]
    fn one_item_flips_as_its_answers_do() {
        let answers = [1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0];
        let ours = verdict_flips(&[&answers], 1, 40_000, 3, at_least(1.0)).unwrap();
        assert!((ours.differ.rate().unwrap() - flip_rate(8, 6).unwrap()).abs() < 0.01, "{ours:?}");
        assert!((ours.pass.rate().unwrap() - 0.75).abs() < 0.01);
        // Two of three have to pass: verdicts differ where one run has both of the answers that fail, 2·(3·2)/(8·7).
        let majority = verdict_flips(&[&answers], 3, 40_000, 3, at_least(0.5)).unwrap();
        assert!((majority.differ.rate().unwrap() - 12.0 / 56.0).abs() < 0.01, "{majority:?}");
        let again = verdict_flips(&[&answers], 3, 40_000, 3, at_least(0.5)).unwrap();
        assert_eq!(majority, again);
    }

    #[test]
    fn what_cannot_be_rerun_is_refused() {
        let passes = at_least(1.0);
        let check = |items: &[&[f64]], answers, draws| {
            verdict_flips(items, answers, draws, 1, &passes).unwrap_err().to_string()
        };
        assert_eq!(
            check(&[&[1.0]], 1, 200),
            "too little data: `1` answers to an item, this method needs `2`"
        );
        assert_eq!(
            check(&[&[1.0; 5]], 3, 200),
            "too little data: `5` answers to an item, this method needs `6`"
        );
        assert_eq!(check(&[], 1, 200), "too little data: `0` items, this method needs `1`");
        assert_eq!(check(&[&[1.0; 5]], 1, 100), "too little data: `100` draws, this method needs `200`");
        assert_eq!(check(&[&[1.0; 5]], 0, 200), "the answers of a run to an item must lie above 0: `0`");
        assert_eq!(check(&[&[1.0, f64::NAN]], 1, 200), "a score must lie among the finite numbers: `NaN`");
        assert!(check(&[&[1.0; 5]], usize::MAX, 200).starts_with("too little data: `5` answers"));
        let none = Proportion::default();
        for wrong in [-0.1, 0.5, f64::NAN] {
            assert!(matches!(quarantine(&[none], wrong, Level::P95), Err(Refusal::OutOfRange { .. })));
        }
        let empty = Quarantine { flaky: Vec::new(), unknown: Vec::new() };
        assert_eq!(quarantine(&[], 0.1, Level::P95), Ok(empty));
    }

    /// Where no flip is tolerated, one is enough; where answers are as rare as tolerated, p is a binomial tail.
    #[test]
    fn flaky_items_are_listed_the_worst_first() {
        let rates = |items: &[(u64, u64)]| -> Vec<Proportion> {
            items.iter().map(|(c, n)| Proportion::new(*c, *n).unwrap()).collect()
        };
        let items = rates(&[(20, 20), (19, 20), (10, 20), (0, 20), (15, 20), (1, 2), (0, 0)]);
        let listed = |list: &Quarantine| list.flaky.iter().map(|flaky| flaky.item).collect::<Vec<_>>();
        let strict = quarantine(&items, 0.0, Level::P95).unwrap();
        assert_eq!((listed(&strict), strict.unknown), (vec![5, 2, 4, 1], vec![6]));
        let lenient = quarantine(&items, 0.1, Level::P95).unwrap();
        assert_eq!(listed(&lenient), [2, 4]);
        let alone = quarantine(&rates(&[(5, 20)]), 0.18, Level::P95).unwrap();
        // 2·0.1·0.9 = 0.18; the sum of the binomial's terms from 5 on, in fractions of whole numbers.
        assert!((alone.flaky[0].adjusted_p - 0.043_174_495_284_463_384).abs() < 1e-12, "{alone:?}");
        assert_eq!(alone, quarantine(&rates(&[(15, 20)]), 0.18, Level::P95).unwrap());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// What passes and what fails may change places, and an item that is worse is not left out before a better one.
        #[test]
        fn passing_and_failing_are_alike(counts in proptest::collection::vec((0..13u64, 12..13u64), 1..20), tolerated in 0.0..0.45f64) {
            let items: Vec<Proportion> = counts.iter().map(|(c, n)| Proportion::new(*c, *n).unwrap()).collect();
            let other: Vec<Proportion> = counts.iter().map(|(c, n)| Proportion::new(n - c, *n).unwrap()).collect();
            let list = quarantine(&items, tolerated, Level::P95).unwrap();
            prop_assert_eq!(&list, &quarantine(&other, tolerated, Level::P95).unwrap());
            if let Some(last) = list.flaky.last() {
                let worse = items.iter().filter(|item| flip_rate(item.n(), item.successes()).unwrap() > last.flip_rate);
                prop_assert!(worse.count() < list.flaky.len());
            }
        }
    }
}
