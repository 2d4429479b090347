//! Store: the first pass of a merge: which properties the parts have, and of what sort their values are, so that each gets its
//! column. From footers, and from the rows only where properties had no column of their own or rows go.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow_array::RecordBatch;
use bellwether_columns::ScanError;
use bellwether_model::Seq;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::Kind;
use super::decode::{Why, object as parse};
use super::join::{BATCH, kept};
use super::read::Part;
use super::shape::{Observed, Shape};
use crate::packed::Cell;

/// Parts that are looked through.
pub(super) struct Survey {
    /// What was seen of each property, of events and of users.
    pub(super) seen: [BTreeMap<String, Observed>; 2],
    /// Columns of the rest that are still to be read.
    left: VecDeque<(usize, usize)>,
    reading: Option<(ParquetRecordBatchReader, usize, usize)>,
}

impl std::fmt::Debug for Survey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Survey").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Survey {
    /// Footers say enough where every row stays (`whole`). Else the rows do: a column of which none is left must go, name
    /// and all.
    pub(super) fn begin(parts: &[Arc<Part>], whole: bool) -> Self {
        let mut survey = Self { seen: Default::default(), left: VecDeque::new(), reading: None };
        for (at, part) in parts.iter().enumerate() {
            for (of, kind) in Kind::ALL.into_iter().enumerate() {
                let Some(seen) = survey.seen.get_mut(of) else { continue };
                for field in part.schema().fields() {
                    let Some(name) = kind.property(field.name()).filter(|_| whole) else { continue };
                    let (rows, within) = part.extent(field.name());
                    if let Some(column) = Observed::of(field, rows, within) {
                        let known = seen.entry(name.to_owned()).or_default();
                        *known = known.and(column);
                    }
                }
                if !whole || part.schema().column_with_name(kind.prefix()).is_some() {
                    survey.left.push_back((at, of));
                }
            }
        }
        survey
    }

    /// Whether it is done.
    pub(super) fn advance(
        &mut self,
        parts: &[Arc<Part>],
        without: &[Seq],
        rows: usize,
    ) -> Result<bool, ScanError> {
        let mut read = 0;
        while read < rows {
            let Some((reader, at, of)) = &mut self.reading else {
                let Some((at, of)) = self.left.pop_front() else { return Ok(true) };
                let (Some(part), Some(kind)) = (parts.get(at), Kind::ALL.get(of)) else { continue };
                let mut columns = vec![kind.prefix()];
                if !without.is_empty() {
                    columns.push("seq");
                    let fields = part.schema().fields().iter().map(|field| field.name().as_str());
                    columns.extend(fields.filter(|name| kind.property(name).is_some()));
                }
                let reader = part.batches(Some(&columns), BATCH).map_err(|why| part.unreadable(&why))?;
                self.reading = Some((reader, at, of));
                continue;
            };
            let (Some(part), Some(kind), Some(seen)) =
                (parts.get(*at), Kind::ALL.get(*of), self.seen.get_mut(*of))
            else {
                continue;
            };
            let mut look = |batch: Result<RecordBatch, arrow_schema::ArrowError>| -> Result<(), Why> {
                let batch = batch?;
                read += batch.num_rows();
                let batch = kept(&batch, without)?;
                if let Some(rest) = batch.column_by_name(kind.prefix()) {
                    for row in 0..batch.num_rows() {
                        for (name, value) in parse(rest, row)? {
                            seen.entry(name).or_default().see(&Cell::from(&value));
                        }
                    }
                }
                for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
                    let Some(name) = kind.property(field.name()) else { continue };
                    let shape = Shape::of(field).ok_or("a property has a column of an unknown type")?;
                    for row in 0..batch.num_rows() {
                        if let Some(value) = shape.value(array, row)? {
                            seen.entry(name.to_owned()).or_default().see(&Cell::from(&value));
                        }
                    }
                }
                Ok(())
            };
            match reader.next() {
                Some(batch) => look(batch).map_err(|why| part.unreadable(&why))?,
                None => self.reading = None,
            }
        }
        Ok(false)
    }
}
