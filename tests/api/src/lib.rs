//! Whole-system tests of the REST API.
//!
//! `replay` asks what a Neutron was once asked and compares the answers; the
//! tests beside it try life cycles, misuse, paging, login and races. `world` is
//! the server they all start.
#![forbid(unsafe_code)]

pub mod replay;
pub mod world;
