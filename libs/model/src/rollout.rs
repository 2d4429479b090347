//! Model: a rollout widens, is halted or is done. It may name a guard that watches it, and a ramp by which
//! it widens by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{Invalid, MetricKey, VariantKey};
use crate::share::Share;
use crate::split::Split;
use crate::time::{Millis, Span};

/// A candidate on its way from nobody to everybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rollout {
    /// The variant that is rolled out.
    pub candidate: VariantKey,
    /// The variant that it replaces, and that everybody gets when it is halted.
    pub control: VariantKey,
    /// Who gets which while it widens.
    pub split: Split,
    /// What watches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    /// The steps by which it widens by itself; without one it waits for somebody to widen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// Where it stands.
    pub state: RolloutState,
    /// When it began.
    pub started: Millis,
    /// Counts the times that the ratio of candidate to control changed: evidence from different
    /// epochs is not pooled.
    #[serde(default)]
    pub epoch: u32,
    /// When this epoch began.
    pub epoch_began: Millis,
}

/// Where a rollout stands; it is never in two states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RolloutState {
    /// The split decides.
    Widening,
    /// Everybody has the control.
    Halted {
        /// Since when.
        at: Millis,
        /// The sentence that says why.
        because: String,
    },
    /// Everybody has the candidate.
    Done {
        /// Since when.
        at: Millis,
    },
}

/// A way from few to many: shares that rise, each held for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ramp {
    /// The steps in order. Their shares rise; the last may be everybody, which finishes the rollout.
    pub steps: Vec<Step>,
    /// How many of them were taken; the first is taken when the rollout starts.
    pub taken: usize,
    /// When the next one comes.
    pub pace: Pace,
}

/// A step of a ramp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The candidate's share.
    pub share: Share,
    /// How long it is held before the next step; of the last one it means nothing.
    #[serde(default)]
    pub hold: Span,
}

/// When a ramp takes its next step. While its rollout is halted it takes none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "pace", rename_all = "snake_case")]
pub enum Pace {
    /// Not before this. A server that was away takes one step when it is back and holds it for its time.
    Due {
        /// The moment.
        at: Millis,
    },
    /// Not before somebody resumes it.
    Paused {
        /// What was left of the hold.
        left: Span,
    },
    /// There is none: every step was taken.
    Ended,
}

impl Ramp {
    /// The most steps.
    pub const MOST: usize = 100;

    /// A ramp whose first step is taken now.
    ///
    /// # Errors
    /// When there are no steps or more than [`Ramp::MOST`], shares do not rise, or a step before the last is
    /// not held at all.
    pub fn begin(steps: Vec<Step>, now: Millis) -> Result<Self, Invalid> {
        let mut ramp = Self { steps, taken: 0, pace: Pace::Ended };
        ramp.check()?;
        ramp.advance(now);
        Ok(ramp)
    }

    /// Checks the steps.
    ///
    /// # Errors
    /// As [`Ramp::begin`].
    pub fn check(&self) -> Result<(), Invalid> {
        if self.steps.is_empty() || self.steps.len() > Self::MOST {
            return Err(Invalid::new(
                format!("a ramp of `{}` steps", self.steps.len()),
                format!("give it 1 to {} steps, such as 5%, 25% and 100%", Self::MOST),
            ));
        }
        for (n, pair) in (1..).zip(self.steps.windows(2)) {
            let [step, next] = pair else { continue };
            if next.share <= step.share {
                return Err(Invalid::new(
                    format!("step {} is `{}`, which is not more than `{}`", n + 1, next.share, step.share),
                    "each step of a ramp widens; to narrow a rollout use `rollout.widen` with a smaller share",
                ));
            }
            if step.hold == Span(0) {
                return Err(Invalid::new(
                    format!("step {n} (`{}`) is held for no time", step.share),
                    "hold it for some minutes, such as 600000, or leave it out",
                ));
            }
        }
        if self.taken > self.steps.len() {
            return Err(Invalid::new(
                format!("`{}` of `{}` steps were taken", self.taken, self.steps.len()),
                "take as many steps as there are",
            ));
        }
        Ok(())
    }

    /// The step that it stands on.
    pub fn standing(&self) -> Option<Step> {
        self.steps.get(self.taken.checked_sub(1)?).copied()
    }

    /// The step that comes next.
    pub fn next(&self) -> Option<Step> {
        self.steps.get(self.taken).copied()
    }

    /// The next step, if its time has come.
    pub fn due(&self, now: Millis) -> Option<Step> {
        match self.pace {
            Pace::Due { at } if at <= now => self.next(),
            _ => None,
        }
    }

    /// Stands on the next step from now on.
    pub fn advance(&mut self, now: Millis) {
        self.taken = (self.taken + 1).min(self.steps.len());
        self.hold(now);
    }

    /// Holds the step that it stands on for its whole time from now on.
    pub fn hold(&mut self, now: Millis) {
        self.pace = match (self.standing(), self.next()) {
            (Some(step), Some(_)) => Pace::Due { at: now.plus(step.hold) },
            _ => Pace::Ended,
        };
    }

    /// Stops it where it stands. One that is paused or has ended stays as it is.
    pub fn pause(&mut self, now: Millis) {
        if let Pace::Due { at } = self.pace {
            self.pace = Pace::Paused { left: at.since(now) };
        }
    }

    /// Lets it go on with what was left of the hold.
    pub fn resume(&mut self, now: Millis) {
        if let Pace::Paused { left } = self.pace {
            self.pace = Pace::Due { at: now.plus(left) };
        }
    }
}

/// What must not get worse while a rollout widens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Guard {
    /// The guardrail metric.
    pub metric: MetricKey,
    /// The harm that is tolerated, in the metric's unit and as an absolute difference: 0.01 is one
    /// percentage point of a conversion. Never negative.
    pub margin: f64,
    /// How often a harmless rollout may be halted, over its whole life; 0.05 is one in twenty.
    #[serde(default = "five_percent")]
    pub alpha: f64,
    /// How long after its first exposure a unit is watched. Units count once this has passed, so that
    /// early and late units are measured alike.
    #[serde(default = "ten_minutes")]
    pub window: Span,
}

fn five_percent() -> f64 {
    0.05
}

fn ten_minutes() -> Span {
    Span::MINUTE.times(10)
}

impl Guard {
    /// Checks the numbers.
    ///
    /// # Errors
    /// When the margin is negative or not finite, or alpha is not between 0 and one half.
    pub fn check(&self) -> Result<(), Invalid> {
        if !(self.margin.is_finite() && self.margin >= 0.0) {
            return Err(Invalid::new(
                format!("a margin of `{}` is not a tolerated harm", self.margin),
                "use 0 or a positive difference in the metric's unit, such as 0.01",
            ));
        }
        if !(self.alpha > 0.0 && self.alpha < 0.5) {
            return Err(Invalid::new(
                format!("alpha `{}` is not an error rate", self.alpha),
                "use a value between 0 and 0.5, such as 0.05",
            ));
        }
        if self.window.0 == 0 {
            return Err(Invalid::new(
                "a window of `0` ms watches nobody",
                "use some minutes, such as 600000",
            ));
        }
        Ok(())
    }
}

impl Rollout {
    /// The split, while it decides.
    pub fn widening(&self) -> Option<&Split> {
        matches!(self.state, RolloutState::Widening).then_some(&self.split)
    }

    /// The one variant that everybody has, when the rollout is not widening.
    pub fn settled(&self) -> Option<&VariantKey> {
        match self.state {
            RolloutState::Widening => None,
            RolloutState::Halted { .. } => Some(&self.control),
            RolloutState::Done { .. } => Some(&self.candidate),
        }
    }

    /// The candidate's share of the population right now.
    pub fn share(&self) -> Share {
        match self.state {
            RolloutState::Widening => self.split.share(&self.candidate),
            RolloutState::Halted { .. } => Share::NONE,
            RolloutState::Done { .. } => Share::ALL,
        }
    }
}
