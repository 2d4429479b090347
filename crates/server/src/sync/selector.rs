//! Server: selectors. flagd's own have the forms `flagSetId=x`, `source=x` and `x`; here `x` is a key, which
//! names its environment, or an environment, whose key is sent in a header.

/// What a selector says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Selector<'a> {
    /// A key.
    pub(super) secret: Option<&'a str>,
    /// An environment.
    pub(super) environment: Option<&'a str>,
}

/// How keys begin.
const MARKS: [&str; 3] = ["bws_", "bwc_", "bwa_"];

pub(super) fn parse(text: &str) -> Selector<'_> {
    let named = ["flagSetId=", "source="].iter().find_map(|name| text.trim().strip_prefix(name));
    let value = named.unwrap_or(text).trim();
    match value {
        "" => Selector::default(),
        key if MARKS.iter().any(|mark| key.starts_with(mark)) => {
            Selector { secret: Some(key), environment: None }
        }
        environment => Selector { secret: None, environment: Some(environment) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_a_key_or_an_environment() {
        let secret = |secret| Selector { secret: Some(secret), environment: None };
        let environment = |name| Selector { secret: None, environment: Some(name) };
        let check = |text, expected| assert_eq!(parse(text), expected, "{text}");
        check("", Selector::default());
        check("flagSetId=", Selector::default());
        check("bws_abc", secret("bws_abc"));
        check("flagSetId=bws_abc", secret("bws_abc"));
        check(" source=bwc_abc ", secret("bwc_abc"));
        check("flagSetId=production", environment("production"));
        check("source=staging", environment("staging"));
        check("staging", environment("staging"));
        check("flagsetid=staging", environment("flagsetid=staging"));
    }
}
