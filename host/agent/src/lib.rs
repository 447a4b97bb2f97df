//! What an agent does on its host.
//!
//! | module | what it is |
//! |---|---|
//! | `ovsdb` | a client of Open vSwitch's database (RFC 7047) |
//! | `openflow` | flows as values, written in bundles |
//! | `bridges` | bridges and their ports |
//! | `server` | what agents ask the server and tell it |
//! | `objects` | the copy of what the server says |
//! | `known` | that copy, and what of it is asked for and told |
//! | `news` | what agents hear without asking |
//! | `protocols` | numbers and addresses that protocols fix |
//! | `links` | the kernel's links, by netlink |
//! | `nft` | the kernel's packet filter |
//! | `openvswitch` | the Open vSwitch agent |
//! | `dhcp` | the DHCP agent |
//! | `linuxbridge` | the Linux bridge agent |
#![forbid(unsafe_code)]

pub mod bridges;
pub mod dhcp;
pub mod known;
pub mod links;
pub mod linuxbridge;
pub mod news;
pub mod nft;
pub mod objects;
pub mod openflow;
pub mod openvswitch;
pub mod ovsdb;
mod protocols;
pub mod server;
