//! Tempest, told of a cloud, run, and read.

use crate::outcome::{self, Outcome};
use anyhow::{Context, Result, ensure};
use hadron_api_tests::world;
use hadron_interop::cloud::{Cloud, NETWORK_REGION};
use hadron_interop::environment;
use hadron_interop::keystone::PASSWORD;
use hadron_sdk_testing::{Client, Server};
use hadron_test_support::{Agent, Peer, RabbitMq};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tests at the same time.
const WORKERS: &str = "2";
/// Tokens outlive any run.
const TOKEN_SECONDS: u32 = 3600;

/// Where the stand-in agents are.
const HOST: &str = "tempest-host";

/// A run.
pub struct Run {
    /// What became of each test.
    pub outcomes: BTreeMap<String, Outcome>,
    /// Everything that was printed: why tests failed is there.
    pub printed: String,
}

/// Runs the tests whose names begin so, on a cloud of their own; none where
/// Tempest, Keystone or RabbitMQ is not installed.
pub async fn run(prefixes: &[String]) -> Result<Option<Run>> {
    let stestr = environment::wanted("Tempest", environment::target("tempest/bin/stestr"))?;
    let Some(stestr) = stestr else { return Ok(None) };
    let Some(broker) = RabbitMq::start() else { return Ok(None) };
    let Some(peer) = Peer::start(&broker.url()) else { return Ok(None) };
    let server = Server::builder().mechanism_drivers(&["openvswitch", "logger"]).config(&format!(
        "[bus]\nurl = '{}'\n\
         [plugin.vlan.config]\nnetwork_vlan_ranges = [\"physnet1:100:299\"]\n\
         [plugin.flat.config]\nflat_networks = [\"*\"]\n",
        broker.url()
    ));
    let Some(cloud) = Cloud::start(TOKEN_SECONDS, 300, server).await? else { return Ok(None) };
    peer.play(&[Agent::openvswitch(HOST), Agent::dhcp(HOST), Agent::l3(HOST), Agent::metering(HOST)]);
    let folder = tempfile::Builder::new().prefix("hadron-tempest-").tempdir()?;
    let configuration = configuration(&cloud, folder.path()).await?;
    std::fs::write(folder.path().join("tempest.conf"), configuration)?;
    std::fs::write(folder.path().join(".stestr.conf"), runner(&stestr)?)?;
    // A name that contains it somewhere else would be chosen too: anchored.
    let chosen: String = prefixes.iter().map(|p| format!("^{}\n", p.replace('.', "\\."))).collect();
    std::fs::write(folder.path().join("chosen.txt"), chosen)?;
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&stestr);
        environment::clean(&mut command)
            .args(arguments)
            .env("TEMPEST_CONFIG_DIR", folder.path())
            .env("TEMPEST_CONFIG", "tempest.conf")
            .current_dir(folder.path());
        tokio::process::Command::from(command)
    };
    let made = command(&["init"]).output().await?;
    ensure!(made.status.success(), "stestr init: {}", String::from_utf8_lossy(&made.stderr));
    let ran = command(&["run", "--concurrency", WORKERS, "--include-list", "chosen.txt"]).output().await?;
    let mut printed = String::from_utf8_lossy(&ran.stdout).into_owned();
    let outcomes = outcome::read(&printed);
    printed += &String::from_utf8_lossy(&ran.stderr);
    ensure!(!outcomes.is_empty(), "no test was run:\n{printed}\n{}", cloud.server.log());
    Ok(Some(Run { outcomes, printed }))
}

/// A network that leads outside, with a subnet; its id.
async fn public_network(admin: &Client) -> Result<String> {
    let network = world::create(admin, "network", json!({"name": "public", "router:external": true})).await?;
    let id = world::text(&network, "/id")?;
    world::subnet(admin, &id, "203.0.113.0/24").await?;
    Ok(id)
}

/// Aliases of what the server says it can do.
async fn extensions(admin: &Client) -> Result<String> {
    let body = admin.get("/v2.0/extensions").await?.expect(200)?;
    let listed = body["extensions"].as_array().context("no extensions")?;
    let aliases: Vec<&str> = listed.iter().filter_map(|e| e["alias"].as_str()).collect();
    Ok(aliases.join(","))
}

async fn configuration(cloud: &Cloud, folder: &Path) -> Result<String> {
    let admin = cloud.client("admin", "admin").await?;
    let (public, extensions) = (public_network(&admin).await?, extensions(&admin).await?);
    let folder = folder.display();
    Ok(format!(
        "[DEFAULT]\nlog_file = {folder}/tempest.log\n\
         [oslo_concurrency]\nlock_path = {folder}/lock\n\
         [auth]\nadmin_username = admin\nadmin_password = {PASSWORD}\nadmin_project_name = admin\n\
         admin_domain_name = Default\n\
         [identity]\nuri_v3 = {}\nauth_version = v3\nregion = {NETWORK_REGION}\n\
         [service_available]\nneutron = true\nnova = false\nglance = false\ncinder = false\nswift = false\n\
         [validation]\nrun_validation = false\n\
         [network]\npublic_network_id = {public}\n\
         [network-feature-enabled]\napi_extensions = {extensions}\n",
        cloud.keystone.url()
    ))
}

/// Where the tests are: only the network's are looked through.
fn runner(stestr: &Path) -> Result<String> {
    let lib = stestr.parent().and_then(Path::parent).context("no environment")?.join("lib");
    let packages: Vec<PathBuf> = std::fs::read_dir(&lib)?
        .filter_map(|entry| Some(entry.ok()?.path().join("site-packages")))
        .filter(|packages| packages.join("tempest").is_dir())
        .collect();
    let packages = packages.first().with_context(|| format!("no tempest in {}", lib.display()))?.display();
    // The tests of a class share what its set-up made, so they stay together.
    Ok(format!(
        "[DEFAULT]\ntest_path={packages}/tempest/api/network\ntop_dir={packages}\n\
         group_regex=([^\\.]*\\.)*\n"
    ))
}
