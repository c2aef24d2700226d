//! Scripted servers: each command is answered by a function, each command is recorded.

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::Endpoint;

/// What a [`FakeServer`] does about a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing, as RESP has it.
    Nil,
    /// A status such as `OK`.
    Status(String),
    /// An integer.
    Int(i64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Answer>),
    /// An error: its code, then what it says.
    Error(String),
    /// These bytes, whatever they are.
    Raw(Vec<u8>),
    /// No answer, and none to what follows on this connection.
    Silence,
    /// The connection is closed.
    Close,
    /// This answer, but so much later; what follows on this connection waits behind it.
    After(Duration, Box<Answer>),
}

/// A server that answers commands by a function. Dropping it closes everything.
#[derive(Debug)]
pub struct FakeServer {
    port: u16,
    record: Arc<Record>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Record {
    asked: Mutex<Vec<Vec<String>>>,
    accepted: AtomicU64,
    ended: AtomicU64,
}

/// What a fake does about a command, given as its words.
type Script = dyn Fn(&[String]) -> Answer + Send + Sync;

impl FakeServer {
    /// Listens on a loopback port; `answer` is asked for each command, given as its words. Runs on the
    /// present runtime.
    pub async fn start(answer: impl Fn(&[String]) -> Answer + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let record = Arc::new(Record::default());
        let accepting = tokio::spawn(accept(listener, Arc::new(answer), record.clone()));
        Ok(Self { port, record, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint { host: "127.0.0.1".to_owned(), port: self.port }
    }

    /// All commands so far, each as its words, over all connections in the order of their coming.
    #[must_use]
    pub fn asked(&self) -> Vec<Vec<String>> {
        self.record.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often a command of this name came so far.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.asked().iter().filter(|words| words.first().is_some_and(|word| word == name)).count()
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.record.accepted.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    #[must_use]
    pub fn connections_open(&self) -> u64 {
        self.connections().saturating_sub(self.record.ended.load(Ordering::Relaxed))
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, script: Arc<Script>, record: Arc<Record>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                record.accepted.fetch_add(1, Ordering::Relaxed);
                let (script, record) = (script.clone(), record.clone());
                connections.spawn(async move {
                    // A connection that the client breaks off has simply ended.
                    drop(serve(client, &*script, &record).await);
                    record.ended.fetch_add(1, Ordering::Relaxed);
                });
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut client: TcpStream, script: &Script, record: &Record) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut unread = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = client.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        unread.extend_from_slice(&buffer[..count]);
        while let Some(words) = take_command(&mut unread) {
            record.asked.lock().unwrap_or_else(PoisonError::into_inner).push(words.clone());
            let mut answer = script(&words);
            while let Answer::After(delay, later) = answer {
                tokio::time::sleep(delay).await;
                answer = *later;
            }
            match answer {
                Answer::Close => return Ok(()),
                Answer::Silence => {
                    // Until the client gives up.
                    while client.read(&mut buffer).await? > 0 {}
                    return Ok(());
                }
                answer => client.write_all(&wire(&answer)).await?,
            }
        }
    }
}

/// The first command of `unread`, which loses it; `None` where it is not complete.
fn take_command(unread: &mut Vec<u8>) -> Option<Vec<String>> {
    let mut at = 0;
    let count = take_length(unread, &mut at)?;
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let length = take_length(unread, &mut at)?;
        let word = unread.get(at..at + length)?;
        words.push(String::from_utf8_lossy(word).into_owned());
        at += length + 2;
    }
    if at > unread.len() {
        return None;
    }
    unread.drain(..at);
    Some(words)
}

/// The number after the mark of a line, such as `*3` or `$5`.
fn take_length(unread: &[u8], at: &mut usize) -> Option<usize> {
    let line = unread.get(*at..)?;
    let end = line.windows(2).position(|pair| pair == b"\r\n")?;
    *at += end + 2;
    std::str::from_utf8(line.get(1..end)?).ok()?.parse().ok()
}

fn wire(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Nil => b"$-1\r\n".to_vec(),
        Answer::Status(text) => format!("+{text}\r\n").into_bytes(),
        Answer::Int(number) => format!(":{number}\r\n").into_bytes(),
        Answer::Text(text) => format!("${}\r\n{text}\r\n", text.len()).into_bytes(),
        Answer::Error(text) => format!("-{text}\r\n").into_bytes(),
        Answer::Raw(bytes) => bytes.clone(),
        Answer::List(answers) => {
            let mut bytes = format!("*{}\r\n", answers.len()).into_bytes();
            bytes.extend(answers.iter().flat_map(wire));
            bytes
        }
        Answer::After(_, answer) => wire(answer),
        Answer::Silence | Answer::Close => Vec::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_taken_only_when_it_is_complete() {
        let mut unread = b"*2\r\n$4\r\nPING\r\n$2\r\nhi\r".to_vec();
        assert_eq!(take_command(&mut unread), None);
        unread.extend(b"\n*1\r\n");
        assert_eq!(take_command(&mut unread).unwrap(), ["PING", "hi"]);
        assert_eq!(unread, b"*1\r\n");
    }
}
