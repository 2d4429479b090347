//! Store: checking everything that is on disk, and changing nothing.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use bellwether_model::{Millis, Span};
use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::files;
use crate::fingerprint::Fingerprint;
use crate::manifest::{Entry, Manifest};
use crate::part::{self, Part};
use crate::recovery::{lock_dir, orphans};
use crate::store::Store;
use crate::wal;

/// What the doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Parts that are named in the manifest.
    pub parts: usize,
    /// Events in parts.
    pub part_events: u64,
    /// Log files.
    pub logs: usize,
    /// Events in the log that are in no part.
    pub log_events: u64,
    /// What a crash left and the next open cleans up: nothing to worry about.
    pub notes: Vec<String>,
    /// What is wrong, a sentence each.
    pub findings: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

impl Store {
    /// Checks a store that is not open: that the manifest's parts are there, are the bytes that were
    /// written, and read; that no event lies in two places; that the log reads; and that no event was
    /// taken twice within seven days.
    ///
    /// # Errors
    /// [`StoreError::InUse`], and [`StoreError::Storage`] if `dir` is no store. What is wrong inside is
    /// in the report.
    pub fn doctor(dir: &Path) -> Result<Report, StoreError> {
        let _lock = lock_dir(dir, true)?;
        let mut report = Report::default();
        let manifest = match Manifest::read(dir) {
            Ok(manifest) => manifest,
            Err(error) => {
                report.findings.push(error.to_string());
                return Ok(report);
            }
        };
        let mut prints = Vec::new();
        for entry in &manifest.parts {
            report.parts += 1;
            match check(&dir.join("parts"), entry, &mut prints) {
                Ok(()) => report.part_events += entry.rows,
                Err(why) => report.findings.push(format!("the part `{}`: {why}", entry.file)),
            }
        }
        let replayed = wal::replay(&dir.join("wal"), manifest.sealed, &mut |_, event| {
            report.log_events += 1;
            prints.extend(Fingerprint::of(&event).map(|print| (print, event.received)));
        });
        match replayed {
            Ok(replayed) => {
                report.logs = replayed.files.len();
                report.notes.extend(replayed.torn.map(|torn| {
                    let file = torn.file.display();
                    format!("`{file}` ends with `{}` bytes of a write that never returned", torn.bytes)
                }));
            }
            Err(error) => report.findings.push(error.to_string()),
        }
        for path in orphans(dir, &manifest)?.into_iter().chain(files::list(dir)?.unfinished) {
            report.notes.push(format!("`{}` is not in the manifest", path.display()));
        }
        let twice = twice(prints);
        if twice > 0 {
            report.findings.push(format!("`{twice}` events were taken again within seven days"));
        }
        Ok(report)
    }
}

/// How many named events were received again within seven days.
fn twice(mut prints: Vec<(Fingerprint, Millis)>) -> usize {
    prints.sort_unstable();
    let again = |pair: &&[(Fingerprint, Millis)]| matches!(pair, [(a, then), (b, now)] if a == b && now.since(*then) < Span::DAY.times(7));
    prints.windows(2).filter(again).count()
}

fn check(dir: &Path, entry: &Entry, prints: &mut Vec<(Fingerprint, Millis)>) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut hash = Sha256::new();
    let mut file = File::open(dir.join(&entry.file)).map_err(|e| text(&e))?;
    std::io::copy(&mut file, &mut Hashed(&mut hash)).map_err(|e| text(&e))?;
    if !entry.file.contains(&part::digest(hash)) {
        return Err("its bytes are not those that its name says".to_owned());
    }
    let rows = Part::open(dir, entry).and_then(|part| part.all()).map_err(|e| text(&e))?;
    let seqs: HashSet<u64> = rows.iter().map(|row| row.seq.0).collect();
    if seqs.len() != rows.len() {
        return Err("an event is in it twice".to_owned());
    }
    if rows.iter().any(|row| row.seq < entry.first || row.seq > entry.last) {
        return Err("it holds events that its name does not cover".to_owned());
    }
    prints.extend(rows.iter().filter_map(|r| Some((Fingerprint::of(&r.event)?, r.event.received))));
    Ok(())
}

/// Feeds a hash.
struct Hashed<'h>(&'h mut Sha256);

impl std::io::Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
