//! Types and functions of the contract, as generated.
//!
//! One module for all worlds, so that a `Context` is the same type whatever a
//! plugin is. The world below is the union of the real ones and is never
//! exported: each registration macro exports the interfaces of its own world
//! and adds that world's component type (`build.rs`); imports that a plugin does
//! not call are dropped when the component is made.
#![allow(unsafe_code, missing_docs, unreachable_pub, unused_qualifications, clippy::all)]
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

wit_bindgen::generate!({
    path: ["../../wit/host", "../../wit/ml2"],
    inline: "
        package hadron:sdk;
        world everything {
            include hadron:ml2/core-plugin@0.1.0;
            include hadron:ml2/mechanism-driver@0.1.0;
            include hadron:ml2/ranged-type-driver@0.1.0;
        }
    ",
    world: "everything",
    generate_all,
    generate_unused_types: true,
    pub_export_macro: true,
    additional_derives: [PartialEq],
});
