//! App: what stands in the quarantine for an event and for an id, where these are only looked for.

use bellwether_model::{EnvironmentKey, Event};
use sha2::{Digest, Sha256};

/// What names an event: the same `insert_id` of the same device, or user, is the same event, as in the store.
pub(super) fn print(event: &Event) -> Option<[u8; 16]> {
    let device = event.who.device().map(|device| ("device", device));
    let (kind, who) = device.or(event.who.user().map(|user| ("user", user))).unwrap_or_default();
    event.insert_id.as_deref().map(|id| hashed([event.environment.as_str(), kind, who, id]))
}

/// What stands for an id where it is only looked for.
pub(super) fn id_print(environment: &EnvironmentKey, id: &str) -> [u8; 16] {
    hashed([environment.as_str(), id, ""])
}

fn hashed<const N: usize>(parts: [&str; N]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    std::array::from_fn(|at| digest[at])
}
