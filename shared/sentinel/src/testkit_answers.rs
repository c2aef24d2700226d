//! What a sentinel and a master answer, for fakes that play them.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::Endpoint;
use crate::testkit_fake::{Answer, FakeServer};

/// What a [`FakeSentinel`] knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Knowledge {
    /// The master it names; `None` where it knows none of that name.
    pub master: Option<Endpoint>,
    /// Under which epoch the master was made one.
    pub config_epoch: u64,
    /// The master in whose place it is making a replica the master.
    pub replaces: Option<Endpoint>,
    /// For how many ms it has waited for a good answer of the master.
    pub unanswered_ms: u64,
    /// Sentinels that have to take the master for down before it is replaced.
    pub quorum: usize,
    /// The sentinels it knows, without itself.
    pub others: Vec<Endpoint>,
}

/// A fake that answers as a sentinel does, from what it is told to know.
#[derive(Debug)]
pub struct FakeSentinel {
    server: FakeServer,
    knowledge: Arc<Mutex<Knowledge>>,
}

impl FakeSentinel {
    /// A sentinel that names this master under this epoch, and no other sentinel.
    pub async fn naming(master: &Endpoint, config_epoch: u64) -> io::Result<Self> {
        let (master, others) = (Some(master.clone()), Vec::new());
        Self::start(Knowledge { master, config_epoch, others, ..Knowledge::default() }).await
    }

    /// A sentinel that knows this.
    pub async fn start(knowledge: Knowledge) -> io::Result<Self> {
        let knowledge = Arc::new(Mutex::new(knowledge));
        let (known, id) = (knowledge.clone(), Arc::new(OnceLock::new()));
        let own_id = id.clone();
        let answer = move |words: &[String]| {
            if words.len() == 2 && words[1].eq_ignore_ascii_case("myid") {
                return Answer::Text(own_id.get().cloned().unwrap_or_default());
            }
            as_sentinel(&known.lock().unwrap_or_else(PoisonError::into_inner), words)
        };
        let server = FakeServer::start(answer).await?;
        // Wherever it is reached, it calls itself by the address at which it listens.
        id.get_or_init(|| server.endpoint().to_string());
        Ok(Self { server, knowledge })
    }

    /// What it knows from now on.
    pub fn learn(&self, change: impl FnOnce(&mut Knowledge)) {
        change(&mut self.knowledge.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The server that plays it: where it listens, what it was asked.
    #[must_use]
    pub const fn server(&self) -> &FakeServer {
        &self.server
    }
}

/// What a sentinel that knows this answers to a command.
#[must_use]
pub fn as_sentinel(knowledge: &Knowledge, words: &[String]) -> Answer {
    let words: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["sentinel", "get-master-addr-by-name", _] => match &knowledge.master {
            Some(master) => texts([master.host.clone(), master.port.to_string()]),
            None => Answer::Nil,
        },
        // As long as it replaces one it shows that one, even if it names another one already.
        ["sentinel", "master", name] => match knowledge.replaces.as_ref().or(knowledge.master.as_ref()) {
            Some(shown) => texts([
                "name".to_owned(),
                (*name).to_owned(),
                "ip".to_owned(),
                shown.host.clone(),
                "port".to_owned(),
                shown.port.to_string(),
                "flags".to_owned(),
                if knowledge.replaces.is_some() { "master,failover_in_progress" } else { "master" }
                    .to_owned(),
                "last-ping-sent".to_owned(),
                knowledge.unanswered_ms.to_string(),
                "quorum".to_owned(),
                knowledge.quorum.to_string(),
                "config-epoch".to_owned(),
                knowledge.config_epoch.to_string(),
                "num-other-sentinels".to_owned(),
                knowledge.others.len().to_string(),
            ]),
            None => Answer::Error("ERR No such master with that name".to_owned()),
        },
        ["sentinel", "sentinels", _] => Answer::List(knowledge.others.iter().map(sentinel).collect()),
        ["role", ..] => Answer::List(vec![
            Answer::Text("sentinel".to_owned()),
            Answer::List(vec![Answer::Text("spillway".to_owned())]),
        ]),
        _ => as_any_server(&words),
    }
}

fn sentinel(endpoint: &Endpoint) -> Answer {
    texts([
        "name".to_owned(),
        format!("{endpoint}"),
        "ip".to_owned(),
        endpoint.host.clone(),
        "port".to_owned(),
        endpoint.port.to_string(),
        "runid".to_owned(),
        endpoint.to_string(),
        "flags".to_owned(),
        "sentinel".to_owned(),
    ])
}

/// What a master of version 7 with one replica answers to a command; a script's answer is 1.
#[must_use]
pub fn as_master(words: &[String]) -> Answer {
    let words: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    match words.first().map(String::as_str) {
        Some("role") => {
            Answer::List(vec![Answer::Text("master".to_owned()), Answer::Int(1), Answer::List(Vec::new())])
        }
        Some("info") => Answer::Text(
            "# Server\r\nredis_version:7.0.15\r\n\r\n# Replication\r\nrole:master\r\nconnected_slaves:1\r\n\
             master_replid:0123456789012345678901234567890123456789\r\n\
             master_replid2:0000000000000000000000000000000000000000\r\n\
             master_repl_offset:1\r\nsecond_repl_offset:-1\r\n"
                .to_owned(),
        ),
        Some("evalsha" | "eval" | "wait") => Answer::Int(1),
        _ => as_any_server(&words),
    }
}

fn as_any_server(words: &[String]) -> Answer {
    match words.first().map(String::as_str) {
        Some("ping") => Answer::Status("PONG".to_owned()),
        Some("auth" | "client" | "select") => Answer::Status("OK".to_owned()),
        _ => Answer::Error(format!("ERR unknown command '{}'", words.first().map_or("", String::as_str))),
    }
}

fn texts(words: impl IntoIterator<Item = String>) -> Answer {
    Answer::List(words.into_iter().map(Answer::Text).collect())
}
