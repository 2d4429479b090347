//! Query: who was given which variant of a flag, as exposures and assignments tell of it.

use bellwether_columns::{self as columns, Batch, Cells, PropertyName, Scan, Strings, Want};
use bellwether_model::event::{ASSIGNMENT, EXPOSURE, FLAG_KEY, VARIANT};
use bellwether_model::{EnvironmentKey, FlagKey, Millis, Unit};
use rustc_hash::FxHashMap;

use crate::error::QueryError;
use crate::filter::{Bots, walk};
use crate::units::{Codes, Ids};

/// A question: who was given a variant of this flag?
#[derive(Debug, Clone)]
pub struct Ask {
    /// Where.
    pub environment: EnvironmentKey,
    /// Of which flag.
    pub flag: FlagKey,
    /// What it divides by.
    pub unit: Unit,
    /// At or after this.
    pub from: Millis,
    /// Before this.
    pub to: Millis,
}

/// Somebody who was given a variant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Given {
    /// When first.
    pub first: Millis,
    /// When last.
    pub last: Millis,
    /// The id of the unit; `None` where only the device of a user is known.
    pub unit: Option<String>,
    /// The id of the user's device, where the flag divides by the user.
    pub device: Option<String>,
    /// The variant.
    pub variant: String,
}

/// Everybody who was given a variant, with each different variant and on each different device once, in
/// the order of when they first were. By session and account nothing is kept, so nobody is known.
///
/// # Errors
/// When it was cancelled, or events cannot be read. `cancel` is asked once per batch.
pub fn given(ask: &Ask, scan: &dyn Scan, cancel: &dyn Fn() -> bool) -> Result<Vec<Given>, QueryError> {
    if matches!(ask.unit, Unit::Session | Unit::Account) {
        return Ok(Vec::new());
    }
    let want = Want {
        environment: ask.environment.clone(),
        events: Some(vec![EXPOSURE.to_owned(), ASSIGNMENT.to_owned()]),
        from: ask.from,
        to: ask.to,
        properties: vec![PropertyName::Event(FLAG_KEY.to_owned()), PropertyName::Event(VARIANT.to_owned())],
        ids: columns::Ids::Came,
    };
    let mut seen = Seen::default();
    // Who was given a variant keeps it, whoever they are.
    walk(scan, &want, Bots::All, cancel, &mut |batch| {
        if let [flags, variants] = batch.properties.as_slice() {
            seen.add(ask, batch, flags, variants);
        }
        Ok(())
    })?;
    Ok(seen.given())
}

/// Numbers stand for texts until all is read: most are there many times.
#[derive(Default)]
struct Seen {
    numbers: Ids,
    texts: Vec<Box<str>>,
    /// When first and last.
    when: FxHashMap<Who, (i64, i64)>,
}

/// Unit, device and variant.
type Who = (Option<u32>, Option<u32>, u32);

impl Seen {
    fn number(&mut self, text: &str) -> u32 {
        let texts = &mut self.texts;
        self.numbers.number(text, || {
            texts.push(text.into());
            // Fewer than 2^32 texts: each has at least 16 bytes here.
            u32::try_from(texts.len() - 1).unwrap_or(u32::MAX)
        })
    }

    fn add(&mut self, ask: &Ask, batch: &Batch, flags: &Cells, variants: &Cells) {
        let (units, devices): (&Strings, Option<&Strings>) = match ask.unit {
            Unit::User => (&batch.user, Some(&batch.device)),
            _ => (&batch.device, None),
        };
        let (mut unit_codes, mut device_codes) = (Codes::of(units), devices.map(Codes::of));
        for (row, &time) in batch.time.iter().enumerate() {
            if flags.text(row).as_deref() != Some(ask.flag.as_str()) {
                continue;
            }
            let Some(variant) = variants.text(row) else { continue };
            let unit = unit_codes.get(units, row, |id| self.number(id));
            let device = devices
                .zip(device_codes.as_mut())
                .and_then(|(devices, codes)| codes.get(devices, row, |id| self.number(id)));
            if unit.is_none() && device.is_none() {
                continue;
            }
            let variant = self.number(&variant);
            let (first, last) = self.when.entry((unit, device, variant)).or_insert((time, time));
            (*first, *last) = (time.min(*first), time.max(*last));
        }
    }

    fn given(self) -> Vec<Given> {
        let text = |number: u32| self.texts.get(number as usize).map(|text| text.to_string());
        let mut given: Vec<Given> = self
            .when
            .iter()
            .filter_map(|((unit, device, variant), (first, last))| {
                Some(Given {
                    first: Millis(*first),
                    last: Millis(*last),
                    unit: unit.and_then(text),
                    device: device.and_then(text),
                    variant: text(*variant)?,
                })
            })
            .collect();
        given.sort_unstable();
        given
    }
}

#[cfg(test)]
#[path = "enrolled_tests.rs"]
mod tests;
