//! One question to a Redis, a sentinel or a function, with a timeout: enough to start a stack, before
//! there is anything that `sentinel` could connect to.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::layout::MASTER_NAME;

const TIMEOUT: Duration = Duration::from_millis(300);
const ANSWER_BYTES_MAX: usize = 1_024;

/// The answer to a command as it came; `None` when nothing came in time.
fn ask(address: SocketAddr, command: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(TIMEOUT)).ok()?;
    stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
    let mut answer = [0; ANSWER_BYTES_MAX];
    let length = stream.read(&mut answer).ok()?;
    String::from_utf8(answer.get(..length)?.to_vec()).ok()
}

/// Whether a node serves: it listens and has loaded its data.
pub(crate) fn serves(address: SocketAddr) -> bool {
    ask(address, "PING").is_some_and(|answer| answer.starts_with("+PONG"))
}

/// Whether a function answers, and reaches what it needs.
pub(crate) fn is_ready(address: SocketAddr) -> bool {
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    ask(address, &request).is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// The master's port, as most of the sentinels say.
pub(crate) fn master_port(sentinels: &[SocketAddr]) -> Option<u16> {
    let question = format!("SENTINEL get-master-addr-by-name {MASTER_NAME}");
    let mut votes = BTreeMap::new();
    for port in sentinels.iter().filter_map(|sentinel| port_of(&ask(*sentinel, &question)?)) {
        *votes.entry(port).or_insert(0) += 1;
    }
    votes.into_iter().max_by_key(|(_, count)| *count).map(|(port, _)| port)
}

/// The port in `*2 $9 127.0.0.1 $5 20001`.
fn port_of(answer: &str) -> Option<u16> {
    answer.lines().nth(4)?.trim().parse().ok()
}

/// Replicas that follow this master and are up to date.
pub(crate) fn replicas(master: SocketAddr) -> usize {
    let answer = ask(master, "INFO replication").unwrap_or_default();
    answer.lines().filter(|line| line.starts_with("slave") && line.contains("state=online")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_master_s_port_is_the_last_field_of_the_sentinel_s_answer() {
        assert_eq!(port_of("*2\r\n$9\r\n127.0.0.1\r\n$5\r\n20001\r\n"), Some(20_001));
        assert_eq!(port_of("*-1\r\n"), None);
    }
}
