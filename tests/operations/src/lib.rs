//! The server of these tests, and its log.

use hadron_sdk_testing::{Builder, Result, Server, until};
use serde_json::Value;
use std::time::Duration;

/// VLANs for more networks than a list answers in one piece.
const CONFIG: &str = "
[log]
format = \"json\"
[plugin.ml2.config]
tenant_network_types = [\"vlan\"]
[plugin.vlan.config]
network_vlan_ranges = [\"physnet1:1:4000\"]
";

/// A server with ML2, its VLAN type and the driver that logs what it is told;
/// its log is JSON.
pub fn builder() -> Builder {
    Server::builder().type_drivers(&["local", "vlan"]).mechanism_drivers(&["logger"]).config(CONFIG)
}

/// Lines of a server's log that are of one request.
pub fn lines(server: &Server, request: &str) -> Vec<Value> {
    let log = server.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["request"] == request).collect()
}

/// The line that tells how a request was answered.
pub async fn answered(server: &Server, request: &str) -> Result<Value> {
    until("the request is in the log", Duration::from_secs(10), || async {
        Ok(lines(server, request).into_iter().find(|line| line["message"] == "answered"))
    })
    .await
}
