//! App: how large a context may be. A public key asks with contexts of its own making, and what a rule costs grows
//! with the texts and lists that it is asked about.

use bellwether_model::Json;
use serde_json::Map;

use crate::error::AppError;

/// The longest text of a context, in bytes.
const LONGEST_TEXT: usize = 64 << 10;
/// The most elements of one of its lists.
const LONGEST_LIST: usize = 10_000;

/// Refuses a context with a text or a list that is longer than any that a rule is meant for.
///
/// # Errors
/// `bad_input` with the attribute and its length.
///
/// ```
/// # use serde_json::json;
/// let tags = json!({"plan": "pro", "tags": vec![1; 10_001]});
/// let refused = bellwether_app::fits(tags.as_object().unwrap()).unwrap_err();
/// assert_eq!(refused.message, "the attribute `tags` is a list of `10001` elements, and `10000` may be");
/// ```
pub fn fits(attributes: &Map<String, Json>) -> Result<(), AppError> {
    attributes.iter().try_for_each(|(name, value)| within(name, value))
}

fn within(name: &str, value: &Json) -> Result<(), AppError> {
    let long = |what: String, hint: &str| {
        let name: String = name.chars().take(60).collect();
        Err(AppError::bad_input(format!("the attribute `{name}` is {what}"), hint))
    };
    match value {
        Json::String(text) if text.len() > LONGEST_TEXT => long(
            format!("a text of `{}` bytes, and `{LONGEST_TEXT}` may be", text.len()),
            "send what rules ask for: an id, a word, a version",
        ),
        Json::Array(items) if items.len() > LONGEST_LIST => long(
            format!("a list of `{}` elements, and `{LONGEST_LIST}` may be", items.len()),
            "put the ids into a segment and send only the one that is asked for",
        ),
        Json::Array(items) => items.iter().try_for_each(|item| within(name, item)),
        Json::Object(fields) => {
            fields.iter().try_for_each(|(field, value)| within(&format!("{name}.{field}"), value))
        }
        _ => Ok(()),
    }
}
