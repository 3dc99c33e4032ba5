//! How many requests were answered, in sentences: a percentile of those alone would hide the rest.

use lab_record::{Accounting, End, Requests, Summary};

use lab_text::quantity::number;

/// One sentence for all requests of the timed trials, and one for each label whose requests were not
/// all completed; none where the lab makes no requests.
pub fn answered(summary: &Summary) -> Vec<String> {
    let all = &summary.requests;
    let mut sum = Accounting::default();
    all.values().for_each(|requests| sum += requests.accounting);
    if sum.offered == 0 {
        return Vec::new();
    }
    let mut sentences = vec![sentence(&sum)];
    if all.len() > 1 {
        let incomplete =
            |(_, r): &(&String, &Requests)| r.accounting.completed < r.accounting.offered;
        let each = all.iter().filter(incomplete);
        sentences.extend(each.map(|(label, r)| format!("{label}: {}", sentence(&r.accounting))));
    }
    sentences
}

/// All that a newcomer has to know of a valid run, in one sentence: how its requests ended belongs
/// to its experiment. Of an invalid one it is all that [`answered`] says.
pub fn answered_in_short(summary: &Summary) -> Vec<String> {
    let mut sum = Accounting::default();
    summary.requests.values().for_each(|requests| sum += requests.accounting);
    if !summary.valid || sum.completed == sum.offered {
        return answered(summary);
    }
    let others = End::ALL.into_iter().filter(|end| *end != End::Completed && sum.of(*end) > 0);
    let others = others.map(|end| format!("{} {}", number(sum.of(end) as f64), end.words()));
    let (answered, offered) = (number(sum.answered() as f64), number(sum.offered as f64));
    let others = others.collect::<Vec<_>>().join(", ");
    vec![format!(
        "{answered} of {offered} requests were answered; {others}, as some do in this experiment."
    )]
}

/// `254 of 756 requests were answered: 254 completed, 502 timed out.`
fn sentence(sum: &Accounting) -> String {
    let count = |count: u64| number(count as f64);
    if sum.completed == sum.offered {
        return format!("All {} requests were answered.", count(sum.offered));
    }
    let ends = End::ALL.into_iter().filter(|end| sum.of(*end) > 0);
    let ends: Vec<String> =
        ends.map(|end| format!("{} {}", count(sum.of(end)), end.words())).collect();
    let (answered, offered) = (count(sum.answered()), count(sum.offered));
    format!("{answered} of {offered} requests were answered: {}.", ends.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_not_completed_are_listed_by_end() {
        let all = Accounting { offered: 12_345, completed: 12_345, ..Accounting::default() };
        assert_eq!(sentence(&all), "All 12,345 requests were answered.");
        let some = Accounting {
            offered: 756,
            completed: 250,
            refused: 4,
            timed_out: 500,
            in_flight: 2,
            ..Accounting::default()
        };
        assert_eq!(
            sentence(&some),
            "254 of 756 requests were answered: 250 completed, 4 refused, 500 timed out, \
             2 in flight."
        );
    }
}
