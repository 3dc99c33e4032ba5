//! Numbers as people read them: three significant digits and a unit that fits.

use std::time::Duration;

/// Writes `value` of `unit`: nanoseconds scale to µs, ms and s, the rest keeps its unit; `times`
/// is `×`, and a ratio has none.
pub fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "ns" => nanoseconds(value),
        "" | "ratio" | "count" => number(value),
        "times" => format!("{}×", number(value)),
        _ => format!("{} {unit}", number(value)),
    }
}

/// Writes a latency in nanoseconds: `≥ 12.3 ms` where it is only a lower bound, a dash where there
/// is none.
pub fn bounded(ns: Option<u64>, is_bound: bool) -> String {
    let Some(ns) = ns else { return "–".to_owned() };
    format!("{}{}", if is_bound { "≥ " } else { "" }, nanoseconds(ns as f64))
}

/// Writes a length of time.
pub fn span(span: Duration) -> String {
    nanoseconds(span.as_nanos() as f64)
}

/// Writes nanoseconds in the largest unit that leaves a number of at least one.
pub fn nanoseconds(value: f64) -> String {
    nanoseconds_to(value, DIGITS)
}

/// As [`nanoseconds`], to `digits` significant digits, at least three.
pub fn nanoseconds_to(value: f64, digits: i32) -> String {
    let rounded = significant(value, digits);
    let (size, unit) = match rounded.abs() {
        ns if ns < 1e3 => (1.0, "ns"),
        ns if ns < 1e6 => (1e3, "µs"),
        ns if ns < 1e9 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    let scaled = rounded / size;
    match unit {
        // Means of a few nanoseconds have tenths; readings of a clock are whole.
        "ns" if scaled.abs() < 10.0 && scaled.fract() != 0.0 => {
            format!("{} ns", fixed(scaled, digits))
        }
        "ns" => format!("{scaled:.0} ns"),
        _ if scaled >= 1e3 => format!("{} {unit}", grouped(scaled)),
        _ => format!("{} {unit}", fixed(scaled, digits)),
    }
}

/// Writes a bare number: `0.634`, `12.3`, `12,345`.
pub fn number(value: f64) -> String {
    let rounded = significant(value, DIGITS);
    match rounded.abs() {
        size if !size.is_finite() => rounded.to_string(),
        size if size >= 1e15 || (size > 0.0 && size < 1e-4) => format!("{rounded:.2e}"),
        size if size >= 1e3 => grouped(value.round()),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ => fixed(rounded, DIGITS),
    }
}

/// The default number of significant digits: as many as people compare at a glance.
const DIGITS: i32 = 3;

/// Writes a signed change: `+5.2%`, and `+380%` without a decimal that is of no use.
pub fn percent(ratio: f64) -> String {
    let value = 100.0 * ratio;
    match value.abs() {
        size if size < 99.95 => format!("{value:+.1}%"),
        size if size < 99_999.0 => format!("{value:+.0}%"),
        _ => format!("{value:+.0e}%"),
    }
}

/// A number below a thousand with its zeros: `1.00`, `10.0`, `100` to three digits.
fn fixed(value: f64, digits: i32) -> String {
    let whole_digits = value.abs().log10().floor() as i32 + 1;
    format!("{value:.*}", (digits - whole_digits).max(0) as usize)
}

/// Rounds to `digits` significant digits.
fn significant(value: f64, digits: i32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10f64.powi(digits - 1 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

fn sign(value: f64) -> &'static str {
    if value < 0.0 { "-" } else { "" }
}

/// Writes a count, exactly: `12,345`.
pub fn thousands(count: u64) -> String {
    with_commas(&count.to_string())
}

/// Writes a value without decimals: `-12,345`.
fn grouped(value: f64) -> String {
    format!("{}{}", sign(value), with_commas(&format!("{:.0}", value.abs())))
}

/// Digits with a comma before each group of three.
fn with_commas(digits: &str) -> String {
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_three_digits_and_a_fitting_unit() {
        let cases = [
            (0.0, "ns", "0 ns"),
            (0.5, "ns", "0.500 ns"),
            (5.678, "ns", "5.68 ns"),
            (7.0, "ns", "7 ns"),
            (56.78, "ns", "57 ns"),
            (999.0, "ns", "999 ns"),
            (1_234.0, "ns", "1.23 µs"),
            (999_600.0, "ns", "1.00 ms"),
            (10_046_000.0, "ns", "10.0 ms"),
            (140e6, "ns", "140 ms"),
            (1.4e9, "ns", "1.40 s"),
            (3.6e12, "ns", "3,600 s"),
            (0.633_97, "ratio", "0.634"),
            (1.0, "ratio", "1"),
            (1e6, "ns", "1.00 ms"),
            (0.001_813, "ratio", "0.00181"),
            (1e-9, "ratio", "1.00e-9"),
            (121.4, "ratio", "121"),
            (-0.25, "ratio", "-0.250"),
            (-3.0, "count", "-3"),
            (1_234_567.0, "count", "1,234,567"),
            (-12_345.4, "count", "-12,345"),
            (2_000.0, "req/s", "2,000 req/s"),
            (21.32, "times", "21.3×"),
        ];
        for (value, unit, text) in cases {
            assert_eq!(quantity(value, unit), text, "{value} {unit}");
        }
    }

    #[test]
    fn compared_latencies_have_one_digit_more() {
        let four = |ns| nanoseconds_to(ns, 4);
        assert_eq!([four(257_401.0), four(1_048_662.0)], ["257.4 µs", "1.049 ms"]);
        assert_eq!([four(999_960.0), four(4.2e10)], ["1.000 ms", "42.00 s"]);
    }

    #[test]
    fn changes_are_signed_and_short() {
        assert_eq!([percent(0.0516), percent(-0.5), percent(12.5)], ["+5.2%", "-50.0%", "+1250%"]);
        assert_eq!([percent(0.9996), percent(4e4)], ["+100%", "+4e6%"]);
    }

    #[test]
    fn nan_and_infinity_are_shown_as_such() {
        assert_eq!(number(f64::NAN), "NaN");
        assert_eq!(number(f64::INFINITY), "inf");
    }
}
