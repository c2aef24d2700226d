//! `sam deploy` to a server of AWS's API on this machine (moto), and what that server then has.

use std::net::TcpStream;

use anyhow::Result;

use crate::deploy_check::{TRANSLATED, path, python};
use crate::deploy_tools::Tools;
use crate::kept::any_free_port;
use crate::process::{Program, WhenOrphaned, await_start};

/// Deploys every stack; gives what is there afterwards, and what the server cannot make.
pub(crate) fn deploy_locally(tools: &Tools) -> Result<String> {
    let port = any_free_port()?;
    let server = Program {
        path: tools.program("moto_server"),
        arguments: ["--host", "127.0.0.1", "--port", &port.to_string()].map(Into::into).into(),
        environment: Vec::new(),
        log: tools.folder().join("moto.log"),
        when_orphaned: WhenOrphaned::Terminate,
    };
    let mut process = server.start()?;
    let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    await_start(vec![("moto_server".to_owned(), &mut process)], listens)?;
    // By this name: the server takes any other for that of a bucket.
    python(tools, &["deploy", TRANSLATED, &format!("http://localhost:{port}"), path(tools.folder())?])
}
