//! One question to a Redis, a sentinel or a function, with a timeout: enough to start a stack, before
//! there is anything that `sentinel` could connect to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::layout::MASTER_NAME;
use crate::running::OPERATOR;

const TIMEOUT: Duration = Duration::from_millis(300);
const ANSWER_BYTES_MAX: usize = 8_192;

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

/// The same for the operator; empty when nothing came in time.
pub(crate) fn ask_as_operator(address: SocketAddr, password: &str, command: &str) -> String {
    ask(address, &format!("AUTH {OPERATOR} {password}\r\n{command}")).unwrap_or_default()
}

/// Whether a node or a sentinel serves: it lets the operator in and has loaded its data.
pub(crate) fn serves(address: SocketAddr, password: &str) -> bool {
    ask_as_operator(address, password, "PING").ends_with("+PONG\r\n")
}

/// Whether a function answers, and reaches what it needs.
pub(crate) fn is_ready(address: SocketAddr) -> bool {
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    ask(address, &request).is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// Replicas that follow this node and are up to date.
pub(crate) fn replicas(node: SocketAddr, password: &str) -> usize {
    let answer = ask_as_operator(node, password, "INFO replication");
    answer.lines().filter(|line| line.starts_with("slave") && line.contains("state=online")).count()
}

/// Takes from every sale that is of the present history its lineage, so that the next one is taken for its own; what is
/// fenced off stays so. For nodes that nobody writes to any more, and that end with all they have.
pub(crate) fn let_go_of_lineage(nodes: &[SocketAddr], password: &str) {
    // Keys of other types may end with a brace, too.
    const EVERY_SALE: &str = "local info, page = redis.call('INFO', 'replication'), {'0'} \
        local own, continued = info:match('master_replid:(%x+)'), info:match('master_replid2:(%x+)') \
        repeat page = redis.call('SCAN', page[1], 'MATCH', '{*}', 'COUNT', 1000) \
        for _, sale in ipairs(page[2]) do if redis.call('TYPE', sale).ok == 'hash' then \
        local lineage = redis.call('HGET', sale, 'lineage') \
        if lineage == own or lineage == continued then redis.call('HDEL', sale, 'lineage') end end end \
        until page[1] == '0'";
    for node in nodes {
        // Replicas refuse it.
        ask_as_operator(*node, password, &format!("EVAL \"{EVERY_SALE}\" 0"));
    }
}

/// How often a sentinel looks around, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    ping: u32,
    info: u32,
    publish: u32,
}

impl Pace {
    /// Sentinel's own.
    pub(crate) const USUAL: Self = Self { ping: 1_000, info: 10_000, publish: 2_000 };

    /// For as long as a sentinel has not met everybody.
    pub(crate) const HASTY: Self = Self { ping: 100, info: 300, publish: 300 };
}

/// Sets the sentinels' pace.
pub(crate) fn set_pace(sentinels: &[SocketAddr], password: &str, pace: Pace) {
    let Pace { ping, info, publish } = pace;
    let periods = format!("PING-PERIOD {ping} INFO-PERIOD {info} PUBLISH-PERIOD {publish}");
    for sentinel in sentinels {
        ask_as_operator(*sentinel, password, &format!("SENTINEL DEBUG {periods}"));
    }
}

/// Whether a sentinel has met both replicas and both other sentinels: before that there is no failover.
pub(crate) fn has_met_all(sentinel: SocketAddr, password: &str) -> bool {
    let count = |of: &str| {
        let question = format!("SENTINEL {of} {MASTER_NAME}");
        ask_as_operator(sentinel, password, &question).matches("\r\nrunid\r\n").count()
    };
    count("REPLICAS") == 2 && count("SENTINELS") == 2
}
