//! Flags: the tests that rules make of one attribute, parsed once. What they mean, also for missing
//! attributes, lists and the words `true` and `false`, is what the Amplitude engine (JavaScript,
//! experiment-core 0.13.6) means by them. Nothing here allocates but where an attribute that is tested
//! as text is an object, a nested list, a list written in a string, or has a capital sigma.

use std::cmp::Ordering;

use bellwether_model::glance::Release;
use bellwether_model::operand::{self, Network, Version};
use bellwether_model::{Invalid, Json, Millis, Op};
use regex::Regex;

use crate::elements::Elements;
use crate::parts::Parts;
use crate::place::Seen;
use crate::quick::Quick;
use crate::text;
use crate::words::Words;

/// The value that stands for "no value" in a rule.
pub(crate) const NONE: &str = "(none)";

/// A test, ready to be made.
#[derive(Debug)]
pub(crate) struct Test {
    what: What,
    negated: bool,
    /// What it says of an attribute that is missing or null.
    missing: bool,
}

#[derive(Debug)]
enum What {
    Is(Words),
    Contains(Parts),
    Number {
        order: Order,
        values: Box<[f64]>,
    },
    Version {
        /// Between which releases it holds, where the values say it by releases.
        among: Option<(Release, Release)>,
        values: Box<Versions>,
    },
    SameVersion(Box<[Version]>),
    /// At or after a release with which this many of its numbers are shared.
    Near {
        shared: usize,
        versions: Box<[Version]>,
    },
    StartsWith(Box<[Box<str>]>),
    EndsWith(Box<[Box<str>]>),
    Matches(Box<[Regex]>),
    SetIs(Elements),
    /// As many elements as there are values, and each value among them.
    SetContains(Elements),
    SetContainsAny(Words),
    /// Before any of the points in time is before the last one, after any is after the first.
    Before(Millis),
    After(Millis),
    InNetwork(Box<[Network]>),
}

/// Something is so ordered to any of the versions; or of the texts, where it is no version.
#[derive(Debug)]
struct Versions {
    order: Order,
    versions: Box<[Version]>,
    texts: Box<[Box<str>]>,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    /// The first and the last release that are so ordered to any of these.
    fn among(self, releases: &[Release]) -> Option<(Release, Release)> {
        let (least, greatest) = (releases.iter().min()?, releases.iter().max()?);
        Some(match self {
            Self::Less => (Release::FIRST, greatest.previous()),
            Self::LessOrEqual => (Release::FIRST, *greatest),
            Self::Greater => (least.next(), Release::LAST),
            Self::GreaterOrEqual => (*least, Release::LAST),
        })
    }

    fn holds(self, ordering: Option<Ordering>) -> bool {
        ordering.is_some_and(|o| match self {
            Self::Less => o.is_lt(),
            Self::LessOrEqual => o.is_le(),
            Self::Greater => o.is_gt(),
            Self::GreaterOrEqual => o.is_ge(),
        })
    }
}

impl Test {
    /// # Errors
    /// When the operator cannot use a value; [`Clause::check`](bellwether_model::Clause::check) says so
    /// first.
    pub(crate) fn new(op: Op, values: &[String]) -> Result<Self, Invalid> {
        let texts = || values.iter().map(|v| v.as_str().into()).collect::<Box<[Box<str>]>>();
        let none = values.iter().any(|v| v == NONE);
        let number = |order| What::Number { order, values: values.iter().map(|v| text::number(v)).collect() };
        let releases = || {
            let known = values.iter().filter_map(|v| Version::parse(v));
            known.map(Version::into_owned).collect::<Box<[_]>>()
        };
        let version = |order: Order| {
            let all = values.iter().map(|v| Release::of(v)).collect::<Option<Vec<_>>>();
            let among = all.and_then(|all| order.among(&all));
            What::Version {
                among,
                values: Box::new(Versions { order, versions: releases(), texts: texts() }),
            }
        };
        let semantic =
            || values.iter().filter_map(|v| Version::semantic(v)).map(Version::into_owned).collect();
        let near = |shared| What::Near { shared, versions: semantic() };
        let contains = || -> Result<What, Invalid> { Ok(What::Contains(Parts::new(values)?)) };
        let matches = || -> Result<What, Invalid> {
            Ok(What::Matches(values.iter().map(|v| operand::pattern(v)).collect::<Result<_, _>>()?))
        };
        let times = || {
            let times = values.iter().map(|v| {
                operand::instant(v)
                    .ok_or_else(|| Invalid::new(format!("`{v}` is not a point in time"), "use RFC 3339"))
            });
            times.collect::<Result<Vec<_>, _>>()
        };
        let networks = || {
            let networks = values.iter().map(|v| {
                Network::parse(v)
                    .ok_or_else(|| Invalid::new(format!("`{v}` is not a network"), "use `10.0.0.0/8`"))
            });
            networks.collect::<Result<Box<[_]>, _>>()
        };
        let never = || Invalid::new(format!("`{}` has no values", op.word()), "give it at least one value");
        // What it asks, whether it is negated, and what it says where there is nothing to ask.
        let (what, negated, missing) = match op {
            Op::Is => (What::Is(Words::new(values)), false, none),
            Op::IsNot => (What::Is(Words::new(values)), true, !none),
            Op::Contains => (contains()?, false, none),
            Op::DoesNotContain => (contains()?, true, !none),
            Op::Less => (number(Order::Less), false, none),
            Op::LessOrEqual => (number(Order::LessOrEqual), false, none),
            Op::Greater => (number(Order::Greater), false, none),
            Op::GreaterOrEqual => (number(Order::GreaterOrEqual), false, none),
            Op::VersionLess => (version(Order::Less), false, none),
            Op::VersionLessOrEqual => (version(Order::LessOrEqual), false, none),
            Op::VersionGreater => (version(Order::Greater), false, none),
            Op::VersionGreaterOrEqual => (version(Order::GreaterOrEqual), false, none),
            Op::VersionIs => (What::SameVersion(semantic()), false, false),
            Op::VersionIsNot => (What::SameVersion(semantic()), true, false),
            Op::VersionCaret => (near(1), false, false),
            Op::VersionTilde => (near(2), false, false),
            Op::StartsWith => (What::StartsWith(texts()), false, false),
            Op::DoesNotStartWith => (What::StartsWith(texts()), true, false),
            Op::EndsWith => (What::EndsWith(texts()), false, false),
            Op::DoesNotEndWith => (What::EndsWith(texts()), true, false),
            Op::Matches => (matches()?, false, false),
            Op::DoesNotMatch => (matches()?, true, false),
            Op::SetIs => (What::SetIs(Elements::exact(values)), false, none),
            Op::SetIsNot => (What::SetIs(Elements::exact(values)), true, false),
            Op::SetContains => (What::SetContains(Elements::loose(values)), false, none),
            Op::SetDoesNotContain => (What::SetContains(Elements::loose(values)), true, !none),
            Op::SetContainsAny => (What::SetContainsAny(Words::new(values)), false, none),
            Op::SetDoesNotContainAny => (What::SetContainsAny(Words::new(values)), true, !none),
            Op::Before => (What::Before(times()?.into_iter().max().ok_or_else(never)?), false, false),
            Op::After => (What::After(times()?.into_iter().min().ok_or_else(never)?), false, false),
            Op::InNetwork => (What::InNetwork(networks()?), false, false),
            Op::NotInNetwork => (What::InNetwork(networks()?), true, false),
        };
        Ok(Self { what, negated, missing })
    }

    /// What of it needs only a glance.
    pub(crate) fn quick(&self) -> Quick {
        let not = self.negated;
        match &self.what {
            What::Is(words) => words.short().map_or(Quick::Nothing, |words| Quick::words(words, not)),
            What::Version { among: Some((first, last)), .. } => {
                Quick::Releases { first: *first, last: *last, not }
            }
            _ => Quick::Nothing,
        }
    }

    pub(crate) fn holds(&self, seen: Option<Seen<'_>>) -> bool {
        let Some(seen) = seen else { return self.missing };
        match seen.plain() {
            Some(text) => self.holds_for(text),
            None => self.holds_for_others(seen),
        }
    }

    /// What is not of the operator's type satisfies neither it nor its negation.
    fn holds_for(&self, text: &str) -> bool {
        self.what.holds_for(text).is_some_and(|holds| holds != self.negated)
    }

    fn holds_for_others(&self, seen: Seen<'_>) -> bool {
        match (&self.what, seen) {
            // A set operator asks the list as a whole, and anything else is no set.
            (What::SetIs(_) | What::SetContains(_) | What::SetContainsAny(_), _) => {
                seen.list(|list| self.what.holds_for_list(list) != self.negated)
            }
            (What::Number { order, values }, Seen::Json(Json::Number(number))) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                values.iter().any(|v| order.holds(number.partial_cmp(v)))
            }
            // A list holds when any element does, also under a negated operator.
            _ => seen.any(|text| self.holds_for(text)),
        }
    }
}

impl Versions {
    fn hold(&self, text: &str) -> bool {
        match Version::parse(text) {
            Some(version) if !self.versions.is_empty() => {
                self.versions.iter().any(|v| self.order.holds(Some(version.compare(v))))
            }
            _ => self.texts.iter().any(|t| self.order.holds(Some(text::compare(text, t)))),
        }
    }
}

impl What {
    fn holds_for(&self, text: &str) -> Option<bool> {
        let any = |found: bool| Some(found);
        match self {
            Self::Is(words) => any(words.hold(text)),
            Self::Contains(lowered) => any(lowered.are_in(text)),
            Self::Number { order, values } => {
                let number = text::number(text);
                any(values.iter().any(|v| order.holds(number.partial_cmp(v))))
            }
            Self::Version { values, .. } => any(values.hold(text)),
            Self::SameVersion(versions) => {
                let version = Version::semantic(text)?;
                any(versions.iter().any(|v| version.precedence(v).is_eq()))
            }
            Self::Near { shared, versions } => {
                let version = Version::semantic(text)?;
                any(versions.iter().any(|v| version.shares(v, *shared) && version.precedence(v).is_ge()))
            }
            Self::StartsWith(texts) => any(texts.iter().any(|t| text.starts_with(t.as_ref()))),
            Self::EndsWith(texts) => any(texts.iter().any(|t| text.ends_with(t.as_ref()))),
            Self::Matches(patterns) => any(patterns.iter().any(|p| p.is_match(text))),
            Self::Before(last) => any(operand::instant(text)? < *last),
            Self::After(first) => any(operand::instant(text)? > *first),
            Self::InNetwork(networks) => {
                let address = operand::address(text)?;
                any(networks.iter().any(|n| n.holds(address)))
            }
            Self::SetIs(_) | Self::SetContains(_) | Self::SetContainsAny(_) => None,
        }
    }

    fn holds_for_list(&self, list: &[Json]) -> bool {
        match self {
            Self::SetIs(values) => values.are(list),
            Self::SetContains(values) => values.are_within(list),
            Self::SetContainsAny(values) => text::any_element(list, |element| values.hold(element)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn check(op: Op, values: &[&str], value: &Json, expected: bool) {
        let values: Vec<_> = values.iter().map(|v| (*v).to_owned()).collect();
        let seen = (!value.is_null()).then_some(Seen::Json(value));
        assert_eq!(Test::new(op, &values).unwrap().holds(seen), expected, "{value} {op:?} {values:?}");
    }

    #[test]
    fn a_missing_attribute_is_nothing_in_particular() {
        for (op, without, with) in [
            (Op::Is, false, true),
            (Op::IsNot, true, false),
            (Op::Contains, false, true),
            (Op::DoesNotContain, true, false),
            (Op::Less, false, true),
            (Op::VersionGreaterOrEqual, false, true),
            (Op::StartsWith, false, false),
            (Op::EndsWith, false, false),
        ] {
            check(op, &["a"], &Json::Null, without);
            check(op, &["a", NONE], &Json::Null, with);
        }
    }

    #[test]
    fn truth_is_known_in_any_spelling() {
        check(Op::Is, &["True"], &json!(true), true);
        check(Op::Is, &["TRUE"], &json!("tRue"), true);
        check(Op::Is, &["true"], &json!("FALSE"), false);
        check(Op::Is, &["yes"], &json!("YES"), false);
        check(Op::Is, &["false"], &json!(false), true);
        check(Op::IsNot, &["false"], &json!(true), true);
        check(Op::Is, &["a"], &json!("True"), false);
    }

    #[test]
    fn one_element_is_enough() {
        check(Op::Is, &["b"], &json!(["a", "b"]), true);
        check(Op::IsNot, &["b"], &json!(["a", "b"]), true);
        check(Op::IsNot, &["b"], &json!(["b"]), false);
        check(Op::IsNot, &["b"], &json!([]), false);
        check(Op::Is, &["b"], &json!("[\"a\", \"b\"]"), true);
        check(Op::Greater, &["5"], &json!([1, 9]), true);
    }

    #[test]
    fn letters_compare_in_any_case_where_they_are_contained() {
        check(Op::Contains, &["ÄÖ"], &json!("xäöy"), true);
        check(Op::Contains, &["EXAMPLE.com"], &json!("a@Example.COM"), true);
        check(Op::Contains, &[""], &json!(""), true);
        check(Op::Contains, &["long"], &json!("lo"), false);
        check(Op::DoesNotContain, &["b", "x"], &json!("abc"), false);
        check(Op::StartsWith, &["Ab"], &json!("abc"), false);
    }

    #[test]
    fn numbers_compare_as_numbers_or_not_at_all() {
        check(Op::Less, &["10"], &json!(9), true);
        check(Op::Less, &["10"], &json!("9"), true);
        check(Op::Less, &["x"], &json!("a"), false);
        check(Op::GreaterOrEqual, &["x", "3"], &json!(3.0), true);
        check(Op::Less, &["1"], &json!(""), true);
    }

    #[test]
    fn versions_compare_as_versions_or_as_text() {
        check(Op::VersionLess, &["1.10.0"], &json!("1.9"), true);
        check(Op::VersionGreater, &["1.2.3-rc1"], &json!("1.2.3"), true);
        check(Op::VersionGreater, &["v1"], &json!("v2"), true);
        check(Op::VersionGreater, &["1.0"], &json!("v2"), true);
        check(Op::VersionLessOrEqual, &["junk", "1.0"], &json!("1.0.0"), true);
    }
}
