//! Query: the first half of evidence, who was exposed to what, and when first.

use bellwether_columns::{self as columns, Batch, Cells, PropertyName, Scan, Strings, Want};
use bellwether_model::event::{BOT, EXPOSURE, FLAG_KEY, VARIANT};
use bellwether_model::{Unit, VariantKey};

use super::Ask;
use crate::error::QueryError;
use crate::filter::{Bots, walk};
use crate::units::{Codes, Ids};

/// Units with their first exposures.
#[derive(Debug, Default)]
pub(super) struct Exposed {
    /// The unit's index by its id.
    pub(super) ids: Ids,
    pub(super) units: Vec<Exposure>,
    pub(super) unlisted: u64,
    pub(super) anonymous: u64,
    pub(super) bots: u64,
}

/// What one unit was exposed to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exposure {
    /// When first.
    pub(super) first: i64,
    arm: u8,
    crossed: bool,
    /// Whether its id is shorter than asked for.
    pub(super) short: bool,
}

impl Exposure {
    /// The arm that it is in; `None` if it was exposed to several.
    pub(super) fn arm(self) -> Option<usize> {
        (!self.crossed).then_some(usize::from(self.arm))
    }
}

/// The column that holds the ids of such units.
pub(super) fn column(unit: Unit, batch: &Batch) -> Result<&Strings, QueryError> {
    match unit {
        Unit::User => Ok(&batch.user),
        Unit::Device => Ok(&batch.device),
        Unit::Session | Unit::Account => Err(QueryError::refused(
            format!(
                "events are not kept by `{}`, so nothing can be measured per such unit",
                unit.attribute()
            ),
            "compare variants of a flag that divides by user or device",
        )),
    }
}

pub(super) fn read(ask: &Ask, scan: &dyn Scan, cancel: &dyn Fn() -> bool) -> Result<Exposed, QueryError> {
    let want = Want {
        environment: ask.environment.clone(),
        events: Some(vec![EXPOSURE.to_owned()]),
        from: ask.from,
        to: ask.to,
        properties: [FLAG_KEY, VARIANT, BOT].map(|name| PropertyName::Event(name.to_owned())).into(),
        ids: columns::Ids::Came,
    };
    let mut exposed = Exposed::default();
    walk(scan, &want, Bots::All, cancel, &mut |batch| {
        if let [flags, variants, marks] = batch.properties.as_slice() {
            exposed.add(ask, batch, flags, variants, marks)?;
        }
        Ok(())
    })?;
    Ok(exposed)
}

impl Exposed {
    fn add(
        &mut self,
        ask: &Ask,
        batch: &Batch,
        flags: &Cells,
        variants: &Cells,
        marks: &Cells,
    ) -> Result<(), QueryError> {
        let ids = column(ask.unit, batch)?;
        let mut units = Codes::of(ids);
        for (row, &time) in batch.time.iter().enumerate() {
            if flags.text(row).as_deref() != Some(ask.flag.as_str()) {
                continue;
            }
            if Bots::Paced.leaves_out(marks, row) {
                self.bots += 1;
                continue;
            }
            let Some(arm) = variants.text(row).and_then(|variant| arm(&ask.variants, &variant)) else {
                self.unlisted += 1;
                continue;
            };
            let known = &mut self.units;
            let unit = units.get(ids, row, |id| {
                self.ids.number(id, || {
                    let short = id.chars().nth(ask.shortest.saturating_sub(1)).is_none() && ask.shortest > 0;
                    known.push(Exposure { first: time, arm, crossed: false, short });
                    // Fewer than 2^32 units: each is at least 24 bytes here.
                    u32::try_from(known.len() - 1).unwrap_or(u32::MAX)
                })
            });
            let Some(unit) = unit else {
                self.anonymous += 1;
                continue;
            };
            if let Some(known) = self.units.get_mut(unit as usize) {
                known.first = known.first.min(time);
                known.crossed |= known.arm != arm;
            }
        }
        Ok(())
    }
}

fn arm(variants: &[VariantKey], variant: &str) -> Option<u8> {
    variants.iter().position(|v| v.as_str() == variant).and_then(|i| u8::try_from(i).ok())
}
