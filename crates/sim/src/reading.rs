//! Sim: what a store holds, as it is read back, in a form that can be compared.

use std::ops::ControlFlow;

use bellwether_columns::{Scan, Want};
use bellwether_model::Event;
use bellwether_store::Snapshot;

use crate::storm::{production, staging};

/// Every event of a snapshot, as it is read back from memory and parts.
pub(crate) fn everything(snapshot: &Snapshot) -> Result<Vec<Event>, String> {
    let mut all = Vec::new();
    for environment in [production(), staging()] {
        all.extend(snapshot.events(&environment, usize::MAX).map_err(|e| format!("P2: {e}"))?);
    }
    if snapshot.is_whole() && all.len() as u64 != snapshot.len() {
        return Err("P2: a snapshot has not as many events as it says".to_owned());
    }
    Ok(all)
}

/// Events as text, sorted.
pub(crate) fn keys(events: Vec<Event>) -> Vec<String> {
    let mut keys: Vec<String> = events.iter().map(|e| format!("{e:?}")).collect();
    keys.sort();
    keys
}

/// The rows of a scan, as text, sorted: the same whichever batch they came in.
pub(crate) fn rows(scan: &dyn Scan, want: &Want) -> Result<Vec<String>, String> {
    let mut rows = Vec::new();
    let scanned = scan.scan(want, &mut |batch| {
        for row in 0..batch.rows {
            let cells: Vec<_> = batch.properties.iter().map(|c| (c.text(row), c.number(row))).collect();
            let who =
                (batch.event.get(row), batch.user.get(row), batch.device.get(row), batch.person.get(row));
            rows.push(format!("{:?} {who:?} {cells:?}", batch.time.get(row)));
        }
        ControlFlow::Continue(())
    });
    scanned.map_err(|e| e.to_string())?;
    rows.sort();
    Ok(rows)
}
