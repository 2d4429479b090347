//! Flags: the tests that rules make of one attribute, parsed once. What they mean, also for missing
//! attributes, lists and the words `true` and `false`, is what the Amplitude engine (JavaScript,
//! experiment-core 0.13.6) means by them.

use std::borrow::Cow;
use std::cmp::Ordering;

use bellwether_model::{Context, Json, Op};
use rustc_hash::FxHashSet;

use crate::text::{self, Version};

/// The value that stands for "no value" in a rule.
pub(crate) const NONE: &str = "(none)";

/// Where a rule looks.
#[derive(Debug)]
pub(crate) enum Attribute {
    /// The user's id.
    User,
    /// An attribute by name or path.
    Named(Box<str>),
}

/// What it found there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Seen<'c> {
    Text(&'c str),
    Json(&'c Json),
}

impl Attribute {
    pub(crate) fn new(name: &str) -> Self {
        if matches!(name, "targetingKey" | "user_id") { Self::User } else { Self::Named(name.into()) }
    }

    pub(crate) fn find<'c>(&self, context: &'c Context) -> Option<Seen<'c>> {
        match self {
            Self::Named(name) => context.attribute(name).map(Seen::Json),
            // An empty id names nobody, but it is text, and rules on text see it.
            Self::User => context.key().map(Seen::Text).or_else(|| {
                let empty = context.attributes().get("user_id").filter(|id| id.as_str() == Some(""));
                empty.map(Seen::Json)
            }),
        }
    }
}

impl<'c> Seen<'c> {
    pub(crate) fn text(self) -> Option<Cow<'c, str>> {
        match self {
            Self::Text(text) => Some(text.into()),
            Self::Json(value) => text::text(value),
        }
    }

    fn elements(self) -> Option<Vec<String>> {
        match self {
            Self::Text(text) => text::elements_of(text),
            Self::Json(value) => text::elements(value),
        }
    }
}

/// A test, ready to be made.
#[derive(Debug)]
pub(crate) struct Test {
    what: What,
    /// What it says of an attribute that is missing or null.
    missing: bool,
}

#[derive(Debug)]
enum What {
    Is { words: Words, negated: bool },
    Contains { lowered: Box<[Box<str>]>, negated: bool },
    Number { order: Order, values: Box<[f64]> },
    Version { order: Order, versions: Box<[Version<'static>]>, texts: Box<[Box<str>]> },
    StartsWith(Box<[Box<str>]>),
    EndsWith(Box<[Box<str>]>),
}

/// Values that text may equal. `true` and `false` are known in any spelling.
#[derive(Debug)]
struct Words {
    exact: FxHashSet<Box<str>>,
    truth: bool,
    falsehood: bool,
}

impl Words {
    fn hold(&self, text: &str) -> bool {
        if (self.truth || self.falsehood) && text.eq_ignore_ascii_case("true") {
            self.truth
        } else if (self.truth || self.falsehood) && text.eq_ignore_ascii_case("false") {
            self.falsehood
        } else {
            self.exact.contains(text)
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
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
    pub(crate) fn new(op: Op, values: &[String]) -> Self {
        let texts = || values.iter().map(|v| v.as_str().into()).collect::<Box<[Box<str>]>>();
        let none = values.iter().any(|v| v == NONE);
        let number = |order| What::Number { order, values: values.iter().map(|v| text::number(v)).collect() };
        let version = |order| What::Version {
            order,
            versions: values.iter().filter_map(|v| Version::parse(v)).map(Version::into_owned).collect(),
            texts: texts(),
        };
        let contains = |negated| What::Contains {
            lowered: values.iter().map(|v| v.to_lowercase().into_boxed_str()).collect(),
            negated,
        };
        let (what, missing) = match op {
            Op::Is => (What::Is { words: words(values), negated: false }, none),
            Op::IsNot => (What::Is { words: words(values), negated: true }, !none),
            Op::Contains => (contains(false), none),
            Op::DoesNotContain => (contains(true), !none),
            Op::Less => (number(Order::Less), none),
            Op::LessOrEqual => (number(Order::LessOrEqual), none),
            Op::Greater => (number(Order::Greater), none),
            Op::GreaterOrEqual => (number(Order::GreaterOrEqual), none),
            Op::VersionLess => (version(Order::Less), none),
            Op::VersionLessOrEqual => (version(Order::LessOrEqual), none),
            Op::VersionGreater => (version(Order::Greater), none),
            Op::VersionGreaterOrEqual => (version(Order::GreaterOrEqual), none),
            Op::StartsWith => (What::StartsWith(texts()), false),
            Op::EndsWith => (What::EndsWith(texts()), false),
        };
        Self { what, missing }
    }

    /// Membership in a list of ids: a missing id is in no list, whatever the list holds.
    pub(crate) fn member(ids: &[String]) -> Self {
        Self { what: What::Is { words: words(ids), negated: false }, missing: false }
    }

    pub(crate) fn holds(&self, seen: Option<Seen<'_>>) -> bool {
        let Some(seen) = seen else { return self.missing };
        // A list holds when any element does, also under a negated operator.
        if let Some(elements) = seen.elements() {
            return elements.iter().any(|e| self.holds_for(e));
        }
        if let (What::Number { order, values }, Seen::Json(Json::Number(number))) = (&self.what, seen) {
            let number = number.as_f64().unwrap_or(f64::NAN);
            return values.iter().any(|v| order.holds(number.partial_cmp(v)));
        }
        seen.text().map_or(self.missing, |text| self.holds_for(&text))
    }

    fn holds_for(&self, text: &str) -> bool {
        match &self.what {
            What::Is { words, negated } => words.hold(text) != *negated,
            What::Contains { lowered, negated } => contains_any(text, lowered) != *negated,
            What::Number { order, values } => {
                let number = text::number(text);
                values.iter().any(|v| order.holds(number.partial_cmp(v)))
            }
            What::Version { order, versions, texts } => match Version::parse(text) {
                Some(version) if !versions.is_empty() => {
                    versions.iter().any(|v| order.holds(Some(version.compare(v))))
                }
                _ => texts.iter().any(|t| order.holds(Some(text::compare(text, t)))),
            },
            What::StartsWith(texts) => texts.iter().any(|t| text.starts_with(t.as_ref())),
            What::EndsWith(texts) => texts.iter().any(|t| text.ends_with(t.as_ref())),
        }
    }
}

fn words(values: &[String]) -> Words {
    Words {
        exact: values.iter().map(|v| v.as_str().into()).collect(),
        truth: values.iter().any(|v| v.eq_ignore_ascii_case("true")),
        falsehood: values.iter().any(|v| v.eq_ignore_ascii_case("false")),
    }
}

fn contains_any(text: &str, lowered: &[Box<str>]) -> bool {
    if text.is_ascii() {
        return lowered.iter().any(|word| {
            word.is_empty()
                || text.as_bytes().windows(word.len()).any(|w| w.eq_ignore_ascii_case(word.as_bytes()))
        });
    }
    let text = text.to_lowercase();
    lowered.iter().any(|word| text.contains(word.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(op: Op, values: &[&str], value: &Json, expected: bool) {
        let values: Vec<_> = values.iter().map(|v| (*v).to_owned()).collect();
        let seen = (!value.is_null()).then_some(Seen::Json(value));
        assert_eq!(Test::new(op, &values).holds(seen), expected, "{value} {op:?} {values:?}");
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
