//! Model: layers, which divide the population among flags that must not meet in one person. One
//! definition holds for all environments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flag::Unit;
use crate::id::{FlagKey, Invalid, LayerKey};
use crate::share::Share;
use crate::split::check_salt;
use crate::time::Millis;

/// A stretch of a layer, from `from` up to but not including `to`, in basis points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stretch {
    /// First basis point that belongs to it.
    pub from: u16,
    /// First basis point after it.
    pub to: u16,
    /// The flag that owns it.
    pub flag: FlagKey,
}

/// How a population is divided among mutually exclusive flags: disjoint ranges, each owned by a flag;
/// the free rest belongs to nobody. People edit shares; growth takes free ranges, so that nobody who
/// was in a flag's part leaves it because another one grows.
///
/// ```
/// use bellwether_model::{FlagKey, Layer, Share, Unit};
/// let layer = Layer::new("checkout".parse().unwrap(), Unit::User, "checkout:1").unwrap();
/// let (a, b): (FlagKey, FlagKey) = ("a".parse().unwrap(), "b".parse().unwrap());
/// let layer = layer.allot(&a, Share::percent(30.0).unwrap()).unwrap();
/// let layer = layer.allot(&b, Share::percent(50.0).unwrap()).unwrap();
/// assert_eq!(layer.free(), Share::percent(20.0).unwrap());
/// let full = layer.allot(&a, Share::percent(60.0).unwrap()).unwrap_err();
/// assert_eq!(full.message, "layer `checkout` has `50%` for flag `a`, which is less than `60%`");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Parts", into = "Parts")]
#[schemars(with = "Parts")]
pub struct Layer {
    /// Its key.
    pub key: LayerKey,
    /// What people call it.
    pub name: String,
    /// What it divides by. Whoever has no id of it is in nobody's part.
    pub unit: Unit,
    /// When it was created.
    pub created: Millis,
    /// Archived layers are not offered to flags. Flags that name one are still divided by it.
    pub archived: bool,
    salt: String,
    ranges: Vec<Stretch>,
}

/// The stored and public form of a layer.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Layer")]
struct Parts {
    /// Its key.
    key: LayerKey,
    /// What people call it.
    #[serde(default)]
    name: String,
    /// What it divides by.
    #[serde(default)]
    unit: Unit,
    /// ASCII text that decorrelates it from splits, holdouts and other layers; a new one draws anew.
    salt: String,
    /// In order of position, disjoint, within 0 to 10000. What none covers is free.
    #[serde(default)]
    ranges: Vec<Stretch>,
    /// When it was created.
    #[serde(default)]
    created: Millis,
    /// Not offered to flags any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    archived: bool,
}

const ALL: u16 = 10_000;

impl Layer {
    /// A layer that is all free.
    ///
    /// # Errors
    /// When the salt is empty, not visible ASCII, or longer than 200 characters.
    pub fn new(key: LayerKey, unit: Unit, salt: &str) -> Result<Self, Invalid> {
        let name = key.to_string();
        let created = Millis::default();
        Parts { key, name, unit, salt: salt.to_owned(), ranges: Vec::new(), created, archived: false }
            .try_into()
    }

    /// The layer in which `flag` has this share: more takes free ranges first to last, less gives up
    /// the flag's own last to first, and no other flag's part moves.
    ///
    /// # Errors
    /// When the rest of the layer is owned by others.
    pub fn allot(&self, flag: &FlagKey, share: Share) -> Result<Self, Invalid> {
        let others: u16 = self.ranges.iter().filter(|r| r.flag != *flag).map(|r| r.to - r.from).sum();
        let room = Share::basis_points(ALL - others)?;
        if share > room {
            let largest = self.ranges.iter().filter(|r| r.flag != *flag).max_by_key(|r| r.to - r.from);
            return Err(Invalid::new(
                format!("layer `{}` has `{room}` for flag `{flag}`, which is less than `{share}`", self.key),
                match largest {
                    Some(other) => format!("give flag `{}` less first, or ask for less", other.flag),
                    None => "ask for less".to_owned(),
                },
            ));
        }
        let mut ranges: Vec<Stretch> = self.ranges.iter().filter(|r| r.flag != *flag).cloned().collect();
        let mut left = share.points();
        let mut take = |from: u16, to: u16, ranges: &mut Vec<Stretch>| {
            let taken = left.min(to - from);
            if taken > 0 {
                ranges.push(Stretch { from, to: from + taken, flag: flag.clone() });
            }
            left -= taken;
        };
        for own in self.ranges.iter().filter(|r| r.flag == *flag) {
            take(own.from, own.to, &mut ranges);
        }
        for (from, to) in self.gaps() {
            take(from, to, &mut ranges);
        }
        Ok(Self { ranges: joined(ranges), ..self.clone() })
    }

    /// The layer in which `flag` owns exactly these stretches, in basis points `from..to`: what it had comes back to it,
    /// so that an undo gives it to the same people.
    ///
    /// # Errors
    /// When a stretch is empty, ends after the layer, or is owned by another flag.
    ///
    /// ```
    /// use bellwether_model::{FlagKey, Layer, Share, Unit};
    /// let layer = Layer::new("checkout".parse().unwrap(), Unit::User, "checkout:1").unwrap();
    /// let (a, b): (FlagKey, FlagKey) = ("a".parse().unwrap(), "b".parse().unwrap());
    /// let layer = layer.own(&a, &[(1_000, 2_000)]).unwrap();
    /// assert_eq!(layer.share(&a), Share::percent(10.0).unwrap());
    /// let taken = layer.own(&b, &[(1_500, 2_500)]).unwrap_err();
    /// assert_eq!(taken.message, "`1500..2500` of layer `checkout` cannot be flag `b`'s: flag `a` owns `1000..2000`");
    /// ```
    pub fn own(&self, flag: &FlagKey, stretches: &[(u16, u16)]) -> Result<Self, Invalid> {
        let mut ranges: Vec<Stretch> = self.ranges.iter().filter(|r| r.flag != *flag).cloned().collect();
        for (from, to) in stretches.iter().copied() {
            if from >= to || to > ALL {
                return Err(Invalid::new(
                    format!("`{from}..{to}` is no stretch of layer `{}`", self.key),
                    "a stretch begins before it ends, and ends at 10000 at most",
                ));
            }
            if let Some(other) = ranges.iter().find(|r| r.from < to && from < r.to) {
                return Err(Invalid::new(
                    format!(
                        "`{from}..{to}` of layer `{}` cannot be flag `{flag}`'s: flag `{}` owns `{}..{}`",
                        self.key, other.flag, other.from, other.to
                    ),
                    "ask for stretches that are free, each once, or for a share",
                ));
            }
            ranges.push(Stretch { from, to, flag: flag.clone() });
        }
        Ok(Self { ranges: joined(ranges), ..self.clone() })
    }

    /// What nobody owns, in order.
    fn gaps(&self) -> Vec<(u16, u16)> {
        let starts = self.ranges.iter().map(|r| r.from).chain([ALL]);
        let ends = [0].into_iter().chain(self.ranges.iter().map(|r| r.to));
        ends.zip(starts).filter(|(from, to)| from < to).collect()
    }

    /// The text that decorrelates this layer from splits, holdouts and other layers.
    pub fn salt(&self) -> &str {
        &self.salt
    }

    /// What is owned, in order of position.
    pub fn ranges(&self) -> &[Stretch] {
        &self.ranges
    }

    /// The share of one flag; zero if it owns nothing.
    pub fn share(&self, flag: &FlagKey) -> Share {
        let points = self.ranges.iter().filter(|r| r.flag == *flag).map(|r| r.to - r.from).sum();
        Share::basis_points(points).unwrap_or(Share::ALL)
    }

    /// The share that nobody owns.
    pub fn free(&self) -> Share {
        let owned: u16 = self.ranges.iter().map(|r| r.to - r.from).sum();
        Share::basis_points(ALL.saturating_sub(owned)).unwrap_or(Share::NONE)
    }
}

/// Stretches in order, those of one flag that meet made one.
fn joined(mut ranges: Vec<Stretch>) -> Vec<Stretch> {
    ranges.sort_by_key(|r| r.from);
    let mut joined: Vec<Stretch> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut().filter(|last| last.to == range.from && last.flag == range.flag) {
            Some(last) => last.to = range.to,
            None => joined.push(range),
        }
    }
    joined
}

impl TryFrom<Parts> for Layer {
    type Error = Invalid;
    fn try_from(parts: Parts) -> Result<Self, Invalid> {
        let Parts { key, name, unit, salt, ranges, created, archived } = parts;
        check_salt(&salt).map_err(|e| Invalid::new(format!("in layer `{key}`: {}", e.message), e.hint))?;
        let mut at = 0;
        for range in &ranges {
            if range.from < at || range.to <= range.from || range.to > ALL {
                return Err(Invalid::new(
                    format!(
                        "range `{}..{}` of flag `{}` in layer `{key}` is empty or overlaps another one",
                        range.from, range.to, range.flag
                    ),
                    "ranges are in order, disjoint, and within 0 to 10000",
                ));
            }
            at = range.to;
        }
        Ok(Self { key, name, unit, created, archived, salt, ranges })
    }
}

impl From<Layer> for Parts {
    fn from(layer: Layer) -> Self {
        let Layer { key, name, unit, created, archived, salt, ranges } = layer;
        Self { key, name, unit, salt, ranges, created, archived }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn key(name: &str) -> FlagKey {
        name.parse().unwrap()
    }

    #[test]
    fn growth_takes_what_is_free() {
        let mut layer = Layer::new("l".parse().unwrap(), Unit::User, "l:1").unwrap();
        for (flag, points) in [("a", 3_000), ("b", 3_000), ("a", 1_000), ("c", 4_000), ("a", 3_000)] {
            layer = layer.allot(&key(flag), Share::basis_points(points).unwrap()).unwrap();
        }
        let drawn: Vec<_> =
            layer.ranges().iter().map(|r| format!("{} {}..{}", r.flag, r.from, r.to)).collect();
        insta::assert_snapshot!(drawn.join(", "), @"a 0..1000, c 1000..3000, b 3000..6000, c 6000..8000, a 8000..10000");
        assert_eq!(layer.free(), Share::NONE);
    }

    #[test]
    fn what_overlaps_does_not_exist() {
        let layer = |ranges: &str| {
            let text = format!(r#"{{"key":"l","salt":"s","ranges":{ranges}}}"#);
            serde_json::from_str::<Layer>(&text).map_err(|e| e.to_string())
        };
        assert!(layer(r#"[{"from":0,"to":10,"flag":"a"},{"from":10,"to":20,"flag":"b"}]"#).is_ok());
        for wrong in [
            r#"[{"from":0,"to":10,"flag":"a"},{"from":9,"to":20,"flag":"b"}]"#,
            r#"[{"from":5,"to":5,"flag":"a"}]"#,
            r#"[{"from":5,"to":10001,"flag":"a"}]"#,
        ] {
            assert!(layer(wrong).unwrap_err().contains("overlaps"));
        }
    }

    #[test]
    fn stretches_that_cannot_be_owned_are_refused() {
        let layer = Layer::new("l".parse().unwrap(), Unit::User, "l:1").unwrap();
        let layer = layer.own(&key("a"), &[(0, 10)]).unwrap();
        let said = |stretches: &[(u16, u16)]| match layer.own(&key("b"), stretches) {
            Ok(owned) => owned
                .ranges()
                .iter()
                .map(|r| format!("{} {}..{}", r.flag, r.from, r.to))
                .collect::<Vec<_>>()
                .join(", "),
            Err(wrong) => wrong.message,
        };
        insta::assert_snapshot!(
            [
                said(&[]), said(&[(10, 20), (20, 30)]), said(&[(40, 50), (10, 20)]), said(&[(9, 11)]),
                said(&[(10, 20), (19, 30)]), said(&[(20, 20)]), said(&[(9_999, 10_001)])
            ]
            .join("\n"),
            @r"
        a 0..10
        a 0..10, b 10..30
        a 0..10, b 10..20, b 40..50
        `9..11` of layer `l` cannot be flag `b`'s: flag `a` owns `0..10`
        `19..30` of layer `l` cannot be flag `b`'s: flag `b` owns `10..20`
        `20..20` is no stretch of layer `l`
        `9999..10001` is no stretch of layer `l`
        "
        );
    }

    proptest! {
        #[test]
        fn nobody_else_moves(asks in proptest::collection::vec((0..3usize, 0u16..=6_000), 1..12)) {
            let mut layer = Layer::new("l".parse().unwrap(), Unit::User, "l:1").unwrap();
            let names = ["a", "b", "c"].map(key);
            for (flag, points) in asks {
                let share = Share::basis_points(points).unwrap();
                let Ok(next) = layer.allot(&names[flag], share) else {
                    let others: u16 = names.iter().enumerate()
                        .filter(|(i, _)| *i != flag).map(|(_, n)| layer.share(n).points()).sum();
                    prop_assert!(others + points > 10_000);
                    continue;
                };
                prop_assert_eq!(next.share(&names[flag]), share);
                let owner = |layer: &Layer, at: u16| {
                    layer.ranges().iter().find(|r| (r.from..r.to).contains(&at)).map(|r| r.flag.clone())
                };
                let grown = share >= layer.share(&names[flag]);
                for at in (0..10_000).step_by(7) {
                    let (was, is) = (owner(&layer, at), owner(&next, at));
                    let freed = was.as_ref() == Some(&names[flag]) && !grown;
                    prop_assert!(was == is || was.is_none() || freed, "{at}: {was:?} {is:?}");
                }
                // What it had is given back to it, and to nobody else.
                let had: Vec<(u16, u16)> = layer.ranges().iter()
                    .filter(|r| r.flag == names[flag]).map(|r| (r.from, r.to)).collect();
                prop_assert_eq!(&next.own(&names[flag], &had).unwrap(), &layer);
                let stored: Layer = serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap();
                prop_assert_eq!(&stored, &next);
                layer = next;
            }
        }
    }
}
