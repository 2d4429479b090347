//! Store: a part that is being written, batch by batch, with its hot columns, until it is whole and gets its name.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use arrow_select::concat::concat;
use bellwether_model::{Millis, Seq};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};

use super::decode::Why;
use super::texts::Chunk;
use super::{BUCKETS, ROW_GROUP, hot};
use crate::disk::{Disk, Writing};
use crate::error::StoreError;
use crate::files::{Summed, UNFINISHED};
use crate::manifest::Entry;

type Sink = Summed<BufWriter<Box<dyn Writing>>>;

/// Rows for a part, column by column.
pub(super) trait Columns {
    /// Adds what is in the rows to the column of text at this place of the schema.
    fn texts(&mut self, at: usize, into: &mut Chunk) -> Result<(), Why>;

    /// What is in the rows, of any other column.
    fn array(&mut self, at: usize) -> Result<ArrayRef, Why>;
}

/// A column of the row group that is being written.
enum Column {
    Text(Chunk),
    /// With what was written of it, for the hot columns.
    Other(Box<ArrowColumnWriter>, Vec<ArrayRef>),
}

/// A part without its end. Dropped, it leaves nothing behind.
pub(super) struct Draft {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    unfinished: PathBuf,
    schema: Arc<Schema>,
    writer: Option<(SerializedFileWriter<Sink>, ArrowRowGroupWriterFactory)>,
    hot: Option<hot::Writer>,
    /// The row group that is being written, and how many rows it has.
    group: Vec<Column>,
    grown: usize,
    rows: u64,
    seqs: (Seq, Seq),
    time: Option<(Millis, Millis)>,
    received: Option<(Millis, Millis)>,
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").field("unfinished", &self.unfinished).field("rows", &self.rows).finish()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.writer.is_some() {
            // What stays behind is removed at the next open.
            let _ = self.disk.remove(&self.unfinished);
        }
    }
}

impl Draft {
    /// Begins a part of the events `first` to `last`, with these columns, in `dir`.
    pub(super) fn begin(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        (first, last): (Seq, Seq),
        schema: &Arc<Schema>,
    ) -> Result<Self, StoreError> {
        // Its name follows from its content: until it is whole it has another.
        let unfinished = dir.join(format!("{:016}-{:016}.{UNFINISHED}", first.0, last.0));
        let file = disk.create(&unfinished).map_err(StoreError::io("create", &unfinished))?;
        let sink = Summed::new(BufWriter::with_capacity(1 << 18, file));
        let mut draft = Self {
            disk: Arc::clone(disk),
            dir: dir.to_owned(),
            unfinished,
            schema: Arc::clone(schema),
            writer: None,
            hot: None,
            group: Vec::new(),
            grown: 0,
            rows: 0,
            seqs: (first, last),
            time: None,
            received: None,
        };
        let writer = ArrowWriter::try_new(sink, Arc::clone(schema), Some(properties()));
        let writer = writer.and_then(ArrowWriter::into_serialized_writer);
        draft.writer = Some(writer.map_err(|cause| draft.refused(cause))?);
        let beside = hot::path(&draft.unfinished).with_added_extension(UNFINISHED);
        draft.hot = Some(hot::Writer::begin(disk, beside, schema)?);
        Ok(draft)
    }

    fn refused(&self, cause: ParquetError) -> StoreError {
        StoreError::Storage {
            doing: "write",
            what: self.unfinished.clone(),
            cause: std::io::Error::other(cause),
        }
    }

    /// How many rows its row group has room for: at least one.
    pub(super) fn room(&self) -> usize {
        ROW_GROUP.saturating_sub(self.grown).max(1)
    }

    /// Whether the next row begins a row group.
    pub(super) fn is_between_groups(&self) -> bool {
        self.group.is_empty()
    }

    /// Adds rows that follow, in order, those before, and no more than there is room for.
    pub(super) fn write(&mut self, rows: usize, columns: &mut dyn Columns) -> Result<(), StoreError> {
        self.add(rows, columns).map_err(|cause| StoreError::Storage {
            doing: "write",
            what: self.unfinished.clone(),
            cause: std::io::Error::other(cause),
        })
    }

    fn add(&mut self, rows: usize, columns: &mut dyn Columns) -> Result<(), Why> {
        let Some((writer, factory)) = &mut self.writer else { return Ok(()) };
        if rows == 0 {
            return Ok(());
        }
        let fields = self.schema.fields();
        if self.group.is_empty() {
            let others = factory.create_column_writers(writer.flushed_row_groups().len())?;
            let column = |(field, other): (&Arc<arrow_schema::Field>, _)| match field.data_type() {
                DataType::Dictionary(..) => Column::Text(Chunk::default()),
                _ => Column::Other(Box::new(other), Vec::new()),
            };
            self.group = fields.iter().zip(others).map(column).collect();
        }
        for (at, (field, column)) in fields.iter().zip(&mut self.group).enumerate() {
            let (writer, written) = match column {
                Column::Text(chunk) => {
                    columns.texts(at, chunk)?;
                    continue;
                }
                Column::Other(writer, written) => (writer, written),
            };
            let array = columns.array(at)?;
            let extent = match field.name().as_str() {
                "time" => Some(&mut self.time),
                "received" => Some(&mut self.received),
                _ => None,
            };
            if let Some(extent) = extent {
                let times = array.as_primitive_opt::<TimestampMillisecondType>();
                for &at in times.ok_or("a column of times has another type")?.values().iter() {
                    let (min, max) = extent.get_or_insert((Millis(at), Millis(at)));
                    *min = (*min).min(Millis(at));
                    *max = (*max).max(Millis(at));
                }
            }
            for leaf in compute_leaves(field, &array)? {
                writer.write(&leaf)?;
            }
            written.push(array);
        }
        self.rows += rows as u64;
        self.grown += rows;
        if self.grown >= ROW_GROUP { self.end_group() } else { Ok(()) }
    }

    /// Writes the row group that is there, if one is.
    fn end_group(&mut self) -> Result<(), Why> {
        let columns = std::mem::take(&mut self.group);
        self.grown = 0;
        let Some((writer, _)) = self.writer.as_mut().filter(|_| !columns.is_empty()) else { return Ok(()) };
        let described: Vec<_> = writer.schema_descr().columns().to_vec();
        let mut group = writer.next_row_group()?;
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
        for (column, described) in columns.into_iter().zip(&described) {
            match column {
                Column::Text(chunk) => {
                    arrays.push(chunk.array()?);
                    let (bytes, close) = chunk.finish(described)?;
                    group.append_column(&bytes, close)?;
                }
                Column::Other(column, written) => {
                    let written: Vec<&dyn Array> = written.iter().map(|array| &**array).collect();
                    arrays.push(concat(&written)?);
                    column.close()?.append_to_row_group(&mut group)?;
                }
            }
        }
        group.close()?;
        if let Some(hot) = &mut self.hot {
            hot.push(&RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)?;
        }
        Ok(())
    }

    /// Ends it, syncs it and gives it its name. The name itself lasts once the directory is synced. `None`
    /// where no row was written.
    pub(super) fn finish(mut self) -> Result<Option<Entry>, StoreError> {
        let (Some(time), Some(received)) = (self.time, self.received) else { return Ok(None) };
        let ended = self.end_group();
        ended.map_err(|cause| self.refused(ParquetError::External(cause)))?;
        let Some((writer, _)) = self.writer.take() else { return Ok(None) };
        let named = writer.into_inner().map_err(|cause| self.refused(cause)).and_then(|sink| {
            let failed = || StoreError::io("write", &self.unfinished);
            let mut file = sink.inner.into_inner().map_err(|e| failed()(e.into_error()))?;
            file.sync().map_err(StoreError::io("sync", &self.unfinished))?;
            let (first, last) = self.seqs;
            let file = format!("{:016}-{:016}-{}.parquet", first.0, last.0, digest(sink.hash));
            let path = self.dir.join(&file);
            if let Some(hot) = self.hot.take() {
                hot.finish(&path)?;
            }
            self.disk.rename(&self.unfinished, &path).map_err(|cause| {
                let _ = self.disk.remove(&hot::path(&path));
                StoreError::io("create", &path)(cause)
            })?;
            Ok(Entry { file, rows: self.rows, bytes: sink.bytes, first, last, time, received })
        });
        if named.is_err() {
            let _ = self.disk.remove(&self.unfinished);
        }
        named.map(Some)
    }
}

/// The beginning of a SHA-256 as it stands in a part's name: 16 hexadecimal digits.
pub(crate) fn digest(hash: Sha256) -> String {
    hash.finalize().iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by("bellwether".to_owned())
        .set_compression(Compression::LZ4_RAW)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(vec![
            KeyValue::new("bellwether.part".to_owned(), "2".to_owned()),
            KeyValue::new("bellwether.buckets".to_owned(), BUCKETS.to_string()),
        ]));
    // Numbers that grow slowly take little as differences.
    for column in ["time", "received", "seq", "session"] {
        properties = properties
            .set_column_dictionary_enabled(ColumnPath::from(column), false)
            .set_column_encoding(ColumnPath::from(column), Encoding::DELTA_BINARY_PACKED);
    }
    // Names that the sender made unique only fill a dictionary.
    for column in ["insert_id", "insert_uuid"] {
        properties = properties
            .set_column_dictionary_enabled(ColumnPath::from(column), false)
            .set_column_statistics_enabled(ColumnPath::from(column), EnabledStatistics::None);
    }
    properties.set_column_compression(ColumnPath::from("insert_uuid"), Compression::UNCOMPRESSED).build()
}
