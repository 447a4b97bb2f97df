//! What agents hear from the server without asking.

use crate::objects::VERSIONS;
use crate::server::Server;
use hadron_bus::{Bus, Consumer};
use serde_json::Value;
use std::net::IpAddr;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

/// The longest pause before everything is asked for again after a broker was lost.
const SPREAD: Duration = Duration::from_secs(10);

/// Where others say that their tunnels begin or end.
const TUNNEL_UPDATE: &str = "q-agent-notifier-tunnel-update";
const TUNNEL_DELETE: &str = "q-agent-notifier-tunnel-delete";

/// Where servers say that something changed, without saying what it is now.
pub const CHANGES: [&str; 4] = [
    "q-agent-notifier-port-update",
    "q-agent-notifier-port-delete",
    "q-agent-notifier-network-delete",
    "q-agent-notifier-security_group-update",
];

/// Where servers say where addresses are.
pub const FDB: &str = "q-agent-notifier-l2population-update";

/// What the server only says has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The port with that id.
    Port(String),
    /// The port with that id is gone.
    PortGone(String),
    /// The network with that id is gone.
    NetworkGone(String),
    /// The rules of the groups with these ids.
    Rules(Vec<String>),
    /// The members of the groups with these ids.
    Members(Vec<String>),
}

/// Something that was heard.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// The server tells of objects.
    Objects {
        /// All of one kind.
        list: Vec<Value>,
        /// Whether they are deleted.
        are_gone: bool,
    },
    /// Tunnels of a type begin or end somewhere.
    Tunnel {
        /// `vxlan`, ….
        kind: String,
        /// Where.
        ip: IpAddr,
        /// Whether they do not any more.
        is_gone: bool,
    },
    /// The server tells where addresses are.
    Fdb {
        /// `add_fdb_entries`, ….
        method: String,
        /// By network.
        entries: Value,
    },
    /// These are another now, or gone.
    Changed(Changed),
    /// Something may have been missed.
    Missed,
}

/// Hears of objects, of tunnels and of what comes on `more` topics, by tasks of this
/// set; waits until the broker has the queues for it.
pub async fn listen<E: From<News> + Send + 'static>(
    bus: &Bus,
    more: &[&str],
    tasks: &mut JoinSet<()>,
    happened: &UnboundedSender<E>,
) {
    let objects = VERSIONS.iter().map(|(kind, version)| format!("neutron-vo-{kind}-{version}"));
    let told = [TUNNEL_UPDATE, TUNNEL_DELETE].iter().chain(more);
    let topics = objects.chain(told.map(|topic| (*topic).to_owned()));
    let mut consumers: Vec<Consumer> = topics.map(|topic| bus.consume(&topic)).collect();
    // What is told as soon as the agent reports must have a place to arrive at.
    for consumer in &mut consumers {
        consumer.attached().await;
    }
    for mut consumer in consumers {
        let happened = happened.clone();
        tasks.spawn(async move {
            while let Some(delivery) = consumer.next().await {
                let taken = delivery.take().await;
                if let Some(news) = read(&taken.message.method, &taken.message.arguments) {
                    let _ = happened.send(news.into());
                }
                taken.answering.send(Ok(Value::Null));
            }
        });
    }
    let (mut renewals, happened) = (bus.renewals(), happened.clone());
    tasks.spawn(async move {
        while renewals.next(SPREAD).await {
            let _ = happened.send(News::Missed.into());
        }
    });
}

/// What a message says; nothing where it says nothing to an agent.
fn read(method: &str, arguments: &Value) -> Option<News> {
    match method {
        "push" => {
            let list = arguments.get("resource_list")?.as_array()?.clone();
            let are_gone = arguments.get("event_type")?.as_str()? == "deleted";
            Some(News::Objects { list, are_gone })
        }
        "tunnel_update" | "tunnel_delete" => Some(News::Tunnel {
            kind: arguments.get("tunnel_type")?.as_str()?.to_owned(),
            ip: arguments.get("tunnel_ip")?.as_str()?.parse().ok()?,
            is_gone: method == "tunnel_delete",
        }),
        "add_fdb_entries" | "remove_fdb_entries" | "update_fdb_entries" => {
            Some(News::Fdb { method: method.to_owned(), entries: arguments.get("fdb_entries")?.clone() })
        }
        _ => changed(method, arguments).map(News::Changed),
    }
}

fn changed(method: &str, arguments: &Value) -> Option<Changed> {
    let text = |value: Option<&Value>| Some(value?.as_str()?.to_owned());
    let groups = || {
        let listed = arguments.get("security_groups")?.as_array()?;
        Some(listed.iter().filter_map(|id| text(Some(id))).collect())
    };
    match method {
        "port_update" => text(arguments.pointer("/port/id")).map(Changed::Port),
        "port_delete" => text(arguments.get("port_id")).map(Changed::PortGone),
        "network_delete" => text(arguments.get("network_id")).map(Changed::NetworkGone),
        "security_groups_rule_updated" => groups().map(Changed::Rules),
        "security_groups_member_updated" => groups().map(Changed::Members),
        _ => None,
    }
}

/// Says again and again that the agent lives and how it is set up; a server that
/// thought it dead may have said something meanwhile.
pub async fn report<E: From<News>>(
    server: Server,
    interval: Duration,
    configurations: impl Fn() -> Value,
    happened: UnboundedSender<E>,
) {
    loop {
        tokio::time::sleep(interval).await;
        match server.report(configurations(), false).await {
            Ok(false) => {}
            Ok(true) => {
                let _ = happened.send(News::Missed.into());
            }
            Err(error) => tracing::warn!(%error, "the server does not hear that this agent lives"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_are_news_or_nothing() {
        let push = json!({"resource_list": [{}], "event_type": "deleted"});
        assert_eq!(read("push", &push), Some(News::Objects { list: vec![json!({})], are_gone: true }));
        let tunnel = json!({"tunnel_type": "vxlan", "tunnel_ip": "10.0.0.1"});
        let ip = IpAddr::from([10, 0, 0, 1]);
        let kind = "vxlan".to_owned();
        assert_eq!(read("tunnel_update", &tunnel), Some(News::Tunnel { kind, ip, is_gone: false }));
        assert_eq!(read("tunnel_delete", &json!({"tunnel_ip": "x", "tunnel_type": "vxlan"})), None);
        let told = json!({"fdb_entries": {}});
        let addresses = News::Fdb { method: "add_fdb_entries".to_owned(), entries: json!({}) };
        assert_eq!(read("add_fdb_entries", &told), Some(addresses));
        let says = |method: &str, arguments: Value, what: Changed| {
            assert_eq!(read(method, &arguments), Some(News::Changed(what)));
        };
        says("port_update", json!({"port": {"id": "p"}}), Changed::Port("p".into()));
        says("port_delete", json!({"port_id": "p"}), Changed::PortGone("p".into()));
        says("network_delete", json!({"network_id": "n"}), Changed::NetworkGone("n".into()));
        let groups = json!({"security_groups": ["g"]});
        says("security_groups_rule_updated", groups.clone(), Changed::Rules(vec!["g".into()]));
        says("security_groups_member_updated", groups, Changed::Members(vec!["g".into()]));
    }

    #[test]
    fn what_says_nothing_is_no_news() {
        for method in [
            "push",
            "tunnel_update",
            "add_fdb_entries",
            "port_update",
            "port_delete",
            "network_delete",
            "security_groups_rule_updated",
            "security_groups_member_updated",
        ] {
            assert_eq!((read(method, &json!({})), read(method, &json!(null))), (None, None));
        }
        assert_eq!(read("network_update", &json!({"network": {"id": "n"}})), None);
    }
}
