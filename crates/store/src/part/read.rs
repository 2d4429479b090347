//! Store: a part into rows: the columns that a scan wants, or whole events.

use std::collections::HashMap;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use bellwether_columns::{Batch, Cells, PropertyName, ScanError, Strings, Want};
use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Event, Json, Millis, Properties, Revision, Seq};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection, RowSelector,
};
use parquet::file::statistics::Statistics;
use rustc_hash::FxBuildHasher;

use super::shape::{Shape, Texts};
use super::tell::told;
use super::{Kind, ROW_GROUP};
use crate::fingerprint::Fingerprint;
use crate::manifest::Entry;
use crate::memory::Row;

/// A part that can be read. Its footer is read once; its file is opened by each reader anew, so that
/// readers do not move each other's place in it.
#[derive(Debug)]
pub(crate) struct Part {
    path: PathBuf,
    entry: Entry,
    footer: ArrowReaderMetadata,
    /// Whether the file goes with the last reader.
    retired: AtomicBool,
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.retired.load(Ordering::Acquire)
            && let Err(cause) = std::fs::remove_file(&self.path)
        {
            // The manifest does not name it any more: the next open removes it.
            tracing::warn!(file = %self.path.display(), %cause, "a superfluous part stays behind");
        }
    }
}

pub(super) type Why = Box<dyn std::error::Error + Send + Sync>;

impl Part {
    /// Opens a part and checks that it has the rows that the manifest says.
    pub(crate) fn open(dir: &Path, entry: &Entry) -> Result<Self, ScanError> {
        let path = dir.join(&entry.file);
        let unreadable =
            |why: Why| ScanError::Unreadable { what: path.display().to_string(), why: why.to_string() };
        let load = || -> Result<ArrowReaderMetadata, Why> {
            let file = File::open(&path)?;
            if file.metadata()?.len() != entry.bytes {
                return Err(format!("it has not the `{}` bytes that the manifest says", entry.bytes).into());
            }
            Ok(ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?)
        };
        let footer = load().map_err(unreadable)?;
        let rows = footer.metadata().file_metadata().num_rows();
        if u64::try_from(rows) != Ok(entry.rows) {
            return Err(unreadable(
                format!("it has `{rows}` rows, the manifest says `{}`", entry.rows).into(),
            ));
        }
        Ok(Self { path, entry: entry.clone(), footer, retired: AtomicBool::new(false) })
    }

    /// The manifest does not name it any more: its file goes when nobody reads it any more.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub(crate) fn entry(&self) -> &Entry {
        &self.entry
    }

    pub(super) fn unreadable(&self, why: &Why) -> ScanError {
        ScanError::Unreadable { what: self.path.display().to_string(), why: why.to_string() }
    }

    /// A reader of these columns, of those that exist; of all where there are none named.
    pub(super) fn reader(
        &self,
        columns: Option<&[&str]>,
        groups: Option<Vec<usize>>,
        selection: Option<RowSelection>,
    ) -> Result<ParquetRecordBatchReader, Why> {
        let file = File::open(&self.path)?;
        let mut reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.footer.clone())
            .with_batch_size(ROW_GROUP);
        if let Some(columns) = columns {
            let fields = self.footer.schema().fields().iter().enumerate();
            let wanted: Vec<usize> =
                fields.filter(|(_, f)| columns.contains(&f.name().as_str())).map(|(i, _)| i).collect();
            let mask = ProjectionMask::roots(self.footer.parquet_schema(), wanted);
            reader = reader.with_projection(mask);
        }
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
        name: &dyn Fn(&mut Batch, &[Seq]),
        each: &mut dyn FnMut(&Batch) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ScanError> {
        if self.entry.time.1 < want.from || self.entry.time.0 >= want.to {
            return Ok(ControlFlow::Continue(()));
        }
        self.scan_batches(want, name, each).map_err(|why| self.unreadable(&why))
    }

    fn scan_batches(
        &self,
        want: &Want,
        name: &dyn Fn(&mut Batch, &[Seq]),
        each: &mut dyn FnMut(&Batch) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Why> {
        let sources: Vec<(Kind, &str, String)> = want
            .properties
            .iter()
            .map(|property| {
                let (kind, name) = match property {
                    PropertyName::Event(name) => (Kind::Event, name),
                    PropertyName::User(name) => (Kind::User, name),
                };
                let own = kind.column(name);
                let exists = self.footer.schema().column_with_name(&own).is_some();
                (kind, name.as_str(), if exists { own } else { kind.prefix().to_owned() })
            })
            .collect();
        let mut columns = vec!["environment", "event", "user", "device", "time"];
        columns.extend(want.people.then_some("seq"));
        columns.extend(sources.iter().map(|(_, _, column)| column.as_str()));

        for batch in self.reader(Some(&columns), Some(self.groups(want.from, want.to)), None)? {
            let batch = batch?;
            let rows = wanted(&batch, want)?;
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
                    .map(|(kind, name, column)| cells(&batch, *kind, name, column, &rows))
                    .collect::<Result<_, _>>()?,
            };
            if want.people {
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

    /// The fingerprints of its named events, each with its place in the log and its time of receipt.
    pub(crate) fn prints(&self, each: &mut dyn FnMut(Seq, Fingerprint, Millis)) -> Result<(), ScanError> {
        let mut read = || -> Result<(), Why> {
            for batch in self.reader(Some(&["received", "seq", "fingerprint"]), None, None)? {
                let batch = batch?;
                let (received, seq) = (instants(&batch, "received")?, numbers(&batch, "seq")?);
                let prints = column(&batch, "fingerprint")?
                    .as_fixed_size_binary_opt()
                    .ok_or("`fingerprint` has another type")?;
                for row in (0..batch.num_rows()).filter(|&row| prints.is_valid(row)) {
                    let bytes = prints.value(row).first_chunk().ok_or("`fingerprint` has not 16 bytes")?;
                    each(Seq(seq.value(row)), Fingerprint::from_bytes(*bytes), Millis(received.value(row)));
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
        limit: usize,
    ) -> Result<Vec<Row>, ScanError> {
        let read = || -> Result<Vec<Row>, Why> {
            let mut found: Vec<(i64, u64, usize)> = Vec::new();
            let mut before = 0;
            for batch in self.reader(Some(&["environment", "event", "received", "seq"]), None, None)? {
                let batch = batch?;
                let (received, seq) = (instants(&batch, "received")?, numbers(&batch, "seq")?);
                let environments = Texts::of(column(&batch, "environment")?)?;
                let events = Texts::of(column(&batch, "event")?)?;
                let asked: Vec<bool> = events.values().iter().map(|e| e.is_some_and(of)).collect();
                let wanted = (0..batch.num_rows()).filter(|&row| {
                    environments.get(row) == Some(environment.as_str())
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

    /// All its rows, as they lie.
    pub(crate) fn all(&self) -> Result<Vec<Row>, ScanError> {
        self.rows(None).map_err(|why| self.unreadable(&why))
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

pub(super) fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef, Why> {
    batch.column_by_name(name).ok_or_else(|| format!("the column `{name}` is missing").into())
}

fn instants<'b>(
    batch: &'b RecordBatch,
    name: &str,
) -> Result<&'b arrow_array::TimestampMillisecondArray, Why> {
    let typed = column(batch, name)?.as_primitive_opt::<TimestampMillisecondType>();
    typed.ok_or_else(|| format!("`{name}` is no column of times").into())
}

pub(super) fn numbers<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b arrow_array::UInt64Array, Why> {
    let typed = column(batch, name)?.as_primitive_opt::<UInt64Type>();
    typed.ok_or_else(|| format!("`{name}` is no column of unsigned integers").into())
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

/// The values of a property in these rows, typed by what they are.
fn cells(batch: &RecordBatch, kind: Kind, name: &str, source: &str, rows: &[usize]) -> Result<Cells, Why> {
    let Some(index) = batch.schema_ref().index_of(source).ok() else { return Ok(Cells::Missing) };
    let array = batch.column(index);
    if rows.iter().all(|&row| array.is_null(row)) {
        return Ok(Cells::Missing);
    }
    let wrong = || format!("the column `{source}` has a type that no property has");
    if source == kind.prefix() {
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

/// The JSON object in a row; a missing one is empty.
pub(super) fn object(array: &ArrayRef, row: usize) -> Result<Properties, Why> {
    match Shape::Json.value(array, row)? {
        None => Ok(Properties::new()),
        Some(Json::Object(object)) => Ok(object),
        Some(other) => Err(format!("`{other}` is no object").into()),
    }
}

/// The rows of a batch as events.
fn decode(batch: &RecordBatch, rows: &mut Vec<Row>) -> Result<(), Why> {
    let text = |name| Texts::of(column(batch, name)?).map_err(Why::from);
    let (environment, event, user, device) =
        (text("environment")?, text("event")?, text("user")?, text("device")?);
    let (time, received) = (instants(batch, "time")?, instants(batch, "received")?);
    let (seq, revision) = (numbers(batch, "seq")?, numbers(batch, "revision")?);
    let session = column(batch, "session")?
        .as_primitive_opt::<Int64Type>()
        .ok_or("`session` is no column of integers")?;
    let insert_id =
        column(batch, "insert_id")?.as_string_opt::<i32>().ok_or("`insert_id` is no column of text")?;
    let groups = column(batch, "groups")?;

    let mut columns: Vec<(Kind, Option<&str>, Shape, &ArrayRef)> = Vec::new();
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        for kind in Kind::ALL {
            let rest = field.name().strip_prefix(kind.prefix());
            let name = match rest {
                Some("") => None,
                Some(name) if name.starts_with('.') => name.get(1..),
                _ => continue,
            };
            let shape = Shape::of(field).ok_or_else(|| format!("`{}` has an unknown type", field.name()))?;
            columns.push((kind, name, shape, array));
        }
    }

    for row in 0..batch.num_rows() {
        let known: EnvironmentKey = environment
            .get(row)
            .ok_or("an event has no environment")?
            .parse()
            .map_err(|_| "an environment is no key")?;
        let (mut properties, mut user_properties) = (Properties::new(), Properties::new());
        for &(kind, name, shape, array) in &columns {
            let into = match kind {
                Kind::Event => &mut properties,
                Kind::User => &mut user_properties,
            };
            match name {
                None => into.extend(object(array, row)?),
                Some(name) => {
                    if let Some(value) = shape.value(array, row)? {
                        into.insert(name.to_owned(), value);
                    }
                }
            }
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let who = match (owned(user.get(row)), owned(device.get(row))) {
            (Some(user), Some(device)) => Who::Both { user, device },
            (Some(user), None) => Who::User(user),
            (None, Some(device)) => Who::Device(device),
            (None, None) => return Err("an event has neither user nor device".into()),
        };
        rows.push(Row {
            seq: Seq(seq.value(row)),
            event: Event {
                environment: known,
                event: event.get(row).ok_or("an event has no type")?.to_owned(),
                who,
                time: Millis(time.value(row)),
                received: Millis(received.value(row)),
                insert_id: insert_id.is_valid(row).then(|| insert_id.value(row).to_owned()),
                session: session.is_valid(row).then(|| session.value(row)),
                properties,
                user_properties,
                groups: object(groups, row)?,
                group_properties: told(batch, "group_properties", row)?,
                user_changes: told(batch, "user_changes", row)?,
                group_changes: told(batch, "group_changes", row)?,
                revision: revision.is_valid(row).then(|| Revision(revision.value(row))),
            },
        });
    }
    Ok(())
}
