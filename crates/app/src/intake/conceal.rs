//! App intake: what tells who somebody is does not get into the store as it came. What the tracking plan calls
//! personal is masked, hashed or dropped, ids become hashes, and addresses lose what tells one household from the next, as each
//! environment says; without a plan, addresses do.

use bellwether_columns::text;
use bellwether_model::event::{ALIAS, FLAG_KEY, Properties, VARIANT, Who};
use bellwether_model::operand::{as_written, holds_address, network};
use bellwether_model::plan::{Addresses, Concealment, Handling, Identifiers};
use bellwether_model::{Event, Json};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::otlp;
use crate::access::hex;
use crate::error::AppError;

/// Where Mixpanel's `$merge` names the ids of one person.
const MERGED: &str = "$distinct_ids";
/// What stands before the id of a device where Mixpanel's SDKs write it as that of a visitor.
pub(super) const OF_DEVICE: &str = "$device:";
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

    /// The first 128 bits of a text's keyed hash, in digits.
    fn digits(&self, text: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        hex(mac.finalize().into_bytes().get(..16).unwrap_or_default())
    }

    /// A text as its hash.
    fn hashed(&self, text: &str) -> String {
        [HASHED, &self.digits(text)].concat()
    }

    /// A value as its hash: what is one value to a question is one hash, such as a number and its text.
    fn hash(&self, value: &Json) -> Json {
        self.hashed(&text(value).unwrap_or_default()).into()
    }

    /// An id as its hash, the same for a user and a device. One that is a hash already stays as it is.
    pub(crate) fn id(&self, id: &str) -> String {
        if is_hash(id) { id.to_owned() } else { self.hashed(id) }
    }

    /// An `insert_id` as its hash, in the form of a UUID, which parts hold in 16 bytes. It can be made of an id; our own
    /// are, without a key.
    pub(crate) fn insert_id(&self, id: &str) -> String {
        let digits = self.digits(id);
        let part = |range| digits.get(range).unwrap_or_default();
        [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
    }

    /// Puts the hashes of an event's ids in their places, where its environment stores no others: also where the same
    /// text stands as a property, and in its `insert_id`. An event whose ids are hashes already stays as it is.
    pub(super) fn ids(&self, event: &mut Event, handling: &Handling) {
        if let Some(Json::Array(ids)) = event.properties.get_mut(MERGED) {
            self.merged(ids, handling);
        }
        // Who did it is one of these, and the others are ids, too.
        self.others(&mut event.properties, handling);
        if let Some(Json::Object(resource)) = event.properties.get_mut("$resource") {
            self.others(resource, handling);
        }
        let hashes = |id: Option<&str>, how: Identifiers| {
            let id = id.filter(|id| how == Identifiers::Hash && !is_hash(id))?;
            Some((id.to_owned(), self.id(id)))
        };
        let user = hashes(event.who.user(), handling.user_ids);
        // A user's id is one also where it stands as a device's, and where an alias names it as an earlier one.
        let of_user = |device: &str| {
            event.who.user() == Some(device) || (event.event == ALIAS && !made_by_an_sdk(device))
        };
        let as_users = handling.user_ids == Identifiers::Hash && event.who.device().is_some_and(of_user);
        let device = if as_users { handling.user_ids } else { handling.device_ids };
        let device = hashes(event.who.device(), device);
        if user.is_none() && device.is_none() {
            return;
        }
        let stored = |hashed: &Option<(String, String)>, id: Option<&str>| match hashed {
            Some((_, hash)) => Some(hash.clone()),
            None => id.map(str::to_owned),
        };
        let who = Who::new(stored(&user, event.who.user()), stored(&device, event.who.device()));
        if let Some(who) = who {
            event.who = who;
        }
        event.insert_id = event.insert_id.take().map(|id| self.insert_id(&id));
        let hashed: Vec<(String, String)> = user.into_iter().chain(device).collect();
        let Event { properties, user_properties, groups, user_changes, group_changes, .. } = event;
        for (name, value) in properties {
            // Exposures are told apart by these.
            if !matches!(name.as_str(), FLAG_KEY | VARIANT) {
                stand_in(value, &hashed);
            }
        }
        for map in [user_properties, groups, user_changes, group_changes] {
            map.values_mut().for_each(|value| stand_in(value, &hashed));
        }
    }

    /// The same of the ids that OpenTelemetry names beside one that is taken.
    fn others(&self, properties: &mut Properties, handling: &Handling) {
        for (names, how) in [(otlp::USER.as_slice(), handling.user_ids), (&otlp::DEVICE, handling.device_ids)]
        {
            for name in names.iter().filter(|_| how == Identifiers::Hash) {
                // A number is an id, too.
                if let Some(value) = properties.get_mut(*name)
                    && let Some(id) = text(value)
                {
                    *value = self.id(&id).into();
                }
            }
        }
    }

    /// The same of ids that are said to be of one person. Nothing says which of them are users'.
    fn merged(&self, ids: &mut [Json], handling: &Handling) {
        for id in ids {
            let Json::String(id) = id else { continue };
            let how = if made_by_an_sdk(id) { handling.device_ids } else { handling.user_ids };
            if how == Identifiers::Hash {
                *id = self.id(id);
            }
        }
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
        if properties.is_empty() {
            return;
        }
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
            if !operation.starts_with('$') {
                continue;
            }
            match operation.as_str() {
                // Here only names count: a value beside one says nothing that is kept.
                "$unset" | "$clearAll" if how == Concealment::Keep => {}
                "$unset" | "$clearAll" => {
                    for name in names.clone() {
                        if let Some(value) = values.get_mut(name) {
                            *value = "-".into();
                        }
                    }
                }
                "$add" => self.properties(values, names.clone(), Concealment::Drop),
                // All masked values are one: it would remove each.
                "$remove" if how == Concealment::Mask => {
                    self.properties(values, names.clone(), Concealment::Drop)
                }
                _ => self.properties(values, names.clone(), how),
            }
        }
    }
}

/// Whether a value is what was left of another one, which has another type.
pub(crate) fn concealed(value: &Json) -> bool {
    value.as_str().is_some_and(|text| text == MASK || is_hash(text))
}

/// Whether a text has the form of a hash, whoever wrote it.
pub(crate) fn is_hash(text: &str) -> bool {
    let digits = text.strip_prefix(HASHED).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether an id is in the form in which SDKs make them for browsers and telephones: a UUID's, or Mixpanel's, which are five
/// groups of hexadecimal digits, too. It tells nobody, and events of before the alias have it.
pub(super) fn made_by_an_sdk(id: &str) -> bool {
    let hex = |group: &str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_hexdigit());
    id.len() >= 36 && id.split('-').count() == 5 && id.split('-').all(hex)
}

/// Puts hashes where their ids stand as whole texts, or as those of visitors.
fn stand_in(value: &mut Json, hashed: &[(String, String)]) {
    match value {
        Json::String(text) => {
            let of = |id: &str| hashed.iter().find(|(one, _)| one == id).map(|(_, hash)| hash);
            let whole = of(text).cloned();
            let visitor = || Some([OF_DEVICE, of(text.strip_prefix(OF_DEVICE)?)?].concat());
            if let Some(hash) = whole.or_else(visitor) {
                *text = hash;
            }
        }
        Json::Array(list) => list.iter_mut().for_each(|value| stand_in(value, hashed)),
        Json::Object(map) => map.values_mut().for_each(|value| stand_in(value, hashed)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// Whether a property of an event, or of what it says of its machine or its user, is the address that it came from, by what
/// SDKs and OpenTelemetry, now and earlier, call it.
pub(super) fn is_address(name: &str) -> bool {
    // Each name of each event is asked, and nearly none ends so.
    let ends = name.ends_with("ip") || name.ends_with("address") || name.ends_with("addr");
    ends && matches!(
        name,
        "ip" | "$ip"
            | "$initial_ip"
            | "initial_ip"
            | "client.address"
            | "client.socket.address"
            | "source.address"
            | "network.peer.address"
            | "net.peer.ip"
            | "net.sock.peer.addr"
            | "http.client_ip"
            | "host.ip"
    )
}

/// Takes from the addresses of an event what is not to be kept: of where it came from, wherever that is said, and of what
/// its user is said to have.
pub(super) fn address(event: &mut Event, how: Addresses) {
    if how == Addresses::Keep {
        return;
    }
    if let Some(own) = event.user_properties.get_mut("ip") {
        // Here stands an address or nothing.
        let address = own.as_str().and_then(as_written).filter(|_| how == Addresses::Truncate);
        match address {
            Some(address) => *own = network(address).to_string().into(),
            None => drop(event.user_properties.remove("ip")),
        }
    }
    shorten(&mut event.properties, how);
    if let Some(resource) = event.properties.get_mut("$resource").and_then(Json::as_object_mut) {
        shorten(resource, how);
    }
    let values = event.user_changes.iter_mut().filter(|(operation, _)| *operation != "$unset");
    for changes in values.filter_map(|(_, values)| values.as_object_mut()) {
        shorten(changes, how);
    }
}

/// Makes addresses shorter, or drops them.
fn shorten(properties: &mut Properties, how: Addresses) {
    if !properties.keys().any(|name| is_address(name)) {
        return;
    }
    properties.retain(|name, value| {
        if !is_address(name) {
            return true;
        }
        let kept = shortened(std::mem::take(value), how);
        let stays = kept.is_some();
        *value = kept.unwrap_or_default();
        stays
    });
}

/// What is kept of a value that is known to be an address. What has none in it is kept, such as `unknown` or the path of a
/// socket; what has one that cannot be read is not.
fn shortened(value: Json, how: Addresses) -> Option<Json> {
    match value {
        Json::String(text) => match as_written(&text) {
            Some(address) => (how == Addresses::Truncate).then(|| network(address).to_string().into()),
            None => (!holds_address(&text)).then(|| text.into()),
        },
        // As databases write one.
        Json::Number(_) => None,
        Json::Array(list) => Some(list.into_iter().filter_map(|value| shortened(value, how)).collect()),
        Json::Object(map) => {
            let named = map.into_iter().filter(|(name, _)| !holds_address(name));
            let each = named.filter_map(|(name, value)| Some((name, shortened(value, how)?)));
            Some(Json::Object(each.collect()))
        }
        Json::Null | Json::Bool(_) => Some(value),
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
        // A hash that is brought again, as by a release from quarantine, stays; what only begins like one does not.
        assert_eq!(one.conceal(hash.clone(), Concealment::Hash), Some(hash.clone()));
        assert_eq!(one.id(hash.as_str().unwrap()), hash);
        assert_eq!(one.id("ada@example.com"), hash);
        for near in ["hash:ada@example.com", "hash:", &hash.as_str().unwrap().to_uppercase()] {
            assert_ne!(one.id(near), near);
        }
        assert_eq!(one.conceal(json!(null), Concealment::Mask), Some(json!(null)));
    }

    #[test]
    fn operations_are_concealed_where_they_name_it() {
        let mut changes = json!({"$set": {"email": "a@b.ch", "plan": "pro"}, "$add": {"email": 1, "n": 1},
            "$unset": {"email": "a@b.ch", "n": 1}, "$append": {"email": "c@d.ch"}, "$remove": {"email": "a@b.ch", "n": 1}})
        .as_object()
        .unwrap()
        .clone();
        Pepper::new(b"a").unwrap().changes(&mut changes, ["email"].into_iter(), Concealment::Mask);
        assert_eq!(
            Json::from(changes),
            json!({"$set": {"email": "***", "plan": "pro"}, "$add": {"n": 1}, "$unset": {"email": "-", "n": 1},
                "$append": {"email": "***"}, "$remove": {"n": 1}})
        );
    }
}
