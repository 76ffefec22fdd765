//! Questions over the servers' own protocols, to know when they are ready.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Longest time of one question.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// Largest answer that is read, bytes.
const MAX_ANSWER: usize = 1 << 20;
/// Key of the request Metadata.
const METADATA: i16 = 3;
/// Its version: the first that tells the controller.
const METADATA_VERSION: i16 = 1;

/// A connection to a port of this machine with bounded waits.
fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), ANSWER_LIMIT)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.set_write_timeout(Some(ANSWER_LIMIT))?;
    Ok(stream)
}

/// True if ZooKeeper serves.
pub(crate) fn zookeeper(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = connect(port)?;
        stream.write_all(b"srvr")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains("Mode:"))
}

/// Number of brokers that the broker on this port knows, if there is a controller too.
pub(crate) fn brokers(port: u16) -> Option<usize> {
    let mut request = Vec::new();
    request.extend(METADATA.to_be_bytes());
    request.extend(METADATA_VERSION.to_be_bytes());
    request.extend(1_i32.to_be_bytes()); // correlation id
    request.extend((-1_i16).to_be_bytes()); // no client id
    request.extend(0_i32.to_be_bytes()); // no topics
    let mut stream = connect(port).ok()?;
    stream.write_all(&u32::try_from(request.len()).ok()?.to_be_bytes()).ok()?;
    stream.write_all(&request).ok()?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let length = usize::try_from(u32::from_be_bytes(length)).ok().filter(|length| *length <= MAX_ANSWER)?;
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).ok()?;
    count_brokers(&answer)
}

/// Brokers in an answer to Metadata version 1, unless the controller is unknown.
fn count_brokers(answer: &[u8]) -> Option<usize> {
    /// Takes a number of `N` bytes off the front.
    fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
        let (front, back) = rest.split_first_chunk::<N>()?;
        *rest = back;
        Some(*front)
    }
    let text = |rest: &mut &[u8]| {
        let length = usize::try_from(i16::from_be_bytes(take(rest)?)).unwrap_or(0);
        *rest = rest.get(length..)?;
        Some(())
    };
    let mut rest = answer;
    take::<4>(&mut rest)?; // correlation id
    let count = i32::from_be_bytes(take(&mut rest)?);
    for _ in 0..count {
        take::<4>(&mut rest)?; // broker id
        text(&mut rest)?; // host
        take::<4>(&mut rest)?; // port
        text(&mut rest)?; // rack
    }
    let controller = i32::from_be_bytes(take(&mut rest)?);
    (controller >= 0).then_some(usize::try_from(count).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_counted_once_there_is_a_controller() {
        let mut answer = vec![0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, b'h', 0, 0, 0x23, 0x84, 0xff, 0xff];
        assert_eq!(count_brokers(&answer), None, "cut");
        answer.extend(1_i32.to_be_bytes());
        assert_eq!(count_brokers(&answer), Some(1));
        let end = answer.len() - 4;
        answer[end..].copy_from_slice(&(-1_i32).to_be_bytes());
        assert_eq!(count_brokers(&answer), None, "no controller");
    }
}
