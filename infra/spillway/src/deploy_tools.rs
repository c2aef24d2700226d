//! The programs that check a deployment: installed, in the versions of `infra/requirements*.txt`, below `target/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use crate::layout::{checkout, make_folder, template};
use crate::progress::say;

/// Lines of a failed program's output that are shown.
const SHOWN_MAX: usize = 60;

/// Python's programs of these files, each in an environment of its own, because what they need contradicts.
const ENVIRONMENTS: [(&str, &str); 2] =
    [("tools", "requirements.txt"), ("scanner", "requirements-scanner.txt")];

/// Installed programs.
pub(crate) struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Installs what is missing, or is another version.
    pub(crate) fn install() -> Result<Self> {
        let folder = checkout().join("target/deploy");
        make_folder(&folder)?;
        for (name, file) in ENVIRONMENTS {
            let environment = folder.join(name);
            let wanted = template(file)?;
            let note = environment.join("installed.txt");
            if std::fs::read_to_string(&note).is_ok_and(|installed| installed == wanted) {
                continue;
            }
            say(&format!("installing what infra/{file} names (a minute or two)"));
            let _ = std::fs::remove_dir_all(&environment);
            let mut venv = Command::new("python3");
            succeed(venv.args(["-m", "venv"]).arg(&environment))
                .context("python3 with its module venv is needed (apt-get install python3-venv)")?;
            let mut pip = Command::new(environment.join("bin/pip"));
            pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]);
            succeed(pip.arg(checkout().join("infra").join(file)))?;
            std::fs::write(&note, wanted).context("cannot note what is installed")?;
        }
        Ok(Self { folder })
    }

    /// Where the check writes.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// One of these programs, in the root of the checkout, with no account but one of nobody.
    // The search path is no setting of ours.
    #[allow(clippy::disallowed_methods)]
    pub(crate) fn command(&self, program: &str) -> Command {
        let paths = ENVIRONMENTS.map(|(name, _)| self.folder.join(name).join("bin"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        // The first environment goes before the system, so that `python3 -m ziglang` is found there.
        let all = paths.iter().cloned().chain(std::env::split_paths(&path));
        let found = paths.iter().map(|path| path.join(program)).find(|path| path.exists());
        let mut command = Command::new(found.unwrap_or_else(|| program.into()));
        command
            .current_dir(checkout())
            .envs(std::env::join_paths(all).map(|all| ("PATH", all)))
            .env("SAM_CLI_TELEMETRY", "0")
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", "nobody")
            .env("AWS_SECRET_ACCESS_KEY", "nobody")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN")
            .stdin(Stdio::null());
        command
    }
}

/// Runs a program to its end; gives what it wrote, or fails with the last lines of it.
pub(crate) fn succeed(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let Output { status, stdout, stderr } =
        command.output().with_context(|| format!("cannot start {name}"))?;
    let written = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if status.success() {
        return Ok(written);
    }
    let lines: Vec<_> = written.lines().collect();
    bail!("{name}: {status}\n{}", lines[lines.len().saturating_sub(SHOWN_MAX)..].join("\n"))
}
