//! What an agent does on its host.
//!
//! | module | what it is |
//! |---|---|
//! | `ovsdb` | a client of Open vSwitch's database (RFC 7047) |
//! | `openflow` | flows as values, written in bundles |
//! | `bridges` | the bridges, how they are joined, and their first flows |
#![forbid(unsafe_code)]

pub mod bridges;
pub mod openflow;
pub mod ovsdb;
