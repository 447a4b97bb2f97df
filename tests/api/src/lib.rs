//! Whole-system tests of the REST API.
//!
//! `replay` asks what a Neutron was once asked and compares the answers; the
//! tests beside it try life cycles, misuse, paging, login and races. `world` is
//! the server they all start, and `schemathesis` asks
//! it what nobody would think of.
#![forbid(unsafe_code)]

pub mod replay;
pub mod schemathesis;
pub mod world;
