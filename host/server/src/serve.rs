//! `hadron serve`: puts the parts together, and takes them apart in order.
//!
//! Up: address, data folder, store, runtime, plugins, control socket, requests.
//! Down: no new connections, requests under way, the runtime, the store.

mod banner;
mod data_folder;
mod listen;

use crate::cli::ServeArgs;
use crate::config::{self, AuthMode, Config};
use crate::control;
use crate::exit::{Exit, Failure};
use crate::logging;
pub(crate) use data_folder::DataFolder;
use hadron_api::{Api, Auth, Htpasswd, Keystone};
use hadron_bus::Bus;
use hadron_runtime::Runtime;
use hadron_store::Store;
pub(crate) use listen::unix;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Serves until told to stop.
pub(crate) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let began = Instant::now();
    let config = config::load_with(&args.config, args.flags())?;
    logging::init(&config.log)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("cannot start threads: {e}")))?
        .block_on(serve(config, began))
}

async fn serve(config: Config, began: Instant) -> Result<(), Failure> {
    for remark in config::remarks(&config) {
        warn!("{remark}");
    }
    let folder = DataFolder::take(&config.data_folder)?;
    // Before the work, so that a taken address is found at once; nobody is
    // answered until the plugins are loaded.
    let listener = TcpListener::bind(config.listen).await.map_err(|e| cannot_listen(config.listen, &e))?;
    let address = listener.local_addr().map_err(|e| cannot_listen(config.listen, &e))?;

    let store = Store::open(config.store()).await.map_err(|e| cannot_open(&config, &e))?;
    let runtime = Runtime::new(config.runtime(), store.clone(), Bus::default())
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
    let api = api(&runtime, &config)?;
    let control = control::Server::bind(&folder.socket(), runtime.clone(), api.clone(), about)?;
    let control = tokio::spawn(control.serve(stop.clone()));
    let api = listen::tcp(listener, hadron_api::router(api));
    runtime.start();
    banner::print(&config, address, &runtime.plugins(), loading, began.elapsed());
    info!(%address, version = env!("CARGO_PKG_VERSION"), "serving");

    let drain = Duration::from_millis(config.drain_ms);
    let requests = tokio::spawn(api.serve(stop.clone(), drain));
    told_to_stop(requests, stop).await;

    let _ = control.await;
    runtime.shutdown(drain).await;
    store.close().await;
    info!("stopped");
    drop(folder);
    Ok(())
}

/// The REST API.
fn api(runtime: &Runtime, config: &Config) -> Result<Api, Failure> {
    let auth = match config.auth.mode {
        AuthMode::None => Auth::None,
        AuthMode::HttpBasic => {
            let users = Htpasswd::load(&config.auth.htpasswd)
                .map_err(|e| Failure::new(Exit::Configuration, format!("auth.htpasswd: {e}")))?;
            Auth::HttpBasic(users)
        }
        AuthMode::Keystone => {
            let keystone = Keystone::new(config.keystone())
                .map_err(|e| Failure::new(Exit::Configuration, e.to_string()))?;
            let first = keystone.clone();
            // Keystone may come up after this server, so nothing waits for it.
            tokio::spawn(async move { first.log_in().await });
            Auth::Keystone(keystone)
        }
    };
    Api::new(runtime.clone(), auth, config.policy_file(), config.api())
        .map_err(|e| Failure::new(Exit::Configuration, e))
}

/// Waits for a signal, then for the requests under way; a second signal ends
/// the process at once.
async fn told_to_stop(requests: tokio::task::JoinHandle<()>, stop: CancellationToken) {
    next_signal().await;
    info!("told to stop: finishing the requests under way");
    stop.cancel();
    tokio::select! {
        _ = requests => {}
        () = next_signal() => {
            warn!("told again: stopping at once");
            std::process::exit(1);
        }
    }
}

/// SIGTERM or SIGINT.
async fn next_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        warn!("cannot listen for signals: only SIGKILL will stop this server");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
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
