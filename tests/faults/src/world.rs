//! A server on a database, its device, and the clients' ledger.

use crate::checker::{self, Violation, base_of};
use crate::database::Database;
use crate::device::{Device, REFUSED};
use crate::ledger::{Fate, KINDS, Ledger};
use crate::load::{Counter, Worker};
use crate::observed::Observed;
use anyhow::{Context, Result, bail};
use hadron_sdk_testing::{Plugin, Server, build_guest, until};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// Clients at the same time.
pub const WORKERS: usize = 8;
/// Segments that all networks share; fewer than clients might want.
pub const SEGMENTS: usize = 20;
/// How long the journal may take to be delivered after a start: leases have to
/// end, and a busy machine is slow.
const QUIET: Duration = Duration::from_secs(90);
/// The variable that names an instant at which the server dies.
pub const FAILPOINT: &str = "HADRON_TEST_FAILPOINT";

/// Everything of a campaign on one database.
pub struct World {
    /// The server.
    pub server: Server,
    /// Its database.
    pub database: Database,
    /// The device.
    pub device: Device,
    /// What clients were told.
    pub ledger: Arc<Mutex<Ledger>>,
    counter: Counter,
}

/// Load that goes on.
pub struct Load {
    workers: JoinSet<Result<()>>,
    stop: Arc<AtomicBool>,
}

/// The recording driver, built.
pub async fn recorder() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest");
    build_guest(folder).await.context("the recording driver")
}

impl World {
    /// Starts a server on that database, or on SQLite in its data folder.
    pub async fn start(postgres: Option<&str>) -> Result<World> {
        let device = Device::start().await?;
        let driver =
            Plugin::new("mech-recorder", recorder().await?).http(device.url()).config("url", device.url());
        // A short limit makes short leases: a server that starts again need not
        // wait long for the claims of the one that was killed.
        // And short patience is a short wait for a database that is away.
        let mut builder = Server::builder().mechanism_drivers(&[]).plugin(driver).config(&format!(
            "[runtime]\ndelivery_limit_ms = 600\n[database]\npatience_ms = 3000\n\
             [plugin.vlan.config]\nnetwork_vlan_ranges = [\"physnet1:101:{}\"]\n",
            100 + SEGMENTS
        ));
        if let Some(url) = postgres {
            builder = builder.database(url);
        }
        let server = builder.start().await?;
        let database = match postgres {
            Some(url) => Database::Postgres(url.to_owned()),
            None => Database::Sqlite(server.data_folder().join("hadron.db")),
        };
        Ok(World { server, database, device, ledger: Arc::default(), counter: Counter::default() })
    }

    /// Clients begin to work; they continue with what they have.
    pub async fn load(&self, seed: u64) -> Result<Load> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers: Vec<Worker> = (0..WORKERS)
            .map(|number| {
                let random = seed.wrapping_mul(1000).wrapping_add(number as u64);
                let client = self.server.client();
                Worker::new(number, client, self.ledger.clone(), stop.clone(), self.counter.clone(), random)
            })
            .collect();
        for kind in KINDS {
            let body = self.server.get(&format!("/v2.0/{kind}")).await?.expect(200)?;
            for row in body[kind].as_array().map_or(&[][..], Vec::as_slice) {
                let text = |name: &str| row[name].as_str().unwrap_or_default();
                let number: Option<usize> = base_of(row).split('-').nth(1).and_then(|n| n.parse().ok());
                if let Some(worker) = number.and_then(|number| workers.get_mut(number)) {
                    worker.adopt(kind, text("name"), text("id"), text("network_id"));
                }
            }
        }
        let mut running = JoinSet::new();
        for worker in workers {
            running.spawn(worker.run());
        }
        Ok(Load { workers: running, stop })
    }

    /// Starts the server again, with or without an instant at which it dies.
    pub async fn restart(&mut self, failpoint: Option<&str>) -> Result<()> {
        self.device.go_on();
        self.device.new_life();
        self.server.set_environment(FAILPOINT, failpoint);
        self.server.restart().await?;
        Ok(())
    }

    /// Waits until the journal holds nothing but what was refused.
    pub async fn quiet(&self) -> Result<()> {
        let waiting = Mutex::new(Value::Null);
        let quiet = until("the journal to be delivered", QUIET, || async {
            let entries = self.server.cli_json(&["journal", "list", "--limit", "0"]).await?;
            let list = entries.as_array().map_or(&[][..], Vec::as_slice);
            let quiet = list.iter().all(|entry| entry["state"] == "refused");
            *waiting.lock() = entries;
            Ok(quiet.then_some(()))
        });
        quiet.await.with_context(|| format!("in the journal: {:#}", waiting.lock()))
    }

    /// Waits until nothing goes on, and compares; then takes what is there for
    /// the truth about what was unknown.
    pub async fn check(&self) -> Result<Vec<Violation>> {
        self.quiet().await?;
        let seen = Observed::of(&self.server, &self.database, self.device.memory()).await?;
        let mut ledger = self.ledger.lock();
        let found = checker::check(&ledger, &seen);
        ledger.settle(&seen.by_base());
        Ok(found)
    }

    /// Deletes what a client would, of the rows for which `which` holds;
    /// children first.
    pub async fn delete(&self, which: impl Fn(&Value) -> bool) -> Result<()> {
        for kind in KINDS.into_iter().rev() {
            let body = self.server.get(&format!("/v2.0/{kind}")).await?.expect(200)?;
            for row in body[kind].as_array().map_or(&[][..], Vec::as_slice).iter().filter(|row| which(row)) {
                self.ledger.lock().deleted(base_of(row), Fate::Unknown);
                let id = row["id"].as_str().unwrap_or_default();
                self.server.delete(&format!("/v2.0/{kind}/{id}")).await?.expect(204)?;
                self.ledger.lock().deleted(base_of(row), Fate::Done);
            }
        }
        Ok(())
    }

    /// Deletes what the device refused and a dead server could not undo.
    pub async fn delete_unwanted(&self) -> Result<()> {
        self.delete(|row| row["name"].as_str().is_some_and(|name| name.contains(REFUSED))).await
    }

    /// After everything was deleted: every address of a subnet and every segment
    /// can be taken, and no more.
    pub async fn everything_is_free(&self) -> Result<()> {
        let post = |kind: &'static str, body: Value| async move {
            self.server.post(&format!("/v2.0/{kind}s"), &json!({kind: body})).await
        };
        let mut made = Vec::new();
        for number in 0..SEGMENTS {
            let body = json!({"name": format!("z{number}"), "provider:network_type": "vlan",
                "provider:physical_network": "physnet1"});
            let network = post("network", body).await?.expect(201).context("a segment is not free")?;
            made.push(network["network"]["id"].as_str().unwrap_or_default().to_owned());
        }
        let body = json!({"provider:network_type": "vlan", "provider:physical_network": "physnet1"});
        let one_more = post("network", body).await?;
        if one_more.status != 503 && one_more.status != 409 {
            bail!("there are more segments than there should be: {}", one_more.body);
        }
        let network = made.first().cloned().unwrap_or_default();
        let body = json!({"network_id": network, "ip_version": 4, "cidr": "10.200.0.0/28"});
        post("subnet", body).await?.expect(201)?;
        let mut ports = Vec::new();
        for _ in 0..13 {
            let port = post("port", json!({"network_id": network})).await?.expect(201);
            let port = port.context("an address is not free")?;
            ports.push(port["port"]["id"].as_str().unwrap_or_default().to_owned());
        }
        let (kind, _) = post("port", json!({"network_id": network})).await?.expect_error(409)?;
        if kind != "IpAddressGenerationFailure" {
            bail!("a full subnet is {kind}");
        }
        for port in &ports {
            self.server.delete(&format!("/v2.0/ports/{port}")).await?.expect(204)?;
        }
        for network in &made {
            self.server.delete(&format!("/v2.0/networks/{network}")).await?.expect(204)?;
        }
        Ok(())
    }
}

impl Load {
    /// Tells the clients to stop and waits until they have.
    pub async fn end(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.workers.join_next().await {
            ended.context("a client panicked")??;
        }
        Ok(())
    }
}
