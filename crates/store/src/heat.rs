//! Store: hot columns that are missing or damaged are written again, from the pages of their part, a piece with each
//! step. Until then the pages answer, so that nothing depends on when it is done.

use std::sync::Arc;

use arrow_array::RecordBatchReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::error::StoreError;
use crate::files;
use crate::part::hot::{self, Encoder, Writer};
use crate::part::{Part, Why};
use crate::seal::unreadable;
use crate::store::{Store, lock};

/// Rows that are read at once.
const BATCH: usize = if cfg!(test) { 5 } else { 8_192 };

/// Columns that are being written. Dropped, they leave nothing behind.
pub(crate) struct Heating {
    part: Arc<Part>,
    rows: ParquetRecordBatchReader,
    writer: Writer,
}

impl std::fmt::Debug for Heating {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heating").field("part", &self.part.path()).finish_non_exhaustive()
    }
}

impl Heating {
    fn begin(part: Arc<Part>) -> Result<Self, StoreError> {
        let columns = Encoder::columns(part.schema());
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let rows = part.batches(Some(&columns), BATCH).map_err(|why| unread(&part, &why))?;
        let unfinished = hot::path(part.path()).with_added_extension(files::UNFINISHED);
        let writer = Writer::begin(part.disk(), unfinished, &rows.schema())?;
        Ok(Self { part, rows, writer })
    }

    /// Goes on for about so many rows; itself, where some are left.
    fn advance(mut self, rows: usize) -> Result<Option<Self>, StoreError> {
        let mut written = 0;
        while written < rows {
            let Some(batch) = self.rows.next() else {
                self.writer.finish(self.part.path())?;
                files::sync_parent(&**self.part.disk(), self.part.path())?;
                self.part.warm();
                return Ok(None);
            };
            let batch = batch.map_err(|cause| unread(&self.part, &cause.into()))?;
            self.writer.push(&batch)?;
            written += batch.num_rows();
        }
        Ok(Some(self))
    }
}

/// The pages of a part do not read: its hot columns are not tried again before the next start.
fn unread(part: &Part, why: &Why) -> StoreError {
    part.give_up();
    unreadable(part.unreadable(why))
}

impl Store {
    /// Goes on with the hot columns that are to be written, if there are some.
    pub(crate) fn heat(&self) -> Result<(), StoreError> {
        let mut under_way = lock(&self.heating);
        let parts = Arc::clone(&lock(&self.shown).parts);
        // Of a part that is there no more nothing is written, and it goes.
        let stays = |heating: &Heating| parts.iter().any(|part| Arc::ptr_eq(part, &heating.part));
        let heating = match under_way.take().filter(stays) {
            Some(heating) => heating,
            None => {
                let Some(part) = parts.iter().find(|part| part.is_cold()) else { return Ok(()) };
                // They are smaller than the part.
                if !self.has_room_for(part.entry().bytes) {
                    return Ok(());
                }
                Heating::begin(Arc::clone(part))?
            }
        };
        *under_way = heating.advance(self.settings.step_rows)?;
        Ok(())
    }
}
