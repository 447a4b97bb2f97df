//! Networks that connect only what runs on one host. There is nothing to hand
//! out. In Neutron: `type_local`.

use hadron_sdk::{Context, Manifest, Result, Segment, TypeDriver};
use hadron_type_common::{prohibited, segment};

const TYPE: &str = "local";

/// The driver.
pub struct Local;

/// A local network has neither a place nor a number.
fn check(wanted: &Segment) -> Result<()> {
    if wanted.physical_network.as_deref().is_some_and(|name| !name.is_empty()) {
        return Err(prohibited("physical_network", TYPE));
    }
    match wanted.segmentation_id {
        None | Some(0) => Ok(()),
        Some(_) => Err(prohibited("segmentation_id", TYPE)),
    }
}

impl TypeDriver for Local {
    fn manifest() -> Manifest {
        Manifest {
            network_type: Some(TYPE.to_owned()),
            ..hadron_sdk::manifest!("type-local", "networks of one host")
        }
    }
    fn reserve(_: &Context, wanted: Segment) -> Result<Segment> {
        check(&wanted)?;
        Ok(segment(TYPE, None, None))
    }
    fn allocate(_: &Context) -> Result<Option<Segment>> {
        Ok(Some(segment(TYPE, None, None)))
    }
}

hadron_sdk::type_driver!(Local);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_network_has_neither_place_nor_number() {
        let message = |wanted: Segment| check(&wanted).unwrap_err().fault().message.clone();
        assert_eq!(
            message(segment(TYPE, Some("p".into()), None)),
            "Invalid input for operation: physical_network prohibited for local provider network."
        );
        assert!(message(segment(TYPE, None, Some(5))).contains("segmentation_id prohibited"));
        check(&segment(TYPE, None, None)).unwrap();
    }
}
