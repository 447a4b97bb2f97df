//! What Neutron's API has not.

mod batch;
mod dry_run;
mod once;
mod rate;
mod tags;
mod watch;

use hadron_sdk_testing::{Client, Result};
use serde_json::Value;

/// All rows that could change, by collection.
async fn everything(client: &Client) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for collection in ["networks", "subnets", "ports", "subnetpools"] {
        let answer = client.get(&format!("/v2.0/{collection}")).await?;
        all.push(answer.body);
    }
    Ok(all)
}
