//! Cli, simulator: random numbers that are a function of what they are for. A number is drawn from
//! (seed, purpose, who, how many before), so that one visitor's luck does not depend on the order in
//! which visitors come, on threads, or on what a flag serves: with another variant the same visitor
//! meets the same luck, which is what makes true effects known exactly.
//!
//! The generator is SplitMix64 (Steele, Lea & Flood 2014) over a mixed key: twenty lines, no state to
//! share, and, with `libm` for the logarithms, the same numbers on every machine. It is not for secrets.

/// What a stream of numbers is for; two purposes never share numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// When new visitors come.
    Arrival,
    /// What kind of person a visitor is.
    Visitor,
    /// When a visitor comes back.
    Return,
    /// What a visitor does in one session.
    Session,
    /// The ids of events, and which of them are sent twice.
    Event,
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Numbers for one purpose of one thing.
#[derive(Debug, Clone)]
pub(crate) struct Draws {
    state: u64,
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Draws {
    /// The numbers of (`seed`, `purpose`, `who`, `which`).
    pub(crate) fn new(seed: u64, purpose: Purpose, who: u64, which: u64) -> Self {
        let purpose = u64::from(purpose as u8);
        let state = [purpose, who, which]
            .into_iter()
            .fold(mix(seed.wrapping_add(STEP)), |key, part| mix(key.wrapping_add(STEP) ^ part));
        Self { state }
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        // 53 bits are what a double holds.
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Exponential with this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.unit())
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        radius * libm::cos(2.0 * std::f64::consts::PI * self.unit())
    }

    /// Log-normal with this median.
    pub(crate) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * libm::exp(sigma * self.normal())
    }

    /// An index, each with its weight; 0 if there are none.
    pub(crate) fn pick(&mut self, weights: &[f64]) -> u8 {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        let mut picked = 0;
        for (index, weight) in weights.iter().enumerate() {
            picked = u8::try_from(index).unwrap_or(u8::MAX);
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        picked
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample(n: u64, mut draw: impl FnMut(&mut Draws) -> f64) -> (f64, f64) {
        let values: Vec<f64> = (0..n).map(|i| draw(&mut Draws::new(7, Purpose::Visitor, i, 0))).collect();
        let mean = values.iter().sum::<f64>() / n as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
        (mean, variance)
    }

    #[test]
    fn the_numbers_are_pinned() {
        let mut draws = Draws::new(1, Purpose::Session, 2, 3);
        let first: Vec<u64> = (0..2).map(|_| draws.bits()).collect();
        let mut again = Draws::new(1, Purpose::Session, 2, 3);
        assert_eq!(first, [again.bits(), again.bits()]);
        // SplitMix64's own published first output for the state 0.
        assert_eq!(Draws { state: 0 }.bits(), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn neighbours_have_nothing_to_do_with_each_other() {
        // First numbers of 100,000 neighbours in 100 bins: chi-squared with 99 degrees of freedom has
        // mean 99 and standard deviation 14.
        for purpose in [Purpose::Arrival, Purpose::Visitor, Purpose::Return, Purpose::Session] {
            let mut bins = [0_f64; 100];
            for i in 0..100_000 {
                let bin = (Draws::new(3, purpose, i, 1).unit() * 100.0) as usize;
                *bins.get_mut(bin).unwrap() += 1.0;
            }
            let chi: f64 = bins.iter().map(|n| (n - 1_000.0).powi(2) / 1_000.0).sum();
            assert!((50.0..170.0).contains(&chi), "{purpose:?}: {chi}");
        }
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let (mean, variance) = sample(200_000, Draws::normal);
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        let (mean, variance) = sample(200_000, |d| d.exponential(3.0));
        assert!((mean - 3.0).abs() < 0.03 && (variance - 9.0).abs() < 0.3, "{mean} {variance}");
        let (mean, _) = sample(200_000, |d| f64::from(d.pick(&[1.0, 2.0, 1.0])));
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
    }
}
