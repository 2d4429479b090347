//! What can be seen, and how soon.

use super::{Chart, Profile, Settings};
use crate::Refusal;
use crate::root::bracketed;

/// The least expected delay, in minutes, with which any detector sees a rate fall from `per_minute` to
/// `ratio` of it, where it gives one false alarm in `e^ln_run_length` minutes (Lorden 1971):
/// `ln A / [λ(ρ ln ρ + 1 - ρ)]`.
///
/// # Errors
/// [`Refusal::OutOfRange`] for a rate or run length that is not above 0, or a ratio that is not from 0 to
/// below 1.
///
/// ```
/// use bellwether_stats::detect::least_delay;
/// // A drop by 30 % at 50 events a minute, one false alarm in four weeks.
/// let minutes = least_delay(50.0, 0.7, 11.0).unwrap();
/// assert!((minutes - 4.4).abs() < 0.1);
/// ```
pub fn least_delay(per_minute: f64, ratio: f64, ln_run_length: f64) -> Result<f64, Refusal> {
    check_rate(per_minute)?;
    if !(0.0..1.0).contains(&ratio) {
        return Err(Refusal::out_of_range("what is left of a rate", "at 0 or above, below 1", ratio));
    }
    if !(ln_run_length > 0.0 && ln_run_length.is_finite()) {
        return Err(Refusal::out_of_range("the logarithm of a run length", "above 0", ln_run_length));
    }
    let minutes = ln_run_length / (per_minute * information(ratio));
    if minutes.is_finite() { Ok(minutes) } else { Err(Refusal::not_finite("delay")) }
}

/// The smallest drop, as a share, that any detector can see within so many minutes on average; none where
/// not even an outage can be.
///
/// # Errors
/// As [`least_delay`].
///
/// ```
/// use bellwether_stats::detect::least_drop;
/// // Within two minutes: hardly below 30 % at 110 events a minute, and nothing at 3.
/// assert!((least_drop(110.0, 2.0, 11.0).unwrap().unwrap() - 0.3).abs() < 0.01);
/// assert_eq!(least_drop(3.0, 2.0, 11.0).unwrap(), None);
/// ```
pub fn least_drop(per_minute: f64, minutes: f64, ln_run_length: f64) -> Result<Option<f64>, Refusal> {
    check_rate(per_minute)?;
    if !(minutes > 0.0 && minutes.is_finite()) {
        return Err(Refusal::out_of_range("a number of minutes", "above 0", minutes));
    }
    if !(ln_run_length > 0.0 && ln_run_length.is_finite()) {
        return Err(Refusal::out_of_range("the logarithm of a run length", "above 0", ln_run_length));
    }
    let needed = ln_run_length / (per_minute * minutes);
    if needed > 1.0 {
        return Ok(None);
    }
    let ratio = bracketed("the smallest drop", 0.0, 1.0, |ratio| information(ratio) - needed)?;
    Ok(Some(1.0 - ratio))
}

/// Of one event expected: `ρ ln ρ + 1 - ρ`.
fn information(ratio: f64) -> f64 {
    if ratio == 0.0 { 1.0 } else { ratio * ratio.ln() + 1.0 - ratio }
}

fn check_rate(per_minute: f64) -> Result<(), Refusal> {
    if per_minute > 0.0 && per_minute.is_finite() {
        return Ok(());
    }
    Err(Refusal::out_of_range("a rate per minute", "above 0", per_minute))
}

/// What a detector sees of its metric: the card to show beside it.
///
/// To first order, the sum of a chart grows by its average evidence until it is past the threshold. Within a
/// factor of about two; a chart tuned for large drops sees small ones later than this says.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    profile: Profile,
    charts: Vec<Chart>,
    threshold: f64,
}

impl Card {
    /// Of a detector with this profile, these settings and this threshold.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a threshold that is not above 0 and finite.
    pub fn new(profile: &Profile, settings: &Settings, threshold: f64) -> Result<Self, Refusal> {
        if !(threshold > 0.0 && threshold.is_finite()) {
            return Err(Refusal::out_of_range("the threshold of a detector", "above 0", threshold));
        }
        Ok(Self { profile: profile.clone(), charts: settings.charts.clone(), threshold })
    }

    /// Events expected per minute at a position of the week.
    pub fn per_minute(&self, bin: usize) -> f64 {
        self.profile.expected(bin) * self.profile.week().per_minute()
    }

    /// Minutes until a drop by `drop` (a share) that begins at this position is seen; none where its charts
    /// do not see it.
    pub fn delay(&self, bin: usize, drop: f64) -> Option<f64> {
        let growth = self.charts.iter().map(|chart| chart.growth(1.0 - drop)).fold(0.0, f64::max);
        let per_minute = self.per_minute(bin) * growth / self.profile.dispersion();
        (per_minute > 0.0 && drop <= 1.0).then(|| self.threshold / per_minute)
    }

    /// The smallest drop, as a share, that is seen within so many minutes at this position; none where not
    /// even an outage is.
    pub fn visible(&self, bin: usize, minutes: f64) -> Option<f64> {
        let events = self.per_minute(bin) * minutes;
        if events.is_nan() || events <= 0.0 {
            return None;
        }
        let needed = self.threshold * self.profile.dispersion() / events;
        let ratios = self.charts.iter().filter_map(|chart| chart.ratio_of_growth(needed));
        ratios.reduce(f64::max).map(|ratio| 1.0 - ratio)
    }

    /// That the metric is a heartbeat: that an outage in its busiest hour is seen within so many minutes.
    ///
    /// # Errors
    /// [`Refusal::TooFew`] events per minute where it is not; [`Refusal::OutOfRange`] for minutes that are not above 0, or in which
    /// no rate would do.
    pub fn heartbeat(&self, minutes: f64) -> Result<(), Refusal> {
        let busiest = (0..self.profile.week().bins()).map(|bin| self.per_minute(bin)).fold(0.0, f64::max);
        let growth = self.charts.iter().map(|chart| chart.growth(0.0)).fold(0.0, f64::max);
        if !(minutes > 0.0 && minutes.is_finite()) {
            return Err(Refusal::out_of_range("a number of minutes", "above 0", minutes));
        }
        let need = self.threshold * self.profile.dispersion() / (growth * minutes);
        if busiest >= need {
            return Ok(());
        }
        if need.is_nan() || need > 1e15 {
            let range = "long enough for charts to see an outage at all";
            return Err(Refusal::out_of_range("a number of minutes", range, minutes));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let (have, need) = (busiest.floor() as u64, need.ceil() as u64);
        Err(Refusal::too_few("events per minute at the busiest time", have, need))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::Week;
    use super::*;
    use proptest::prelude::*;

    fn card(per_five_minutes: u64, threshold: f64) -> Card {
        let week = Week::of_bins(300).unwrap();
        let profile = Profile::fit(week, &vec![Some(per_five_minutes); 2 * week.bins()]).unwrap();
        Card::new(&profile, &Settings::default(), threshold).unwrap()
    }

    proptest! {
        /// The smallest drop seen within the delay of a drop is that drop.
        #[test]
        fn delay_and_drop_are_inverse(events in 5u64..10_000, drop in 0.35..1.0f64, threshold in 1.0..20.0f64) {
            let card = card(events, threshold);
            let minutes = card.delay(0, drop).unwrap();
            prop_assert!((card.visible(0, minutes).unwrap() - drop).abs() < 1e-9);
        }

        #[test]
        fn the_bound_is_inverted(rate in 1.0..1e4f64, drop in 0.01..1.0f64) {
            let minutes = least_delay(rate, 1.0 - drop, 11.0).unwrap();
            let back = least_drop(rate, minutes * (1.0 + 1e-12), 11.0).unwrap().unwrap();
            prop_assert!((back - drop).abs() < 1e-6);
        }
    }

    /// The table that nobody prints: minutes by events per minute and drop.
    #[test]
    fn the_limit_is_the_published_table() {
        for (rate, row) in
            [(10.0, [22.0, 7.2, 2.3, 1.1]), (50.0, [4.4, 1.4, 0.5, 0.2]), (200.0, [1.1, 0.4, 0.1, 0.1])]
        {
            for (drop, minutes) in [0.3, 0.5, 0.8, 1.0].into_iter().zip(row) {
                let ours = least_delay(rate, 1.0 - drop, 11.0).unwrap();
                assert!((ours - minutes).abs() < 0.06 + 0.02 * minutes, "{rate} {drop}: {ours}");
            }
        }
    }

    #[test]
    fn a_thin_metric_is_no_heartbeat() {
        assert!(card(500, 9.2).heartbeat(5.0).is_ok());
        assert_eq!(
            card(10, 9.2).heartbeat(5.0).unwrap_err().to_string(),
            "too little data: `2` events per minute at the busiest time, this method needs `7`"
        );
        assert_eq!(card(10, 9.2).visible(0, 1.0), None);
        assert_eq!(card(500, 9.2).delay(0, 0.05), None);
        assert!(least_delay(0.0, 0.5, 11.0).is_err() && least_delay(1.0, 1.0, 11.0).is_err());
        assert!(least_drop(1.0, f64::NAN, 11.0).is_err());
    }
}
