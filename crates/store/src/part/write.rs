//! Store: rows into a part.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use bellwether_model::{Event, Json, Millis, Properties};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};

use super::shape::{Observed, Shape, dictionary, texts};
use super::{BUCKETS, COLUMNS, Kind, ROW_GROUP};
use crate::error::StoreError;
use crate::files;
use crate::fingerprint::Fingerprint;
use crate::manifest::Entry;
use crate::memory::Row;

/// Writes these rows as a part into `dir` and syncs it; `None` where there are no rows. The part is
/// named by its content, so writing the same rows again gives the same file.
pub(crate) fn write(dir: &Path, rows: &[&Row]) -> Result<Option<Entry>, StoreError> {
    let extent = |of: fn(&Row) -> Millis| {
        let values = || rows.iter().map(|r| of(r));
        Some((values().min()?, values().max()?))
    };
    let (Some(time), Some(received)) = (extent(|r| r.event.time), extent(|r| r.event.received)) else {
        return Ok(None);
    };
    let first = rows.iter().map(|r| r.seq).min().unwrap_or_default();
    let last = rows.iter().map(|r| r.seq).max().unwrap_or_default();

    let mut sorted = rows.to_vec();
    sorted.sort_by_cached_key(|row| {
        let unit = unit(&row.event);
        (crc32fast::hash(unit.as_bytes()) % BUCKETS, unit, row.event.time, row.seq)
    });

    // The name follows from the content, so the file has another name until it is whole.
    let unnamed = dir.join(format!("{:016}-{:016}", first.0, last.0));
    let (_, (digest, bytes)) = files::create(&unnamed, |file| {
        let mut sink = Hashing { inner: std::io::BufWriter::new(file), hash: Sha256::new(), bytes: 0 };
        encode(&sorted, &mut sink).map_err(|cause| StoreError::Storage {
            doing: "write",
            what: unnamed.clone(),
            cause: std::io::Error::other(cause),
        })?;
        sink.inner.flush().map_err(StoreError::io("write", &unnamed))?;
        Ok((digest(sink.hash), sink.bytes))
    })?;
    let file = format!("{:016}-{:016}-{digest}.parquet", first.0, last.0);
    let path = dir.join(&file);
    std::fs::rename(&unnamed, &path).map_err(StoreError::io("create", &path))?;
    files::sync_dir(dir)?;
    Ok(Some(Entry { file, rows: rows.len() as u64, bytes, first, last, time, received }))
}

/// The beginning of a SHA-256 as it stands in a part's name: 16 hexadecimal digits.
pub(crate) fn digest(hash: Sha256) -> String {
    hash.finalize().iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Whose line the event is on: the user's, or the device's where the user is not known.
fn unit(event: &Event) -> &str {
    event.who.user().or(event.who.device()).unwrap_or_default()
}

/// Hashes and counts what passes through.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or(bytes));
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// How the properties of one kind lie in this part.
struct Layout {
    kind: Kind,
    columns: Vec<(String, Shape)>,
    /// The properties without a column of their own.
    rest: HashSet<String>,
}

impl Layout {
    fn of(kind: Kind, rows: &[&Row]) -> Self {
        let mut observed: BTreeMap<&str, Observed> = BTreeMap::new();
        for row in rows {
            for (name, value) in kind.of(&row.event) {
                observed.entry(name).or_default().see(value);
            }
        }
        let mut ranked: Vec<(&str, Observed)> = observed.into_iter().collect();
        ranked.sort_by_key(|(_, o)| std::cmp::Reverse(o.rows));
        let rest =
            ranked.split_off(ranked.len().min(COLUMNS)).into_iter().map(|(n, _)| n.to_owned()).collect();
        // By name, so that the same rows give the same file whatever the hash order was.
        ranked.sort_by_key(|(name, _)| *name);
        let columns = ranked.into_iter().map(|(name, o)| (name.to_owned(), o.shape())).collect();
        Self { kind, columns, rest }
    }

    fn fields(&self) -> impl Iterator<Item = Field> {
        let own = self.columns.iter().map(|(name, shape)| shape.field(&self.kind.column(name)));
        own.chain((!self.rest.is_empty()).then(|| Shape::Json.field(self.kind.prefix())))
    }

    fn arrays(&self, rows: &[&Row]) -> Vec<ArrayRef> {
        let mut arrays: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|(name, shape)| shape.array(rows.iter().map(|r| self.kind.of(&r.event).get(name))))
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
fn object(properties: &Properties) -> Option<String> {
    (!properties.is_empty()).then(|| Json::from(properties.clone()).to_string())
}

fn encode<W: Write + Send>(rows: &[&Row], sink: W) -> parquet::errors::Result<()> {
    let layouts = Kind::ALL.map(|kind| Layout::of(kind, rows));
    let mut fields = fixed_fields();
    fields.extend(layouts.iter().flat_map(Layout::fields));
    // Few events change anything, and a part without such events has no such columns.
    let told: Vec<_> =
        super::TOLD.into_iter().filter(|(_, of)| rows.iter().any(|r| !of(&r.event).is_empty())).collect();
    fields.extend(told.iter().map(|(name, _)| Shape::Json.field(name)));
    let schema = Arc::new(Schema::new(fields));

    let mut writer = ArrowWriter::try_new(sink, Arc::clone(&schema), Some(properties()))?;
    for group in rows.chunks(ROW_GROUP) {
        let mut arrays = fixed_arrays(group)?;
        arrays.extend(layouts.iter().flat_map(|l| l.arrays(group)));
        arrays.extend(told.iter().map(|(_, of)| -> ArrayRef {
            let mut column = StringBuilder::new();
            group.iter().for_each(|r| column.append_option(object(of(&r.event))));
            Arc::new(column.finish())
        }));
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), arrays)?)?;
        writer.flush()?;
    }
    writer.close().map(drop)
}

fn properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by("bellwether".to_owned())
        .set_compression(Compression::LZ4_RAW)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(vec![
            KeyValue::new("bellwether.part".to_owned(), "1".to_owned()),
            KeyValue::new("bellwether.buckets".to_owned(), BUCKETS.to_string()),
        ]));
    // Numbers that grow slowly take little as differences.
    for column in ["time", "received", "seq", "session"] {
        properties = properties
            .set_column_dictionary_enabled(ColumnPath::from(column), false)
            .set_column_encoding(ColumnPath::from(column), Encoding::DELTA_BINARY_PACKED);
    }
    // Names that the sender made unique only fill a dictionary.
    for column in ["insert_id", "fingerprint"] {
        properties = properties
            .set_column_dictionary_enabled(ColumnPath::from(column), false)
            .set_column_statistics_enabled(ColumnPath::from(column), EnabledStatistics::None);
    }
    properties.build()
}

fn fixed_fields() -> Vec<Field> {
    let instant = || DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    vec![
        Field::new("environment", dictionary(), false),
        Field::new("event", dictionary(), false),
        Field::new("user", dictionary(), true),
        Field::new("device", dictionary(), true),
        Field::new("time", instant(), false),
        Field::new("received", instant(), false),
        Field::new("insert_id", DataType::Utf8, true),
        Field::new("session", DataType::Int64, true),
        Field::new("revision", DataType::UInt64, true),
        Field::new("fingerprint", DataType::FixedSizeBinary(16), true),
        Field::new("seq", DataType::UInt64, false),
        Field::new("groups", DataType::Utf8, true)
            .with_metadata(HashMap::from([(super::TYPE.to_owned(), "json".to_owned())])),
    ]
}

fn fixed_arrays(rows: &[&Row]) -> parquet::errors::Result<Vec<ArrayRef>> {
    let events = || rows.iter().map(|r| &r.event);
    let instants = |of: fn(&Event) -> Millis| -> ArrayRef {
        let values = events().map(|e| of(e).0);
        Arc::new(TimestampMillisecondArray::from_iter_values(values).with_timezone("UTC"))
    };
    let mut insert_ids = StringBuilder::new();
    let mut groups = StringBuilder::new();
    let mut prints = FixedSizeBinaryBuilder::with_capacity(rows.len(), 16);
    for event in events() {
        insert_ids.append_option(event.insert_id.as_deref());
        groups.append_option(object(&event.groups));
        match Fingerprint::of(event) {
            Some(print) => prints.append_value(print.to_bytes())?,
            None => prints.append_null(),
        }
    }
    Ok(vec![
        texts(events().map(|e| Some(e.environment.as_str()))),
        texts(events().map(|e| Some(e.event.as_str()))),
        texts(events().map(|e| e.who.user())),
        texts(events().map(|e| e.who.device())),
        instants(|e| e.time),
        instants(|e| e.received),
        Arc::new(insert_ids.finish()),
        Arc::new(events().map(|e| e.session).collect::<Int64Array>()),
        Arc::new(events().map(|e| e.revision.map(|r| r.0)).collect::<UInt64Array>()),
        Arc::new(prints.finish()),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|r| r.seq.0))),
        Arc::new(groups.finish()),
    ])
}
