//! The sorter against a sorted vector, with limits so small that nearly everything is spilled.

use std::collections::BTreeMap;

use event_sorter::{FetchLimit, MemoryQuota, RowKind, SortedRow, Sorter, SorterConfig};
use proptest::prelude::*;

use crate::{row, wait_writable};

/// What a test does, one step at a time.
#[derive(Clone, Debug)]
enum Step {
    /// Push rows whose commit ts is the resolved ts of the table plus these offsets.
    Push(i64, Vec<(u64, u8, u8, u16)>),
    /// Push the last pushed row of the table again.
    Repeat(i64),
    /// Move the resolved ts.
    Resolve(i64, u64),
    /// Fetch one batch.
    Fetch(i64, u64, usize, usize),
    /// Give up rows.
    Release(i64, u64),
    /// Let the spill thread catch up.
    Wait,
}

/// Any step for one of three tables.
fn step() -> impl Strategy<Value = Step> {
    let table = 1_i64..4;
    let rows = prop::collection::vec((1_u64..40, 0_u8..3, 0_u8..20, 0_u16..400), 0..40);
    prop_oneof![
        6 => (table.clone(), rows).prop_map(|(table, rows)| Step::Push(table, rows)),
        1 => table.clone().prop_map(Step::Repeat),
        3 => (table.clone(), 0_u64..30).prop_map(|(table, by)| Step::Resolve(table, by)),
        4 => (table.clone(), 0_u64..40, 1_usize..50, 1_usize..5000)
            .prop_map(|(table, behind, rows, bytes)| Step::Fetch(table, behind, rows, bytes)),
        1 => (table, 0_u64..60).prop_map(|(table, behind)| Step::Release(table, behind)),
        2 => Just(Step::Wait),
    ]
}

/// What identifies a change and orders it.
type Place = (u64, u64, RowKind, Vec<u8>);

/// One table as a sorted map.
#[derive(Default)]
struct Model {
    /// Rows not handed out yet.
    rows: BTreeMap<Place, SortedRow>,
    /// Resolved ts.
    resolved: u64,
    /// Released up to here.
    released: u64,
    /// The row pushed last.
    last: Option<SortedRow>,
}

/// Place of a row.
fn place(row: &SortedRow) -> Place {
    (row.commit_ts, row.start_ts, row.kind(), row.key.to_vec())
}

/// Kind by number.
fn kind(number: u8) -> RowKind {
    [RowKind::Delete, RowKind::Update, RowKind::Insert][usize::from(number)]
}

/// Runs one schedule.
fn run(steps: Vec<Step>, memory_limit: usize) {
    let dir = tempfile::tempdir().unwrap();
    let quota = MemoryQuota::new(memory_limit * 4);
    let config = SorterConfig { memory_limit, max_open_files: 2 };
    let sorter = Sorter::open(dir.path(), config, quota.clone()).unwrap();
    let mut models: BTreeMap<i64, Model> = (1..4).map(|table| (table, Model::default())).collect();
    models.keys().for_each(|table| sorter.add_table(*table, 0));
    for step in steps {
        match step {
            Step::Push(table, rows) => {
                let model = models.get_mut(&table).unwrap();
                let rows: Vec<SortedRow> = rows
                    .into_iter()
                    .map(|(ahead, number, key, size)| {
                        let commit = model.resolved.max(model.released) + ahead;
                        row(
                            commit,
                            commit.saturating_sub(u64::from(key) % 3),
                            kind(number),
                            u64::from(key),
                            size.into(),
                        )
                    })
                    .collect();
                for row in &rows {
                    model.rows.entry(place(row)).or_insert_with(|| row.clone());
                    model.last = Some(row.clone());
                }
                // Rows of equal place must be equal, as in reality: value and size follow the first.
                let rows = rows.iter().map(|row| model.rows[&place(row)].clone()).collect();
                sorter.push(table, rows).unwrap();
            }
            Step::Repeat(table) => {
                let model = models.get_mut(&table).unwrap();
                if let Some(row) = model.last.clone()
                    && row.commit_ts > model.resolved.max(model.released)
                {
                    let row = model.rows.get(&place(&row)).cloned().unwrap_or(row);
                    sorter.push(table, vec![row]).unwrap();
                }
            }
            Step::Resolve(table, by) => {
                let model = models.get_mut(&table).unwrap();
                model.resolved += by;
                sorter.resolve(table, model.resolved).unwrap();
            }
            Step::Fetch(table, behind, rows, bytes) => {
                let model = models.get_mut(&table).unwrap();
                let upper = model.resolved.saturating_sub(behind);
                let batch = sorter.fetch(table, upper, FetchLimit { rows, bytes }).unwrap();
                check(model, upper, &batch, rows);
            }
            Step::Release(table, behind) => {
                let model = models.get_mut(&table).unwrap();
                let upto = model.resolved.saturating_sub(behind);
                sorter.release(table, upto).unwrap();
                model.released = model.released.max(upto);
                model.rows.retain(|place, _| place.0 > upto);
            }
            Step::Wait => wait_writable(&sorter),
        }
    }
    for (table, model) in &mut models {
        model.resolved += 1000;
        sorter.resolve(*table, model.resolved).unwrap();
        while !model.rows.is_empty() {
            let batch = sorter.fetch(*table, u64::MAX, FetchLimit { rows: 7, bytes: 2000 }).unwrap();
            check(model, model.resolved, &batch, 7);
        }
        let batch = sorter.fetch(*table, u64::MAX, FetchLimit::default()).unwrap();
        assert!(batch.rows.is_empty() && batch.exhausted && batch.complete_ts == model.resolved);
    }
    drop(sorter);
    assert_eq!(quota.used(), 0, "charges are left");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "files are left");
}

/// Compares a batch with the model and takes its rows out of it.
fn check(model: &mut Model, upper: u64, batch: &event_sorter::Batch, limit: usize) {
    assert!(batch.rows.len() <= limit);
    for row in &batch.rows {
        let (_, expected) = model.rows.pop_first().expect("more rows than were pushed");
        assert_eq!(&expected, row);
        assert!(row.commit_ts <= upper);
    }
    let next = model.rows.first_key_value().filter(|(place, _)| place.0 <= upper);
    assert_eq!(batch.exhausted, next.is_none());
    assert!(batch.exhausted || !batch.rows.is_empty());
    match next {
        None => assert!(batch.complete_ts >= upper),
        Some((place, _)) => assert_eq!(batch.complete_ts, place.0 - 1),
    }
    if let Some(last) = batch.rows.last() {
        let goes_on = next.is_some_and(|(place, _)| (place.0, place.1) == (last.commit_ts, last.start_ts));
        assert_eq!(batch.ends_transaction, !goes_on);
        assert_eq!(batch.transactions().map(<[_]>::len).sum::<usize>(), batch.rows.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn comes_out_as_a_sorted_vector_would(
        steps in prop::collection::vec(step(), 1..80),
        memory_limit in prop_oneof![Just(2_000_usize), Just(20_000), Just(10_000_000)],
    ) {
        run(steps, memory_limit);
    }
}
