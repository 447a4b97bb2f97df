//! Every binding to `wit/`, in one place.
//!
//! Imports are bound once, from the world that has them all; which of them a
//! component may link is decided by its kind (`linker`). The one module of the
//! native side that names networks and ports: the drivers' records.

/// Imports of all worlds, and what a service plugin exports.
pub(crate) mod service {
    wasmtime::component::bindgen!({
        path: ["../../wit/host", "../../wit/ml2"],
        world: "hadron:host/service-plugin",
        imports: { default: async | trappable },
        exports: { default: async },
        additional_derives: [serde::Serialize, serde::Deserialize],
    });
}

/// What a core plugin has beyond a service plugin.
pub(crate) mod manager {
    wasmtime::component::bindgen!({
        path: ["../../wit/host", "../../wit/ml2"],
        world: "hadron:ml2/driver-manager",
        imports: { default: async | trappable },
        exports: { default: async },
        additional_derives: [serde::Serialize, serde::Deserialize],
        with: { "hadron:host/types": super::service::hadron::host::types },
    });
}

/// What a mechanism driver exports.
pub(crate) mod mechanism {
    wasmtime::component::bindgen!({
        path: ["../../wit/host", "../../wit/ml2"],
        world: "hadron:ml2/mechanism-driver",
        imports: { default: async | trappable },
        exports: { default: async },
        additional_derives: [serde::Serialize, serde::Deserialize],
        with: {
            "hadron:host/types": super::service::hadron::host::types,
            "hadron:host/log": super::service::hadron::host::log,
            "hadron:host/config": super::service::hadron::host::config,
            "hadron:host/secrets": super::service::hadron::host::secrets,
            "hadron:host/clock": super::service::hadron::host::clock,
            "hadron:host/random": super::service::hadron::host::random,
            "hadron:host/store": super::service::hadron::host::store,
            "hadron:host/pools": super::service::hadron::host::pools,
            "hadron:host/http": super::service::hadron::host::http,
            "hadron:ml2/types": super::manager::hadron::ml2::types,
        },
    });
}

/// What a type driver exports.
pub(crate) mod segment_type {
    wasmtime::component::bindgen!({
        path: ["../../wit/host", "../../wit/ml2"],
        world: "hadron:ml2/type-driver",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "hadron:host/types": super::service::hadron::host::types,
            "hadron:host/log": super::service::hadron::host::log,
            "hadron:host/config": super::service::hadron::host::config,
            "hadron:host/clock": super::service::hadron::host::clock,
            "hadron:host/random": super::service::hadron::host::random,
            "hadron:host/store": super::service::hadron::host::store,
            "hadron:host/pools": super::service::hadron::host::pools,
            "hadron:ml2/types": super::manager::hadron::ml2::types,
        },
    });
}

/// What a type driver with ranges exports besides.
pub(crate) mod ranges {
    wasmtime::component::bindgen!({
        path: ["../../wit/host", "../../wit/ml2"],
        world: "hadron:ml2/ranges",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "hadron:host/types": super::service::hadron::host::types,
            "hadron:ml2/types": super::manager::hadron::ml2::types,
        },
    });
}

pub(crate) use manager::hadron::ml2::{drivers, types as ml2};
pub(crate) use service::exports::hadron::host as exported;
pub(crate) use service::hadron::host::{
    clock, config, http, log, pools, random, rbac, resources, rpc, secrets, store, types, work,
};
