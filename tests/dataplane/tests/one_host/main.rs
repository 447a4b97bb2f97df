//! This project's Open vSwitch agent serving one host of a server: real packets on
//! a real switch.

mod changes;
mod fdb;
mod groups;
mod limits;
mod trunks;
