//! Store: the lists beside several parts into the one beside the part that these became.

use std::path::Path;
use std::sync::Arc;

use bellwether_model::Seq;

use super::{All, Ids, Named, Seqs, Tally, Writer};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::seen::DAY;

/// Several lists into the one of the part that theirs became, a piece at a time.
#[derive(Debug)]
pub(crate) struct Join {
    inputs: Vec<std::iter::Peekable<All>>,
    writer: Option<Writer>,
    tally: Tally,
    covers: Vec<Seqs>,
    without: Arc<[Seq]>,
}

impl Join {
    /// Of these lists, beside the part whose first event is `first`, without the events of these places, which rise.
    pub(crate) fn begin(
        disk: &Arc<dyn Disk>,
        part: &Path,
        first: Seq,
        lists: &[Ids],
        without: Arc<[Seq]>,
    ) -> Result<Self, StoreError> {
        let mut tally = Tally::new();
        for (&day, events) in lists.iter().flat_map(Ids::tally) {
            *tally.entry(day).or_default() += events;
        }
        let mut events = lists.iter().map(Ids::events).sum();
        // The file begins with how many there are.
        for named in lists.iter().filter(|_| !without.is_empty()).flat_map(Ids::all) {
            let named = named?;
            if without.binary_search(&named.seq).is_ok() {
                events -= 1;
                let day = named.received.0.div_euclid(DAY);
                let mut days = tally.iter_mut().filter(|((first, of), _)| *first <= named.seq && *of == day);
                if let Some((_, events)) = days.next_back() {
                    *events -= 1;
                }
            }
        }
        let writer = Writer::begin(disk, part, first, events)?;
        let covers = lists.iter().flat_map(Ids::covers).copied().collect();
        let inputs = lists.iter().map(|ids| ids.all().peekable()).collect();
        Ok(Self { inputs, writer: Some(writer), tally, covers, without })
    }

    /// Goes on for about so many events; whether it is done.
    pub(crate) fn advance(&mut self, events: usize) -> Result<bool, StoreError> {
        for _ in 0..events {
            let mut least: Option<(Named, usize)> = None;
            for (i, input) in self.inputs.iter_mut().enumerate() {
                match input.peek() {
                    Some(Ok(named)) if least.is_none_or(|(known, _)| *named < known) => {
                        least = Some((*named, i))
                    }
                    Some(Err(_)) => {
                        if let Some(Err(error)) = input.next() {
                            return Err(error);
                        }
                    }
                    _ => {}
                }
            }
            let Some((named, i)) = least else {
                return self
                    .writer
                    .take()
                    .map_or(Ok(true), |writer| writer.finish(&self.tally, &self.covers).map(|()| true));
            };
            self.inputs.get_mut(i).map(Iterator::next);
            if self.without.binary_search(&named.seq).is_ok() {
                continue;
            }
            if let Some(writer) = &mut self.writer {
                writer.push(named)?;
            }
        }
        Ok(false)
    }
}
