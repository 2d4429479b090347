//! Why an answer is not given.

use serde::{Deserialize, Serialize};

/// One of the two arms of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// What runs today.
    Control,
    /// What is tried.
    Treatment,
}

impl core::fmt::Display for Arm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Control => "control",
            Self::Treatment => "treatment",
        })
    }
}

/// The reason why a question has no honest answer, or why a number is not what it claims to be.
///
/// `Display` is the sentence, [`Refusal::hint`] what to do about it.
///
/// ```
/// use bellwether_stats::Proportion;
/// let refusal = Proportion::new(12, 10).unwrap_err();
/// assert_eq!(refusal.to_string(), "a rate counts `12` successes in `10` units");
/// assert_eq!(refusal.hint(), "count each unit once, and only units that were exposed");
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Refusal {
    /// An arm has fewer units than the method needs.
    #[error("too little data: {arm} has `{have}` of the `{need}` units that this test needs")]
    TooLittle {
        /// The arm that is short.
        arm: Arm,
        /// Units seen.
        have: u64,
        /// Units needed.
        need: u64,
    },
    /// Both arms together have too few of the rarer outcome for a normal approximation.
    #[error("too little data: `{have}` {outcome} in both arms, this test needs `{need}`")]
    TooFewOutcomes {
        /// `successes` or `failures`, whichever is rarer.
        outcome: Outcome,
        /// Seen in both arms.
        have: u64,
        /// Needed in both arms.
        need: u64,
    },
    /// The smallest expected count of a sample-ratio check is too small for χ².
    #[error("too little data: the smallest arm expects `{}` units, a χ² test needs `{need}`", short(.expected))]
    TooFewExpected {
        /// The smallest expected count.
        expected: f64,
        /// The count that is needed.
        need: f64,
    },
    /// Every unit of each arm has the same value.
    #[error("the arms have no variance: each unit of an arm has the same value")]
    NoVariance,
    /// The units of each arm differ by no more than the rounding of their sums: the spread is not theirs.
    #[error(
        "the arms have no variance beyond rounding: the units of an arm differ by less than a part in `1e13`"
    )]
    OnlyRounding,
    /// The control mean is zero, so that a relative lift does not exist.
    #[error("a relative lift needs a control mean other than `0`")]
    ZeroBaseline,
    /// The control mean cannot be told from zero: every relative lift is compatible with the data.
    #[error(
        "the relative lift has no bounds: the control mean `{}` (standard error `{}`) may be zero",
        short(.mean),
        short(.se)
    )]
    UnboundedLift {
        /// Mean of control.
        mean: f64,
        /// Its standard error.
        se: f64,
    },
    /// Sums so large that their difference or variance is not a number.
    #[error("the values are too large to compare: their {what} is not a finite number")]
    NotFinite {
        /// What overflowed.
        what: String,
    },
    /// A rate with more successes than units.
    #[error("a rate counts `{successes}` successes in `{n}` units")]
    MoreSuccessesThanUnits {
        /// Successes given.
        successes: u64,
        /// Units given.
        n: u64,
    },
    /// A count, a mean or a sum of squares that no set of numbers has.
    #[error(
        "no set of numbers has these moments: n `{n}`, mean `{}`, squared deviations `{}`",
        short(.mean),
        short(.m2)
    )]
    NotMoments {
        /// Number of values.
        n: u64,
        /// Their mean.
        mean: f64,
        /// Sum of squared deviations from the mean.
        m2: f64,
    },
    /// A parameter outside of its range.
    #[error("{what} must lie {range}: `{value}`")]
    OutOfRange {
        /// The parameter.
        what: String,
        /// Its range, in words.
        range: String,
        /// The value given.
        value: String,
    },
    /// A split without two arms that may receive units.
    #[error("a sample-ratio check needs two arms with a positive share: this split has `{have}`")]
    TooFewArms {
        /// Arms with a positive share.
        have: usize,
    },
    /// Counts and shares of different lengths.
    #[error("`{counts}` counts do not fit `{shares}` planned shares")]
    ArmsDiffer {
        /// Number of counts.
        counts: usize,
        /// Number of shares.
        shares: usize,
    },
    /// Units in an arm whose planned share is zero: no chance explains that.
    #[error("arm `{arm}` has `{units}` units, but its planned share is `0`")]
    UnplannedArm {
        /// Position of the arm, from 0.
        arm: usize,
        /// Units seen in it.
        units: u64,
    },
    /// Things that belong together are not as many.
    #[error("`{have}` {what} do not fit `{need}` {with}")]
    LengthsDiffer {
        /// What was given.
        what: String,
        /// How many.
        have: usize,
        /// What it has to fit.
        with: String,
        /// How many of those there are.
        need: usize,
    },
    /// A method that is not about two arms has less than it needs.
    #[error("too little data: `{have}` {what}, this method needs `{need}`")]
    TooFew {
        /// What there is too little of.
        what: String,
        /// How many there are.
        have: u64,
        /// How many are needed.
        need: u64,
    },
    /// A search for a number ended without it. What it had reached is not given away as an answer.
    #[error("the search for {what} did not converge")]
    NotConverged {
        /// The number that was looked for.
        what: String,
    },
    /// No value of what is looked for gives a plan its power.
    #[error(
        "no {what} is enough: even at `{}` the power is `{power:.3}`, and `{wanted}` is wanted",
        short(.most)
    )]
    OutOfReach {
        /// What was looked for.
        what: String,
        /// The most extreme value there is.
        most: f64,
        /// The power there.
        power: f64,
        /// The power of the plan.
        wanted: f64,
    },
    /// Both rates, or both means, of a plan are the same.
    #[error("a plan needs an effect to look for: both arms expect `{}`", short(.value))]
    NoEffect {
        /// The value of both arms.
        value: f64,
    },
}

/// An outcome of a unit in a proportion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The unit converted.
    Successes,
    /// It did not.
    Failures,
}

impl core::fmt::Display for Outcome {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Successes => "successes",
            Self::Failures => "failures",
        })
    }
}

/// Longer numbers are written with an exponent.
const LONG: usize = 24;

fn short(number: &f64) -> String {
    let plain = number.to_string();
    if plain.len() > LONG { format!("{number:e}") } else { plain }
}

impl Refusal {
    pub(crate) fn out_of_range(what: &str, range: &str, value: impl ToString) -> Self {
        let value = value.to_string();
        // Hundreds of zeros are no number that can be read.
        let value = match value.parse::<f64>() {
            Ok(number) if value.len() > LONG => short(&number),
            _ => value,
        };
        Self::OutOfRange { what: what.to_owned(), range: range.to_owned(), value }
    }

    pub(crate) fn too_few(what: &str, have: u64, need: u64) -> Self {
        Self::TooFew { what: what.to_owned(), have, need }
    }

    pub(crate) fn not_finite(what: &str) -> Self {
        Self::NotFinite { what: what.to_owned() }
    }

    pub(crate) fn not_converged(what: &str) -> Self {
        Self::NotConverged { what: what.to_owned() }
    }

    /// What to do about it, in the voice of an error's `hint:` line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLittle { .. } | Self::TooFewOutcomes { .. } | Self::TooFewExpected { .. } => {
                "wait for more exposures"
            }
            Self::TooFew { .. } => "give more of them, or wait for more data",
            Self::OutOfReach { .. } => "plan for more units, or for less power",
            Self::LengthsDiffer { .. } => "give one for each, in the same order",
            Self::NoVariance | Self::OnlyRounding => "check that the metric counts what was meant",
            Self::ZeroBaseline | Self::UnboundedLift { .. } => "read the absolute difference",
            Self::NotFinite { .. } => "rescale the metric, or cap its values",
            Self::MoreSuccessesThanUnits { .. } => "count each unit once, and only units that were exposed",
            Self::NotMoments { .. } => "the mean is finite and squared deviations are not negative",
            Self::OutOfRange { .. } => "give a value in that range",
            Self::TooFewArms { .. } => "give two arms a share above zero",
            Self::ArmsDiffer { .. } => "give one count for each share, in the same order",
            Self::UnplannedArm { .. } => {
                "a unit was assigned outside of the plan: look for an override or another split"
            }
            Self::NotConverged { .. } => "give less extreme parameters, and report this one",
            Self::NoEffect { .. } => "give the smallest effect that would matter",
        }
    }
}
