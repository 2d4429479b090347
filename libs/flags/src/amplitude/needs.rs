//! Flags: what a flag in Amplitude's format needs besides itself: flags that stand for parts of it, and cohorts.

use std::collections::{BTreeMap, BTreeSet};

use bellwether_model::{Clause, Json, ListId, Op, Revision, Unit};
use serde_json::json;

use super::clause;
use super::{BESIDE, INSIDE, Said, helper_json, result};
use crate::ids::Ids;
use crate::test::{NONE, Test};

/// What a flag turns out to need while it is written.
pub(super) struct Needs {
    /// The key of the flag.
    owner: String,
    revision: Revision,
    pub(super) helpers: BTreeMap<String, Json>,
    /// The flags that it asks by itself.
    pub(super) asked: BTreeSet<String>,
    pub(super) cohorts: BTreeSet<ListId>,
    /// How many clauses have become flags.
    clauses: usize,
}

impl Needs {
    pub(super) fn new(owner: &str, revision: Revision) -> Self {
        let (helpers, asked, cohorts) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { owner: owner.to_owned(), revision, helpers, asked, cohorts, clauses: 0 }
    }

    /// The flag, now that it is written.
    pub(super) fn said(self, mut flag: Json) -> Said {
        if !self.asked.is_empty() {
            flag["dependencies"] = json!(self.asked);
        }
        Said { flag, helpers: self.helpers, cohorts: self.cohorts }
    }

    /// Asks a helper what it has answered.
    pub(super) fn ask(&mut self, key: &str, helper: Json, op: &str, variant: &str) -> Json {
        self.helpers.insert(key.to_owned(), helper);
        self.asked.insert(key.to_owned());
        result(key, op, &[variant])
    }

    /// The conditions of a clause, which must all hold.
    pub(super) fn clause(&mut self, clause: &Clause, test: &Test) -> Result<Vec<Json>, String> {
        match clause::clause(clause, test)? {
            clause::Said::Conditions(conditions) => Ok(conditions),
            clause::Said::Segments(segments) => {
                self.clauses += 1;
                let key = format!("clause:{}:{}", self.owner, self.clauses);
                let helper = helper_json(&key, "clause", &[INSIDE, BESIDE], segments, self.revision);
                Ok(vec![self.ask(&key, helper, "is", INSIDE)])
            }
        }
    }

    /// Whether the unit is on a list: written out where it is short, else as a cohort.
    pub(super) fn listed(&mut self, list: &ListId, ids: &Ids, unit: Unit) -> Result<Vec<Json>, String> {
        match ids.texts() {
            Some(texts) if texts.iter().any(|id| id == NONE) => {
                Err(format!("the id `{NONE}` on a list means \"no id\" in Amplitude's format"))
            }
            Some(texts) => {
                let attribute = unit.attribute().to_owned();
                let clause = Clause { attribute, op: Op::Is, values: texts.to_vec() };
                let test = Test::new(clause.op, &clause.values).map_err(|e| e.message)?;
                self.clause(&clause, &test)
            }
            None if unit != Unit::User => Err(format!(
                "a list of {} ids is a cohort, and its SDKs load cohorts of users only, not by `{}`",
                ids.len(),
                unit.attribute()
            )),
            None if ids.says_truth() => {
                Err("a long list with the id `true` or `false`, which a cohort knows in one spelling only"
                    .to_owned())
            }
            None => {
                self.cohorts.insert(list.clone());
                let selector = ["context", "user", "cohort_ids"];
                Ok(vec![json!({"selector": selector, "op": "set contains any", "values": [list]})])
            }
        }
    }
}
