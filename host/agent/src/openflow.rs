//! Flows as values, written to a bridge in one bundle: all of them or none.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// A flow; `matching` and `actions` are as `ovs-ofctl` writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The table it stands in.
    pub table: u8,
    /// Of those that match the one with the highest counts.
    pub priority: u16,
    /// Whose it is: an agent's run marks its flows with one cookie.
    pub cookie: u64,
    /// Which packets; empty for all.
    pub matching: String,
    /// What becomes of them.
    pub actions: String,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, priority, cookie, matching, actions } = self;
        write!(f, "cookie={cookie:#x},table={table},priority={priority},")?;
        if !matching.is_empty() {
            write!(f, "{matching},")?;
        }
        write!(f, "actions={actions}")
    }
}

/// Why flows were not written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `ovs-ofctl` could not be run.
    #[error("cannot run ovs-ofctl: {0}")]
    Run(#[from] std::io::Error),
    /// The switch or `ovs-ofctl` refused the bundle; no flow was changed.
    #[error("ovs-ofctl refused the flows: {0}")]
    Refused(String),
}

/// Adds flows to a bridge, replacing those with the same table, priority and
/// match. `run` is the folder with the bridges' sockets.
///
/// # Errors
/// [`Error::Refused`] if one of them is not taken; then none is.
pub async fn write(run: &Path, bridge: &str, flows: &[Flow]) -> Result<(), Error> {
    let mut target = std::ffi::OsString::from("unix:");
    target.push(run.join(format!("{bridge}.mgmt")));
    let mut child = Command::new("ovs-ofctl")
        .args(["-O", "OpenFlow14", "--bundle", "add-flows"])
        .arg(target)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let lines: String = flows.iter().map(|flow| format!("{flow}\n")).collect();
    let written = match child.stdin.take() {
        Some(mut input) => input.write_all(lines.as_bytes()).await,
        None => Ok(()),
    };
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        return Err(Error::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(written?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_reads_as_ofctl_writes_it() {
        let mut flow =
            Flow { table: 60, priority: 3, cookie: 255, matching: String::new(), actions: "NORMAL".into() };
        assert_eq!(flow.to_string(), "cookie=0xff,table=60,priority=3,actions=NORMAL");
        flow.matching = "in_port=1,arp".into();
        assert_eq!(flow.to_string(), "cookie=0xff,table=60,priority=3,in_port=1,arp,actions=NORMAL");
    }
}
