//! What an agent does on its host.
//!
//! | module | what it is |
//! |---|---|
//! | `ovsdb` | a client of Open vSwitch's database (RFC 7047) |
//! | `openflow` | flows as values, written in bundles |
//! | `bridges` | bridges and their ports |
//! | `openvswitch` | the Open vSwitch agent |
#![forbid(unsafe_code)]

pub mod bridges;
pub mod openflow;
pub mod openvswitch;
pub mod ovsdb;
