//! App: a field that an input's schema does not know is refused, however deep it stands. A clause that was
//! said to be `negate`d and is not would serve those whom it should leave out.
//!
//! The types cannot refuse it themselves: many of them are also stored, and what an older version stored
//! must open. So each input is held against the schema of its operation, from which its documentation is made.

use std::sync::LazyLock;

use bellwether_model::Json;
use serde_json::Map;

use super::REGISTRY;
use crate::error::AppError;
use crate::names::nearest;

/// The schemas of an operation's input.
struct Known {
    input: Json,
    /// What it refers to, by the last word of the reference.
    definitions: Map<String, Json>,
}

/// The same, made once for each operation of the registry.
fn known(operation: &str) -> Option<&'static Known> {
    static KNOWN: LazyLock<Vec<(&str, Known)>> = LazyLock::new(|| {
        let schemas = REGISTRY.iter().map(|entry| {
            let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
            let input = (entry.input)(&mut generator).to_value();
            (entry.name, Known { input, definitions: generator.take_definitions(true) })
        });
        schemas.collect()
    });
    KNOWN.iter().find(|(name, _)| *name == operation).map(|(_, known)| known)
}

/// Refuses an input with a field that its operation does not know.
///
/// # Errors
/// `bad_input` with the field, its place, and the name that was perhaps meant.
pub(super) fn check(operation: &str, input: &Json) -> Result<(), AppError> {
    let Some(known) = known(operation) else { return Ok(()) };
    known.look(&[&known.input], input, &mut Vec::new()).map_err(|(place, unknown)| {
        let what = match place.is_empty() {
            true => format!("there is no field `{}`", unknown.field),
            false => format!("in `{place}`: there is no field `{}`", unknown.field),
        };
        let names: Vec<&str> = unknown.known.iter().map(String::as_str).collect();
        let hint = match (nearest(&unknown.field, &names), names.is_empty()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, true) => "leave it out".to_owned(),
            (None, false) => format!("what there is: `{}`", names.join("`, `")),
        };
        AppError::bad_input(what, hint)
    })
}

/// A field that is not known, and those that are.
struct Unknown {
    field: String,
    known: Vec<String>,
}

/// A step into the input.
enum Step<'v> {
    Field(&'v str),
    Item(usize),
}

/// A place as people write it: `rules[0].when`.
fn written(place: &[Step<'_>]) -> String {
    place.iter().fold(String::new(), |so_far, step| match step {
        Step::Item(at) => format!("{so_far}[{at}]"),
        Step::Field(field) if so_far.is_empty() => (*field).to_owned(),
        Step::Field(field) => format!("{so_far}.{field}"),
    })
}

/// What a place of the input may look like: any one of these.
type Forms<'k> = Vec<&'k Map<String, Json>>;

impl Known {
    fn look<'v>(
        &self,
        schemas: &[&Json],
        value: &'v Json,
        place: &mut Vec<Step<'v>>,
    ) -> Result<(), (String, Unknown)> {
        match value {
            Json::Object(fields) => {
                // Whatever is said of any JSON is said of its fields.
                let Some(forms) = self.forms(schemas) else { return Ok(()) };
                let forms = fitting(forms, fields);
                if forms.is_empty() {
                    // No object belongs here; the type says so better.
                    return Ok(());
                }
                for (field, value) in fields {
                    let below: Vec<&Json> = forms.iter().filter_map(|form| of(form, field)).collect();
                    if below.is_empty() {
                        let mut known: Vec<String> = forms.iter().flat_map(|form| names(form)).collect();
                        known.sort();
                        known.dedup();
                        return Err((written(place), Unknown { field: field.clone(), known }));
                    }
                    place.push(Step::Field(field));
                    self.look(&below, value, place)?;
                    place.pop();
                }
                Ok(())
            }
            Json::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                let Some(forms) = self.forms(schemas) else { return Ok(()) };
                let below: Vec<&Json> = forms.iter().filter_map(|form| form.get("items")).collect();
                for (at, item) in items.iter().enumerate() {
                    place.push(Step::Item(at));
                    self.look(&below, item, place)?;
                    place.pop();
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The forms that a value of one of these schemas may have; none where it may be any JSON.
    fn forms<'k>(&'k self, schemas: &[&'k Json]) -> Option<Forms<'k>> {
        let mut forms = Vec::new();
        for schema in schemas {
            let Json::Object(schema) = schema else {
                // `true`: anything.
                return None;
            };
            let referred = schema.get("$ref").and_then(Json::as_str);
            let referred = referred.and_then(|path| self.definitions.get(path.rsplit('/').next()?));
            let others = ["anyOf", "oneOf", "allOf"].iter().filter_map(|word| schema.get(*word)?.as_array());
            let others: Vec<&Json> = others.flatten().chain(referred).collect();
            let says = ["properties", "items", "additionalProperties", "type", "const", "enum"];
            if says.iter().any(|word| schema.contains_key(*word)) {
                forms.push(schema);
            } else if others.is_empty() {
                // A description alone: anything.
                return None;
            }
            forms.extend(self.forms(&others)?);
        }
        Some(forms)
    }
}

/// The forms that an object with these fields can have been meant as: those whose words it says and whose
/// fields it has; if there is none, all that are objects.
fn fitting<'k>(forms: Forms<'k>, fields: &Map<String, Json>) -> Forms<'k> {
    let objects: Forms<'_> =
        forms.into_iter().filter(|form| form.contains_key("properties") || open(form).is_some()).collect();
    let fits = |form: &&Map<String, Json>| {
        let required = form.get("required").and_then(Json::as_array).into_iter().flatten();
        let properties = form.get("properties").and_then(Json::as_object);
        required.filter_map(Json::as_str).all(|name| {
            let word = properties.and_then(|all| all.get(name)?.get("const"));
            fields.get(name).is_some_and(|value| word.is_none_or(|word| word == value))
        })
    };
    let fitting: Forms<'_> = objects.iter().copied().filter(fits).collect();
    if fitting.is_empty() { objects } else { fitting }
}

/// The schema of a field.
fn of<'k>(form: &'k Map<String, Json>, field: &str) -> Option<&'k Json> {
    form.get("properties").and_then(|all| all.get(field)).or_else(|| open(form))
}

/// The schema of the fields that are not named, where there may be such.
fn open(form: &Map<String, Json>) -> Option<&Json> {
    form.get("additionalProperties").filter(|schema| **schema != Json::Bool(false))
}

fn names(form: &Map<String, Json>) -> Vec<String> {
    form.get("properties")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect()
}
