//! The detector: profile, local level and charts put together.

use super::{Chart, Cusum, Profile};
use crate::Refusal;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How a detector behaves, apart from its threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The charts; an alarm is the first of them past the threshold.
    pub charts: Vec<Chart>,
    /// After how many seconds a bin counts half in the local level.
    pub half_life: u32,
    /// How many seconds the level lags behind, so that it does not follow a drop at once.
    pub lag: u32,
    /// Seconds without another alarm after one.
    pub rest: u32,
}

impl Default for Settings {
    /// One chart with tolerance, at the level of the last quarter of an hour, which lags by three minutes:
    /// the best of one chart on real shapes at 50 events a minute.
    fn default() -> Self {
        Self { charts: vec![Chart::TOLERANT], half_life: 900, lag: 180, rest: 1_800 }
    }
}

/// What a detector says of a bin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The count that was expected, at the local level.
    pub expected: f64,
    /// The largest sum of the charts, to be held against the threshold.
    pub sum: f64,
    /// Whether this bin gives an alarm.
    pub alarm: bool,
}

/// Watches a count as it comes in.
///
/// `μ = profile × clip(recent/usual, ½, 2)`: the seasonal profile at the level of the last half hour, which
/// lags. That step is worth more than any finer model: without it a quiet day is an alarm all day long.
/// It fails for a drop slower than the half-life, which the level follows, and on days unlike the weeks
/// before: see [`super::calibrate`].
#[derive(Debug, Clone, PartialEq)]
pub struct Detector {
    profile: Profile,
    charts: Vec<Cusum>,
    threshold: f64,
    decay: f64,
    lag: usize,
    rest: usize,
    resting: usize,
    /// Counts with what the profile expected of them, that the level does not know yet.
    waiting: VecDeque<(f64, f64)>,
    seen: f64,
    usual: f64,
}

impl Detector {
    /// Before the first bin.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a threshold that is not above 0 or a half-life of 0,
    /// [`Refusal::TooFew`] without a chart.
    pub fn new(profile: Profile, settings: &Settings, threshold: f64) -> Result<Self, Refusal> {
        if threshold.is_nan() || threshold <= 0.0 {
            return Err(Refusal::out_of_range("the threshold of a detector", "above 0", threshold));
        }
        if settings.half_life == 0 {
            return Err(Refusal::out_of_range("the half-life of a level", "above 0 seconds", 0));
        }
        if settings.charts.is_empty() {
            return Err(Refusal::too_few("charts", 0, 1));
        }
        let week = profile.week();
        let charts = settings.charts.iter().map(|&chart| Cusum::new(chart, profile.dispersion()));
        Ok(Self {
            charts: charts.collect::<Result<_, _>>()?,
            threshold,
            decay: 0.5f64.powf(f64::from(u32::from(week)) / f64::from(settings.half_life)),
            lag: week.bins_in(settings.lag),
            rest: week.bins_in(settings.rest),
            resting: 0,
            waiting: VecDeque::new(),
            seen: 0.0,
            usual: 0.0,
            profile,
        })
    }

    /// Takes the count of a bin at its position in the week. A bin that is not known adds nothing.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] never for counts; kept for expectations that are not finite.
    pub fn observe(&mut self, bin: usize, count: Option<u64>) -> Result<Reading, Refusal> {
        let usual = self.profile.expected(bin);
        let expected = usual * self.level();
        let Some(count) = count else {
            return Ok(Reading { expected, sum: self.sum(), alarm: false });
        };
        for chart in &mut self.charts {
            chart.observe(count, expected)?;
        }
        self.waiting.push_back((count as f64, usual));
        if self.waiting.len() > self.lag
            && let Some((seen, usual)) = self.waiting.pop_front()
        {
            self.seen = self.seen * self.decay + seen;
            self.usual = self.usual * self.decay + usual;
        }
        let sum = self.sum();
        if self.resting > 0 {
            self.resting -= 1;
            self.charts.iter_mut().for_each(Cusum::reset);
            return Ok(Reading { expected, sum, alarm: false });
        }
        let alarm = sum > self.threshold;
        if alarm {
            self.resting = self.rest;
            self.charts.iter_mut().for_each(Cusum::reset);
        }
        Ok(Reading { expected, sum, alarm })
    }

    /// Recent against usual, between a half and two; one until an event was expected.
    fn level(&self) -> f64 {
        if self.usual < 1.0 { 1.0 } else { (self.seen / self.usual).clamp(0.5, 2.0) }
    }

    fn sum(&self) -> f64 {
        self.charts.iter().map(Cusum::sum).fold(0.0, f64::max)
    }

    /// The profile from now on, as from each new week; sums and level stay.
    pub fn set_profile(&mut self, profile: Profile) {
        self.profile = profile;
    }
}
