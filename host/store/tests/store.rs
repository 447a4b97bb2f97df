//! The store's one suite, run on both databases.

#[path = "suite/world.rs"]
mod world;

#[path = "suite/rows.rs"]
mod rows;
