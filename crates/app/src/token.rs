//! App: the token of a change stream. An `EventSource` cannot send headers, so its address carries
//! one: it opens one environment's notifications ("something changed") and nothing else, and only as long
//! as the key lives that it was given to.

use std::path::Path;

use bellwether_model::{Actor, EnvironmentKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::access::{Grant, hex};
use crate::entropy::Entropy;
use crate::error::{AppError, Refusal};
use crate::{App, secret};

/// What the tokens of this installation are made with. It outlives a restart, so that streams do.
#[derive(Clone)]
pub(crate) struct StreamSecret(Vec<u8>);

impl StreamSecret {
    /// Reads it, or makes it the first time.
    pub(crate) fn open(data: &Path, entropy: &Entropy) -> Result<Self, AppError> {
        secret::passing(&data.join("stream.key"), entropy).map(Self)
    }

    /// Over the environment and the key's id, with the dot between them: an id has none.
    fn mac(&self, opens: &str) -> Result<Hmac<Sha256>, AppError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .map_err(|e| AppError::internal("make a stream token", e))?;
        mac.update(b"bellwether change stream\0");
        mac.update(opens.as_bytes());
        Ok(mac)
    }
}

impl App {
    /// The token of the change stream of an SDK key's environment: `environment.key.mac`, with the id of the
    /// key, which is no secret.
    ///
    /// # Errors
    /// `forbidden` for anything but an SDK's key; `internal`, if the secret is of no use.
    pub fn stream_token(&self, grant: &Grant) -> Result<String, AppError> {
        let environment = grant.sdk()?.environment;
        let Actor::Key { id } = &grant.actor else {
            return Err(AppError::internal("make a stream token", "an SDK's grant is of no key"));
        };
        let opens = format!("{environment}.{id}");
        let mac = self.stream.mac(&opens)?.finalize().into_bytes();
        let mac = hex(mac.get(..16).unwrap_or_default());
        Ok(format!("{opens}.{mac}"))
    }

    /// The environment that a token opens, and the key that it was given to: the stream ends with it.
    ///
    /// # Errors
    /// `unauthenticated` for any other text, and when the key has been revoked.
    pub fn stream_opened(&self, token: &str) -> Result<(EnvironmentKey, Actor), AppError> {
        let refused = || {
            AppError::new(
                Refusal::Unauthenticated,
                "unauthenticated",
                "the token opens no change stream",
                "take the address of the stream from a new bulk evaluation",
            )
        };
        let (opens, sent) = token.rsplit_once('.').ok_or_else(refused)?;
        let pairs: Option<Vec<u8>> = (sent.len() == 32)
            .then(|| (0..16).map(|i| u8::from_str_radix(sent.get(2 * i..2 * i + 2)?, 16).ok()).collect())
            .flatten();
        let sent = pairs.ok_or_else(refused)?;
        self.stream.mac(opens)?.verify_truncated_left(&sent).map_err(|_| refused())?;
        let (environment, id) = opens.rsplit_once('.').ok_or_else(refused)?;
        let environment: EnvironmentKey = environment.parse().map_err(|_| refused())?;
        let key = Actor::Key { id: id.to_owned() };
        if self.revoked(&key) {
            return Err(refused());
        }
        self.served(&environment)?;
        Ok((environment, key))
    }
}
