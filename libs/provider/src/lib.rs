//! Provider: an [OpenFeature](https://openfeature.dev) provider for Rust that evaluates Bellwether's flags
//! inside of your program.
//!
//! It promises the server's own answers: the same variant, reason and error for the same context, because it
//! is the same code over the same rules. The rules come once and are followed over a stream, so that a
//! change arrives at once; while the server is away the last rules go on answering, and what was missed is
//! caught up. Evaluating touches no network and takes microseconds.
//!
//! # Begin
//!
//! You need the address of a server and a `server` key of the environment (Settings, Keys). Such a key
//! opens rules, and lists of ids with them: it belongs into servers, never into browsers or apps.
//!
//! ```toml
//! [dependencies]
//! bellwether-provider = { git = "https://github.com/bellwether/bellwether" }
//! open-feature = "0.3"
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//! ```
//!
//! ```no_run
//! use bellwether_provider::{Provider, Settings};
//! use open_feature::{EvaluationContext, OpenFeature};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let key = std::env::var("BELLWETHER_SERVER_KEY")?;
//!     let provider = Provider::connect(Settings::new("https://flags.example.com", key)).await?;
//!     // A provider is a handle: keep one to shut it down.
//!     OpenFeature::singleton_mut().await.set_provider(provider.clone()).await;
//!     let client = OpenFeature::singleton().await.create_client();
//!
//!     let user = EvaluationContext::default()
//!         .with_targeting_key("user-42")
//!         .with_custom_field("country", "FI")
//!         .with_custom_field("plan", "pro");
//!     // The value in your code is for when there is no answer.
//!     if client.get_bool_value("new-checkout", Some(&user), None).await.unwrap_or(false) {
//!         println!("the new checkout");
//!     }
//!
//!     // Sends the exposures that wait.
//!     let exposures = provider.shutdown().await;
//!     println!("{} exposures sent, {} dropped", exposures.sent, exposures.dropped);
//!     Ok(())
//! }
//! ```
//!
//! # Contexts
//!
//! The targeting key is the user's id; a flag that divides by device, session or account reads the
//! attributes `device_id`, `session_id` and `account_id`. A time is read as RFC 3339. A struct is a
//! [`StructValue`] or a `serde_json::Value` in
//! [`new_struct`](open_feature::EvaluationContextFieldValue::new_struct); anything else in there is
//! `INVALID_CONTEXT`.
//!
//! # Answers
//!
//! | | |
//! |---|---|
//! | no rules came yet | `PROVIDER_NOT_READY` |
//! | there is no such flag in the environment | `FLAG_NOT_FOUND` |
//! | its enrolment is counted or sticky, or it needs a flag like that: only the server remembers who was enrolled | `FLAG_NOT_FOUND` |
//! | the variant's value is of another type | `TYPE_MISMATCH` |
//! | a split or a layer needs the user's id, and there is none | `TARGETING_KEY_MISSING` |
//! | the same of another unit's id | `INVALID_CONTEXT` |
//! | the flag is off | its `off` variant, reason `DISABLED` |
//! | a target or a rule with one variant | `TARGETING_MATCH` |
//! | a split, a holdout, a layer | `SPLIT` |
//! | nothing but the default | `STATIC`, or `DEFAULT` where rules were looked at |
//!
//! # Exposures
//!
//! Who was enrolled by the split of a default, and only they, are reported: one `$exposure` per flag,
//! variant, unit and day, sent behind the answers in batches. A repeat counts once, also where another
//! program or the server itself has reported the same. The queue is bounded; what finds no room is
//! dropped and counted in [`Provider::exposures`]. An id that is too short for a query is still sent, and one
//! that is a placeholder (`null`, `unknown`) is refused by the server and counted.

mod context;
mod exposures;
mod http;
mod resolve;
mod rules;
mod sender;
mod settings;
mod sse;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bellwether_model::Revision;
use open_feature::provider::ProviderMetadata;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use exposures::Exposures;
pub use settings::{ConnectError, Settings};

use crate::exposures::Queue;
use crate::http::{Failure, Http};
use crate::rules::{Follower, Shelf};
use crate::sender::Sender;

#[cfg(doc)]
use open_feature::StructValue;

// The guide's example is compiled with those of this crate.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/rust.md")]
struct Guide;

/// A provider that follows the rules of one environment. A clone is the same provider; when the last one
/// is dropped, what waits is sent if the runtime still runs.
#[derive(Clone)]
pub struct Provider(Arc<Connected>);

struct Connected {
    shelf: Arc<Shelf>,
    queue: Arc<Queue>,
    metadata: ProviderMetadata,
    /// Tells the tasks to end; dropping it does so, too.
    stop: watch::Sender<bool>,
    tasks: Mutex<Option<Tasks>>,
}

struct Tasks {
    following: JoinHandle<()>,
    sending: JoinHandle<()>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("revision", &self.revision())
            .field("exposures", &self.exposures())
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// Connects to a server and gets its rules. Where the server is away, the provider is returned without
    /// rules, answers `PROVIDER_NOT_READY`, and becomes ready when the server is back; see
    /// [`Provider::ready`].
    ///
    /// # Errors
    /// When the address or the key is none, the server refuses the key, or its rules cannot be read by
    /// this version.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time, which it needs.
    pub async fn connect(settings: Settings) -> Result<Self, ConnectError> {
        let http = Http::new(&settings)?;
        let shelf = Arc::new(Shelf::new());
        let queue = Arc::new(Queue::new(settings.queue));
        let mut follower = Follower::new(http.clone(), Arc::clone(&shelf), &settings);
        match follower.refresh().await {
            Ok(()) => {}
            Err(Failure::Away(reason)) => tracing::warn!(reason, "there are no rules yet"),
            Err(refused) => return Err(ConnectError::of(refused)),
        }
        let (stop, stopped) = watch::channel(false);
        let sender = Sender::new(http, Arc::clone(&queue), &settings);
        let mut ended = stopped.clone();
        let following = tokio::spawn(async move {
            tokio::select! {
                () = follower.run() => {}
                _ = ended.changed() => {}
            }
        });
        let sending = tokio::spawn(sender.run(stopped));
        let tasks = Mutex::new(Some(Tasks { following, sending }));
        let metadata = ProviderMetadata::new("bellwether");
        Ok(Self(Arc::new(Connected { shelf, queue, metadata, stop, tasks })))
    }

    /// Waits until there are rules to answer from.
    pub async fn ready(&self) {
        let mut told = self.0.shelf.told.subscribe();
        // It never ends before us: we hold the sender.
        let _: Result<_, _> = told.wait_for(Option::is_some).await;
    }

    /// The revision that the rules were published at, if there are any.
    pub fn revision(&self) -> Option<u64> {
        self.0.shelf.rules().map(|rules| rules.ruleset.revision().0)
    }

    /// Tells at each change of the rules, which OpenFeature's Rust SDK has no events for. What is received is
    /// the revision of the rules; a slow receiver sees the last one.
    pub fn changes(&self) -> watch::Receiver<Option<Revision>> {
        self.0.shelf.told.subscribe()
    }

    /// What became of exposures so far.
    pub fn exposures(&self) -> Exposures {
        self.0.queue.counts()
    }

    /// Stops following the rules, and sends the exposures that wait, for at most as long as one request may
    /// take; what could not be sent is dropped. The last rules go on answering, without exposures.
    pub async fn shutdown(&self) -> Exposures {
        self.0.stop.send_replace(true);
        let tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Tasks { following, sending }) = tasks {
            let _: (Result<(), _>, Result<(), _>) = (following.await, sending.await);
        }
        self.exposures()
    }
}
