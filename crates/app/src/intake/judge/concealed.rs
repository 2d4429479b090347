//! App intake: what is taken out of an event before it is stored, by the tracking plan and by what it says of each environment.

use bellwether_model::event::{ASSIGNMENT, BOT, EXPOSURE, FLAG_KEY, VARIANT};
use bellwether_model::plan::{Concealment, Handling, Identifiers};
use bellwether_model::{EnvironmentKey, Event, Json, Unit};

use super::{Judges, VERDICT};
use crate::intake::conceal::{self, Pepper};
use crate::intake::raw::CUT;

impl Judges {
    /// Takes out of an event what is not to be stored of it.
    pub(crate) fn conceal(&self, event: &mut Event, pepper: &Pepper) {
        let handling = self.handling(&event.environment);
        let Handling { personal: how, addresses, .. } = handling;
        conceal::address(event, addresses);
        if how != Concealment::Keep {
            self.conceal_properties(event, pepper, how);
        }
        // Last: a property that is an id and personal, too, is what its mark says.
        pepper.ids(event, &handling);
    }

    /// Puts hashes in the place of an event's ids, where its environment stores no others.
    pub(crate) fn conceal_ids(&self, event: &mut Event, pepper: &Pepper) {
        pepper.ids(event, &self.handling(&event.environment));
    }

    /// What is stored of an environment's ids.
    pub(crate) fn identifiers(&self, environment: &EnvironmentKey, unit: Unit) -> Identifiers {
        let handling = self.handling(environment);
        match unit {
            Unit::User => handling.user_ids,
            Unit::Device => handling.device_ids,
            _ => Identifiers::Keep,
        }
    }

    fn conceal_properties(&self, event: &mut Event, pepper: &Pepper, how: Concealment) {
        let Event { event: name, properties, user_properties, user_changes, group_changes, .. } = event;
        let personal = self.events.get(name.as_str()).map_or(&self.named, |planned| &planned.personal);
        let theirs = personal.iter().map(|property| &**property).filter(|property| !ours(name, property));
        pepper.properties(properties, theirs, how);
        if !self.named.is_empty() {
            let names = self.named.iter().map(|name| &**name);
            for changes in [user_changes, group_changes] {
                pepper.changes(changes, names.clone(), how);
            }
            pepper.properties(user_properties, names.clone(), how);
            for within in ["$group_properties", "$resource"] {
                if let Some(Json::Object(of)) = properties.get_mut(within) {
                    pepper.properties(of, names.clone(), how);
                    // What is told of groups can be operations here, too.
                    pepper.changes(of, names.clone(), how);
                }
            }
            // What Segment's and RudderStack's SDKs know of a user they say with each event.
            let context = properties.get_mut("$context").and_then(Json::as_object_mut);
            if let Some(Json::Object(traits)) = context.and_then(|context| context.get_mut("traits")) {
                pepper.properties(traits, names, how);
            }
        }
    }
}

/// Whether a property is not its sender's word: what we mark events with, and by what exposures are told apart. It tells
/// nobody, whatever a plan calls it.
pub(crate) fn ours(event: &str, property: &str) -> bool {
    match property {
        VERDICT | BOT | CUT => true,
        FLAG_KEY | VARIANT => matches!(event, EXPOSURE | ASSIGNMENT),
        _ => false,
    }
}
