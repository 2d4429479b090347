//! App intake: by which keys the events of a request come, and how many by which. Nearly always it is one key; in
//! PostHog's and Mixpanel's protocols each event may have its own.

use bellwether_model::EnvironmentKey;

use crate::App;
use crate::access::Sender;
use crate::error::AppError;

/// What a request brings by one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Brought {
    pub(super) sender: Sender,
    /// Events that are taken, or go into the quarantine.
    pub(super) events: usize,
}

/// By which keys the events of a request come.
pub(super) struct Senders {
    /// Whether the first is the key of the request, so that no event's own is asked for.
    whole: bool,
    /// The secrets of those that are found by them, and what each brings.
    list: Vec<(String, Brought)>,
    /// The one that brings the event that is looked at.
    at: usize,
}

impl Senders {
    /// With the key of the request as a whole, if it has one.
    pub(super) fn of(whole: Option<Sender>) -> Self {
        let list = whole.map(|sender| (String::new(), Brought { sender, events: 0 }));
        Self { whole: list.is_some(), list: list.into_iter().collect(), at: 0 }
    }

    /// The environment of the next event, whose own key is this; `None` where there is no key at all.
    ///
    /// # Errors
    /// When the key opens no environment.
    pub(super) fn next(&mut self, app: &App, own: Option<&str>) -> Result<Option<&EnvironmentKey>, AppError> {
        if !self.whole {
            let Some(own) = own else { return Ok(None) };
            // Nearly always that of the event before.
            if self.list.get(self.at).is_none_or(|(secret, _)| secret != own) {
                self.at = match self.list.iter().position(|(secret, _)| secret == own) {
                    Some(at) => at,
                    None => {
                        let sender = app.sender(own)?;
                        self.list.push((own.to_owned(), Brought { sender, events: 0 }));
                        self.list.len() - 1
                    }
                };
            }
        }
        Ok(self.list.get(self.at).map(|(_, brought)| &brought.sender.environment))
    }

    /// So many events came of it.
    pub(super) fn count(&mut self, events: usize) {
        if let Some((_, brought)) = self.list.get_mut(self.at) {
            brought.events += events;
        }
    }

    /// What each brought.
    pub(super) fn brought(self) -> Vec<Brought> {
        self.list.into_iter().map(|(_, brought)| brought).collect()
    }
}
