//! Gauss-Legendre quadrature: the integrals of the group-sequential recursion and of posteriors.

/// Nodes and weights on `[-1, 1]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    points: Vec<(f64, f64)>,
}

impl Rule {
    /// The rule with `n` nodes, exact for polynomials of degree `2n - 1`: the roots of the Legendre
    /// polynomial by Newton's method from Tricomi's approximation.
    pub(crate) fn new(n: u32) -> Self {
        let order = f64::from(n);
        let point = |i: u32| {
            let mut x = (core::f64::consts::PI * (f64::from(i) + 0.75) / (order + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..10 {
                let (mut here, mut before) = (1.0, 0.0);
                for k in 0..n {
                    let k = f64::from(k);
                    (here, before) = (((2.0 * k + 1.0) * x * here - k * before) / (k + 1.0), here);
                }
                slope = order * (x * here - before) / (x * x - 1.0);
                let step = here / slope;
                x -= step;
                if step.abs() < 1e-16 {
                    break;
                }
            }
            (-x, 2.0 / ((1.0 - x * x) * slope * slope))
        };
        Self { points: (0..n).map(point).collect() }
    }

    /// Nodes and weights on `[low, high]`, cut into equal panels.
    pub(crate) fn over(&self, low: f64, high: f64, panels: usize) -> impl Iterator<Item = (f64, f64)> + '_ {
        let half = (high - low) / panels as f64 / 2.0;
        (0..panels).flat_map(move |panel| {
            let middle = low + half * (2 * panel + 1) as f64;
            self.points.iter().map(move |&(x, w)| (middle + half * x, half * w))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_exact() {
        for n in [1u32, 2, 5, 16, 24, 40] {
            let rule = Rule::new(n);
            for degree in 0..(2 * n) as i32 {
                let got: f64 = rule.over(-1.0, 1.0, 1).map(|(x, w)| w * x.powi(degree)).sum();
                let exact = if degree % 2 == 0 { 2.0 / f64::from(degree + 1) } else { 0.0 };
                assert!((got - exact).abs() < 1e-14, "{n} nodes, degree {degree}: {got}");
            }
        }
    }

    #[test]
    fn panels_join() {
        let got: f64 = Rule::new(10).over(0.0, 3.0, 7).map(|(x, w)| w * x.exp()).sum();
        assert!((got - 3f64.exp_m1()).abs() < 1e-13);
    }
}
