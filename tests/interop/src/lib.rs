//! The server between the real services and clients of OpenStack.
//!
//! `openvswitch_agent` has Neutron's own agent serve a host, `neutron_server` starts
//! the server that agents are made for; `keystone` starts a real Keystone, `identity`
//! asks it for users, projects and tokens, `cloud` puts both and a server together.
#![forbid(unsafe_code)]

pub mod cloud;
pub mod environment;
pub mod identity;
pub mod keystone;
pub mod neutron_server;
pub mod openvswitch_agent;
