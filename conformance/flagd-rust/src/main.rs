//! Conformance: the official flagd provider for Rust, as its documentation says to set it up: by its own
//! environment variables (`FLAGD_HOST`, `FLAGD_PORT`, `FLAGD_RESOLVER`, `FLAGD_SOURCE_SELECTOR`), with nothing
//! beside them.
//!
//! It says `ready`, and then answers what it is asked: a line in is `{flag, type, context}`, a line out
//! `{value, variant, reason}` or `{errorCode}`. It ends with its input.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{BufRead, Write as _, stdin, stdout};

use open_feature::{Client, EvaluationContext, EvaluationDetails, EvaluationError, OpenFeature};
use open_feature_flagd::{FlagdOptions, FlagdProvider};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let provider = FlagdProvider::new(FlagdOptions::default()).await?;
    OpenFeature::singleton_mut().await.set_provider(provider).await;
    let client = OpenFeature::singleton().await.create_client();
    let mut out = stdout().lock();
    writeln!(out, "ready")?;
    for line in stdin().lock().lines() {
        let question: Value = serde_json::from_str(&line?)?;
        writeln!(out, "{}", answer(&client, &question).await?)?;
        out.flush()?;
    }
    Ok(())
}

/// What the provider says, or that the question is none.
async fn answer(client: &Client, question: &Value) -> Result<Value, Box<dyn Error>> {
    let flag = question["flag"].as_str().ok_or("a question names a `flag`")?;
    let context = context(&question["context"])?;
    match question["type"].as_str() {
        Some("boolean") => Ok(said(client.get_bool_details(flag, Some(&context), None).await)),
        Some("string") => Ok(said(client.get_string_details(flag, Some(&context), None).await)),
        other => Err(format!("a question is of type `boolean` or `string`, not {other:?}").into()),
    }
}

/// A context of text attributes, which is what the proof has.
fn context(attributes: &Value) -> Result<EvaluationContext, Box<dyn Error>> {
    let mut context = EvaluationContext::default();
    for (name, value) in attributes.as_object().ok_or("a `context` is an object")? {
        let value = value.as_str().ok_or("an attribute is a string")?;
        match name.as_str() {
            "targetingKey" => context.targeting_key = Some(value.to_owned()),
            name => context.add_custom_field(name, value),
        }
    }
    Ok(context)
}

fn said<T: Into<Value>>(answer: Result<EvaluationDetails<T>, EvaluationError>) -> Value {
    match answer {
        Ok(EvaluationDetails { value, variant, reason, .. }) => {
            json!({"value": value.into(), "variant": variant, "reason": reason.map(|reason| reason.to_string())})
        }
        Err(EvaluationError { code, message }) => {
            let mut said = code.to_string();
            if let Some(message) = message {
                let _ = write!(said, ": {message}");
            }
            json!({"errorCode": said})
        }
    }
}
