//! Flags: where rules look in a context, and what they find there.

use bellwether_model::glance::Glance;
use bellwether_model::{Attribute, Context, Json, Unit};

use crate::ids::Ids;
use crate::text;

/// Where a rule looks.
#[derive(Debug)]
pub(crate) enum Place {
    /// At the user's id.
    User,
    /// At an attribute.
    Named(Attribute),
}

/// What it found there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Seen<'c> {
    Text(&'c str),
    Json(&'c Json),
}

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        if matches!(name, "targetingKey" | "user_id") {
            Self::User
        } else {
            Self::Named(Attribute::new(name))
        }
    }

    /// Where the ids of a unit stand.
    pub(crate) fn unit(unit: Unit) -> Self {
        Self::new(unit.attribute())
    }

    /// What is known of it beforehand.
    #[inline]
    pub(crate) fn glance<'c>(&self, context: &'c Context) -> &'c Glance {
        match self {
            Self::User => &Glance::NOTHING,
            Self::Named(attribute) => context.glance(attribute),
        }
    }

    pub(crate) fn find<'c>(&self, context: &'c Context) -> Option<Seen<'c>> {
        match self {
            Self::Named(attribute) => context.find(attribute).map(Seen::Json),
            Self::User => context.key().map(Seen::Text).or_else(|| {
                // An empty id names nobody, but it is text, and rules on text see it.
                context.attribute("user_id").filter(|id| id.as_str() == Some("")).map(Seen::Json)
            }),
        }
    }

    /// Whether the id, or any where there are several, is on a list.
    #[inline(never)]
    pub(crate) fn is_listed(&self, ids: &Ids, context: &Context) -> bool {
        match (self, context.key()) {
            // A text that begins like a list may be one.
            (Self::User, Some(id)) if !id.starts_with('[') => ids.hold(id),
            _ => self.is_listed_somehow(ids, context),
        }
    }

    #[inline(never)]
    fn is_listed_somehow(&self, ids: &Ids, context: &Context) -> bool {
        self.find(context).is_some_and(|seen| seen.any(|id| ids.hold(id)))
    }

    /// Hands on the id by which a unit is placed, never empty.
    #[inline]
    pub(crate) fn with_id<R>(&self, context: &Context, f: impl FnOnce(&str) -> R) -> Option<R> {
        match self {
            Self::User => context.key().map(f),
            Self::Named(attribute) => {
                text::with(context.find(attribute)?, |id| (!id.is_empty()).then(|| f(id))).flatten()
            }
        }
    }
}

impl<'c> Seen<'c> {
    /// The text, or what else it is.
    pub(crate) fn text(self) -> Result<&'c str, &'c Json> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Json(Json::String(text)) => Ok(text),
            Self::Json(other) => Err(other),
        }
    }

    /// The text, where it is text and cannot be a list.
    pub(crate) fn plain(self) -> Option<&'c str> {
        self.text().ok().filter(|text| text.as_bytes().first() != Some(&b'['))
    }

    /// Whether it, or any element of it where it is a list, holds as text.
    pub(crate) fn any(self, mut holds: impl FnMut(&str) -> bool) -> bool {
        match self.text() {
            Ok(text) => match text::list_of(text) {
                Some(list) => text::any_element(&list, holds),
                None => holds(text),
            },
            Err(Json::Array(list)) => text::any_element(list, holds),
            Err(other) => text::with(other, holds) == Some(true),
        }
    }

    /// Whether it is a list that holds.
    pub(crate) fn list(self, holds: impl FnOnce(&[Json]) -> bool) -> bool {
        match self.text() {
            Ok(text) => text::list_of(text).is_some_and(|list| holds(&list)),
            Err(Json::Array(list)) => holds(list),
            Err(_) => false,
        }
    }
}
