//! The drivers that are loaded: for the core plugin alone.

pub use crate::bindings::hadron::ml2::drivers::{
    Driver, allocate, bind_port, mechanisms, mtu, network_postcommit, network_precommit, network_types,
    port_postcommit, port_precommit, release, reserve, subnet_postcommit, subnet_precommit,
};
