//! Flags, tests: evaluation, written down once more from the order of the contract, over what people
//! define and without a thought for speed. It shares no code with the room that it checks.
#![allow(dead_code)]

use bellwether_model::{
    Beta, Bucketing, Clause, Condition, Context, Covers, Flag, Op, Segment, Serve, Setting, Split, Unit,
};
use serde_json::{Value, json};

use crate::oracle;
use crate::world::{TIMES, World};

/// The variant, and the reason as its JSON.
pub(crate) fn answer(world: &World, flag: &str, context: &Context) -> Option<(String, Value)> {
    let flag = world.flags.iter().find(|f| f.key.as_str() == flag && !f.archived)?;
    let setting = flag.settings.get(&world.environment.key)?;
    Some(decide(world, flag, setting, context))
}

fn decide(world: &World, flag: &Flag, setting: &Setting, context: &Context) -> (String, Value) {
    let off = |because: Value| (setting.off.to_string(), because);
    if !setting.on {
        return off(json!({"because": "off"}));
    }
    for needed in &setting.prerequisites {
        let got = answer(world, needed.flag.as_str(), context);
        let met = got.is_some_and(|(variant, _)| needed.variants.iter().any(|v| v.as_str() == variant));
        if !met {
            return off(json!({"because": "prerequisite", "flag": needed.flag}));
        }
    }
    for target in &setting.targets {
        if listed(&world.lists[&target.list], listed_id(flag.unit, context).as_ref()) {
            return (target.variant.to_string(), json!({"because": "target"}));
        }
    }
    let mut holdouts: Vec<_> = world.holdouts.iter().filter(|h| !h.archived).collect();
    holdouts.sort_by_key(|h| h.key.to_string());
    for holdout in holdouts {
        let covered = match &holdout.covers {
            Covers::Everything => true,
            Covers::Team { team } => flag.team.as_ref() == Some(team),
            Covers::Flags { flags } => flags.contains(&flag.key),
        };
        let Some(position) = position(world, &holdout.salt, holdout.unit, context) else { continue };
        if covered && position < edge(holdout.share.points()) {
            return off(json!({"because": "holdout", "holdout": holdout.key}));
        }
    }
    if let Some(key) = &flag.layer {
        let layer = world.layers.iter().find(|l| l.key == *key).unwrap();
        let Some(position) = position(world, layer.salt(), layer.unit, context) else {
            return off(json!({"because": "no_unit"}));
        };
        let owner = layer.ranges().iter().find(|r| edge(r.from) <= position && position < edge(r.to));
        if owner.is_none_or(|r| r.flag != flag.key) {
            return off(json!({"because": "layer", "layer": key}));
        }
    }
    let holds = |condition: &Condition| match condition {
        Condition::Clause(clause) => holds(clause, context),
        Condition::Segment { segment, not } => {
            let segment = world.segments.iter().find(|s| s.key == *segment).unwrap();
            member(world, segment, context) != *not
        }
    };
    let shown =
        |b: &&Beta| !b.archived && b.on.contains(&world.environment.key) && b.flags.contains_key(&flag.key);
    let beta = world.betas.iter().find(shown);
    if let Some(beta) = beta
        && beta.audience.iter().any(|group| group.iter().all(holds))
    {
        return (beta.flags[&flag.key].to_string(), json!({"because": "beta", "beta": beta.key}));
    }
    for (index, rule) in setting.rules.iter().enumerate() {
        if rule.when.iter().any(|group| group.iter().all(holds)) {
            return match serve(world, flag, &rule.serve, context) {
                None => off(json!({"because": "no_unit"})),
                Some((variant, true)) => (variant, json!({"because": "rule_split", "index": index})),
                Some((variant, false)) => (variant, json!({"because": "rule", "index": index})),
            };
        }
    }
    let covered = world.holdouts.iter().any(|h| h.covers(flag));
    let bare = setting.prerequisites.is_empty()
        && setting.targets.is_empty()
        && setting.rules.is_empty()
        && flag.layer.is_none()
        && beta.is_none()
        && !covered;
    match serve(world, flag, &setting.default, context) {
        None => off(json!({"because": "no_unit"})),
        Some((variant, true)) => (variant, json!({"because": "split"})),
        Some((variant, false)) => (variant, json!({"because": if bare { "static" } else { "default" }})),
    }
}

/// What is served, and whether it was divided.
fn serve(world: &World, flag: &Flag, serve: &Serve, context: &Context) -> Option<(String, bool)> {
    let split: &Split = match serve {
        Serve::Variant { variant } => return Some((variant.to_string(), false)),
        Serve::Split { split } => split,
        Serve::Rollout { rollout } => match rollout.settled() {
            Some(variant) => return Some((variant.to_string(), false)),
            None => &rollout.split,
        },
    };
    let position = position(world, split.salt(), flag.unit, context)?;
    let range = split.ranges().iter().find(|r| edge(r.from) <= position && position < edge(r.to));
    Some((range.unwrap().variant.to_string(), true))
}

/// The floating-point form of the threshold.
pub(crate) fn edge(points: u16) -> u32 {
    (f64::from(points) / 10_000.0 * 42_949_673.0).floor() as u32
}

fn position(world: &World, salt: &str, unit: Unit, context: &Context) -> Option<u32> {
    let id = oracle::string(&id_value(unit, context)?);
    if id.is_empty() {
        return None;
    }
    Some(hash(world, salt, &id) / 100)
}

pub(crate) fn hash(world: &World, salt: &str, id: &str) -> u32 {
    let text = format!("{salt}/{id}");
    let mut bytes = Vec::new();
    if world.environment.bucketing == Bucketing::Cbor {
        match text.len() {
            n @ 0..24 => bytes.push(0x60 + n as u8),
            n @ 24..256 => bytes.extend([0x78, n as u8]),
            n => bytes.extend([0x79, (n >> 8) as u8, n as u8]),
        }
    }
    bytes.extend(text.bytes());
    oracle::murmur3(&bytes)
}

fn id_value(unit: Unit, context: &Context) -> Option<Value> {
    match unit {
        Unit::User => context.key().map(Value::from),
        other => context.attribute(other.attribute()).cloned(),
    }
}

fn value(attribute: &str, context: &Context) -> Option<Value> {
    if matches!(attribute, "targetingKey" | "user_id") {
        let empty = context.attribute("user_id").filter(|v| **v == json!("")).cloned();
        return context.key().map(Value::from).or(empty);
    }
    context.attribute(attribute).cloned()
}

/// An empty id is placed nowhere, but it is text, and may be on a list.
fn listed_id(unit: Unit, context: &Context) -> Option<Value> {
    value(unit.attribute(), context)
}

fn listed(ids: &[String], id: Option<&Value>) -> bool {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    match id {
        None => false,
        Some(value) => oracle::matches_value(Some(value), "is", &ids),
    }
}

fn member(world: &World, segment: &Segment, context: &Context) -> bool {
    let id = listed_id(segment.unit, context);
    let on = |list: &Option<_>| list.as_ref().is_some_and(|l| listed(&world.lists[l], id.as_ref()));
    let rules = || segment.when.iter().any(|group| group.iter().all(|clause| holds(clause, context)));
    on(&segment.included) || (!on(&segment.excluded) && rules())
}

pub(crate) fn holds(clause: &Clause, context: &Context) -> bool {
    let seen = value(&clause.attribute, context);
    let values: Vec<&str> = clause.values.iter().map(String::as_str).collect();
    let word = clause.op.word();
    let each = |test: &dyn Fn(&str) -> Option<bool>, negated: bool| {
        let Some(seen) = &seen else { return false };
        let holds = |text: &str| test(text).is_some_and(|holds| holds != negated);
        match oracle::list(seen) {
            Some(elements) => elements.iter().any(|e| holds(e)),
            None => holds(&oracle::string(seen)),
        }
    };
    let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|v| test(v));
    match clause.op {
        Op::StartsWith | Op::DoesNotStartWith => {
            each(&|t| Some(any(&|v| t.strip_prefix(v).is_some())), clause.op == Op::DoesNotStartWith)
        }
        Op::EndsWith | Op::DoesNotEndWith => {
            each(&|t| Some(any(&|v| t.strip_suffix(v).is_some())), clause.op == Op::DoesNotEndWith)
        }
        Op::Matches | Op::DoesNotMatch => {
            each(&|t| Some(any(&|v| found(v, t))), clause.op == Op::DoesNotMatch)
        }
        Op::VersionIs | Op::VersionIsNot | Op::VersionCaret | Op::VersionTilde => {
            let test = |text: &str| {
                let seen = semantic(text)?;
                Some(values.iter().filter_map(|v| semantic(v)).any(|value| {
                    let order = seen.cmp(&value);
                    match clause.op {
                        Op::VersionCaret => seen.0[0] == value.0[0] && order.is_ge(),
                        Op::VersionTilde => seen.0[..2] == value.0[..2] && order.is_ge(),
                        _ => order.is_eq(),
                    }
                }))
            };
            each(&test, clause.op == Op::VersionIsNot)
        }
        Op::Before | Op::After => {
            let time = |text: &str| {
                let known = TIMES.iter().find(|(t, _)| *t == text).map(|(_, at)| *at);
                known.or_else(|| text.parse().ok().filter(|_| !text.starts_with('+')))
            };
            let before = clause.op == Op::Before;
            each(
                &|t| {
                    let at = time(t)?;
                    Some(values.iter().filter_map(|v| time(v)).any(|v| if before { at < v } else { at > v }))
                },
                false,
            )
        }
        Op::InNetwork | Op::NotInNetwork => {
            let test = |text: &str| {
                let address = bits(text)?;
                Some(any(&|v| {
                    let (base, length) =
                        v.split_once('/').map_or((v, 1000), |(b, n)| (b, n.parse().unwrap()));
                    let base_bits = bits(base).unwrap();
                    let length = if base.contains(':') { length } else { length + 96 };
                    address.chars().zip(base_bits.chars()).take(length).all(|(a, b)| a == b)
                }))
            };
            each(&test, clause.op == Op::NotInNetwork)
        }
        _ => oracle::matches_value(seen.as_ref(), &word.replace('_', " "), &values),
    }
}

/// The patterns of the tests, in words.
fn found(pattern: &str, text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let digit = |c: &char| c.is_ascii_digit();
    let word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    match pattern {
        "^fi$" => text == "fi",
        r"\d+\.\d" => chars.windows(3).any(|w| digit(&w[0]) && w[1] == '.' && digit(&w[2])),
        "[^a-z]" => chars.iter().any(|c| !c.is_ascii_lowercase()),
        "a.*b|FI" => {
            text.contains("FI") || text.split('\n').any(|l| l.find('a').is_some_and(|i| l[i..].contains('b')))
        }
        r"^.{2}$" => chars.len() == 2 && !chars.contains(&'\n'),
        r"\w@\w" => chars.windows(3).any(|w| word(&w[0]) && w[1] == '@' && word(&w[2])),
        "(?i)fi" => text.to_ascii_lowercase().contains("fi"),
        "^$" => text.is_empty(),
        r"(a+)+$" => text.ends_with('a'),
        other => panic!("no words for `{other}`"),
    }
}

/// 128 characters of 0 and 1.
fn bits(address: &str) -> Option<String> {
    let v6 = match address.parse::<std::net::IpAddr>().ok()? {
        std::net::IpAddr::V4(v4) => format!("::ffff:{v4}").parse().unwrap(),
        std::net::IpAddr::V6(v6) => v6,
    };
    Some(v6.octets().iter().map(|b| format!("{b:08b}")).collect())
}

/// Major, minor and patch; whether it is a release; the identifiers of its pre-release, of which numbers are
/// before words.
type Semantic = ([u64; 3], bool, Vec<(bool, u64, String)>);

/// As semver.org has it, behind a `v` or not.
fn semantic(text: &str) -> Option<Semantic> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let built =
        regex::Regex::new(r"^[0-9]+\.[0-9]+\.[0-9]+[^+]*(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)$").unwrap();
    let version = match built.captures(text) {
        Some(found) => text.strip_suffix(&found[1])?,
        None => text,
    };
    let (numbers, pre_release) = oracle::version(version)?;
    let words = pre_release.trim_start_matches('-').split('.').filter(|word| !word.is_empty());
    let words = words.map(|word| match word.parse::<u64>() {
        Ok(number) => (false, number, String::new()),
        Err(_) => (true, 0, word.to_owned()),
    });
    Some((numbers, pre_release.is_empty(), words.collect()))
}
