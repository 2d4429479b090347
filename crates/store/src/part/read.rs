//! Store: a part that can be read, and whole events of it. What a question wants of it: see `scan`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arrow_schema::Schema;
use bellwether_columns::ScanError;
use bellwether_model::{EnvironmentKey, Millis, Seq};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection, RowSelector,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use rustc_hash::{FxHashMap, FxHashSet};

use super::decode::{Names, Why, column, decode, instants, numbers};
use super::hot::{self, Hot};
use super::shape::Texts;
use super::{FEW, ROW_GROUP};
use crate::disk::{Disk, Reading};
use crate::expire::Past;
use crate::files::Cursor;
use crate::fingerprint::Fingerprint;
use crate::forget::{self, Forgotten};
use crate::manifest::Entry;
use crate::memory::Row;
use crate::store::lock;

/// A part that can be read. Its footer is read once; its file is opened by each reader anew, so that
/// readers do not move each other's place in it.
#[derive(Debug)]
pub(crate) struct Part {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    entry: Entry,
    footer: ArrowReaderMetadata,
    heat: Mutex<Heat>,
    /// Whether its bytes are known not to be those that its name says.
    spoilt: AtomicBool,
    /// Whether the file goes with the last reader.
    retired: AtomicBool,
}

/// How the hot columns of a part stand.
#[derive(Debug)]
enum Heat {
    Hot(Arc<Hot>),
    /// They are not there, or not what they should be: they are to be written again.
    Cold,
    /// They cannot be written: its pages do not read.
    Never,
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.retired.load(Ordering::Acquire) {
            return;
        }
        // First, so that they never lie there alone.
        let _ = self.disk.remove(&hot::path(&self.path));
        if let Err(cause) = self.disk.remove(&self.path) {
            // The manifest does not name it any more: the next open removes it.
            tracing::warn!(file = %self.path.display(), %cause, "a superfluous part stays behind");
        }
    }
}

/// The rows at these places, which rise.
fn selection(places: &[usize]) -> RowSelection {
    let mut selectors = Vec::new();
    let mut at = 0;
    for &place in places {
        selectors.push(RowSelector::skip(place - at));
        selectors.push(RowSelector::select(1));
        at = place + 1;
    }
    RowSelection::from(selectors)
}

/// A file as Parquet's reader wants it.
pub(super) struct Blob(Arc<dyn Reading>);

impl Length for Blob {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for Blob {
    type T = std::io::BufReader<Cursor>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(std::io::BufReader::new(Cursor::new(Arc::clone(&self.0), start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let mut bytes = vec![0; length];
        self.0.read_at(start, &mut bytes)?;
        Ok(bytes.into())
    }
}

impl Part {
    /// Opens a part and checks that it has the rows that the manifest says.
    pub(crate) fn open(disk: &Arc<dyn Disk>, dir: &Path, entry: &Entry) -> Result<Self, ScanError> {
        let path = dir.join(&entry.file);
        let unreadable =
            |why: Why| ScanError::Unreadable { what: path.display().to_string(), why: why.to_string() };
        let load = || -> Result<ArrowReaderMetadata, Why> {
            let file = disk.open(&path)?;
            if file.len() != entry.bytes {
                return Err(format!("it has not the `{}` bytes that the manifest says", entry.bytes).into());
            }
            Ok(ArrowReaderMetadata::load(&Blob(file), ArrowReaderOptions::new())?)
        };
        let footer = load().map_err(unreadable)?;
        let rows = footer.metadata().file_metadata().num_rows();
        if u64::try_from(rows) != Ok(entry.rows) {
            return Err(unreadable(
                format!("it has `{rows}` rows, the manifest says `{}`", entry.rows).into(),
            ));
        }
        let retired = AtomicBool::new(false);
        let heat = Mutex::new(Heat::Cold);
        let spoilt = AtomicBool::new(false);
        let part = Self { disk: Arc::clone(disk), path, entry: entry.clone(), footer, heat, spoilt, retired };
        part.warm();
        Ok(part)
    }

    /// Its hot columns, where they are there.
    pub(super) fn hot(&self) -> Option<Arc<Hot>> {
        match &*lock(&self.heat) {
            Heat::Hot(hot) => Some(Arc::clone(hot)),
            Heat::Cold | Heat::Never => None,
        }
    }

    /// Whether its hot columns are to be written.
    pub(crate) fn is_cold(&self) -> bool {
        matches!(*lock(&self.heat), Heat::Cold)
    }

    /// Looks at the hot columns that lie beside it.
    pub(crate) fn warm(&self) {
        let opened = Hot::open(&self.disk, &self.path, &self.group_rows());
        match opened {
            Ok(hot) => *lock(&self.heat) = Heat::Hot(Arc::new(hot)),
            Err(why) => self.cool(&why),
        }
    }

    /// Its hot columns are not what they should be: its pages answer until they are written again.
    pub(super) fn cool(&self, why: &Why) {
        tracing::debug!(part = %self.path.display(), %why, "the hot columns of a part are to be written again");
        *lock(&self.heat) = Heat::Cold;
    }

    /// Its pages do not read, so there is nothing to write hot columns from.
    pub(crate) fn give_up(&self) {
        *lock(&self.heat) = Heat::Never;
    }

    /// Rows of each row group.
    pub(super) fn group_rows(&self) -> Vec<u32> {
        let groups = self.footer.metadata().row_groups().iter();
        groups.map(|group| u32::try_from(group.num_rows()).unwrap_or(u32::MAX)).collect()
    }

    /// Whether no row of a row group has a value in a column.
    pub(super) fn lacks(&self, group: usize, column: &str) -> bool {
        let Some(group) = self.footer.metadata().row_groups().get(group) else { return false };
        let chunk = group.columns().iter().find(|chunk| chunk.column_path().parts() == [column]);
        let nulls = chunk.and_then(|chunk| chunk.statistics()).and_then(Statistics::null_count_opt);
        nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(group.num_rows()))
    }

    /// The manifest does not name it any more: its file goes when nobody reads it any more.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub(crate) fn entry(&self) -> &Entry {
        &self.entry
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Its bytes are not those that its name says: no other is made of it before it is looked at anew, at the next start.
    pub(super) fn spoil(&self) {
        self.spoilt.store(true, Ordering::Release);
    }

    pub(crate) fn is_spoilt(&self) -> bool {
        self.spoilt.load(Ordering::Acquire)
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its columns.
    pub(crate) fn schema(&self) -> &Arc<Schema> {
        self.footer.schema()
    }

    /// How many rows have a value in a column, and of a column of integers the least and the greatest.
    pub(super) fn extent(&self, column: &str) -> (u64, Option<(i64, i64)>) {
        let (mut rows, mut within, mut known) = (0, None, true);
        for group in self.footer.metadata().row_groups() {
            let Some(chunk) = group.columns().iter().find(|c| c.column_path().parts() == [column]) else {
                continue;
            };
            let all = u64::try_from(group.num_rows()).unwrap_or_default();
            let nulls = chunk.statistics().and_then(Statistics::null_count_opt).unwrap_or_default();
            let filled = all.saturating_sub(nulls);
            rows += filled;
            match chunk.statistics() {
                Some(Statistics::Int64(range)) => match (range.min_opt(), range.max_opt()) {
                    (Some(&min), Some(&max)) => {
                        let (least, most) = within.unwrap_or((min, max));
                        within = Some((min.min(least), max.max(most)));
                    }
                    _ => known &= filled == 0,
                },
                _ => known &= filled == 0,
            }
        }
        (rows, within.filter(|_| known))
    }

    pub(crate) fn unreadable(&self, why: &Why) -> ScanError {
        ScanError::Unreadable { what: self.path.display().to_string(), why: why.to_string() }
    }

    /// A reader of these columns, of those that exist, in batches of `rows`.
    pub(crate) fn batches(
        &self,
        columns: Option<&[&str]>,
        rows: usize,
    ) -> Result<ParquetRecordBatchReader, Why> {
        self.builder(columns, rows)?.build().map_err(Why::from)
    }

    fn builder(
        &self,
        columns: Option<&[&str]>,
        rows: usize,
    ) -> Result<ParquetRecordBatchReaderBuilder<Blob>, Why> {
        let file = Blob(self.disk.open(&self.path)?);
        let mut reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.footer.clone())
            .with_batch_size(rows);
        if let Some(columns) = columns {
            let fields = self.footer.schema().fields().iter().enumerate();
            let wanted: Vec<usize> =
                fields.filter(|(_, f)| columns.contains(&f.name().as_str())).map(|(i, _)| i).collect();
            let mask = ProjectionMask::roots(self.footer.parquet_schema(), wanted);
            reader = reader.with_projection(mask);
        }
        Ok(reader)
    }

    /// A reader of these columns, of those that exist; of all where there are none named.
    pub(super) fn reader(
        &self,
        columns: Option<&[&str]>,
        groups: Option<Vec<usize>>,
        selection: Option<RowSelection>,
    ) -> Result<ParquetRecordBatchReader, Why> {
        let mut reader = self.builder(columns, ROW_GROUP)?;
        if let Some(groups) = groups {
            reader = reader.with_row_groups(groups);
        }
        if let Some(selection) = selection {
            reader = reader.with_row_selection(selection);
        }
        Ok(reader.build()?)
    }

    /// The row groups that may hold rows of this time.
    pub(super) fn groups(&self, from: Millis, to: Millis) -> Vec<usize> {
        let groups = self.footer.metadata().row_groups().iter().enumerate();
        let may = groups.filter(|(_, group)| {
            let time = group.columns().iter().find(|c| c.column_path().string() == "time");
            match time.and_then(|c| c.statistics()) {
                Some(Statistics::Int64(range)) => {
                    range.min_opt().is_none_or(|&min| min < to.0)
                        && range.max_opt().is_none_or(|&max| max >= from.0)
                }
                _ => true,
            }
        });
        may.map(|(i, _)| i).collect()
    }

    /// Whether it may have rows of somebody who is being forgotten.
    pub(crate) fn may_hide(&self, forgotten: &[Forgotten]) -> bool {
        forgotten.iter().any(|one| one.may_be_in(&self.entry))
    }

    /// Its rows of who is being forgotten: their place in the log, which rises, and their place in the part.
    pub(crate) fn hidden(&self, forgotten: &[Forgotten]) -> Result<Vec<(Seq, usize)>, ScanError> {
        let mut found = Vec::new();
        self.each_of(forgotten, &[], &mut |seq, place| found.push((seq, place)))?;
        found.sort_unstable();
        Ok(found)
    }

    /// Calls `each` with the places in the log and in the part of its rows of these people, but for those of others, in no
    /// promised order.
    pub(crate) fn each_of(
        &self,
        people: &[Forgotten],
        except: &[Forgotten],
        each: &mut dyn FnMut(Seq, usize),
    ) -> Result<(), ScanError> {
        let mut read = || -> Result<(), Why> {
            let mut before = 0;
            for batch in self.reader(Some(&["environment", "user", "device", "seq"]), None, None)? {
                let batch = batch?;
                let seq = numbers(&batch, "seq")?;
                let mut rows = forget::hidden(people, &batch)?;
                if !except.is_empty() && !rows.is_empty() {
                    let gone = forget::hidden(except, &batch)?;
                    rows.retain(|row| !gone.contains(row));
                }
                rows.into_iter().for_each(|row| each(Seq(seq.value(row)), before + row));
                before += batch.num_rows();
            }
            Ok(())
        };
        read().map_err(|why| self.unreadable(&why))
    }

    /// Notes which of these people have rows in it, but for those of others.
    pub(crate) fn find(
        &self,
        people: &[Forgotten],
        except: &[Forgotten],
        found: &mut [bool],
    ) -> Result<(), ScanError> {
        let mut read = || -> Result<(), Why> {
            for batch in self.reader(Some(&["environment", "user", "device", "seq"]), None, None)? {
                if found.iter().all(|found| *found) {
                    break;
                }
                forget::found(people, except, &batch?, found)?;
            }
            Ok(())
        };
        read().map_err(|why| self.unreadable(&why))
    }

    /// The places in the log of its rows that are past their time; they rise.
    pub(crate) fn past(&self, past: &Past) -> Result<Vec<Seq>, ScanError> {
        let read = || -> Result<Vec<Seq>, Why> {
            let mut found = Vec::new();
            for batch in self.reader(Some(&["environment", "event", "received", "seq"]), None, None)? {
                let batch = batch?;
                let (received, seq) = (instants(&batch, "received")?, numbers(&batch, "seq")?);
                let environments = Texts::of(column(&batch, "environment")?)?;
                let events = Texts::of(column(&batch, "event")?)?;
                // Few environments have few types, and many rows.
                let mut before: FxHashMap<(Option<usize>, Option<usize>), Option<Millis>> =
                    FxHashMap::default();
                for row in 0..batch.num_rows() {
                    let codes = (environments.code(row), events.code(row));
                    let before = before.entry(codes).or_insert_with(|| {
                        past.before(
                            environments.get(row).unwrap_or_default(),
                            events.get(row).unwrap_or_default(),
                        )
                    });
                    if before.is_some_and(|before| Millis(received.value(row)) < before) {
                        found.push(Seq(seq.value(row)));
                    }
                }
            }
            found.sort_unstable();
            Ok(found)
        };
        read().map_err(|why| self.unreadable(&why))
    }

    /// Calls `each` with the rows at these places in it, which rise; a few of them are in memory at once.
    pub(crate) fn each_at(&self, places: &[usize], each: &mut dyn FnMut(Row)) -> Result<(), ScanError> {
        let mut read = || -> Result<(), Why> {
            let reader = self.builder(None, FEW)?.with_row_selection(selection(places)).build()?;
            let mut rows = Vec::new();
            for batch in reader {
                decode(&batch?, &mut rows)?;
                rows.drain(..).for_each(&mut *each);
            }
            Ok(())
        };
        read().map_err(|why| self.unreadable(&why))
    }

    /// The fingerprints of its named events, each with its place in the log and its time of receipt.
    pub(crate) fn prints(&self, each: &mut dyn FnMut(Seq, Fingerprint, Millis)) -> Result<(), ScanError> {
        let columns = ["environment", "user", "device", "insert_id", "insert_uuid", "received", "seq"];
        let mut read = || -> Result<(), Why> {
            for batch in self.reader(Some(&columns), None, None)? {
                let batch = batch?;
                let (received, seq) = (instants(&batch, "received")?, numbers(&batch, "seq")?);
                let text = |name| Texts::of(column(&batch, name)?).map_err(Why::from);
                let (environment, user, device) = (text("environment")?, text("user")?, text("device")?);
                let names = Names::of(&batch)?;
                for row in 0..batch.num_rows() {
                    let Some(name) = names.get(row)? else { continue };
                    let environment = environment.get(row).ok_or("an event has no environment")?;
                    let print = Fingerprint::of_texts(environment, user.get(row), device.get(row), &name);
                    each(Seq(seq.value(row)), print, Millis(received.value(row)));
                }
            }
            Ok(())
        };
        read().map_err(|why| self.unreadable(&why))
    }

    /// Its newest rows of an environment and of the event types that `of` says, by time of receipt, at
    /// most `limit`, in no promised order.
    pub(crate) fn newest(
        &self,
        environment: &EnvironmentKey,
        of: &dyn Fn(&str) -> bool,
        forgotten: &[Forgotten],
        limit: usize,
    ) -> Result<Vec<Row>, ScanError> {
        let hides = self.may_hide(forgotten);
        let mut columns = vec!["environment", "event", "received", "seq"];
        columns.extend(hides.then_some(["user", "device"]).into_iter().flatten());
        let read = || -> Result<Vec<Row>, Why> {
            let mut found: Vec<(i64, u64, usize)> = Vec::new();
            let mut before = 0;
            for batch in self.reader(Some(&columns), None, None)? {
                let batch = batch?;
                let (received, seq) = (instants(&batch, "received")?, numbers(&batch, "seq")?);
                let environments = Texts::of(column(&batch, "environment")?)?;
                let events = Texts::of(column(&batch, "event")?)?;
                let asked: Vec<bool> = events.values().iter().map(|e| e.is_some_and(of)).collect();
                let hidden = if hides { forget::hidden(forgotten, &batch)? } else { FxHashSet::default() };
                let wanted = (0..batch.num_rows()).filter(|&row| {
                    !hidden.contains(&row)
                        && environments.get(row) == Some(environment.as_str())
                        && events.code(row).is_some_and(|code| asked.get(code).copied().unwrap_or(false))
                });
                found.extend(wanted.map(|row| (received.value(row), seq.value(row), before + row)));
                before += batch.num_rows();
            }
            found.sort_unstable_by(|a, b| b.cmp(a));
            found.truncate(limit);
            let mut rows: Vec<usize> = found.into_iter().map(|(.., row)| row).collect();
            rows.sort_unstable();
            self.rows(Some(&rows))
        };
        read().map_err(|why| self.unreadable(&why))
    }

    /// These rows by their place, which rises; all without.
    fn rows(&self, places: Option<&[usize]>) -> Result<Vec<Row>, Why> {
        let mut rows = Vec::new();
        for batch in self.reader(None, None, places.map(selection))? {
            decode(&batch?, &mut rows)?;
        }
        Ok(rows)
    }
}
