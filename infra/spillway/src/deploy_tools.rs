//! The programs that check a deployment: installed, in the versions of `infra/requirements*.txt`, below `target/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::layout::{checkout, make_folder, template};
use crate::progress::say;
use crate::python::make_environment;

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
            let requirements = checkout().join("infra").join(file);
            make_environment(&environment, &["--requirement".as_ref(), requirements.as_os_str()])?;
            std::fs::write(&note, wanted).context("cannot note what is installed")?;
        }
        Ok(Self { folder })
    }

    /// Where the check writes.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a program is: in one of the environments, or somewhere on the search path.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let installed =
            ENVIRONMENTS.map(|(environment, _)| self.folder.join(environment).join("bin").join(name));
        installed.into_iter().find(|path| path.exists()).unwrap_or_else(|| name.into())
    }

    /// One of these programs, in the root of the checkout, with no account but one of nobody.
    // The search path is no setting of ours.
    #[allow(clippy::disallowed_methods)]
    pub(crate) fn command(&self, program: &str) -> Command {
        let paths = ENVIRONMENTS.map(|(name, _)| self.folder.join(name).join("bin"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        // The first environment goes before the system, so that `python3 -m ziglang` is found there.
        let all = paths.iter().cloned().chain(std::env::split_paths(&path));
        let mut command = Command::new(self.program(program));
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
