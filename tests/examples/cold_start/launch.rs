//! A function's process: from its start to its first answer, and what each further answer takes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::runtime::LambdaRuntime;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a cold start took.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) elapsed: Duration,
    /// The most memory that the process had.
    pub(crate) peak_kib: u64,
    pub(crate) response: Value,
}

/// Starts a function for whom this event waits, and ends it after its answer.
pub(crate) async fn launch(
    program: &Path,
    settings: &[(String, String)],
    event: Value,
    status: u64,
) -> Result<Launch> {
    let runtime = LambdaRuntime::start().await;
    let answered = runtime.invoke(event).await;
    let began = Instant::now();
    let mut process = spawn(program, settings, &runtime)?;
    let answered = response(answered, status).await;
    let elapsed = began.elapsed();
    let peak_kib = peak_kib(process.id());
    process.kill()?;
    process.wait()?;
    let response = answered.with_context(|| program.display().to_string())?;
    Ok(Launch { elapsed, peak_kib: peak_kib?, response })
}

/// Sends a function these events, one after the other; its processor time for each but the first, and its
/// responses.
pub(crate) async fn keep_busy(
    program: &Path,
    settings: &[(String, String)],
    events: Vec<Value>,
    status: u64,
) -> Result<(Duration, Vec<Value>)> {
    let runtime = LambdaRuntime::start().await;
    let mut process = spawn(program, settings, &runtime)?;
    let (mut responses, mut before) = (Vec::new(), Duration::ZERO);
    for event in events {
        let answered = runtime.invoke(event).await;
        responses.push(response(answered, status).await?);
        if responses.len() == 1 {
            before = processor_time(process.id())?;
        }
    }
    let spent = processor_time(process.id())?.saturating_sub(before);
    process.kill()?;
    process.wait()?;
    let further = u32::try_from(responses.len())?.saturating_sub(1).max(1);
    Ok((spent / further, responses))
}

fn spawn(program: &Path, settings: &[(String, String)], runtime: &LambdaRuntime) -> Result<Child> {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .env("AWS_LAMBDA_RUNTIME_API", &runtime.address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "cold-start")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.spawn().with_context(|| format!("cannot start {}", program.display()))
}

async fn response(answered: oneshot::Receiver<Value>, status: u64) -> Result<Value> {
    let response = tokio::time::timeout(PATIENCE, answered).await.context("no answer")??;
    ensure!(response["statusCode"] == status, "{response}");
    Ok(response)
}

fn peak_kib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Of all threads that there are.
fn processor_time(pid: u32) -> Result<Duration> {
    let mut spent_ns = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let figures = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        spent_ns += figures.split(' ').next().context("no figures")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(spent_ns))
}
