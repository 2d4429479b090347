//! Sim: a backup in the midst of a storm.

use std::path::Path;
use std::sync::Arc;

use bellwether_store::disk::Disk;
use bellwether_store::{Store, StoreError};

use super::{Storm, between};
use crate::reading::{everything, keys};

impl Storm {
    /// A backup is a store with everything that was committed when it began.
    pub(super) fn backup(&mut self, store: &Arc<Store>) -> Result<(), String> {
        let to = format!("/data/backup-{}", self.acts.next());
        let to = Path::new(&to);
        let before = keys(everything(&store.snapshot())?);
        let made = store.backup(to, || {});
        if self.disk.is_off() || made.is_err() {
            return Ok(());
        }
        self.disk.set_between(None);
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let opened = Store::open_on(disk, to, self.settings.clone());
        let shared = Arc::clone(&self.shared);
        if self.disk.is_off() {
            return Ok(());
        }
        match opened {
            Ok((backup, _)) => {
                self.told.backups += 1;
                if keys(everything(&backup.snapshot())?) != before {
                    return Err("P1: a backup does not hold what was committed".to_owned());
                }
            }
            Err(StoreError::Storage { .. }) => {}
            Err(error) => return Err(format!("P1: a backup does not open: {error}")),
        }
        self.disk.set_between(Some(Box::new(move || between(&shared))));
        Ok(())
    }
}
