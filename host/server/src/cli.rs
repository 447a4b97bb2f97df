//! The command line. Help texts are part of the product: each says what a
//! command is for, and shows it being used.

use crate::config::AgentKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

/// OpenStack Networking whose plugins are sandboxed WebAssembly components
#[derive(Debug, Parser)]
#[command(
    name = "hadron",
    version,
    about,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "\
Examples:
  hadron serve                              serve on 127.0.0.1:9696, with SQLite under .hadron/
  hadron config show                        every setting, its value, and where that comes from
  hadron plugin add acme.wasm --grant http=http://10.0.0.5:8080
                                            add a vendor's driver to the running server
  hadron agent openvswitch                  wire the ports of this host
  hadron journal list --plugin acme         what still waits to be delivered to it

Exit codes:
  0  done                                   3  no server answers
  1  refused, or it went wrong              4  the configuration is wrong
  2  the command line is wrong              5  the data folder or address is in use

Commands about plugins, the journal and policy reach the running server through a socket in its data
folder, so they run as the same user on the same machine."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the server
    Serve(ServeArgs),
    /// Start an agent on a host that the server has ports on
    Agent(AgentArgs),
    /// See, add, upgrade and remove plugins of the running server
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// See and mend what waits to be delivered after a commit
    #[command(subcommand)]
    Journal(JournalCommand),
    /// See the rules of who may do what, and why something is allowed or refused
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// See and prepare the database, without a server
    #[command(subcommand)]
    Db(DbCommand),
    /// See and check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a shell's completion script
    #[command(after_help = "Example:\n  hadron completions bash > /etc/bash_completion.d/hadron")]
    Completions {
        /// For which shell
        shell: Shell,
    },
}

/// Where the configuration comes from.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ConfigArgs {
    /// Configuration file [default: ./hadron.toml, else /etc/hadron/hadron.toml, where present]
    #[arg(long, value_name = "FILE", env = "HADRON_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// Folder with the database, the cache and the control socket
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_folder: Option<String>,
    /// Where the rows are: `sqlite`, `sqlite:FILE` or `postgres://USER:PASSWORD@HOST/NAME`
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
    /// Folder with the components that the configuration names
    #[arg(long, value_name = "FOLDER")]
    pub(crate) plugin_folder: Option<String>,
    /// Any setting, as `hadron config show` names it; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl ConfigArgs {
    /// Settings that flags give: key, value, the flag's name.
    pub(crate) fn flags(&self) -> Vec<(String, String, String)> {
        let named = given([
            ("data_folder", &self.data_folder, "--data-folder"),
            ("database.url", &self.database, "--database"),
            ("plugins.folder", &self.plugin_folder, "--plugin-folder"),
        ]);
        let set = self.set.iter().map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key.trim().to_owned(), value.to_owned(), "--set".to_owned())
        });
        named.chain(set).collect()
    }
}

#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  hadron serve --listen 127.0.0.1:9696 --data-folder /var/lib/hadron
  hadron serve --database postgres://hadron:secret@db/hadron --set database.units=32
  hadron serve --set auth.mode=http_basic --set auth.htpasswd=/etc/hadron/htpasswd
  hadron serve --with-agent openvswitch --set bus.host=compute-1
                                            a cloud of one host, without a broker

Settings come from defaults, a file, HADRON_SECTION__KEY in the environment and flags; the later
ones win. SIGTERM or SIGINT (Ctrl-C) finishes the requests under way and stops; a second one stops
at once. SIGHUP reads the configuration again.")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Address and port of the REST API
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// Also run an agent of this host in the server's process; may be repeated
    #[arg(long = "with-agent", value_enum, value_name = "KIND")]
    pub(crate) with_agents: Vec<AgentKind>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

impl ServeArgs {
    /// Settings that flags give: key, value, the flag's name.
    pub(crate) fn flags(&self) -> Vec<(String, String, String)> {
        let kinds: Vec<String> = self.with_agents.iter().map(|kind| kind.name()).collect();
        let kinds = Some(kinds.join(",")).filter(|kinds| !kinds.is_empty());
        let named = given([("listen", &self.listen, "--listen"), ("agents.with", &kinds, "--with-agent")]);
        self.config.flags().into_iter().chain(named).chain(self.log.flags()).collect()
    }
}

/// What is logged, and how.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct LogArgs {
    /// What is logged: error, warn, info, debug, trace, or a filter as `info,hadron_store=debug`
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// How: human on a terminal and JSON elsewhere (auto), or always one of them
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
}

impl LogArgs {
    fn flags(&self) -> Vec<(String, String, String)> {
        let named =
            [("log.level", &self.log_level, "--log-level"), ("log.format", &self.log_format, "--log-format")];
        given(named).collect()
    }
}

#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  hadron agent openvswitch --set openvswitch.local_ip=192.0.2.11 --set openvswitch.tunnel_types=vxlan
  hadron agent openvswitch --config /etc/hadron/agent.toml --host compute-1

It needs bus.url, better as HADRON_BUS__URL, and the right to reach what it programs: as a rule root.
Settings come from the same places as the server's; `hadron config show` lists them. SIGTERM or
SIGINT stops the agent; what the host carries stays, and an agent that starts again takes it over.")]
pub(crate) struct AgentArgs {
    /// Which
    #[arg(value_enum)]
    pub(crate) kind: AgentKind,
    /// Configuration file [default: ./hadron.toml, else /etc/hadron/hadron.toml, where present]
    #[arg(long, value_name = "FILE", env = "HADRON_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// What the server calls this host [default: the host's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
    /// Any setting, as `hadron config show` names it; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

impl AgentArgs {
    /// Where the configuration comes from.
    pub(crate) fn config_args(&self) -> ConfigArgs {
        ConfigArgs { config: self.config.clone(), set: self.set.clone(), ..ConfigArgs::default() }
    }

    /// Settings that flags give: key, value, the flag's name.
    pub(crate) fn flags(&self) -> Vec<(String, String, String)> {
        let host = given([("bus.host", &self.host, "--host")]);
        self.config_args().flags().into_iter().chain(host).chain(self.log.flags()).collect()
    }
}

/// Of settings that flags may give those that they do: key, value, the flag's name.
fn given<const N: usize>(
    named: [(&str, &Option<String>, &str); N],
) -> impl Iterator<Item = (String, String, String)> {
    let given = named.map(|(key, value, flag)| {
        value.as_ref().map(|value| (key.to_owned(), value.clone(), flag.to_owned()))
    });
    given.into_iter().flatten()
}

/// Which server is meant, and how the answer is printed.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ServerArgs {
    /// The server's data folder [default: as configured]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_folder: Option<String>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// All plugins, in the order in which drivers are asked
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// What a plugin declares, asks for and was granted
    Show {
        /// The plugin's name
        name: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Add a component to the running server; kept in its database
    #[command(after_help = "\
A plugin gets what it asks for and is granted. Grants:
  http=URL               call this endpoint, after the commit
  resources.NAME=VERBS   use another plugin's resources, e.g. resources.ports=get,create
                         (without any such grant: as its manifest asks)
  system                 act with the rights of the system, not of the caller
  memory_mib=N           linear memory, at most 256

Examples:
  hadron plugin add acme.wasm --grant http=http://10.0.0.5:8080 --secret token=env:ACME_TOKEN
  hadron plugin add acme.wasm --config url=http://10.0.0.5:8080 --config retries=3 --sync")]
    Add {
        /// The component
        file: PathBuf,
        /// What it may do; may be repeated
        #[arg(long = "grant", value_name = "GRANT")]
        grants: Vec<String>,
        /// A secret and where the server finds it (env:VARIABLE or file:PATH); may be repeated
        #[arg(long = "secret", value_name = "NAME=SOURCE")]
        secrets: Vec<String>,
        /// The plugin's own configuration; VALUE is JSON, or else a text; may be repeated
        #[arg(long = "config", value_name = "KEY=VALUE")]
        config: Vec<String>,
        /// Send a driver what exists already
        #[arg(long)]
        sync: bool,
        /// Add it, but out of rotation
        #[arg(long)]
        disabled: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Replace a plugin's component; new calls go to the new one, running ones end on the old
    Upgrade {
        /// The plugin's name
        name: String,
        /// The new component
        file: PathBuf,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Remove a plugin; its resources stay in the database
    Remove {
        /// The plugin's name
        name: String,
        /// Also when deliveries wait for it: they are dropped
        #[arg(long)]
        drop_journal: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Take a plugin into rotation again
    Enable {
        /// The plugin's name
        name: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Take a plugin out of rotation
    Disable {
        /// The plugin's name
        name: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    /// What waits, oldest first
    List {
        #[command(flatten)]
        filter: JournalFilter,
        /// Most entries
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: u32,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// One entry, with the call as it will be made
    Show {
        /// The entry's id
        id: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Make entries due now, refused ones too
    #[command(after_help = "\
Examples:
  hadron journal retry --plugin acme        everything that waits for acme
  hadron journal retry ID                   this entry, and what waits for the same plugin about
                                            the same resource (they go in order)")]
    Retry {
        /// An entry's id
        #[arg(conflicts_with_all = ["plugin", "resource"], required_unless_present_any = ["plugin", "resource", "all"])]
        id: Option<String>,
        #[command(flatten)]
        filter: JournalFilter,
        /// All entries
        #[arg(long, conflicts_with_all = ["plugin", "resource", "id"])]
        all: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Remove entries undelivered: what they were for never hears of the change
    Drop {
        /// The entries' ids
        #[arg(required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        server: ServerArgs,
    },
}

/// Which entries.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct JournalFilter {
    /// For this plugin (`rpc` for messages)
    #[arg(long, value_name = "NAME")]
    pub(crate) plugin: Option<String>,
    /// About this resource
    #[arg(long, value_name = "ID")]
    pub(crate) resource: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// All rules in force, with who declares them
    List {
        /// Only those of the policy file
        #[arg(long)]
        overridden: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// One rule, and what the policy file replaces
    Show {
        /// The rule's name
        name: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Whether a rule would allow a caller something, and why
    #[command(after_help = "\
Roles are those that the token would list; an identity service adds implied ones (member implies
reader). Without --target and --id it is about something of the caller's own project.

Examples:
  hadron policy check --rule create_network --roles member,reader --project P
  hadron policy check --rule get_network --roles reader --project P --id NETWORK
  hadron policy check --rule create_port --roles member --project P \\
      --target '{\"project_id\": \"P\", \"network_id\": \"NETWORK\", \"mac_address\": \"fa:16:3e:00:00:01\"}'

Exit codes: 0 allowed, 1 refused")]
    Check(Box<CheckArgs>),
}

/// A question about a rule.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct CheckArgs {
    /// The rule's name, as create_network or create_network:shared
    #[arg(long, value_name = "NAME")]
    pub(crate) rule: String,
    /// The caller's roles, separated by commas
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    pub(crate) roles: Vec<String>,
    /// The project that the caller's token is for
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) project: String,
    /// The caller
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) user: String,
    /// The domain that the caller's token is for
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) domain: String,
    /// The caller's own domain
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) user_domain: String,
    /// The domain of the caller's project
    #[arg(long, value_name = "ID", default_value = "")]
    pub(crate) project_domain: String,
    /// The caller's token is for the whole system
    #[arg(long)]
    pub(crate) system: bool,
    /// Roles of the service that passes the request on, separated by commas
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    pub(crate) service_roles: Vec<String>,
    /// Attributes of what is asked about, as JSON: a create's body, an update's changes
    #[arg(long, value_name = "JSON")]
    pub(crate) target: Option<String>,
    /// The resource that is asked about
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Whether the database answers, and what is in it
    Status {
        #[command(flatten)]
        config: ConfigArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the tables that the configured plugins need; it only ever adds
    Migrate {
        #[command(flatten)]
        config: ConfigArgs,
        /// Only tell what would be done
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Every setting: its value, its default, where the value comes from, what it does
    Show {
        #[command(flatten)]
        config: ConfigArgs,
        /// How
        #[arg(long, value_enum, default_value_t = Show::Toml)]
        format: Show,
    },
    /// Whether the server would start with this configuration
    Check {
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Have the running server read its configuration again; what takes a restart is named
    Reload {
        #[command(flatten)]
        server: ServerArgs,
    },
}

/// How the configuration is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Show {
    /// A file that `--config` accepts
    Toml,
    /// A list of objects
    Json,
}
