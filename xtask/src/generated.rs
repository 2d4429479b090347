//! Xtask: files that are made from others. `web/openapi.json` is what the binary prints (a test of
//! `crates/cli` holds it to that, as it has the binary); `docs/reference/operations.md` is made from it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::house::House;

const OPENAPI: &str = "web/openapi.json";
const REFERENCE: &str = "docs/reference/operations.md";

pub(crate) fn check(house: &House) -> Vec<String> {
    match serde_json::from_str(&house.read(OPENAPI)) {
        Err(e) => vec![format!("`{OPENAPI}` cannot be read: {e}")],
        Ok(document) if reference(&document) == house.read(REFERENCE) => Vec::new(),
        Ok(_) => vec![format!("`{REFERENCE}` is not what `{OPENAPI}` says\nhint: cargo xtask generate")],
    }
}

/// Writes every generated file anew: the OpenAPI document, the page's types (where its packages are
/// installed) and the reference.
pub(crate) fn write() -> Result<(), String> {
    let root = root();
    let said = run(&root, "cargo", &["run", "--quiet", "-p", "bellwether-cli", "--", "openapi"])?;
    put(&root.join(OPENAPI), &said)?;
    write_reference()?;
    if root.join("web/node_modules").is_dir() {
        run(&root, "npm", &["run", "--prefix", "web", "--silent", "types"])?;
    }
    Ok(())
}

/// Writes the reference from the OpenAPI document as it is.
pub(crate) fn write_reference() -> Result<(), String> {
    let root = root();
    let text = std::fs::read(root.join(OPENAPI)).map_err(|e| format!("`{OPENAPI}`: {e}"))?;
    let document: Value = serde_json::from_slice(&text).map_err(|e| format!("`{OPENAPI}`: {e}"))?;
    put(&root.join(REFERENCE), reference(&document).as_bytes())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn put(path: &Path, text: &[u8]) -> Result<(), String> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(|e| e.to_string())?;
    std::fs::write(path, text).map_err(|e| format!("`{}`: {e}", path.display()))
}

fn run(root: &Path, program: &str, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let done = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|e| format!("`{program}` cannot be started: {e}"))?;
    if done.status.success() {
        Ok(done.stdout)
    } else {
        Err(format!("`{program}` ended with {}", done.status))
    }
}

struct Operation<'a> {
    name: &'a str,
    call: String,
    about: &'a str,
    permission: &'a str,
    effect: &'a str,
    fields: Vec<Field<'a>>,
}

struct Field<'a> {
    name: &'a str,
    kind: String,
    required: bool,
    about: &'a str,
}

fn reference(document: &Value) -> String {
    let mut operations = operations(document);
    operations.sort_by_key(|operation| operation.name);
    let mut page = "# Operations\n\n\
        Made from `web/openapi.json` by `cargo xtask generate`; do not edit. A running server has the same, with \
        the form of every answer, at `/openapi.json`.\n\n\
        Each operation is called over HTTP with `Authorization: Bearer <admin key>`, or on the command line as \
        `bellwether NOUN VERB --field value` with `BELLWETHER_KEY` set (dashes for underscores; the field `key` is \
        `--key-id`, as `--key` is the admin key). `?dry_run=true` or `--dry-run` checks \
        everything and changes nothing.\n"
        .to_owned();
    for operation in &operations {
        let Operation { name, call, about, permission, effect, fields } = operation;
        let command = name.replace('.', " ");
        // Writing to a String does not fail.
        let _ = write!(
            page,
            "\n## {name}\n\n{about}\n\n`{call}` · `bellwether {command}` · needs `{permission}`, {effect}\n"
        );
        if !fields.is_empty() {
            page.push_str("\n| field | type | |\n|---|---|---|\n");
        }
        for Field { name, kind, required, about } in fields {
            let about = about.replace('\n', " ").replace('|', "\\|");
            let needed = if *required { "" } else { ", optional" };
            let _ = writeln!(page, "| `{name}` | {kind}{needed} | {about} |");
        }
    }
    page.push_str("\n# Shapes\n\nWhat the fields above hold, in JSON.\n");
    for (name, schema) in shapes(document) {
        let about = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
        let _ = write!(page, "\n## {name}\n\n{about}\n\n");
        page.push_str(&shape(document, schema));
    }
    page
}

/// What fields refer to by name, and what those refer to, by name.
fn shapes<'d>(document: &'d Value) -> BTreeMap<&'d str, &'d Value> {
    let mut found = BTreeMap::new();
    let paths = document["paths"].as_object().into_iter().flatten();
    let entries = paths.flat_map(|(_, methods)| methods.as_object().into_iter().flatten());
    // The form of a whole body is the table of its operation.
    let body =
        |entry: &'d Value| followed(document, &entry["requestBody"]["content"]["application/json"]["schema"]);
    let mut left: Vec<&Value> =
        entries.flat_map(|(_, entry)| [&entry["parameters"], &body(entry)["properties"]]).collect();
    while let Some(value) = left.pop() {
        if let Some(name) = value["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
            let schema = followed(document, value);
            if !is_shape(schema) || found.insert(name, schema).is_none() {
                left.push(schema);
            }
            continue;
        }
        match value {
            Value::Object(map) => left.extend(map.values()),
            Value::Array(list) => left.extend(list),
            _ => {}
        }
    }
    found
}

/// Whether a schema has fields of its own, and so a name in the reference.
fn is_shape(schema: &Value) -> bool {
    let choices = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
    schema["type"] == "object" || choices.is_some_and(|all| all.iter().any(|c| c["const"].is_null()))
}

/// The fields of an object, or one line for each form that it can have.
fn shape(document: &Value, schema: &Value) -> String {
    let mut text = String::new();
    let required = |of: &Value, name: &str| {
        of["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
    };
    if let Some(forms) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        for form in forms.iter().map(|form| followed(document, form)) {
            let about = form["description"].as_str().unwrap_or_default().replace('\n', " ");
            let fields = form["properties"].as_object().into_iter().flatten().map(|(name, field)| {
                let value = match field["const"].as_str() {
                    Some(word) => format!("\"{word}\""),
                    None => kind(document, field).replace('`', ""),
                };
                let optional = if required(form, name) { "" } else { "?" };
                format!("{name}{optional}: {value}")
            });
            let fields: Vec<String> = fields.collect();
            let _ = match fields.is_empty() {
                true => writeln!(text, "- {}: {about}", kind(document, form)),
                false => writeln!(text, "- `{{{}}}`: {about}", fields.join(", ")),
            };
        }
        return text;
    }
    text.push_str("| field | type | |\n|---|---|---|\n");
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let about = field["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
        let needed = if required(schema, name) { "" } else { ", optional" };
        let _ = writeln!(text, "| `{name}` | {}{needed} | {about} |", kind(document, field));
    }
    text
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let entries = paths.flat_map(|(path, methods)| {
        methods.as_object().into_iter().flatten().map(move |(method, entry)| (path, method, entry))
    });
    entries
        .map(|(path, method, entry)| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default();
            let parameters = entry["parameters"].as_array().into_iter().flatten().map(|p| Field {
                name: p["name"].as_str().unwrap_or_default(),
                kind: kind(document, &p["schema"]),
                required: p["required"].as_bool().unwrap_or_default(),
                about: p["description"].as_str().or(p["schema"]["description"].as_str()).unwrap_or_default(),
            });
            let mut fields: Vec<Field<'_>> = parameters.collect();
            let body = followed(document, &entry["requestBody"]["content"]["application/json"]["schema"]);
            let required: Vec<&str> =
                body["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            for (name, schema) in body["properties"].as_object().into_iter().flatten() {
                if fields.iter().any(|field| field.name == name) {
                    continue;
                }
                fields.push(Field {
                    name,
                    kind: kind(document, schema),
                    required: required.contains(&name.as_str()),
                    about: schema["description"].as_str().unwrap_or_default(),
                });
            }
            let plain = &entry["requestBody"]["content"]["text/plain"]["schema"];
            fields.extend(plain["title"].as_str().map(|name| Field {
                name,
                kind: "plain text, the whole body".to_owned(),
                required: true,
                about: plain["description"].as_str().unwrap_or_default(),
            }));
            Operation {
                name: text("operationId"),
                call: format!("{} {path}", method.to_uppercase()),
                about: text("summary"),
                permission: text("x-permission"),
                effect: text("x-effect"),
                fields,
            }
        })
        .collect()
}

/// A schema, or what it refers to.
fn followed<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|r| r.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(schema),
        None => schema,
    }
}

/// The type of a field in a word or two.
fn kind(document: &Value, schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        let simple = followed(document, schema);
        return if is_shape(simple) { format!("`{name}`") } else { kind(document, simple) };
    }
    if let Some(choices) = schema["enum"].as_array() {
        return choices
            .iter()
            .map(|c| format!("`{}`", c.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    if let Some(constant) = schema["const"].as_str() {
        return format!("`{constant}`");
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all.first().map_or_else(|| "anything".to_owned(), |one| kind(document, one));
    }
    if let Some(some) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        let kinds = some.iter().filter(|one| one["type"] != "null").map(|one| kind(document, one));
        return kinds.collect::<Vec<_>>().join(" or ");
    }
    let named = |one: &Value| match one.as_str() {
        Some("array") => format!("list of {}", kind(document, &schema["items"])),
        Some("string") => "text".to_owned(),
        Some("object") => "object".to_owned(),
        Some(other) => other.to_owned(),
        None => "anything".to_owned(),
    };
    match &schema["type"] {
        Value::Array(several) => {
            several.iter().filter(|one| *one != "null").map(named).collect::<Vec<_>>().join(" or ")
        }
        one => named(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_becomes_a_section() {
        let document = serde_json::json!({
            "paths": {"/api/flags/{flag}/toggle": {"post": {
                "operationId": "flag.toggle", "summary": "Switches a flag.", "x-permission": "edit", "x-effect": "changes",
                "parameters": [{"name": "flag", "in": "path", "required": true, "schema": {"type": "string"}, "description": "The flag."}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/In"}}}},
            }}},
            "components": {"schemas": {"In": {"type": "object", "required": ["on"], "properties": {
                "on": {"type": "boolean", "description": "On | off."},
                "why": {"type": ["string", "null"], "description": "The reason."},
                "shares": {"type": "array", "items": {"$ref": "#/components/schemas/Kind"}},
                "plan": {"$ref": "#/components/schemas/Plan"},
            }}, "Kind": {"type": "string", "enum": ["a", "b"]}, "Plan": {"description": "What is planned.", "oneOf": [
                {"type": "object", "description": "A halt.", "required": ["plan"], "properties": {"plan": {"const": "halt"}}},
                {"type": "object", "description": "A step.", "required": ["plan", "step"],
                    "properties": {"plan": {"const": "step"}, "step": {"$ref": "#/components/schemas/Step"}, "of": {"type": "integer"}}},
            ]}, "Step": {"type": "object", "description": "A step.", "required": ["share"],
                "properties": {"share": {"type": "integer", "description": "How much."}, "hold": {"type": "string"}}}}},
        });
        let page = reference(&document);
        let (section, shapes) =
            page.split("## flag.toggle").nth(1).unwrap().split_once("\n# Shapes").unwrap();
        assert_eq!(
            section,
            "\n\nSwitches a flag.\n\n\
             `POST /api/flags/{flag}/toggle` · `bellwether flag toggle` · needs `edit`, changes\n\n\
             | field | type | |\n|---|---|---|\n\
             | `flag` | text | The flag. |\n\
             | `on` | boolean | On \\| off. |\n\
             | `plan` | `Plan`, optional |  |\n\
             | `shares` | list of `a` or `b`, optional |  |\n\
             | `why` | text, optional | The reason. |\n"
        );
        assert_eq!(
            shapes,
            "\n\nWhat the fields above hold, in JSON.\n\n\
             ## Plan\n\nWhat is planned.\n\n\
             - `{plan: \"halt\"}`: A halt.\n\
             - `{of?: integer, plan: \"step\", step: Step}`: A step.\n\n\
             ## Step\n\nA step.\n\n\
             | field | type | |\n|---|---|---|\n\
             | `hold` | text, optional |  |\n\
             | `share` | integer | How much. |\n"
        );
    }
}
