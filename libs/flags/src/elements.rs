//! Flags: the values that a list's elements are looked for among. A list is walked once, however many values
//! there are: who asks makes up the list.

use bellwether_model::Json;

use crate::text;

/// The values of a set operator.
#[derive(Debug)]
pub(crate) struct Elements {
    /// Each value once, sorted.
    sorted: Box<[Box<str>]>,
    /// How many were given.
    given: usize,
    /// Whether `true` and `false` are known in any spelling.
    loose: bool,
}

/// Values that are ticked off without allocating.
const TICKS: usize = 4_096;

impl Elements {
    /// Values that an element must be to the letter.
    pub(crate) fn exact(values: &[String]) -> Self {
        Self::of(values, false)
    }

    /// Values of which `true` and `false` are known in any spelling.
    pub(crate) fn loose(values: &[String]) -> Self {
        Self::of(values, true)
    }

    fn of(values: &[String], loose: bool) -> Self {
        let mut sorted: Vec<Box<str>> =
            values.iter().map(|v| if loose { truth(v) } else { v }.into()).collect();
        sorted.sort_unstable();
        sorted.dedup();
        Self { sorted: sorted.into(), given: values.len(), loose }
    }

    fn place(&self, element: &str) -> Option<usize> {
        let element = if self.loose { truth(element) } else { element };
        self.sorted.binary_search_by(|value| value.as_ref().cmp(element)).ok()
    }

    /// Whether the list has each value, and nothing else.
    pub(crate) fn are(&self, list: &[Json]) -> bool {
        !text::any_element(list, |element| self.place(element).is_none()) && self.missing(list) == 0
    }

    /// Whether the list has as many elements as values were given, and each value among them.
    pub(crate) fn are_within(&self, list: &[Json]) -> bool {
        let mut count = 0;
        text::any_element(list, |_| {
            count += 1;
            count >= self.given
        });
        count >= self.given && self.missing(list) == 0
    }

    /// How many values the list does not have.
    fn missing(&self, list: &[Json]) -> usize {
        let mut few = [0_u64; TICKS / 64];
        let mut many = Vec::new();
        let ticks = if self.sorted.len() <= TICKS {
            few.as_mut_slice()
        } else {
            many.resize(self.sorted.len().div_ceil(64), 0);
            many.as_mut_slice()
        };
        let mut missing = self.sorted.len();
        text::any_element(list, |element| {
            let ticked = self.place(element).and_then(|at| Some((ticks.get_mut(at / 64)?, 1 << (at % 64))));
            if let Some((word, tick)) = ticked
                && *word & tick == 0
            {
                *word |= tick;
                missing -= 1;
            }
            missing == 0
        });
        missing
    }
}

/// `true` and `false` as they are written, whatever the case.
fn truth(text: &str) -> &str {
    ["true", "false"].into_iter().find(|word| text.eq_ignore_ascii_case(word)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As each operator says it, value by value and element by element.
    fn naive(values: &[String], list: &[Json], loose: bool) -> bool {
        let like = |value: &str, element: &str| {
            value == element
                || (loose
                    && ["true", "false"]
                        .iter()
                        .any(|t| value.eq_ignore_ascii_case(t) && element.eq_ignore_ascii_case(t)))
        };
        let texts: Vec<String> = list
            .iter()
            .filter_map(|element| match element {
                Json::String(text) => Some(text.clone()),
                Json::Null => None,
                other => Some(other.to_string()),
            })
            .filter(|text| !text.is_empty())
            .collect();
        let each = values.iter().all(|value| texts.iter().any(|text| like(value, text)));
        match loose {
            true => texts.len() >= values.len() && each,
            false => each && texts.iter().all(|text| values.iter().any(|value| value == text)),
        }
    }

    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ab]{0,2}",
            Just("true".to_owned()),
            Just("TRUE".to_owned()),
            Just("False".to_owned()),
            Just("1".to_owned())
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn one_walk_says_what_many_would(
            values in proptest::collection::vec(word(), 1..6),
            list in proptest::collection::vec(
                prop_oneof![word().prop_map(Json::String), any::<bool>().prop_map(Json::Bool), Just(1.into()), Just(Json::Null)],
                0..8,
            ),
        ) {
            prop_assert_eq!(Elements::exact(&values).are(&list), naive(&values, &list, false));
            prop_assert_eq!(Elements::loose(&values).are_within(&list), naive(&values, &list, true));
        }

        #[test]
        fn very_many_values_are_ticked_off_as_well(left_out in 0..5_000_usize) {
            let values: Vec<String> = (0..5_000).map(|n| format!("v{n}")).collect();
            let list = |without: Option<usize>| -> Vec<Json> {
                let kept = values.iter().enumerate().filter(|(n, _)| Some(*n) != without);
                kept.map(|(_, v)| v.as_str().into()).chain(["other".into()]).collect()
            };
            let elements = Elements::loose(&values);
            prop_assert!(elements.are_within(&list(None)));
            prop_assert!(!elements.are_within(&list(Some(left_out))));
        }
    }
}
