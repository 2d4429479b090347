//! Cli: an answer as people read it. A list of the answer becomes a table whose columns follow from
//! what is in it and from the operation's schema; nothing here knows an operation by name.

use bellwether_app::{Entry, is_share};
use jiff::Timestamp;
use serde_json::{Map, Value};

mod event;
mod one;

use event::{event_line, whose};
pub(crate) use one::{NOTHING, done, one};

/// How many characters a cell may have while there is room.
const CELL: usize = 60;
/// What a wide cell may be cut to where there is none.
const NARROW: usize = 24;

/// What the last column may be cut to.
const TAIL: usize = 12;
/// Counts that are a column where one of them is not zero: what became of events, of which there is mostly one way.
const OUTCOMES: [&str; 3] = ["accepted", "quarantined", "rejected"];

/// Columns that come first, in this order.
const FIRST: [&str; 23] = [
    "at",
    "time",
    "key",
    "id",
    "event",
    "who",
    "verdict",
    "message",
    "count",
    "accepted",
    "quarantined",
    "rejected",
    "source",
    "name",
    "by",
    "sentence",
    "flag",
    "kind",
    "scope",
    "environment",
    "state",
    "metric",
    "control",
];
/// Columns that come last, and go first where there is no room.
const LAST: [&str; 5] = ["ends", "changed", "changed_by", "revision", "created"];
/// What is said better by another column, or is too long for one. `--json` has it.
const HIDDEN: [&str; 15] = [
    "alpha",
    "description",
    "edit",
    "effect",
    "got",
    "horizon",
    "hypothesis",
    "insert_id",
    "planned",
    "received",
    "session",
    "subject",
    "unit",
    "user_properties",
    "wanted",
];

/// The list of an answer as an aligned table, at most `width` characters wide; `None` if there is no
/// list of objects in the answer, or several. A page that is nothing but lists has a table for each, under its name.
pub(crate) fn table(entry: &Entry, answer: &Value, width: usize) -> Option<String> {
    let schema = Schema::of(entry);
    let answer = answer.as_object()?;
    let is_list = |name: &str, value: &Value| {
        let item = schema.item(name);
        let objects = |item: &Value| *item == true || schema.resolve(item).get("properties").is_some();
        // What is amiss with one thing is said with it.
        name != "warnings" && value.is_array() && item.is_some_and(objects)
    };
    let paged = schema.property(&schema.root, "next").is_some();
    let (mut lists, others): (Vec<_>, Vec<_>) = answer.iter().partition(|(name, value)| is_list(name, value));
    let mut text = match lists.as_slice() {
        [(name, list)] => schema.rows(name, list, width)?,
        [_, _, ..] if paged && others.iter().all(|(name, _)| *name == "next") => {
            // The page itself is what stands last on the screen: it has what things are named by.
            let named =
                |name: &str| schema.item(name).is_some_and(|item| schema.property(item, "id").is_some());
            lists.sort_by_key(|(name, _)| named(name));
            let tables = lists.iter().map(|(name, list)| {
                let rows = schema.rows(name, list, width)?;
                let empty = list.as_array().is_some_and(Vec::is_empty);
                Some(if empty { rows } else { format!("{name}:\n{rows}") })
            });
            tables.collect::<Option<Vec<String>>>()?.join("\n\n")
        }
        _ => return None,
    };
    // Of nothing nothing else is said.
    if lists.iter().all(|(_, list)| list.as_array().is_some_and(Vec::is_empty)) {
        return Some(text);
    }
    let facts: Vec<String> = answer
        .iter()
        .filter_map(|(fact, value)| {
            let of = schema.property(&schema.root, fact);
            let said = match (value.as_i64()?, of) {
                (at, Some(of)) if schema.is_time(of) => format!("{} UTC", time(at)),
                (points, Some(of)) if is_share(of) => percent(points),
                (number, _) => number.to_string(),
            };
            Some(format!("{fact} {said}"))
        })
        .collect();
    if !facts.is_empty() {
        text.push_str(&format!("\n\n{}", facts.join(", ")));
    }
    Some(text)
}

/// How wide a terminal is, as far as its shell says.
pub(crate) fn width() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    told.filter(|columns| *columns >= 40).unwrap_or(100)
}

/// A whole number with its thousands set apart.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in UTC, to the minute.
pub(crate) fn time(millis: i64) -> String {
    match Timestamp::from_millisecond(millis) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => format!("{millis} ms"),
    }
}

/// A share in basis points, as people say it.
pub(crate) fn percent(points: i64) -> String {
    format!("{}%", points as f64 / 100.0)
}

/// The schema of an operation's answer.
struct Schema {
    root: Value,
    definitions: Map<String, Value>,
}

impl Schema {
    fn of(entry: &Entry) -> Self {
        let document = bellwether_app::openapi();
        let method = entry.method.word().to_ascii_lowercase();
        let answer = &document["paths"][entry.path][method]["responses"]["200"]["content"];
        Self {
            root: answer["application/json"]["schema"].clone(),
            definitions: document["components"]["schemas"].as_object().cloned().unwrap_or_default(),
        }
    }

    /// What a reference stands for, and what is there if it is not null.
    fn resolve<'s>(&'s self, mut schema: &'s Value) -> &'s Value {
        // A reference to itself has no shape to show.
        for _ in 0..8 {
            let to = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
            let to = to.and_then(|name| self.definitions.get(name));
            let some = schema["anyOf"].as_array().and_then(|of| of.iter().find(|one| one["type"] != "null"));
            match to.or(some) {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }

    fn property<'s>(&'s self, schema: &'s Value, name: &str) -> Option<&'s Value> {
        let schema = self.resolve(schema);
        let own = schema["properties"].get(name);
        own.or_else(|| {
            let mut forms = schema["oneOf"].as_array().into_iter().flatten();
            forms.find_map(|form| self.property(form, name))
        })
    }

    fn is_time(&self, schema: &Value) -> bool {
        let named = |s: &Value| s["$ref"].as_str().is_some_and(|path| path.ends_with("/Millis"));
        named(schema) || schema["anyOf"].as_array().is_some_and(|of| of.iter().any(named))
    }

    fn is_span(&self, schema: &Value) -> bool {
        let named = |s: &Value| s["$ref"].as_str().is_some_and(|path| path.ends_with("/Span"));
        named(schema) || schema["anyOf"].as_array().is_some_and(|of| of.iter().any(named))
    }

    /// What a list of the answer is of.
    fn item<'s>(&'s self, name: &str) -> Option<&'s Value> {
        self.resolve(self.property(&self.root, name)?).get("items")
    }

    /// A list of the answer as a table.
    fn rows(&self, name: &str, list: &Value, width: usize) -> Option<String> {
        let rows = list.as_array()?;
        if rows.is_empty() {
            return Some(format!("no {name} yet"));
        }
        let item = self.item(name)?;
        let mut table = Table::default();
        for row in rows {
            let mut cells = Vec::new();
            self.flatten(row, Some(item), &mut cells);
            table.row(cells);
        }
        Some(table.text(width))
    }

    /// The cells of an object: its own first, then those of the objects in it.
    fn flatten(&self, row: &Value, schema: Option<&Value>, cells: &mut Vec<(String, Cell)>) {
        let Some(row) = row.as_object() else { return };
        if schema.is_none_or(|schema| *schema == true)
            && let Some(line) = event_line(row)
        {
            cells.extend(line);
            return;
        }
        let property = |name: &str| schema.and_then(|schema| self.property(schema, name));
        let mut inner = Vec::new();
        for (name, value) in row {
            if HIDDEN.contains(&name.as_str()) || cells.iter().any(|(taken, _)| taken == name) {
                continue;
            }
            let cell = match value {
                // What is shown by its first few is said by how many there are.
                Value::Object(object) if object.get("first").is_some_and(Value::is_array) => {
                    object.get("count").map(Cell::of).unwrap_or_default()
                }
                // Who it is in the log says a random id; the name is said beside it.
                Value::Object(object) if object.contains_key("actor") => continue,
                Value::Object(object) => match collapsed(name, object) {
                    // An event that is one thing of several is its type and whose it is.
                    Some(text) if object.contains_key("who") => {
                        cells.push(("who".to_owned(), Cell::text(whose(&object["who"]))));
                        Cell::text(text)
                    }
                    Some(text) => Cell::text(match object.get("because").and_then(Value::as_str) {
                        Some(because) => format!("{text}: {because}"),
                        None => text,
                    }),
                    None => {
                        inner.push((name, value));
                        continue;
                    }
                },
                Value::Number(_) if property(name).map_or(name == "time", |schema| self.is_time(schema)) => {
                    Cell {
                        text: value.as_i64().map_or_else(|| value.to_string(), time),
                        right: false,
                        time: true,
                    }
                }
                // A number that is a name is written to a command as it is here.
                Value::Number(id) if name == "id" => Cell { text: id.to_string(), right: true, time: false },
                Value::Number(points) if property(name).is_some_and(is_share) => {
                    Cell { text: points.as_i64().map(percent).unwrap_or_default(), right: true, time: false }
                }
                Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                    continue;
                }
                scalar => Cell::of(scalar),
            };
            cells.push((name.clone(), cell));
        }
        for (name, value) in inner {
            let schema = property(name).map(|schema| self.resolve(schema));
            let map = match schema {
                Some(schema) => schema.get("properties").is_none() && schema.get("oneOf").is_none(),
                // An event's own names would be columns of that one event.
                None => name.ends_with("properties"),
            };
            let Some(object) = value.as_object() else { continue };
            if !map {
                self.flatten(value, schema, cells);
            } else if schema.is_some_and(|s| s.get("patternProperties").is_some()) {
                // A value for each key: a column for each key, if the values fit in one.
                let fits = object.iter().filter(|(_, value)| !value.is_object() && !value.is_array());
                cells.extend(fits.map(|(key, value)| (key.clone(), Cell::of(value))));
            } else if !object.is_empty() {
                let pairs: Vec<String> =
                    object.iter().map(|(key, value)| format!("{key}={}", Cell::of(value).text)).collect();
                cells.push((name.clone(), Cell::text(pairs.join(" "))));
            }
        }
    }
}

/// An object that is one word: somebody with a name, or a form that its own name tells.
fn collapsed(name: &str, object: &Map<String, Value>) -> Option<String> {
    let somebody = if object.len() == 2 && object.contains_key("kind") { object.get("name") } else { None };
    somebody.or_else(|| object.get(name))?.as_str().map(str::to_owned)
}

#[derive(Debug, Default, Clone)]
struct Cell {
    text: String,
    right: bool,
    time: bool,
}

impl Cell {
    fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), right: false, time: false }
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::default(),
            Value::Bool(yes) => Self::text(if *yes { "yes" } else { "no" }),
            Value::String(text) => Self::text(text),
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| Self::of(item).text).collect();
                // Words stand beside each other, sentences do not.
                let sentences = items.iter().any(|item| item.contains(' '));
                Self::text(items.join(if sentences { "; " } else { " " }))
            }
            Value::Number(number) => {
                let text = number.as_u64().map_or_else(|| number.to_string(), thousands);
                Self { text, right: true, time: false }
            }
            Value::Object(_) => Self::text(value.to_string()),
        }
    }
}

/// Cells in columns. Also what a report of another shape is laid out with.
#[derive(Debug, Default)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: usize,
}

#[derive(Debug)]
struct Column {
    name: String,
    cells: Vec<Cell>,
}

impl Table {
    fn row(&mut self, cells: Vec<(String, Cell)>) {
        for (name, cell) in cells {
            let place = self.columns.iter().position(|column| column.name == name).unwrap_or_else(|| {
                self.columns.push(Column { name, cells: Vec::new() });
                self.columns.len() - 1
            });
            if let Some(column) = self.columns.get_mut(place) {
                column.cells.resize(self.rows, Cell::default());
                column.cells.push(cell);
            }
        }
        self.rows += 1;
    }

    /// Adds a row of texts under names; those that are numbers stand to the right.
    pub(crate) fn say(&mut self, cells: &[(&str, String)]) {
        let cell = |text: &String| Cell {
            right: text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+'),
            ..Cell::text(text)
        };
        self.row(cells.iter().map(|(name, text)| ((*name).to_owned(), cell(text))).collect());
    }

    /// The columns in the order in which they were said.
    pub(crate) fn plain(self) -> String {
        lines(&self.columns, usize::MAX)
    }

    fn text(mut self, width: usize) -> String {
        self.columns.retain(|column| {
            let none = |cell: &Cell| {
                cell.text.is_empty() || (cell.text == "0" && OUTCOMES.contains(&column.name.as_str()))
            };
            !column.cells.iter().all(none)
        });
        self.columns.sort_by(|a, b| rank(&a.name).cmp(&rank(&b.name)).then_with(|| a.name.cmp(&b.name)));
        // What can be missed makes room for what would be cut.
        let keyed = self.columns.iter().any(|column| column.name == "key");
        for name in LAST.iter().rev().chain(&["kind", "name"]) {
            if wanted(&self.columns) <= width {
                break;
            }
            self.columns.retain(|column| column.name != *name || (*name == "name" && !keyed));
        }
        while self.columns.len() > 1 && least(&self.columns) > width + 2 {
            self.columns.pop();
        }
        lines(&self.columns, width)
    }
}

fn rank(name: &str) -> usize {
    let first = FIRST.iter().position(|n| *n == name);
    let last = || LAST.iter().position(|n| *n == name).map(|place| FIRST.len() + 1 + place);
    first.or_else(last).unwrap_or(FIRST.len())
}

impl Column {
    fn title(&self) -> String {
        let utc = if self.cells.iter().any(|cell| cell.time) { " (UTC)" } else { "" };
        format!("{}{utc}", self.name.replace('_', " "))
    }

    fn width(&self) -> usize {
        let widest = self.cells.iter().map(|cell| cell.text.chars().count()).max().unwrap_or_default();
        widest.min(CELL).max(self.title().chars().count())
    }
}

/// The width that columns take when nothing is cut.
fn wanted(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.width() + 2).sum::<usize>().saturating_sub(2)
}

/// What the column at a place may be cut to: the last one to less, so that it is there at all.
fn cut_to(columns: &[Column], place: usize) -> usize {
    let least = if place + 1 == columns.len() { TAIL } else { NARROW };
    columns.get(place).map_or(least, |column| least.max(column.title().chars().count()))
}

/// The width that columns need when the wide ones are cut.
fn least(columns: &[Column]) -> usize {
    let each = columns.iter().enumerate();
    each.map(|(place, column)| column.width().min(cut_to(columns, place)) + 2).sum::<usize>()
}

fn lines(columns: &[Column], width: usize) -> String {
    let mut widths: Vec<usize> = columns.iter().map(Column::width).collect();
    while widths.iter().map(|w| w + 2).sum::<usize>() > width.saturating_add(2) {
        let each = widths.iter_mut().enumerate();
        match each.filter(|(place, wide)| **wide > cut_to(columns, *place)).max_by_key(|(_, wide)| **wide) {
            Some((_, widest)) => *widest -= 1,
            None => break,
        }
    }
    // What is left of a terminal's width is for the last.
    let taken = widths.iter().map(|w| w + 2).sum::<usize>().saturating_sub(2);
    if let (Some(last), Some(column)) = (widths.last_mut(), columns.last())
        && width != usize::MAX
    {
        let longest = column.cells.iter().map(|cell| cell.text.chars().count()).max().unwrap_or_default();
        *last = (*last).max(longest.min(*last + width.saturating_sub(taken)));
    }
    let rows = columns.iter().map(|column| column.cells.len()).max().unwrap_or_default();
    let line = |cell: &dyn Fn(&Column) -> Cell| {
        let mut line = String::new();
        for (column, width) in columns.iter().zip(&widths) {
            let Cell { text, right, .. } = cell(column);
            let text = cut(&text, *width);
            let right = right || (column.cells.iter().all(|cell| cell.right || cell.text.is_empty()));
            let gap = " ".repeat(width.saturating_sub(text.chars().count()));
            let (before, after) = if right { (gap, String::new()) } else { (String::new(), gap) };
            line.push_str(&format!("{before}{text}{after}  "));
        }
        line.trim_end().to_owned()
    };
    let mut text = vec![line(&|column| Cell::text(column.title()))];
    text.extend((0..rows).map(|row| line(&|column| column.cells.get(row).cloned().unwrap_or_default())));
    text.join("\n")
}

/// As much as fits. What would move the cursor of a terminal is not let through.
fn cut(text: &str, width: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() <= width {
        return clean.collect();
    }
    clean.take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
