//! Cli, codegen, tests: what is written, and what cannot be. That it compiles is in `tests/plan`.
#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::json;

fn plan(text: &str) -> TrackingPlan {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_same_plan_gives_the_same_text() {
    let shop = plan(include_str!("../../../tests/plan/shop.json"));
    insta::assert_snapshot!("typescript", Language::TypeScript.write(&shop).unwrap());
    insta::assert_snapshot!("python", Language::Python.write(&shop).unwrap());
    for (_, language) in Language::ALL {
        assert_eq!(language.write(&shop).unwrap(), language.write(&shop.clone()).unwrap());
        let empty = language.write(&TrackingPlan::default()).unwrap();
        assert!(!empty.contains("Properties ="), "{empty}");
    }
}

#[test]
fn what_would_be_called_the_same_is_refused() {
    let refused = |plan: serde_json::Value, language: Language| {
        language.write(&serde_json::from_value(plan).unwrap()).unwrap_err().to_string()
    };
    let twice = json!({"events": {"order completed": {}, "Order-Completed": {}}});
    let said = Language::ALL.map(|(_, language)| refused(twice.clone(), language));
    insta::assert_snapshot!(said[0], @"
    error: event types `Order-Completed` and `order completed` would both be `OrderCompleted` in code
    hint: plan one of them by another name
    ");
    assert!(said.iter().all(|one| *one == said[0]));
    let glued = json!({"events": {"a1 b": {}, "a 1 b": {}}});
    assert!(refused(glued, Language::Python).contains("would both be `A1B`"));
    // Other languages write properties as they are.
    let fields =
        json!({"events": {"E": {"properties": {"Total": {"type": "any"}, "total": {"type": "any"}}}}});
    insta::assert_snapshot!(refused(fields.clone(), Language::Rust), @"
    error: properties `Total` and `total` of `E` would both be `total` in Rust
    hint: plan one of them by another name
    ");
    let fields: TrackingPlan = serde_json::from_value(fields).unwrap();
    assert!(Language::TypeScript.write(&fields).is_ok() && Language::Python.write(&fields).is_ok());
}

#[test]
fn names_are_names_whatever_is_in_them() {
    for (name, pascal, camel, snake) in [
        ("Order Completed", "OrderCompleted", "orderCompleted", "order_completed"),
        ("order_completed", "OrderCompleted", "orderCompleted", "order_completed"),
        ("FAQ Viewed", "FaqViewed", "faqViewed", "faq_viewed"),
        ("1st", "N1st", "n1st", "n1st"),
        ("self", "NSelf", "nSelf", "self"),
        ("é", "Ue9", "ue9", "ue9"),
        ("!", "N", "n", "n"),
    ] {
        assert_eq!(
            (words::pascal(name), words::camel(name), words::snake(name)),
            (pascal.into(), camel.into(), snake.into())
        );
    }
}

#[test]
fn typescript_has_no_number_that_javascript_cannot_hold() {
    let plan = json!({"events": {"E": {"properties": {
        "id": {"type": "integer", "values": [1, -9_007_199_254_740_992_i64, 9_007_199_254_740_993_u64]},
        "far": {"type": "integer", "values": [9_007_199_254_740_993_u64]},
    }}}});
    let written = Language::TypeScript.write(&serde_json::from_value(plan).unwrap()).unwrap();
    let (begin, end) = (
        written.find("export interface E").unwrap(),
        written.find("\n/** The properties of each event").unwrap(),
    );
    insta::assert_snapshot!(&written[begin..end], @r#"
    export interface EProperties {
      /** Left out: 9007199254740993, which no number of JavaScript holds; plan it as text. */
      "far"?: never;
      /** Left out: 9007199254740993, which no number of JavaScript holds; plan it as text. */
      "id"?: 1 | -9007199254740992;
    }
    "#);
}
