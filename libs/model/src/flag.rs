//! Model: flags as people define them. What they evaluate to is the business of `flags`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Json;
use crate::id::{EnvironmentKey, FlagKey, Invalid, ListId, VariantKey};
use crate::rollout::Rollout;
use crate::split::Split;
use crate::time::Millis;

/// Where flags are served and events are kept apart: production, staging.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// Its key, unique in the installation.
    pub key: EnvironmentKey,
    /// What people call it.
    pub name: String,
    /// Whether customers are served from it: changes here are marked and ask for a reason.
    #[serde(default)]
    pub production: bool,
}

/// The type that all variants of a flag share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// A number.
    Number,
    /// A JSON object or array.
    Json,
}

impl Kind {
    /// Whether a value is of this type.
    pub fn holds(self, value: &Json) -> bool {
        match self {
            Self::Boolean => value.is_boolean(),
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Json => value.is_object() || value.is_array(),
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Number => "number",
            Self::Json => "json",
        }
    }
}

/// One of the values that a flag can have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Variant {
    /// Its key, unique in the flag.
    pub key: VariantKey,
    /// What an evaluation returns.
    pub value: Json,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// What a split divides by: the same unit always gets the same variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// The user: OFREP's `targetingKey`, Amplitude's `user_id`.
    #[default]
    User,
    /// The device: attribute `device_id`.
    Device,
}

impl Unit {
    /// The attribute that holds the unit's id.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::User => "user_id",
            Self::Device => "device_id",
        }
    }
}

/// A flag: its variants, and how each environment serves them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Flag {
    /// Its key.
    pub key: FlagKey,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The type that all variants share.
    pub kind: Kind,
    /// At least one, of distinct keys, all of `kind`.
    pub variants: Vec<Variant>,
    /// What a split divides by.
    #[serde(default)]
    pub unit: Unit,
    /// One setting per environment; where there is none the flag does not exist.
    pub settings: BTreeMap<EnvironmentKey, Setting>,
    /// When it was created.
    pub created: Millis,
    /// Archived flags are served to nobody and can be restored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
}

/// How one environment serves a flag. Order: off, targets, rules, default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// Off serves `off` to everybody.
    pub on: bool,
    /// The variant while off, and for whom a split has no unit id.
    pub off: VariantKey,
    /// Single users or devices with a variant of their own. They win over the rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
    /// The first rule that matches decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// What everybody else gets.
    pub default: Serve,
}

/// Units that get a variant by name. The ids live in a list outside the log of changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The variant they get.
    pub variant: VariantKey,
    /// The list that holds their ids.
    pub list: ListId,
}

/// A condition and what it serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rule {
    /// What people call it; shown as the reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Any of these groups must hold; a group holds when all its clauses do. Never empty.
    pub when: Vec<Vec<Clause>>,
    /// What it serves.
    pub serve: Serve,
}

/// A test of one attribute against values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Clause {
    /// The attribute's name; dots walk into objects.
    pub attribute: String,
    /// The test.
    pub op: Op,
    /// What it is tested against, as text; several values are alternatives.
    pub values: Vec<String>,
}

/// A test of an attribute. The exact meaning, also for missing attributes, is that of the Amplitude
/// Experiment engine where it has the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Equals any value.
    Is,
    /// Equals none of the values.
    IsNot,
    /// Contains any value, case-insensitive.
    Contains,
    /// Contains none of the values, case-insensitive.
    DoesNotContain,
    /// A smaller number than any value.
    Less,
    /// A smaller or the same number.
    LessOrEqual,
    /// A greater number than any value.
    Greater,
    /// A greater or the same number.
    GreaterOrEqual,
    /// An earlier version than any value.
    VersionLess,
    /// An earlier or the same version.
    VersionLessOrEqual,
    /// A later version than any value.
    VersionGreater,
    /// A later or the same version.
    VersionGreaterOrEqual,
    /// Starts with any value.
    StartsWith,
    /// Ends with any value.
    EndsWith,
}

/// What a rule, or the default, serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "serve", rename_all = "snake_case")]
pub enum Serve {
    /// The same variant to everybody.
    Variant {
        /// That variant.
        variant: VariantKey,
    },
    /// Variants by share of the population.
    Split {
        /// The division.
        split: Split,
    },
    /// A candidate that widens step by step and can be halted.
    Rollout {
        /// Its state.
        rollout: Rollout,
    },
}

impl Serve {
    /// Every variant that it can serve.
    pub fn variants(&self) -> Vec<&VariantKey> {
        match self {
            Self::Variant { variant } => vec![variant],
            Self::Split { split } => split.ranges().iter().map(|r| &r.variant).collect(),
            Self::Rollout { rollout } => {
                let mut all: Vec<_> = rollout.split.ranges().iter().map(|r| &r.variant).collect();
                all.extend([&rollout.candidate, &rollout.control]);
                all
            }
        }
    }

    /// The division by which it serves right now, if it divides.
    pub fn split(&self) -> Option<&Split> {
        match self {
            Self::Variant { .. } => None,
            Self::Split { split } => Some(split),
            Self::Rollout { rollout } => rollout.widening(),
        }
    }
}

impl Flag {
    /// One variant by key.
    pub fn variant(&self, key: &VariantKey) -> Option<&Variant> {
        self.variants.iter().find(|v| v.key == *key)
    }

    /// Checks what the type alone cannot say: variants are distinct, of the flag's kind, and every
    /// one that a setting names exists.
    ///
    /// # Errors
    /// The first thing that is wrong, where it stands and what to do.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.variants.is_empty() {
            return Err(Invalid::new(
                format!("flag `{}` has no variants", self.key),
                "give it at least one variant, such as `on` with the value true",
            ));
        }
        for (i, variant) in self.variants.iter().enumerate() {
            if self.variants.iter().take(i).any(|v| v.key == variant.key) {
                return Err(Invalid::new(
                    format!("flag `{}` has two variants `{}`", self.key, variant.key),
                    "give each variant a key of its own",
                ));
            }
            if !self.kind.holds(&variant.value) {
                return Err(Invalid::new(
                    format!(
                        "variant `{}` is `{}`, which is not a {}",
                        variant.key,
                        variant.value,
                        self.kind.word()
                    ),
                    format!("all variants of flag `{}` must be of kind {}", self.key, self.kind.word()),
                ));
            }
        }
        for (environment, setting) in &self.settings {
            self.check_setting(setting).map_err(|e| {
                Invalid::new(format!("in environment `{environment}`: {}", e.message), e.hint)
            })?;
        }
        Ok(())
    }

    /// Checks one setting against this flag's variants.
    ///
    /// # Errors
    /// As [`Flag::check`].
    pub fn check_setting(&self, setting: &Setting) -> Result<(), Invalid> {
        let serves = setting.rules.iter().map(|r| &r.serve).chain([&setting.default]);
        let named = serves.flat_map(Serve::variants);
        let named = named.chain([&setting.off]).chain(setting.targets.iter().map(|t| &t.variant));
        for variant in named {
            if self.variant(variant).is_none() {
                let has: Vec<_> = self.variants.iter().map(|v| format!("`{}`", v.key)).collect();
                return Err(Invalid::new(
                    format!("flag `{}` has no variant `{variant}`", self.key),
                    format!("use one of {}", has.join(", ")),
                ));
            }
        }
        for (i, rule) in setting.rules.iter().enumerate() {
            let n = i + 1;
            let named = if rule.name.is_empty() {
                format!("rule {n}")
            } else {
                format!("rule {n} (`{}`)", rule.name)
            };
            if rule.when.is_empty() || rule.when.iter().any(Vec::is_empty) {
                return Err(Invalid::new(
                    format!("{named} has an empty condition"),
                    "give it at least one clause; to serve everybody use the default",
                ));
            }
            for clause in rule.when.iter().flatten() {
                if clause.attribute.is_empty() {
                    return Err(Invalid::new(
                        format!("{named} tests no attribute"),
                        "name an attribute and give at least one value",
                    ));
                }
                if clause.values.is_empty() {
                    return Err(Invalid::new(
                        format!("{named} tests `{}` against nothing", clause.attribute),
                        "name an attribute and give at least one value",
                    ));
                }
            }
        }
        Ok(())
    }
}
