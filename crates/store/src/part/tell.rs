//! Store: what the events of a part tell of people and groups, without the rest of them.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{Array, ArrayRef, RecordBatch, new_null_array};
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

    /// What its events tell of people and groups that are `wanted`, by their place and by whether they change a group; in
    /// their order. The columns that tell it are held meanwhile, and of the events one at a time.
    pub(crate) fn tellings(
        &self,
        wanted: &dyn Fn(Seq, bool) -> bool,
        each: &mut dyn FnMut(Seq, &Telling),
    ) -> Result<(), ScanError> {
        let mut read = || -> Result<(), Why> {
            let columns = ["environment", "user", "device", "seq", "groups", "user_changes", "group_changes"];
            let (mut batches, mut found) = (Vec::new(), Vec::new());
            for batch in self.batches(Some(&columns), ROW_GROUP)? {
                let batch = batch?;
                let seq = numbers(&batch, "seq")?;
                let text = |name| Texts::of(column(&batch, name)?).map_err(Why::from);
                let (users, devices) = (text("user")?, text("device")?);
                let has = |name, row| batch.column_by_name(name).is_some_and(|column| column.is_valid(row));
                let at = batches.len();
                let rows = (0..batch.num_rows()).filter(|&row| {
                    let both = users.get(row).is_some() && devices.get(row).is_some();
                    let group = has("group_changes", row);
                    (both || group || has("user_changes", row)) && wanted(Seq(seq.value(row)), group)
                });
                found.extend(rows.map(|row| (Seq(seq.value(row)), at, row)));
                batches.push(batch);
            }
            found.sort_unstable();
            let columns: Vec<Columns<'_>> = batches.iter().map(Columns::of).collect::<Result<_, _>>()?;
            for (seq, at, row) in found {
                let Some(columns) = columns.get(at) else { continue };
                each(seq, &columns.telling(row)?);
            }
            Ok(())
        };
        read().map_err(|why| self.unreadable(&why))
    }
}

/// What tells of people in a batch.
struct Columns<'b> {
    batch: &'b RecordBatch,
    /// Each text of a dictionary is parsed once, not in each row.
    keys: Vec<Option<EnvironmentKey>>,
    environments: Texts<'b>,
    users: Texts<'b>,
    devices: Texts<'b>,
}

impl<'b> Columns<'b> {
    fn of(batch: &'b RecordBatch) -> Result<Self, Why> {
        let text = |name| Texts::of(column(batch, name)?).map_err(Why::from);
        let environments = text("environment")?;
        let keys = environments.values().iter().map(|key| key?.parse().ok()).collect();
        Ok(Self { batch, keys, environments, users: text("user")?, devices: text("device")? })
    }

    fn telling(&self, row: usize) -> Result<Telling, Why> {
        let group_changes = told(self.batch, "group_changes", row)?;
        let groups = match group_changes.is_empty() {
            true => Properties::new(),
            false => parse(column(self.batch, "groups")?, row)?,
        };
        let who = Who::new(self.users.get(row).map(str::to_owned), self.devices.get(row).map(str::to_owned))
            .ok_or("an event has neither user nor device")?;
        let key = self.environments.code(row).and_then(|code| self.keys.get(code)).cloned().flatten();
        let environment = key.ok_or("an environment is no key")?;
        let user_changes = told(self.batch, "user_changes", row)?;
        Ok(Telling { environment, who, groups, user_changes, group_changes })
    }
}

/// What a row has in a column that only parts have that need it.
pub(super) fn told(batch: &RecordBatch, name: &str, row: usize) -> Result<Properties, Why> {
    batch.column_by_name(name).map_or_else(|| Ok(Properties::new()), |array| parse(array, row))
}
