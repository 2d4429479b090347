//! App tests: the document that clients are made from.

use std::collections::HashSet;

use bellwether_app::{REGISTRY, arguments, openapi};
use bellwether_model::Json;
use serde_json::json;

use crate::house::House;

fn walk<'j>(at: &str, value: &'j Json, see: &mut dyn FnMut(&str, &'j Json)) {
    see(at, value);
    match value {
        Json::Object(map) => map.iter().for_each(|(k, v)| walk(&format!("{at}/{k}"), v, see)),
        Json::Array(list) => list.iter().enumerate().for_each(|(i, v)| walk(&format!("{at}/{i}"), v, see)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = openapi();
    let mut seen = 0;
    walk("", &document, &mut |at, value| {
        if let Some(reference) = value.get("$ref").and_then(Json::as_str) {
            let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{at}: {reference}"));
            assert!(document.pointer(pointer).is_some(), "{at}: {reference}");
            seen += 1;
        }
    });
    assert!(seen > 20, "{seen}");
}

#[test]
fn every_operation_is_described_once_and_whole() {
    let document = openapi();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = HashSet::new();
    for entry in REGISTRY {
        let at = format!("{} {}", entry.method.word(), entry.path);
        let described = &document["paths"][entry.path][entry.method.word().to_ascii_lowercase()];
        assert_eq!(described["operationId"], entry.name, "{at}");
        assert!(ids.insert(entry.name), "{at}");
        let mut named = HashSet::new();
        for parameter in described["parameters"].as_array().unwrap() {
            let name = parameter["name"].as_str().unwrap();
            assert!(named.insert(name), "{at}: {name} twice");
            let schema = parameter["schema"].as_object().unwrap();
            let typed = ["type", "$ref", "anyOf", "oneOf", "enum", "allOf"];
            assert!(typed.iter().any(|t| schema.contains_key(*t)), "{at}: {name} has no type");
            assert!(parameter["description"].is_string(), "{at}: {name} is not described");
            assert_eq!(
                parameter["in"] == "path",
                entry.path.contains(&format!("{{{name}}}")),
                "{at}: {name}"
            );
        }
        for step in entry.path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')) {
            assert!(named.contains(step), "{at}: {step} is no parameter");
        }
        let rehearsed = named.contains("dry_run");
        assert_eq!(rehearsed, entry.effect != bellwether_app::Effect::Reads, "{at}: dry_run");
        assert!(described["responses"]["200"]["content"]["application/json"]["schema"].is_object(), "{at}");
    }
    // A null where a word is expected makes client generators fail.
    walk("", &document["paths"], &mut |at, value| {
        let example = at.contains("default") || at.contains("enum") || at.contains("const");
        assert!(example || !value.is_null(), "{at} is null");
    });
}

#[test]
fn the_doors_are_these() {
    let mut table = String::new();
    for entry in REGISTRY {
        let described = &openapi()["paths"][entry.path][entry.method.word().to_ascii_lowercase()];
        let parameters = described["parameters"].as_array().unwrap().iter();
        let mut takes: Vec<_> = parameters.filter_map(|p| p["name"].as_str()).map(str::to_owned).collect();
        let body = &described["requestBody"]["content"]["application/json"]["schema"];
        let needed = |name: &str| {
            body["required"].as_array().is_some_and(|r| r.iter().any(|n| n == name)).then_some("!")
        };
        let fields = body["properties"].as_object().into_iter().flat_map(|p| p.keys());
        takes.extend(fields.map(|f| format!(".{f}{}", needed(f).unwrap_or_default())));
        takes.extend(entry.text.map(|field| format!("text={field}")));
        table.push_str(&format!(
            "{} {} {}: {}\n",
            entry.name,
            entry.method.word(),
            entry.path,
            takes.join(" ")
        ));
    }
    insta::assert_snapshot!("doors", table);
}

/// The pieces of JSON in a text, between backticks.
fn examples(about: &str) -> Vec<Json> {
    let quoted = about.split('`').skip(1).step_by(2).filter(|piece| piece.starts_with(['{', '[']));
    quoted.map(|piece| serde_json::from_str(piece).unwrap_or_else(|e| panic!("{piece}: {e}"))).collect()
}

/// Whether a schema allows anything that is not one word or number.
fn has_a_shape(schema: &Json) -> bool {
    let forms = ["anyOf", "oneOf"].iter().filter_map(|of| schema[*of].as_array()).flatten();
    let own = |kind: &str| {
        schema["type"] == kind || schema["type"].as_array().is_some_and(|of| of.contains(&kind.into()))
    };
    schema.as_bool() == Some(true) || own("object") || own("array") || forms.clone().any(has_a_shape)
}

#[test]
fn every_argument_with_a_shape_shows_one_that_is_taken() {
    let house = House::new();
    let mut shown = Vec::new();
    for entry in REGISTRY {
        for argument in arguments(entry).iter().filter(|argument| has_a_shape(&argument.schema)) {
            let examples = examples(&argument.about);
            assert!(
                !examples.is_empty(),
                "{}: `{}` shows no example: {}",
                entry.name,
                argument.name,
                argument.about
            );
            for example in examples {
                // What else is missing is said of the whole; what is wrong with the example is said of its place.
                let input = json!({argument.name.clone(): example});
                let said = house.ask(entry.name, input).err().map(|e| e.message).unwrap_or_default();
                let place = format!("in `{}", argument.name);
                assert!(!said.starts_with(&place), "{}: {example} is refused: {said}", entry.name);
            }
            shown.push(format!("{} {}", entry.name, argument.name));
        }
    }
    assert!(shown.len() > 25, "{shown:?}");
}
