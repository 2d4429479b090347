//! Sim: what is known of users and groups, found by living through the events in their order.

use std::collections::BTreeMap;

use bellwether_model::{Event, Json, Properties, profile};

/// What is known now, by plain texts.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// The last user of each device of each environment.
    owners: BTreeMap<(String, String), String>,
    known: BTreeMap<String, Properties>,
}

impl People {
    /// An event that is taken: does what it changes, and writes into it what is known then.
    pub(crate) fn take(&mut self, event: &mut Event) {
        let here = event.environment.to_string();
        let of_user = |user: &str| format!("{here} user {user}");
        let of_device = |device: &str| format!("{here} device {device}");
        let person = match (event.who.user(), event.who.device()) {
            (Some(user), Some(device)) => {
                let before = self.owners.insert((here.clone(), device.to_owned()), user.to_owned());
                if before.is_none() {
                    // The first user of a device was its visitor; what is known of the user wins.
                    let mut both = self.known.get(&of_device(device)).cloned().unwrap_or_default();
                    both.extend(self.known.remove(&of_user(user)).unwrap_or_default());
                    self.known.insert(of_user(user), both);
                }
                of_user(user)
            }
            (Some(user), None) => of_user(user),
            (None, device) => {
                let device = device.unwrap_or_default();
                let owner = self.owners.get(&(here.clone(), device.to_owned()));
                owner.map_or_else(|| of_device(device), |user| of_user(user))
            }
        };
        let known = self.known.entry(person).or_default();
        profile::apply(known, &event.user_changes);
        let mut properties = known.clone();
        for (name, value) in std::mem::take(&mut event.user_properties) {
            properties.entry(name).or_insert(value);
        }
        event.user_properties = properties;

        for (kind, names) in &event.groups {
            let names = names.as_array().cloned().unwrap_or_else(|| vec![names.clone()]);
            let mut groups = Properties::new();
            for name in names.iter().filter_map(Json::as_str) {
                let known = self.known.entry(format!("{here} group {kind} {name}")).or_default();
                profile::apply(known, &event.group_changes);
                if !known.is_empty() {
                    groups.insert(name.to_owned(), Json::Object(known.clone()));
                }
            }
            if !groups.is_empty() {
                event.group_properties.insert(kind.clone(), Json::Object(groups));
            }
        }
    }
}
