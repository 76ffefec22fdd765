//! Checks of batches, good and damaged.

use super::testing::batch;
use super::*;
use proptest::prelude::*;

#[test]
fn an_intact_batch_is_accepted_and_a_flipped_bit_is_not() {
    let good = batch(&[10, 20, 15], Some((7, 0, 3)));
    let header = validate_produced(&good).unwrap();
    assert_eq!((header.last_offset_delta, header.max_timestamp, header.last_sequence()), (2, 20, 5));
    for at in CRC_START..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(validate_produced(&bad), Err(BatchError::Crc), "byte {at}");
    }
}

#[test]
fn the_rewritten_prefix_keeps_the_checksum_valid() {
    let mut bytes = batch(&[1, 2], None);
    let header = validate_produced(&bytes).unwrap();
    bytes[..REWRITTEN_LEN].copy_from_slice(&rewritten_prefix(&header, 4711, 0));
    let again = validate_produced(&bytes).unwrap();
    assert_eq!((again.base_offset, again.next_offset()), (4711, 4713));
}

#[test]
fn a_timestamp_finds_the_exact_record() {
    let bytes = batch(&[100, 90, 130, 120], None);
    let header = BatchHeader::parse(&bytes).unwrap();
    assert_eq!(find_by_timestamp(&header, &bytes, 95), Some((0, 100)));
    assert_eq!(find_by_timestamp(&header, &bytes, 101), Some((2, 130)));
    assert_eq!(find_by_timestamp(&header, &bytes, 131), None);
}

#[test]
fn sequences_wrap_to_zero() {
    assert_eq!(advance_sequence(i32::MAX, 1), 0);
    assert_eq!(advance_sequence(i32::MAX - 1, 1), i32::MAX);
    assert_eq!(advance_sequence(i32::MAX, 3), 2);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), ts in any::<i64>()) {
        if let Ok(header) = validate_produced(&bytes) {
            let _ = find_by_timestamp(&header, &bytes, ts);
        }
    }

    #[test]
    fn damaged_batches_never_panic(at in 0_usize..90, value in any::<u8>(), ts in any::<i64>()) {
        let mut bytes = batch(&[1, 5, 9], None);
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(header) = BatchHeader::parse(&bytes) {
            let _ = find_by_timestamp(&header, &bytes, ts);
            let _ = header.checksum_matches(&bytes);
        }
    }
}
