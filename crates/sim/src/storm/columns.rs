//! Sim: hot columns are lost between two lives of a process, as by hand or with a backup that had none. Whatever is
//! asked then has the same answer, and they are written again in time.

use bellwether_columns::{Ids, Known, PropertyName, Rows, Want};
use bellwether_store::Snapshot;
use bellwether_store::disk::Disk;

use super::Storm;
use crate::reading::rows;

impl Storm {
    /// Removes those of a part, now and then.
    pub(super) fn lose_columns(&mut self) {
        if !self.loses.once_in(3) {
            return;
        }
        let Ok(paths) = self.disk.list(&Self::dir().join("parts")) else { return };
        let mut hot: Vec<_> =
            paths.into_iter().filter(|path| path.extension().is_some_and(|e| e == "hot")).collect();
        hot.sort();
        if let Some(path) = hot.get(self.loses.place(hot.len()))
            && self.disk.remove(path).is_ok()
        {
            self.told.cold += 1;
        }
    }

    /// The rows that somebody wants, and then those of them who wants what columns alone can answer.
    pub(super) fn same_rows(
        &mut self,
        snapshot: &Snapshot,
        oracle: &Rows,
        want: &Want,
    ) -> Result<(), String> {
        let narrow = Want {
            properties: ["paid", "count", "user.plan"].map(PropertyName::parse).to_vec(),
            ids: if self.loses.once_in(2) { Ids::None } else { Ids::People(Known::Then) },
            ..want.clone()
        };
        for want in [want, &narrow] {
            if rows(snapshot, want)? != rows(oracle, want)? {
                return Err("Q1: a scan does not give the rows of a plain list".to_owned());
            }
        }
        Ok(())
    }
}
