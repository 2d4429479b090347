//! Bench of statistics: our library on columns that others read as well. `bench.py` runs this program and
//! the peers, compares their answers, and writes the tables.
//!
//! ```text
//! bellwether-bench-stats make 1000000 target/data     writes the columns
//! bellwether-bench-stats raw 1000000 target/data      10 metrics with CUPED, from the columns
//! bellwether-bench-stats moments 1000000 target/data  the same, from stored moments
//! bellwether-bench-stats bootstrap 1000000 target/data 10000
//! ```
//!
//! Each prints one object of JSON: the times in seconds, memory in bytes beyond the columns, and the answers.

use bellwether_stats::adjust::cuped;
use bellwether_stats::resample::PoissonBootstrap;
use bellwether_stats::special::normal;
use bellwether_stats::{Alternative, JointMoments, Level, by_arm, sample_ratio};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

/// Whatever stops the bench, said to a person.
type Failure = Box<dyn std::error::Error>;

const METRICS: usize = 10;
/// The machine has two cores, and so have the peers.
const THREADS: usize = 2;
const ROUNDS: usize = 7;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<String, Failure> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["make", users, folder] => make(users.parse()?, Path::new(folder)),
        ["raw", users, folder] => raw(&Table::read(users.parse()?, Path::new(folder), METRICS)?),
        ["moments", users, folder] => moments(&Table::read(users.parse()?, Path::new(folder), METRICS)?),
        ["bootstrap", users, folder, draws] => {
            bootstrap(&Table::read(users.parse()?, Path::new(folder), 1)?, draws.parse()?)
        }
        _ => Err("see the opening of main.rs".into()),
    }
}

/// The data that every peer reads: an arm and, for each metric, an outcome and a covariate.
struct Table {
    arm: Vec<u8>,
    outcomes: Vec<Vec<f64>>,
    covariates: Vec<Vec<f64>>,
}

fn file(folder: &Path, users: usize, name: &str) -> std::path::PathBuf {
    folder.join(format!("{users}-{name}.bin"))
}

impl Table {
    fn read(users: usize, folder: &Path, metrics: usize) -> Result<Self, Failure> {
        let column = |name: String| -> Result<Vec<f64>, Failure> {
            let bytes = std::fs::read(file(folder, users, &name))?;
            let (numbers, _) = bytes.as_chunks::<8>();
            Ok(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
        };
        Ok(Self {
            arm: std::fs::read(file(folder, users, "arm"))?,
            outcomes: (0..metrics).map(|m| column(format!("y{m}"))).collect::<Result<_, _>>()?,
            covariates: (0..metrics).map(|m| column(format!("x{m}"))).collect::<Result<_, _>>()?,
        })
    }

    /// The moments of each arm and metric, in as many threads as the machine has cores.
    fn moments(&self) -> Result<Vec<Vec<JointMoments>>, Failure> {
        let rows = self.arm.len().div_ceil(THREADS);
        let part = |thread: usize| {
            let range = (thread * rows).min(self.arm.len())..((thread + 1) * rows).min(self.arm.len());
            let pairs: Vec<[&[f64]; 2]> = self
                .outcomes
                .iter()
                .zip(&self.covariates)
                .map(|(y, x)| [&y[range.clone()], &x[range.clone()]])
                .collect();
            let sets: Vec<&[&[f64]]> = pairs.iter().map(|pair| pair.as_slice()).collect();
            by_arm(&self.arm[range], 2, &sets)
        };
        let parts: Vec<_> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..THREADS).map(|thread| scope.spawn(move || part(thread))).collect();
            let own = part(0);
            let joined = others.into_iter().map(|other| other.join().map_err(|_| "a thread failed"));
            std::iter::once(Ok(own)).chain(joined).collect()
        });
        let mut all: Option<Vec<Vec<JointMoments>>> = None;
        for part in parts {
            let part = part??;
            all = Some(match all {
                None => part,
                Some(all) => all
                    .iter()
                    .zip(&part)
                    .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a.merge(b)).collect())
                    .collect::<Result<_, _>>()?,
            });
        }
        all.ok_or_else(|| "no threads".into())
    }
}

/// Effect, standard error and p-value of each metric.
fn effects(arms: &[Vec<JointMoments>]) -> Result<Vec<[f64; 3]>, Failure> {
    let [control, treatment] = arms else { return Err("two arms are needed".into()) };
    let pairs = control.iter().zip(treatment);
    pairs
        .map(|(control, treatment)| {
            let effect = cuped(control, treatment)?.effect()?;
            let test = effect.difference.test(0.0, Alternative::TwoSided)?;
            // What a page shows besides.
            std::hint::black_box((effect.difference.interval(Level::P95), effect.lift?.interval(Level::P95)));
            Ok([effect.difference.value(), effect.difference.se(), test.p])
        })
        .collect()
}

fn raw(table: &Table) -> Result<String, Failure> {
    let mut times = Vec::new();
    let before = resident()?;
    forget_the_peak()?;
    let mut answers = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let arms = table.moments()?;
        let counts: Vec<u64> = arms.iter().filter_map(|sets| sets.first().map(JointMoments::n)).collect();
        let split = sample_ratio(&counts, &[0.5, 0.5])?;
        answers = effects(&arms)?;
        std::hint::black_box(split);
        times.push(start.elapsed().as_secs_f64());
    }
    let memory = peak()?.saturating_sub(before);
    object(&times, memory, &answers)
}

fn moments(table: &Table) -> Result<String, Failure> {
    const REPEATS: u32 = 2_000;
    let arms = table.moments()?;
    let mut times = Vec::new();
    let mut answers = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..REPEATS {
            answers = effects(std::hint::black_box(&arms))?;
        }
        times.push(start.elapsed().as_secs_f64() / f64::from(REPEATS));
    }
    object(&times, 0, &answers)
}

/// The difference of the means of one metric, by draws.
fn bootstrap(table: &Table, draws: usize) -> Result<String, Failure> {
    let before = resident()?;
    let outcome = table.outcomes.first().ok_or("no metric")?;
    let start = Instant::now();
    let mut sides: [(Vec<u64>, Vec<f64>); 2] = Default::default();
    for ((unit, arm), value) in (0u64..).zip(&table.arm).zip(outcome) {
        let (units, values) = if *arm == 0 { &mut sides[0] } else { &mut sides[1] };
        units.push(unit);
        values.push(*value);
    }
    let draw = |(units, values): &(Vec<u64>, Vec<f64>)| {
        let mut boot = PoissonBootstrap::new(draws, 1)?;
        boot.extend(units, values).map(|()| boot)
    };
    let [control, treatment] = &sides;
    let (control, treatment) = std::thread::scope(|scope| {
        let other = scope.spawn(|| draw(treatment));
        (draw(control), other.join())
    });
    let difference = control?.difference(&treatment.map_err(|_| "a thread failed")??)?;
    let ends = difference.percentile(Level::P95)?;
    let time = start.elapsed().as_secs_f64();
    let memory = peak()?.saturating_sub(before);
    object(&[time], memory, &[[difference.estimate(), difference.se(), ends.high]])
}

fn object(times: &[f64], memory: u64, answers: &[[f64; 3]]) -> Result<String, Failure> {
    let mut out = String::new();
    write!(out, "{{\"seconds\": {times:?}, \"memory\": {memory}, \"answers\": {answers:?}}}")?;
    Ok(out)
}

/// Values as of products: amounts with a long tail, of which the past explains about half.
fn make(users: usize, folder: &Path) -> Result<String, Failure> {
    std::fs::create_dir_all(folder)?;
    let arms: Vec<u8> = (0..users as u64).map(|user| (mixed(user) >> 63) as u8).collect();
    std::fs::write(file(folder, users, "arm"), &arms)?;
    for metric in 0..METRICS {
        let outcome = std::fs::File::create(file(folder, users, &format!("y{metric}")))?;
        let covariate = std::fs::File::create(file(folder, users, &format!("x{metric}")))?;
        let (mut outcome, mut covariate) =
            (std::io::BufWriter::new(outcome), std::io::BufWriter::new(covariate));
        for (user, arm) in (0u64..).zip(&arms) {
            let noise = |stream: u64| {
                let bits =
                    mixed(user.wrapping_mul(64).wrapping_add(metric as u64 * 4 + stream) ^ 0x5bd1_e995);
                normal::quantile(((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64)
            };
            let before = (1.0 + 0.5 * noise(1)).exp();
            let after = 0.6 * before + 1.2 * noise(2) + 0.003 * metric as f64 * f64::from(*arm) + 5.0;
            covariate.write_all(&before.to_le_bytes())?;
            outcome.write_all(&after.to_le_bytes())?;
        }
        outcome.flush()?;
        covariate.flush()?;
    }
    Ok(format!("{{\"users\": {users}}}"))
}

/// SplitMix64's finaliser.
fn mixed(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn status(field: &str) -> Result<u64, Failure> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line =
        text.lines().find(|line| line.starts_with(field)).ok_or("no such field of /proc/self/status")?;
    let kilobytes = line.split_whitespace().nth(1).ok_or("no number in /proc/self/status")?;
    Ok(kilobytes.parse::<u64>()? * 1024)
}

fn resident() -> Result<u64, Failure> {
    status("VmRSS")
}

fn peak() -> Result<u64, Failure> {
    status("VmHWM")
}

/// Reading the columns took more than holding them.
fn forget_the_peak() -> Result<(), Failure> {
    Ok(std::fs::write("/proc/self/clear_refs", "5")?)
}
