//! Model: flags as people define them. What they evaluate to is the business of `flags`; what a rule
//! may ask stands in [`rule`](crate::rule).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Json;
use crate::enrolment::Enrolment;
use crate::id::{EnvironmentKey, FlagKey, Invalid, LayerKey, ListId, Team, VariantKey};
use crate::prerequisite::Prerequisite;
use crate::rollout::{Rollout, RolloutState};
use crate::rule::{self, Rule};
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
    /// Which bytes are hashed to place a unit, and so which SDKs agree with the server.
    #[serde(default, skip_serializing_if = "Bucketing::is_default")]
    pub bucketing: Bucketing,
}

/// Which bytes of `salt/unit` are hashed. A change of it draws everybody anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bucketing {
    /// Its UTF-8: the Amplitude SDKs and the flagd providers of `fractional` v2 (Node, Go, Java, .NET).
    #[default]
    Utf8,
    /// Its CBOR, as the flagd providers of `fractional` v3 do (Python, Rust).
    Cbor,
}

impl Bucketing {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
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
    /// The session: attribute `session_id`.
    Session,
    /// The account or company: attribute `account_id`.
    Account,
}

impl Unit {
    /// The attribute that holds the unit's id.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::User => "user_id",
            Self::Device => "device_id",
            Self::Session => "session_id",
            Self::Account => "account_id",
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
    /// Whose it is; holdouts may cover a team's flags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<Team>,
    /// The layer of mutually exclusive flags that it belongs to. Outside the flag's ranges there, and
    /// where it has none, `off` is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<LayerKey>,
    /// A JSON Schema that every variant's value must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Json>,
    /// One setting per environment; where there is none the flag does not exist.
    pub settings: BTreeMap<EnvironmentKey, Setting>,
    /// When it was created.
    pub created: Millis,
    /// Archived flags are served to nobody and can be restored.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
}

/// How one environment serves a flag. Order: off, prerequisites, targets, holdouts, layer, rules,
/// default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// Off serves `off` to everybody.
    pub on: bool,
    /// The variant while off, where a prerequisite is not met, for those held out or outside the flag's
    /// part of its layer, and for whom a split has no unit id.
    pub off: VariantKey,
    /// Other flags that must serve one of the named variants to the same context.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prerequisites: Vec<Prerequisite>,
    /// Single users or devices with a variant of their own. They win over the rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
    /// The first rule that matches decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// What everybody else gets.
    pub default: Serve,
    /// Who may come into the default's split.
    #[serde(default, skip_serializing_if = "Enrolment::is_open")]
    pub enrolment: Enrolment,
}

/// Units that get a variant by name. The ids live in a list outside the log of changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The variant they get.
    pub variant: VariantKey,
    /// The list that holds their ids.
    pub list: ListId,
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
        for (i, needed) in setting.prerequisites.iter().enumerate() {
            needed.check(&self.key)?;
            if setting.prerequisites.iter().take(i).any(|p| p.flag == needed.flag) {
                return Err(Invalid::new(
                    format!("flag `{}` names the prerequisite `{}` twice", self.key, needed.flag),
                    "name it once, with all the variants that will do",
                ));
            }
        }
        setting.enrolment.check()?;
        self.within(setting)?;
        let mut weight = 0;
        for (i, rule) in setting.rules.iter().enumerate() {
            let n = i + 1;
            let at = || match rule.name.as_str() {
                "" => format!("rule {n}"),
                name => format!("rule {n} (`{name}`)"),
            };
            weight += rule::asked(&rule.when, &at)?;
        }
        rule::weighs(weight, &format!("the rules of flag `{}`", self.key))
    }

    /// No more are enrolled by the default than its limit allows.
    fn within(&self, setting: &Setting) -> Result<(), Invalid> {
        if let (Serve::Rollout { rollout }, Some(units)) = (&setting.default, setting.enrolment.units)
            && matches!(rollout.state, RolloutState::Done { .. })
        {
            return Err(Invalid::new(
                format!("flag `{}` would reach everybody, and at most `{units}` units are allowed", self.key),
                "widen to less than everybody, or lift the limit with `flag.enrolment` first",
            ));
        }
        let Some(most) = setting.enrolment.share else { return Ok(()) };
        let enrolled = match &setting.default {
            Serve::Variant { .. } => return Ok(()),
            Serve::Split { split } => split.enrolled(),
            Serve::Rollout { rollout } => rollout.share(),
        };
        if enrolled <= most {
            return Ok(());
        }
        Err(Invalid::new(
            format!(
                "flag `{}` would reach `{enrolled}` of everybody, and at most `{most}` are allowed",
                self.key
            ),
            "widen less, or raise the limit with `flag.enrolment` first",
        ))
    }
}
