//! Store: hot columns as they are written, block by block, beside the part that the same rows go into.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::Schema;
use bellwether_model::event::{BOT, FLAG_KEY, VARIANT};
use rustc_hash::FxHashMap;

use super::{Block, Chunk, Index, MAGIC, VERSION, path};
use crate::disk::{Disk, Writing};
use crate::error::StoreError;
use crate::part::decode::{Why, column, instants, numbers};
use crate::part::shape::{Shape, Texts};
use crate::part::{Kind, ROW_GROUP};

/// Properties of a block that are hot, at most.
const PROPERTIES: usize = 24;
/// Distinct texts of a property in a block, at most, and their bytes: one for each row.
const TEXTS: usize = 4_096;
const TEXT_BYTES: usize = ROW_GROUP;
/// Distinct fractions of a property in a block, at most.
const FRACTIONS: usize = 16_384;
/// The columns that every block has, in their order.
const FIXED: [&str; 6] = ["environment", "event", "time", "user", "device", "seq"];

/// The bytes of hot columns, from the rows of their part in order. It depends on the rows alone and not on how they are
/// cut into batches, so that a file can be compared with what it should be.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// Which columns of a batch are looked at, and of which shape those of properties are.
    kept: Vec<usize>,
    shapes: Vec<Option<Shape>>,
    held: Vec<RecordBatch>,
    rows: usize,
    at: u64,
    index: Index,
}

/// A column of a block on its way.
#[derive(Debug, Default)]
struct Column {
    base: i64,
    values: u32,
    texts: u32,
    /// The distinct values, where there are some.
    dictionary: Vec<u8>,
    /// A number for each row.
    numbers: Vec<u64>,
}

impl Encoder {
    /// For rows of this schema. What comes first goes to `out`; so does, below, what follows.
    pub(crate) fn begin(schema: &Schema, out: &mut Vec<u8>) -> Self {
        let (mut kept, mut shapes, mut columns) = (Vec::new(), Vec::new(), Vec::new());
        for (at, field) in schema.fields().iter().enumerate() {
            let fixed = FIXED.contains(&field.name().as_str());
            let property = Kind::ALL.iter().any(|kind| kind.property(field.name()).is_some());
            let shape = Shape::of(field).filter(|shape| property && *shape != Shape::Json);
            if fixed || shape.is_some() {
                kept.push(at);
                shapes.push(shape);
                columns.push(field.name().clone());
            }
        }
        out.extend_from_slice(MAGIC);
        let index = Index { columns, blocks: Vec::new() };
        Self { kept, shapes, held: Vec::new(), rows: 0, at: MAGIC.len() as u64, index }
    }

    /// The columns of a part of this schema that it looks at.
    pub(crate) fn columns(schema: &Schema) -> Vec<String> {
        Self::begin(schema, &mut Vec::new()).index.columns
    }

    /// Adds rows.
    pub(crate) fn push(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Why> {
        let batch = batch.project(&self.kept)?;
        let mut at = 0;
        while at < batch.num_rows() {
            let piece = (ROW_GROUP - self.rows).min(batch.num_rows() - at);
            self.held.push(batch.slice(at, piece));
            self.rows += piece;
            at += piece;
            if self.rows == ROW_GROUP {
                self.block(out)?;
            }
        }
        Ok(())
    }

    /// Ends it.
    pub(crate) fn finish(mut self, out: &mut Vec<u8>) -> Result<(), Why> {
        if self.rows > 0 {
            self.block(out)?;
        }
        let index = rmp_serde::to_vec(&self.index)?;
        out.extend_from_slice(&index);
        out.extend_from_slice(&(index.len() as u64).to_le_bytes());
        out.extend_from_slice(&crc32fast::hash(&index).to_le_bytes());
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(MAGIC);
        Ok(())
    }

    fn block(&mut self, out: &mut Vec<u8>) -> Result<(), Why> {
        let batches = std::mem::take(&mut self.held);
        let rows = std::mem::take(&mut self.rows);
        let arrays = |name: &str| -> Result<Vec<&ArrayRef>, Why> {
            batches.iter().map(|batch| column(batch, name)).collect()
        };
        let mut times = Vec::with_capacity(rows);
        for batch in &batches {
            times.extend_from_slice(instants(batch, "time")?.values());
        }
        let least = times.iter().copied().min().unwrap_or_default();
        let most = times.iter().copied().max().unwrap_or_default();
        let since = |time: i64| time.wrapping_sub(least).cast_unsigned();
        let user = Column::texts(&arrays("user")?, rows, usize::MAX, usize::MAX)?.unwrap_or_default();

        // Only rows without a user need their place: the others repeat what was before, which takes next to nothing.
        let mut seqs = Vec::with_capacity(rows);
        for batch in &batches {
            seqs.extend_from_slice(numbers(batch, "seq")?.values());
        }
        let alone = || seqs.iter().zip(&user.numbers).filter(|(_, user)| **user == 0).map(|(seq, _)| *seq);
        let first = alone().min().unwrap_or_default();
        let mut before = first;
        for (seq, user) in seqs.iter_mut().zip(&user.numbers) {
            before = if *user == 0 { *seq } else { before };
            *seq = before - first;
        }

        let mut block = Block { rows: u32::try_from(rows)?, time: (least, most), chunks: Vec::new() };
        for (at, name) in self.index.columns.iter().enumerate() {
            let column = match name.as_str() {
                "time" => Column {
                    base: least,
                    numbers: times.iter().map(|&time| since(time)).collect(),
                    ..Column::default()
                },
                "seq" => Column {
                    base: i64::try_from(first)?,
                    numbers: std::mem::take(&mut seqs),
                    ..Column::default()
                },
                "environment" | "event" | "device" => {
                    Column::texts(&arrays(name)?, rows, usize::MAX, usize::MAX)?.unwrap_or_default()
                }
                _ => continue,
            };
            column.write((at, &mut self.at), &mut block.chunks, out)?;
        }
        let of = |name: &str| self.index.columns.iter().position(|column| column == name);
        user.write((of("user").ok_or("there is no column `user`")?, &mut self.at), &mut block.chunks, out)?;

        for at in foremost(&self.index.columns, &self.shapes, &batches) {
            if block.chunks.len() >= FIXED.len() + PROPERTIES {
                break;
            }
            let (Some(Some(shape)), Some(name)) = (self.shapes.get(at), self.index.columns.get(at)) else {
                continue;
            };
            if let Some(column) = Column::property(*shape, &arrays(name)?, rows)? {
                column.write((at, &mut self.at), &mut block.chunks, out)?;
            }
        }
        self.index.blocks.push(block);
        Ok(())
    }
}

/// The properties that are worth most, first: those that nearly every question asks for, then those that most rows have.
fn foremost(columns: &[String], shapes: &[Option<Shape>], batches: &[RecordBatch]) -> Vec<usize> {
    let usual = [BOT, FLAG_KEY, VARIANT].map(|name| Kind::Event.column(name));
    let mut found = Vec::new();
    for (at, (name, _)) in columns.iter().zip(shapes).enumerate().filter(|(_, (_, shape))| shape.is_some()) {
        let filled = |batch: &RecordBatch| batch.num_rows() - batch.column(at).null_count();
        let rows: usize = batches.iter().map(filled).sum();
        if rows > 0 {
            found.push((std::cmp::Reverse(usual.contains(name)), std::cmp::Reverse(rows), at));
        }
    }
    found.sort_unstable();
    found.into_iter().map(|(.., at)| at).collect()
}

impl Column {
    /// A column of text; `None` where there are more distinct values than `most`, or they take more bytes.
    fn texts(arrays: &[&ArrayRef], rows: usize, most: usize, bytes: usize) -> Result<Option<Self>, Why> {
        let mut known: FxHashMap<&str, u64> = FxHashMap::default();
        let (mut text, mut ends) = (String::new(), Vec::<u8>::new());
        let mut numbers = Vec::with_capacity(rows);
        for array in arrays {
            let texts = Texts::of(array)?;
            // The number of each code, once it is known.
            let mut slots = vec![0_u64; texts.values().len()];
            for code in texts.codes() {
                let Some(code) = code else {
                    numbers.push(0);
                    continue;
                };
                let slot = slots.get_mut(code).ok_or("a code has no text")?;
                if *slot == 0 {
                    let value = texts.values().value(code);
                    let next = known.len() as u64 + 1;
                    *slot = *known.entry(value).or_insert(next);
                    if *slot == next {
                        text.push_str(value);
                        ends.extend_from_slice(&u32::try_from(text.len())?.to_le_bytes());
                        if known.len() > most || text.len() > bytes {
                            return Ok(None);
                        }
                    }
                }
                numbers.push(*slot);
            }
        }
        let (values, texts) = (u32::try_from(known.len())?, u32::try_from(text.len())?);
        ends.extend_from_slice(text.as_bytes());
        Ok(Some(Self { base: 0, values, texts, dictionary: ends, numbers }))
    }

    /// A column of a property; `None` where it would take too many bytes.
    fn property(shape: Shape, arrays: &[&ArrayRef], rows: usize) -> Result<Option<Self>, Why> {
        let mut column = Self { numbers: Vec::with_capacity(rows), ..Self::default() };
        let wrong = || "a property has a column of another type";
        match shape {
            Shape::Text => return Self::texts(arrays, rows, TEXTS, TEXT_BYTES),
            Shape::Boolean => {
                for array in arrays {
                    let array = array.as_boolean_opt().ok_or_else(wrong)?;
                    column.numbers.extend(array.iter().map(|x| x.map_or(0, |x| 1 + u64::from(x))));
                }
            }
            Shape::Integer => {
                let typed = |array: &&'_ ArrayRef| array.as_primitive_opt::<Int64Type>().cloned();
                let arrays: Vec<_> =
                    arrays.iter().map(|array| typed(array).ok_or_else(wrong)).collect::<Result<_, _>>()?;
                let all = || arrays.iter().flat_map(|array| array.iter().flatten());
                let (least, most) = (all().min().unwrap_or_default(), all().max().unwrap_or_default());
                if most.abs_diff(least) >= u64::from(u32::MAX) {
                    return Ok(None);
                }
                column.base = least.wrapping_sub(1);
                let number = |x: i64| x.wrapping_sub(column.base).cast_unsigned();
                column.numbers = arrays.iter().flat_map(|a| a.iter()).map(|x| x.map_or(0, number)).collect();
            }
            Shape::Float { .. } => {
                let mut known: FxHashMap<u64, u64> = FxHashMap::default();
                for array in arrays {
                    for x in array.as_primitive_opt::<Float64Type>().ok_or_else(wrong)? {
                        let Some(x) = x else {
                            column.numbers.push(0);
                            continue;
                        };
                        let next = known.len() as u64 + 1;
                        let number = *known.entry(x.to_bits()).or_insert(next);
                        if number == next {
                            column.dictionary.extend_from_slice(&x.to_le_bytes());
                            if known.len() > FRACTIONS {
                                return Ok(None);
                            }
                        }
                        column.numbers.push(number);
                    }
                }
                column.values = u32::try_from(known.len())?;
            }
            Shape::Json => return Ok(None),
        }
        Ok(Some(column))
    }

    /// Appends it to the bytes, which begin at `at` in the file, and to the chunks.
    fn write(
        self,
        (column, at): (usize, &mut u64),
        chunks: &mut Vec<Chunk>,
        out: &mut Vec<u8>,
    ) -> Result<(), Why> {
        let begin = out.len();
        out.extend_from_slice(&self.dictionary);
        let (width, runs) = pack(&self.numbers, out);
        let bytes = out.get(begin..).unwrap_or_default();
        chunks.push(Chunk {
            column: u32::try_from(column)?,
            at: *at,
            bytes: u32::try_from(bytes.len())?,
            crc: crc32fast::hash(bytes),
            base: self.base,
            width,
            runs,
            values: self.values,
            texts: self.texts,
        });
        *at += bytes.len() as u64;
        Ok(())
    }
}

/// Appends numbers in the shorter way: the bytes of each, and how many runs there are where those are written.
fn pack(numbers: &[u64], out: &mut Vec<u8>) -> (u8, u32) {
    let greatest = numbers.iter().copied().fold(0, u64::max);
    let width = (64 - greatest.leading_zeros()).div_ceil(8) as usize;
    let narrow = u8::try_from(width).unwrap_or(8);
    let turns = numbers.windows(2).filter(|pair| matches!(pair, [a, b] if a != b)).count();
    let runs = turns + usize::from(!numbers.is_empty());
    if width == 0 || runs * (width + 4) >= numbers.len() * width {
        put(width, numbers.iter().copied(), out);
        return (narrow, 0);
    }
    let ends = || (1..).zip(numbers).zip(numbers.iter().skip(1).map(Some).chain([None]));
    let last = || ends().filter(|((_, here), next)| *next != Some(*here)).map(|(run, _)| run);
    put(width, last().map(|(_, &number)| number), out);
    last().for_each(|(end, _): (u32, _)| out.extend_from_slice(&end.to_le_bytes()));
    (narrow, u32::try_from(runs).unwrap_or(u32::MAX))
}

/// Appends numbers, of each so many bytes: with loops of its own for the usual widths, for they are most of the work.
fn put(width: usize, numbers: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
    fn narrow<const WIDTH: usize>(numbers: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
        numbers.for_each(|number| {
            out.extend_from_slice(number.to_le_bytes().first_chunk::<WIDTH>().unwrap_or(&[0; WIDTH]));
        });
    }
    match width {
        0 => {}
        1 => narrow::<1>(numbers, out),
        2 => narrow::<2>(numbers, out),
        3 => narrow::<3>(numbers, out),
        4 => narrow::<4>(numbers, out),
        _ => numbers.for_each(|n| out.extend_from_slice(n.to_le_bytes().get(..width).unwrap_or_default())),
    }
}

/// Hot columns that are being written to a disk. Dropped, they leave nothing behind.
#[derive(Debug)]
pub(crate) struct Writer {
    disk: Arc<dyn Disk>,
    unfinished: PathBuf,
    file: Option<BufWriter<Box<dyn Writing>>>,
    encoder: Encoder,
    out: Vec<u8>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = self.disk.remove(&self.unfinished);
        }
    }
}

impl Writer {
    /// Begins a file, under this name until it is whole, of rows of this schema.
    pub(crate) fn begin(
        disk: &Arc<dyn Disk>,
        unfinished: PathBuf,
        schema: &Schema,
    ) -> Result<Self, StoreError> {
        let file = disk.create(&unfinished).map_err(StoreError::io("create", &unfinished))?;
        let mut out = Vec::new();
        let encoder = Encoder::begin(schema, &mut out);
        let file = Some(BufWriter::with_capacity(1 << 16, file));
        Ok(Self { disk: Arc::clone(disk), unfinished, file, encoder, out })
    }

    /// Adds rows.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let pushed = self.encoder.push(batch, &mut self.out);
        pushed.map_err(|why| refused(&self.unfinished, why))?;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(&self.out).map_err(StoreError::io("write", &self.unfinished))?;
        self.out.clear();
        Ok(())
    }

    /// Ends the file, syncs it, and puts it beside this part. Its name lasts once the directory is synced.
    pub(crate) fn finish(mut self, part: &Path) -> Result<(), StoreError> {
        let encoder = std::mem::replace(&mut self.encoder, Encoder::begin(&Schema::empty(), &mut Vec::new()));
        encoder.finish(&mut self.out).map_err(|why| refused(&self.unfinished, why))?;
        self.flush()?;
        let Some(file) = self.file.take() else { return Ok(()) };
        let ended = file
            .into_inner()
            .map_err(|e| e.into_error())
            .and_then(|mut file| file.sync())
            .and_then(|()| self.disk.rename(&self.unfinished, &path(part)))
            .map_err(StoreError::io("write", &path(part)));
        if ended.is_err() {
            let _ = self.disk.remove(&self.unfinished);
        }
        ended
    }
}

fn refused(what: &Path, why: Why) -> StoreError {
    StoreError::Storage { doing: "encode", what: what.to_owned(), cause: std::io::Error::other(why) }
}
