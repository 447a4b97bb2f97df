//! Programs that the agent runs.

use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Why a program did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// It could not be run.
    #[error("cannot run {0}: {1}")]
    Run(String, std::io::Error),
    /// It failed.
    #[error("{0}: {1}")]
    Failed(String, String),
}

/// Runs a program with what it reads; answers what it prints.
///
/// # Errors
/// [`Error::Failed`] with what it says when it fails.
pub(super) async fn run(program: &str, words: &[&str], input: &str) -> Result<String, Error> {
    let broken = |error| Error::Run(program.to_owned(), error);
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(broken)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends early says itself why.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(broken)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Failed(format!("{program} {}", words.join(" ")), said))
}
