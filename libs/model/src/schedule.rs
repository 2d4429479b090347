//! Model: scheduled changes, edits of a flag or a beta that are made by themselves when their time has
//! come. They act on what is there then, and are refused like anybody's edit where that does not allow it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::change::Actor;
use crate::id::{BetaKey, EnvironmentKey, FlagKey, Revision, ScheduleKey, VariantKey};
use crate::share::Share;
use crate::time::{Millis, Span};

/// A change that is to be made at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Schedule {
    /// Its key.
    pub key: ScheduleKey,
    /// Where.
    pub environment: EnvironmentKey,
    /// What is to be done.
    pub planned: Planned,
    /// Not before this; a server that was away then does it when it is back.
    pub at: Millis,
    /// Who planned it.
    pub by: Actor,
    /// The reason that the change will have.
    pub why: String,
    /// What became of it.
    pub state: ScheduleState,
}

/// What can be planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "plan", rename_all = "snake_case")]
pub enum Planned {
    /// Turns a flag on or off.
    Toggle {
        /// Which.
        flag: FlagKey,
        /// The new state.
        on: bool,
    },
    /// Gives the variants of the default's split new shares.
    Reshare {
        /// Which.
        flag: FlagKey,
        /// They add up to 10000.
        shares: Vec<Portion>,
    },
    /// Gives the candidate of a rollout a new share.
    Widen {
        /// Which.
        flag: FlagKey,
        /// The candidate's share.
        share: Share,
    },
    /// Halts a rollout: everybody gets the control.
    Halt {
        /// Which.
        flag: FlagKey,
    },
    /// Finishes a rollout: everybody gets the candidate.
    Finish {
        /// Which.
        flag: FlagKey,
    },
    /// Turns a beta on or off.
    Switch {
        /// Which.
        beta: BetaKey,
        /// The new state.
        on: bool,
    },
}

/// A variant and its share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Portion {
    /// The variant.
    pub variant: VariantKey,
    /// Its share.
    pub share: Share,
}

/// What became of a scheduled change; it is never in two states, and leaves none but the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ScheduleState {
    /// Its time has not come.
    Waiting,
    /// It was made.
    Done {
        /// When.
        at: Millis,
        /// The change that it became.
        revision: Revision,
    },
    /// Its time came, and what was there did not allow it. Nothing was changed.
    Refused {
        /// When.
        at: Millis,
        /// The sentence that says why.
        because: String,
    },
    /// Somebody took it back.
    Cancelled {
        /// When.
        at: Millis,
    },
}

impl Schedule {
    /// How far ahead a change can be planned: two years.
    pub const FURTHEST: Span = Span::DAY.times(2 * 365);

    /// Whether it is still to be made.
    pub fn waiting(&self) -> bool {
        self.state == ScheduleState::Waiting
    }
}

impl Planned {
    /// The flag that it changes, if it changes one.
    pub fn flag(&self) -> Option<&FlagKey> {
        match self {
            Self::Toggle { flag, .. }
            | Self::Reshare { flag, .. }
            | Self::Widen { flag, .. }
            | Self::Halt { flag }
            | Self::Finish { flag } => Some(flag),
            Self::Switch { .. } => None,
        }
    }

    /// The beta that it switches, if it switches one.
    pub fn beta(&self) -> Option<&BetaKey> {
        match self {
            Self::Switch { beta, .. } => Some(beta),
            _ => None,
        }
    }
}
