//! Security groups whose rules hold for each packet by itself.

use anyhow::{Result, ensure};
use hadron_dataplane_tests::Host;
use hadron_dataplane_tests::cloud::{Cloud, reaches, settings, word};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_members_of_stateless_groups_need_rules() -> Result<()> {
    let Some(host) = Host::start("stateless") else { return Ok(()) };
    let Some(cloud) = Cloud::start().await? else { return Ok(()) };
    let agent = cloud.agent(settings(&host, "h1")).await?;
    let network = cloud.network("10.9.1.0/24").await?;
    let group = async |body: Value| word(&cloud.create("security_group", body).await?, "id");
    let pings = async |group: &str| {
        let rule = json!({"security_group_id": group, "direction": "ingress", "protocol": "icmp"});
        word(&cloud.create("security_group_rule", rule).await?, "id")
    };
    let (stateful, stateless) =
        (group(json!({"name": "a"})).await?, group(json!({"name": "b", "stateful": false})).await?);
    pings(&stateful).await?;
    let plug =
        async |group: &str| cloud.plug(&host, "h1", &network, json!({"security_groups": [group]})).await;
    let (knows, forgets, forgets_too) =
        (plug(&stateful).await?, plug(&stateless).await?, plug(&stateless).await?);
    for port in [&knows, &forgets, &forgets_too] {
        cloud.has_status(&port.id, "ACTIVE").await?;
    }
    // What is sent arrives, and what is answered does not.
    ensure!(!forgets.vm.reaches(&knows.address), "an answer was let in\n{}", host.flows("br-int"));
    ensure!(!knows.vm.reaches(&forgets.address), "a ping was let in");

    let rule = pings(&stateless).await?;
    reaches(&forgets, &knows, true).await?;
    reaches(&knows, &forgets, true).await?;
    reaches(&forgets, &forgets_too, true).await?;
    let tracked = host.tracked();
    let is_tracked =
        |one: &str, other: &str| tracked.lines().any(|line| line.contains(one) && line.contains(other));
    ensure!(!is_tracked(&forgets.address, &forgets_too.address), "it is tracked: {tracked}");
    ensure!(is_tracked(&knows.address, &forgets.address), "it is not tracked: {tracked}");

    // A group may become another, and a rule go: nothing remembers.
    cloud.client().delete(&format!("/v2.0/security-group-rules/{rule}")).await?.expect(204)?;
    reaches(&forgets, &knows, false).await?;
    reaches(&knows, &forgets, false).await?;
    agent.stop().await
}
