//! Methods for many looks: always-valid ones peeked at a thousand times, group-sequential ones at theirs.

use super::simulation::{Promise, Random, Row, count, runs};
use bellwether_stats::bandit::{Floor, Period, Periods, Rule, Weighting, weights_of_means};
use bellwether_stats::bayes::{NormalPosterior, Prior, Scale};
use bellwether_stats::group_sequential::{Binding, Boundary, Decision, Design, Futility, Looks, Spending};
use bellwether_stats::sequential::{
    Betting, Bounds, EProcess, EmpiricalBernstein, Epoch, Mixture, OverEpochs, assignment_score,
    bernoulli_interval,
};
use bellwether_stats::{
    ConfidenceSequence, Direction, Level, Moments, NormalMixture, Proportion, SampleRatioSequence, Sides,
    Tuning,
};

const PEEKS: u64 = 1_000;

/// Each is looked at after every value or batch, a thousand times, without an effect.
pub(crate) fn peeked_at_a_thousand_times() -> Vec<Row> {
    let level = Level::P95;
    let runs = runs(200);
    let row = |method, condition: &str, runs: u64, crossed: &dyn Fn(&mut Random) -> bool| {
        Row::new(method, condition, Promise::AtMost, 0.05, count(runs, crossed), runs)
    };
    vec![
        row("normal mixture (mSPRT)", "normal values, 10 a look", runs, &|random| {
            let mixture = NormalMixture::new(1e-3).unwrap();
            let mut process = EProcess::default();
            let (mut sum, mut n) = (0.0, 0.0);
            (0..PEEKS).any(|_| {
                (sum, n) = (sum + random.normal() * 10f64.sqrt(), n + 10.0);
                process.observe(mixture.e_value(sum / n, 1.0 / n).unwrap());
                process.rejects(level)
            })
        }),
        row("asymptotic confidence sequence", "exponential values in two arms, 10 a look", runs, &|random| {
            let sequence = ConfidenceSequence::new(level, Tuning::default(), Sides::Two);
            let mut arms = [Moments::EMPTY; 2];
            (0..PEEKS).any(|look| {
                for _ in 0..10 {
                    arms[usize::from(random.happens(0.5))].push(-random.uniform().ln()).unwrap();
                }
                // From a hundred units in an arm on, as a guard does.
                look >= 25
                    && OverEpochs::new(&[Epoch { control: arms[0], treatment: arms[1] }])
                        .is_ok_and(|d| d.estimate().abs() > sequence.half_width(d.se(), d.n()).unwrap())
            })
        }),
        row("one-sided normal mixture", "normal values, 10 a look", runs, &|random| {
            let mixture = Mixture::normal(Sides::One, 2_000.0, level).unwrap();
            let (mut sum, mut v) = (0.0, 0.0);
            (0..PEEKS).any(|_| {
                (sum, v) = (sum + random.normal() * 10f64.sqrt(), v + 10.0);
                mixture.e_value(sum, v).unwrap().rejects(level)
            })
        }),
        row("gamma-Poisson mixture", "counts of two a look", runs, &|random| {
            let mixture = Mixture::gamma_poisson(500.0, 1.0, level).unwrap();
            let (mut sum, mut v) = (0.0, 0.0);
            (0..PEEKS).any(|_| {
                let mut product = random.uniform();
                while product > (-2f64).exp() {
                    product *= random.uniform();
                    sum += 1.0;
                }
                (sum, v) = (sum - 2.0, v + 2.0);
                mixture.e_value(sum, v).unwrap().rejects(level)
            })
        }),
        row("gamma-exponential mixture", "exponential values, one a look", runs, &|random| {
            let mixture = Mixture::gamma_exponential(500.0, 1.0, level).unwrap();
            let (mut sum, mut v) = (0.0, 0.0);
            (0..PEEKS).any(|_| {
                (sum, v) = (sum - random.uniform().ln() - 1.0, v + 1.0);
                mixture.e_value(sum, v).unwrap().rejects(level)
            })
        }),
        row("Bernoulli interval", "rate 1 %, from the first unit", runs / 2, &|random| {
            let mut rate = Proportion::default();
            (0..PEEKS).any(|_| {
                rate = rate.merge(&Proportion::new(u64::from(random.happens(0.01)), 1).unwrap());
                !bernoulli_interval(&rate, 500.0, level, level).unwrap().contains(0.01)
            })
        }),
        row("betting confidence sequence", "rate 2 %, from the first unit", runs / 4, &|random| {
            let mut sequence = Betting::new(Bounds::new(0.0, 1.0).unwrap(), level);
            (0..PEEKS).any(|_| {
                sequence.observe(f64::from(u8::from(random.happens(0.02)))).unwrap();
                !sequence.interval().contains(0.02)
            })
        }),
        row("empirical-Bernstein sequence", "two arms by scores, share 10 % then 50 %", runs, &|random| {
            let bounds = Bounds::new(0.0, 1.0).unwrap().of_scores(0.1).unwrap();
            let mut sequence = EmpiricalBernstein::new(bounds, level);
            (0..PEEKS).any(|look| {
                let (share, value) = (if look < 300 { 0.1 } else { 0.5 }, random.uniform().powi(4));
                let score = assignment_score(value, random.happens(share), share).unwrap();
                sequence.observe(score).unwrap();
                !sequence.interval().contains(0.0)
            })
        }),
        row("over epochs", "share 10 % then 50 %, a metric that rises", runs, &|random| {
            let mut epochs = [Epoch { control: Moments::EMPTY, treatment: Moments::EMPTY }; 2];
            (0..PEEKS).any(|look| {
                let epoch = usize::from(look >= 400);
                for _ in 0..10 {
                    let value = random.normal() + 3.0 * epoch as f64;
                    let Epoch { control, treatment } = &mut epochs[epoch];
                    let arm = if random.happens([0.1, 0.5][epoch]) { treatment } else { control };
                    arm.push(value).unwrap();
                }
                OverEpochs::new(&epochs)
                    .is_ok_and(|d| !d.interval(level, Tuning::default()).unwrap().contains(0.0))
            })
        }),
        row("over epochs", "shares of 5 to 70 %, a rate from 1 to 5 %, 2 units a look", runs, &|random| {
            let mut epochs = [Epoch { control: Moments::EMPTY, treatment: Moments::EMPTY }; 5];
            (0..PEEKS).any(|look| {
                let epoch = look as usize / 200;
                for _ in 0..2 {
                    let value = f64::from(u8::from(random.happens(0.01 * (1 + epoch) as f64)));
                    let Epoch { control, treatment } = &mut epochs[epoch];
                    let arm =
                        if random.happens([0.3, 0.05, 0.4, 0.5, 0.7][epoch]) { treatment } else { control };
                    arm.push(value).unwrap();
                }
                OverEpochs::new(&epochs)
                    .is_ok_and(|d| !d.interval(level, Tuning::default()).unwrap().contains(0.0))
            })
        }),
        row("sequential sample ratio", "shares as planned, 100 units a look", runs / 4, &|random| {
            let mut check = SampleRatioSequence::new(&[0.5, 0.5]).unwrap();
            (0..PEEKS).any(|_| {
                let first = (0..100).filter(|_| random.happens(0.5)).count() as u64;
                check.observe(&[first, 100 - first]).unwrap() < 0.05
            })
        }),
    ]
}

/// `Z` at each look, under a drift.
fn path(random: &mut Random, shares: &[f64], drift: f64) -> Vec<f64> {
    let (mut score, mut before) = (0.0, 0.0);
    let step = |&t: &f64| {
        score += drift * (t - before) + random.normal() * (t - before).sqrt();
        before = t;
        score / t.sqrt()
    };
    shares.iter().map(step).collect()
}

/// The look at which a path stops, and how.
fn stop(design: &Design, path: &[f64]) -> (usize, Decision) {
    let decided = path.iter().enumerate().map(|(k, &z)| (k, design.decide(k, z).unwrap()));
    decided.into_iter().find(|(_, decision)| *decision != Decision::RunOn).unwrap()
}

/// Error rates and power as designed; intervals and estimates after stopping as they say.
pub(crate) fn group_sequential() -> Vec<Row> {
    let many = runs(10_000);
    let few = runs(60);
    let looks = Looks::new(&[0.2, 0.35, 0.7, 0.72, 1.0]).unwrap();
    let one = Level::from_alpha(0.025).unwrap();
    let by = |f, level, sides| Design::new(&looks, level, sides, Boundary::Spending(f)).unwrap();
    let futility = Futility {
        spending: Spending::HwangShihDeCani(-2.0),
        power: 0.8,
        binding: Binding::Binding,
        drift: None,
    };
    let hsd = by(Spending::HwangShihDeCani(-4.0), one, Sides::One);
    let designs = [
        ("two-sided, O'Brien-Fleming spending", by(Spending::OBrienFleming, Level::P95, Sides::Two)),
        ("two-sided, Pocock spending", by(Spending::Pocock, Level::P95, Sides::Two)),
        ("one-sided, Kim-DeMets spending", by(Spending::KimDeMets(2.0), one, Sides::One)),
        ("one-sided, binding futility", hsd.with_futility(futility).unwrap()),
    ];
    let mut rows = Vec::new();
    for (name, design) in &designs {
        let shares = looks.shares();
        let effect = |drift: f64| {
            count(many, |random| {
                let path = path(random, shares, drift);
                let (k, decision) = stop(design, &path);
                decision == Decision::Effect && (drift == 0.0 || path[k] > 0.0)
            })
        };
        let alpha = *design.spent().last().unwrap();
        rows.push(Row::new(
            "group-sequential",
            format!("{name}: no effect"),
            Promise::Exactly,
            alpha,
            effect(0.0),
            many,
        ));
        let drift = design.drift(0.8).unwrap();
        rows.push(Row::new(
            "group-sequential",
            format!("{name}: power"),
            Promise::Exactly,
            0.8,
            effect(drift),
            many,
        ));
        let (mut covered, mut above) = (0, 0);
        for seed in 0..few {
            let path = path(&mut Random(1_000_000 + seed), shares, 0.6 * drift);
            let (k, _) = stop(design, &path);
            // Unit information at the end: the effect is the drift, and se = 1/√t.
            let se = shares[k].sqrt().recip();
            let outcome = design.outcome(k, path[k] * se, se).unwrap();
            covered += u64::from(outcome.interval.contains(0.6 * drift));
            above += u64::from(outcome.estimate > 0.6 * drift);
        }
        let name_of = |what: &str| format!("{name}: {what} after stopping");
        rows.push(Row::new(
            "group-sequential",
            name_of("95 % interval"),
            Promise::Exactly,
            0.95,
            covered,
            few,
        ));
        rows.push(Row::new(
            "group-sequential",
            name_of("estimate too large"),
            Promise::Exactly,
            0.5,
            above,
            few,
        ));
    }
    rows
}

/// Credible intervals cover where the prior is true, whatever is selected by them.
pub(crate) fn bayesian() -> Vec<Row> {
    let runs = runs(4_000);
    let prior = Prior::normal(0.01, 4e-4, Scale::Absolute).unwrap();
    let (mut covered, mut picked, mut picked_covered) = (0, 0, 0);
    for seed in 0..runs {
        let mut random = Random(seed);
        let effect = 0.01 + 0.02 * random.normal();
        let se = 0.005 + 0.03 * random.uniform();
        let posterior = NormalPosterior::new(effect + se * random.normal(), se, &prior).unwrap();
        let inside = u64::from(posterior.interval(Level::P95).contains(effect));
        covered += inside;
        if posterior.chance_above(0.0).unwrap() > 0.95 {
            picked += 1;
            picked_covered += inside;
        }
    }
    vec![
        Row::new("normal posterior", "effects from the prior", Promise::Exactly, 0.95, covered, runs),
        Row::new("normal posterior", "winners only", Promise::Exactly, 0.95, picked_covered, picked),
    ]
}

/// A bandit that follows its data day by day, on a metric with good and bad days, without a difference
/// between its arms. Returns the pooled difference and both weighted ones with their errors.
pub(crate) fn bandit(seed: u64) -> (f64, [(f64, f64); 2]) {
    let mut random = Random(seed);
    let mut pooled = [Moments::EMPTY; 2];
    let mut periods: Vec<Period> = Vec::new();
    let mut shares = vec![0.5, 0.5];
    for day in 0..8 {
        let level = f64::from(day) * 0.5;
        let mut arms = vec![Moments::EMPTY; 2];
        for _ in 0..300 {
            let arm = usize::from(random.happens(shares[1]));
            arms[arm].push(level + random.normal()).unwrap();
        }
        pooled = [0, 1].map(|i| pooled[i].merge(&arms[i]));
        periods.push(Period { shares, arms });
        let known = Periods::new(&periods).unwrap();
        let beliefs = [0, 1].map(|arm| {
            let value = known.value(arm, Weighting::Period).unwrap();
            NormalPosterior::new(value.mean, value.se, &Prior::FLAT).unwrap()
        });
        let weights = weights_of_means(&beliefs, Rule::Thompson, Direction::Higher).unwrap();
        shares = Floor::Mixed(0.05).apply(&weights).unwrap();
    }
    let known = Periods::new(&periods).unwrap();
    let weighted = [Weighting::Period, Weighting::InverseProbability].map(|weighting| {
        let contrast = known.contrast(0, 1, weighting).unwrap();
        (contrast.estimate, contrast.se)
    });
    (pooled[1].mean().unwrap() - pooled[0].mean().unwrap(), weighted)
}

/// Intervals of off-policy estimates cover.
pub(crate) fn off_policy() -> Vec<Row> {
    let runs = runs(300);
    let mut covered = [0; 2];
    for seed in 0..runs {
        let (_, weighted) = bandit(seed);
        for (covered, (estimate, se)) in covered.iter_mut().zip(weighted) {
            *covered += u64::from(estimate.abs() <= 1.959_964 * se);
        }
    }
    let condition = "Thompson sampling, days that differ";
    let mut rows = vec![
        Row::new("bandit by period", condition, Promise::AtLeast, 0.95, covered[0], runs),
        Row::new("bandit by inverse probability", condition, Promise::AtLeast, 0.95, covered[1], runs),
    ];
    // Few units, in periods whose shares differ: the value of an arm, by t.
    for (name, weighting, promise) in [
        ("few units by period", Weighting::Period, Promise::Within(0.02)),
        ("few units by inverse probability", Weighting::InverseProbability, Promise::Within(0.02)),
        ("few units, self-normalised", Weighting::SelfNormalised, Promise::Within(0.02)),
    ] {
        let (mut covered, mut given, runs) = (0, 0, 10 * runs);
        for seed in 0..runs {
            let mut random = Random(seed);
            let periods: Vec<Period> = [0.5, 0.3, 0.6]
                .into_iter()
                .enumerate()
                .map(|(day, share)| {
                    let mut arms = vec![Moments::EMPTY; 2];
                    for _ in 0..10 {
                        let arm = usize::from(!random.happens(share));
                        arms[arm].push(day as f64 / 4.0 + random.normal()).unwrap();
                    }
                    Period { shares: vec![share, 1.0 - share], arms }
                })
                .collect();
            if let Ok(value) = Periods::new(&periods).unwrap().value(0, weighting) {
                given += 1;
                covered += u64::from(value.interval(Level::P95).contains(0.25));
            }
        }
        rows.push(Row::new(name, "three periods of 10 units", promise, 0.95, covered, given));
    }
    rows
}
