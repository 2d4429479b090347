//! Bench of ingest: the part of `bench/RESULTS.md` that is about events. What it says of the machine and the commit
//! it asks the machine and git.

use std::path::Path;
use std::process::Command;

use crate::Failure;

/// Where the part begins and ends.
const BEGIN: &str = "<!-- ingest: written by bench/ingest -->\n";
const END: &str = "<!-- ingest: end -->\n";
/// What a person wrote after the tables begins with this.
const SAID: &str = "### What the numbers of ingest do not say";

/// With commas, to the nearest whole.
pub(crate) fn whole(n: f64) -> String {
    let digits = format!("{n:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub(crate) fn met(met: bool) -> &'static str {
    if met { "met" } else { "**not met**" }
}

/// Puts the sections into `bench/RESULTS.md`.
pub(crate) fn write(sections: &[String], load: &str) -> Result<(), Failure> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../RESULTS.md");
    let old = std::fs::read_to_string(&path)?;
    let (Some((before, rest)), Some((_, after))) = (old.split_once(BEGIN), old.split_once(END)) else {
        return Err(format!("`{}` has no part for events", path.display()).into());
    };
    let said = rest.split_once(SAID).map_or("\n", |(_, said)| said);
    let said = said.split_once(END).map_or(said, |(said, _)| said);
    let new =
        format!("{before}{BEGIN}{}\n{}\n{SAID}{said}{END}{after}", circumstances(load)?, sections.join("\n"));
    Ok(std::fs::write(&path, new)?)
}

/// Machine, commit, command, date.
fn circumstances(load: &str) -> Result<String, Failure> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown").to_owned()
    };
    let rooms = ["../../crates", "../../libs", "../../Cargo.lock"];
    let commit = said("git", &[&["log", "-1", "--format=%h", "--"], &rooms[..]].concat())?;
    let edited = said("git", &[&["status", "--porcelain", "--"], &rooms[..]].concat())?;
    let edited = if edited.is_empty() { "" } else { " with edits that are not committed" };
    Ok(format!(
        "- Machine: {} cores of {} (family {}, model {}), virtual and shared with other work; load {load} before the bench, {} after it. \
         Server and senders share the cores; everything goes over the loopback interface.\n\
         - Server: `crates` and `libs` at commit {commit}{edited}, the release profile, {}.\n\
         - Command: `bench/ingest/run --write`.\n\
         - Date: {}.\n",
        std::thread::available_parallelism()?,
        field("model name"),
        field("cpu family"),
        field("model\t"),
        busy()?,
        said("rustc", &["--version"])?,
        said("date", &["-u", "+%F"])?,
    ))
}

/// How many processes wanted a core over the last minute.
pub(crate) fn busy() -> Result<String, Failure> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    Ok(load.split(' ').next().unwrap_or_default().to_owned())
}

fn said(program: &str, arguments: &[&str]) -> Result<String, Failure> {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.map_err(|e| format!("`{program}`: {e}\nhint: use `./run`"))?;
    if !output.status.success() {
        return Err(format!("`{program}`: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (n, text) in [(0.4, "0"), (999.0, "999"), (1_000.4, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(whole(n), text);
        }
    }
}
