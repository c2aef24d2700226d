//! `cargo spillway …`: reads the command line and calls the library.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use spillway::{
    AuditArguments, ChaosArguments, CheckDeployArguments, ClusterArguments, DrawArguments, FailoverArguments,
    KeysArguments, PublishArguments, QueueArguments, ReplayArguments, RestoreArguments, RushArguments,
    SaleArguments, TestArguments, UpArguments,
};

/// Sell a limited stock to a crowd: the operator's and the developer's command.
#[derive(Parser)]
#[command(name = "cargo spillway", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Up(UpArguments),
    /// Stop the system that `up` has started.
    Down,
    /// What a merchant does with sales, stock and orders.
    Sale(SaleArguments),
    Queue(QueueArguments),
    Draw(DrawArguments),
    Publish(PublishArguments),
    Audit(AuditArguments),
    Restore(RestoreArguments),
    Replay(ReplayArguments),
    Rush(RushArguments),
    Chaos(ChaosArguments),
    Cluster(ClusterArguments),
    Failover(FailoverArguments),
    Keys(KeysArguments),
    Test(TestArguments),
    CheckDeploy(CheckDeployArguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Up(arguments) => arguments.run().await,
        Command::Down => spillway::down().await,
        Command::Sale(arguments) => arguments.run().await,
        Command::Queue(arguments) => arguments.run().await,
        Command::Draw(arguments) => arguments.run().await,
        Command::Publish(arguments) => arguments.run().await,
        Command::Audit(arguments) => arguments.run().await,
        Command::Restore(arguments) => arguments.run().await,
        Command::Replay(arguments) => arguments.run().await,
        Command::Rush(arguments) => arguments.run().await,
        Command::Chaos(arguments) => arguments.run().await,
        Command::Cluster(arguments) => arguments.run().await,
        Command::Failover(arguments) => arguments.run().await,
        Command::Keys(arguments) => arguments.run(),
        Command::Test(arguments) => arguments.run(),
        Command::CheckDeploy(arguments) => arguments.run(),
    };
    done.map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS)
}

#[allow(clippy::print_stderr)]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("{error:#}");
    ExitCode::FAILURE
}
