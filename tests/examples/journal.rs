//! What the journal costs: holds a second with it and without it, in turns, on the same nodes.
//!
//! `cargo run --release --package tests --example journal`. The script without it is the same text but for the lines that
//! write an entry. It prints the rates and their ratio, where master, replicas and crowd share the processors of one machine,
//! and the same of the processor time that the master takes for a hold, which is what bounds the rate where it has a machine
//! of its own. The figures mean nothing across runs. It fails where the latter is too low: the former depends on what else the
//! machine does.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../on_master.rs"]
mod on_master;
#[path = "../terms.rs"]
mod terms;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use sale::{Sale, SaleId, Stock};
use sentinel::{Call, Client, Durability, Idempotency, Invocation, Script, Value};
use spillway::{OPERATOR, Parts, Stack, StackOptions};
use tokio::task::JoinSet;

use crate::on_master::{command, soon};
use crate::terms::units;

const TASKS: u64 = 64;
const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 9;
/// The journal may cost a tenth of the rate.
const RATIO_MIN: f64 = 0.9;

const RESERVE: &str = concat!(
    "#!lua\n",
    include_str!("../../shared/sale/src/prelude.lua"),
    include_str!("../../shared/sale/src/queue.lua"),
    include_str!("../../shared/sale/src/reserve.lua")
);

fn main() -> Result<()> {
    let data = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/journal"));
    let _ = std::fs::remove_dir_all(&data);
    std::fs::create_dir_all(&data)?;
    let options = StackOptions { parts: Parts::Stores, ..StackOptions::all_in(data.canonicalize()?) };
    let stack = Stack::start(options, Box::new(|_| {}))?;
    tokio::runtime::Runtime::new()?.block_on(measure(&stack))
}

async fn measure(stack: &Stack) -> Result<()> {
    let redis = Client::new(stack.running()?.connection(OPERATOR)?)?;
    let sale = Sale { epoch: 1, ..Sale::new(SaleId::parse("journal")?, units(10_000_000)) };
    let stock = Stock::new(redis.clone(), Duration::from_millis(500));
    stock.open(&sale, 1, soon()).await?;
    stock.change(&sale, soon()).await?;

    let with: &'static Script = Box::leak(Box::new(Script::new(RESERVE)));
    let without: &'static Script = Box::leak(Box::new(Script::new(without_journal()?)));
    let (mut rates, mut holds_us) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for round in 1..=ROUNDS {
        for (which, script) in [with, without].into_iter().enumerate() {
            let before = processor_us(&redis).await?;
            let rate = rate(&redis, script).await?;
            let taken = processor_us(&redis).await? - before;
            rates[which].push(rate);
            holds_us[which].push(taken / (rate * ROUND.as_secs_f64()));
        }
        println!("round {round} of {ROUNDS}");
    }
    let [with, without] = rates.map(median);
    println!("{TASKS} tasks, holds a second, medians: {with:.0} with the journal, {without:.0} without");
    println!("ratio: {:.3}", with / without);
    let [with, without] = holds_us.map(median);
    println!(
        "processor time of the master for a hold, medians: {with:.1} us with the journal, {without:.1} us without"
    );
    let ratio = without / with;
    println!("rate of a master with a machine of its own, ratio: {ratio:.3}");
    ensure!(ratio >= RATIO_MIN, "the journal costs more than a tenth of the rate");
    Ok(())
}

/// Microseconds that the master's processor has worked since it began, all that it does included.
async fn processor_us(redis: &Client) -> Result<f64> {
    let Value::Bytes(text) = command(redis, "INFO", &["cpu"]).await? else {
        bail!("the server tells nothing")
    };
    let text = str::from_utf8(&text)?;
    let seconds = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|seconds| seconds.parse::<f64>().ok()).with_context(|| format!("there is no {name}"))
    };
    Ok((seconds("used_cpu_sys")? + seconds("used_cpu_user")?) * 1e6)
}

/// The script without the lines that write an entry.
fn without_journal() -> Result<&'static str> {
    const END: &str = "'e', entry)\n  end\n";
    let begin = RESERVE.find("  local entry = cmsgpack.pack(").context("the entry is not where it was")?;
    let end = RESERVE[begin..].find(END).context("the entry does not end where it did")? + begin + END.len();
    let text = format!("{}{}", &RESERVE[..begin], &RESERVE[end..]);
    assert!(!text.contains("XADD"), "the journal is still written");
    Ok(text.leak())
}

async fn rate(redis: &Client, script: &'static Script) -> Result<f64> {
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let redis = redis.clone();
        tasks.spawn(async move {
            let (mut holds, end) = (0, Instant::now() + ROUND);
            while Instant::now() < end {
                holds += u32::from(hold(&redis, script).await?);
            }
            anyhow::Ok(holds)
        });
    }
    let holds = tasks.join_all().await.into_iter().sum::<Result<u32>>()?;
    Ok(f64::from(holds) / ROUND.as_secs_f64())
}

/// A hold of one unit by a shopper of its own, acknowledged by a replica.
async fn hold(redis: &Client, script: &Script) -> Result<bool> {
    let (id, shopper): ([u8; 16], [u8; 16]) = (rand::random(), rand::random());
    let mut call = Invocation::new(script).with_history().key("{journal}").arg("500").arg(id).arg(shopper);
    for argument in ["account", "unit", "1", "0", "10000", ""] {
        call = call.arg(argument);
    }
    let durability = Durability::Replicas { count: 1, timeout: Duration::from_millis(100) };
    let call =
        redis.invoke(&call, Call { deadline: soon(), idempotency: Idempotency::Idempotent, durability });
    let Value::Array(answer) = call.await?.value else { return Ok(false) };
    Ok(answer.first() == Some(&Value::Bytes(b"HELD".to_vec())))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}
