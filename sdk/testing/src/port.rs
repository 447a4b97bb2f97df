//! Free ports of the loopback interface.

use crate::{Error, Result};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the range from which Linux takes ports for outgoing connections
/// (32768 and up), so that a server that is restarted gets its port again.
const FIRST: u32 = 12_000;
/// So many ports from `FIRST`.
const PORTS: u32 = 20_000;

/// A port that nobody listens on now. Tests of other processes look elsewhere
/// first; should two take the same one all the same, the server says so and
/// another port is tried.
pub(crate) fn free() -> Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(37);
    for _ in 0..PORTS {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let Ok(port) = u16::try_from(FIRST + offset) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::new("no port of 127.0.0.1 is free"))
}
