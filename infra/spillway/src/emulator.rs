//! The DynamoDB emulator: inside this process, its data in a file.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use dynoxide::Database;
use ledger::Ledger;
use sale::Deadline;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// Until the table must be there.
const TABLE_DEADLINE: Duration = Duration::from_secs(10);

const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// A running emulator.
pub(crate) struct Emulator {
    runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
    served: Option<tokio::task::JoinHandle<Result<(), String>>>,
}

impl Emulator {
    /// Serves the data of this folder, with the ledger's table in it.
    pub(crate) fn start(data: &Path, address: SocketAddr) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("dynamodb")
            .enable_all()
            .build()?;
        let file = data.join("dynamodb.sqlite");
        let database = Database::new(&file.display().to_string())
            .map_err(|error| anyhow!("{error}"))
            .with_context(|| format!("cannot open {}", file.display()))?;
        // Each commit reaches the kernel, but is not awaited on the disk: what is here survives the end of
        // every process, though not of the machine. DynamoDB proper survives both.
        database.enable_bulk_loading().map_err(|error| anyhow!("{error}"))?;
        let listener = runtime.block_on(TcpListener::bind(address))?;
        let (stop, stopped) = oneshot::channel();
        let served = runtime.spawn(dynoxide::server::serve_with_shutdown(listener, database, async {
            let _ = stopped.await;
        }));
        let ledger = Ledger::of_emulator(&format!("http://{address}"));
        runtime.block_on(ledger.create_table_if_absent(Deadline::after(TABLE_DEADLINE)))?;
        Ok(Self { runtime, stop: Some(stop), served: Some(served) })
    }

    /// Ends it, so that its file is whole.
    pub(crate) fn stop(&mut self) {
        if let (Some(stop), Some(served)) = (self.stop.take(), self.served.take()) {
            let _ = stop.send(());
            let _ = self.runtime.block_on(async { tokio::time::timeout(STOP_TIMEOUT, served).await });
        }
    }
}
