//! App intake: the doors that events come in by. Each protocol reads its own requests and answers in its own
//! words.

use bellwether_model::{Event, Json};

use super::body::{Unreadable, unpack};
use super::inspection::Inspection;
use super::senders::Brought;
use super::{amplitude, mixpanel, otlp, posthog, segment};
use crate::App;
use crate::access::Sender;
use crate::error::{AppError, Refusal};

/// A door: whose protocol, and which call of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Amplitude's `/2/httpapi`.
    AmplitudeHttp,
    /// Amplitude's `/batch`.
    AmplitudeBatch,
    /// Amplitude's `/identify`.
    AmplitudeIdentify,
    /// Amplitude's `/groupidentify`.
    AmplitudeGroupIdentify,
    /// Segment's `/v1/batch`, `/v1/import`; the message of each other path has its type in the path.
    Segment(Option<Call>),
    /// PostHog's `/batch/`, `/capture/`, `/e/`, `/i/v0/e/`.
    PostHog,
    /// PostHog's `/i/v1/analytics/events`.
    PostHogV1,
    /// Mixpanel's `/track`.
    MixpanelTrack,
    /// Mixpanel's `/engage`.
    MixpanelEngage,
    /// Mixpanel's `/groups`.
    MixpanelGroups,
    /// Mixpanel's `/import`.
    MixpanelImport,
    /// OTLP/HTTP's `/v1/logs`.
    OtlpLogs,
}

/// What a message of Segment's protocol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Somebody did something.
    Track,
    /// What is known of somebody.
    Identify,
    /// Somebody saw a page.
    Page,
    /// Somebody saw a screen.
    Screen,
    /// Somebody belongs to a group.
    Group,
    /// Two ids are one person's.
    Alias,
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 18] = [
        Self::AmplitudeHttp,
        Self::AmplitudeBatch,
        Self::AmplitudeIdentify,
        Self::AmplitudeGroupIdentify,
        Self::Segment(None),
        Self::Segment(Some(Call::Track)),
        Self::Segment(Some(Call::Identify)),
        Self::Segment(Some(Call::Page)),
        Self::Segment(Some(Call::Screen)),
        Self::Segment(Some(Call::Group)),
        Self::Segment(Some(Call::Alias)),
        Self::PostHog,
        Self::PostHogV1,
        Self::MixpanelTrack,
        Self::MixpanelEngage,
        Self::MixpanelGroups,
        Self::MixpanelImport,
        Self::OtlpLogs,
    ];

    /// Its name, where nothing else says who sent an event.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::AmplitudeHttp | Self::AmplitudeBatch => "amplitude",
            Self::AmplitudeIdentify | Self::AmplitudeGroupIdentify => "amplitude forms",
            Self::Segment(_) => "segment",
            Self::PostHog | Self::PostHogV1 => "posthog",
            Self::MixpanelTrack | Self::MixpanelEngage | Self::MixpanelGroups | Self::MixpanelImport => {
                "mixpanel"
            }
            Self::OtlpLogs => "otlp",
        }
    }

    /// The most bytes of an unpacked body.
    #[must_use]
    pub const fn most_bytes(self) -> usize {
        match self {
            Self::AmplitudeHttp | Self::AmplitudeIdentify | Self::AmplitudeGroupIdentify => 1 << 20,
            Self::AmplitudeBatch | Self::PostHog | Self::PostHogV1 => 20 << 20,
            // Two bytes of protobuf can be a value of forty.
            Self::OtlpLogs => 4 << 20,
            Self::Segment(_) | Self::MixpanelTrack | Self::MixpanelEngage | Self::MixpanelGroups => 10 << 20,
            Self::MixpanelImport => 10 << 20,
        }
    }

    /// A body has more.
    #[must_use]
    pub fn too_large(self) -> AppError {
        AppError::new(
            Refusal::TooLarge,
            "too_large",
            "the body is larger than what is taken here",
            format!("send at most {} bytes at once", self.most_bytes()),
        )
    }

    /// The most bytes of any of them.
    pub const MOST_BYTES: usize = 20 << 20;
}

/// A request as it came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent<'r> {
    /// What stands after the `?`, as it was written.
    pub query: &'r str,
    /// `Content-Type`, which is only a hint: senders are not careful with it.
    pub content_type: &'r str,
    /// `Content-Encoding`.
    pub encoding: Option<&'r str>,
    /// `Authorization`.
    pub authorization: Option<&'r str>,
    /// `X-API-Key`.
    pub api_key: Option<&'r str>,
    /// `PostHog-Request-Timestamp`: when it was sent, by the sender's clock.
    pub sent_at: Option<&'r str>,
    /// The address that it came from.
    pub peer: Option<&'r str>,
    /// `User-Agent`.
    pub agent: Option<&'r str>,
    /// The body, packed as it came.
    pub body: &'r [u8],
}

/// How a door answers a request: what of the request decides it.
#[derive(Debug, Clone, Copy)]
pub struct Voice {
    pub(super) door: Door,
    /// Mixpanel: in JSON and not with a digit.
    pub(super) verbose: bool,
    /// OTLP: in JSON and not in protobuf.
    pub(super) json: bool,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Body,
    /// After how many seconds to try again.
    pub retry_after: Option<u64>,
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// JSON.
    Json(Json),
    /// Plain text.
    Text(&'static str),
    /// A message of protobuf.
    Protobuf(Vec<u8>),
}

impl Reply {
    pub(super) fn json(status: u16, body: Json) -> Self {
        Self { status, body: Body::Json(body), retry_after: None }
    }

    pub(super) fn text(status: u16, body: &'static str) -> Self {
        Self { status, body: Body::Text(body), retry_after: None }
    }
}

/// What a protocol read out of a request.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) events: Vec<Event>,
    /// What is answered once they are stored.
    pub(super) reply: Reply,
    /// By which keys they came.
    pub(super) brought: Vec<Brought>,
}

impl Read {
    /// Of a request with one key.
    pub(super) fn by(sender: Sender, events: Vec<Event>, reply: Reply, plan: &Inspection) -> Self {
        let brought = vec![Brought { sender, events: events.len() + plan.held() }];
        Self { events, reply, brought }
    }
}

/// Why a request is refused as a whole.
pub(super) enum Refused {
    /// In the words of its door.
    Said(Reply),
    /// To be put into them.
    Because(AppError),
}

impl From<AppError> for Refused {
    fn from(error: AppError) -> Self {
        Self::Because(error)
    }
}

impl From<Reply> for Refused {
    fn from(reply: Reply) -> Self {
        Self::Said(reply)
    }
}

impl Voice {
    /// The voice in which a request is answered.
    #[must_use]
    pub fn of(door: Door, query: &str, content_type: &str) -> Self {
        let verbose = query.split('&').any(|pair| pair == "verbose=1");
        let json = !content_type.to_ascii_lowercase().contains("protobuf");
        Self { door, verbose, json }
    }

    /// The voice in which a request is answered that is there with its body.
    pub(super) fn to(door: Door, sent: &Sent<'_>) -> Self {
        Self::of(door, sent.query, sent.content_type).heard(sent.body)
    }

    /// The same once the body is there: some of Mixpanel's SDKs write in their form how to answer them.
    #[must_use]
    pub fn heard(mut self, body: &[u8]) -> Self {
        let forms = matches!(
            self.door,
            Door::MixpanelTrack | Door::MixpanelEngage | Door::MixpanelGroups | Door::MixpanelImport
        );
        // JSON has no such pair outside of its texts, and is not looked through.
        if forms && !body.starts_with(b"[") && !body.starts_with(b"{") {
            self.verbose |= body.split(|b| *b == b'&').any(|pair| pair == b"verbose=1");
        }
        self
    }

    /// A refusal in the words of the protocol.
    #[must_use]
    pub fn refuse(self, error: &AppError) -> Reply {
        let mut reply = match self.door {
            Door::AmplitudeHttp
            | Door::AmplitudeBatch
            | Door::AmplitudeIdentify
            | Door::AmplitudeGroupIdentify => amplitude::refusal(self.door, error),
            Door::Segment(_) => segment::refusal(error),
            Door::PostHog => posthog::refusal(error),
            Door::PostHogV1 => posthog::v1::refusal(error),
            Door::MixpanelImport if !self.verbose => mixpanel::import_refusal(error),
            Door::MixpanelTrack | Door::MixpanelEngage | Door::MixpanelGroups | Door::MixpanelImport => {
                mixpanel::refusal(error, self.verbose)
            }
            Door::OtlpLogs => otlp::refusal(error, self.json),
        };
        if matches!(reply.status, 429 | 503) {
            let after = error.details.as_ref().and_then(|d| d["retry_after"].as_u64());
            reply.retry_after = Some(after.unwrap_or(1));
        }
        reply
    }
}

impl App {
    /// Who sends with an SDK's key.
    pub(super) fn sender(&self, secret: &str) -> Result<Sender, AppError> {
        self.key(secret)?.sender()
    }
}

impl<'r> Sent<'r> {
    /// The body as it was before its encoding.
    pub(super) fn unpacked(&self, door: Door) -> Result<std::borrow::Cow<'r, [u8]>, AppError> {
        unpack(self.body, self.encoding, door.most_bytes()).map_err(|e| match e {
            Unreadable::TooLarge => door.too_large(),
            Unreadable::Encoding(name) => AppError::bad_input(
                format!("the body is not `{name}`"),
                "send it plain, or packed as its Content-Encoding says: gzip, deflate or zstd",
            ),
        })
    }

    /// What `Authorization` carries, where it has this scheme.
    pub(super) fn scheme(&self, scheme: &str) -> Option<&'r str> {
        let (said, rest) = self.authorization?.trim().split_once(' ')?;
        said.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }
}

/// No key was sent.
pub(super) fn no_key(hint: &str) -> AppError {
    AppError::new(Refusal::Unauthenticated, "unauthenticated", "no key was sent", hint)
}
