// Made by `bellwether plan codegen rust`; what is changed by hand is lost. It needs `serde`, with `derive`, and `serde_json`.

/// A planned event.
#[allow(dead_code, unreachable_pub)]
pub trait PlannedEvent: ::serde::Serialize {
    /// The event type.
    const NAME: &'static str;

    /// Its properties, as an SDK takes them.
    ///
    /// # Errors
    /// Where a number is NaN or infinite, which JSON has not.
    fn properties(&self) -> ::core::result::Result<::serde_json::Value, ::serde_json::Error> {
        ::serde_json::to_value(self)
    }
}

/// The event types.
#[allow(dead_code, unreachable_pub)]
pub mod events {
    /// The first number that JSON has not; without a look at it `serde_json` writes `null`, which counts as missing.
    fn finite<'n>(
        event: &str,
        property: &str,
        numbers: impl ::core::iter::IntoIterator<Item = &'n f64>,
    ) -> ::core::result::Result<(), ::serde_json::Error> {
        match numbers.into_iter().find(|number| !number.is_finite()) {
            ::core::option::Option::None => ::core::result::Result::Ok(()),
            ::core::option::Option::Some(number) => ::core::result::Result::Err(::serde::ser::Error::custom(
                ::std::format!("{property} of {event} is {number}, which no JSON holds: leave it out, or send a number"),
            )),
        }
    }

    /// "Cart Opened".
    #[derive(Debug, Clone, PartialEq, Default, ::serde::Serialize)]
    pub struct CartOpened {
    }

    impl super::PlannedEvent for CartOpened {
        const NAME: &'static str = "Cart Opened";
    }

    /// Somebody paid.
    /// Not sent for orders of nothing.
    /// Owner: payments.
    #[derive(Debug, Clone, PartialEq, ::serde::Serialize)]
    pub struct OrderCompleted {
        /// "currency".
        pub currency: OrderCompletedCurrency,
        /// Personal: it tells who somebody is.
        /// Owner: privacy.
        #[serde(skip_serializing_if = "::core::option::Option::is_none")]
        pub email: ::core::option::Option<::std::string::String>,
        /// "extra".
        #[serde(skip_serializing_if = "::core::option::Option::is_none")]
        pub extra: ::core::option::Option<::serde_json::Map<::std::string::String, ::serde_json::Value>>,
        /// "gift".
        #[serde(skip_serializing_if = "::core::option::Option::is_none")]
        pub gift: ::core::option::Option<bool>,
        /// "items".
        #[serde(skip_serializing_if = "::core::option::Option::is_none")]
        pub items: ::core::option::Option<::std::vec::Vec<i64>>,
        /// "labels".
        #[serde(skip_serializing_if = "::core::option::Option::is_none")]
        pub labels: ::core::option::Option<::std::vec::Vec<OrderCompletedLabels>>,
        /// "note".
        #[serde(skip_serializing_if = "::core::option::Option::is_none")]
        pub note: ::core::option::Option<::serde_json::Value>,
        /// A day or a moment in ISO 8601, such as `2026-11-27T09:00:00Z`.
        #[serde(skip_serializing_if = "::core::option::Option::is_none")]
        pub shipped: ::core::option::Option<::std::string::String>,
        /// "stars".
        #[serde(skip_serializing_if = "::core::option::Option::is_none")]
        pub stars: ::core::option::Option<i64>,
        /// What was paid, in `currency`.
        pub total: f64,
    }

    impl OrderCompleted {
        /// With what each event has, and nothing else.
        #[must_use]
        #[allow(clippy::too_many_arguments)]
        pub fn new(currency: OrderCompletedCurrency, total: f64) -> Self {
            Self { currency, email: ::core::option::Option::None, extra: ::core::option::Option::None, gift: ::core::option::Option::None, items: ::core::option::Option::None, labels: ::core::option::Option::None, note: ::core::option::Option::None, shipped: ::core::option::Option::None, stars: ::core::option::Option::None, total }
        }
    }

    impl super::PlannedEvent for OrderCompleted {
        const NAME: &'static str = "Order Completed";

        fn properties(&self) -> ::core::result::Result<::serde_json::Value, ::serde_json::Error> {
            finite(Self::NAME, "total", [&self.total])?;
            ::serde_json::to_value(self)
        }
    }

    /// What "currency" may be.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ::serde::Serialize)]
    pub enum OrderCompletedCurrency {
        /// "EUR"
        #[serde(rename = "EUR")]
        Eur,
        /// "USD"
        #[serde(rename = "USD")]
        Usd,
    }

    /// What "labels" may be.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ::serde::Serialize)]
    pub enum OrderCompletedLabels {
        /// "new"
        #[serde(rename = "new")]
        New,
        /// "sale"
        #[serde(rename = "sale")]
        Sale,
    }

    /// "Page Viewed".
    #[derive(Debug, Clone, PartialEq, ::serde::Serialize)]
    pub struct PageViewed {
        /// "path".
        pub path: ::std::string::String,
    }

    impl PageViewed {
        /// With what each event has, and nothing else.
        #[must_use]
        #[allow(clippy::too_many_arguments)]
        pub fn new(path: ::std::string::String) -> Self {
            Self { path }
        }
    }

    impl super::PlannedEvent for PageViewed {
        const NAME: &'static str = "Page Viewed";
    }
}
