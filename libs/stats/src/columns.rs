//! Reading columns: a few hundred rows at a time, each summed twice while they are near.

use crate::Refusal;
use crate::compensated::Compensated;
use crate::joint::{JointMoments, few_columns, not_a_value, same_length};

/// Rows that are worked on at once: two columns of them, twice, stay in the nearest cache.
pub(crate) const CHUNK: usize = 512;

const MOST_ARMS: usize = 256;

/// The moments of several sets of columns in each arm, by one reading of the memory.
///
/// `arm` says for each row in which of the `arms` it is, from 0. Columns of the same set get their
/// cross-products: an outcome and its covariates, a numerator and its denominator. The answer is
/// indexed by arm, then by set. Rows may be cut into ranges, for as many threads as there are, and the
/// answers merged.
///
/// # Errors
/// [`Refusal::LengthsDiffer`], [`Refusal::OutOfRange`] for an arm that is not there, more than 256 of them, more than
/// 1,000 columns in a set or a value without a finite square, [`Refusal::NotFinite`] where products overflow.
///
/// ```
/// use bellwether_stats::by_arm;
/// let (arm, revenue) = ([0, 1, 1, 0], [4.0, 2.0, 8.0, 6.0]);
/// let arms = by_arm(&arm, 2, &[&[&revenue]]).unwrap();
/// assert_eq!(arms[1][0].mean(0), Some(5.0));
/// ```
pub fn by_arm(arm: &[u8], arms: usize, sets: &[&[&[f64]]]) -> Result<Vec<Vec<JointMoments>>, Refusal> {
    let of_row = |row: usize| match arm.get(row) {
        Some(&arm) if usize::from(arm) < arms => Ok(usize::from(arm)),
        other => {
            let arm = other.map_or_else(String::new, u8::to_string);
            Err(Refusal::out_of_range("an arm", "among the arms, counted from 0", arm))
        }
    };
    grouped(arm.len(), of_row, arms, sets)
}

pub(crate) fn grouped(
    rows: usize,
    arm_of: impl Fn(usize) -> Result<usize, Refusal>,
    arms: usize,
    sets: &[&[&[f64]]],
) -> Result<Vec<Vec<JointMoments>>, Refusal> {
    // A row names its arm by a byte.
    if arms > MOST_ARMS {
        return Err(Refusal::out_of_range("the number of arms", &format!("at or below `{MOST_ARMS}`"), arms));
    }
    sets.iter().try_for_each(|set| few_columns(set.len()))?;
    for column in sets.iter().copied().flatten() {
        same_length("values", column.len(), "rows", rows)?;
    }
    let mut all: Vec<Vec<JointMoments>> =
        vec![sets.iter().map(|set| JointMoments::of_none(set.len())).collect(); arms];
    let mut piece = Piece::new(sets.iter().map(|set| set.len()).max().unwrap_or(0));
    let mut order = vec![Vec::with_capacity(CHUNK); arms];
    for start in (0..rows).step_by(CHUNK) {
        let end = (start + CHUNK).min(rows);
        order.iter_mut().for_each(Vec::clear);
        for row in start..end {
            if let Some(order) = order.get_mut(arm_of(row)?) {
                order.push((row - start) as u16);
            }
        }
        for (order, all) in order.iter().zip(&mut all).filter(|(order, _)| !order.is_empty()) {
            for (set, all) in sets.iter().zip(all) {
                piece.gather(set, start..end, order);
                if !piece.summarise(set.len(), order.len()) {
                    let values = set.iter().filter_map(|column| column.get(start..end)).flatten();
                    let wrong = values.copied().find(|value| !(value * value).is_finite());
                    return Err(wrong.map_or_else(|| Refusal::not_finite("products"), not_a_value));
                }
                all.absorb(&piece.part);
            }
        }
    }
    // Each piece is finite; all of them together need not be.
    all.into_iter().map(|sets| sets.into_iter().map(JointMoments::finite).collect()).collect()
}

/// A few hundred rows of one arm, column by column, and what comes of them.
struct Piece {
    columns: Vec<[f64; CHUNK]>,
    /// Means of the columns after a first mean was taken off: what that was rounded by.
    rests: Vec<f64>,
    part: JointMoments,
}

impl Piece {
    fn new(columns: usize) -> Self {
        Self {
            columns: vec![[0.0; CHUNK]; columns],
            rests: Vec::with_capacity(columns),
            part: JointMoments::of_none(0),
        }
    }

    /// Copies the rows of one arm out of a range of at most [`CHUNK`] rows.
    fn gather(&mut self, set: &[&[f64]], rows: core::ops::Range<usize>, order: &[u16]) {
        let mut padded = [0.0; CHUNK];
        for (column, to) in set.iter().zip(&mut self.columns) {
            let Some(values) = column.get(rows.clone()) else { continue };
            let values: &[f64; CHUNK] = match values.try_into() {
                Ok(whole) => whole,
                Err(_) => {
                    for (to, from) in padded.iter_mut().zip(values) {
                        *to = *from;
                    }
                    &padded
                }
            };
            for (to, &at) in to.iter_mut().zip(order) {
                // The remainder says what is so already, and saves the check of the bound.
                *to = values[usize::from(at) % CHUNK];
            }
        }
    }

    /// Two passes over memory that is near: the means, then the products of what deviates from them.
    /// False where something is not a finite number.
    fn summarise(&mut self, columns: usize, rows: usize) -> bool {
        let (n, part) = (rows as f64, &mut self.part);
        part.n = rows as u64;
        part.means.clear();
        part.cross.clear();
        self.rests.clear();
        for i in 0..columns {
            let (before, from_here) = self.columns.split_at_mut(i);
            let Some(values) = from_here.first_mut().and_then(|column| column.get_mut(..rows)) else {
                return false;
            };
            let near = sum(values) / n;
            for value in values.iter_mut() {
                *value -= near;
            }
            let rest = sum(values) / n;
            for (other, other_rest) in before.iter().zip(&self.rests) {
                let other = other.get(..rows).unwrap_or_default();
                part.cross.push(Compensated::of(dot(values, other) - n * rest * other_rest));
            }
            let squares = dot(values, values) - n * rest * rest;
            part.cross.push(Compensated::of(beyond_rounding(squares, near)));
            part.means.push(Compensated::of(near).add(rest));
            self.rests.push(rest);
        }
        part.cross.iter().chain(&part.means).all(|number| number.value().is_finite())
    }
}

/// Additions that wait for each other take four cycles each; these eight do not.
const LANES: usize = 8;

pub(crate) fn sum(values: &[f64]) -> f64 {
    let (whole, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for values in whole {
        for (lane, value) in lanes.iter_mut().zip(values) {
            *lane += value;
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().sum::<f64>()
}

/// Of as many values as both have.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

/// Squared deviations of a few hundred values near `near`, or zero where all are the same: one value
/// that differs in its last place alone makes them larger than this.
pub(crate) fn beyond_rounding(squares: f64, near: f64) -> f64 {
    let last_place = f64::EPSILON * near;
    // A NaN stays one.
    if squares < 1e-6 * (last_place * last_place) || squares < 0.0 { 0.0 } else { squares }
}
