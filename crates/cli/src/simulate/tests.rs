//! Cli, simulator: the generator keeps its word. The same seed gives the same bytes, and what people do
//! is what `world` says is true of them, within the error of a sample.

use bellwether_model::{Millis, Span, TrackingPlan};
use proptest::prelude::*;
use serde_json::Value;

use super::drive::body;
use super::play::{Answers, Decision, Occurrence, What, play};
use super::shop::Shop;
use super::tally::Trial;
use super::world::{self, FLAGS};

/// A Monday.
const START: Millis = Millis(1_767_571_200_000);

struct Played {
    shop: Shop,
    events: Vec<Occurrence>,
    decisions: Vec<Decision>,
    sessions: usize,
}

/// Plays days of the shop, everybody with the same answers.
fn days(seed: u64, days: u32, per_day: f64, answers: &Answers) -> Played {
    let mut shop = Shop::new(seed, START, days, per_day);
    let end = START.plus(Span::DAY.times(u64::from(days)));
    let (mut events, mut decisions, mut sessions) = (Vec::new(), Vec::new(), 0);
    while let Some(session) = shop.before(end) {
        sessions += 1;
        let visitor = shop.visitor(session.visitor).unwrap();
        decisions.extend(play(seed, &session, visitor, answers, &mut events));
    }
    Played { shop, events, decisions, sessions }
}

fn answers(of: &[(&str, &str)]) -> Answers {
    let mut answers = Answers::default();
    of.iter().for_each(|(flag, variant)| answers.note(flag, variant, true));
    answers
}

fn count(played: &Played, name: &str) -> f64 {
    played.events.iter().filter(|e| e.what.name() == name).count() as f64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_same_seed_gives_the_same_bytes(seed in any::<u64>(), other in any::<u64>()) {
        let write = |seed| {
            let played = days(seed, 2, 20.0, &answers(&[("image-cdn", "cdn")]));
            body("key", &played.shop, &played.events)
        };
        let bytes = write(seed);
        prop_assert_eq!(&bytes, &write(seed));
        prop_assert!(seed == other || bytes != write(other));
        let sent: Value = serde_json::from_str(&bytes).unwrap();
        for event in sent["events"].as_array().unwrap() {
            prop_assert!(event["insert_id"].is_string() && event["time"].is_i64());
        }
    }

    /// Luck is the visitor's: another variant changes purchases and their value, and nothing else.
    #[test]
    fn a_variant_changes_what_it_changes_and_nothing_else(seed in any::<u64>()) {
        let played = |variant| days(seed, 2, 30.0, &answers(&[("one-page-checkout", variant)]));
        let (control, treatment) = (played("control"), played("treatment"));
        let others = |played: &Played| -> Vec<(Millis, &'static str)> {
            let kept = played.events.iter().filter(|e| !matches!(e.what, What::Purchase { .. }));
            kept.map(|e| (e.at, e.what.name())).collect()
        };
        prop_assert_eq!(others(&control), others(&treatment));
        prop_assert_eq!(&control.decisions, &treatment.decisions);
        prop_assert!(count(&control, "purchase") <= count(&treatment, "purchase"));
    }
}

#[test]
fn a_visitor_leaves_as_many_events_as_the_demo_counts_on() {
    let played = days(4, 90, 100.0, &Answers::default());
    let each = played.events.len() as f64 / (90.0 * 100.0);
    assert!((each / world::EVENTS_PER_VISITOR - 1.0).abs() < 0.05, "{each}");
    let again = played.events.iter().filter(|e| e.repeats()).count() as f64 / played.events.len() as f64;
    assert!((again / world::RETRIES - 1.0).abs() < 0.15, "{again}");
}

#[test]
fn people_do_what_is_true_of_them() {
    let played = days(5, 30, 400.0, &Answers::default());
    // A share must be within five standard errors of its truth.
    let holds = |what: &str, seen: f64, of: f64, truth: f64| {
        let error = (truth * (1.0 - truth) / of).sqrt();
        assert!((seen / of - truth).abs() < 5.0 * error, "{what}: {} of {of}, not {truth}", seen / of);
    };
    holds("checkout", count(&played, "checkout_started"), count(&played, "add_to_cart"), world::CHECKOUT);
    let bots = |e: &&Occurrence| played.shop.visitor(e.visitor).is_some_and(|v| v.bot);
    let visits = played.events.iter().filter(|e| matches!(e.what, What::Visit { .. }));
    let people = visits.filter(|e| !bots(e)).count() as f64;
    holds("errors", count(&played, "client_error"), people, world::ERROR);
    assert!(played.sessions as f64 > people, "there are bots");
    // The chance of a purchase depends on the plan: its mean over these checkouts is the truth.
    let plans = played.decisions.len() as f64;
    let nobody = Answers::default();
    let bought = played.decisions.iter().filter(|d| d.order(&nobody).is_some()).count() as f64;
    assert_eq!(bought, count(&played, "purchase"));
    let truth = played.decisions.iter().map(|d| d.chance(&nobody)).sum::<f64>() / plans;
    holds("purchases", bought, plans, truth);
}

#[test]
fn the_tally_knows_the_true_effect() {
    let flag = FLAGS.iter().position(|f| f.key == "payment-sheet").unwrap();
    let end = START.plus(Span::DAY.times(20));
    let mut trial = Trial::new("payment-sheet", &["classic", "sheet"], START, end, Some(Span::HOUR)).unwrap();
    let mut shop = Shop::new(6, START, 20, 400.0);
    while let Some(session) = shop.before(end) {
        // Half the visitors by the parity of their number.
        let mut answers = Answers::default();
        answers.note("payment-sheet", if session.visitor % 2 == 0 { "classic" } else { "sheet" }, true);
        let mut events = Vec::new();
        let decision = play(6, &session, shop.visitor(session.visitor).unwrap(), &answers, &mut events);
        trial.take(&events, decision.as_ref(), &answers);
    }
    let truth = trial.truth();
    let of = |arm: &str, field: &str| truth["arms"][arm][field].as_f64().unwrap();
    let effect = of("sheet", "true_conversion") - of("classic", "true_conversion");
    let wanted = FLAGS[flag].variants[1].purchase;
    // One checkout within the hour, for nearly everybody: the effect on a user is that on a checkout.
    let units = of("classic", "units") + of("sheet", "units");
    assert!(units > 1_500.0, "{units}");
    assert!((effect - wanted).abs() < 0.03, "{effect}, not {wanted}");
    for arm in ["classic", "sheet"] {
        let seen = of(arm, "converted") / of(arm, "units");
        let truth = of(arm, "true_conversion");
        let error = (truth * (1.0 - truth) / of(arm, "units")).sqrt();
        assert!((seen - truth).abs() < 5.0 * error, "{arm}: {seen}, not {truth}");
    }
}

/// The demo's plan is of what the shop sends, but for one way to pay that somebody forgot to plan: something to see.
#[test]
fn the_demos_plan_is_what_the_shop_sends_but_for_one_value() {
    let plan: TrackingPlan = serde_json::from_str(crate::demo::PLAN).unwrap();
    plan.check().unwrap();
    assert_eq!(plan.lint(), vec![]);
    assert!(plan.events.values().all(|event| event.owner.is_some()), "somebody answers for each");
    let played = days(7, 20, 60.0, &answers(&[("image-cdn", "cdn")]));
    let sent: Value = serde_json::from_str(&body("key", &played.shop, &played.events)).unwrap();
    let none = serde_json::Map::new();
    let (mut came, mut unplanned) = (std::collections::BTreeSet::new(), 0);
    for event in sent["events"].as_array().unwrap() {
        let name = event["event_type"].as_str().unwrap();
        if name.starts_with('$') {
            continue;
        }
        let planned = plan.events.get(name).unwrap_or_else(|| panic!("{name} is not planned"));
        came.insert(name);
        let properties = event["event_properties"].as_object().unwrap_or(&none);
        for (property, value) in properties {
            let planned =
                planned.properties.get(property.as_str()).unwrap_or_else(|| panic!("{property} of {name}"));
            if !planned.values.is_empty() && !planned.values.contains(value) {
                assert_eq!(
                    (name, property.as_str(), value),
                    ("purchase", "payment", &Value::from("invoice"))
                );
                unplanned += 1;
            }
        }
        let missing =
            planned.properties.iter().find(|(p, of)| of.required && !properties.contains_key(p.as_str()));
        assert!(missing.is_none(), "{name} without {missing:?}");
    }
    assert_eq!(came.len(), plan.events.len(), "nothing is planned that never comes");
    assert!(unplanned > 5, "{unplanned}");
    // What is personal is nobody's.
    let mails =
        sent["events"].as_array().unwrap().iter().filter_map(|e| e["event_properties"]["email"].as_str());
    let mails: Vec<&str> = mails.collect();
    assert!(mails.len() > 50 && mails.iter().all(|mail| mail.ends_with("@shop.example")), "{mails:?}");
}
