//! Query: segmentation. How often an event happened, or by how many people or groups, by day and by the values
//! of one property.

use std::borrow::Cow;

use bellwether_columns::{self as columns, Batch, Cells, Known, PropertyName, Scan, Want, text};
use bellwether_model::event::is_active;
use bellwether_model::id::Invalid;
use bellwether_model::metric::Filter;
use bellwether_model::{EnvironmentKey, Json, Millis, Seq};
use jiff::civil::Date;
use rustc_hash::FxHashMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::days::Days;
use crate::error::QueryError;
use crate::filter::{Bots, Filters, Needed, label, walk};
use crate::seen::Seen;
use crate::units::{Codes, Ids};

/// The event that stands for any active event: every type but exposures and assignments, which
/// happen to people and are not something that they do, and what is only told of people and groups.
pub const ANY: &str = "_any";

/// More distinct values of a breakdown than this are refused.
const MOST_GROUPS: usize = 100_000;

/// More series than this are refused.
const MOST_SERIES: u32 = 1_000;

/// A question: an event, what is counted of it, when, of which events, and broken down by what.
///
/// ```
/// use bellwether_query::segmentation::{Measure, Segmentation};
/// let asked: Segmentation = serde_json::from_str(
///     r#"{"environment":"production","event":"purchase","measure":"uniques","from":"2026-03-02","to":"2026-03-04"}"#,
/// ).unwrap();
/// assert_eq!((asked.zone.as_str(), asked.limit, asked.measure), ("UTC", 10, Measure::Uniques));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Segmentation {
    /// Where it happened.
    pub environment: EnvironmentKey,
    /// The event type; `_any` is any event that somebody did, which leaves out the exposures and assignments
    /// that evaluating flags records, and what is only told of people and groups, such as `$identify`.
    pub event: String,
    /// What is counted.
    #[serde(default)]
    pub measure: Measure,
    /// Whose: people, or the groups of a kind, such as `group:company`.
    #[serde(default)]
    pub unit: Unit,
    /// The first day, in `zone`.
    #[serde(deserialize_with = "crate::days::date")]
    #[schemars(with = "String", extend("format" = "date"))]
    pub from: Date,
    /// The last day, included.
    #[serde(deserialize_with = "crate::days::date")]
    #[schemars(with = "String", extend("format" = "date"))]
    pub to: Date,
    /// The IANA time zone whose calendar decides on which day an event falls.
    #[serde(default = "utc")]
    pub zone: String,
    /// Conditions that all must hold, such as `[{"property": "plan", "op": "is", "values": ["pro"]}]`. Properties have the value that they had at the time of the event.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// The property whose values are told apart: plain for the event's, `user.` for the user's, `group.` for a kind of groups.
    #[serde(default)]
    pub by: Option<String>,
    /// Whether what programs did is counted, too: events with the property `$bot`, which says by what they are known.
    #[serde(default)]
    pub bots: bool,
    /// How many values of `by` are answered, those with the largest totals first.
    #[serde(default = "ten")]
    pub limit: u32,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn ten() -> u32 {
    10
}

/// Whose events are looked at, and who is counted for [`Measure::Uniques`]. Its text is `people`, or `group:` and a kind of groups.
///
/// ```
/// use bellwether_query::segmentation::Unit;
/// assert_eq!("group:company".parse(), Ok(Unit::Group("company".into())));
/// assert_eq!(Unit::People.to_string(), "people");
/// assert!("company".parse::<Unit>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Unit {
    /// The user where one is known, or becomes known on the device, and otherwise the device.
    #[default]
    People,
    /// The groups of this kind, such as companies. Events that belong to none are left out; one that belongs to several
    /// counts for each of them.
    Group(String),
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::People => f.write_str("people"),
            Self::Group(kind) => write!(f, "group:{kind}"),
        }
    }
}

impl std::str::FromStr for Unit {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.strip_prefix("group:") {
            Some(kind) if !kind.is_empty() => Ok(Self::Group(kind.to_owned())),
            _ if text == "people" => Ok(Self::People),
            _ => Err(Invalid::new(
                format!("`{text}` is not a unit"),
                "write `people`, or `group:` and the kind of group, such as `group:company`",
            )),
        }
    }
}

impl TryFrom<String> for Unit {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Unit> for String {
    fn from(unit: Unit) -> Self {
        unit.to_string()
    }
}

impl JsonSchema for Unit {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Unit".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^(people|group:.+)$"})
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Events.
    #[default]
    Totals,
    /// Distinct units: people, or groups.
    Uniques,
}

/// An answer, with all that it depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The question, with every option that was left to its default.
    pub asked: Segmentation,
    /// The days of the values, in order and without gaps.
    #[schemars(with = "Vec<String>")]
    pub dates: Vec<Date>,
    /// One series, or one for each value of the breakdown: the largest total first, equals by name.
    pub series: Vec<Series>,
    /// What the limit cut off.
    pub cut: Cut,
    /// Properties of the question that no event of this type had on these days, though there were
    /// events: misspelt, or of another type.
    pub absent: Vec<String>,
    /// Events of this type on these days that were left out because a program did them; 0 where they are counted.
    /// Of `_any` those are among them that nobody does.
    pub bots: u64,
    /// The first of the days that was not over: it and later ones can still grow.
    #[schemars(with = "Option<String>")]
    pub partial: Option<Date>,
    /// Every event up to and including this one was counted, and none after it.
    pub seq: Seq,
}

/// Values by day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    /// The value of the breakdown as text, `(none)` where the property is missing; null without one.
    pub group: Option<String>,
    /// One value per day; a day on which nothing happened is 0.
    pub values: Vec<u64>,
    /// Over the whole range. Distinct units of a range are not the sum of those of its days.
    pub total: u64,
}

/// Groups that are not in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Cut {
    /// How many groups.
    pub groups: u64,
    /// The largest total among them; 0 where nothing was cut.
    pub largest: u64,
}

/// Answers a question over the events of `scan`. `now` only decides what [`Answer::partial`] says.
///
/// # Errors
/// When the question makes no sense (an unknown zone, dates in the wrong order, a filter without
/// values, a limit that is not 1 to 1,000), has more than 100,000 groups, was cancelled, or events cannot be read.
/// `cancel` is asked once per batch.
///
/// Memory grows with the number of groups and days that occur, and for uniques with the number of
/// distinct units in each.
///
/// ```
/// use bellwether_columns::Rows;
/// use bellwether_model::{Millis, Seq};
/// let asked = serde_json::from_str(r#"{"environment":"production","event":"visit","from":"2026-03-02","to":"2026-03-03"}"#).unwrap();
/// let answer = bellwether_query::segmentation::run(&asked, Millis(0), &Rows::new(vec![], Seq(7)), &|| false).unwrap();
/// assert_eq!((answer.series[0].values.as_slice(), answer.seq), ([0, 0].as_slice(), Seq(7)));
/// ```
pub fn run(
    asked: &Segmentation,
    now: Millis,
    scan: &dyn Scan,
    cancel: &dyn Fn() -> bool,
) -> Result<Answer, QueryError> {
    if !(1..=MOST_SERIES).contains(&asked.limit) {
        return Err(QueryError::refused(
            format!("a limit of `{}` series cannot be answered", asked.limit),
            format!("use 1 to {MOST_SERIES}"),
        ));
    }
    let days = Days::new(asked.from, asked.to, &asked.zone)?;
    let mut needed = Needed::default();
    let filters = Filters::compile(&asked.filters, &mut needed)?;
    let by = asked.by.as_deref().map(|name| needed.column(PropertyName::parse(name)));
    let groups = match &asked.unit {
        Unit::People => None,
        Unit::Group(kind) => Some(needed.column(PropertyName::Group(kind.clone()))),
    };
    let names = needed.names();
    let mut absent = Absent::new(&names);
    let want = Want {
        environment: asked.environment.clone(),
        events: (asked.event != ANY).then(|| vec![asked.event.clone()]),
        from: days.from(),
        to: days.to(),
        properties: names,
        ids: match (asked.measure, groups) {
            (Measure::Uniques, None) => columns::Ids::People(Known::Now),
            (Measure::Totals, _) | (Measure::Uniques, Some(_)) => columns::Ids::None,
        },
    };
    let mut count = Count::new(asked.measure, days.dates().len(), by.is_none());
    let columns = Columns { by, groups };
    let bots = if asked.bots { Bots::All } else { Bots::None };
    let bots = walk(scan, &want, bots, cancel, &mut |batch| {
        let mut active = vec![true; batch.rows];
        if asked.event == ANY {
            keep_active(batch, &mut active);
        }
        absent.see(batch, &active);
        let mut pass = filters.passing(batch);
        pass.iter_mut().zip(&active).for_each(|(pass, active)| *pass &= active);
        count.add(batch, &pass, columns, &days)
    })?;
    let (series, cut) = count.finish(asked.limit);
    Ok(Answer {
        asked: asked.clone(),
        dates: days.dates().to_vec(),
        series,
        cut,
        absent: absent.names(&want.properties),
        bots,
        partial: days.unfinished(now),
        seq: scan.seq(),
    })
}

/// Which properties of a question no event had so far.
struct Absent {
    columns: Vec<bool>,
    events: bool,
}

impl Absent {
    fn new(names: &[PropertyName]) -> Self {
        Self { columns: vec![true; names.len()], events: false }
    }

    fn see(&mut self, batch: &Batch, active: &[bool]) {
        let rows = active.iter().enumerate().filter(|(_, active)| **active).map(|(row, _)| row);
        self.events |= rows.clone().next().is_some();
        for (absent, cells) in self.columns.iter_mut().zip(&batch.properties).filter(|(absent, _)| **absent) {
            *absent = matches!(cells, Cells::Missing) || !rows.clone().any(|row| cells.text(row).is_some());
        }
    }

    /// None of them if there were no events that could have had them.
    fn names(self, names: &[PropertyName]) -> Vec<String> {
        let absent = names.iter().zip(self.columns).filter(|(_, absent)| *absent && self.events);
        absent.filter_map(|(name, _)| name.public()).collect()
    }
}

/// Drops the rows that nobody did.
fn keep_active(batch: &Batch, pass: &mut [bool]) {
    let active: Vec<bool> = batch.event.values().iter().map(is_active).collect();
    for (row, pass) in pass.iter_mut().enumerate() {
        *pass &= batch.event.code(row).is_some_and(|code| active.get(code).copied().unwrap_or(false));
    }
}

/// Which of a batch's properties say where and for whom a row counts.
#[derive(Clone, Copy)]
struct Columns {
    by: Option<usize>,
    groups: Option<usize>,
}

/// Counts so far. A cell is a group on a day; its number is `group * days + day`.
struct Count {
    measure: Measure,
    days: usize,
    groups: Ids,
    names: Vec<String>,
    /// Events per cell.
    events: FxHashMap<u32, u64>,
    /// People by their user id, or groups.
    users: Ids,
    devices: Ids,
    units: u32,
    seen: Seen,
    single: bool,
}

impl Count {
    fn new(measure: Measure, days: usize, single: bool) -> Self {
        Self {
            measure,
            days,
            groups: Ids::default(),
            names: Vec::new(),
            events: FxHashMap::default(),
            users: Ids::default(),
            devices: Ids::default(),
            units: 0,
            seen: Seen::default(),
            single,
        }
    }

    fn group(&mut self, name: &str) -> u32 {
        let names = &mut self.names;
        self.groups.number(name, || {
            names.push(name.to_owned());
            number(names.len() - 1)
        })
    }

    fn add(
        &mut self,
        batch: &Batch,
        pass: &[bool],
        Columns { by, groups }: Columns,
        days: &Days,
    ) -> Result<(), QueryError> {
        let column =
            |at: Option<usize>| at.map(|column| batch.properties.get(column).unwrap_or(&Cells::Missing));
        let (cells, groups) = (column(by), column(groups));
        let mut users = Codes::of(&batch.person);
        let mut devices = Codes::of(&batch.device);
        let mut known = match cells {
            Some(Cells::Text(texts)) => Some((texts, Codes::of(texts))),
            _ => None,
        };
        for (row, _) in pass.iter().enumerate().filter(|(_, pass)| **pass) {
            let Some(day) = batch.time.get(row).and_then(|&time| days.day(time)) else { continue };
            let members = groups.map(|cells| members(cells, row));
            if members.as_ref().is_some_and(Vec::is_empty) {
                continue;
            }
            let group = match (cells, &mut known) {
                (None, _) => 0,
                (Some(_), Some((texts, codes))) => match codes.get(texts, row, |text| self.group(text)) {
                    Some(group) => group,
                    None => self.group(crate::filter::NONE),
                },
                (Some(cells), None) => self.group(&label(cells, row)),
            };
            if group as usize >= MOST_GROUPS {
                return Err(QueryError::refused(
                    format!("the breakdown has more than `{MOST_GROUPS}` values"),
                    "break down by a property with fewer values, or add a filter",
                ));
            }
            let cell = group * number(self.days) + number(day);
            match self.measure {
                Measure::Totals => *self.events.entry(cell).or_default() += 1,
                Measure::Uniques => {
                    let next = &mut self.units;
                    let mut next = || {
                        *next += 1;
                        *next
                    };
                    let mut count = |unit| self.seen.insert(group, unit, number(day));
                    match members {
                        Some(members) => {
                            for name in members {
                                count(self.users.number(&name, &mut next));
                            }
                        }
                        None => users
                            .get(&batch.person, row, |id| self.users.number(id, &mut next))
                            .or_else(|| {
                                devices.get(&batch.device, row, |id| self.devices.number(id, &mut next))
                            })
                            .into_iter()
                            .for_each(count),
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, limit: u32) -> (Vec<Series>, Cut) {
        let mut whole: FxHashMap<u32, u64> = FxHashMap::default();
        std::mem::take(&mut self.seen).tell(|group, day| {
            let counted = match day {
                Some(day) => self.events.entry(group * number(self.days) + day),
                None => whole.entry(group),
            };
            *counted.or_default() += 1;
        });
        let mut totals = vec![0; if self.single { 1 } else { self.names.len() }];
        let mut add = |group: usize, n: u64| {
            if let Some(total) = totals.get_mut(group) {
                *total += n;
            }
        };
        match self.measure {
            Measure::Totals => self.events.iter().for_each(|(&cell, &n)| add(cell as usize / self.days, n)),
            Measure::Uniques => whole.iter().for_each(|(&group, &n)| add(group as usize, n)),
        }
        let mut ranked: Vec<usize> = (0..totals.len()).collect();
        let (total, name) = (|g: usize| totals.get(g).copied().unwrap_or(0), |g: usize| self.names.get(g));
        ranked.sort_by(|&a, &b| total(b).cmp(&total(a)).then_with(|| name(a).cmp(&name(b))));
        let cut = ranked.split_off((limit as usize).min(ranked.len()));
        let cut = Cut { groups: cut.len() as u64, largest: cut.first().map_or(0, |&g| total(g)) };
        // Values are laid out only for what is answered: groups times days can be large.
        let series = ranked.into_iter().map(|group| Series {
            group: name(group).cloned(),
            values: (0..self.days)
                .map(|day| {
                    let cell = number(group) * number(self.days) + number(day);
                    self.events.get(&cell).copied().unwrap_or(0)
                })
                .collect(),
            total: total(group),
        });
        (series.collect(), cut)
    }
}

/// The groups that a row belongs to.
fn members(cells: &Cells, row: usize) -> Vec<Cow<'_, str>> {
    match cells {
        Cells::Mixed(values) => match values.get(row).and_then(Option::as_ref) {
            Some(Json::Array(list)) => list.iter().filter_map(text).collect(),
            one => one.and_then(text).into_iter().collect(),
        },
        _ => cells.text(row).into_iter().collect(),
    }
}

/// A number that is known to be small: a cell is below 100,001 groups of 3,653 days.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "segmentation_tests.rs"]
mod tests;
