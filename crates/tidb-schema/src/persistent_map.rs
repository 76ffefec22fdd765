//! A map whose versions share structure: cloning costs one reference count, a change copies one path.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Bits of the hash that each level of the tree consumes.
const LEVEL_BITS: u32 = 4;
/// Children of a branch.
const FANOUT: usize = 1 << LEVEL_BITS;
/// Entries of a leaf before it is split.
const LEAF_MAX: usize = 8;
/// Bits of a hash; deeper than this, leaves are not split.
const HASH_BITS: u32 = 64;

/// A hash tree map. Iteration order is arbitrary but the same for the same content history.
#[derive(Debug, Clone)]
pub(crate) struct PersistentMap<K, V> {
    root: Arc<Node<K, V>>,
    len: usize,
}

#[derive(Debug, Clone)]
enum Node<K, V> {
    /// Few entries, in order of insertion.
    Leaf(Vec<(K, V)>),
    /// One child per value of the next hash bits.
    Branch(Box<[Arc<Node<K, V>>; FANOUT]>),
}

impl<K, V> Default for PersistentMap<K, V> {
    fn default() -> Self {
        Self { root: Arc::new(Node::Leaf(Vec::new())), len: 0 }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> PersistentMap<K, V> {
    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The value of `key`.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let mut hash = hash_of(key);
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(entries) => return entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
                Node::Branch(children) => node = children.get(slot(hash))?,
            }
            hash >>= LEVEL_BITS;
        }
    }

    /// Sets the value of `key` and returns the one before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = hash_of(&key);
        let before = insert(&mut self.root, hash, HASH_BITS, key, value);
        self.len += usize::from(before.is_none());
        before
    }

    /// Takes `key` out and returns its value.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.get(key)?;
        let removed = remove(&mut self.root, hash_of(key), key);
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// All entries.
    pub(crate) fn iter(&self) -> Entries<'_, K, V> {
        Entries { nodes: vec![&*self.root], leaf: [].iter() }
    }

    /// All values.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

/// Entries of a [`PersistentMap`].
pub(crate) struct Entries<'a, K, V> {
    nodes: Vec<&'a Node<K, V>>,
    leaf: std::slice::Iter<'a, (K, V)>,
}

impl<'a, K, V> Iterator for Entries<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.leaf.next() {
                return Some((key, value));
            }
            match self.nodes.pop()? {
                Node::Leaf(entries) => self.leaf = entries.iter(),
                Node::Branch(children) => self.nodes.extend(children.iter().map(|child| &**child)),
            }
        }
    }
}

/// Hash with fixed keys, so that the tree has the same shape in every run.
fn hash_of<K: Hash>(key: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// The child that the lowest hash bits select.
fn slot(hash: u64) -> usize {
    (hash as usize) & (FANOUT - 1)
}

fn insert<K: Hash + Eq + Clone, V: Clone>(
    node: &mut Arc<Node<K, V>>,
    hash: u64,
    bits_left: u32,
    key: K,
    value: V,
) -> Option<V> {
    let consumed = HASH_BITS - bits_left;
    match Arc::make_mut(node) {
        Node::Branch(children) => {
            let child = children.get_mut(slot(hash))?;
            insert(child, hash >> LEVEL_BITS, bits_left - LEVEL_BITS, key, value)
        }
        Node::Leaf(entries) => {
            if let Some((_, existing)) = entries.iter_mut().find(|(k, _)| *k == key) {
                return Some(std::mem::replace(existing, value));
            }
            entries.push((key, value));
            if entries.len() > LEAF_MAX && bits_left > 0 {
                let entries = std::mem::take(entries);
                *node = Arc::new(split(entries, consumed));
            }
            None
        }
    }
}

/// Turns the entries of a full leaf, `consumed` hash bits deep, into a branch.
fn split<K: Hash + Eq + Clone, V: Clone>(entries: Vec<(K, V)>, consumed: u32) -> Node<K, V> {
    let mut leaves: [Vec<(K, V)>; FANOUT] = std::array::from_fn(|_| Vec::new());
    for entry in entries {
        let place = slot(hash_of(&entry.0) >> consumed);
        if let Some(leaf) = leaves.get_mut(place) {
            leaf.push(entry);
        }
    }
    Node::Branch(Box::new(leaves.map(|leaf| Arc::new(Node::Leaf(leaf)))))
}

fn remove<K: Hash + Eq + Clone, V: Clone>(node: &mut Arc<Node<K, V>>, hash: u64, key: &K) -> Option<V> {
    match Arc::make_mut(node) {
        Node::Branch(children) => remove(children.get_mut(slot(hash))?, hash >> LEVEL_BITS, key),
        Node::Leaf(entries) => {
            let position = entries.iter().position(|(k, _)| k == key)?;
            Some(entries.swap_remove(position).1)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_hash_map_and_old_versions_stay(
            steps in prop::collection::vec((0u16..600, prop::option::of(any::<u32>())), 0..1500),
        ) {
            let mut map = PersistentMap::default();
            let mut model = HashMap::new();
            let mut old = None;
            for (i, (key, value)) in steps.iter().enumerate() {
                match value {
                    Some(value) => prop_assert_eq!(map.insert(*key, *value), model.insert(*key, *value)),
                    None => prop_assert_eq!(map.remove(key), model.remove(key)),
                }
                prop_assert_eq!(map.len(), model.len());
                if i == steps.len() / 2 {
                    old = Some((map.clone(), model.clone()));
                }
            }
            let versions = old.into_iter().chain([(map, model)]);
            for (map, model) in versions {
                prop_assert_eq!(map.iter().map(|(k, v)| (*k, *v)).collect::<HashMap<_, _>>(), model.clone());
                for key in 0..600 {
                    prop_assert_eq!(map.get(&key), model.get(&key));
                }
            }
        }
    }
}
