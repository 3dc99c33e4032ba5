//! The stacks of several trials as one tree of boxes, with counts for each trial.

use std::collections::HashMap;

use crate::folded::{Folded, Stack};

/// Boxes in the order of a walk from the root, and for each its counts: trial by trial, flat.
pub(super) struct Tree<'a> {
    pub(super) boxes: Vec<Node>,
    pub(super) names: Vec<&'a str>,
    /// `own[node * trials + trial]`: samples that end in the box.
    pub(super) own: Vec<u64>,
    /// The same and all boxes above it.
    pub(super) inclusive: Vec<u64>,
    trials: usize,
}

/// Narrow numbers: large profiles have millions of boxes, and each pass over them waits for memory.
pub(super) struct Node {
    name: u32,
    depth: u32,
    parent: u32,
}

/// The root has no name.
const NO_NAME: u32 = u32::MAX;

impl Node {
    pub(super) fn name(&self) -> Option<usize> {
        (self.name != NO_NAME).then_some(self.name as usize)
    }

    pub(super) fn depth(&self) -> usize {
        self.depth as usize
    }
}

/// Counts by name, in the layout of [`Tree::own`].
pub(super) struct ByName {
    pub(super) own: Vec<u64>,
    pub(super) inclusive: Vec<u64>,
}

impl<'a> Tree<'a> {
    pub(super) fn build(profiles: &[&'a Folded]) -> Tree<'a> {
        let trials = profiles.len();
        let mut stacks: Vec<_> = profiles
            .iter()
            .enumerate()
            .flat_map(|(trial, folded)| folded.stacks().map(move |stack| (stack, trial)))
            .collect();
        // Each profile is sorted already, and a stable sort finds that out and merges.
        stacks.sort_by(|(a, _), (b, _)| a.order(*b));

        let root = Node { name: NO_NAME, depth: 0, parent: 0 };
        let mut tree = Tree {
            boxes: vec![root],
            names: vec![],
            own: vec![0; trials],
            inclusive: vec![],
            trials,
        };
        let mut ids = HashMap::new();
        // The boxes from the root to where the last stack ended.
        let (mut open, mut last) = (vec![0], Stack::default());
        for (stack, trial) in stacks {
            let (shared, rest) = stack.apart_from(last);
            open.truncate(1 + shared);
            for frame in rest {
                let name = *ids.entry(frame).or_insert_with(|| {
                    tree.names.push(frame);
                    tree.names.len() as u32 - 1
                });
                let parent = open[open.len() - 1] as u32;
                open.push(tree.boxes.len());
                tree.boxes.push(Node { name, depth: open.len() as u32 - 1, parent });
            }
            tree.own.resize(tree.boxes.len() * trials, 0);
            tree.own[open[open.len() - 1] * trials + trial] += stack.count;
            last = stack;
        }
        tree.sum_up();
        tree
    }

    /// Children stand behind their parents, so one pass from the end adds all of them up.
    fn sum_up(&mut self) {
        self.inclusive = self.own.clone();
        for node in (1..self.boxes.len()).rev() {
            for trial in 0..self.trials {
                self.inclusive[self.boxes[node].parent as usize * self.trials + trial] +=
                    self.inclusive[node * self.trials + trial];
            }
        }
    }

    /// Adds boxes up by name; of a recursion only the outermost box counts as inclusive.
    pub(super) fn by_name(&self) -> ByName {
        let mut sums = ByName { own: vec![0; self.names.len() * self.trials], inclusive: vec![] };
        sums.inclusive = sums.own.clone();
        let mut open: Vec<usize> = Vec::new();
        let mut times_open = vec![0_u32; self.names.len()];
        for (index, node) in self.boxes.iter().enumerate() {
            let Some(name) = node.name() else { continue };
            for closed in open.drain(node.depth() - 1..) {
                times_open[closed] -= 1;
            }
            let outermost = times_open[name] == 0;
            times_open[name] += 1;
            open.push(name);
            for trial in 0..self.trials {
                let (to, from) = (name * self.trials + trial, index * self.trials + trial);
                sums.own[to] += self.own[from];
                sums.inclusive[to] += if outermost { self.inclusive[from] } else { 0 };
            }
        }
        sums
    }
}
