//! Bench: what the benches say of the machine and the commit, which they ask the machine and git, and the part of
//! `bench/RESULTS.md` that each of them writes. What a person wrote in a part stays.

mod sorted;

use std::path::Path;
use std::process::Command;

pub use sorted::Sorted;

/// Whatever stops a bench, said to a person.
pub type Failure = Box<dyn std::error::Error>;

/// A bench's part of `bench/RESULTS.md`.
///
/// The part lies between `<!-- name: written by bench/name -->` and `<!-- name: end -->`.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// The bench's folder.
    pub name: &'static str,
    /// What a person wrote after the tables begins with this line.
    pub unsaid: &'static str,
}

impl Part {
    /// Puts the circumstances and the tables into the file.
    ///
    /// # Errors
    /// Where the file is not there or has no such part.
    pub fn write(&self, circumstances: &str, sections: &[String]) -> Result<(), Failure> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../RESULTS.md");
        let old = std::fs::read_to_string(&path)?;
        let new = self.put(&old, circumstances, sections);
        let new = new.ok_or_else(|| format!("`{}` has no part of bench/{}", path.display(), self.name))?;
        Ok(std::fs::write(&path, new)?)
    }

    fn put(&self, old: &str, circumstances: &str, sections: &[String]) -> Option<String> {
        let Self { name, unsaid } = self;
        let begin = format!("<!-- {name}: written by bench/{name} -->\n");
        let end = format!("<!-- {name}: end -->\n");
        let (before, rest) = old.split_once(&begin)?;
        let (part, after) = rest.split_once(&end)?;
        let said = part.split_once(unsaid).map_or("\n", |(_, said)| said);
        Some(format!("{before}{begin}{circumstances}\n{}\n{unsaid}{said}{end}{after}", sections.join("\n")))
    }
}

/// ``2 cores of Intel … (family 6, model 85), virtual and shared with other work``.
///
/// # Errors
/// Where the system does not say.
pub fn machine() -> Result<String, Failure> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown").to_owned()
    };
    Ok(format!(
        "{} cores of {} (family {}, model {}), virtual and shared with other work",
        std::thread::available_parallelism()?,
        field("model name"),
        field("cpu family"),
        field("model\t")
    ))
}

/// The last commit that changed any of these paths, which begin at the repository, and whether they were edited since.
///
/// # Errors
/// Where git is not there or refuses.
pub fn commit(paths: &[&str]) -> Result<String, Failure> {
    let paths: Vec<String> = paths.iter().map(|path| format!("../../{path}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let commit = said("git", &[&["log", "-1", "--format=%h", "--"], &paths[..]].concat())?;
    let edited = said("git", &[&["status", "--porcelain", "--"], &paths[..]].concat())?;
    Ok(if edited.is_empty() { commit } else { format!("{commit} with edits that are not committed") })
}

/// How many processes wanted a core over the last minute.
///
/// # Errors
/// Where the system does not say.
pub fn busy() -> Result<String, Failure> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    Ok(load.split(' ').next().unwrap_or_default().to_owned())
}

/// Today, by UTC.
///
/// # Errors
/// Where `date` is not there.
pub fn today() -> Result<String, Failure> {
    said("date", &["-u", "+%F"])
}

/// The version of the compiler.
///
/// # Errors
/// Where there is none.
pub fn compiler() -> Result<String, Failure> {
    said("rustc", &["--version"])
}

/// What a program says, in a bench's folder.
///
/// # Errors
/// Where it is not there, refuses, or says what is no text.
pub fn said(program: &str, arguments: &[&str]) -> Result<String, Failure> {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.map_err(|e| format!("`{program}`: {e}"))?;
    if !output.status.success() {
        return Err(format!("`{program}`: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Memory of a process in MB: what is resident, and the most that ever was.
///
/// # Errors
/// Where the process is gone.
pub fn memory(process: u32) -> Result<(f64, f64), Failure> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kb: Option<f64> = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        kb.map(|kb| kb * 1024.0 / 1e6).ok_or_else(|| format!("the system does not say `{name}`"))
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}

/// With commas, to the nearest whole.
#[must_use]
pub fn whole(n: f64) -> String {
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

/// Whether an aim is met, in words.
#[must_use]
pub fn met(met: bool) -> &'static str {
    if met { "met" } else { "**not met**" }
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

    #[test]
    fn a_part_is_replaced_and_what_a_person_wrote_stays() {
        let part = Part { name: "x", unsaid: "### Not said" };
        let old = "a\n<!-- x: written by bench/x -->\nold\n### Not said\nwords\n<!-- x: end -->\nb\n";
        let new =
            "a\n<!-- x: written by bench/x -->\nfacts\n\ntable\n### Not said\nwords\n<!-- x: end -->\nb\n";
        assert_eq!(part.put(old, "facts\n", &["table".to_owned()]).as_deref(), Some(new));
        assert_eq!(part.put("nothing", "facts\n", &[]), None);
    }

    #[test]
    fn this_process_has_memory() {
        assert!(memory(std::process::id()).is_ok_and(|(now, most)| now > 0.0 && most >= now));
    }
}
