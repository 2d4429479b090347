//! Store: an event as it lies in the log and in memory, which is MessagePack with fields by name, and read in place.
//!
//! A kilobyte and some forty allocations of an [`Event`] become some 300 bytes among those of its neighbours. What is
//! read here was written by [`write`](crate::pack::write) of this process, so that one that does not read is a bug and is said as one.

use std::borrow::Cow;

use bellwether_model::{Event, Json, Millis, Properties, Seq};
use serde_json::Number;

use crate::pack::write;

/// Events that follow each other in the log.
#[derive(Debug)]
pub(crate) struct Chunk {
    first: Seq,
    bytes: Vec<u8>,
    /// Where the first begins, and where each ends.
    ends: Vec<u32>,
    received: Millis,
}

impl Chunk {
    /// Events that lie one after the other in `bytes`; the first is `first` and was received at `received`. It begins at
    /// the first of `ends`, and each other where the one before it ends.
    pub(crate) fn new(first: Seq, received: Millis, bytes: Vec<u8>, ends: Vec<u32>) -> Self {
        Self { first, bytes, ends, received }
    }

    /// The bytes that it takes in memory.
    pub(crate) fn weight(&self) -> usize {
        size_of::<std::sync::OnceLock<Self>>()
            + self.bytes.capacity()
            + size_of::<u32>() * self.ends.capacity()
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len().saturating_sub(1)
    }

    /// When the first was received.
    pub(crate) fn received(&self) -> Millis {
        self.received
    }

    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = Packed<'_>> {
        self.ends.windows(2).enumerate().map(|(at, ends)| {
            let range = ends.first().zip(ends.last()).map(|(&from, &to)| from as usize..to as usize);
            let bytes = range.and_then(|range| self.bytes.get(range)).unwrap_or_default();
            Packed { seq: Seq(self.first.0 + at as u64), bytes }
        })
    }
}

/// Events that come one by one, gathered into chunks.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    first: Option<(Seq, Millis)>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Gathering {
    /// From so many bytes on a chunk is full.
    const FULL: usize = 1 << 20;

    /// Adds an event; gives those before it where they are enough, or it does not follow them.
    pub(crate) fn add(&mut self, seq: Seq, event: &Event) -> Option<Chunk> {
        let follows = self.first.is_some_and(|(first, _)| first.0 + self.ends.len() as u64 == seq.0 + 1);
        let full = if !follows || self.bytes.len() >= Self::FULL { self.take() } else { None };
        if self.first.is_none() {
            self.first = Some((seq, event.received));
            self.ends.push(0);
        }
        write(event, &mut self.bytes);
        // A chunk is a megabyte and one event.
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        full
    }

    /// Those that are left.
    pub(crate) fn take(&mut self) -> Option<Chunk> {
        let Self { first, mut bytes, mut ends } = std::mem::take(self);
        bytes.shrink_to_fit();
        ends.shrink_to_fit();
        first.map(|(first, received)| Chunk::new(first, received, bytes, ends))
    }
}

/// An event in memory, not read yet, and its place in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packed<'b> {
    pub(crate) seq: Seq,
    bytes: &'b [u8],
}

/// What is said of an event in memory that does not read.
const UNREAD: &str = "an event in memory is not what was written: this is a bug";

impl<'b> Packed<'b> {
    /// The whole event.
    pub(crate) fn event(self) -> Result<Event, &'static str> {
        rmp_serde::from_slice(self.bytes).map_err(|_| UNREAD)
    }

    /// What questions choose events by: the environment, the type, the time and the receipt.
    pub(crate) fn brief(self) -> Result<Brief<'b>, &'static str> {
        let read = || {
            let mut cursor = Cursor(self.bytes);
            let mut brief = Brief { environment: "", event: "", time: Millis(0), received: Millis(0) };
            let mut left = 4;
            for _ in 0..cursor.map()? {
                match cursor.name()? {
                    b"environment" => brief.environment = cursor.text()?,
                    b"event" => brief.event = cursor.text()?,
                    b"time" => brief.time = Millis(cursor.integer()?),
                    b"received" => brief.received = Millis(cursor.integer()?),
                    _ => {
                        cursor.skip()?;
                        continue;
                    }
                }
                left -= 1;
                if left == 0 {
                    return Some(brief);
                }
            }
            None
        };
        read().ok_or(UNREAD)
    }

    /// When it was received.
    pub(crate) fn received(self) -> Result<Millis, &'static str> {
        let read = || {
            let mut cursor = Cursor(self.bytes);
            for _ in 0..cursor.map()? {
                if cursor.name()? == b"received" {
                    return cursor.integer().map(Millis);
                }
                cursor.skip()?;
            }
            None
        };
        read().ok_or(UNREAD)
    }

    /// The event, read in place.
    pub(crate) fn flat(self) -> Result<Flat<'b>, &'static str> {
        let read = || {
            let mut cursor = Cursor(self.bytes);
            let mut flat = Flat { seq: self.seq, ..Flat::default() };
            for _ in 0..cursor.map()? {
                match cursor.name()? {
                    b"environment" => flat.environment = cursor.text()?,
                    b"event" => flat.event = cursor.text()?,
                    b"who" => (flat.user, flat.device) = cursor.who()?,
                    b"time" => flat.time = Millis(cursor.integer()?),
                    b"received" => flat.received = Millis(cursor.integer()?),
                    b"insert_id" => flat.insert_id = Some(cursor.text()?),
                    b"session" => flat.session = Some(cursor.integer()?),
                    b"revision" => flat.revision = Some(cursor.natural()?),
                    b"properties" => flat.properties = cursor.object()?,
                    b"user_properties" => flat.user_properties = cursor.object()?,
                    b"groups" => flat.groups = cursor.object()?,
                    b"group_properties" => flat.group_properties = cursor.object()?,
                    b"user_changes" => flat.user_changes = cursor.object()?,
                    b"group_changes" => flat.group_changes = cursor.object()?,
                    _ => cursor.skip()?,
                }
            }
            Some(flat).filter(|flat| flat.user.or(flat.device).is_some())
        };
        read().ok_or(UNREAD)
    }
}

/// What questions choose events by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Brief<'b> {
    pub(crate) environment: &'b str,
    pub(crate) event: &'b str,
    pub(crate) time: Millis,
    pub(crate) received: Millis,
}

/// An event whose texts lie where it was packed. What may be missing is `None` or empty, as in [`Event`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flat<'b> {
    pub(crate) seq: Seq,
    pub(crate) environment: &'b str,
    pub(crate) event: &'b str,
    pub(crate) user: Option<&'b str>,
    pub(crate) device: Option<&'b str>,
    pub(crate) time: Millis,
    pub(crate) received: Millis,
    pub(crate) insert_id: Option<&'b str>,
    pub(crate) session: Option<i64>,
    pub(crate) revision: Option<u64>,
    pub(crate) properties: Object<'b>,
    pub(crate) user_properties: Object<'b>,
    pub(crate) groups: Object<'b>,
    pub(crate) group_properties: Object<'b>,
    pub(crate) user_changes: Object<'b>,
    pub(crate) group_changes: Object<'b>,
}

/// Properties, not read yet.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Object<'b> {
    fields: u32,
    /// The names and the values.
    bytes: &'b [u8],
}

impl<'b> Object<'b> {
    pub(crate) fn is_empty(self) -> bool {
        self.fields == 0
    }

    /// The properties, by name.
    pub(crate) fn iter(self) -> impl Iterator<Item = (&'b str, Cell<'b>)> {
        let mut cursor = Cursor(self.bytes);
        (0..self.fields).map_while(move |_| cursor.text().zip(cursor.cell()))
    }

    /// One of them.
    pub(crate) fn get(self, name: &str) -> Option<Cell<'b>> {
        let mut cursor = Cursor(self.bytes);
        for _ in 0..self.fields {
            if cursor.name()? == name.as_bytes() {
                return cursor.cell();
            }
            cursor.skip()?;
        }
        None
    }

    /// All of them as JSON text; nothing where there are none.
    pub(crate) fn json(self) -> Option<String> {
        self.json_of(|_| true)
    }

    /// Those with such names.
    pub(crate) fn json_of(self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let chosen: Properties = self
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, cell)| (name.to_owned(), cell.json()))
            .collect();
        (!chosen.is_empty()).then(|| Json::from(chosen).to_string())
    }
}

/// A value of a property, in place.
#[derive(Debug, Clone)]
pub(crate) enum Cell<'b> {
    Null,
    Boolean(bool),
    Number(Number),
    Text(&'b str),
    /// A list or an object.
    Other(Cow<'b, Json>),
}

impl<'b> From<&'b Json> for Cell<'b> {
    fn from(json: &'b Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Boolean(*value),
            Json::Number(number) => Self::Number(number.clone()),
            Json::String(text) => Self::Text(text),
            other => Self::Other(Cow::Borrowed(other)),
        }
    }
}

impl Cell<'_> {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The value by itself.
    pub(crate) fn json(self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Boolean(value) => value.into(),
            Self::Number(number) => Json::Number(number),
            Self::Text(text) => text.into(),
            Self::Other(other) => other.into_owned(),
        }
    }
}

/// Reads MessagePack from its beginning. `None` is the end, or another type than was asked for.
struct Cursor<'b>(&'b [u8]);

/// The user's and the device's id.
type Ids<'b> = (Option<&'b str>, Option<&'b str>);

impl<'b> Cursor<'b> {
    fn take(&mut self, bytes: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn marker(&mut self) -> Option<u8> {
        self.array::<1>().map(|[marker]| marker)
    }

    /// A length of one, two or four bytes.
    fn length(&mut self, bytes: usize) -> Option<usize> {
        Some(match bytes {
            1 => self.marker()?.into(),
            2 => u16::from_be_bytes(self.array()?).into(),
            _ => usize::try_from(u32::from_be_bytes(self.array()?)).ok()?,
        })
    }

    fn text(&mut self) -> Option<&'b str> {
        std::str::from_utf8(self.name()?).ok()
    }

    /// The bytes of a text: a name that is only compared need not be known to be UTF-8.
    fn name(&mut self) -> Option<&'b [u8]> {
        let length = match self.marker()? {
            short @ 0xa0..=0xbf => usize::from(short & 0x1f),
            0xd9 => self.length(1)?,
            0xda => self.length(2)?,
            0xdb => self.length(4)?,
            _ => return None,
        };
        self.take(length)
    }

    /// How many fields follow.
    fn map(&mut self) -> Option<usize> {
        match self.marker()? {
            short @ 0x80..=0x8f => Some(usize::from(short & 0x0f)),
            0xde => self.length(2),
            0xdf => self.length(4),
            _ => None,
        }
    }

    fn object(&mut self) -> Option<Object<'b>> {
        let fields = self.map()?;
        let begin = self.0;
        for _ in 0..2 * fields {
            self.skip()?;
        }
        let bytes = begin.get(..begin.len() - self.0.len())?;
        Some(Object { fields: u32::try_from(fields).ok()?, bytes })
    }

    fn number(&mut self, marker: u8) -> Option<Number> {
        Some(match marker {
            0x00..=0x7f => marker.into(),
            0xcc => self.marker()?.into(),
            0xcd => u16::from_be_bytes(self.array()?).into(),
            0xce => u32::from_be_bytes(self.array()?).into(),
            0xcf => u64::from_be_bytes(self.array()?).into(),
            0xd0 => i8::from_be_bytes(self.array()?).into(),
            0xd1 => i16::from_be_bytes(self.array()?).into(),
            0xd2 => i32::from_be_bytes(self.array()?).into(),
            0xd3 => i64::from_be_bytes(self.array()?).into(),
            0xe0..=0xff => marker.cast_signed().into(),
            0xcb => Number::from_f64(f64::from_be_bytes(self.array()?))?,
            _ => return None,
        })
    }

    fn integer(&mut self) -> Option<i64> {
        let marker = self.marker()?;
        self.number(marker)?.as_i64()
    }

    fn natural(&mut self) -> Option<u64> {
        let marker = self.marker()?;
        self.number(marker)?.as_u64()
    }

    fn who(&mut self) -> Option<Ids<'b>> {
        if self.map()? != 1 {
            return None;
        }
        Some(match self.name()? {
            b"user" => (Some(self.text()?), None),
            b"device" => (None, Some(self.text()?)),
            b"both" => {
                let (mut user, mut device) = (None, None);
                for _ in 0..self.map()? {
                    match self.name()? {
                        b"user" => user = Some(self.text()?),
                        b"device" => device = Some(self.text()?),
                        _ => self.skip()?,
                    }
                }
                (Some(user?), Some(device?))
            }
            _ => return None,
        })
    }

    fn cell(&mut self) -> Option<Cell<'b>> {
        let begin = self.0;
        Some(match self.marker()? {
            0xc0 => Cell::Null,
            boolean @ (0xc2 | 0xc3) => Cell::Boolean(boolean == 0xc3),
            0xa0..=0xbf | 0xd9..=0xdb => {
                self.0 = begin;
                Cell::Text(self.text()?)
            }
            0x80..=0x9f | 0xdc..=0xdf => {
                self.0 = begin;
                self.skip()?;
                let bytes = begin.get(..begin.len() - self.0.len())?;
                Cell::Other(Cow::Owned(rmp_serde::from_slice(bytes).ok()?))
            }
            number => Cell::Number(self.number(number)?),
        })
    }

    /// Goes past a value, however deep it is nested.
    fn skip(&mut self) -> Option<()> {
        let mut left = 1_usize;
        while left > 0 {
            left -= 1;
            let bytes = match self.marker()? {
                0x00..=0x7f | 0xc0..=0xc3 | 0xe0..=0xff => 0,
                short @ 0xa0..=0xbf => usize::from(short & 0x1f),
                0xcc | 0xd0 => 1,
                0xcd | 0xd1 => 2,
                0xce | 0xd2 | 0xca => 4,
                0xcf | 0xd3 | 0xcb => 8,
                0xc4 | 0xd9 => self.length(1)?,
                0xc5 | 0xda => self.length(2)?,
                0xc6 | 0xdb => self.length(4)?,
                fields @ 0x80..=0x8f => {
                    left += 2 * usize::from(fields & 0x0f);
                    0
                }
                items @ 0x90..=0x9f => {
                    left += usize::from(items & 0x0f);
                    0
                }
                0xde => {
                    left += 2 * self.length(2)?;
                    0
                }
                0xdf => {
                    left += 2 * self.length(4)?;
                    0
                }
                0xdc => {
                    left += self.length(2)?;
                    0
                }
                0xdd => {
                    left += self.length(4)?;
                    0
                }
                _ => return None,
            };
            self.take(bytes)?;
        }
        Some(())
    }
}
