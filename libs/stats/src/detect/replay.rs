//! The threshold, by replaying the past.

use super::{Detector, Profile, Settings, Week};
use crate::Refusal;
use crate::special::chi_squared;
use serde::{Deserialize, Serialize};

/// A threshold, and what it would have done.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The least threshold within the budget.
    pub threshold: f64,
    /// Alarms that it would have given.
    pub alarms: u64,
    /// Weeks that were replayed.
    pub weeks: f64,
    /// The rate of alarms per week that is excluded at 95 %: with no alarm in `w` weeks still `3/w`.
    pub at_most: f64,
}

/// The least threshold that keeps a budget of false alarms per week on the metric's own past.
///
/// Each week from the third on is replayed against the profile of the (up to four) weeks before it, as it
/// would have been at the time. Nominal thresholds (`ln` of a run length) do not survive that the model is
/// wrong: replayed on real shapes they cry wolf ten times as often as they say.
///
/// All alarms of the past count as false: leave out incidents and holidays as unknown bins. The budget is
/// kept on the past; [`Calibration::at_most`] says what may be said of the future.
///
/// # Errors
/// [`Refusal::TooFew`] below three whole weeks, [`Refusal::OutOfRange`] for a budget that is not above 0, and
/// what [`Detector::new`] refuses.
pub fn calibrate(
    week: Week,
    history: &[Option<u64>],
    settings: &Settings,
    per_week: f64,
) -> Result<Calibration, Refusal> {
    if !(per_week > 0.0 && per_week.is_finite()) {
        return Err(Refusal::out_of_range("a budget of false alarms per week", "above 0", per_week));
    }
    let bins = week.bins();
    let whole = history.len() / bins;
    if whole < 3 {
        return Err(Refusal::too_few("whole weeks", whole as u64, 3));
    }
    let profiles: Vec<Profile> = (2..whole)
        .map(|w| Profile::fit(week, history.get(..w * bins).unwrap_or_default()))
        .collect::<Result<_, _>>()?;
    let weeks = (whole - 2) as f64;
    let replay = |threshold: f64| -> Result<(u64, f64), Refusal> {
        let Some(first) = profiles.first() else { return Err(Refusal::too_few("whole weeks", 2, 3)) };
        let mut detector = Detector::new(first.clone(), settings, threshold)?;
        let (mut alarms, mut highest) = (0u64, 0.0f64);
        for (profile, counts) in profiles.iter().zip(history.chunks_exact(bins).skip(2)) {
            detector.set_profile(profile.clone());
            for (bin, &count) in counts.iter().enumerate() {
                let reading = detector.observe(bin, count)?;
                alarms += u64::from(reading.alarm);
                highest = highest.max(reading.sum);
            }
        }
        Ok((alarms, highest))
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let allowed = (per_week * weeks).floor() as u64;
    // Without a threshold the highest sum gives no alarm; between there and zero alarms fall, nearly.
    let (_, highest) = replay(f64::INFINITY)?;
    let (mut low, mut high) = (0.0, highest.max(1e-3) * (1.0 + 1e-9));
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if high - low < 1e-3 * high {
            break;
        }
        if replay(middle)?.0 <= allowed { high = middle } else { low = middle }
    }
    let (alarms, _) = replay(high)?;
    let at_most = 0.5 * chi_squared::quantile(0.95, 2.0 * (alarms + 1) as f64) / weeks;
    Ok(Calibration { threshold: high, alarms, weeks, at_most })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::simulate::Random;
    use super::super::{Card, Chart};
    use super::*;

    /// A metric with a daily swing, a weekend, and a level that wanders slowly.
    fn metric(seed: u64, week: Week, weeks: usize, per_minute: f64) -> Vec<Option<u64>> {
        let mut random = Random(seed);
        let mut wander = 0.0;
        (0..weeks * week.bins())
            .map(|i| {
                let day = (i % week.bins()) as f64 / week.bins() as f64 * 7.0;
                let swing = 1.0 + 0.6 * (day * std::f64::consts::TAU).sin();
                let weekend = if day >= 5.0 { 0.7 } else { 1.0 };
                // A level of 5 % that forgets within some hours.
                wander += -wander / 300.0 + 0.05 * (2.0f64 / 300.0).sqrt() * (random.uniform() - 0.5) * 3.46;
                let mean: f64 = per_minute / week.per_minute() * swing * weekend * (1.0 + wander);
                Some(random.poisson(mean.max(0.0)))
            })
            .collect()
    }

    #[test]
    fn the_budget_holds_on_the_past_and_drops_are_seen() {
        let week = Week::of_bins(60).unwrap();
        let settings = Settings::default();
        let history = metric(1, week, 8, 200.0);
        let calibrated = calibrate(week, &history, &settings, 0.25).unwrap();
        assert!(calibrated.alarms <= 1 && calibrated.weeks == 6.0, "{calibrated:?}");
        assert!(calibrated.at_most > 0.25);
        // A little less cautious and the budget is exceeded: it is the least threshold.
        let replayed = calibrate(week, &history, &settings, 20.0).unwrap();
        assert!(replayed.threshold < calibrated.threshold && replayed.alarms > calibrated.alarms);

        // Another two weeks of the same kind: quiet, until half is gone.
        let profile = Profile::fit(week, &history).unwrap();
        let fresh = metric(2, week, 2, 200.0);
        let mut false_alarms = 0;
        let mut detector = Detector::new(profile.clone(), &settings, calibrated.threshold).unwrap();
        for (bin, count) in fresh.iter().enumerate() {
            false_alarms += u32::from(detector.observe(bin, *count).unwrap().alarm);
        }
        assert!(false_alarms <= 3, "{false_alarms}");
        let card = Card::new(&profile, &settings, calibrated.threshold).unwrap();
        let mut random = Random(5);
        let mut total = 0.0;
        let drops = 30;
        for drop in 0..drops {
            let start = 500 + drop * 301;
            let mut detector = Detector::new(profile.clone(), &settings, calibrated.threshold).unwrap();
            let mut delay = 0;
            for (bin, count) in fresh.iter().enumerate().skip(start - 200).take(500) {
                let count = count.unwrap();
                let kept = (0..count).filter(|_| bin < start || random.uniform() < 0.5).count() as u64;
                if detector.observe(bin, Some(kept)).unwrap().alarm && bin >= start {
                    delay = bin - start + 1;
                    break;
                }
            }
            assert!(delay > 0, "drop {drop} was not seen");
            // No bin is seen before it has ended.
            total += delay as f64 / card.delay(start, 0.5).unwrap().max(1.0);
        }
        // As soon as the card says, on average (within bins of a minute).
        let ratio = total / drops as f64;
        assert!(ratio > 0.4 && ratio < 2.5, "{ratio}");
    }

    #[test]
    fn several_charts_share_one_budget() {
        let week = Week::of_bins(300).unwrap();
        let settings = Settings { charts: Chart::MANY_RATES.to_vec(), ..Settings::default() };
        let calibrated = calibrate(week, &metric(7, week, 5, 50.0), &settings, 1.0).unwrap();
        assert!(calibrated.alarms <= 3, "{calibrated:?}");
    }

    #[test]
    fn what_cannot_be_calibrated_is_refused() {
        let week = Week::of_bins(300).unwrap();
        let history = vec![Some(1); week.bins() * 3];
        let settings = Settings::default();
        let check = |refusal: Refusal, text: &str| assert_eq!(refusal.to_string(), text);
        check(
            calibrate(week, &history[..week.bins() * 2], &settings, 1.0).unwrap_err(),
            "too little data: `2` whole weeks, this method needs `3`",
        );
        check(
            calibrate(week, &history, &settings, 0.0).unwrap_err(),
            "a budget of false alarms per week must lie above 0: `0`",
        );
        let none = Settings { charts: Vec::new(), ..Settings::default() };
        check(
            calibrate(week, &history, &none, 1.0).unwrap_err(),
            "too little data: `0` charts, this method needs `1`",
        );
        let profile = Profile::fit(week, &history).unwrap();
        assert!(Detector::new(profile, &settings, f64::NAN).is_err());
    }
}
