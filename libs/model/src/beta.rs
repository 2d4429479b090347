//! Model: betas, named groups of flags that are shown to an audience of their own and switched as one.
//! One definition holds for all environments; each environment has its switch.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flag::Flag;
use crate::id::{BetaKey, EnvironmentKey, FlagKey, Invalid, VariantKey};
use crate::rule::{Condition, checked};
use crate::time::Millis;

/// A group of flags with an audience. Where it is on, whoever is in the audience gets the named variant
/// of each of its flags, before any rule of the flag is asked. A flag that is off stays off, and targets,
/// holdouts and layers come first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Beta {
    /// Its key.
    pub key: BetaKey,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What its audience gets of each flag. A flag is in one beta at most.
    pub flags: BTreeMap<FlagKey, VariantKey>,
    /// Who takes part: any of these groups must hold; a group holds when all its conditions do. Never empty.
    pub audience: Vec<Vec<Condition>>,
    /// Where it is on.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub on: BTreeSet<EnvironmentKey>,
    /// When it was created.
    #[serde(default)]
    pub created: Millis,
    /// An archived beta is shown to nobody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
}

impl Beta {
    /// The variant that its audience gets of a flag in an environment; `None` where the beta is off or
    /// archived, or does not hold the flag.
    pub fn serves(&self, flag: &Flag, environment: &EnvironmentKey) -> Option<&VariantKey> {
        let on = !self.archived && self.on.contains(environment);
        self.flags.get(&flag.key).filter(|_| on)
    }

    /// Checks what the type alone cannot say: there are flags and an audience, and its conditions can be
    /// asked.
    ///
    /// # Errors
    /// The first thing that is wrong, where it stands and what to do.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.flags.is_empty() {
            return Err(Invalid::new(
                format!("beta `{}` has no flags", self.key),
                "name the flags that it switches, each with the variant for the audience",
            ));
        }
        if self.audience.is_empty() || self.audience.iter().any(Vec::is_empty) {
            return Err(Invalid::new(
                format!("the audience of beta `{}` has an empty condition", self.key),
                "say who takes part, such as a segment of those who signed up",
            ));
        }
        checked(&self.audience, &|| format!("the audience of beta `{}`", self.key))
    }
}
