//! The places a walk goes to. Subtrees that follow one another, such as neighbouring columns, make one run: where
//! the first ends the second begins, so no row behind the end is read in vain.

use crate::oid::{Oid, OidRef};

/// Adjacent subtrees and how far they were read.
#[derive(Debug)]
pub(super) struct Run {
    roots: Vec<Oid>,
    pub(super) last: Oid,
    pub(super) done: bool,
    /// Rows of the root that it stands in.
    count: usize,
    /// The rest of this answer is behind: the run has left a column without end.
    pub(super) leaves: bool,
}

impl Run {
    pub(super) fn holds(&self, oid: OidRef<'_>) -> bool {
        self.roots.iter().any(|root| oid.starts_with(root.as_ref()))
    }

    /// Goes on to `oid`, which is in this run. Returns the root that has given more than `most` rows, if it has; the run
    /// then stands before the next one, or is done.
    pub(super) fn step(&mut self, oid: Oid, most: usize) -> Option<Oid> {
        let place = self.roots.iter().position(|root| oid.starts_with(root))?;
        let root = &self.roots[place];
        self.count = if self.last.starts_with(root) { self.count + 1 } else { 1 };
        self.last = oid;
        if self.count <= most {
            return None;
        }
        let root = root.clone();
        (self.count, self.leaves) = (0, true);
        match self.roots.get(place + 1) {
            Some(next) => self.last = next.clone(),
            None => self.done = true,
        }
        Some(root)
    }

    /// Roots that have not been read to their end, as far as the run knows.
    pub(super) fn rest(&self) -> impl Iterator<Item = &Oid> {
        self.roots.iter().filter(|root| **root > self.last || self.last.starts_with(root))
    }
}

/// Sorts subtrees, drops those within others, and joins neighbours.
pub(super) fn runs(roots: &[Oid]) -> Vec<Run> {
    let mut sorted = roots.to_vec();
    sorted.sort();
    sorted.dedup();
    let mut runs: Vec<Run> = Vec::new();
    for root in sorted {
        if let Some(run) = runs.last_mut() {
            if run.holds(root.as_ref()) {
                continue;
            }
            if run.roots.last().is_some_and(|before| follows(before, &root)) {
                run.roots.push(root);
                continue;
            }
        }
        runs.push(Run { last: root.clone(), roots: vec![root], done: false, count: 0, leaves: false });
    }
    runs
}

/// Whether `b` is the next sibling of `a`.
fn follows(a: &Oid, b: &Oid) -> bool {
    let (last_a, last_b) = (a.arcs().last(), b.arcs().last());
    a.parent().is_some() && a.parent() == b.parent() && last_a.and_then(|arc| arc.checked_add(1)) == last_b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_read_in_one_go() {
        let oids = ["1.3.6.2.9", "1.3.6.2.5", "1.3.6.2.4", "1.3.6.2.4.1", "1.3.6.2.5", "1.3.7", "1.3.6.3.1"];
        let oids: Vec<Oid> = oids.iter().map(|text| text.parse().unwrap()).collect();
        let shape: Vec<Vec<String>> =
            runs(&oids).iter().map(|run| run.roots.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(shape, [vec!["1.3.6.2.4", "1.3.6.2.5"], vec!["1.3.6.2.9"], vec!["1.3.6.3.1"], vec!["1.3.7"]]);
    }
}
