//! Fixed-horizon intervals: means, ratios, covariates, strata, clusters, series, quantiles, draws, evals.
//! Long because: each method has one simulation here, side by side with those that it is compared with.

use super::simulation::{Promise, Random, Row, count, runs};
use bellwether_stats::adjust::{Effect, cuped, lin, post_stratify, ratio};
use bellwether_stats::design::switchback::{Mechanism, Switchback};
use bellwether_stats::quantile::{QuantileArm, compare};
use bellwether_stats::regression::{Correction, Errors, Regression};
use bellwether_stats::resample::{Bootstrap, Draws, PoissonBootstrap};
use bellwether_stats::{
    Caution, Interval, JointMoments, Level, Moments, Proportion, Refusal, eval, newcombe, robust,
    two_proportions, welch,
};

const LEVEL: Level = Level::P95;

/// How often the interval of an experiment has the truth in it; one that is refused is not counted, and fails here where
/// a promise was made.
pub(crate) fn covers(
    method: &'static str,
    condition: &str,
    promise: Promise,
    runs: u64,
    truth: f64,
    mut interval: impl FnMut(&mut Random) -> Result<Interval, Refusal>,
) -> Row {
    let mut given = 0;
    let covered = count(runs, |random| match interval(random) {
        Ok(interval) => {
            given += 1;
            interval.contains(truth)
        }
        Err(refusal) => {
            assert!(promise == Promise::None, "{method}, {condition}: {refusal}");
            false
        }
    });
    Row::new(method, condition, promise, 0.95, covered, given.max(1))
}

pub(crate) fn draw(random: &mut Random, n: usize, one: impl Fn(&mut Random) -> f64) -> Vec<f64> {
    (0..n).map(|_| one(random)).collect()
}

pub(crate) fn moments(values: &[f64]) -> Moments {
    Moments::of(values).unwrap()
}

fn joint(columns: &[Vec<f64>]) -> JointMoments {
    JointMoments::of(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap()
}

fn of_difference(effect: Result<Effect, Refusal>) -> Result<Interval, Refusal> {
    effect.map(|effect| effect.difference.interval(LEVEL))
}

/// Means and rates, where they are well behaved and where they are not.
pub(crate) fn means() -> Vec<Row> {
    let runs = runs(1_000);
    let by_welch = |c: &[f64], t: &[f64]| Ok(welch(&moments(c), &moments(t), LEVEL)?.interval);
    let log_normal = |sigma: f64| move |r: &mut Random| (sigma * r.normal()).exp();
    let heavy = |r: &mut Random| (2.0 * r.normal()).exp();
    let mut rows = vec![
        covers("welch-t.1", "normal, 12 against 30, spreads 1 and 3", Promise::Exactly, runs, 0.0, |r| {
            let (c, t) = (draw(r, 12, Random::normal), draw(r, 30, |r| 3.0 * r.normal()));
            by_welch(&c, &t)
        }),
        covers("welch-t.1", "exponential, 200 an arm", Promise::Exactly, runs, 0.0, |r| {
            let one = |r: &mut Random| -r.uniform().ln();
            let (c, t) = (draw(r, 200, one), draw(r, 200, one));
            by_welch(&c, &t)
        }),
        covers("lift-delta.1", "exponential, 200 an arm, no effect", Promise::Exactly, runs, 0.0, |r| {
            let one = |r: &mut Random| -r.uniform().ln();
            let (c, t) = (draw(r, 200, one), draw(r, 200, one));
            Ok(welch(&moments(&c), &moments(&t), LEVEL)?.relative?.interval)
        }),
        covers("lift-delta.1", "baseline 1 ± 0.1, lift 50 %", Promise::Within(0.01), runs, 0.5, |r| {
            let (c, t) = (draw(r, 100, |r| 1.0 + r.normal()), draw(r, 100, |r| 1.5 + r.normal()));
            Ok(welch(&moments(&c), &moments(&t), LEVEL)?.relative?.interval)
        }),
        covers("huber.1", "t with 3 degrees of freedom, 100 an arm", Promise::Exactly, runs, 0.0, |r| {
            let one = |r: &mut Random| student(r, 3);
            let (c, t) = (draw(r, 100, one), draw(r, 100, one));
            let huber = |values: &[f64]| robust::huber(values, robust::HUBER_TUNING);
            Ok(robust::difference(&huber(&c)?, &huber(&t)?)?.interval(LEVEL))
        }),
        covers("median-of-means.1", "normal, 30 blocks of 10", Promise::AtLeast, runs, 0.0, |r| {
            Ok(robust::median_of_means(&draw(r, 300, Random::normal), 30, LEVEL)?.1)
        }),
        covers("two-proportions-z.1", "20 %, 400 against 700", Promise::Within(0.005), runs, 0.0, |r| {
            Ok(two_proportions(&rate(r, 0.2, 400), &rate(r, 0.2, 700), LEVEL)?.interval)
        }),
        covers("newcombe", "20 %, 400 against 700", Promise::Within(0.005), runs, 0.0, |r| {
            newcombe(&rate(r, 0.2, 400), &rate(r, 0.2, 700), LEVEL)
        }),
    ];
    // Where it hurts: what is measured is said, and so is the caution that comes with it.
    let mut hurts = |condition: &'static str, control: usize, treatment: usize| {
        let truth = 0.0;
        let mut warned = 0;
        rows.push(covers("welch-t.1", condition, Promise::None, runs, truth, |r| {
            let (c, t) = (draw(r, control, heavy), draw(r, treatment, heavy));
            warned += u64::from(Caution::of_means(&c, &t)?.is_some());
            by_welch(&c, &t)
        }));
        rows.push(Row::new("caution", format!("skewed: {condition}"), Promise::AtLeast, 0.95, warned, runs));
    };
    hurts("log-normal with σ = 2, 200 an arm", 200, 200);
    hurts("log-normal with σ = 2, 1,800 against 200", 1_800, 200);
    let mean_of_heavy = (0.5f64 * 1.5 * 1.5).exp();
    rows.push(covers(
        "one mean, t",
        "log-normal with σ = 1.5, 200 units",
        Promise::None,
        runs,
        mean_of_heavy,
        |r| Ok(eval::mean(&draw(r, 200, log_normal(1.5)))?.interval(LEVEL)),
    ));
    let mut warned = 0;
    rows.push(covers("two-proportions-z.1", "0.2 %, 900 against 100", Promise::None, runs, 0.0, |r| {
        let (c, t) = (rate(r, 0.002, 900), rate(r, 0.002, 100));
        warned += u64::from(Caution::of_rates(&c, &t)?.is_some());
        Ok(two_proportions(&c, &t, LEVEL)?.interval)
    }));
    rows.push(Row::new("caution", "rare: 0.2 %, 900 against 100", Promise::AtLeast, 0.95, warned, runs));
    // By the common rate the smaller arm has enough, but the larger one does not take off its skew.
    let mut warned = 0;
    rows.push(covers("two-proportions-z.1", "3 %, 3,000 against 200", Promise::None, runs, 0.0, |r| {
        let (c, t) = (rate(r, 0.03, 3_000), rate(r, 0.03, 200));
        warned += u64::from(Caution::of_rates(&c, &t)?.is_some());
        Ok(two_proportions(&c, &t, LEVEL)?.interval)
    }));
    rows.push(Row::new("caution", "rare: 3 %, 3,000 against 200", Promise::AtLeast, 0.95, warned, runs));
    rows.push(covers("newcombe", "0.2 %, 900 against 100", Promise::AtLeast, runs, 0.0, |r| {
        newcombe(&rate(r, 0.002, 900), &rate(r, 0.002, 100), LEVEL)
    }));
    rows
}

fn rate(random: &mut Random, rate: f64, n: u64) -> Proportion {
    let hits = (0..n).filter(|_| random.happens(rate)).count() as u64;
    Proportion::new(hits, n).unwrap()
}

/// t with whole degrees of freedom.
fn student(random: &mut Random, df: u32) -> f64 {
    let squares: f64 = (0..df).map(|_| random.normal().powi(2)).sum();
    random.normal() / (squares / f64::from(df)).sqrt()
}

/// Ratios, covariates and strata.
pub(crate) fn adjustments() -> Vec<Row> {
    let runs = runs(1_000);
    let sessions = |r: &mut Random, n: usize| {
        let (mut clicks, mut views) = (Vec::new(), Vec::new());
        for _ in 0..n {
            let seen = 1.0 + (6.0 * r.uniform()).floor();
            let own = 0.1 + 0.4 * r.uniform();
            clicks.push((0..seen as u32).filter(|_| r.happens(own)).count() as f64);
            views.push(seen);
        }
        joint(&[clicks, views])
    };
    // Outcome with two covariates, the slope of the first as given.
    let adjusted = |r: &mut Random, n: usize, slope: f64, shift: f64| {
        let mut columns = vec![Vec::new(); 3];
        for _ in 0..n {
            let (x, z) = (r.normal(), r.normal());
            for (column, value) in columns.iter_mut().zip([shift + slope * x - z + r.normal(), x, z]) {
                column.push(value);
            }
        }
        joint(&columns)
    };
    let strata = |r: &mut Random, n: usize, shift: f64| {
        let mut strata = [Moments::EMPTY; 3];
        for _ in 0..n {
            let at = (3.0 * r.uniform()) as usize;
            strata[at].push(shift + 4.0 * at as f64 + r.normal()).unwrap();
        }
        strata
    };
    vec![
        covers("ratio-delta.1", "clicks per view, 200 users an arm", Promise::Exactly, runs, 0.0, |r| {
            of_difference(ratio(&sessions(r, 200), &sessions(r, 200)))
        }),
        covers("ratio-delta.1", "clicks per view, 12 users an arm", Promise::None, runs, 0.0, |r| {
            of_difference(ratio(&sessions(r, 12), &sessions(r, 12)))
        }),
        covers("cuped.1", "two covariates, 100 an arm", Promise::Exactly, runs, 0.3, |r| {
            of_difference(cuped(&adjusted(r, 100, 1.5, 0.0), &adjusted(r, 100, 1.5, 0.3))?.effect())
        }),
        covers("cuped.1", "lift, two covariates, 100 an arm", Promise::Within(0.01), runs, 0.1, |r| {
            let ours = cuped(&adjusted(r, 100, 1.5, 5.0), &adjusted(r, 100, 1.5, 5.5))?;
            Ok(ours.effect()?.lift?.interval(LEVEL))
        }),
        covers("cuped-without-covariance.1", "the same lift", Promise::None, runs, 0.1, |r| {
            let ours = cuped(&adjusted(r, 100, 1.5, 5.0), &adjusted(r, 100, 1.5, 5.5))?;
            Ok(ours.lift_without_covariance()?.interval(LEVEL))
        }),
        covers("cuped.1", "slopes 0 and 3, 900 against 100", Promise::None, runs, 0.3, |r| {
            of_difference(cuped(&adjusted(r, 900, 0.0, 0.0), &adjusted(r, 100, 3.0, 0.3))?.effect())
        }),
        covers("lin.1", "one slope, 100 an arm", Promise::Exactly, runs, 0.3, |r| {
            Ok(lin(&adjusted(r, 100, 1.5, 0.0), &adjusted(r, 100, 1.5, 0.3))?.interval(LEVEL))
        }),
        covers("post-stratified.1", "three strata, 100 an arm", Promise::Within(0.01), runs, 0.3, |r| {
            let (c, t) = (strata(r, 100, 0.0), strata(r, 100, 0.3));
            let pairs: Vec<[Moments; 2]> = c.into_iter().zip(t).map(|(c, t)| [c, t]).collect();
            Ok(post_stratify(&pairs)?.effect.difference.interval(LEVEL))
        }),
    ]
}

/// Users in clusters of the sizes given, half of the clusters treated; outcome, arm and cluster of each user.
fn clustered(random: &mut Random, sizes: &[usize]) -> (Vec<f64>, Vec<f64>, Vec<u64>) {
    let (mut y, mut arm, mut clusters) = (Vec::new(), Vec::new(), Vec::new());
    for (cluster, &size) in (0u64..).zip(sizes) {
        let own = 0.6 * random.normal();
        for _ in 0..size {
            y.push(own + random.normal());
            arm.push((cluster % 2) as f64);
            clusters.push(cluster);
        }
    }
    (y, arm, clusters)
}

/// Clusters and series.
pub(crate) fn dependence() -> Vec<Row> {
    let runs = runs(400);
    let like = |n: usize| vec![10; n];
    // One cluster in ten has ten times the users.
    let unequal = |n: usize| -> Vec<usize> { (0..n).map(|at| if at % 10 < 2 { 60 } else { 6 }).collect() };
    let by = |sizes: Vec<usize>, correction: Correction| {
        move |r: &mut Random| {
            let (y, arm, clusters) = clustered(r, &sizes);
            let errors = Errors::Clustered { clusters: &clusters, correction };
            Ok(Regression::fit(&y, &[&arm])?.covariance(errors)?.estimate(1)?.interval(LEVEL))
        }
    };
    let mut rows = vec![
        covers(
            "cluster-hc1.1",
            "60 clusters of 10",
            Promise::Within(0.01),
            runs,
            0.0,
            by(like(60), Correction::Hc1),
        ),
        covers("cluster-hc1.1", "8 clusters of 10", Promise::None, runs, 0.0, by(like(8), Correction::Hc1)),
        covers(
            "cluster-cr2.1",
            "8 clusters of 10",
            Promise::Exactly,
            runs,
            0.0,
            by(like(8), Correction::Cr2),
        ),
        covers(
            "cluster-hc1.1",
            "20 clusters, two in ten are tenfold",
            Promise::None,
            runs,
            0.0,
            by(unequal(20), Correction::Hc1),
        ),
        covers(
            "cluster-cr2.1",
            "20 clusters, two in ten are tenfold",
            Promise::Within(0.03),
            runs,
            0.0,
            by(unequal(20), Correction::Cr2),
        ),
        covers("HC2, clusters ignored", "60 clusters of 10", Promise::None, runs, 0.0, |r| {
            let (y, arm, _) = clustered(r, &like(60));
            Ok(Regression::fit(&y, &[&arm])?.covariance(Errors::Hc2)?.estimate(1)?.interval(LEVEL))
        }),
        covers("mean-clustered.1", "60 clusters of 5", Promise::Within(0.01), runs, 0.0, |r| {
            let (y, _, clusters) = clustered(r, &[5; 60]);
            Ok(eval::clustered_mean(&y, &clusters)?.interval(LEVEL))
        }),
        covers("mean-clustered.1", "6 clusters of 5, and one of 60", Promise::None, runs, 0.0, |r| {
            let (y, _, clusters) = clustered(r, &[5, 5, 5, 5, 5, 5, 60]);
            Ok(eval::clustered_mean(&y, &clusters)?.interval(LEVEL))
        }),
    ];
    let few = [like(8), unequal(20)];
    let warned = few.iter().filter(|sizes| {
        let (_, _, clusters) = clustered(&mut Random(1), sizes);
        Caution::of_clusters(&clusters).unwrap().is_some()
    });
    rows.push(Row::new(
        "caution",
        "few or unequal clusters",
        Promise::AtLeast,
        1.0,
        warned.count() as u64,
        2,
    ));
    // A series whose neighbours are alike, beside blocks of four.
    let series = |r: &mut Random, n: usize| {
        let mut state = 0.0;
        draw(r, n, Random::normal)
            .into_iter()
            .map(|noise| {
                state = 0.8 * state + noise;
                state
            })
            .collect::<Vec<f64>>()
    };
    let plan = Switchback::new(4, 1, Mechanism::Pairs).unwrap();
    rows.push(covers(
        "switchback, blocks",
        "48 blocks, neighbours alike by 0.8",
        Promise::AtLeast,
        runs,
        0.0,
        |r| {
            let arms = plan.assign(48, r.next()).unwrap();
            Ok(plan.blocks(&series(r, 192), &arms)?.interval(LEVEL))
        },
    ));
    rows.push(covers(
        "switchback, hac.1",
        "48 blocks, neighbours alike by 0.8",
        Promise::None,
        runs,
        0.0,
        |r| {
            let arms = plan.assign(48, r.next()).unwrap();
            Ok(plan.series(&series(r, 192), &arms, 3)?.interval(LEVEL))
        },
    ));
    rows.push(covers(
        "switchback, hac.1",
        "10 blocks that do not depend on each other",
        Promise::None,
        runs,
        0.0,
        |r| {
            let arms = plan.assign(10, r.next()).unwrap();
            Ok(plan.series(&draw(r, 40, Random::normal), &arms, 3)?.interval(LEVEL))
        },
    ));
    let rejected = count(runs, |r| {
        let arms = plan.assign(16, r.next()).unwrap();
        plan.randomisation(&series(r, 64), &arms, 199, r.next()).unwrap().p <= 0.05
    });
    let condition = "16 blocks, neighbours alike by 0.8";
    rows.push(Row::new("randomisation.1", condition, Promise::AtMost, 0.05, rejected, runs));
    rows
}

/// Quantiles, the bootstrap, and evals.
pub(crate) fn resampling() -> Vec<Row> {
    let runs = runs(200);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let boot = |r: &mut Random| Bootstrap::new(400, r.next()).unwrap();
    let skewed = |r: &mut Random| r.normal().exp();
    let exponential = |r: &mut Random| -r.uniform().ln();
    let truth = 0.5f64.exp();
    let by_draws = |ends: fn(&Draws) -> Result<Interval, Refusal>| {
        move |r: &mut Random| {
            let values = draw(r, 60, skewed);
            ends(&boot(r).of(&values, mean)?)
        }
    };
    let mut rows = vec![
        covers(
            "bootstrap, percentile",
            "mean of 60 log-normal",
            Promise::None,
            runs,
            truth,
            by_draws(|d| d.percentile(LEVEL)),
        ),
        covers(
            "bootstrap, BCa",
            "mean of 60 log-normal",
            Promise::None,
            runs,
            truth,
            by_draws(|d| d.bca(LEVEL)),
        ),
        covers(
            "bootstrap, studentised",
            "means of 60 against 60, log-normal",
            Promise::None,
            runs,
            0.0,
            |r| {
                let (c, t) = (draw(r, 60, skewed), draw(r, 60, skewed));
                boot(r).of_means(&c, &t)?.studentised(LEVEL)
            },
        ),
        covers(
            "bootstrap, studentised",
            "means of 180 against 20, exponential",
            Promise::Within(0.02),
            runs,
            0.0,
            |r| {
                let (c, t) = (draw(r, 180, exponential), draw(r, 20, exponential));
                boot(r).of_means(&c, &t)?.studentised(LEVEL)
            },
        ),
        covers(
            "bootstrap, percentile",
            "means of 180 against 20, exponential",
            Promise::None,
            runs,
            0.0,
            |r| {
                let (c, t) = (draw(r, 180, exponential), draw(r, 20, exponential));
                boot(r).of_means(&c, &t)?.percentile(LEVEL)
            },
        ),
        covers("welch-t.1", "means of 180 against 20, exponential", Promise::None, runs, 0.0, |r| {
            let (c, t) = (draw(r, 180, exponential), draw(r, 20, exponential));
            Ok(welch(&moments(&c), &moments(&t), LEVEL)?.interval)
        }),
        covers("bootstrap, Poisson", "mean of 400 exponential", Promise::Within(0.02), runs, 1.0, |r| {
            let values = draw(r, 400, exponential);
            let mut boot = PoissonBootstrap::new(400, r.next()).unwrap();
            boot.extend(&(0..400).collect::<Vec<u64>>(), &values)?;
            boot.draws()?.percentile(LEVEL)
        }),
    ];
    let runs = runs * 4;
    // The users of an arm, each with so many events.
    let events_of = |r: &mut Random, of: &[usize]| {
        let (mut values, mut users) = (Vec::new(), Vec::new());
        for (user, &each) in (0..).zip(of) {
            let own = r.normal();
            for _ in 0..each {
                values.push(own + r.normal());
                users.push(user);
            }
        }
        (values, users)
    };
    let medians = |r: &mut Random, control: &[usize], treatment: &[usize]| {
        let ((a, of_a), (b, of_b)) = (events_of(r, control), events_of(r, treatment));
        of_difference(compare(
            &QuantileArm::of_clustered(&a, &of_a, 0.5)?,
            &QuantileArm::of_clustered(&b, &of_b, 0.5)?,
        ))
    };
    let one_large = [&[300][..], &[10; 39]].concat();
    let events = |r: &mut Random| events_of(r, &[6; 150]);
    rows.extend([
        covers(
            "quantile-order-statistics.1",
            "90th percentile of 500 normal an arm",
            Promise::Within(0.015),
            runs,
            0.0,
            |r| {
                let arm = |r: &mut Random| QuantileArm::of(&draw(r, 500, Random::normal), 0.9);
                of_difference(compare(&arm(r)?, &arm(r)?))
            },
        ),
        covers(
            "quantile-order-statistics.1",
            "90th percentile, 150 users of 6 events an arm, by user",
            Promise::Within(0.015),
            runs,
            0.0,
            |r| {
                let ((a, of_a), (b, of_b)) = (events(r), events(r));
                of_difference(compare(
                    &QuantileArm::of_clustered(&a, &of_a, 0.9)?,
                    &QuantileArm::of_clustered(&b, &of_b, 0.9)?,
                ))
            },
        ),
        covers(
            "quantile-order-statistics.1",
            "median, 4 users of 50 events an arm, by user",
            Promise::AtLeast,
            runs,
            0.0,
            |r| medians(r, &[50; 4], &[50; 4]),
        ),
        covers(
            "quantile-order-statistics.1",
            "median, 40 users an arm, one of 300 events and others of 10, by user",
            Promise::AtLeast,
            runs,
            0.0,
            |r| medians(r, &one_large, &one_large),
        ),
        covers(
            "quantile-order-statistics.1",
            "median, 3 users beside 60, 40 events each, by user",
            Promise::None,
            runs,
            0.0,
            |r| medians(r, &[40; 3], &[40; 60]),
        ),
        covers(
            "quantile-order-statistics.1",
            "90th percentile, 150 users of 6 events an arm, users ignored",
            Promise::None,
            runs,
            0.0,
            |r| {
                let ((a, _), (b, _)) = (events(r), events(r));
                of_difference(compare(&QuantileArm::of(&a, 0.9)?, &QuantileArm::of(&b, 0.9)?))
            },
        ),
    ]);
    // Evals: passes of two configurations on items of different difficulty.
    let passes = |r: &mut Random, items: usize| -> (Vec<f64>, Vec<f64>) {
        (0..items)
            .map(|_| {
                let p = r.uniform();
                let pass = |r: &mut Random| f64::from(u8::from(r.happens(p)));
                (pass(r), pass(r))
            })
            .unzip()
    };
    rows.push(covers("paired-t.1", "200 items, passes", Promise::Within(0.01), runs, 0.0, |r| {
        let (a, b) = passes(r, 200);
        Ok(eval::paired(&a, &b)?.difference.interval(LEVEL))
    }));
    let rejected = count(runs, |r| {
        let (a, b) = passes(r, 60);
        let only = |x: f64, y: f64| a.iter().zip(&b).filter(|(a, b)| **a == x && **b == y).count() as u64;
        eval::mcnemar(only(0.0, 1.0), only(1.0, 0.0)).is_ok_and(|test| test.p <= 0.05)
    });
    rows.push(Row::new("mcnemar-exact.1", "60 items, passes", Promise::AtMost, 0.05, rejected, runs));
    rows.push(covers(
        "rogan-gladen.1",
        "truth 30 %, judge 85 % and 90 %, 300 labelled",
        Promise::Within(0.015),
        runs,
        0.3,
        |r| {
            let judged = 0.3 * 0.85 + 0.7 * 0.1;
            Ok(eval::rogan_gladen(&rate(r, judged, 1_000), &rate(r, 0.85, 150), &rate(r, 0.9, 150))?
                .interval(LEVEL))
        },
    ));
    rows.push(covers(
        "prediction-powered.1",
        "a biased judge, 100 labelled of 1,000",
        Promise::Within(0.015),
        runs,
        0.0,
        |r| {
            let (mut truth, mut judge, mut others) = (Vec::new(), Vec::new(), Vec::new());
            for item in 0..1_000 {
                let score = r.normal();
                let verdict = 0.4 + 0.7 * score + 0.5 * r.normal();
                if item < 100 {
                    truth.push(score);
                    judge.push(verdict);
                } else {
                    others.push(verdict);
                }
            }
            Ok(eval::prediction_powered(&truth, &judge, &others)?.interval(LEVEL))
        },
    ));
    rows
}
