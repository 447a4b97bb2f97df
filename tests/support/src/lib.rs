//! What tests of several crates need: a PostgreSQL of their own.
//!
//! One server for each test process, started when the first test asks for it,
//! with the same durability as in production. It ends with the process, however
//! that ends: a watchdog waits for the process and stops the server.
#![forbid(unsafe_code)]
#![allow(clippy::panic, clippy::expect_used, reason = "only tests use it, and a test fails by a panic")]

mod postgres;

pub use postgres::{Postgres, shared};
