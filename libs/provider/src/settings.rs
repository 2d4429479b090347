//! Provider: what a program says of its server, and why a connection could not be made.

use std::fmt;
use std::time::Duration;

use crate::http::Failure;

/// How a provider is connected. Begin with [`Settings::new`] and change what should be otherwise:
///
/// ```
/// use bellwether_provider::Settings;
/// use std::time::Duration;
/// let settings = Settings {
///     flush_every: Duration::from_secs(1),
///     ..Settings::new("https://flags.example.com", "the secret of a server key")
/// };
/// ```
#[derive(Clone)]
pub struct Settings {
    /// Where the server is, such as `https://flags.example.com`. A path prefix is kept.
    pub address: String,
    /// The secret of a `server` key. It belongs to one environment, whose rules are followed.
    pub key: String,
    /// How long one request may take; the stream of changes stays open for as long as it lasts. 5 s unless
    /// said otherwise.
    pub timeout: Duration,
    /// How long to wait before the first attempt to come back to a server that is away. Each attempt waits
    /// twice as long as the one before, less up to a half by chance, so that many programs do not come
    /// back at once. 500 ms unless said otherwise.
    pub retry_first: Duration,
    /// The longest wait between two attempts. 30 s unless said otherwise.
    pub retry_longest: Duration,
    /// How often exposures are sent. They are sent earlier when a thousand wait. 5 s unless said otherwise.
    pub flush_every: Duration,
    /// How many exposures may wait to be sent. What comes beyond is dropped and counted. 10,000 unless said
    /// otherwise: 2 MB or so.
    pub queue: usize,
}

impl Settings {
    /// The usual settings for a server and the secret of a `server` key.
    pub fn new(address: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            key: key.into(),
            timeout: Duration::from_secs(5),
            retry_first: Duration::from_millis(500),
            retry_longest: Duration::from_secs(30),
            flush_every: Duration::from_secs(5),
            queue: 10_000,
        }
    }
}

/// Without the key.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Why a provider could not be connected. A server that is away is no such reason: then the provider
/// becomes ready when it is back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl ConnectError {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    pub(crate) fn of(failure: Failure) -> Self {
        match failure {
            Failure::Away(message) => Self::new(message, "see whether the server is there"),
            Failure::Refused { message, hint } => Self { message, hint },
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.hint)
    }
}

impl std::error::Error for ConnectError {}

/// How long to wait before the next attempt.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(settings: &Settings) -> Self {
        // Never without a pause, whatever was set.
        let first = settings.retry_first.max(Duration::from_millis(10));
        Self { first, longest: settings.retry_longest.max(first), next: first }
    }

    /// The next wait: twice the one before, less up to a half.
    pub(crate) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.longest);
        whole.mul_f64(1.0 - chance() / 2.0)
    }

    /// After a success.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// From 0 to 1. The seed of the standard library's maps is chance enough to spread attempts.
fn chance() -> f64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let bits = RandomState::new().build_hasher().finish();
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_differ_by_chance() {
        let mut settings = Settings::new("http://localhost", "k");
        settings.retry_longest = Duration::from_secs(4);
        let mut backoff = Backoff::new(&settings);
        for whole in [500, 1_000, 2_000, 4_000, 4_000, 4_000] {
            let wait = backoff.next();
            assert!(wait <= Duration::from_millis(whole), "{wait:?} of {whole}");
            assert!(wait >= Duration::from_millis(whole / 2), "{wait:?} of {whole}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(500));
        let draws: std::collections::BTreeSet<u64> = (0..100).map(|_| chance().to_bits()).collect();
        assert!(draws.len() > 90);
    }

    #[test]
    fn no_wait_at_all_is_not_to_be_had() {
        let settings = Settings {
            retry_first: Duration::ZERO,
            retry_longest: Duration::ZERO,
            ..Settings::new("http://localhost", "k")
        };
        assert!(Backoff::new(&settings).next() >= Duration::from_millis(5));
    }

    #[test]
    fn a_key_is_not_shown() {
        assert!(!format!("{:?}", Settings::new("http://localhost", "secret")).contains("secret"));
    }
}
