//! Ledger: what was decided of what had been kept apart, by its print, so that a copy that comes later is not kept
//! again. It says whose it was only to forget it with them.

use bellwether_model::{EnvironmentKey, Millis};
use rusqlite::Transaction;

use super::{Gone, Quarantine, READING, WRITING};
use crate::error::LedgerError;
use crate::schema;

/// Something that was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// What it was kept under.
    pub print: [u8; 16],
    /// Whose it was: prints of their ids.
    pub whose: [Option<[u8; 16]>; 2],
    /// When it was decided.
    pub at: Millis,
}

pub(super) const TABLE: &str = "
    create table decided (
        print blob primary key,
        one blob,
        other blob,
        at integer not null
    ) strict, without rowid;
    create index decided_by_time on decided (at);
    create index decided_by_one on decided (one);
    create index decided_by_other on decided (other);
";

/// Whether something was decided after a moment.
pub(super) const IS: &str = "select 1 from decided where print = ?1 and at > ?2";

pub(super) fn write(tx: &Transaction<'_>, decided: &[Decided]) -> rusqlite::Result<()> {
    let mut insert =
        tx.prepare_cached("insert or replace into decided (print, one, other, at) values (?1, ?2, ?3, ?4)")?;
    for Decided { print, whose: [one, other], at } in decided {
        insert.execute((print, one, other, at.0))?;
    }
    Ok(())
}

impl Quarantine {
    /// Takes things of an environment out, by their numbers, and remembers in the same moment what was decided.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; nothing is taken out then.
    pub fn decide(
        &self,
        environment: &EnvironmentKey,
        ids: &[i64],
        decided: &[Decided],
    ) -> Result<Gone, LedgerError> {
        self.take_out(Some(environment), ids, decided)
    }

    /// Whether something with this print was decided after a moment.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn was_decided(&self, print: [u8; 16], after: Millis) -> Result<bool, LedgerError> {
        let doing = LedgerError::storage(READING);
        let conn = self.conn.lock();
        let mut is = conn.prepare_cached(IS).map_err(&doing)?;
        is.exists((print, after.0)).map_err(doing)
    }

    /// Forgets what was decided up to a moment; how many there were.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    pub fn forget_decided_until(&self, until: Millis) -> Result<usize, LedgerError> {
        let gone = self.conn.lock().execute("delete from decided where at <= ?1", [until.0]);
        gone.map_err(LedgerError::storage(WRITING))
    }

    /// Forgets what was decided of whose ids have these prints; how many there were. [`Quarantine::scrub`] leaves no page
    /// of the file with it.
    ///
    /// # Errors
    /// [`LedgerError::Storage`]; nothing is forgotten then.
    pub fn forget_decided_of(&self, whose: &[[u8; 16]]) -> Result<usize, LedgerError> {
        let doing = LedgerError::storage(WRITING);
        let mut conn = self.conn.lock();
        let tx = schema::write(&mut conn, WRITING)?;
        let mut gone = 0;
        for id in whose {
            gone += tx.execute("delete from decided where one = ?1 or other = ?1", [id]).map_err(&doing)?;
        }
        tx.commit().map_err(&doing)?;
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bellwether_model::Span;

    use super::*;
    use crate::quarantine::{Held, Placed};

    fn held(print: u8, at: i64) -> Held {
        Held {
            environment: "production".parse().unwrap(),
            sort: "a".to_owned(),
            at: Millis(at),
            after: None,
            print: Some([print; 16]),
            why: "because".to_owned(),
            sent: None,
            body: "{}".to_owned(),
        }
    }

    /// What is decided with print 1 is of 7 and 8, with 2 of 8 alone, with 3 of nobody.
    fn decided() -> Vec<Decided> {
        let one = |print: u8, whose: [Option<u8>; 2], at| Decided {
            print: [print; 16],
            whose: whose.map(|id| id.map(|id| [id; 16])),
            at: Millis(at),
        };
        vec![one(1, [Some(7), Some(8)], 100), one(2, [None, Some(8)], 200), one(3, [None, None], 300)]
    }

    #[test]
    fn what_was_decided_is_known_for_its_time_and_until_it_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("q.sqlite");
        let production = "production".parse().unwrap();
        let quarantine = Quarantine::open(&path).unwrap();
        let placed = |quarantine: &Quarantine, at| {
            let (placed, _) = quarantine.hold(&[held(1, at), held(2, at), held(3, at)], Span(1_000)).unwrap();
            let new: Vec<i64> = placed
                .iter()
                .filter_map(|p| if let Placed::New(id) = p { Some(*id) } else { None })
                .collect();
            quarantine.withdraw(&new).unwrap();
            placed.iter().map(|placed| *placed == Placed::Decided).collect::<Vec<_>>()
        };
        let (first, _) = quarantine.hold(&[held(1, 0)], Span(1_000)).unwrap();
        let Placed::New(id) = first[0] else { panic!("{first:?}") };
        let gone = quarantine.decide(&production, &[id], &decided()).unwrap();
        assert_eq!((gone.count, gone.prints), (1, vec![[1; 16]]));
        drop(quarantine);
        let quarantine = Quarantine::open(&path).unwrap();
        assert_eq!(placed(&quarantine, 1_099), [true, true, true]);
        assert_eq!(placed(&quarantine, 1_100), [false, true, true], "a time is over after its last moment");
        let known = |at: i64| quarantine.was_decided([1; 16], Millis(at - 1_000)).unwrap();
        assert_eq!((known(1_099), known(1_100)), (true, false), "and so it says without putting it there");
        assert_eq!(quarantine.forget_decided_until(Millis(100)).unwrap(), 1);
        assert_eq!(placed(&quarantine, 1_000), [false, true, true]);
        // Decided once more, it is known from then.
        quarantine.decide(&production, &[], &decided()).unwrap();
        assert_eq!(quarantine.forget_decided_of(&[[7; 16]]).unwrap(), 1);
        assert_eq!(placed(&quarantine, 1_000), [false, true, true]);
        assert_eq!(quarantine.forget_decided_of(&[[8; 16], [9; 16]]).unwrap(), 1);
        assert_eq!(placed(&quarantine, 1_000), [false, false, true]);
    }
}
