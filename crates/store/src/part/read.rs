//! Store: a part into rows: the columns that a scan wants, or whole events.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::Schema;
use bellwether_columns::{Batch, Cells, PropertyName, ScanError, Strings, Want};
use bellwether_model::{EnvironmentKey, Json, Millis, Seq};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection, RowSelector,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use rustc_hash::{FxBuildHasher, FxHashSet};

use super::decode::{Names, Why, column, decode, instants, numbers, object};
use super::shape::{Shape, Texts};

use super::{Kind, ROW_GROUP};
use crate::disk::{Disk, Reading};
use crate::files::Cursor;
use crate::fingerprint::Fingerprint;
use crate::forget::{self, Forgotten};
use crate::manifest::Entry;
use crate::memory::Row;

/// A part that can be read. Its footer is read once; its file is opened by each reader anew, so that
/// readers do not move each other's place in it.
#[derive(Debug)]
pub(crate) struct Part {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    entry: Entry,
    footer: ArrowReaderMetadata,
    /// Whether the file goes with the last reader.
    retired: AtomicBool,
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.retired.load(Ordering::Acquire)
            && let Err(cause) = self.disk.remove(&self.path)
        {
            // The manifest does not name it any more: the next open removes it.
            tracing::warn!(file = %self.path.display(), %cause, "a superfluous part stays behind");
        }
    }
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
        Ok(Self { disk: Arc::clone(disk), path, entry: entry.clone(), footer, retired })
    }

    /// The manifest does not name it any more: its file goes when nobody reads it any more.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub(crate) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its columns.
    pub(super) fn schema(&self) -> &Arc<Schema> {
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

    pub(super) fn unreadable(&self, why: &Why) -> ScanError {
        ScanError::Unreadable { what: self.path.display().to_string(), why: why.to_string() }
    }

    /// A reader of these columns, of those that exist, in batches of `rows`.
    pub(super) fn batches(
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
    fn reader(
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
    fn groups(&self, from: Millis, to: Millis) -> Vec<usize> {
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

    /// Calls `each` with the rows that are wanted; `name` says of a batch who its devices are.
    pub(crate) fn scan(
        &self,
        want: &Want,
        forgotten: &[Forgotten],
        name: &dyn Fn(&mut Batch, &[Seq]),
        each: &mut dyn FnMut(&Batch) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ScanError> {
        if self.entry.time.1 < want.from || self.entry.time.0 >= want.to {
            return Ok(ControlFlow::Continue(()));
        }
        self.scan_batches(want, forgotten, name, each).map_err(|why| self.unreadable(&why))
    }

    fn scan_batches(
        &self,
        want: &Want,
        forgotten: &[Forgotten],
        name: &dyn Fn(&mut Batch, &[Seq]),
        each: &mut dyn FnMut(&Batch) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Why> {
        let hides = self.may_hide(forgotten);
        let sources: Vec<Source<'_>> =
            want.properties.iter().map(|property| Source::of(property, self.footer.schema())).collect();
        let mut columns = vec!["environment", "event", "user", "device", "time"];
        columns.extend((hides || want.people.is_some()).then_some("seq"));
        columns.extend(sources.iter().map(|source| &*source.column));

        for batch in self.reader(Some(&columns), Some(self.groups(want.from, want.to)), None)? {
            let batch = batch?;
            let mut rows = wanted(&batch, want)?;
            if hides {
                let hidden = forget::hidden(forgotten, &batch)?;
                rows.retain(|row| !hidden.contains(row));
            }
            if rows.is_empty() {
                continue;
            }
            let time = instants(&batch, "time")?;
            let mut out = Batch {
                rows: rows.len(),
                time: rows.iter().map(|&row| time.value(row)).collect(),
                event: strings(column(&batch, "event")?, &rows)?,
                user: strings(column(&batch, "user")?, &rows)?,
                device: strings(column(&batch, "device")?, &rows)?,
                person: Strings::default(),
                properties: sources
                    .iter()
                    .map(|source| cells(&batch, source, &rows))
                    .collect::<Result<_, _>>()?,
            };
            if want.people.is_some() {
                let seq = numbers(&batch, "seq")?;
                let seqs: Vec<Seq> = rows.iter().map(|&row| Seq(seq.value(row))).collect();
                name(&mut out, &seqs);
            }
            if each(&out).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether it may have rows of somebody who is being forgotten.
    pub(crate) fn may_hide(&self, forgotten: &[Forgotten]) -> bool {
        forgotten.iter().any(|one| one.may_be_in(&self.entry))
    }

    /// Its rows of who is being forgotten: their place in the log, which rises, and their place in the part.
    pub(crate) fn hidden(&self, forgotten: &[Forgotten]) -> Result<Vec<(Seq, usize)>, ScanError> {
        let read = || -> Result<Vec<(Seq, usize)>, Why> {
            let (mut found, mut before) = (Vec::new(), 0);
            for batch in self.reader(Some(&["environment", "user", "device", "seq"]), None, None)? {
                let batch = batch?;
                let seq = numbers(&batch, "seq")?;
                let rows = forget::hidden(forgotten, &batch)?.into_iter();
                found.extend(rows.map(|row| (Seq(seq.value(row)), before + row)));
                before += batch.num_rows();
            }
            found.sort_unstable();
            Ok(found)
        };
        read().map_err(|why| self.unreadable(&why))
    }

    /// The rows at these places in it, in the order of the log.
    pub(crate) fn at(&self, mut places: Vec<usize>) -> Result<Vec<Row>, ScanError> {
        places.sort_unstable();
        let mut rows = self.rows(Some(&places)).map_err(|why| self.unreadable(&why))?;
        rows.sort_unstable_by_key(|row| row.seq);
        Ok(rows)
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
        let selection = places.map(|places| {
            let mut selectors = Vec::new();
            let mut at = 0;
            for &place in places {
                selectors.push(RowSelector::skip(place - at));
                selectors.push(RowSelector::select(1));
                at = place + 1;
            }
            RowSelection::from(selectors)
        });
        let mut rows = Vec::new();
        for batch in self.reader(None, None, selection)? {
            decode(&batch?, &mut rows)?;
        }
        Ok(rows)
    }
}

/// The rows of a batch that are wanted.
fn wanted(batch: &RecordBatch, want: &Want) -> Result<Vec<usize>, Why> {
    let time = instants(batch, "time")?;
    let environments = Texts::of(column(batch, "environment")?)?;
    let events = Texts::of(column(batch, "event")?)?;
    // Each text of a dictionary is compared once, not in each row.
    let here: Vec<bool> =
        environments.values().iter().map(|e| e == Some(want.environment.as_str())).collect();
    let asked: Vec<bool> = events
        .values()
        .iter()
        .map(|e| want.events.as_ref().is_none_or(|asked| asked.iter().any(|a| Some(a.as_str()) == e)))
        .collect();
    let passes =
        |list: &[bool], code: Option<usize>| code.and_then(|c| list.get(c)).copied().unwrap_or(false);
    Ok((0..batch.num_rows())
        .filter(|&row| {
            let at = time.value(row);
            at >= want.from.0
                && at < want.to.0
                && passes(&here, environments.code(row))
                && passes(&asked, events.code(row))
        })
        .collect())
}

/// A column of text with a dictionary of its own: of the texts in these rows, each once.
fn strings(array: &ArrayRef, rows: &[usize]) -> Result<Strings, Why> {
    const NONE: u32 = u32::MAX;
    let texts = Texts::of(array)?;
    let mut recoded = vec![NONE; texts.values().len()];
    let mut known: HashMap<&str, u32, FxBuildHasher> = HashMap::default();
    let mut values: Vec<Box<str>> = Vec::new();
    let mut codes = Vec::with_capacity(rows.len());
    for &row in rows {
        let Some(code) = texts.code(row) else {
            codes.push(NONE);
            continue;
        };
        let slot = recoded.get_mut(code).ok_or("a code has no text")?;
        if *slot == NONE {
            let text = texts.values().value(code);
            *slot = *known.entry(text).or_insert_with(|| {
                values.push(text.into());
                // A batch has far fewer than 2^32 rows.
                u32::try_from(values.len() - 1).unwrap_or(NONE)
            });
        }
        codes.push(*slot);
    }
    Strings::new(codes, values.into()).ok_or_else(|| "a code has no text".into())
}

/// Where the values of a property lie.
struct Source<'w> {
    column: Cow<'w, str>,
    /// Its name among the others of an object, where the column holds objects.
    within: Option<&'w str>,
}

impl<'w> Source<'w> {
    fn of(property: &'w PropertyName, schema: &Schema) -> Self {
        let (kind, name) = match property {
            PropertyName::Event(name) => (Kind::Event, name),
            PropertyName::User(name) => (Kind::User, name),
            PropertyName::Group(kind) => return Self { column: "groups".into(), within: Some(kind) },
        };
        let own = kind.column(name);
        match schema.column_with_name(&own) {
            Some(_) => Self { column: own.into(), within: None },
            None => Self { column: kind.prefix().into(), within: Some(name) },
        }
    }
}

/// The values of a property in these rows, typed by what they are.
fn cells(batch: &RecordBatch, source: &Source<'_>, rows: &[usize]) -> Result<Cells, Why> {
    let column = &*source.column;
    let Some(index) = batch.schema_ref().index_of(column).ok() else { return Ok(Cells::Missing) };
    let array = batch.column(index);
    if rows.iter().all(|&row| array.is_null(row)) {
        return Ok(Cells::Missing);
    }
    let wrong = || format!("the column `{column}` has a type that no property has");
    if let Some(name) = source.within {
        let mut values = Vec::with_capacity(rows.len());
        for &row in rows {
            values.push(object(array, row)?.remove(name));
        }
        return Ok(Cells::typed(values.iter().map(Option::as_ref)));
    }
    let shape = Shape::of(batch.schema_ref().field(index)).ok_or_else(wrong)?;
    let valid = |row: usize| array.is_valid(row);
    Ok(match shape {
        Shape::Text => Cells::Text(strings(array, rows)?),
        Shape::Boolean => {
            let array = array.as_boolean_opt().ok_or_else(wrong)?;
            Cells::Booleans(rows.iter().map(|&row| valid(row).then(|| array.value(row))).collect())
        }
        Shape::Integer => {
            let array = array.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
            // As `serde_json` reads an integer as a float: the nearest one.
            #[allow(clippy::cast_precision_loss)]
            Cells::Numbers(rows.iter().map(|&row| valid(row).then(|| array.value(row) as f64)).collect())
        }
        Shape::Float { .. } => {
            let array = array.as_primitive_opt::<arrow_array::types::Float64Type>().ok_or_else(wrong)?;
            Cells::Numbers(rows.iter().map(|&row| valid(row).then(|| array.value(row))).collect())
        }
        Shape::Json => {
            let values: Vec<Option<Json>> =
                rows.iter().map(|&row| shape.value(array, row)).collect::<Result<_, _>>()?;
            Cells::typed(values.iter().map(Option::as_ref))
        }
    })
}
