//! What an agent does on its host.
//!
//! | module | what it is |
//! |---|---|
//! | `ovsdb` | a client of Open vSwitch's database (RFC 7047) |
//! | `openflow` | flows as values, written in bundles |
//! | `bridges` | bridges and their ports |
//! | `server` | what agents ask the server and tell it |
//! | `objects` | the copy of what the server says |
//! | `openvswitch` | the Open vSwitch agent |
//! | `dhcp` | the DHCP agent |
#![forbid(unsafe_code)]

pub mod bridges;
pub mod dhcp;
pub mod objects;
pub mod openflow;
pub mod openvswitch;
pub mod ovsdb;
pub mod server;
