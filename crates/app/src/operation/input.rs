//! App: arguments that arrive as text, from a path, a query or a command line, become the typed
//! input that an operation's schema describes.

use std::sync::LazyLock;

use bellwether_model::{Json, Share};
use serde_json::{Map, json};

use super::{Entry, REGISTRY};
use crate::error::AppError;

/// How many an operation gives at most where so many were asked for, and else the usual number.
///
/// # Errors
/// `bad_input` where it is none, or more than the most.
pub(super) fn at_most(asked: Option<u32>, usual: u32, most: u32) -> Result<usize, AppError> {
    let limit = asked.unwrap_or(usual);
    if !(1..=most).contains(&limit) {
        let hint = format!("leave it out for {usual}, or ask for 1 to {most}");
        return Err(AppError::bad_input(format!("the limit `{limit}` is out of its bounds"), hint));
    }
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

/// One argument of an operation, as its schema describes it.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Name of the field.
    pub name: String,
    /// What it is, from the field's documentation.
    pub about: String,
    /// Whether it must be given.
    pub required: bool,
    /// Its schema, with references resolved at the first level.
    pub schema: Json,
}

/// The arguments of an operation, in the order of its fields.
pub fn arguments(entry: &Entry) -> Vec<Argument> {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12()
        .with(|s| s.inline_subschemas = true)
        .into_generator();
    let schema = (entry.input)(&mut generator).to_value();
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, field)| Argument {
            name: name.clone(),
            about: field["description"].as_str().unwrap_or_default().to_owned(),
            required: required.contains(&name.as_str()),
            schema: field.clone(),
        })
        .collect()
}

/// The same, made once for each operation of the registry.
pub(super) fn known(entry: &Entry) -> &'static [Argument] {
    static KNOWN: LazyLock<Vec<(&str, Vec<Argument>)>> =
        LazyLock::new(|| REGISTRY.iter().map(|entry| (entry.name, arguments(entry))).collect());
    KNOWN
        .iter()
        .find(|(name, _)| *name == entry.name)
        .map(|(_, arguments)| arguments.as_slice())
        .unwrap_or_default()
}

/// The input of an operation from texts by field name. Text fields stay text; all others are read
/// as JSON.
///
/// # Errors
/// `bad_input` for a field that the operation does not have, or text that is not of the field's type.
pub fn from_text(entry: &Entry, texts: &[(String, String)], body: Option<Json>) -> Result<Json, AppError> {
    let known = known(entry);
    let mut input = match body {
        None | Some(Json::Null) => Map::new(),
        Some(Json::Object(map)) => map,
        Some(other) => {
            return Err(AppError::bad_input(
                format!("the body is `{}`, which is not an object", shortened(&other.to_string())),
                format!("send an object with the fields of `{}`", entry.name),
            ));
        }
    };
    for (name, text) in texts {
        let Some(argument) = known.iter().find(|a| a.name == *name) else {
            let has: Vec<_> = known.iter().map(|a| format!("`{}`", a.name)).collect();
            return Err(AppError::bad_input(
                format!("`{}` has no argument `{}`", entry.name, shortened(name)),
                if has.is_empty() { "it takes none".to_owned() } else { format!("use {}", has.join(", ")) },
            ));
        };
        let value = if takes_text(&argument.schema) || words(&argument.schema).contains(&text.as_str()) {
            Json::String(text.clone())
        } else {
            match serde_json::from_str(text) {
                Ok(value) => value,
                // A share may be said in percent.
                Err(_) if is_share(&argument.schema) && text.trim_end().ends_with('%') => {
                    let percent = text.trim_end().trim_end_matches('%').trim().parse();
                    let share = percent.ok().map(Share::percent).transpose()?;
                    let share = share.ok_or_else(|| {
                        AppError::bad_input(
                            format!("in `{name}`: `{}` is not a share", shortened(text)),
                            "write one such as `5%`, or in basis points such as `500`",
                        )
                    })?;
                    Json::from(share.points())
                }
                // A length or a point in time is a number or a text.
                Err(_) if types(&argument.schema).contains(&"string") => Json::String(text.clone()),
                Err(_) => {
                    return Err(AppError::bad_input(
                        format!("in `{name}`: `{}` is not {}", shortened(text), wanted(&argument.schema)),
                        argument.about.clone(),
                    ));
                }
            }
        };
        if let Some(other) = input.insert(name.clone(), value.clone())
            && other != value
        {
            return Err(AppError::bad_input(
                format!("`{name}` is given twice, and not alike"),
                "give it once; what is in the path need not be in the body",
            ));
        }
    }
    Ok(Json::Object(input))
}

/// A body of plain text.
///
/// # Errors
/// `bad_input` with the line where it is not UTF-8.
pub fn plain_text(body: &[u8]) -> Result<String, AppError> {
    let wrong = match std::str::from_utf8(body) {
        Ok(text) => return Ok(text.to_owned()),
        Err(wrong) => wrong,
    };
    let before = body.get(..wrong.valid_up_to()).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    Err(AppError::bad_input(
        format!("in line `{line}`: byte `{column}` is not UTF-8"),
        "save the text as UTF-8, without a Content-Encoding",
    ))
}

/// As much of a text as an error shows.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

fn types(schema: &Json) -> Vec<&str> {
    let own = match &schema["type"] {
        Json::String(one) => vec![one.as_str()],
        Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    let nested = ["anyOf", "oneOf"].into_iter().filter_map(|k| schema[k].as_array()).flatten();
    own.into_iter().chain(nested.flat_map(types)).filter(|t| *t != "null").collect()
}

/// The words that a schema allows beside or instead of other things.
fn words(schema: &Json) -> Vec<&str> {
    let own = schema["enum"].as_array().into_iter().flatten().chain([&schema["const"]]);
    let nested = ["anyOf", "oneOf"].into_iter().filter_map(|of| schema[of].as_array()).flatten();
    own.filter_map(Json::as_str).chain(nested.flat_map(words)).collect()
}

/// Whether an argument is a share, which the schema tells by its bounds: basis points.
pub fn is_share(schema: &Json) -> bool {
    let named = |schema: &Json| types(schema) == ["integer"] && schema["maximum"] == 10_000;
    named(schema) || schema["anyOf"].as_array().is_some_and(|of| of.iter().any(named))
}

fn takes_text(schema: &Json) -> bool {
    let types = types(schema);
    (!types.is_empty() && types.iter().all(|t| *t == "string"))
        || schema.get("const").or_else(|| schema["enum"].get(0)).is_some_and(Json::is_string)
}

fn wanted(schema: &Json) -> String {
    let or = words(schema).iter().map(|word| format!(" or `{word}`")).collect::<String>();
    match types(schema).first() {
        Some(&"integer") => format!("a whole number{or}"),
        Some(&"number") => format!("a number{or}"),
        Some(&"boolean") => "`true` or `false`".into(),
        _ => "JSON of the right shape".into(),
    }
}

/// The OpenAPI 3.1 document of every operation.
pub fn openapi() -> Json {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12()
        .with(|s| s.definitions_path = "/components/schemas".into())
        .into_generator();
    let mut paths: Map<String, Json> = Map::new();
    for entry in REGISTRY {
        let operation = describe(entry, &mut generator);
        let at = paths.entry(entry.path.to_owned()).or_insert_with(|| json!({}));
        if let Some(at) = at.as_object_mut() {
            at.insert(entry.method.word().to_ascii_lowercase(), operation);
        }
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Error".into(), error_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bellwether",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Every operation of Bellwether. Times are milliseconds since 1970 UTC, shares are basis points.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"key": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key."},
                "session": {"type": "apiKey", "in": "cookie", "name": "bellwether_session",
                    "description": "A login; changes also need the header `X-CSRF-Token`."},
            },
        },
    })
}

fn describe(entry: &Entry, generator: &mut schemars::SchemaGenerator) -> Json {
    let in_path: Vec<&str> = entry
        .path
        .split('/')
        .filter_map(|step| step.strip_prefix('{').and_then(|s| s.strip_suffix('}')))
        .collect();
    let has_body = !matches!(entry.method, super::Method::Get | super::Method::Delete);
    let input = resolved((entry.input)(generator).to_value(), generator);
    let output = (entry.output)(generator).to_value();
    let required: Vec<&str> =
        input["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let (mut parameters, mut fields, mut needed) = (Vec::new(), Map::new(), Vec::new());
    for (name, field) in input["properties"].as_object().into_iter().flatten() {
        let in_its_path = in_path.contains(&name.as_str());
        if entry.text == Some(name.as_str()) {
            continue;
        }
        if in_its_path || !has_body || entry.text.is_some() {
            parameters.push(json!({
                "name": name, "in": if in_its_path { "path" } else { "query" },
                "required": in_its_path || required.contains(&name.as_str()),
                "description": field["description"], "schema": field,
            }));
        } else {
            fields.insert(name.clone(), field.clone());
            if required.contains(&name.as_str()) {
                needed.push(name.clone());
            }
        }
    }
    if entry.effect != super::Effect::Reads {
        parameters.push(json!({
            "name": "dry_run", "in": "query", "required": false,
            "description": "`true` checks everything and changes nothing; the answer is what would be.",
            "schema": {"type": "boolean"},
        }));
    }
    let error = |about: &str| json!({"description": about, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}});
    let mut operation = json!({
        "operationId": entry.name,
        "summary": entry.about,
        "tags": [entry.name.split('.').next().unwrap_or_default()],
        "x-permission": entry.needs, "x-class": entry.class, "x-effect": entry.effect,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": output}}},
            "400": error("The input is not what it should be."),
            "401": error("Nobody we know."),
            "403": error("Not allowed."),
            "404": error("There is no such thing."),
            "409": error("Stale, or in a state that does not allow it."),
        },
    });
    if has_body && let Some(map) = operation.as_object_mut() {
        let content = match entry.text {
            Some(field) => {
                let mut schema = input["properties"][field].clone();
                if let Some(map) = schema.as_object_mut() {
                    map.insert("title".into(), field.into());
                }
                json!({"text/plain": {"schema": schema}})
            }
            None => json!({"application/json": {"schema": {
                "type": "object", "properties": fields, "required": needed, "additionalProperties": false,
            }}}),
        };
        map.insert("requestBody".into(), json!({"required": true, "content": content}));
    }
    operation
}

/// The schema itself where a reference was given.
fn resolved(schema: Json, generator: &schemars::SchemaGenerator) -> Json {
    let name = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next());
    match name.and_then(|n| generator.definitions().get(n)) {
        Some(definition) => definition.clone(),
        None => schema,
    }
}

fn error_schema() -> Json {
    json!({
        "type": "object", "required": ["code", "message", "hint", "request_id"],
        "properties": {
            "code": {"type": "string", "description": "For programs, such as `stale`."},
            "message": {"type": "string", "description": "What is wrong."},
            "hint": {"type": "string", "description": "What to do."},
            "request_id": {"type": "string", "description": "Finds the cause in the server's log."},
            "details": {"description": "Facts for programs, such as the newest revision."},
        },
    })
}
