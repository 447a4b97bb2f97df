//! The store's one suite, run on both databases.

#[path = "suite/world.rs"]
mod world;

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
#[path = "suite/rows.rs"]
mod rows;
#[path = "suite/units.rs"]
mod units;
