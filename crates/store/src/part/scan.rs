//! Store: the rows of a part that a question wants, from its hot columns where they are there, and from its pages
//! otherwise. Which of them it was makes no difference to who asks.

use std::collections::HashMap;
use std::ops::ControlFlow;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use bellwether_columns::{Batch, Cells, Ids, PropertyName, ScanError, Strings, Want};
use bellwether_model::{Json, Seq};
use rustc_hash::FxBuildHasher;

use super::Kind;
use super::decode::{Why, column, instants, numbers, object};
use super::hot::{Found, Hot};
use super::read::Part;
use super::shape::{Shape, Texts};
use crate::forget::{self, Forgotten};

/// Where a property lies in a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// No row has it.
    Nowhere,
    /// In a column of its own.
    Own(String),
    /// Among others, in a column of objects.
    Among(&'static str),
}

/// A property that is asked for, and where it is.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    name: String,
    pub(super) source: Source,
}

impl Asked {
    /// The column to read, if there is one.
    fn column(&self) -> Option<&str> {
        match &self.source {
            Source::Nowhere => None,
            Source::Own(column) => Some(column),
            Source::Among(column) => Some(column),
        }
    }
}

impl Part {
    /// Calls `each` with the rows that are wanted; `name` says of a batch who its devices are.
    pub(crate) fn scan(
        &self,
        want: &Want,
        forgotten: &[Forgotten],
        name: &dyn Fn(&mut Batch, &[Seq]),
        each: &mut dyn FnMut(&Batch) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ScanError> {
        if self.entry().time.1 < want.from || self.entry().time.0 >= want.to {
            return Ok(ControlFlow::Continue(()));
        }
        let scan = Scanning { part: self, want, asked: self.asked(want), forgotten, name };
        scan.run(each).map_err(|why| self.unreadable(&why))
    }

    /// Where the properties that are wanted lie.
    fn asked(&self, want: &Want) -> Vec<Asked> {
        let of = |property: &PropertyName| {
            let (kind, name) = match property {
                PropertyName::Event(name) => (Kind::Event, name),
                PropertyName::User(name) => (Kind::User, name),
                PropertyName::Group(kind) => {
                    return Asked { name: kind.clone(), source: Source::Among("groups") };
                }
            };
            let own = kind.column(name);
            let there = |column: &str| self.schema().column_with_name(column).is_some();
            let source = match (there(&own), there(kind.prefix())) {
                (true, _) => Source::Own(own),
                (false, true) => Source::Among(kind.prefix()),
                (false, false) => Source::Nowhere,
            };
            Asked { name: name.clone(), source }
        };
        want.properties.iter().map(of).collect()
    }
}

/// A question that is put to a part.
struct Scanning<'a> {
    part: &'a Part,
    want: &'a Want,
    asked: Vec<Asked>,
    forgotten: &'a [Forgotten],
    name: &'a dyn Fn(&mut Batch, &[Seq]),
}

impl Scanning<'_> {
    /// Goes through the row groups in their order, so that whoever walks along a person can.
    fn run(&self, each: &mut dyn FnMut(&Batch) -> ControlFlow<()>) -> Result<ControlFlow<()>, Why> {
        let groups = self.part.groups(self.want.from, self.want.to);
        // Who is being forgotten is looked for in pages: it is a matter of minutes.
        let hot = if self.part.may_hide(self.forgotten) { None } else { self.part.hot() };
        let reader = hot.as_deref().map(Hot::reader).transpose();
        let mut reader = reader.unwrap_or_else(|why| {
            self.part.cool(&why);
            None
        });
        let mut cold = Vec::new();
        for group in groups {
            let found = match &mut reader {
                None => Ok(Found::Elsewhere),
                Some(reader) => reader.block(group, self.want, &self.asked, self.part),
            };
            match found {
                Ok(Found::Nothing) => {}
                Ok(Found::Elsewhere) => cold.push(group),
                Ok(Found::Rows(mut batch, seqs)) => {
                    if self.pages(std::mem::take(&mut cold), each)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                    if self.want.ids.known().is_some() {
                        (self.name)(&mut batch, &seqs);
                    }
                    if each(&batch).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Err(why) => {
                    self.part.cool(&why);
                    reader = None;
                    cold.push(group);
                }
            }
        }
        self.pages(cold, each)
    }

    /// The rows of these row groups that are wanted, from their pages.
    fn pages(
        &self,
        groups: Vec<usize>,
        each: &mut dyn FnMut(&Batch) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Why> {
        if groups.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let Self { part, want, asked, forgotten, name } = self;
        let hides = part.may_hide(forgotten);
        let mut columns = vec!["environment", "event", "time"];
        if hides || want.ids != Ids::None {
            columns.extend(["user", "device"]);
        }
        columns.extend((hides || want.ids.known().is_some()).then_some("seq"));
        columns.extend(asked.iter().filter_map(Asked::column));

        for batch in part.reader(Some(&columns), Some(groups), None)? {
            let batch = batch?;
            let mut rows = wanted(&batch, want)?;
            if hides {
                let hidden = forget::hidden(forgotten, &batch)?;
                rows.retain(|row| !hidden.contains(row));
            }
            if rows.is_empty() {
                continue;
            }
            let time = instants(&batch, "time")?;
            let ids = |name| match want.ids {
                Ids::None => Ok(Strings::default()),
                Ids::Came | Ids::People(_) => strings(column(&batch, name)?, &rows),
            };
            let mut out = Batch {
                rows: rows.len(),
                time: rows.iter().map(|&row| time.value(row)).collect(),
                event: strings(column(&batch, "event")?, &rows)?,
                user: ids("user")?,
                device: ids("device")?,
                person: Strings::default(),
                properties: asked
                    .iter()
                    .map(|asked| cells(&batch, asked, &rows))
                    .collect::<Result<_, _>>()?,
            };
            if want.ids.known().is_some() {
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
    let mut values: Vec<&str> = Vec::new();
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
                values.push(text);
                // A batch has far fewer than 2^32 rows.
                u32::try_from(values.len() - 1).unwrap_or(NONE)
            });
        }
        codes.push(*slot);
    }
    Strings::new(codes, values.into_iter().collect()).ok_or_else(|| "a code has no text".into())
}

/// The values of a property in these rows, typed by what they are.
fn cells(batch: &RecordBatch, asked: &Asked, rows: &[usize]) -> Result<Cells, Why> {
    let Some(source) = asked.column() else { return Ok(Cells::Missing) };
    let Some(index) = batch.schema_ref().index_of(source).ok() else { return Ok(Cells::Missing) };
    let array = batch.column(index);
    if rows.iter().all(|&row| array.is_null(row)) {
        return Ok(Cells::Missing);
    }
    let wrong = || format!("the column `{source}` has a type that no property has");
    if matches!(asked.source, Source::Among(_)) {
        let mut values = Vec::with_capacity(rows.len());
        for &row in rows {
            values.push(object(array, row)?.remove(&asked.name));
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
            Cells::integers(rows.iter().map(|&row| valid(row).then(|| array.value(row))))
        }
        Shape::Float { .. } => {
            let array = array.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
            Cells::Numbers(rows.iter().map(|&row| valid(row).then(|| array.value(row))).collect())
        }
        Shape::Json => {
            let values: Vec<Option<Json>> =
                rows.iter().map(|&row| shape.value(array, row)).collect::<Result<_, _>>()?;
            Cells::typed(values.iter().map(Option::as_ref))
        }
    })
}
