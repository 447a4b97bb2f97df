//! Rules a manifest must keep, so that everything made from it is sound.

use crate::{
    Action, Attribute, Collection, Computed, Derived, DerivedFrom, Manifest, OnDelete, Rbac, Reference,
    Validator,
};
use std::collections::HashSet;

/// What is wrong with a manifest, as one sentence.
pub type Problem = String;

/// Attributes every collection has, kept by the host.
pub const STANDARD: [&str; 6] =
    ["id", "project_id", "tenant_id", "revision_number", "created_at", "updated_at"];

/// All problems of a manifest; empty when it can be loaded.
pub fn check(manifest: &Manifest) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !is_word(&manifest.name, "-") {
        problems.push(format!(
            "the plugin's name '{}' is not made of lower case letters, digits and '-'",
            manifest.name
        ));
    }
    let (mut names, mut places) = (HashSet::new(), HashSet::new());
    for collection in &manifest.collections {
        if !names.insert(collection.name.as_str()) {
            problems.push(format!("collection '{}' is declared twice", collection.name));
        }
        let above = collection.parent.as_ref().map(|parent| parent.collection.as_str());
        if !collection.private && !places.insert((above, &collection.path_prefix, collection.path())) {
            problems.push(format!("'{}' has the URL of another collection", collection.name));
        }
        check_collection(collection, &mut problems);
        check_view(manifest, collection, &mut problems);
    }
    for extends in &manifest.extends {
        check_attributes(&extends.collection, &extends.attributes, &mut problems);
        check_rbac(&extends.collection, &extends.attributes, None, &mut problems);
        check_computed(&extends.collection, &extends.attributes, &extends.computed, &mut problems);
        check_derived(&extends.collection, &extends.derived, &mut problems);
        check_actions(&extends.collection, None, &extends.actions, &mut problems);
        for reference in &extends.references {
            if !extends.attributes.iter().any(|a| a.name == reference.attribute) {
                problems.push(format!(
                    "a reference added to '{}' names the attribute '{}', which is not among those added",
                    extends.collection, reference.attribute
                ));
            }
            check_refusal(&extends.collection, reference, &mut problems);
        }
    }
    for tick in &manifest.ticks {
        if tick.every_seconds == 0 {
            problems.push(format!("tick '{}' must be at least a second apart", tick.name));
        }
    }
    let mut topics = HashSet::new();
    for topic in &manifest.topics {
        if topic.name.is_empty() || topic.name.len() > 200 {
            problems.push("a topic must have a name, of at most 200 bytes".to_owned());
        }
        if let Some(version) = topic.version.as_deref().filter(|version| !is_version(version)) {
            problems
                .push(format!("the topic '{}' is of version '{version}', which is not as 1.4", topic.name));
        }
        if topic.reads.iter().any(|method| method.is_empty() || method.starts_with('_')) {
            problems.push(format!("the topic '{}' reads by a method that nobody can call", topic.name));
        }
        if !topics.insert((&topic.name, &topic.namespace)) {
            problems.push(format!("the topic '{}' is declared twice in one namespace", topic.name));
        }
    }
    problems
}

/// A major and a minor number.
fn is_version(text: &str) -> bool {
    let number = |part: &str| part.parse::<u32>().is_ok();
    text.split_once('.').is_some_and(|(major, minor)| number(major) && number(minor))
}

fn check_collection(collection: &Collection, problems: &mut Vec<Problem>) {
    let name = &collection.name;
    if !is_word(name, "_") || !is_word(&collection.member, "_") {
        problems.push(format!(
            "collection '{name}' and its member '{}' must be lower case letters, digits and '_'",
            collection.member
        ));
    }
    if collection.called.as_ref().is_some_and(|c| !is_word(&c.collection, "_-") || !is_word(&c.member, "_")) {
        problems.push(format!(
            "what '{name}' is called must be lower case letters, digits and '_', in URLs also '-'"
        ));
    }
    check_attributes(name, &collection.attributes, problems);
    check_rbac(name, &collection.attributes, collection.rbac.as_ref(), problems);
    collection.references.iter().for_each(|reference| check_refusal(name, reference, problems));
    for standard in collection.without.iter().filter(|s| !STANDARD.contains(&s.as_str())) {
        problems.push(format!("'{name}' cannot be without '{standard}'"));
    }
    check_computed(name, &collection.attributes, &collection.computed, problems);
    check_derived(name, &collection.derived, problems);
    check_asks(collection, problems);
    if collection.on_demand
        && (collection.private
            || collection.of.is_some()
            || collection.parent.is_some()
            || collection.first_use)
    {
        problems.push(format!("'{name}' is found on demand, at a URL of its own, and is nothing else"));
    }
    if collection.first_use && collection.private {
        problems.push(format!("'{name}' is private: no project reads it"));
    }
    check_actions(&collection.name, Some(&collection.member), &collection.actions, problems);
    if collection.quota.is_some_and(|quota| quota.default < -1) {
        problems.push(format!("the default quota of '{name}' must be a number of rows, or -1 for no limit"));
    }
    let declared: HashSet<&str> =
        collection.attributes.iter().map(|a| a.name.as_str()).chain(["project_id"]).collect();
    let mut need = |what: &str, attribute: &str| {
        if !declared.contains(attribute) {
            problems
                .push(format!("{what} of '{name}' names the attribute '{attribute}', which is not declared"));
        }
    };
    for key in &collection.keys {
        key.attributes.iter().for_each(|a| need("a key", a));
    }
    for index in &collection.indexes {
        index.iter().for_each(|a| need("an index", a));
    }
    for reference in &collection.references {
        need("a reference", &reference.attribute);
    }
    if let Some(entries) = &collection.entries {
        entries.attributes().iter().for_each(|a| need("what holds entries", a));
    }
    if let Some(named_by) = &collection.named_by {
        need("what names rows", named_by);
    }
    if let Some(parent) = &collection.parent {
        need("the parent", &parent.attribute);
        if !collection.references.iter().any(|r| r.attribute == parent.attribute) {
            problems.push(format!(
                "the parent attribute '{}' of '{name}' is not declared as a reference",
                parent.attribute
            ));
        }
    }
    if let Some(named_by) = &collection.named_by {
        let parent = collection.parent.as_ref().map(|parent| &parent.attribute);
        let unique = |key: &crate::Key| {
            key.attributes.len() == 2
                && [parent, Some(named_by)].iter().flatten().all(|a| key.attributes.contains(a))
        };
        if parent.is_none() || !collection.keys.iter().any(unique) {
            problems.push(format!("'{named_by}' names rows of '{name}', and is not unique below a parent"));
        }
    }
}

fn check_computed(
    collection: &str,
    attributes: &[Attribute],
    computed: &[Computed],
    problems: &mut Vec<Problem>,
) {
    let own: Vec<Attribute> = computed.iter().map(|computed| computed.attribute.clone()).collect();
    check_attributes(collection, &own, problems);
    for attribute in own.iter().filter(|own| attributes.iter().any(|a| a.name == own.name)) {
        problems.push(format!("'{}' of '{collection}' is kept and computed", attribute.name));
    }
}

fn check_asks(collection: &Collection, problems: &mut Vec<Problem>) {
    let name = &collection.name;
    if !collection.asks.is_empty() && collection.computed.is_empty() {
        problems.push(format!("'{name}' is filtered by its plugin, which computes nothing of it"));
    }
    check_attributes(name, &collection.asks, problems);
    for asked in &collection.asks {
        let computed = collection.computed.iter().map(|computed| &computed.attribute);
        if collection.attributes.iter().chain(computed).any(|a| a.name == asked.name) {
            problems.push(format!("'{}' of '{name}' is an attribute, and asked of the plugin", asked.name));
        }
    }
}

fn check_derived(collection: &str, derived: &[Derived], problems: &mut Vec<Problem>) {
    for derived in derived {
        if derived.from == DerivedFrom::Rows(Vec::new()) {
            problems.push(format!("'{}' of '{collection}' shows rows of no collection", derived.name));
        }
    }
}

fn check_view(manifest: &Manifest, collection: &Collection, problems: &mut Vec<Problem>) {
    let name = &collection.name;
    let Some(of) = &collection.of else {
        if collection.writes || collection.attributes.iter().any(|a| a.of.is_some()) {
            problems.push(format!("'{name}' is no view, and says what only views can"));
        }
        return;
    };
    if !manifest.collections.iter().any(|c| c.name == *of && c.of.is_none()) {
        problems.push(format!("'{name}' is a view of '{of}', which is no collection of the plugin"));
    }
    let keeps = !(collection.keys.is_empty()
        && collection.indexes.is_empty()
        && collection.references.is_empty()
        && collection.derived.is_empty()
        && collection.actions.is_empty())
        || collection.quota.is_some()
        || collection.rbac.is_some()
        || collection.entries.is_some()
        || collection.parent.is_some()
        || collection.private;
    if keeps || collection.attributes.iter().any(|a| a.list.is_some() || a.rbac.is_some()) {
        problems.push(format!("'{name}' is a view and keeps nothing of its own"));
    }
}

fn check_refusal(collection: &str, reference: &Reference, problems: &mut Vec<Problem>) {
    let Some(refusal) = &reference.refusal else { return };
    let attribute = &reference.attribute;
    if reference.on_delete != OnDelete::Restrict {
        problems.push(format!("the reference '{attribute}' of '{collection}' never refuses a deletion"));
    }
    if refusal.error.is_empty() || refusal.message.is_empty() {
        problems.push(format!("the refusal of the reference '{attribute}' of '{collection}' says nothing"));
    }
}

fn check_actions(collection: &str, member: Option<&str>, actions: &[Action], problems: &mut Vec<Problem>) {
    let (mut names, mut places) = (HashSet::new(), HashSet::new());
    let row = member.map(|member| format!("{member}_id"));
    for action in actions {
        let (name, path) = (action.name.as_str(), action.path());
        // Statistics leave the ids out of URLs by their places.
        let sound = path.split('/').enumerate().all(|(place, part)| {
            let variable = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            match place.is_multiple_of(2) {
                true => is_word(part, "_-"),
                false => variable.is_some_and(|name| is_word(name, "_")),
            }
        });
        if !sound || !is_word(name, "_-") {
            problems.push(format!(
                "the action '{name}' of '{collection}' must have a name, and a path ('{path}') of words and variables \
                 in turn, of lower case letters, digits, '_' and '-'"
            ));
        }
        if action.variables().any(|variable| Some(variable) == row.as_deref()) {
            problems.push(format!("the action '{name}' of '{collection}' names a variable as its row"));
        }
        if !names.insert(name) || !places.insert((action.verb, path)) {
            problems.push(format!("the action '{name}' of '{collection}' is declared twice"));
        }
    }
}

fn check_attributes(collection: &str, attributes: &[Attribute], problems: &mut Vec<Problem>) {
    let mut seen = HashSet::new();
    for attribute in attributes {
        let name = attribute.name.as_str();
        if name.is_empty()
            || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:-".contains(c))
        {
            problems.push(format!(
                "attribute '{name}' of '{collection}' must be lower case letters, digits, '_', '-' and ':'"
            ));
        }
        if STANDARD.contains(&name) {
            problems.push(format!(
                "attribute '{name}' of '{collection}' is kept by the host and must not be declared"
            ));
        }
        if !seen.insert(name) {
            problems.push(format!("attribute '{name}' of '{collection}' is declared twice"));
        }
        if attribute.list.is_some() && !matches!(attribute.validate, Validator::List { .. }) {
            problems.push(format!("attribute '{name}' of '{collection}' has a list table but is no list"));
        }
        if attribute.any_case && !matches!(attribute.validate, Validator::String { .. }) {
            problems.push(format!("attribute '{name}' of '{collection}' is no text, so has no case"));
        }
    }
}

fn check_rbac(collection: &str, attributes: &[Attribute], rbac: Option<&Rbac>, problems: &mut Vec<Problem>) {
    if let Some(rbac) = rbac
        && (!is_word(&rbac.object_type, "_") || rbac.actions.is_empty())
    {
        problems.push(format!(
            "the object type of '{collection}' must be lower case letters, digits and '_', and have an action"
        ));
    }
    for attribute in attributes {
        let Some(action) = &attribute.rbac else { continue };
        let known = rbac.is_some_and(|rbac| rbac.actions.contains(action));
        if !known || attribute.validate != Validator::Boolean || attribute.index || attribute.list.is_some() {
            problems.push(format!(
                "attribute '{}' of '{collection}' must be a plain boolean about an action of the collection",
                attribute.name
            ));
        }
    }
}

fn is_word(text: &str, also: &str) -> bool {
    !text.is_empty()
        && text.len() <= 48
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || also.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Called, Entries, Extends, Refusal, Verb};

    #[test]
    fn what_entries_decide_is_a_boolean_of_a_known_action() {
        let attribute = |validate: Validator, action: &str| Attribute {
            name: "open".into(),
            validate,
            rbac: Some(action.into()),
            ..Attribute::default()
        };
        let with = |attribute: Attribute| Manifest {
            name: "x".into(),
            collections: vec![Collection {
                name: "things".into(),
                member: "thing".into(),
                attributes: vec![attribute],
                rbac: Some(Rbac { object_type: "thing".into(), actions: vec!["use".into()] }),
                ..Collection::default()
            }],
            ..Manifest::default()
        };
        assert_eq!(check(&with(attribute(Validator::Boolean, "use"))), Vec::<Problem>::new());
        assert_eq!(check(&with(attribute(Validator::Boolean, "sell"))).len(), 1);
        assert_eq!(check(&with(attribute(Validator::Any, "use"))).len(), 1);
    }

    #[test]
    fn two_collections_are_called_the_same_only_in_different_places() {
        let called = |name: &str, prefix: &str| Collection {
            name: name.into(),
            member: "m".into(),
            called: Some(Called { collection: "things".into(), member: "thing".into() }),
            path_prefix: prefix.into(),
            ..Collection::default()
        };
        let wrong = |collections: Vec<Collection>| {
            check(&Manifest { name: "x".into(), collections, ..Manifest::default() }).len()
        };
        assert_eq!(wrong(vec![called("a", "one"), called("b", "two")]), 0);
        assert_eq!(wrong(vec![called("a", "one"), called("b", "one")]), 1);
        let mut shouted = called("a", "");
        shouted.called = Some(Called { collection: "Things".into(), member: "thing".into() });
        assert_eq!(wrong(vec![shouted]), 1);
    }

    #[test]
    fn a_refusal_says_something_and_stands_in_the_way() {
        let with = |on_delete: OnDelete, error: &str| {
            let refusal = Some(Refusal { error: error.into(), message: "{id} is used by {by}".into() });
            let reference =
                Reference { attribute: "owner".into(), collection: "others".into(), on_delete, refusal };
            let extends = Extends {
                collection: "things".into(),
                attributes: vec![Attribute { name: "owner".into(), ..Attribute::default() }],
                references: vec![reference],
                ..Extends::default()
            };
            check(&Manifest { name: "x".into(), extends: vec![extends], ..Manifest::default() }).len()
        };
        assert_eq!(with(OnDelete::Restrict, "Used"), 0);
        assert_eq!(with(OnDelete::Restrict, ""), 1);
        assert_eq!(with(OnDelete::Cascade, "Used"), 1);
    }

    #[test]
    fn a_view_is_of_a_collection_and_keeps_nothing() {
        let attribute = |name: &str, of: Option<&str>| Attribute {
            name: name.into(),
            of: of.map(Into::into),
            ..Attribute::default()
        };
        let wrong = |change: &dyn Fn(&mut Collection)| {
            let collection =
                |name: &str| Collection { name: name.into(), member: "m".into(), ..Collection::default() };
            let mut view = collection("looks");
            view.of = Some("things".into());
            view.attributes.push(attribute("thing_id", Some("id")));
            change(&mut view);
            check(&Manifest {
                name: "x".into(),
                collections: vec![collection("things"), view],
                ..Manifest::default()
            })
            .len()
        };
        assert_eq!(wrong(&|_| ()), 0);
        assert_eq!(wrong(&|view| view.of = Some("nothings".into())), 1);
        assert_eq!(wrong(&|view| view.of = None), 1);
        assert_eq!(wrong(&|view| view.quota = Some(crate::Quota { default: 1 })), 1);
    }

    #[test]
    fn rows_are_named_by_what_is_unique_below_a_parent() {
        let wrong = |key: &[&str]| {
            let attribute = |name: &str| Attribute { name: name.into(), ..Attribute::default() };
            let things =
                Collection { name: "things".into(), member: "thing".into(), ..Collection::default() };
            let parts = Collection {
                name: "parts".into(),
                member: "part".into(),
                parent: Some(crate::Parent { collection: "things".into(), attribute: "thing_id".into() }),
                named_by: Some("place".into()),
                attributes: vec![attribute("thing_id"), attribute("place")],
                references: vec![Reference {
                    attribute: "thing_id".into(),
                    collection: "things".into(),
                    ..Reference::default()
                }],
                keys: vec![crate::Key {
                    name: "place".into(),
                    attributes: key.iter().map(|name| (*name).to_owned()).collect(),
                }],
                ..Collection::default()
            };
            check(&Manifest { name: "x".into(), collections: vec![things, parts], ..Manifest::default() })
                .len()
        };
        assert_eq!((wrong(&["thing_id", "place"]), wrong(&["place"])), (0, 1));
    }

    #[test]
    fn what_is_computed_is_not_kept_too() {
        let attribute = |name: &str| Attribute { name: name.into(), ..Attribute::default() };
        let with = |computed: &str| Manifest {
            name: "x".into(),
            collections: vec![Collection {
                name: "things".into(),
                member: "thing".into(),
                attributes: vec![attribute("kept")],
                computed: vec![attribute(computed).into()],
                ..Collection::default()
            }],
            ..Manifest::default()
        };
        assert_eq!(check(&with("weight")), Vec::<Problem>::new());
        assert_eq!(check(&with("kept")).len(), 1);
        assert_eq!(check(&with("id")).len(), 1);
    }

    #[test]
    fn actions_have_names_and_paths_of_their_own() {
        let action = |name: &str, verb: Verb, path: &str| Action {
            name: name.into(),
            verb,
            path: Some(path.into()),
            takes: None,
        };
        let wrong = |actions: &[Action]| {
            let manifest = Manifest {
                name: "x".into(),
                collections: vec![Collection {
                    name: "things".into(),
                    member: "thing".into(),
                    actions: actions.to_vec(),
                    ..Collection::default()
                }],
                ..Manifest::default()
            };
            check(&manifest).len()
        };
        let (put, take) =
            (action("put", Verb::Create, "parts"), action("take", Verb::Delete, "parts/{part_id}"));
        assert_eq!(wrong(&[put.clone(), take]), 0);
        assert_eq!(wrong(&[put.clone(), put.clone()]), 1);
        let extends = Extends {
            collection: "others".into(),
            actions: vec![put.clone(), put.clone()],
            ..Extends::default()
        };
        assert_eq!(
            check(&Manifest { name: "x".into(), extends: vec![extends], ..Manifest::default() }).len(),
            1
        );
        assert_eq!(wrong(&[put, action("again", Verb::Create, "parts")]), 1);
        for path in ["", "a//b", "a/b", "{a}", "a/{b", "a/{}", "a/{thing_id}", "A", "a/b}"] {
            assert_eq!(wrong(&[action("do", Verb::Update, path)]), 1, "{path}");
        }
    }

    #[test]
    fn entries_name_declared_attributes_and_only_standard_ones_are_left_out() {
        let manifest = Manifest {
            name: "x".into(),
            collections: vec![Collection {
                name: "things".into(),
                member: "thing".into(),
                without: vec!["name".into(), "created_at".into()],
                entries: Some(Entries { target: "project_id".into(), ..Entries::default() }),
                ..Collection::default()
            }],
            ..Manifest::default()
        };
        assert_eq!(check(&manifest).len(), 4);
    }
}
