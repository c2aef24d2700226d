//! Group commit: calls that wait for replicas go together, so that one acknowledgement serves them all.
//!
//! A WAIT holds up everything behind it on its connection. With one per call, a connection lets one call
//! through per round trip to a replica. Here the calls that come while one batch is under way are the next
//! batch, with one WAIT behind all of them; a call that comes alone is sent at once.
//!
//! No task is spawned. One of the callers sends for all of its batch and then hands that duty on; should it
//! be dropped, the duty goes on with what it held, and those whose answers are lost with it are told that
//! the outcome is unknown.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::sync::oneshot;

use crate::call::Durability;
use crate::classify::{Failure, Remedy, ambiguous, unanswered};
use crate::session::Session;
use crate::{Deadline, Error};

/// Calls in one batch: as many as take the master a small part of the response timeout.
const BATCH_MAX: usize = 64;

/// What a batch waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acknowledgement {
    pub(crate) count: u8,
    pub(crate) timeout: Duration,
}

impl Acknowledgement {
    const fn durability(self) -> Durability {
        Durability::Replicas { count: self.count, timeout: self.timeout }
    }
}

/// A command's answer, and how many replicas have acknowledged it.
pub(crate) type Answer = Result<(Value, u64), Failure>;

/// The calls that wait for their batch, on one connection.
#[derive(Default)]
pub(crate) struct Group(Mutex<State>);

#[derive(Default)]
struct State {
    is_led: bool,
    /// The last ticket that was given.
    tickets: u64,
    waiting: VecDeque<Call>,
}

struct Call {
    ticket: u64,
    command: Cmd,
    acknowledgement: Acknowledgement,
    /// Where its caller waits; `None` for the call of the leader itself.
    caller: Option<oneshot::Sender<Turn>>,
}

/// What a waiting caller is told.
enum Turn {
    Answered(Answer),
    /// Send the next batch, which begins with your own call.
    Lead(Leadership),
}

/// The duty to send the next batch; wherever it is dropped, it goes on to the next caller.
struct Leadership(Arc<Group>);

impl Group {
    /// Sends a command in a batch and returns its own answer.
    pub(crate) async fn send(
        self: &Arc<Self>,
        session: &Session,
        command: Cmd,
        acknowledgement: Acknowledgement,
        deadline: Deadline,
    ) -> Answer {
        let leadership = match self.join(command, acknowledgement) {
            Ok(leadership) => leadership,
            Err((ticket, turn)) => match deadline.bound(turn).await {
                Some(Ok(Turn::Answered(answer))) => return answer,
                Some(Ok(Turn::Lead(leadership))) => leadership,
                Some(Err(_)) => return Err(unanswered("the caller that sent it was dropped")),
                None if self.withdraw(ticket) => {
                    return Err(Failure { error: Error::DeadlineExceeded, remedy: Remedy::Connect });
                }
                None => return Err(unanswered("no answer in time")),
            },
        };
        if deadline.remaining() < acknowledgement.durability().attempt_min() {
            // Leading now would have the whole batch end by this attempt's deadline. Nothing was sent.
            return Err(Failure { error: Error::DeadlineExceeded, remedy: Remedy::Connect });
        }
        if session.is_dead() {
            let error = Error::Unavailable("the connection was given up before it was sent".to_owned());
            return Err(Failure { error, remedy: Remedy::Connect });
        }
        let batch = self.next_batch();
        let answer = lead(session, batch, acknowledgement, deadline).await;
        drop(leadership);
        answer
    }

    /// Leads where nobody does, else waits in the queue.
    fn join(
        self: &Arc<Self>,
        command: Cmd,
        acknowledgement: Acknowledgement,
    ) -> Result<Leadership, (u64, oneshot::Receiver<Turn>)> {
        let mut state = self.lock();
        state.tickets += 1;
        let ticket = state.tickets;
        if !state.is_led {
            state.is_led = true;
            state.waiting.push_front(Call { ticket, command, acknowledgement, caller: None });
            return Ok(Leadership(self.clone()));
        }
        let (caller, turn) = oneshot::channel();
        state.waiting.push_back(Call { ticket, command, acknowledgement, caller: Some(caller) });
        Err((ticket, turn))
    }

    /// Takes a call out of the queue; whether it was still there, and so was not sent.
    fn withdraw(&self, ticket: u64) -> bool {
        let mut state = self.lock();
        let place = state.waiting.iter().position(|call| call.ticket == ticket);
        place.and_then(|place| state.waiting.remove(place)).is_some()
    }

    /// The leader's own call, and those behind it that wait for the same. Who has gone is left out.
    fn next_batch(&self) -> Vec<Call> {
        let mut state = self.lock();
        let mut batch: Vec<Call> = Vec::new();
        while let Some(next) = state.waiting.front() {
            let fits = batch.first().is_none_or(|own| own.acknowledgement == next.acknowledgement);
            if batch.len() >= BATCH_MAX || !fits {
                break;
            }
            let is_gone = next.caller.as_ref().is_some_and(oneshot::Sender::is_closed);
            batch.extend(state.waiting.pop_front().filter(|_| !is_gone));
        }
        batch
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.lock();
            // The call of a leader that was dropped before it sent anything.
            while state.waiting.front().is_some_and(|call| call.caller.is_none()) {
                state.waiting.pop_front();
            }
            let next = state.waiting.front_mut().and_then(|call| call.caller.take());
            state.is_led = next.is_some();
            next
        };
        // A caller that has gone hands it on in turn, by dropping it; so this is not done under the lock.
        if let Some(next) = next {
            drop(next.send(Turn::Lead(Self(self.0.clone()))));
        }
    }
}

/// Sends a batch, whose first call is the leader's own, and tells each caller its answer.
async fn lead(
    session: &Session,
    batch: Vec<Call>,
    acknowledgement: Acknowledgement,
    deadline: Deadline,
) -> Answer {
    let mut commands = Vec::with_capacity(batch.len() + 1);
    let mut callers = Vec::with_capacity(batch.len());
    for call in batch {
        commands.push(call.command);
        callers.push(call.caller);
    }
    let mut wait = redis::cmd("WAIT");
    wait.arg(acknowledgement.count).arg(acknowledgement.timeout.as_millis().max(1).to_string());
    commands.push(wait);
    let sent = session.send(&commands, deadline).await;
    let answers: Vec<Answer> = match sent {
        Ok(mut values) => {
            let replicas = match values.pop() {
                Some(Value::Int(replicas)) => u64::try_from(replicas).unwrap_or(0),
                _ => 0,
            };
            values.into_iter().map(|value| Ok((value, replicas))).collect()
        }
        Err(failure) => callers.iter().map(|_| Err(failure.clone())).collect(),
    };
    let mut own = None;
    for (caller, answer) in callers.into_iter().zip(answers) {
        match caller {
            // A caller that has gone does not need its answer.
            Some(caller) => drop(caller.send(Turn::Answered(answer))),
            None => own = Some(answer),
        }
    }
    own.unwrap_or_else(|| Err(ambiguous("the answer is missing")))
}
