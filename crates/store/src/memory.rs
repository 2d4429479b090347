//! Store: the newest events, in memory, readable while more are added.

use std::sync::{Arc, OnceLock};

use bellwether_model::{Event, Json, Millis, Properties, Seq};

use crate::packed::{Chunk, Packed};

/// An event and its place in the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) seq: Seq,
    pub(crate) event: Event,
}

/// Chunks of one segment: a view holds a pointer for each segment.
const SEGMENT: usize = 256;

type Segment = Arc<[OnceLock<Chunk>]>;

/// The rows that were committed since the last part, as the records of the log carry them. Segments have a fixed
/// place for each chunk and are shared with views: adding one fills a place that no earlier view looks at, so a view
/// costs a pointer and a length, and nothing is ever copied.
#[derive(Debug, Default)]
pub(crate) struct Memtable {
    segments: Arc<Vec<Segment>>,
    chunks: usize,
    len: usize,
    bytes: usize,
    first: Option<Millis>,
}

impl Memtable {
    /// Adds rows that follow those before.
    pub(crate) fn push(&mut self, chunk: Chunk) {
        if chunk.len() == 0 {
            return;
        }
        let place = self.chunks % SEGMENT;
        if place == 0 {
            Arc::make_mut(&mut self.segments).push((0..SEGMENT).map(|_| OnceLock::new()).collect());
        }
        self.first.get_or_insert(chunk.received());
        self.len += chunk.len();
        self.bytes += chunk.weight();
        if let Some(slot) = self.segments.last().and_then(|s| s.get(place)) {
            // The place is new: `chunks` only grows, and this is its only writer.
            let _ = slot.set(chunk);
        }
        self.chunks += 1;
    }

    /// What is in it now.
    pub(crate) fn view(&self) -> View {
        View { segments: Arc::clone(&self.segments), chunks: self.chunks, len: self.len, bytes: self.bytes }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How much memory the rows take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When its first row was received.
    pub(crate) fn first(&self) -> Option<Millis> {
        self.first
    }
}

/// The rows of a memtable at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    segments: Arc<Vec<Segment>>,
    chunks: usize,
    len: usize,
    bytes: usize,
}

impl View {
    /// How much memory the rows take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The last event.
    pub(crate) fn last(&self) -> Option<Seq> {
        self.rows().next_back().map(|row| row.seq)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The rows in the order of the log.
    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = Packed<'_>> {
        self.segments.iter().enumerate().flat_map(|(i, segment)| {
            let filled = self.chunks.saturating_sub(i * SEGMENT).min(SEGMENT);
            segment.iter().take(filled).filter_map(OnceLock::get).flat_map(Chunk::rows)
        })
    }
}

/// Whether no property of an event is nested deeper than `depth`.
pub(crate) fn is_shallow(event: &Event, depth: usize) -> bool {
    fn value(json: &Json, depth: usize) -> bool {
        let Some(below) = depth.checked_sub(1) else { return false };
        match json {
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => true,
            Json::Array(items) => items.iter().all(|item| value(item, below)),
            Json::Object(map) => object(map, below),
        }
    }
    fn object(map: &Properties, depth: usize) -> bool {
        map.values().all(|v| value(v, depth))
    }
    object(&event.properties, depth)
        && object(&event.user_properties, depth)
        && object(&event.groups, depth)
        && object(&event.group_properties, depth.saturating_add(2))
        && object(&event.user_changes, depth.saturating_add(1))
        && object(&event.group_changes, depth.saturating_add(1))
}
