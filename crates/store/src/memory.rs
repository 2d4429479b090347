//! Store: the newest events, in memory, readable while more are added.

use std::sync::{Arc, OnceLock};

use bellwether_model::{Event, Millis, Seq};

/// An event and its place in the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) seq: Seq,
    pub(crate) event: Event,
}

/// Rows of one segment: a view holds a pointer for each.
const SEGMENT: usize = 4_096;

type Segment = Arc<[OnceLock<Row>]>;

/// The rows that were committed since the last part. Segments have a fixed place for each row and
/// are shared with views: adding a row fills a place that no earlier view looks at, so a view costs
/// a pointer and a length, and nothing is ever copied.
#[derive(Debug, Default)]
pub(crate) struct Memtable {
    segments: Arc<Vec<Segment>>,
    len: usize,
    bytes: usize,
    first: Option<Millis>,
}

impl Memtable {
    /// Adds a row of about `bytes`.
    pub(crate) fn push(&mut self, row: Row, bytes: usize) {
        let place = self.len % SEGMENT;
        if place == 0 {
            Arc::make_mut(&mut self.segments).push((0..SEGMENT).map(|_| OnceLock::new()).collect());
        }
        self.first.get_or_insert(row.event.received);
        if let Some(slot) = self.segments.last().and_then(|s| s.get(place)) {
            // The place is new: `len` only grows, and this is its only writer.
            let _ = slot.set(row);
        }
        self.len += 1;
        self.bytes += bytes;
    }

    /// What is in it now.
    pub(crate) fn view(&self) -> View {
        View { segments: Arc::clone(&self.segments), len: self.len, bytes: self.bytes }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// About how much memory the rows take.
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
    len: usize,
    bytes: usize,
}

impl View {
    /// About how much memory the rows take.
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
    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.segments.iter().enumerate().flat_map(|(i, segment)| {
            let filled = self.len.saturating_sub(i * SEGMENT).min(SEGMENT);
            segment.iter().take(filled).filter_map(OnceLock::get)
        })
    }
}

/// About how many bytes an event takes in memory, or `None` if a value in it is nested deeper than
/// `depth`.
pub(crate) fn weight(event: &Event, depth: usize) -> Option<usize> {
    use bellwether_model::Json;
    // An object is a B-tree whose nodes have room for eleven entries.
    const NODE: usize = 640;
    fn value(json: &Json, depth: usize) -> Option<usize> {
        let below = depth.checked_sub(1)?;
        Some(match json {
            Json::Null | Json::Bool(_) | Json::Number(_) => 0,
            Json::String(text) => text.len(),
            Json::Array(items) => {
                items.iter().try_fold(0, |sum, item| Some(sum + 32 + value(item, below)?))?
            }
            Json::Object(map) => object(map, below)?,
        })
    }
    fn object(map: &bellwether_model::Properties, depth: usize) -> Option<usize> {
        map.iter().try_fold(NODE * map.len().div_ceil(8), |sum, (name, v)| {
            Some(sum + name.len() + value(v, depth)?)
        })
    }
    let texts = event.event.len()
        + event.who.user().map_or(0, str::len)
        + event.who.device().map_or(0, str::len)
        + event.insert_id.as_deref().map_or(0, str::len);
    Some(
        size_of::<Row>()
            + texts
            + object(&event.properties, depth)?
            + object(&event.user_properties, depth)?
            + object(&event.groups, depth)?
            + object(&event.group_properties, depth.saturating_add(2))?
            + object(&event.user_changes, depth.saturating_add(1))?
            + object(&event.group_changes, depth.saturating_add(1))?,
    )
}
