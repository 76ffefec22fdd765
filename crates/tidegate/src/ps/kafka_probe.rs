//! Probe of a Kafka broker: which requests it serves, and in which versions. Brokers do not tell their release; the
//! versions show which release they are like.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::probe::{Answer, io_cause};

/// Number of the Fetch request.
const FETCH: i16 = 1;
/// Number of the ApiVersions request.
const API_VERSIONS: i16 = 18;
/// Number by which the answer is recognised.
const CORRELATION: i32 = 0x7469_6465;
/// Name under which the broker sees us.
const CLIENT_ID: &str = "tidegate-ps";
/// Longest answer that is read; brokers send less than 1 KiB.
const MAX_ANSWER: usize = 64 * 1024;
/// Oldest Fetch version that Kafka 4.0 still serves; 3.9, with the same newest one, serves all.
const KAFKA_4_OLDEST_FETCH: i16 = 4;

/// Newest Fetch version and the first release that has it (Kafka's `FetchRequest.json`).
const RELEASES: [(i16, &str); 14] = [
    (18, "4.1"),
    (17, "3.9"),
    (16, "3.7"),
    (14, "3.5"),
    (13, "3.1"),
    (12, "2.7"),
    (11, "2.3"),
    (9, "2.1"),
    (8, "2.0"),
    (7, "1.1"),
    (6, "1.0"),
    (4, "0.11"),
    (3, "0.10.1"),
    (2, "0.10.0"),
];

/// Asks a broker for its versions.
pub(super) async fn kafka(host: IpAddr, port: u16) -> Answer {
    let mut stream =
        TcpStream::connect(SocketAddr::new(host, port)).await.map_err(|error| io_cause(&error))?;
    stream.write_all(&request()).await.map_err(|error| io_cause(&error))?;
    let length = stream.read_i32().await.map_err(|error| io_cause(&error))?;
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_ANSWER);
    let mut answer = vec![0; length.ok_or("the answer is not that of Kafka")?];
    stream.read_exact(&mut answer).await.map_err(|error| io_cause(&error))?;
    let (oldest, newest) = fetch_versions(&answer).ok_or("the answer is not that of Kafka")?;
    Ok(release(oldest, newest).map(|release| format!("{release} (by its protocol)")))
}

/// An ApiVersions request in version 0, with its length.
fn request() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&API_VERSIONS.to_be_bytes());
    body.extend_from_slice(&0_i16.to_be_bytes());
    body.extend_from_slice(&CORRELATION.to_be_bytes());
    body.extend_from_slice(&i16::try_from(CLIENT_ID.len()).unwrap_or_default().to_be_bytes());
    body.extend_from_slice(CLIENT_ID.as_bytes());
    let mut out = i32::try_from(body.len()).unwrap_or_default().to_be_bytes().to_vec();
    out.append(&mut body);
    out
}

/// Oldest and newest Fetch version in an answer; `None` if it is not an answer to our request.
fn fetch_versions(answer: &[u8]) -> Option<(i16, i16)> {
    let (correlation, rest) = answer.split_first_chunk::<4>()?;
    let (error, rest) = rest.split_first_chunk::<2>()?;
    let (count, rest) = rest.split_first_chunk::<4>()?;
    if i32::from_be_bytes(*correlation) != CORRELATION || i16::from_be_bytes(*error) != 0 {
        return None;
    }
    let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    let (entries, _) = rest.split_at_checked(count.checked_mul(6)?)?;
    entries.as_chunks::<6>().0.iter().find_map(|&[k0, k1, a0, a1, b0, b1]| {
        (i16::from_be_bytes([k0, k1]) == FETCH)
            .then(|| (i16::from_be_bytes([a0, a1]), i16::from_be_bytes([b0, b1])))
    })
}

/// The release that serves Fetch in these versions.
fn release(oldest: i16, newest: i16) -> Option<&'static str> {
    let (_, release) = RELEASES.iter().find(|(version, _)| newest >= *version)?;
    Some(if *release == "3.9" && oldest >= KAFKA_4_OLDEST_FETCH { "4.0" } else { release })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with one request.
    fn answer(correlation: i32, key: i16, oldest: i16, newest: i16) -> Vec<u8> {
        let mut out = correlation.to_be_bytes().to_vec();
        out.extend_from_slice(&[0, 0, 0, 0, 0, 1]);
        for part in [key, oldest, newest] {
            out.extend_from_slice(&part.to_be_bytes());
        }
        out
    }

    #[test]
    fn releases_are_told_by_the_versions_of_fetch() {
        assert_eq!(release(4, 18), Some("4.1"));
        assert_eq!(release(4, 17), Some("4.0"));
        assert_eq!(release(0, 17), Some("3.9"));
        assert_eq!(release(0, 11), Some("2.3"));
        assert_eq!(release(0, 0), None);
    }

    #[test]
    fn only_an_answer_to_the_request_counts() {
        assert_eq!(fetch_versions(&answer(CORRELATION, FETCH, 4, 18)), Some((4, 18)));
        assert_eq!(fetch_versions(&answer(1, FETCH, 4, 18)), None);
        assert_eq!(fetch_versions(&answer(CORRELATION, 0, 4, 18)), None);
        let mut cut = answer(CORRELATION, FETCH, 4, 18);
        cut.pop();
        assert_eq!(fetch_versions(&cut), None);
    }
}
