//! `hadron serve`: puts the parts together, and takes them apart in order.
//!
//! Up: address, data folder, store, bus, runtime, plugins, control socket,
//! requests, agents. Down: `/readyz` says so, no new connections, requests under way,
//! agents, the runtime, the bus, the store.

mod banner;
mod data_folder;
mod listen;
mod metrics;
mod reload;
mod tls;

use crate::agents;
use crate::cli::ServeArgs;
use crate::config::{self, AuthMode, Config, Scraped};
use crate::control;
use crate::exit::{Exit, Failure};
use crate::logging::Logging;
use crate::stopping::Stopping;
pub(crate) use data_folder::DataFolder;
use hadron_api::{Api, Auth, Htpasswd, Keystone};
use hadron_runtime::Runtime;
use hadron_store::Store;
use hadron_telemetry::Exporter;
pub(crate) use listen::unix;
use metrics::Metrics;
pub(crate) use reload::{Reload, Reloaded, problems};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tls::Certificates;
pub(crate) use tls::install_provider;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Serves until told to stop.
pub(crate) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let began = Instant::now();
    install_provider();
    let config = config::load_with(&args.config, args.flags())?;
    let threads = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("cannot start threads: {e}")))?;
    let exporter = match config.telemetry() {
        Some(telemetry) => Some(
            Exporter::start(&telemetry, threads.handle().clone())
                .map_err(|e| Failure::new(Exit::Configuration, e.to_string()))?,
        ),
        None => None,
    };
    let logging = Logging::start(&config.log, exporter.as_ref())?;
    let served = threads.block_on(serve(config, args.clone(), logging, began));
    if let Some(exporter) = exporter {
        exporter.shutdown();
    }
    served
}

async fn serve(config: Config, args: ServeArgs, logging: Logging, began: Instant) -> Result<(), Failure> {
    for remark in config::remarks(&config) {
        warn!("{remark}");
    }
    let folder = DataFolder::take(&config.data_folder)?;
    // Before the work, so that a taken address is found at once; nobody is
    // answered until the plugins are loaded.
    let listener = TcpListener::bind(config.listen).await.map_err(|e| cannot_listen(config.listen, &e))?;
    let address = listener.local_addr().map_err(|e| cannot_listen(config.listen, &e))?;

    let store = Store::open(config.store()).await.map_err(|e| cannot_open(&config, &e))?;
    let bus = config.bus.start();
    let runtime = Runtime::new(config.runtime(), store.clone(), bus.clone())
        .await
        .map_err(|e| Failure::failed(format!("the runtime does not start: {}", e.message)))?;
    let loading = Instant::now();
    runtime
        .load(config.plugins())
        .await
        .map_err(|e| Failure::failed(format!("the plugins cannot be loaded: {}", e.message)))?;
    let loading = loading.elapsed();

    let stop = CancellationToken::new();
    let about = control::About::new(&config, address);
    let api = api(&runtime, &config, stop.clone())?;
    let certificates = Certificates::read(&config.tls).map_err(|e| Failure::new(Exit::Configuration, e))?;
    let read = config::layers(&args.config, args.flags())?;
    let reload = Reload::new(args, read, logging, certificates.clone(), api.clone(), runtime.clone());
    let control =
        control::Server::bind(&folder.socket(), runtime.clone(), api.clone(), about, reload.clone())?;
    let control = tokio::spawn(control.serve(stop.clone()));
    let metrics = Metrics::new(&runtime, &api).router();
    let drain = Duration::from_millis(config.drain_ms);
    let routes = hadron_api::router(api.clone());
    let routes = match config.metrics.listen {
        Scraped::Nowhere => routes,
        Scraped::BesideTheApi => metrics.merge(routes),
        Scraped::At(address) => {
            let listener = TcpListener::bind(address).await.map_err(|e| cannot_listen(address, &e))?;
            tokio::spawn(listen::tcp(listener, metrics, None).serve(stop.clone(), Duration::ZERO));
            routes
        }
    };
    let listening = listen::tcp(listener, routes, certificates);
    runtime.start();
    reload.on_hangup(stop.clone());
    // Before anybody is told that it serves: who is told may stop it.
    let stopping = Stopping::listen();
    banner::print(&config, address, &runtime.plugins(), loading, began.elapsed());
    info!(%address, version = env!("CARGO_PKG_VERSION"), "serving");

    let requests = tokio::spawn(listening.serve(stop.clone(), drain));
    let mut agents = JoinSet::new();
    for kind in config.with_agents().map_err(|problem| config::wrong(vec![problem]))? {
        agents::start(kind, &config, &bus, &stop, &mut agents)?;
    }
    let notice = Duration::from_millis(config.drain_notice_ms);
    told_to_stop(stopping, &api, notice, requests, stop).await;

    let _ = control.await;
    while agents.join_next().await.is_some() {}
    runtime.shutdown(drain).await;
    bus.close().await;
    store.close().await;
    info!("stopped");
    drop(folder);
    Ok(())
}

/// The REST API.
fn api(runtime: &Runtime, config: &Config, stop: CancellationToken) -> Result<Api, Failure> {
    let auth = match config.auth.mode {
        AuthMode::None => Auth::None,
        AuthMode::HttpBasic => Auth::HttpBasic(users(config)?),
        AuthMode::Keystone => {
            let keystone = Keystone::new(config.keystone())
                .map_err(|e| Failure::new(Exit::Configuration, e.to_string()))?;
            let first = keystone.clone();
            // Keystone may come up after this server, so nothing waits for it.
            tokio::spawn(async move { first.log_in().await });
            Auth::Keystone(keystone)
        }
    };
    Api::new(runtime.clone(), auth, config.policy_file(), config.api(), config.watch(stop))
        .map_err(|e| Failure::new(Exit::Configuration, e))
}

/// Who may log in.
fn users(config: &Config) -> Result<Htpasswd, Failure> {
    Htpasswd::load(&config.auth.htpasswd)
        .map_err(|e| Failure::new(Exit::Configuration, format!("auth.htpasswd: {e}")))
}

/// Waits for a signal, then for the requests under way; a second signal ends
/// the process at once.
async fn told_to_stop(
    mut stopping: Stopping,
    api: &Api,
    notice: Duration,
    requests: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
) {
    stopping.next().await;
    info!("told to stop: finishing the requests under way");
    api.drain();
    let drained = async {
        // Whoever asks /readyz now sends no more; what still comes is answered.
        tokio::time::sleep(notice).await;
        stop.cancel();
        requests.await
    };
    tokio::select! {
        _ = drained => {}
        () = stopping.next() => {
            warn!("told again: stopping at once");
            std::process::exit(1);
        }
    }
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    let exit = match error.kind() {
        std::io::ErrorKind::AddrInUse => Exit::InUse,
        _ => Exit::Failed,
    };
    Failure::new(exit, format!("cannot listen on {address}: {error}; choose another with --listen"))
}

fn cannot_open(config: &Config, error: &hadron_store::StoreError) -> Failure {
    Failure::failed(format!("the database {} cannot be opened: {error}", config.shown_database()))
}
