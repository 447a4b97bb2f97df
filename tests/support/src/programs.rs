//! Starting programs that are installed.

use std::process::{Command, Stdio};

/// A test that needs a program fails with this set where there is none.
pub(crate) const NO_SKIP: &str = "HADRON_TEST_NO_SKIP";

pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// A port of loopback that nobody listens at now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16, String> {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    // Not to pipes: the server would inherit them and keep them open.
    let log = tempfile::tempfile().map_err(|error| error.to_string())?;
    let output = log.try_clone().map_err(|error| error.to_string())?;
    let errors = log.try_clone().map_err(|error| error.to_string())?;
    let status = command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .status()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() {
        return Ok(());
    }
    use std::io::{Read as _, Seek as _};
    let (mut log, mut text) = (log, String::new());
    let _ = log.rewind();
    let _ = log.read_to_string(&mut text);
    Err(format!("{command:?} ended with {status}: {text}"))
}
