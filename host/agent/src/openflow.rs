//! Flows as values, written to a bridge in one bundle: all of them or none.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
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

/// Takes flows from a bridge and adds some, all or none; those that are added
/// replace those with the same table, priority and match. `run` is the folder with
/// the bridges' sockets.
///
/// # Errors
/// [`Error::Refused`] if one of them is not taken; then nothing is changed.
pub async fn change(run: &Path, bridge: &str, remove: &[Flow], add: &[Flow]) -> Result<(), Error> {
    let mut lines = String::new();
    for Flow { table, priority, matching, .. } in remove {
        let comma = if matching.is_empty() { "" } else { "," };
        lines.push_str(&format!("delete_strict table={table},priority={priority}{comma}{matching}\n"));
    }
    add.iter().for_each(|flow| lines.push_str(&format!("add {flow}\n")));
    ofctl(run, bridge, &["--bundle", "add-flows"], &["-"], lines).await.map(drop)
}

/// Takes away all flows of a bridge that are not marked with this cookie, so those
/// of agents before this one.
///
/// # Errors
/// As [`change`].
pub async fn sweep(run: &Path, bridge: &str, cookie: u64) -> Result<(), Error> {
    let flows = ofctl(run, bridge, &["--no-stats", "dump-flows"], &[], String::new()).await?;
    let own = format!("{cookie:#x}");
    let cookies = flows.lines().filter_map(|line| line.split_once("cookie=")?.1.split(',').next());
    let others: BTreeSet<&str> = cookies.filter(|other| *other != own).collect();
    if others.is_empty() {
        return Ok(());
    }
    let lines = others.iter().map(|other| format!("delete cookie={other}/-1\n")).collect();
    ofctl(run, bridge, &["--bundle", "add-flows"], &["-"], lines).await.map(drop)
}

/// How many meters a bridge can have: none where its datapath has no such thing.
///
/// # Errors
/// As [`change`].
pub async fn most_meters(run: &Path, bridge: &str) -> Result<u32, Error> {
    let features = ofctl(run, bridge, &["meter-features"], &[], String::new()).await?;
    let most = features.split_once("max_meter:").and_then(|(_, rest)| rest.split_whitespace().next());
    Ok(most.and_then(|most| most.parse().ok()).unwrap_or_default())
}

/// The numbers of a bridge's meters.
///
/// # Errors
/// As [`change`].
pub async fn meters(run: &Path, bridge: &str) -> Result<BTreeSet<u32>, Error> {
    let meters = ofctl(run, bridge, &["dump-meters"], &[], String::new()).await?;
    let numbers = meters.split("meter=").skip(1).filter_map(|rest| {
        let number = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        number.parse().ok()
    });
    Ok(numbers.collect())
}

/// Makes a meter of this number, or makes the one that is there this: `meter` is as
/// `ovs-ofctl` writes it, without its number.
///
/// # Errors
/// As [`change`].
pub async fn set_meter(
    run: &Path,
    bridge: &str,
    number: u32,
    meter: &str,
    is_there: bool,
) -> Result<(), Error> {
    let command = if is_there { "mod-meter" } else { "add-meter" };
    ofctl(run, bridge, &[command], &[&format!("meter={number},{meter}")], String::new()).await.map(drop)
}

/// Takes a meter away, and with it the flows that use it.
///
/// # Errors
/// As [`change`].
pub async fn remove_meter(run: &Path, bridge: &str, number: u32) -> Result<(), Error> {
    ofctl(run, bridge, &["del-meters"], &[&format!("meter={number}")], String::new()).await.map(drop)
}

/// Holds a connection to a bridge until the switch ends it, so that it is known at
/// once that its flows are gone.
///
/// # Errors
/// Why it ended, always.
pub async fn ended(run: &Path, bridge: &str) -> std::io::Error {
    match held(run, bridge).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// OpenFlow 1.4's messages, of which these are needed to be let alone: greeting,
/// and questions whether somebody is there (OpenFlow 1.4.0, 7.5).
async fn held(run: &Path, bridge: &str) -> std::io::Result<Infallible> {
    const VERSION: u8 = 5;
    const HELLO: u8 = 0;
    const ECHO_REQUEST: u8 = 2;
    const ECHO_REPLY: u8 = 3;
    let mut switch = UnixStream::connect(run.join(format!("{bridge}.mgmt"))).await?;
    switch.write_all(&[VERSION, HELLO, 0, 8, 0, 0, 0, 1]).await?;
    loop {
        let mut header = [0; 8];
        switch.read_exact(&mut header).await?;
        let [_, kind, high, low, number @ ..] = header;
        let mut body = vec![0; usize::from(u16::from_be_bytes([high, low])).saturating_sub(header.len())];
        switch.read_exact(&mut body).await?;
        if kind == ECHO_REQUEST {
            let mut reply = vec![VERSION, ECHO_REPLY, high, low];
            reply.extend(number);
            reply.extend(body);
            switch.write_all(&reply).await?;
        }
    }
}

/// Runs `ovs-ofctl OPTIONS BRIDGE MORE`, with that input; what it prints.
async fn ofctl(
    run: &Path,
    bridge: &str,
    options: &[&str],
    more: &[&str],
    input: String,
) -> Result<String, Error> {
    let mut target = std::ffi::OsString::from("unix:");
    target.push(run.join(format!("{bridge}.mgmt")));
    let mut child = Command::new("ovs-ofctl")
        .args(["-O", "OpenFlow14"])
        .args(options)
        .arg(target)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let written = match child.stdin.take() {
        Some(mut pipe) => pipe.write_all(input.as_bytes()).await,
        None => Ok(()),
    };
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        return Err(Error::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    written?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
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
