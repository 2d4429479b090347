//! Columns: events in memory, as they came, that can be scanned like any others.

use std::ops::ControlFlow;

use bellwether_model::{Event, Seq};

use crate::batch::Batch;
use crate::owners::Owners;
use crate::scan::{Scan, ScanError, Want};

/// Events in memory. The store's newest events are such rows, and so are a test's.
///
/// ```
/// use bellwether_columns::{Ids, Rows, Scan, Want};
/// use bellwether_model::{Event, Millis, Seq, event::Who};
/// let event = Event {
///     environment: "production".parse().unwrap(), event: "visit".into(), who: Who::User("u1".into()),
///     time: Millis(10), received: Millis(12), insert_id: None, session: None,
///     properties: Default::default(), user_properties: Default::default(), groups: Default::default(),
///     group_properties: Default::default(), user_changes: Default::default(), group_changes: Default::default(),
///     revision: None,
/// };
/// let rows = Rows::new(vec![event], Seq(1));
/// let want = Want { environment: "production".parse().unwrap(), events: None, from: Millis(0), to: Millis(11), properties: vec![], ids: Ids::None };
/// let mut seen = 0;
/// rows.scan(&want, &mut |batch| { seen += batch.rows; std::ops::ControlFlow::Continue(()) }).unwrap();
/// assert_eq!(seen, 1);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Rows {
    events: Vec<Event>,
    seq: Seq,
}

/// Rows of one batch: small enough to stay in cache, large enough to amortise the call.
const BATCH: usize = 8_192;

impl Rows {
    /// These events, of which the last is `seq`.
    pub fn new(events: Vec<Event>, seq: Seq) -> Self {
        Self { events, seq }
    }
}

impl Scan for Rows {
    fn seq(&self) -> Seq {
        self.seq
    }

    fn scan(&self, want: &Want, each: &mut dyn FnMut(&Batch) -> ControlFlow<()>) -> Result<(), ScanError> {
        // The first is number 1, as in a store.
        let numbered = || (1..).map(Seq).zip(&self.events);
        let mut owners = Owners::default();
        for (seq, event) in numbered().filter(|_| want.ids.known().is_some()) {
            if let (Some(user), Some(device)) = (event.who.user(), event.who.device()) {
                owners.saw(&event.environment, device, user, seq);
            }
        }
        let mut wanted = numbered().filter(|(_, event)| want.wants(event)).peekable();
        while wanted.peek().is_some() {
            let (seqs, events): (Vec<Seq>, Vec<&Event>) = wanted.by_ref().take(BATCH).unzip();
            let mut batch = Batch::of(&events, want.ids, &want.properties);
            if let Some(known) = want.ids.known() {
                batch.name_people(owners.of(&want.environment), &seqs, known, Seq(u64::MAX));
            }
            if each(&batch).is_break() {
                break;
            }
        }
        Ok(())
    }
}
