//! Trial: verdicts of experiments, their sentences, and how often they are wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use bellwether_model::experiment::Arm as PlannedArm;
use bellwether_model::experiment::ExperimentState;
use bellwether_model::metric::Measure;
use bellwether_model::{Edit, Share, Span};
use bellwether_stats::{Moments, Proportion, Refusal};
use proptest::prelude::*;

use super::*;
use crate::{Shipping, ship};

fn key(name: &str) -> VariantKey {
    name.parse().unwrap()
}

fn plan(shares: &[(&str, u16)]) -> Plan {
    let arm = |&(name, points): &(&str, u16)| PlannedArm {
        variant: key(name),
        share: Share::basis_points(points).unwrap(),
    };
    Plan {
        control: key(shares[0].0),
        arms: shares.iter().map(arm).collect(),
        metric: "signup".parse().unwrap(),
        horizon: Horizon::After { span: Span::DAY.times(14) },
        alpha: 0.05,
        effect: None,
    }
}

fn two() -> Plan {
    plan(&[("control", 5_000), ("treatment", 5_000)])
}

fn metric(measure: Measure, better: Better) -> Metric {
    Metric {
        key: "signup".parse().unwrap(),
        name: "Signups".into(),
        description: String::new(),
        event: "signup".into(),
        only: vec![],
        measure,
        better,
    }
}

fn signups() -> Metric {
    metric(Measure::Conversion, Better::Higher)
}

fn conversions(arms: &[(&str, u64, u64)]) -> Evidence {
    let arm = |&(name, converted, units): &(&str, u64, u64)| {
        let rate = if units == 0 { 0.0 } else { converted as f64 / units as f64 };
        Arm {
            variant: key(name),
            exposed: units,
            units,
            converted,
            moments: Moments::new(units, rate, converted as f64 * (1.0 - rate)).unwrap(),
        }
    };
    Evidence {
        increments: vec![arms.iter().map(|a| a.2).collect()],
        arms: arms.iter().map(arm).collect(),
        crossed: 3,
    }
}

fn means(arms: &[(&str, u64, f64, f64)]) -> Evidence {
    let arm = |&(name, units, mean, sd): &(&str, u64, f64, f64)| Arm {
        variant: key(name),
        exposed: units,
        units,
        converted: units / 2,
        moments: Moments::new(units, mean, sd * sd * (units.max(1) - 1) as f64).unwrap(),
    };
    Evidence {
        increments: vec![arms.iter().map(|a| a.1).collect()],
        arms: arms.iter().map(arm).collect(),
        crossed: 0,
    }
}

/// 20 July 2026, and the end of fourteen days.
const SINCE: Millis = Millis(1_784_505_600_000);

fn at(days: u64) -> Clock {
    let horizon = SINCE.plus(Span::DAY.times(14));
    Clock { now: SINCE.plus(Span::DAY.times(days)), since: SINCE, until: horizon }
}

fn said(plan: &Plan, metric: &Metric, evidence: &Evidence, clock: Clock) -> String {
    judge(plan, metric, evidence, clock).unwrap().sentence
}

#[test]
fn a_verdict_says_its_numbers() {
    let end = at(14);
    let higher = signups();
    let lower = metric(Measure::Conversion, Better::Lower);
    let check =
        |metric: &Metric, arms: &[(&str, u64, u64)], clock| said(&two(), metric, &conversions(arms), clock);
    let better = [("control", 998, 9_979), ("treatment", 1_313, 10_021)];
    let same = [("control", 998, 9_979), ("treatment", 1_020, 10_021)];
    let none = [("control", 0, 9_979), ("treatment", 0, 10_021)];
    let few = [("control", 3, 30), ("treatment", 5, 29)];
    let skewed = [("control", 998, 9_000), ("treatment", 1_313, 10_021)];
    let early = Clock { until: SINCE.plus(Span::DAY), ..end };
    let sentences = [
        check(&higher, &better, end),
        check(&lower, &better, end),
        check(&higher, &same, end),
        check(&higher, &better, at(3)),
        check(&higher, &better, early),
        check(&higher, &none, end),
        check(&higher, &few, end),
        check(&higher, &skewed, at(3)),
        check(&higher, &[("control", 5, 50)], end),
    ];
    insta::assert_snapshot!(sentences.join("\n"), @r"
    ship `treatment`: `signup` of `treatment` is +3.10 points (2.22 to 3.99), p < 0.0001, 13.10% of 10,021 against 10.00% of 9,979
    keep `control`: `signup` (less is better) of `treatment` is +3.10 points (2.22 to 3.99), p < 0.0001, 13.10% of 10,021 against 10.00% of 9,979
    no difference shown: `signup` of `treatment` is +0.18 points (-0.66 to 1.01), p = 0.677, 10.18% of 10,021 against 10.00% of 9,979; an effect between -0.66 and +1.01 points is not excluded
    running until 2026-08-03T00:00:00Z, no decision before: `signup` of `treatment` is +3.10 points (2.22 to 3.99), 13.10% of 10,021 against 10.00% of 9,979
    ended on 2026-07-21T00:00:00Z, before the planned 2026-08-03T00:00:00Z, so nothing is decided: `signup` of `treatment` is +3.10 points (2.22 to 3.99), 13.10% of 10,021 against 10.00% of 9,979
    the arms have no variance: each unit of an arm has the same value
    too little data: `control` has `30` of the `37` units that this test needs
    the split is broken: `control` has 9,000, `treatment` has 10,021 where 50% / 50% were planned (p < 0.0001, valid at every look); do not use these numbers
    too little data: `treatment` has `0` of the `50` units that this test needs; the sample ratio is off (p < 0.0001): find out why before you act
    ");
}

/// What a page may show of each comparison follows from the answer: no word on a difference, and no p in the
/// sentence, unless the one look has decided.
#[test]
fn nothing_is_called_a_difference_before_the_decision() {
    let plan = plan(&[("control", 2_500), ("a", 2_500), ("b", 2_500)]);
    let even = [("control", 500, 5_000), ("a", 800, 5_000), ("b", 510, 5_000)];
    let skewed = [("control", 500, 5_000), ("a", 800, 6_000), ("b", 510, 5_000)];
    let ended = Clock { until: SINCE.plus(Span::DAY), ..at(3) };
    let look = |arms: &[(&str, u64, u64)], clock| {
        let judgement = judge(&plan, &signups(), &conversions(arms), clock).unwrap();
        assert_eq!(judgement.ends_at, SINCE.plus(Span::DAY.times(14)));
        let json = serde_json::to_value(&judgement).unwrap();
        let words: Vec<_> = json["comparisons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["compared"].get("significant").cloned())
            .collect();
        (judgement.interim, words, judgement.sentence.contains("p-value"))
    };
    let (yes, no) = (Some(true.into()), Some(false.into()));
    assert_eq!(look(&even, at(14)), (false, vec![yes, no], true));
    assert_eq!(look(&even, at(13)), (true, vec![None, None], false));
    assert_eq!(look(&even, ended), (false, vec![None, None], false));
    assert_eq!(look(&skewed, at(3)), (true, vec![None, None], false));
    assert_eq!(look(&skewed, at(14)), (false, vec![None, None], false));
}

#[test]
fn a_mean_is_said_as_a_lift() {
    let revenue = metric(Measure::Sum { property: "price".into() }, Better::Higher);
    let check = |arms: &[(&str, u64, f64, f64)]| said(&two(), &revenue, &means(arms), at(20));
    let sentences = [
        check(&[("control", 5_000, 12.1, 8.0), ("treatment", 5_050, 12.9, 8.2)]),
        check(&[("control", 5_000, 12.1, 8.0), ("treatment", 5_050, 12.0, 8.2)]),
        // Nobody in control bought anything: there is a difference, and no lift.
        check(&[("control", 5_000, 0.0, 0.0), ("treatment", 5_050, 0.4, 2.0)]),
        check(&[("control", 29, 1.0, 1.0), ("treatment", 30, 2.0, 1.0)]),
    ];
    insta::assert_snapshot!(sentences.join("\n"), @r"
    ship `treatment`: `signup` of `treatment` is +0.80 (0.48 to 1.12), a lift of +6.6%, p < 0.0001, 12.9 per unit of 5,050 against 12.1 per unit of 5,000
    no difference shown: `signup` of `treatment` is -0.10 (-0.42 to 0.22), a lift of -0.8%, p = 0.536, 12 per unit of 5,050 against 12.1 per unit of 5,000; an effect between -0.42 and +0.22 is not excluded
    ship `treatment`: `signup` of `treatment` is +0.400 (0.345 to 0.455), p < 0.0001, 0.4 per unit of 5,050 against 0 per unit of 5,000
    too little data: `control` has `29` of the `30` units that this test needs
    ");
}

#[test]
fn several_treatments_share_alpha() {
    let plan = plan(&[("control", 2_500), ("a", 2_500), ("b", 2_500), ("c", 2_500)]);
    let check = |arms: &[(&str, u64, u64)]| said(&plan, &signups(), &conversions(arms), at(14));
    let sentences = [
        check(&[("control", 500, 5_000), ("a", 640, 5_000), ("b", 700, 5_000), ("c", 400, 5_000)]),
        // p of `a` alone is 0.03: not below a third of 5%.
        check(&[("control", 500, 5_000), ("a", 567, 5_000), ("b", 500, 5_000), ("c", 510, 5_000)]),
        check(&[("control", 500, 5_000), ("a", 400, 5_000), ("b", 400, 5_000), ("c", 400, 5_000)]),
        check(&[("control", 500, 5_000), ("a", 400, 5_000), ("b", 500, 5_000), ("c", 510, 5_000)]),
    ];
    insta::assert_snapshot!(sentences.join("\n"), @r"
    ship `b`: `signup` of `a` is +2.8 points (1.3 to 4.3), p < 0.0001, 12.80% of 5,000 against 10.00% of 5,000; `signup` of `b` is +4.0 points (2.4 to 5.6), p < 0.0001, 14.00% of 5,000 against 10.00% of 5,000; `signup` of `c` is -2.0 points (-3.4 to -0.6), p = 0.00143, 8.00% of 5,000 against 10.00% of 5,000; `3` comparisons share alpha 5%: p-values are Bonferroni's, intervals are at 98.3%
    no difference shown: `signup` of `a` is +1.3 points (-0.1 to 2.8), p = 0.09, 11.34% of 5,000 against 10.00% of 5,000; `signup` of `b` is +0.0 points (-1.4 to 1.4), p = 1, 10.00% of 5,000 against 10.00% of 5,000; `signup` of `c` is +0.2 points (-1.2 to 1.6), p = 1, 10.20% of 5,000 against 10.00% of 5,000; an effect between -0.1 and +2.8 points is not excluded; an effect between -1.4 and +1.4 points is not excluded; an effect between -1.2 and +1.6 points is not excluded; `3` comparisons share alpha 5%: p-values are Bonferroni's, intervals are at 98.3%
    keep `control`: `signup` of `a` is -2.0 points (-3.4 to -0.6), p = 0.00143, 8.00% of 5,000 against 10.00% of 5,000; `signup` of `b` is -2.0 points (-3.4 to -0.6), p = 0.00143, 8.00% of 5,000 against 10.00% of 5,000; `signup` of `c` is -2.0 points (-3.4 to -0.6), p = 0.00143, 8.00% of 5,000 against 10.00% of 5,000; `3` comparisons share alpha 5%: p-values are Bonferroni's, intervals are at 98.3%
    no treatment is shown to be better: `signup` of `a` is -2.0 points (-3.4 to -0.6), p = 0.00143, 8.00% of 5,000 against 10.00% of 5,000; `signup` of `b` is +0.0 points (-1.4 to 1.4), p = 1, 10.00% of 5,000 against 10.00% of 5,000; `signup` of `c` is +0.2 points (-1.2 to 1.6), p = 1, 10.20% of 5,000 against 10.00% of 5,000; an effect between -1.4 and +1.4 points is not excluded; an effect between -1.2 and +1.6 points is not excluded; `3` comparisons share alpha 5%: p-values are Bonferroni's, intervals are at 98.3%
    ");
}

#[test]
fn an_effect_worth_finding_is_said_to_be_excluded() {
    let plan = Plan { effect: Some(0.02), ..two() };
    let evidence = conversions(&[("control", 5_000, 50_000), ("treatment", 5_020, 50_000)]);
    insta::assert_snapshot!(said(&plan, &signups(), &evidence, at(14)), @"no difference shown: `signup` of `treatment` is +0.04 points (-0.33 to 0.41), p = 0.833, 10.04% of 50,000 against 10.00% of 50,000; an effect of 2.00 points, the smallest worth finding, is excluded");
}

/// Near alpha the interval of the lift, with the error of the control's mean in it, may hold zero where p is
/// below. The interval of the difference does not: it is the one that stands beside p, for good.
#[test]
fn the_interval_in_the_sentence_of_a_mean_agrees_with_its_p() {
    let revenue = metric(Measure::Sum { property: "price".into() }, Better::Higher);
    let evidence = means(&[("control", 300, 18.1, 9.8), ("treatment", 280, 19.73, 9.6)]);
    let judgement = judge(&two(), &revenue, &evidence, at(14)).unwrap();
    let Compared::Given { interval, relative: Relative::Given { interval: lift, .. }, p, .. } =
        &judgement.comparisons[0].compared
    else {
        panic!("{judgement:?}")
    };
    assert!(*p < 0.05 && interval.low > 0.0 && lift.low < 0.0, "p {p}, {interval:?}, {lift:?}");
    insta::assert_snapshot!(judgement.sentence, @"ship `treatment`: `signup` of `treatment` is +1.63 (0.05 to 3.21), a lift of +9.0%, p = 0.0435, 19.7 per unit of 280 against 18.1 per unit of 300");
}

/// `../shared/data/datasets/README.md`: day-7 retention, gate at level 30 against level 40.
#[test]
fn cookie_cats_keeps_the_gate_and_warns_of_its_ratio() {
    let plan = plan(&[("gate_30", 5_000), ("gate_40", 5_000)]);
    let evidence = conversions(&[("gate_30", 8_502, 44_700), ("gate_40", 8_279, 45_489)]);
    let judgement = judge(&plan, &signups(), &evidence, at(14)).unwrap();
    insta::assert_snapshot!(judgement.sentence, @"keep `gate_30`: `signup` of `gate_40` is -0.82 points (-1.33 to -0.31), p = 0.00155, 18.20% of 45,489 against 19.02% of 44,700; the sample ratio is off (p = 0.00861): find out why before you act");
    let ratio = &judgement.sample_ratio;
    assert!((ratio.p.unwrap() - 0.008_607_987_810_836_262).abs() < 1e-12);
    assert!((ratio.sequential.unwrap() - 0.141_63).abs() < 1e-5);
    assert!(ratio.warn && !ratio.broken);
    assert_eq!(judgement.verdict, Verdict::Keep { variant: key("gate_30") });
    assert_eq!(judgement.counts[1].mean, Some(8_279.0 / 45_489.0));

    // It is kept with a word on the ratio only, and the verdict itself is none.
    let running = Experiment { plan, ..experiment(ExperimentState::Running { since: SINCE }) };
    let shipped = |reason: &str| ship(&running, &judgement, &by_verdict(reason), at(14).now);
    for reason in ["", " ", &judgement.sentence] {
        let refused = shipped(reason).unwrap_err();
        insta::allow_duplicates! {
            insta::assert_snapshot!(format!("{}\nhint: {}", refused.message, refused.hint), @r"
            the sample ratio of `checkout-button` is off (p = 0.00861), so shipping it needs a reason
            hint: find out why units did not split as planned (p = 0.00861), and say in `why` that the verdict stands all the same
            ");
        }
    }
    let why = shipped("lost installs, in both arms alike").unwrap().why;
    assert_eq!(why, format!("lost installs, in both arms alike (the verdict was: {})", judgement.sentence));
}

#[test]
fn a_plan_that_compares_nothing_is_refused() {
    let refused = |plan: &Plan| {
        let e = judge(plan, &signups(), &conversions(&[]), at(14)).unwrap_err();
        format!("{}\nhint: {}\n", e.message, e.hint)
    };
    let said = [
        refused(&plan(&[("control", 5_000)])),
        refused(&plan(&[("control", 5_000), ("control", 5_000)])),
        refused(&plan(&[("control", 5_000), ("treatment", 0)])),
        refused(&Plan { control: key("off"), ..two() }),
        refused(&Plan { alpha: 0.0, ..two() }),
        refused(&Plan { horizon: Horizon::After { span: Span(0) }, ..two() }),
    ];
    insta::assert_snapshot!(said.concat(), @r"
    an experiment compares two variants or more: this plan has `1`
    hint: name the control and at least one treatment
    variant `control` is two arms of the plan
    hint: name each variant once
    arm `treatment` has a share of `0%`
    hint: give it a share, or leave it out of the plan
    the control `off` is not an arm of the plan
    hint: name one of the arms as the control
    alpha `0` is not an error rate
    hint: use a value between 0 and 0.5, such as 0.05
    a horizon of `0` ms sees nobody
    hint: use some days, such as 1209600000
    ");
}

fn by_verdict(reason: &str) -> Shipping {
    Shipping::Verdict { reason: reason.into() }
}

fn experiment(state: ExperimentState) -> Experiment {
    Experiment {
        key: "checkout-button".parse().unwrap(),
        name: "Checkout button".into(),
        hypothesis: String::new(),
        flag: "checkout".parse().unwrap(),
        environment: "production".parse().unwrap(),
        plan: two(),
        state,
    }
}

#[test]
fn shipping_takes_the_verdict_as_its_reason() {
    let running = experiment(ExperimentState::Running { since: SINCE });
    let end = at(14);
    let judged = |arms| judge(&two(), &signups(), &conversions(arms), end).unwrap();
    let winner = judged(&[("control", 998, 9_979), ("treatment", 1_313, 10_021)]);
    let open = judged(&[("control", 998, 9_979), ("treatment", 1_020, 10_021)]);
    let despite =
        |variant: &str, reason: &str| Shipping::Despite { variant: key(variant), reason: reason.into() };

    let proposal = ship(&running, &winner, &by_verdict(""), end.now).unwrap();
    assert_eq!(proposal.why, winner.sentence);
    let shipped = |variant: &str| Edit::ExperimentShipped {
        experiment: running.key.clone(),
        at: end.now,
        variant: key(variant),
    };
    assert_eq!(proposal.edit, shipped("treatment"));

    let forced = ship(&running, &open, &despite("treatment", "support asked for it"), end.now).unwrap();
    assert_eq!(forced.edit, shipped("treatment"));
    assert!(forced.why.starts_with("support asked for it (the verdict was: no difference shown"));

    let refused = |of: &Experiment, judgement, shipping: &Shipping| {
        let e = ship(of, judgement, shipping, end.now).unwrap_err();
        format!("{}\nhint: {}\n", e.message, e.hint)
    };
    let said = [
        refused(&running, &open, &by_verdict("")),
        refused(&running, &open, &despite("treatment", " ")),
        refused(&running, &open, &despite("off", "because")),
        refused(&experiment(ExperimentState::Draft), &winner, &by_verdict("")),
    ];
    insta::assert_snapshot!(said.concat(), @r"
    experiment `checkout-button` has no winner: no difference shown: `signup` of `treatment` is +0.18 points (-0.66 to 1.01), p = 0.677, 10.18% of 10,021 against 10.00% of 9,979; an effect between -0.66 and +1.01 points is not excluded
    hint: wait for the horizon, stop the experiment, or name a variant and the reason
    shipping `checkout-button` against its verdict needs a reason
    hint: say why the verdict does not decide
    `off` is not an arm of experiment `checkout-button`
    hint: name a variant that the experiment compares
    experiment `checkout-button` is not running
    hint: only a running experiment can be shipped; change the flag itself instead
    ");
}

fn arm() -> impl Strategy<Value = (u64, u64)> {
    prop_oneof![(0u64..40), (1_000u64..20_000)].prop_flat_map(|n| (0..=n, Just(n)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Every verdict follows from its numbers, and only after the horizon.
    #[test]
    fn a_verdict_follows_from_its_numbers((x, n) in arm(), (y, m) in arm(), day in 0u64..30, lower: bool) {
        let better = if lower { Better::Lower } else { Better::Higher };
        let metric = metric(Measure::Conversion, better);
        let evidence = conversions(&[("control", x, n), ("treatment", y, m)]);
        let judgement = judge(&two(), &metric, &evidence, at(day)).unwrap();
        prop_assert_eq!(judgement.verdict == Verdict::Broken, judgement.sample_ratio.broken);
        if judgement.sample_ratio.broken {
            return Ok(());
        }
        prop_assert_eq!(matches!(judgement.verdict, Verdict::Running { .. }), day < 14);
        if day < 14 {
            return Ok(());
        }
        match (&judgement.verdict, &judgement.comparisons[0].compared) {
            (Verdict::TooLittle { .. }, Compared::Refused { .. }) => {}
            (Verdict::Ship { variant }, Compared::Given { estimate, p, .. }) => {
                prop_assert!(*p < 0.05 && variant.as_str() == "treatment");
                prop_assert!((*estimate > 0.0) != lower);
            }
            (Verdict::Keep { variant }, Compared::Given { estimate, p, .. }) => {
                prop_assert!(*p < 0.05 && variant.as_str() == "control");
                prop_assert!((*estimate < 0.0) != lower);
            }
            (Verdict::Inconclusive, Compared::Given { p, .. }) => prop_assert!(*p >= 0.05),
            (verdict, compared) => prop_assert!(false, "{:?} of {:?}", verdict, compared),
        }
    }

    /// Evidence may name the arms in any order, and days without an arm's units change nothing.
    #[test]
    fn the_order_of_arms_does_not_matter((x, n) in arm(), (y, m) in arm(), day in 0u64..30) {
        let forth = conversions(&[("control", x, n), ("treatment", y, m)]);
        let mut back = conversions(&[("treatment", y, m), ("off", 1, 1), ("control", x, n)]);
        back.increments = vec![vec![0, 1, 0], vec![m, 0, n]];
        let judged = |evidence| judge(&two(), &signups(), evidence, at(day)).unwrap();
        prop_assert_eq!(judged(&forth), judged(&back));
    }

    /// A judgement travels as JSON and comes back the same, whatever it says.
    #[test]
    fn a_judgement_is_read_as_it_was_written((x, n) in arm(), (y, m) in arm(), day in 0u64..30) {
        let evidence = conversions(&[("control", x, n), ("treatment", y, m)]);
        let judgement = judge(&two(), &signups(), &evidence, at(day)).unwrap();
        let text = serde_json::to_string(&judgement).unwrap();
        let back: Judgement = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_string(&back).unwrap(), text);
    }
}

/// One uniform number at a time, by splitmix64.
struct Seeded(u64);

impl Seeded {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn binomial(&mut self, n: u64, p: f64) -> u64 {
        (0..n).filter(|_| self.uniform() < p).count() as u64
    }
}

/// Experiments without effect: a treatment is shipped, or the control kept, about as often as alpha
/// says. With three treatments too: they share it.
#[test]
fn a_difference_that_is_not_there_is_rarely_called_one() {
    let runs = if std::env::var("PROOF").is_ok_and(|p| p == "full") { 4_000 } else { 400 };
    let names = ["control", "a", "b", "c"];
    for arms in [2, 4] {
        let planned: Vec<(&str, u16)> = names.iter().take(arms).map(|n| (*n, 2_500)).collect();
        let called = (0..runs)
            .filter(|run| {
                let mut seeded = Seeded(run * 1_000 + arms as u64);
                let seen: Vec<_> =
                    names.iter().take(arms).map(|n| (*n, seeded.binomial(1_000, 0.1), 1_000)).collect();
                let judged = judge(&plan(&planned), &signups(), &conversions(&seen), at(14)).unwrap();
                judged.comparisons.iter().any(|c| c.compared.significant())
            })
            .count();
        println!("{arms} arms without effect: {called} of {runs} called different");
        // 5% and three standard errors.
        let runs = runs as f64;
        assert!((called as f64) < 0.05 * runs + 3.0 * (0.05 * 0.95 * runs).sqrt(), "{called} of {runs}");
    }
}

#[test]
fn words_and_refusals_of_the_statistics_room_are_passed_on() {
    let refusal = Proportion::new(2, 1).unwrap_err();
    assert!(matches!(refusal, Refusal::MoreSuccessesThanUnits { .. }));
    let impossible = Evidence {
        arms: vec![
            Arm { converted: 60, ..conversions(&[("control", 50, 50)]).arms.remove(0) },
            conversions(&[("treatment", 5, 50)]).arms.remove(0),
        ],
        increments: vec![],
        crossed: 0,
    };
    let judged = judge(&two(), &signups(), &impossible, at(14)).unwrap();
    insta::assert_snapshot!(judged.sentence, @"a rate counts `60` successes in `50` units");
}
