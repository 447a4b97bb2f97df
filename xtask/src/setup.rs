//! `cargo xtask setup`: what the tests need beside Rust.
//!
//! As root on Debian it installs what is missing; elsewhere it says exactly
//! what to install. Nothing is done twice.

use crate::say;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Attempts at what goes over the network, and the pause between them.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_secs(5);

/// Python environments under target/: name, what it is for, what is in it. Each
/// its own, since their requirements need not agree.
const ENVIRONMENTS: [(&str, &str, &str); 2] = [
    ("python", "the OpenStack clients", "tests/requirements.txt"),
    ("schemathesis", "schemathesis", "tests/api/schemathesis/requirements.txt"),
];

/// What only some tests need: where it cannot be had, they are skipped.
const KEYSTONE: (&str, &str, &str) = ("keystone", "Keystone", "tests/interop/keystone/requirements.txt");
const NEUTRON: (&str, &str, &str) = ("neutron", "Neutron", "tests/interop/neutron/requirements.txt");
const TEMPEST: (&str, &str, &str) = ("tempest", "Tempest", "tests/conformance/requirements.txt");

/// Makes sure of PostgreSQL's and RabbitMQ's programs, of those for agents' tests, of strace, of
/// the Python environments, and of a Keystone and a Neutron that tests can start.
pub(crate) fn setup(workspace: &Workspace) -> Result<()> {
    postgresql()?;
    rabbitmq()?;
    dataplane()?;
    strace()?;
    ENVIRONMENTS.iter().try_for_each(|environment| python(workspace, environment))?;
    optional(KEYSTONE.1, keystone(workspace))?;
    optional(NEUTRON.1, neutron(workspace))?;
    optional(TEMPEST.1, python(workspace, &TEMPEST))
}

/// Says loudly that something is not there, or fails where nothing may be
/// skipped.
fn optional(what: &str, made: Result<()>) -> Result<()> {
    match made {
        Err(error) if std::env::var("HADRON_TEST_NO_SKIP").is_ok_and(|v| v == "1") => Err(error),
        Err(error) => {
            say::note(&format!("=== {what} IS NOT THERE, its tests are skipped: {error:#} ==="));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// A Keystone with a migrated database, of which tests start copies.
fn keystone(workspace: &Workspace) -> Result<()> {
    python(workspace, &KEYSTONE)?;
    prepare(workspace, &KEYSTONE, &["prepare.py", "settings.py"], "template")
}

/// A Neutron, and its database as SQL, with which tests fill their own.
fn neutron(workspace: &Workspace) -> Result<()> {
    python(workspace, &NEUTRON)?;
    prepare(workspace, &NEUTRON, &["prepare.py", "requirements.txt"], "template.sql")
}

/// Runs prepare.py of an environment with the path of what it makes, when it never
/// ran or one of these files has changed since.
fn prepare(
    workspace: &Workspace,
    &(name, what, wanted): &(&str, &str, &str),
    depends_on: &[&str],
    made: &str,
) -> Result<()> {
    let (folder, scripts) = (workspace.path("target").join(name), workspace.path(wanted));
    let scripts = scripts.parent().with_context(|| format!("{wanted} is in no folder"))?;
    let source: String = depends_on
        .iter()
        .map(|name| std::fs::read_to_string(scripts.join(name)))
        .collect::<std::io::Result<_>>()
        .with_context(|| format!("cannot read {}", scripts.display()))?;
    let stamp = folder.join("prepared.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|prepared| prepared == source) {
        return Ok(());
    }
    let step = say::step(format!("preparing the database of {what}"));
    let mut prepare = Command::new(folder.join("bin/python"));
    prepare.args(["-B", "-W", "ignore"]).arg(scripts.join("prepare.py"));
    prepare.arg(folder.join(made));
    say::run_quietly(&mut prepare)?;
    std::fs::write(&stamp, source).with_context(|| format!("cannot write {}", stamp.display()))?;
    step.done("");
    Ok(())
}

/// Tests start servers of their own, so only the programs are needed.
fn postgresql() -> Result<()> {
    if initdb().is_some() {
        return Ok(());
    }
    apt_install(&["postgresql"], "PostgreSQL's programs (initdb, postgres) are not here")?;
    initdb().map(|_| ()).context(
        "`apt-get install postgresql` brought no initdb: put the folder with PostgreSQL's programs on PATH",
    )
}

/// Tests start brokers of their own, by the script that needs no user of its own.
fn rabbitmq() -> Result<()> {
    let script = Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
    if script.is_file() {
        return Ok(());
    }
    let missing = format!("RabbitMQ's program ({}) is not here", script.display());
    optional("RabbitMQ", apt_install(&["rabbitmq-server"], &missing))
}

/// What tests with agents need: each program, the option by which it says what it
/// is and ends, and the Debian package that has it.
const DATAPLANE: [(&str, &str, &str); 14] = [
    ("ovs-vswitchd", "--version", "openvswitch-switch"),
    ("ovsdb-server", "--version", "openvswitch-switch"),
    ("ovs-ofctl", "--version", "openvswitch-switch"),
    ("ip", "-V", "iproute2"),
    ("ethtool", "--version", "ethtool"),
    ("ping", "-V", "iputils-ping"),
    ("socat", "-V", "socat"),
    ("iperf3", "--version", "iperf3"),
    ("nsenter", "--version", "util-linux"),
    ("sysctl", "--version", "procps"),
    ("dnsmasq", "--version", "dnsmasq-base"),
    ("udhcpc", "--help", "udhcpc"),
    ("dhclient", "--version", "isc-dhcp-client"),
    ("nft", "--version", "nftables"),
];

/// Tests start switches of their own, in network namespaces, and plug virtual
/// machines into them and into the kernel's bridges, which ask DHCP servers for
/// addresses.
fn dataplane() -> Result<()> {
    let there = |program: &str, option: &str| say::succeeds(Command::new(program).arg(option));
    let missing: Vec<_> =
        DATAPLANE.into_iter().filter(|(program, option, _)| !there(program, option)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let programs: Vec<&str> = missing.iter().map(|(program, ..)| *program).collect();
    let mut packages: Vec<&str> = missing.iter().map(|(.., package)| *package).collect();
    packages.dedup();
    let missing = format!("programs for tests with agents are not here: {}", programs.join(", "));
    optional("what tests with agents need", apt_install(&packages, &missing))
}

/// The test that answers come after the disk has the row watches system calls.
fn strace() -> Result<()> {
    if say::succeeds(Command::new("strace").arg("--version")) {
        return Ok(());
    }
    apt_install(&["strace"], "strace is not here")
}

/// `initdb` on PATH, or where Debian puts it.
fn initdb() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    std::env::split_paths(&path)
        .chain(debian.map(|version| version.path().join("bin")))
        .map(|folder| folder.join("initdb"))
        .find(|program| program.is_file())
}

/// A Python environment in target/NAME with what a file asks for.
fn python(workspace: &Workspace, &(name, what, wanted): &(&str, &str, &str)) -> Result<()> {
    let wanted = workspace.path(wanted);
    let requirements =
        std::fs::read_to_string(&wanted).with_context(|| format!("cannot read {}", wanted.display()))?;
    let folder = workspace.path("target").join(name);
    let stamp = folder.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == requirements) {
        return Ok(());
    }
    let step = say::step(format!("making target/{name} with {what}"));
    let venv =
        |folder: &Path| say::succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
    // What is there already is added to.
    let works = say::succeeds(Command::new(folder.join("bin/python")).args(["-m", "pip", "--version"]));
    if !works && !venv(&folder) {
        apt_install(&["python3", "python3-venv"], "python3 with its module venv is not here")?;
        if !venv(&folder) {
            bail!("`python3 -m venv {}` fails: run it to see why", folder.display());
        }
    }
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&wanted);
    retry(|| say::run(&mut pip))?;
    std::fs::write(&stamp, requirements).with_context(|| format!("cannot write {}", stamp.display()))?;
    step.done("");
    Ok(())
}

/// Installs Debian packages when it may; otherwise says what to install.
fn apt_install(packages: &[&str], missing: &str) -> Result<()> {
    let packages_text = packages.join(" ");
    let may = say::output(Command::new("id").arg("-u")).as_deref() == Some("0")
        && say::succeeds(Command::new("apt-get").arg("--version"));
    if !may {
        bail!("{missing}: install them, on Debian with `sudo apt-get install {packages_text}`");
    }
    let step = say::step(format!("apt-get install {packages_text}"));
    retry(|| {
        say::run(Command::new("apt-get").args(["update", "-qq"]))?;
        say::run(
            Command::new("apt-get")
                .env("DEBIAN_FRONTEND", "noninteractive")
                // Packages of servers start none: tests start their own.
                .env("RUNLEVEL", "1")
                .args(["install", "-y", "-qq", "--no-install-recommends"])
                .args(packages),
        )
    })?;
    step.done("");
    Ok(())
}

fn retry(mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    for left in (0..ATTEMPTS).rev() {
        match attempt() {
            Err(error) if left > 0 => {
                say::note(&format!("{error:#}; trying again in {} s", PAUSE.as_secs()));
                std::thread::sleep(PAUSE);
            }
            end => return end,
        }
    }
    Ok(())
}
