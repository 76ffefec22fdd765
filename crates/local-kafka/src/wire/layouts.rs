//! Where arrays and texts are in each request, by version.
//!
//! From the Kafka protocol's message definitions. Tagged fields with a known meaning only occur in requests of
//! follower brokers; they are listed by count so that they can be refused.

use kafka_protocol::messages::ApiKey;

use super::guard::Field;
use super::guard::Kind::{self, Blob, Fixed, List, Structs, Text};

/// For requests without a flexible version.
const NEVER: i16 = i16::MAX;

/// The layout of one request.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Which request.
    pub(crate) api: ApiKey,
    /// First version with compact lengths and tagged fields.
    pub(crate) flexible_from: i16,
    /// Fields in wire order.
    pub(crate) fields: &'static [Field],
}

/// A field present in the versions from `min` to `max`.
const fn at(min: i16, max: i16, kind: Kind) -> Field {
    Field { min, max, kind }
}

/// Every request this broker reads.
pub(crate) const LAYOUTS: &[Layout] = &[
    Layout {
        api: ApiKey::Produce,
        flexible_from: 9,
        fields: &[
            at(3, 13, Text),
            at(3, 13, Fixed(2)),
            at(3, 13, Fixed(4)),
            at(
                3,
                13,
                Structs(&[
                    at(3, 12, Text),
                    at(13, 13, Fixed(16)),
                    at(3, 13, Structs(&[at(3, 13, Fixed(4)), at(3, 13, Blob)])),
                ]),
            ),
        ],
    },
    Layout {
        api: ApiKey::Fetch,
        flexible_from: 12,
        fields: &[
            at(4, 14, Fixed(4)),
            at(4, 18, Fixed(4)),
            at(4, 18, Fixed(4)),
            at(4, 18, Fixed(4)),
            at(4, 18, Fixed(1)),
            at(7, 18, Fixed(4)),
            at(7, 18, Fixed(4)),
            at(
                4,
                18,
                Structs(&[
                    at(4, 12, Text),
                    at(13, 18, Fixed(16)),
                    at(
                        4,
                        18,
                        Structs(&[
                            at(4, 18, Fixed(4)),
                            at(9, 18, Fixed(4)),
                            at(4, 18, Fixed(8)),
                            at(12, 18, Fixed(4)),
                            at(5, 18, Fixed(8)),
                            at(4, 18, Fixed(4)),
                        ]),
                    ),
                ]),
            ),
            at(7, 18, Structs(&[at(7, 12, Text), at(13, 18, Fixed(16)), at(7, 18, List(&Fixed(4)))])),
            at(11, 18, Text),
        ],
    },
    Layout {
        api: ApiKey::ListOffsets,
        flexible_from: 6,
        fields: &[
            at(1, 10, Fixed(4)),
            at(2, 10, Fixed(1)),
            at(
                1,
                10,
                Structs(&[
                    at(1, 10, Text),
                    at(1, 10, Structs(&[at(1, 10, Fixed(4)), at(4, 10, Fixed(4)), at(1, 10, Fixed(8))])),
                ]),
            ),
            at(10, 10, Fixed(4)),
        ],
    },
    Layout {
        api: ApiKey::Metadata,
        flexible_from: 9,
        fields: &[
            at(0, 13, Structs(&[at(10, 13, Fixed(16)), at(0, 13, Text)])),
            at(4, 13, Fixed(1)),
            at(8, 10, Fixed(1)),
            at(8, 13, Fixed(1)),
        ],
    },
    Layout {
        api: ApiKey::OffsetCommit,
        flexible_from: 8,
        fields: &[
            at(2, 9, Text),
            at(2, 9, Fixed(4)),
            at(2, 9, Text),
            at(7, 9, Text),
            at(2, 4, Fixed(8)),
            at(
                2,
                9,
                Structs(&[
                    at(2, 9, Text),
                    at(
                        2,
                        9,
                        Structs(&[
                            at(2, 9, Fixed(4)),
                            at(2, 9, Fixed(8)),
                            at(6, 9, Fixed(4)),
                            at(2, 9, Text),
                        ]),
                    ),
                ]),
            ),
        ],
    },
    Layout {
        api: ApiKey::OffsetFetch,
        flexible_from: 6,
        fields: &[
            at(1, 7, Text),
            at(1, 7, Structs(&[at(1, 7, Text), at(1, 7, List(&Fixed(4)))])),
            at(
                8,
                9,
                Structs(&[
                    at(8, 9, Text),
                    at(9, 9, Text),
                    at(9, 9, Fixed(4)),
                    at(8, 9, Structs(&[at(8, 9, Text), at(8, 9, List(&Fixed(4)))])),
                ]),
            ),
            at(7, 9, Fixed(1)),
        ],
    },
    Layout {
        api: ApiKey::FindCoordinator,
        flexible_from: 3,
        fields: &[at(0, 3, Text), at(1, 6, Fixed(1)), at(4, 6, List(&Text))],
    },
    Layout {
        api: ApiKey::JoinGroup,
        flexible_from: 6,
        fields: &[
            at(0, 9, Text),
            at(0, 9, Fixed(4)),
            at(1, 9, Fixed(4)),
            at(0, 9, Text),
            at(5, 9, Text),
            at(0, 9, Text),
            at(0, 9, Structs(&[at(0, 9, Text), at(0, 9, Blob)])),
            at(8, 9, Text),
        ],
    },
    Layout {
        api: ApiKey::Heartbeat,
        flexible_from: 4,
        fields: &[at(0, 4, Text), at(0, 4, Fixed(4)), at(0, 4, Text), at(3, 4, Text)],
    },
    Layout {
        api: ApiKey::LeaveGroup,
        flexible_from: 4,
        fields: &[
            at(0, 5, Text),
            at(0, 2, Text),
            at(3, 5, Structs(&[at(3, 5, Text), at(3, 5, Text), at(5, 5, Text)])),
        ],
    },
    Layout {
        api: ApiKey::SyncGroup,
        flexible_from: 4,
        fields: &[
            at(0, 5, Text),
            at(0, 5, Fixed(4)),
            at(0, 5, Text),
            at(3, 5, Text),
            at(5, 5, Text),
            at(5, 5, Text),
            at(0, 5, Structs(&[at(0, 5, Text), at(0, 5, Blob)])),
        ],
    },
    Layout {
        api: ApiKey::DescribeGroups,
        flexible_from: 5,
        fields: &[at(0, 6, List(&Text)), at(3, 6, Fixed(1))],
    },
    Layout {
        api: ApiKey::ListGroups,
        flexible_from: 3,
        fields: &[at(4, 5, List(&Text)), at(5, 5, List(&Text))],
    },
    Layout { api: ApiKey::ApiVersions, flexible_from: 3, fields: &[at(3, 4, Text), at(3, 4, Text)] },
    Layout {
        api: ApiKey::CreateTopics,
        flexible_from: 5,
        fields: &[
            at(
                2,
                7,
                Structs(&[
                    at(2, 7, Text),
                    at(2, 7, Fixed(4)),
                    at(2, 7, Fixed(2)),
                    at(2, 7, Structs(&[at(2, 7, Fixed(4)), at(2, 7, List(&Fixed(4)))])),
                    at(2, 7, Structs(&[at(2, 7, Text), at(2, 7, Text)])),
                ]),
            ),
            at(2, 7, Fixed(4)),
            at(2, 7, Fixed(1)),
        ],
    },
    Layout {
        api: ApiKey::DeleteTopics,
        flexible_from: 4,
        fields: &[
            at(6, 6, Structs(&[at(6, 6, Text), at(6, 6, Fixed(16))])),
            at(1, 5, List(&Text)),
            at(1, 6, Fixed(4)),
        ],
    },
    Layout {
        api: ApiKey::DeleteRecords,
        flexible_from: 2,
        fields: &[
            at(
                0,
                2,
                Structs(&[at(0, 2, Text), at(0, 2, Structs(&[at(0, 2, Fixed(4)), at(0, 2, Fixed(8))]))]),
            ),
            at(0, 2, Fixed(4)),
        ],
    },
    Layout {
        api: ApiKey::InitProducerId,
        flexible_from: 2,
        fields: &[at(0, 5, Text), at(0, 5, Fixed(4)), at(3, 5, Fixed(8)), at(3, 5, Fixed(2))],
    },
    Layout {
        api: ApiKey::OffsetForLeaderEpoch,
        flexible_from: 4,
        fields: &[
            at(3, 4, Fixed(4)),
            at(
                2,
                4,
                Structs(&[
                    at(2, 4, Text),
                    at(2, 4, Structs(&[at(2, 4, Fixed(4)), at(2, 4, Fixed(4)), at(2, 4, Fixed(4))])),
                ]),
            ),
        ],
    },
    Layout {
        api: ApiKey::DescribeConfigs,
        flexible_from: 4,
        fields: &[
            at(1, 4, Structs(&[at(1, 4, Fixed(1)), at(1, 4, Text), at(1, 4, List(&Text))])),
            at(1, 4, Fixed(1)),
            at(3, 4, Fixed(1)),
        ],
    },
    Layout {
        api: ApiKey::AlterConfigs,
        flexible_from: 2,
        fields: &[
            at(
                0,
                2,
                Structs(&[
                    at(0, 2, Fixed(1)),
                    at(0, 2, Text),
                    at(0, 2, Structs(&[at(0, 2, Text), at(0, 2, Text)])),
                ]),
            ),
            at(0, 2, Fixed(1)),
        ],
    },
    Layout {
        api: ApiKey::DescribeLogDirs,
        flexible_from: 2,
        fields: &[at(1, 4, Structs(&[at(1, 4, Text), at(1, 4, List(&Fixed(4)))]))],
    },
    Layout {
        api: ApiKey::CreatePartitions,
        flexible_from: 2,
        fields: &[
            at(
                0,
                3,
                Structs(&[
                    at(0, 3, Text),
                    at(0, 3, Fixed(4)),
                    at(0, 3, Structs(&[at(0, 3, List(&Fixed(4)))])),
                ]),
            ),
            at(0, 3, Fixed(4)),
            at(0, 3, Fixed(1)),
        ],
    },
    Layout { api: ApiKey::DeleteGroups, flexible_from: 2, fields: &[at(0, 2, List(&Text))] },
    Layout {
        api: ApiKey::IncrementalAlterConfigs,
        flexible_from: 1,
        fields: &[
            at(
                0,
                1,
                Structs(&[
                    at(0, 1, Fixed(1)),
                    at(0, 1, Text),
                    at(0, 1, Structs(&[at(0, 1, Text), at(0, 1, Fixed(1)), at(0, 1, Text)])),
                ]),
            ),
            at(0, 1, Fixed(1)),
        ],
    },
    Layout {
        api: ApiKey::OffsetDelete,
        flexible_from: NEVER,
        fields: &[
            at(0, 0, Text),
            at(0, 0, Structs(&[at(0, 0, Text), at(0, 0, Structs(&[at(0, 0, Fixed(4))]))])),
        ],
    },
    Layout {
        api: ApiKey::DescribeCluster,
        flexible_from: 0,
        fields: &[at(0, 2, Fixed(1)), at(1, 2, Fixed(1)), at(2, 2, Fixed(1))],
    },
];
