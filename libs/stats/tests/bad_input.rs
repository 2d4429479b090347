//! Bad input to every public door that can refuse: an answer without NaN, or a refusal that says what and why; never a panic.
//!
//! Arguments are drawn from hostile pools, seeded. A call that was given a NaN must be refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bellwether_stats::counts::{self, Count};
use bellwether_stats::design::{self, cluster, interleaving, switchback};
use bellwether_stats::detect::{self, Chart, Cusum, DoseResponse};
use bellwether_stats::group_sequential::{self as gs, Boundary, Looks, Spending};
use bellwether_stats::multiplicity::{Adjustment, Graph, adjust, serial_gate};
use bellwether_stats::planning::{self, Design, equivalence, factors, student};
use bellwether_stats::rank::{self, Correction};
use bellwether_stats::sequential::{self, Bounds, EValue, Mixture, PolyStitching};
use bellwether_stats::*;
use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

const HOSTILE: [f64; 18] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    0.2,
    1.5,
    3.0,
    -0.3,
    1e-300,
    f64::MIN_POSITIVE,
    1e15,
    1e300,
    f64::MAX,
    f64::MIN,
];
const COUNTS: [u64; 9] = [0, 1, 2, 3, 10, 47, 100_000, 1 << 53, u64::MAX];

/// Draws arguments, and remembers whether a NaN was among them.
struct Draw {
    state: Cell<u64>,
    nan: Cell<bool>,
    seen: RefCell<Vec<String>>,
}

impl Draw {
    fn place(&self, of: usize) -> usize {
        let next =
            self.state.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state.set(next);
        (next >> 33) as usize % of
    }
    fn f(&self) -> f64 {
        let value = if self.place(3) == 0 {
            HOSTILE[self.place(HOSTILE.len())]
        } else {
            self.place(1_000) as f64 / 500.0
        };
        self.nan.set(self.nan.get() || value.is_nan());
        value
    }
    fn u(&self) -> u64 {
        if self.place(2) == 0 { COUNTS[self.place(COUNTS.len())] } else { self.place(60) as u64 }
    }
    fn size(&self) -> usize {
        self.place(14)
    }
    fn v(&self) -> Vec<f64> {
        let tame = self.place(2) == 0;
        (0..self.size()).map(|_| if tame { self.place(9) as f64 } else { self.f() }).collect()
    }
    fn us(&self) -> Vec<u64> {
        (0..self.size()).map(|_| self.u()).collect()
    }
    fn bools(&self) -> Vec<bool> {
        (0..self.size()).map(|_| self.place(2) == 0).collect()
    }
    fn level(&self) -> Level {
        Level::from_alpha([1e-300, 1e-9, 0.001, 0.05, 0.499_999][self.place(5)]).unwrap()
    }
    fn sides(&self) -> Sides {
        [Sides::One, Sides::Two][self.place(2)]
    }
    fn better(&self) -> Direction {
        [Direction::Higher, Direction::Lower][self.place(2)]
    }
    fn side(&self) -> Alternative {
        [Alternative::TwoSided, Alternative::Greater, Alternative::Less][self.place(3)]
    }
    fn variances(&self) -> Variances {
        [Variances::Equal, Variances::Unequal][self.place(2)]
    }
    fn rate(&self) -> Proportion {
        loop {
            if let Ok(rate) = Proportion::new(self.u(), self.u()) {
                return rate;
            }
        }
    }
    fn events(&self) -> Count {
        loop {
            let exposure = HOSTILE[self.place(HOSTILE.len())];
            if let Ok(count) = Count::new(self.u(), exposure) {
                return count;
            }
        }
    }
    fn moments(&self) -> Moments {
        loop {
            let f = || HOSTILE[self.place(HOSTILE.len())];
            if let Ok(moments) = Moments::new(self.u(), f(), f()) {
                return moments;
            }
        }
    }
    fn plan(&self) -> Design {
        Design::default()
    }

    /// So many calls of one door.
    fn door<T: Debug>(&self, name: &str, runs: usize, call: impl Fn(&Self) -> Result<T, Refusal>) {
        for run in 0..runs {
            self.nan.set(false);
            let at = self.state.get();
            let outcome = catch_unwind(AssertUnwindSafe(|| call(self)));
            let problem = match outcome {
                Err(_) => Some("panics".to_owned()),
                Ok(Ok(answer)) => {
                    let said = format!("{answer:?}");
                    if said.contains("NaN") {
                        Some(format!("answers {said}"))
                    } else if self.nan.get() {
                        Some(format!("takes a NaN: {said}"))
                    } else {
                        None
                    }
                }
                Ok(Err(refusal)) => {
                    let said = refusal.to_string();
                    (said.ends_with('.') || said.is_empty() || refusal.hint().is_empty()).then_some(said)
                }
            };
            if let Some(problem) = problem {
                let problem: String = problem.chars().take(300).collect();
                self.seen.borrow_mut().push(format!("{name}, run {run}, state {at}: {problem}"));
                break;
            }
        }
    }
}

#[test]
fn every_door_answers_or_refuses() {
    let d = Draw { state: Cell::new(7), nan: Cell::new(false), seen: RefCell::default() };
    const N: usize = 400;
    d.door("Level::new", N, |d| Level::new(d.f()));
    d.door("Level::from_alpha", N, |d| Level::from_alpha(d.f()));
    d.door("Moments::new", N, |d| Moments::new(d.u(), d.f(), d.f()));
    d.door("Moments::from_sums", N, |d| Moments::from_sums(d.u(), d.f(), d.f()));
    d.door("Moments::of", N, |d| Moments::of(&d.v()));
    d.door("Moments::constant", N, |d| Moments::constant(d.u(), d.f()));
    d.door("JointMoments::of", N, |d| JointMoments::of(&[&d.v(), &d.v()]));
    d.door("JointMoments::from_sums", N, |d| JointMoments::from_sums(d.u(), &d.v(), &d.v()));
    d.door("Estimate::new", N, |d| {
        let df = (d.place(2) == 0).then(|| d.f());
        Estimate::new(d.f(), d.f(), df, Method::WelchT)?.test(d.f(), d.side())
    });
    d.door("not_worse", N, |d| {
        Estimate::new(d.f(), d.f(), None, Method::WelchT)?.not_worse(d.f(), d.better())
    });
    d.door("equivalence", N, |d| {
        Estimate::new(d.f(), d.f(), None, Method::WelchT)?.equivalence(d.f(), d.f())
    });
    d.door("relative_to_known", N, |d| {
        Estimate::new(0.1, 0.2, None, Method::WelchT)?.interval(d.level()).relative_to_known(d.f())
    });
    d.door("two_proportions", N, |d| two_proportions(&d.rate(), &d.rate(), d.level()));
    d.door("newcombe", N, |d| newcombe(&d.rate(), &d.rate(), d.level()));
    d.door("wilson", N, |d| wilson(&d.rate(), d.level()));
    d.door("clopper_pearson", N, |d| proportions::clopper_pearson(&d.rate(), d.level()));
    d.door("score_test", N, |d| proportions::score_test(&d.rate(), &d.rate(), d.f(), d.side()));
    d.door("ratio_score_test", N, |d| proportions::ratio_score_test(&d.rate(), &d.rate(), d.f(), d.side()));
    d.door("log_ratio", N, |d| proportions::log_ratio(&d.rate(), &d.rate()));
    d.door("pooled_log_ratio", N, |d| proportions::pooled_log_ratio(&d.rate(), &d.rate()));
    d.door("ratio_score", N, |d| proportions::ratio_score(&d.rate(), &d.rate(), d.level()));
    d.door("miettinen_nurminen", N, |d| proportions::miettinen_nurminen(&d.rate(), &d.rate(), d.level()));
    d.door("corrected_z", N, |d| proportions::corrected_z(&d.rate(), &d.rate(), d.level()));
    d.door("harm_in_proportions", N, |d| {
        harm_in_proportions(&d.rate(), &d.rate(), d.f(), d.better(), d.level(), Tuning::new(d.f())?)
    });
    d.door("harm", N, |d| {
        harm(&d.moments(), &d.moments(), d.f(), d.better(), d.level(), Tuning::new(d.f())?)
    });
    d.door("welch", N, |d| welch(&d.moments(), &d.moments(), d.level()));
    d.door("difference", N, |d| difference(&d.moments(), &d.moments(), d.variances()));
    d.door("lift", N, |d| lift(&d.moments(), &d.moments()));
    d.door("fieller_lift", N, |d| fieller_lift(&d.moments(), &d.moments(), d.level()));
    d.door("log_ratio of means", N, |d| log_ratio(&d.moments(), &d.moments(), d.variances()));
    d.door("Count::new", N, |d| Count::new(d.u(), d.f()));
    d.door("counts::score", N, |d| counts::score(&d.events(), &d.events(), d.f(), d.side()));
    d.door("counts::wald", N, |d| counts::wald(&d.events(), &d.events(), d.f(), d.side()));
    d.door("counts::square_root", N, |d| counts::square_root(&d.events(), &d.events(), d.f(), d.side()));
    d.door("counts::exact_conditional", N, |d| {
        counts::exact_conditional(&d.events(), &d.events(), d.f(), d.side())
    });
    d.door("counts::log_ratio", N, |d| counts::log_ratio(&d.events(), &d.events()));
    d.door("counts::difference", N, |d| counts::difference(&d.events(), &d.events()));
    d.door("counts::exact_ratio", N, |d| counts::exact_ratio(&d.events(), &d.events(), d.level()));
    d.door("sample_ratio", N, |d| sample_ratio(&d.us(), &d.v()));
    d.door("sample_ratio_of_few", N, |d| sample_ratio_of_few(&d.us(), &d.v()));
    d.door("sample_ratio_g_of_few", N, |d| sample_ratio_g_of_few(&[d.u(), d.u()], &[d.f(), d.f()]));
    d.door("sample_ratio_exact", N, |d| sample_ratio_exact(&[d.u(), d.u()], &[d.f(), d.f()]));
    d.door("sample_ratio_corrected", N, |d| sample_ratio_corrected(&[d.u(), d.u()], &[d.f(), d.f()]));
    d.door("SampleRatioSequence", N, |d| {
        let mut s = SampleRatioSequence::with_concentration(&[d.f(), d.f()], d.f())?;
        s.observe(&[d.u(), d.u()])?;
        s.observe(&[d.u(), d.u()])
    });
    d.door("mann_whitney", N, |d| rank::mann_whitney(&d.v(), &d.v(), d.side(), Correction::Half));
    d.door("mann_whitney_exact", N, |d| rank::mann_whitney_exact(&d.v(), &d.v(), d.side()));
    d.door("exact_shift_interval", N, |d| rank::exact_shift_interval(&d.v(), &d.v(), d.level()));
    d.door("shift_interval", N, |d| rank::shift_interval(&d.v(), &d.v(), d.level()));
    d.door("hodges_lehmann", N, |d| rank::hodges_lehmann(&d.v(), &d.v()));
    d.door("brunner_munzel", N, |d| rank::brunner_munzel(&d.v(), &d.v(), d.side()));
    d.door("kolmogorov_smirnov", N, |d| rank::kolmogorov_smirnov(&d.v(), &d.v()));
    d.door("yuen", N, |d| rank::yuen(&d.v(), &d.v(), d.f(), d.variances()));
    d.door("kruskal_wallis", N, |d| rank::kruskal_wallis(&[&d.v(), &d.v(), &d.v()]));
    d.door("brown_forsythe", N, |d| rank::brown_forsythe(&[&d.v(), &d.v()]));
    d.door("quantile", N, |d| quantile::QuantileArm::of(&d.v(), d.f()));
    d.door("quantile clustered", N, |d| quantile::QuantileArm::of_clustered(&d.v(), &d.us(), d.f()));
    d.door("quantile from ends", N, |d| quantile::QuantileArm::from_ends(d.u(), d.f(), d.f(), d.f()));
    d.door("median_of_means", N, |d| robust::median_of_means(&d.v(), d.size(), d.level()));
    d.door("huber", N, |d| robust::huber(&d.v(), d.f()));
    d.door("Caps", N, adjust_caps);
    d.door("post_stratify", N, |d| {
        bellwether_stats::adjust::post_stratify(&[[d.moments(), d.moments()], [d.moments(), d.moments()]])
    });
    d.door("cuped_of_few", N, |d| {
        let arm = |d: &Draw| JointMoments::of(&[&d.v(), &d.v()]);
        bellwether_stats::adjust::cuped_of_few(&arm(d)?, &arm(d)?)?.effect()
    });
    d.door("regression", N, |d| {
        regression::Regression::fit(&d.v(), &[&d.v()])?.covariance(regression::Errors::Hc2)
    });
    d.door("regression::lin", N, |d| regression::lin(&d.v(), &d.bools(), &[&d.v()]));
    d.door("adjust", N, |d| adjust(&d.v(), Adjustment::Hommel));
    d.door("adjust two-stage", N, |d| adjust(&d.v(), Adjustment::TwoStageBenjaminiHochberg(d.level())));
    d.door("serial_gate", N, |d| serial_gate(&[&d.v(), &d.v()], Adjustment::Holm));
    d.door("Graph", N, |d| Graph::new(d.v(), vec![d.v(), d.v()])?.adjust(&d.v()));
    d.door("Looks", N, |d| Looks::new(&d.v()));
    d.door("Looks::equal", N, |d| Looks::equal(d.size()));
    d.door("gs::Design", 60, |d| {
        let looks = Looks::new(&[d.f().abs(), d.f(), 1.0])?;
        let spending =
            [Spending::HwangShihDeCani(d.f()), Spending::KimDeMets(d.f()), Spending::Pocock][d.place(3)];
        gs::Design::new(&looks, d.level(), d.sides(), Boundary::Spending(spending))
            .map(|design| design.power(d.f()))
    });
    d.door("gs of bounds", 60, |d| {
        let looks = Looks::equal(2)?;
        let design = gs::Design::of_bounds(&looks, d.sides(), &[d.f(), d.f()], None)?;
        design.decide(d.size(), d.f())?;
        design.repeated_interval(d.size(), d.f(), d.f())
    });
    d.door("EValue::new", N, |d| EValue::new(d.f()));
    d.door("EValue::from_ln", N, |d| EValue::from_ln(d.f()));
    d.door("EValue::from_p", N, |d| EValue::from_p(d.f(), d.f()));
    d.door("NormalMixture", N, |d| NormalMixture::new(d.f())?.e_value(d.f(), d.f()));
    d.door("Mixture::normal", N, |d| Mixture::normal(d.sides(), d.f(), d.level())?.e_value(d.f(), d.f()));
    d.door("Mixture::normal bound", N, |d| {
        Mixture::normal(d.sides(), d.f(), d.level())?.bound(d.f(), d.level())
    });
    d.door("PolyStitching", N, |d| PolyStitching::new(d.f(), d.f(), d.f(), d.f())?.bound(d.f(), d.level()));
    d.door("bernoulli_interval", N, |d| {
        sequential::bernoulli_interval(&d.rate(), d.f(), d.level(), d.level())
    });
    d.door("Bounds", N, |d| Bounds::new(d.f(), d.f())?.of_scores(d.f()));
    d.door("assignment_score", N, |d| sequential::assignment_score(d.f(), true, d.f()));
    d.door("ConfidenceSequence tuning", N, |d| Tuning::new(d.f()));
    let plan = d.plan();
    d.door("sample_size_of_proportions", N, |d| planning::sample_size_of_proportions(d.f(), d.f(), &plan));
    d.door("power_of_proportions", N, |d| {
        planning::power_of_proportions((d.f(), d.u()), (d.f(), d.u()), d.level(), d.sides())
    });
    d.door("mde_of_proportions", N, |d| {
        planning::mde_of_proportions(d.f(), (d.u(), d.u()), d.better(), &plan)
    });
    d.door("arcsine_effect", N, |d| planning::arcsine_effect(d.f(), d.f()));
    d.door("sample_size_of_means", N, |d| planning::sample_size_of_means(d.f(), d.f(), d.f(), &plan));
    d.door("power_of_means", N, |d| {
        planning::power_of_means(d.f(), (d.f(), d.u()), (d.f(), d.u()), d.level(), d.sides())
    });
    d.door("mde_of_means", N, |d| planning::mde_of_means((d.f(), d.u()), (d.f(), d.u()), &plan));
    d.door("ratio_sd", N, |d| planning::ratio_sd((d.f(), d.f()), (d.f(), d.f()), d.f()));
    d.door("student::power", N, |d| {
        student::power(
            d.f(),
            (d.f(), d.f()),
            (d.f(), d.f()),
            d.variances(),
            (d.level(), d.sides()),
            student::Tails::Both,
        )
    });
    d.door("student::sample_size", 60, |d| {
        student::sample_size(d.f(), (d.f(), d.f()), d.variances(), &plan, student::Tails::Both)
    });
    d.door("student::mde", 60, |d| {
        student::mde((d.f(), d.f()), (d.f(), d.f()), d.variances(), &plan, student::Tails::Both)
    });
    d.door("equivalence sample size", N, |d| {
        equivalence::sample_size_of_means(d.f(), d.f(), d.f(), d.f(), &plan)
    });
    d.door("equivalence of rates", N, |d| {
        equivalence::sample_size_of_proportions(d.f(), d.f(), d.f(), &plan)
    });
    d.door("counts::exposure", N, |d| planning::counts::exposure(d.f(), d.f(), d.f(), &plan));
    d.door("counts::mde", N, |d| planning::counts::mde(d.f(), (d.f(), d.f()), d.f(), d.better(), &plan));
    d.door("survival::units", N, |d| planning::survival::units(d.f(), (d.f(), d.f()), &plan));
    d.door("survival::event_share", N, |d| planning::survival::event_share(d.f(), d.f(), d.f(), d.f()));
    d.door("design_effect", N, |d| factors::design_effect(d.f(), d.f(), d.f()));
    d.door("cuped factor", N, |d| factors::cuped(d.f()));
    d.door("cuped_for_some", N, |d| factors::cuped_for_some(d.f(), d.f()));
    d.door("weeks", N, |d| factors::weeks(d.f(), &d.v()));
    d.door("cluster::totals", N, |d| cluster::totals(&d.v(), &d.us()));
    d.door("intraclass", N, |d| cluster::intraclass(&d.v(), &d.us()));
    d.door("holdout::visible", N, |d| design::holdout::visible(d.f(), d.u(), d.u(), d.level(), d.f()));
    d.door("queries_needed", 60, |d| interleaving::queries_needed(d.f(), d.level(), d.f()));
    d.door("switchback", N, |d| {
        switchback::Switchback::new(d.size(), d.size(), switchback::Mechanism::Coin)?
            .blocks(&d.v(), &d.bools())
    });
    d.door("change_point", N, |d| detect::change_point(&d.us(), &d.v(), d.f()));
    d.door("Chart", N, |d| Chart::new(d.f(), d.f()));
    d.door("Cusum", N, |d| Cusum::new(Chart::new(d.f(), d.f())?, d.f())?.observe(d.u(), d.f()));
    d.door("least_delay", N, |d| detect::least_delay(d.f(), d.f(), d.f()));
    d.door("least_drop", N, |d| detect::least_drop(d.f(), d.f(), d.f()));
    d.door("DoseResponse", N, |d| DoseResponse::default().observe(d.u(), d.u(), d.f()));
    d.door("rogan_gladen", N, |d| eval::rogan_gladen(&d.rate(), &d.rate(), &d.rate()));
    d.door("prediction_powered", N, |d| eval::prediction_powered(&d.v(), &d.v(), &d.v()));
    d.door("kappa", N, |d| eval::kappa(&d.us(), &d.us()));
    d.door("pass_at_k", N, |d| eval::pass_at_k(d.u(), d.u(), d.u()));
    d.door("pass_hat_k", N, |d| eval::pass_hat_k(d.u(), d.u(), d.u()));
    d.door("flip_rate", N, |d| eval::flip_rate(d.u(), d.u()));
    d.door("two_level", N, |d| eval::two_level(&[&d.v(), &d.v()]));
    d.door("paired", N, |d| eval::paired(&d.v(), &d.v()));
    d.door("paired_clustered", N, |d| eval::paired_clustered(&d.v(), &d.v(), &d.us()));
    d.door("mcnemar", N, |d| eval::mcnemar(d.u(), d.u()));
    d.door("influence", N, |d| validity::influence(&d.v(), &d.v(), d.level()));
    d.door("suspicion", N, |d| validity::suspicion(&d.v(), &d.v()));
    d.door("Beta", N, |d| bayes::Beta::new(d.f(), d.f()));
    d.door("Prior::normal", N, |d| bayes::Prior::normal(d.f(), d.f(), bayes::Scale::Absolute));
    d.door("NormalPosterior", N, |d| {
        bayes::NormalPosterior::new(
            d.f(),
            d.f(),
            &bayes::Prior::normal(d.f(), d.f(), bayes::Scale::Absolute)?,
        )?
        .chance_within(d.f(), d.f())
    });
    d.door("bootstrap", N, |d| {
        resample::Bootstrap::new(d.size() * 20, 3)?.of_means(&d.v(), &d.v())?.bca(d.level())
    });
    d.door("Caution", N, |d| Caution::of_means(&d.v(), &d.v()));
    let seen = d.seen.borrow();
    assert!(seen.is_empty(), "{}", seen.join("\n"));
}

fn adjust_caps(d: &Draw) -> Result<Moments, Refusal> {
    bellwether_stats::adjust::Caps::at_quantiles(&d.v(), d.f(), d.f())?.winsorised(&d.v())
}
