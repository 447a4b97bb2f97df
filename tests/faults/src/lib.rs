//! The fault campaign: kills the server under load and checks what it left.
//!
//! | module | what it is |
//! |---|---|
//! | `load` | clients that write, and what they were told goes into |
//! | `ledger` | the promises made to them |
//! | `device` | the device behind a driver, and all it was told |
//! | `observed`, `database` | what there is, through the API and past it |
//! | `checker` | promises and device against what there is |
//! | `world` | the server with all of these, killed and started again |
//! | `campaign` | kill after kill, at random and at chosen instants |
//!
//! `cargo xtask faults` runs a campaign; a short one is among the tests.
#![forbid(unsafe_code)]

pub mod campaign;
pub mod checker;
pub mod database;
pub mod device;
pub mod ledger;
pub mod load;
pub mod observed;
pub mod trace;
pub mod world;
