//! Store: what the events of a part tell of people and groups, without the rest of them.

use arrow_array::RecordBatch;
use bellwether_columns::ScanError;
use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Properties, Seq};

use super::read::{Part, Why, column, numbers, object};
use super::shape::Texts;
use crate::people::Telling;

impl Part {
    /// What its events tell of people and groups, in no promised order.
    pub(crate) fn tellings(&self) -> Result<Vec<(Seq, Telling)>, ScanError> {
        let read = || -> Result<Vec<(Seq, Telling)>, Why> {
            let mut found = Vec::new();
            let columns = ["environment", "user", "device", "seq", "groups", "user_changes", "group_changes"];
            for batch in self.reader(Some(&columns), None, None)? {
                let batch = batch?;
                let seq = numbers(&batch, "seq")?;
                let text = |name| Texts::of(column(&batch, name)?).map_err(Why::from);
                let (environments, users, devices) = (text("environment")?, text("user")?, text("device")?);
                // Each text of a dictionary is parsed once, not in each row.
                let keys: Vec<Option<EnvironmentKey>> =
                    environments.values().iter().map(|key| key?.parse().ok()).collect();
                let key = |row| environments.code(row).and_then(|code| keys.get(code)).cloned().flatten();
                for row in 0..batch.num_rows() {
                    let user_changes = told(&batch, "user_changes", row)?;
                    let group_changes = told(&batch, "group_changes", row)?;
                    let (user, device) = (users.get(row), devices.get(row));
                    let both = user.is_some() && device.is_some();
                    if !both && user_changes.is_empty() && group_changes.is_empty() {
                        continue;
                    }
                    let groups = match group_changes.is_empty() {
                        true => Properties::new(),
                        false => object(column(&batch, "groups")?, row)?,
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
    batch.column_by_name(name).map_or_else(|| Ok(Properties::new()), |array| object(array, row))
}
