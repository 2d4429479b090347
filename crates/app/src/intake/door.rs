//! App intake: the doors that events come in by. Each protocol reads its own requests and answers in its own
//! words; between them all is one way: raw events, admitted, within the rates, into the store.

use bellwether_ledger::Held;
use bellwether_model::event::Taken;
use bellwether_model::plan::Treatment;
use bellwether_model::{Event, Json, Millis};
use bellwether_store::{Fingerprint, Known, Ticket};

use super::body::{Unreadable, unpack};
use super::inspection::{Apart, Aside, Inspection};
use super::judge::VERDICT;
use super::senders::Brought;
use super::{amplitude, mixpanel, otlp, posthog, segment};
use crate::access::Sender;
use crate::error::{AppError, Refusal};
use crate::quarantine::Holding;
use crate::violations::Violation;
use crate::{App, Settled, Waiting};

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

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome {
    /// Its events wait for the next commit; `reply` may be sent once `waiting` is settled.
    Waiting {
        /// What to wait for.
        waiting: Waiting,
        /// What to answer then.
        reply: Reply,
    },
    /// Nothing was stored.
    Answered(Reply),
}

/// A request that was read.
#[derive(Debug)]
pub enum Begun {
    /// That was all there was to do.
    Done(Outcome),
    /// [`App::finish`] ends it, which waits for a disk: something of it goes into the quarantine.
    Apart(Rest),
}

/// What is left to do of a request. Nothing of it is stored yet.
#[derive(Debug)]
pub struct Rest {
    door: Door,
    voice: Voice,
    read: Read,
    aside: Aside,
    now: Millis,
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
    /// Takes a request that brings events.
    #[must_use]
    pub fn take(&self, door: Door, sent: &Sent<'_>, now: Millis) -> Outcome {
        match self.begin(door, sent, now) {
            Begun::Done(outcome) => outcome,
            Begun::Apart(rest) => self.finish(rest),
        }
    }

    /// The same up to where it waits for a disk: a body of a few kilobytes is soon read. It may still read lists beside parts,
    /// where something comes again, and wait for somebody to be forgotten.
    #[must_use]
    pub fn begin(&self, door: Door, sent: &Sent<'_>, now: Millis) -> Begun {
        let voice = Voice::to(door, sent);
        // Before it is parsed, and before its key is looked at: whoever is overrun has no time for what is refused.
        if let Err(full) = self.store.takes() {
            return Begun::Done(Outcome::Answered(voice.refuse(&full.into())));
        }
        let plan = Inspection::new(self, door, sent);
        let read = match door {
            Door::AmplitudeHttp | Door::AmplitudeBatch => amplitude::read(self, door, sent, now, &plan),
            Door::AmplitudeIdentify => amplitude::forms::identify(self, sent, now, &plan),
            Door::AmplitudeGroupIdentify => amplitude::forms::group_identify(self, sent, now, &plan),
            Door::Segment(call) => segment::read(self, call, sent, now, &plan),
            Door::PostHog => posthog::read(self, sent, now, &plan),
            Door::PostHogV1 => posthog::v1::read(self, sent, now, &plan),
            Door::MixpanelTrack => mixpanel::track(self, sent, now, &plan),
            Door::MixpanelEngage => mixpanel::engage(self, sent, now, &plan),
            Door::MixpanelGroups => mixpanel::groups(self, sent, now, &plan),
            Door::MixpanelImport => mixpanel::import(self, sent, now, &plan),
            Door::OtlpLogs => otlp::read(self, sent, now, &plan),
        };
        let read = match read {
            Ok(read) => read,
            Err(refused) => {
                self.violations.note(plan.refused(), now);
                return Begun::Done(Outcome::Answered(match refused {
                    Refused::Said(reply) => reply,
                    Refused::Because(error) => voice.refuse(&error),
                }));
            }
        };
        let rest = Rest { door, voice, read, aside: plan.taken(), now };
        if rest.aside.held.is_empty() { Begun::Done(self.finish(rest)) } else { Begun::Apart(rest) }
    }

    /// Puts into the quarantine what goes there, and has the rest stored with the next commit.
    #[must_use]
    pub fn finish(&self, rest: Rest) -> Outcome {
        let Rest { door, voice, read, aside, now } = rest;
        let Read { mut events, reply, brought } = read;
        let Aside { held, mut violations } = aside;
        // What goes into the quarantine is there before the request is answered, and goes again if the rest is not taken.
        let admitted = self.rates.admit(door, &brought, &events, now);
        let held = match admitted.and_then(|()| self.hold(held, &events, now)) {
            Ok(held) => held,
            Err(error) => return Outcome::Answered(voice.refuse(&error)),
        };
        let taken = self.keep(&mut events, &held, &mut violations);
        match taken {
            Ok(ticket) => {
                held.again.iter().for_each(|(environment, again)| {
                    let taken = Taken { duplicates: *again, ..Taken::default() };
                    self.arrivals.note(environment, taken);
                });
                self.violations.note(violations, now);
                let (ticket, copies) = match (ticket, held.ticket) {
                    (Some(ticket), copies) => (ticket, copies),
                    (None, Some(copies)) => (copies, None),
                    (None, None) => return Outcome::Answered(reply),
                };
                Outcome::Waiting { waiting: Waiting { ticket, copies, held: held.fresh }, reply }
            }
            Err(error) => {
                if let Some(fresh) = &held.fresh {
                    self.quarantine.take_back(fresh);
                }
                Outcome::Answered(voice.refuse(&error))
            }
        }
    }

    /// Puts events into the quarantine that are neither stored nor there already; `beside` them the request brings others.
    fn hold(&self, mut held: Vec<Apart>, beside: &[Event], now: Millis) -> Result<Holding, AppError> {
        if held.is_empty() {
            return Ok(Holding::default());
        }
        let _arriving = self.quarantine.arriving.hold(held.iter().map(|apart| &apart.event));
        self.name_users(&mut held, beside, now)?;
        let prints = held.iter().map(|Apart { event, .. }| (Fingerprint::of(event), event.received));
        let Known { known: stored, ticket, after } = self.store.knows(&prints.collect::<Vec<_>>())?;
        let environments: Vec<_> = held.iter().map(|apart| apart.event.environment.clone()).collect();
        let unknown = held.into_iter().zip(&stored).filter(|(_, stored)| !**stored);
        let unknown: Vec<Held> =
            unknown.map(|(apart, _)| crate::quarantine::held(&apart, now, after)).collect();
        let mut holding = Holding { ticket, ..self.quarantine.hold(&unknown)? };
        let mut of_unknown = std::mem::take(&mut holding.new).into_iter();
        for (environment, stored) in environments.into_iter().zip(stored) {
            let new = !stored && of_unknown.next().unwrap_or_default();
            if !new {
                *holding.again.entry(environment).or_default() += 1;
            }
            holding.new.push(new);
        }
        Ok(holding)
    }

    /// Stores the rest, but for what is in the quarantine from before, and leaves out violations that were counted when their
    /// event first came; what to wait for, if anything.
    fn keep(
        &self,
        events: &mut Vec<Event>,
        held: &Holding,
        violations: &mut Vec<Violation>,
    ) -> Result<Option<Ticket>, AppError> {
        let Some(environment) = events.first().map(|event| event.environment.clone()) else {
            count_new(violations, &held.new, &[]);
            return Ok(None);
        };
        self.paces.mark(events);
        // Where those are that are stored with a mark: each has one of the violations.
        let marked = if violations.is_empty() { Vec::new() } else { marked(events) };
        let clear = self.quarantine.arriving.clear(events);
        let apart = self.quarantine.has(events);
        let mut places = Vec::new();
        if !apart.is_empty() {
            places = (0..events.len()).filter(|at| apart.binary_search(at).is_err()).collect();
            let mut at = 0..events.len();
            events.retain(|_| at.next().is_some_and(|at| places.binary_search(&at).is_ok()));
        }
        // What was found stored may have been lost since, and then this is refused as a whole.
        if held.ticket.as_ref().is_some_and(|ticket| self.store.outcome(ticket) == Settled::Lost) {
            return Err(AppError::not_stored());
        }
        let ticket = self.store(std::mem::take(events))?;
        drop(clear);
        let stored = marked.iter().map(|at| {
            let place = if apart.is_empty() { Ok(*at) } else { places.binary_search(at) };
            place.is_ok_and(|place| ticket.again.binary_search(&place).is_err())
        });
        count_new(violations, &held.new, &stored.collect::<Vec<_>>());
        let duplicates = ticket.taken.duplicates + apart.len() as u64;
        self.arrivals.note(&environment, Taken { duplicates, ..ticket.taken });
        Ok(Some(ticket))
    }

    fn store(&self, events: Vec<Event>) -> Result<Ticket, AppError> {
        self.store.append(events).map_err(|e| {
            let error = AppError::from(e);
            if error.refusal != Refusal::Busy {
                tracing::error!(cause = error.cause, "events could not be taken");
            }
            error
        })
    }

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

/// Where the events are that are stored with a mark.
fn marked(events: &[Event]) -> Vec<usize> {
    let marked = |event: &Event| event.properties.contains_key(VERDICT);
    events.iter().enumerate().filter(|(_, event)| marked(event)).map(|(at, _)| at).collect()
}

/// Leaves out events that came again: they were counted when they first came. `held` and `stored` say of each event that
/// was put into the quarantine, and of each that is stored with a mark, in their order, whether it is new.
fn count_new(violations: &mut Vec<Violation>, held: &[bool], stored: &[bool]) {
    let (mut held, mut stored) = (held.iter(), stored.iter());
    violations.retain(|violation| match violation.treatment {
        Treatment::Accept => stored.next().is_none_or(|new| *new),
        Treatment::Quarantine => held.next().is_none_or(|new| *new),
        Treatment::Reject => true,
    });
}
