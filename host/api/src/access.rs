//! Decisions about one caller: which rows, which attributes, which changes.

use crate::error::disallowed;
use crate::policy::{Parents, Residual, Said, Target, Unread, Wanted, Whole};
use crate::routes::Place;
use crate::source::Source;
use crate::tables::{Resource, Tables};
use crate::view::Mask;
use hadron_manifest::{Attribute, TAGS, Verb};
use hadron_runtime::{Caller, Guard, Hold, Refusal, Status};
use hadron_store::{Predicate, Row, View};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A caller before the rules of a set of plugins.
#[derive(Clone)]
pub(crate) struct Access {
    /// The rules.
    pub(crate) tables: Arc<Tables>,
    /// Who asks.
    pub(crate) caller: Arc<Caller>,
}

/// The rules a change has to pass, and how Neutron writes them down.
#[derive(Debug, PartialEq)]
struct Needed {
    rules: Vec<String>,
    text: String,
}

/// A change of one row, checked inside the unit of work against the row as it
/// is then.
pub(crate) struct Change<'a> {
    /// The resource.
    pub(crate) resource: &'a Arc<Resource>,
    /// The row.
    pub(crate) id: &'a str,
    /// The parent's id from the URL.
    pub(crate) above: Option<&'a str>,
    /// The rule: `update_gadget`, `delete_gadget`, or an action's.
    pub(crate) rule: String,
    /// What is to be set.
    pub(crate) changes: Option<&'a Map<String, Value>>,
    /// The revision the client saw (`If-Match`).
    pub(crate) revision: Option<i64>,
}

impl Access {
    /// Which rows the caller may see, as far as the database can tell.
    pub(crate) fn visible(&self, resource: &Resource) -> Residual {
        self.reduce(&format!("get_{}", resource.ruled), &Unread(resource))
    }

    /// To which rows the caller may do something, of those that it sees.
    pub(crate) fn rows(&self, resource: &Resource, verb: Verb) -> Predicate {
        let seen = self.visible(resource).predicate();
        let verb = match verb {
            Verb::Get => return seen,
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Delete => "delete",
        };
        let rule = format!("{verb}_{}", resource.ruled);
        both(seen, Some(self.reduce(&rule, &Unread(resource)).predicate()))
    }

    /// Which attributes the caller may see.
    pub(crate) fn mask(&self, resource: &Resource) -> Mask {
        let mut mask = Mask { hidden: resource.hidden.clone(), ..Mask::default() };
        for (name, rule) in &resource.guarded {
            match self.reduce(rule, &Unread(resource)).known() {
                Some(true) => {}
                Some(false) => mask.hidden.push(name.clone()),
                // Whoever sees the row sees its tags, unless the rule says no
                // whatever the row is.
                None if resource.tags && name == TAGS => {}
                None => mask.conditional.push((name.clone(), rule.clone())),
            }
        }
        mask
    }

    /// Of the attributes whose showing depends on the row, those that must not
    /// be shown of this one.
    pub(crate) fn hidden_of(&self, resource: &Resource, mask: &Mask, row: &Row) -> Vec<String> {
        if mask.conditional.is_empty() {
            return Vec::new();
        }
        let parents = Parents::default();
        let target = Whole::row(resource, row, None, &parents);
        let denied = |rule: &str| self.reduce(rule, &target).known() != Some(true);
        mask.conditional.iter().filter(|(_, rule)| denied(rule)).map(|(name, _)| name.clone()).collect()
    }

    /// One row, when the caller may see it.
    pub(crate) async fn show(
        &self,
        source: &impl Source,
        resource: &Resource,
        id: &str,
        above: Option<&str>,
        view: &View,
    ) -> Result<Row, Refusal> {
        resource.check_id(id)?;
        let visible = self.visible(resource);
        let partial = visible.is_partial();
        let place = place(resource, above);
        let seen = both(visible.predicate(), place.clone());
        if let Some(row) = source.get(&resource.id.0, id, &seen, view).await? {
            return Ok(row);
        }
        // What the database could not decide is decided here, on the whole row.
        let any = both(Predicate::always(), place);
        if partial && let Some(row) = source.get(&resource.id.0, id, &any, &self.whole()).await? {
            let mut parents = Parents::default();
            if self.visible_row(source, resource, &row, &mut parents).await? {
                let row = source.get(&resource.id.0, id, &any, view).await?;
                return row.ok_or_else(|| resource.no_such_row(id));
            }
        }
        Err(resource.no_such_row(id))
    }

    /// The id of the row that the last part of a URL names, which is that part
    /// itself unless the manifest says otherwise.
    pub(crate) async fn id_of(
        &self,
        source: &impl Source,
        Place { resource, above }: &Place,
        part: &str,
    ) -> Result<String, Refusal> {
        let (Some(named_by), Some(parent)) = (&resource.named_by, above) else { return Ok(part.to_owned()) };
        let missing = || resource.no_such_name(part, parent);
        resource.check_id(part).map_err(|_| missing())?;
        let named = both(Predicate::equal(named_by, part), place(resource, Some(parent)));
        let visible = self.visible(resource);
        let seen = if visible.is_partial() { named } else { both(visible.predicate(), Some(named)) };
        source.find(&resource.id.0, seen).await?.ok_or_else(missing)
    }

    /// Whether the caller may see a row, which need not be there any more.
    pub(crate) async fn visible_row(
        &self,
        source: &impl Source,
        resource: &Resource,
        row: &Row,
        parents: &mut Parents,
    ) -> Result<bool, Refusal> {
        let rule = format!("get_{}", resource.ruled);
        loop {
            let target = Whole::row(resource, row, None, parents);
            if let Some(answer) = self.reduce(&rule, &target).known() {
                return Ok(answer);
            }
            let wanted = target.wanted();
            if !self.fetch(source, wanted, parents).await?.any {
                return Ok(false);
            }
        }
    }

    /// Whether these rows may be made; and the entries that this depends on.
    pub(crate) async fn may_create(
        &self,
        source: &impl Source,
        resource: &Resource,
        bodies: &[Map<String, Value>],
    ) -> Result<Vec<Hold>, Refusal> {
        let mut parents = Parents::default();
        let mut holds = Vec::new();
        for body in bodies {
            let given = body.iter().filter(|(name, value)| {
                resource.attribute(name).is_some_and(|a| a.default.as_ref() != Some(value))
            });
            let needed = self.needed(resource, &format!("create_{}", resource.ruled), given);
            loop {
                let target = Whole::body(resource, body, &parents);
                match self.passes(&needed, &target) {
                    Some(true) => {
                        self.hold(resource, body, &needed, &parents, &mut holds);
                        break;
                    }
                    Some(false) => return Err(disallowed(&needed.text)),
                    None => {}
                }
                let wanted = target.wanted();
                let fetched = self.fetch(source, wanted, &mut parents).await?;
                if let Some(refusal) = fetched.missing {
                    return Err(refusal);
                }
                if !fetched.any {
                    return Err(disallowed(&needed.text));
                }
            }
        }
        Ok(holds)
    }

    /// The rule and those about the attributes that are given, as a create or an
    /// update asks them.
    pub(crate) fn rules_about(
        &self,
        resource: &Resource,
        rule: &str,
        given: &Map<String, Value>,
    ) -> Vec<String> {
        let create = format!("create_{}", resource.ruled);
        if rule != create && rule != format!("update_{}", resource.ruled) {
            return vec![rule.to_owned()];
        }
        let set = |name: &str, value: &Value| {
            rule != create || resource.attribute(name).is_some_and(|a| a.default.as_ref() != Some(value))
        };
        self.needed(resource, rule, given.iter().filter(|(name, value)| set(name, value))).rules
    }

    /// Adds the entries without which a body that passes would not.
    fn hold(
        &self,
        resource: &Resource,
        body: &Map<String, Value>,
        needed: &Needed,
        parents: &Parents,
        holds: &mut Vec<Hold>,
    ) {
        let relied = parents.holds(&self.tables, body, &disallowed(&needed.text));
        if relied.is_empty() {
            return;
        }
        let alone = parents.unshared(&self.tables);
        if self.passes(needed, &Whole::body(resource, body, &alone)) != Some(true) {
            let same = |a: &Hold, b: &Hold| {
                (&a.collection, &a.id, &a.attribute) == (&b.collection, &b.id, &b.attribute)
            };
            for hold in relied {
                if !holds.iter().any(|held| same(held, &hold)) {
                    holds.push(hold);
                }
            }
        }
    }

    /// The check of a change, for the runtime to make on the row as it is
    /// inside the unit of work.
    pub(crate) async fn guard(&self, source: &impl Source, change: Change<'_>) -> Result<Guard, Refusal> {
        let Change { resource, id, above, rule, changes, revision } = change;
        resource.check_id(id)?;
        let given = changes.into_iter().flatten();
        let needed = self.needed(resource, &rule, given);
        let unread = Unread(resource);
        let free =
            self.visible(resource).known() == Some(true) && self.passes(&needed, &unread) == Some(true);
        let mut parents = Parents::default();
        if !free {
            self.fetch_for(source, resource, id, &needed, changes, &mut parents).await?;
        }
        let (access, resource) = (self.clone(), resource.clone());
        let (id, above, changes) = (id.to_owned(), above.map(str::to_owned), changes.cloned());
        Ok(Arc::new(move |row: Option<&Row>| {
            let row = row.filter(|row| in_place(&resource, row, above.as_deref()));
            let row = row.ok_or_else(|| resource.no_such_row(&id))?;
            if !free {
                let seen = Whole::row(&resource, row, None, &parents);
                if access.reduce(&format!("get_{}", resource.ruled), &seen).known() != Some(true) {
                    return Err(resource.no_such_row(&id));
                }
                let wished = Whole::row(&resource, row, changes.as_ref(), &parents);
                if access.passes(&needed, &wished) != Some(true) {
                    return Err(disallowed(&needed.text));
                }
            }
            match revision.filter(|revision| *revision != row.revision) {
                None => Ok(()),
                Some(revision) => Err(Refusal::new(
                    Status::Precondition,
                    "RevisionNumberConstraintFailed",
                    format!("Constrained to {revision}, but current revision is {}", row.revision),
                )),
            }
        }))
    }

    /// Reads the rows that the rules about a change ask for.
    async fn fetch_for(
        &self,
        source: &impl Source,
        resource: &Resource,
        id: &str,
        needed: &Needed,
        changes: Option<&Map<String, Value>>,
        parents: &mut Parents,
    ) -> Result<(), Refusal> {
        let row = source.get(&resource.id.0, id, &Predicate::always(), &self.whole()).await?;
        let Some(row) = row else { return Ok(()) };
        self.visible_row(source, resource, &row, parents).await?;
        loop {
            let target = Whole::row(resource, &row, changes, parents);
            let answer = self.passes(needed, &target);
            let wanted = target.wanted();
            if answer.is_some() || !self.fetch(source, wanted, parents).await?.any {
                return Ok(());
            }
        }
    }

    /// A view of everything, as this caller sees it.
    pub(crate) fn whole(&self) -> View {
        View { hidden: Vec::new(), derived: true, project: Some(self.caller.project_id.clone()) }
    }

    /// Whether a rule allows something with what is no row of the database.
    pub(crate) fn allows(&self, rule: &str, said: &Map<String, Value>) -> bool {
        self.reduce(rule, &Said(said)).known() == Some(true)
    }

    /// Reads rows that rules ask for.
    pub(crate) async fn fetch(
        &self,
        source: &impl Source,
        wanted: Vec<Wanted>,
        parents: &mut Parents,
    ) -> Result<Fetched, Refusal> {
        let mut fetched = Fetched { any: !wanted.is_empty(), missing: None };
        for one in wanted {
            let id = &one.id;
            let row = match id.contains('\0') {
                true => None,
                false => {
                    source.get(&one.reference.collection, id, &Predicate::always(), &self.whole()).await?
                }
            };
            let read = row.map(|row| serde_json::from_str(&row.json()).unwrap_or_default());
            if read.is_none() {
                fetched.missing = Some(one.reference.no_such_row(id));
            }
            parents.keep(&one, read);
        }
        Ok(fetched)
    }

    fn reduce(&self, rule: &str, target: &dyn Target) -> Residual {
        self.tables.policy.reduce(rule, &self.caller, target)
    }

    /// Whether all rules allow it; none while that depends on what is unknown.
    fn passes(&self, needed: &Needed, target: &dyn Target) -> Option<bool> {
        let mut known = true;
        for rule in &needed.rules {
            match self.reduce(rule, target).known() {
                Some(false) => return Some(false),
                Some(true) => {}
                None => known = false,
            }
        }
        known.then_some(true)
    }

    /// The rules about setting these attributes, in the order and with the
    /// parentheses of Neutron's `_build_match_rule`.
    fn needed<'a>(
        &self,
        resource: &Resource,
        rule: &str,
        given: impl Iterator<Item = (&'a String, &'a Value)>,
    ) -> Needed {
        let mut needed = Needed { rules: vec![rule.to_owned()], text: format!("rule:{rule}") };
        let mut given: Vec<_> = given.collect();
        given.sort_by_key(|(name, _)| *name);
        let has = |name: &str| self.tables.policy.has(name);
        for (name, value) in given {
            let enforced = |a: &Attribute| a.enforce && has(&format!("{rule}:{name}"));
            if !resource.attribute(name).is_some_and(enforced) {
                continue;
            }
            let own = format!("{rule}:{name}");
            let mut below: Vec<String> = Vec::new();
            for member in member_names(value) {
                let member = format!("{own}:{member}");
                if has(&member) && !below.contains(&member) {
                    below.push(member);
                }
            }
            let text = if below.is_empty() {
                format!("rule:{own}")
            } else {
                format!("(rule:{own} and (rule:{}))", below.join(" and rule:"))
            };
            needed.text = format!("({} and {text})", needed.text);
            needed.rules.push(own);
            needed.rules.extend(below);
        }
        needed
    }
}

/// Names of the members of an object, or of the objects of a list.
fn member_names(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(members) => members.keys().map(String::as_str).collect(),
        Value::Array(items) => items.iter().filter(|i| i.is_object()).flat_map(member_names).collect(),
        _ => Vec::new(),
    }
}

/// Both conditions.
pub(crate) fn both(one: Predicate, other: Option<Predicate>) -> Predicate {
    match other {
        None => one,
        Some(other) => Predicate::All(vec![one, other]),
    }
}

/// Rows below that parent.
pub(crate) fn place(resource: &Resource, above: Option<&str>) -> Option<Predicate> {
    let parent = resource.parent.as_ref()?;
    Some(Predicate::equal(&parent.attribute, above?))
}

fn in_place(resource: &Resource, row: &Row, above: Option<&str>) -> bool {
    let (Some(parent), Some(above)) = (&resource.parent, above) else { return true };
    let wanted = Value::from(above).to_string();
    crate::splice::members(&row.document).any(|(name, value)| name == parent.attribute && value == wanted)
}

/// What came of fetching rows that rules ask for.
pub(crate) struct Fetched {
    /// Whether anything was asked for.
    pub(crate) any: bool,
    /// Of one that does not exist.
    missing: Option<Refusal>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::tests::tables;
    use serde_json::json;

    fn access(roles: &[&str]) -> Access {
        let caller = Caller {
            project_id: "p1".into(),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            ..Caller::default()
        };
        let tables = tables();
        let caller = tables.policy.settle(caller);
        Access { tables: Arc::new(tables), caller: Arc::new(caller) }
    }

    fn row(project: &str, document: Value) -> Row {
        Row {
            id: "g1".into(),
            project_id: Some(project.into()),
            revision: 3,
            created_at: "2026-01-31T12:00:00Z".into(),
            updated_at: "2026-01-31T12:00:00Z".into(),
            document: document.to_string(),
            extensions: Vec::new(),
            derived: Vec::new(),
        }
    }

    fn needed(roles: &[&str], body: Value) -> Needed {
        let access = access(roles);
        let gadgets = access.tables.at("gadgets").unwrap();
        access.needed(gadgets, "create_gadget", body.as_object().unwrap().iter())
    }

    #[test]
    fn the_rules_of_a_create_are_written_as_neutron_writes_them() {
        assert_eq!(needed(&[], json!({"name": "x"})).text, "rule:create_gadget");
        assert_eq!(
            needed(&[], json!({"shared": true})).text,
            "(rule:create_gadget and rule:create_gadget:shared)"
        );
        assert_eq!(
            needed(&[], json!({"vendor:kind": "k", "shared": true, "places": [{"room": 1}, {"room": 2}]}))
                .text,
            "(((rule:create_gadget and (rule:create_gadget:places and (rule:create_gadget:places:room))) \
             and rule:create_gadget:shared) and rule:create_gadget:vendor:kind)"
        );
    }

    #[test]
    fn guarded_attributes_are_hidden_from_members_and_by_row_where_the_rule_asks_for_it() {
        let mask = access(&["admin"]).mask(access(&["admin"]).tables.at("gadgets").unwrap());
        assert_eq!((mask.hidden, mask.conditional.len()), (vec!["notes".to_owned()], 0));
        let access = access(&["member"]);
        let gadgets = access.tables.at("gadgets").unwrap();
        let mask = access.mask(gadgets);
        assert_eq!(mask.hidden, ["notes", "vendor:kind"]);
        let others = row("p2", json!({"shared": true, "places": []}));
        assert_eq!(access.hidden_of(gadgets, &mask, &others), ["places"]);
        assert_eq!(access.hidden_of(gadgets, &mask, &row("p1", json!({}))), Vec::<String>::new());
    }

    #[test]
    fn rules_about_the_row_referred_to_wait_until_it_is_fetched() {
        let access = access(&["member"]);
        let gadgets = access.tables.at("gadgets").unwrap();
        let body = json!({"project_id": "p1", "shelf_id": "s1", "places": []});
        let body = body.as_object().unwrap();
        let needed = access.needed(gadgets, "create_gadget", body.iter());
        let mut parents = Parents::default();
        let target = Whole::body(gadgets, body, &parents);
        assert_eq!(access.passes(&needed, &target), None);
        let wanted = target.wanted();
        assert_eq!((wanted.len(), wanted[0].id.as_str()), (1, "s1"));
        assert_eq!(wanted[0].reference.no_such_row("s1").message, "Shelf s1 could not be found.");
        parents.keep(&wanted[0], json!({"project_id": "p1"}).as_object().cloned());
        assert_eq!(access.passes(&needed, &Whole::body(gadgets, body, &parents)), Some(true));
        parents.keep(&wanted[0], json!({"project_id": "p2"}).as_object().cloned());
        assert_eq!(access.passes(&needed, &Whole::body(gadgets, body, &parents)), Some(false));
    }
}
