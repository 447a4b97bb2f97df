//! What tests of several crates need: a PostgreSQL and a RabbitMQ of their own,
//! and a peer on the bus that plays agents.
//!
//! PostgreSQL is one server for each test process, started when the first test
//! asks for it, with the same durability as in production. Servers end with the
//! process, however that ends: a watchdog waits for the process and stops them.
#![forbid(unsafe_code)]
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "only tests use it, and a test fails by a panic"
)]

mod peer;
mod postgres;
mod programs;
mod rabbitmq;

pub use peer::{Agent, Peer, PeerError};
pub use postgres::{Postgres, shared};
pub use programs::free_port;
pub use rabbitmq::RabbitMq;
