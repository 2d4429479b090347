//! How sure an answer is of itself where there is little to be sure by: few labels, few users, no losses, few units of an arm.
//! Coverage is counted exactly where the outcomes can be listed, and simulated, seeded, where they cannot.
//! Long because: each answer that once was surer than its data has its own measurement here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "common/random.rs"]
mod random;

use bellwether_stats::adjust::{Effect, cuped};
use bellwether_stats::bandit::{Period, Periods, Weighting};
use bellwether_stats::design::cluster;
use bellwether_stats::design::interleaving::Preference;
use bellwether_stats::group_sequential::{Boundary, Design, Looks, Spending};
use bellwether_stats::quantile::{QuantileArm, compare};
use bellwether_stats::regression::{Correction, Errors, Regression};
use bellwether_stats::special::binomial;
use bellwether_stats::{
    Alternative, Arm, Caution, Comparison, Estimate, JointMoments, Level, Moments, Proportion, Refusal,
    Sides, eval, proportions, two_proportions,
};
use random::Random;

fn chances(n: u64, rate: f64) -> Vec<f64> {
    (0..=n).map(|k| binomial::ln_pmf(k as f64, n as f64, rate).exp()).collect()
}

/// The coverage of the true rate, among the answers, over every result that 60 judged items and so many labels can have.
fn coverage_of_a_judge(labels: [u64; 2], truth: f64, rates: &[f64], level: Level) -> f64 {
    const JUDGED: u64 = 60;
    let rate = |x, n| Proportion::new(x, n).unwrap();
    let [good, bad] = labels;
    // Whether there is an answer, and whether it covers.
    let mut answers = Vec::new();
    for found in 0..=good {
        for rejected in 0..=bad {
            for judged in 0..=JUDGED {
                let ours =
                    eval::rogan_gladen(&rate(judged, JUDGED), &rate(found, good), &rate(rejected, bad));
                answers.push(ours.ok().map(|ours| ours.interval(level).contains(truth)));
            }
        }
    }
    let mut least = 1.0f64;
    for &sensitivity in rates {
        for &specificity in rates {
            let judged = chances(JUDGED, truth * sensitivity + (1.0 - truth) * (1.0 - specificity));
            let (found, rejected) = (chances(good, sensitivity), chances(bad, specificity));
            let (mut given, mut covered) = (0.0, 0.0);
            let mut answer = answers.iter();
            for f in &found {
                for r in &rejected {
                    for j in &judged {
                        if let Some(covers) = answer.next().unwrap() {
                            given += f * r * j;
                            covered += f * r * j * f64::from(u8::from(*covers));
                        }
                    }
                }
            }
            least = least.min(covered / given);
        }
    }
    least
}

/// A judge that was right on the few items that people labelled is not therefore perfect.
#[test]
fn a_judge_with_few_labels_is_not_taken_for_a_perfect_one() {
    // The share of misses that is its level's, and how many times that at most.
    for (alpha, most) in [(0.05, 1.2), (0.01, 1.2), (0.001, 1.5)] {
        let level = Level::from_alpha(alpha).unwrap();
        for labels in [[3, 3], [5, 5], [10, 10], [30, 30], [5, 30], [40, 6]] {
            for truth in [0.05, 0.3, 0.9] {
                let least = coverage_of_a_judge(labels, truth, &[0.7, 0.8, 0.9, 0.97, 1.0], level);
                let missed = (1.0 - least) / alpha;
                println!("{alpha}: {labels:?} labels, truth {truth}: {least:.5}, {missed:.2} times");
                assert!(missed <= most, "{alpha}: {labels:?} labels, truth {truth}: {least:.5}");
            }
        }
    }
}

/// What several events of few users show of a quantile is known with the degrees of freedom of the users.
#[test]
fn a_quantile_of_few_users_is_as_uncertain_as_few_users_are() {
    let mut random = Random(5);
    let mut arm = || {
        let (mut values, mut users) = (Vec::new(), Vec::new());
        for user in 0..3 {
            let own = 0.3f64.sqrt() * random.normal();
            for _ in 0..60 {
                values.push(own + 0.7f64.sqrt() * random.normal());
                users.push(user);
            }
        }
        QuantileArm::of_clustered(&values, &users, 0.5).unwrap()
    };
    let runs = 2_000;
    let mut rejected = 0;
    for _ in 0..runs {
        let effect = compare(&arm(), &arm()).unwrap().difference;
        // Three users an arm have two degrees of freedom each.
        let df = effect.df().unwrap();
        assert!((2.0 - 1e-9..=4.0 + 1e-9).contains(&df), "{df}");
        rejected += u32::from(effect.test(0.0, Alternative::TwoSided).unwrap().p < 0.05);
    }
    println!("rejected {rejected} of {runs}");
    // 5 % of 2,000, and two standard errors.
    assert!(rejected <= 120, "{rejected} of {runs}");
}

/// The arm with few clusters makes most of the error: the other one, however large, does not make up for it.
#[test]
fn a_comparison_of_clusters_is_as_certain_as_its_smaller_arm() {
    let clusters = |g: u64| -> (Vec<f64>, Vec<u64>) {
        let mut random = Random(g);
        (0..g * 20).map(|i| (random.normal() + (i % g % 3) as f64, i % g)).unzip()
    };
    let quantiles = |g: u64| {
        let (values, of) = clusters(g);
        QuantileArm::of_clustered(&values, &of, 0.5).unwrap()
    };
    let plain = QuantileArm::of(&clusters(60).0, 0.5).unwrap();
    let totals = |g: u64| {
        let (values, of) = clusters(g);
        cluster::totals(&values, &of).unwrap()
    };
    let worth = |effect: Effect| match effect.difference.caution() {
        Some(Caution::FewClusters { worth }) => worth.round(),
        None => f64::INFINITY,
        other => panic!("{other:?}"),
    };
    for (g, known) in [(3, 6.0), (10, 20.0), (19, 38.0), (20, f64::INFINITY), (60, f64::INFINITY)] {
        assert_eq!(worth(compare(&quantiles(g), &quantiles(60)).unwrap()), known);
        assert_eq!(worth(compare(&quantiles(300), &quantiles(g)).unwrap()), known);
        assert_eq!(worth(compare(&quantiles(g), &plain).unwrap()), known);
        assert_eq!(worth(compare(&plain, &quantiles(g)).unwrap()), known);
        if g >= cluster::MIN_CLUSTERS {
            assert_eq!(worth(cluster::compare(&totals(g), &totals(300)).unwrap()), known);
            assert_eq!(worth(cluster::compare(&totals(60), &totals(g)).unwrap()), known);
        }
    }
}

/// A user with a large part of the events makes the others count for less, in the error and in its degrees of freedom.
#[test]
fn a_quantile_of_unequal_users_is_as_uncertain_as_they_are_worth() {
    let mut random = Random(11);
    let mut arm = |largest: u32, others: u32, share: f64| {
        let (mut values, mut users) = (Vec::new(), Vec::new());
        for user in 0..40 {
            let own = 0.5f64.sqrt() * random.normal();
            for _ in 0..if user == 0 { largest } else { others } {
                values.push(own + 0.5f64.sqrt() * random.normal());
                users.push(user);
            }
        }
        QuantileArm::of_clustered(&values, &users, share)
    };
    // 5 % of 2,000 and three standard errors; of a tail, where the error is itself less sure, 8 %.
    for (share, most) in [(0.5, 130), (0.9, 160)] {
        for (control, treatment) in [(300, 300), (100, 100), (300, 10)] {
            let (runs, mut rejected) = (2_000, 0);
            for _ in 0..runs {
                let arms = [control, treatment].map(|largest| arm(largest, 10, share).unwrap());
                let effect = compare(&arms[0], &arms[1]).unwrap().difference;
                assert!(matches!(effect.caution(), Some(Caution::FewClusters { .. })));
                rejected += u32::from(effect.test(0.0, Alternative::TwoSided).unwrap().p < 0.05);
            }
            let of = format!("{share}, {control} and {treatment} events of one user");
            println!("{of}: rejected {rejected} of {runs}");
            assert!(rejected <= most, "{of}: {rejected} of {runs}");
        }
    }
    assert_eq!(
        arm(1_000, 10, 0.5).unwrap_err().to_string(),
        "too little data: `1` units of like size, as those of an arm are worth, this method needs `2`"
    );
}

/// So does a cluster with a large part of the items of a mean.
#[test]
fn a_mean_of_unequal_clusters_is_as_uncertain_as_they_are_worth() {
    let mut random = Random(13);
    let mut mean = |largest: u32, alike: f64| {
        let (mut scores, mut clusters) = (Vec::new(), Vec::new());
        for cluster in 0..40 {
            let own = alike.sqrt() * random.normal();
            for _ in 0..if cluster == 0 { largest } else { 10 } {
                scores.push(own + (1.0 - alike).sqrt() * random.normal());
                clusters.push(cluster);
            }
        }
        eval::clustered_mean(&scores, &clusters)
    };
    for alike in [0.05, 0.5] {
        for largest in [300, 100, 10] {
            let (runs, mut missed) = (4_000, 0);
            for _ in 0..runs {
                missed += u32::from(!mean(largest, alike).unwrap().interval(Level::P95).contains(0.0));
            }
            println!("{alike}, {largest} of one cluster: missed {missed} of {runs}");
            // 5 % of 4,000, and three standard errors.
            assert!(missed <= 242, "{alike}, {largest}: {missed} of {runs}");
        }
    }
    assert!(mean(1_000, 0.5).is_err());
}

/// The correction of a quantile for its units is the jackknife's, by leaving them out: of units of any size.
#[test]
fn a_clustered_quantile_has_the_error_of_leaving_out_its_units() {
    let mut random = Random(2);
    let (mut values, mut users) = (Vec::new(), Vec::new());
    for user in 0..30u64 {
        let own = random.normal();
        for _ in 0..3 + user * user % 23 {
            values.push(own + random.normal());
            users.push(user);
        }
    }
    for share in [0.3, 0.5, 0.9] {
        let ours = QuantileArm::of_clustered(&values, &users, share).unwrap();
        let below = |without: Option<u64>| {
            let kept = values.iter().zip(&users).filter(|(_, user)| Some(**user) != without);
            let below: Vec<f64> = kept.map(|(v, _)| f64::from(u8::from(*v <= ours.value()))).collect();
            below.iter().sum::<f64>() / below.len() as f64
        };
        let all = below(None);
        let jackknife = 29.0 / 30.0 * (0..30).map(|user| (below(Some(user)) - all).powi(2)).sum::<f64>();
        let independent = share * (1.0 - share) / values.len() as f64;
        let theirs = QuantileArm::of(&values, share).unwrap().se() * (jackknife / independent).sqrt();
        assert!((ours.se() / theirs - 1.0).abs() < 1e-12, "{share}: {} {theirs}", ours.se());
    }
}

/// A preference that nobody contradicted is not certain. Every result of few queries, with its chance.
#[test]
fn a_preference_without_losses_is_not_certain() {
    for (a, b, ties) in [(0, 10, 0), (10, 0, 0), (0, 0, 10), (0, 3, 7)] {
        let interval = Preference { a, b, ties }.interval(Level::P95).unwrap();
        assert!(interval.high - interval.low > 0.05 && interval.low >= -0.5 && interval.high <= 0.5);
    }
    for n in [5u64, 10, 20, 40] {
        let (mut least, mut sum, mut cases) = (1.0f64, 0.0, 0.0);
        for tied in [0.0, 0.2, 0.5, 0.8] {
            for won in [0.5, 0.7, 0.9, 0.95, 1.0] {
                let delta = (1.0 - tied) * (won - 0.5);
                let mut covered = 0.0;
                for (ties, chance_of_ties) in (0..=n).zip(chances(n, tied)) {
                    for (b, chance) in (0..=n - ties).zip(chances(n - ties, won)) {
                        let ours = Preference { a: n - ties - b, b, ties }.interval(Level::P95).unwrap();
                        let near = delta.clamp(ours.low, ours.high);
                        covered += chance_of_ties * chance * f64::from(u8::from((near - delta).abs() < 1e-9));
                    }
                }
                least = least.min(covered);
                sum += covered;
                cases += 1.0;
            }
        }
        let mean = sum / cases;
        println!("{n} queries: least {least:.4}, mean {mean:.4}");
        assert!(least >= 0.91 && mean >= 0.95, "{n} queries: least {least:.4}, mean {mean:.4}");
    }
}

fn periods(periods: &[(f64, Vec<f64>, Vec<f64>)]) -> Periods {
    let of = |(share, first, second): &(f64, Vec<f64>, Vec<f64>)| Period {
        shares: vec![*share, 1.0 - share],
        arms: [first, second].map(|values| Moments::of(values).unwrap()).to_vec(),
    };
    Periods::new(&periods.iter().map(of).collect::<Vec<_>>()).unwrap()
}

const WEIGHTINGS: [Weighting; 3] =
    [Weighting::Period, Weighting::InverseProbability, Weighting::SelfNormalised];

/// Units that do not differ say nothing of how much units differ.
#[test]
fn constant_arms_have_no_error() {
    let constant = periods(&[(0.5, vec![3.0; 4], vec![3.0; 4])]);
    for weighting in [Weighting::Period, Weighting::SelfNormalised] {
        assert_eq!(constant.value(0, weighting).err(), Some(Refusal::NoVariance), "{weighting:?}");
        assert_eq!(constant.contrast(0, 1, weighting).err(), Some(Refusal::NoVariance), "{weighting:?}");
    }
    // By inverse probability one unit in a period says nothing of its spread, either.
    let one = (0..20).map(|i| (0.5, vec![f64::from(i)], vec![])).collect::<Vec<_>>();
    assert_eq!(
        periods(&one).value(0, Weighting::InverseProbability).unwrap_err().to_string(),
        "too little data: `1` units of a period, this method needs `2`"
    );
}

/// Weights of few units: the interval is that of as many units as they are.
#[test]
fn the_value_of_an_arm_with_few_units_is_as_uncertain_as_that() {
    let mut measured = 0;
    for (units, days) in [(4, 5), (10, 3), (8, 1)] {
        for weighting in WEIGHTINGS {
            let mut random = Random(3);
            let (mut covered, mut covered_contrast, mut answered, mut squares, mut variances) =
                (0.0, 0.0, 0.0, 0.0, 0.0);
            for _ in 0..4_000 {
                let days: Vec<(f64, Vec<f64>, Vec<f64>)> = (0..days)
                    .map(|day: usize| {
                        let level = f64::from(day as u32) / 4.0;
                        let share = [0.5, 0.3, 0.6][day % 3];
                        let mut arms = (share, vec![], vec![]);
                        for _ in 0..units {
                            let value = level + random.normal();
                            if random.uniform() < share { arms.1.push(value) } else { arms.2.push(value) }
                        }
                        arms
                    })
                    .collect();
                let truth = (0..days.len()).map(|day| day as f64 / 4.0).sum::<f64>() / days.len() as f64;
                let known = periods(&days);
                let (Ok(value), Ok(contrast)) = (known.value(0, weighting), known.contrast(0, 1, weighting))
                else {
                    continue;
                };
                answered += 1.0;
                covered += f64::from(u8::from(value.interval(Level::P95).contains(truth)));
                covered_contrast += f64::from(u8::from(contrast.interval(Level::P95).contains(0.0)));
                squares += (value.mean - truth).powi(2);
                variances += value.se * value.se;
            }
            let of = format!("{units} units, {days} days, {weighting:?}, {answered} answered");
            let [covered, covered_contrast] = [covered, covered_contrast].map(|count| count / answered);
            if answered < 500.0 {
                continue;
            }
            measured += 1;
            println!("{of}: {covered:.4} {covered_contrast:.4} {:.4}", variances / squares);
            assert!(covered > 0.93 && covered_contrast > 0.93, "{of}: {covered:.4} {covered_contrast:.4}");
            // The variance is not too small, be it by 1/n.
            assert!(variances > 0.93 * squares, "{of}: {:.4}", variances / squares);
        }
    }
    assert!(measured >= 8, "{measured}");
}

/// With one share for all, the three are the mean of the arm's units, and two of them have its very error.
#[test]
fn one_share_is_the_error_of_a_mean() {
    let (first, second) = (vec![1.0, 4.0, 2.5, 7.0, 3.0], vec![2.0, 6.0, 5.0, 1.0, 3.5]);
    let plain = eval::mean(&first).unwrap();
    let known = periods(&[(0.5, first, second)]);
    for weighting in [Weighting::Period, Weighting::SelfNormalised] {
        let ours = known.value(0, weighting).unwrap();
        let (ours, exact) = (ours.interval(Level::P95), plain.interval(Level::P95));
        assert!((ours.low - exact.low).abs() < 1e-12 && (ours.high - exact.high).abs() < 1e-12);
    }
}

/// The error of an adjusted lift takes the ratio of the raw means where the delta method has that of the adjusted ones. How far
/// off that is, is said at `Adjusted::effect`: 2 % with 60 units an arm, 0.2 % with 6,000, and in no direction.
#[test]
fn the_error_of_an_adjusted_lift_is_off_by_as_much_as_is_said() {
    let off = |units: u32, seed: u64| -> f64 {
        let mut random = Random(seed);
        let mut arm = |effect: f64| -> Vec<[f64; 2]> {
            let of = |_| {
                let before = random.normal();
                [5.0 + effect + before + random.normal(), before]
            };
            (0..units).map(of).collect()
        };
        let (control, treatment) = (arm(0.0), arm(0.5));
        let joint = |rows: &[[f64; 2]]| {
            let column = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<_>>();
            JointMoments::of(&[&column(0), &column(1)]).unwrap()
        };
        let ours = cuped(&joint(&control), &joint(&treatment)).unwrap();
        let lift = ours.effect().unwrap().lift.unwrap();
        // The lift is D/m with D = (t̄ - θx̄_t) - (c̄ - θx̄_c): control's mean moves it by -(1 + lift)/m, its covariate by θ/m.
        let theta = ours.theta()[0];
        let moments = |rows: &[[f64; 2]], weights: [f64; 2]| {
            let values: Vec<f64> = rows.iter().map(|r| weights[0] * r[0] + weights[1] * r[1]).collect();
            Moments::of(&values).unwrap()
        };
        let m = moments(&control, [1.0, 0.0]).mean().unwrap();
        let of_mean = |moments: Moments| moments.variance().unwrap() / moments.n() as f64;
        let variance = of_mean(moments(&treatment, [1.0, -theta]))
            + of_mean(moments(&control, [1.0 + lift.value(), -theta]));
        lift.se() / (variance.sqrt() / m) - 1.0
    };
    let of = |units: u32| {
        let off: Vec<f64> = (0..300).map(|seed| off(units, seed)).collect();
        let mean = |values: &dyn Fn(f64) -> f64| off.iter().map(|x| values(*x)).sum::<f64>() / 300.0;
        (mean(&f64::abs), mean(&|x| x).abs())
    };
    let (few, many) = (of(60), of(6_000));
    println!("off by {few:?} with 60 units an arm, {many:?} with 6,000");
    assert!((0.01..0.025).contains(&few.0) && few.1 < 0.3 * few.0, "{few:?}");
    assert!(many.0 < 0.002 && many.1 < 0.3 * many.0, "{many:?}");
}

/// A judge's scores narrow what labelled items say, but not by more than so few items can know.
#[test]
fn a_mean_rectified_by_few_labels_is_as_uncertain_as_they_are() {
    for labelled in [10, 20, 50] {
        let mut random = Random(7);
        let (mut covered, runs) = (0u32, 4_000);
        for _ in 0..runs {
            let (mut truth, mut judge, mut others) = (Vec::new(), Vec::new(), Vec::new());
            for item in 0..labelled + 200 {
                let score = random.normal();
                let verdict = 0.4 + 0.7 * score + 0.5 * random.normal();
                if item < labelled {
                    truth.push(score);
                    judge.push(verdict);
                } else {
                    others.push(verdict);
                }
            }
            let ours = eval::prediction_powered(&truth, &judge, &others).unwrap();
            assert_eq!(ours.caution().is_some(), labelled < 30, "{labelled} labelled");
            covered += u32::from(ours.interval(Level::P95).contains(0.0));
        }
        println!("{labelled} labelled: {covered} of {runs}");
        // 95 % of 4,000, and three standard errors.
        assert!(covered >= 3_758, "{labelled} labelled: {covered} of {runs}");
    }
    let few = [1.0, 2.0, 4.0];
    assert_eq!(
        eval::prediction_powered(&few, &few, &few).unwrap_err().to_string(),
        "too little data: `3` labelled items, this method needs `10`"
    );
}

/// Hundreds of scores are as few as their passes are rare: 200 labels at 2 % cover 89 to 91 %, and say so.
#[test]
fn scores_that_are_skewed_are_told() {
    let passes = |n: usize, every: usize| -> Vec<f64> {
        (0..n).map(|i| f64::from(u8::from(i % every == 0))).collect()
    };
    let told = |estimate: Result<Estimate, Refusal>| match estimate.unwrap().caution() {
        Some(Caution::FewUnits { worth }) => Some(worth.round()),
        other => {
            assert_eq!(other, None);
            None
        }
    };
    // 200 · 0.02 · 0.98/0.96².
    assert_eq!(told(eval::mean(&passes(200, 50))), Some(4.0));
    assert_eq!(told(eval::mean(&passes(2_000, 50))), None);
    assert_eq!(told(eval::mean(&passes(12, 2))), None);
    let paired = |n: usize, every| eval::paired(&vec![0.0; n], &passes(n, every)).map(|both| both.difference);
    assert_eq!(told(paired(200, 50)), Some(4.0));
    assert_eq!(told(paired(2_000, 50)), None);
    let clusters: Vec<u64> = (0..400).map(|i| i / 2).collect();
    assert_eq!(told(eval::clustered_mean(&passes(400, 100), &clusters)), Some(4.0));
    assert_eq!(told(eval::clustered_mean(&passes(400, 3), &clusters)), None);
    let judged = |n: usize, every: usize| {
        eval::prediction_powered(&passes(n, every), &passes(n, every + 1), &passes(5_000, every + 1))
    };
    assert!(told(judged(200, 50)).is_some_and(|worth| worth < 8.0));
    assert_eq!(told(judged(2_000, 50)), None);
    assert_eq!(told(judged(60, 2)), None);
    assert_eq!(told(judged(20, 2)), Some(20.0));
}

/// A result says by itself what speaks against it, where its method can see that.
#[test]
fn results_carry_their_cautions() {
    let rate = |x, n| Proportion::new(x, n).unwrap();
    let rare = two_proportions(&rate(3, 1_000), &rate(5, 900), Level::P95).unwrap();
    assert!(matches!(rare.caution, Some(Caution::Rare { arm: Arm::Treatment, .. })), "{rare:?}");
    assert_eq!(two_proportions(&rate(30, 1_000), &rate(50, 900), Level::P95).unwrap().caution, None);
    let (few, others) = (rate(1, 1_000), rate(3, 1_000));
    for ours in [
        proportions::unpooled(&few, &others),
        proportions::log_ratio(&few, &others),
        proportions::pooled_log_ratio(&few, &others),
    ] {
        assert!(matches!(ours.unwrap().caution(), Some(Caution::Rare { .. })));
    }
    let corrected = proportions::corrected_z(&few, &others, Level::P95).unwrap();
    assert!(matches!(corrected.caution, Some(Caution::Rare { .. })));
    let (some, more) = (rate(30, 1_000), rate(40, 1_000));
    assert_eq!(proportions::unpooled(&some, &more).unwrap().caution(), None);
    assert_eq!(proportions::log_ratio(&some, &more).unwrap().caution(), None);
    // The wire form has it, and leaves it out where there is none.
    let wire = serde_json::to_value(&rare).unwrap();
    assert_eq!(wire["caution"]["code"], "rare");
    assert_eq!(serde_json::from_value::<Comparison>(wire).unwrap(), rare);

    let few = |clusters: u64| -> (Vec<f64>, Vec<u64>) {
        (0..clusters * 20)
            .map(|i| (((i * i) % 17) as f64 + (i % clusters) as f64 / 9.0, i % clusters))
            .unzip()
    };
    let worth = |caution: Option<Caution>| match caution {
        Some(Caution::FewClusters { worth }) => worth.round(),
        other => panic!("{other:?}"),
    };
    let ((y, of_y), (z, of_z)) = (few(12), few(10));
    assert_eq!(worth(eval::clustered_mean(&y, &of_y).unwrap().caution()), 12.0);
    let quantiles = |(y, of): &(Vec<f64>, Vec<u64>)| QuantileArm::of_clustered(y, of, 0.5).unwrap();
    let both =
        compare(&quantiles(&(y.clone(), of_y.clone())), &quantiles(&(z.clone(), of_z.clone()))).unwrap();
    assert_eq!(worth(both.difference.caution()), 20.0);
    assert_eq!(worth(both.lift.unwrap().caution()), 20.0);
    let totals = [(&y, &of_y), (&z, &of_z)].map(|(y, of)| cluster::totals(y, of).unwrap());
    assert_eq!(worth(cluster::compare(&totals[0], &totals[1]).unwrap().difference.caution()), 20.0);
    let x: Vec<f64> = (0..y.len()).map(|i| (i % 7) as f64).collect();
    let fit = Regression::fit(&y, &[&x]).unwrap();
    let by = |correction| {
        let errors = Errors::Clustered { clusters: &of_y, correction };
        fit.covariance(errors).unwrap().estimate(1).unwrap().caution()
    };
    assert_eq!(worth(by(Correction::Hc1)), 12.0);
    assert_eq!(by(Correction::Cr2), None);
    // Two ways are as certain as the one that is worth less.
    let wide: Vec<u64> = (0..y.len() as u64).map(|i| i % 30).collect();
    for errors in [Errors::TwoWay { a: &wide, b: &of_y }, Errors::TwoWay { a: &of_y, b: &wide }] {
        assert_eq!(worth(fit.covariance(errors).unwrap().estimate(1).unwrap().caution()), 12.0);
    }
    let many = few(60);
    assert_eq!(eval::clustered_mean(&many.0, &many.1).unwrap().caution(), None);
    let plain = QuantileArm::of(&y, 0.5).unwrap();
    assert_eq!(compare(&plain, &plain).unwrap().difference.caution(), None);
    // It stays with what is made of the estimate, and nothing takes it back.
    let ours = eval::clustered_mean(&y, &of_y).unwrap();
    assert_eq!(ours.with_caution(Caution::of_means(&y, &y).unwrap()).caution(), ours.caution());
    assert_eq!(ours.as_normal().caution(), ours.caution());
    let again: Estimate = serde_json::from_str(&serde_json::to_string(&ours).unwrap()).unwrap();
    assert_eq!(again.caution(), ours.caution());
}

/// Looks count from 0, and who counts from 1 is told.
#[test]
fn a_look_that_is_not_planned_is_told_how_looks_count() {
    let spending = Boundary::Spending(Spending::OBrienFleming);
    let design = Design::new(&Looks::equal(5).unwrap(), Level::P95, Sides::Two, spending).unwrap();
    let message = "the number of a look, counted from `0`, must lie among the planned `0` to `4`: `5`";
    assert_eq!(design.decide(5, 1.0).unwrap_err().to_string(), message);
    assert_eq!(design.outcome(5, 1.0, 0.1).unwrap_err().to_string(), message);
    assert_eq!(design.repeated_interval(5, 1.0, 0.1).unwrap_err().to_string(), message);
}
