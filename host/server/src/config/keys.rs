//! Every setting: its name, kind, default, and what it does.

use toml::Value;

/// A setting.
pub(crate) struct Key {
    /// With its section: `database.url`.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// As TOML.
    pub(crate) default: &'static str,
    /// What it does, with units.
    pub(crate) doc: &'static str,
}

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// A text that is not shown.
    Secret,
    /// In a file: relative to the file's folder.
    Path,
    /// An address and a port.
    Address,
    /// `api`, `none`, or an address and a port.
    Place,
    /// From 0 to 1.
    Ratio,
    Bool,
    /// From, to.
    Integer(i64, i64),
    /// Texts; in the environment and flags separated by commas.
    List,
    Choice(&'static [&'static str]),
}

/// An hour: more than any limit here can sensibly be.
const HOUR_MS: i64 = 3_600_000;

/// A day: tokens rarely live longer.
const DAY_S: i64 = 86_400;

/// The table, in the order in which it is shown.
pub(crate) const KEYS: &[Key] = &[
    Key {
        name: "listen",
        kind: Kind::Address,
        default: r#""127.0.0.1:9696""#,
        doc: "Address and port of the REST API; port 0 takes any free one.",
    },
    Key {
        name: "data_folder",
        kind: Kind::Path,
        default: r#"".hadron""#,
        doc: "Folder with the SQLite database, the cache of compiled plugins, the lock and the control socket. Made when it is not there. One server a folder.",
    },
    Key {
        name: "allow_remote_without_auth",
        kind: Kind::Bool,
        default: "false",
        doc: "Whether `listen` may be another address than loopback while auth.mode is none: everyone who reaches it is an administrator.",
    },
    Key {
        name: "drain_ms",
        kind: Kind::Integer(0, HOUR_MS),
        default: "30000",
        doc: "How long a server that was told to stop waits for requests under way, ms.",
    },
    Key {
        name: "drain_notice_ms",
        kind: Kind::Integer(0, HOUR_MS),
        default: "0",
        doc: "How long a server that was told to stop goes on accepting while /readyz answers 503, so that load balancers turn away first, ms.",
    },
    Key {
        name: "tls.certificate",
        kind: Kind::Path,
        default: r#""""#,
        doc: "PEM file with the server's certificate and what leads to its root; with it HTTPS is served (HTTP/2 and HTTP/1.1). Read again on SIGHUP.",
    },
    Key {
        name: "tls.key",
        kind: Kind::Path,
        default: r#""""#,
        doc: "PEM file with the certificate's private key. Read again on SIGHUP.",
    },
    Key {
        name: "tls.client_ca",
        kind: Kind::Path,
        default: r#""""#,
        doc: "PEM file with the authorities whose certificates clients must show; empty: clients need none. Read again on SIGHUP.",
    },
    Key {
        name: "auth.mode",
        kind: Kind::Choice(&["none", "http_basic", "keystone"]),
        default: r#""none""#,
        doc: "Who may ask: none (everyone is an administrator; X-Project-Id, X-User-Id and X-Roles are honoured), http_basic (users of auth.htpasswd), or keystone (tokens that the identity service of [keystone] vouches for).",
    },
    Key {
        name: "auth.htpasswd",
        kind: Kind::Path,
        default: r#""""#,
        doc: "File with a `user:hash` a line, bcrypt, as `htpasswd -B` writes it. Needed by http_basic.",
    },
    Key {
        name: "keystone.auth_url",
        kind: Kind::Text,
        default: r#""""#,
        doc: "Where Keystone is, with or without /v3: https://identity.example:5000. Needed by auth.mode keystone.",
    },
    Key {
        name: "keystone.username",
        kind: Kind::Text,
        default: r#""neutron""#,
        doc: "The server's own user at Keystone; it validates tokens, for which it needs the role service or admin.",
    },
    Key {
        name: "keystone.password",
        kind: Kind::Secret,
        default: r#""""#,
        doc: "Its password. Better in the environment, as HADRON_KEYSTONE__PASSWORD, than in a file.",
    },
    Key {
        name: "keystone.project_name",
        kind: Kind::Text,
        default: r#""service""#,
        doc: "The project that its role is in.",
    },
    Key {
        name: "keystone.user_domain_name",
        kind: Kind::Text,
        default: r#""Default""#,
        doc: "The user's domain.",
    },
    Key {
        name: "keystone.project_domain_name",
        kind: Kind::Text,
        default: r#""Default""#,
        doc: "The project's domain.",
    },
    Key {
        name: "keystone.region",
        kind: Kind::Text,
        default: r#""""#,
        doc: "The region whose identity endpoint is asked; empty for the catalogue's first.",
    },
    Key {
        name: "keystone.interface",
        kind: Kind::Choice(&["internal", "public", "admin"]),
        default: r#""internal""#,
        doc: "Which of the catalogue's identity endpoints is asked; where there is none, auth_url is.",
    },
    Key {
        name: "keystone.www_authenticate_uri",
        kind: Kind::Text,
        default: r#""""#,
        doc: "Where clients without a token are told to get one; empty for the catalogue's public identity endpoint.",
    },
    Key {
        name: "keystone.cafile",
        kind: Kind::Path,
        default: r#""""#,
        doc: "File with certificates, PEM, that are trusted beside the system's.",
    },
    Key {
        name: "keystone.timeout_ms",
        kind: Kind::Integer(1, HOUR_MS),
        default: "10000",
        doc: "How long an answer of Keystone is waited for, ms; without one requests are answered 503.",
    },
    Key {
        name: "keystone.cache_s",
        kind: Kind::Integer(0, DAY_S),
        default: "300",
        doc: "For how long a good token is not asked for again, s: a revoked one may be used as long. Never longer than it is valid. 0 asks for every request.",
    },
    Key {
        name: "keystone.service_token_roles",
        kind: Kind::List,
        default: r#"["service"]"#,
        doc: "Roles of which a service needs one to pass on a user's token that has expired meanwhile (X-Service-Token).",
    },
    Key {
        name: "keystone.service_token_roles_required",
        kind: Kind::Bool,
        default: "true",
        doc: "Whether a service token without any of these roles is refused.",
    },
    Key {
        name: "policy.file",
        kind: Kind::Path,
        default: r#""""#,
        doc: "File of policy rules in oslo.policy's language, YAML or JSON, that replace the plugins' own; read again when it changes.",
    },
    Key {
        name: "database.url",
        kind: Kind::Text,
        default: r#""sqlite""#,
        doc: "Where the rows are: sqlite (hadron.db in the data folder), sqlite:FILE, or postgres://USER:PASSWORD@HOST:PORT/DATABASE.",
    },
    Key {
        name: "database.units",
        kind: Kind::Integer(1, 1024),
        default: "16",
        doc: "Units of work at the same time: on PostgreSQL as many connections (SQLite has one writer). Others wait their turn.",
    },
    Key {
        name: "database.readers",
        kind: Kind::Integer(1, 1024),
        default: "8",
        doc: "Connections for reading.",
    },
    Key {
        name: "database.patience_ms",
        kind: Kind::Integer(1, HOUR_MS),
        default: "10000",
        doc: "A unit of work that waits longer than this for its turn or a connection is answered 503, ms.",
    },
    Key {
        name: "bus.url",
        kind: Kind::Text,
        default: r#""""#,
        doc: "The message broker (RabbitMQ) that agents are reached over, amqp://USER:PASSWORD@HOST:PORT/VHOST, or rabbit:// as transport_url has it; amqps:// for TLS. Brokers of a cluster with commas between: USER:PASSWORD@HOST:PORT,USER:PASSWORD@HOST:PORT. Empty: messages stay within this process. Better in the environment, as HADRON_BUS__URL, than in a file.",
    },
    Key {
        name: "bus.host",
        kind: Kind::Text,
        default: r#""""#,
        doc: "What this host is called, by the server and by its agents: TOPIC.HOST reaches them, and ports are bound to it. Empty for the host's name.",
    },
    Key {
        name: "bus.exchange",
        kind: Kind::Text,
        default: r#""neutron""#,
        doc: "The exchange that topics are in; the agents' control_exchange.",
    },
    Key {
        name: "bus.ca",
        kind: Kind::Path,
        default: r#""""#,
        doc: "PEM file with the certificates that the broker's must lead to; needed with amqps://, and no others are trusted. Read for each connection.",
    },
    Key {
        name: "bus.certificate",
        kind: Kind::Path,
        default: r#""""#,
        doc: "PEM file with this server's own certificate, for a broker that wants one; with bus.key.",
    },
    Key {
        name: "bus.key",
        kind: Kind::Path,
        default: r#""""#,
        doc: "PEM file with the key of bus.certificate.",
    },
    Key {
        name: "bus.heartbeat_s",
        kind: Kind::Integer(0, 3600),
        default: "60",
        doc: "A broker that is silent for so long is taken for dead, s; 0 to never ask.",
    },
    Key {
        name: "bus.prefetch",
        kind: Kind::Integer(1, 1000),
        default: "16",
        doc: "Messages of a topic that are here and not taken up yet, at most; others wait at the broker, where another server may take them.",
    },
    Key {
        name: "bus.durable",
        kind: Kind::Bool,
        default: "false",
        doc: "Whether topics' queues outlive the broker; must be as the agents' amqp_durable_queues.",
    },
    Key {
        name: "bus.quorum",
        kind: Kind::Bool,
        default: "false",
        doc: "Whether topics' queues are quorum queues, kept by several brokers of a cluster, and so durable; must be as the agents' rabbit_quorum_queue.",
    },
    Key {
        name: "bus.transient_quorum",
        kind: Kind::Bool,
        default: "false",
        doc: "Whether queues of fanouts and replies are quorum queues too; must be as the agents' rabbit_transient_quorum_queue.",
    },
    Key {
        name: "bus.queue_manager",
        kind: Kind::Bool,
        default: "false",
        doc: "Whether queues of fanouts and replies are called by bus.host and a number, so that a restarted server finds what came meanwhile; as the agents' use_queue_manager. One server a host.",
    },
    Key {
        name: "bus.expiry_s",
        kind: Kind::Integer(1, DAY_S),
        default: "1800",
        doc: "How long the broker keeps a queue of fanouts or replies that nobody consumes any more, s; the agents' rabbit_transient_queues_ttl.",
    },
    Key {
        name: "bus.notifications",
        kind: Kind::List,
        default: "[]",
        doc: "Topics that notifications for other services are sent to, as [\"notifications\"]. Empty for none: without a consumer the broker would keep them for ever.",
    },
    Key {
        name: "plugins.folder",
        kind: Kind::Path,
        default: r#""plugins""#,
        doc: "Folder where components are looked up by name: NAME.wasm, type-NAME.wasm and mech-NAME.wasm for drivers.",
    },
    Key {
        name: "plugins.core",
        kind: Kind::Text,
        default: r#""ml2""#,
        doc: "The core plugin; it owns the base resources and asks the drivers. Empty for none.",
    },
    Key {
        name: "plugins.service",
        kind: Kind::List,
        default: r#"["rbac", "service-providers", "flavors", "trunk", "qos", "logging", "auto-allocate", "l3-router", "metering", "firewall", "vpn", "load-balancer"]"#,
        doc: "Service plugins, in order.",
    },
    Key {
        name: "plugins.type_drivers",
        kind: Kind::List,
        default: r#"["local", "flat", "vlan", "vxlan", "gre", "geneve"]"#,
        doc: "Type drivers, in order.",
    },
    Key {
        name: "plugins.mechanism_drivers",
        kind: Kind::List,
        default: r#"["openvswitch", "linuxbridge"]"#,
        doc: "Mechanism drivers, in the order in which they are asked; those added by `hadron plugin add` come after them.",
    },
    Key {
        name: "runtime.call_limit_ms",
        kind: Kind::Integer(1, HOUR_MS),
        default: "100",
        doc: "Guest time of one call inside a transaction, ms: a plugin that takes longer is stopped and its request fails. A bulk request or a message with more than 100 items has in proportion more.",
    },
    Key {
        name: "runtime.unit_limit_ms",
        kind: Kind::Integer(1, HOUR_MS),
        default: "1000",
        doc: "Guest time of a whole transaction, ms; more for more than 100 items.",
    },
    Key {
        name: "runtime.delivery_limit_ms",
        kind: Kind::Integer(1, HOUR_MS),
        default: "10000",
        doc: "One attempt at a driver's postcommit, with what it waits for, or one message that only reads, ms.",
    },
    Key {
        name: "runtime.delivery_budget_ms",
        kind: Kind::Integer(0, HOUR_MS),
        default: "5000",
        doc: "How long a create waits for the first attempts before it is answered, ms; they then go on in the background.",
    },
    Key {
        name: "runtime.memory_mib",
        kind: Kind::Integer(1, 256),
        default: "32",
        doc: "Linear memory of a plugin's instance where its manifest asks for none, MiB.",
    },
    Key {
        name: "runtime.breaker_failures",
        kind: Kind::Integer(1, 1_000_000),
        default: "5",
        doc: "Failures in a row after which a driver is taken out of rotation.",
    },
    Key {
        name: "runtime.breaker_pause_ms",
        kind: Kind::Integer(1, HOUR_MS),
        default: "30000",
        doc: "For how long it stays out before it is tried again, ms.",
    },
    Key {
        name: "api.requests_per_second",
        kind: Kind::Integer(0, 1_000_000),
        default: "0",
        doc: "Requests a second that a project may make to this server in the long run; others are answered 429. 0 sets no limit.",
    },
    Key {
        name: "api.burst",
        kind: Kind::Integer(0, 1_000_000),
        default: "0",
        doc: "Requests that a project may make at once after a pause; 0 is as many as in a second.",
    },
    Key {
        name: "api.unlimited_roles",
        kind: Kind::List,
        default: r#"["admin", "service"]"#,
        doc: "Callers with one of these roles are not counted.",
    },
    Key {
        name: "api.keep_answers_s",
        kind: Kind::Integer(1, 31_536_000),
        default: "86400",
        doc: "How long the answer to a request with an Idempotency-Key is kept at least, s.",
    },
    Key {
        name: "api.batch_operations",
        kind: Kind::Integer(1, 100_000),
        default: "1000",
        doc: "Most operations of a POST /v2.0/batch, which is one transaction.",
    },
    Key {
        name: "api.watchers",
        kind: Kind::Integer(0, 65_536),
        default: "256",
        doc: "GET /v2.0/watch streams at the same time; others are answered 503.",
    },
    Key {
        name: "api.watch_s",
        kind: Kind::Integer(1, 86_400),
        default: "600",
        doc: "After how long a stream ends, so that the client shows anew who it is, s.",
    },
    Key {
        name: "api.keep_changes_s",
        kind: Kind::Integer(1, 31_536_000),
        default: "86400",
        doc: "How long a change can be watched, s; a cursor before it is answered 410.",
    },
    Key {
        name: "api.keep_changes",
        kind: Kind::Integer(1, 1_000_000_000),
        default: "100000",
        doc: "How many changes at most can be watched, however young they are.",
    },
    Key {
        name: "quota.limits",
        kind: Kind::List,
        default: "[]",
        doc: "How many of a resource a project may have that has no limit of its own, as \"network=100\"; -1 is no limit, and the name * stands for all that are not named. Without it, what plugins declare (Neutron's defaults).",
    },
    Key {
        name: "log.format",
        kind: Kind::Choice(&["auto", "human", "json"]),
        default: r#""auto""#,
        doc: "auto (human on a terminal, JSON elsewhere), human or json; on standard error.",
    },
    Key {
        name: "log.level",
        kind: Kind::Text,
        default: r#""info""#,
        doc: "error, warn, info, debug, trace, or a filter such as info,hadron_store=debug.",
    },
    Key {
        name: "metrics.listen",
        kind: Kind::Place,
        default: r#""api""#,
        doc: "Where /metrics is answered, to anybody who reaches it: api (beside the REST API), none, or an address and port of its own.",
    },
    Key {
        name: "telemetry.otlp_endpoint",
        kind: Kind::Text,
        default: r#""""#,
        doc: "Base URL of a collector of OpenTelemetry traces (OTLP over HTTP), as http://127.0.0.1:4318; empty: OTEL_EXPORTER_OTLP_ENDPOINT, and without that no traces.",
    },
    Key {
        name: "telemetry.sample_ratio",
        kind: Kind::Ratio,
        default: "1.0",
        doc: "Part of the traces that begin here which is collected, 0 to 1; a caller's own decision is kept, and OTEL_TRACES_SAMPLER wins where it is set.",
    },
    Key {
        name: "agents.with",
        kind: Kind::List,
        default: "[]",
        doc: "Agents that `hadron serve` runs in its own process, on this host: openvswitch, dhcp, linuxbridge.",
    },
    Key {
        name: "agents.report_interval_s",
        kind: Kind::Integer(1, 3600),
        default: "30",
        doc: "How often an agent says that it lives, s; as Neutron's report_interval. The server takes an agent for dead that it has not heard of for agent_down_time.",
    },
    Key {
        name: "openvswitch.run_folder",
        kind: Kind::Path,
        default: r#""/var/run/openvswitch""#,
        doc: "Folder with the sockets of Open vSwitch: db.sock and a BRIDGE.mgmt each.",
    },
    Key {
        name: "openvswitch.integration_bridge",
        kind: Kind::Text,
        default: r#""br-int""#,
        doc: "The bridge that devices are plugged into; made where it is not there.",
    },
    Key {
        name: "openvswitch.tunnel_bridge",
        kind: Kind::Text,
        default: r#""br-tun""#,
        doc: "The bridge that tunnels leave from; made where it is not there, with a local_ip.",
    },
    Key {
        name: "openvswitch.bridge_mappings",
        kind: Kind::List,
        default: "[]",
        doc: "The bridge of each physical network, as [\"physnet1:br-eth1\"]; these bridges must be there, with the host's interface in them.",
    },
    Key {
        name: "openvswitch.datapath_type",
        kind: Kind::Choice(&["system", "netdev"]),
        default: r#""system""#,
        doc: "Where packets are forwarded: in the kernel (system) or by Open vSwitch itself (netdev).",
    },
    Key {
        name: "openvswitch.local_ip",
        kind: Kind::Text,
        default: r#""""#,
        doc: "The address of this host at which its tunnels end. Empty: no tunnels.",
    },
    Key {
        name: "openvswitch.tunnel_types",
        kind: Kind::List,
        default: "[]",
        doc: "Types of tunnels that this host has, of vxlan, gre, geneve. Needs a local_ip.",
    },
    Key {
        name: "openvswitch.l2_population",
        kind: Kind::Bool,
        default: "false",
        doc: "Whether the server says where addresses are (the l2population part of ML2), rather than the switch learning it.",
    },
    Key {
        name: "openvswitch.arp_responder",
        kind: Kind::Bool,
        default: "false",
        doc: "Whether questions for MAC addresses are answered on this host; needs l2_population.",
    },
    Key {
        name: "dhcp.state_path",
        kind: Kind::Path,
        default: r#""/var/lib/hadron""#,
        doc: "Folder in which each network that is served has its files, under dhcp/. dnsmasq reads them as a user of its own.",
    },
    Key {
        name: "dhcp.dns_domain",
        kind: Kind::Text,
        default: r#""openstacklocal""#,
        doc: "The domain of hosts that have no other; empty for none.",
    },
    Key {
        name: "dhcp.dnsmasq_dns_servers",
        kind: Kind::List,
        default: "[]",
        doc: "Who is asked for names that are not of the network.",
    },
    Key {
        name: "dhcp.dnsmasq_local_resolv",
        kind: Kind::Bool,
        default: "false",
        doc: "Whether the host's own name servers are asked, where there are no dnsmasq_dns_servers.",
    },
    Key {
        name: "dhcp.dnsmasq_config_file",
        kind: Kind::Path,
        default: r#""""#,
        doc: "A file with more options of dnsmasq; empty for none.",
    },
    Key {
        name: "dhcp.dnsmasq_lease_max",
        kind: Kind::Integer(1, 16_777_216),
        default: "16777216",
        doc: "The most leases of a network.",
    },
    Key {
        name: "dhcp.dhcp_lease_duration",
        kind: Kind::Integer(-1, 4_294_967_294),
        default: "86400",
        doc: "How long a lease holds, s; -1 for ever.",
    },
    Key {
        name: "dhcp.dhcp_renewal_time",
        kind: Kind::Integer(0, 4_294_967_294),
        default: "0",
        doc: "After how long a machine renews its lease, s; 0 for half its time.",
    },
    Key {
        name: "dhcp.dhcp_rebinding_time",
        kind: Kind::Integer(0, 4_294_967_294),
        default: "0",
        doc: "After how long a machine asks any server to renew its lease, s; 0 for seven eighths of its time.",
    },
    Key {
        name: "dhcp.dhcp_broadcast_reply",
        kind: Kind::Bool,
        default: "false",
        doc: "Whether answers are always broadcast.",
    },
    Key {
        name: "dhcp.resync_interval_s",
        kind: Kind::Integer(1, 3600),
        default: "5",
        doc: "The pause before what failed is tried again, s.",
    },
    Key {
        name: "dhcp.num_sync_threads",
        kind: Kind::Integer(1, 256),
        default: "4",
        doc: "Networks that are worked on at the same time.",
    },
    Key {
        name: "linuxbridge.physical_interface_mappings",
        kind: Kind::List,
        default: "[]",
        doc: "The interface of each physical network, as [\"physnet1:eth1\"]; it is plugged into a bridge and carries nothing else.",
    },
    Key {
        name: "linuxbridge.bridge_mappings",
        kind: Kind::List,
        default: "[]",
        doc: "The bridge of each physical network whose interface is in one already, as [\"physnet1:br-eth1\"].",
    },
    Key {
        name: "linuxbridge.enable_vxlan",
        kind: Kind::Bool,
        default: "true",
        doc: "Whether VXLAN networks are carried; they are where there is a local_ip.",
    },
    Key {
        name: "linuxbridge.local_ip",
        kind: Kind::Text,
        default: r#""""#,
        doc: "The address of this host at which its tunnels end. Empty: no tunnels.",
    },
    Key {
        name: "linuxbridge.vxlan_group",
        kind: Kind::Text,
        default: r#""""#,
        doc: "The multicast group that hosts send to what goes to nobody in particular; empty: it is sent to each host.",
    },
    Key {
        name: "linuxbridge.ttl",
        kind: Kind::Integer(0, 255),
        default: "0",
        doc: "How many routers a tunnel's packet passes at most; 0 for the kernel's choice.",
    },
    Key {
        name: "linuxbridge.udp_dstport",
        kind: Kind::Integer(1, 65535),
        default: "4789",
        doc: "The UDP port of VXLAN; all hosts have the same.",
    },
];

/// Settings that a server takes up without a restart, on SIGHUP or `hadron config
/// reload`; `[plugin.NAME]` sections too.
pub(crate) const LIVE: &[&str] = &[
    "auth.htpasswd",
    "api.requests_per_second",
    "api.burst",
    "api.unlimited_roles",
    "api.batch_operations",
    "quota.limits",
    "log.level",
    "tls.certificate",
    "tls.key",
    "tls.client_ca",
];

/// Members of a `[plugin.NAME]` section, and what they do.
pub(crate) const PLUGIN: [(&str, &str); 3] = [
    ("path", "The component's file, where it is not found in plugins.folder by name."),
    (
        "grants",
        "What it may do: http = [URLs], secrets = {NAME = \"env:X\"}, resources = {ports = [\"get\"]}, system (what is in plugins.folder has it without being granted), memory_mib.",
    ),
    ("config", "Its own configuration; `hadron plugin show NAME` lists what it reads."),
];

/// Members of a plugin's `grants`.
pub(crate) const GRANTS: [&str; 5] = ["http", "secrets", "resources", "system", "memory_mib"];

/// The setting of that name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

impl Key {
    /// The default.
    pub(crate) fn default_value(&self) -> Result<Value, String> {
        let document = format!("value = {}", self.default);
        let table: toml::Table = document.parse().map_err(|e| format!("{}: {e}", self.name))?;
        table.get("value").cloned().ok_or_else(|| format!("{}: no default", self.name))
    }

    /// A value from the environment or a flag.
    pub(crate) fn parse(&self, text: &str) -> Result<Value, String> {
        let value = match self.kind {
            Kind::Text | Kind::Secret | Kind::Path | Kind::Address | Kind::Place | Kind::Choice(_) => {
                Value::String(text.to_owned())
            }
            Kind::Bool => match text {
                "true" | "1" | "yes" => Value::Boolean(true),
                "false" | "0" | "no" => Value::Boolean(false),
                _ => return Err(format!("'{text}' is neither true nor false")),
            },
            Kind::Integer(..) => {
                Value::Integer(text.parse().map_err(|_| format!("'{text}' is not a whole number"))?)
            }
            Kind::Ratio => Value::Float(text.parse().map_err(|_| format!("'{text}' is not a number"))?),
            Kind::List => {
                let names = text.trim().trim_start_matches('[').trim_end_matches(']').split(',');
                let names = names.map(|name| name.trim().trim_matches('"')).filter(|name| !name.is_empty());
                Value::Array(names.map(|name| Value::String(name.to_owned())).collect())
            }
        };
        self.accept(value)
    }

    /// Checks a value against the kind.
    pub(crate) fn accept(&self, value: Value) -> Result<Value, String> {
        let wanted = match (self.kind, &value) {
            (Kind::Text | Kind::Secret | Kind::Path, Value::String(_)) | (Kind::Bool, Value::Boolean(_)) => {
                None
            }
            (Kind::Address, Value::String(text)) => match text.parse::<std::net::SocketAddr>() {
                Ok(_) => None,
                Err(_) => Some("an IP address and a port, as 127.0.0.1:9696 or [::1]:9696".to_owned()),
            },
            (Kind::Place, Value::String(text)) => match crate::config::Scraped::try_from(text.clone()) {
                Ok(_) => None,
                Err(_) => Some("api, none, or an IP address and a port".to_owned()),
            },
            (Kind::Ratio, Value::Float(number)) if (0.0..=1.0).contains(number) => None,
            (Kind::Ratio, Value::Integer(0 | 1)) => None,
            (Kind::Integer(from, to), Value::Integer(number)) if (from..=to).contains(number) => None,
            (Kind::List, Value::Array(items)) if items.iter().all(Value::is_str) => None,
            (Kind::Choice(choices), Value::String(text)) if choices.contains(&text.as_str()) => None,
            (Kind::Ratio, _) => Some("a number from 0 to 1".to_owned()),
            (Kind::Text | Kind::Secret | Kind::Path | Kind::Address | Kind::Place, _) => {
                Some("a text in quotes".to_owned())
            }
            (Kind::Bool, _) => Some("true or false".to_owned()),
            (Kind::Integer(from, to), _) => Some(format!("a whole number from {from} to {to}")),
            (Kind::List, _) => Some("a list of texts".to_owned()),
            (Kind::Choice(choices), _) => Some(format!("one of {}", choices.join(", "))),
        };
        match wanted {
            None => Ok(value),
            // A password that is written without quotes is one all the same.
            Some(wanted) if self.kind == Kind::Secret => Err(format!("it is not {wanted}")),
            Some(wanted) => Err(format!("{value} is not {wanted}")),
        }
    }
}
