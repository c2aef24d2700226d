//! The client: finds the master, sends, and decides what may be sent again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redis::Cmd;
use tokio::sync::{Mutex, Semaphore};

use crate::call::{Call, Durability, Idempotency, Reply};
use crate::classify::{Failure, Remedy, ambiguous, classify};
use crate::config::Config;
use crate::discovery::{Found, Search};
use crate::doubt::{Doubts, Standing, named, refuse_one_being_replaced};
use crate::endpoint::Endpoint;
use crate::error::ConfigError;
use crate::group::Acknowledgement;
use crate::handshake::Refusal;
use crate::pace::{Pace, between};
use crate::replication::{Continuity, History, Position};
use crate::script::Invocation;
use crate::session::Session;
use crate::status::{Past, Status};
use crate::{Deadline, Error, Value};

/// Calls under way on one connection; others wait within their deadline. So few that a call's own turn
/// comes well within the response timeout, even where each waits for a replica in turn.
const IN_FLIGHT_MAX: usize = 128;

/// A connection to the master behind the sentinels. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    config: Config,
    session: RwLock<Option<Arc<Session>>>,
    reconnect: Mutex<Reconnect>,
    /// Attempts to connect, so that callers who waited for one do not each make their own.
    attempts: AtomicU64,
    in_flight: Semaphore,
    doubts: Doubts,
    past: Past,
}

/// What one attempt to connect hands on to the next. Whoever holds it is the one who connects.
#[derive(Default)]
struct Reconnect {
    search: Search,
    pace: Pace,
    /// The master before, and where its history was last seen.
    before: Option<(Endpoint, Position)>,
    /// After a failover: when this client's turn to connect has come.
    turn: Option<Instant>,
    /// When the sentinels were last asked how a connection's master stands, and what they said.
    verified: Option<(Instant, Standing)>,
}

/// What is sent: a script, or a command.
enum Request<'a> {
    Script(&'a Invocation<'a>),
    Command(Cmd),
}

impl Client {
    /// Checks the configuration. Opens no connection.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self(Arc::new(Inner {
            config,
            session: RwLock::new(None),
            reconnect: Mutex::default(),
            attempts: AtomicU64::new(0),
            in_flight: Semaphore::new(IN_FLIGHT_MAX),
            doubts: Doubts::default(),
            past: Past::default(),
        })))
    }

    /// Connects, where that is possible now. Nothing is lost by ignoring a failure.
    pub async fn warm_up(&self, deadline: Deadline) -> Result<(), Error> {
        self.session(deadline).await.map(drop)
    }

    /// Closes the connection; the next call opens another one. For a process that is about to be copied or
    /// put to sleep.
    pub async fn close(&self) {
        let mut reconnect = self.0.reconnect.lock().await;
        reconnect.search.rest();
        self.leave(&mut reconnect);
    }

    /// Has the lineage read again before the next call that names it.
    pub fn doubt_lineage(&self) {
        if let Some(session) = self.present() {
            session.doubt_history();
        }
    }

    /// Where this client stands, without asking anyone.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::new(self.present().as_deref(), &self.0.past)
    }

    /// How often a password was refused, by the master or by the sentinels: it may have been changed.
    #[must_use]
    pub fn refused_passwords(&self) -> u64 {
        self.0.past.refused_passwords()
    }

    /// What it was told.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The sentinels that this client asks: the configured ones, and those it has learned of.
    pub async fn sentinels(&self, deadline: Deadline) -> Vec<Endpoint> {
        let config = self.config();
        // Whoever is connecting meanwhile may take longer than this question has.
        let reconnect = deadline.sooner(config.timings.ask).bound(self.0.reconnect.lock()).await;
        reconnect.map_or_else(|| config.sentinels.clone(), |reconnect| reconnect.search.sentinels(config))
    }

    /// Runs a script: EVALSHA, its source only where the server lacks it, WAIT in the same pipeline.
    pub async fn invoke(&self, invocation: &Invocation<'_>, call: Call) -> Result<Reply, Error> {
        self.execute(Request::Script(invocation), call).await
    }

    /// Runs a command.
    pub async fn command(&self, name: &str, args: &[&[u8]], call: Call) -> Result<Reply, Error> {
        let mut command = redis::cmd(name);
        for arg in args {
            command.arg(*arg);
        }
        self.execute(Request::Command(command), call).await
    }

    async fn execute(&self, request: Request<'_>, call: Call) -> Result<Reply, Error> {
        let permit = call.deadline.bound(self.0.in_flight.acquire()).await;
        let Some(Ok(_permit)) = permit else { return Err(Error::DeadlineExceeded) };
        let attempt_min = call.durability.attempt_min();
        if attempt_min >= self.0.config.timings.response {
            return Err(Error::Config(format!(
                "a wait for replicas of {:?} leaves an answer no time within `timings.response`",
                call.durability
            )));
        }
        // Once an attempt has no known outcome, no later one that did not run can tell it.
        let mut doubt = None;
        // What the server or the search for it said last; that the time is over says less.
        let mut refusal = None;
        loop {
            if call.deadline.remaining() < attempt_min {
                return Err(doubt.or(refusal).unwrap_or(Error::DeadlineExceeded));
            }
            let Failure { error, remedy } = match self.attempt(&request, &call).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            let is_ambiguous = matches!(error, Error::Ambiguous(_));
            if is_ambiguous && call.idempotency == Idempotency::NonIdempotent {
                return Err(error);
            }
            if remedy == Remedy::None || matches!(error, Error::Config(_)) {
                return Err(doubt.filter(|_| !is_ambiguous).unwrap_or(error));
            }
            tracing::debug!(%error, "trying again");
            match error {
                Error::Ambiguous(_) => doubt = Some(error),
                Error::DeadlineExceeded => {}
                error => refusal = Some(error),
            }
            if remedy != Remedy::Connect {
                tokio::time::sleep(self.backoff(remedy).min(call.deadline.remaining())).await;
            }
        }
    }

    async fn attempt(&self, request: &Request<'_>, call: &Call) -> Result<Reply, Failure> {
        let timings = &self.0.config.timings;
        let session =
            self.session(call.deadline).await.map_err(|error| Failure { error, remedy: Remedy::Connect })?;
        let history = match request {
            Request::Script(invocation) if invocation.names_history() => {
                self.settled_history(&session, call.deadline).await?
            }
            _ => session.history(),
        };
        let first = match request {
            Request::Script(invocation) => invocation.by_sha(&history),
            Request::Command(command) => command.clone(),
        };
        let mut sent = self.send(&session, first, call).await;
        if let (Err(failure), Request::Script(invocation)) = (&sent, request)
            && failure.remedy == Remedy::SendSource
        {
            sent = self.send(&session, invocation.by_source(&history), call).await;
        }
        match &sent {
            Err(failure) if failure.remedy == Remedy::Reconnect => session.bury(),
            // Without replicas it may be a master that was replaced and does not know it yet, or that begins another
            // history with the next replica.
            Err(failure) if failure.remedy == Remedy::Wait => {
                session.doubt_history();
                self.0.doubts.add(&session, timings);
            }
            // The sentinels may take such a master for down.
            Err(Failure { error: Error::Rejected { .. }, .. }) => self.0.doubts.add(&session, timings),
            Ok(reply) if reply.replicas < call.durability.replicas() => self.0.doubts.add(&session, timings),
            Ok(_) if call.durability != Durability::Master && self.0.doubts.are_any() => {
                match self.standing(&session, call.deadline).await {
                    Standing::Replaced => {
                        session.doubt();
                        return sent.map(|reply| Reply { replicas: 0, ..reply });
                    }
                    Standing::Precarious => {}
                    Standing::Safe => self.0.doubts.end(),
                }
            }
            _ => {}
        }
        sent
    }

    /// Asked after an acknowledgement that follows a doubt. A master that the sentinels took for down may be back
    /// while they promote a replica; until they tell the other replica, that one acknowledges what the next master will
    /// never have. They choose by how far each replica is, so what was acknowledged before they choose is not lost.
    async fn standing(&self, session: &Session, deadline: Deadline) -> Standing {
        let acknowledged_at = Instant::now();
        // Whoever is connecting meanwhile has a doubt of its own.
        let Some(mut reconnect) = deadline.bound(self.0.reconnect.lock()).await else {
            return Standing::Replaced;
        };
        if let Some((_, standing)) = reconnect.verified.filter(|(at, _)| *at > acknowledged_at) {
            return standing;
        }
        let began = Instant::now();
        let found = reconnect.search.find_master_anew(&self.0.config, deadline).await;
        let standing = Standing::of(session, &found);
        // Else they are asked again in a moment.
        if standing == Standing::Safe {
            reconnect.search.rest();
        }
        reconnect.verified = Some((began, standing));
        standing
    }

    /// The history that a call may name, read again where it may be another one by now.
    async fn settled_history(&self, session: &Session, deadline: Deadline) -> Result<Arc<History>, Failure> {
        let history = session.history();
        if history.is_settled {
            return Ok(history);
        }
        let history = session.read_history(deadline.sooner(self.0.config.timings.response)).await?;
        if history.is_settled {
            return Ok(history);
        }
        let error = Error::Unavailable(format!("{}: no replica has followed it yet", session.master));
        Err(Failure { error, remedy: Remedy::Wait })
    }

    /// The command alone, or in a batch with others that wait for replicas.
    async fn send(&self, session: &Session, command: Cmd, call: &Call) -> Result<Reply, Failure> {
        let deadline = call.deadline.sooner(self.0.config.timings.response);
        let (value, replicas) = match call.durability {
            Durability::Master => {
                let values = session.send(std::slice::from_ref(&command), deadline).await?;
                (values.into_iter().next().ok_or_else(|| ambiguous("the answer is missing"))?, 0)
            }
            Durability::Replicas { count, timeout } => {
                let acknowledgement = Acknowledgement { count, timeout };
                session.group.send(session, command, acknowledgement, deadline).await?
            }
        };
        if let redis::Value::ServerError(error) = value {
            let failure = classify(&error.into());
            self.0.past.note_error(&failure.error);
            return Err(failure);
        }
        let value = Value::read(value).map_err(ambiguous)?;
        Ok(Reply { value, replicas, lineage: session.lineage() })
    }

    /// The present connection, probed after a pause, or a new one. However many callers need a new one,
    /// it is opened once; it is opened by the callers themselves, so no task is left behind.
    pub(crate) async fn session(&self, deadline: Deadline) -> Result<Arc<Session>, Error> {
        let timings = &self.0.config.timings;
        if let Some(session) = self.present() {
            self.0.doubts.note_pause(&session, timings);
            if session.has_idled(timings.idle_before_probe) {
                session.doubt_history();
                session.probe(deadline.sooner(timings.probe)).await;
            }
            if session.is_trusted() {
                return Ok(session);
            }
        }
        let seen = self.0.attempts.load(Ordering::Acquire);
        let Some(mut reconnect) = deadline.bound(self.0.reconnect.lock()).await else {
            return Err(Error::Unavailable("another caller is still connecting".to_owned()));
        };
        if let Some(session) = self.present().filter(|session| session.is_trusted()) {
            return Ok(session);
        }
        if self.0.attempts.load(Ordering::Acquire) != seen {
            return Err(Error::Unavailable("an attempt to connect has just failed".to_owned()));
        }
        reconnect.pace.wait(deadline).await?;
        if deadline.is_over() {
            return Err(Error::DeadlineExceeded);
        }
        match self.confirm_or_open(&mut reconnect, deadline).await {
            Ok(session) => {
                reconnect.pace.succeeded();
                reconnect.search.rest();
                reconnect.turn = None;
                Ok(session)
            }
            // That this caller had too little time says nothing to the others.
            Err(refusal) if deadline.is_over() => Err(refusal.into_error()),
            Err(refusal) => {
                let error = reconnect.pace.failed(refusal, timings);
                self.0.past.note_error(&error);
                tracing::warn!(%error, "no connection");
                Err(error)
            }
        }
    }

    /// One attempt: asks the sentinels. A doubted connection is kept where they do not name another master,
    /// be it that they are gone, and it answers as a master; else a new one is opened. A master that they are
    /// replacing is waited for, because it may be back and not know it yet.
    async fn confirm_or_open(
        &self,
        reconnect: &mut Reconnect,
        deadline: Deadline,
    ) -> Result<Arc<Session>, Refusal> {
        let found = reconnect.search.find_master(&self.0.config, deadline).await;
        refuse_one_being_replaced(&found)?;
        if let Some(session) = self.present() {
            let is_replaced = named(&found).is_some_and(|found| !session.is_of(found));
            if !is_replaced && session.probe(deadline.sooner(self.0.config.timings.probe)).await {
                session.confirm();
                self.0.doubts.note();
                return Ok(session);
            }
            // That nobody answered a caller without time is no reason to leave.
            if deadline.is_over() {
                return Err(Error::DeadlineExceeded.into());
            }
        }
        let generation = self.0.attempts.fetch_add(1, Ordering::AcqRel) + 1;
        self.leave(reconnect);
        let session = Arc::new(self.open(reconnect, found?, generation, deadline).await?);
        if reconnect.search.is_brief {
            refuse_one_being_replaced(&reconnect.search.find_master_anew(&self.0.config, deadline).await)?;
        }
        *self.0.session.write().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
        Ok(session)
    }

    /// Connects, verifies, compares the history with the one before.
    async fn open(
        &self,
        reconnect: &mut Reconnect,
        found: Vec<Found>,
        generation: u64,
        deadline: Deadline,
    ) -> Result<Session, Refusal> {
        let config = &self.0.config;
        let before = reconnect.before.as_ref();
        let mut refusal = Refusal::Other(Error::DeadlineExceeded);
        for found in found {
            let is_moved = before.is_some_and(|(master, _)| *master != found.master);
            if is_moved && !config.timings.reconnect_spread.is_zero() {
                let spread = between(Duration::ZERO, config.timings.reconnect_spread);
                let turn = *reconnect.turn.get_or_insert_with(|| Instant::now() + spread);
                tokio::time::sleep_until(turn.min(deadline.instant()).into()).await;
                if deadline.is_over() {
                    let waits = Error::Unavailable("this client's turn to connect has not come".to_owned());
                    return Err(waits.into());
                }
            }
            let position = before.map(|(_, position)| position);
            let is_safe = found.is_safe && !reconnect.search.is_brief;
            match Session::open(config, found, generation, position, deadline).await {
                Ok(session) => return Ok(self.welcome(session, is_safe)),
                Err(unresolved @ Refusal::Unresolved(_)) => refusal = unresolved,
                Err(refusal) => return Err(refusal),
            }
        }
        Err(refusal)
    }

    /// Notes and tells how a new connection's history continues the one before.
    fn welcome(&self, session: Session, is_safe: bool) -> Session {
        self.0.past.note(session.continuity);
        let (master, generation, lineage) = (&session.master, session.generation, session.lineage());
        let lineage = lineage.as_str();
        match session.continuity {
            // They were about another master.
            Continuity::Broken | Continuity::Continued { .. } => self.0.doubts.end(),
            Continuity::First if is_safe => {}
            Continuity::First | Continuity::Same => self.0.doubts.note(),
        }
        match session.continuity {
            Continuity::Broken => {
                tracing::error!(%master, generation, lineage, "connected to another history");
            }
            Continuity::Continued { lost_bytes } => {
                tracing::warn!(%master, generation, lineage, lost_bytes, "connected after a failover");
            }
            Continuity::First | Continuity::Same => {
                tracing::info!(%master, generation, lineage, "connected");
            }
        }
        session
    }

    /// Closes the connection that there was, and notes where its history was last seen.
    fn leave(&self, reconnect: &mut Reconnect) {
        let session = self.0.session.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(session) = session {
            session.bury();
            reconnect.before = Some((session.master.clone(), session.position()));
        }
    }

    fn present(&self) -> Option<Arc<Session>> {
        let session = self.0.session.read().unwrap_or_else(PoisonError::into_inner);
        session.as_ref().filter(|session| !session.is_dead()).cloned()
    }

    /// A master without replicas gets them within some tens of milliseconds after a failover.
    fn backoff(&self, remedy: Remedy) -> Duration {
        let timings = &self.0.config.timings;
        let longest = if remedy == Remedy::Wait { timings.backoff_min * 2 } else { timings.backoff_max };
        between(timings.backoff_min, longest)
    }
}
