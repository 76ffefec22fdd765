//! The TiDB servers of a cluster, as they list themselves in etcd.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tikv_client::EtcdClient;

/// Start of the keys: behind it `<address>/info` and `<address>/ttl`.
const PREFIX: &str = "/topology/tidb/";
/// A server that has not said for this long that it is there is gone: what TiDB itself takes.
const LIFE: Duration = Duration::from_secs(45);

/// Addresses of the servers that are there.
pub(super) async fn addresses(etcd: &EtcdClient) -> Result<Vec<String>, tikv_client::Error> {
    let listing = etcd.get_prefix(PREFIX).await?;
    let pairs = listing.kvs.iter().map(|kv| (&kv.key[..], &kv.value[..]));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(alive(pairs, now))
}

/// Servers with both keys, whose time is not over.
fn alive<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>, now: Duration) -> Vec<String> {
    let (mut known, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for (key, value) in pairs {
        let Some((address, kind)) = std::str::from_utf8(key)
            .ok()
            .and_then(|key| key.strip_prefix(PREFIX))
            .and_then(|rest| rest.split_once('/'))
        else {
            continue;
        };
        match kind {
            "info" => drop(known.insert(address)),
            "ttl" if is_recent(value, now) => drop(seen.insert(address)),
            _ => {}
        }
    }
    known.intersection(&seen).map(|&address| address.to_owned()).collect()
}

/// Whether a time in nanoseconds since 1970 is not too long ago. Clocks differ: the future counts as now.
fn is_recent(value: &[u8], now: Duration) -> bool {
    let nanos = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok());
    nanos.is_some_and(|nanos| now.saturating_sub(Duration::from_nanos(nanos)) <= LIFE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_servers_that_are_there_are_listed() {
        let now = Duration::from_secs(1_000_000);
        let at = |seconds: u64| (seconds * 1_000_000_000).to_string();
        let (fresh, old) = (at(999_990), at(999_900));
        let pairs = [
            ("/topology/tidb/10.0.0.1:4000/info", "{}"),
            ("/topology/tidb/10.0.0.1:4000/ttl", fresh.as_str()),
            ("/topology/tidb/10.0.0.2:4000/info", "{}"),
            ("/topology/tidb/10.0.0.2:4000/ttl", old.as_str()),
            ("/topology/tidb/10.0.0.3:4000/info", "{}"),
            ("/topology/tidb/10.0.0.4:4000/ttl", fresh.as_str()),
            ("/topology/tidb/10.0.0.5:4000/info", "{}"),
            ("/topology/tidb/10.0.0.5:4000/ttl", "soon"),
            ("/topology/tidb/[::1]:4000/info", "{}"),
            ("/topology/tidb/[::1]:4000/ttl", fresh.as_str()),
        ];
        let pairs = pairs.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
        assert_eq!(alive(pairs, now), ["10.0.0.1:4000", "[::1]:4000"]);
    }
}
