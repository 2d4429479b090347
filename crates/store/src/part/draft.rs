//! Store: a part that is being written, batch by batch, with its hot columns, until it is whole and gets its name.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_schema::Schema;
use bellwether_model::{Millis, Seq};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};

use super::{BUCKETS, ROW_GROUP, hot};
use crate::disk::{Disk, Writing};
use crate::error::StoreError;
use crate::files::UNFINISHED;
use crate::manifest::Entry;

/// A part without its end. Dropped, it leaves nothing behind.
pub(super) struct Draft {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    unfinished: PathBuf,
    writer: Option<ArrowWriter<Sink>>,
    hot: Option<hot::Writer>,
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
        let sink = Sink { inner: BufWriter::with_capacity(1 << 18, file), hash: Sha256::new(), bytes: 0 };
        let mut draft = Self {
            disk: Arc::clone(disk),
            dir: dir.to_owned(),
            unfinished,
            writer: None,
            hot: None,
            rows: 0,
            seqs: (first, last),
            time: None,
            received: None,
        };
        let writer = ArrowWriter::try_new(sink, Arc::clone(schema), Some(properties()));
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

    /// Adds rows that follow, in order, those before.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let refused = |name| self.refused(ParquetError::General(format!("there is no column `{name}`")));
        let times = |name| {
            let column = batch.column_by_name(name);
            column.and_then(|c| c.as_primitive_opt::<TimestampMillisecondType>()).ok_or_else(|| refused(name))
        };
        let (time, received) = (times("time")?, times("received")?);
        for (column, extent) in [(time, &mut self.time), (received, &mut self.received)] {
            for &at in column.values().iter() {
                let (min, max) = extent.get_or_insert((Millis(at), Millis(at)));
                *min = (*min).min(Millis(at));
                *max = (*max).max(Millis(at));
            }
        }
        self.rows += batch.num_rows() as u64;
        if let Some(hot) = &mut self.hot {
            hot.push(batch)?;
        }
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.write(batch).map_err(|cause| self.refused(cause))
    }

    /// Ends it, syncs it and gives it its name. The name itself lasts once the directory is synced. `None`
    /// where no row was written.
    pub(super) fn finish(mut self) -> Result<Option<Entry>, StoreError> {
        let (Some(time), Some(received)) = (self.time, self.received) else { return Ok(None) };
        let Some(writer) = self.writer.take() else { return Ok(None) };
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

/// Hashes and counts what passes through.
struct Sink {
    inner: BufWriter<Box<dyn Writing>>,
    hash: Sha256,
    bytes: u64,
}

impl Write for Sink {
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
