//! Versions of the cluster's servers.

use tikv_proto::metapb;

use crate::error::{Error, Result};
use crate::etcd::EtcdClient;

use super::PdClient;

/// Oldest version of PD and TiKV that is supported. Stores before 7.5 do not multiplex streams: each span gets streams of
/// its own there.
const MINIMUM: Version = Version { major: 6, minor: 5, patch: 0 };

/// A version without its suffix: `8.5.4` of `v8.5.4-alpha-12-gabcdef`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// Reads a version; one that cannot be read counts as 0.0.0, as stores count that of their clients.
    fn parse(text: &str) -> Self {
        let text = text.trim().trim_start_matches('v');
        let core = text.split(['-', '+']).next().unwrap_or_default();
        let mut numbers = core.split('.').map(|part| part.parse().ok());
        let mut next = || numbers.next().flatten();
        match (next(), next(), next()) {
            (Some(major), Some(minor), Some(patch)) => Self { major, minor, patch },
            _ => Self::default(),
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl PdClient {
    /// Refuses clusters with a server that is too old. The version of the placement driver is what its leader has
    /// written into its own metadata store; where there is none it is not checked.
    ///
    /// # Errors
    /// [`Error::VersionIncompatible`], or what the calls fail with.
    pub async fn check_versions(&self, etcd: &EtcdClient) -> Result<()> {
        let members = self.members().await?;
        if let Some(leader) = members.leader {
            let key = format!("/pd/{}/member/{}/binary_version", self.cluster_id(), leader.member_id);
            if let Some(version) = etcd.get(key).await? {
                let version = String::from_utf8_lossy(&version.value).into_owned();
                check(|| format!("PD at {}", self.leader_url()), &version)?;
            }
        }
        for store in self.all_stores().await? {
            if !is_columnar(&store) {
                check(|| format!("TiKV store {} at {}", store.id, store.address), &store.version)?;
            }
        }
        Ok(())
    }
}

/// Refuses a version that is too old.
fn check(server: impl FnOnce() -> String, version: &str) -> Result<()> {
    if Version::parse(version) >= MINIMUM {
        return Ok(());
    }
    Err(Error::VersionIncompatible {
        server: server(),
        version: version.to_owned(),
        minimum: format!("{MINIMUM}-alpha"),
    })
}

/// Whether a store is a TiFlash node, which serves neither rows nor change feeds.
pub(super) fn is_columnar(store: &metapb::Store) -> bool {
    store.labels.iter().any(|label| label.key == "engine" && label.value.starts_with("tiflash"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for good in [
            "v8.5.4",
            "6.5.0",
            "v6.5.0-alpha",
            "v7.1.2",
            "8.5.4-alpha-12-gabcdef",
            "v9.0.0-beta.1",
            "7.10.1+x",
        ] {
            assert!(check(String::new, good).is_ok(), "{good}");
        }
        for bad in ["v6.4.9", "5.4.3", "", "latest", "v7.5", "7.x.0"] {
            let error = check(|| "PD".to_owned(), bad).unwrap_err();
            assert!(error.to_string().contains("6.5.0-alpha"), "{error}");
        }
    }
}
