//! How calls reach the service. What TLS trusts is read once, and only where a call goes over TLS.
//!
//! The SDK's own HTTP client reads the certificates of the machine as soon as a client is made, also for an
//! endpoint without TLS, and parses them once for each client and once more with the first call. On Debian,
//! which keeps each certificate in a file of its own as well, that took as long as a function's whole start.

use std::sync::{Arc, OnceLock};

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use crate::ledger::TIMEOUT_CONNECT;

const TLS: tls::Provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);

/// One connector for each scheme, with the connections that are kept open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transport(Arc<Connectors>);

#[derive(Debug, Default)]
struct Connectors {
    plain: OnceLock<Connector>,
    secured: OnceLock<Connector>,
}

impl Transport {
    /// For a client all of whose calls have the timeouts of [`crate::ledger`].
    pub(crate) fn http_client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    /// Reads the certificates, where none has needed them yet. Blocks for some milliseconds.
    pub(crate) fn secured(&self) -> &Connector {
        self.0.secured.get_or_init(|| connector(TrustStore::default()))
    }

    /// Whether they are read.
    pub(crate) fn has_read(&self) -> bool {
        self.0.secured.get().is_some()
    }

    /// Made beside the start, because it reads nothing.
    pub(crate) fn plain(&self) -> &Connector {
        self.0.plain.get_or_init(|| connector(TrustStore::empty()))
    }
}

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_plain = request.uri().starts_with("http:");
        if is_plain { self.plain().call(request) } else { self.secured().call(request) }
    }
}

fn connector(trusted: TrustStore) -> Connector {
    let mut builder = Connector::builder()
        .tls_provider(TLS)
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(TIMEOUT_CONNECT).build());
    // Only a context that names a certificate can fail to be made.
    if let Ok(context) = TlsContext::builder().with_trust_store(trusted).build() {
        builder.set_tls_context(context);
    }
    builder.build()
}

/// The SDK's own client: for a chain of credential providers, each of which has its own timeouts.
pub(crate) fn http_client_of_sdk() -> SharedHttpClient {
    Builder::new().tls_provider(TLS).build_https()
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::HttpError;

    use super::*;

    #[tokio::test]
    async fn certificates_are_read_for_a_call_over_tls_and_for_no_other() -> Result<(), HttpError> {
        let transport = Transport::default();
        let nobody_listens = transport.call(HttpRequest::get("http://127.0.0.1:1/")?).await;
        assert!(nobody_listens.is_err());
        assert!(transport.0.plain.get().is_some() && transport.0.secured.get().is_none());
        let nobody_listens = transport.call(HttpRequest::get("https://127.0.0.1:1/")?).await;
        assert!(nobody_listens.is_err());
        assert!(transport.0.secured.get().is_some());
        Ok(())
    }
}
