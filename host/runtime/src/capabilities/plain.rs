//! Log, configuration, secrets, clock and random numbers.

use crate::bindings::{clock, config, log, random, secrets};
use crate::state::HostState;
use std::time::{SystemTime, UNIX_EPOCH};

/// Lines of one call; more are dropped, so that a plugin cannot fill the disk.
const MOST_LINES: u32 = 1_000;
/// Bytes of all lines of one call.
const MOST_BYTES: usize = 256 * 1024;

/// Characters of a complaint that are kept with a journal entry.
const LONGEST_COMPLAINT: usize = 500;

impl log::Host for HostState {
    async fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.lines = self.lines.saturating_add(1);
        self.line_bytes = self.line_bytes.saturating_add(message.len());
        if self.lines > MOST_LINES || self.line_bytes > MOST_BYTES {
            if self.lines == MOST_LINES + 1 {
                tracing::warn!("the plugin writes too many lines: the rest of this call is dropped");
            }
            return Ok(());
        }
        if matches!(level, log::Level::Warn | log::Level::Error) {
            self.complaint = Some(message.chars().take(LONGEST_COMPLAINT).collect());
        }
        // Whose line it is stands in the spans around it.
        match level {
            log::Level::Trace => tracing::trace!(target: "plugin", "{message}"),
            log::Level::Debug => tracing::debug!(target: "plugin", "{message}"),
            log::Level::Info => tracing::info!(target: "plugin", "{message}"),
            log::Level::Warn => tracing::warn!(target: "plugin", "{message}"),
            log::Level::Error => tracing::error!(target: "plugin", "{message}"),
        }
        Ok(())
    }
}

impl config::Host for HostState {
    async fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        Ok(self.plugin.config.get(&key).map(ToString::to_string))
    }
}

impl secrets::Host for HostState {
    async fn available(&mut self, name: String) -> wasmtime::Result<bool> {
        Ok(super::http::secret(&self.plugin, &name).is_ok())
    }
}

impl clock::Host for HostState {
    async fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(match self.unit() {
            Some(unit) => unit.now,
            None => milliseconds(),
        })
    }
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl random::Host for HostState {
    async fn next(&mut self) -> wasmtime::Result<u64> {
        Ok(match self.unit() {
            Some(unit) => unit.random(),
            None => rand::random(),
        })
    }

    async fn uuid(&mut self) -> wasmtime::Result<String> {
        Ok(match self.unit() {
            Some(unit) => unit.uuid(),
            None => uuid::Uuid::new_v4().to_string(),
        })
    }
}
