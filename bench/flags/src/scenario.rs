//! Bench of flags: the rules and the people, in words that belong to no engine. Everything is made
//! from fixed seeds, so that two runs ask the same questions.

use std::collections::HashSet;

use crate::Failure;

/// The countries of a rule, of those below.
pub(crate) type Countries = [&'static str; 3];

const COUNTRIES: [&str; 6] = ["FI", "SE", "NO", "DE", "US", "JP"];
const NORDIC: Countries = ["FI", "SE", "NO"];
/// Of a segment.
const MEMBERS: u32 = 1_000_000;

/// One question: which rules, whom.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What we promise, if anything.
    pub(crate) aim: Aim,
    pub(crate) rules: Rules,
    pub(crate) people: Vec<Person>,
    pub(crate) order: Order,
}

/// What the project promises of a scenario.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Aim {
    /// At most this long.
    pub(crate) nanoseconds: Option<f64>,
    /// At least this many times as fast as the fastest peer.
    pub(crate) times: Option<f64>,
}

/// In which order the people are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// At random, so that no branch predictor learns them. There are few enough to stay in a cache.
    Random,
    /// As they lie in memory. Their ids are random, so what is looked up by id is not.
    InTurn,
}

/// What an engine is built from.
pub(crate) struct Rules {
    pub(crate) flags: Vec<FlagSpec>,
    /// The ids of the segment.
    pub(crate) members: Vec<String>,
}

/// A flag, `true` or `false`.
pub(crate) struct FlagSpec {
    pub(crate) key: String,
    /// Where an engine hashes a text of our choice with the id.
    pub(crate) salt: String,
    pub(crate) rule: Rule,
}

/// For whom a flag is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// For half of everybody.
    Half,
    /// For half of those in one of the countries, on plan `pro` and with a version above 2.0.0.
    HalfOf(Countries),
    /// For the members of the segment.
    Members,
}

/// Somebody, with what an application would know of them.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) attributes: Option<Attributes>,
}

/// What is known.
pub(crate) struct Attributes {
    pub(crate) country: &'static str,
    pub(crate) plan: &'static str,
    pub(crate) version: String,
    pub(crate) email: String,
    pub(crate) platform: &'static str,
    pub(crate) seats: u32,
    /// What no rule asks for.
    pub(crate) others: Vec<(&'static str, String)>,
}

/// Names of what applications send besides. In a sorted map they stand before, between and behind those
/// that rules ask for.
const OTHERS: [&str; 24] = [
    "accountId",
    "ageGroup",
    "appBuild",
    "browser",
    "campaign",
    "city",
    "currency",
    "device",
    "firstSeen",
    "language",
    "lastSeen",
    "locale",
    "model",
    "network",
    "orders",
    "organization",
    "os",
    "osVersion",
    "referrer",
    "region",
    "role",
    "screen",
    "timeZone",
    "userAgent",
];

impl Rule {
    /// Whether the clauses pick this person; what is left is the half.
    pub(crate) fn picks(self, person: &Person) -> bool {
        match (self, &person.attributes) {
            (Self::Half, _) => true,
            (Self::HalfOf(countries), Some(a)) => {
                countries.contains(&a.country) && a.plan == "pro" && above_two(&a.version)
            }
            (Self::HalfOf(_), None) | (Self::Members, _) => false,
        }
    }
}

/// Whether a version `x.y.z` is greater than 2.0.0.
fn above_two(version: &str) -> bool {
    let numbers: Vec<u32> = version.split('.').filter_map(|n| n.parse().ok()).collect();
    numbers > [2, 0, 0].to_vec()
}

impl Scenario {
    /// In the order of the report.
    pub(crate) const NAMES: [&'static str; 7] = ["a", "b", "b-near", "b-mixed", "b-wide", "c", "d"];

    /// One of them.
    pub(crate) fn named(name: &'static str) -> Result<Self, Failure> {
        let flag = |rule| vec![FlagSpec { key: "new-checkout".into(), salt: "new-checkout:a1".into(), rule }];
        let plain = |flags| Rules { flags, members: Vec::new() };
        let five = Aim { nanoseconds: None, times: Some(5.0) };
        let order = Order::Random;
        Ok(match name {
            "a" => Self {
                name,
                title: "a percentage only",
                aim: five,
                rules: plain(flag(Rule::Half)),
                people: people(1 << 10, |_| true),
                order,
            },
            "b" => Self {
                name,
                title: "three clauses and a percentage; everybody matches all three",
                aim: Aim { nanoseconds: Some(60.0), times: Some(5.0) },
                rules: plain(flag(Rule::HalfOf(NORDIC))),
                people: people(1 << 10, |person| Rule::HalfOf(NORDIC).picks(person)),
                order,
            },
            "b-near" => Self {
                name,
                title: "the same, with 64 contexts instead of 1,024: as near as one that was just made",
                aim: Aim { nanoseconds: Some(60.0), times: Some(5.0) },
                rules: plain(flag(Rule::HalfOf(NORDIC))),
                people: people(1 << 6, |person| Rule::HalfOf(NORDIC).picks(person)),
                order,
            },
            "b-mixed" => Self {
                name,
                title: "the same with 1,024 contexts, of whom a third match",
                aim: Aim { nanoseconds: Some(60.0), times: Some(5.0) },
                rules: plain(flag(Rule::HalfOf(NORDIC))),
                people: people(1 << 10, |_| true),
                order,
            },
            "b-wide" => {
                let mut people = people(1 << 10, |person| Rule::HalfOf(NORDIC).picks(person));
                for attributes in people.iter_mut().filter_map(|person| person.attributes.as_mut()) {
                    attributes.others = OTHERS.iter().zip(0..).map(|(name, n)| (*name, id(n))).collect();
                }
                Self {
                    name,
                    title: "the same with 1,024 contexts of 30 attributes, which are more than two megabytes",
                    aim: Aim { nanoseconds: None, times: Some(5.0) },
                    rules: plain(flag(Rule::HalfOf(NORDIC))),
                    people,
                    order,
                }
            }
            "c" => Self {
                name,
                title: "1,000 flags for one context, every other one with three clauses",
                aim: five,
                rules: plain((0..1_000).map(thousand).collect()),
                people: people(1 << 10, |_| true),
                order,
            },
            "d" => {
                let mut random = Random(4);
                Self {
                    name,
                    title: "a segment of a million ids",
                    aim: Aim { nanoseconds: None, times: Some(2.0) },
                    rules: Rules { flags: flag(Rule::Members), members: (0..MEMBERS).map(id).collect() },
                    people: (0..1 << 18)
                        .map(|_| Person { id: id(random.below(2 * MEMBERS)), attributes: None })
                        .collect(),
                    order: Order::InTurn,
                }
            }
            _ => return Err(format!("there is no scenario `{name}`").into()),
        })
    }

    /// Who gets what: for each person and each flag, whether it is on. `half` is the half that an
    /// engine's hash picks.
    pub(crate) fn is_on<'s>(
        &'s self,
        half: impl Fn(&FlagSpec, &str) -> bool + 's,
    ) -> impl Fn(&FlagSpec, &Person) -> bool + 's {
        let members: HashSet<&str> = self.rules.members.iter().map(String::as_str).collect();
        move |flag, person| match flag.rule {
            Rule::Members => members.contains(person.id.as_str()),
            rule => rule.picks(person) && half(flag, &person.id),
        }
    }
}

/// One of a thousand flags.
fn thousand(n: usize) -> FlagSpec {
    let countries = [COUNTRIES[n / 2 % 6], COUNTRIES[(n / 2 + 1) % 6], COUNTRIES[(n / 2 + 2) % 6]];
    let rule = if n.is_multiple_of(2) { Rule::Half } else { Rule::HalfOf(countries) };
    FlagSpec { key: format!("feature-{n:04}"), salt: format!("feature-{n:04}:a1"), rule }
}

/// The id of the n-th user there is. Multiplying by an odd number loses none.
fn id(n: u32) -> String {
    format!("user-{:010}", n.wrapping_mul(2_654_435_769))
}

/// The first `count` people of a population whom `takes` takes. Two thirds each are in a Nordic
/// country, on plan `pro` and above version 2.0.0.
fn people(count: usize, takes: impl Fn(&Person) -> bool) -> Vec<Person> {
    let mut random = Random(3);
    let mut all = Vec::with_capacity(count);
    for n in 0.. {
        if all.len() == count {
            break;
        }
        let likely = |random: &mut Random| random.below(10) < 7;
        let country = COUNTRIES[(if likely(&mut random) { 0 } else { 3 } + random.below(3)) as usize];
        let plan = if likely(&mut random) { "pro" } else { ["free", "team"][random.below(2) as usize] };
        let major = if likely(&mut random) { 2 + random.below(2) } else { 1 };
        // 2.0.0 itself is not above it; 2.10.0 is, and not by its text.
        let version = format!("{major}.{}.{}", random.below(13), random.below(5));
        let platform = ["ios", "android", "web"][random.below(3) as usize];
        let id = id(n);
        let email = format!("{id}@example.com");
        let seats = 1 + random.below(500);
        let others = Vec::new();
        let attributes = Attributes { country, plan, version, email, platform, seats, others };
        let person = Person { id, attributes: Some(attributes) };
        if takes(&person) {
            all.push(person);
        }
    }
    all
}

/// A linear congruential generator: a few instructions, and the same numbers everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Below `end`.
    #[inline]
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (((self.0 >> 32) * u64::from(end)) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, above) in
            [("1.9.9", false), ("2.0.0", false), ("2.0.1", true), ("2.10.0", true), ("3.0.0", true)]
        {
            assert_eq!(above_two(version), above, "{version}");
        }
    }

    #[test]
    fn people_differ_and_a_third_matches() {
        let mixed = Scenario::named("b-mixed").unwrap();
        let picked = mixed.people.iter().filter(|p| mixed.rules.flags[0].rule.picks(p)).count();
        assert!((300..400).contains(&picked), "{picked}");
        let ids: HashSet<&str> = mixed.people.iter().map(|p| p.id.as_str()).collect();
        assert_eq!(ids.len(), 1 << 10);
        let all = Scenario::named("b").unwrap();
        assert!(all.people.iter().all(|p| all.rules.flags[0].rule.picks(p)));
    }

    #[test]
    fn half_of_the_people_are_members() {
        let scenario = Scenario::named("d").unwrap();
        let is_on = scenario.is_on(|_, _| false);
        let on = scenario.people.iter().filter(|p| is_on(&scenario.rules.flags[0], p)).count();
        assert!((129_000..133_200).contains(&on), "{on}");
    }
}
