//! App: the token of a change stream. An `EventSource` cannot send headers, so its address carries
//! one: it opens one environment's notifications ("something changed") and nothing else.

use std::io::Write;
use std::path::Path;

use bellwether_model::EnvironmentKey;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::App;
use crate::entropy::Entropy;
use crate::error::{AppError, Refusal};

/// What the tokens of this installation are made with. It outlives a restart, so that streams do.
#[derive(Clone)]
pub(crate) struct StreamSecret(Vec<u8>);

impl StreamSecret {
    /// Reads it, or makes it the first time.
    pub(crate) fn open(data: &Path, entropy: &Entropy) -> Result<Self, AppError> {
        let path = data.join("stream.key");
        let failed = |e: std::io::Error| AppError::internal("use the secret of change streams", e);
        match std::fs::read(&path) {
            Ok(secret) if secret.len() >= 32 => return Ok(Self(secret)),
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(failed(e)),
        }
        let secret = entropy.text(43)?.into_bytes();
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(failed)?;
        file.write_all(&secret).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(Self(secret))
    }

    fn mac(&self, environment: &str) -> Result<Hmac<Sha256>, AppError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .map_err(|e| AppError::internal("make a stream token", e))?;
        mac.update(b"bellwether change stream\0");
        mac.update(environment.as_bytes());
        Ok(mac)
    }
}

impl App {
    /// The token of an environment's change stream.
    ///
    /// # Errors
    /// `internal`, if the secret is of no use.
    pub fn stream_token(&self, environment: &EnvironmentKey) -> Result<String, AppError> {
        let mac = self.stream.mac(environment.as_str())?.finalize().into_bytes();
        let mac: String = mac.iter().take(16).map(|b| format!("{b:02x}")).collect();
        Ok(format!("{environment}.{mac}"))
    }

    /// The environment that a token opens.
    ///
    /// # Errors
    /// `unauthenticated` for any other text.
    pub fn stream_environment(&self, token: &str) -> Result<EnvironmentKey, AppError> {
        let refused = || {
            AppError::new(
                Refusal::Unauthenticated,
                "unauthenticated",
                "the token opens no change stream",
                "take the address of the stream from a new bulk evaluation",
            )
        };
        let (environment, sent) = token.rsplit_once('.').ok_or_else(refused)?;
        let pairs: Option<Vec<u8>> = (sent.len() == 32)
            .then(|| (0..16).map(|i| u8::from_str_radix(sent.get(2 * i..2 * i + 2)?, 16).ok()).collect())
            .flatten();
        let sent = pairs.ok_or_else(refused)?;
        self.stream.mac(environment)?.verify_truncated_left(&sent).map_err(|_| refused())?;
        let environment: EnvironmentKey = environment.parse().map_err(|_| refused())?;
        self.served(&environment)?;
        Ok(environment)
    }
}
