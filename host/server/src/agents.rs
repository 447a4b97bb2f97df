//! `hadron agent`, and agents that run within the server's process.

use crate::cli::AgentArgs;
use crate::config::{self, AgentKind, Config};
use crate::exit::{Exit, Failure};
use crate::logging::Logging;
use crate::serve::install_provider;
use crate::stopping::Stopping;
use hadron_agent::{dhcp, linuxbridge, openvswitch};
use hadron_bus::Bus;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Runs an agent until told to stop; what the host carries stays.
pub(crate) fn run(args: &AgentArgs) -> Result<(), Failure> {
    install_provider();
    let config = config::load_agent(&args.config_args(), args.flags(), args.kind)?;
    let _logging = Logging::start(&config.log, None)?;
    let threads = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("cannot start threads: {e}")))?;
    threads.block_on(async {
        let mut stopping = Stopping::listen();
        let bus = config.bus.start();
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        start(args.kind, &config, &bus, &stop, &mut running)?;
        let version = env!("CARGO_PKG_VERSION");
        info!(
            agent = args.kind.name(),
            host = config.bus.host(),
            messages = config.bus.shown(),
            version,
            "serving"
        );
        stopping.next().await;
        info!("told to stop: what the host carries stays");
        stop.cancel();
        while running.join_next().await.is_some() {}
        bus.close().await;
        Ok(())
    })
}

/// Starts an agent; it ends with `stop`.
pub(crate) fn start(
    kind: AgentKind,
    config: &Config,
    bus: &Bus,
    stop: &CancellationToken,
    running: &mut JoinSet<()>,
) -> Result<(), Failure> {
    match kind {
        AgentKind::Openvswitch => {
            let settings = config.openvswitch().map_err(config::wrong)?;
            running.spawn(openvswitch::run(settings, bus.clone(), stop.clone()));
        }
        AgentKind::Dhcp => drop(running.spawn(dhcp::run(config.dhcp(), bus.clone(), stop.clone()))),
        AgentKind::Linuxbridge => {
            let settings = config.linuxbridge().map_err(config::wrong)?;
            running.spawn(linuxbridge::run(settings, bus.clone(), stop.clone()));
        }
    }
    Ok(())
}

/// A process of its own has nothing to say without a broker.
pub(crate) fn needs_broker(kind: AgentKind) -> Failure {
    Failure::new(
        Exit::Configuration,
        format!(
            "an agent needs bus.url, the broker at which the server is (HADRON_BUS__URL); without a broker it \
             runs in the server's process: hadron serve --with-agent {}",
            kind.name()
        ),
    )
}
