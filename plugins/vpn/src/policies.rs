//! Policies: by which IKE and IPsec agree with a peer. In Neutron: `IKEPolicy`,
//! `IPsecPolicy`.

use crate::attributes::{
    LARGEST, changeable, collection, description, fixed, name, one_of, or_else, part, parts,
};
use crate::{algorithms, connections, ids, text};
use hadron_sdk::manifest::{Attribute, Collection, Validator};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, Query};
use hadron_sdk::{Context, Document, Error, Result};
use serde::{Deserialize, Serialize};

/// The attribute with how long what was agreed upon holds.
const LIFETIME: &str = "lifetime";
/// Shortest lifetime, in seconds.
const SHORTEST: i64 = 60;

/// A sort of policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// How keys are exchanged.
    Ike,
    /// How packets are protected.
    Ipsec,
}

impl Kind {
    const ALL: [Kind; 2] = [Kind::Ike, Kind::Ipsec];

    /// The sort whose collection this is.
    pub(crate) fn of(collection: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.collection() == collection)
    }

    /// The collection.
    pub(crate) const fn collection(self) -> &'static str {
        match self {
            Kind::Ike => "ikepolicies",
            Kind::Ipsec => "ipsecpolicies",
        }
    }

    /// The attribute of connections with such a policy.
    pub(crate) const fn reference(self) -> &'static str {
        match self {
            Kind::Ike => "ikepolicy_id",
            Kind::Ipsec => "ipsecpolicy_id",
        }
    }

    /// As Neutron's messages and classes call it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Kind::Ike => "IKEPolicy",
            Kind::Ipsec => "IPsecPolicy",
        }
    }

    pub(crate) fn not_found(self, id: &str) -> Error {
        Error::not_found(
            &format!("{}NotFound", self.title()),
            format!("{} {id} could not be found", self.title()),
        )
    }

    /// What is said of one (`{id}`) that a connection has.
    pub(crate) fn in_use(self) -> (String, String) {
        let title = self.title();
        let message = format!(
            "{title} {{id}} is in use by existing IPsecSiteConnection and can't be updated or deleted"
        );
        (format!("{title}InUse"), message)
    }
}

/// How long what was agreed upon holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lifetime {
    pub(crate) units: String,
    pub(crate) value: u64,
}

impl Default for Lifetime {
    fn default() -> Lifetime {
        Lifetime { units: "seconds".to_owned(), value: 3600 }
    }
}

impl Lifetime {
    /// With what a request says of it; what it does not say stays.
    fn with(mut self, said: Option<&Value>) -> Lifetime {
        let said = |name: &str| said.and_then(|said| said.get(name));
        if let Some(units) = said("units").and_then(Value::as_str) {
            units.clone_into(&mut self.units);
        }
        if let Some(value) = said("value").and_then(Value::as_u64) {
            self.value = value;
        }
        self
    }
}

/// A policy's row.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Policy {
    pub(crate) id: String,
    pub(crate) project_id: String,
    #[serde(default)]
    pub(crate) transform_protocol: String,
    pub(crate) lifetime: Lifetime,
    /// The rest.
    #[serde(flatten)]
    pub(crate) more: Document,
}

/// A policy that the caller sees.
pub(crate) fn seen_by(ctx: &Context, kind: Kind, id: &str) -> Result<Policy> {
    let policy: Option<Policy> = store::get(kind.collection(), id)?;
    let is_seen = |policy: &Policy| ctx.caller.is_admin || policy.project_id == ctx.caller.project_id;
    policy.filter(is_seen).ok_or_else(|| kind.not_found(id))
}

/// Makes policies.
pub(crate) fn create(kind: Kind, mut bodies: Vec<Document>) -> Result<()> {
    for body in &mut bodies {
        let lifetime = Lifetime::default().with(body.get(LIFETIME));
        body.insert(LIFETIME.to_owned(), json!(lifetime));
    }
    Ok(store::insert(kind.collection(), &bodies)?)
}

/// Changes a policy that no connection has.
pub(crate) fn update(kind: Kind, id: &str, current: &Document, mut changes: Document) -> Result<()> {
    check_unused(kind, id)?;
    if let Some(said) = changes.get(LIFETIME) {
        let lifetime = Lifetime::deserialize(current.get(LIFETIME).unwrap_or(&Value::Null))?;
        let lifetime = lifetime.with(Some(said));
        changes.insert(LIFETIME.to_owned(), json!(lifetime));
    }
    store::update::<Document>(kind.collection(), id, &changes).map(drop)
}

fn check_unused(kind: Kind, id: &str) -> Result<()> {
    // Nobody takes it for a connection meanwhile.
    store::lock(kind.collection(), id)?;
    match store::count(connections::COLLECTION, &Query::all().equal(kind.reference(), id))? {
        0 => Ok(()),
        _ => {
            let (error, message) = kind.in_use();
            Err(Error::conflict(&error, message.replace("{id}", id)))
        }
    }
}

/// Removes policies. Those of connections stay: their references say so.
pub(crate) fn delete(kind: Kind, documents: &[Document]) -> Result<()> {
    for document in documents {
        check_unused(kind, text(document, "id"))?;
    }
    Ok(store::delete(kind.collection(), &ids(documents))?)
}

fn chosen(name: &str, default: &str, words: &[&str]) -> Attribute {
    changeable(or_else(default, fixed(name, one_of(words))))
}

fn lifetime() -> Attribute {
    let value = Validator::Integer { min: Some(SHORTEST), max: Some(LARGEST) };
    parts(LIFETIME, vec![part("units", one_of(&algorithms::UNITS)), part("value", value)])
}

/// The declarations of the collections.
pub(crate) fn collections() -> [Collection; 2] {
    Kind::ALL.map(|kind| {
        let own = match kind {
            Kind::Ike => vec![
                chosen("phase1_negotiation_mode", "main", &algorithms::NEGOTIATION),
                chosen("ike_version", "v1", &algorithms::IKE),
            ],
            Kind::Ipsec => vec![
                chosen("transform_protocol", "esp", &algorithms::TRANSFORM),
                chosen("encapsulation_mode", "tunnel", &algorithms::ENCAPSULATION),
            ],
        };
        let common = vec![
            name(),
            description(),
            chosen("auth_algorithm", "sha1", &algorithms::AUTH),
            chosen("encryption_algorithm", "aes-128", &algorithms::ENCRYPTION),
            lifetime(),
            chosen("pfs", "group5", &algorithms::PFS),
        ];
        let member = match kind {
            Kind::Ike => "ikepolicy",
            Kind::Ipsec => "ipsecpolicy",
        };
        Collection {
            attributes: common.into_iter().chain(own).collect(),
            not_found: Some(format!("{}NotFound", kind.title())),
            not_found_says: Some(format!("{} {{id}} could not be found", kind.title())),
            ..collection(kind.collection(), member)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_lifetime_is_an_hour_unless_it_is_said() {
        let with = |said: Value| json!(Lifetime::default().with(Some(&said)));
        for nothing in [json!(null), json!({})] {
            assert_eq!(with(nothing), json!({"units": "seconds", "value": 3600}));
        }
        assert_eq!(with(json!({"value": 60})), json!({"units": "seconds", "value": 60}));
        assert_eq!(Lifetime::default().with(None), Lifetime::default());
    }

    proptest! {
        /// What is said in two parts is what is said at once.
        #[test]
        fn a_lifetime_can_be_said_in_parts(value in 60_u64..100_000, units in "[a-z]{1,9}") {
            let (units, value) = (json!({ "units": units }), json!({ "value": value }));
            let both = json!({"units": units["units"], "value": value["value"]});
            let apart = Lifetime::default().with(Some(&units)).with(Some(&value));
            prop_assert_eq!(&apart, &Lifetime::default().with(Some(&both)));
            prop_assert_eq!(&apart.clone().with(Some(&json!({}))), &apart);
        }
    }
}
