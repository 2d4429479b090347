//! Store: rows in memory into a part.
//!
//! Rows are read once, in the order in which they came, and become columns: of texts the numbers in a dictionary. Only
//! numbers are then put into the order of the part, a row group at a time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, Int64Array, StringArray, TimestampMillisecondArray, UInt64Array};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use bellwether_model::{Json, Seq};

use super::decode::Why;
use super::draft::{Columns, Draft};
use super::gather::{Gathered, Name, Property, Value};
use super::shape::{Observed, Shape, dictionary};
use super::tell::Told;
use super::texts::{Chunk, NONE};
use super::{BUCKETS, COLUMNS, Kind, ROW_GROUP, uuid};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::manifest::Entry;
use crate::packed::{Flat, Packed};

/// Writes these rows as a part into `dir` and syncs it, but not its name; `None` where there are no rows. The
/// part is named by its content, so writing the same rows again gives the same file.
pub(crate) fn write(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    rows: &[Packed<'_>],
) -> Result<Option<Entry>, StoreError> {
    let unread = |why: &str| StoreError::corrupt(dir, 0, why);
    let mut gathered = Gathered::with_capacity(rows.len());
    for row in rows {
        gathered.add(&row.flat().map_err(unread)?);
    }
    let order = gathered.order();
    let (layouts, properties) = gathered.sort_properties(&order);
    let told = std::mem::take(&mut gathered.told).columns();
    let mut fields = fixed_fields();
    fields.extend(layouts.iter().flat_map(Layout::fields));
    fields.extend(told.iter().map(|told| told.field()));
    let mut sources: Vec<Source<'_>> = Fixed::ALL.into_iter().map(Source::Fixed).collect();
    for (layout, properties) in layouts.iter().zip(&properties) {
        sources.extend(properties.iter().map(Source::Property));
        sources.extend(layout.has_rest().then_some(Source::Rest(layout)));
    }
    sources.extend(told.into_iter().map(Source::Told));

    let first = gathered.seq.iter().copied().min().map(Seq).unwrap_or_default();
    let last = gathered.seq.iter().copied().max().map(Seq).unwrap_or_default();
    let mut draft = Draft::begin(disk, dir, (first, last), &Arc::new(Schema::new(fields)))?;
    for (at, order) in order.chunks(ROW_GROUP).enumerate() {
        let begin = at * ROW_GROUP;
        let places = begin..begin + order.len();
        // What few parts have is read where it lies.
        let aside = gathered.has_groups
            || sources.iter().any(|source| matches!(source, Source::Rest(_) | Source::Told(_)));
        let aside = order.iter().filter(|_| aside).filter_map(|&row| rows.get(row as usize));
        let flats: Result<Vec<Flat<'_>>, _> = aside.map(|row| row.flat()).collect();
        let flats = flats.map_err(unread)?;
        let mut group = Group { gathered: &gathered, sources: &sources, order, places, flats };
        draft.write(order.len(), &mut group)?;
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

/// The columns that each part has, in their order.
#[derive(Debug, Clone, Copy)]
enum Fixed {
    Environment,
    Event,
    User,
    Device,
    Time,
    Received,
    InsertId,
    InsertUuid,
    Session,
    Revision,
    Seq,
    Groups,
}

impl Fixed {
    const ALL: [Self; 12] = [
        Self::Environment,
        Self::Event,
        Self::User,
        Self::Device,
        Self::Time,
        Self::Received,
        Self::InsertId,
        Self::InsertUuid,
        Self::Session,
        Self::Revision,
        Self::Seq,
        Self::Groups,
    ];
}

/// Where a column comes from.
#[derive(Debug)]
enum Source<'s> {
    Fixed(Fixed),
    Property(&'s Property<'s>),
    /// The properties without a column of their own.
    Rest(&'s Layout),
    Told(Told),
}

/// The rows of a row group.
struct Group<'g> {
    gathered: &'g Gathered<'g>,
    sources: &'g [Source<'g>],
    /// Which rows, and their places in the part.
    order: &'g [u32],
    places: Range<usize>,
    /// The rows themselves, where a column is made of these.
    flats: Vec<Flat<'g>>,
}

impl Group<'_> {
    /// What a column has in these rows.
    fn of<T: Copy>(&self, column: &[T]) -> impl Iterator<Item = T> {
        self.order.iter().filter_map(|&row| column.get(row as usize).copied())
    }
}

impl Columns for Group<'_> {
    fn texts(&mut self, at: usize, into: &mut Chunk) -> Result<(), Why> {
        let texts = match self.sources.get(at) {
            Some(Source::Fixed(Fixed::Environment)) => &self.gathered.environment,
            Some(Source::Fixed(Fixed::Event)) => &self.gathered.event,
            Some(Source::Fixed(Fixed::User)) => &self.gathered.user,
            Some(Source::Fixed(Fixed::Device)) => &self.gathered.device,
            Some(Source::Property(property)) => {
                let mut known = vec![NONE; property.texts.len()];
                for value in property.at(self.places.clone()) {
                    let code = match value {
                        Some(Value::Text(code)) => Some(code),
                        _ => None,
                    };
                    let text = || code.map_or("", |code| property.texts.get(code));
                    into.push_of_one(code.map(|code| code as usize), &mut known, text);
                }
                return Ok(());
            }
            _ => return Err("a column is none of text".into()),
        };
        let mut known = vec![NONE; texts.dictionary.len()];
        for code in self.of(&texts.codes) {
            let there = (code != NONE).then_some(code as usize);
            into.push_of_one(there, &mut known, || texts.dictionary.get(code));
        }
        Ok(())
    }

    fn array(&mut self, at: usize) -> Result<ArrayRef, Why> {
        let of = self.gathered;
        let instants = |column: &[i64]| -> ArrayRef {
            let values = TimestampMillisecondArray::from_iter_values(self.of(column));
            Arc::new(values.with_timezone("UTC"))
        };
        Ok(match self.sources.get(at).ok_or("there is no such column")? {
            Source::Fixed(Fixed::Time) => instants(&of.time),
            Source::Fixed(Fixed::Received) => instants(&of.received),
            Source::Fixed(Fixed::InsertId) => {
                let mut column = StringBuilder::new();
                self.of(&of.names).for_each(|name| {
                    column.append_option(match name {
                        Name::Text(text) => Some(text),
                        Name::None | Name::Uuid(_) => None,
                    });
                });
                Arc::new(column.finish())
            }
            Source::Fixed(Fixed::InsertUuid) => {
                let mut column = FixedSizeBinaryBuilder::with_capacity(self.order.len(), 16);
                for name in self.of(&of.names) {
                    match name {
                        Name::Uuid(bytes) => column.append_value(bytes)?,
                        Name::None | Name::Text(_) => column.append_null(),
                    }
                }
                Arc::new(column.finish())
            }
            Source::Fixed(Fixed::Session) => Arc::new(self.of(&of.session).collect::<Int64Array>()),
            Source::Fixed(Fixed::Revision) => Arc::new(self.of(&of.revision).collect::<UInt64Array>()),
            Source::Fixed(Fixed::Seq) => Arc::new(UInt64Array::from_iter_values(self.of(&of.seq))),
            Source::Fixed(Fixed::Groups) if !of.has_groups => {
                Arc::new(StringArray::new_null(self.order.len()))
            }
            Source::Fixed(Fixed::Groups) => {
                let mut column = StringBuilder::new();
                self.flats.iter().for_each(|row| column.append_option(row.groups.json()));
                Arc::new(column.finish())
            }
            Source::Fixed(Fixed::Environment | Fixed::Event | Fixed::User | Fixed::Device) => {
                return Err("a column of text is no array".into());
            }
            Source::Property(property) => property.array(self.places.clone()),
            Source::Rest(layout) => {
                let mut column = StringBuilder::new();
                for row in &self.flats {
                    column.append_option(layout.kind.of(row).json_of(|name| layout.rest.contains(name)));
                }
                Arc::new(column.finish())
            }
            Source::Told(told) => told.array(&self.flats),
        })
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
