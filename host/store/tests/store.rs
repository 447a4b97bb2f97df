//! The store's one suite, run on both databases.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by a panic, also in its helpers"
)]

#[path = "suite/world.rs"]
mod world;

#[path = "suite/changes.rs"]
mod changes;
#[path = "suite/components.rs"]
mod components;
#[path = "suite/journal.rs"]
mod journal;
#[path = "suite/migrations.rs"]
mod migrations;
#[path = "suite/outages.rs"]
mod outages;
#[path = "suite/paging.rs"]
mod paging;
#[path = "suite/pools.rs"]
mod pools;
#[path = "suite/quotas.rs"]
mod quotas;
#[path = "suite/rbac.rs"]
mod rbac;
#[path = "suite/rows.rs"]
mod rows;
#[path = "suite/shown.rs"]
mod shown;
#[path = "suite/units.rs"]
mod units;
