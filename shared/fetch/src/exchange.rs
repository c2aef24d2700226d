//! One request and its answer, on a connection of its own. Redirects are not followed: an address that is to
//! be trusted is the one in the settings.

use std::pin::pin;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST, HeaderValue};
use hyper::rt::{Read, Write};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;

use crate::{Address, roots};

/// For one of the addresses that a name has: an endpoint has one in each zone, and a zone may be gone.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(700);

const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Why nothing was fetched. No variant holds anything of an answer's content.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Its name has no address, or nobody takes a connection there.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// No TLS connection that can be trusted.
    #[error("no trust: {0}")]
    Tls(String),
    /// The connection broke off, or what came is no HTTP.
    #[error("no answer that can be read: {0}")]
    Broken(String),
    /// It had said nothing, or not all, when the time was over.
    #[error("no answer in time")]
    TimedOut,
    /// The answer is longer than anything that is expected.
    #[error("its answer is longer than {0} bytes")]
    TooLong(usize),
    /// It refused.
    #[error("it answered with status {0}")]
    Status(u16),
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// The body behind this address, by GET; anything but 200 is an error.
pub async fn get(address: &Address, bytes_max: usize, deadline: Instant) -> Result<Bytes, FetchError> {
    let mut request = Request::new(Full::default());
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let answer = exchange(address, request, bytes_max, deadline).await?;
    if answer.status == StatusCode::OK {
        Ok(answer.body)
    } else {
        Err(FetchError::Status(answer.status.as_u16()))
    }
}

/// Sends the request to this address and reads the answer; all of it before the deadline.
pub(crate) async fn exchange(
    address: &Address,
    request: Request<Full<Bytes>>,
    bytes_max: usize,
    deadline: Instant,
) -> Result<Answer, FetchError> {
    let whole = async {
        let request = addressed(address, request)?;
        let stream = connect(address).await?;
        if !address.is_https {
            return converse(TokioIo::new(stream), request, bytes_max).await;
        }
        let name = ServerName::try_from(address.host.clone());
        let name = name.map_err(|_| FetchError::Tls("no certificate can have this name".to_owned()))?;
        let secured = TlsConnector::from(roots::tls()?).connect(name, stream).await;
        let secured = secured.map_err(|error| FetchError::Tls(error.to_string()))?;
        converse(TokioIo::new(secured), request, bytes_max).await
    };
    tokio::time::timeout_at(deadline.into(), whole).await.unwrap_or(Err(FetchError::TimedOut))
}

fn addressed(
    address: &Address,
    mut request: Request<Full<Bytes>>,
) -> Result<Request<Full<Bytes>>, FetchError> {
    let broken = |error: &dyn std::error::Error| FetchError::Broken(error.to_string());
    *request.uri_mut() = address.path().parse().map_err(|error| broken(&error))?;
    let host = HeaderValue::from_str(address.authority()).map_err(|error| broken(&error))?;
    request.headers_mut().insert(HOST, host);
    Ok(request)
}

async fn connect(address: &Address) -> Result<TcpStream, FetchError> {
    let unreachable = |error: std::io::Error| FetchError::Unreachable(error.to_string());
    let mut failure = FetchError::Unreachable("its name has no address".to_owned());
    for socket in lookup_host((address.host.as_str(), address.port)).await.map_err(unreachable)? {
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(socket)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = unreachable(error),
            Err(_) => failure = FetchError::Unreachable(format!("{socket} does not take the connection")),
        }
    }
    Err(failure)
}

/// The connection is driven here and not by a task of its own; it ends with the answer.
async fn converse<S: Read + Write + Unpin>(
    stream: S,
    request: Request<Full<Bytes>>,
    bytes_max: usize,
) -> Result<Answer, FetchError> {
    let broken = |error: hyper::Error| FetchError::Broken(error.to_string());
    let handshake = http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(stream);
    let (mut sender, connection) = handshake.await.map_err(broken)?;
    let mut answering = pin!(async {
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        match Limited::new(body, bytes_max).collect().await {
            Ok(body) => Ok(Answer { status: head.status, body: body.to_bytes() }),
            Err(error) if error.is::<LengthLimitError>() => Err(FetchError::TooLong(bytes_max)),
            Err(error) => Err(FetchError::Broken(error.to_string())),
        }
    });
    tokio::select! {
        answer = &mut answering => return answer,
        ended = connection => ended.map_err(broken)?,
    }
    // It closed behind its last byte, which has been read.
    answering.await
}
