//! The signals that stop a process.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

/// SIGTERM and SIGINT, heard from when this is made.
pub(crate) struct Stopping(Option<(Signal, Signal)>);

impl Stopping {
    /// Hears them from now on.
    pub(crate) fn listen() -> Stopping {
        let both = signal(SignalKind::terminate()).and_then(|t| Ok((t, signal(SignalKind::interrupt())?)));
        Stopping(
            both.inspect_err(|_| warn!("cannot listen for signals: only SIGKILL will stop this process"))
                .ok(),
        )
    }

    /// The next of them.
    pub(crate) async fn next(&mut self) {
        let Some((terminate, interrupt)) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
