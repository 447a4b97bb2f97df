//! README.md's tour with the unmodified `openstack` CLI and openstacksdk, run
//! as it is written: without a login, with one, and with Keystone.

use anyhow::{Context, Result, bail, ensure};
use hadron_interop::cloud::{Cloud, NETWORK_REGION};
use hadron_interop::keystone::{PASSWORD, REGION};
use hadron_sdk_testing::{Server, python};
use hadron_tour::{Step, shows, steps};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

/// A command that takes longer hangs; one of them compiles a driver.
const PATIENCE: Duration = Duration::from_secs(600);

/// A reader's places, and what they are here.
fn places(server: &Server, root: &Path) -> [(&'static str, String); 3] {
    [
        ("http://127.0.0.1:9696", server.url().to_owned()),
        ("$PWD/target", root.join("target").display().to_string()),
        ("../sdk/rust", root.join("sdk/rust").display().to_string()),
    ]
}

/// The folder with the clients' programs; none where `cargo xtask setup` has
/// not been run, which is said loudly.
fn clients() -> Result<Option<PathBuf>> {
    let folder = python().and_then(|python| python.parent().map(Path::to_owned));
    match folder.filter(|folder| folder.join("openstack").exists()) {
        Some(folder) => Ok(Some(folder)),
        None if std::env::var("HADRON_TEST_NO_SKIP").is_ok_and(|v| v == "1") => {
            bail!("the OpenStack clients are not in target/python: cargo xtask setup")
        }
        None => {
            eprintln!("\n=== SKIPPED: the tour (no OpenStack clients: cargo xtask setup) ===\n");
            Ok(None)
        }
    }
}

/// The folder that the tour is walked in.
fn root() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().context("the repository's folder")
}

fn readme() -> Result<Vec<Step>> {
    let file = root()?.join("README.md");
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let steps = steps(&text)?;
    ensure!(steps.len() > 10, "only {} steps in README.md's tour", steps.len());
    Ok(steps)
}

/// One shell for all steps of a tour, as a reader has: variables stay.
async fn walk(steps: &[Step], server: &Server, clients: &Path, login: &[(&str, &str)]) -> Result<()> {
    let mut variables = String::new();
    let root = root()?;
    let places = places(server, &root);
    keep_builds(server)?;
    for step in steps {
        let command =
            places.iter().fold(step.command.clone(), |text, (there, here)| text.replace(there, here));
        // What it exports is kept for those that follow; what it prints is its
        // own.
        if command.starts_with("export ") {
            let replaced = login.iter().find(|(name, _)| command.contains(&format!("{name}=")));
            let command = match replaced {
                Some((name, value)) => format!("export {name}={value}"),
                None => command,
            };
            variables += &format!("{command}\n");
            continue;
        }
        let mut shell = Command::new("bash");
        let path = std::env::var("PATH").unwrap_or_default();
        shell
            .arg("-c")
            .arg(format!("{variables}{command}"))
            .env("PATH", format!("{}:{path}", clients.display()))
            .env("COLUMNS", "200")
            .env("HADRON_DATA_FOLDER", server.data_folder())
            .current_dir(server.folder())
            .kill_on_drop(true);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("OS_") {
                shell.env_remove(name);
            }
        }
        for (name, value) in login {
            shell.env(name, value);
        }
        let output = tokio::time::timeout(PATIENCE, shell.output()).await.with_context(|| {
            format!("README.md:{}: it takes longer than {PATIENCE:?}: {command}", step.line)
        })??;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "README.md:{}: {command}\n{}: {printed}{errors}\n{}",
            step.line,
            output.status,
            server.log()
        );
        shows(&printed, &step.output)
            .with_context(|| format!("README.md:{}: {command}\n{errors}", step.line))?;
    }
    Ok(())
}

/// What the driver is built from is kept from one walk to the next.
fn keep_builds(server: &Server) -> Result<()> {
    let kept = root()?.join("target/tour");
    std::fs::create_dir_all(&kept)?;
    std::fs::create_dir_all(server.folder().join("acme"))?;
    std::os::unix::fs::symlink(kept, server.folder().join("acme/target"))?;
    Ok(())
}

/// The server that `cargo xtask run` starts, as far as the tour can tell.
fn server() -> hadron_sdk_testing::Builder {
    Server::builder().mechanism_drivers(&["openvswitch", "linuxbridge", "logger"])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_runs_as_it_is_written() -> Result<()> {
    let Some(clients) = clients()? else { return Ok(()) };
    walk(&readme()?, &server().start().await?, &clients, &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_runs_with_a_login_too() -> Result<()> {
    let Some(clients) = clients()? else { return Ok(()) };
    let server = server().user("ann", "secret").start().await?;
    let login = [("OS_AUTH_TYPE", "http_basic"), ("OS_USERNAME", "ann"), ("OS_PASSWORD", "secret")];
    walk(&readme()?, &server, &clients, &login).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_runs_with_keystone_and_finds_the_server_in_the_catalogue() -> Result<()> {
    let Some(clients) = clients()? else { return Ok(()) };
    let Some(cloud) = Cloud::start(3600, 300, server()).await? else { return Ok(()) };
    let url = cloud.keystone.url();
    let login = [
        ("OS_AUTH_TYPE", "password"),
        // The catalogue says where the server is.
        ("OS_ENDPOINT", ""),
        ("OS_AUTH_URL", url.as_str()),
        ("OS_IDENTITY_API_VERSION", "3"),
        ("OS_USERNAME", "admin"),
        ("OS_PASSWORD", PASSWORD),
        ("OS_PROJECT_NAME", "admin"),
        ("OS_USER_DOMAIN_NAME", "Default"),
        ("OS_PROJECT_DOMAIN_NAME", "Default"),
        ("OS_REGION_NAME", NETWORK_REGION),
    ];
    let mut steps = readme()?;
    steps.push(Step {
        line: 0,
        command: format!("openstack --os-region-name {REGION} network list || echo not there"),
        output: vec!["not there".into()],
    });
    walk(&steps, &cloud.server, &clients, &login).await
}
