//! Every command of the `openstack` client about what ML2 serves.

#[path = "client/networks.rs"]
mod networks;
#[path = "client/qos.rs"]
mod qos;
#[path = "client/trunks.rs"]
mod trunks;
