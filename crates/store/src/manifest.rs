//! Store: the manifest, the one file that says which parts there are.

use std::path::{Path, PathBuf};

use bellwether_model::{Millis, Seq, Span};
use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::error::StoreError;
use crate::files;
use crate::forget::Forgotten;
use crate::people::checkpoint::Checkpoint;
use crate::receipt::Receipts;

/// The second version names parts of the second version; see `part`. The third says who is being forgotten, and is
/// written while somebody is: an earlier Bellwether would bring them back. The fourth names a checkpoint of people, which
/// an earlier one would not heed.
const VERSION: u64 = 4;
const FORGETTING: u64 = 3;
/// What is written otherwise.
const USUAL: u64 = 2;

/// Which parts exist, and how far they reach: every committed event up to `sealed` is in exactly
/// one part, every later one is in the write-ahead log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    version: u64,
    pub(crate) sealed: Seq,
    pub(crate) parts: Vec<Entry>,
    /// How the clock went up to `sealed`; manifests of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) receipts: Option<Receipts>,
    /// Who is being forgotten: parts may have rows of them still.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) forgotten: Vec<Forgotten>,
    /// What is known of people by some of the events, gone ones among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) people: Option<Checkpoint>,
}

/// A part, as the manifest knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// File name in `parts/`: the first event, the last, and the beginning of the SHA-256 of its bytes.
    pub(crate) file: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) first: Seq,
    pub(crate) last: Seq,
    /// Least and greatest event time.
    pub(crate) time: (Millis, Millis),
    /// Least and greatest time of receipt.
    pub(crate) received: (Millis, Millis),
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            version: USUAL,
            sealed: Seq(0),
            parts: Vec::new(),
            receipts: None,
            forgotten: Vec::new(),
            people: None,
        }
    }
}

/// What stands before the checksum.
const CHECKSUM: &str = "  \"crc32\": \"";

/// Whether the last field, the CRC-32 of all that stands before its line, is right; `None` if there is none. The
/// first version had none.
fn checksum(text: &[u8]) -> Option<bool> {
    let at = text.windows(CHECKSUM.len()).rposition(|w| w == CHECKSUM.as_bytes())?;
    let (before, said) = text.split_at_checked(at)?;
    let body = before.strip_suffix(b",\n")?;
    let said = said.get(CHECKSUM.len()..)?;
    Some(said == format!("{:08x}\"\n}}\n", crc32fast::hash(body)).as_bytes())
}

/// Where the manifest of a store lies.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("manifest.json")
}

impl Manifest {
    /// Reads the manifest; a store that never sealed anything has none.
    pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> Result<Self, StoreError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let path = path(dir);
        let text = match files::read(disk, &path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(cause) => return Err(StoreError::io("read", &path)(cause)),
        };
        let damaged = |e: serde_json::Error| StoreError::corrupt(&path, 0, e.to_string());
        let said = checksum(&text);
        let Versioned { version } = serde_json::from_slice(&text).map_err(damaged)?;
        if version > VERSION {
            return Err(StoreError::Newer { file: path, version });
        }
        if said.map_or(version > 1, |whole| !whole) {
            return Err(StoreError::corrupt(&path, 0, "its checksum is not that of what it says"));
        }
        let mut manifest: Self = serde_json::from_slice(&text).map_err(damaged)?;
        // What is written from here on may name parts that only this version reads.
        manifest.version = USUAL;
        let ordered = manifest.parts.windows(2).all(|w| matches!(w, [a, b] if a.last < b.first));
        let within = manifest.parts.iter().all(|p| p.first <= p.last && p.last <= manifest.sealed);
        if !ordered || !within {
            return Err(StoreError::corrupt(&path, 0, "its parts overlap or pass what is sealed"));
        }
        if manifest.receipts.as_ref().is_some_and(|receipts| !receipts.is_sound()) {
            return Err(StoreError::corrupt(&path, 0, "its stretches of receipt do not follow each other"));
        }
        Ok(manifest)
    }

    /// The same, with others who are being forgotten.
    pub(crate) fn forgetting(&self, forgotten: Vec<Forgotten>) -> Self {
        Self { forgotten, ..self.clone() }
    }

    /// How the clock went up to `sealed`.
    pub(crate) fn receipts(&self, window: Span) -> Receipts {
        self.receipts.clone().unwrap_or_else(|| {
            let mut receipts = Receipts::default();
            for part in &self.parts {
                receipts.tick(part.first, part.received.0, window);
                receipts.tick(part.last, part.received.1, window);
            }
            receipts
        })
    }

    /// Puts it in the place of the old one, in one step.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
        let path = path(dir);
        let version = match (&self.people, self.forgotten.as_slice()) {
            (Some(_), _) => VERSION,
            (None, []) => USUAL,
            (None, _) => FORGETTING,
        };
        let mut text = serde_json::to_vec_pretty(&Self { version, ..self.clone() })
            .map_err(|e| StoreError::corrupt(&path, 0, format!("it cannot be written: {e}")))?;
        // Closed again after the checksum of all before it.
        text.truncate(text.len().saturating_sub(2));
        text.extend_from_slice(format!(",\n{CHECKSUM}{:08x}\"\n}}\n", crc32fast::hash(&text)).as_bytes());
        files::create_from(disk, &path, &text).map(drop)
    }
}
