//! Flags, tests: clauses and users on which both of Amplitude's engines agree with the server.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::{NETWORKS, PATTERNS, TIMES, VERSIONS, ops_with, words};

/// The attributes of users on whom both Amplitude engines agree, each with what it is asked for.
const ASKED: [(&str, &str); 8] = [
    ("country", "text"),
    ("user_id", "text"),
    ("plan", "text"),
    ("org.tier", "text"),
    ("email", "text"),
    ("age", "number"),
    ("build", "version"),
    ("tags", "list"),
];
const TEXTS: [&str; 22] = [
    "",
    " ",
    "fi",
    "FI",
    "Finland",
    "0",
    "1",
    "12",
    "2.5",
    "true",
    "True",
    "false",
    "t",
    "a",
    "null",
    "{}",
    "(none)",
    "a+b",
    "x@Example.com",
    ".com",
    "u-1",
    "ÄÖ",
];
const NUMBERS: [&str; 12] =
    ["10", "9.50", " 9.5", "-3", "0", "1e2", "0x1F", "abc", "", "(none)", "-Infinity", "1_0"];

/// A clause that asks an attribute for what it holds, with ordinary and odd values.
pub(crate) fn amplitude_clause() -> impl Strategy<Value = Value> {
    select(&ASKED[..])
        .prop_flat_map(|(attribute, kind)| {
            let text = [
                "is",
                "is_not",
                "contains",
                "does_not_contain",
                "starts_with",
                "ends_with",
                "does_not_start_with",
                "does_not_end_with",
                "matches",
                "does_not_match",
                "before",
                "in_network",
            ];
            let ops: Vec<&str> = match kind {
                "text" => text.to_vec(),
                "number" => vec!["less", "less_or_equal", "greater", "greater_or_equal"],
                "version" => ops_with("version_"),
                _ => [ops_with("set_"), text.to_vec()].concat(),
            };
            (Just(attribute), select(ops), Just(kind))
        })
        .prop_flat_map(|(attribute, op, kind)| {
            let values = match op {
                "matches" | "does_not_match" => words(&PATTERNS).boxed(),
                "before" => words(&TIMES.map(|(t, _)| t)).boxed(),
                "in_network" => words(&NETWORKS).boxed(),
                _ if kind == "number" => words(&NUMBERS).boxed(),
                _ if kind == "version" => words(&VERSIONS).boxed(),
                _ => words(&TEXTS).boxed(),
            };
            (Just(attribute), Just(op), values)
        })
        .prop_map(|(attribute, op, values)| json!({"attribute": attribute, "op": op, "values": values}))
}

/// A clause as people write them.
pub(crate) fn ordinary_clause() -> impl Strategy<Value = Value> {
    let clause = |attribute: &'static str, ops: &[&'static str], values: &[&'static str]| {
        (select(ops.to_vec()), words(values))
            .prop_map(move |(op, values)| json!({"attribute": attribute, "op": op, "values": values}))
    };
    prop_oneof![
        clause("country", &["is", "is_not"], &["fi", "se", "de", "US"]),
        clause("plan", &["is", "is_not"], &["pro", "free", "enterprise"]),
        clause("org.tier", &["is", "is_not"], &["true", "false"]),
        clause("email", &["contains", "does_not_contain"], &["@example.com", "+test"]),
        clause("email", &["ends_with", "starts_with"], &["@example.com", ".org", "qa-"]),
        clause("email", &["matches"], &["^[^@]+@example\\.com$", "^qa-[0-9]+"]),
        clause("user_id", &["is"], &["u-1", "u-2", "12345"]),
        clause("age", &["less", "less_or_equal", "greater", "greater_or_equal"], &["18", "0", "65", "9.5"]),
        clause("build", &ops_with("version_")[..4], &["1.2.3", "2.0.0"]),
        clause("tags", &ops_with("set_contains"), &["beta", "staff"]),
        clause("tags", &ops_with("set_does"), &["beta", "staff"]),
    ]
}

/// A user of the kind on which both Amplitude engines agree.
pub(crate) fn amplitude_user() -> impl Strategy<Value = Value> {
    let text =
        || prop_oneof![4 => select(&TEXTS[..]), 1 => select(&["beta", "staff", "pro", "qa-1", "a\n"][..])];
    let number = || {
        prop_oneof![
            (-20_i64..20).prop_map(Value::from),
            (-40_i64..40).prop_filter_map("whole", |n| { (n % 4 != 0).then(|| json!(n as f64 / 4.0)) })
        ]
    };
    let scalar = move || {
        prop_oneof![
            4 => text().prop_map(Value::from),
            1 => any::<bool>().prop_map(Value::from),
            1 => Just(json!(0)),
            1 => number(),
        ]
    };
    let full = move || scalar().prop_filter("empty", |value| *value != "");
    let list = move || prop::collection::vec(full(), 0..4).prop_map(Value::from);
    // Whole numbers may be doubles where they are compared as numbers.
    let age = move || {
        prop_oneof![
            2 => number(),
            1 => select(vec![json!(0), json!(0.0), json!(-0.0), json!(1.0), json!(18.0), json!(1e21), json!(1e-7)]),
            1 => select(vec![json!("abc"), json!("1_1"), json!("nan"), json!("18"), json!("9.50"), json!(" 9.5")]),
            1 => any::<bool>().prop_map(Value::from),
            1 => prop::collection::vec(number(), 0..3).prop_map(Value::from),
        ]
    };
    let any = move || prop_oneof![4 => scalar(), 1 => list(), 1 => Just(Value::Null)].boxed();
    let some = |value: BoxedStrategy<Value>| prop::option::weighted(0.75, value);
    let id = || (0..60).prop_map(|n| json!(format!("u-{n}"))).boxed();
    let field = move || some(text().prop_map(Value::from).boxed());
    let fields = (prop_oneof![4 => some(id()), 1 => field()], some(id()), field());
    let versions =
        prop_oneof![4 => select(&VERSIONS[..]), 1 => select(&["1.9", "2", "v2", "1.2.3+4", "junk"][..])];
    let properties = (
        (some(any()), some(any())),
        some(any()),
        some(age().boxed()),
        some(versions.prop_map(Value::from).boxed()),
        some(list().boxed()),
        (some(id()), prop_oneof![4 => some(id()), 1 => some((0_i64..3).prop_map(Value::from).boxed())]),
    );
    (fields, properties).prop_map(
        |((user, device, country), ((plan, tier), email, age, build, tags, (session, account)))| {
            let named = |all: Vec<(&str, Option<Value>)>| -> serde_json::Map<String, Value> {
                all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
            };
            let mut all = named(vec![("user_id", user), ("device_id", device), ("country", country)]);
            let properties = named(vec![
                ("plan", plan),
                ("org", tier.map(|tier| json!({"tier": tier}))),
                ("email", email),
                ("age", age),
                ("build", build),
                ("tags", tags),
                ("session_id", session),
                ("account_id", account),
            ]);
            all.insert("user_properties".to_owned(), properties.into());
            all.into()
        },
    )
}
