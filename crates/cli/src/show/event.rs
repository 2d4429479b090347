//! Cli: an event as a line of a table: when, what, who it is of, and what is in it as far as there is room.

use serde_json::{Map, Value};

use super::{Cell, NARROW, cut, time};

/// The property that says that an event does not follow the tracking plan.
const VERDICT: &str = "$verdict";
/// As much of an id is said beside what its event is.
const WHO: usize = 20;

/// The cells of an event as it was taken; `None` if it is none. All of it is in `--json`.
pub(super) fn event_line(event: &Map<String, Value>) -> Option<Vec<(String, Cell)>> {
    let (kind, who) = (event.get("event")?.as_str()?, event.get("who")?);
    let at = event.get("time")?.as_i64()?;
    let properties = event.get("properties").and_then(Value::as_object);
    let verdict = properties.and_then(|all| all.get(VERDICT)).map(Cell::of).unwrap_or_default();
    let said = properties.into_iter().flatten().filter(|(name, _)| *name != VERDICT);
    let said: Vec<String> = said.map(|(name, value)| pair(name, value)).collect();
    let cells = [
        ("time", Cell { text: time(at), right: false, time: true }),
        ("event", Cell::text(kind)),
        ("who", Cell::text(whose(who))),
        ("verdict", verdict),
        ("properties", Cell::text(said.join(" "))),
    ];
    Some(cells.into_iter().map(|(name, cell)| (name.to_owned(), cell)).collect())
}

/// A property as `name=value`. A long value is cut, so that those behind it are seen, too.
fn pair(name: &str, value: &Value) -> String {
    let name = cut(name, NARROW);
    match value {
        Value::String(text) if text.is_empty() || text.contains(' ') => {
            format!("{name}=\"{}\"", cut(text, NARROW))
        }
        Value::String(text) => format!("{name}={}", cut(text, NARROW)),
        // As it was sent: a number may be an id.
        other => format!("{name}={}", cut(&other.to_string(), NARROW)),
    }
}

/// Who an event is of: the user, or else the device, as much of it as tells people apart.
pub(super) fn whose(who: &Value) -> String {
    let ids = who.get("both").unwrap_or(who);
    let id = ids["user"].as_str().or_else(|| ids["device"].as_str());
    cut(id.unwrap_or_default(), WHO)
}
