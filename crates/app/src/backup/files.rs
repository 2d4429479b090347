//! App backups: which files one has. Copies of it come by many ways, and what was left behind on one of them is missed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Error;
use std::path::Path;

/// The files below a directory by their paths from there, and how many bytes each has.
pub(super) type Files = BTreeMap<String, u64>;

/// What is below a directory.
pub(super) fn list(dir: &Path) -> Result<Files, Error> {
    let mut files = Files::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            files.extend(
                list(&entry.path())?.into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes)),
            );
        } else {
            files.insert(name, entry.metadata()?.len());
        }
    }
    Ok(files)
}

/// What of a directory is not there or has another length, a sentence each: what must be in any, and what was listed.
pub(super) fn lost(dir: &Path, must: &[&str], listed: &Files) -> Vec<String> {
    let mut missing = BTreeSet::new();
    let mut altered = Vec::new();
    for (file, bytes) in
        must.iter().map(|&file| (file, None)).chain(listed.iter().map(|(f, b)| (&**f, Some(*b))))
    {
        // Where its directory is missing, that is said, and once.
        let parts = Path::new(file).ancestors().filter(|part| !part.as_os_str().is_empty());
        if let Some(part) = parts.filter(|part| !dir.join(part).exists()).last() {
            missing.insert(part.display().to_string());
        } else if let Some(bytes) = bytes
            && let there = fs::metadata(dir.join(file)).map_or(0, |file| file.len())
            && there != bytes
        {
            altered.push(format!("`{file}` has `{there}` bytes, and had `{bytes}`"));
        }
    }
    missing.into_iter().map(|file| format!("`{file}` is missing")).chain(altered).collect()
}
