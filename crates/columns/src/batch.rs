//! Columns: a batch of rows, each column a dense vector.

use std::borrow::Cow;

use bellwether_model::{Event, Json, Seq};

use crate::owners::{Devices, Turn, person};
use crate::scan::{Ids, Known, PropertyName};
use crate::strings::{Coding, Strings};

pub(crate) fn kept<T: Clone>(column: &[T], pass: &[bool]) -> Vec<T> {
    column.iter().zip(pass).filter(|(_, pass)| **pass).map(|(cell, _)| cell.clone()).collect()
}

/// A column of one property. Its type is that of the values it holds here.
#[derive(Debug, Clone)]
pub enum Cells {
    /// No row has it.
    Missing,
    /// Text only.
    Text(Strings),
    /// Numbers only, each of which a double holds.
    Numbers(Vec<Option<f64>>),
    /// Booleans only.
    Booleans(Vec<Option<bool>>),
    /// Lists, objects, values of several types, or whole numbers beyond what doubles tell apart, such as ids of 64 bits.
    Mixed(Vec<Option<Json>>),
}

impl Cells {
    /// The column of one property of these events.
    pub fn collect<'e>(events: impl Iterator<Item = &'e Event> + Clone, name: &PropertyName) -> Self {
        Self::typed(events.map(|e| name.of(e)))
    }

    /// The column of these values; null is missing.
    ///
    /// ```
    /// use bellwether_columns::Cells;
    /// let values = [serde_json::json!(1), serde_json::json!(2.5)];
    /// let cells = Cells::typed(values.iter().map(Some));
    /// assert!(matches!(cells, Cells::Numbers(_)));
    /// let ids = [serde_json::json!(9_007_199_254_740_992_u64), serde_json::json!(9_007_199_254_740_993_u64)];
    /// let cells = Cells::typed(ids.iter().map(Some));
    /// assert_ne!(cells.text(0), cells.text(1));
    /// ```
    pub fn typed<'v>(values: impl Iterator<Item = Option<&'v Json>> + Clone) -> Self {
        let cells = || values.clone().map(|v| v.filter(|v| !v.is_null()));
        let all = |test: fn(&Json) -> bool| cells().flatten().all(test);
        if cells().flatten().next().is_none() {
            Self::Missing
        } else if all(Json::is_string) {
            Self::Text(Strings::intern(cells().map(|c| c.and_then(Json::as_str))))
        } else if all(is_double) {
            Self::Numbers(cells().map(|c| c.and_then(Json::as_f64)).collect())
        } else if all(Json::is_boolean) {
            Self::Booleans(cells().map(|c| c.and_then(Json::as_bool)).collect())
        } else {
            Self::Mixed(cells().map(Option::<&Json>::cloned).collect())
        }
    }

    /// The column of these whole numbers.
    pub fn integers(values: impl Iterator<Item = Option<i64>> + Clone) -> Self {
        if values.clone().flatten().all(|value| value.unsigned_abs() <= TOLD_APART) {
            // Exact: a double has as many bits.
            #[allow(clippy::cast_precision_loss)]
            Self::Numbers(values.map(|value| value.map(|value| value as f64)).collect())
        } else {
            Self::Mixed(values.map(|value| value.map(Json::from)).collect())
        }
    }

    fn keep(&self, pass: &[bool]) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Text(column) => Self::Text(column.keep(pass)),
            Self::Numbers(column) => Self::Numbers(kept(column, pass)),
            Self::Booleans(column) => Self::Booleans(kept(column, pass)),
            Self::Mixed(column) => Self::Mixed(kept(column, pass)),
        }
    }

    /// The value in a row as JSON; integers that were stored as numbers come back as numbers.
    pub fn json(&self, row: usize) -> Option<Json> {
        match self {
            Self::Missing => None,
            Self::Text(s) => s.get(row).map(Json::from),
            Self::Numbers(n) => n.get(row).copied().flatten().map(Json::from),
            Self::Booleans(b) => b.get(row).copied().flatten().map(Json::from),
            Self::Mixed(m) => m.get(row).cloned().flatten(),
        }
    }

    /// The value in a row as text, as filters and breakdowns compare it: whole numbers without a
    /// fraction, lists and objects as their JSON.
    pub fn text(&self, row: usize) -> Option<Cow<'_, str>> {
        match self {
            Self::Missing => None,
            Self::Text(s) => s.get(row).map(Into::into),
            Self::Numbers(n) => n.get(row).copied().flatten().map(|x| double(x).into()),
            Self::Booleans(b) => {
                b.get(row).copied().flatten().map(|x| if x { "true".into() } else { "false".into() })
            }
            Self::Mixed(m) => m.get(row).and_then(Option::as_ref).and_then(text),
        }
    }

    /// The value in a row as a number; text that reads as a number is not one.
    pub fn number(&self, row: usize) -> Option<f64> {
        match self {
            Self::Numbers(n) => n.get(row).copied().flatten(),
            Self::Mixed(m) => m.get(row).and_then(Option::as_ref).and_then(Json::as_f64),
            Self::Missing | Self::Text(_) | Self::Booleans(_) => None,
        }
    }
}

/// Up to here doubles tell whole numbers apart.
const TOLD_APART: u64 = 1 << 53;

/// Whether a value is a number that a double holds as it is.
fn is_double(value: &Json) -> bool {
    value.as_number().is_some_and(|n| {
        let whole = n.as_i64().map(i64::unsigned_abs).or_else(|| n.as_u64());
        whole.is_none_or(|whole| whole <= TOLD_APART)
    })
}

/// A double as text: a whole one as the whole number that it is, so that a column of fractions tells it as one of whole
/// numbers does. Zero has no sign.
fn double(x: f64) -> String {
    const MOST: f64 = 18_446_744_073_709_551_616.0;
    // Exact: it is whole, and within 65 bits.
    #[allow(clippy::cast_possible_truncation)]
    if x.fract() == 0.0 && x.abs() <= MOST { (x as i128).to_string() } else { x.to_string() }
}

/// A value as text, as filters and breakdowns compare it: see [`Cells::text`]. Null is missing.
///
/// ```
/// use bellwether_columns::text;
/// use serde_json::json;
/// assert_eq!(text(&json!(5.0)).as_deref(), Some("5"));
/// assert_eq!(text(&json!(-0.0)).as_deref(), Some("0"));
/// assert_eq!(text(&json!(u64::MAX)).as_deref(), Some("18446744073709551615"));
/// assert_eq!(text(&json!(-9_223_372_036_854_775_808.0)), text(&json!(i64::MIN)));
/// assert_eq!(text(&json!(["a", null])).as_deref(), Some(r#"["a",null]"#));
/// assert_eq!(text(&json!(null)), None);
/// ```
pub fn text(value: &Json) -> Option<Cow<'_, str>> {
    match value {
        Json::Null => None,
        Json::String(s) => Some(s.as_str().into()),
        Json::Number(n) => Some(match (n.is_f64(), n.as_f64()) {
            (true, Some(x)) => double(x).into(),
            _ => n.to_string().into(),
        }),
        other => Some(other.to_string().into()),
    }
}

/// Rows that match a question, column by column. All columns have `rows` rows.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// How many rows.
    pub rows: usize,
    /// Event time in milliseconds since 1970.
    pub time: Vec<i64>,
    /// Event type; never missing.
    pub event: Strings,
    /// User id, where the user is known; only where ids were asked for.
    pub user: Strings,
    /// Device id, where there is one; only where ids were asked for.
    pub device: Strings,
    /// The user that the event came with, or else the one whose device it is; only where people were asked for.
    pub person: Strings,
    /// The properties that were asked for, in that order.
    pub properties: Vec<Cells>,
}

impl Batch {
    /// The batch of these events, all of which become rows.
    pub fn of(events: &[&Event], ids: Ids, properties: &[PropertyName]) -> Self {
        let rows = || events.iter().copied();
        let named = |of: fn(&Event) -> Option<&str>| match ids {
            Ids::None => Strings::default(),
            Ids::Came | Ids::People(_) => Strings::intern(rows().map(of)),
        };
        Self {
            rows: events.len(),
            time: rows().map(|e| e.time.0).collect(),
            event: Strings::intern(rows().map(|e| Some(e.event.as_str()))),
            user: named(|e| e.who.user()),
            device: named(|e| e.who.device()),
            person: Strings::default(),
            properties: properties.iter().map(|p| Cells::collect(rows(), p)).collect(),
        }
    }

    /// Only the rows that pass; those past the end of `pass` do not.
    ///
    /// ```
    /// use bellwether_columns::{Batch, Strings};
    /// let all = Batch { rows: 2, time: vec![5, 6], event: Strings::intern([Some("a"), Some("b")].into_iter()), ..Batch::default() };
    /// let kept = all.keep(&[false, true]);
    /// assert_eq!((kept.rows, kept.time.as_slice(), kept.event.get(0)), (1, [6].as_slice(), Some("b")));
    /// ```
    #[must_use]
    pub fn keep(&self, pass: &[bool]) -> Self {
        Self {
            rows: pass.iter().take(self.rows).filter(|pass| **pass).count(),
            time: kept(&self.time, pass),
            event: self.event.keep(pass),
            user: self.user.keep(pass),
            device: self.device.keep(pass),
            person: self.person.keep(pass),
            properties: self.properties.iter().map(|cells| cells.keep(pass)).collect(),
        }
    }

    /// Says who each row's device is, as of when it is asked: `seqs` are the places of the rows in the log, and what
    /// became known after `now` is not known. `None` are devices that nobody is known to own.
    pub fn name_people(&mut self, devices: Option<&Devices>, seqs: &[Seq], known: Known, now: Seq) {
        let alone = |row: usize| self.user.code(row).is_none() && self.device.code(row).is_some();
        let Some(devices) = devices.filter(|_| (0..self.rows).any(alone)) else {
            self.person = self.user.clone();
            return;
        };
        // Each device is looked up once, and where it only ever had one user, so is that user.
        let turns: Vec<Option<&[Turn]>> =
            self.device.values().iter().map(|device| devices.turns(device)).collect();
        let mut alone: Vec<Option<Option<u32>>> = vec![None; turns.len()];
        let mut people = Coding::on(&self.user);
        for row in 0..self.rows {
            if let Some(code) = self.user.code(row) {
                people.push(u32::try_from(code).ok());
                continue;
            }
            let Some(device) = self.device.code(row) else {
                people.push(None);
                continue;
            };
            let (turns, slot) = (turns.get(device).copied().flatten(), alone.get_mut(device));
            let constant = known == Known::Now && turns.is_none_or(|turns| turns.len() == 1);
            let seq = seqs.get(row).copied().unwrap_or_default();
            let until = if known == Known::Then { seq } else { now };
            let code = match slot {
                Some(Some(known)) if constant => *known,
                slot => {
                    let code = turns.and_then(|turns| person(turns, seq, until)).map(|who| people.code(who));
                    if let Some(slot) = slot {
                        *slot = Some(code);
                    }
                    code
                }
            };
            people.push(code);
        }
        self.person = people.finish();
    }
}
