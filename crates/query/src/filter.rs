//! Query: filters, compiled once per question and applied column by column.

use std::borrow::Cow;

use bellwether_columns::{Batch, Cells, PropertyName, Want};
use bellwether_model::event::{BOT, BY_PACE};
use bellwether_model::metric::{Filter, FilterOp};

use crate::error::QueryError;

/// The text of a missing property, in filters and in breakdowns.
pub const NONE: &str = "(none)";

/// The properties that a question needs, each once, in the order of the batch's columns.
#[derive(Debug, Default)]
pub(crate) struct Needed(Vec<PropertyName>);

impl Needed {
    /// The column that will hold this property.
    pub(crate) fn column(&mut self, name: PropertyName) -> usize {
        self.0.iter().position(|n| *n == name).unwrap_or_else(|| {
            self.0.push(name);
            self.0.len() - 1
        })
    }

    /// For [`Want::properties`].
    pub(crate) fn names(self) -> Vec<PropertyName> {
        self.0
    }
}

/// Conditions that all hold.
#[derive(Debug)]
pub(crate) struct Filters(Vec<Compiled>);

#[derive(Debug)]
struct Compiled {
    column: usize,
    test: Test,
}

#[derive(Debug)]
enum Test {
    /// The text is one of these (`is`: and passes; otherwise fails).
    Equals { values: Vec<String>, is: bool },
    /// The text contains one of these, which are in lower case.
    Contains { values: Vec<String>, is: bool },
    /// The number stands so to this bound; a missing one gives `missing`.
    Bound { bound: Option<f64>, op: Order, missing: bool },
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Filters {
    /// Compiles filters.
    ///
    /// # Errors
    /// When a filter has no values, or compares with what is not a number.
    pub(crate) fn compile(filters: &[Filter], needed: &mut Needed) -> Result<Self, QueryError> {
        filters
            .iter()
            .map(|filter| {
                let test = Test::of(filter)?;
                Ok(Compiled { column: needed.column(PropertyName::parse(&filter.property)), test })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Which rows pass all filters, one entry per row of the batch.
    pub(crate) fn passing(&self, batch: &Batch) -> Vec<bool> {
        let mut pass = vec![true; batch.rows];
        for Compiled { column, test } in &self.0 {
            let cells = batch.properties.get(*column).unwrap_or(&Cells::Missing);
            match cells {
                // Text is tested once per distinct value.
                Cells::Text(texts) => {
                    let known: Vec<bool> = texts.values().iter().map(|v| test.passes_text(Some(v))).collect();
                    let missing = test.passes_text(None);
                    for (row, pass) in pass.iter_mut().enumerate() {
                        *pass &=
                            texts.code(row).map_or(missing, |code| known.get(code).copied().unwrap_or(false));
                    }
                }
                _ => {
                    for (row, pass) in pass.iter_mut().enumerate() {
                        *pass = *pass && test.passes(cells, row);
                    }
                }
            }
        }
        pass
    }
}

impl Test {
    fn of(filter: &Filter) -> Result<Self, QueryError> {
        let Filter { property, op, values } = filter;
        if values.is_empty() {
            return Err(QueryError::refused(
                format!("the filter on `{property}` has no values"),
                "give at least one value, or remove the filter",
            ));
        }
        let bound = |op, tighter: fn(f64, f64) -> f64| {
            let mut bound = None;
            let mut missing = false;
            for value in values {
                if value == NONE {
                    missing = true;
                    continue;
                }
                match value.trim().parse::<f64>() {
                    Ok(x) if x.is_finite() => bound = Some(bound.map_or(x, |b| tighter(b, x))),
                    _ => {
                        return Err(QueryError::refused(
                            format!("`{value}` is not a number that `{property}` can be compared with"),
                            "use a number such as 9.5, or the filter `is`",
                        ));
                    }
                }
            }
            Ok(Self::Bound { bound, op, missing })
        };
        let lower = || values.iter().map(|v| v.to_lowercase()).collect();
        // Values are alternatives: less than any of them is less than the largest.
        match op {
            FilterOp::Is => Ok(Self::Equals { values: values.clone(), is: true }),
            FilterOp::IsNot => Ok(Self::Equals { values: values.clone(), is: false }),
            FilterOp::Contains => Ok(Self::Contains { values: lower(), is: true }),
            FilterOp::DoesNotContain => Ok(Self::Contains { values: lower(), is: false }),
            FilterOp::Less => bound(Order::Less, f64::max),
            FilterOp::LessOrEqual => bound(Order::LessOrEqual, f64::max),
            FilterOp::Greater => bound(Order::Greater, f64::min),
            FilterOp::GreaterOrEqual => bound(Order::GreaterOrEqual, f64::min),
        }
    }

    fn passes(&self, cells: &Cells, row: usize) -> bool {
        match self {
            Self::Equals { .. } | Self::Contains { .. } => self.passes_text(cells.text(row).as_deref()),
            Self::Bound { bound, op, missing } => match cells.number(row) {
                Some(x) => bound.is_some_and(|b| match op {
                    Order::Less => x < b,
                    Order::LessOrEqual => x <= b,
                    Order::Greater => x > b,
                    Order::GreaterOrEqual => x >= b,
                }),
                None => *missing && cells.text(row).is_none(),
            },
        }
    }

    /// Whether a text passes; text that reads as a number is not one.
    fn passes_text(&self, text: Option<&str>) -> bool {
        match self {
            Self::Equals { values, is } => {
                let text = text.unwrap_or(NONE);
                values.iter().any(|v| v == text) == *is
            }
            Self::Contains { values, is } => {
                let found = match text {
                    None => values.iter().any(|v| v == NONE),
                    Some(text) => {
                        let text = text.to_lowercase();
                        values.iter().any(|v| text.contains(v.as_str()))
                    }
                };
                found == *is
            }
            Self::Bound { missing, .. } => *missing && text.is_none(),
        }
    }
}

/// The text of a cell as a breakdown shows it.
pub(crate) fn label(cells: &Cells, row: usize) -> Cow<'_, str> {
    cells.text(row).unwrap_or(Cow::Borrowed(NONE))
}

/// Calls `each` with every wanted batch, unless `cancel` says to stop. Batches have no rows of those bots that are not
/// wanted; how many rows these were is returned.
///
/// # Errors
/// When the events cannot be read, when it was cancelled, or what `each` returns.
pub(crate) fn walk(
    scan: &dyn bellwether_columns::Scan,
    want: &Want,
    bots: Bots,
    cancel: &dyn Fn() -> bool,
    each: &mut dyn FnMut(&Batch) -> Result<(), QueryError>,
) -> Result<u64, QueryError> {
    use std::ops::ControlFlow;
    let mut stopped = None;
    if cancel() {
        return Err(QueryError::Cancelled);
    }
    let mut want = want.clone();
    let at = want.properties.len();
    if bots != Bots::All {
        // Behind those of the question, whose places stay what they are.
        want.properties.push(PropertyName::Event(BOT.to_owned()));
    }
    let mut left_out = 0;
    scan.scan(&want, &mut |batch| {
        let went = if cancel() {
            Err(QueryError::Cancelled)
        } else {
            match bots.stay(batch, at) {
                None => each(batch),
                Some(pass) => {
                    let people = batch.keep(&pass);
                    left_out += (batch.rows - people.rows) as u64;
                    each(&people)
                }
            }
        };
        match went {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                stopped = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    stopped.map_or(Ok(left_out), Err)
}

/// Which bots' rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bots {
    /// All: they are like people's.
    All,
    /// Of those who are known by their pace. What a variant made somebody do must not decide whether they are
    /// counted, and how much they do is of that kind; what their browser calls itself is not.
    Paced,
    /// None.
    None,
}

impl Bots {
    /// Which rows stay, where some do not; the marks are in this column.
    pub(crate) fn stay(self, batch: &Batch, at: usize) -> Option<Vec<bool>> {
        let marks = batch.properties.get(at).filter(|marks| !matches!(marks, Cells::Missing))?;
        let pass: Vec<bool> = (0..batch.rows).map(|row| !self.leaves_out(marks, row)).collect();
        pass.contains(&false).then_some(pass)
    }

    /// Whether a row is left out.
    pub(crate) fn leaves_out(self, marks: &Cells, row: usize) -> bool {
        match self {
            Self::All => false,
            Self::Paced => marks.text(row).is_some_and(|mark| mark != BY_PACE),
            Self::None => marks.text(row).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use bellwether_columns::Strings;
    use bellwether_model::Json;
    use serde_json::json;

    /// The values of one property in one column; null is missing.
    fn column(values: &[Json]) -> Cells {
        let some = || values.iter().map(|v| (!v.is_null()).then_some(v));
        if some().flatten().all(Json::is_string) {
            Cells::Text(Strings::intern(some().map(|v| v.and_then(Json::as_str))))
        } else if some().flatten().all(Json::is_number) {
            Cells::Numbers(some().map(|v| v.and_then(Json::as_f64)).collect())
        } else {
            Cells::Mixed(some().map(Option::<&Json>::cloned).collect())
        }
    }

    fn check(op: FilterOp, values: &[&str], cells: &Json) -> Vec<bool> {
        let filter =
            Filter { property: "p".into(), op, values: values.iter().map(|v| (*v).to_owned()).collect() };
        let mut needed = Needed::default();
        let filters = Filters::compile(&[filter], &mut needed).unwrap();
        let cells = cells.as_array().unwrap();
        let batch = Batch { rows: cells.len(), properties: vec![column(cells)], ..Batch::default() };
        filters.passing(&batch)
    }

    #[test]
    fn values_are_alternatives_and_missing_is_a_value() {
        use FilterOp::*;
        let (y, n) = (true, false);
        let text = json!(["FI", "fi", "SE", null]);
        assert_eq!(check(Is, &["FI", "SE"], &text), [y, n, y, n]);
        assert_eq!(check(IsNot, &["FI"], &text), [n, y, y, y]);
        assert_eq!(check(Is, &["(none)"], &text), [n, n, n, y]);
        assert_eq!(check(IsNot, &["(none)", "SE"], &text), [y, y, n, n]);
        assert_eq!(check(Contains, &["F", "x"], &text), [y, y, n, n]);
        assert_eq!(check(DoesNotContain, &["f"], &text), [n, n, y, y]);
        let numbers = json!([1, 2.5, -3, null]);
        assert_eq!(check(Is, &["1", "2.5"], &numbers), [y, y, n, n]);
        assert_eq!(check(Is, &["1.0"], &numbers), [n, n, n, n]);
        assert_eq!(check(Less, &["1", "2"], &numbers), [y, n, y, n]);
        assert_eq!(check(LessOrEqual, &["1"], &numbers), [y, n, y, n]);
        assert_eq!(check(Greater, &["1", "2"], &numbers), [n, y, n, n]);
        assert_eq!(check(GreaterOrEqual, &["1", "(none)"], &numbers), [y, y, n, y]);
        let mixed = json!([1, "1", true, ["a"], null]);
        assert_eq!(check(Is, &["1", "true", "[\"a\"]"], &mixed), [y, y, y, y, n]);
        assert_eq!(check(Less, &["2"], &mixed), [y, n, n, n, n]);
        assert_eq!(check(Less, &["2", "(none)"], &mixed), [y, n, n, n, y]);
    }

    #[test]
    fn a_filter_that_says_nothing_is_refused() {
        let refused = |op, values: &[&str]| {
            let values = values.iter().map(|v| (*v).to_owned()).collect();
            let filter = Filter { property: "price".into(), op, values };
            Filters::compile(&[filter], &mut Needed::default()).unwrap_err().to_string()
        };
        insta::assert_snapshot!(refused(FilterOp::Is, &[]), @r"
        the filter on `price` has no values
        hint: give at least one value, or remove the filter
        ");
        insta::assert_snapshot!(refused(FilterOp::Less, &["cheap"]), @r"
        `cheap` is not a number that `price` can be compared with
        hint: use a number such as 9.5, or the filter `is`
        ");
    }
}
