//! Model, plan: how names are written, and how one that is not would be.

use std::collections::BTreeMap;

use heck::{ToKebabCase, ToLowerCamelCase, ToSnakeCase, ToTitleCase, ToUpperCamelCase};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EventType, PlanRules, TrackingPlan};
use crate::id::Invalid;

/// How names are written; where a convention is missing, as people like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Naming {
    /// Those of event types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Convention>,
    /// Those of properties.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<Convention>,
}

/// A way to write a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// `order_completed`
    SnakeCase,
    /// `orderCompleted`
    CamelCase,
    /// `OrderCompleted`
    PascalCase,
    /// `Order Completed`; a word may be all capitals, as in `FAQ Viewed`
    TitleCase,
    /// `order-completed`
    KebabCase,
    /// A regular expression that the whole name matches.
    Pattern(String),
}

impl Convention {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Pattern(pattern) => whole(pattern).map(drop).map_err(|e| {
                let last = e.to_string().lines().last().unwrap_or_default().to_owned();
                Invalid::new(
                    format!(
                        "`{pattern}` is not a regular expression: {}",
                        last.trim_start_matches("error: ")
                    ),
                    "write one such as `^[A-Z][a-z]+ [A-Z][a-z]+$`",
                )
            }),
            _ => Ok(()),
        }
    }

    /// Its name in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::SnakeCase => "snake_case".to_owned(),
            Self::CamelCase => "camelCase".to_owned(),
            Self::PascalCase => "PascalCase".to_owned(),
            Self::TitleCase => "Title Case".to_owned(),
            Self::KebabCase => "kebab-case".to_owned(),
            Self::Pattern(pattern) => format!("the pattern {pattern}"),
        }
    }

    /// Whether a name is written so.
    ///
    /// ```
    /// use bellwether_model::plan::Convention;
    /// assert!(Convention::TitleCase.holds("FAQ Viewed") && !Convention::TitleCase.holds("Faq viewed"));
    /// assert_eq!(Convention::SnakeCase.suggestion("Order Completed").as_deref(), Some("order_completed"));
    /// ```
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        let small = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || c.is_numeric();
        let words = |by: char, word: &dyn Fn(&str) -> bool| name.split(by).all(|w| !w.is_empty() && word(w));
        let begins_small = name.chars().next().is_some_and(|c| c.is_lowercase());
        let begins_large = name.chars().next().is_some_and(char::is_uppercase);
        match self {
            Self::SnakeCase => begins_small && words('_', &|w| w.chars().all(small)),
            Self::KebabCase => begins_small && words('-', &|w| w.chars().all(small)),
            Self::CamelCase => begins_small && name.chars().all(char::is_alphanumeric),
            Self::PascalCase => begins_large && name.chars().all(char::is_alphanumeric),
            Self::TitleCase => words(' ', &|w| {
                w.chars().all(char::is_alphanumeric) && !w.chars().next().is_some_and(char::is_lowercase)
            }),
            Self::Pattern(pattern) => whole(pattern).is_ok_and(|pattern| pattern.is_match(name)),
        }
    }

    /// The name as it would be written; `None` where that cannot be said.
    #[must_use]
    pub fn suggestion(&self, name: &str) -> Option<String> {
        let made = |convention: &Self| match convention {
            Self::SnakeCase => name.to_snake_case(),
            Self::KebabCase => name.to_kebab_case(),
            Self::CamelCase => name.to_lower_camel_case(),
            Self::PascalCase => name.to_upper_camel_case(),
            Self::TitleCase => name.to_title_case(),
            Self::Pattern(_) => String::new(),
        };
        // What a pattern wants is often one of the others.
        let named = [Self::SnakeCase, Self::CamelCase, Self::PascalCase, Self::TitleCase, Self::KebabCase];
        let candidates: Vec<String> = match self {
            Self::Pattern(_) => named.iter().map(made).collect(),
            one => vec![made(one)],
        };
        candidates.into_iter().find(|candidate| candidate != name && self.holds(candidate))
    }
}

/// The pattern of a whole name.
fn whole(pattern: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(1 << 20).build()
}

/// Something about a plan that is allowed and probably not meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Lint {
    /// What, in words.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl PlanRules {
    /// What is personal of an event type, by the name in small letters: for whoever looks for names that differ by case alone.
    #[must_use]
    pub fn personal_names<'p>(&'p self, planned: Option<&'p EventType>) -> BTreeMap<String, &'p str> {
        let own = planned.into_iter().flat_map(|planned| &planned.properties);
        let own = own.filter(|(_, property)| property.personal).map(|(name, _)| name.as_str());
        let ruled = self.personal.iter().map(String::as_str);
        let ruled = ruled.filter(|name| self.calls_personal(planned, name));
        ruled.chain(own).map(|name| (name.to_lowercase(), name)).collect()
    }
}

impl TrackingPlan {
    /// What is probably not meant: names that are not written as the rules say, names that differ in their
    /// writing alone, or from a personal one by their case, and properties that hold one thing here and another there.
    #[must_use]
    pub fn lint(&self) -> Vec<Lint> {
        let mut lints = Vec::new();
        let mut name = |what: String, name: &str, convention: Option<&Convention>| {
            let Some(convention) = convention.filter(|convention| !convention.holds(name)) else { return };
            let hint = match convention.suggestion(name) {
                Some(better) => format!("write `{better}`"),
                None => format!("write it in {}", convention.words()),
            };
            lints.push(Lint { message: format!("{what} is not in {}", convention.words()), hint });
        };
        let mut events: std::collections::BTreeMap<String, &str> = Default::default();
        let mut kinds: std::collections::BTreeMap<&str, (&str, super::Kind)> = Default::default();
        let mut more = Vec::new();
        for (event, planned) in &self.events {
            name(format!("event type `{event}`"), event.as_str(), self.rules.naming.events.as_ref());
            if let Some(other) = events.insert(event.as_str().to_snake_case(), event.as_str()) {
                more.push(Lint {
                    message: format!("event types `{other}` and `{event}` differ in their writing alone"),
                    hint: "keep one of them".to_owned(),
                });
            }
            let personal = self.rules.personal_names(Some(planned));
            for (property, planned) in &planned.properties {
                let alike = personal.get(&property.as_str().to_lowercase());
                if let Some(alike) = alike.filter(|_| !planned.personal) {
                    more.push(Lint {
                        message: format!(
                            "property `{property}` of `{event}` is not personal, and `{alike}` is: names are personal as they are written"
                        ),
                        hint: "mark it personal, too, or keep one of them".to_owned(),
                    });
                }
                name(
                    format!("property `{property}` of `{event}`"),
                    property.as_str(),
                    self.rules.naming.properties.as_ref(),
                );
                let known = *kinds.entry(property.as_str()).or_insert((event.as_str(), planned.kind));
                if known.1 != planned.kind {
                    let (word, other) = (planned.kind.word(), known.1.word());
                    more.push(Lint {
                        message: format!(
                            "property `{property}` is `{word}` in `{event}` and `{other}` in `{}`",
                            known.0
                        ),
                        hint: "give it one type, or two names: charts and filters name it once".to_owned(),
                    });
                }
            }
        }
        lints.extend(more);
        lints
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_written_as_a_convention_says() {
        use Convention::{CamelCase, KebabCase, PascalCase, Pattern, SnakeCase, TitleCase};
        let check = |convention: &Convention, name: &str, suggested: Option<&str>| {
            assert_eq!(convention.holds(name), suggested.is_none(), "{name} in {convention:?}");
            if let Some(wanted) = suggested {
                assert_eq!(convention.suggestion(name).unwrap_or_default(), wanted, "{name}");
            }
        };
        for name in ["order_completed", "order2", "a_1"] {
            check(&SnakeCase, name, None);
        }
        for name in
            ["Order Completed", "orderCompleted", "OrderCompleted", "order-completed", "order__completed"]
        {
            check(&SnakeCase, name, Some("order_completed"));
        }
        check(&CamelCase, "orderCompleted", None);
        check(&CamelCase, "Order Completed", Some("orderCompleted"));
        check(&PascalCase, "OrderCompleted", None);
        check(&PascalCase, "order_completed", Some("OrderCompleted"));
        check(&TitleCase, "Order Completed", None);
        check(&TitleCase, "FAQ Viewed", None);
        check(&TitleCase, "Top 10 Viewed", None);
        check(&TitleCase, "order completed", Some("Order Completed"));
        check(&TitleCase, "Order  Completed", Some("Order Completed"));
        check(&KebabCase, "order-completed", None);
        check(&KebabCase, "Order Completed", Some("order-completed"));
        let pattern = Pattern("[A-Z][a-z]+( [A-Z][a-z]+)+".to_owned());
        check(&pattern, "Order Completed", None);
        check(&pattern, "order_completed", Some("Order Completed"));
        check(&pattern, "Order", Some(""));
    }

    #[test]
    fn a_pattern_that_is_none_says_so() {
        let refused = Convention::Pattern("[a".to_owned()).check().unwrap_err();
        assert_eq!(refused.message, "`[a` is not a regular expression: unclosed character class");
    }

    proptest! {
        #[test]
        fn what_is_suggested_is_written_as_it_should_be(name in "[A-Za-zäÄß0-9 _.-]{1,24}") {
            for convention in [
                Convention::SnakeCase, Convention::CamelCase, Convention::PascalCase, Convention::TitleCase,
                Convention::KebabCase,
            ] {
                if let Some(better) = convention.suggestion(&name) {
                    prop_assert!(convention.holds(&better), "{name} as {better} in {convention:?}");
                    prop_assert_ne!(better, name.as_str());
                }
            }
        }
    }
}
