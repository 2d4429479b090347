//! Model: a split of the population. It owns ranges, adds up to 100% or does not exist, and grows
//! without moving anyone who already has a variant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{Invalid, VariantKey};
use crate::share::Share;

/// A stretch of the population, from `from` up to but not including `to`, in basis points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    /// First basis point that belongs to the range.
    pub from: u16,
    /// First basis point after the range.
    pub to: u16,
    /// The variant that owns the range.
    pub variant: VariantKey,
}

/// How a population is divided among variants: disjoint ranges that cover all 10,000 basis points.
///
/// People edit shares; the split decides ranges. One variant may be the `rest`: it holds whoever is
/// not enrolled, and growth takes from it first.
///
/// ```
/// use bellwether_model::{Share, Split, VariantKey};
/// let (t, c, off): (VariantKey, VariantKey, VariantKey) =
///     ("t".parse().unwrap(), "c".parse().unwrap(), "off".parse().unwrap());
/// let bp = |n| Share::basis_points(n).unwrap();
/// let five = Split::new("s1", &[(t.clone(), bp(500)), (c.clone(), bp(500)), (off.clone(), bp(9000))], Some(&off)).unwrap();
/// let ten = five.reshare(&[(t, bp(1000)), (c, bp(1000)), (off.clone(), bp(8000))]).unwrap();
/// assert_eq!(five.moved(&ten), Share::NONE); // only people of `off` were enrolled
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Parts", into = "Parts")]
#[schemars(with = "Parts")]
pub struct Split {
    salt: String,
    rest: Option<VariantKey>,
    ranges: Vec<Range>,
}

/// The stored and public form of a split.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Split")]
struct Parts {
    /// ASCII text that decorrelates this split from others; a new salt is a new assignment of everybody.
    salt: String,
    /// The variant of those who are not enrolled, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rest: Option<VariantKey>,
    /// In order of position, without gaps, from 0 to 10000.
    ranges: Vec<Range>,
}

const ALL: u16 = 10_000;

impl Split {
    /// A first division: the variants in the given order, `rest` behind all others.
    ///
    /// # Errors
    /// When the shares do not add up to 100%, name a variant twice, or do not name `rest`; when the
    /// salt is empty, not ASCII or longer than 200 characters.
    pub fn new(
        salt: &str,
        shares: &[(VariantKey, Share)],
        rest: Option<&VariantKey>,
    ) -> Result<Self, Invalid> {
        check_shares(shares, rest)?;
        let mut ranges = Vec::new();
        let mut at = 0;
        let enrolled = shares.iter().filter(|(v, _)| Some(v) != rest);
        let unenrolled = shares.iter().filter(|(v, _)| Some(v) == rest);
        for (variant, share) in enrolled.chain(unenrolled) {
            push(&mut ranges, at, at + share.points(), variant);
            at += share.points();
        }
        Parts { salt: salt.to_owned(), rest: rest.cloned(), ranges }.try_into()
    }

    /// The same split with other shares. A variant keeps the ranges that it owns as far as its new
    /// share reaches; growth takes the ranges of `rest` first, in order of position, and only then
    /// what shrinking variants gave up.
    ///
    /// # Errors
    /// As [`Split::new`].
    pub fn reshare(&self, shares: &[(VariantKey, Share)]) -> Result<Self, Invalid> {
        check_shares(shares, self.rest.as_ref())?;
        let wanted = |v: &VariantKey| shares.iter().find(|(w, _)| w == v).map_or(0, |(_, s)| s.points());
        let is_rest = |v: &VariantKey| Some(v) == self.rest.as_ref();

        // What every enrolled variant keeps, and what is free for others, by position.
        let mut kept: Vec<Range> = Vec::new();
        let mut free: Vec<(u16, u16)> = Vec::new();
        let mut given_up: Vec<(u16, u16)> = Vec::new();
        let mut left: Vec<(&VariantKey, u16)> = shares.iter().map(|(v, s)| (v, s.points())).collect();
        for range in &self.ranges {
            if is_rest(&range.variant) {
                free.push((range.from, range.to));
                continue;
            }
            let budget = left.iter_mut().find(|(v, _)| **v == range.variant);
            let keep = budget.map_or(0, |(_, left)| {
                let keep = (*left).min(range.to - range.from);
                *left -= keep;
                keep
            });
            push(&mut kept, range.from, range.from + keep, &range.variant);
            if range.from + keep < range.to {
                given_up.push((range.from + keep, range.to));
            }
        }

        // Growth, in the order in which the shares were given; `rest` takes what is left over.
        let mut pool = free.into_iter().chain(given_up).collect::<std::collections::VecDeque<_>>();
        for (variant, _) in shares.iter().filter(|(v, _)| !is_rest(v)) {
            let has: u16 = kept.iter().filter(|r| r.variant == *variant).map(|r| r.to - r.from).sum();
            let mut needs = wanted(variant) - has;
            while needs > 0 {
                let Some((from, to)) = pool.pop_front() else { break };
                let take = needs.min(to - from);
                push(&mut kept, from, from + take, variant);
                if from + take < to {
                    pool.push_front((from + take, to));
                }
                needs -= take;
            }
        }
        if let Some(rest) = &self.rest {
            for (from, to) in pool {
                push(&mut kept, from, to, rest);
            }
        }
        kept.sort_by_key(|r| r.from);
        let mut ranges: Vec<Range> = Vec::new();
        for range in kept {
            push(&mut ranges, range.from, range.to, &range.variant);
        }
        Parts { salt: self.salt.clone(), rest: self.rest.clone(), ranges }.try_into()
    }

    /// The text that decorrelates this split from others.
    pub fn salt(&self) -> &str {
        &self.salt
    }

    /// The variant of those who are not enrolled.
    pub fn rest(&self) -> Option<&VariantKey> {
        self.rest.as_ref()
    }

    /// The ranges, in order of position, from 0 to 10,000 without gaps.
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// The share of one variant; zero if it owns nothing.
    pub fn share(&self, variant: &VariantKey) -> Share {
        let points = self.ranges.iter().filter(|r| r.variant == *variant).map(|r| r.to - r.from).sum();
        Share::basis_points(points).unwrap_or(Share::ALL)
    }

    /// The share of those who are enrolled: all but the rest.
    pub fn enrolled(&self) -> Share {
        let rest = self.rest.as_ref().map_or(Share::NONE, |rest| self.share(rest));
        Share::basis_points(ALL - rest.points()).unwrap_or(Share::ALL)
    }

    /// Every variant with its share, in order of first position.
    pub fn shares(&self) -> Vec<(VariantKey, Share)> {
        let mut seen: Vec<(VariantKey, Share)> = Vec::new();
        for range in &self.ranges {
            if !seen.iter().any(|(v, _)| *v == range.variant) {
                seen.push((range.variant.clone(), self.share(&range.variant)));
            }
        }
        seen
    }

    /// Whether all of these variants stand in the same ratio to one another here and in `other`. Units that came
    /// by the one and by the other may then be compared together; otherwise a difference between before and
    /// after would look like one between the variants (Simpson's paradox).
    pub fn same_ratio<'v>(&self, other: &Self, variants: impl IntoIterator<Item = &'v VariantKey>) -> bool {
        let points = |split: &Self, variant| u32::from(split.share(variant).points());
        let both: Vec<_> = variants.into_iter().map(|v| (points(self, v), points(other, v))).collect();
        let same = |(i, one): (usize, &(u32, u32))| {
            both.iter().take(i).all(|another| one.0 * another.1 == another.0 * one.1)
        };
        both.iter().enumerate().all(same)
    }

    /// How much of the population has an enrolled variant here and another one in `other`.
    /// People of `rest` do not count: they had nothing to lose. A new salt moves everybody enrolled.
    pub fn moved(&self, other: &Self) -> Share {
        let enrolled = |v: &VariantKey| Some(v) != self.rest.as_ref();
        let points = self
            .ranges
            .iter()
            .filter(|r| enrolled(&r.variant))
            .map(|r| {
                let stays: u16 = if self.salt == other.salt {
                    other
                        .ranges
                        .iter()
                        .filter(|o| o.variant == r.variant)
                        .map(|o| o.to.min(r.to).saturating_sub(o.from.max(r.from)))
                        .sum()
                } else {
                    0
                };
                r.to - r.from - stays
            })
            .sum();
        Share::basis_points(points).unwrap_or(Share::ALL)
    }
}

/// Adds a range, joined to the last one where they touch and have the same owner.
fn push(ranges: &mut Vec<Range>, from: u16, to: u16, variant: &VariantKey) {
    if from >= to {
        return;
    }
    if let Some(last) = ranges.last_mut().filter(|l| l.to == from && l.variant == *variant) {
        last.to = to;
    } else {
        ranges.push(Range { from, to, variant: variant.clone() });
    }
}

fn check_shares(shares: &[(VariantKey, Share)], rest: Option<&VariantKey>) -> Result<(), Invalid> {
    for (i, (variant, _)) in shares.iter().enumerate() {
        if shares.iter().take(i).any(|(v, _)| v == variant) {
            return Err(Invalid::new(
                format!("variant `{variant}` has two shares"),
                "give each variant one share",
            ));
        }
    }
    if let Some(rest) = rest
        && !shares.iter().any(|(v, _)| v == rest)
    {
        return Err(Invalid::new(
            format!("the rest variant `{rest}` has no share"),
            format!("give `{rest}` what the others leave, or 0%"),
        ));
    }
    let sum: u32 = shares.iter().map(|(_, s)| u32::from(s.points())).sum();
    if sum == u32::from(ALL) {
        return Ok(());
    }
    let shown = f64::from(sum) / 100.0;
    let hint = match shares.last() {
        None => "give at least one variant a share".to_owned(),
        Some((last, share)) if sum < u32::from(ALL) => {
            let raised = f64::from(u32::from(share.points()) + u32::from(ALL) - sum) / 100.0;
            format!("raise `{last}` to {raised}% or add a variant")
        }
        Some(_) => {
            let (largest, share) = shares.iter().max_by_key(|(_, s)| *s).unwrap_or(&shares[0]);
            let over = sum - u32::from(ALL);
            if u32::from(share.points()) >= over {
                let lowered = f64::from(u32::from(share.points()) - over) / 100.0;
                format!("lower `{largest}` to {lowered}%")
            } else {
                "lower the shares".to_owned()
            }
        }
    };
    Err(Invalid::new(format!("a split must add up to 100%: these shares make `{shown}%`"), hint))
}

/// Whether every SDK hashes the same bytes for this salt.
pub(crate) fn check_salt(salt: &str) -> Result<(), Invalid> {
    if !salt.is_empty() && salt.len() <= 200 && salt.bytes().all(|b| (0x21..=0x7e).contains(&b)) {
        return Ok(());
    }
    Err(Invalid::new(
        format!("`{}` is not a salt", salt.chars().take(40).collect::<String>()),
        "use 1 to 200 visible ASCII characters, so that every SDK hashes the same bytes",
    ))
}

impl TryFrom<Parts> for Split {
    type Error = Invalid;
    fn try_from(parts: Parts) -> Result<Self, Invalid> {
        check_salt(&parts.salt)?;
        let mut at = 0;
        for range in &parts.ranges {
            if range.from != at || range.to <= range.from || range.to > ALL {
                return Err(Invalid::new(
                    format!(
                        "range `{}..{}` of `{}` leaves a gap or overlaps",
                        range.from, range.to, range.variant
                    ),
                    "ranges follow one another from 0 to 10000",
                ));
            }
            at = range.to;
        }
        if at != ALL {
            return Err(Invalid::new(
                format!("a split must add up to 100%: these ranges make `{}%`", f64::from(at) / 100.0),
                "ranges follow one another from 0 to 10000",
            ));
        }
        Ok(Self { salt: parts.salt, rest: parts.rest, ranges: parts.ranges })
    }
}

impl From<Split> for Parts {
    fn from(split: Split) -> Self {
        Self { salt: split.salt, rest: split.rest, ranges: split.ranges }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn key(name: &str) -> VariantKey {
        name.parse().unwrap()
    }

    fn shares(of: &[(&str, u16)]) -> Vec<(VariantKey, Share)> {
        of.iter().map(|(v, n)| (key(v), Share::basis_points(*n).unwrap())).collect()
    }

    fn drawn(split: &Split) -> String {
        split
            .ranges()
            .iter()
            .map(|r| format!("{} {}..{}", r.variant, r.from, r.to))
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn growth_takes_free_ranges_first() {
        let five =
            Split::new("s", &shares(&[("t", 500), ("c", 500), ("off", 9000)]), Some(&key("off"))).unwrap();
        let ten = five.reshare(&shares(&[("t", 1000), ("c", 1000), ("off", 8000)])).unwrap();
        let half = ten.reshare(&shares(&[("t", 5000), ("c", 5000), ("off", 0)])).unwrap();
        insta::assert_snapshot!([&five, &ten, &half].map(drawn).join("\n"), @r"
        t 0..500, c 500..1000, off 1000..10000
        t 0..500, c 500..1000, t 1000..1500, c 1500..2000, off 2000..10000
        t 0..500, c 500..1000, t 1000..1500, c 1500..2000, t 2000..6000, c 6000..10000
        ");
        assert_eq!((five.moved(&ten), ten.moved(&half)), (Share::NONE, Share::NONE));
    }

    #[test]
    fn what_does_not_add_up_does_not_exist() {
        let check = |of: &[(&str, u16)]| {
            let e = Split::new("s", &shares(of), None).unwrap_err();
            format!("{}\nhint: {}\n", e.message, e.hint)
        };
        let said = [
            check(&[("treatment", 5000), ("control", 4000)]),
            check(&[("treatment", 5000), ("control", 6000)]),
            check(&[("a", 5000), ("a", 5000)]),
            check(&[]),
        ];
        insta::assert_snapshot!(said.join(""), @r"
        a split must add up to 100%: these shares make `90%`
        hint: raise `control` to 50% or add a variant
        a split must add up to 100%: these shares make `110%`
        hint: lower `control` to 50%
        variant `a` has two shares
        hint: give each variant one share
        a split must add up to 100%: these shares make `0%`
        hint: give at least one variant a share
        ");
    }

    #[test]
    fn a_ratio_is_of_all_variants_to_one_another() {
        let split = |a, b, c| {
            Split::new("s", &shares(&[("a", a), ("b", b), ("c", c), ("rest", 10_000 - a - b - c)]), None)
                .unwrap()
        };
        let (a, b, c) = (key("a"), key("b"), key("c"));
        let check = |x: (u16, u16, u16), y: (u16, u16, u16)| {
            let (x, y) = (split(x.0, x.1, x.2), split(y.0, y.1, y.2));
            assert_eq!(x.same_ratio(&y, [&a, &b, &c]), y.same_ratio(&x, [&c, &a, &b]));
            x.same_ratio(&y, [&a, &b, &c])
        };
        assert!(check((500, 500, 0), (2_000, 2_000, 0)));
        assert!(check((100, 200, 300), (1_000, 2_000, 3_000)));
        assert!(!check((100, 200, 300), (1_000, 2_000, 3_001)));
        // Not of neighbours alone: of the one between them nobody has any.
        assert!(!check((100, 0, 100), (100, 0, 200)));
        assert!(!check((0, 500, 0), (10, 490, 0)));
        assert!(split(1, 2, 3).same_ratio(&split(3, 2, 1), [&a]), "one stands in every ratio");
    }

    #[test]
    fn a_stored_split_is_checked_when_it_is_read() {
        let gap = r#"{"salt":"s","ranges":[{"from":0,"to":10,"variant":"a"},{"from":20,"to":10000,"variant":"b"}]}"#;
        assert!(serde_json::from_str::<Split>(gap).is_err());
        let salt = r#"{"salt":"ключ","ranges":[{"from":0,"to":10000,"variant":"a"}]}"#;
        assert!(serde_json::from_str::<Split>(salt).is_err());
    }

    fn any_shares() -> impl Strategy<Value = Vec<(VariantKey, Share)>> {
        proptest::array::uniform3(0u16..=10_000).prop_map(|mut cuts| {
            cuts.sort_unstable();
            let [a, b, c] = cuts;
            shares(&[("a", a), ("b", b - a), ("c", c - b), ("rest", 10_000 - c)])
        })
    }

    proptest! {
        #[test]
        fn resharing_gives_what_was_asked_and_moves_only_who_must(path in proptest::collection::vec(any_shares(), 2..6)) {
            let mut split = Split::new("s", &path[0], Some(&key("rest"))).unwrap();
            for wanted in &path[1..] {
                let next = split.reshare(wanted).unwrap();
                for (variant, share) in wanted {
                    prop_assert_eq!(next.share(variant), *share);
                }
                let shrunk: u16 = wanted.iter().filter(|(v, _)| v.as_str() != "rest")
                    .map(|(v, s)| split.share(v).points().saturating_sub(s.points())).sum();
                prop_assert_eq!(split.moved(&next).points(), shrunk);
                let again: Split = serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap();
                prop_assert_eq!(&again, &next);
                split = next;
            }
        }
    }
}
