//! App: how many events of a type a day leads one to expect, by the days before it.

/// With fewer days that had events of a type, or are known of one that may be older than what is known, nothing is said of it.
const FEWEST_DAYS: usize = 7;
/// A volume is unlike the others when it is so many spreads away, and by such a share.
const SPREADS: f64 = 6.0;
const MOVED: f64 = 0.3;
/// Days of which each had events: then none at all is said, however much the days differ.
const DAILY: usize = 14;
const WEEK: usize = 7;

/// Whether the last of these numbers is unlike the others, and what they lead one to expect; nothing where too few days
/// had any.
///
/// What is expected is the median of the same day of the four weeks before. The spread is that of the days before around
/// what would have been expected of them (1.4826 times the median of the distances, as for normal numbers), and at least
/// that of counts by chance. With fewer than three such days one odd day would be what is expected: then the number must
/// be as far from the median of the last two weeks, too.
///
/// None at all is unlike where each of the last fourteen days had some and so many are expected that chance is out of the question:
/// of a product that grows, or whose days differ much, six spreads may reach below zero. Where of the days before these nothing
/// is known, because their events are removed (`removed`), each of a week will do, also where it stopped within them and had
/// some on most: what was said of that is not known after a start.
pub(crate) fn volume(days: &[u64], removed: bool) -> Option<(f64, bool)> {
    let (&last, before) = days.split_last()?;
    let begun = before.iter().position(|n| *n > 0)?;
    let before = before.get(begun..).unwrap_or_default();
    let had = before.iter().filter(|n| **n > 0).count();
    // Of a type that is there on the first day of which something is known, days without events are known, too: it is not young
    // for ever because it stopped.
    let known = if removed && begun == 0 { before.len() } else { had };
    if known < FEWEST_DAYS {
        return None;
    }
    let expected = median(same(before, before.len()))?;
    let distances = (WEEK..before.len())
        .filter_map(|at| Some((*before.get(at)? as f64 - median(same(before, at))?).abs()));
    let chance = expected.sqrt().max(1.0);
    let spread = median(distances.collect()).map_or(chance, |distance| (1.4826 * distance).max(chance));
    let unlike = |of: f64| {
        let away = (last as f64 - of).abs();
        away > SPREADS * spread && away > MOVED * of
    };
    let lately = || median(before.iter().rev().take(DAILY).map(|n| *n as f64).collect());
    let steady = same(before, before.len()).len() >= 3 || lately().is_some_and(unlike);
    let ended = if removed { before.iter().rev().take_while(|n| **n == 0).count() } else { 0 };
    let daily = before.len() >= if removed { WEEK.max(2 * ended + 1) } else { DAILY };
    let daily = daily && before.iter().rev().skip(ended).take(DAILY).all(|n| *n > 0);
    let stopped = last == 0 && daily && expected > SPREADS * expected.sqrt();
    Some((expected, stopped || (unlike(expected) && steady)))
}

/// The same day of up to four weeks before, the last first.
fn same(before: &[u64], until: usize) -> Vec<f64> {
    let past = before.get(..until).unwrap_or_default();
    past.iter().rev().skip(WEEK - 1).step_by(WEEK).take(4).map(|n| *n as f64).collect()
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_unstable_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let upper = *numbers.get(middle)?;
    if numbers.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*numbers.get(middle.checked_sub(1)?)?, upper))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const BEFORE: usize = 28;

    /// A count by chance around a mean: the sum of many small chances.
    fn poisson(mean: f64, seed: &mut u64) -> u64 {
        let mut uniform = || {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((*seed >> 33) as f64 + 0.5) / f64::from(1_u32 << 31)
        };
        if mean > 200.0 {
            let (a, b) = (uniform(), uniform());
            let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
            return (mean + mean.sqrt() * normal).round().max(0.0) as u64;
        }
        let (limit, mut product, mut n) = ((-mean).exp(), uniform(), 0);
        while product > limit {
            product *= uniform();
            n += 1;
        }
        n
    }

    /// Four weeks and a day around a mean, with quiet weekends.
    fn weeks(mean: f64, seed: &mut u64) -> Vec<u64> {
        let weekly = [1.0, 1.05, 1.1, 1.0, 0.9, 0.4, 0.3];
        (0..=BEFORE).map(|day| poisson(mean * weekly[day % 7], seed)).collect()
    }

    #[test]
    fn the_same_every_week_is_no_drift() {
        let mut seed = 1;
        let mut spoken = 0;
        for round in 0..3_000 {
            let mean = [3.0, 30.0, 300.0, 30_000.0][round % 4];
            let days = weeks(mean, &mut seed);
            // Each day of a type that is between a week and four weeks old.
            for age in [8, 9, 12, 16, 20, 25, 29] {
                for removed in [false, true] {
                    spoken += u32::from(volume(&days[..age], removed).is_some_and(|(_, unlike)| unlike));
                }
            }
        }
        assert_eq!(spoken, 0, "of 21,000 days without a change, twice");
    }

    #[test]
    fn what_stops_halves_or_doubles_is_drift() {
        let mut seed = 2;
        for round in 0..300 {
            let mut days = weeks(1_000.0, &mut seed);
            let last = days.last_mut().unwrap();
            *last = match round % 3 {
                0 => 0,
                1 => *last / 2,
                _ => *last * 2,
            };
            let (expected, unlike) = volume(&days, false).unwrap();
            assert!(unlike, "{days:?}");
            assert!((expected - 1_000.0).abs() < 150.0, "{expected}");
        }
    }

    #[test]
    fn a_young_type_is_not_judged_and_a_growing_one_is_not_spoken_of() {
        assert_eq!(volume(&[0, 0, 0, 5, 6, 7, 5, 6, 8, 100], false), None);
        assert_eq!(volume(&[], false), None);
        let growing: Vec<u64> = (0..29).map(|day| 1_000 + 30 * day).collect();
        assert!(!volume(&growing, false).unwrap().1);
        // One odd day among those before does not hide the next.
        let mut odd: Vec<u64> = vec![1_000; 29];
        odd[20] = 90_000;
        odd[28] = 0;
        assert_eq!(volume(&odd, false), Some((1_000.0, true)));
    }

    /// Four weeks and a day of a product that grows or shrinks each day by such a share, with quiet weekends and days that
    /// differ by a tenth.
    fn growing(mean: f64, daily: f64, seed: &mut u64) -> Vec<u64> {
        let mut days = weeks(1.0e6, seed);
        for (at, day) in days.iter_mut().enumerate() {
            let odd = (poisson(100.0, seed) as f64 / 100.0).clamp(0.5, 1.5);
            let mean = *day as f64 / 1.0e6 * mean * (1.0 + daily).powi(i32::try_from(at).unwrap()) * odd;
            *day = poisson(mean, seed);
        }
        days
    }

    /// Of a product that grows six spreads may reach below zero: a halving is not said then, but that nothing came is.
    #[test]
    fn what_stops_is_said_however_much_the_days_grow_or_differ() {
        let mut seed = 3;
        let (mut spoken, mut silent, mut within) = (0, 0, 0);
        for round in 0..3_000 {
            let daily = [0.03, 0.02, 0.01, 0.0, -0.01, -0.02][round % 6];
            let mut days = growing([100.0, 1_000.0][round % 2], daily, &mut seed);
            spoken += u32::from(volume(&days, false).unwrap().1);
            days[BEFORE] /= 2;
            within += u32::from(!volume(&days, false).unwrap().1);
            days[BEFORE] = 0;
            silent += u32::from(!volume(&days, false).unwrap().1);
        }
        // None of as many without events; and of those as they were to be expected one, since how much days differ is
        // known from three weeks of them.
        assert_eq!((spoken, silent), (1, 0), "of 3,000 days");
        assert!(within > 2_000, "it hides {within}");
        // Where days without events are usual, one more is nothing.
        let mut seldom: Vec<u64> = (0..29).map(|day| if day % 3 == 0 { 400 } else { 0 }).collect();
        seldom[28] = 0;
        assert!(!volume(&seldom, false).unwrap().1);
        // Of more than a week in which each day had some it is known that it is not, unless it is young.
        let days = [100, 900, 300, 1_500, 100, 900, 300, 1_500, 100, 0];
        assert_eq!(volume(&days, true), Some((300.0, true)));
        assert_eq!(volume(&days, false), Some((300.0, false)), "it may be young");
        assert_eq!(volume(&days[3..], true), None, "of six days nothing is known");
        // It stopped on the day of a start, and what was remembered is gone.
        let stopped = [100, 900, 300, 1_500, 100, 0, 0, 0];
        assert_eq!(volume(&stopped[..7], true), None, "six days are known");
        assert_eq!(volume(&stopped, true), Some((100.0, true)));
        let few = [44, 38, 40, 39, 42, 4, 0, 0];
        assert_eq!(volume(&few, true), Some((44.0, true)));
        assert_eq!(volume(&[44, 0, 0, 0, 40, 0, 0, 0], true), Some((44.0, false)), "most days had none");
        assert_eq!(volume(&stopped, false), None, "it was there for five days");
        let began = [0, 900, 300, 1_500, 100, 900, 0, 0, 0];
        assert_eq!(volume(&began, true), None, "it was not there before");
    }

    proptest! {
        /// Whatever the numbers, what is expected is one.
        #[test]
        fn what_is_expected_is_a_number(days in proptest::collection::vec(0_u64..u64::MAX, 0..40)) {
            if let Some((expected, _)) = volume(&days, false) {
                prop_assert!(expected.is_finite() && expected >= 0.0);
            }
        }
    }
}
