//! Everything at one moment.

use crate::dataset::Dataset;
use crate::ledger::Ledger;

/// A confirm under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Confirm {
    None,
    /// The mark is in this version; a replica must have it.
    Marking {
        version: usize,
        unit: usize,
        began_in_time: bool,
    },
    /// The transaction is sent.
    Writing {
        unit: usize,
        began_in_time: bool,
    },
    /// Committed; Redis does not know yet.
    Finishing,
}

/// What a shopper was told in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Ordered,
    Refused,
}

/// How late it is for a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Time {
    /// No script has run for it.
    BeforeIssue,
    Running,
    /// `expires_at` is past.
    Over,
    /// And so is all that a confirm begun before could still write.
    Late,
}

/// A reservation, seen from outside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Reservation {
    pub(crate) time: Time,
    /// A reserve that waits for a replica to have this version.
    pub(crate) reserving: Option<usize>,
    /// The unit of the receipt that the shopper has.
    pub(crate) acknowledged: Option<usize>,
    pub(crate) confirm: Confirm,
    /// Units of transactions that were sent and may land yet, one bit each.
    pub(crate) in_flight: u8,
    pub(crate) answer: Option<Answer>,
    /// It was acknowledged, asked for in time, and refused.
    pub(crate) is_broken: bool,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The versions of the dataset from the oldest that a replica has to the master's own.
    pub(crate) versions: Vec<Dataset>,
    /// Which of them each replica has.
    pub(crate) replicas: [usize; 2],
    pub(crate) ledger: Ledger,
    pub(crate) reservations: Vec<Reservation>,
    /// What a takeover has read so far: whether each unit is sold.
    pub(crate) reading: Option<Vec<bool>>,
    pub(crate) failovers: u8,
    pub(crate) breaks: u8,
    pub(crate) crashes: u8,
    pub(crate) duplicates: u8,
}

impl State {
    /// What the master has.
    pub(crate) fn master(&self) -> &Dataset {
        &self.versions[self.versions.len() - 1]
    }

    /// The number of the master's version.
    pub(crate) fn version(&self) -> usize {
        self.versions.len() - 1
    }

    /// Whether one replica has a version.
    pub(crate) fn is_replicated(&self, version: usize) -> bool {
        self.replicas.iter().any(|has| *has >= version)
    }

    /// A script's write.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Dataset)) {
        let mut next = self.master().clone();
        write(&mut next);
        self.versions.push(next);
    }

    /// Forgets the versions that nobody can go back to.
    pub(crate) fn compact(&mut self) {
        let oldest = self.replicas[0].min(self.replicas[1]);
        self.versions.drain(..oldest);
        for has in &mut self.replicas {
            *has -= oldest;
        }
        for reservation in &mut self.reservations {
            if let Some(version) = &mut reservation.reserving {
                *version = version.saturating_sub(oldest);
            }
            if let Confirm::Marking { version, .. } = &mut reservation.confirm {
                *version = version.saturating_sub(oldest);
            }
        }
    }

    /// Every connection to the old master ends: what was waited for is not known.
    pub(crate) fn disconnect(&mut self) {
        for reservation in &mut self.reservations {
            reservation.reserving = None;
            if matches!(reservation.confirm, Confirm::Marking { .. }) {
                reservation.confirm = Confirm::None;
            }
        }
    }

    /// Tells a shopper the end of a confirm.
    pub(crate) fn answer(&mut self, reservation: usize, answer: Answer, began_in_time: bool) {
        let reservation = &mut self.reservations[reservation];
        reservation.answer = Some(answer);
        reservation.confirm = Confirm::None;
        reservation.is_broken = answer == Answer::Refused && began_in_time;
    }
}
