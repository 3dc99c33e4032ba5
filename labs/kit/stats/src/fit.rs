//! Ordinary least squares with the interval of each coefficient.

use crate::Student;

/// A coefficient of a fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate, in units of the response over those of its regressor.
    pub value: f64,
    /// The 95 % interval by Student's t; `None` without a degree of freedom.
    pub interval: Option<(f64, f64)>,
}

/// Fits `y = c₀ x₀ + c₁ x₁ + …` to rows of regressors and a response. A straight line has the
/// regressors `[1, x]`: its coefficients are intercept and slope.
///
/// The interval assumes errors that are independent and identically distributed. `None` if there
/// are fewer rows than coefficients, or if one regressor is a combination of the others.
pub fn least_squares<const K: usize>(rows: &[([f64; K], f64)]) -> Option<[Estimate; K]> {
    let df = rows.len().checked_sub(K)?;
    // In units of their own size, so that what is singular does not depend on units.
    let mut sizes = [0.0; K];
    for (regressors, _) in rows {
        for (size, x) in sizes.iter_mut().zip(regressors) {
            *size += x * x;
        }
    }
    let sizes = sizes.map(f64::sqrt);
    let scaled = |regressors: &[f64; K]| std::array::from_fn(|i| regressors[i] / sizes[i]);

    let (mut normal, mut moments) = ([[0.0; K]; K], [0.0; K]);
    for (regressors, y) in rows {
        let x: [f64; K] = scaled(regressors);
        for i in 0..K {
            moments[i] += x[i] * y;
            for j in 0..K {
                normal[i][j] += x[i] * x[j];
            }
        }
    }
    let inverse = inverse(normal)?;
    let dot = |a: &[f64; K], b: &[f64; K]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let coefficients: [f64; K] = std::array::from_fn(|i| dot(&inverse[i], &moments));

    let residual = |(regressors, y): &([f64; K], f64)| y - dot(&scaled(regressors), &coefficients);
    let squares: f64 = rows.iter().map(|row| residual(row).powi(2)).sum();
    Some(std::array::from_fn(|i| {
        let value = coefficients[i] / sizes[i];
        let interval = (df > 0).then(|| {
            let error = (squares / df as f64 * inverse[i][i]).sqrt() / sizes[i];
            let half = Student { df }.quantile_95() * error;
            (value - half, value + half)
        });
        Estimate { value, interval }
    }))
}

/// Fits the parameters of `curve(parameters, x)` to points `(x, y)`, y and curve above 0, so that
/// the squares of the relative errors are least: by Gauss and Newton from `start`, with halved
/// steps where a whole one leads away (Björck, *Numerical Methods for Least Squares Problems*,
/// 9.2).
///
/// The intervals are those of the curve's tangent at the solution. `None` where the points do not
/// tell the parameters, or no solution is found from there.
pub fn fit_curve<const K: usize>(
    points: &[(f64, f64)],
    start: [f64; K],
    curve: impl Fn(&[f64; K], f64) -> f64,
) -> Option<[Estimate; K]> {
    let residual = |at: &[f64; K], (x, y): (f64, f64)| y.ln() - curve(at, x).ln();
    let squares = |at: &[f64; K]| points.iter().map(|p| residual(at, *p).powi(2)).sum::<f64>();
    let mut at = start;
    for _ in 0..STEPS {
        let slope = |i: usize, point| {
            let step = 1e-7 * at[i].abs() + 1e-11;
            let [mut low, mut high] = [at; 2];
            (low[i], high[i]) = (at[i] - step, at[i] + step);
            (residual(&low, point) - residual(&high, point)) / (2.0 * step)
        };
        let row = |p: &(f64, f64)| (std::array::from_fn(|i| slope(i, *p)), residual(&at, *p));
        let towards: [Estimate; K] = least_squares(&points.iter().map(row).collect::<Vec<_>>())?;
        let shifted = |by: f64| std::array::from_fn(|i| at[i] + by * towards[i].value);
        let before = squares(&at);
        let halves = (0..STEPS as i32).map(|n| shifted(0.5_f64.powi(n)));
        let Some(better) = halves.into_iter().find(|next| squares(next) < before) else {
            let interval = |at: f64, (low, high): (f64, f64)| (at + low, at + high);
            return Some(std::array::from_fn(|i| Estimate {
                value: at[i],
                interval: towards[i].interval.map(|ends| interval(at[i], ends)),
            }));
        };
        at = better;
    }
    None
}

/// Steps towards a solution, and halvings of each.
const STEPS: usize = 60;

/// By Gauss and Jordan with partial pivoting; `None` of a singular matrix.
fn inverse<const K: usize>(mut matrix: [[f64; K]; K]) -> Option<[[f64; K]; K]> {
    let mut inverse: [[f64; K]; K] =
        std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))));
    for column in 0..K {
        let size = |row: &usize| matrix[*row][column].abs();
        let pivot = (column..K).max_by(|a, b| size(a).total_cmp(&size(b)))?;
        // A regressor that is 0 everywhere has no size to be measured in: not a number.
        if size(&pivot).is_nan() || size(&pivot) < 1e-12 {
            return None;
        }
        matrix.swap(column, pivot);
        inverse.swap(column, pivot);
        let by = matrix[column][column];
        for j in 0..K {
            matrix[column][j] /= by;
            inverse[column][j] /= by;
        }
        for row in (0..K).filter(|row| *row != column) {
            let times = matrix[row][column];
            for j in 0..K {
                matrix[row][j] -= times * matrix[column][j];
                inverse[row][j] -= times * inverse[column][j];
            }
        }
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(points: &[(f64, f64)]) -> Option<[Estimate; 2]> {
        let rows: Vec<_> = points.iter().map(|(x, y)| ([1.0, *x], *y)).collect();
        least_squares(&rows)
    }

    #[test]
    fn a_straight_line_has_the_intervals_of_the_textbook() {
        // Anscombe's first set (The American Statistician 1973): y = 3.00 + 0.500 x, standard
        // errors 1.1247 and 0.1179, nine degrees of freedom.
        let x = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0];
        let y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
        let points: Vec<_> = x.into_iter().zip(y).collect();
        let [intercept, slope] = line(&points).unwrap();
        for (found, value, error) in [(intercept, 3.0001, 1.1247), (slope, 0.5001, 0.1179)] {
            let half = Student { df: 9 }.quantile_95() * error;
            let (low, high) = found.interval.unwrap();
            assert!((found.value - value).abs() < 1e-4, "{found:?}");
            assert!((low - (value - half)).abs() < 5e-4, "{found:?}");
            assert!((high - (value + half)).abs() < 5e-4, "{found:?}");
        }
    }

    /// Michaelis and Menten's curve, and the data of Bates & Watts, *Nonlinear Regression
    /// Analysis*, table A1.3 (puromycin, treated).
    const PUROMYCIN: [(f64, f64); 12] = [
        (0.02, 76.0),
        (0.02, 47.0),
        (0.06, 97.0),
        (0.06, 107.0),
        (0.11, 123.0),
        (0.11, 139.0),
        (0.22, 159.0),
        (0.22, 152.0),
        (0.56, 191.0),
        (0.56, 201.0),
        (1.1, 207.0),
        (1.1, 200.0),
    ];

    fn saturating([most, half]: &[f64; 2], x: f64) -> f64 {
        most * x / (half + x)
    }

    #[test]
    fn a_curve_is_found_again_from_its_own_points() {
        let points = PUROMYCIN.map(|(x, _)| (x, saturating(&[200.0, 0.05], x)));
        let [most, half] = fit_curve(&points, [100.0, 1.0], saturating).unwrap();
        assert!((most.value / 200.0 - 1.0).abs() < 1e-6, "{most:?}");
        assert!((half.value / 0.05 - 1.0).abs() < 1e-6, "{half:?}");
    }

    #[test]
    fn a_curve_through_measurements_has_the_intervals_of_its_tangent() {
        let [most, half] = fit_curve(&PUROMYCIN, [200.0, 0.05], saturating).unwrap();
        // Absolute errors give 212.7 ± 15.5 and 0.064 ± 0.018; relative ones weigh low points more.
        let (low, high) = most.interval.unwrap();
        assert!((low..high).contains(&212.7) && high - low < 60.0, "{most:?}");
        let (low, high) = half.interval.unwrap();
        assert!(low > 0.0 && (low..high).contains(&0.064), "{half:?}");
    }

    #[test]
    fn points_that_do_not_determine_a_parameter_have_no_fit() {
        assert_eq!(fit_curve(&[(1.0, 50.0), (1.0, 60.0)], [100.0, 1.0], saturating), None);
        assert_eq!(fit_curve(&PUROMYCIN[..1], [100.0, 1.0], saturating), None);
        assert_eq!(fit_curve(&PUROMYCIN, [-1.0, 1.0], saturating), None, "below 0 from the start");
    }

    #[test]
    fn a_fit_does_not_depend_on_units() {
        let in_ns = [(1e9, 5.0), (2e9, 7.1), (3e9, 8.9), (4e9, 11.0)];
        let in_s = in_ns.map(|(x, y)| (x / 1e9, y));
        let [[_, by_ns], [_, by_s]] = [line(&in_ns).unwrap(), line(&in_s).unwrap()];
        assert!((by_ns.value * 1e9 - by_s.value).abs() < 1e-9, "{by_ns:?} {by_s:?}");
    }

    #[test]
    fn two_points_have_a_line_and_no_interval() {
        let [intercept, slope] = line(&[(1.0, 1.0), (2.0, 3.0)]).unwrap();
        assert!((intercept.value + 1.0).abs() < 1e-9 && (slope.value - 2.0).abs() < 1e-9);
        assert_eq!([intercept.interval, slope.interval], [None, None]);
    }

    #[test]
    fn an_underdetermined_fit_is_refused() {
        assert_eq!(line(&[(1.0, 1.0)]), None, "one row");
        assert_eq!(line(&[(2.0, 1.0), (2.0, 3.0), (2.0, 4.0)]), None, "one x");
        assert_eq!(line(&[(0.0, 1.0), (0.0, 3.0), (0.0, 4.0)]), None, "x is 0");
    }
}
