//! Bench of flags: the tables, and the part of `bench/RESULTS.md` that is about flags.

use std::fmt::Write as _;

use results::{Part, busy, commit, compiler, machine, met, today, whole};

use crate::Failure;
use crate::engines::OURS;
use crate::measure::Measured;
use crate::scenario::Scenario;
use crate::statistics::Spread;

const PART: Part = Part { name: "flags", unsaid: "### What the numbers do not say" };

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
                format!("{} ({:.0} % on)", whole(checked as f64), 100.0 * s.on as f64 / checked as f64),
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
            whole((n / scale).round() * scale)
        }
        n if n >= 100.0 => format!("{n:.0}"),
        n if n >= 10.0 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

/// Puts the sections into `bench/RESULTS.md`.
pub(crate) fn write(sections: &[String], rounds: usize) -> Result<(), Failure> {
    let circumstances = format!(
        "- Machine: {}; load {} at the end.\n\
         - Engine: `libs/flags` and `libs/model` at commit {}.\n\
         - Built with {}, `lto = \"fat\"`, one codegen unit, for plain x86-64; the system's allocator.\n\
         - Command: `cd bench/flags && cargo run --release -- --write`; {rounds} rounds.\n\
         - Date: {}.\n",
        machine()?,
        busy()?,
        commit(&["libs/flags", "libs/model"])?,
        compiler()?,
        today()?,
    );
    PART.write(&circumstances, sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (n, text) in [(0.5, "0.50"), (42.04, "42.0"), (321.4, "321"), (15_315.0, "15,300")] {
            assert_eq!(number(n), text);
        }
    }
}
