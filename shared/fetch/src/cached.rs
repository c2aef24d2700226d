//! A value that is fetched when a request needs it, once for all that wait, and kept for others.
//!
//! Requests drive it. While there is a value, one request at a time may be held up by fetching it anew; the
//! others go on with the one that there is. Whoever is dropped while fetching hands the turn to the next.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::moment::Moment;

/// How long a value is used, and how soon an attempt may follow another.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Then it is fetched anew; a quarter earlier or later, so that processes that began together part.
    pub fresh: Duration,
    /// Then it is not used any more, whatever becomes of the attempts.
    pub stale: Duration,
    /// Between two attempts that somebody asked for who doubts the value.
    pub floor: Duration,
    /// After an attempt that failed.
    pub retry: Duration,
    /// For an attempt that requests wait for, because there is no value.
    pub first_attempt: Duration,
    /// For an attempt while there is one.
    pub attempt: Duration,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A value.
    Any,
    /// One that is newer than the present one, which does not serve. Where it was fetched anew only just now,
    /// or cannot be, the present one is given.
    Newer,
}

/// A value, and when it was fetched.
pub struct Cached<T> {
    pace: Pace,
    /// Whoever holds it is the one who fetches.
    turn: tokio::sync::Mutex<()>,
    state: RwLock<State<T>>,
}

struct State<T> {
    value: Option<Held<T>>,
    /// Attempts that have ended, so that those who waited for one do not each make their own.
    attempts: u64,
    failed: Option<Moment>,
    demanded: Option<Moment>,
}

struct Held<T> {
    value: Arc<T>,
    fetched: Moment,
    fresh: Duration,
}

impl<T> Cached<T> {
    /// Nothing yet.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        let state = State { value: None, attempts: 0, failed: None, demanded: None };
        Self { pace, turn: tokio::sync::Mutex::default(), state: RwLock::new(state) }
    }

    /// The value that there is, without asking anyone.
    #[must_use]
    pub fn present(&self) -> Option<Arc<T>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).present(&self.pace)
    }

    /// Whether the last attempt failed.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.state.read().unwrap_or_else(PoisonError::into_inner).failed.is_some()
    }

    /// The value. `fetch` is called where it must be fetched; it ends by the instant that it is given, and
    /// tells the log itself why it gives none. `None` where there is no value by the deadline.
    pub async fn get<F>(
        &self,
        need: Need,
        deadline: Instant,
        fetch: impl FnOnce(Instant) -> F,
    ) -> Option<Arc<T>>
    where
        F: Future<Output = Option<T>>,
    {
        let (seen, present) = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            let present = state.present(&self.pace);
            if !state.is_due(&self.pace, need) {
                return present;
            }
            (state.attempts, present)
        };
        let turn = if present.is_some() && need == Need::Any {
            self.turn.try_lock().ok()
        } else {
            tokio::time::timeout_at(deadline.into(), self.turn.lock()).await.ok()
        };
        let Some(_turn) = turn else { return present };
        if self.state.read().unwrap_or_else(PoisonError::into_inner).attempts != seen {
            return self.present();
        }
        let time = if present.is_some() { self.pace.attempt } else { self.pace.first_attempt };
        let fetched = fetch(deadline.min(Instant::now() + time)).await;
        // That this caller had too little time says nothing to the others.
        if fetched.is_some() || Instant::now() < deadline {
            self.state.write().unwrap_or_else(PoisonError::into_inner).note(&self.pace, need, fetched);
        }
        self.present()
    }
}

impl<T> State<T> {
    fn present(&self, pace: &Pace) -> Option<Arc<T>> {
        let held = self.value.as_ref().filter(|held| held.fetched.age() < pace.stale);
        held.map(|held| held.value.clone())
    }

    fn is_due(&self, pace: &Pace, need: Need) -> bool {
        if self.failed.is_some_and(|failed| failed.age() < pace.retry) {
            return false;
        }
        let is_old = self.value.as_ref().is_none_or(|held| held.fetched.age() >= held.fresh);
        is_old || (need == Need::Newer && self.demanded.is_none_or(|demanded| demanded.age() >= pace.floor))
    }

    fn note(&mut self, pace: &Pace, need: Need, fetched: Option<T>) {
        let now = Moment::now();
        self.attempts += 1;
        self.failed = fetched.is_none().then_some(now);
        if need == Need::Newer {
            self.demanded = Some(now);
        }
        if let Some(value) = fetched {
            self.value = Some(Held { value: Arc::new(value), fetched: now, fresh: spread(pace.fresh) });
        }
    }
}

/// A quarter less to a quarter more.
fn spread(length: Duration) -> Duration {
    let mut random = [0; 2];
    // Without randomness processes that began together stay together, which breaks no rule.
    let _ = getrandom::fill(&mut random);
    length.mul_f64(0.75 + f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX) / 2.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    /// A pace at which nothing happens again within a test.
    const LAZY: Pace =
        Pace { fresh: LONG, stale: LONG, floor: LONG, retry: LONG, first_attempt: LONG, attempt: LONG };

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    /// Gets, with a fetch that gives this at once.
    async fn get(cached: &Cached<u8>, need: Need, fetched: Option<u8>) -> Option<u8> {
        cached.get(need, later(), async |_| fetched).await.map(|value| *value)
    }

    #[tokio::test]
    async fn however_many_wait_it_is_fetched_once() {
        let (cached, fetches) = (Cached::new(LAZY), AtomicUsize::new(0));
        let gate = tokio::sync::Semaphore::new(0);
        let one = || {
            cached.get(Need::Any, later(), async |_| {
                fetches.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                Some(7)
            })
        };
        let open = async {
            tokio::task::yield_now().await;
            gate.add_permits(100);
        };
        let (first, second, third, ()) = tokio::join!(one(), one(), one(), open);
        assert_eq!([first, second, third].map(|value| *value.unwrap()), [7; 3]);
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_failure_is_told_to_all_and_not_repeated_at_once() {
        let cached = Cached::new(LAZY);
        assert_eq!(get(&cached, Need::Any, None).await, None);
        assert_eq!(get(&cached, Need::Any, Some(7)).await, None, "not fetched");
        assert!(cached.is_failing());
        let hasty = Cached::new(Pace { retry: Duration::ZERO, ..LAZY });
        assert_eq!(get(&hasty, Need::Any, None).await, None);
        assert_eq!(get(&hasty, Need::Any, Some(7)).await, Some(7));
        assert!(!hasty.is_failing());
    }

    #[tokio::test]
    async fn what_is_old_is_fetched_anew_and_stays_in_use_where_that_fails() {
        let cached = Cached::new(Pace { fresh: Duration::ZERO, retry: Duration::ZERO, ..LAZY });
        assert_eq!(get(&cached, Need::Any, Some(1)).await, Some(1));
        assert_eq!(get(&cached, Need::Any, Some(2)).await, Some(2));
        assert_eq!(get(&cached, Need::Any, None).await, Some(2));
        let stale = Cached::new(Pace { fresh: Duration::ZERO, stale: Duration::ZERO, ..LAZY });
        assert_eq!(get(&stale, Need::Any, Some(1)).await, None, "nothing lasts for ever");
    }

    #[tokio::test]
    async fn while_one_fetches_anew_the_others_go_on_with_what_there_is() {
        let cached = Cached::new(Pace { fresh: Duration::ZERO, ..LAZY });
        assert_eq!(get(&cached, Need::Any, Some(1)).await, Some(1));
        let _turn = cached.turn.lock().await;
        assert_eq!(get(&cached, Need::Any, Some(2)).await, Some(1));
    }

    #[tokio::test]
    async fn a_value_that_is_doubted_is_fetched_anew_but_not_each_time() {
        let cached = Cached::new(LAZY);
        assert_eq!(get(&cached, Need::Any, Some(1)).await, Some(1));
        assert_eq!(get(&cached, Need::Newer, Some(2)).await, Some(2), "what nobody has doubted yet");
        assert_eq!(get(&cached, Need::Newer, Some(3)).await, Some(2));
    }

    #[tokio::test]
    async fn whoever_is_dropped_or_has_no_time_left_spoils_it_for_nobody() {
        let cached = Cached::new(LAZY);
        let soon = Instant::now() + Duration::from_millis(10);
        let never = async |_| std::future::pending::<Option<u8>>().await;
        assert!(tokio::time::timeout_at(soon.into(), cached.get(Need::Any, later(), never)).await.is_err());
        let too_late = async |until: Instant| {
            tokio::time::sleep_until(until.into()).await;
            None
        };
        assert_eq!(cached.get(Need::Any, Instant::now(), too_late).await, None);
        assert!(!cached.is_failing());
        assert_eq!(get(&cached, Need::Any, Some(7)).await, Some(7));
    }
}
