//! Folded stacks as a small tree: what a page draws, zooms and searches.
//!
//! The page draws its flame graphs itself. An inferno SVG of 20,000 stacks alone would break the
//! budget of a page, and its `onload` handler needs the very permission to run inline script that
//! the page's policy is there to refuse.

use std::collections::{BTreeMap, HashMap};

use lab_flame::folded::Folded;
use serde::Serialize;

/// A flame graph, parents before children, siblings by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Tree {
    /// Every distinct frame name.
    pub(crate) names: Vec<String>,
    /// For each box: depth, index of its name, count; the first box is the root.
    pub(crate) boxes: Vec<u64>,
    /// Boxes left out, all narrower than any that is there.
    pub(crate) left_out: usize,
}

/// The tree of some stacks with at most `most_boxes` boxes and `most_bytes` bytes of names.
pub(crate) fn tree(folded: &Folded, most_boxes: usize, most_bytes: usize) -> Tree {
    let mut root = Node::default();
    for stack in folded.stacks() {
        root.count += stack.count;
        stack.frames().fold(&mut root, |node, frame| {
            let child = node.children.entry(frame).or_default();
            child.count += stack.count;
            child
        });
    }
    let mut counts = Vec::new();
    root.each(0, "all", &mut |_, _, node| counts.push(node.count));
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let all = counts.len();
    // A box is kept with all that are as wide, so one threshold decides, and no box loses its parent.
    let mut keep = most_boxes;
    loop {
        let least = counts.get(keep).map_or(0, |narrower| narrower + 1);
        let tree = flatten(&root, least, all);
        if keep == 0 || tree.names.iter().map(String::len).sum::<usize>() <= most_bytes {
            return tree;
        }
        keep = keep.min(all) * 3 / 4;
    }
}

fn flatten(root: &Node<'_>, least: u64, all: usize) -> Tree {
    let mut tree = Tree::default();
    let mut known: HashMap<String, u64> = HashMap::new();
    root.each(0, "all", &mut |depth, frame, node| {
        if node.count < least && depth > 0 {
            return;
        }
        let index = *known.entry(frame.to_owned()).or_insert_with(|| {
            tree.names.push(frame.to_owned());
            tree.names.len() as u64 - 1
        });
        tree.boxes.extend([depth, index, node.count]);
    });
    tree.left_out = all - tree.boxes.len() / 3;
    tree
}

/// Finds boxes by their frames.
pub(crate) struct Boxes<'a>(HashMap<(usize, &'a str), usize>);

impl<'a> Boxes<'a> {
    pub(crate) fn of(tree: &'a Tree) -> Self {
        let mut open = Vec::new();
        let mut children = HashMap::new();
        for (index, one) in tree.boxes.chunks_exact(3).enumerate() {
            open.truncate(one[0] as usize);
            if let Some(parent) = open.last() {
                children.insert((*parent, tree.names[one[1] as usize].as_str()), index);
            }
            open.push(index);
        }
        Self(children)
    }

    /// The box of a stack: its last frame's, or its last that was not left out.
    pub(crate) fn last<'f>(&self, mut frames: impl Iterator<Item = &'f str>) -> usize
    where
        'a: 'f,
    {
        let found =
            frames.try_fold(0, |parent, frame| self.0.get(&(parent, frame)).copied().ok_or(parent));
        found.unwrap_or_else(|last| last)
    }
}

#[derive(Default)]
struct Node<'a> {
    count: u64,
    children: BTreeMap<&'a str, Node<'a>>,
}

impl Node<'_> {
    /// Visits boxes parents first, without recursion: stacks may be thousands of frames deep.
    fn each(&self, depth: u64, frame: &str, visit: &mut impl FnMut(u64, &str, &Self)) {
        let mut open = vec![(depth, frame, self)];
        while let Some((depth, frame, node)) = open.pop() {
            visit(depth, frame, node);
            open.extend(node.children.iter().rev().map(|(name, child)| (depth + 1, *name, child)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> Folded {
        Folded::parse("test", text.as_bytes()).unwrap()
    }

    #[test]
    fn boxes_stand_parents_first_and_add_up() {
        let tree = tree(&folded("main;parse 20\nmain;run;parse 30\nmain;run 50\n"), 100, 1_000);
        assert_eq!(tree.names, ["all", "main", "parse", "run"]);
        assert_eq!(tree.boxes, [0, 0, 100, 1, 1, 100, 2, 2, 20, 2, 3, 80, 3, 2, 30]);
        assert_eq!(tree.left_out, 0);
    }

    #[test]
    fn a_stack_is_found_by_its_frames_as_far_as_it_was_kept() {
        let folded = folded("main;parse 20\nmain;run;parse 30\nmain;run 50\nmain;rare;run 1\n");
        let tree = tree(&folded, 5, 1_000);
        assert_eq!((tree.names.len(), tree.left_out), (4, 2), "`rare` is left out");
        let boxes = Boxes::of(&tree);
        let last = |stack: &str| boxes.last(stack.split(';'));
        let name = |index: usize| tree.names[tree.boxes[3 * index + 1] as usize].as_str();
        assert_eq!((last("main;parse"), name(2)), (2, "parse"));
        assert_eq!((last("main;run;parse"), name(4)), (4, "parse"));
        assert_eq!((last("main;run"), last("main;rare;run"), last("other")), (3, 1, 0));
    }

    #[test]
    fn the_narrowest_boxes_are_left_out_and_counted() {
        let text: String = (0..1_000).map(|i| format!("main;f{i} {}\n", i + 1)).collect();
        let few = tree(&folded(&text), 100, 100_000);
        assert_eq!((few.boxes.len() / 3, few.left_out), (100, 902));
        let narrowest = few.boxes.chunks(3).map(|one| one[2]).min();
        assert_eq!(narrowest, Some(903));
        let short = tree(&folded(&text), 1_000, 200);
        assert!(short.names.iter().map(String::len).sum::<usize>() <= 200);
        assert!(short.left_out > few.left_out);
    }
}
