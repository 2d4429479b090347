//! Model: enrolment, who may come into the default's split of a flag, and for how long they keep what
//! they got. It limits exposure: at most 5% of everybody, at most 10,000 users.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::Invalid;
use crate::share::Share;

/// The limits of a default that divides. The default one limits nothing.
///
/// `units` and `sticky` need a memory of who was enrolled. Only a server has one, so that formats for SDKs
/// that evaluate by themselves leave such a flag out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The share of everybody that may be enrolled at most. A split or a rollout beyond it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// How many units may be enrolled at most: of a split all but its rest, of a rollout those who got the
    /// candidate. Once there are as many, enrolment is closed: whoever is enrolled stays with their variant,
    /// everybody else gets the split's rest or the control, and `off` where there is neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<NonZeroU32>,
    /// Whether a unit that was enrolled keeps its variant over changes of shares, and an anonymous visitor
    /// keeps theirs when they sign in: of a flag that divides by the user, who is not known yet is placed by
    /// their device.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sticky: bool,
}

impl Enrolment {
    /// The most units that a flag remembers in an environment, and so the highest limit.
    pub const MOST: u32 = 1_000_000;

    /// Checks what the type alone cannot say.
    ///
    /// # Errors
    /// When more units are allowed than can be remembered.
    pub fn check(&self) -> Result<(), Invalid> {
        match self.units {
            Some(units) if units.get() > Self::MOST => Err(Invalid::new(
                format!("a limit of `{units}` units is more than can be remembered"),
                format!("allow at most {}, or limit by `share`, which needs no memory", Self::MOST),
            )),
            _ => Ok(()),
        }
    }

    /// Whether it limits nothing.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it needs a memory of who was enrolled.
    pub fn remembers(&self) -> bool {
        self.sticky || self.units.is_some()
    }
}
