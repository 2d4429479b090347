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
    /// When it was resumed after a halt or a pause, if nobody has steered it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Millis>,
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
    /// The longest that a step is held: a quarter of a year, and who waits longer for a step plans it.
    pub const LONGEST: Span = Span::DAY.times(90);

    /// A ramp whose first step is taken now.
    ///
    /// # Errors
    /// When there are no steps or more than [`Ramp::MOST`], shares do not rise, a step before the last is not
    /// held at all, or one is held for longer than [`Ramp::LONGEST`].
    pub fn begin(steps: Vec<Step>, now: Millis) -> Result<Self, Invalid> {
        rise(&steps)?;
        Self::check_holds(&steps)?;
        let mut ramp = Self { steps, taken: 1, pace: Pace::Ended };
        ramp.hold(now);
        Ok(ramp)
    }

    /// Checks that no step is held for too long. It is asked of steps that are new: a ramp that was begun with
    /// longer ones, before there was a limit, goes on and can be halted.
    ///
    /// # Errors
    /// When a step is held for longer than [`Ramp::LONGEST`].
    pub fn check_holds(steps: &[Step]) -> Result<(), Invalid> {
        match (1..).zip(steps).find(|(_, step)| step.hold > Self::LONGEST) {
            None => Ok(()),
            Some((n, step)) => Err(Invalid::new(
                format!("step {n} (`{}`) is held for `{}`", step.share, step.hold),
                format!("hold it for {} at most; what comes later can be scheduled", Self::LONGEST),
            )),
        }
    }

    /// Checks what the type alone cannot say.
    ///
    /// # Errors
    /// When there are no steps or more than [`Ramp::MOST`], shares do not rise, or a step before the last is
    /// not held at all; and when it stands on no step, waits for one that there is not, or has ended
    /// before the last.
    pub fn check(&self) -> Result<(), Invalid> {
        rise(&self.steps)?;
        if self.standing().is_none() {
            return Err(Invalid::new(
                format!("`{}` of `{}` steps were taken", self.taken, self.steps.len()),
                "take the first at least, and as many as there are",
            ));
        }
        match (self.next(), self.pace) {
            (Some(_), Pace::Ended) | (None, Pace::Due { .. } | Pace::Paused { .. }) => Err(Invalid::new(
                format!("a ramp that took `{}` of `{}` steps has another pace", self.taken, self.steps.len()),
                "it has `ended` when the last step was taken, and is `due` or `paused` before",
            )),
            _ => Ok(()),
        }
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

    /// Holds the step that it stands on for its whole time from now on, also if it was paused.
    pub fn hold(&mut self, now: Millis) {
        self.pace = match (self.standing(), self.next()) {
            (Some(step), Some(_)) => Pace::Due { at: now.plus(step.hold) },
            _ => Pace::Ended,
        };
    }

    /// Holds the step anew, because nobody saw it for a while or saw something else. One that is paused stays
    /// paused.
    pub fn hold_anew(&mut self, now: Millis) {
        if let Pace::Due { .. } = self.pace {
            self.hold(now);
        }
    }

    /// Stands on the step of this share from now on; `false` if there is none.
    #[must_use]
    pub fn stand_on(&mut self, share: Share, now: Millis) -> bool {
        let Some(place) = self.steps.iter().position(|step| step.share == share) else { return false };
        self.taken = place + 1;
        self.hold(now);
        true
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

/// Whether the shares of steps rise, and each is held but the last.
fn rise(steps: &[Step]) -> Result<(), Invalid> {
    if steps.is_empty() || steps.len() > Ramp::MOST {
        return Err(Invalid::new(
            format!("a ramp of `{}` steps", steps.len()),
            format!("give it 1 to {} steps, such as 5%, 25% and 100%", Ramp::MOST),
        ));
    }
    for (n, pair) in (1..).zip(steps.windows(2)) {
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
                "hold it for some minutes, such as `10m`, or leave it out",
            ));
        }
    }
    Ok(())
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
    /// A guard with the usual error rate and window.
    pub fn of(metric: MetricKey, margin: f64) -> Self {
        Self { metric, margin, alpha: five_percent(), window: ten_minutes() }
    }

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

    /// The step of its ramp whose time has come; none unless it widens.
    pub fn due(&self, now: Millis) -> Option<Step> {
        self.widening()?;
        self.ramp.as_ref()?.due(now)
    }

    /// Checks that its ramp holds together, and that it stands on the step that the ramp stands on.
    ///
    /// # Errors
    /// As [`Ramp::check`]; and when it widens and its share is not the step's.
    pub fn check_ramp(&self) -> Result<(), Invalid> {
        let Some(ramp) = &self.ramp else { return Ok(()) };
        ramp.check()?;
        match ramp.standing() {
            Some(step) if self.widening().is_some() && step.share != self.share() => Err(Invalid::new(
                format!("the rollout is at `{}`, and its ramp at `{}`", self.share(), step.share),
                "give both the same share, or take the ramp away",
            )),
            _ => Ok(()),
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn steps(of: &[(u16, u64)]) -> Vec<Step> {
        of.iter()
            .map(|(share, minutes)| Step {
                share: Share::basis_points(*share).unwrap(),
                hold: Span::MINUTE.times(*minutes),
            })
            .collect()
    }

    #[test]
    fn steps_rise_and_are_held() {
        let check = |of: &[(u16, u64)]| {
            let e = Ramp::begin(steps(of), Millis(0)).unwrap_err();
            format!("{}\nhint: {}\n", e.message, e.hint)
        };
        let many: Vec<(u16, u64)> = (1..=101).map(|n| (n, 1)).collect();
        let quarter = 90 * 24 * 60;
        let said = [
            check(&[]),
            check(&many),
            check(&[(500, 1), (500, 1)]),
            check(&[(500, 0), (600, 1)]),
            check(&[(500, quarter), (600, quarter + 1), (700, 0)]),
        ];
        insta::assert_snapshot!(said.join(""), @r"
        a ramp of `0` steps
        hint: give it 1 to 100 steps, such as 5%, 25% and 100%
        a ramp of `101` steps
        hint: give it 1 to 100 steps, such as 5%, 25% and 100%
        step 2 is `5%`, which is not more than `5%`
        hint: each step of a ramp widens; to narrow a rollout use `rollout.widen` with a smaller share
        step 1 (`5%`) is held for no time
        hint: hold it for some minutes, such as `10m`, or leave it out
        step 2 (`6%`) is held for `90 days 1 minute`
        hint: hold it for 90 days at most; what comes later can be scheduled
        ");
        assert!(Ramp::begin(steps(&[(500, quarter), (10_000, 0)]), Millis(0)).is_ok());
        // What was begun before there was a limit is sound.
        let (long, pace) = (steps(&[(500, 1_000 * quarter), (10_000, 0)]), Pace::Due { at: Millis(9) });
        assert!(Ramp { steps: long, taken: 1, pace }.check().is_ok());
    }

    #[test]
    fn a_ramp_that_does_not_stand_on_a_step_is_none() {
        let ramp = Ramp::begin(steps(&[(500, 1), (2_500, 2), (10_000, 0)]), Millis(0)).unwrap();
        ramp.check().unwrap();
        let due = Pace::Due { at: Millis(9) };
        for (taken, pace) in [(0, due), (4, Pace::Ended), (3, due), (2, Pace::Ended)] {
            assert!(Ramp { taken, pace, ..ramp.clone() }.check().is_err(), "{taken} {pace:?}");
        }
        for (taken, pace) in [(1, due), (2, Pace::Paused { left: Span(0) }), (3, Pace::Ended)] {
            assert!(Ramp { taken, pace, ..ramp.clone() }.check().is_ok(), "{taken} {pace:?}");
        }
    }

    #[test]
    fn a_pause_keeps_what_was_left_and_a_step_can_be_held_anew() {
        let minute = |n: i64| Millis(n * 60_000);
        let mut ramp = Ramp::begin(steps(&[(500, 10), (2_500, 20), (10_000, 0)]), minute(0)).unwrap();
        assert_eq!((ramp.due(minute(9)), ramp.due(minute(10))), (None, ramp.next()));
        ramp.pause(minute(4));
        assert_eq!(ramp.due(minute(1_000)), None);
        ramp.hold_anew(minute(50));
        assert_eq!(ramp.pace, Pace::Paused { left: Span::MINUTE.times(6) }, "it stays paused");
        ramp.resume(minute(100));
        assert_eq!(ramp.pace, Pace::Due { at: minute(106) });
        ramp.hold_anew(minute(103));
        assert_eq!(ramp.pace, Pace::Due { at: minute(113) });
        ramp.advance(minute(500));
        assert_eq!(ramp.pace, Pace::Due { at: minute(520) }, "its whole time, however late it was taken");
        ramp.advance(minute(600));
        assert_eq!((ramp.pace, ramp.next()), (Pace::Ended, None));
        assert!(ramp.stand_on(Share::basis_points(2_500).unwrap(), minute(700)));
        assert_eq!((ramp.taken, ramp.pace), (2, Pace::Due { at: minute(720) }));
        assert!(!ramp.stand_on(Share::basis_points(2_600).unwrap(), minute(700)));
    }
}
