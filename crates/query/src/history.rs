//! Query: how events of a type were, by day, and what their properties held in a stretch of time: what drift is
//! judged by.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bellwether_columns::{Batch, Cells, Ids, PropertyName, Scan, Want};
use bellwether_model::event::BOT;
use bellwether_model::{EnvironmentKey, Millis, Span};

use crate::error::QueryError;
use crate::filter::{Bots, walk};

/// Events of a stretch that are looked at, at most: a share of one in a hundred is known to a tenth of itself.
pub const ENOUGH: u64 = 50_000;
/// Different values of a property that are told apart; one that has more is no set of values.
pub const MOST_VALUES: usize = 100;

/// Events by type and day, people's alone: for each type as many numbers as days, the first that of the day that
/// begins at `from`. Days are 24 hours.
///
/// # Errors
/// When it was cancelled or events cannot be read.
///
/// ```
/// use bellwether_columns::Rows;
/// use bellwether_model::{Millis, Seq};
/// let none = Rows::new(vec![], Seq(0));
/// let days = bellwether_query::history::volumes(&"production".parse().unwrap(), Millis(0), 7, &none, &|| false).unwrap();
/// assert!(days.is_empty());
/// ```
pub fn volumes(
    environment: &EnvironmentKey,
    from: Millis,
    days: usize,
    scan: &dyn Scan,
    cancel: &dyn Fn() -> bool,
) -> Result<BTreeMap<String, Vec<u64>>, QueryError> {
    let day = i64::try_from(Span::DAY.0).unwrap_or(i64::MAX);
    let length = day.saturating_mul(i64::try_from(days).unwrap_or(i64::MAX));
    let want = Want {
        environment: environment.clone(),
        events: None,
        from,
        to: Millis(from.0.saturating_add(length)),
        properties: Vec::new(),
        ids: Ids::None,
    };
    let mut volumes: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    walk(scan, &want, Bots::None, cancel, &mut |batch| {
        let mut seen = vec![vec![0_u64; days]; batch.event.values().len()];
        for (row, time) in batch.time.iter().enumerate() {
            let at = usize::try_from((time - from.0).div_euclid(day)).unwrap_or(usize::MAX);
            if let Some(n) = batch.event.code(row).and_then(|code| seen.get_mut(code)?.get_mut(at)) {
                *n += 1;
            }
        }
        for (name, seen) in batch.event.values().iter().zip(seen) {
            if seen.iter().all(|n| *n == 0) {
                continue;
            }
            match volumes.get_mut(name) {
                Some(known) => known.iter_mut().zip(seen).for_each(|(known, n)| *known += n),
                None => {
                    volumes.insert(name.to_string(), seen);
                }
            }
        }
        Ok(())
    })?;
    Ok(volumes)
}

/// What one property held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Events that had it.
    pub had: u64,
    /// Of those the texts, numbers, booleans and others.
    pub kinds: [u64; 4],
    /// How often each text and boolean was there; none where there were more than [`MOST_VALUES`].
    pub values: Option<BTreeMap<String, u64>>,
}

/// What events of a type held in a stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// Events that were looked at: [`ENOUGH`] at most, or some more.
    pub events: u64,
    /// The properties, in the order in which they were asked for.
    pub properties: Vec<Held>,
}

/// What events of a type held on so many days from `from`, people's alone. Of each day as many are looked at, so that
/// those of the first do not stand for all.
///
/// # Errors
/// When it was cancelled or events cannot be read.
pub fn holding(
    (environment, event): (&EnvironmentKey, &str),
    (from, days): (Millis, u32),
    properties: &[PropertyName],
    scan: &dyn Scan,
    cancel: &dyn Fn() -> bool,
) -> Result<Holding, QueryError> {
    let day = i64::try_from(Span::DAY.0).unwrap_or(i64::MAX);
    let empty = Held { values: Some(BTreeMap::new()), ..Held::default() };
    let mut holding = Holding { events: 0, properties: vec![empty; properties.len()] };
    for at in 0..i64::from(days) {
        let from = Millis(from.0.saturating_add(day.saturating_mul(at)));
        let most = holding.events + ENOUGH / u64::from(days);
        holding.add(
            (environment, event),
            (from, Millis(from.0.saturating_add(day))),
            most,
            properties,
            (scan, cancel),
        )?;
    }
    Ok(holding)
}

impl Holding {
    /// Adds what a stretch held, until there are so many events.
    fn add(
        &mut self,
        (environment, event): (&EnvironmentKey, &str),
        (from, to): (Millis, Millis),
        most: u64,
        properties: &[PropertyName],
        (scan, cancel): (&dyn Scan, &dyn Fn() -> bool),
    ) -> Result<(), QueryError> {
        let want = Want {
            environment: environment.clone(),
            events: Some(vec![event.to_owned()]),
            from,
            to,
            properties: properties.iter().cloned().chain([PropertyName::Event(BOT.to_owned())]).collect(),
            ids: Ids::None,
        };
        let mut cancelled = false;
        scan.scan(&want, &mut |batch| {
            cancelled = cancel();
            if cancelled {
                return ControlFlow::Break(());
            }
            match Bots::None.stay(batch, properties.len()) {
                None => self.see(batch),
                Some(pass) => self.see(&batch.keep(&pass)),
            }
            if self.events >= most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if cancelled { Err(QueryError::Cancelled) } else { Ok(()) }
    }

    fn see(&mut self, batch: &Batch) {
        self.events += batch.rows as u64;
        for (held, cells) in self.properties.iter_mut().zip(&batch.properties) {
            held.see(batch, cells);
        }
    }
}

impl Held {
    fn see(&mut self, batch: &Batch, cells: &Cells) {
        if matches!(cells, Cells::Missing) {
            return;
        }
        for row in 0..batch.rows {
            let Some(text) = cells.text(row) else { continue };
            self.had += 1;
            let kind = match cells {
                Cells::Text(_) => 0,
                Cells::Numbers(_) => 1,
                Cells::Booleans(_) => 2,
                Cells::Missing | Cells::Mixed(_) => match cells.json(row) {
                    Some(value) if value.is_string() => 0,
                    Some(value) if value.is_number() => 1,
                    Some(value) if value.is_boolean() => 2,
                    _ => 3,
                },
            };
            if let Some(n) = self.kinds.get_mut(kind) {
                *n += 1;
            }
            if let Some(values) = self.values.as_mut().filter(|_| kind == 0 || kind == 2) {
                if let Some(n) = values.get_mut(&*text) {
                    *n += 1;
                } else if values.len() < MOST_VALUES && text.len() <= 200 {
                    values.insert(text.into_owned(), 1);
                } else {
                    self.values = None;
                }
            }
        }
    }
}
