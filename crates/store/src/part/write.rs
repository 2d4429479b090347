//! Store: rows in memory into a part.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray, UInt64Array};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use bellwether_model::{Json, Millis};
use rustc_hash::FxHashMap;

use super::draft::Draft;
use super::shape::{Observed, Shape, dictionary, texts};
use super::tell::Tells;
use super::{BUCKETS, COLUMNS, Kind, ROW_GROUP, uuid};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::manifest::Entry;
use crate::packed::{Cell, Flat, Packed};

/// Writes these rows as a part into `dir` and syncs it, but not its name; `None` where there are no rows. The
/// part is named by its content, so writing the same rows again gives the same file.
pub(crate) fn write(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    rows: &[Packed<'_>],
) -> Result<Option<Entry>, StoreError> {
    let unread = |why: &str| StoreError::corrupt(dir, 0, why);
    let first = rows.iter().map(|r| r.seq).min().unwrap_or_default();
    let last = rows.iter().map(|r| r.seq).max().unwrap_or_default();
    // Rows are read twice, so that of all of them no more than a key is held at once.
    let mut sorted = Vec::with_capacity(rows.len());
    let mut seen = Kind::ALL.map(Properties::new);
    let mut told = Tells::default();
    for &packed in rows {
        let row = packed.flat().map_err(unread)?;
        seen.iter_mut().for_each(|seen| seen.see(&row));
        told.see(&row);
        let unit = unit(row.user, row.device);
        sorted.push(((bucket(unit), unit, row.time, row.seq), packed));
    }
    sorted.sort_unstable_by_key(|(key, _)| *key);

    let layouts = seen.map(Properties::layout);
    let mut fields = fixed_fields();
    fields.extend(layouts.iter().flat_map(Layout::fields));
    let told = told.columns();
    fields.extend(told.iter().map(|told| told.field()));
    let schema = Arc::new(Schema::new(fields));
    let mut draft = Draft::begin(disk, dir, (first, last), &schema)?;
    for group in sorted.chunks(ROW_GROUP) {
        let read: Result<Vec<Flat<'_>>, _> = group.iter().map(|(_, row)| row.flat()).collect();
        let group = read.map_err(unread)?;
        let batch = fixed_arrays(&group).and_then(|mut arrays| {
            arrays.extend(layouts.iter().flat_map(|l| l.arrays(&group)));
            arrays.extend(told.iter().map(|told| told.array(&group)));
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
pub(super) fn unit<'b>(user: Option<&'b str>, device: Option<&'b str>) -> &'b str {
    user.or(device).unwrap_or_default()
}

/// What the properties of one kind have been so far.
struct Properties<'b> {
    kind: Kind,
    observed: Vec<(&'b str, Observed)>,
    places: FxHashMap<&'b str, usize>,
}

impl<'b> Properties<'b> {
    fn new(kind: Kind) -> Self {
        Self { kind, observed: Vec::new(), places: FxHashMap::default() }
    }

    fn see(&mut self, row: &Flat<'b>) {
        for (at, (name, value)) in self.kind.of(row).iter().enumerate() {
            // Events that follow each other often have the same properties, in the same order.
            let place = match self.observed.get(at) {
                Some((here, _)) if *here == name => at,
                _ => *self.places.entry(name).or_insert_with(|| {
                    self.observed.push((name, Observed::default()));
                    self.observed.len() - 1
                }),
            };
            if let Some((_, seen)) = self.observed.get_mut(place) {
                seen.see(&value);
            }
        }
    }

    fn layout(self) -> Layout {
        Layout::of(self.kind, self.observed.into_iter().map(|(name, o)| (name.to_owned(), o)).collect())
    }
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

    fn arrays(&self, rows: &[Flat<'_>]) -> Vec<ArrayRef> {
        // With their rows, because of many columns most are missing in most rows.
        let mut cells: Vec<Vec<(usize, Cell<'_>)>> = self.columns.iter().map(|_| Vec::new()).collect();
        for (at, row) in rows.iter().enumerate() {
            // Columns are in the order of names, and so are nearly all properties.
            let mut next = 0;
            for (name, value) in self.kind.of(row).iter() {
                let place = match self.columns.get(next) {
                    Some((own, _)) if own == name => Some(next),
                    _ => self.columns.binary_search_by(|(own, _)| own.as_str().cmp(name)).ok(),
                };
                let Some(place) = place else { continue };
                next = place + 1;
                if let Some(column) = cells.get_mut(place) {
                    column.push((at, value));
                }
            }
        }
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for ((_, seen), column) in self.columns.iter().zip(cells) {
            arrays.push(seen.shape().array(rows.len(), &column));
        }
        if !self.rest.is_empty() {
            let mut column = StringBuilder::new();
            for row in rows {
                column.append_option(self.kind.of(row).json_of(|name| self.rest.contains(name)));
            }
            arrays.push(Arc::new(column.finish()));
        }
        arrays
    }
}

/// An object as JSON text; an empty one is missing.
pub(super) fn object(properties: &bellwether_model::Properties) -> Option<String> {
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

fn fixed_arrays(rows: &[Flat<'_>]) -> Result<Vec<ArrayRef>, ArrowError> {
    let instants = |of: fn(&Flat<'_>) -> Millis| -> ArrayRef {
        let values = rows.iter().map(|r| of(r).0);
        Arc::new(TimestampMillisecondArray::from_iter_values(values).with_timezone("UTC"))
    };
    let mut groups = StringBuilder::new();
    rows.iter().for_each(|row| groups.append_option(row.groups.json()));
    let [insert_ids, insert_uuids] = insert_ids(rows.iter().map(|r| r.insert_id))?;
    Ok(vec![
        texts(rows.iter().map(|r| Some(r.environment))),
        texts(rows.iter().map(|r| Some(r.event))),
        texts(rows.iter().map(|r| r.user)),
        texts(rows.iter().map(|r| r.device)),
        instants(|r| r.time),
        instants(|r| r.received),
        insert_ids,
        insert_uuids,
        Arc::new(rows.iter().map(|r| r.session).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.revision).collect::<UInt64Array>()),
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
