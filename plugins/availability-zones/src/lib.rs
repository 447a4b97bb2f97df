//! The availability zones that agents report for networks and routers. No agent
//! reports to this server yet, so that there are none, as in a Neutron without
//! agents. In Neutron: `AgentAvailabilityZoneMixin`.
#![deny(unsafe_code)]

use hadron_sdk::manifest::{ApiExtension, Attribute, Collection, Standard, Validator};
use hadron_sdk::{Context, Document, Error, Manifest, Result, ServicePlugin};

/// The plugin.
pub struct AvailabilityZones;

fn shown(name: &str) -> Attribute {
    Attribute {
        name: name.to_owned(),
        validate: Validator::String { max: Some(255) },
        filter: true,
        ..Attribute::default()
    }
}

fn extension(name: &str, alias: &str, description: &str, updated: &str) -> ApiExtension {
    ApiExtension {
        name: name.to_owned(),
        alias: alias.to_owned(),
        description: description.to_owned(),
        updated: updated.to_owned(),
    }
}

/// Zones come from agents, never from clients.
fn read_only() -> Error {
    Error::not_found("HTTPNotFound", "The resource could not be found.")
}

impl ServicePlugin for AvailabilityZones {
    fn manifest() -> Manifest {
        let hidden = ["id", "project_id", "tenant_id", "revision_number", "created_at", "updated_at"];
        Manifest {
            collections: vec![Collection {
                name: "availability_zones".to_owned(),
                member: "availability_zone".to_owned(),
                attributes: ["state", "name", "resource"].map(shown).to_vec(),
                without: hidden.map(str::to_owned).to_vec(),
                standard: Standard::NONE,
                ..Collection::default()
            }],
            extensions: vec![
                extension(
                    "Availability Zone",
                    "availability_zone",
                    "The availability zone extension.",
                    "2015-01-01T10:00:00-00:00",
                ),
                extension(
                    "Availability Zone Filter Extension",
                    "availability_zone_filter",
                    "Add filter parameters to AvailabilityZone resource",
                    "2018-06-22T10:00:00-00:00",
                ),
            ],
            policy: [("get_availability_zone".to_owned(), "role:reader".to_owned())].into(),
            ..hadron_sdk::manifest!("availability-zones", "availability zones of agents")
        }
    }

    fn create(_: &Context, _: &str, _: Vec<Document>) -> Result<()> {
        Err(read_only())
    }
}

hadron_sdk::service_plugin!(AvailabilityZones);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_sound() {
        assert_eq!(hadron_sdk::manifest::check(&AvailabilityZones::manifest()), Vec::<String>::new());
    }
}
