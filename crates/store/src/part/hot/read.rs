//! Store: hot columns as they are asked. Of a block no more is read than the question needs, a column at a time.

use std::sync::Arc;

use bellwether_columns::{Batch, Cells, Ids, Strings, Want, Words};
use bellwether_model::Seq;

use super::{Block, Chunk, Hot};
use crate::disk::Reading;
use crate::part::decode::Why;
use crate::part::read::Part;
use crate::part::scan::{Asked, Source};
use crate::part::shape::Shape;

/// What a block has for a question.
#[derive(Debug)]
pub(crate) enum Found {
    /// No row.
    Nothing,
    /// These rows, and where people are asked for, their places in the log.
    Rows(Box<Batch>, Vec<Seq>),
    /// Perhaps some rows, of which not all is hot that is asked for.
    Elsewhere,
}

/// Somebody who reads. One column is in memory at a time.
#[derive(Debug)]
pub(crate) struct Reader<'h> {
    hot: &'h Hot,
    file: Arc<dyn Reading>,
    bytes: Vec<u8>,
}

/// The rows that are wanted.
#[derive(Debug)]
enum Picked {
    All(usize),
    Some(Vec<usize>),
}

/// A number for each row, as it lies in the file.
#[derive(Debug, Clone, Copy)]
struct Packed<'b> {
    numbers: &'b [u8],
    width: usize,
    /// Where each run ends; of nothing where each row has its number.
    ends: &'b [u8],
}

impl Hot {
    /// Whoever wants to read opens the file.
    pub(crate) fn reader(&self) -> Result<Reader<'_>, Why> {
        Ok(Reader { hot: self, file: self.disk.open(&self.path)?, bytes: Vec::new() })
    }

    fn chunk<'b>(&self, block: &'b Block, name: &str) -> Option<&'b Chunk> {
        let column = self.index.columns.iter().position(|column| column == name)?;
        block.chunks.iter().find(|chunk| chunk.column as usize == column)
    }
}

impl Reader<'_> {
    /// What the block of a row group has.
    pub(in crate::part) fn block(
        &mut self,
        group: usize,
        want: &Want,
        asked: &[Asked],
        part: &Part,
    ) -> Result<Found, Why> {
        let hot = self.hot;
        let block = hot.index.blocks.get(group).ok_or("a block is missing")?;
        let (from, to) = (want.from.0, want.to.0);
        if block.time.1 < from || block.time.0 >= to {
            return Ok(Found::Nothing);
        }
        let chunk = |name: &str| hot.chunk(block, name).ok_or_else(|| format!("`{name}` is missing"));
        let rows = block.rows as usize;

        // Whether each row stays, or nothing as long as all of them do.
        let mut pass: Option<Vec<bool>> = None;
        let mut keep = |of: &mut dyn FnMut(usize) -> bool| {
            let pass = pass.get_or_insert_with(|| vec![true; rows]);
            pass.iter_mut().enumerate().for_each(|(row, pass)| *pass &= of(row));
        };
        let all = Picked::All(rows);
        let (words, codes) = texts(self.bytes(chunk("environment")?)?, rows)?;
        let here = words.iter().position(|word| word == want.environment.as_str());
        let Some(here) = here else { return Ok(Found::Nothing) };
        if words.len() > 1 {
            let codes = codes.pick(&all, |code| code)?;
            keep(&mut |row| codes.get(row).is_some_and(|&code| code == here as u64 + 1));
        }
        let (kinds, codes) = texts(self.bytes(chunk("event")?)?, rows)?;
        let events: Vec<u32> = codes.pick(&all, |code| code as u32)?;
        if let Some(events_asked) = &want.events {
            let asked: Vec<bool> = kinds.iter().map(|kind| events_asked.iter().any(|e| e == kind)).collect();
            if !asked.contains(&true) {
                return Ok(Found::Nothing);
            }
            if asked.contains(&false) {
                // A code is one more than the place of its text.
                let asked: Vec<bool> = [false].into_iter().chain(asked).collect();
                keep(&mut |row| {
                    events.get(row).and_then(|&code| asked.get(code as usize)).copied().unwrap_or(false)
                });
            }
        }
        let time = chunk("time")?;
        let base = time.base;
        let times: Vec<i64> =
            numbers(self.bytes(time)?, rows)?.pick(&all, |since| base.wrapping_add(since.cast_signed()))?;
        if block.time.0 < from || block.time.1 >= to {
            keep(&mut |row| times.get(row).is_some_and(|&time| time >= from && time < to));
        }
        let picked = match pass {
            None => all,
            Some(pass) => {
                let rows: Vec<usize> =
                    pass.iter().enumerate().filter(|(_, pass)| **pass).map(|(row, _)| row).collect();
                if rows.is_empty() {
                    return Ok(Found::Nothing);
                }
                Picked::Some(rows)
            }
        };
        // Before anything is read for nothing.
        if !asked.iter().all(|asked| hot.has(block, group, asked, part)) {
            return Ok(Found::Elsewhere);
        }
        let mut batch = Batch {
            rows: picked.len(),
            event: strings(picked.of(events.iter().map(|code| code.wrapping_sub(1)).collect()), kinds)?,
            time: picked.of(times),
            ..Batch::default()
        };
        if want.ids != Ids::None {
            batch.user = self.column_of_texts(chunk("user")?, rows, &picked)?;
            batch.device = self.column_of_texts(chunk("device")?, rows, &picked)?;
        }
        let mut seqs = Vec::new();
        if want.ids.known().is_some() {
            let chunk = chunk("seq")?;
            let base = chunk.base.cast_unsigned();
            seqs = numbers(self.bytes(chunk)?, rows)?.pick(&picked, |since| Seq(base.wrapping_add(since)))?;
        }
        for asked in asked {
            let cells = match &asked.source {
                Source::Own(name) => match hot.chunk(block, name) {
                    Some(chunk) => self.cells(chunk, part, name, rows, &picked)?,
                    None => Cells::Missing,
                },
                Source::Nowhere | Source::Among(_) => Cells::Missing,
            };
            batch.properties.push(cells);
        }
        Ok(Found::Rows(Box::new(batch), seqs))
    }

    /// The bytes of a chunk, as they were written.
    fn bytes<'r, 'c>(&'r mut self, chunk: &'c Chunk) -> Result<(&'r [u8], &'c Chunk), Why> {
        self.bytes.resize(chunk.bytes as usize, 0);
        self.file.read_at(chunk.at, &mut self.bytes)?;
        if crc32fast::hash(&self.bytes) != chunk.crc {
            return Err(format!("the chunk at byte `{}` is not what was written", chunk.at).into());
        }
        Ok((&self.bytes, chunk))
    }

    fn column_of_texts(&mut self, chunk: &Chunk, rows: usize, picked: &Picked) -> Result<Strings, Why> {
        let (words, codes) = texts(self.bytes(chunk)?, rows)?;
        strings(codes.pick(picked, |code| (code as u32).wrapping_sub(1))?, words)
    }

    /// The values of a property in the rows that are wanted.
    fn cells(
        &mut self,
        chunk: &Chunk,
        part: &Part,
        name: &str,
        rows: usize,
        picked: &Picked,
    ) -> Result<Cells, Why> {
        let shape = part.schema().field_with_name(name).ok().and_then(Shape::of);
        let base = chunk.base;
        let read = self.bytes(chunk)?;
        // As a scan of pages does: a column in which nobody has a value is none.
        let typed = |values: Vec<Option<f64>>| {
            if values.iter().all(Option::is_none) { Cells::Missing } else { Cells::Numbers(values) }
        };
        Ok(match shape {
            Some(Shape::Text) => {
                let (words, codes) = texts(read, rows)?;
                let codes: Vec<u32> = codes.pick(picked, |code| (code as u32).wrapping_sub(1))?;
                if codes.iter().all(|&code| code == u32::MAX) {
                    Cells::Missing
                } else {
                    Cells::Text(strings(codes, words)?)
                }
            }
            Some(Shape::Boolean) => {
                let values: Vec<Option<bool>> =
                    numbers(read, rows)?.pick(picked, |x| (x > 0).then_some(x == 2))?;
                if values.iter().all(Option::is_none) { Cells::Missing } else { Cells::Booleans(values) }
            }
            // As `serde_json` reads an integer as a float: the nearest one.
            #[allow(clippy::cast_precision_loss)]
            Some(Shape::Integer) => typed(
                numbers(read, rows)?
                    .pick(picked, |x| (x > 0).then_some(base.wrapping_add(x.cast_signed()) as f64))?,
            ),
            Some(Shape::Float { .. }) => {
                let (values, codes) = split(read, rows, 8 * chunk.values as usize)?;
                let (values, _) = values.as_chunks::<8>();
                let values: Vec<f64> = values.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
                let value = |x: u64| values.get(usize::try_from(x).ok()?.checked_sub(1)?).copied();
                typed(codes.pick(picked, value)?)
            }
            Some(Shape::Json) | None => return Err(format!("`{name}` has another type").into()),
        })
    }
}

impl Hot {
    /// Whether a block can say what a property is in its rows.
    fn has(&self, block: &Block, group: usize, asked: &Asked, part: &Part) -> bool {
        match &asked.source {
            Source::Nowhere => true,
            Source::Among(column) => part.lacks(group, column),
            Source::Own(name) => self.chunk(block, name).is_some() || part.lacks(group, name),
        }
    }
}

/// A chunk's dictionary of so many bytes, and what follows.
fn split<'b>(
    (bytes, chunk): (&'b [u8], &Chunk),
    rows: usize,
    dictionary: usize,
) -> Result<(&'b [u8], Packed<'b>), Why> {
    let short = || "a chunk is too short";
    let (values, rest) = bytes.split_at_checked(dictionary).ok_or_else(short)?;
    let (width, runs) = (usize::from(chunk.width), chunk.runs as usize);
    let count = if runs == 0 { rows } else { runs };
    let (numbers, ends) = rest.split_at_checked(count * width).ok_or_else(short)?;
    if ends.len() != 4 * runs || width > 8 {
        return Err("a chunk is too long".into());
    }
    Ok((values, Packed { numbers, width, ends }))
}

fn numbers<'b>(read: (&'b [u8], &Chunk), rows: usize) -> Result<Packed<'b>, Why> {
    split(read, rows, 0).map(|(_, numbers)| numbers)
}

fn texts<'b>(read: (&'b [u8], &Chunk), rows: usize) -> Result<(Words, Packed<'b>), Why> {
    let (count, bytes) = (4 * read.1.values as usize, read.1.texts as usize);
    let (dictionary, codes) = split(read, rows, count + bytes)?;
    let (ends, text) = dictionary.split_at_checked(count).ok_or("a dictionary is too short")?;
    let (ends, _) = ends.as_chunks::<4>();
    let ends = ends.iter().map(|end| u32::from_le_bytes(*end)).collect();
    let words = Words::new(String::from_utf8(text.to_vec())?, ends);
    Ok((words.ok_or("a dictionary does not add up")?, codes))
}

fn strings(codes: Vec<u32>, words: Words) -> Result<Strings, Why> {
    Strings::new(codes, words).ok_or_else(|| "a code has no text".into())
}

impl Picked {
    fn len(&self) -> usize {
        match self {
            Self::All(rows) => *rows,
            Self::Some(rows) => rows.len(),
        }
    }

    /// The cells of these rows, of a column that has one for each row.
    fn of<T: Copy>(&self, column: Vec<T>) -> Vec<T> {
        match self {
            Self::All(_) => column,
            Self::Some(rows) => rows.iter().filter_map(|&row| column.get(row)).copied().collect(),
        }
    }
}

impl Packed<'_> {
    /// What the numbers of some rows stand for.
    fn pick<T: Copy>(&self, picked: &Picked, of: impl Fn(u64) -> T) -> Result<Vec<T>, Why> {
        let found = match (self.ends.is_empty(), picked) {
            (true, Picked::All(rows)) => self.all(*rows, of),
            (true, Picked::Some(rows)) => rows.iter().filter_map(|&row| self.at(row)).map(of).collect(),
            (false, Picked::All(rows)) => {
                let mut found = Vec::with_capacity(*rows);
                for (run, end) in self.ends().enumerate() {
                    if end > *rows {
                        return Err("a run is too long".into());
                    }
                    found.resize(end, of(self.at(run).ok_or("a run has no number")?));
                }
                found
            }
            (false, Picked::Some(rows)) => {
                let mut found = Vec::with_capacity(rows.len());
                let mut runs = self.ends().enumerate().peekable();
                for &row in rows {
                    while runs.next_if(|(_, end)| *end <= row).is_some() {}
                    let run = runs.peek().map(|(run, _)| *run);
                    found.extend(run.and_then(|run| self.at(run)).map(&of));
                }
                found
            }
        };
        if found.len() == picked.len() { Ok(found) } else { Err("a column has other rows".into()) }
    }

    fn ends(&self) -> impl Iterator<Item = usize> {
        let (ends, _) = self.ends.as_chunks::<4>();
        ends.iter().map(|end| u32::from_le_bytes(*end) as usize)
    }

    /// All numbers, in loops that the compiler makes wide.
    fn all<T: Copy>(&self, rows: usize, of: impl Fn(u64) -> T) -> Vec<T> {
        match self.width {
            0 => vec![of(0); rows],
            1 => self.numbers.iter().map(|&x| of(x.into())).collect(),
            2 => self.numbers.as_chunks().0.iter().map(|x| of(u16::from_le_bytes(*x).into())).collect(),
            4 => self.numbers.as_chunks().0.iter().map(|x| of(u32::from_le_bytes(*x).into())).collect(),
            _ => (0..rows).filter_map(|row| self.at(row)).map(of).collect(),
        }
    }

    /// A number by its place.
    fn at(&self, place: usize) -> Option<u64> {
        let bytes = self.numbers.get(place * self.width..(place + 1) * self.width)?;
        let mut number = [0; 8];
        number.get_mut(..self.width)?.copy_from_slice(bytes);
        Some(u64::from_le_bytes(number))
    }
}
