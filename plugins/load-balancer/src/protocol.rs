//! Protocols of listeners and pools. In octavia-lib:
//! `LISTENER_SUPPORTED_PROTOCOLS`, `POOL_SUPPORTED_PROTOCOLS`; in Octavia:
//! `VALID_LISTENER_POOL_PROTOCOL_MAP`, `L4_PROTOCOL_MAP`.

use crate::errors;
use hadron_sdk::Result;

pub(crate) const TERMINATED_HTTPS: &str = "TERMINATED_HTTPS";
pub(crate) const PROMETHEUS: &str = "PROMETHEUS";
pub(crate) const UDP: &str = "UDP";
pub(crate) const SCTP: &str = "SCTP";
const TCP: &str = "TCP";

pub(crate) const OF_LISTENERS: [&str; 8] =
    [TCP, "HTTP", "HTTPS", TERMINATED_HTTPS, "PROXY", UDP, SCTP, PROMETHEUS];
pub(crate) const OF_POOLS: [&str; 7] = ["HTTP", "HTTPS", "PROXY", "PROXYV2", TCP, UDP, SCTP];

/// Protocols of pools that a listener of this protocol can hand on to.
pub(crate) fn pools_for(listener: &str) -> &'static [&'static str] {
    match listener {
        TCP => &["HTTP", "HTTPS", "PROXY", "PROXYV2", TCP],
        "HTTP" | TERMINATED_HTTPS => &["HTTP", "PROXY", "PROXYV2"],
        "HTTPS" => &["HTTPS", "PROXY", "PROXYV2", TCP],
        "PROXY" => &["PROXY", "PROXYV2"],
        UDP => &[UDP],
        SCTP => &[SCTP],
        _ => &[],
    }
}

/// Whether a listener of this protocol can hand on to a pool of that one. In
/// Octavia: `_validate_protocol`.
pub(crate) fn check_pair(listener: &str, pool: &str) -> Result<()> {
    if pools_for(listener).contains(&pool) {
        return Ok(());
    }
    Err(errors::validation(format!(
        "The pool protocol '{pool}' is invalid while the listener protocol is '{listener}'."
    )))
}

/// The protocol whose ports a listener's are.
pub(crate) fn below(listener: &str) -> &'static str {
    match listener {
        UDP => UDP,
        SCTP => SCTP,
        _ => TCP,
    }
}

/// Whether it knows no connections of the sort that cookies and TLS need.
pub(crate) fn is_plain(protocol: &str) -> bool {
    matches!(protocol, UDP | SCTP)
}

/// Whether a listener reads what is asked in HTTP.
pub(crate) fn reads_http(listener: &str) -> bool {
    matches!(listener, "HTTP" | TERMINATED_HTTPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_hand_on_what_pools_understand() {
        for listener in OF_LISTENERS {
            for pool in pools_for(listener) {
                assert!(OF_POOLS.contains(pool));
                assert_eq!(below(listener), below(pool), "{listener} and {pool} are carried alike");
            }
        }
        assert!(check_pair("HTTP", "HTTP").is_ok());
        assert!(check_pair("HTTP", "TCP").is_err());
        assert!(check_pair(PROMETHEUS, "HTTP").is_err());
    }
}
