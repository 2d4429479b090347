//! App: the secrets that lie in the data directory as files of their own. A file is there whole or not at all. Of the key
//! that personal values are hashed with the ledger has the mark: with another key nothing that comes is what was stored.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Write};
use std::path::Path;

use bellwether_ledger::Ledger;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::access::hex;
use crate::entropy::Entropy;
use crate::error::AppError;

/// The file of what personal values are hashed with.
const PERSONAL: &str = "personal.key";
/// How many bytes a secret has at least.
const WHOLE: usize = 32;

/// What personal values are hashed with.
pub(crate) struct PersonalKey(Vec<u8>);

impl PersonalKey {
    /// Reads it, or makes it where none was ever used. Where another one was, `renew` makes a new one all the same, and
    /// leaves what was there beside it.
    pub(crate) fn open(
        data: &Path,
        ledger: &Ledger,
        entropy: &Entropy,
        renew: bool,
    ) -> Result<Self, AppError> {
        let path = data.join(PERSONAL);
        let mark = ledger.personal_key_mark()?;
        let found = read(&path).map_err(failed)?;
        let wrong = wrong(found.as_deref(), mark.as_deref());
        let key = match (found, wrong) {
            (Some(key), None) => key,
            (_, Some(wrong)) if mark.is_some() && !renew => return Err(lost(&path, &wrong)),
            (found, _) => {
                // It may be the key of something, for all that we know.
                if found.is_some_and(|bytes| !bytes.is_empty()) {
                    fs::rename(&path, path.with_added_extension("old")).map_err(failed)?;
                }
                let key = entropy.text(43)?.into_bytes();
                write(&path, &key).map_err(failed)?;
                key
            }
        };
        // Once the key is on disk: a mark without a key is a key that was lost.
        let new = self::mark(&key);
        if mark.as_ref() != Some(&new) {
            ledger.set_personal_key_mark(&new)?;
        }
        Ok(Self(key))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Puts it into another directory, as it was when the server was started.
    pub(crate) fn copy_to(&self, dir: &Path) -> Result<(), Error> {
        write(&dir.join(PERSONAL), &self.0)
    }

    /// What is wrong with the file of a data directory whose ledger has this mark, if something is.
    pub(crate) fn doctor(data: &Path, mark: Option<&str>) -> Result<Option<String>, AppError> {
        let found = read(&data.join(PERSONAL)).map_err(failed)?;
        Ok(wrong(found.as_deref(), mark).map(|wrong| format!("`{PERSONAL}` {wrong}")))
    }
}

fn lost(path: &Path, wrong: &str) -> AppError {
    AppError::conflict(
        format!(
            "`{}` {wrong}; with another key whoever was hashed is somebody else from now on: what they send again \
             counts twice, and they are not found or forgotten by their id",
            path.display()
        ),
        "put the file back from a backup; where there is none, start once with `bellwether serve \
         --new-personal-key`: who was hashed before is then nobody who comes again, and is found by their hash only",
    )
}

/// Why what a file has is not the key that has a mark; without one, any whole key is, and so is none.
fn wrong(found: Option<&[u8]>, mark: Option<&str>) -> Option<String> {
    match (found, mark) {
        (None, Some(_)) => Some("is missing, and personal values were hashed with it".to_owned()),
        (Some(found), _) if found.len() < WHOLE => {
            Some(format!("is cut: it has `{}` bytes, and a key has `{WHOLE}` at least", found.len()))
        }
        (Some(found), Some(mark)) if self::mark(found) != mark => {
            Some("is not the key that personal values were hashed with".to_owned())
        }
        _ => None,
    }
}

/// Tells a key from any other, and does not give it away.
fn mark(key: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        // A key of any length is taken.
        return String::new();
    };
    mac.update(b"bellwether personal key\0");
    hex(&mac.finalize().into_bytes())
}

/// Reads a secret, or makes it the first time. One that is cut is made anew: of this one nothing remains.
pub(crate) fn passing(path: &Path, entropy: &Entropy) -> Result<Vec<u8>, AppError> {
    if let Some(secret) = read(path).map_err(failed)?
        && secret.len() >= WHOLE
    {
        return Ok(secret);
    }
    let secret = entropy.text(43)?.into_bytes();
    write(path, &secret).map_err(failed)?;
    Ok(secret)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(secret) => Ok(Some(secret)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Writes a secret for its owner's eyes alone: under another name first, so that half of it is never taken for it.
fn write(path: &Path, secret: &[u8]) -> Result<(), Error> {
    let unfinished = path.with_added_extension("tmp");
    // What a crash left may be for anybody's eyes by now.
    match fs::remove_file(&unfinished) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(secret)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn failed(e: Error) -> AppError {
    AppError::internal("use a secret of the data directory", e)
}
