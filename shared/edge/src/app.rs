//! What a function answers with. It is made of the settings: once, at the start; or, where secrets are in
//! Secrets Manager, at the first request, and anew whenever they have changed.
//!
//! Requests drive this. The first ones wait for the secrets, within their deadlines. Later one request in a
//! minute is held up while it fetches them again, a second at most, and the others go on with what there is.
//! Where that fails, what there is stays in use for a day.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fetch::{Cached, Need, Pace};
use sale::{Deadline, Stock};

use crate::Problem;
use crate::secrets::SecretSource;
use crate::settings::{Kept, Settings};

/// How long secrets last that cannot be fetched again.
pub(crate) const SECRETS_LAST: Duration = Duration::from_hours(24);

/// How soon secrets are fetched again, and how long they last. The floor keeps a password that stays wrong
/// from becoming a storm of its own.
const PACE: Pace = Pace {
    fresh: Duration::from_mins(1),
    stale: SECRETS_LAST,
    floor: Duration::from_secs(5),
    retry: Duration::from_secs(5),
    first_attempt: Duration::from_secs(3),
    attempt: Duration::from_secs(1),
};

/// What the settings have made.
pub(crate) struct App<T> {
    pub(crate) parts: T,
    pub(crate) stock: Option<Stock>,
    /// Refusals of its passwords by Redis that a fetch has answered.
    answered: AtomicU64,
}

/// The app of the present settings.
pub(crate) enum Apps<T> {
    Fixed(Arc<App<T>>),
    Loaded(Box<Loading<T>>),
}

type Build<T> = dyn Fn(&mut Settings) -> Option<T> + Send + Sync;

pub(crate) struct Loading<T> {
    function: &'static str,
    settings: Settings,
    source: SecretSource,
    build: Box<Build<T>>,
    loaded: Cached<Loaded<T>>,
}

struct Loaded<T> {
    secrets: HashMap<String, String>,
    kept: Kept,
    app: Arc<App<T>>,
}

impl<T> Apps<T> {
    /// Checks whatever can be checked now; `None` where there is a fault, which is in the settings then.
    pub(crate) fn prepare(
        function: &'static str,
        mut settings: Settings,
        build: impl Fn(&mut Settings) -> Option<T> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let parts = build(&mut settings);
        let source = settings.secret_source();
        if let Some(faults) = settings.faults() {
            return Err(faults);
        }
        match (source, parts) {
            (None, Some(parts)) => Ok(Self::Fixed(Arc::new(App::new(parts, settings.kept.stock())))),
            (None, None) => Err("a setting is missing".to_owned()),
            (Some(source), _) => Ok(Self::Loaded(Box::new(Loading {
                function,
                settings,
                loaded: Cached::new(Pace { fresh: source.fresh, ..PACE }),
                source,
                build: Box::new(build),
            }))),
        }
    }

    /// The app as it is now; a problem where its secrets cannot be had by the deadline.
    pub(crate) async fn current(&self, deadline: Deadline) -> Result<Arc<App<T>>, Problem> {
        match self {
            Self::Fixed(app) => Ok(app.clone()),
            Self::Loaded(loading) => loading.current(deadline).await.ok_or_else(Problem::secrets_unavailable),
        }
    }
}

impl<T> Loading<T> {
    async fn current(&self, deadline: Deadline) -> Option<Arc<App<T>>> {
        let before = self.loaded.present();
        let refusals = before.as_ref().and_then(|loaded| loaded.app.unanswered_refusals());
        let need = if refusals.is_some() { Need::Newer } else { Need::Any };
        let fetch = async |until| {
            let loaded = self.load(before.as_deref(), until).await;
            if let (Some(before), Some(refusals)) = (&before, refusals) {
                before.app.answered.store(refusals, Ordering::Relaxed);
            }
            loaded
        };
        self.loaded.get(need, deadline.instant(), fetch).await.map(|loaded| loaded.app.clone())
    }

    async fn load(&self, before: Option<&Loaded<T>>, until: Instant) -> Option<Loaded<T>> {
        let (secrets, mut settings) = self.source.load(&self.settings, until).await;
        if let Some(before) = before.filter(|before| before.secrets == secrets && settings.faults().is_none())
        {
            return Some(Loaded { secrets, kept: before.kept.clone(), app: before.app.clone() });
        }
        if let Some(before) = before {
            settings.kept = before.kept.clone();
        }
        let function = self.function;
        let parts = (self.build)(&mut settings);
        match (settings.faults(), parts) {
            (None, Some(parts)) => {
                tracing::info!(function, "secrets loaded");
                let app = Arc::new(App::new(parts, settings.kept.stock()));
                Some(Loaded { secrets, kept: settings.kept, app })
            }
            (faults, _) => {
                let faults = faults.unwrap_or_else(|| "a setting is missing".to_owned());
                tracing::error!(function, faults, is_serving = before.is_some(), "secrets cannot be loaded");
                None
            }
        }
    }
}

impl<T> App<T> {
    fn new(parts: T, stock: Option<Stock>) -> Self {
        let app = Self { parts, stock, answered: AtomicU64::new(0) };
        app.answered.store(app.refusals(), Ordering::Relaxed);
        app
    }

    /// How often Redis has refused its passwords, where that is news.
    fn unanswered_refusals(&self) -> Option<u64> {
        Some(self.refusals()).filter(|refusals| *refusals > self.answered.load(Ordering::Relaxed))
    }

    fn refusals(&self) -> u64 {
        self.stock.as_ref().map_or(0, |stock| stock.redis().refused_passwords())
    }
}
