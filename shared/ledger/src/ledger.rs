//! The handle on the table, and how a call to it can fail.
//!
//! Nobody waits for the client of the AWS SDK but the first call that needs it: it is made beside the start. What
//! TLS trusts takes longer to read than all the rest, and no start does it. A confirm has it read while it asks
//! Redis, any other call when it comes to it (`transport.rs`).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, ProvideCredentials, Region};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_types::service_config::ServiceConfigKey;
use sale::{Deadline, Next};
use tokio::sync::{OnceCell, Semaphore};

use crate::item::Malformed;
use crate::transport::{Transport, http_client_of_sdk};

pub(crate) const TIMEOUT_CONNECT: Duration = Duration::from_secs(1);
const TIMEOUT_ATTEMPT: Duration = Duration::from_millis(2_500);

/// Calls under way of one process; others wait for their turn. A service that has fallen behind would otherwise be given
/// ever more work that nobody waits for any more, and would not catch up.
const IN_FLIGHT_MAX: usize = 64;

/// With less time than this a call does not begin after a wait: its answer would come too late.
const CALL_TIME_MIN: Duration = Duration::from_millis(750);

/// The table. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    service: Arc<OnceCell<Service>>,
    in_flight: Arc<Semaphore>,
    pub(crate) table: String,
}

#[derive(Debug)]
struct Service {
    client: Client,
    /// Where its endpoint has TLS.
    secured: Option<Transport>,
}

/// Why a call has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Nothing was done; it is safe to try again.
    #[error("the ledger refused: {code}")]
    Refused {
        /// The service's own code.
        code: String,
        /// What it said.
        #[source]
        cause: Cause,
    },
    /// It may have been done. The same request again tells.
    #[error("the ledger did not answer in time")]
    OutcomeUnknown(#[source] Option<Cause>),
    /// An item is not what this version writes. Repeating does not help.
    #[error("the ledger is not in order")]
    Broken(#[source] Cause),
}

/// What lies beneath a [`LedgerError`], for the log.
type Cause = Box<dyn std::error::Error + Send + Sync>;

impl LedgerError {
    /// What the caller may do next.
    #[must_use]
    pub const fn next(&self) -> Next {
        match self {
            Self::Refused { .. } => Next::NotDone,
            Self::OutcomeUnknown(_) => Next::OutcomeUnknown,
            Self::Broken(_) => Next::Broken,
        }
    }
}

impl From<Malformed> for LedgerError {
    fn from(malformed: Malformed) -> Self {
        Self::Broken(Box::new(malformed))
    }
}

/// Codes that say: try again, nothing was done.
const TRY_AGAIN: [&str; 5] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

impl<E> From<SdkError<E>> for LedgerError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E>) -> Self {
        match error {
            SdkError::ConstructionFailure(_) => Self::Broken(Box::new(error)),
            SdkError::ServiceError(ref service) => {
                let status = service.raw().status().as_u16();
                match service.err().code() {
                    Some(code) if TRY_AGAIN.contains(&code) => {
                        Self::Refused { code: code.to_owned(), cause: Box::new(error) }
                    }
                    Some(_) if status < 500 => Self::Broken(Box::new(error)),
                    _ => Self::OutcomeUnknown(Some(Box::new(error))),
                }
            }
            _ => Self::OutcomeUnknown(Some(Box::new(error))),
        }
    }
}

impl Ledger {
    /// A handle on the table `spillway`; endpoint, region and credentials come from the standard AWS
    /// variables. They are read beside whatever the caller goes on with, which must be on a Tokio runtime.
    #[must_use]
    pub fn from_environment() -> Self {
        let service = Arc::<OnceCell<Service>>::default();
        let made = service.clone();
        tokio::spawn(async move {
            made.get_or_init(Service::of_environment).await;
        });
        Self::of(service)
    }

    fn of(service: Arc<OnceCell<Service>>) -> Self {
        Self { service, in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)), table: "spillway".to_owned() }
    }

    /// A handle on the table `spillway` of an emulator, which takes any credentials.
    #[must_use]
    pub fn of_emulator(url: &str) -> Self {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(Transport::default().http_client())
            .timeout_config(timeouts())
            .endpoint_url(url)
            .region(Region::from_static("local"))
            .credentials_provider(Credentials::new("local", "local", None, None, "emulator"))
            .build();
        let service = Service { client: Client::from_conf(config), secured: None };
        Self::of(Arc::new(OnceCell::new_with(Some(service))))
    }

    /// The same connection, with the table of this name.
    #[must_use]
    pub fn with_table(&self, table: String) -> Self {
        Self { table, ..self.clone() }
    }

    /// Has what TLS trusts read, where no call has needed it yet, beside what the caller goes on with.
    pub(crate) fn read_ahead(&self) {
        let secured = self.service.get().and_then(|service| service.secured.clone());
        if let Some(transport) = secured.filter(|transport| !transport.has_read()) {
            tokio::task::spawn_blocking(move || {
                transport.secured();
            });
        }
    }

    /// The client, as soon as it is made.
    pub(crate) async fn client(&self, deadline: Deadline) -> Result<&Client, LedgerError> {
        let made = self.service.get_or_init(Service::of_environment);
        let made = tokio::time::timeout(deadline.remaining(), made).await;
        made.map(|service| &service.client).map_err(|_| LedgerError::Refused {
            code: "NotConfigured".to_owned(),
            cause: "the configuration was not read in time".into(),
        })
    }

    /// Awaits a call to the service when its turn has come, but not beyond the deadline.
    pub(crate) async fn within<T, E>(
        &self,
        deadline: Deadline,
        call: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<Result<T, SdkError<E>>, LedgerError> {
        let patience = deadline.remaining().saturating_sub(CALL_TIME_MIN);
        let turn = tokio::time::timeout(patience, self.in_flight.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(LedgerError::Refused {
                code: "TooManyCalls".to_owned(),
                cause: "its turn did not come in time".into(),
            });
        };
        tokio::time::timeout(deadline.remaining(), call).await.map_err(|_| LedgerError::OutcomeUnknown(None))
    }
}

impl Service {
    async fn of_environment() -> Self {
        let named = EnvironmentVariableCredentialsProvider::new();
        let loader = aws_config::from_env().timeout_config(timeouts());
        // The chain of all providers makes a client for each that asks somebody, before one of them is needed.
        let loader = if named.provide_credentials().await.is_ok() {
            loader.credentials_provider(named)
        } else {
            loader.http_client(http_client_of_sdk())
        };
        let config = loader.load().await;
        let transport = Transport::default();
        let client = Client::from_conf(Builder::from(&config).http_client(transport.http_client()).build());
        let has_tls = has_tls(&config);
        if !has_tls {
            transport.plain();
        }
        Self { client, secured: has_tls.then_some(transport) }
    }
}

/// Whether the endpoint of the table has TLS, as the SDK will find it.
fn has_tls(config: &SdkConfig) -> bool {
    let key =
        ServiceConfigKey::builder().service_id("DynamoDB").env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let named = config.service_config().zip(key.build().ok());
    let named = named.and_then(|(service, key)| service.load_config(key));
    let endpoint = named.as_deref().or(config.endpoint_url());
    !endpoint.is_some_and(|url| url.starts_with("http:"))
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(TIMEOUT_CONNECT)
        .operation_attempt_timeout(TIMEOUT_ATTEMPT)
        .build()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use aws_types::service_config::LoadServiceConfig;

    use super::*;

    #[derive(Debug)]
    struct Named(&'static str);

    impl LoadServiceConfig for Named {
        fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
            (key.service_id() == "DynamoDB").then(|| self.0.to_owned())
        }
    }

    #[tokio::test]
    async fn a_call_whose_turn_does_not_come_in_time_is_not_made() {
        let ledger = Ledger::of_emulator("http://127.0.0.1:1");
        let others = ledger.in_flight.acquire_many(IN_FLIGHT_MAX.try_into().unwrap()).await.unwrap();
        let is_made = AtomicBool::new(false);
        let call = async || {
            is_made.store(true, Ordering::Relaxed);
            Ok::<_, SdkError<std::fmt::Error>>(())
        };
        let soon = || Deadline::after(CALL_TIME_MIN + Duration::from_millis(20));
        let refused = ledger.within(soon(), call()).await;
        assert!(matches!(&refused, Err(error) if error.next() == Next::NotDone), "{refused:?}");
        assert!(!is_made.load(Ordering::Relaxed));
        drop(others);
        let late = Deadline::after(CALL_TIME_MIN / 2);
        assert!(ledger.within(late, call()).await.is_ok(), "without others there is nothing to wait for");
    }

    #[test]
    fn the_usual_endpoint_has_tls_and_a_named_one_says_whether_it_has() {
        assert!(has_tls(&SdkConfig::builder().build()));
        let of_all = || SdkConfig::builder().endpoint_url("http://127.0.0.1:8000");
        assert!(!has_tls(&of_all().build()));
        assert!(has_tls(&of_all().service_config(Named("https://ledger.example")).build()));
        assert!(!has_tls(&SdkConfig::builder().service_config(Named("http://127.0.0.1:8000")).build()));
    }
}
