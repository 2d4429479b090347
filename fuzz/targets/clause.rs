//! Fuzz: one clause and one attribute. The first byte picks the operator; then values, one a line, then, after
//! an empty line, the attribute as JSON or as it stands. What the check takes compiles and answers.
#![no_main]

use bellwether_flags::{Ruleset, Source};
use bellwether_model::{Clause, Context, Environment, Flag, Json, Op, Revision};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::json;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((first, rest)) = bytes.split_first() else { return Corpus::Reject };
    let Ok(text) = std::str::from_utf8(rest) else { return Corpus::Reject };
    let Some(op) = Op::ALL.get(usize::from(*first) % Op::ALL.len()) else { return Corpus::Reject };
    let (values, attribute) = text.split_once("\n\n").unwrap_or((text, ""));
    let attribute: Json = serde_json::from_str(attribute).unwrap_or_else(|_| attribute.into());
    let clause = json!({"attribute": "a", "op": op, "values": values.split('\n').collect::<Vec<_>>()});
    let taken = serde_json::from_value::<Clause>(clause.clone())
        .is_ok_and(|clause| clause.check(&|| "here".to_owned()).is_ok());
    let rule = json!({"when": [[clause]], "serve": {"serve": "variant", "variant": "on"}});
    let setting = json!({"on": true, "off": "off", "rules": [rule], "default": {"serve": "variant", "variant": "off"}});
    let flag = json!({
        "key": "f", "kind": "boolean", "created": 0, "settings": {"production": setting},
        "variants": [{"key": "on", "value": true}, {"key": "off", "value": false}],
    });
    let flag = serde_json::from_value::<Flag>(flag);
    let environment = serde_json::from_value::<Environment>(json!({"key": "production", "name": "p"}));
    let (Ok(flag), Ok(environment)) = (flag, environment) else { return Corpus::Reject };
    let rules = Ruleset::compile(&environment, Revision(1), Source::of_flags([&flag]));
    assert_eq!(rules.is_ok(), taken, "the check and the compiler agree on what can be asked");
    let Ok(rules) = rules else { return Corpus::Keep };
    let context = Context::new(Some("u"), [("a".to_owned(), attribute)].into_iter().collect());
    let answer = rules.evaluate("f", &context).map(|answer| answer.variant);
    let explained = rules.explain("f", &context);
    assert_eq!(answer, explained.as_ref().map(|explained| &explained.variant));
    Corpus::Keep
});
