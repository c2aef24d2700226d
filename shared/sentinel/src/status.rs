//! Where a client stands, and what it has been through.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Error;
use crate::endpoint::Endpoint;
use crate::replication::{Continuity, Lineage};
use crate::session::Session;

/// Where a client stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The master of the present connection, if there is one.
    pub master: Option<Endpoint>,
    /// The epoch of the sentinels' configuration that named it.
    pub config_epoch: u64,
    /// The history of that master's dataset.
    pub lineage: Option<Lineage>,
    /// How it continues that of the master before.
    pub continuity: Option<Continuity>,
    /// Which attempt to connect gave it; 0 without one.
    pub generation: u64,
    /// Failovers that this client has followed.
    pub failovers: u64,
    /// Bytes of the replication stream that new masters were proven to lack, altogether.
    pub lost_bytes: u64,
    /// Connections to a master whose history does not continue the one before.
    pub breaks: u64,
}

/// What a client has been through.
#[derive(Default)]
pub(crate) struct Past {
    failovers: AtomicU64,
    lost_bytes: AtomicU64,
    breaks: AtomicU64,
    refused_passwords: AtomicU64,
}

impl Past {
    /// Counts an error that says that a password is refused.
    pub(crate) fn note_error(&self, error: &Error) {
        if error.is_refused_password() {
            self.refused_passwords.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn refused_passwords(&self) -> u64 {
        self.refused_passwords.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, continuity: Continuity) {
        match continuity {
            Continuity::First | Continuity::Same => {}
            Continuity::Continued { lost_bytes } => {
                self.failovers.fetch_add(1, Ordering::Relaxed);
                self.lost_bytes.fetch_add(lost_bytes, Ordering::Relaxed);
            }
            Continuity::Broken => {
                self.breaks.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Status {
    pub(crate) fn new(session: Option<&Session>, past: &Past) -> Self {
        Self {
            master: session.map(|session| session.master.clone()),
            config_epoch: session.map_or(0, |session| session.config_epoch),
            lineage: session.map(Session::lineage),
            continuity: session.map(|session| session.continuity),
            generation: session.map_or(0, |session| session.generation),
            failovers: past.failovers.load(Ordering::Relaxed),
            lost_bytes: past.lost_bytes.load(Ordering::Relaxed),
            breaks: past.breaks.load(Ordering::Relaxed),
        }
    }
}
