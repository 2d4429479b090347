//! Query: the second half of evidence, what exposed units did after their exposure.

use bellwether_columns::{Cells, Ids, Known, PropertyName, Scan, Want};
use bellwether_model::Unit;
use bellwether_model::metric::Measure;

use super::exposures::{Exposed, column};
use super::{Ask, MAX_AMOUNT, Watch};
use crate::error::QueryError;
use crate::filter::{Bots, Filters, Needed, walk};
use crate::units::Codes;

/// What one unit did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Done {
    /// How many outcomes.
    pub(super) events: u64,
    /// The sum of the property, where one is summed.
    pub(super) sum: f64,
    /// Outcomes whose amount is too large to be one.
    pub(super) set_aside: u64,
}

/// As of when it is asked whose a device is on which an outcome came without a user. Who looks again and again must
/// find of a unit what they found before.
fn who(ask: &Ask) -> Ids {
    match (ask.unit, ask.watch) {
        (Unit::User, Watch::Matured { .. }) => Ids::People(Known::Then),
        (Unit::User, Watch::Open | Watch::For(_)) => Ids::People(Known::Now),
        (Unit::Device | Unit::Session | Unit::Account, _) => Ids::Came,
    }
}

/// What each exposed unit did, by the index of the unit.
pub(super) fn read(
    ask: &Ask,
    exposed: &Exposed,
    scan: &dyn Scan,
    cancel: &dyn Fn() -> bool,
) -> Result<Vec<Done>, QueryError> {
    let mut needed = Needed::default();
    let filters = Filters::compile(&ask.metric.only, &mut needed)?;
    let summed = match &ask.metric.measure {
        Measure::Sum { property } => Some(needed.column(PropertyName::parse(property))),
        Measure::Conversion | Measure::Count => None,
    };
    let want = Want {
        environment: ask.environment.clone(),
        events: Some(vec![ask.metric.event.clone()]),
        from: ask.from,
        to: ask.outcomes_to,
        properties: needed.names(),
        ids: who(ask),
    };
    let mut done = vec![Done::default(); exposed.units.len()];
    let mut numbers: Vec<(u32, f64)> = Vec::new();
    walk(scan, &want, Bots::Paced, cancel, &mut |batch| {
        let pass = filters.passing(batch);
        let ids = if want.ids.known().is_some() { &batch.person } else { column(ask.unit, batch)? };
        let mut units = Codes::of(ids);
        let cells = summed.map(|at| batch.properties.get(at).unwrap_or(&Cells::Missing));
        for (row, &time) in batch.time.iter().enumerate() {
            if !pass.get(row).copied().unwrap_or(false) {
                continue;
            }
            let Some(unit) = units.get(ids, row, |id| exposed.ids.get(id)).flatten() else { continue };
            let at = unit as usize;
            if let (Some(exposure), Some(done)) = (exposed.units.get(at), done.get_mut(at))
                && ask.watch.sees(exposure.first, time)
            {
                done.events += 1;
                if let Some(x) = cells.and_then(|cells| cells.number(row)) {
                    if x.abs() <= MAX_AMOUNT {
                        numbers.push((unit, x));
                    } else {
                        done.set_aside += 1;
                    }
                }
            }
        }
        Ok(())
    })?;
    // Floating-point sums depend on their order, and a scan promises none.
    numbers.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1)));
    for (unit, x) in numbers {
        if let Some(done) = done.get_mut(unit as usize) {
            done.sum += x;
        }
    }
    Ok(done)
}
