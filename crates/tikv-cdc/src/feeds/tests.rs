use super::*;

/// A region with one-byte bounds; 0 is "no bound".
fn region(start: u8, end: u8) -> RegionRoute {
    let bound = |byte: u8| if byte == 0 { vec![] } else { vec![byte] };
    RegionRoute {
        id: u64::from(start) + 1,
        epoch: metapb::RegionEpoch::default(),
        range: KeyRange::new(bound(start), bound(end)),
        leader: metapb::Peer::default(),
        store_address: String::new(),
    }
}

/// Ids of the connected prefix for the range.
fn ids(regions: Vec<RegionRoute>, start: u8, end: u8) -> Vec<u64> {
    connected(regions, &region(start, end).range).iter().map(|region| region.id).collect()
}

#[test]
fn regions_count_only_up_to_the_first_hole() {
    assert_eq!(ids(vec![region(1, 5), region(5, 9), region(10, 0)], 2, 20), [2, 6]);
    assert_eq!(ids(vec![region(3, 5)], 2, 20), [] as [u64; 0]);
    assert_eq!(ids(vec![region(0, 5), region(5, 0), region(0, 5)], 0, 0), [1, 6]);
    assert_eq!(ids(vec![region(1, 5), region(5, 9)], 2, 5), [2]);
}

#[test]
fn told_successors_must_cover_the_range_and_be_on_the_store() {
    let mut old = region(1, 9);
    old.leader.store_id = 4;
    let told = |start: u8, end: u8, store_id| metapb::Region {
        id: start.into(),
        start_key: vec![start].into(),
        end_key: vec![end].into(),
        peers: vec![metapb::Peer { id: 1, store_id, ..metapb::Peer::default() }],
        ..metapb::Region::default()
    };
    let ids = |current: Vec<metapb::Region>| -> Vec<u64> {
        successors(&old, current, &old.range).iter().map(|region| region.id).collect()
    };
    assert_eq!(ids(vec![told(5, 9, 4), told(1, 5, 4)]), [1, 5]);
    assert_eq!(ids(vec![told(1, 5, 4)]), [] as [u64; 0]);
    assert_eq!(ids(vec![told(5, 9, 3), told(1, 5, 4)]), [] as [u64; 0]);
    assert_eq!(ids(vec![]), [] as [u64; 0]);
}
