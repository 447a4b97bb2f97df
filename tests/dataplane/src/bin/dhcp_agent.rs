//! The DHCP agent as a program, which tests run on their hosts: the broker's
//! address, the host's name, the folder of its files, and that of its switch.

use anyhow::{Context, Result};
use hadron_agent::dhcp::{self, Settings};
use hadron_bus::{Amqp, Bus};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let mut next = |what: &str| words.next().with_context(|| format!("no {what}"));
    let (url, host) = (next("address of the broker")?, next("name of the host")?);
    let settings = Settings {
        state_path: next("folder")?.into(),
        run_folder: next("folder of the switch")?.into(),
        dns_domain: "cloud.test".to_owned(),
        resync_interval: Duration::from_secs(1),
        report_interval: Duration::from_secs(5),
        ..Settings::new(&host)
    };
    let url = url.parse().map_err(|problem: String| anyhow::anyhow!(problem))?;
    let bus = Bus::amqp(Amqp::new(url, &host));
    tracing_subscriber::fmt().with_env_filter("info,hadron_agent=debug").with_writer(std::io::stderr).init();
    let stop = CancellationToken::new();
    let running = tokio::spawn(dhcp::run(settings, bus.clone(), stop.clone()));
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    terminate.recv().await;
    stop.cancel();
    running.await?;
    bus.close().await;
    Ok(())
}
