//! Exposures land in the store exactly once, whoever reports them, through a server that is away; and the
//! queue is bounded.

use std::time::Duration;

use bellwether_provider::{Provider, Settings};
use open_feature::provider::FeatureProvider;
use serde_json::{Value, json};

use crate::{House, run, soon, split, user};

const PEOPLE: usize = 1_200;

/// How many exposures the store has of each variant, and of how many people.
fn stored(house: &House) -> (Value, u64) {
    let day = |days: i64| {
        (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days))
            .strftime("%Y-%m-%d")
            .to_string()
    };
    let ask = |measure: &str| {
        let filters = json!([{"property": "flag_key", "op": "is", "values": ["f"]}]);
        let question = json!({"environment": "production", "event": "$exposure", "by": "variant", "filters": filters,
            "measure": measure, "from": day(-1), "to": day(1)});
        house.call("POST", "/api/query/segmentation", &question)
    };
    let series = |answer: &Value| -> Vec<(String, u64)> {
        let series = answer["series"].as_array().unwrap_or_else(|| panic!("{answer}"));
        series
            .iter()
            .map(|s| (s["group"].as_str().unwrap_or_default().to_owned(), s["total"].as_u64().unwrap()))
            .collect()
    };
    let totals: std::collections::BTreeMap<_, _> =
        series(&ask("totals")).into_iter().filter(|(_, n)| *n > 0).collect();
    let people = series(&ask("uniques")).iter().map(|(_, n)| n).sum();
    (json!(totals), people)
}

/// Evaluates for all people, and gives how many got each variant that enrols.
async fn evaluate(provider: &Provider) -> Value {
    let mut enrolled = std::collections::BTreeMap::<&str, u64>::new();
    for n in 0..PEOPLE {
        let got = provider.resolve_string_value("f", &user(&format!("u{n}"))).await.unwrap();
        // `off` is the rest of the split: nobody is compared by it.
        match got.variant.as_deref() {
            Some("a") => *enrolled.entry("a").or_default() += 1,
            Some("b") => *enrolled.entry("b").or_default() += 1,
            _ => {}
        }
    }
    json!(enrolled)
}

fn total(enrolled: &Value) -> u64 {
    enrolled.as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum()
}

fn house() -> House {
    let house = House::open();
    let mut default = split(&[("a", 4_000), ("b", 4_000), ("off", 2_000)], "f-1");
    default["rest"] = json!("off");
    house.flag("f", "production", &default);
    house
}

#[test]
fn exposures_land_exactly_once() {
    let mut house = house();
    run(async {
        let never = Duration::from_secs(3_600);
        let first = Provider::connect(Settings { flush_every: never, ..house.settings() }).await.unwrap();
        let second = Provider::connect(house.settings()).await.unwrap();
        let enrolled = evaluate(&first).await;
        assert!(total(&enrolled) > PEOPLE as u64 / 2);
        assert_eq!(evaluate(&first).await, enrolled);
        assert_eq!(evaluate(&first.clone()).await, enrolled);
        let counts = first.exposures();
        assert_eq!((counts.waiting + counts.sent, counts.dropped), (total(&enrolled), 0), "one per person");

        // The server itself reports some of them: over OFREP the answer is an exposure.
        for n in 0..50 {
            let body = json!({"context": {"targetingKey": format!("u{n}")}});
            house.ask(&house.key, "POST", "/ofrep/v1/evaluate/flags/f", &body);
        }
        // Another program reports all of them while the server goes away and comes back.
        house.kill();
        assert_eq!(evaluate(&second).await, enrolled);
        house.serve();
        for provider in [&first, &second] {
            let counts = provider.shutdown().await;
            assert_eq!(
                (counts.sent, counts.waiting, counts.dropped, counts.refused),
                (total(&enrolled), 0, 0, 0)
            );
        }
        assert_eq!(stored(&house), (enrolled.clone(), total(&enrolled)));

        // A third, that knows of none of them.
        let third = Provider::connect(house.settings()).await.unwrap();
        evaluate(&third).await;
        assert_eq!(third.shutdown().await.sent, total(&enrolled));
        assert_eq!(stored(&house), (enrolled.clone(), total(&enrolled)));
        // What is evaluated after the end is answered and not reported.
        let device = user("late").with_custom_field("device_id", "d-1");
        third.resolve_string_value("f", &device).await.unwrap();
        assert_eq!(third.exposures().waiting, 0);
    });
}

#[test]
fn a_full_batch_is_sent_at_once_and_placeholders_are_refused_alone() {
    let house = house();
    run(async {
        let never = Duration::from_secs(3_600);
        let provider = Provider::connect(Settings { flush_every: never, ..house.settings() }).await.unwrap();
        let mut sent = 0;
        let mut n = 0;
        while sent < 1_000 {
            let got = provider.resolve_string_value("f", &user(&format!("x{n}"))).await.unwrap();
            sent += u64::from(got.variant.as_deref() != Some("off"));
            n += 1;
        }
        soon(|| provider.exposures().sent >= 1_000).await;
        let mut refused = 0;
        for placeholder in ["null", "unknown", "anonymous", "none", "undefined", "nil", "n/a"] {
            let got = provider.resolve_string_value("f", &user(placeholder)).await.unwrap();
            refused += u64::from(got.variant.as_deref() != Some("off"));
        }
        let mut more = 0;
        for n in 0..20 {
            let got = provider.resolve_string_value("f", &user(&format!("y{n}"))).await.unwrap();
            more += u64::from(got.variant.as_deref() != Some("off"));
        }
        let counts = provider.shutdown().await;
        assert!(refused > 0 && more > 0);
        assert_eq!((counts.sent, counts.refused, counts.dropped), (1_000 + more, refused, 0));
        assert_eq!(stored(&house).1, 1_000 + more);
    });
}

/// It is not the exposures that are wrong: they wait for whoever mends the key.
#[test]
fn a_key_that_was_revoked_takes_no_exposure_away() {
    let house = house();
    run(async {
        let never = Duration::from_secs(3_600);
        let timeout = Duration::from_millis(500);
        let settings = Settings { flush_every: never, timeout, ..house.settings() };
        let provider = Provider::connect(settings).await.unwrap();
        let enrolled = total(&evaluate(&provider).await);
        let keys = house.call("GET", "/api/keys", &json!({}));
        for key in keys["keys"].as_array().unwrap() {
            if key["scope"] == "server" {
                let id = key["id"].as_str().unwrap();
                house.call("DELETE", &format!("/api/keys/{id}"), &json!({}));
            }
        }
        let counts = provider.shutdown().await;
        assert_eq!((counts.sent, counts.refused, counts.dropped), (0, 0, enrolled));
    });
}

#[test]
fn what_finds_no_room_is_dropped_and_counted() {
    let mut house = house();
    run(async {
        let timeout = Duration::from_millis(200);
        let settings = Settings { queue: 100, timeout, ..house.settings() };
        let provider = Provider::connect(settings).await.unwrap();
        house.kill();
        let enrolled = total(&evaluate(&provider).await);
        let counts = provider.exposures();
        assert_eq!((counts.waiting, counts.sent, counts.dropped), (100, 0, enrolled - 100));
        let counts = provider.shutdown().await;
        assert_eq!((counts.waiting, counts.sent, counts.dropped), (0, 0, enrolled));
    });
}
