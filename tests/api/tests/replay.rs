//! What a Neutron answered, this server answers too.

use anyhow::Result;
use hadron_api_tests::{replay, world};

/// Probes of the recording.
const ALL: usize = 210;
/// Probes that are in scope, at least: a table of what is out of scope that
/// grows by mistake shows.
const COMPARED: usize = 204;
/// The providers that the recorded Neutron had.
const PROVIDERS: &str = r#"
[plugin.service-providers.config]
service_provider = [
    "L3_ROUTER_NAT:dvrha:dvrha", "L3_ROUTER_NAT:dvr:dvr", "L3_ROUTER_NAT:ha:ha",
    "L3_ROUTER_NAT:single_node:single_node", "FIREWALL_V2:fwaas_db:fwaas:default", "VPN:strongswan:ipsec:default",
]
"#;

fn satisfied(report: &replay::Report) {
    let text = report.text();
    eprintln!("{text}");
    assert_eq!(report.compared.len() + report.left_out.values().sum::<usize>(), ALL);
    assert!(report.compared.len() >= COMPARED, "only {} probes compared", report.compared.len());
    assert_eq!(report.different().count(), 0, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_dialogues_are_answered_as_neutron_answered_on_sqlite() -> Result<()> {
    let server = world::builder().config(PROVIDERS).config(replay::LIMITS).start().await?;
    satisfied(&replay::replay(server.url()).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_dialogues_are_answered_as_neutron_answered_on_postgresql() -> Result<()> {
    let Some(postgres) = hadron_test_support::shared() else { return Ok(()) };
    let database = postgres.fresh_database().await;
    let server =
        world::builder().database(&database).config(PROVIDERS).config(replay::LIMITS).start().await?;
    satisfied(&replay::replay(server.url()).await?);
    Ok(())
}
