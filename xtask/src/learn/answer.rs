//! A prediction as people type it, and figures as they read them.

use lab_record::{Answer, parse_duration};
use lab_text::quantity;

/// Reads a prediction, in the unit of its answer; for a choice, the index from 0. The error says
/// what to write instead.
pub(crate) fn read(text: &str, answer: &Answer) -> Result<f64, String> {
    let text = text.trim();
    let value = match answer {
        _ if text.is_empty() => Err("Nothing was typed.".to_owned()),
        Answer::Share => share(text),
        Answer::Time => time(text),
        Answer::Times => bare(text, &["times", "x", "×"]),
        Answer::Count { of } => bare(text, &[of, of.trim_end_matches('s')]),
        Answer::Choice { options, .. } => choice(text, options.len()),
    };
    value.map_err(|why| format!("{why} Write {}.", example(answer)))
}

/// An example of an answer, without giving it away.
pub(super) fn example(answer: &Answer) -> String {
    match answer {
        Answer::Share => "a share, such as 20 %, 20 or 1/5".into(),
        Answer::Time => "a time with its unit, such as 250us, 20ms or 1.4s".into(),
        Answer::Times => "how many times, such as 3 or 0.5".into(),
        Answer::Count { of } => format!("a number of {of}, such as 12"),
        Answer::Choice { options, .. } => {
            let letters: Vec<String> = (0..options.len()).map(letter).collect();
            format!("one of {}", letters.join(", "))
        }
    }
}

/// A figure in the unit of an answer.
pub(super) fn figure(value: f64, answer: &Answer) -> String {
    match answer {
        Answer::Share => percent(value),
        Answer::Time => quantity::nanoseconds(value),
        Answer::Times => format!("{}×", quantity::number(value)),
        Answer::Count { of } => format!("{} {of}", quantity::number(value)),
        Answer::Choice { unit, .. } if unit == "ratio" => percent(value),
        Answer::Choice { unit, .. } => quantity::quantity(value, unit),
    }
}

/// A prediction in the unit of its answer.
pub(super) fn prediction(value: f64, answer: &Answer) -> String {
    match answer {
        Answer::Choice { .. } => letter(value as usize),
        _ => figure(value, answer),
    }
}

/// What would have been right.
pub(super) fn right(measured: f64, answer: &Answer) -> String {
    let Answer::Choice { .. } = answer else { return figure(measured, answer) };
    answer.place_of(measured).map_or("none of them".into(), letter)
}

/// How a prediction compares with what was measured.
pub(super) fn held_against(mine: f64, measured: f64, answer: &Answer) -> String {
    if let Answer::Choice { .. } = answer {
        let right = right(measured, answer);
        return if right == letter(mine as usize) {
            "right".into()
        } else {
            format!("it is {right}")
        };
    }
    let way = if mine < measured { "too low" } else { "too high" };
    if let Answer::Share = answer {
        let points = 100.0 * (mine - measured).abs();
        return if points <= 5.0 { "close".into() } else { format!("{points:.0} points {way}") };
    }
    let (small, large) = (mine.min(measured), mine.max(measured));
    match large / small {
        _ if large <= 0.0 => "exact".into(),
        ratio if ratio <= 1.2 => "close".into(),
        ratio if ratio.is_infinite() => way.into(),
        ratio => format!("{way}, by a factor of {}", quantity::number(ratio)),
    }
}

pub(super) fn letter(place: usize) -> String {
    char::from(b'a' + u8::try_from(place).unwrap_or(25)).to_string()
}

fn percent(share: f64) -> String {
    format!("{} %", quantity::number(100.0 * share))
}

/// `60 %`, `60`, `3/5`; not `0.6`, which some mean as 60 % and others as 0.6 %.
fn share(text: &str) -> Result<f64, String> {
    let is_percent = text.ends_with('%');
    let words = ["%", "percent", "of 100", "in 100"];
    let bare = words.iter().find_map(|word| text.strip_suffix(word)).unwrap_or(text);
    let share = match number(bare) {
        Some(small) if !is_percent && small > 0.0 && small < 1.0 => {
            return Err(format!("{text} of 100, or {} of 100?", quantity::number(100.0 * small)));
        }
        Some(percent) => Some(percent / 100.0),
        None => fraction(bare),
    };
    match share {
        Some(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Some(_) => Err(format!("`{text}` is not from 0 to 100 %.")),
        None => Err(format!("`{text}` is no share.")),
    }
}

fn time(text: &str) -> Result<f64, String> {
    match number(text) {
        Some(0.0) => Ok(0.0),
        Some(_) => Err(format!("{text} of what?")),
        None => {
            let plain = text.replace(['µ', 'μ'], "u").replace(' ', "");
            let span = parse_duration(&plain).map_err(|_| format!("`{text}` is no time."))?;
            Ok(span.as_nanos() as f64)
        }
    }
}

/// A number, with or without one of these words after it.
fn bare(text: &str, words: &[&str]) -> Result<f64, String> {
    let stripped = words.iter().find_map(|word| text.strip_suffix(word)).unwrap_or(text);
    let value = number(stripped).or_else(|| fraction(stripped)).filter(|value| value.is_finite());
    value.ok_or_else(|| format!("`{text}` is no such number."))
}

/// `3/5`; not finite if the denominator is zero.
fn fraction(text: &str) -> Option<f64> {
    let (above, below) = text.split_once('/')?;
    Some(number(above)? / number(below)?)
}

fn choice(text: &str, options: usize) -> Result<f64, String> {
    let typed = text.trim_end_matches([')', '.']).to_lowercase();
    let place = (0..options).find(|place| letter(*place) == typed);
    place.map(|place| place as f64).ok_or_else(|| format!("`{text}` is none of them."))
}

/// A number that is not negative: `1,000`, `1_000`, `0.5`, `0,5`.
fn number(text: &str) -> Option<f64> {
    let text = text.trim().replace('_', "");
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let groups: Vec<&str> = text.split(',').collect();
    let grouped = groups[1..].iter().all(|group| group.len() == 3 && digits(group));
    let plain = match groups.as_slice() {
        [_] => text.clone(),
        [whole, _, ..] if grouped && digits(whole) && *whole != "0" => text.replace(',', ""),
        [whole, part] if digits(whole) && digits(part) => format!("{whole}.{part}"),
        _ => return None,
    };
    plain.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0)
}

#[cfg(test)]
mod tests {
    use lab_record::Choice;

    use super::*;

    fn count() -> Answer {
        Answer::Count { of: "page faults".into() }
    }

    fn options() -> Answer {
        let choice = |says: &str, from, below| Choice { says: says.into(), from, below };
        let options = vec![choice("less", 0.0, 0.5), choice("more", 0.5, 2.0)];
        Answer::Choice { unit: "ratio".into(), options }
    }

    #[test]
    fn a_prediction_is_understood_with_its_unit() {
        let cases = [
            (Answer::Share, "60", 0.6),
            (Answer::Share, "60 %", 0.6),
            (Answer::Share, "60%", 0.6),
            (Answer::Share, " 1/4 ", 0.25),
            (Answer::Share, "0.6 %", 0.006),
            (Answer::Share, "0", 0.0),
            (Answer::Share, "12,5 %", 0.125),
            (Answer::Time, "10ms", 1e7),
            (Answer::Time, "1.4 s", 1.4e9),
            (Answer::Time, "250 µs", 2.5e5),
            (Answer::Time, "0", 0.0),
            (Answer::Times, "200", 200.0),
            (Answer::Times, "200 times", 200.0),
            (Answer::Times, "1/2", 0.5),
            (count(), "16,384", 16_384.0),
            (count(), "32 page faults", 32.0),
            (options(), "b", 1.0),
            (options(), "A)", 0.0),
        ];
        for (answer, text, value) in cases {
            assert_eq!(read(text, &answer), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_answered_with_an_example() {
        let cases = [
            (Answer::Share, "0.6", "0.6 of 100, or 60 of 100?"),
            (Answer::Share, "", "Nothing was typed."),
            (Answer::Share, "10ms", "`10ms` is no share."),
            (Answer::Share, "120", "`120` is not from 0 to 100 %."),
            (Answer::Share, "-3", "`-3` is no share."),
            (Answer::Share, "1/0", "`1/0` is not from 0 to 100 %."),
            (Answer::Share, "many", "`many` is no share."),
            (Answer::Time, "10", "10 of what?"),
            (Answer::Time, "60 %", "`60 %` is no time."),
            (Answer::Times, "10ms", "`10ms` is no such number."),
            (Answer::Times, "nan", "`nan` is no such number."),
            (count(), "1/0", "`1/0` is no such number."),
            (options(), "c", "`c` is none of them."),
        ];
        for (answer, text, why) in cases {
            let said = read(text, &answer).unwrap_err();
            assert_eq!(said, format!("{why} Write {}.", example(&answer)), "{text}");
        }
    }

    #[test]
    fn a_prediction_is_answered_with_how_far_off_it_is() {
        let said = |answer: &Answer, mine, measured| held_against(mine, measured, answer);
        assert_eq!(said(&Answer::Share, 0.1, 0.65), "55 points too low");
        assert_eq!(said(&Answer::Share, 0.62, 0.65), "close");
        assert_eq!(said(&Answer::Times, 2.0, 200.0), "too low, by a factor of 100");
        assert_eq!(said(&Answer::Time, 1e6, 1.1e6), "close");
        assert_eq!(said(&Answer::Time, 1e6, 0.0), "too high");
        assert_eq!(said(&Answer::Time, 0.0, 0.0), "exact");
        assert_eq!([said(&options(), 1.0, 0.7), said(&options(), 0.0, 0.7)], ["right", "it is b"]);
    }
}
