//! Model: segments, groups of users that rules refer to by name. One definition holds for all
//! environments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flag::Unit;
use crate::id::{Invalid, ListId, SegmentKey};
use crate::rule::{Clause, weighs};
use crate::time::Millis;

/// A group of users. Whoever is on the list `included` is in it; of the others, whoever is on
/// `excluded` is not; the rest are in it when the condition holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    /// Its key.
    pub key: SegmentKey,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Any of these groups must hold; a group holds when all its clauses do. Empty holds for nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Vec<Clause>>,
    /// Ids that are in it whatever the condition says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub included: Option<ListId>,
    /// Ids that are not in it whatever the condition says, unless they are on `included` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<ListId>,
    /// Whose ids the lists hold.
    #[serde(default)]
    pub unit: Unit,
    /// When it was created.
    pub created: Millis,
    /// Archived segments are not offered to new rules. Rules that name one still ask it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
}

impl Segment {
    /// Checks what the type alone cannot say: groups have clauses, and clauses can be asked.
    ///
    /// # Errors
    /// The first thing that is wrong, where it stands and what to do.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut weight = 0;
        for (i, group) in self.when.iter().enumerate() {
            if group.is_empty() {
                return Err(Invalid::new(
                    format!("group {} of segment `{}` is empty", i + 1, self.key),
                    "give it at least one clause, or leave the group out",
                ));
            }
            for clause in group {
                clause.check(&|| format!("segment `{}`, group {}", self.key, i + 1))?;
                weight += clause.weight();
            }
        }
        weighs(weight, &format!("the clauses of segment `{}`", self.key))
    }

    /// The lists that it cites.
    pub fn lists(&self) -> impl Iterator<Item = &ListId> {
        self.included.iter().chain(&self.excluded)
    }
}
