//! A/A replays, assignments other than a coin, interleaving and holdouts; and evals.

use super::adjusted::{covers, draw, moments};
use super::simulation::{Promise, Random, Row, count, runs};
use bellwether_stats::adjust::post_stratify;
use bellwether_stats::design::assignment::{rerandomised, stratified};
use bellwether_stats::design::holdout::{cumulative, visible};
use bellwether_stats::design::interleaving::{
    Preference, Verdict, balanced, balanced_credit, by_user, queries_needed, team_credit, team_draft,
};
use bellwether_stats::design::randomisation;
use bellwether_stats::regression::lin;
use bellwether_stats::validity::replay;
use bellwether_stats::{Level, Moments, Proportion, eval, welch};

const LEVEL: Level = Level::P95;

fn pass(random: &mut Random, rate: f64) -> f64 {
    f64::from(u8::from(random.happens(rate)))
}

/// The values of each arm.
fn arms(values: &[f64], treated: &[bool]) -> [Moments; 2] {
    [false, true].map(|arm| {
        let own: Vec<f64> = values.iter().zip(treated).filter(|(_, t)| **t == arm).map(|(v, _)| *v).collect();
        moments(&own)
    })
}

fn difference(values: &[f64], treated: &[bool]) -> f64 {
    let [c, t] = arms(values, treated);
    t.mean().unwrap() - c.mean().unwrap()
}

/// A/A replays of one history: a test that is right holds, one that takes sessions of a user for independent is found.
pub(crate) fn replays() -> Vec<Row> {
    let runs = runs(40);
    let holds = |r: &mut Random, sessions: usize, by_user: bool| {
        let users: Vec<Vec<f64>> = (0..200)
            .map(|_| {
                let own = -r.uniform().ln();
                draw(r, sessions, |r| own - 0.5 * r.uniform().ln())
            })
            .collect();
        let mut split = Random(r.next());
        replay(400, LEVEL, |_| {
            let mut arms = [Moments::EMPTY; 2];
            for sessions in &users {
                let arm = &mut arms[usize::from(split.happens(0.5))];
                if by_user {
                    arm.push(sessions.iter().sum())?;
                } else {
                    sessions.iter().try_for_each(|value| arm.push(*value))?;
                }
            }
            Ok(welch(&arms[0], &arms[1], LEVEL)?.p)
        })
        .unwrap()
    };
    let right = count(runs, |r| holds(r, 3, true).holds);
    let found = count(runs, |r| holds(r, 6, false).errs_too_often());
    vec![
        Row::new("A/A replay", "Welch by user: it holds", Promise::AtLeast, 0.98, right, runs),
        Row::new(
            "A/A replay",
            "Welch by session, six a user: it is found",
            Promise::AtLeast,
            0.98,
            found,
            runs,
        ),
    ]
}

/// Assignments that are balanced by design, interleaving, holdouts.
pub(crate) fn designs() -> Vec<Row> {
    let runs = runs(400);
    let strata: Vec<u32> = (0..150).map(|unit| [0, 0, 0, 0, 1, 1, 1, 2, 2, 2][unit % 10]).collect();
    let by_stratum = |r: &mut Random| -> (Vec<f64>, Vec<bool>) {
        let treated = stratified(&strata, r.next());
        let of = |(stratum, treated): (&u32, &bool)| {
            2.0 * f64::from(*stratum) + f64::from(u8::from(*treated)) * 0.3 + r.normal()
        };
        (strata.iter().zip(&treated).map(of).collect(), treated)
    };
    let covariates = |r: &mut Random| [draw(r, 60, Random::normal), draw(r, 60, Random::normal)];
    let outcome = |r: &mut Random, [x, z]: &[Vec<f64>; 2], treated: &[bool], effect: f64| -> Vec<f64> {
        let of = |((x, z), treated): ((&f64, &f64), &bool)| {
            1.5 * x - z + f64::from(u8::from(*treated)) * effect + r.normal()
        };
        x.iter().zip(z).zip(treated).map(of).collect()
    };
    let mut rows = vec![
        covers(
            "stratified, post-stratified.1",
            "three strata, 150 units",
            Promise::Within(0.01),
            runs,
            0.3,
            |r| {
                let (values, treated) = by_stratum(r);
                let pairs: Vec<[Moments; 2]> = (0..3)
                    .map(|stratum| {
                        let own = |list: &[f64]| -> Vec<f64> {
                            list.iter()
                                .zip(&strata)
                                .filter(|(_, s)| **s == stratum)
                                .map(|(v, _)| *v)
                                .collect()
                        };
                        let flags: Vec<bool> = treated
                            .iter()
                            .zip(&strata)
                            .filter(|(_, s)| **s == stratum)
                            .map(|(t, _)| *t)
                            .collect();
                        arms(&own(&values), &flags)
                    })
                    .collect();
                Ok(post_stratify(&pairs)?.effect.difference.interval(LEVEL))
            },
        ),
        covers(
            "stratified, welch-t.1",
            "the same, strata ignored (too wide)",
            Promise::AtLeast,
            runs,
            0.3,
            |r| {
                let (values, treated) = by_stratum(r);
                let [c, t] = arms(&values, &treated);
                Ok(welch(&c, &t, LEVEL)?.interval)
            },
        ),
        covers("re-randomised, lin.1", "two covariates, 60 units", Promise::Within(0.01), runs, 0.3, |r| {
            let x = covariates(r);
            let treated = rerandomised(&[&x[0], &x[1]], 0.2, r.next())?.treated;
            let values = outcome(r, &x, &treated, 0.3);
            Ok(lin(&values, &treated, &[&x[0], &x[1]])?.interval(LEVEL))
        }),
        covers("re-randomised, welch-t.1", "the same (too wide)", Promise::AtLeast, runs, 0.3, |r| {
            let x = covariates(r);
            let treated = rerandomised(&[&x[0], &x[1]], 0.2, r.next())?.treated;
            let [c, t] = arms(&outcome(r, &x, &treated, 0.3), &treated);
            Ok(welch(&c, &t, LEVEL)?.interval)
        }),
    ];
    let fewer = runs / 2;
    let rejected = count(fewer, |r| {
        let x = covariates(r);
        let again = |seed| rerandomised(&[&x[0], &x[1]], 0.2, seed).unwrap().treated;
        let treated = again(r.next());
        let values = outcome(r, &x, &treated, 0.0);
        let first = r.next();
        randomisation(&treated, 99, |draw| again(first.wrapping_add(draw)), |arms| difference(&values, arms))
            .unwrap()
            .p
            <= 0.05
    });
    rows.push(Row::new(
        "re-randomised, randomisation.1",
        "two covariates, 60 units",
        Promise::AtMost,
        0.05,
        rejected,
        fewer,
    ));

    // People who click by place alone: nobody is preferred.
    let (a, b) = ([1, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6, 1]);
    let click = |r: &mut Random| (0..4usize).find(|_| r.happens(0.4)).map_or(vec![], |place| vec![place]);
    let drafted = |r: &mut Random| team_credit(&team_draft(&a, &b, 4, r.next()), &click(r));
    let rejects = |verdicts: &[Verdict]| Preference::of(verdicts).test().is_ok_and(|test| test.p <= 0.05);
    let rejected = count(runs, |r| rejects(&(0..200).map(|_| drafted(r)).collect::<Vec<_>>()));
    let condition = "200 queries, clicks by place alone";
    rows.push(Row::new("team draft, sign.1", condition, Promise::AtMost, 0.05, rejected, runs));
    let rejected = count(runs, |r| {
        let one = |r: &mut Random| {
            let list = balanced(&a, &b, 4, r.next());
            balanced_credit(&a, &b, &list, &click(r))
        };
        rejects(&(0..200).map(|_| one(r)).collect::<Vec<_>>())
    });
    let condition = "the same, one ranking is the other moved by one (its known bias)";
    rows.push(Row::new("balanced interleaving, sign.1", condition, Promise::None, 0.05, rejected, runs));
    rows.push(covers(
        "interleaving by user",
        "100 users of 5 queries alike",
        Promise::Within(0.01),
        runs,
        0.0,
        |r| {
            let (mut verdicts, mut users) = (Vec::new(), Vec::new());
            for user in 0..100 {
                let own = r.uniform();
                for _ in 0..5 {
                    verdicts.push(match r.uniform() {
                        u if u < 0.4 => Verdict::Tie,
                        _ if r.happens(own) => Verdict::A,
                        _ => Verdict::B,
                    });
                    users.push(user);
                }
            }
            Ok(by_user(&verdicts, &users)?.interval(LEVEL))
        },
    ));
    for (tied, won, queries) in [(0.0, 0.9, 30u32), (0.8, 0.95, 30), (0.4, 1.0, 10)] {
        let condition =
            format!("{queries} queries, {} % tied, of the others {} % won", 100.0 * tied, 100.0 * won);
        let delta = (1.0 - tied) * (won - 0.5);
        rows.push(covers("interleaving by score", &condition, Promise::AtLeast, 4 * runs, delta, |r| {
            let verdicts: Vec<Verdict> = (0..queries)
                .map(|_| match (r.happens(tied), r.happens(won)) {
                    (true, _) => Verdict::Tie,
                    (_, true) => Verdict::B,
                    _ => Verdict::A,
                })
                .collect();
            Preference::of(&verdicts).interval(LEVEL)
        }));
    }
    let queries = queries_needed(0.6, LEVEL, 0.8).unwrap();
    let seen = count(runs, |r| {
        let b = (0..queries).filter(|_| r.happens(0.6)).count() as u64;
        Preference { a: queries - b, b, ties: 0 }.test().unwrap().p <= 0.05
    });
    rows.push(Row::new(
        "plan of interleaving",
        "60 % prefer it, power 80 %",
        Promise::AtLeast,
        0.8,
        seen,
        runs,
    ));

    let group = |r: &mut Random, n: usize, effect: f64| moments(&draw(r, n, |r| effect - r.uniform().ln()));
    rows.push(covers(
        "holdout, cumulative",
        "exponential, 200 held out of 2,000",
        Promise::Within(0.01),
        runs,
        180.0,
        |r| Ok(cumulative(&group(r, 200, 0.0), &group(r, 1_800, 0.1))?.total.interval(LEVEL)),
    ));
    let effect = visible(1.0, 200, 1_800, LEVEL, 0.8).unwrap();
    let seen = count(runs, |r| {
        let normal = |r: &mut Random, n: usize, effect: f64| moments(&draw(r, n, |r| effect + r.normal()));
        let measured = cumulative(&normal(r, 200, 0.0), &normal(r, 1_800, effect)).unwrap();
        !measured.per_user.difference.interval(LEVEL).contains(0.0)
    });
    rows.push(Row::new(
        "plan of a holdout",
        "200 held out of 2,000, power 80 %",
        Promise::Within(0.01),
        0.8,
        seen,
        runs,
    ));
    rows
}

/// Evals: two levels, clusters, exchanges, flips, and judges that err.
pub(crate) fn evals() -> Vec<Row> {
    let runs = runs(800);
    let answers = |r: &mut Random, items: usize, each: usize| -> Vec<Vec<f64>> {
        (0..items)
            .map(|_| {
                let own = r.uniform();
                draw(r, each, |r| pass(r, own))
            })
            .collect()
    };
    let mut rows = vec![
        covers("two levels", "100 items of 4 answers", Promise::Within(0.01), runs, 0.5, |r| {
            let items = answers(r, 100, 4);
            let items: Vec<&[f64]> = items.iter().map(Vec::as_slice).collect();
            Ok(eval::two_level(&items)?.mean.interval(LEVEL))
        }),
        covers("answers taken for items", "100 items of 4 answers", Promise::None, runs, 0.5, |r| {
            Ok(eval::mean(&answers(r, 100, 4).concat())?.interval(LEVEL))
        }),
        covers("pass@3, mean of items", "100 items of 8 answers", Promise::Within(0.01), runs, 0.75, |r| {
            let items = answers(r, 100, 8);
            let scores: Result<Vec<f64>, _> =
                items.iter().map(|item| eval::pass_at_k(8, item.iter().sum::<f64>() as u64, 3)).collect();
            Ok(eval::mean(&scores?)?.interval(LEVEL))
        }),
        covers("paired, mean-clustered.1", "40 texts of 6 items", Promise::Within(0.01), runs, 0.0, |r| {
            let (mut a, mut b, mut texts) = (Vec::new(), Vec::new(), Vec::new());
            for text in 0..40 {
                let (first, second) = (r.uniform(), r.uniform());
                for _ in 0..6 {
                    a.push(pass(r, first));
                    b.push(pass(r, second));
                    texts.push(text);
                }
            }
            Ok(eval::paired_clustered(&a, &b, &texts)?.difference.interval(LEVEL))
        }),
    ];
    for (truth, sensitivity, specificity, labels) in
        [(0.02, 0.85, 0.9, 20), (0.9, 0.9, 0.85, 3), (0.9, 0.9, 0.85, 10)]
    {
        let hits = |r: &mut Random, p: f64, n: u64| {
            Proportion::new((0..n).filter(|_| r.happens(p)).count() as u64, n).unwrap()
        };
        let judged = truth * sensitivity + (1.0 - truth) * (1.0 - specificity);
        let (mut given, mut covered) = (0, 0);
        for seed in 0..runs {
            let r = &mut Random(seed);
            let (judged, found) = (hits(r, judged, 1_000), hits(r, sensitivity, labels));
            // A judge that looks worse than chance is refused, and does not count.
            if let Ok(ours) = eval::rogan_gladen(&judged, &found, &hits(r, specificity, labels)) {
                given += 1;
                covered += u64::from(ours.interval(LEVEL).contains(truth));
            }
        }
        let condition = format!(
            "truth {} %, judge {} % and {} %, {labels} labels of each sort",
            100.0 * truth,
            100.0 * sensitivity,
            100.0 * specificity
        );
        rows.push(Row::new("rogan-gladen.1", condition, Promise::AtLeast, 0.95, covered, given));
    }
    let rejected = count(runs / 4, |r| {
        let scores: Vec<(f64, f64)> = (0..40)
            .map(|_| {
                let own = r.normal();
                (own - r.uniform().ln(), own - r.uniform().ln())
            })
            .collect();
        let (a, b): (Vec<f64>, Vec<f64>) = scores.into_iter().unzip();
        eval::sign_flip(&a, &b, 199, r.next()).unwrap().p <= 0.05
    });
    rows.push(Row::new("sign flips", "40 items, skewed scores", Promise::AtMost, 0.05, rejected, runs / 4));
    // Twenty items that pass nine times in ten, of which eighteen have to: P(pass) = 0.67692…
    let passes: f64 = (18..=20).map(|k| choose(20, k) * 0.9f64.powi(k) * 0.1f64.powi(20 - k)).sum();
    let truth = 2.0 * passes * (1.0 - passes);
    let flips: f64 = (0..runs / 4)
        .map(|seed| {
            let mut r = Random(seed);
            let items: Vec<Vec<f64>> = (0..20).map(|_| draw(&mut r, 5, |r| pass(r, 0.9))).collect();
            let items: Vec<&[f64]> = items.iter().map(Vec::as_slice).collect();
            let verdict = |scores: &[f64]| scores.iter().sum::<f64>() >= 18.0;
            eval::verdict_flips(&items, 1, 200, r.next(), verdict).unwrap().differ.rate().unwrap()
        })
        .sum();
    let condition = "20 items of 5 answers: mean of the estimates";
    rows.push(Row::new(
        "verdict-flips.1",
        condition,
        Promise::Exactly,
        truth,
        flips.round() as u64,
        runs / 4,
    ));
    // Every item at the rate that is tolerated, the worst of all nulls.
    let listed = count(runs, |r| {
        let items: Vec<Proportion> = (0..50)
            .map(|_| Proportion::new(draw(r, 20, |r| pass(r, 0.9)).iter().sum::<f64>() as u64, 20).unwrap())
            .collect();
        !eval::quarantine(&items, 0.18, LEVEL).unwrap().flaky.is_empty()
    });
    let condition = "50 items at the tolerated rate, 20 answers: any is listed";
    rows.push(Row::new("quarantine.1", condition, Promise::AtMost, 0.05, listed, runs));
    rows.push(covers("kappa.1", "200 verdicts of two raters", Promise::Within(0.015), runs, 0.5, |r| {
        // Both see the truth, and toss a coin with probability 1 - √½ each: they agree beyond chance by a half.
        let seen =
            |r: &mut Random, truth: bool| if r.happens(0.5f64.sqrt()) { truth } else { r.happens(0.5) };
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            let truth = r.happens(0.5);
            a.push(seen(r, truth));
            b.push(seen(r, truth));
        }
        Ok(eval::kappa(&a, &b)?.interval(LEVEL))
    }));
    rows
}

fn choose(n: i32, k: i32) -> f64 {
    (1..=k).map(|i| f64::from(n - k + i) / f64::from(i)).product()
}
