//! App: how many are enrolled, for people and programs to read, and by how many a limit can be passed.

use bellwether_model::Millis;
use schemars::JsonSchema;
use serde::Serialize;

use super::Count;
use crate::view::grouped;

/// How many are enrolled by a flag that counts or remembers them.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct EnrolledView {
    /// Units that hold a variant: of a split all but its rest, of a rollout those with the candidate.
    units: u32,
    /// How many there may be at most; absent where there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<u32>,
    /// Whether nobody else comes in.
    closed: bool,
    /// How many there are beyond the limit: who was in before it was set, whom SDKs enrolled that had not heard of
    /// it, and who came in by a crash.
    over: u32,
    /// By how many a crash at this moment could go beyond the limit, at most: of so many nothing is written yet.
    /// While the server runs nobody comes in beyond it.
    unwritten: u32,
    /// Until then SDKs that evaluated by themselves are believed whom they enrolled before they heard of the limit.
    settles: Millis,
    /// The same in words.
    sentence: String,
}

impl EnrolledView {
    pub(crate) fn new(count: Count, most: Option<u32>) -> Self {
        let Count { units, full, unwritten, settles } = count;
        let closed = most.is_some_and(|most| units >= most || full);
        let over = most.map_or(0, |most| units.saturating_sub(most));
        let are = are(units);
        let mut sentence = match most {
            Some(most) => format!("{} of {} {are} enrolled", grouped(units), grouped(most)),
            None => format!("{} {are} enrolled", grouped(units)),
        };
        if closed {
            sentence.push_str(", and enrolment is closed");
        }
        if over > 0 {
            let more = grouped(over);
            sentence.push_str(&format!(
                "; {more} more than the limit, to which SDKs with older rules can add until {settles}"
            ));
        }
        if most.is_some() && unwritten > 0 {
            sentence.push_str(&format!("; a crash now could let in {} more at most", grouped(unwritten)));
        }
        if full {
            sentence.push_str(match most {
                Some(_) => "; no more can be remembered",
                None => "; no more can be remembered, so that newcomers are placed by their id alone",
            });
        }
        Self { units, most, closed, over, unwritten, settles, sentence }
    }

    /// Whether nobody else comes in.
    pub(crate) fn closed(&self) -> bool {
        self.closed
    }

    /// How many hold a variant.
    pub(crate) fn count(&self) -> String {
        grouped(self.units)
    }

    /// What becomes of those who are in, in words.
    pub(crate) fn keep(&self) -> String {
        match self.units {
            1 => "the 1 who is enrolled keeps the variant".to_owned(),
            _ => format!("the {} who are enrolled keep their variants", self.count()),
        }
    }
}

/// The verb of so many.
pub(crate) fn are(units: u32) -> &'static str {
    if units == 1 { "is" } else { "are" }
}
