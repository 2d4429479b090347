//! Store: checking everything that is on disk, and changing nothing.

use std::path::Path;
use std::sync::Arc;

use bellwether_model::{Millis, Span};

use crate::disk::{Disk, RealDisk};
use crate::error::StoreError;
use crate::files::{self, Cursor, Summed};
use crate::fingerprint::Fingerprint;
use crate::ids::{self, Ids, Named};
use crate::manifest::{Entry, Manifest};
use crate::part::{self, Checked, Part, hot};
use crate::recovery::{lock_dir, orphans};
use crate::store::Store;
use crate::wal;

/// Fingerprints that are compared at once: 24 bytes each.
const AT_ONCE: u64 = 8_000_000;

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
    /// Checks a store that is not open: that the manifest's parts and what is known of people are there and are the bytes
    /// that were written, and that the log reads. It reads every byte, and decodes what is in the log.
    ///
    /// # Errors
    /// [`StoreError::InUse`], and [`StoreError::Storage`] if `dir` is no store. What is wrong inside is
    /// in the report.
    pub fn doctor(dir: &Path) -> Result<Report, StoreError> {
        Self::doctor_on(Arc::new(RealDisk), dir, false)
    }

    /// As [`Store::doctor`], and decodes every page of every part: that each row is in order, in its place and
    /// there once; that counts and times are those of the manifest and the lists of named events are those of
    /// the parts; and that no event was taken twice within seven days.
    ///
    /// # Errors
    /// As [`Store::doctor`].
    pub fn doctor_deep(dir: &Path) -> Result<Report, StoreError> {
        Self::doctor_on(Arc::new(RealDisk), dir, true)
    }

    /// As [`Store::doctor`] or [`Store::doctor_deep`], on another disk than that of this machine.
    ///
    /// # Errors
    /// As [`Store::doctor`].
    pub fn doctor_on(disk: Arc<dyn Disk>, dir: &Path, deep: bool) -> Result<Report, StoreError> {
        let _lock = lock_dir(&*disk, dir, true)?;
        let mut report = Report::default();
        let manifest = match Manifest::read(&*disk, dir) {
            Ok(manifest) => manifest,
            Err(error) => {
                report.findings.push(error.to_string());
                return Ok(report);
            }
        };
        let parts_dir = dir.join("parts");
        let mut parts = Vec::new();
        for entry in &manifest.parts {
            report.parts += 1;
            match check(&disk, &parts_dir, entry, deep) {
                Ok(part) => {
                    report.part_events += entry.rows;
                    parts.push(part);
                }
                Err(why) => report.findings.push(format!("the part `{}`: {why}", entry.file)),
            }
        }
        if let Some(known) = &manifest.people
            && let Err(why) = known.read(&*disk, &parts_dir)
        {
            report.findings.push(format!("what is known of people: {why}"));
        }
        let mut logged = Vec::new();
        let replayed = wal::replay(&*disk, &dir.join("wal"), manifest.sealed, &mut |_, event| {
            report.log_events += 1;
            logged.extend(Fingerprint::of(&event).map(|print| (print, event.received)));
        });
        match replayed {
            Ok(replayed) => {
                report.logs = replayed.files.len();
                let ahead = manifest.people.as_ref().and_then(|known| known.ahead_of(replayed.last));
                report.findings.extend(ahead);
                report.notes.extend(replayed.torn.map(|torn| {
                    let file = torn.file.display();
                    format!("`{file}` ends with `{}` bytes of a write that never returned", torn.bytes)
                }));
            }
            Err(error) => report.findings.push(error.to_string()),
        }
        for path in orphans(&*disk, dir, &manifest)?.into_iter().chain(files::list(&*disk, dir)?.unfinished) {
            report.notes.push(format!("`{}` is not in the manifest", path.display()));
        }
        if deep {
            match twice(&parts, &logged) {
                Ok(0) => {}
                Ok(twice) => {
                    report.findings.push(format!("`{twice}` events were taken again within seven days"));
                }
                Err(why) => report.findings.push(why),
            }
        }
        Ok(report)
    }
}

/// How many named events were received again within seven days. Fingerprints are compared a slice at a time.
fn twice(parts: &[Part], logged: &[(Fingerprint, Millis)]) -> Result<usize, String> {
    let events: u64 = parts.iter().map(|part| part.entry().rows).sum::<u64>() + logged.len() as u64;
    let slices = events.div_ceil(AT_ONCE).max(1);
    let mut found = 0;
    for slice in 0..slices {
        let here = |print: Fingerprint| print.high() % slices == slice;
        let mut prints: Vec<(Fingerprint, Millis)> =
            logged.iter().copied().filter(|(p, _)| here(*p)).collect();
        for part in parts {
            let each = &mut |_, print, received| {
                if here(print) {
                    prints.push((print, received));
                }
            };
            part.prints(each).map_err(|e| e.to_string())?;
        }
        prints.sort_unstable();
        let again = |pair: &&[(Fingerprint, Millis)]| matches!(pair, [(a, then), (b, now)] if a == b && now.since(*then) < Span::DAY.times(7));
        found += prints.windows(2).filter(again).count();
    }
    Ok(found)
}

fn check(disk: &Arc<dyn Disk>, dir: &Path, entry: &Entry, deep: bool) -> Result<Part, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let path = dir.join(&entry.file);
    let file = disk.open(&path).map_err(|e| text(&e))?;
    let mut sum = Summed::new(Cursor::new(file, 0));
    std::io::copy(&mut sum, &mut std::io::sink()).map_err(|e| text(&e))?;
    if !entry.file.contains(&part::digest(sum.hash)) {
        return Err("its bytes are not those that its name says".to_owned());
    }
    let part = Part::open(disk, dir, entry).map_err(|e| text(&e))?;
    let beside = ids::path(&path);
    let list = if disk.open(&beside).is_ok() {
        let list = Ids::open(disk, &path, (entry.first, entry.last), entry.received.1);
        Some(list.map_err(|e| text(&e))?)
    } else {
        None
    };
    if deep {
        let checked = part.check(list.as_ref().map_or(&[], Ids::covers))?;
        if list.as_ref().map(add_up).transpose()?.is_some_and(|listed| listed != checked) {
            return Err(format!("`{}` lists other events than it holds", beside.display()));
        }
    }
    part.check_hot(deep).map_err(|why| {
        format!("{why}\nhint: remove `{}`: it is written again", hot::path(&path).display())
    })?;
    Ok(part)
}

/// What the events of a list add up to.
fn add_up(list: &Ids) -> Result<Checked, String> {
    let mut sum = Checked::default();
    let mut before: Option<Named> = None;
    for named in list.all() {
        let named = named.map_err(|error| error.to_string())?;
        if before.replace(named).is_some_and(|before| before >= named) {
            return Err("its list of named events is out of order".to_owned());
        }
        sum.add(named);
    }
    Ok(sum)
}
