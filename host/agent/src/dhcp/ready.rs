//! Telling the server which ports' addresses are served, many at once. In Neutron:
//! `dhcp_ready_ports_loop`.

use super::plugin::Plugin;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::Notify;

/// Ports of which the server is told at once. In Neutron: `DHCP_READY_PORTS_SYNC_MAX`.
const AT_ONCE: usize = 64;

/// The time in which others join one.
const GATHERED: Duration = Duration::from_millis(50);

/// The pause after the server was away.
const PAUSE: Duration = Duration::from_secs(1);

/// Ports of which the server is not told yet.
#[derive(Default)]
pub(super) struct Ready {
    /// Those that somebody waits for now, and all others.
    ports: Mutex<[BTreeSet<String>; 2]>,
    changed: Notify,
}

impl Ready {
    /// Adds ports; `is_urgent` if somebody has just asked for them.
    pub(super) fn add(&self, ports: impl IntoIterator<Item = String>, is_urgent: bool) {
        let [urgent, others] = &mut *self.ports.lock();
        (if is_urgent { urgent } else { others }).extend(ports);
        self.changed.notify_one();
    }

    /// The next to tell of.
    fn next(&self) -> Vec<String> {
        let [urgent, others] = &mut *self.ports.lock();
        let mut next = Vec::new();
        while next.len() < AT_ONCE
            && let Some(port) = urgent.pop_first().or_else(|| others.pop_first())
        {
            next.push(port);
        }
        next
    }

    /// Tells of all that come.
    pub(super) async fn tell(&self, plugin: Plugin) {
        loop {
            self.changed.notified().await;
            tokio::time::sleep(GATHERED).await;
            loop {
                let next = self.next();
                if next.is_empty() {
                    break;
                }
                if let Err(error) = plugin.ready(&next).await {
                    tracing::warn!(%error, ports = next.len(), "the server does not hear that ports are served");
                    self.add(next, true);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_port_is_told_once_and_those_that_are_waited_for_first(urgent in 0_usize..100, others in 0_usize..100) {
            let ready = Ready::default();
            let named = |prefix: &str, count: usize| (0..count).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
            ready.add(named("b", others), false);
            ready.add(named("a", urgent), true);
            let mut told = Vec::new();
            loop {
                let next = ready.next();
                prop_assert!(next.len() <= AT_ONCE);
                if next.is_empty() { break; }
                told.extend(next);
            }
            prop_assert!(told.iter().take(urgent).all(|port| port.starts_with('a')));
            prop_assert_eq!(told.len(), urgent + others);
        }
    }
}
