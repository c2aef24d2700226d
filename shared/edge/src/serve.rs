//! One binary, two front doors: the Lambda runtime, or plain HTTP with `LISTEN`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use lambda_http::lambda_runtime::LambdaEvent;
use sale::Stock;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::gate::{Gate, method_not_allowed, pass, route_not_found};
use crate::problem::PUBLIC_URL;
use crate::settings::{Door, Settings};
use crate::{Problem, Within, log};

const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTION_BUFFER_BYTES: usize = 32 * 1024;
const CONNECTIONS_MAX: usize = 8_192;
const ACCEPT_QUEUE: u32 = 4_096;
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves these routes behind whichever front door the environment asks for. Returns when asked to
/// stop; a fault in the settings ends it at once, with one message.
pub async fn serve(function: &'static str, routes: impl FnOnce(&mut Settings) -> Option<Router>) -> ExitCode {
    let prepared = match Prepared::new(function, routes) {
        Ok(prepared) => prepared,
        Err(faults) => return refuse(function, &faults),
    };
    let router = behind_gate(prepared.built, prepared.stock, prepared.gate);
    let ended = match prepared.door {
        Door::Lambda => invoke(router).await.map_err(|error| error.to_string()),
        Door::Http(address) => listen(function, address, router).await.map_err(|error| error.to_string()),
    };
    ended.map_or_else(|error| refuse(function, &error), |()| ExitCode::SUCCESS)
}

/// Does this work whenever the schedule says: for each Lambda event, or with `LISTEN` again and again,
/// with the probes of a function beside it.
pub async fn serve_schedule<W, F>(
    function: &'static str,
    work: impl FnOnce(&mut Settings) -> Option<W>,
) -> ExitCode
where
    W: Fn() -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let prepared = match Prepared::new(function, work) {
        Ok(prepared) => prepared,
        Err(faults) => return refuse(function, &faults),
    };
    let work = prepared.built;
    let ended = match prepared.door {
        Door::Lambda => {
            let event = lambda_http::service_fn(move |_: LambdaEvent<serde_json::Value>| {
                let done = work();
                async move {
                    done.await;
                    Ok::<_, lambda_http::Error>(())
                }
            });
            lambda_http::lambda_runtime::run(event).await.map_err(|error| error.to_string())
        }
        Door::Http(address) => {
            let again = tokio::spawn(async move {
                loop {
                    work().await;
                }
            });
            let router = behind_gate(Router::new(), prepared.stock, prepared.gate);
            // Work that has ended, which only a panic can do, ends the process: whoever keeps it running
            // starts it again, and nobody takes it for alive meanwhile.
            tokio::select! {
                ended = listen(function, address, router) => ended.map_err(|error| error.to_string()),
                _ = again => Err("its work has ended".to_owned()),
            }
        }
    };
    ended.map_or_else(|error| refuse(function, &error), |()| ExitCode::SUCCESS)
}

/// What the settings made of a function, all of them found good.
struct Prepared<T> {
    built: T,
    door: Door,
    stock: Option<Stock>,
    gate: Gate,
}

impl<T> Prepared<T> {
    fn new(function: &'static str, build: impl FnOnce(&mut Settings) -> Option<T>) -> Result<Self, String> {
        let mut settings = Settings::from_process();
        log::init(settings.log_filter());
        let built = build(&mut settings);
        let (door, origin) = (settings.door(), settings.origin());
        let (deadline, in_flight) = (settings.request_deadline(), settings.in_flight_max());
        if let Some(faults) = settings.faults() {
            return Err(faults);
        }
        let complete = || Some((built?, door?, origin?, deadline?, in_flight?));
        let (built, door, origin, deadline, in_flight) = complete().ok_or("a setting is missing")?;
        let _ = PUBLIC_URL.set(origin.text);
        let gate = Gate { function, deadline, in_flight: Semaphore::new(in_flight) };
        Ok(Self { built, door, stock: settings.stock.take(), gate })
    }
}

/// Serves the Lambda runtime, one request at a time or, where the runtime allows it, many.
async fn invoke(router: Router) -> Result<(), lambda_http::Error> {
    lambda_http::run_concurrent(lambda_http::service_fn(move |request: lambda_http::Request| {
        let router = router.clone();
        async move {
            let response = router.oneshot(request).await?;
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await?.to_bytes().to_vec();
            let body = String::from_utf8(bytes).map_or_else(
                |binary| lambda_http::Body::Binary(binary.into_bytes()),
                lambda_http::Body::Text,
            );
            Ok::<_, lambda_http::Error>(lambda_http::Response::from_parts(parts, body))
        }
    }))
    .await
}

#[allow(clippy::print_stderr)]
fn refuse(function: &str, reason: &str) -> ExitCode {
    eprintln!("{function}: {reason}");
    ExitCode::from(78)
}

fn behind_gate(routes: Router, stock: Option<Stock>, gate: Gate) -> Router {
    let probes =
        Router::new().route("/livez", get(async || "alive\n")).route("/readyz", get(ready)).with_state(stock);
    routes
        .merge(probes)
        .fallback(route_not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(Arc::new(gate), pass))
}

async fn ready(
    State(stock): State<Option<Stock>>,
    Within(deadline): Within,
) -> Result<&'static str, Problem> {
    if let Some(stock) = stock {
        stock.ping(deadline).await?;
    }
    Ok("ready\n")
}

/// Listens with room for a crowd: with the usual 128 connections that wait to be accepted, those who come
/// in the same instant would wait a second for their second attempt.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(ACCEPT_QUEUE)
}

async fn listen(function: &'static str, address: SocketAddr, router: Router) -> std::io::Result<()> {
    let listener = bind(address)?;
    tracing::info!(function, %address, "listening");
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_buf_size(CONNECTION_BUFFER_BYTES);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        let Ok((stream, _)) = accepted else {
            // Too many open files, most likely: others will close theirs.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(permit) = connections.clone().try_acquire_owned() else { continue };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, graceful.shutdown()).await;
    Ok(())
}
