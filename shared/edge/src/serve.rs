//! One binary, two front doors: the Lambda runtime, or plain HTTP with `LISTEN`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::app::Apps;
use crate::deadline::{BACKSTOP, REQUEST_DEADLINE, REQUEST_DEADLINE_MAX};
use crate::gate::{Gate, method_not_allowed, note_route, pass, route_not_found};
use crate::problem::PUBLIC_URL;
use crate::settings::{Door, Settings};
use crate::{Problem, Within, log, watchdog};

const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTION_BUFFER_BYTES: usize = 32 * 1024;
const CONNECTIONS_MAX: usize = 8_192;
const ACCEPT_QUEUE: u32 = 4_096;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is under way when the process is asked to stop is waited for as long as any request may take, and the moment
/// that its answer needs.
pub const SHUTDOWN_TIMEOUT: Duration =
    REQUEST_DEADLINE_MAX.saturating_add(BACKSTOP).saturating_add(Duration::from_millis(500));

/// `EX_CONFIG`: no start will be better until somebody changes the settings.
pub(crate) const WRONG_SETTINGS: u8 = 78;

/// Serves these routes behind whichever front door the environment asks for. Returns when asked to
/// stop; a fault in the settings ends it at once, with one message, or has it refuse every request that API Gateway
/// brings. Where secrets are in Secrets Manager, `routes` is called again whenever they have changed.
pub async fn serve(
    function: &'static str,
    routes: impl Fn(&mut Settings) -> Option<Router> + Send + Sync + 'static,
) -> ExitCode {
    let complete = move |settings: &mut Settings| {
        let routes = routes(settings)?.fallback(route_not_found);
        Some(routes.method_not_allowed_fallback(method_not_allowed).layer(from_fn(note_route)))
    };
    let ended = match Prepared::new(function, complete) {
        Ok(Prepared { door, gate, apps }) => {
            let apps = Arc::new(apps);
            let answers = Router::new().fallback(answer).with_state(apps.clone());
            let router = behind_gate(answers, apps, gate);
            match door {
                Door::Lambda => invoke(router).await.map_err(|error| error.to_string()),
                Door::Http(address) => {
                    listen(function, address, router).await.map_err(|error| error.to_string())
                }
            }
        }
        Err(Faults { door: Some(Door::Lambda), told }) => {
            invoke(refuse_all(function, &told)).await.map_err(|error| error.to_string())
        }
        Err(Faults { told, .. }) => return end(function, &told, WRONG_SETTINGS.into()),
    };
    ended.map_or_else(|error| end(function, &error, ExitCode::FAILURE), |()| ExitCode::SUCCESS)
}

/// Tells what is wrong, once, and refuses every request. A process that ends is an answer of API Gateway's own, which
/// tells nobody what to do, and is started again for the next request.
fn refuse_all(function: &'static str, faults: &str) -> Router {
    tracing::error!(function, faults, "every request is refused");
    let gate =
        Gate { function, deadline: REQUEST_DEADLINE, in_flight: Semaphore::new(Semaphore::MAX_PERMITS) };
    let refusing = Router::new().fallback(async || Problem::secrets_unavailable());
    refusing.layer(from_fn_with_state(Arc::new(gate), pass))
}

/// What is wrong with the settings of a function, and the front door where that much is known.
pub(crate) struct Faults {
    pub(crate) door: Option<Door>,
    pub(crate) told: String,
}

/// What the settings made of a function, all of them found good.
pub(crate) struct Prepared<T> {
    pub(crate) door: Door,
    pub(crate) gate: Gate,
    pub(crate) apps: Apps<T>,
}

impl<T> Prepared<T> {
    pub(crate) fn new(
        function: &'static str,
        build: impl Fn(&mut Settings) -> Option<T> + Send + Sync + 'static,
    ) -> Result<Self, Faults> {
        let mut settings = Settings::from_process();
        log::init(settings.log_filter());
        let (door, origin) = (settings.door(), settings.origin());
        let (deadline, in_flight) = (settings.request_deadline(), settings.in_flight_max());
        let faults = |told| Faults { door, told };
        let apps = Apps::prepare(function, settings, build).map_err(faults)?;
        let complete = || Some((door?, origin?, deadline?, in_flight?));
        let (door, origin, deadline, in_flight) =
            complete().ok_or_else(|| faults("a setting is missing".to_owned()))?;
        let _ = PUBLIC_URL.set(origin.text);
        let gate = Gate { function, deadline, in_flight: Semaphore::new(in_flight) };
        Ok(Self { door, gate, apps })
    }
}

/// Has the present app answer.
async fn answer(
    State(apps): State<Arc<Apps<Router>>>,
    Within(deadline): Within,
    request: Request,
) -> Result<Response, Problem> {
    let app = apps.current(deadline).await?;
    let Ok(response) = app.parts.clone().oneshot(request).await;
    Ok(response)
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
pub(crate) fn end(function: &str, reason: &str, code: ExitCode) -> ExitCode {
    eprintln!("{function}: {reason}");
    code
}

/// These routes and the probes, behind the gate. Whether the process lives needs no app.
pub(crate) fn behind_gate<T: Send + Sync + 'static>(
    routes: Router,
    apps: Arc<Apps<T>>,
    gate: Gate,
) -> Router {
    let probes = Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(apps)
        .layer(from_fn(note_route));
    probes.merge(routes).layer(from_fn_with_state(Arc::new(gate), pass))
}

async fn ready<T: Send + Sync + 'static>(
    State(apps): State<Arc<Apps<T>>>,
    Within(deadline): Within,
) -> Result<&'static str, Problem> {
    if let Some(stock) = &apps.current(deadline).await?.stock {
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

pub(crate) async fn listen(
    function: &'static str,
    address: SocketAddr,
    router: Router,
) -> std::io::Result<()> {
    let listener = bind(address)?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let watch = tokio::spawn(watchdog::watch(listener.local_addr()?));
    tracing::info!(function, %address, "listening");
    watchdog::ready();
    let connections = Connections::new(router);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        match accepted {
            Ok((stream, _)) => connections.serve(stream),
            // Too many open files, most likely: others will close theirs.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
    watchdog::stopping();
    watch.abort();
    // Who has connected by now is served, too: closing the socket would throw them out.
    while let Some(Ok((stream, _))) = listener.accept().now_or_never() {
        connections.serve(stream);
    }
    drop(listener);
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, connections.graceful.shutdown()).await;
    Ok(())
}

/// The connections of a listener, each served by a task of its own.
struct Connections {
    router: Router,
    http: hyper::server::conn::http1::Builder,
    graceful: GracefulShutdown,
    room: Arc<Semaphore>,
}

impl Connections {
    fn new(router: Router) -> Self {
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEADER_READ_TIMEOUT)
            .max_buf_size(CONNECTION_BUFFER_BYTES);
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self { router, http, graceful: GracefulShutdown::new(), room }
    }

    /// Where there is no room, the connection is closed.
    fn serve(&self, stream: TcpStream) {
        let Ok(permit) = self.room.clone().try_acquire_owned() else { return };
        let _ = stream.set_nodelay(true);
        let answers = TowerToHyperService::new(self.router.clone());
        let connection = self.graceful.watch(self.http.serve_connection(TokioIo::new(stream), answers));
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
}
