//! Store: what the events of a part tell of people and groups, without the rest of them.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{DataType, Field};
use bellwether_columns::ScanError;
use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Properties, Seq};

use super::ROW_GROUP;
use super::decode::{Why, column, numbers, object as parse};
use super::read::Part;
use super::shape::{Shape, Texts};
use crate::packed::{Flat, Object};
use crate::people::Telling;

/// A column that parts have only where an event has something in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) name: &'static str,
    of: for<'b> fn(&Flat<'b>) -> Object<'b>,
}

/// What events tell of people and groups, and what was known of their groups.
const TOLD: [Told; 3] = [
    Told { name: "group_properties", of: |event| event.group_properties },
    Told { name: "user_changes", of: |event| event.user_changes },
    Told { name: "group_changes", of: |event| event.group_changes },
];

/// Which of them a part has, by its rows: few events change anything.
#[derive(Debug, Default)]
pub(super) struct Tells([bool; TOLD.len()]);

impl Tells {
    pub(super) fn see(&mut self, row: &Flat<'_>) {
        for (told, there) in TOLD.iter().zip(&mut self.0) {
            *there |= !(told.of)(row).is_empty();
        }
    }

    pub(super) fn columns(self) -> Vec<Told> {
        TOLD.into_iter().zip(self.0).filter_map(|(told, there)| there.then_some(told)).collect()
    }
}

impl Told {
    /// Those that a part of all rows of these parts has.
    pub(super) fn in_parts(parts: &[Arc<Part>]) -> Vec<Self> {
        let has = |name| parts.iter().any(|part| part.schema().column_with_name(name).is_some());
        TOLD.into_iter().filter(|told| has(told.name)).collect()
    }

    pub(super) fn field(self) -> Field {
        Shape::rest(self.name)
    }

    /// The column of these rows.
    pub(super) fn array(self, rows: &[Flat<'_>]) -> ArrayRef {
        let mut column = StringBuilder::new();
        rows.iter().for_each(|row| column.append_option((self.of)(row).json()));
        Arc::new(column.finish())
    }

    /// The column of a batch of another part, which may have none.
    pub(super) fn taken(self, batch: &RecordBatch) -> ArrayRef {
        let there = batch.column_by_name(self.name);
        there.map_or_else(|| new_null_array(&DataType::Utf8, batch.num_rows()), Arc::clone)
    }
}

impl Part {
    /// Whether one of its events may change a group.
    pub(crate) fn tells_of_groups(&self) -> bool {
        self.schema().column_with_name("group_changes").is_some()
    }

    /// What its events tell of people and groups that are `wanted`, by their place and by whether they change a group; in no
    /// promised order.
    pub(crate) fn tellings(
        &self,
        wanted: &dyn Fn(Seq, bool) -> bool,
    ) -> Result<Vec<(Seq, Telling)>, ScanError> {
        let read = || -> Result<Vec<(Seq, Telling)>, Why> {
            let mut found = Vec::new();
            let columns = ["environment", "user", "device", "seq", "groups", "user_changes", "group_changes"];
            for batch in self.batches(Some(&columns), ROW_GROUP)? {
                let batch = batch?;
                let seq = numbers(&batch, "seq")?;
                let text = |name| Texts::of(column(&batch, name)?).map_err(Why::from);
                let (environments, users, devices) = (text("environment")?, text("user")?, text("device")?);
                // Each text of a dictionary is parsed once, not in each row.
                let keys: Vec<Option<EnvironmentKey>> =
                    environments.values().iter().map(|key| key?.parse().ok()).collect();
                let key = |row| environments.code(row).and_then(|code| keys.get(code)).cloned().flatten();
                for row in 0..batch.num_rows() {
                    let group_changes = told(&batch, "group_changes", row)?;
                    if !wanted(Seq(seq.value(row)), !group_changes.is_empty()) {
                        continue;
                    }
                    let user_changes = told(&batch, "user_changes", row)?;
                    let (user, device) = (users.get(row), devices.get(row));
                    let both = user.is_some() && device.is_some();
                    if !both && user_changes.is_empty() && group_changes.is_empty() {
                        continue;
                    }
                    let groups = match group_changes.is_empty() {
                        true => Properties::new(),
                        false => parse(column(&batch, "groups")?, row)?,
                    };
                    let who = Who::new(user.map(str::to_owned), device.map(str::to_owned))
                        .ok_or("an event has neither user nor device")?;
                    let environment = key(row).ok_or("an environment is no key")?;
                    let telling = Telling { environment, who, groups, user_changes, group_changes };
                    found.push((Seq(seq.value(row)), telling));
                }
            }
            Ok(found)
        };
        read().map_err(|why| self.unreadable(&why))
    }
}

/// What a row has in a column that only parts have that need it.
pub(super) fn told(batch: &RecordBatch, name: &str, row: usize) -> Result<Properties, Why> {
    batch.column_by_name(name).map_or_else(|| Ok(Properties::new()), |array| parse(array, row))
}
