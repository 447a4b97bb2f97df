//! `port`, as far as it says where and how a port is plugged in.

use anyhow::{Result, ensure};
use hadron_networking_tests::{Cli, world};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn port_binding_and_attribute_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    cli.run("network create n").await?;
    let create = "port create --network n --vnic-type direct --host h1 \
        --numa-policy-socket --device-profile fpga --disable-uplink-status-propagation \
        --hint ovs-tx-steering=hash p";
    let made = cli.json(create).await?;
    assert_eq!(made["binding_vnic_type"], "direct");
    assert_eq!(made["binding_host_id"], "h1");
    assert_eq!(made["binding_vif_type"], "binding_failed", "no driver has that host");
    assert_eq!(made["numa_affinity_policy"], "socket");
    assert_eq!(made["device_profile"], "fpga");
    assert_eq!(made["propagate_uplink_status"], json!(false));
    assert_eq!(made["hints"], json!({"openvswitch": {"other_config": {"tx-steering": "hash"}}}));

    cli.run("port set --data-plane-status ACTIVE p").await?;
    let shown = cli.json("port show p").await?;
    assert_eq!(shown["data_plane_status"], "ACTIVE");
    let profile = cli.refused("port set --binding-profile a=b p").await?;
    ensure!(profile.contains("update_port:binding:profile"), "it is for services: {profile}");
    cli.run("port unset --data-plane-status --numa-policy --hints --host p").await?;
    let shown = cli.json("port show p").await?;
    assert_eq!(shown["binding_vif_type"], "unbound");
    for name in ["data_plane_status", "numa_affinity_policy", "hints"] {
        assert_eq!(shown[name], json!(null), "{name}");
    }
    cli.run("port set --vnic-type macvtap p").await?;
    assert_eq!(cli.json("port show p").await?["binding_vnic_type"], "macvtap");
    Ok(())
}
