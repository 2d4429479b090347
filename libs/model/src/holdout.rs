//! Model: holdouts, a share of the population that is kept from what is new, so that the sum of all
//! changes can be measured. One definition holds for all environments.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flag::{Flag, Unit};
use crate::id::{FlagKey, HoldoutKey, Invalid, Team};
use crate::share::Share;
use crate::split::check_salt;
use crate::time::Millis;

/// A share of the population that gets the `off` variant of every flag that it covers. A unit is held
/// when its position under the salt lies below the share, so a larger share holds those who were held
/// and more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Holdout {
    /// Its key.
    pub key: HoldoutKey,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// What it divides by. Whoever has no id of it is not held.
    #[serde(default)]
    pub unit: Unit,
    /// ASCII text that decorrelates it from splits, layers and other holdouts; a new one draws anew.
    pub salt: String,
    /// The share that is held.
    pub share: Share,
    /// The flags that it holds people from.
    pub covers: Covers,
    /// When it was created.
    #[serde(default)]
    pub created: Millis,
    /// An archived holdout holds nobody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
}

/// Which flags a holdout covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "covers", rename_all = "snake_case")]
pub enum Covers {
    /// All flags, those to come included.
    Everything,
    /// The flags of one team.
    Team {
        /// The team.
        team: Team,
    },
    /// These flags.
    Flags {
        /// Their keys.
        flags: BTreeSet<FlagKey>,
    },
}

impl Holdout {
    /// Whether it keeps people from this flag.
    pub fn covers(&self, flag: &Flag) -> bool {
        !self.archived
            && match &self.covers {
                Covers::Everything => true,
                Covers::Team { team } => flag.team.as_ref() == Some(team),
                Covers::Flags { flags } => flags.contains(&flag.key),
            }
    }

    /// Checks the salt.
    ///
    /// # Errors
    /// When it is empty, not visible ASCII, or longer than 200 characters.
    pub fn check(&self) -> Result<(), Invalid> {
        check_salt(&self.salt)
            .map_err(|e| Invalid::new(format!("in holdout `{}`: {}", self.key, e.message), e.hint))
    }
}
