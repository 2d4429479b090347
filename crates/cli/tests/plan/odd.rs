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

    /// */ """ ' \
    #[derive(Debug, Clone, PartialEq, Default, ::serde::Serialize)]
    pub struct N1Click {
        /// "a".
        #[serde(skip_serializing_if = "::core::option::Option::is_none")]
        pub a: ::core::option::Option<::std::string::String>,
        /// "b".
        #[serde(skip_serializing_if = "::core::option::Option::is_none")]
        pub b: ::core::option::Option<N1ClickB>,
    }

    impl super::PlannedEvent for N1Click {
        const NAME: &'static str = "1 Click";
    }

    /// What "b" may be.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ::serde::Serialize)]
    pub enum N1ClickB {
        /// "1 day"
        #[serde(rename = "1 day")]
        N1Day,
        /// "two days"
        #[serde(rename = "two days")]
        TwoDays,
        /// "self"
        #[serde(rename = "self")]
        NSelf,
    }

    /// "Debug".
    #[derive(Debug, Clone, PartialEq, Default, ::serde::Serialize)]
    pub struct Debug {
    }

    impl super::PlannedEvent for Debug {
        const NAME: &'static str = "Debug";
    }

    /// "Default".
    #[derive(Debug, Clone, PartialEq, Default, ::serde::Serialize)]
    pub struct Default {
    }

    impl super::PlannedEvent for Default {
        const NAME: &'static str = "Default";
    }

    /// "Option".
    #[derive(Debug, Clone, PartialEq, Default, ::serde::Serialize)]
    pub struct Option {
    }

    impl super::PlannedEvent for Option {
        const NAME: &'static str = "Option";
    }

    /// "Record".
    #[derive(Debug, Clone, PartialEq, Default, ::serde::Serialize)]
    pub struct Record {
    }

    impl super::PlannedEvent for Record {
        const NAME: &'static str = "Record";
    }

    /// "Result".
    #[derive(Debug, Clone, PartialEq, ::serde::Serialize)]
    pub struct Result {
        /// "ok".
        pub ok: ::std::string::String,
    }

    impl Result {
        /// With what each event has, and nothing else.
        #[must_use]
        #[allow(clippy::too_many_arguments)]
        pub fn new(ok: ::std::string::String) -> Self {
            Self { ok }
        }
    }

    impl super::PlannedEvent for Result {
        const NAME: &'static str = "Result";
    }

    /// "Result Ok".
    #[derive(Debug, Clone, PartialEq, Default, ::serde::Serialize)]
    pub struct ResultOk {
    }

    impl super::PlannedEvent for ResultOk {
        const NAME: &'static str = "Result Ok";
    }

    /// "Serialize".
    #[derive(Debug, Clone, PartialEq, Default, ::serde::Serialize)]
    pub struct Serialize {
    }

    impl super::PlannedEvent for Serialize {
        const NAME: &'static str = "Serialize";
    }

    /// "String".
    #[derive(Debug, Clone, PartialEq, ::serde::Serialize)]
    pub struct String {
        /// ends */ a comment """ and \ others
        /// in two lines
        /// and three
        #[serde(rename = "*/ evil", skip_serializing_if = "::core::option::Option::is_none")]
        pub evil: ::core::option::Option<::std::string::String>,
        /// "1st".
        #[serde(rename = "1st", skip_serializing_if = "::core::option::Option::is_none")]
        pub n1st: ::core::option::Option<f64>,
        /// "quote\"s".
        #[serde(rename = "quote\"s", skip_serializing_if = "::core::option::Option::is_none")]
        pub quote_s: ::core::option::Option<::std::vec::Vec<::serde_json::Value>>,
        /// "self".
        #[serde(rename = "self")]
        pub self_: ::serde_json::Value,
        /// "type".
        pub r#type: ::std::string::String,
        /// "ünder".
        #[serde(rename = "ünder", skip_serializing_if = "::core::option::Option::is_none")]
        pub ufc_nder: ::core::option::Option<bool>,
        /// "中文".
        #[serde(rename = "中文", skip_serializing_if = "::core::option::Option::is_none")]
        pub u4e2d_u6587: ::core::option::Option<::std::vec::Vec<::serde_json::Map<::std::string::String, ::serde_json::Value>>>,
    }

    impl String {
        /// With what each event has, and nothing else.
        #[must_use]
        #[allow(clippy::too_many_arguments)]
        pub fn new(self_: ::serde_json::Value, r#type: ::std::string::String) -> Self {
            Self { evil: ::core::option::Option::None, n1st: ::core::option::Option::None, quote_s: ::core::option::Option::None, self_, r#type, ufc_nder: ::core::option::Option::None, u4e2d_u6587: ::core::option::Option::None }
        }
    }

    impl super::PlannedEvent for String {
        const NAME: &'static str = "String";

        fn properties(&self) -> ::core::result::Result<::serde_json::Value, ::serde_json::Error> {
            finite(Self::NAME, "1st", &self.n1st)?;
            ::serde_json::to_value(self)
        }
    }

    /// "Tracker".
    #[derive(Debug, Clone, PartialEq, Default, ::serde::Serialize)]
    pub struct Tracker {
    }

    impl super::PlannedEvent for Tracker {
        const NAME: &'static str = "Tracker";
    }

    /// "TypedDict".
    #[derive(Debug, Clone, PartialEq, Default, ::serde::Serialize)]
    pub struct TypedDict {
    }

    impl super::PlannedEvent for TypedDict {
        const NAME: &'static str = "TypedDict";
    }

    /// "Vec \"quoted\" \\ back".
    #[derive(Debug, Clone, PartialEq, Default, ::serde::Serialize)]
    pub struct VecQuotedBack {
    }

    impl super::PlannedEvent for VecQuotedBack {
        const NAME: &'static str = "Vec \"quoted\" \\ back";
    }

    /// "class".
    #[derive(Debug, Clone, PartialEq, ::serde::Serialize)]
    pub struct Class {
        /// "x".
        pub x: ClassX,
    }

    impl Class {
        /// With what each event has, and nothing else.
        #[must_use]
        #[allow(clippy::too_many_arguments)]
        pub fn new(x: ClassX) -> Self {
            Self { x }
        }
    }

    impl super::PlannedEvent for Class {
        const NAME: &'static str = "class";
    }

    /// What "x" may be.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ::serde::Serialize)]
    pub enum ClassX {
        /// "only"
        #[serde(rename = "only")]
        Only,
    }

    /// "emoji 🎉".
    #[derive(Debug, Clone, PartialEq, Default, ::serde::Serialize)]
    pub struct EmojiU1f389 {
    }

    impl super::PlannedEvent for EmojiU1f389 {
        const NAME: &'static str = "emoji 🎉";
    }

    /// "self".
    #[derive(Debug, Clone, PartialEq, ::serde::Serialize)]
    pub struct NSelf {
        /// "async".
        pub r#async: i64,
    }

    impl NSelf {
        /// With what each event has, and nothing else.
        #[must_use]
        #[allow(clippy::too_many_arguments)]
        pub fn new(r#async: i64) -> Self {
            Self { r#async }
        }
    }

    impl super::PlannedEvent for NSelf {
        const NAME: &'static str = "self";
    }

    /// "été".
    #[derive(Debug, Clone, PartialEq, Default, ::serde::Serialize)]
    pub struct Ue9TUe9 {
    }

    impl super::PlannedEvent for Ue9TUe9 {
        const NAME: &'static str = "été";
    }
}
