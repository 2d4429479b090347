//! Store: every page of a part decoded, and all that its manifest and its neighbours rely on looked at.

use arrow_array::RecordBatchReader;
use bellwether_model::{Millis, Seq};

use super::decode::{Why, decode};
use super::hot::{self, Encoder, Hot};
use super::read::Part;
use super::write::{bucket, unit};
use crate::fingerprint::Fingerprint;
use crate::ids::{Named, Seqs};

/// Rows decoded at once.
const BATCH: usize = 8_192;

/// What the named events of a part add up to, in whatever order they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Checked {
    events: u64,
    sum: u128,
}

impl Checked {
    pub(crate) fn add(&mut self, named: Named) {
        // Odd numbers without a pattern, so that no two fields make up for each other.
        const SEQ: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
        const RECEIVED: u128 = 0xC2B2_AE3D_27D4_EB4F_1656_67B1_9E37_79F9;
        let print = u128::from_le_bytes(named.print.to_bytes());
        let place = u128::from(named.seq.0).wrapping_mul(SEQ);
        let received = u128::from(named.received.0.cast_unsigned()).wrapping_mul(RECEIVED);
        self.sum = self.sum.wrapping_add(print.rotate_left(29) ^ place ^ received.rotate_left(71));
        self.events += 1;
    }
}

impl Part {
    /// Reads every row, and says what the named ones among `covers` add up to.
    ///
    /// # Errors
    /// When a page does not decode, a row is out of order, there twice or not of this part, or the manifest says
    /// something else about them.
    pub(crate) fn check(&self, covers: &[Seqs]) -> Result<Checked, String> {
        self.check_rows(covers).map_err(|why| why.to_string())
    }

    /// Looks at the hot columns beside it, where there are some: `deep`, whether each byte is what its rows say.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn check_hot(&self, deep: bool) -> Result<(), String> {
        let path = hot::path(self.path());
        let Ok(file) = self.disk().open(&path) else { return Ok(()) };
        let differ = || -> Why { format!("`{}` has other columns than it", path.display()).into() };
        let check = || -> Result<(), Why> {
            Hot::open(self.disk(), self.path(), &self.group_rows())?;
            if !deep {
                return Ok(());
            }
            let columns = Encoder::columns(self.schema());
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            let rows = self.batches(Some(&columns), BATCH)?;
            let (mut expected, mut at) = (Vec::new(), 0);
            let mut encoder = Encoder::begin(&rows.schema(), &mut expected);
            let mut same = |expected: &mut Vec<u8>| -> Result<(), Why> {
                let mut there = vec![0; expected.len()];
                file.read_at(at, &mut there)?;
                if there != *expected {
                    return Err(differ());
                }
                at += expected.len() as u64;
                expected.clear();
                Ok(())
            };
            for batch in rows {
                encoder.push(&batch?, &mut expected)?;
                same(&mut expected)?;
            }
            encoder.finish(&mut expected)?;
            same(&mut expected)?;
            if at == file.len() { Ok(()) } else { Err(differ()) }
        };
        check().map_err(|why| why.to_string())
    }

    fn check_rows(&self, covers: &[Seqs]) -> Result<Checked, Why> {
        let entry = self.entry();
        let mut checked = Checked::default();
        // A part never spans more: what does was not written by a store.
        let span =
            u32::try_from(entry.last.0 - entry.first.0).map_err(|_| "it spans more than 2^32 events")?;
        let span = usize::try_from(span)? + 1;
        let mut seen = vec![0_u64; span.div_ceil(64)];
        let mut before: Option<(u32, String, Millis, Seq)> = None;
        let (mut rows, mut time, mut received) = (0, None, None);
        let mut decoded = Vec::new();
        for batch in self.batches(None, BATCH)? {
            decoded.clear();
            decode(&batch?, &mut decoded)?;
            rows += decoded.len() as u64;
            for row in &decoded {
                let (seq, event) = (row.seq, &row.event);
                let place = seq.0.checked_sub(entry.first.0).filter(|_| seq <= entry.last);
                let place = usize::try_from(place.ok_or("it holds events that its name does not cover")?)?;
                let bits = seen.get_mut(place / 64).ok_or("it holds events that its name does not cover")?;
                if *bits >> (place % 64) & 1 == 1 {
                    return Err("an event is in it twice".into());
                }
                *bits |= 1 << (place % 64);

                let unit = unit(event.who.user(), event.who.device());
                let key = (bucket(unit), unit, event.time, seq);
                if before.as_ref().is_some_and(|(b, u, t, s)| (*b, u.as_str(), *t, *s) >= key) {
                    return Err(format!("event `{seq}` is out of order").into());
                }
                match &mut before {
                    Some((b, u, t, s)) if *u == unit => (*b, *t, *s) = (key.0, event.time, seq),
                    _ => before = Some((key.0, unit.to_owned(), event.time, seq)),
                }
                widen(&mut time, event.time);
                widen(&mut received, event.received);
                let covered = covers.iter().any(|&(first, last)| seq >= first && seq <= last);
                if let Some(print) = Fingerprint::of(event).filter(|_| covered) {
                    checked.add(Named { print, seq, received: event.received });
                }
            }
        }
        if rows != entry.rows {
            return Err(format!("it has `{rows}` rows, the manifest says `{}`", entry.rows).into());
        }
        if (time, received) != (Some(entry.time), Some(entry.received)) {
            return Err("its times are not those that the manifest says".into());
        }
        Ok(checked)
    }
}

fn widen(extent: &mut Option<(Millis, Millis)>, at: Millis) {
    let (min, max) = extent.get_or_insert((at, at));
    *min = (*min).min(at);
    *max = (*max).max(at);
}
