//! What must hold of every drawn flame graph, as counts of what breaks it.

use std::collections::{BTreeMap, BTreeSet};

use lab_flame::draw::USABLE_PX;
use lab_flame::drawn::Frame;
use lab_flame::folded::Folded;

/// The count of each chain of callers in the stacks, `all` first: what should be drawn.
pub(crate) fn prefixes(folded: &Folded) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for stack in folded.stacks() {
        let mut path = "all".to_owned();
        *counts.entry(path.clone()).or_default() += stack.count;
        for frame in stack.frames() {
            path = format!("{path};{frame}");
            *counts.entry(path.clone()).or_default() += stack.count;
        }
    }
    counts
}

/// FG-1: neighbours on the same box whose names are not in order.
pub(crate) fn out_of_order(boxes: &[Frame]) -> usize {
    let siblings = |caller: &Frame| {
        let on_it = boxes.iter().filter(|frame| callers(frame) == Some(&caller.path));
        let mut on_it: Vec<&Frame> = on_it.collect();
        on_it.sort_by_key(|frame| frame.x);
        on_it.windows(2).filter(|pair| pair[0].name() > pair[1].name()).count()
    };
    boxes.iter().map(siblings).sum()
}

/// FG-2: the most pixels by which a box is wider or narrower than its count.
pub(crate) fn width_error_px(boxes: &[Frame]) -> f64 {
    let total = boxes.first().map_or(0, |root| root.count);
    let error =
        |frame: &Frame| (frame.width_px - frame.count as f64 * USABLE_PX / total as f64).abs();
    boxes.iter().map(error).fold(0.0, f64::max)
}

/// FG-3: boxes that are not themselves and what stands on them, no more and no less.
pub(crate) fn wrong_sums(boxes: &[Frame], folded: &Folded) -> usize {
    let own = |path: &str| {
        let ends_here = |stack: &&lab_flame::folded::Stack<'_>| {
            path.strip_prefix("all;").is_some_and(|frames| frames == stack.path())
        };
        folded.stacks().collect::<Vec<_>>().iter().filter(ends_here).map(|s| s.count).sum::<u64>()
    };
    let wrong = |frame: &&Frame| {
        let on_it = boxes.iter().filter(|other| callers(other) == Some(&frame.path));
        frame.count != own(&frame.path) + on_it.map(|other| other.count).sum::<u64>()
    };
    boxes.iter().filter(wrong).count()
}

/// FG-4 and FG-5: chains of callers with two boxes or none, and boxes that are no such chain, where
/// everything of at least `min_px` is to be drawn.
pub(crate) fn wrongly_merged(boxes: &[Frame], folded: &Folded, min_px: f64) -> usize {
    let wide = |count: u64| count as f64 * USABLE_PX / folded.total() as f64 >= min_px;
    let wanted = prefixes(folded);
    let wanted: BTreeSet<&str> =
        wanted.iter().filter(|(_, count)| wide(**count)).map(|(path, _)| path.as_str()).collect();
    let drawn: BTreeSet<&str> = boxes.iter().map(|frame| frame.path.as_str()).collect();
    let twice = boxes.len() - drawn.len();
    twice + wanted.symmetric_difference(&drawn).count()
}

/// FG-7: the share of boxes, the root aside, whose colour lies in the ranges of a palette.
pub(crate) fn in_palette(boxes: &[Frame], [red, green, blue]: [[u8; 2]; 3]) -> f64 {
    let within = |[low, high]: [u8; 2], value| (low..=high).contains(&value);
    let fits = |frame: &&Frame| {
        let [r, g, b] = frame.fill;
        within(red, r) && within(green, g) && within(blue, b)
    };
    let coloured: Vec<&Frame> = boxes.iter().filter(|frame| frame.path != "all").collect();
    // No box at all is in no palette.
    coloured.iter().filter(|frame| fits(frame)).count() as f64 / coloured.len().max(1) as f64
}

/// The path of what a box stands on.
fn callers(frame: &Frame) -> Option<&str> {
    frame.path.rsplit_once(';').map(|(callers, _)| callers)
}

#[cfg(test)]
mod tests {
    use lab_flame::draw::Options;
    use lab_flame::drawn::boxes;

    use super::*;
    use crate::drawing::svg;

    const STACKS: &str = "main;b;c 30\nmain;b 10\nmain;a;c 40\nmain;b::new 20\n";

    fn drawn(folded: &str) -> (Vec<Frame>, Folded) {
        let svg = svg(folded, &Options::default()).unwrap();
        (boxes(&svg), Folded::parse("in", folded).unwrap())
    }

    /// One rule, the graph as it is, and the graph changed.
    fn assert_broken(rule: impl Fn(&[Frame]) -> f64, tamper: impl Fn(&mut Vec<Frame>)) {
        let (mut boxes, _) = drawn(STACKS);
        assert!(rule(&boxes) < 0.01, "{boxes:?}");
        tamper(&mut boxes);
        assert!(rule(&boxes) >= 0.1, "{boxes:?}");
    }

    #[test]
    fn each_rule_of_a_flame_graph_can_be_broken() {
        let folded = Folded::parse("in", STACKS).unwrap();
        assert_broken(|b| out_of_order(b) as f64, |b| b.iter_mut().for_each(|f| f.x = 900 - f.x));
        assert_broken(width_error_px, |b| b[2].width_px += 0.1);
        assert_broken(|b| wrong_sums(b, &folded) as f64, |b| b[3].count += 1);
        assert_broken(|b| wrong_sums(b, &folded) as f64, |b| drop(b.pop()));
        assert_broken(|b| wrongly_merged(b, &folded, 0.1) as f64, |b| b.push(b[4].clone()));
        assert_broken(|b| wrongly_merged(b, &folded, 0.1) as f64, |b| drop(b.pop()));
        assert_broken(|b| wrongly_merged(b, &folded, 0.1) as f64, |b| b[3].path = "all;x".into());
        let hot = [[205, 255], [0, 230], [0, 55]];
        assert_broken(|b| 1.0 - in_palette(b, hot), |b| b[1].fill = [0, 0, 255]);
    }

    #[test]
    fn the_parent_of_a_box_is_the_one_below_it() {
        let (boxes, folded) = drawn(STACKS);
        let paths: BTreeSet<_> = boxes.iter().map(|frame| frame.path.clone()).collect();
        assert_eq!(paths, prefixes(&folded).into_keys().collect());
    }
}
