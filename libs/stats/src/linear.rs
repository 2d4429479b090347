//! Small symmetric systems: tens of rows at most, so plain loops over plain vectors.

/// A square matrix by rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matrix {
    size: usize,
    values: Vec<f64>,
}

impl Matrix {
    pub(crate) fn zero(size: usize) -> Self {
        Self { size, values: vec![0.0; size * size] }
    }

    pub(crate) fn of(size: usize, value: impl Fn(usize, usize) -> f64) -> Self {
        let values = (0..size * size).map(|at| value(at / size.max(1), at % size.max(1))).collect();
        Self { size, values }
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// NaN for a place that is not there, which no caller asks for.
    pub(crate) fn at(&self, i: usize, j: usize) -> f64 {
        self.values.get(i * self.size + j).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn add(&mut self, i: usize, j: usize, value: f64) {
        if let Some(at) = self.values.get_mut(i * self.size + j) {
            *at += value;
        }
    }

    /// Adds `scale · a b'`.
    pub(crate) fn add_outer(&mut self, a: &[f64], b: &[f64], scale: f64) {
        for (row, a) in self.values.chunks_exact_mut(self.size.max(1)).zip(a) {
            for (value, b) in row.iter_mut().zip(b) {
                *value += scale * a * b;
            }
        }
    }

    pub(crate) fn plus(&self, other: &Self, scale: f64) -> Self {
        let values = self.values.iter().zip(&other.values).map(|(a, b)| a + scale * b).collect();
        Self { size: self.size, values }
    }

    pub(crate) fn times(&self, other: &Self) -> Self {
        Self::of(self.size, |i, j| (0..self.size).map(|k| self.at(i, k) * other.at(k, j)).sum())
    }

    pub(crate) fn transposed(&self) -> Self {
        Self::of(self.size, |i, j| self.at(j, i))
    }

    pub(crate) fn applied(&self, vector: &[f64]) -> Vec<f64> {
        self.values.chunks_exact(self.size.max(1)).map(|row| inner(row, vector)).collect()
    }

    pub(crate) fn trace(&self) -> f64 {
        (0..self.size).map(|i| self.at(i, i)).sum()
    }

    /// Rows and columns of some of the indices.
    pub(crate) fn select(&self, kept: &[usize]) -> Self {
        let at = |i: usize| kept.get(i).copied().unwrap_or(usize::MAX);
        Self::of(kept.len(), |i, j| self.at(at(i), at(j)))
    }
}

pub(crate) fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A column that others explain but for this share of its sum of squares is taken for a combination of
/// them: sixteen digits, of which the cross-products have lost up to half.
const COLLINEAR: f64 = 1e-10;

/// Which columns of a matrix of cross-products are no combination of those before them.
pub(crate) fn independent(products: &Matrix) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    for column in 0..products.size() {
        let own = products.at(column, column);
        kept.push(column);
        let fits = own > 0.0 && Cholesky::of(&products.select(&kept)).is_some();
        if !fits {
            kept.pop();
        }
    }
    kept
}

/// The lower triangular root `L L'` of a positive definite matrix.
#[derive(Debug, Clone)]
pub(crate) struct Cholesky {
    root: Matrix,
}

impl Cholesky {
    /// None where a column is a combination of those before it.
    pub(crate) fn of(matrix: &Matrix) -> Option<Self> {
        let mut root = Matrix::zero(matrix.size());
        for i in 0..matrix.size() {
            for j in 0..=i {
                let known: f64 = (0..j).map(|k| root.at(i, k) * root.at(j, k)).sum();
                let left = matrix.at(i, j) - known;
                if i == j {
                    if left <= COLLINEAR * matrix.at(i, i) || left.is_nan() {
                        return None;
                    }
                    root.add(i, i, left.sqrt());
                } else {
                    root.add(i, j, left / root.at(j, j));
                }
            }
        }
        Some(Self { root })
    }

    /// `L⁻¹ b`.
    pub(crate) fn forwards(&self, b: &[f64]) -> Vec<f64> {
        let mut x = Vec::with_capacity(b.len());
        for (i, b) in b.iter().enumerate() {
            let known: f64 = x.iter().enumerate().map(|(k, x)| self.root.at(i, k) * x).sum();
            x.push((b - known) / self.root.at(i, i));
        }
        x
    }

    /// `L'⁻¹ b`.
    pub(crate) fn backwards(&self, b: &[f64]) -> Vec<f64> {
        let mut x = vec![0.0; b.len()];
        for i in (0..b.len()).rev() {
            let known: f64 = x.iter().enumerate().skip(i + 1).map(|(k, x)| self.root.at(k, i) * x).sum();
            if let (Some(x), Some(b)) = (x.get_mut(i), b.get(i)) {
                *x = (b - known) / self.root.at(i, i);
            }
        }
        x
    }

    /// `L v`.
    pub(crate) fn times(&self, v: &[f64]) -> Vec<f64> {
        self.root.applied(v)
    }

    /// The solution of `A x = b`.
    pub(crate) fn solve(&self, b: &[f64]) -> Vec<f64> {
        self.backwards(&self.forwards(b))
    }

    pub(crate) fn inverse(&self) -> Matrix {
        let size = self.root.size();
        let columns: Vec<Vec<f64>> = (0..size)
            .map(|j| self.solve(&(0..size).map(|i| f64::from(u8::from(i == j))).collect::<Vec<_>>()))
            .collect();
        Matrix::of(size, |i, j| columns.get(j).and_then(|c| c.get(i)).copied().unwrap_or(f64::NAN))
    }
}

/// Eigenvalues of a symmetric matrix, each with its vector of length one (Jacobi's rotations: exact to
/// the last digits for matrices as small as ours, and bounded in time).
pub(crate) fn eigen(matrix: &Matrix) -> Vec<(f64, Vec<f64>)> {
    const SWEEPS: usize = 60;
    let size = matrix.size();
    let mut a = matrix.clone();
    let mut vectors = Matrix::of(size, |i, j| f64::from(u8::from(i == j)));
    for _ in 0..SWEEPS {
        let off: f64 =
            (0..size).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a.at(i, j).abs()).sum();
        if off <= f64::EPSILON * 1e-3 * a.trace().abs() || off == 0.0 {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                if a.at(p, q) == 0.0 {
                    continue;
                }
                let theta = (a.at(q, q) - a.at(p, p)) / (2.0 * a.at(p, q));
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let cosine = (t * t + 1.0).sqrt().recip();
                let sine = t * cosine;
                // Columns, then rows of `a`; columns of the vectors.
                for k in 0..size {
                    let (left, right) = (a.at(k, p), a.at(k, q));
                    a.add(k, p, cosine * left - sine * right - left);
                    a.add(k, q, sine * left + cosine * right - right);
                }
                for k in 0..size {
                    let (left, right) = (a.at(p, k), a.at(q, k));
                    a.add(p, k, cosine * left - sine * right - left);
                    a.add(q, k, sine * left + cosine * right - right);
                    let (left, right) = (vectors.at(k, p), vectors.at(k, q));
                    vectors.add(k, p, cosine * left - sine * right - left);
                    vectors.add(k, q, sine * left + cosine * right - right);
                }
            }
        }
    }
    (0..size).map(|j| (a.at(j, j), (0..size).map(|i| vectors.at(i, j)).collect())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    /// Cross-products of random columns.
    fn products() -> impl Strategy<Value = Matrix> {
        (1..6usize).prop_flat_map(|size| {
            proptest::collection::vec(-3.0..3.0f64, size * (size + 3)).prop_map(move |values| {
                Matrix::of(size, |i, j| {
                    (0..size + 3).map(|row| values[row * size + i] * values[row * size + j]).sum()
                })
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn an_inverse_inverts(a in products()) {
            if let Some(root) = Cholesky::of(&a) {
                let one = a.times(&root.inverse());
                let worst = a.trace() * root.inverse().trace();
                for i in 0..a.size() {
                    for j in 0..a.size() {
                        prop_assert!((one.at(i, j) - f64::from(u8::from(i == j))).abs() < 1e-13 * worst.max(10.0));
                    }
                }
            }
        }

        #[test]
        fn eigenvectors_make_the_matrix(a in products()) {
            let mut back = Matrix::zero(a.size());
            for (value, vector) in eigen(&a) {
                prop_assert!(value > -1e-12 * a.trace());
                prop_assert!((inner(&vector, &vector) - 1.0).abs() < 1e-12);
                back.add_outer(&vector, &vector, value);
            }
            for i in 0..a.size() {
                for j in 0..a.size() {
                    prop_assert!((back.at(i, j) - a.at(i, j)).abs() <= 1e-12 * a.trace());
                }
            }
        }
    }

    #[test]
    fn a_combination_of_columns_before_is_dropped() {
        let columns = [
            [1.0, 2.0, 4.0, -1.0],
            [0.0, 1.0, 1.0, 3.0],
            [1.0, 4.0, 6.0, 5.0],
            [0.0; 4],
            [1.0, 0.0, 0.0, 2.0],
        ];
        let products = Matrix::of(5, |i, j| inner(&columns[i], &columns[j]));
        // The third is the first and twice the second; the fourth is nothing.
        assert_eq!(independent(&products), [0, 1, 4]);
        assert!(Cholesky::of(&products).is_none());
        assert_eq!(independent(&Matrix::of(1, |_, _| f64::NAN)), [0usize; 0]);
    }
}
