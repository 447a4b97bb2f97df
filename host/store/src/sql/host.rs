//! The host's own tables, and statements about units, components and ticks.

use super::{Bind, Dialect, Sql};

/// Tables and indexes of the host's own: name, statement.
pub(crate) fn host_tables(dialect: Dialect) -> &'static [(&'static str, &'static str)] {
    match dialect {
        Dialect::Sqlite => &SQLITE_TABLES,
        Dialect::Postgres => &POSTGRES_TABLES,
    }
}

const SQLITE_TABLES: [(&str, &str); 18] = [
    ("hadron_schema", "CREATE TABLE hadron_schema (plugin TEXT PRIMARY KEY, declared TEXT NOT NULL)"),
    (
        "hadron_journal",
        "CREATE TABLE hadron_journal (id TEXT PRIMARY KEY, target TEXT NOT NULL, kind TEXT NOT NULL, \
     operation TEXT NOT NULL, collection TEXT NOT NULL, resource TEXT NOT NULL, revision BIGINT NOT NULL, \
     payload TEXT NOT NULL, unit TEXT NOT NULL, state BIGINT NOT NULL, attempts BIGINT NOT NULL, error TEXT, \
     owner TEXT, until BIGINT NOT NULL, due BIGINT NOT NULL, created BIGINT NOT NULL)",
    ),
    ("hadron_journal_resource", "CREATE INDEX hadron_journal_resource ON hadron_journal (target, resource)"),
    ("hadron_journal_due", "CREATE INDEX hadron_journal_due ON hadron_journal (due)"),
    (
        "hadron_journal_after",
        "CREATE TABLE hadron_journal_after (entry TEXT NOT NULL, resource TEXT NOT NULL, \
     PRIMARY KEY (entry, resource)) WITHOUT ROWID",
    ),
    (
        "hadron_journal_after_resource",
        "CREATE INDEX hadron_journal_after_resource ON hadron_journal_after (resource)",
    ),
    (
        "hadron_pools",
        "CREATE TABLE hadron_pools (pool TEXT PRIMARY KEY, stripe BIGINT NOT NULL, \
     first BIGINT NOT NULL, last BIGINT NOT NULL, ranges TEXT NOT NULL, held TEXT NOT NULL)",
    ),
    (
        "hadron_pool_free",
        "CREATE TABLE hadron_pool_free (pool TEXT NOT NULL, lo BIGINT NOT NULL, hi BIGINT NOT NULL, \
     PRIMARY KEY (pool, hi)) WITHOUT ROWID",
    ),
    ("hadron_components", "CREATE TABLE hadron_components (sha256 TEXT PRIMARY KEY, bytes BLOB NOT NULL)"),
    (
        "hadron_plugins",
        "CREATE TABLE hadron_plugins (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL, \
     enabled BOOLEAN NOT NULL, position BIGINT NOT NULL, grants TEXT NOT NULL, config TEXT NOT NULL)",
    ),
    (
        "hadron_ticks",
        "CREATE TABLE hadron_ticks (plugin TEXT NOT NULL, tick TEXT NOT NULL, next BIGINT NOT NULL, \
     PRIMARY KEY (plugin, tick)) WITHOUT ROWID",
    ),
    (
        "hadron_answers",
        "CREATE TABLE hadron_answers (project TEXT NOT NULL, person TEXT NOT NULL, name TEXT NOT NULL, \
     fingerprint TEXT NOT NULL, status BIGINT NOT NULL, body TEXT NOT NULL, created BIGINT NOT NULL, \
     PRIMARY KEY (project, person, name))",
    ),
    ("hadron_answers_created", "CREATE INDEX hadron_answers_created ON hadron_answers (created)"),
    (
        "hadron_quotas",
        "CREATE TABLE hadron_quotas (project TEXT NOT NULL, quota TEXT NOT NULL, most BIGINT NOT NULL, \
     PRIMARY KEY (project, quota)) WITHOUT ROWID",
    ),
    (
        "hadron_usage",
        "CREATE TABLE hadron_usage (project TEXT NOT NULL, quota TEXT NOT NULL, unit TEXT NOT NULL, \
     used BIGINT NOT NULL, PRIMARY KEY (project, quota, unit)) WITHOUT ROWID",
    ),
    (
        "hadron_changes",
        "CREATE TABLE hadron_changes (seq INTEGER PRIMARY KEY, at BIGINT NOT NULL, collection TEXT NOT NULL, \
     resource TEXT NOT NULL, operation BIGINT NOT NULL, revision BIGINT NOT NULL, document TEXT)",
    ),
    (
        "hadron_changes_removed",
        "CREATE INDEX hadron_changes_removed ON hadron_changes (resource) WHERE operation = 2",
    ),
    ("hadron_change_floor", "CREATE TABLE hadron_change_floor (name TEXT PRIMARY KEY, seq BIGINT NOT NULL)"),
];

/// Free intervals change in place: room in their pages keeps those updates from
/// touching the index. Their key is the upper end, numbers go from the lower.
const POSTGRES_TABLES: [(&str, &str); 20] = [
    ("hadron_schema", "CREATE TABLE hadron_schema (plugin TEXT PRIMARY KEY, declared TEXT NOT NULL)"),
    (
        "hadron_units",
        "CREATE TABLE hadron_units (id TEXT COLLATE \"C\" PRIMARY KEY, created BIGINT NOT NULL)",
    ),
    (
        "hadron_journal",
        "CREATE TABLE hadron_journal (id TEXT COLLATE \"C\" PRIMARY KEY, target TEXT COLLATE \"C\" NOT NULL, \
     kind TEXT NOT NULL, operation TEXT NOT NULL, collection TEXT NOT NULL, \
     resource TEXT COLLATE \"C\" NOT NULL, revision BIGINT NOT NULL, payload TEXT NOT NULL, unit TEXT NOT NULL, \
     state BIGINT NOT NULL, attempts BIGINT NOT NULL, error TEXT, owner TEXT, until BIGINT NOT NULL, \
     due BIGINT NOT NULL, created BIGINT NOT NULL)",
    ),
    ("hadron_journal_resource", "CREATE INDEX hadron_journal_resource ON hadron_journal (target, resource)"),
    ("hadron_journal_due", "CREATE INDEX hadron_journal_due ON hadron_journal (due)"),
    (
        "hadron_journal_after",
        "CREATE TABLE hadron_journal_after (entry TEXT COLLATE \"C\" NOT NULL, \
     resource TEXT COLLATE \"C\" NOT NULL, PRIMARY KEY (entry, resource))",
    ),
    (
        "hadron_journal_after_resource",
        "CREATE INDEX hadron_journal_after_resource ON hadron_journal_after (resource)",
    ),
    (
        "hadron_pools",
        "CREATE TABLE hadron_pools (pool TEXT COLLATE \"C\" PRIMARY KEY, stripe BIGINT NOT NULL, \
     first BIGINT NOT NULL, last BIGINT NOT NULL, ranges TEXT NOT NULL, held TEXT NOT NULL)",
    ),
    (
        "hadron_pool_free",
        "CREATE TABLE hadron_pool_free (pool TEXT COLLATE \"C\" NOT NULL, lo BIGINT NOT NULL, \
     hi BIGINT NOT NULL, PRIMARY KEY (pool, hi)) WITH (fillfactor = 50)",
    ),
    ("hadron_components", "CREATE TABLE hadron_components (sha256 TEXT PRIMARY KEY, bytes BYTEA NOT NULL)"),
    (
        "hadron_plugins",
        "CREATE TABLE hadron_plugins (name TEXT COLLATE \"C\" PRIMARY KEY, sha256 TEXT NOT NULL, \
     enabled BOOLEAN NOT NULL, position BIGINT NOT NULL, grants TEXT NOT NULL, config TEXT NOT NULL)",
    ),
    (
        "hadron_ticks",
        "CREATE TABLE hadron_ticks (plugin TEXT NOT NULL, tick TEXT NOT NULL, next BIGINT NOT NULL, \
     PRIMARY KEY (plugin, tick))",
    ),
    (
        "hadron_answers",
        "CREATE TABLE hadron_answers (project TEXT COLLATE \"C\" NOT NULL, person TEXT COLLATE \"C\" NOT NULL, \
     name TEXT COLLATE \"C\" NOT NULL, fingerprint TEXT NOT NULL, status BIGINT NOT NULL, body TEXT NOT NULL, \
     created BIGINT NOT NULL, PRIMARY KEY (project, person, name))",
    ),
    ("hadron_answers_created", "CREATE INDEX hadron_answers_created ON hadron_answers (created)"),
    (
        "hadron_quotas",
        "CREATE TABLE hadron_quotas (project TEXT COLLATE \"C\" NOT NULL, quota TEXT COLLATE \"C\" NOT NULL, \
     most BIGINT NOT NULL, PRIMARY KEY (project, quota))",
    ),
    (
        "hadron_usage",
        "CREATE TABLE hadron_usage (project TEXT COLLATE \"C\" NOT NULL, quota TEXT COLLATE \"C\" NOT NULL, \
     unit TEXT COLLATE \"C\" NOT NULL, used BIGINT NOT NULL, \
     CONSTRAINT hadron_usage_pkey PRIMARY KEY (project, quota, unit))",
    ),
    ("hadron_usage_units", "CREATE INDEX hadron_usage_units ON hadron_usage (unit) WHERE unit <> ''"),
    (
        "hadron_changes",
        "CREATE TABLE hadron_changes (seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at BIGINT NOT NULL, \
     collection TEXT COLLATE \"C\" NOT NULL, resource TEXT COLLATE \"C\" NOT NULL, operation BIGINT NOT NULL, \
     revision BIGINT NOT NULL, document TEXT)",
    ),
    (
        "hadron_changes_removed",
        "CREATE INDEX hadron_changes_removed ON hadron_changes (resource) WHERE operation = 2",
    ),
    ("hadron_change_floor", "CREATE TABLE hadron_change_floor (name TEXT PRIMARY KEY, seq BIGINT NOT NULL)"),
];

/// Only one replica changes tables at a time: held until the end of the
/// transaction. The number is arbitrary and never changes.
pub(crate) const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(4851923017264)";

/// A migration does not wait for ever behind a unit of work.
pub(crate) const MIGRATION_PATIENCE: &str = "SET LOCAL lock_timeout = '10s'";

/// Only one replica claims entries at a time, so that two claims never decide
/// about the order of the same entries by different snapshots.
pub(crate) const CLAIM_LOCK: &str = "SELECT pg_advisory_xact_lock(4851923017265)";

/// Begins a transaction that only reads, all of it as it was at one moment. On
/// SQLite the connection itself refuses to write.
pub(crate) fn begin_reading(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "BEGIN",
        Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    }
}

/// Begins a transaction whose COMMIT does not wait for the disk; PostgreSQL only.
pub(crate) const BEGIN_UNSYNCED: &str = "BEGIN; SET LOCAL synchronous_commit = off";

pub(crate) fn ping(dialect: Dialect) -> Sql {
    Sql::fixed(dialect, "SELECT 1", Vec::new())
}

/// Whether a unit was committed. Waits for a transaction that is committing it
/// right now, which a plain SELECT would not see.
pub(crate) fn probe_unit(dialect: Dialect, unit: &str) -> Sql {
    insert_unit(dialect, unit)
}

pub(super) fn insert_unit(dialect: Dialect, unit: &str) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("INSERT INTO hadron_units (id, created) VALUES (").bind(unit.into()).push(", ").now().push(")");
    sql
}

/// The name of the constraint that a unit's second commit violates.
pub(crate) const UNIT_KEY: &str = "hadron_units_pkey";

/// Forgets units older than this, which nobody can ask about any more.
pub(crate) fn purge_units(dialect: Dialect, older_than_ms: i64) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("DELETE FROM hadron_units WHERE created < ").now().push(" - ").bind(older_than_ms.into());
    sql
}

pub(crate) fn keep_component(dialect: Dialect, sha256: &str, bytes: &[u8]) -> Sql {
    Sql::fixed(
        dialect,
        "INSERT INTO hadron_components (sha256, bytes) VALUES (?, ?) ON CONFLICT (sha256) DO NOTHING",
        vec![sha256.into(), Bind::Bytes(bytes.to_vec())],
    )
}

pub(crate) fn keep_plugin(dialect: Dialect, plugin: &crate::Installed) -> Sql {
    Sql::fixed(
        dialect,
        "INSERT INTO hadron_plugins (name, sha256, enabled, position, grants, config) VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, enabled = excluded.enabled, \
         position = excluded.position, grants = excluded.grants, config = excluded.config",
        plugin_binds(plugin),
    )
}

pub(crate) fn change_plugin(dialect: Dialect, plugin: &crate::Installed) -> Sql {
    let mut binds = plugin_binds(plugin);
    binds.rotate_left(1);
    Sql::fixed(
        dialect,
        "UPDATE hadron_plugins SET sha256 = ?, enabled = ?, position = ?, grants = ?, config = ? WHERE name = ?",
        binds,
    )
}

fn plugin_binds(plugin: &crate::Installed) -> Vec<Bind> {
    vec![
        plugin.name.as_str().into(),
        plugin.sha256.as_str().into(),
        Bind::Boolean(Some(plugin.enabled)),
        plugin.position.into(),
        Bind::Text(Some(plugin.grants.to_string())),
        Bind::Text(Some(plugin.config.to_string())),
    ]
}

pub(crate) fn remove_plugin(dialect: Dialect, name: &str) -> Sql {
    Sql::fixed(dialect, "DELETE FROM hadron_plugins WHERE name = ?", vec![name.into()])
}

/// Forgets components that no plugin is made of.
pub(crate) fn purge_components(dialect: Dialect) -> Sql {
    Sql::fixed(
        dialect,
        "DELETE FROM hadron_components WHERE sha256 NOT IN (SELECT sha256 FROM hadron_plugins)",
        Vec::new(),
    )
}

pub(crate) fn list_plugins(dialect: Dialect) -> Sql {
    Sql::fixed(
        dialect,
        "SELECT name, sha256, enabled, position, grants, config FROM hadron_plugins ORDER BY position, name",
        Vec::new(),
    )
}

pub(crate) fn component(dialect: Dialect, sha256: &str) -> Sql {
    Sql::fixed(dialect, "SELECT bytes FROM hadron_components WHERE sha256 = ?", vec![sha256.into()])
}

/// Changes a row only for the first caller of a period.
pub(crate) fn claim_tick(dialect: Dialect, plugin: &str, tick: &str, every_ms: i64) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.push("INSERT INTO hadron_ticks (plugin, tick, next) VALUES (").bind(plugin.into()).push(", ");
    sql.bind(tick.into()).push(", ").now().push(" + ").bind(every_ms.into());
    sql.push(") ON CONFLICT (plugin, tick) DO UPDATE SET next = excluded.next WHERE hadron_ticks.next <= ");
    sql.now();
    sql
}

/// Names of all tables and indexes.
pub(crate) fn relations(dialect: Dialect) -> Sql {
    let mut sql = Sql::new(dialect);
    sql.either(
        "SELECT name FROM sqlite_schema",
        "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace",
    );
    sql
}
