//! Model: prerequisites, flags that must serve a variant before another flag serves at all. They make
//! a graph, which has no cycles and is not so deep that one question becomes thousands.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flag::Flag;
use crate::id::{EnvironmentKey, FlagKey, Invalid, VariantKey};

/// A flag that must serve one of these variants to the same context. A flag that is unknown in the
/// environment, or archived, serves none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prerequisite {
    /// The flag.
    pub flag: FlagKey,
    /// The variants that will do. Never empty.
    pub variants: Vec<VariantKey>,
}

impl Prerequisite {
    /// Checks it as part of the flag `of`.
    pub(crate) fn check(&self, of: &FlagKey) -> Result<(), Invalid> {
        if self.flag == *of {
            return Err(Invalid::new(
                format!("flag `{of}` is its own prerequisite"),
                "name another flag, or use a rule",
            ));
        }
        if self.variants.is_empty() {
            return Err(Invalid::new(
                format!("the prerequisite `{}` of flag `{of}` names no variant", self.flag),
                "name the variants that will do",
            ));
        }
        Ok(())
    }
}

/// The most flags that one evaluation may ask through prerequisites, a flag that is reached by two
/// ways counted twice.
pub const MOST: usize = 256;

/// Checks the prerequisites of one environment, where all flags are known. Flags without a setting
/// there, and archived ones, are asked nothing.
///
/// # Errors
/// When flags need one another in a circle, which is named, or when one flag would ask more than
/// [`MOST`] others.
///
/// ```
/// # use bellwether_model::{Flag, EnvironmentKey, prerequisite};
/// let flag = |key: &str, needs: &str| -> Flag { serde_json::from_value(serde_json::json!({
///     "key": key, "kind": "boolean", "created": 0, "variants": [{"key": "on", "value": true}],
///     "settings": {"production": {"on": true, "off": "on", "default": {"serve": "variant", "variant": "on"},
///         "prerequisites": [{"flag": needs, "variants": ["on"]}]}}})).unwrap() };
/// let flags = [flag("a", "b"), flag("b", "c"), flag("c", "b")];
/// let production: EnvironmentKey = "production".parse().unwrap();
/// let circle = prerequisite::check(&production, &flags).unwrap_err();
/// assert_eq!(circle.message, "in environment `production`: flag `b` needs `c`, which needs `b`");
/// ```
pub fn check<'a>(
    environment: &EnvironmentKey,
    flags: impl IntoIterator<Item = &'a Flag>,
) -> Result<(), Invalid> {
    let needs: BTreeMap<&FlagKey, &[Prerequisite]> = flags
        .into_iter()
        .filter(|flag| !flag.archived)
        .filter_map(|flag| Some((&flag.key, &flag.settings.get(environment)?.prerequisites[..])))
        .collect();
    let mut walk = Walk { needs: &needs, asked: BTreeMap::new(), path: Vec::new() };
    for flag in needs.keys() {
        walk.visit(flag)
            .map_err(|e| Invalid::new(format!("in environment `{environment}`: {}", e.message), e.hint))?;
    }
    Ok(())
}

struct Walk<'w, 'a> {
    needs: &'w BTreeMap<&'a FlagKey, &'a [Prerequisite]>,
    /// How many flags an evaluation of each flag asks, itself included.
    asked: BTreeMap<&'a FlagKey, usize>,
    path: Vec<&'a FlagKey>,
}

impl<'a> Walk<'_, 'a> {
    fn visit(&mut self, flag: &'a FlagKey) -> Result<usize, Invalid> {
        if let Some(asked) = self.asked.get(flag) {
            return Ok(*asked);
        }
        if let Some(at) = self.path.iter().position(|seen| *seen == flag) {
            let circle = self.path.iter().skip(at + 1).chain([&flag]);
            let needs: Vec<String> = circle.map(|key| format!("needs `{key}`")).collect();
            return Err(Invalid::new(
                format!("flag `{flag}` {}", needs.join(", which ")),
                "remove one of these prerequisites",
            ));
        }
        // The path is at most as long as a flag may ask, so the stack is bounded, too.
        let far = |flag| {
            Invalid::new(
                format!("flag `{flag}` asks more than `{MOST}` flags through its prerequisites"),
                "shorten the chain of prerequisites, or put their common condition into a segment",
            )
        };
        if self.path.len() >= MOST {
            return Err(far(self.path.first().copied().unwrap_or(flag)));
        }
        let Some(needed) = self.needs.get(flag) else { return Ok(1) };
        self.path.push(flag);
        let mut asked = 1;
        for prerequisite in *needed {
            asked += self.visit(&prerequisite.flag)?;
        }
        self.path.pop();
        if asked > MOST {
            return Err(far(flag));
        }
        self.asked.insert(flag, asked);
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn flag(key: &str, needs: &[String]) -> Flag {
        let needs: Vec<_> = needs.iter().map(|f| json!({"flag": f, "variants": ["on"]})).collect();
        serde_json::from_value(json!({
            "key": key, "kind": "boolean", "created": 0, "variants": [{"key": "on", "value": true}],
            "settings": {"test": {"on": true, "off": "on", "prerequisites": needs,
                "default": {"serve": "variant", "variant": "on"}}},
        }))
        .unwrap()
    }

    fn said(flags: &[Flag]) -> String {
        check(&"test".parse().unwrap(), flags).map_or_else(|e| e.message, |()| "fine".to_owned())
    }

    #[test]
    fn a_chain_is_fine_up_to_a_length() {
        let chain = |n: usize| -> Vec<Flag> {
            let needs = |i| if i + 1 < n { vec![format!("f{}", i + 1)] } else { vec![] };
            (0..n).map(|i| flag(&format!("f{i}"), &needs(i))).collect()
        };
        assert_eq!(said(&chain(MOST)), "fine");
        assert!(said(&chain(MOST + 1)).contains("asks more than `256`"));
        assert!(said(&chain(10 * MOST)).contains("asks more than `256`"));
    }

    #[test]
    fn what_is_asked_twice_counts_twice() {
        // Two parents in each of ten rows: 2^10 questions.
        let mut flags = vec![flag("r0a", &[]), flag("r0b", &[])];
        for row in 1..10 {
            let parents = [format!("r{}a", row - 1), format!("r{}b", row - 1)];
            flags.extend(["a", "b"].map(|side| flag(&format!("r{row}{side}"), &parents)));
        }
        assert!(said(&flags).contains("asks more than `256`"), "{}", said(&flags));
        assert_eq!(said(&flags[..12]), "fine");
    }

    #[test]
    fn circles_are_named_and_strangers_ignored() {
        let needs = |of: &str| vec![of.to_owned()];
        let flags = [flag("a", &needs("b")), flag("b", &needs("c")), flag("c", &needs("a"))];
        assert!(said(&flags).ends_with("flag `a` needs `b`, which needs `c`, which needs `a`"));
        let mut archived = flags.clone();
        archived[1].archived = true;
        assert_eq!(said(&archived), "fine");
        assert_eq!(said(&[flag("a", &needs("nobody"))]), "fine");
    }
}
