//! Bench of flags: the tables, and the part of `bench/RESULTS.md` that is about flags. What it says
//! of the machine and the commit it asks the machine and git.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::Failure;
use crate::engines::OURS;
use crate::measure::Measured;
use crate::scenario::Scenario;
use crate::statistics::Spread;

/// Where the part begins and ends.
const BEGIN: &str = "<!-- flags: written by bench/flags -->\n";
const END: &str = "<!-- flags: end -->\n";

/// One scenario: a table and the comparison with the fastest peer.
pub(crate) fn section(scenario: &Scenario, measured: &[Measured<'_>]) -> String {
    let mut out = format!("### ({}) {}\n\n", scenario.name, scenario.title);
    out.push_str(
        "| engine | version | ns, quiet core | × ours | ns, all turns | 10 % – 90 % | allocations | answers checked |\n",
    );
    out.push_str("|---|---|---:|---:|---:|---:|---:|---:|\n");
    let ours = measured.iter().find(|m| m.subject.name == OURS);
    for m in measured {
        let s = m.subject;
        let (quiet, times) = match (m.quiet, ours.map(|ours| ours.quiet)) {
            ((quiet, many), Some((ours, _))) if many >= FEWEST => {
                (format!("{} ({many})", number(quiet.median)), number(quiet.median / ours.median))
            }
            _ => Default::default(),
        };
        let per = |n: u64| number(n as f64 / s.counted as f64);
        let (allocations, checked) = match s.checked {
            0 => (String::new(), String::new()),
            checked => (
                if s.count.calls == 0 {
                    "0".into()
                } else {
                    format!("{} ({} B)", per(s.count.calls), per(s.count.bytes))
                },
                format!("{} ({:.0} % on)", whole(checked), 100.0 * s.on as f64 / checked as f64),
            ),
        };
        let version = if s.name == OURS { "" } else { &s.version };
        let few = if m.rounds < measured.iter().map(|m| m.rounds).max().unwrap_or(0) {
            format!(" in {} rounds", m.rounds)
        } else {
            String::new()
        };
        let _ = writeln!(
            out,
            "| {} | {version} | {quiet} | {times} | {} | {} – {}{few} | {allocations} | {checked} |",
            s.name,
            number(m.time.median),
            number(m.time.low),
            number(m.time.high),
        );
    }
    if let Some(ours) = ours {
        let _ = writeln!(out, "\n{}", comparison(scenario, ours, measured));
    }
    out
}

/// Ours against the fastest peer, round by round, and whether that is what we promise.
fn comparison(scenario: &Scenario, ours: &Measured<'_>, measured: &[Measured<'_>]) -> String {
    let (ours_quiet, turns) = ours.quiet;
    let peers = measured.iter().filter(|m| m.subject.name != OURS && m.subject.checked > 0);
    let peers = peers.filter(|m| m.quiet.1 >= FEWEST && turns >= FEWEST);
    let Some(peer) = peers.min_by(|a, b| a.quiet.0.median.total_cmp(&b.quiet.0.median)) else {
        return "The core was never quiet for long enough to say more.".into();
    };
    let peer_quiet = peer.quiet.0;
    let pairs = peer.by_round.iter().zip(&ours.by_round).map(|(peer, ours)| peer / ours);
    let times = Spread::of(pairs.filter(|r| !r.is_nan()).collect());
    let quiet_times = peer_quiet.median / ours_quiet.median;
    let mut out = format!(
        "The fastest peer, {}, takes {quiet_times:.2} times as long as ours on a quiet core; over all rounds, \
         whoever else worked, {:.2} times (10 % – 90 %: {:.2} – {:.2}).",
        peer.subject.name, times.median, times.low, times.high
    );
    let met = |met| if met { "met" } else { "**not met**" };
    if let Some(aim) = scenario.aim.times {
        let _ = write!(out, " Aim: at least {aim} times, {}.", met(quiet_times >= aim));
    }
    if let Some(aim) = scenario.aim.nanoseconds {
        let _ = write!(out, " Aim: at most {aim} ns, {}.", met(ours_quiet.median <= aim));
    }
    out
}

/// A median of fewer turns is none.
const FEWEST: usize = 10;

/// Three digits are enough.
fn number(n: f64) -> String {
    match n {
        n if n >= 1_000.0 => {
            let scale = 10_f64.powf(n.log10().floor() - 2.0);
            whole(((n / scale).round() * scale) as usize)
        }
        n if n >= 100.0 => format!("{n:.0}"),
        n if n >= 10.0 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

/// With commas.
fn whole(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Puts the sections into `bench/RESULTS.md`.
pub(crate) fn write(sections: &[String], rounds: usize) -> Result<(), Failure> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../RESULTS.md");
    let old = std::fs::read_to_string(&path)?;
    let (Some((before, rest)), Some((_, after))) = (old.split_once(BEGIN), old.split_once(END)) else {
        return Err(format!("`{}` has no part for flags", path.display()).into());
    };
    // What a person wrote after the tables stays.
    let said = rest.split_once("### What the numbers do not say").map_or("", |(_, said)| said);
    let said = said.split_once(END).map_or(said, |(said, _)| said);
    let new = format!(
        "{before}{BEGIN}{}\n{}\n### What the numbers do not say{said}{END}{after}",
        circumstances(rounds)?,
        sections.join("\n")
    );
    Ok(std::fs::write(&path, new)?)
}

/// Machine, commit, command, date.
fn circumstances(rounds: usize) -> Result<String, Failure> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown").to_owned()
    };
    let cores = std::thread::available_parallelism()?;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    let libraries = ["../../libs/flags", "../../libs/model"];
    let commit = said("git", &[&["log", "-1", "--format=%h", "--"], &libraries[..]].concat())?;
    let edited = said("git", &[&["status", "--porcelain", "--"], &libraries[..]].concat())?;
    let edited = if edited.is_empty() { "" } else { " with edits that are not committed" };
    Ok(format!(
        "- Machine: {cores} cores of {} (family {}, model {}), virtual and shared with other work; load {load} at the end.\n\
         - Engine: `libs/flags` and `libs/model` at commit {commit}{edited}.\n\
         - Built with {}, `lto = \"fat\"`, one codegen unit, for plain x86-64; the system's allocator.\n\
         - Command: `cd bench/flags && cargo run --release -- --write`; {rounds} rounds.\n\
         - Date: {}.\n",
        field("model name"),
        field("cpu family"),
        field("model\t"),
        said("rustc", &["--version"])?,
        said("date", &["-u", "+%F"])?,
    ))
}

fn said(program: &str, arguments: &[&str]) -> Result<String, Failure> {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output()?;
    if !output.status.success() {
        return Err(format!("`{program}`: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (n, text) in [(0.5, "0.50"), (42.04, "42.0"), (321.4, "321"), (15_315.0, "15,300")] {
            assert_eq!(number(n), text);
        }
        assert_eq!(whole(1_000_000), "1,000,000");
    }
}
