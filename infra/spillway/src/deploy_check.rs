//! `cargo spillway check-deploy`: proves what `sam build && sam deploy` would do, as far as that goes without an
//! account: validates, builds, translates and lints the stack, scans it for risks, and deploys it to a local server
//! of AWS's API. It ends with what was shown and what was not.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::deploy_binaries::check_binaries;
use crate::deploy_local::deploy_locally;
use crate::deploy_tools::Tools;
use crate::layout::checkout;
use crate::process::succeed;
use crate::progress::say;

/// Check the deployment to AWS, without an account.
#[derive(Debug, Clone, clap::Args)]
pub struct CheckDeployArguments {
    /// Only steps whose name contains this; what they need of others must be there already.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

/// The stacks inside the stack, as `sam build` leaves them, and those beside it: the firewall, and who deploys.
const PLAIN: [&str; 8] = [
    ".aws-sam/build/Network/template.yaml",
    ".aws-sam/build/Secrets/template.yaml",
    ".aws-sam/build/Nodes/template.yaml",
    ".aws-sam/build/Nodes/Node1/template.yaml",
    ".aws-sam/build/Cdn/template.yaml",
    ".aws-sam/build/Observability/template.yaml",
    "infra/waf.yaml",
    "infra/deploy-role.yaml",
];

/// Shell scripts that hosts run.
const SCRIPTS: [&str; 7] = [
    ".ci/run",
    "infra/nodes/as-operator",
    "infra/nodes/boot",
    "infra/nodes/certificate",
    "infra/nodes/passwords",
    "infra/redis/notify",
    "infra/redis/start",
];

/// What `sam build` leaves, and what `CloudFormation` makes of it; the latter beside the former, because both name
/// the functions' code and the stacks inside by folders.
const BUILT: &str = ".aws-sam/build/template.yaml";
pub(crate) const TRANSLATED: &str = ".aws-sam/build/translated.json";

/// One step: gives what it found, in a line.
type Step = fn(&Tools) -> Result<String>;

const STEPS: [(&str, Step); 9] = [
    ("scripts", scripts),
    ("validate", validate),
    ("rules", rules),
    ("build", build),
    ("binaries", check_binaries),
    ("translate", translate),
    ("lint", lint),
    ("policies", policies),
    ("deploy", deploy_locally),
];

impl CheckDeployArguments {
    /// Runs every step, also after one that failed, and fails where any did.
    pub fn run(self) -> Result<()> {
        let tools = Tools::install()?;
        let mut results: Vec<(&str, Duration, Result<String>)> = Vec::new();
        for (name, step) in STEPS {
            if self.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
                continue;
            }
            say(&format!("== {name}"));
            let began = Instant::now();
            let result = step(&tools);
            say(&match &result {
                Ok(found) => found.clone(),
                Err(error) => format!("FAILED: {error:#}"),
            });
            results.push((name, began.elapsed(), result));
        }
        ensure!(!results.is_empty(), "no step has this in its name");
        say("== summary");
        for (name, took, result) in &results {
            let word = if result.is_ok() { "ok" } else { "FAILED" };
            say(&format!("{name:<10} {word:<6} {:>4} s", took.as_secs()));
        }
        say("Nothing was deployed to AWS: CloudFront, the firewall, roles and hosts have never run there.");
        let failed: Vec<_> =
            results.iter().filter(|(_, _, result)| result.is_err()).map(|(name, ..)| *name).collect();
        if failed.is_empty() { Ok(()) } else { bail!("not good: {}", failed.join(", ")) }
    }
}

fn scripts(tools: &Tools) -> Result<String> {
    succeed(tools.command("shellcheck").args(SCRIPTS))?;
    Ok(format!("{} scripts have no finding", SCRIPTS.len()))
}

fn validate(tools: &Tools) -> Result<String> {
    succeed(tools.command("sam").arg("validate"))?;
    Ok("sam validate --lint, as samconfig.toml says, has no finding".to_owned())
}

fn rules(tools: &Tools) -> Result<String> {
    python(tools, &["rules"])
}

fn build(tools: &Tools) -> Result<String> {
    say("sam build compiles every function for Amazon Linux (the first time takes some minutes)");
    succeed(tools.command("sam").arg("build"))?;
    Ok("sam build has built every function".to_owned())
}

fn translate(tools: &Tools) -> Result<String> {
    python(tools, &["translate", BUILT, TRANSLATED])
}

fn lint(tools: &Tools) -> Result<String> {
    let mut lint = tools.command("cfn-lint");
    lint.args(["--regions", "eu-west-1", "us-east-1"]);
    // W3002: a path is local, which `sam deploy` replaces. W2001: a parameter is not used any more, because the
    // transform has put its value in; `sam validate` has looked for those that nobody uses.
    lint.args(["--ignore-checks", "W3002", "W2001", "--template", TRANSLATED]).args(PLAIN);
    succeed(&mut lint)?;
    Ok(format!("cfn-lint has no finding in the translated template and {} others", PLAIN.len()))
}

fn policies(tools: &Tools) -> Result<String> {
    let mut scan = tools.command("checkov");
    scan.args(["--config-file", "infra/checkov.yaml", "--framework", "cloudformation", "--file", TRANSLATED]);
    let told = succeed(scan.args(PLAIN))?;
    let counts = told.lines().find(|line| line.starts_with("Passed checks:"));
    let counts = counts.with_context(|| format!("checkov has checked nothing:\n{told}"))?;
    // A template that it cannot read is no failure for it.
    ensure!(!told.contains("Parsing errors: ") || told.contains("Parsing errors: 0"), "checkov: {counts}");
    Ok(format!("checkov: {counts}"))
}

/// Runs `infra/templates.py`.
pub(crate) fn python(tools: &Tools, arguments: &[&str]) -> Result<String> {
    let script = checkout().join("infra/templates.py");
    Ok(succeed(tools.command("python3").arg(script).args(arguments))?.trim_end().to_owned())
}

/// A path as an argument among texts.
pub(crate) fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is no text", path.display()))
}
