//! Runs schemathesis, which asks a server everything that its description
//! knows, rightly and wrongly, and compares the answers with it.

use hadron_sdk_testing::{Error, Result, Server, environment};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// Cases of each operation in the phases that make them up.
const SHORT: &str = "5";
/// The same, where there are minutes.
const LONG: &str = "400";
/// The same cases in each short run; a long one draws others each time.
const SEED: &str = "20261123";
/// Hooks and settings.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemathesis");
/// Whoever may set everything: some attributes are for services only.
const ROLES: &str = "X-Roles: admin,member,reader,service";

/// The programs, in an environment of their own.
pub struct Checker(PathBuf);

/// What came out of a run.
pub struct Report {
    /// It found no difference.
    pub succeeded: bool,
    /// All that it said.
    pub text: String,
}

/// The checker; none where `cargo xtask setup` has not been run, which is said
/// loudly, and is a failure when `HADRON_TEST_NO_SKIP=1`.
pub fn checker() -> Result<Option<Checker>> {
    match environment("schemathesis") {
        Some(programs) => Ok(Some(Checker(programs))),
        None if std::env::var("HADRON_TEST_NO_SKIP").is_ok_and(|v| v == "1") => {
            Err(Error::new("schemathesis is not in target/schemathesis: cargo xtask setup"))
        }
        None => {
            eprintln!("\n=== SKIPPED: no schemathesis (cargo xtask setup) ===\n");
            Ok(None)
        }
    }
}

impl Checker {
    /// Whether a document is OpenAPI 3.1: an error that says where it is not.
    pub async fn validate(&self, document: &Value) -> Result<()> {
        let folder = tempfile::tempdir().map_err(Error::new)?;
        let file = write(folder.path(), document)?;
        let report = output(Command::new(self.0.join("openapi-spec-validator")).arg(file)).await?;
        if report.succeeded { Ok(()) } else { Err(Error::new(report.text)) }
    }

    /// Compares a server with a description of it.
    pub async fn run(&self, server: &Server, document: &Value, more: &[&str]) -> Result<Report> {
        let folder = tempfile::tempdir().map_err(Error::new)?;
        let file = write(folder.path(), document)?;
        let long = std::env::var_os("HADRON_TEST_LONG").is_some();
        let settings = format!("{FOLDER}/schemathesis.toml");
        let mut command = Command::new(self.0.join("schemathesis"));
        command.arg("--config-file").arg(settings).arg("run").arg(file);
        command.args(["--url", server.url(), "--header", ROLES]);
        command.args([
            "--no-color",
            "--continue-on-failure",
            "--warnings",
            "off",
            "--generation-database",
            "none",
        ]);
        match long {
            true => command.args(["--max-examples", LONG]),
            false => command.args(["--max-examples", SHORT, "--seed", SEED, "--phases", "coverage,fuzzing"]),
        };
        command.args(more);
        // It keeps notes in the folder it is started in.
        command.current_dir(folder.path());
        command.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", FOLDER);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        output(&mut command).await
    }
}

fn write(folder: &Path, document: &Value) -> Result<PathBuf> {
    let file = folder.join("openapi.json");
    std::fs::write(&file, document.to_string()).map_err(Error::new)?;
    Ok(file)
}

async fn output(command: &mut Command) -> Result<Report> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.map_err(Error::new)?;
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Ok(Report { succeeded: output.status.success(), text })
}
