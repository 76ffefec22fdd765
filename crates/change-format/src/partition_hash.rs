//! The hash that spreads messages over Kafka partitions.

/// A hash over lists of byte strings. The order of writes does not matter: each write's checksum is combined by
/// exclusive or.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartitionHash(u32);

impl PartitionHash {
    /// A hash without writes.
    pub const fn new() -> Self {
        Self(0)
    }

    /// Adds the CRC-32 of the concatenation of `parts`.
    pub fn write(&mut self, parts: &[&[u8]]) {
        let mut crc = crc32fast::Hasher::new();
        for part in parts {
            crc.update(part);
        }
        self.0 ^= crc.finalize();
    }

    /// The hash.
    pub const fn value(self) -> u32 {
        self.0
    }

    /// The partition of `partitions`; 0 if there are none.
    pub const fn partition(self, partitions: u32) -> u32 {
        if partitions == 0 { 0 } else { self.0 % partitions }
    }
}

/// The partition that rule `ts` chooses.
pub const fn partition_by_ts(commit_ts: u64, partitions: u32) -> u32 {
    if partitions == 0 { 0 } else { (commit_ts % partitions as u64) as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(pairs: &[(&str, &str)]) -> u32 {
        let mut hash = PartitionHash::new();
        for (a, b) in pairs {
            hash.write(&[a.as_bytes(), b.as_bytes()]);
        }
        hash.value()
    }

    #[test]
    fn published_vectors_hold_in_any_order() {
        let pairs = [("hello", "hash"), ("hello", "pingcap"), ("hello", "ticdc"), ("hello", "tools")];
        assert_eq!(hash(&pairs), 0x9145_05a7);
        assert_eq!(hash(&[pairs[3], pairs[1], pairs[0], pairs[2]]), 0x9145_05a7);
        assert_eq!(hash(&[pairs[0], pairs[1], ("ticdc", "hello"), pairs[3]]), 0xf21b_4f40);
    }

    #[test]
    fn partition_is_the_remainder() {
        assert_eq!(PartitionHash(10).partition(7), 3);
        assert_eq!(PartitionHash(10).partition(0), 0);
        assert_eq!(partition_by_ts(u64::MAX, 7), (u64::MAX % 7) as u32);
    }
}
