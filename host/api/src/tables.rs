//! What the API knows about a set of plugins, made once for each set.
//!
//! A request takes the tables that were current when it came and keeps them to
//! its end, so a plugin that is added or removed meanwhile changes nothing
//! half-way.

use crate::extensions;
use crate::openapi::Served;
use crate::policy::{Complaints, Policy};
use crate::rule_file::Overrides;
use hadron_manifest::{
    Action, Attribute, Collection, Column, Derived, DerivedFrom, Manifest, Parent, Reference, TAGS, Validator,
};
use hadron_runtime::{PluginSet, Refusal, Status};
use hadron_store::CollectionId;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

/// Attributes of every resource, with the sort of column each has. `tenant_id`
/// is another name of `project_id`.
pub(crate) const STANDARD: [(&str, Column); 6] = [
    ("id", Column::Text),
    ("tenant_id", Column::Text),
    ("project_id", Column::Text),
    ("revision_number", Column::Integer),
    ("created_at", Column::Text),
    ("updated_at", Column::Text),
];

/// Everything derived from a set of plugins.
pub(crate) struct Tables {
    /// The set's.
    pub(crate) generation: u64,
    /// Of the operator's rules.
    pub(crate) version: u64,
    /// The union of the manifests' rules and the operator's.
    pub(crate) policy: Policy,
    /// In the order of the plugins.
    resources: Vec<Arc<Resource>>,
    /// By what follows `/v2.0/`.
    by_path: HashMap<String, usize>,
    /// By parent collection's name and own path.
    children: HashMap<(CollectionId, String), usize>,
    /// Those with tags by the last part of their URL, whatever it starts with.
    tagged: HashMap<String, usize>,
    /// What `GET /v2.0/extensions` lists, by alias.
    pub(crate) extensions: BTreeMap<String, Value>,
    /// The description of all this, once it was asked for.
    pub(crate) described: OnceLock<Served>,
    /// What a project's use of can be limited, with the limits that the
    /// manifests declare.
    pub(crate) quotas: BTreeMap<String, i64>,
}

/// A kind of resource as the API sees it: its owner's declaration and what
/// other plugins add to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resource {
    /// Where its rows are.
    pub(crate) id: ResourceId,
    /// Plural, as in bodies; need not be unique.
    pub(crate) name: String,
    /// Singular, as in bodies.
    pub(crate) member: String,
    /// Singular, as rules of the policy are named after it; as in Neutron that of
    /// a child comes after its parent's.
    pub(crate) ruled: String,
    /// What follows `/v2.0/` in its URL; of a child, what follows the parent's id.
    pub(crate) path: String,
    /// Listed by `GET /v2.0/`.
    pub(crate) core: bool,
    /// The collection its URL hangs under.
    pub(crate) parent: Option<Above>,
    /// The owner's, then the extenders', in order.
    pub(crate) attributes: Vec<Attribute>,
    by_name: HashMap<String, usize>,
    /// Attributes that come with the row by another query's part.
    pub(crate) derived: Vec<Derived>,
    /// Attributes that the owner and extenders compute.
    pub(crate) computed: Vec<Computed>,
    /// Filters that the owner carries out when it computes.
    pub(crate) asks: Vec<Attribute>,
    /// The owner says what a row is when a client asks.
    pub(crate) on_demand: bool,
    /// The owner is called before the first read of a project's rows.
    pub(crate) first_use: bool,
    /// Rows can be of no project.
    pub(crate) ownerless: bool,
    /// Names of all attributes that can be shown.
    pub(crate) shown: Vec<String>,
    /// Names of attributes that never are.
    pub(crate) hidden: Vec<String>,
    /// Attributes that a rule says who may see: attribute and rule.
    pub(crate) guarded: Vec<(String, String)>,
    /// Attributes that hold ids.
    pub(crate) references: Vec<ReferenceTo>,
    /// Whether the host keeps tags of its rows.
    pub(crate) tags: bool,
    /// The attribute that names rows in URLs, where that is not the id.
    pub(crate) named_by: Option<String>,
    /// Of what its rows are, where they are another collection's.
    pub(crate) view: Option<View>,
    /// What it can be told to do.
    pub(crate) actions: Vec<Action>,
    /// Class name of the error for an unknown id, and what it says.
    not_found: (String, String),
    /// Set once it was logged that a rule is only partly a condition on rows.
    told: OnceLock<()>,
}

/// A `CollectionId` with an empty default, for tests and for `Default`.
#[derive(Clone, Debug)]
pub(crate) struct ResourceId(pub(crate) CollectionId);

impl Default for ResourceId {
    fn default() -> ResourceId {
        ResourceId(CollectionId { plugin: "".into(), name: "".into() })
    }
}

/// A look at the rows of another collection.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// The collection.
    pub(crate) of: CollectionId,
    /// Whether rows can be changed and deleted.
    pub(crate) writes: bool,
    /// What its attributes are called there.
    names: Vec<(String, String)>,
    /// Its attribute that holds the parent's id, where the other collection has
    /// one.
    parent: Option<String>,
}

impl View {
    fn new(owner: &Manifest, view: &Collection) -> Option<View> {
        let of = view.of.as_ref()?;
        let base = owner.collections.iter().find(|c| c.name == *of)?;
        let named = |a: &Attribute| (a.name.clone(), a.of.clone().unwrap_or_else(|| a.name.clone()));
        let names: Vec<_> = view.attributes.iter().map(named).collect();
        let above = base.parent.as_ref().map(|parent| &parent.attribute);
        let parent = names.iter().find(|(_, of)| Some(of) == above).map(|(name, _)| name.clone());
        let of = CollectionId { plugin: owner.name.as_str().into(), name: of.as_str().into() };
        Some(View { of, writes: view.writes, names, parent })
    }

    /// Changes of a row in the words of the other collection.
    pub(crate) fn translate(&self, changes: &Map<String, Value>) -> Map<String, Value> {
        let of = |own: &str| self.names.iter().find(|(name, _)| name == own).map(|(_, of)| of.clone());
        changes
            .iter()
            .map(|(name, value)| (of(name).unwrap_or_else(|| name.clone()), value.clone()))
            .collect()
    }
}

/// An attribute that a plugin computes.
#[derive(Clone, Debug)]
pub(crate) struct Computed {
    /// The plugin.
    pub(crate) by: Arc<str>,
    /// The attribute.
    pub(crate) attribute: Attribute,
    /// Only of rows in which one of these attributes is set; of all where empty.
    pub(crate) when: Vec<String>,
    /// Other rows leave it out.
    pub(crate) absent: bool,
}

impl Computed {
    fn of(plugin: &Manifest, computed: &hadron_manifest::Computed) -> Computed {
        Computed {
            by: plugin.name.as_str().into(),
            attribute: computed.attribute.clone(),
            when: computed.when.clone(),
            absent: computed.absent,
        }
    }
}

/// The parent of a child collection.
#[derive(Clone, Debug)]
pub(crate) struct Above {
    /// The parent.
    pub(crate) resource: Arc<Resource>,
    /// The child's attribute that holds the parent's id.
    pub(crate) attribute: String,
}

/// An attribute that holds the id of a row of another collection.
#[derive(Clone, Debug)]
pub(crate) struct ReferenceTo {
    /// The attribute.
    pub(crate) attribute: String,
    /// The collection referred to.
    pub(crate) collection: CollectionId,
    /// Its singular.
    pub(crate) member: String,
    /// What conditions on the row referred to can be about.
    pub(crate) columns: Vec<(String, Column)>,
    not_found: (String, String),
}

impl ReferenceTo {
    /// The row referred to does not exist.
    pub(crate) fn no_such_row(&self, id: &str) -> Refusal {
        no_such_row(&self.not_found, id)
    }
}

impl Tables {
    /// Makes the tables of a set under an operator's rules, with what is wrong
    /// with rules.
    pub(crate) fn new(set: &PluginSet, overrides: &Overrides) -> (Tables, Complaints) {
        let manifests: Vec<&Manifest> = set.active().map(|p| p.manifest.as_ref()).collect();
        Tables::of(&manifests, set.generation, overrides)
    }

    /// Makes the tables of some manifests.
    pub(crate) fn of(
        manifests: &[&Manifest],
        generation: u64,
        overrides: &Overrides,
    ) -> (Tables, Complaints) {
        let rules = manifests.iter().flat_map(|m| {
            m.policy.iter().map(|(name, rule)| (m.name.as_str(), name.as_str(), rule.as_str()))
        });
        let (policy, complaints) = Policy::new(rules, &overrides.rules);
        let mut tables = Tables {
            generation,
            version: overrides.version,
            policy,
            resources: Vec::new(),
            by_path: HashMap::new(),
            children: HashMap::new(),
            tagged: HashMap::new(),
            described: OnceLock::new(),
            extensions: BTreeMap::new(),
            quotas: quotas(manifests),
        };
        let mut waiting: Vec<(&Manifest, &Collection)> = manifests
            .iter()
            .flat_map(|m| m.collections.iter().filter(|c| !c.private).map(move |c| (*m, c)))
            .collect();
        // A child is added once its parent is there; one whose parent never
        // comes has no URL.
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|(manifest, collection)| !tables.add(manifests, manifest, collection));
            if waiting.len() == before {
                for (manifest, collection) in waiting {
                    tracing::warn!(plugin = %manifest.name, collection = %collection.name,
                        "the collection's parent is not there, so no URL reaches it");
                }
                break;
            }
        }
        tables.extensions = extensions::all(manifests, &tables.resources);
        (tables, complaints)
    }

    fn add(&mut self, manifests: &[&Manifest], owner: &Manifest, collection: &Collection) -> bool {
        let above = match &collection.parent {
            None => None,
            Some(Parent { collection: name, attribute }) => match self.find(&owner.name, name) {
                None => return false,
                Some(resource) => Some(Above { resource, attribute: attribute.clone() }),
            },
        };
        let index = self.resources.len();
        let resource = Resource::new(manifests, &self.policy, owner, collection, above);
        let mut paths = vec![collection.path()];
        if collection.called.is_none() {
            paths.push(collection.name.clone());
        }
        if resource.tags && resource.parent.is_none() {
            self.tagged.entry(collection.path()).or_insert(index);
        }
        for path in paths {
            match &resource.parent {
                Some(above) => {
                    self.children.insert((above.resource.id.0.clone(), path), index);
                }
                None => {
                    let path = join(&collection.path_prefix, &path);
                    self.by_path.entry(path).or_insert(index);
                }
            }
        }
        self.resources.push(Arc::new(resource));
        true
    }

    fn find(&self, plugin: &str, name: &str) -> Option<Arc<Resource>> {
        let found = self.resources.iter().find(|r| *r.id.0.plugin == *plugin && r.collection() == name);
        found.or_else(|| self.named(name)).cloned()
    }

    /// The resource of that collection.
    pub(crate) fn of_collection(&self, id: &CollectionId) -> Option<&Arc<Resource>> {
        self.resources.iter().find(|r| r.id.0 == *id)
    }

    /// The resource of that name, which is unique in a server.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Resource>> {
        self.resources.iter().find(|r| r.collection() == name)
    }

    /// The resource with tags whose URL ends with this: as in Neutron tags are
    /// below it without what the URL starts with, too.
    pub(crate) fn tagged(&self, path: &str) -> Option<&Arc<Resource>> {
        self.tagged.get(path).and_then(|i| self.resources.get(*i))
    }

    /// The resource at a path below `/v2.0/`.
    pub(crate) fn at(&self, path: &str) -> Option<&Arc<Resource>> {
        self.by_path.get(path).and_then(|i| self.resources.get(*i))
    }

    /// The resource that a rule is about, by the rule's name.
    pub(crate) fn about(&self, rule: &str) -> Option<&Arc<Resource>> {
        let rule = rule.split(':').next().unwrap_or_default();
        let does = |r: &Resource| {
            let verb = rule.strip_suffix(r.ruled.as_str()).and_then(|rest| rest.strip_suffix('_'));
            let action = |name: &str| rule == name || verb == Some(name);
            verb.is_some_and(|v| ["create", "get", "update", "delete"].contains(&v))
                || r.actions.iter().any(|a| action(&a.name))
        };
        self.resources.iter().find(|r| does(r))
    }

    /// The child collection of that path.
    pub(crate) fn child(&self, parent: &Resource, path: &str) -> Option<&Arc<Resource>> {
        self.children.get(&(parent.id.0.clone(), path.to_owned())).and_then(|i| self.resources.get(*i))
    }

    /// All resources, in the order of the plugins.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.iter()
    }

    /// What `GET /v2.0/` lists.
    pub(crate) fn core(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.iter().filter(|r| r.core)
    }
}

fn join(prefix: &str, path: &str) -> String {
    let prefix = prefix.trim_matches('/');
    if prefix.is_empty() { path.to_owned() } else { format!("{prefix}/{path}") }
}

fn quotas(manifests: &[&Manifest]) -> BTreeMap<String, i64> {
    let collections = manifests.iter().flat_map(|m| &m.collections);
    let named = collections.filter_map(|c| Some((c.quota_name()?.to_owned(), c.quota?.default)));
    named.collect()
}

impl Resource {
    fn new(
        manifests: &[&Manifest],
        policy: &Policy,
        owner: &Manifest,
        collection: &Collection,
        parent: Option<Above>,
    ) -> Resource {
        let extenders = manifests.iter().flat_map(|m| &m.extends).filter(|e| e.collection == collection.name);
        let mut attributes: Vec<Attribute> = Vec::new();
        let kept = collection.kept();
        let declared = collection.attributes.iter().chain(&kept);
        for attribute in declared.chain(extenders.flat_map(|e| &e.attributes)) {
            // Two claims of one name are refused at load; should one slip
            // through, the first one counts.
            if !attributes.iter().any(|a| a.name == attribute.name) {
                attributes.push(attribute.clone());
            }
        }
        let added = manifests.iter().flat_map(|m| &m.extends).filter(|e| e.collection == collection.name);
        let derived: Vec<Derived> =
            collection.derived.iter().chain(added.flat_map(|e| &e.derived)).cloned().collect();
        let added = manifests.iter().flat_map(|m| {
            let extends = m.extends.iter().filter(|e| e.collection == collection.name);
            extends.flat_map(|e| &e.computed).map(move |computed| Computed::of(m, computed))
        });
        let computed = collection.computed.iter().map(|computed| Computed::of(owner, computed));
        let computed: Vec<Computed> = computed.chain(added).collect();
        let added = manifests.iter().flat_map(|m| &m.extends).filter(|e| e.collection == collection.name);
        let actions = collection.actions.iter().chain(added.flat_map(|e| &e.actions)).cloned().collect();
        let by_name = attributes.iter().enumerate().map(|(i, a)| (a.name.clone(), i)).collect();
        let shown = STANDARD
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .chain(derived.iter().map(|d| d.name.clone()))
            .chain(computed.iter().map(|c| &c.attribute).filter(|a| !a.hidden).map(|a| a.name.clone()))
            .chain(attributes.iter().filter(|a| !a.hidden).map(|a| a.name.clone()))
            .filter(|name| !collection.without.contains(name))
            .collect();
        let hidden = attributes
            .iter()
            .chain(computed.iter().map(|c| &c.attribute))
            .filter(|a| a.hidden)
            .chain(&collection.asks)
            .map(|a| a.name.clone())
            .chain(collection.without.iter().cloned())
            .collect();
        let (name, member) = collection.words();
        let ruled = match &parent {
            Some(above) => format!("{}_{member}", above.resource.member),
            None => member.to_owned(),
        };
        let guarded = attributes
            .iter()
            .chain(computed.iter().map(|c| &c.attribute))
            .filter(|a| a.enforce && !a.hidden)
            .map(|a| &a.name)
            .chain(derived.iter().map(|d| &d.name))
            .map(|name| (name.clone(), format!("get_{ruled}:{name}")))
            .filter(|(_, rule)| policy.has(rule))
            .collect();
        Resource {
            id: ResourceId(CollectionId {
                plugin: owner.name.as_str().into(),
                name: collection.name.as_str().into(),
            }),
            name: name.to_owned(),
            member: member.to_owned(),
            ruled,
            path: match &parent {
                Some(_) => collection.path(),
                None => join(&collection.path_prefix, &collection.path()),
            },
            core: collection.core,
            parent,
            attributes,
            by_name,
            derived,
            computed,
            asks: collection.asks.clone(),
            on_demand: collection.on_demand,
            first_use: collection.first_use,
            ownerless: collection.ownerless,
            shown,
            hidden,
            guarded,
            references: references(manifests, owner, collection),
            tags: kept.iter().any(|a| a.name == TAGS),
            named_by: collection.named_by.clone(),
            view: View::new(owner, collection),
            actions,
            not_found: (collection.not_found_type(), collection.not_found_template()),
            told: OnceLock::new(),
        }
    }

    /// The collection's name, unique in a server.
    pub(crate) fn collection(&self) -> &str {
        &self.id.0.name
    }

    /// The declared attribute of that name.
    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.by_name.get(name).and_then(|i| self.attributes.get(*i))
    }

    /// The column a condition on the attribute is about: its name, and what
    /// values it holds. None where no condition can be put on it.
    pub(crate) fn column(&self, name: &str) -> Option<(&str, Column)> {
        if name == "tenant_id" {
            return Some(("project_id", Column::Text));
        }
        if let Some((name, column)) = STANDARD.iter().find(|(n, _)| *n == name) {
            return self.shown.iter().any(|shown| shown == name).then_some((name, *column));
        }
        let attribute = self.attribute(name)?;
        Some((attribute.name.as_str(), column(attribute)?))
    }

    /// The row referred to, and its attribute, that the derived attribute of this
    /// name is; and whether rows can be filtered by it.
    pub(crate) fn above(&self, name: &str) -> Option<(&ReferenceTo, &str, bool)> {
        let derived = self.derived.iter().find(|derived| derived.name == name)?;
        let DerivedFrom::Parent { reference, attribute, filter } = &derived.from else { return None };
        let reference = self.references.iter().find(|r| r.attribute == *reference)?;
        Some((reference, attribute, *filter))
    }

    /// No such row, or none that the caller may see.
    pub(crate) fn no_such_row(&self, id: &str) -> Refusal {
        no_such_row(&self.not_found, id)
    }

    /// The reference a policy rule means by `name` in `%(name:attribute)s`:
    /// Neutron looks for `name_id`, and knows the parent of a child collection
    /// as `ext_parent`.
    pub(crate) fn reference_named(&self, name: &str) -> Option<&ReferenceTo> {
        let own = self.parent.as_ref().map(|parent| &parent.attribute);
        let above = own.or_else(|| self.view.as_ref()?.parent.as_ref()).filter(|_| name == "ext_parent");
        let fits = |r: &&ReferenceTo| match above {
            Some(attribute) => r.attribute == *attribute,
            None => r.attribute.strip_suffix("_id") == Some(name) || r.member == name,
        };
        self.references.iter().find(fits)
    }

    /// The reference to rows of that collection.
    pub(crate) fn reference_to(&self, collection: &str) -> Option<&ReferenceTo> {
        self.references.iter().find(|r| *r.collection.name == *collection)
    }

    /// Whether rows are made through it.
    pub(crate) fn creates(&self) -> bool {
        self.view.is_none() && !self.on_demand
    }

    /// Whether rows are changed through it.
    pub(crate) fn changes(&self) -> bool {
        self.deletes() && !self.on_demand
    }

    /// Whether rows are deleted through it.
    pub(crate) fn deletes(&self) -> bool {
        self.view.as_ref().is_none_or(|view| view.writes)
    }

    /// No row of that name below that parent.
    pub(crate) fn no_such_name(&self, name: &str, parent: &str) -> Refusal {
        let refusal = self.no_such_row(name);
        Refusal { message: refusal.message.replace("{parent}", parent), ..refusal }
    }

    /// Logs, once, that a part of a rule is no condition that a database could
    /// be asked, so that what it allows is shown one by one but missing from
    /// lists.
    pub(crate) fn tell_partial(&self) {
        self.told.get_or_init(|| {
            tracing::info!(collection = %self.collection(), rule = %format!("get_{}", self.ruled),
                "what part of the rule allows cannot be looked for, and is missing from lists");
        });
    }

    /// Refuses what cannot be an id: a text with a NUL is none that a database
    /// could be asked about.
    pub(crate) fn check_id(&self, id: &str) -> Result<(), Refusal> {
        if id.contains('\0') || id.len() > 255 { Err(self.no_such_row(id)) } else { Ok(()) }
    }
}

/// What a condition on the attribute compares; none where there can be none.
fn column(attribute: &Attribute) -> Option<Column> {
    match attribute.validate {
        Validator::List { .. } | Validator::Object { .. } | Validator::Dict => None,
        _ => Some(attribute.validate.column()),
    }
}

fn no_such_row((kind, says): &(String, String), id: &str) -> Refusal {
    Refusal::new(Status::NotFound, kind.as_str(), says.replace("{id}", id))
}

fn references(manifests: &[&Manifest], owner: &Manifest, collection: &Collection) -> Vec<ReferenceTo> {
    let own = collection.references.iter().map(|r| (owner, r));
    let added = manifests.iter().flat_map(|m| {
        let extends = m.extends.iter().filter(|e| e.collection == collection.name);
        extends.flat_map(|e| &e.references).map(|r| (*m, r))
    });
    // A view's attributes refer as those of the rows that it is of do.
    let viewed = collection.of.as_ref().and_then(|of| owner.collections.iter().find(|c| c.name == *of));
    let viewed: Vec<Reference> =
        viewed.into_iter().flat_map(|base| view_references(collection, base)).collect();
    own.chain(added)
        .chain(viewed.iter().map(|r| (owner, r)))
        .filter_map(|(owner, reference)| {
            let (attribute, name) = (reference.attribute.as_str(), reference.collection.as_str());
            let own = owner.collections.iter().find(|c| c.name == name).map(|c| (owner, c));
            let (plugin, target) = own.or_else(|| {
                manifests.iter().find_map(|m| {
                    let found = m.collections.iter().find(|c| c.name == name && !c.private);
                    found.map(|c| (*m, c))
                })
            })?;
            Some(ReferenceTo {
                attribute: attribute.to_owned(),
                collection: CollectionId {
                    plugin: plugin.name.as_str().into(),
                    name: target.name.as_str().into(),
                },
                member: target.member.clone(),
                columns: columns(manifests, target),
                not_found: (target.not_found_type(), target.not_found_template()),
            })
        })
        .collect()
}

fn view_references(view: &Collection, base: &Collection) -> Vec<Reference> {
    let refer = |attribute: &Attribute| {
        let of = attribute.of.as_ref().unwrap_or(&attribute.name);
        let found = base.references.iter().find(|r| r.attribute == *of)?;
        Some(Reference { attribute: attribute.name.clone(), ..found.clone() })
    };
    view.attributes.iter().filter_map(refer).collect()
}

/// What conditions on a collection's rows, seen from rows that refer to them,
/// can be about.
fn columns(manifests: &[&Manifest], collection: &Collection) -> Vec<(String, Column)> {
    let extenders = manifests.iter().flat_map(|m| &m.extends);
    let extenders = extenders.filter(|e| !collection.private && e.collection == collection.name);
    let declared = collection.attributes.iter().chain(extenders.flat_map(|e| &e.attributes));
    let declared = declared.filter_map(|a| Some((a.name.clone(), column(a)?)));
    STANDARD.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).chain(declared).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// Two plugins: one owns gadgets with parts, the other adds to gadgets.
    pub(crate) fn tables() -> Tables {
        let owner: Manifest = serde_json::from_value(json!({
            "name": "workshop",
            "collections": [
                {"name": "parts", "member": "part", "parent": {"collection": "gadgets", "attribute": "gadget_id"},
                 "references": [{"attribute": "gadget_id", "collection": "gadgets"}],
                 "attributes": [{"name": "gadget_id", "validate": {"type": "uuid"}},
                                {"name": "size", "validate": {"type": "integer", "min": 1, "max": 9}, "post": true, "required": true}]},
                {"name": "gadgets", "member": "gadget", "core": true,
                 "references": [{"attribute": "shelf_id", "collection": "shelves"}],
                 "attributes": [
                    {"name": "name", "validate": {"type": "string", "max": 255}, "post": true, "put": true, "default": "", "filter": true},
                    {"name": "shelf_id", "validate": {"type": "uuid"}, "nullable": true, "post": true, "filter": true},
                    {"name": "admin_state_up", "validate": {"type": "boolean"}, "post": true, "put": true, "default": true, "filter": true},
                    {"name": "shared", "validate": {"type": "boolean"}, "post": true, "put": true, "default": false, "filter": true, "enforce": true},
                    {"name": "level", "validate": {"type": "integer", "min": 0, "max": 100}, "nullable": true, "post": true, "put": true, "filter": true},
                    {"name": "vendor:kind", "validate": {"type": "string"}, "post": true, "filter": true, "enforce": true},
                    {"name": "status", "validate": {"type": "string"}, "filter": true, "any_case": true},
                    {"name": "notes", "hidden": true},
                    {"name": "places", "post": true, "put": true, "enforce": true, "filter": true,
                     "validate": {"type": "list", "items": {"type": "object", "members": [
                        {"name": "room", "validate": {"type": "uuid"}},
                        {"name": "ip_address", "validate": {"type": "ip_address"}}]}},
                     "list": {"columns": [{"name": "room", "filter": true}, {"name": "ip_address", "filter": true}]}},
                    {"name": "labels", "post": true, "filter": true,
                     "validate": {"type": "list", "items": {"type": "string", "max": 10}, "unique": true},
                     "list": {"columns": [{"name": "value", "filter": true}]}}],
                 "derived": [{"name": "parts", "from": {"referring": {"collection": "parts", "attribute": "gadget_id"}}}],
                 "actions": [
                    {"name": "polish", "verb": "update"}, {"name": "weigh"},
                    {"name": "befriend", "verb": "create", "path": "friends", "takes": {"member": "friend", "attributes": [
                        {"name": "id", "validate": {"type": "uuid"}, "required": true},
                        {"name": "close", "validate": {"type": "boolean"}, "default": false}]}},
                    {"name": "forget", "verb": "delete", "path": "friends/{friend_id}"}]},
                {"name": "store_labels", "member": "store_label", "path_prefix": "store", "called": {"collection": "print_outs", "member": "label"}},
                {"name": "stamps", "member": "stamp", "parent": {"collection": "store_labels", "attribute": "label_id"},
                 "references": [{"attribute": "label_id", "collection": "store_labels"}],
                 "called": {"collection": "ink_stamps", "member": "ink_stamp"},
                 "attributes": [{"name": "label_id", "validate": {"type": "uuid"}}]},
                {"name": "places", "member": "place", "parent": {"collection": "gadgets", "attribute": "gadget_id"},
                 "named_by": "place", "keys": [{"name": "place", "attributes": ["gadget_id", "place"]}],
                 "references": [{"attribute": "gadget_id", "collection": "gadgets"}],
                 "not_found_says": "Gadget {parent} is not at {id}.",
                 "attributes": [{"name": "gadget_id", "validate": {"type": "uuid"}},
                                {"name": "place", "validate": {"type": "string"}, "post": true}]},
                {"name": "part_sizes", "member": "part_size", "of": "parts", "writes": true,
                 "attributes": [{"name": "owner_id", "of": "gadget_id", "validate": {"type": "uuid"}},
                                {"name": "how_big", "of": "size", "validate": {"type": "integer"}, "put": true}]},
                {"name": "shelves", "member": "shelf", "path_prefix": "store",
                 "standard": {"description": false, "tags": "none"},
                 "without": ["created_at", "updated_at", "revision_number"],
                 "attributes": [{"name": "name", "validate": {"type": "string"}, "post": true},
                                {"name": "floor", "validate": {"type": "string"}, "post": true}]}],
            "extensions": [{"name": "Polish", "alias": "polish", "description": "d", "updated": "2026-01-01T00:00:00-00:00"}],
            "policy": {
                "shelf_owner": "project_id:%(shelf:project_id)s",
                "create_gadget": "rule:admin_only or role:member and rule:owner",
                "create_gadget:shared": "rule:admin_only",
                "create_gadget:vendor:kind": "rule:admin_only",
                "create_gadget:places": "rule:admin_only or rule:shelf_owner",
                "create_gadget:places:room": "rule:admin_only",
                "update_gadget": "rule:admin_only or role:member and rule:owner",
                "get_gadget": "rule:admin_only or rule:owner or field:gadgets:shared=True",
                "get_gadget:vendor:kind": "rule:admin_only",
                "get_gadget:places": "rule:admin_only or rule:owner"
            }
        }))
        .unwrap();
        let extender: Manifest = serde_json::from_value(json!({
            "name": "acme",
            "extends": [{"collection": "gadgets", "attributes": [
                {"name": "acme:colour", "validate": {"type": "enum", "values": ["red", "blue"]}, "post": true, "put": true, "filter": true, "default": "red"}]}]
        }))
        .unwrap();
        assert_eq!(hadron_manifest::check(&owner), Vec::<String>::new());
        let (tables, complaints) = Tables::of(&[&owner, &extender], 1, &Overrides::default());
        assert_eq!(complaints, Complaints::default());
        tables
    }

    #[test]
    fn a_rule_is_about_the_resource_that_its_name_ends_with() {
        let tables = tables();
        for (rule, member) in [
            ("create_gadget:shared", Some("gadget")),
            ("get_gadget_part", Some("part")),
            ("get_part", None),
            ("polish", Some("gadget")),
            ("weigh_gadget", Some("gadget")),
            ("admin_only", None),
            ("eat_gadget", None),
        ] {
            assert_eq!(tables.about(rule).map(|r| r.member.as_str()), member, "{rule}");
        }
    }

    #[test]
    fn a_child_is_found_under_its_parent_whatever_the_order_of_declaration() {
        let tables = tables();
        let gadgets = tables.at("gadgets").unwrap();
        assert_eq!(tables.child(gadgets, "parts").unwrap().member, "part");
        assert!(tables.at("parts").is_none());
        assert_eq!(tables.at("store/shelves").unwrap().path, "store/shelves");
    }

    #[test]
    fn a_collection_is_called_in_urls_bodies_and_rules_what_its_manifest_says() {
        let tables = tables();
        let labels = tables.at("store/print_outs").unwrap();
        assert_eq!((labels.name.as_str(), labels.member.as_str()), ("print_outs", "label"));
        assert_eq!((labels.collection(), labels.ruled.as_str()), ("store_labels", "label"));
        assert_eq!(labels.no_such_row("x").kind, "StoreLabelNotFound");
        assert!(tables.at("store/store-labels").is_none() && tables.at("store/store_labels").is_none());
        assert_eq!(tables.named("store_labels").unwrap().path, "store/print_outs");
        let stamps = tables.child(labels, "ink_stamps").unwrap();
        assert_eq!((stamps.member.as_str(), stamps.ruled.as_str()), ("ink_stamp", "label_ink_stamp"));
        assert!(tables.child(labels, "stamps").is_none());
    }

    #[test]
    fn a_view_knows_what_it_is_of() {
        let tables = tables();
        let sizes = tables.at("part_sizes").unwrap();
        assert!(sizes.changes() && !sizes.creates() && !sizes.tags);
        let view = sizes.view.as_ref().unwrap();
        let changes = json!({"how_big": 3});
        assert_eq!(Value::from(view.translate(changes.as_object().unwrap())), json!({"size": 3}));
        assert_eq!(sizes.reference_named("ext_parent").map(|r| r.attribute.as_str()), Some("owner_id"));
        let parts = tables.child(tables.at("gadgets").unwrap(), "parts").unwrap();
        assert!(parts.creates() && parts.changes());
    }

    #[test]
    fn a_row_that_is_named_is_missed_by_its_name() {
        let tables = tables();
        let places = tables.child(tables.at("gadgets").unwrap(), "places").unwrap();
        assert_eq!(places.no_such_name("here", "g1").message, "Gadget g1 is not at here.");
    }

    #[test]
    fn standard_attributes_are_there_unless_the_manifest_does_without() {
        let tables = tables();
        let shows = |path: &str, name: &str| tables.at(path).unwrap().shown.iter().any(|n| n == name);
        for name in ["description", "tags", "created_at", "updated_at", "revision_number"] {
            assert!(shows("gadgets", name) && !shows("store/shelves", name), "{name}");
        }
        let shelves = tables.at("store/shelves").unwrap();
        assert_eq!(shelves.hidden, ["created_at", "updated_at", "revision_number"]);
        assert_eq!(shelves.column("revision_number"), None);
        assert!(shelves.column("project_id").is_some() && !shelves.tags);
    }

    #[test]
    fn attributes_of_extenders_are_among_the_resources_own() {
        let tables = tables();
        let gadgets = tables.at("gadgets").unwrap();
        assert!(gadgets.attribute("acme:colour").is_some());
        assert!(gadgets.shown.iter().any(|n| n == "acme:colour"));
        assert_eq!(gadgets.hidden, ["notes"]);
        assert_eq!(gadgets.column("tenant_id"), Some(("project_id", Column::Text)));
        assert_eq!(gadgets.column("places"), None);
        assert_eq!(gadgets.column("tags"), None);
        assert_eq!(gadgets.no_such_row("x").message, "Gadget x could not be found.");
        assert_eq!(gadgets.no_such_row("x").kind, "GadgetNotFound");
    }
}
