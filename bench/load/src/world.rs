//! Bench of load: the flags and the people. The same flags are said in the words of our API and in those of an
//! Unleash file; what somebody must not get is known here, so that answers can be checked.

use serde_json::{Value as Json, json};

use crate::Failure;

/// The environment of all that is measured.
pub(crate) const ENVIRONMENT: &str = "production";

/// Half of the flags are a percentage; the others ask three clauses first.
pub(crate) struct Flag(pub(crate) usize);

impl Flag {
    pub(crate) fn key(&self) -> String {
        format!("feature-{:04}", self.0)
    }

    fn asks(&self) -> bool {
        !self.0.is_multiple_of(2)
    }

    /// Its targeting, for our API.
    pub(crate) fn targeting(&self) -> Json {
        let half = json!({"serve": "split", "shares": [
            {"variant": "on", "share": 5_000}, {"variant": "off", "share": 5_000}]});
        if !self.asks() {
            return json!({"why": "the bench", "environment": ENVIRONMENT, "default": half});
        }
        let when = json!([[
            {"attribute": "country", "op": "is", "values": ["FI", "SE", "NO"]},
            {"attribute": "plan", "op": "is", "values": ["pro"]},
            {"attribute": "version", "op": "version_greater", "values": ["2.0.0"]},
        ]]);
        json!({
            "why": "the bench", "environment": ENVIRONMENT,
            "default": {"serve": "variant", "variant": "off"},
            "rules": [{"name": "nordic", "when": when, "serve": half}],
        })
    }

    /// The same in an Unleash file.
    fn unleash(&self) -> Json {
        let constraints = if self.asks() {
            json!([
                {"contextName": "country", "operator": "IN", "values": ["FI", "SE", "NO"]},
                {"contextName": "plan", "operator": "IN", "values": ["pro"]},
                {"contextName": "version", "operator": "SEMVER_GT", "value": "2.0.0"},
            ])
        } else {
            json!([])
        };
        json!({
            "name": self.key(), "type": "release", "enabled": true, "project": "default",
            "strategies": [{"name": "flexibleRollout", "constraints": constraints,
                "parameters": {"rollout": "50", "stickiness": "default", "groupId": self.key()}}],
        })
    }
}

/// The whole file.
pub(crate) fn unleash(flags: usize) -> Json {
    let features: Vec<Json> = (0..flags).map(|n| Flag(n).unleash()).collect();
    json!({"version": 2, "features": features})
}

/// Somebody with six attributes.
pub(crate) struct Person(pub(crate) u32);

impl Person {
    fn id(&self) -> String {
        format!("user-{:010}", self.0.wrapping_mul(2_654_435_769))
    }

    fn attributes(&self) -> [(&'static str, String); 6] {
        let n = self.0;
        let of = |words: &[&str]| words.get(n as usize % words.len()).copied().unwrap_or_default().to_owned();
        [
            ("country", of(&["FI", "SE", "NO", "DE", "US", "JP"])),
            ("plan", of(&["pro", "pro", "free"])),
            ("version", format!("{}.{}.{}", 1 + n % 3, n % 13, n % 5)),
            ("email", format!("user-{n}@example.com")),
            ("platform", of(&["ios", "android", "web"])),
            ("seats", (1 + n % 500).to_string()),
        ]
    }

    /// Whether all three clauses hold.
    fn asked(&self) -> bool {
        let n = self.0;
        let above = 1 + n % 3 > 2 || (1 + n % 3 == 2 && (n % 13, n % 5) > (0, 0));
        n % 6 < 3 && n % 3 < 2 && above
    }

    /// What OFREP is asked with.
    pub(crate) fn ofrep(&self) -> Json {
        let mut context = json!({"targetingKey": self.id()});
        for (name, text) in self.attributes() {
            context[name] = if name == "seats" { json!(1 + self.0 % 500) } else { text.into() };
        }
        json!({"context": context})
    }

    /// What Unleash is asked with: every property is text.
    pub(crate) fn unleash(&self) -> Json {
        let properties: serde_json::Map<String, Json> =
            self.attributes().into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
        json!({"userId": self.id(), "properties": properties})
    }
}

/// Counts what `of` the answers say: each must have every flag, and no flag is on for somebody whom its clauses
/// leave out. Gives the share of those that could be on and are.
pub(crate) fn checked(
    flags: usize,
    answers: impl IntoIterator<Item = (Person, Vec<(String, bool)>)>,
) -> Result<f64, Failure> {
    let (mut on, mut could) = (0_u32, 0_u32);
    for (person, mut answer) in answers {
        answer.sort();
        if answer.len() != flags {
            return Err(format!("{} flags of {flags} were answered", answer.len()).into());
        }
        for (n, (key, value)) in answer.into_iter().enumerate() {
            let flag = Flag(n);
            if key != flag.key() {
                return Err(format!("`{key}` was answered for `{}`", flag.key()).into());
            }
            match !flag.asks() || person.asked() {
                true => (on, could) = (on + u32::from(value), could + 1),
                false if value => return Err(format!("`{key}` is on for person {}", person.0).into()),
                false => {}
            }
        }
    }
    let share = f64::from(on) / f64::from(could);
    match (0.47..0.53).contains(&share) {
        true => Ok(share),
        false => Err(format!("{share} of what half should get is on").into()),
    }
}
