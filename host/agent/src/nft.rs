//! The kernel's packet filter, by the program `nft`: a text is taken as a whole or
//! not at all.

use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Why a text was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program cannot be run.
    #[error("the program nft does not run: {0}")]
    Program(#[from] std::io::Error),
    /// The kernel, or the program, refuses it.
    #[error("nft refuses the rules: {0}")]
    Refused(String),
}

/// Has the kernel filter as the text says, in the network namespace of this
/// thread.
///
/// # Errors
/// Where it is not taken; then everything is as before.
pub async fn apply(text: &str) -> Result<(), Error> {
    let mut program = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    // It reads all before it says anything; and it may end before it has read all.
    if let Some(mut input) = program.stdin.take()
        && let Err(error) = input.write_all(text.as_bytes()).await
    {
        tracing::debug!(%error, "nft ends early");
    }
    let output = program.wait_with_output().await?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Error::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}
