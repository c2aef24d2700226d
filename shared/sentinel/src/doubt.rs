//! Doubts about a master: it may have been replaced without knowing it, or be about to be.
//!
//! A doubted connection is held against the sentinels before the next call. What is acknowledged after a doubt counts only
//! if they do not replace the master, asked after it, until none of them is about to take it for down: they ping once a
//! second, and may begin to replace a master that has been well for so long.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::Error;
use crate::discovery::Found;
use crate::session::Session;
use crate::timings::Timings;

/// A connection that was confirmed so shortly ago is not doubted again. Twice as long for each doubt in a row.
const PAUSE: Duration = Duration::from_millis(200);

/// How many doubts in a row there were: about a master that did not have the replicas that a call asked for, or that was
/// not heard of for so long that it may have been replaced.
#[derive(Default)]
pub(crate) struct Doubts(AtomicU32);

impl Doubts {
    pub(crate) fn are_any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// The master was verified, or is another one.
    pub(crate) fn end(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Has the sentinels asked again before the next call, less and less often while that does not help.
    pub(crate) fn add(&self, session: &Session, timings: &Timings) {
        let doubled = PAUSE.saturating_mul(1 << self.0.load(Ordering::Relaxed).min(8));
        if session.is_unconfirmed_for(doubled.min(timings.crowd_backoff_max)) {
            session.doubt();
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The master was verified as it is, which it may not be for long.
    pub(crate) fn note(&self) {
        self.0.fetch_max(1, Ordering::Relaxed);
    }

    /// After a pause in which the sentinels may have taken the master for down, there is a doubt.
    pub(crate) fn note_pause(&self, session: &Session, timings: &Timings) {
        if session.has_idled(timings.doubtful_pause()) {
            self.note();
        }
    }
}

/// What the sentinels say of a master, asked after it has acknowledged something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// They make another one the master, or have.
    Replaced,
    /// They do not, but one of them may begin to.
    Precarious,
    /// None of them is about to.
    Safe,
}

impl Standing {
    /// Where they cannot be asked, they replace nobody, either.
    pub(crate) fn of(session: &Session, found: &Result<Vec<Found>, Error>) -> Self {
        match named(found) {
            Some(found) if found.is_being_replaced || !session.is_of(found) => Self::Replaced,
            Some(found) if !found.is_safe => Self::Precarious,
            _ => Self::Safe,
        }
    }
}

/// The master that the sentinels name, if they do.
pub(crate) fn named(found: &Result<Vec<Found>, Error>) -> Option<&Found> {
    found.as_ref().ok()?.first()
}

pub(crate) fn refuse_one_being_replaced(found: &Result<Vec<Found>, Error>) -> Result<(), Error> {
    match named(found).filter(|found| found.is_being_replaced) {
        Some(found) => Err(Error::Unavailable(format!("the sentinels are replacing {}", found.named))),
        None => Ok(()),
    }
}
