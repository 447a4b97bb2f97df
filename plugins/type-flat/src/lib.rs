//! Networks that are a physical network as it is, without VLAN tags: one on
//! each. In Neutron: `type_flat`.

use hadron_sdk::manifest::{Attribute, Collection, Key, Validator};
use hadron_sdk::serde_json::json;
use hadron_sdk::store::{self, InsertError, Query, StoreError};
use hadron_sdk::{Context, Document, Error, Manifest, Result, Segment, TypeDriver, config, random};
use hadron_type_common::{key, mtu_config, physical_mtu, prohibited, segment};

const TYPE: &str = "flat";
const COLLECTION: &str = "flat_allocations";
const KEY: &str = "flat_networks";

/// Stands for every physical network in the configuration.
const ANY: &str = "*";

/// The driver.
pub struct Flat;

/// In Neutron: `validate_provider_segment`.
fn check(wanted: &Segment, allowed: &[String]) -> Result<String> {
    let Some(name) = wanted.physical_network.clone().filter(|name| !name.is_empty()) else {
        return Err(Error::invalid_input("physical_network required for flat provider network"));
    };
    if allowed.is_empty() {
        return Err(Error::invalid_input("Flat provider networks are disabled"));
    }
    if !allowed.iter().any(|one| one == ANY || *one == name) {
        return Err(Error::invalid_input(format!(
            "physical_network '{name}' unknown for flat provider network"
        )));
    }
    match wanted.segmentation_id {
        None | Some(0) => Ok(name),
        Some(_) => Err(prohibited("segmentation_id", TYPE)),
    }
}

fn in_use(name: &str) -> Error {
    Error::conflict(
        "FlatNetworkInUse",
        format!("Unable to create the flat network. Physical network {name} is in use."),
    )
}

fn allocations() -> Collection {
    Collection {
        name: COLLECTION.to_owned(),
        member: "flat_allocation".to_owned(),
        private: true,
        attributes: vec![Attribute {
            name: "physical_network".to_owned(),
            validate: Validator::String { max: Some(64) },
            ..Attribute::default()
        }],
        keys: vec![Key {
            name: "physical_network".to_owned(),
            attributes: vec!["physical_network".to_owned()],
        }],
        ..Collection::default()
    }
}

impl TypeDriver for Flat {
    fn manifest() -> Manifest {
        let names = "physical networks that flat networks may be made on; \"*\" for any";
        let mut config = vec![key(KEY, names, json!([ANY]))];
        config.extend(mtu_config());
        Manifest {
            network_type: Some(TYPE.to_owned()),
            collections: vec![allocations()],
            config,
            ..hadron_sdk::manifest!("type-flat", "physical networks without VLANs")
        }
    }

    fn reserve(_: &Context, wanted: Segment) -> Result<Segment> {
        let allowed: Vec<String> = config::or(KEY, vec![ANY.to_owned()])?;
        let name = check(&wanted, &allowed)?;
        let row = json!({"id": random::uuid(), "physical_network": name});
        store::insert(COLLECTION, &[row]).map_err(|error| match error {
            InsertError::Store(StoreError::Duplicate(_)) => in_use(&name),
            other => other.into(),
        })?;
        Ok(segment(TYPE, Some(name), None))
    }

    // Projects' networks are never flat: `allocate` finds none.

    fn release(_: &Context, segment: Segment) -> Result<()> {
        let Some(name) = segment.physical_network else { return Ok(()) };
        let rows: Vec<Document> = store::find(COLLECTION, &Query::all().equal("physical_network", name))?;
        let ids: Vec<String> =
            rows.iter().filter_map(|row| row.get("id")?.as_str()).map(str::to_owned).collect();
        Ok(store::delete(COLLECTION, &ids)?)
    }

    fn mtu(_: &Context, segment: Segment) -> Result<u32> {
        physical_mtu(segment.physical_network.as_deref())
    }
}

hadron_sdk::type_driver!(Flat);

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: Option<&str>, number: Option<u32>, allowed: &[&str]) -> String {
        let allowed: Vec<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        check(&segment(TYPE, name.map(str::to_owned), number), &allowed).unwrap_err().fault().message.clone()
    }

    #[test]
    fn a_flat_network_is_on_a_physical_network_that_is_allowed() {
        assert!(refused(None, None, &["*"]).contains("physical_network required for flat provider network"));
        assert!(refused(Some("p"), None, &[]).contains("Flat provider networks are disabled"));
        assert!(refused(Some("p"), None, &["q"]).contains("physical_network 'p' unknown for flat"));
        assert!(refused(Some("p"), Some(5), &["p"]).contains("segmentation_id prohibited for flat"));
        let wanted = segment(TYPE, Some("p".into()), None);
        assert_eq!(check(&wanted, &["*".to_owned()]).unwrap(), "p");
    }

    #[test]
    fn a_second_network_is_refused_with_neutrons_words() {
        assert_eq!(
            in_use("p").fault().message,
            "Unable to create the flat network. Physical network p is in use."
        );
    }

    #[test]
    fn the_manifest_is_sound() {
        assert_eq!(hadron_sdk::manifest::check(&Flat::manifest()), Vec::<String>::new());
    }
}
