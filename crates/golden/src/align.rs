//! Two lists of messages beside each other.

use crate::message::Comparable;

/// What stands at one place of two lists.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pair<'a, T> {
    /// The same.
    Same,
    /// Different things.
    Differ(&'a T, &'a T),
    /// Only in the first list.
    Left(&'a T),
    /// Only in the second list.
    Right(&'a T),
}

/// Aligns two lists: after a difference they go on at the nearest place where they agree again.
pub(crate) fn align<'a, T>(
    left: &[&'a T],
    right: &[&'a T],
    same: impl Fn(&T, &T) -> bool,
) -> Vec<Pair<'a, T>> {
    let (mut left, mut right) = (left.iter(), right.iter());
    let mut pairs = Vec::new();
    while let (Some(a), Some(b)) = (left.as_slice().first(), right.as_slice().first()) {
        if same(a, b) {
            pairs.push(Pair::Same);
            left.next();
            right.next();
            continue;
        }
        let skip_left = left.as_slice().iter().position(|a| same(a, b));
        let skip_right = right.as_slice().iter().position(|b| same(a, b));
        match (skip_left, skip_right) {
            (Some(count), other) if other.is_none_or(|other| count <= other) => {
                pairs.extend(left.by_ref().take(count).map(|a| Pair::Left(*a)));
            }
            (_, Some(count)) => pairs.extend(right.by_ref().take(count).map(|b| Pair::Right(*b))),
            (_, None) => {
                pairs.push(Pair::Differ(a, b));
                left.next();
                right.next();
            }
        }
    }
    pairs.extend(left.map(|a| Pair::Left(*a)));
    pairs.extend(right.map(|b| Pair::Right(*b)));
    pairs
}

/// The order in which messages of a table with partitions are compared: DDLs in place, rows between two of them, which
/// have no order, sorted.
pub(crate) fn without_row_order(list: &mut [&Comparable]) {
    for rows in list.split_mut(|message| message.is_ddl) {
        rows.sort_by(|a, b| a.text.cmp(&b.text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_agree_again_after_something_extra_on_either_side() {
        let (left, right) = ([1, 2, 3, 4, 9], [1, 3, 7, 4, 8]);
        let pairs = align(&left.iter().collect::<Vec<_>>(), &right.iter().collect::<Vec<_>>(), |a, b| a == b);
        let expected =
            [Pair::Same, Pair::Left(&2), Pair::Same, Pair::Right(&7), Pair::Same, Pair::Differ(&9, &8)];
        assert_eq!(pairs, expected);
    }
}
