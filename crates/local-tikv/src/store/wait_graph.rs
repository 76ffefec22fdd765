//! Who waits for whom: finds the circle before it closes.

use std::collections::{HashMap, HashSet};

/// One transaction waits for another on a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// Start timestamp of the transaction that waits.
    pub(crate) waiter: u64,
    /// Start timestamp of the one that holds the lock.
    pub(crate) holder: u64,
    /// Raw key.
    pub(crate) key: Box<[u8]>,
}

/// Waits by waiter. A transaction may wait on several keys at once.
#[derive(Debug, Default)]
pub(crate) struct WaitGraph {
    waits: HashMap<u64, Vec<Wait>>,
}

impl WaitGraph {
    /// Adds a wait, or returns the chain from the holder back to the waiter that it would close.
    pub(crate) fn add(&mut self, wait: Wait) -> Result<(), Vec<Wait>> {
        if let Some(chain) = self.path(wait.holder, wait.waiter) {
            return Err(chain);
        }
        self.waits.entry(wait.waiter).or_default().push(wait);
        Ok(())
    }

    /// Removes a wait.
    pub(crate) fn remove(&mut self, waiter: u64, holder: u64, key: &[u8]) {
        let Some(waits) = self.waits.get_mut(&waiter) else { return };
        if let Some(at) = waits.iter().position(|wait| wait.holder == holder && &*wait.key == key) {
            waits.swap_remove(at);
        }
        if waits.is_empty() {
            self.waits.remove(&waiter);
        }
    }

    /// A chain of waits that leads from `from` to `to`.
    fn path(&self, from: u64, to: u64) -> Option<Vec<Wait>> {
        let mut came_by: HashMap<u64, &Wait> = HashMap::new();
        let mut seen = HashSet::from([from]);
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            for wait in self.waits.get(&at).into_iter().flatten() {
                if !seen.insert(wait.holder) {
                    continue;
                }
                came_by.insert(wait.holder, wait);
                if wait.holder == to {
                    return Some(walk_back(&came_by, from, to));
                }
                open.push(wait.holder);
            }
        }
        None
    }
}

fn walk_back(came_by: &HashMap<u64, &Wait>, from: u64, to: u64) -> Vec<Wait> {
    let mut chain = Vec::new();
    let mut at = to;
    while at != from {
        let Some(wait) = came_by.get(&at) else { break };
        chain.push(Wait::clone(wait));
        at = wait.waiter;
    }
    chain.reverse();
    chain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wait(waiter: u64, holder: u64) -> Wait {
        Wait { waiter, holder, key: Box::from([holder as u8]) }
    }

    #[test]
    fn the_wait_that_closes_a_circle_is_refused_with_the_chain() {
        let mut graph = WaitGraph::default();
        graph.add(wait(1, 2)).unwrap();
        graph.add(wait(2, 3)).unwrap();
        assert_eq!(graph.add(wait(3, 1)), Err(vec![wait(1, 2), wait(2, 3)]));
        graph.remove(2, 3, &[3]);
        graph.add(wait(3, 1)).unwrap();
    }

    #[test]
    fn parallel_waits_of_one_transaction_are_followed() {
        let mut graph = WaitGraph::default();
        graph.add(wait(1, 2)).unwrap();
        graph.add(wait(1, 3)).unwrap();
        assert!(graph.add(wait(2, 1)).is_err());
        assert!(graph.add(wait(3, 1)).is_err());
    }

    proptest! {
        #[test]
        fn accepted_waits_never_form_a_circle(pairs in proptest::collection::vec((0u64..8, 0u64..8), 0..60)) {
            let mut graph = WaitGraph::default();
            let mut accepted = Vec::new();
            for (a, b) in pairs.into_iter().filter(|(a, b)| a != b) {
                if graph.add(wait(a, b)).is_ok() {
                    accepted.push((a, b));
                }
            }
            // Kahn's algorithm: a graph without circles can be emptied from its sinks.
            let mut left = accepted;
            loop {
                let before = left.len();
                let waiting: HashSet<u64> = left.iter().map(|(a, _)| *a).collect();
                left.retain(|(_, b)| waiting.contains(b));
                if left.len() == before {
                    break;
                }
            }
            prop_assert!(left.is_empty());
        }
    }
}
