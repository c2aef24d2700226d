//! Scripts and their invocations.

use std::sync::OnceLock;

use data_encoding::HEXLOWER;
use redis::Cmd;
use sha1::{Digest, Sha1};

use crate::replication::{History, Lineage};

/// A Lua script, declared once as a `static`.
pub struct Script {
    source: &'static str,
    sha: OnceLock<String>,
}

impl Script {
    /// Declares a script.
    ///
    /// # Panics
    /// At compile time in a `static`: where the source does not begin with `#!lua`. Without that line a
    /// demoted master runs the script's read-only paths and answers from stale data.
    #[must_use]
    pub const fn new(source: &'static str) -> Self {
        let bytes = source.as_bytes();
        let shebang = b"#!lua";
        let mut i = 0;
        while i < shebang.len() {
            assert!(i < bytes.len() && bytes[i] == shebang[i], "a script must begin with #!lua");
            i += 1;
        }
        Self { source, sha: OnceLock::new() }
    }

    fn sha(&self) -> &str {
        self.sha.get_or_init(|| HEXLOWER.encode(&Sha1::digest(self.source.as_bytes())))
    }
}

/// One call of a script: keys, then arguments.
#[must_use]
pub struct Invocation<'a> {
    script: &'a Script,
    keys: Vec<Vec<u8>>,
    args: Vec<Vec<u8>>,
    names_history: bool,
}

impl<'a> Invocation<'a> {
    /// A call without keys or arguments.
    pub const fn new(script: &'a Script) -> Self {
        Self { script, keys: Vec::new(), args: Vec::new(), names_history: false }
    }

    /// Adds a key.
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.keys.push(key.into());
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<Vec<u8>>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds two arguments behind all others, at each attempt those of its connection: the lineage of the dataset, and
    /// the lineage that this one continues, or empty.
    pub const fn with_history(mut self) -> Self {
        self.names_history = true;
        self
    }

    pub(crate) const fn names_history(&self) -> bool {
        self.names_history
    }

    /// `EVALSHA`, which a server refuses with NOSCRIPT when it has not seen the script.
    pub(crate) fn by_sha(&self, history: &History) -> Cmd {
        self.command("EVALSHA", self.script.sha(), history)
    }

    /// `EVAL`, which also leaves the script in the server's cache.
    pub(crate) fn by_source(&self, history: &History) -> Cmd {
        self.command("EVAL", self.script.source, history)
    }

    fn command(&self, name: &str, script: &str, history: &History) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(self.keys.len());
        for value in self.keys.iter().chain(&self.args) {
            command.arg(value.as_slice());
        }
        if self.names_history {
            let continued = history.continued.as_ref().map_or("", Lineage::as_str);
            command.arg(history.lineage.as_str()).arg(continued);
        }
        command
    }
}
