//! What the registration macros expand to; not for use by hand.

use crate::{Json, Manifest, panics};
use std::marker::PhantomData;

pub use crate::mechanism::Mechanism;
pub use crate::segment_type::SegmentType;
pub use crate::service::Service;

/// Carries a plugin's type and its world into the generated exports.
pub struct Component<P, W>(PhantomData<(P, W)>);

/// The manifest as text.
pub(crate) fn describe(manifest: fn() -> Manifest) -> Json {
    panics::install();
    let mut manifest = manifest();
    if manifest.contract.is_empty() {
        hadron_manifest::CONTRACT.clone_into(&mut manifest.contract);
    }
    serde_json::to_string(&manifest).unwrap_or_default()
}

/// Encoded component types, by world.
pub mod types {
    /// `mechanism-driver`.
    pub const MECHANISM_DRIVER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mechanism_driver.bin"));
    /// `type-driver`.
    pub const TYPE_DRIVER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/type_driver.bin"));
    /// `ranged-type-driver`.
    pub const RANGED_TYPE_DRIVER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ranged_type_driver.bin"));
    /// `service-plugin`.
    pub const SERVICE_PLUGIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/service_plugin.bin"));
    /// `core-plugin`.
    pub const CORE_PLUGIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/core_plugin.bin"));

    /// A section's content as an array, which is what a linker section needs.
    pub const fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(bytes);
        out
    }
}
