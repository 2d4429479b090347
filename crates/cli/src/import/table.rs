//! Cli, import: a CSV file as rows of one unit each. Every cell that will not do is named by line and
//! column, and there are rows only if there is no such cell.

use std::collections::HashMap;
use std::io::Read;

use bellwether_model::{MetricKey, VariantKey};

use crate::failure::Failure;

/// Which columns mean what.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Map {
    /// The column with the unit's id.
    pub(super) unit: String,
    /// The column with its variant.
    pub(super) variant: String,
    /// The columns with outcomes, the first of which decides.
    pub(super) outcomes: Vec<Outcome>,
}

/// A column that becomes a metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub(super) metric: MetricKey,
    pub(super) column: String,
    pub(super) kind: Kind,
}

/// What the cells of an outcome are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whether the unit did it.
    Conversion,
    /// How much.
    Sum,
}

/// The rows of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    /// In order of their first rows.
    pub(super) variants: Vec<VariantKey>,
    pub(super) rows: Vec<Row>,
}

/// One unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) unit: String,
    /// Index of the variant.
    pub(super) variant: usize,
    /// One per outcome; a conversion is 0 or 1.
    pub(super) values: Vec<f64>,
}

/// How many bad cells are named.
const NAMED: usize = 10;

impl Map {
    /// From `ROLE=COLUMN` pairs, separated by commas.
    pub(super) fn parse<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, Failure> {
        let hint =
            "write `--map unit=COLUMN,variant=COLUMN,metric:KEY=COLUMN`, with `sum:KEY=COLUMN` for amounts";
        let (mut unit, mut variant, mut outcomes) = (None, None, Vec::<Outcome>::new());
        for pair in texts.flat_map(|text| text.split(',')).map(str::trim).filter(|pair| !pair.is_empty()) {
            let bad = |what: &str| Failure::new(format!("`{pair}` {what}"), hint);
            let (role, column) = pair.split_once('=').ok_or_else(|| bad("is not `ROLE=COLUMN`"))?;
            let column = column.to_owned();
            let twice = match role.split_once(':') {
                None if role == "unit" => unit.replace(column).is_some(),
                None if role == "variant" => variant.replace(column).is_some(),
                Some((kind @ ("metric" | "sum"), key)) => {
                    let metric: MetricKey = key
                        .parse()
                        .map_err(|e: bellwether_model::Invalid| Failure::new(e.message, e.hint))?;
                    let twice = outcomes.iter().any(|o| o.metric == metric);
                    let kind = if kind == "sum" { Kind::Sum } else { Kind::Conversion };
                    outcomes.push(Outcome { metric, column, kind });
                    twice
                }
                _ => return Err(bad("has no role that there is")),
            };
            if twice {
                return Err(bad("is given twice"));
            }
        }
        let missing = |role: &str| Failure::new(format!("no column is mapped to `{role}`"), hint);
        if outcomes.is_empty() {
            return Err(missing("metric:KEY"));
        }
        Ok(Self {
            unit: unit.ok_or_else(|| missing("unit"))?,
            variant: variant.ok_or_else(|| missing("variant"))?,
            outcomes,
        })
    }
}

impl Table {
    /// Reads a file with a line of headers.
    ///
    /// # Errors
    /// When a mapped column is missing, and when any cell will not do: the first of them are named.
    pub(super) fn read(mut from: impl Read, map: &Map) -> Result<Self, Failure> {
        let mut file = Vec::new();
        from.read_to_end(&mut file).map_err(|e| {
            Failure::new(format!("the file cannot be read: {e}"), "name a file of CSV, in UTF-8")
        })?;
        let mut places = Lines { file: &file, at: 0, line: 1 };
        let mut reader = csv::Reader::from_reader(file.as_slice());
        let headers = reader.headers().map_err(|e| unreadable(&e))?.clone();
        if headers.is_empty() {
            return Err(Failure::new("the file is empty", "its first line names the columns"));
        }
        let place = |column: &str| {
            // A byte order mark before the first header is not part of its name.
            headers.iter().position(|h| h.trim_start_matches('\u{feff}') == column).ok_or_else(|| {
                let has: Vec<_> =
                    headers.iter().map(|h| format!("`{}`", h.trim_start_matches('\u{feff}'))).collect();
                Failure::new(
                    format!("the file has no column `{column}`"),
                    format!("it has {}", has.join(", ")),
                )
            })
        };
        let (unit, variant) = (place(&map.unit)?, place(&map.variant)?);
        let outcomes =
            map.outcomes.iter().map(|o| Ok((place(&o.column)?, o))).collect::<Result<Vec<_>, Failure>>()?;

        let mut table = Self { variants: Vec::new(), rows: Vec::new() };
        let mut lines: HashMap<String, u64> = HashMap::new();
        let mut bad = Bad::default();
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(e) if e.is_io_error() => return Err(unreadable(&e)),
                Err(e) => {
                    let line = e.position().map_or(0, |position| places.line(position));
                    bad.add(shown(&e, line));
                    continue;
                }
            };
            let line = record.position().map_or(0, |position| places.line(position));
            let cell = |index: usize| record.get(index).unwrap_or_default().trim();
            let id = cell(unit);
            if id.is_empty() || id.len() > 900 {
                bad.cell(line, &map.unit, id, "is not an id");
            } else if let Some(first) = lines.insert(id.to_owned(), line) {
                bad.cell(line, &map.unit, id, &format!("is on line {first} already: a unit has one row"));
            }
            let key = cell(variant).parse::<VariantKey>();
            if let Err(e) = &key {
                bad.cell(line, &map.variant, cell(variant), &format!("is not a variant: {}", e.hint));
            }
            let mut values = Vec::with_capacity(outcomes.len());
            for (index, outcome) in &outcomes {
                match outcome.kind.value(cell(*index)) {
                    Some(value) => values.push(value),
                    None => bad.cell(line, &outcome.column, cell(*index), outcome.kind.wants()),
                }
            }
            if let Ok(key) = key
                && bad.count == 0
            {
                let known = table.variants.iter().position(|v| *v == key);
                let variant = known.unwrap_or_else(|| {
                    table.variants.push(key);
                    table.variants.len() - 1
                });
                table.rows.push(Row { line, unit: id.to_owned(), variant, values });
            }
        }
        bad.none()?;
        if table.variants.len() < 2 {
            return Err(Failure::new(
                format!("the file compares `{}` variants", table.variants.len()),
                format!("column `{}` must hold two or more", map.variant),
            ));
        }
        Ok(table)
    }
}

impl Kind {
    fn value(self, cell: &str) -> Option<f64> {
        match self {
            Self::Sum => cell.parse().ok().filter(|v: &f64| v.is_finite()),
            Self::Conversion => match cell.to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "1" => Some(1.0),
                "false" | "f" | "no" | "n" | "0" => Some(0.0),
                _ => None,
            },
        }
    }

    fn wants(self) -> &'static str {
        match self {
            Self::Conversion => "is neither true nor false",
            Self::Sum => "is not a number",
        }
    }
}

#[derive(Default)]
struct Bad {
    count: u64,
    named: Vec<String>,
}

impl Bad {
    fn add(&mut self, what: String) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(what);
        }
    }

    fn cell(&mut self, line: u64, column: &str, cell: &str, what: &str) {
        let cell: String = cell.chars().take(40).collect();
        self.add(format!("line {line}, column `{column}`: `{cell}` {what}"));
    }

    fn none(self) -> Result<(), Failure> {
        if self.count == 0 {
            return Ok(());
        }
        let more = self.count - self.named.len() as u64;
        let mut message = format!("`{}` cells of the file will not do", self.count);
        for line in &self.named {
            message.push_str("\n  ");
            message.push_str(line);
        }
        if more > 0 {
            message.push_str(&format!("\n  and `{more}` more"));
        }
        Err(Failure::new(message, "correct them and import again: nothing was sent"))
    }
}

fn unreadable(e: &csv::Error) -> Failure {
    Failure::new(
        format!("the file cannot be read: {}", shown(e, 1)),
        "it must be CSV with a line of headers, in UTF-8",
    )
}

fn shown(e: &csv::Error, line: u64) -> String {
    match e.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line}: `{len}` cells where the headers are `{expected_len}`")
        }
        csv::ErrorKind::Utf8 { err, .. } => format!("line {line}: cell {} is not UTF-8", err.field() + 1),
        _ => e.to_string(),
    }
}

/// The lines of a file as an editor counts them. A position of the CSV reader is where the record before
/// ended: before the second half of its CRLF, and before blank lines.
struct Lines<'f> {
    file: &'f [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line on which the record of a position begins. Positions are asked for in order.
    fn line(&mut self, position: &csv::Position) -> u64 {
        let ended = usize::try_from(position.byte()).unwrap_or(usize::MAX);
        while let Some(byte) = self.file.get(self.at) {
            let (feed, carriage) = (*byte == b'\n', *byte == b'\r');
            if self.at >= ended && !feed && !carriage {
                break;
            }
            self.at += 1;
            let first_half = carriage && self.file.get(self.at) == Some(&b'\n');
            self.line += u64::from(feed || (carriage && !first_half));
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn map() -> Map {
        Map::parse(["unit=id,variant=arm", "metric:kept=kept,sum:spent=spent"].into_iter()).unwrap()
    }

    fn refused(csv: &str) -> String {
        Table::read(csv.as_bytes(), &map()).unwrap_err().to_string()
    }

    #[test]
    fn rows_are_read() {
        let table =
            Table::read("\u{feff}id,arm,x,kept,spent\n7, a ,?,TRUE,1.5\n\"8\",b,?,no,0\n".as_bytes(), &map())
                .unwrap();
        assert_eq!(table.variants, ["a".parse().unwrap(), "b".parse().unwrap()]);
        assert_eq!(table.rows[0], Row { line: 2, unit: "7".into(), variant: 0, values: vec![1.0, 1.5] });
        assert_eq!(table.rows[1], Row { line: 3, unit: "8".into(), variant: 1, values: vec![0.0, 0.0] });
    }

    #[test]
    fn every_bad_cell_is_named() {
        insta::assert_snapshot!(refused("id,arm,kept,spent\n1,a,maybe,1\n,b,1,x\n1,c c,1,1\n5,a,1\n"), @"
        error: `6` cells of the file will not do
          line 2, column `kept`: `maybe` is neither true nor false
          line 3, column `id`: `` is not an id
          line 3, column `spent`: `x` is not a number
          line 4, column `id`: `1` is on line 2 already: a unit has one row
          line 4, column `arm`: `c c` is not a variant: use 1 to 100 letters, digits, `.`, `_` or `-`, starting with a letter or digit
          line 5: `3` cells where the headers are `4`
        hint: correct them and import again: nothing was sent
        ");
        insta::assert_snapshot!(refused(""), @"
        error: the file is empty
        hint: its first line names the columns
        ");
        insta::assert_snapshot!(refused("id,arm,kept\n1,a,1\n"), @"
        error: the file has no column `spent`
        hint: it has `id`, `arm`, `kept`
        ");
        insta::assert_snapshot!(refused("id,arm,kept,spent\n1,a,1,1\n"), @"
        error: the file compares `1` variants
        hint: column `arm` must hold two or more
        ");
    }

    #[test]
    fn a_line_is_that_of_the_file_however_its_lines_end() {
        for (end, rows) in [
            ("\n", "id,arm,kept,spent|1,a,1,1|2,b,maybe,1|3,b,1|"),
            ("\r\n", "id,arm,kept,spent|1,a,1,1|2,b,maybe,1|3,b,1|"),
            ("\r", "id,arm,kept,spent|1,a,1,1|2,b,maybe,1|3,b,1|"),
        ] {
            let said = refused(&rows.replace('|', end));
            assert!(said.contains("line 3, column `kept`: `maybe`"), "{end:?}: {said}");
            assert!(said.contains("line 4: `3` cells"), "{end:?}: {said}");
        }
        for end in ["\n", "\r\n"] {
            // Blank lines, and a cell of two lines.
            let rows = "||id,arm,kept,spent|1,a,1,1||\"2|2\",b,maybe,1|3,b,perhaps,1";
            let said = refused(&rows.replace('|', end));
            assert!(said.contains("line 6, column `kept`: `maybe`"), "{end:?}: {said}");
            assert!(said.contains("line 8, column `kept`: `perhaps`"), "{end:?}: {said}");
        }
        let file = b"id,arm,kept,spent\r\n1,a,1,1\r\n2,\xff,1,1\r\n";
        let said = Table::read(file.as_slice(), &map()).unwrap_err().to_string();
        assert!(said.contains("line 3: cell 2 is not UTF-8"), "{said}");
    }

    #[test]
    fn a_map_that_will_not_do_is_refused() {
        for (text, said) in [
            ("unit=a", "no column is mapped to `metric:KEY`"),
            ("metric:k=a,variant=b", "no column is mapped to `unit`"),
            ("unit=a,unit=b", "is given twice"),
            ("unit=a,metric:k=a,sum:k=b", "is given twice"),
            ("unit", "is not `ROLE=COLUMN`"),
            ("colour=a", "has no role that there is"),
            ("metric:-=a", "`-` is not a key"),
        ] {
            let failure = Map::parse([text].into_iter()).unwrap_err().to_string();
            assert!(failure.contains(said), "{text}: {failure}");
        }
    }
}
