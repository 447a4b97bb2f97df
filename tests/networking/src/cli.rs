//! The unmodified `openstack` client. It is started once for many commands: its
//! imports take a second, a command a few milliseconds.

use crate::Identity;
use anyhow::{Context, Result, bail, ensure};
use hadron_sdk_testing::{Server, python};
use serde::Deserialize;
use serde_json::{Value, json};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// What is done with each line of arguments.
const SHELL: &str = include_str!("cli.py");

/// The client, speaking to one server.
pub struct Cli {
    /// What every command begins with.
    server: Vec<String>,
    lines: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    // Both end with the test.
    _process: Child,
    _configuration: TempDir,
}

#[derive(Deserialize)]
struct Answer {
    status: i64,
    out: String,
    err: String,
}

impl Cli {
    /// Starts the client; none where `cargo xtask setup` has not been run, said
    /// loudly.
    pub async fn start(server: &Server) -> Result<Option<Cli>> {
        let at = ["--os-auth-type", "none", "--os-endpoint", server.url()];
        Cli::run_by(&at, "{}").await
    }

    /// As `start`, for commands that name projects: which there are an identity
    /// service says.
    pub async fn beside(server: &Server, identity: &Identity) -> Result<Option<Cli>> {
        let cloud = json!({"auth_type": "none", "auth": {"endpoint": server.url()},
            "identity_endpoint_override": identity.url()});
        // YAML takes JSON.
        Cli::run_by(&["--os-cloud", "here"], &json!({"clouds": {"here": cloud}}).to_string()).await
    }

    async fn run_by(server: &[&str], clouds: &str) -> Result<Option<Cli>> {
        let Some(python) = python().filter(|python| python.with_file_name("openstack").exists()) else {
            if std::env::var("HADRON_TEST_NO_SKIP").is_ok_and(|v| v == "1") {
                bail!("the OpenStack clients are not in target/python: cargo xtask setup")
            }
            eprintln!("\n=== SKIPPED: commands (no OpenStack clients: cargo xtask setup) ===\n");
            return Ok(None);
        };
        let mut command = Command::new(python);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OS_")) {
            command.env_remove(name);
        }
        let configuration = tempfile::tempdir()?;
        let file = configuration.path().join("clouds.yaml");
        std::fs::write(&file, clouds)?;
        let mut process = command
            .env("OS_CLIENT_CONFIG_FILE", file)
            .args(["-c", SHELL])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the client does not start")?;
        let lines = process.stdin.take().context("no standard input")?;
        let answers = BufReader::new(process.stdout.take().context("no standard output")?).lines();
        Ok(Some(Cli {
            server: server.iter().map(|argument| (*argument).to_owned()).collect(),
            lines,
            answers,
            _process: process,
            _configuration: configuration,
        }))
    }

    async fn answer(&mut self, command: &str) -> Result<Answer> {
        let mut arguments: Vec<&str> = self.server.iter().map(String::as_str).collect();
        arguments.extend(command.split(' '));
        let line = serde_json::to_string(&arguments)? + "\n";
        self.lines.write_all(line.as_bytes()).await?;
        let line = self.answers.next_line().await?.with_context(|| format!("the client ended: {command}"))?;
        serde_json::from_str(&line).with_context(|| line)
    }

    /// What a command prints, if it ends well.
    pub async fn run(&mut self, command: &str) -> Result<String> {
        let answer = self.answer(command).await?;
        ensure!(answer.status == 0, "openstack {command}: {}{}", answer.out, answer.err);
        Ok(answer.out.trim().to_owned())
    }

    /// What a command shows or lists, as JSON.
    pub async fn json(&mut self, command: &str) -> Result<Value> {
        let text = self.run(&format!("{command} -f json")).await?;
        serde_json::from_str(&text).with_context(|| format!("openstack {command}: {text}"))
    }

    /// One column of what a command shows or lists, a line for each row.
    pub async fn column(&mut self, command: &str, column: &str) -> Result<String> {
        self.run(&format!("{command} -f value -c {column}")).await
    }

    /// What a command says that has to fail.
    pub async fn refused(&mut self, command: &str) -> Result<String> {
        let answer = self.answer(command).await?;
        ensure!(answer.status != 0, "openstack {command} should fail: {}", answer.out);
        Ok(answer.err.trim().to_owned())
    }
}
