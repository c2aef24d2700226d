//! `sam deploy` to a server of AWS's API on this machine (moto), and what that server then has.

use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::deploy_check::{TRANSLATED, path, python};
use crate::deploy_tools::Tools;
use crate::kept::any_free_port;

const START_TIMEOUT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(100);

/// The server; dropping it ends it.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(tools: &Tools) -> Result<Self> {
        let port = any_free_port()?;
        let log = std::fs::File::create(tools.folder().join("moto.log")).context("cannot write its log")?;
        let mut command = tools.command("moto_server");
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        let child = command.stdout(Stdio::null()).stderr(log).spawn().context("cannot start moto_server")?;
        // By this name: the server takes any other for that of a bucket.
        let mut server = Self { child, url: format!("http://localhost:{port}") };
        let give_up = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("moto_server ended at its start: {status}");
            }
            if Instant::now() > give_up {
                bail!("moto_server does not listen after {} s", START_TIMEOUT.as_secs());
            }
            std::thread::sleep(POLL);
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Deploys every stack; gives what is there afterwards, and what the server cannot make.
pub(crate) fn deploy_locally(tools: &Tools) -> Result<String> {
    let server = Server::start(tools)?;
    python(tools, &["deploy", TRANSLATED, &server.url, path(tools.folder())?])
}
