//! Store: rows in memory into a part.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray, UInt64Array};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use bellwether_model::{Event, Json, Millis, Properties};

use super::draft::Draft;
use super::shape::{Observed, Shape, dictionary, texts};
use super::tell::Told;
use super::{BUCKETS, COLUMNS, Kind, ROW_GROUP, uuid};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::manifest::Entry;
use crate::memory::Row;

/// Writes these rows as a part into `dir` and syncs it, but not its name; `None` where there are no rows. The
/// part is named by its content, so writing the same rows again gives the same file.
pub(crate) fn write(disk: &Arc<dyn Disk>, dir: &Path, rows: &[&Row]) -> Result<Option<Entry>, StoreError> {
    let first = rows.iter().map(|r| r.seq).min().unwrap_or_default();
    let last = rows.iter().map(|r| r.seq).max().unwrap_or_default();
    let mut sorted = rows.to_vec();
    sorted.sort_by_cached_key(|row| {
        let unit = unit(&row.event);
        (bucket(unit), unit, row.event.time, row.seq)
    });

    let layouts = Kind::ALL.map(|kind| Layout::observed(kind, &sorted));
    let mut fields = fixed_fields();
    fields.extend(layouts.iter().flat_map(Layout::fields));
    let told = Told::in_rows(&sorted);
    fields.extend(told.iter().map(|told| told.field()));
    let schema = Arc::new(Schema::new(fields));
    let mut draft = Draft::begin(disk, dir, (first, last), &schema)?;
    for group in sorted.chunks(ROW_GROUP) {
        let batch = fixed_arrays(group).and_then(|mut arrays| {
            arrays.extend(layouts.iter().flat_map(|l| l.arrays(group)));
            arrays.extend(told.iter().map(|told| told.array(group)));
            RecordBatch::try_new(Arc::clone(&schema), arrays)
        });
        draft.write(&batch.map_err(|cause| StoreError::Storage {
            doing: "encode",
            what: dir.to_owned(),
            cause: std::io::Error::other(cause),
        })?)?;
    }
    draft.finish()
}

/// The bucket of a unit.
pub(super) fn bucket(unit: &str) -> u32 {
    crc32fast::hash(unit.as_bytes()) % BUCKETS
}

/// Whose line the event is on: the user's, or the device's where the user is not known.
pub(super) fn unit(event: &Event) -> &str {
    event.who.user().or(event.who.device()).unwrap_or_default()
}

/// How the properties of one kind lie in a part.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) kind: Kind,
    pub(super) columns: Vec<(String, Observed)>,
    /// The properties without a column of their own.
    rest: HashSet<String>,
}

impl Layout {
    fn observed(kind: Kind, rows: &[&Row]) -> Self {
        let mut observed: BTreeMap<&str, Observed> = BTreeMap::new();
        for row in rows {
            for (name, value) in kind.of(&row.event) {
                observed.entry(name).or_default().see(value);
            }
        }
        Self::of(kind, observed.into_iter().map(|(name, o)| (name.to_owned(), o)).collect())
    }

    /// How properties that have these values lie best.
    pub(super) fn of(kind: Kind, observed: BTreeMap<String, Observed>) -> Self {
        let mut columns: Vec<(String, Observed)> = observed.into_iter().collect();
        columns.sort_by_key(|(_, o)| std::cmp::Reverse(o.rows));
        let rest = columns.split_off(columns.len().min(COLUMNS)).into_iter().map(|(name, _)| name).collect();
        // By name, so that the same rows give the same file whatever the order was.
        columns.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self { kind, columns, rest }
    }

    /// Whether some properties have no column of their own.
    pub(super) fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// The shape of a property's own column, if it has one.
    pub(super) fn shape(&self, name: &str) -> Option<Shape> {
        let at = self.columns.binary_search_by(|(own, _)| own.as_str().cmp(name)).ok()?;
        self.columns.get(at).map(|(_, seen)| seen.shape())
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = Field> {
        let own = self.columns.iter().map(|(name, seen)| seen.field(&self.kind.column(name)));
        own.chain(self.has_rest().then(|| Shape::rest(self.kind.prefix())))
    }

    fn arrays(&self, rows: &[&Row]) -> Vec<ArrayRef> {
        let mut arrays: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|(name, seen)| seen.shape().array(rows.iter().map(|r| self.kind.of(&r.event).get(name))))
            .collect();
        if !self.rest.is_empty() {
            let mut column = StringBuilder::new();
            for row in rows {
                let mut properties: Properties = self.kind.of(&row.event).clone();
                properties.retain(|name, _| self.rest.contains(name));
                column.append_option(object(&properties));
            }
            arrays.push(Arc::new(column.finish()));
        }
        arrays
    }
}

/// An object as JSON text; an empty one is missing.
pub(super) fn object(properties: &Properties) -> Option<String> {
    (!properties.is_empty()).then(|| Json::from(properties.clone()).to_string())
}

pub(super) fn fixed_fields() -> Vec<Field> {
    let instant = || DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    vec![
        Field::new("environment", dictionary(), false),
        Field::new("event", dictionary(), false),
        Field::new("user", dictionary(), true),
        Field::new("device", dictionary(), true),
        Field::new("time", instant(), false),
        Field::new("received", instant(), false),
        Field::new("insert_id", DataType::Utf8, true),
        Field::new("insert_uuid", DataType::FixedSizeBinary(16), true),
        Field::new("session", DataType::Int64, true),
        Field::new("revision", DataType::UInt64, true),
        Field::new("seq", DataType::UInt64, false),
        Field::new("groups", DataType::Utf8, true)
            .with_metadata(HashMap::from([(super::TYPE.to_owned(), "json".to_owned())])),
    ]
}

fn fixed_arrays(rows: &[&Row]) -> Result<Vec<ArrayRef>, ArrowError> {
    let events = || rows.iter().map(|r| &r.event);
    let instants = |of: fn(&Event) -> Millis| -> ArrayRef {
        let values = events().map(|e| of(e).0);
        Arc::new(TimestampMillisecondArray::from_iter_values(values).with_timezone("UTC"))
    };
    let mut groups = StringBuilder::new();
    events().for_each(|event| groups.append_option(object(&event.groups)));
    let [insert_ids, insert_uuids] = insert_ids(events().map(|e| e.insert_id.as_deref()))?;
    Ok(vec![
        texts(events().map(|e| Some(e.environment.as_str()))),
        texts(events().map(|e| Some(e.event.as_str()))),
        texts(events().map(|e| e.who.user())),
        texts(events().map(|e| e.who.device())),
        instants(|e| e.time),
        instants(|e| e.received),
        insert_ids,
        insert_uuids,
        Arc::new(events().map(|e| e.session).collect::<Int64Array>()),
        Arc::new(events().map(|e| e.revision.map(|r| r.0)).collect::<UInt64Array>()),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|r| r.seq.0))),
        Arc::new(groups.finish()),
    ])
}

/// The columns `insert_id` and `insert_uuid` of these names.
pub(super) fn insert_ids<'n>(
    names: impl Iterator<Item = Option<&'n str>>,
) -> Result<[ArrayRef; 2], ArrowError> {
    let mut texts = StringBuilder::new();
    let mut uuids = FixedSizeBinaryBuilder::new(16);
    for name in names {
        match name.and_then(uuid::bytes) {
            Some(bytes) => {
                uuids.append_value(bytes)?;
                texts.append_null();
            }
            None => {
                uuids.append_null();
                texts.append_option(name);
            }
        }
    }
    Ok([Arc::new(texts.finish()), Arc::new(uuids.finish())])
}
