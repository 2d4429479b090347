//! Flags, tests: random worlds, where flags need one another, ask segments, share layers and are held
//! out, and the users who meet them.
#![allow(dead_code)]

pub(crate) mod amplitude;

use std::collections::BTreeMap;
use std::sync::Arc;

use bellwether_flags::{Ids, Ruleset, Source};
use bellwether_model::{
    Beta, Environment, Flag, FlagKey, Holdout, Layer, ListId, Revision, Segment, Share, Split, Unit,
    VariantKey,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

pub(crate) const VARIANTS: [&str; 3] = ["a", "b", "off"];
pub(crate) const ATTRIBUTES: [&str; 13] = [
    "country",
    "plan",
    "plan.tier",
    "age",
    "version",
    "email",
    "tags",
    "user_id",
    "targetingKey",
    "device_id",
    "ip",
    "os.name",
    "a.b",
];
pub(crate) const WORDS: [&str; 36] = [
    "",
    " ",
    "fi",
    "FI",
    "Finland",
    "true",
    "False",
    "(none)",
    "10",
    "9",
    "9.50",
    " 9.5",
    "-1e2",
    "1.2.3",
    "1.2",
    "1.10.0",
    "1.2.3-rc.1",
    "v2",
    "[\"fi\", 10]",
    "[\"fi\", \"FI\", \"true\"]",
    "[",
    "a+b",
    "b*",
    "x@Example.com",
    ".com",
    "u-1",
    "u-2",
    "d-1",
    "\n",
    "ÄÖ\u{10000}",
    "2026-02-20",
    "2026-02-20T12:00:00+02:00",
    "1771545600000",
    "10.1.2.3",
    "::ffff:10.1.2.3",
    "2001:db8::1",
];
/// Patterns that mean the same everywhere, and some that are not said elsewhere.
pub(crate) const PATTERNS: [&str; 9] =
    ["^fi$", r"\d+\.\d", "[^a-z]", "a.*b|FI", r"^.{2}$", r"\w@\w", "(?i)fi", "^$", r"(a+)+$"];
pub(crate) const NETWORKS: [&str; 5] = ["10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "0.0.0.0/0", "::/0"];
pub(crate) const TIMES: [(&str, i64); 4] = [
    ("2026-02-20", 1_771_545_600_000),
    ("2026-02-20T12:00:00+02:00", 1_771_581_600_000),
    ("1771545600000", 1_771_545_600_000),
    ("2026-02-21T00:00:00Z", 1_771_632_000_000),
];
pub(crate) const VERSIONS: [&str; 4] = ["1.2.3", "1.2", "1.10.0", "1.2.3-rc.1"];

/// Everything that a ruleset is compiled from.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) environment: Environment,
    pub(crate) flags: Vec<Flag>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) holdouts: Vec<Holdout>,
    pub(crate) betas: Vec<Beta>,
    pub(crate) lists: BTreeMap<ListId, Vec<String>>,
}

impl World {
    pub(crate) fn compile(&self, revision: u64) -> Ruleset {
        let lists: BTreeMap<&ListId, Arc<Ids>> =
            self.lists.iter().map(|(id, texts)| (id, Arc::new(Ids::new(texts)))).collect();
        let lists = |id: &ListId| lists[id].clone();
        let source = Source {
            flags: self.flags.iter().collect(),
            segments: self.segments.iter().collect(),
            layers: self.layers.iter().collect(),
            holdouts: self.holdouts.iter().collect(),
            betas: self.betas.iter().collect(),
            lists: &lists,
        };
        Ruleset::compile(&self.environment, Revision(revision), source).unwrap()
    }
}

pub(crate) fn environment(bucketing: &str) -> Environment {
    serde_json::from_value(json!({"key": "test", "name": "Test", "bucketing": bucketing})).unwrap()
}

pub(crate) fn word() -> impl Strategy<Value = String> {
    prop_oneof![9 => select(&WORDS[..]).prop_map(str::to_owned), 1 => "[ -~]{0,4}"]
}

fn words<'a>(of: &'a [&'a str]) -> impl Strategy<Value = Vec<String>> + use<> {
    let of: Vec<String> = of.iter().map(|w| (*w).to_owned()).collect();
    prop::collection::vec(select(of), 1..3)
}

/// The words of all operators.
pub(crate) fn ops() -> Vec<String> {
    bellwether_model::Op::ALL.iter().map(|op| op.word()).collect()
}

pub(crate) fn clause(ops: Vec<String>) -> impl Strategy<Value = Value> {
    select(ops)
        .prop_flat_map(|op| {
            let values = match &*op {
                "matches" | "does_not_match" => words(&PATTERNS).boxed(),
                "in_network" | "not_in_network" => words(&NETWORKS).boxed(),
                "before" | "after" => words(&TIMES.map(|(t, _)| t)).boxed(),
                "version_is" | "version_is_not" | "version_caret" | "version_tilde" => {
                    words(&[&VERSIONS[..], &SEMANTIC].concat()).boxed()
                }
                _ => prop::collection::vec(word(), 1..4).boxed(),
            };
            (Just(op), select(&ATTRIBUTES[..]), values)
        })
        .prop_map(|(op, attribute, values)| json!({"attribute": attribute, "op": op, "values": values}))
}

fn condition(clause: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => clause,
        1 => (select(&["s0", "s1"][..]), any::<bool>()).prop_map(|(s, not)| json!({"segment": s, "not": not})),
    ]
}

pub(crate) fn split() -> impl Strategy<Value = Split> {
    let shares = || (0_u16..=5_000, 0_u16..=5_000);
    (shares(), shares(), select(&["s:1", "checkout", "x/y"][..]), any::<bool>()).prop_map(
        |(first, then, salt, rest)| {
            let key = |k: &str| k.parse::<VariantKey>().unwrap();
            let parts = |(a, b): (u16, u16)| {
                [("a", a), ("b", b), ("off", 10_000 - a - b)]
                    .map(|(k, n)| (key(k), Share::basis_points(n).unwrap()))
            };
            let split = Split::new(salt, &parts(first), rest.then(|| key("off")).as_ref()).unwrap();
            split.reshare(&parts(then)).unwrap()
        },
    )
}

fn serve() -> impl Strategy<Value = Value> {
    let states = [
        json!({"state": "widening"}),
        json!({"state": "halted", "at": 1, "because": "harm"}),
        json!({"state": "done", "at": 1}),
    ];
    prop_oneof![
        select(&VARIANTS[..]).prop_map(|v| json!({"serve": "variant", "variant": v})),
        split().prop_map(|s| json!({"serve": "split", "split": s})),
        (split(), select(states.to_vec())).prop_map(|(split, state)| json!({"serve": "rollout", "rollout": {
            "candidate": "a", "control": "b", "split": split, "state": state, "started": 0, "epoch_began": 0}})),
    ]
}

fn unit() -> impl Strategy<Value = &'static str> {
    select(&["user", "user", "device", "session", "account"][..])
}

/// A flag that may need those before it, in a layer and a team that may be there.
fn flag(at: usize, clause: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    let rule = (prop::collection::vec(prop::collection::vec(condition(clause), 1..3), 1..3), serve());
    let values = select(vec![
        ("boolean", json!([true, true, false])),
        ("string", json!(["x", "", "off"])),
        ("number", json!([1.5, 10, 1e21])),
        ("json", json!([{"k": [1]}, {"k": 2}, {}])),
    ]);
    let parents: Vec<String> = (0..at).map(|n| format!("f{n}")).chain(["ghost".to_owned()]).collect();
    let needed = (select(parents), prop::collection::vec(select(&VARIANTS[..]), 1..3));
    (
        (values, unit(), prop::bool::weighted(0.9), prop::bool::weighted(0.1)),
        (prop::option::weighted(0.3, select(&["l0", "l1"][..])), prop::option::of(select(&["x", "y"][..]))),
        prop::option::weighted(0.3, needed),
        prop::option::of((select(&VARIANTS[..]), select(&["i0", "i1"][..]))),
        prop::collection::vec(rule, 0..3),
        serve(),
    )
        .prop_map(
            move |(((kind, values), unit, on, archived), (layer, team), needed, target, rules, default)| {
                let variants: Vec<_> =
                    VARIANTS.iter().enumerate().map(|(i, v)| json!({"key": v, "value": values[i]})).collect();
                let rules: Vec<_> =
                    rules.into_iter().map(|(when, serve)| json!({"when": when, "serve": serve})).collect();
                let targets: Vec<_> =
                    target.iter().map(|(v, list)| json!({"variant": v, "list": list})).collect();
                let needed: Vec<_> = needed
                    .iter()
                    .map(|(flag, variants)| json!({"flag": flag, "variants": variants}))
                    .collect();
                json!({
                    "key": format!("f{at}"), "kind": kind, "unit": unit, "variants": variants, "created": 0,
                    "archived": archived, "layer": layer, "team": team,
                    "settings": {"test": {"on": on, "off": "off", "prerequisites": needed, "targets": targets,
                        "rules": rules, "default": default}},
                })
            },
        )
}

fn segment(key: &'static str, clause: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    let list = || prop::option::of(select(&["i0", "i1"][..]));
    let when = prop::collection::vec(prop::collection::vec(clause, 1..3), 0..3);
    (when, list(), list(), unit()).prop_map(move |(when, included, excluded, unit)| {
        json!({"key": key, "when": when, "included": included, "excluded": excluded, "unit": unit, "created": 0})
    })
}

fn layer(key: &'static str) -> impl Strategy<Value = Layer> {
    let asks = prop::collection::vec((0..3_usize, 0_u16..=6_000), 0..6);
    (unit(), asks).prop_map(move |(unit, asks)| {
        let unit: Unit = serde_json::from_value(json!(unit)).unwrap();
        let layer = Layer::new(key.parse().unwrap(), unit, &format!("{key}:salt")).unwrap();
        asks.into_iter().fold(layer, |layer, (flag, points)| {
            let flag: FlagKey = format!("f{flag}").parse().unwrap();
            layer.allot(&flag, Share::basis_points(points).unwrap()).unwrap_or(layer)
        })
    })
}

fn holdout(key: &'static str) -> impl Strategy<Value = Value> {
    let covers = select(vec![
        json!({"covers": "everything"}),
        json!({"covers": "team", "team": "x"}),
        json!({"covers": "flags", "flags": ["f0", "f2"]}),
    ]);
    (unit(), 0_u16..=10_000, covers, prop::bool::weighted(0.2)).prop_map(
        move |(unit, share, covers, archived)| {
            let share = if share > 5_000 { 0 } else { share };
            json!({"key": key, "unit": unit, "salt": format!("{key}:salt"), "share": share, "covers": covers,
                "archived": archived})
        },
    )
}

/// Two betas that share no flag.
fn betas(clause: BoxedStrategy<Value>) -> impl Strategy<Value = Vec<Value>> {
    let beta = (
        prop::collection::vec(prop::collection::vec(condition(clause), 1..3), 1..3),
        select(&VARIANTS[..]),
        select(vec![json!([]), json!(["test"]), json!(["test", "other"]), json!(["other"])]),
        prop::bool::weighted(0.2),
    )
        .boxed();
    let beta = move |key: &'static str, flags: &'static [&'static str]| {
        beta.clone().prop_map(move |(audience, variant, on, archived)| {
            let flags: BTreeMap<_, _> = flags.iter().map(|flag| (flag, variant)).collect();
            json!({"key": key, "flags": flags, "audience": audience, "on": on, "archived": archived})
        })
    };
    (beta("b0", &["f0", "f2"]), beta("b1", &["f1"])).prop_map(|(one, other)| vec![one, other])
}

pub(crate) fn ids() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(word(), 0..4)
}

/// A world whose clauses use these operators.
pub(crate) fn world(bucketing: &'static str, ops: Vec<String>) -> impl Strategy<Value = World> {
    world_of(bucketing, clause(ops).boxed())
}

/// A world with such clauses.
pub(crate) fn world_of(
    bucketing: &'static str,
    clause: BoxedStrategy<Value>,
) -> impl Strategy<Value = World> {
    let flags = (0..4).map(|at| flag(at, clause.clone()).boxed()).collect::<Vec<_>>();
    let segments = (segment("s0", clause.clone()), segment("s1", clause.clone()));
    let betas = prop_oneof![Just(vec![]), betas(clause)];
    let holdouts = prop::sample::subsequence(vec![0, 1], 0..=2)
        .prop_flat_map(|at| at.into_iter().map(|i| holdout(["h0", "h1"][i]).boxed()).collect::<Vec<_>>());
    (flags, segments, (layer("l0"), layer("l1")), (holdouts, betas), (ids(), ids())).prop_map(
        move |(flags, (s0, s1), (l0, l1), (holdouts, betas), (i0, i1))| World {
            environment: environment(bucketing),
            flags: flags.into_iter().map(|f| serde_json::from_value(f).unwrap()).collect(),
            segments: [s0, s1].into_iter().map(|s| serde_json::from_value(s).unwrap()).collect(),
            layers: vec![l0, l1],
            holdouts: holdouts.into_iter().map(|h| serde_json::from_value(h).unwrap()).collect(),
            betas: betas.into_iter().map(|b| serde_json::from_value(b).unwrap()).collect(),
            lists: [("i0", i0), ("i1", i1)].map(|(k, v)| (ListId(k.to_owned()), v)).into(),
        },
    )
}

pub(crate) fn attribute() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => word().prop_map(Value::from),
        1 => select(&SEMANTIC[..]).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => (-20_i64..20).prop_map(Value::from),
        1 => (-40_i64..40).prop_map(|n| json!(n as f64 / 4.0)),
        1 => Just(json!(1_771_545_600_001_i64)),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(select(&["tier", "name", "b"][..]), inner, 0..3)
                .prop_map(|m| json!(m)),
        ]
    })
}

/// A user in Amplitude's form.
pub(crate) fn user() -> impl Strategy<Value = Value> {
    let fields = ["user_id", "device_id", "country", "version", "os", "plan", "targetingKey", "a.b"];
    let properties = [
        "plan",
        "age",
        "email",
        "tags",
        "a",
        "a.b",
        "country",
        "user_id",
        "targetingKey",
        "ip",
        "session_id",
        "account_id",
    ];
    let id = (0..40).prop_map(|n| json!(format!("u-{n}")));
    (
        prop::collection::btree_map(select(fields.to_vec()), attribute(), 0..5),
        prop::option::weighted(0.8, id.clone()),
        prop::option::weighted(0.5, id),
        prop::option::weighted(
            0.9,
            prop::collection::btree_map(select(properties.to_vec()), attribute(), 0..8),
        ),
    )
        .prop_map(|(fields, id, device, properties)| {
            let mut user = json!(fields);
            if let Some(id) = id {
                user["user_id"] = id;
            }
            if let Some(device) = device {
                user["device_id"] = device;
            }
            if let Some(properties) = properties {
                user["user_properties"] = json!(properties);
            }
            user
        })
}

/// The attributes of typed contexts, each with what it is asked for: flagd's providers agree on these.
const TYPED: [(&str, &str); 9] = [
    ("country", "text"),
    ("plan.tier", "text"),
    ("email", "text"),
    ("targetingKey", "text"),
    ("beta", "truth"),
    ("age", "number"),
    ("version", "version"),
    ("version", "semantic"),
    ("tags", "list"),
];
const PLAIN: [&str; 13] =
    ["", " ", "fi", "FI", "Finland", "10", "9.5", "a+b", "null", "x@Example.com", ".com", "(none)", "ÄÖ"];
const PLAIN_VERSIONS: [&str; 9] =
    ["1.2.3", "1.10.0", "2.0.0", "0.9.1", "1.2.3-rc.1", "2.0.0-beta.11", "1.9", "2", "10"];

/// Versions with build metadata or behind a `v`, and with numbered pre-releases.
pub(crate) const SEMANTIC: [&str; 7] =
    ["v1.2.3", "1.2.3+45", "V2.0.0+b.1", "1.10.4-rc.10+7", "1.10.4-rc.9", "v1.10.4", "10.0.0+45"];

/// A clause that flagd says for typed contexts.
pub(crate) fn typed_clause() -> impl Strategy<Value = Value> {
    select(&TYPED[..])
        .prop_flat_map(|(attribute, kind)| {
            let text =
                ["is", "is_not", "starts_with", "ends_with", "does_not_start_with", "does_not_end_with"];
            let ops: Vec<&str> = match kind {
                "text" => text.to_vec(),
                "truth" => vec!["is", "is_not"],
                "number" => vec!["less", "less_or_equal", "greater", "greater_or_equal", "is", "is_not"],
                "version" => {
                    ops_with("version_less").into_iter().chain(ops_with("version_greater")).collect()
                }
                "semantic" => vec!["version_is", "version_is_not", "version_caret", "version_tilde"],
                _ => [ops_with("set_"), text.to_vec()].concat(),
            };
            let values = match kind {
                "truth" => words(&["true", "False", "yes", "TRUE"]).boxed(),
                "number" => words(&["10", "9.5", "-3", "0", "x", "(none)", "1e2"]).boxed(),
                "version" => words(&["1.2.3", "1.10", "2.0.0", "0.9.1", "(none)"]).boxed(),
                "semantic" => words(&["1.2.3", "1.10", "2.0.0", "0.9.1"]).boxed(),
                _ => words(&PLAIN).boxed(),
            };
            (Just(attribute), select(ops), values)
        })
        .prop_map(|(attribute, op, values)| json!({"attribute": attribute, "op": op, "values": values}))
}

fn ops_with(prefix: &str) -> Vec<&'static str> {
    let all: &'static [&'static str] = &[
        "version_less",
        "version_less_or_equal",
        "version_greater",
        "version_greater_or_equal",
        "version_is",
        "version_is_not",
        "version_caret",
        "version_tilde",
        "set_is",
        "set_is_not",
        "set_contains",
        "set_does_not_contain",
        "set_contains_any",
        "set_does_not_contain_any",
    ];
    all.iter().copied().filter(|op| op.starts_with(prefix)).collect()
}

/// A typed context, as flagd's providers take it.
pub(crate) fn typed_context() -> impl Strategy<Value = Value> {
    let text = || select(&PLAIN[..]).prop_map(Value::from);
    let number = || select(vec![json!(10), json!(9.5), json!(-3), json!(0)]);
    let element = move || prop_oneof![3 => text(), 1 => number()];
    let id = || (0..60).prop_map(|n| json!(format!("u-{n}")));
    let some = |value: BoxedStrategy<Value>| prop::option::weighted(0.75, value);
    let values = (
        (some(id().boxed()), some(id().boxed()), some(id().boxed()), some(id().boxed())),
        (some(text().boxed()), some(text().boxed()), some(text().boxed())),
        some(any::<bool>().prop_map(Value::from).boxed()),
        some(
            prop_oneof![
                (-20_i64..20).prop_map(Value::from),
                (-40_i64..40).prop_map(|n| json!(n as f64 / 4.0))
            ]
            .boxed(),
        ),
        some(select([&PLAIN_VERSIONS[..], &SEMANTIC].concat()).prop_map(Value::from).boxed()),
        some(prop::collection::vec(element(), 0..4).prop_map(Value::from).boxed()),
    );
    values.prop_map(|((user, device, session, account), (country, tier, email), beta, age, version, tags)| {
        let mut context = serde_json::Map::new();
        let all = [
            ("targetingKey", user),
            ("device_id", device),
            ("session_id", session),
            ("account_id", account),
            ("country", country),
            ("plan", tier.map(|tier| json!({"tier": tier}))),
            ("email", email),
            ("beta", beta),
            ("age", age),
            ("version", version),
            ("tags", tags),
        ];
        for (name, value) in all {
            context.extend(value.map(|value| (name.to_owned(), value)));
        }
        context.into()
    })
}
