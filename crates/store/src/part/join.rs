//! Store: several parts into one, or one without some of its rows. A piece at a time, in the memory of one batch of each.
//!
//! First their bytes are held against their names ([`Whole`]). Then a pass says which column each property gets ([`Survey`]), and
//! another merges the rows, which are sorted in each part.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow_schema::Schema;
use arrow_select::filter::filter_record_batch;
use arrow_select::interleave::interleave;
use bellwether_model::Seq;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::Kind;
use super::convert::convert;
use super::decode::{Why, column, instants, numbers};
use super::draft::{Columns, Draft};
use super::read::Part;
use super::shape::Texts;
use super::survey::Survey;
use super::tell::Told;
use super::texts::{Chunk, NONE};
use super::whole::Whole;
use super::write::{Layout, bucket, fixed_fields};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::manifest::Entry;
use crate::seal::unreadable;

/// Rows of a batch, of each part one.
pub(super) const BATCH: usize = if cfg!(test) { 5 } else { 8_192 };

/// About how many bytes of a part a row takes.
const ROW: usize = 64;

/// A merge under way. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Join {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    parts: Vec<Arc<Part>>,
    without: Arc<[Seq]>,
    state: State,
}

#[derive(Debug)]
enum State {
    Whole(Whole),
    Survey(Survey),
    Rows(Box<Rows>),
    Done,
}

impl Join {
    /// A merge of these parts, which follow each other, into one in `dir`, without the rows with these places in the
    /// log, which rise. At least one row stays.
    pub(crate) fn begin(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        parts: Vec<Arc<Part>>,
        without: Arc<[Seq]>,
    ) -> Self {
        // Of what must go the rest stays as it reads: nobody waits for a disk to be forgotten.
        let state = State::Whole(Whole::begin(&parts, without.is_empty()));
        Self { disk: Arc::clone(disk), dir: dir.to_owned(), parts, without, state }
    }

    /// The rows that are left out.
    pub(crate) fn without(&self) -> &Arc<[Seq]> {
        &self.without
    }

    /// What is merged.
    pub(crate) fn parts(&self) -> &[Arc<Part>] {
        &self.parts
    }

    /// Goes on for about so many rows; says what it wrote when it is done. The name of the new part does not
    /// last before the directory is synced. After an error it must be begun again.
    pub(crate) fn advance(&mut self, rows: usize) -> Result<Option<Entry>, StoreError> {
        match &mut self.state {
            State::Whole(whole) => {
                if whole.advance(rows.saturating_mul(ROW)).map_err(unreadable)? {
                    self.state = State::Survey(Survey::begin(&self.parts, self.without.is_empty()));
                }
                Ok(None)
            }
            State::Survey(survey) => {
                if survey.advance(&self.parts, &self.without, rows).map_err(unreadable)? {
                    let layouts = Kind::ALL.map(|kind| {
                        let seen = match kind {
                            Kind::Event => &mut survey.seen[0],
                            Kind::User => &mut survey.seen[1],
                        };
                        Layout::of(kind, std::mem::take(seen))
                    });
                    self.state = State::Rows(Box::new(Rows::begin(
                        &self.disk,
                        &self.dir,
                        &self.parts,
                        &self.without,
                        layouts,
                    )?));
                }
                Ok(None)
            }
            State::Rows(merge) => {
                if merge.advance(rows)? {
                    let State::Rows(merge) = std::mem::replace(&mut self.state, State::Done) else {
                        return Ok(None);
                    };
                    return merge.draft.finish();
                }
                Ok(None)
            }
            State::Done => Ok(None),
        }
    }
}

/// The columns of the new part.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) schema: Arc<Schema>,
    pub(super) layouts: [Layout; 2],
    pub(super) told: Vec<Told>,
}

impl Plan {
    fn of(parts: &[Arc<Part>], layouts: [Layout; 2]) -> Self {
        let told = Told::in_parts(parts);
        let mut fields = fixed_fields();
        fields.extend(layouts.iter().flat_map(Layout::fields));
        fields.extend(told.iter().map(|told| told.field()));
        Self { schema: Arc::new(Schema::new(fields)), layouts, told }
    }
}

/// The second pass.
#[derive(Debug)]
struct Rows {
    plan: Plan,
    /// Parts that have rows left.
    inputs: Vec<Input>,
    draft: Draft,
}

impl Rows {
    fn begin(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        parts: &[Arc<Part>],
        without: &Arc<[Seq]>,
        layouts: [Layout; 2],
    ) -> Result<Self, StoreError> {
        let plan = Plan::of(parts, layouts);
        let seqs = |of: fn(&Entry) -> Seq| parts.iter().map(move |p| of(p.entry()));
        let first = seqs(|e| e.first).min().unwrap_or_default();
        let last = seqs(|e| e.last).max().unwrap_or_default();
        let mut inputs = Vec::with_capacity(parts.len());
        for part in parts {
            let mut input = Input::open(part, &plan.layouts, without)?;
            if input.refill(&plan)? {
                inputs.push(input);
            }
        }
        let draft = Draft::begin(disk, dir, (first, last), &plan.schema)?;
        Ok(Self { plan, inputs, draft })
    }

    /// Whether all rows are written.
    fn advance(&mut self, rows: usize) -> Result<bool, StoreError> {
        let mut written = 0;
        while written < rows {
            let picks = match self.inputs.as_mut_slice() {
                // Nothing to compare with: what is left of the batch goes as it is.
                [only] => {
                    let rest = std::mem::replace(&mut only.row, only.batch.num_rows())..only.batch.num_rows();
                    rest.map(|row| (0, row)).collect()
                }
                several => pick(several),
            };
            written += picks.len();
            let mut left = picks.as_slice();
            while !left.is_empty() {
                let (now, later) = left.split_at(left.len().min(self.draft.room()));
                self.draft.write(now.len(), &mut Picked { inputs: &mut self.inputs, rows: now })?;
                if self.draft.is_between_groups() {
                    // The next row group has dictionaries of its own.
                    self.inputs.iter_mut().for_each(|input| input.known.clear());
                }
                left = later;
            }
            let mut at = 0;
            while let Some(input) = self.inputs.get_mut(at) {
                if input.row < input.batch.num_rows() || input.refill(&self.plan)? {
                    at += 1;
                } else {
                    self.inputs.swap_remove(at);
                }
            }
            if self.inputs.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Rows of several inputs, in their order: which input, and which row of its batch.
struct Picked<'p> {
    inputs: &'p mut [Input],
    rows: &'p [(usize, usize)],
}

impl Columns for Picked<'_> {
    fn texts(&mut self, at: usize, into: &mut Chunk) -> Result<(), Why> {
        let mut columns = Vec::with_capacity(self.inputs.len());
        for input in self.inputs.iter_mut() {
            let texts = Texts::of(input.batch.column(at))?;
            if input.known.len() <= at {
                input.known.resize_with(at + 1, Known::default);
            }
            let known = input.known.get_mut(at).ok_or("a column is missing")?;
            known.of(texts.values());
            columns.push((texts, known));
        }
        for &(input, row) in self.rows {
            let (texts, known) = columns.get_mut(input).ok_or("an input is missing")?;
            let code = texts.code(row);
            into.push_coded(code, &mut known.codes, || code.map_or("", |code| texts.values().value(code)));
        }
        Ok(())
    }

    fn array(&mut self, at: usize) -> Result<ArrayRef, Why> {
        let arrays: Vec<&dyn Array> = self.inputs.iter().map(|input| &**input.batch.column(at)).collect();
        Ok(match (arrays.as_slice(), self.rows.first()) {
            ([only], Some(&(_, row))) => only.slice(row, self.rows.len()),
            _ => interleave(&arrays, self.rows)?,
        })
    }
}

/// Which number the texts of a dictionary have in the row group that is written.
#[derive(Debug, Default)]
struct Known {
    /// Held, so that no other lies where it does.
    values: Option<StringArray>,
    codes: Vec<u32>,
}

impl Known {
    /// Nothing is known of a dictionary that is not the one of the last batch.
    fn of(&mut self, values: &StringArray) {
        let place =
            |values: &StringArray| (values.values().as_ptr(), values.offsets().as_ptr(), values.len());
        if self.values.as_ref().is_none_or(|last| place(last) != place(values)) {
            self.values = Some(values.clone());
            self.codes.clear();
            self.codes.resize(values.len(), NONE);
        }
    }
}

/// The next rows in order, until the batch of one input is used up: which input, and which row of its batch.
fn pick(inputs: &mut [Input]) -> Vec<(usize, usize)> {
    let mut picks = Vec::with_capacity(BATCH);
    loop {
        let mut least: Option<usize> = None;
        let mut second: Option<usize> = None;
        for (i, input) in inputs.iter().enumerate() {
            let before = |other: Option<usize>| {
                other
                    .and_then(|o| inputs.get(o))
                    .is_none_or(|other| input.key(input.row) < other.key(other.row))
            };
            if before(least) {
                second = least.replace(i);
            } else if before(second) {
                second = Some(i);
            }
        }
        let Some(least) = least else { return picks };
        let limit = second.and_then(|s| inputs.get(s)).map(|s| s.key(s.row));
        let Some(input) = inputs.get(least) else { return picks };
        // A unit's line is usually long: go on in this part as far as it is the least.
        let mut row = input.row;
        while row < input.batch.num_rows() && limit.is_none_or(|limit| input.key(row) < limit) {
            picks.push((least, row));
            row += 1;
        }
        let used_up = row == input.batch.num_rows();
        if let Some(input) = inputs.get_mut(least) {
            input.row = row;
        }
        if used_up {
            return picks;
        }
    }
}

/// A part that is read from its beginning to its end.
struct Input {
    part: Arc<Part>,
    reader: ParquetRecordBatchReader,
    without: Arc<[Seq]>,
    /// For each kind: whether some of its properties must be moved between columns and the rest.
    moves: [bool; 2],
    /// The rows at hand, in the columns of the new part, and the next of them.
    batch: RecordBatch,
    row: usize,
    keys: Vec<Key>,
    units: Vec<Box<str>>,
    /// Of each column of text, what is known of its dictionary.
    known: Vec<Known>,
}

/// What rows are sorted by, but for the text of the unit.
#[derive(Debug, Clone, Copy)]
struct Key {
    bucket: u32,
    unit: usize,
    time: i64,
    seq: u64,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("part", &self.part).field("row", &self.row).finish_non_exhaustive()
    }
}

impl Input {
    fn open(part: &Arc<Part>, layouts: &[Layout; 2], without: &Arc<[Seq]>) -> Result<Self, StoreError> {
        let reader = part.batches(None, BATCH).map_err(|why| unreadable(part.unreadable(&why)))?;
        let moves = layouts.each_ref().map(|layout| {
            let schema = part.schema();
            let demoted = schema.fields().iter().any(|field| {
                layout.kind.property(field.name()).is_some_and(|name| layout.shape(name).is_none())
            });
            demoted || schema.column_with_name(layout.kind.prefix()).is_some()
        });
        Ok(Self {
            part: Arc::clone(part),
            reader,
            without: Arc::clone(without),
            moves,
            batch: RecordBatch::new_empty(Arc::new(Schema::empty())),
            row: 0,
            keys: Vec::new(),
            units: Vec::new(),
            known: Vec::new(),
        })
    }

    fn key(&self, row: usize) -> (u32, &str, i64, u64) {
        let Some(key) = self.keys.get(row) else { return (u32::MAX, "", 0, 0) };
        (key.bucket, self.units.get(key.unit).map_or("", |unit| unit), key.time, key.seq)
    }

    /// Reads the next batch, and says whether there was one.
    fn refill(&mut self, plan: &Plan) -> Result<bool, StoreError> {
        let mut read = || -> Result<bool, Why> {
            let batch = loop {
                let Some(batch) = self.reader.next().transpose()? else { return Ok(false) };
                let batch = kept(&batch, &self.without)?;
                if batch.num_rows() > 0 {
                    break batch;
                }
            };
            self.sort_keys(&batch)?;
            self.batch = convert(&batch, plan, self.moves)?;
            self.row = 0;
            Ok(true)
        };
        read().map_err(|why| unreadable(self.part.unreadable(&why)))
    }

    fn sort_keys(&mut self, batch: &RecordBatch) -> Result<(), Why> {
        let user = Texts::of(column(batch, "user")?)?;
        let device = Texts::of(column(batch, "device")?)?;
        let (time, seq) = (instants(batch, "time")?, numbers(batch, "seq")?);
        self.keys.clear();
        self.units.clear();
        let mut hash = 0;
        for row in 0..batch.num_rows() {
            let unit = user.get(row).or(device.get(row)).unwrap_or_default();
            if self.units.last().is_none_or(|last| **last != *unit) {
                self.units.push(unit.into());
                hash = bucket(unit);
            }
            let unit = self.units.len() - 1;
            self.keys.push(Key { bucket: hash, unit, time: time.value(row), seq: seq.value(row) });
        }
        Ok(())
    }
}

/// The rows of a batch that stay.
pub(super) fn kept(batch: &RecordBatch, without: &[Seq]) -> Result<RecordBatch, Why> {
    if without.is_empty() {
        return Ok(batch.clone());
    }
    let seq = numbers(batch, "seq")?;
    let stays = seq.values().iter().map(|&seq| without.binary_search(&Seq(seq)).is_err());
    Ok(filter_record_batch(batch, &BooleanArray::from(stays.collect::<Vec<bool>>()))?)
}
