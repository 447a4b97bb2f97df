//! Members of pools. In Octavia: `MemberController`, `MembersController`.
//!
//! They are told of by actions of their pool: so a pool can be told all of its
//! members at once (`PUT /pools/{id}/members`).

mod batch;

use crate::attribute::{
    admin_state_up, between, changes as change, fill, hidden, load_balancer, name, needed, once, port,
    restore, set, show, shown, statuses, string, tags, take_objects, without_defaults,
};
use crate::document::{given, object, text};
use crate::kind::Kind;
use crate::load_balancers::LoadBalancer;
use crate::objects::{self, cascading};
use crate::settings::Settings;
use crate::status::{NO_MONITOR, PENDING_DELETE};
use crate::{attribute, errors, listing, pools, touch, vip};
use hadron_sdk::manifest::{
    Action, Attribute, Collection, Key, Quota, Reference, Refusal, Takes, Validator, Verb,
};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::store::{self, InsertError, StoreError};
use hadron_sdk::{Document, Error, Result};

const KIND: Kind = Kind::Member;
/// The attribute with a member's pool, and a monitor's.
pub(crate) const POOL: &str = "pool_id";

/// Actions of pools, with the names of rules about them.
pub(crate) const LIST: &str = "get_pool_members";
pub(crate) const CREATE: &str = "create_pool_member";
pub(crate) const REPLACE: &str = "update_pool_members";
pub(crate) const SHOW: &str = "get_pool_member";
pub(crate) const UPDATE: &str = "update_pool_member";
pub(crate) const DELETE: &str = "delete_pool_member";

/// Its attributes.
pub(crate) fn attributes() -> Vec<Attribute> {
    let [provisioning, operating] = statuses();
    vec![
        name(),
        admin_state_up(),
        provisioning,
        operating,
        needed("address", Validator::IpAddress),
        needed("protocol_port", port()),
        set("weight", between(0, 256), json!(1)),
        set("backup", Validator::Boolean, json!(false)),
        once("subnet_id", Validator::Uuid, Value::Null),
        set("monitor_address", Validator::IpAddress, Value::Null),
        set("monitor_port", port(), Value::Null),
        tags(),
        shown("vnic_type", string(64)),
    ]
}

/// The declaration of the collection.
pub(crate) fn collection() -> Collection {
    Collection {
        name: KIND.collection().to_owned(),
        member: KIND.member().to_owned(),
        private: true,
        attributes: attributes()
            .into_iter()
            .chain([hidden(POOL, Validator::Uuid), load_balancer()])
            .collect(),
        keys: vec![Key {
            name: "address".to_owned(),
            attributes: [POOL, "address", "protocol_port"].map(str::to_owned).to_vec(),
        }],
        references: vec![
            objects::of_whole(),
            cascading(POOL, Kind::Pool),
            Reference {
                attribute: "subnet_id".to_owned(),
                collection: vip::SUBNETS.to_owned(),
                refusal: Some(Refusal {
                    error: "SubnetInUse".to_owned(),
                    message:
                        "Unable to complete operation on subnet {id}: The subnet is in use by member {by} \
                              of a load balancer's pool."
                            .to_owned(),
                }),
                ..Reference::default()
            },
        ],
        quota: Some(Quota { default: -1 }),
        ..Collection::default()
    }
}

/// What pools can be told and asked of their members.
pub(crate) fn actions() -> Vec<Action> {
    let action = |name: &str, verb: Verb, path: &str, takes: Option<Takes>| Action {
        name: name.to_owned(),
        verb,
        path: Some(path.to_owned()),
        takes,
    };
    let member = |attributes: Vec<Attribute>| Some(Takes { member: Some("member".to_owned()), attributes });
    let given: Vec<Attribute> = attributes().into_iter().filter(|attribute| attribute.post).collect();
    let whole = Validator::List {
        items: Box::new(attribute::nested(&without_defaults(&attributes()))),
        unique: false,
    };
    let all = vec![
        Attribute { required: true, ..once("members", whole, Value::Null) },
        once("additive_only", Validator::Boolean, json!(false)),
    ];
    const ONE: &str = "members/{member_id}";
    vec![
        action(LIST, Verb::Get, "members", None),
        action(CREATE, Verb::Create, "members", member(given)),
        action(REPLACE, Verb::Update, "members", Some(Takes { member: None, attributes: all })),
        action(SHOW, Verb::Get, ONE, None),
        action(UPDATE, Verb::Update, ONE, member(change(&attributes()))),
        action(DELETE, Verb::Delete, ONE, None),
    ]
}

/// Does an action of a pool.
pub(crate) fn act(pool: &str, action: &str, given: Value) -> Result<Value> {
    let mut given = object(given).unwrap_or_default();
    let id = text(&given, "member_id").to_owned();
    given.shift_remove("member_id");
    match action {
        LIST => list(pool, &given),
        CREATE => create(pool, given),
        REPLACE => replace(pool, given),
        SHOW => Ok(json!({"member": listing::cut(show(&attributes(), &get(pool, &id)?), &given)})),
        UPDATE => update(pool, &id, given),
        DELETE => delete(pool, &id),
        other => Err(Error::internal(format!("'{other}' is no action of pools"))),
    }
}

/// A member of that pool.
fn get(pool: &str, id: &str) -> Result<Document> {
    let found: Option<Document> = store::get(KIND.collection(), id)?;
    found.filter(|member| text(member, POOL) == pool).ok_or_else(|| errors::not_found(KIND.title(), id))
}

fn list(pool: &str, asked: &Document) -> Result<Value> {
    let rows = objects::with(KIND, POOL, pool)?;
    let rows: Vec<Document> = rows.iter().map(|row| show(&attributes(), row)).collect();
    let kept = ["id", "project_id", "created_at", "updated_at"].map(str::to_owned);
    let known: Vec<String> = attributes().into_iter().map(|attribute| attribute.name).chain(kept).collect();
    Ok(json!({"members": listing::page(rows, &known, asked)?}))
}

fn create(pool: &str, body: Document) -> Result<Value> {
    let settings = Settings::load()?;
    let pool = objects::get(Kind::Pool, pool)?;
    let held = touch::begin_in_pool(&pool)?;
    let id = insert(&settings, &held, &pool, given(&pool, "healthmonitor_id").is_some(), body)?;
    pools::list_parts(text(&pool, "id"))?;
    Ok(json!({"member": show(&attributes(), &objects::get(KIND, &id)?)}))
}

/// Writes a member of a pool; its id.
pub(crate) fn insert(
    settings: &Settings,
    held: &LoadBalancer,
    pool: &Document,
    monitored: bool,
    mut body: Document,
) -> Result<String> {
    fill(&attributes(), &mut body);
    let (address, port) = batch::place(&body);
    check_address(settings, &address)?;
    if let Some(subnet) = given(&body, "subnet_id") {
        vip::check_subnet(subnet)?;
    }
    let id = objects::born(held, &mut body);
    body.insert(POOL.to_owned(), Value::from(text(pool, "id")));
    body.insert("vnic_type".to_owned(), json!("normal"));
    if !monitored {
        body.insert(attribute::OPERATING.to_owned(), json!(NO_MONITOR));
    }
    objects::insert(KIND, body).map_err(|error| match error {
        InsertError::Store(StoreError::Duplicate(_)) => errors::duplicate_member(&address, port),
        other => other.into(),
    })?;
    Ok(id)
}

/// In Octavia: `ip_not_reserved`.
fn check_address(settings: &Settings, address: &str) -> Result<()> {
    match settings.reserved_addresses.iter().any(|reserved| reserved == address) {
        true => Err(errors::invalid_option(address, "member address")),
        false => Ok(()),
    }
}

fn update(pool: &str, id: &str, mut changes: Document) -> Result<Value> {
    restore(&attributes(), &mut changes);
    get(pool, id)?;
    touch::begin_in_pool(&objects::get(Kind::Pool, pool)?)?;
    objects::change(KIND, id, changes)?;
    Ok(json!({"member": show(&attributes(), &get(pool, id)?)}))
}

fn delete(pool: &str, id: &str) -> Result<Value> {
    get(pool, id)?;
    touch::begin_in_pool(&objects::get(Kind::Pool, pool)?)?;
    objects::mark(KIND, id, PENDING_DELETE)?;
    Ok(Value::Null)
}

/// Gives a pool these members, and no others unless they are to stay.
fn replace(pool: &str, mut body: Document) -> Result<Value> {
    let settings = Settings::load()?;
    let additive = crate::document::is_true(&body, "additive_only");
    let mut asked = take_objects(&mut body, "members");
    asked.iter_mut().for_each(|member| restore(&attributes(), member));
    let plan = batch::plan(&objects::with(KIND, POOL, pool)?, asked, additive)?;
    if plan.is_empty() {
        return Ok(Value::Null);
    }
    let pool = objects::get(Kind::Pool, pool)?;
    let held = touch::begin_in_pool(&pool)?;
    let monitored = given(&pool, "healthmonitor_id").is_some();
    for member in plan.create {
        insert(&settings, &held, &pool, monitored, member)?;
    }
    for (id, mut changes) in plan.update {
        // Where a member is, and in which subnet, is never changed.
        changes.retain(|name, _| change(&attributes()).iter().any(|attribute| attribute.name == *name));
        objects::change(KIND, &id, changes)?;
    }
    plan.delete.iter().try_for_each(|id| objects::mark(KIND, id, PENDING_DELETE))?;
    pools::list_parts(text(&pool, "id"))?;
    Ok(Value::Null)
}

/// An agent has removed it.
pub(crate) fn removed(id: &str) -> Result<()> {
    let Some(row) = store::get::<Document>(KIND.collection(), id)? else { return Ok(()) };
    store::delete(KIND.collection(), &[id.to_owned()])?;
    pools::list_parts(text(&row, POOL))
}
