//! Seeded experiments, and what came of them.

use bellwether_stats::special::normal;

/// SplitMix64 (Steele, Lea and Flood 2014): small, seeded, and good enough to simulate with.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform over the open unit interval.
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub(crate) fn happens(&mut self, rate: f64) -> bool {
        self.uniform() < rate
    }

    pub(crate) fn normal(&mut self) -> f64 {
        normal::quantile(self.uniform())
    }
}

/// Whether everything is asked for, not a tenth.
pub(crate) fn full() -> bool {
    std::env::var_os("PROOF").is_some_and(|v| v == "full")
}

/// Experiments in a run of this size; ten times as many with `PROOF=full`.
pub(crate) fn runs(tenth: u64) -> u64 {
    if full() { tenth * 10 } else { tenth }
}

/// The largest count that a rate of at most `rate` exceeds with a probability of about 2 %: 16 for
/// 5 % of 200.
pub(crate) fn at_most(rate: f64, runs: u64) -> u64 {
    let n = runs as f64;
    (rate * n + 2.0 * (rate * (1.0 - rate) * n).sqrt()).floor() as u64
}

/// How many of the seeded runs satisfy the predicate.
pub(crate) fn count(runs: u64, mut run: impl FnMut(&mut Random) -> bool) -> u64 {
    (0..runs).filter(|&seed| run(&mut Random(seed))).count() as u64
}

/// What a method promises of a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Promise {
    /// Never more often.
    AtMost,
    /// As often, within chance.
    Exactly,
    /// At least as often.
    AtLeast,
    /// As often, within this and chance: the method is an approximation.
    Within(f64),
    /// Nothing: its assumptions do not hold here, and the rate is what it is.
    None,
}

/// A line of the table of calibration.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) method: &'static str,
    pub(crate) condition: String,
    pub(crate) promise: Promise,
    pub(crate) nominal: f64,
    pub(crate) measured: f64,
    pub(crate) runs: u64,
}

impl Row {
    pub(crate) fn new(
        method: &'static str,
        condition: impl Into<String>,
        promise: Promise,
        nominal: f64,
        hits: u64,
        runs: u64,
    ) -> Self {
        Self {
            method,
            condition: condition.into(),
            promise,
            nominal,
            measured: hits as f64 / runs as f64,
            runs,
        }
    }

    /// Standard error of the measured rate, if the promise is kept to the letter.
    pub(crate) fn mc_error(&self) -> f64 {
        (self.nominal * (1.0 - self.nominal) / self.runs as f64).sqrt()
    }

    /// The promise in words.
    pub(crate) fn promised(&self) -> String {
        let nominal = format!("{} %", (1e4 * self.nominal).round() / 100.0);
        match self.promise {
            Promise::AtMost => format!("at most {nominal}"),
            Promise::Exactly => nominal,
            Promise::AtLeast => format!("at least {nominal}"),
            Promise::Within(more) => format!("{nominal}, within {}", 100.0 * more),
            Promise::None => format!("no promise ({nominal})"),
        }
    }

    /// Whether the promise holds within two and a half such errors: fixed seeds, so that it stays that way.
    pub(crate) fn holds(&self) -> bool {
        let slack = 2.5 * self.mc_error() + 1e-12;
        match self.promise {
            Promise::AtMost => self.measured <= self.nominal + slack,
            Promise::Exactly => (self.measured - self.nominal).abs() <= slack,
            Promise::AtLeast => self.measured >= self.nominal - slack,
            Promise::Within(more) => (self.measured - self.nominal).abs() <= slack + more,
            Promise::None => true,
        }
    }
}

/// Prints the rows, and fails where one does not hold.
pub(crate) fn check(rows: &[Row]) {
    for row in rows {
        let Row { method, condition, promise, nominal, measured, runs } = row;
        println!(
            "{method}, {condition}: {measured:.4} ({promise:?} {nominal}, ± {:.4}, {runs})",
            row.mc_error()
        );
    }
    let broken: Vec<&Row> = rows.iter().filter(|row| !row.holds()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}
