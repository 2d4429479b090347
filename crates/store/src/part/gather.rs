//! Store: rows in memory as columns, of texts the numbers in a dictionary, and the order that the part puts them in.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use bellwether_model::Json;
use rustc_hash::FxHashMap;

use super::shape::{Observed, Shape};
use super::tell::Tells;
use super::texts::{Dictionary, NONE};
use super::write::{Layout, bucket};
use super::{Kind, uuid};
use crate::packed::{Cell, Flat};

/// The rows of a part as columns, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Gathered<'b> {
    pub(super) environment: Texts,
    pub(super) event: Texts,
    pub(super) user: Texts,
    pub(super) device: Texts,
    pub(super) time: Vec<i64>,
    pub(super) received: Vec<i64>,
    pub(super) names: Vec<Name<'b>>,
    pub(super) session: Vec<Option<i64>>,
    pub(super) revision: Vec<Option<u64>>,
    pub(super) seq: Vec<u64>,
    /// Of events and of users.
    properties: [Properties<'b>; 2],
    pub(super) told: Tells,
    pub(super) has_groups: bool,
}

/// A column of text: the number of each row's.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub(super) dictionary: Dictionary,
    pub(super) codes: Vec<u32>,
}

/// What the sender called an event.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name<'b> {
    None,
    Uuid([u8; 16]),
    Text(&'b str),
}

impl<'b> Name<'b> {
    fn of(name: Option<&'b str>) -> Self {
        match (name, name.and_then(uuid::bytes)) {
            (_, Some(bytes)) => Self::Uuid(bytes),
            (Some(text), None) => Self::Text(text),
            (None, None) => Self::None,
        }
    }
}

impl Texts {
    fn push(&mut self, text: Option<&str>) {
        let code = text.map_or(NONE, |text| self.dictionary.code(text));
        self.codes.push(code);
    }

    /// The number of a row's text, if it has one.
    fn code(&self, row: u32) -> Option<usize> {
        self.codes.get(row as usize).filter(|&&code| code != NONE).map(|&code| code as usize)
    }
}

impl<'b> Gathered<'b> {
    /// With room for so many rows.
    pub(super) fn with_capacity(rows: usize) -> Self {
        let texts = || Texts { dictionary: Dictionary::default(), codes: Vec::with_capacity(rows) };
        Self {
            environment: texts(),
            event: texts(),
            user: texts(),
            device: texts(),
            time: Vec::with_capacity(rows),
            received: Vec::with_capacity(rows),
            names: Vec::with_capacity(rows),
            session: Vec::with_capacity(rows),
            revision: Vec::with_capacity(rows),
            seq: Vec::with_capacity(rows),
            properties: [(); 2].map(|()| Properties { of: rows, ..Properties::default() }),
            ..Self::default()
        }
    }

    /// Adds a row.
    pub(super) fn add(&mut self, row: &Flat<'b>) {
        self.environment.push(Some(row.environment));
        self.event.push(Some(row.event));
        self.user.push(row.user);
        self.device.push(row.device);
        self.time.push(row.time.0);
        self.received.push(row.received.0);
        self.names.push(Name::of(row.insert_id));
        self.session.push(row.session);
        self.revision.push(row.revision);
        // A part has fewer than 2^32 rows.
        let at = u32::try_from(self.seq.len()).unwrap_or(NONE);
        self.seq.push(row.seq.0);
        for (kind, seen) in Kind::ALL.into_iter().zip(&mut self.properties) {
            seen.see(at, kind.of(row).iter());
        }
        self.told.see(row);
        self.has_groups |= !row.groups.is_empty();
    }

    /// The rows in the order of the part: by bucket of the unit, unit, time, and place in the log.
    pub(super) fn order(&self) -> Vec<u32> {
        // A text can name a user here and a device there: it is one unit.
        let mut units: Vec<(u32, &str, bool, u32)> = Vec::new();
        let list = |texts: &'_ Texts| texts.dictionary.len();
        let mut ranks = [vec![NONE; list(&self.user)], vec![NONE; list(&self.device)]];
        let which = |row: u32| match self.user.code(row) {
            Some(code) => (false, code),
            None => (true, self.device.code(row).unwrap_or_default()),
        };
        let rows = 0..u32::try_from(self.seq.len()).unwrap_or(NONE);
        for row in rows.clone() {
            let (device, code) = which(row);
            let [users, devices] = &mut ranks;
            let rank = if device { devices } else { users }.get_mut(code);
            if let Some(rank) = rank.filter(|rank| **rank == NONE) {
                *rank = 0;
                let code = u32::try_from(code).unwrap_or(NONE);
                let text = if device { &self.device } else { &self.user }.dictionary.get(code);
                units.push((bucket(text), text, device, code));
            }
        }
        units.sort_unstable();
        let (mut rank, mut before) = (0, None);
        for &(_, text, device, code) in &units {
            rank += u32::from(before.replace(text).is_some_and(|before| before != text));
            let [users, devices] = &mut ranks;
            if let Some(place) = if device { devices } else { users }.get_mut(code as usize) {
                *place = rank;
            }
        }
        // By unit, in one pass over the rows, and then each unit's few rows.
        let [users, devices] = &ranks;
        let rank_of = |row: u32| {
            let (device, code) = which(row);
            if device { devices } else { users }.get(code).copied().unwrap_or_default() as usize
        };
        let mut ends = vec![0_u32; rank as usize + 2];
        for row in rows.clone() {
            if let Some(count) = ends.get_mut(rank_of(row) + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        let mut order = vec![0; self.seq.len()];
        for row in rows {
            // What was where a unit begins goes up to where it ends.
            if let Some(end) = ends.get_mut(rank_of(row)) {
                if let Some(place) = order.get_mut(*end as usize) {
                    *place = row;
                }
                *end += 1;
            }
        }
        let key = |row: &u32| (self.time.get(*row as usize), self.seq.get(*row as usize));
        let mut rest = order.as_mut_slice();
        let mut done = 0;
        for end in ends {
            let (unit, behind) = rest.split_at_mut_checked((end - done) as usize).unwrap_or_default();
            unit.sort_unstable_by_key(key);
            (rest, done) = (behind, end);
        }
        order
    }

    /// Takes the properties: how they lie, and those with a column of their own in the order of the part.
    pub(super) fn sort_properties(&mut self, order: &[u32]) -> ([Layout; 2], [Vec<Property<'b>>; 2]) {
        let mut places = vec![0; order.len()];
        for (place, &row) in (0..).zip(order) {
            if let Some(slot) = places.get_mut(row as usize) {
                *slot = place;
            }
        }
        let sorted = Kind::ALL.map(|kind| {
            let [events, users] = &mut self.properties;
            let seen = match kind {
                Kind::Event => events,
                Kind::User => users,
            };
            let mut properties = std::mem::take(seen).all;
            let layout = Layout::of(kind, properties.iter().map(|p| (p.name.to_owned(), p.seen)).collect());
            properties.retain(|property| layout.shape(property.name).is_some());
            properties.sort_unstable_by_key(|property| property.name);
            properties.iter_mut().for_each(|property| property.sort(&places));
            (layout, properties)
        });
        let [(of_events, events), (of_users, users)] = sorted;
        ([of_events, of_users], [events, users])
    }
}

/// The properties of one kind.
#[derive(Debug, Default)]
struct Properties<'b> {
    /// How many rows there are in all.
    of: usize,
    all: Vec<Property<'b>>,
    places: FxHashMap<&'b str, usize>,
}

impl<'b> Properties<'b> {
    fn see(&mut self, row: u32, of_row: impl Iterator<Item = (&'b str, Cell<'b>)>) {
        for (at, (name, value)) in of_row.enumerate() {
            // Events that follow each other often have the same properties, in the same order.
            let place = match self.all.get(at) {
                Some(here) if here.name == name => at,
                _ => *self.places.entry(name).or_insert_with(|| {
                    self.all.push(Property { name, ..Property::default() });
                    self.all.len() - 1
                }),
            };
            if let Some(property) = self.all.get_mut(place) {
                property.push(row, value, self.of);
            }
        }
    }
}

/// The values of one property, of the rows that have one.
#[derive(Debug, Default)]
pub(super) struct Property<'b> {
    name: &'b str,
    seen: Observed,
    pub(super) texts: Dictionary,
    /// Lists and objects, as JSON text.
    others: Vec<Box<str>>,
    /// In which rows, rising; once it is sorted, at which places of the part.
    rows: Vec<u32>,
    values: Vec<Value>,
}

/// A value; texts and others by their number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Natural(u64),
    Float(f64),
    Text(u32),
    Other(u32),
}

impl Property<'_> {
    /// Of so many rows.
    fn push(&mut self, row: u32, cell: Cell<'_>, of: usize) {
        self.seen.see(&cell);
        // What many rows have all of them may have: it moves no more. What few have takes the room of few.
        if self.rows.len() == self.rows.capacity() && self.rows.len() >= of / 8 {
            let more = of.saturating_sub(self.rows.len());
            self.rows.reserve_exact(more);
            self.values.reserve_exact(more);
        }
        self.rows.push(row);
        self.values.push(match cell {
            Cell::Null => Value::Null,
            Cell::Boolean(value) => Value::Boolean(value),
            Cell::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(integer), ..) => Value::Integer(integer),
                (_, Some(natural), _) => Value::Natural(natural),
                (.., Some(float)) => Value::Float(float),
                (None, None, None) => Value::Null,
            },
            Cell::Text(text) => Value::Text(self.texts.code(text)),
            Cell::Other(other) => {
                self.others.push(other.to_string().into());
                Value::Other(u32::try_from(self.others.len() - 1).unwrap_or(NONE))
            }
        });
    }

    /// Puts the values into the order of the part, in which each row has a place.
    fn sort(&mut self, places: &[u32]) {
        // One of each row: its value goes where the row goes.
        if self.values.len() == places.len() {
            let mut sorted = vec![Value::Null; places.len()];
            for (&value, &place) in self.values.iter().zip(places) {
                if let Some(slot) = sorted.get_mut(place as usize) {
                    *slot = value;
                }
            }
            self.values = sorted;
            return;
        }
        let mut at = vec![NONE; places.len()];
        for (value, row) in (0..).zip(&self.rows) {
            let place = places.get(*row as usize).and_then(|&place| at.get_mut(place as usize));
            if let Some(place) = place {
                *place = value;
            }
        }
        let values = std::mem::take(&mut self.values);
        self.rows.clear();
        for (place, &value) in (0..).zip(&at) {
            if let Some(&value) = values.get(value as usize) {
                self.rows.push(place);
                self.values.push(value);
            }
        }
    }

    /// The value at each of these places.
    pub(super) fn at(&self, places: Range<usize>) -> impl Iterator<Item = Option<Value>> {
        let begin = self.rows.partition_point(|&row| (row as usize) < places.start);
        let rows = self.rows.get(begin..).unwrap_or_default();
        let mut left = rows.iter().zip(self.values.get(begin..).unwrap_or_default()).peekable();
        places.map(move |place| left.next_if(|(row, _)| **row as usize == place).map(|(_, value)| *value))
    }

    fn json(&self, value: Value) -> String {
        match value {
            Value::Null => Json::Null.to_string(),
            Value::Boolean(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Natural(value) => value.to_string(),
            Value::Float(value) => Json::from(value).to_string(),
            Value::Text(code) => Json::from(self.texts.get(code)).to_string(),
            Value::Other(at) => self.others.get(at as usize).map_or("null", |text| text).to_owned(),
        }
    }

    /// The column of these places, where it is none of text.
    pub(super) fn array(&self, places: Range<usize>) -> ArrayRef {
        let values = self.at(places);
        match self.seen.shape() {
            Shape::Boolean => {
                let mut column = BooleanBuilder::new();
                values.for_each(|value| {
                    column.append_option(match value {
                        Some(Value::Boolean(value)) => Some(value),
                        _ => None,
                    });
                });
                Arc::new(column.finish())
            }
            Shape::Integer => {
                let mut column = Int64Builder::new();
                values.for_each(|value| {
                    column.append_option(match value {
                        Some(Value::Integer(value)) => Some(value),
                        _ => None,
                    });
                });
                Arc::new(column.finish())
            }
            Shape::Float { .. } => {
                let mut column = Float64Builder::new();
                values.for_each(|value| {
                    column.append_option(match value {
                        // Exact, because the column would not have this shape otherwise.
                        #[allow(clippy::cast_precision_loss)]
                        Some(Value::Integer(value)) => Some(value as f64),
                        Some(Value::Float(value)) => Some(value),
                        _ => None,
                    });
                });
                Arc::new(column.finish())
            }
            Shape::Text | Shape::Json => {
                let mut column = StringBuilder::new();
                values.for_each(|value| column.append_option(value.map(|value| self.json(value))));
                Arc::new(column.finish())
            }
        }
    }
}
