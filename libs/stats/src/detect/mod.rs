//! Online detection: that a count of events per time has dropped, within minutes, without crying wolf.
//!
//! - [`Profile`]: what is expected at each time of the week, from the weeks before.
//! - [`Detector`]: a Poisson CUSUM against that profile, brought to the level of the last half hour.
//! - [`calibrate`]: the threshold that keeps a budget of false alarms, by replaying the metric's own past.
//! - [`Card`]: which drop is seen within how many minutes, and what no detector can see.
//! - [`ChangePoint`]: when a rate changed, and how surely.
//! - [`DoseResponse`]: whether it is the new release, from the share of events that it serves.
//!
//! Everything works on bins of equal length, such as ten seconds. Time comes in as positions of bins.

mod change_point;
mod cusum;
mod detector;
mod dose;
mod profile;
mod replay;
mod visible;

pub use change_point::{ChangePoint, change_point};
pub use cusum::{Chart, Cusum};
pub use detector::{Detector, Reading, Settings};
pub use dose::DoseResponse;
pub use profile::{Profile, Week};
pub use replay::{Calibration, calibrate};
pub use visible::{Card, least_delay, least_drop};

#[cfg(test)]
pub(crate) mod simulate {
    //! Seeded counts for tests.

    /// SplitMix64 (Steele, Lea and Flood 2014).
    pub(crate) struct Random(pub(crate) u64);

    impl Random {
        pub(crate) fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        }

        /// By inversion in pieces of a mean of ten, exact.
        pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
            let (mut left, mut count) = (mean, 0);
            while left > 0.0 {
                let piece = left.min(10.0);
                let limit = (-piece).exp();
                let mut product = self.uniform();
                while product > limit {
                    product *= self.uniform();
                    count += 1;
                }
                left -= piece;
            }
            count
        }
    }
}
