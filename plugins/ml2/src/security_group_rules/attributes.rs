//! The attributes of rules, as Neutron's API defines them.

use crate::attribute::{column, filterable, hidden, text};
use hadron_sdk::manifest::{
    Attribute, Collection, Key, OnDelete, Quota, Reference, Standard, Tags, Validator,
};
use hadron_sdk::serde_json::json;

/// The key that makes two rules of a group that let the same through clash.
pub(crate) const IDENTITY: &str = "identity";

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    let given = |attribute: Attribute| Attribute { post: true, ..attribute };
    Collection {
        name: super::COLLECTION.to_owned(),
        member: "security_group_rule".to_owned(),
        attributes: [given(Attribute {
            required: true,
            ..filterable("security_group_id", Validator::String { max: Some(36) })
        })]
        .into_iter()
        .chain(of_a_rule())
        .chain([
            filterable("normalized_cidr", Validator::String { max: None }),
            filterable("belongs_to_default_sg", Validator::Boolean),
            // Rules that the server makes have none.
            Attribute { put: false, default: None, ..text("description", 255) },
            hidden(IDENTITY),
        ])
        .collect(),
        keys: vec![Key {
            name: IDENTITY.to_owned(),
            attributes: vec!["security_group_id".to_owned(), IDENTITY.to_owned()],
        }],
        indexes: vec![column("security_group_id")],
        references: vec![
            reference("security_group_id", "security_groups", OnDelete::Cascade),
            reference("remote_group_id", "security_groups", OnDelete::Cascade),
            reference("remote_address_group_id", "address_groups", OnDelete::Restrict),
        ],
        standard: Standard { tags: Tags::None, ..Standard::default() },
        not_found_says: Some("Security group rule {id} does not exist".to_owned()),
        quota: Some(Quota { default: 100 }),
        first_use: true,
        ..Collection::default()
    }
}

/// The attributes that make a rule what it is; templates have them too. Values
/// that Neutron converts in ways of its own are converted by `Rule::asked`.
pub(crate) fn of_a_rule() -> Vec<Attribute> {
    let given = |name: &str, validate| Attribute { post: true, nullable: true, ..filterable(name, validate) };
    let port = || Validator::Integer { min: None, max: None };
    let id = || Validator::String { max: Some(36) };
    let ways = Validator::Enum { values: vec![json!("ingress"), json!("egress")] };
    vec![
        Attribute { default: Some(json!("IPv4")), ..given("ethertype", Validator::Any) },
        Attribute { required: true, nullable: false, ..given("direction", ways) },
        given("protocol", Validator::Any),
        given("port_range_min", port()),
        given("port_range_max", port()),
        given("remote_ip_prefix", Validator::Any),
        given("remote_address_group_id", id()),
        given("remote_group_id", id()),
    ]
}

pub(crate) fn reference(attribute: &str, collection: &str, on_delete: OnDelete) -> Reference {
    Reference {
        attribute: attribute.to_owned(),
        collection: collection.to_owned(),
        on_delete,
        ..Reference::default()
    }
}
