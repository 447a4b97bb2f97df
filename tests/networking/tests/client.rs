//! Every command of the `openstack` client about what ML2 serves, and
//! about routers.

#[path = "client/agents.rs"]
mod agents;
#[path = "client/networks.rs"]
mod networks;
#[path = "client/port_attributes.rs"]
mod port_attributes;
#[path = "client/qos.rs"]
mod qos;
#[path = "client/rbac.rs"]
mod rbac;
#[path = "client/routers.rs"]
mod routers;
#[path = "client/security_groups.rs"]
mod security_groups;
#[path = "client/segments.rs"]
mod segments;
#[path = "client/trunks.rs"]
mod trunks;

#[path = "client/addresses.rs"]
mod addresses;
