//! Servers that only say that something changed.

use anyhow::Result;
use hadron_bus::Spread;
use hadron_dataplane_tests::Host;
use hadron_dataplane_tests::cloud::{Cloud, bus, reaches, settings, tell, word};
use serde_json::{Value, json};

fn object(kind: &str, data: Value) -> Value {
    json!({"versioned_object.name": kind, "versioned_object.data": data})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_said_to_have_changed_is_asked_for_again() -> Result<()> {
    let Some(host) = Host::start("changes") else { return Ok(()) };
    let Some(cloud) = Cloud::start().await? else { return Ok(()) };
    let agent = cloud.agent(settings(&host, "h1")).await?;
    let network = cloud.network("10.9.7.0/24").await?;
    let group = word(&cloud.create("security_group", json!({"name": "g"})).await?, "id")?;
    let pings = json!({"security_group_id": group, "direction": "ingress", "protocol": "icmp"});
    cloud.create("security_group_rule", pings).await?;
    let groups = json!({"security_groups": [group]});
    let one = cloud.plug(&host, "h1", &network, groups.clone()).await?;
    let two = cloud.plug(&host, "h1", &network, groups).await?;
    reaches(&one, &two, true).await?;

    // Somebody tells what is not so, and then that it changed.
    let server = bus(cloud.broker(), "another")?;
    let empty = object("SecurityGroup", json!({"id": group, "stateful": true, "rules": []}));
    let arguments = json!({"resource_list": [empty], "event_type": "updated"});
    tell(&server, Spread::Fanout, "neutron-vo-SecurityGroup-1.6", "push", arguments).await?;
    reaches(&one, &two, false).await?;
    let topic = "q-agent-notifier-security_group-update";
    tell(&server, Spread::Fanout, topic, "security_groups_rule_updated", json!({"security_groups": [group]}))
        .await?;
    reaches(&one, &two, true).await?;
    server.close().await;
    agent.stop().await
}
