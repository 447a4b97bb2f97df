//! The drivers that are loaded: for the core plugin alone.

pub use crate::bindings::hadron::ml2::drivers::{
    Driver, allocate, allocate_for, apply_ranges, bind_port, check_range, configured_ranges, mechanisms, mtu,
    network_postcommit, network_precommit, network_types, port_postcommit, port_precommit, ranged_types,
    release, reserve, reserve_for, subnet_postcommit, subnet_precommit,
};
