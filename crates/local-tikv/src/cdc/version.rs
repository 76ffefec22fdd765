//! What a client can do, by its version.

/// A bare semantic version; anything unreadable counts as 0.0.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct ClientVersion {
    major: u64,
    minor: u64,
    patch: u64,
}

/// First version that takes resolved timestamps of many regions in one message.
const BATCHED_RESOLVED: ClientVersion = ClientVersion { major: 4, minor: 0, patch: 8 };
/// First version that sends the right cluster id.
const SENDS_CLUSTER_ID: ClientVersion = ClientVersion { major: 5, minor: 3, patch: 0 };

impl ClientVersion {
    /// Parses `8.5.4` or `8.5.4-alpha+x`; a pre-release counts as its release.
    pub(super) fn parse(text: &str) -> Self {
        Self::read(text).unwrap_or_default()
    }

    fn read(text: &str) -> Option<Self> {
        let core = text.split(['-', '+']).next()?;
        let mut numbers = core.split('.').map(|part| part.parse().ok());
        let version = Self { major: numbers.next()??, minor: numbers.next()??, patch: numbers.next()?? };
        numbers.next().is_none().then_some(version)
    }

    /// Takes batched resolved timestamps.
    pub(super) fn batches_resolved(self) -> bool {
        self >= BATCHED_RESOLVED
    }

    /// Its cluster id is to be checked.
    pub(super) fn sends_cluster_id(self) -> bool {
        self >= SENDS_CLUSTER_ID
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_decide_what_a_client_can_do() {
        let can = |text: &str| {
            let version = ClientVersion::parse(text);
            (version.batches_resolved(), version.sends_cluster_id())
        };
        assert_eq!(can("8.5.4"), (true, true));
        assert_eq!(can("8.5.4-release.1"), (true, true));
        assert_eq!(can("4.0.8"), (true, false));
        assert_eq!(can("5.2.99"), (true, false));
        assert_eq!(can("4.0.7"), (false, false));
        for unreadable in ["", "v8.5.4", "8.5", "8.5.4.1", "x.y.z"] {
            assert_eq!(can(unreadable), (false, false), "{unreadable}");
        }
    }
}
