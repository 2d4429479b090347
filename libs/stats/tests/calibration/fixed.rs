//! Methods of one look: tests, plans, several hypotheses and checks of validity.

use super::simulation::{Promise, Random, Row, count, runs};
use bellwether_stats::counts::{self, Count};
use bellwether_stats::multiplicity::{Adjustment, adjust, dunnett_critical};
use bellwether_stats::planning::student::{self, Tails};
use bellwether_stats::planning::{Design, non_inferiority, sample_size_of_proportions, survival as plan};
use bellwether_stats::proportions::{fisher, miettinen_nurminen, score_test};
use bellwether_stats::rank::{Correction, brunner_munzel, mann_whitney};
use bellwether_stats::special::normal;
use bellwether_stats::survival::{Observation, log_rank};
use bellwether_stats::validity::{Trend, balance};
use bellwether_stats::{
    Alternative, Arm, JointMoments, Level, Moments, Proportion, Sides, Variances, difference, lift,
    log_ratio, newcombe, two_proportions, wilson,
};

const TWO_SIDED: Alternative = Alternative::TwoSided;
const LEVEL: Level = Level::P95;

/// Successes among `n` at a rate.
fn hits(random: &mut Random, n: u64, rate: f64) -> Proportion {
    let hits = (0..n).filter(|_| random.happens(rate)).count() as u64;
    Proportion::new(hits, n).unwrap()
}

fn values(random: &mut Random, n: usize, draw: fn(&mut Random) -> f64) -> Vec<f64> {
    (0..n).map(|_| draw(random)).collect()
}

/// A log-normal value whose variance is a hundred times its squared mean or so: revenue of few big buyers.
fn heavy(random: &mut Random) -> f64 {
    (2.0 * random.normal()).exp()
}

/// A Poisson count by the products of uniforms.
fn poisson(random: &mut Random, mean: f64) -> u64 {
    let (mut product, mut events) = (random.uniform(), 0);
    while product > (-mean).exp() {
        product *= random.uniform();
        events += 1;
    }
    events
}

fn row(
    method: &'static str,
    condition: &str,
    promise: Promise,
    nominal: f64,
    runs: u64,
    hit: impl Fn(&mut Random) -> bool,
) -> Row {
    Row::new(method, condition, promise, nominal, count(runs, hit), runs)
}

/// How often a true null is rejected.
pub(crate) fn errors_of_the_first_kind() -> Vec<Row> {
    let runs = runs(2_000);
    let rejected = |p: f64| p < LEVEL.alpha();
    vec![
        row("two proportions, z", "rate 30 %, 400 against 700", Promise::Exactly, 0.05, runs, |random| {
            let (c, t) = (hits(random, 400, 0.3), hits(random, 700, 0.3));
            rejected(two_proportions(&c, &t, LEVEL).unwrap().p)
        }),
        row("Fisher", "rate 5 %, 100 an arm", Promise::AtMost, 0.05, runs, |random| {
            let (c, t) = (hits(random, 100, 0.05), hits(random, 100, 0.05));
            rejected(fisher(&c, &t, TWO_SIDED).unwrap().p)
        }),
        row(
            "non-inferiority by score",
            "at the margin, 20 % against 17 %, 300 an arm",
            Promise::Exactly,
            0.05,
            runs,
            |random| {
                let (c, t) = (hits(random, 300, 0.2), hits(random, 300, 0.17));
                rejected(score_test(&c, &t, -0.03, Alternative::Greater).unwrap().p)
            },
        ),
        row("Welch", "normal, 12 of sd 1 against 30 of sd 3", Promise::Exactly, 0.05, runs, |random| {
            let c = Moments::of(&values(random, 12, Random::normal)).unwrap();
            let t = Moments::of(&values(random, 30, |r| 3.0 * r.normal())).unwrap();
            rejected(difference(&c, &t, Variances::Unequal).unwrap().test(0.0, TWO_SIDED).unwrap().p)
        }),
        row("Student, pooled", "normal, 12 against 30, one sd", Promise::Exactly, 0.05, runs, |random| {
            let c = Moments::of(&values(random, 12, Random::normal)).unwrap();
            let t = Moments::of(&values(random, 30, Random::normal)).unwrap();
            rejected(difference(&c, &t, Variances::Equal).unwrap().test(0.0, TWO_SIDED).unwrap().p)
        }),
        row(
            "Poisson rates, score",
            "mean 20 against 40, exposure 1 to 2",
            Promise::Exactly,
            0.05,
            runs,
            |random| {
                let c = Count::new(poisson(random, 20.0), 1.0).unwrap();
                let t = Count::new(poisson(random, 40.0), 2.0).unwrap();
                rejected(counts::score(&c, &t, 1.0, TWO_SIDED).unwrap().p)
            },
        ),
        row("Poisson rates, exact", "mean 8 an arm", Promise::AtMost, 0.05, runs, |random| {
            let c = Count::new(poisson(random, 8.0), 1.0).unwrap();
            let t = Count::new(poisson(random, 8.0), 1.0).unwrap();
            rejected(counts::exact_conditional(&c, &t, 1.0, TWO_SIDED).unwrap().p)
        }),
        row("Mann-Whitney", "exponential, 30 against 50", Promise::Exactly, 0.05, runs, |random| {
            let c = values(random, 30, |r| -r.uniform().ln());
            let t = values(random, 50, |r| -r.uniform().ln());
            rejected(mann_whitney(&c, &t, TWO_SIDED, Correction::None).unwrap().test.p)
        }),
        row("Brunner-Munzel", "sd 1 against sd 4, 60 against 25", Promise::Exactly, 0.05, runs, |random| {
            let c = values(random, 60, Random::normal);
            let t = values(random, 25, |r| 4.0 * r.normal());
            rejected(brunner_munzel(&c, &t, TWO_SIDED).unwrap().p)
        }),
        row(
            "log-rank",
            "exponential times, a third lost, 100 an arm",
            Promise::Exactly,
            0.05,
            runs,
            |random| {
                let [c, t] = [1.0, 1.0].map(|hazard| times(random, 100, hazard));
                rejected(log_rank(&c, &t, TWO_SIDED).unwrap().test.p)
            },
        ),
        row(
            "balance, Hotelling",
            "three correlated covariates, 60 an arm",
            Promise::Exactly,
            0.05,
            runs,
            |random| {
                let mut arm = || {
                    let common = values(random, 60, Random::normal);
                    let own: [Vec<f64>; 3] =
                        [0; 3].map(|_| common.iter().map(|x| x + random.normal()).collect());
                    JointMoments::of(&own.each_ref().map(Vec::as_slice)).unwrap()
                };
                let (c, t) = (arm(), arm());
                rejected(balance(&c, &t, LEVEL).unwrap().p)
            },
        ),
        row(
            "novelty trend",
            "days of a unit alike, 80 units an arm, a constant effect",
            Promise::Exactly,
            0.05,
            runs,
            |random| {
                let mut trend = Trend::new(7).unwrap();
                for (arm, effect) in [(Arm::Control, 0.0), (Arm::Treatment, 0.5)] {
                    for _ in 0..80 {
                        let own = random.normal() + effect;
                        let days: Vec<f64> = (0..7).map(|_| own + 0.5 * random.normal()).collect();
                        trend.push(arm, &days).unwrap();
                    }
                }
                rejected(trend.result(LEVEL).unwrap().slope.test(0.0, TWO_SIDED).unwrap().p)
            },
        ),
    ]
}

/// Event times of which about a third is lost before.
fn times(random: &mut Random, n: usize, hazard: f64) -> Vec<Observation> {
    (0..n)
        .map(|_| {
            let (event, loss) = (-random.uniform().ln() / hazard, -2.0 * random.uniform().ln());
            Observation { time: event.min(loss), happened: event <= loss }
        })
        .collect()
}

/// How often an interval holds the truth.
pub(crate) fn coverage() -> Vec<Row> {
    let runs = runs(2_000);
    let pair = |random: &mut Random| {
        let arm = |random: &mut Random, mean: f64| {
            Moments::of(&(0..100).map(|_| mean + random.normal()).collect::<Vec<_>>()).unwrap()
        };
        (arm(random, 1.0), arm(random, 1.5))
    };
    vec![
        row(
            "two proportions, Wald",
            "20 % against 22 %, 1,000 an arm",
            Promise::Exactly,
            0.95,
            runs,
            |random| {
                let (c, t) = (hits(random, 1_000, 0.2), hits(random, 1_000, 0.22));
                two_proportions(&c, &t, LEVEL).unwrap().interval.contains(0.02)
            },
        ),
        row("Miettinen-Nurminen", "4 % against 8 %, 100 an arm", Promise::AtLeast, 0.945, runs, |random| {
            let (c, t) = (hits(random, 100, 0.04), hits(random, 100, 0.08));
            miettinen_nurminen(&c, &t, LEVEL).unwrap().contains(0.04)
        }),
        row("Newcombe", "4 % against 8 %, 100 an arm", Promise::AtLeast, 0.945, runs, |random| {
            let (c, t) = (hits(random, 100, 0.04), hits(random, 100, 0.08));
            newcombe(&c, &t, LEVEL).unwrap().contains(0.04)
        }),
        row("Wilson", "5 %, 200 units", Promise::AtLeast, 0.94, runs, |random| {
            wilson(&hits(random, 200, 0.05), LEVEL).unwrap().contains(0.05)
        }),
        row("lift, delta", "baseline 1 ± 0.1, lift of a half", Promise::AtLeast, 0.94, runs, |random| {
            let (c, t) = pair(random);
            lift(&c, &t).unwrap().interval(LEVEL).contains(0.5)
        }),
        row(
            "ratio on the log scale",
            "baseline 1 ± 0.1, ratio 1.5",
            Promise::AtLeast,
            0.94,
            runs,
            |random| {
                let (c, t) = pair(random);
                log_ratio(&c, &t, Variances::Unequal).unwrap().interval(LEVEL).contains(1.5f64.ln())
            },
        ),
        row("Welch", "exponential, 200 an arm", Promise::Exactly, 0.95, runs, |random| {
            let c = Moments::of(&values(random, 200, |r| -r.uniform().ln())).unwrap();
            let t = Moments::of(&values(random, 200, |r| -r.uniform().ln())).unwrap();
            difference(&c, &t, Variances::Unequal).unwrap().interval(LEVEL).contains(0.0)
        }),
        row("exact ratio of rates", "mean 5 against 10", Promise::AtLeast, 0.95, runs, |random| {
            let c = Count::new(poisson(random, 5.0), 1.0).unwrap();
            let t = Count::new(poisson(random, 10.0), 1.0).unwrap();
            counts::exact_ratio(&c, &t, LEVEL).map_or(true, |interval| interval.contains(2.0))
        }),
    ]
}

/// Where assumptions hurt: the coverage is what it is, and is printed.
pub(crate) fn where_it_hurts() -> Vec<Row> {
    let runs = runs(1_000);
    // The mean of a log-normal with sd 2 of its logarithm is e²; treatment is twice that.
    let truth = 2.0f64.exp();
    let heavy_tailed = move |random: &mut Random, n: usize| {
        let c = Moments::of(&values(random, n, heavy)).unwrap();
        let t = Moments::of(&values(random, n, |r| 2.0 * heavy(r))).unwrap();
        difference(&c, &t, Variances::Unequal).unwrap().interval(LEVEL).contains(truth)
    };
    vec![
        row(
            "Welch",
            "log-normal of sd 2 (heavy tail), treatment doubled, 50 an arm",
            Promise::None,
            0.95,
            runs,
            move |r| heavy_tailed(r, 50),
        ),
        row(
            "Welch",
            "log-normal of sd 2 (heavy tail), treatment doubled, 1,000 an arm",
            Promise::None,
            0.95,
            runs,
            move |r| heavy_tailed(r, 1_000),
        ),
        row(
            "two proportions, Wald",
            "0.5 % against 1 %, 200 an arm (rare)",
            Promise::None,
            0.95,
            runs,
            |random| {
                let (c, t) = (hits(random, 200, 0.005), hits(random, 200, 0.01));
                two_proportions(&c, &t, LEVEL).is_ok_and(|found| found.interval.contains(0.005))
            },
        ),
        row(
            "Miettinen-Nurminen",
            "0.5 % against 1 %, 200 an arm (rare)",
            Promise::None,
            0.95,
            runs,
            |random| {
                let (c, t) = (hits(random, 200, 0.005), hits(random, 200, 0.01));
                miettinen_nurminen(&c, &t, LEVEL).unwrap().contains(0.005)
            },
        ),
        row(
            "Mann-Whitney",
            "equal medians, sd 1 against sd 4, 60 against 25 (not its null)",
            Promise::None,
            0.95,
            runs,
            |random| {
                let c = values(random, 60, Random::normal);
                let t = values(random, 25, |r| 4.0 * r.normal());
                mann_whitney(&c, &t, TWO_SIDED, Correction::None).unwrap().test.p >= LEVEL.alpha()
            },
        ),
    ]
}

/// Plans have the power that they promise.
pub(crate) fn power() -> Vec<Row> {
    let runs = runs(3_000);
    let design = Design::default();
    let rates = sample_size_of_proportions(0.2, 0.3, &design).unwrap().rounded_up();
    let small = student::sample_size(1.0, (1.0, 1.0), Variances::Equal, &design, Tails::Both).unwrap();
    let one_sided = Design::new(LEVEL, 0.8, Sides::One).unwrap();
    let margin = non_inferiority::sample_size_of_proportions(0.3, 0.3, 0.1, &one_sided).unwrap().rounded_up();
    // Without losses every unit has its event.
    let events = plan::events(0.6, &design, plan::Approximation::Schoenfeld).unwrap();
    vec![
        row("plan of rates", "20 % against 30 %, power 80 %", Promise::Exactly, 0.8, runs, |random| {
            let (c, t) = (hits(random, rates.0, 0.2), hits(random, rates.1, 0.3));
            two_proportions(&c, &t, LEVEL).unwrap().p < 0.05
        }),
        row(
            "plan of means, exact t",
            "one sd, 17 an arm, power 80 %",
            Promise::AtLeast,
            0.8,
            runs,
            |random| {
                let n = small.rounded_up().0 as usize;
                let c = Moments::of(&values(random, n, Random::normal)).unwrap();
                let t = Moments::of(&values(random, n, |r| 1.0 + r.normal())).unwrap();
                difference(&c, &t, Variances::Equal).unwrap().test(0.0, TWO_SIDED).unwrap().p < 0.05
            },
        ),
        row(
            "plan of non-inferiority",
            "30 % against 30 %, margin 10 points, power 80 %",
            Promise::Exactly,
            0.8,
            runs,
            |random| {
                let (c, t) = (hits(random, margin.0, 0.3), hits(random, margin.1, 0.3));
                score_test(&c, &t, -0.1, Alternative::Greater).unwrap().p < 0.05
            },
        ),
        row(
            "plan of a log-rank test",
            "hazard ratio 0.6, power 80 %",
            // Schoenfeld's formula is of first order in ln HR: a little short for a ratio as far from 1 as this.
            Promise::Within(0.01),
            0.8,
            runs,
            |random| {
                let n = (events / 2.0).ceil() as usize;
                let mut arm = |hazard: f64| -> Vec<Observation> {
                    (0..n)
                        .map(|_| Observation { time: -random.uniform().ln() / hazard, happened: true })
                        .collect()
                };
                let (c, t) = (arm(1.0), arm(0.6));
                log_rank(&c, &t, TWO_SIDED).unwrap().test.p < 0.05
            },
        ),
    ]
}

/// Whether any of several true nulls is rejected.
pub(crate) fn families() -> Vec<Row> {
    let runs = runs(4_000);
    let critical = dunnett_critical(&[1.0; 5], LEVEL, Sides::Two).unwrap();
    // Four arms against one control: z statistics that share it.
    let z = |random: &mut Random| -> [f64; 4] {
        let control = random.normal();
        [0; 4].map(|_| (random.normal() - control) / 2f64.sqrt())
    };
    let adjusted = move |by: Adjustment| {
        move |random: &mut Random| {
            let p = z(random).map(|z| 2.0 * normal::sf(z.abs()));
            adjust(&p, by).unwrap().iter().any(|p| *p < 0.05)
        }
    };
    vec![
        row("Dunnett", "four arms and one control", Promise::Exactly, 0.05, runs, move |random| {
            z(random).iter().any(|z| z.abs() > critical)
        }),
        row("Holm", "four arms and one control", Promise::AtMost, 0.05, runs, adjusted(Adjustment::Holm)),
        row(
            "Hochberg",
            "four arms and one control",
            Promise::AtMost,
            0.05,
            runs,
            adjusted(Adjustment::Hochberg),
        ),
        row(
            "Benjamini-Hochberg",
            "four arms and one control, all nulls true",
            Promise::AtMost,
            0.05,
            runs,
            adjusted(Adjustment::BenjaminiHochberg),
        ),
    ]
}
