//! App intake: what tells who somebody is does not get into the store as it came. What the tracking plan calls
//! personal is masked, hashed or dropped, and addresses lose what tells one household from the next, as each
//! environment says; without a plan, addresses do.

use bellwether_model::event::Properties;
use bellwether_model::plan::{Addresses, Concealment};
use bellwether_model::{Event, Json, operand::household};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::access::hex;
use crate::error::AppError;

/// What stands where a masked value was.
const MASK: &str = "***";
/// What a hashed value begins with.
const HASHED: &str = "hash:";

/// What values are hashed with: the same value has the same hash in all environments of this installation, and
/// nobody finds the value by trying who does not have this.
#[derive(Clone)]
pub(crate) struct Pepper(Hmac<Sha256>);

impl std::fmt::Debug for Pepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pepper")
    }
}

impl Pepper {
    pub(crate) fn new(secret: &[u8]) -> Result<Self, AppError> {
        let mac = Hmac::<Sha256>::new_from_slice(secret);
        Ok(Self(mac.map_err(|e| AppError::internal("hash what is personal", e))?))
    }

    /// A value as its hash, with 128 bits of it. A number and the text that it is written as are one value.
    fn hash(&self, value: &Json) -> Json {
        let mut mac = self.0.clone();
        match value {
            Json::String(text) => mac.update(text.as_bytes()),
            other => mac.update(other.to_string().as_bytes()),
        }
        let digest = mac.finalize().into_bytes();
        format!("{HASHED}{}", hex(digest.get(..16).unwrap_or_default())).into()
    }

    /// What is kept of a value; nothing where it is dropped.
    fn conceal(&self, value: Json, how: Concealment) -> Option<Json> {
        match how {
            Concealment::Keep => Some(value),
            Concealment::Drop => None,
            // What is not there tells nothing.
            Concealment::Mask | Concealment::Hash if value.is_null() => Some(value),
            Concealment::Mask => Some(MASK.into()),
            Concealment::Hash if concealed(&value) => Some(value),
            Concealment::Hash => Some(self.hash(&value)),
        }
    }

    /// Conceals properties that are named, where they are.
    pub(super) fn properties<'n>(
        &self,
        properties: &mut Properties,
        names: impl Iterator<Item = &'n str>,
        how: Concealment,
    ) {
        for name in names {
            if let Some(value) = properties.get_mut(name) {
                match self.conceal(std::mem::take(value), how) {
                    Some(kept) => *value = kept,
                    None => {
                        properties.remove(name);
                    }
                }
            }
        }
    }

    /// The same of operations on what is known of somebody. A number cannot be added to what is concealed.
    pub(super) fn changes<'n>(
        &self,
        changes: &mut Properties,
        names: impl Iterator<Item = &'n str> + Clone,
        how: Concealment,
    ) {
        for (operation, values) in changes {
            let Json::Object(values) = values else { continue };
            match operation.as_str() {
                "$unset" | "$clearAll" => {}
                "$add" => self.properties(values, names.clone(), Concealment::Drop),
                _ => self.properties(values, names.clone(), how),
            }
        }
    }
}

/// Whether a value is what was left of another one, which has another type.
pub(crate) fn concealed(value: &Json) -> bool {
    value.as_str().is_some_and(|text| text == MASK || text.starts_with(HASHED))
}

/// Takes from the address of an event what is not to be kept.
pub(super) fn address(event: &mut Event, how: Addresses) {
    if how == Addresses::Keep {
        return;
    }
    let Some(ip) = event.user_properties.get_mut("ip") else { return };
    match ip.as_str().and_then(household).filter(|_| how == Addresses::Truncate) {
        Some(network) => *ip = network.to_string().into(),
        // What is no address cannot be made shorter.
        None => {
            event.user_properties.remove("ip");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_value_is_the_same_hash_and_no_other_is() {
        let (one, other) = (Pepper::new(b"a").unwrap(), Pepper::new(b"b").unwrap());
        let hash = one.hash(&json!("ada@example.com"));
        assert_eq!(hash, one.hash(&json!("ada@example.com")));
        assert_eq!(one.hash(&json!(7)), one.hash(&json!("7")));
        assert_ne!(hash, one.hash(&json!("bob@example.com")));
        assert_ne!(hash, other.hash(&json!("ada@example.com")));
        // A hash that is brought again, as by a release from quarantine, stays.
        assert_eq!(one.conceal(hash.clone(), Concealment::Hash), Some(hash));
        assert_eq!(one.conceal(json!(null), Concealment::Mask), Some(json!(null)));
    }

    #[test]
    fn operations_are_concealed_where_they_name_it() {
        let mut changes = json!({"$set": {"email": "a@b.ch", "plan": "pro"}, "$add": {"email": 1, "n": 1},
            "$unset": {"email": "-"}, "$append": {"email": "c@d.ch"}})
        .as_object()
        .unwrap()
        .clone();
        Pepper::new(b"a").unwrap().changes(&mut changes, ["email"].into_iter(), Concealment::Mask);
        assert_eq!(
            Json::from(changes),
            json!({"$set": {"email": "***", "plan": "pro"}, "$add": {"n": 1}, "$unset": {"email": "-"},
                "$append": {"email": "***"}})
        );
    }
}
