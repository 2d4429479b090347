//! Bad input to every public door that can refuse: an answer without NaN, or a refusal that says what and why; never a panic.
//!
//! Arguments are drawn from hostile pools, seeded. A call that was given a NaN must be refused.
//!
//! Long because: each line is one public door.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bellwether_stats::counts::{self, Count};
use bellwether_stats::design::{self, cluster, interleaving, switchback};
use bellwether_stats::detect::{self, Chart, Cusum, DoseResponse};
use bellwether_stats::group_sequential::{self as gs, Binding, Boundary, Futility, Looks, Spending};
use bellwether_stats::multiplicity::{Adjustment, Graph, adjust, dunnett, dunnett_critical, serial_gate};
use bellwether_stats::planning::{self, Design, equivalence, factors, student};
use bellwether_stats::rank::{self, Correction};
use bellwether_stats::sequential::{
    self, Betting, Bounds, EProcess, EValue, EmpiricalBernstein, Epoch, Mixture, OverEpochs, PolyStitching,
    e_benjamini_hochberg,
};
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

    /// What was seen, all of it at once.
    fn end(&self) {
        let seen = self.seen.borrow();
        assert!(seen.is_empty(), "{}", seen.join("\n"));
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
                    // An infinity may be the end of an interval, or no evidence at all; by itself it is no answer.
                    if said.contains("NaN") || said == "inf" || said == "-inf" {
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
    const N: usize = 1_000;
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
        let spending = match d.place(3) {
            0 => Spending::HwangShihDeCani(d.f()),
            1 => Spending::KimDeMets(d.f()),
            _ => Spending::Pocock,
        };
        gs::Design::new(&looks, d.level(), d.sides(), Boundary::Spending(spending))
            .and_then(|design| design.power(d.f()))
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
    d.door("NormalMixture within", N, |d| {
        NormalMixture::new(d.f())?.ln_likelihood_ratio_within(d.f(), d.f(), d.f())
    });
    d.door("NormalMixture half_width", N, |d| NormalMixture::new(d.f())?.half_width(d.f(), d.level()));
    d.door("Spending", N, |d| {
        let spending = match d.place(4) {
            0 => Spending::OBrienFleming,
            1 => Spending::Pocock,
            2 => Spending::HwangShihDeCani(d.f()),
            _ => Spending::KimDeMets(d.f()),
        };
        spending.spent(d.f(), d.f())
    });
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
        planning::power_of_proportions((d.f(), d.u()), (d.f(), d.u()), d.level(), d.side())
    });
    d.door("mde_of_proportions", N, |d| {
        planning::mde_of_proportions(d.f(), (d.u(), d.u()), d.better(), &plan)
    });
    d.door("arcsine_effect", N, |d| planning::arcsine_effect(d.f(), d.f()));
    d.door("sample_size_of_means", N, |d| planning::sample_size_of_means(d.f(), d.f(), d.f(), &plan));
    d.door("power_of_means", N, |d| {
        planning::power_of_means(d.f(), (d.f(), d.u()), (d.f(), d.u()), d.level(), d.side())
    });
    d.door("mde_of_means", N, |d| planning::mde_of_means((d.f(), d.u()), (d.f(), d.u()), &plan));
    d.door("ratio_sd", N, |d| planning::ratio_sd((d.f(), d.f()), (d.f(), d.f()), d.f()));
    d.door("student::power", N, |d| {
        student::power(
            d.f(),
            (d.f(), d.f()),
            (d.f(), d.f()),
            d.variances(),
            (d.level(), d.side()),
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
    d.door("rogan_gladen", N, |d| {
        let ours = eval::rogan_gladen(&d.rate(), &d.rate(), &d.rate())?;
        Ok((ours, ours.interval(d.level())))
    });
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
    d.door("chances", N, |d| {
        let effect = bayes::NormalPosterior::new(d.f(), d.f(), &bayes::Prior::FLAT)?;
        let rate = bayes::Beta::new(d.f(), d.f())?;
        let gains = (effect.expected_gain(), effect.expected_loss());
        let x = d.f();
        Ok((effect.chance_above(x)?, effect.chance_below(x)?, rate.chance_above(x)?, gains))
    });
    d.door("bootstrap", N, |d| {
        resample::Bootstrap::new(d.size() * 20, 3)?.of_means(&d.v(), &d.v())?.bca(d.level())
    });
    d.door("Caution", N, |d| Caution::of_means(&d.v(), &d.v()));
    d.end();
}

#[test]
fn every_door_of_evidence_and_designs_answers_or_refuses() {
    let d = Draw { state: Cell::new(11), nan: Cell::new(false), seen: RefCell::default() };
    const N: usize = 1_000;
    let plan = d.plan();
    let e = |d: &Draw| EValue::from_ln(d.f());
    d.door("EValue::and", N, |d| Ok(e(d)?.and(e(d)?)));
    d.door("EValue::average", N, |d| EValue::average(&[e(d)?, e(d)?]));
    d.door("EValue::weighted_average", N, |d| {
        EValue::weighted_average(&[(e(d)?, d.f()), (e(d)?, d.f()), (e(d)?, d.f())])
    });
    d.door("EProcess", N, |d| {
        let mut process = EProcess::default();
        process.multiply(e(d)?);
        process.observe(e(d)?);
        process.multiply(e(d)?);
        assert!((0.0..=1.0).contains(&process.p()));
        Ok(process)
    });
    d.door("e_benjamini_hochberg", N, |d| {
        let values = (0..d.size()).map(|_| e(d)).collect::<Result<Vec<_>, _>>()?;
        Ok(e_benjamini_hochberg(&values, d.level()))
    });
    d.door("gamma_exponential", N, |d| {
        Mixture::gamma_exponential(d.f(), d.f(), d.level())?.e_value(d.f(), d.f())
    });
    d.door("gamma_exponential bound", N, |d| {
        Mixture::gamma_exponential(d.f(), d.f(), d.level())?.bound(d.f(), d.level())
    });
    d.door("gamma_poisson", N, |d| Mixture::gamma_poisson(d.f(), d.f(), d.level())?.e_value(d.f(), d.f()));
    d.door("gamma_poisson bound", N, |d| {
        Mixture::gamma_poisson(d.f(), d.f(), d.level())?.bound(d.f(), d.level())
    });
    d.door("ConfidenceSequence", N, |d| {
        let sequence = ConfidenceSequence::new(d.level(), Tuning::new(d.f())?, d.sides());
        let exact = ConfidenceSequence::exactly_tuned(d.level(), Tuning::new(d.f())?, d.sides());
        let n = d.u();
        let (se, z) = (d.f(), d.f());
        Ok((sequence.half_width(se, n)?, exact.half_width(se, n)?, sequence.ln_p(z, n)?))
    });
    d.door("Betting", N, |d| {
        let mut sequence = Betting::new(Bounds::new(d.f(), d.f())?, d.level());
        for value in d.v() {
            sequence.observe(value)?;
        }
        Ok(sequence.interval())
    });
    d.door("EmpiricalBernstein", N, |d| {
        let mut sequence = EmpiricalBernstein::new(Bounds::new(d.f(), d.f())?, d.level());
        for value in d.v() {
            sequence.observe(value)?;
        }
        Ok(sequence.interval())
    });
    d.door("OverEpochs", N, |d| {
        let epoch = |d: &Draw| Epoch { control: d.moments(), treatment: d.moments() };
        let over = OverEpochs::new(&[epoch(d), epoch(d)])?;
        Ok((over.estimate(), over.se(), over.interval(d.level(), Tuning::new(d.f())?)))
    });
    d.door("gs with_futility", 60, |d| {
        let level = Level::from_alpha([1e-300, 1e-9, 0.025, 0.4][d.place(4)]).unwrap();
        let looks = Looks::new(&[d.f().abs(), d.f(), 1.0])?;
        let futility = Futility {
            spending: match d.place(3) {
                0 => Spending::HwangShihDeCani(d.f()),
                1 => Spending::KimDeMets(d.f()),
                _ => Spending::OBrienFleming,
            },
            power: d.f(),
            binding: [Binding::Binding, Binding::NonBinding][d.place(2)],
            drift: (d.place(2) == 0).then(|| d.f()),
        };
        let design = gs::Design::new(&looks, level, d.sides(), Boundary::Spending(Spending::Pocock))?
            .with_futility(futility)?;
        design.stopping(d.f())
    });
    d.door("gs outcome", 60, |d| {
        let design = gs::Design::new(&Looks::equal(3)?, Level::P95, d.sides(), Boundary::POCOCK)?;
        design.outcome(d.place(4), d.f(), d.f())
    });
    d.door("gs drift", 60, |d| {
        let design = gs::Design::new(&Looks::equal(3)?, d.level(), d.sides(), Boundary::POCOCK)?;
        Ok((design.drift(d.f())?, design.inflation(d.f())?, design.expected_information(d.f())?))
    });
    d.door("factors::sequential", 60, |d| {
        let looks = gs::Design::new(&Looks::equal(2)?, d.level(), d.sides(), Boundary::POCOCK)?;
        factors::sequential(&looks, &Design::new(d.level(), d.f(), d.sides())?)
    });
    let shares = |d: &Draw| -> Vec<f64> {
        if d.place(3) == 0 { d.v() } else { (0..2 + d.place(4)).map(|_| 1.0 + d.place(5) as f64).collect() }
    };
    d.door("dunnett_critical", 40, |d| dunnett_critical(&shares(d), d.level(), d.sides()));
    d.door("dunnett", 100, |d| {
        let units = shares(d);
        let z: Vec<f64> = (1..units.len()).map(|_| d.f()).collect();
        dunnett(&z, &units, d.sides())
    });
    let many = |d: &Draw| {
        use planning::variants::{Comparisons, Correction};
        (
            [Comparisons::WithControl, Comparisons::AllPairs][d.place(2)],
            [Correction::None, Correction::Bonferroni, Correction::Dunnett][d.place(3)],
        )
    };
    d.door("variants::sample_size", 60, |d| {
        let (comparisons, correction) = many(d);
        planning::variants::sample_size(d.f(), d.f(), &shares(d), comparisons, correction, &plan)
    });
    d.door("variants::power", 60, |d| {
        let (comparisons, correction) = many(d);
        planning::variants::power(d.f(), d.f(), &shares(d), comparisons, correction, (d.level(), d.side()))
    });
    let arms = |d: &Draw| shares(d).into_iter().map(|share| (d.f(), share)).collect::<Vec<_>>();
    d.door("variants::sample_size_by_arm", 60, |d| {
        let (comparisons, correction) = many(d);
        planning::variants::sample_size_by_arm(d.f(), &arms(d), comparisons, correction, &plan)
    });
    d.door("variants::power_by_arm", 60, |d| {
        let (comparisons, correction) = many(d);
        planning::variants::power_by_arm(d.f(), &arms(d), comparisons, correction, (d.level(), d.side()))
    });
    d.door("variants::mde_by_arm", 60, |d| {
        let (comparisons, correction) = many(d);
        planning::variants::mde_by_arm(&arms(d), comparisons, correction, &plan)
    });
    d.door("variants::mde", 60, |d| {
        let (comparisons, correction) = many(d);
        planning::variants::mde(d.f(), &shares(d), comparisons, correction, &plan)
    });
    {
        use planning::{non_inferiority as ni, survival};
        let arm = |d: &Draw| (d.f(), d.u());
        d.door("ni sample size of rates", N, |d| ni::sample_size_of_proportions(d.f(), d.f(), d.f(), &plan));
        d.door("ni power of rates", N, |d| ni::power_of_proportions(arm(d), arm(d), d.f(), d.level()));
        d.door("ni margin of rates", N, |d| ni::margin_of_proportions(arm(d), arm(d), &plan));
        d.door("ni sample size of means", N, |d| ni::sample_size_of_means(d.f(), d.f(), d.f(), d.f(), &plan));
        d.door("ni power of means", N, |d| ni::power_of_means(d.f(), d.f(), arm(d), arm(d), d.level()));
        d.door("ni margin of means", N, |d| ni::margin_of_means(d.f(), arm(d), arm(d), &plan));
        d.door("eq power of means", N, |d| {
            equivalence::power_of_means(d.f(), d.f(), arm(d), arm(d), d.level())
        });
        d.door("eq margin of means", N, |d| equivalence::margin_of_means(d.f(), arm(d), arm(d), &plan));
        d.door("eq power of rates", N, |d| {
            equivalence::power_of_proportions(arm(d), arm(d), d.f(), d.level())
        });
        d.door("eq margin of rates", N, |d| equivalence::margin_of_proportions(arm(d), arm(d), &plan));
        let seen = |d: &Draw| (d.f(), d.f());
        d.door("ni exposure of counts", N, |d| {
            ni::exposure_of_rates(d.f(), d.f(), d.f(), (d.f(), d.better()), &plan)
        });
        d.door("ni power of counts", N, |d| {
            ni::power_of_rates(seen(d), seen(d), d.f(), (d.f(), d.better()), d.level())
        });
        d.door("ni margin of counts", N, |d| ni::margin_of_rates(seen(d), seen(d), d.f(), d.better(), &plan));
        d.door("ni events", N, |d| ni::events(d.f(), d.f(), &plan));
        d.door("ni power of hazards", N, |d| ni::power_of_hazards(d.f(), d.f(), d.f(), d.f(), d.level()));
        d.door("ni margin of hazards", N, |d| ni::margin_of_hazards(d.f(), d.f(), d.better(), &plan));
        d.door("eq exposure of counts", N, |d| {
            equivalence::exposure_of_rates(d.f(), d.f(), d.f(), d.f(), &plan)
        });
        d.door("eq power of counts", N, |d| {
            equivalence::power_of_rates(seen(d), seen(d), d.f(), d.f(), d.level())
        });
        d.door("eq margin of counts", N, |d| equivalence::margin_of_rates(seen(d), seen(d), d.f(), &plan));
        d.door("eq events", N, |d| equivalence::events(d.f(), d.f(), &plan));
        d.door("eq power of hazards", N, |d| {
            equivalence::power_of_hazards(d.f(), d.f(), d.f(), d.f(), d.level())
        });
        d.door("eq margin of hazards", N, |d| equivalence::margin_of_hazards(d.f(), d.f(), &plan));
        d.door("factors::always_valid", N, |d| {
            let sequence = ConfidenceSequence::new(d.level(), Tuning::new(d.f())?, d.sides());
            factors::always_valid(&sequence, d.f(), &Design::new(d.level(), d.f(), d.sides())?)
        });
        let by =
            |d: &Draw| [survival::Approximation::Schoenfeld, survival::Approximation::Freedman][d.place(2)];
        d.door("survival::events", N, |d| survival::events(d.f(), &plan, by(d)));
        d.door("survival::power", N, |d| survival::power(d.f(), d.f(), d.f(), (d.level(), d.side()), by(d)));
        d.door("survival::mde", N, |d| survival::mde(d.f(), d.better(), &plan, by(d)));
        d.door("power_of_f", N, |d| planning::power_of_f(d.u(), d.f(), d.u(), d.level()));
        d.door("power_of_rates", N, |d| {
            planning::counts::power_of_rates((d.f(), d.f()), (d.f(), d.f()), d.f(), d.level(), d.side())
        });
        d.door("Design::new", N, |d| Design::new(d.level(), d.f(), d.sides())?.with_allocation(d.f()));
    }
    d.end();
}

#[test]
fn every_door_of_data_answers_or_refuses() {
    let d = Draw { state: Cell::new(13), nan: Cell::new(false), seen: RefCell::default() };
    const N: usize = 1_000;
    d.door("fisher", N, |d| proportions::fisher(&d.rate(), &d.rate(), d.side()));
    d.door("odds_ratio", N, |d| proportions::odds_ratio(&d.rate(), &d.rate()));
    d.door("agresti_caffo", N, |d| proportions::agresti_caffo(&d.rate(), &d.rate(), d.level()));
    d.door("pooled_z", N, |d| proportions::pooled_z(&d.rate(), &d.rate(), d.side()));
    d.door("unpooled", N, |d| proportions::unpooled(&d.rate(), &d.rate()));
    d.door("ratio_score_low", N, |d| proportions::ratio_score_low(&d.rate(), &d.rate(), d.level()));
    d.door("hac", N, |d| {
        let kernel = match d.place(3) {
            0 => regression::Kernel::Bartlett { lag: d.size() * 1_000 },
            1 => regression::Kernel::QuadraticSpectral { bandwidth: d.f() },
            _ => regression::Kernel::Andrews,
        };
        let fit = regression::Regression::fit(&d.v(), &[&d.v()])?;
        fit.covariance(regression::Errors::Hac { kernel, adjusted: d.place(2) == 0 })?.estimate(d.place(3))
    });
    d.door("clustered errors", N, |d| {
        let (clusters, other) = (d.us(), d.us());
        let correction = [regression::Correction::Hc1, regression::Correction::Cr2][d.place(2)];
        let errors = [
            regression::Errors::Clustered { clusters: &clusters, correction },
            regression::Errors::TwoWay { a: &clusters, b: &other },
        ][d.place(2)];
        regression::Regression::fit(&d.v(), &[&d.v()])?.covariance(errors)?.estimate(1)
    });
    let switchback = |d: &Draw| {
        use switchback::Mechanism;
        switchback::Switchback::new(d.size(), d.size(), [Mechanism::Coin, Mechanism::Pairs][d.place(2)])
    };
    d.door("switchback series", N, |d| switchback(d)?.series(&d.v(), &d.bools(), d.size()));
    d.door("switchback randomisation", N, |d| {
        switchback(d)?.randomisation(&d.v(), &d.bools(), d.u().min(200), d.u())
    });
    d.door("complete", N, |d| design::assignment::complete(d.size(), d.size(), d.u()));
    d.door("rerandomised", 100, |d| {
        let acceptance = d.f();
        // One so small is refused or takes its time; a NaN stays one.
        let acceptance = if acceptance < 0.01 { 0.01 } else { acceptance };
        design::assignment::rerandomised(&[&d.v(), &d.v()], acceptance, d.u())
    });
    d.door("cluster::compare", N, |d| {
        cluster::compare(&cluster::totals(&d.v(), &d.us())?, &cluster::totals(&d.v(), &d.us())?)
    });
    d.door("holdout", N, |d| {
        let measured = design::holdout::cumulative(&d.moments(), &d.moments())?;
        let promise = Estimate::new(d.f(), d.f(), None, Method::WelchT)?;
        design::holdout::shortfall(&[promise], &measured)
    });
    d.door("interleaving", N, |d| {
        use interleaving::Verdict;
        let verdicts: Vec<Verdict> =
            (0..d.size()).map(|_| [Verdict::A, Verdict::B, Verdict::Tie][d.place(3)]).collect();
        let all = interleaving::Preference::of(&verdicts);
        Ok((all.test()?, all.interval(d.level())?, interleaving::by_user(&verdicts, &d.us())?))
    });
    d.door("Preference", N, |d| {
        let all = interleaving::Preference { a: d.u(), b: d.u(), ties: d.u() };
        Ok((all.delta(), all.test(), all.interval(d.level())))
    });
    d.door("Switchback::assign", 60, |d| switchback(d)?.assign(d.u() as usize, d.u()));
    d.door("JointMoments::empty", N, |d| JointMoments::empty(d.u() as usize));
    d.door("Graph::holm", 60, |d| Graph::holm(d.u() as usize)?.adjust(&d.v()));
    d.door("Graph::sequence", 60, |d| Graph::sequence(d.u() as usize)?.adjust(&d.v()));
    d.door("merged moments", N, |d| {
        let all = d.moments().merge(&d.moments()).merge(&d.moments());
        Ok((all, all.variance(), all.sum(), all.sum_of_squares()))
    });
    d.door("interleaving visible", 60, |d| interleaving::visible(d.u(), d.level(), d.f()));
    let rule = |d: &Draw| match d.place(3) {
        0 => bandit::Rule::Thompson,
        1 => bandit::Rule::TopTwo { leader: d.f() },
        _ => bandit::Rule::BestOrSecond,
    };
    d.door("weights_of_means", 200, |d| {
        let arm = |d: &Draw| bayes::NormalPosterior::new(d.f(), d.f(), &bayes::Prior::FLAT);
        bandit::weights_of_means(&[arm(d)?, arm(d)?, arm(d)?], rule(d), d.better())
    });
    d.door("weights_of_rates", 200, |d| {
        let arm = |d: &Draw| bayes::Beta::new(d.f(), d.f());
        bandit::weights_of_rates(&[arm(d)?, arm(d)?], rule(d), d.better())
    });
    d.door("Floor", N, |d| {
        let floor = if d.place(2) == 0 { bandit::Floor::Mixed(d.f()) } else { bandit::Floor::Raised(d.f()) };
        floor.apply(&d.v())
    });
    d.door("Periods", N, |d| {
        let period = |d: &Draw| {
            let share = d.f();
            bandit::Period { shares: vec![share, 1.0 - share], arms: vec![d.moments(), d.moments()] }
        };
        let periods = bandit::Periods::new(&[period(d), period(d)])?;
        use bandit::Weighting;
        let by = [Weighting::Period, Weighting::InverseProbability, Weighting::SelfNormalised][d.place(3)];
        let (value, contrast) = (periods.value(d.place(3), by)?, periods.contrast(0, 1, by)?);
        Ok((value, contrast, value.interval(d.level()), contrast.interval(d.level())))
    });
    let week = detect::Week::of_bins(300).unwrap();
    let history = |d: &Draw| -> Vec<Option<u64>> {
        let size = [0, 1, 2, 3][d.place(4)] * week.bins();
        (0..size).map(|_| (d.place(20) > 0).then(|| if d.place(99) == 0 { d.u() } else { 5 })).collect()
    };
    let settings = |d: &Draw| detect::Settings {
        charts: vec![detect::Chart::TOLERANT; d.place(3)],
        half_life: [0, 1, 900, u32::MAX][d.place(4)],
        lag: [0, 180, u32::MAX][d.place(3)],
        rest: [0, 180, u32::MAX][d.place(3)],
    };
    d.door("Detector", 60, |d| {
        let mut detector =
            detect::Detector::new(detect::Profile::fit(week, &history(d))?, &settings(d), d.f())?;
        for _ in 0..50 {
            detector.observe(d.u() as usize, (d.place(4) > 0).then(|| d.u()))?;
        }
        detector.observe(0, Some(1))
    });
    d.door("Card", 60, |d| {
        let profile = detect::Profile::fit(week, &history(d))?;
        let card = detect::Card::new(&profile, &settings(d), d.f())?;
        let (bin, minutes) = (d.u() as usize, d.place(9) as f64);
        Ok((card.delay(bin, 0.3), card.visible(bin, minutes), card.heartbeat(minutes)))
    });
    d.door("calibrate", 40, |d| detect::calibrate(week, &history(d), &settings(d), d.f()));
    let followed = |d: &Draw| -> Vec<survival::Observation> {
        (0..d.size()).map(|_| survival::Observation { time: d.f(), happened: d.place(2) == 0 }).collect()
    };
    d.door("log_rank", N, |d| survival::log_rank(&followed(d), &followed(d), d.side()));
    d.door("balance", N, |d| {
        let arm = |d: &Draw| {
            if d.place(2) == 0 {
                JointMoments::of(&[&d.v(), &d.v()])
            } else {
                JointMoments::from_sums(d.u(), &[d.f(), d.f()], &[d.f(), d.f(), d.f(), d.f()])
            }
        };
        validity::balance(&arm(d)?, &arm(d)?, d.level())
    });
    d.door("simpson", N, |d| {
        let segment = |d: &Draw| validity::Segment { control: d.moments(), treatment: d.moments() };
        validity::simpson(&[segment(d), segment(d), segment(d)], d.level())
    });
    d.door("spillover", N, |d| {
        let cell = |d: &Draw| validity::Cell { treated_share: d.f(), control: d.moments() };
        validity::spillover(&[cell(d), cell(d), cell(d)])
    });
    d.door("disagreement", N, |d| {
        let estimate = |d: &Draw| Estimate::new(d.f(), d.f(), None, Method::WelchT);
        validity::disagreement(&estimate(d)?, &estimate(d)?)
    });
    d.door("Trend", N, |d| {
        let mut trend = validity::Trend::new(5)?;
        for arm in [Arm::Control, Arm::Treatment, Arm::Control, Arm::Treatment] {
            trend.push(arm, &[d.f(), d.f(), d.f(), d.f(), d.f()])?;
        }
        trend.result(d.level())
    });
    d.door("replay", 60, |d| validity::replay(d.u().min(300), d.level(), |_| Ok(d.f())));
    d.door("sign_flip", N, |d| eval::sign_flip(&d.v(), &d.v(), d.u().min(200), d.u()));
    d.door("sign_test", N, |d| eval::sign_test(d.u(), d.u()));
    d.door("clustered_mean", N, |d| eval::clustered_mean(&d.v(), &d.us()));
    d.door("quarantine", N, |d| eval::quarantine(&[d.rate(), d.rate()], d.f(), d.level()));
    d.door("verdict_flips", N, |d| {
        eval::verdict_flips(&[&d.v(), &d.v()], d.size(), d.u().min(200), d.u(), |x| x.first() > x.last())
    });
    d.door("BetaComparison", 200, |d| {
        let compared =
            bayes::BetaComparison::new(bayes::Beta::new(d.f(), d.f())?, bayes::Beta::new(d.f(), d.f())?);
        Ok((compared.chance_treatment_better()?, compared.expected_loss_of_treatment()?))
    });
    d.door("adjust::cuped from sums", N, |d| {
        let arm = |d: &Draw| JointMoments::from_sums(d.u(), &[d.f(), d.f()], &[d.f(), d.f(), d.f(), d.f()]);
        let (control, treatment) = (arm(d)?, arm(d)?);
        Ok((
            bellwether_stats::adjust::cuped(&control, &treatment)?.effect()?,
            bellwether_stats::adjust::ratio(&control, &treatment)?,
        ))
    });
    d.end();
}

fn adjust_caps(d: &Draw) -> Result<Moments, Refusal> {
    bellwether_stats::adjust::Caps::at_quantiles(&d.v(), d.f(), d.f())?.winsorised(&d.v())
}
