//! Every command of the `openstack` client about what ML2 serves.

#[path = "client/networks.rs"]
mod networks;
#[path = "client/trunks.rs"]
mod trunks;
