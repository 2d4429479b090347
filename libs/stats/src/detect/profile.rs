//! What is expected at each time of the week.

use crate::Refusal;
use serde::{Deserialize, Serialize};

const WEEK_SECONDS: u32 = 7 * 24 * 3_600;
/// Profiles are made of counts over five minutes.
const SLOT_SECONDS: u32 = 300;
const SLOTS: usize = (WEEK_SECONDS / SLOT_SECONDS) as usize;
/// Smoothed over half an hour to each side.
const SMOOTH: usize = 6;
/// Weeks that are looked back at.
const WEEKS: usize = 4;

/// The bins of which a week is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Week {
    bin_seconds: u32,
}

impl Week {
    /// Of bins of so many seconds, by which five minutes can be divided.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`].
    pub fn of_bins(seconds: u32) -> Result<Self, Refusal> {
        if seconds > 0 && SLOT_SECONDS.is_multiple_of(seconds) {
            return Ok(Self { bin_seconds: seconds });
        }
        Err(Refusal::out_of_range("the length of a bin", "among the divisors of 300 seconds", seconds))
    }

    /// Bins in a week.
    pub fn bins(self) -> usize {
        (WEEK_SECONDS / self.bin_seconds) as usize
    }

    /// Bins in so many seconds, at least one.
    pub(super) fn bins_in(self, seconds: u32) -> usize {
        (seconds / self.bin_seconds).max(1) as usize
    }

    /// Bins in a minute.
    pub fn per_minute(self) -> f64 {
        60.0 / f64::from(self.bin_seconds)
    }

    fn bins_in_slot(self) -> usize {
        (SLOT_SECONDS / self.bin_seconds) as usize
    }
}

impl TryFrom<u32> for Week {
    type Error = Refusal;
    fn try_from(seconds: u32) -> Result<Self, Refusal> {
        Self::of_bins(seconds)
    }
}

impl From<Week> for u32 {
    fn from(week: Week) -> Self {
        week.bin_seconds
    }
}

/// Expected counts by time of the week: the median over up to four weeks of counts over five minutes, each
/// week brought to the level of the last, smoothed over half an hour to each side (Hann).
///
/// A median forgives one outage or holiday in three weeks. It fails for a metric with a monthly rhythm, or
/// with fewer than a few events in five minutes: there it is flat and [`crate::detect::Card`] says how little
/// is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    week: Week,
    slots: Vec<f64>,
    dispersion: f64,
}

impl Profile {
    /// From whole weeks of bins, the first at the beginning of a week and the newest last; a bin that is not
    /// known (an outage of the collection, a holiday) is none. Only the last four weeks count.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] below two whole weeks, and where nothing was counted.
    pub fn fit(week: Week, history: &[Option<u64>]) -> Result<Self, Refusal> {
        let weeks: Vec<Vec<Option<f64>>> = history
            .chunks_exact(week.bins())
            .map(|bins| {
                let slot =
                    |bins: &[Option<u64>]| bins.iter().try_fold(0.0, |sum, x| Some(sum + (*x)? as f64));
                bins.chunks_exact(week.bins_in_slot()).map(slot).collect()
            })
            .collect();
        let weeks = weeks.get(weeks.len().saturating_sub(WEEKS)..).unwrap_or_default();
        if weeks.len() < 2 {
            return Err(Refusal::too_few("whole weeks", weeks.len() as u64, 2));
        }
        let level = |slots: &[Option<f64>]| {
            let known: Vec<f64> = slots.iter().flatten().copied().collect();
            known.iter().sum::<f64>() / known.len() as f64
        };
        let levels: Vec<f64> = weeks.iter().map(|w| level(w)).collect();
        let Some(&newest) = levels.iter().rev().find(|l| **l > 0.0) else {
            return Err(Refusal::too_few("events in four weeks", 0, 1));
        };
        let medians: Vec<f64> = (0..SLOTS)
            .map(|i| {
                let scaled = weeks.iter().zip(&levels).filter(|(_, level)| **level > 0.0);
                median(scaled.filter_map(|(w, level)| Some((*w.get(i)?)? / level * newest)).collect())
            })
            .collect();
        let mut slots = smooth(&medians);
        // Medians of skewed counts lie below their means; the level is that of the last week.
        let total: f64 = slots.iter().sum();
        if total > 0.0 {
            slots.iter_mut().for_each(|s| *s *= newest * SLOTS as f64 / total);
        } else {
            slots = vec![newest; SLOTS];
        }
        let dispersion = dispersion(&slots, weeks);
        Ok(Self { week, slots, dispersion })
    }

    /// The bins.
    pub fn week(&self) -> Week {
        self.week
    }

    /// The count expected in a bin, at the level of the last week. Positions past the week start over.
    pub fn expected(&self, bin: usize) -> f64 {
        let per_slot = self.week.bins_in_slot();
        let bin = bin % self.week.bins();
        // Between the middles of slots, linearly.
        let at = (bin as f64 + 0.5) / per_slot as f64 - 0.5 + SLOTS as f64;
        let share = at.fract();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let slot = at as usize;
        let value = |i: usize| self.slots.get(i % SLOTS).copied().unwrap_or(0.0);
        (value(slot) * (1.0 - share) + value(slot + 1) * share) / per_slot as f64
    }

    /// Variance over mean of five-minute counts around the profile at the level of the hour, at least 1.
    pub fn dispersion(&self) -> f64 {
        self.dispersion
    }
}

/// The middle value, or zero where no week knows this time.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let at = |i: usize| values.get(i).copied().unwrap_or(0.0);
    if n % 2 == 1 { at(n / 2) } else { 0.5 * (at(n / 2) + at((n / 2).wrapping_sub(1))) }
}

/// A circular mean with the weights of a Hann window.
fn smooth(values: &[f64]) -> Vec<f64> {
    let n = values.len();
    let weights: Vec<f64> = (0..=2 * SMOOTH)
        .map(|k| {
            let angle = core::f64::consts::PI * (k as f64 - SMOOTH as f64) / (SMOOTH + 1) as f64;
            0.5 * (1.0 + angle.cos())
        })
        .collect();
    let total: f64 = weights.iter().sum();
    let at = |i: usize| values.get(i % n).copied().unwrap_or(0.0);
    (0..n)
        .map(|i| weights.iter().enumerate().map(|(k, w)| w * at(i + n + k - SMOOTH)).sum::<f64>() / total)
        .collect()
}

/// Around the profile times the level of the hour about each slot.
fn dispersion(slots: &[f64], weeks: &[Vec<Option<f64>>]) -> f64 {
    let mut squares = 0.0;
    let mut expected = 0.0;
    for week in weeks {
        let known: Vec<(f64, f64)> = week.iter().zip(slots).filter_map(|(x, p)| x.map(|x| (x, *p))).collect();
        for hour in known.windows(2 * SMOOTH + 1) {
            let (seen, usual) = hour.iter().fold((0.0, 0.0), |(a, b), (x, p)| (a + x, b + p));
            if let Some(&(x, p)) = hour.get(SMOOTH)
                && usual > 0.0
            {
                let mean = p * seen / usual;
                // The level was fitted to the hour that holds this slot.
                squares += (x - mean) * (x - mean) / (1.0 - p / usual).max(0.5);
                expected += mean;
            }
        }
    }
    if expected > 0.0 { (squares / expected).max(1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::simulate::Random;
    use super::*;

    /// Daily swing by 3 around 50 a minute.
    fn rate(bin: usize, week: Week) -> f64 {
        let day = (bin % week.bins()) as f64 / week.bins() as f64 * 7.0;
        50.0 / week.per_minute() * (1.0 + 0.5 * (day * std::f64::consts::TAU).sin())
    }

    fn history(weeks: usize, scale: impl Fn(usize) -> f64) -> Vec<Option<u64>> {
        let week = Week::of_bins(60).unwrap();
        let mut random = Random(3);
        let bins = weeks * week.bins();
        (0..bins).map(|i| Some(random.poisson(rate(i, week) * scale(i / week.bins())))).collect()
    }

    #[test]
    fn a_profile_follows_the_day_and_forgives_an_outage() {
        let week = Week::of_bins(60).unwrap();
        let mut counts = history(4, |w| [1.0, 1.3, 0.8, 1.1][w]);
        // An outage of two hours in the second week, and a hole in the third.
        for i in 0..120 {
            counts[week.bins() + 3_000 + i] = Some(0);
            counts[2 * week.bins() + 5_000 + i] = None;
        }
        let profile = Profile::fit(week, &counts).unwrap();
        for bin in (0..week.bins()).step_by(97) {
            let ratio = profile.expected(bin) / (1.1 * rate(bin, week));
            assert!((ratio - 1.0).abs() < 0.08, "{bin}: {ratio}");
        }
        // The ends of an outage count as dispersion, on the safe side.
        assert!(profile.dispersion() < 1.25, "{}", profile.dispersion());
        let quiet = Profile::fit(week, &history(4, |_| 1.0)).unwrap();
        assert!(quiet.dispersion() < 1.04, "{}", quiet.dispersion());
        assert_eq!(profile.expected(5), profile.expected(week.bins() + 5));
    }

    #[test]
    fn doubled_events_have_twice_the_dispersion() {
        let counts: Vec<_> = history(3, |_| 0.5).into_iter().map(|x| x.map(|x| 2 * x)).collect();
        let profile = Profile::fit(Week::of_bins(60).unwrap(), &counts).unwrap();
        assert!((profile.dispersion() - 2.0).abs() < 0.1, "{}", profile.dispersion());
    }

    #[test]
    fn too_little_past_is_refused() {
        let week = Week::of_bins(300).unwrap();
        let check = |bins: usize, x| Profile::fit(week, &vec![x; bins]).unwrap_err().to_string();
        assert_eq!(
            check(week.bins() * 2 - 1, Some(1)),
            "too little data: `1` whole weeks, this method needs `2`"
        );
        assert_eq!(
            check(week.bins() * 2, Some(0)),
            "too little data: `0` events in four weeks, this method needs `1`"
        );
        assert!(check(week.bins() * 2, None).contains("events"));
        assert_eq!(
            Week::of_bins(7).unwrap_err().to_string(),
            "the length of a bin must lie among the divisors of 300 seconds: `7`"
        );
    }
}
