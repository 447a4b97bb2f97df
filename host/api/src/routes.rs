//! What a path means.
//!
//! `/v2.0/{collection}`, `/v2.0/{collection}/{id}`, the same for child
//! collections below an id, tags, and actions below a row. A trailing slash and
//! a `.json` at the end change nothing, as in Neutron.

use crate::tables::{Resource, Tables};
use hadron_manifest::{Action, TAGS};
use std::sync::Arc;

/// What a path below `/v2.0` means.
#[derive(Debug)]
pub(crate) enum Meaning {
    /// `/v2.0/`: the core resources.
    Index,
    /// `/v2.0/extensions`.
    Extensions,
    /// `/v2.0/extensions/{alias}`.
    Extension(String),
    /// `/v2.0/batch`.
    Batch,
    /// `/v2.0/watch`.
    Watch,
    /// `/v2.0/quotas`.
    Quotas,
    /// A project's limits.
    Quota(String),
    /// Those of a project that has none of its own.
    DefaultQuota(String),
    /// A project's limits, and what it uses.
    QuotaDetails(String),
    /// `/v2.0/quotas/project`, and its older name.
    OwnProject(String),
    /// All rows of a place.
    Collection(Place),
    /// One row.
    Item(Place, String),
    /// The tags of a row.
    Tags(Place, String),
    /// One of them.
    Tag(Place, String, String),
    /// Something a row can be told or asked: what follows its id.
    Action(Place, String, Vec<String>),
}

/// A collection, and for a child the parent's id.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The resource.
    pub(crate) resource: Arc<Resource>,
    /// The id in the URL of the row it hangs under.
    pub(crate) above: Option<String>,
}

/// The meaning of a whole path that starts with `/v2.0/`; none is a 404.
pub(crate) fn meaning(tables: &Tables, path: &str) -> Option<Meaning> {
    let rest = path.strip_prefix("/v2.0/")?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() {
        return Some(Meaning::Index);
    }
    let rest = rest.strip_suffix(".json").unwrap_or(rest);
    let parts: Vec<String> = rest.split('/').map(decode).collect::<Option<_>>()?;
    match parts.as_slice() {
        [one] if one == "extensions" => return Some(Meaning::Extensions),
        [one] if one == "batch" => return Some(Meaning::Batch),
        [one] if one == "watch" => return Some(Meaning::Watch),
        [one, alias] if one == "extensions" => return Some(Meaning::Extension(alias.clone())),
        [one, rest @ ..] if one == "quotas" => return quotas(rest),
        _ => {}
    }
    let (resource, below) = top(tables, &parts).or_else(|| tagged(tables, &parts))?;
    below_place(tables, Place { resource, above: None }, below)
}

/// Every path there is, with `{…}` for what varies (`word` names a resource),
/// and its meaning.
pub(crate) fn all<'a>(tables: &'a Tables, word: impl Fn(&'a Resource) -> &'a str) -> Vec<(String, Meaning)> {
    let mut paths = vec![
        ("/v2.0/".to_owned(), Meaning::Index),
        ("/v2.0/extensions".to_owned(), Meaning::Extensions),
        ("/v2.0/extensions/{alias}".to_owned(), Meaning::Extension("{alias}".to_owned())),
        ("/v2.0/batch".to_owned(), Meaning::Batch),
        ("/v2.0/watch".to_owned(), Meaning::Watch),
        ("/v2.0/quotas".to_owned(), Meaning::Quotas),
        ("/v2.0/quotas/tenant".to_owned(), Meaning::OwnProject("tenant".to_owned())),
        ("/v2.0/quotas/project".to_owned(), Meaning::OwnProject("project".to_owned())),
    ];
    let project = || "{project}".to_owned();
    for (last, meaning) in [
        ("", Meaning::Quota(project())),
        ("/default", Meaning::DefaultQuota(project())),
        ("/details", Meaning::QuotaDetails(project())),
    ] {
        paths.push((format!("/v2.0/quotas/{{project}}{last}"), meaning));
    }
    for resource in tables.all() {
        let (mut parts, mut above) = (vec![resource.path.clone()], None);
        let mut below = resource.as_ref();
        while let Some(parent) = &below.parent {
            let id = format!("{{{}_id}}", word(&parent.resource));
            parts.extend([id.clone(), parent.resource.path.clone()]);
            above = above.or(Some(id));
            below = &parent.resource;
        }
        parts.reverse();
        let place = Place { resource: resource.clone(), above };
        let path = format!("/v2.0/{}", parts.join("/"));
        let id = format!("{{{}_id}}", word(resource));
        let item = format!("{path}/{id}");
        if !resource.on_demand {
            paths.push((path, Meaning::Collection(place.clone())));
        }
        let mut told: Vec<&str> = resource.actions.iter().map(Action::path).collect();
        told.sort_unstable();
        told.dedup();
        for told in told {
            let parts = told.split('/').map(str::to_owned).collect();
            paths.push((format!("{item}/{told}"), Meaning::Action(place.clone(), id.clone(), parts)));
        }
        if resource.tags {
            let tag = "{tag}".to_owned();
            paths.push((format!("{item}/{TAGS}"), Meaning::Tags(place.clone(), id.clone())));
            paths.push((format!("{item}/{TAGS}/{tag}"), Meaning::Tag(place.clone(), id.clone(), tag)));
        }
        paths.push((item, Meaning::Item(place, id)));
    }
    paths
}

/// Below `/v2.0/quotas`.
fn quotas(parts: &[String]) -> Option<Meaning> {
    match parts {
        [] => Some(Meaning::Quotas),
        [word] if word == "tenant" || word == "project" => Some(Meaning::OwnProject(word.clone())),
        [project] => Some(Meaning::Quota(project.clone())),
        [project, word] if word == "default" => Some(Meaning::DefaultQuota(project.clone())),
        [project, word] if word == "details" => Some(Meaning::QuotaDetails(project.clone())),
        _ => None,
    }
}

/// A path that has a meaning with its ids left out, as statistics name it: the
/// first part is a word, or the first two where a resource's path has two, and
/// from there ids and words take turns. However a client encodes it, it is the
/// same.
pub(crate) fn template(tables: &Tables, path: &str) -> String {
    let rest = path.strip_prefix("/v2.0/").unwrap_or_default();
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let rest = rest.strip_suffix(".json").unwrap_or(rest);
    let parts: Vec<String> = rest.split('/').filter_map(decode).collect();
    let words = top(tables, &parts).map_or(1, |(_, below)| parts.len() - below.len());
    let mut template = "/v2.0".to_owned();
    for (place, part) in parts.iter().enumerate() {
        let is_id = place >= words && (place - words).is_multiple_of(2);
        template.push('/');
        template.push_str(if is_id { "{id}" } else { part });
    }
    template
}

/// The resource that the first parts name, and the parts after it.
fn top<'a>(tables: &Tables, parts: &'a [String]) -> Option<(Arc<Resource>, &'a [String])> {
    let (first, rest) = parts.split_first()?;
    if let Some(resource) = tables.at(first) {
        return Some((resource.clone(), rest));
    }
    let (second, rest) = rest.split_first()?;
    tables.at(&format!("{first}/{second}")).map(|resource| (resource.clone(), rest))
}

/// The same where they name it without what its URL starts with, and tags follow.
fn tagged<'a>(tables: &Tables, parts: &'a [String]) -> Option<(Arc<Resource>, &'a [String])> {
    let (first, rest) = parts.split_first()?;
    let resource = tables.tagged(first).filter(|_| rest.get(1).is_some_and(|word| word == TAGS))?;
    Some((resource.clone(), rest))
}

fn below_place(tables: &Tables, place: Place, parts: &[String]) -> Option<Meaning> {
    match parts {
        [] => Some(Meaning::Collection(place)),
        [id] => Some(Meaning::Item(place, id.clone())),
        [id, told @ ..] => {
            let (word, rest) = told.split_first()?;
            if let Some(child) = tables.child(&place.resource, word) {
                return below_place(tables, Place { resource: child.clone(), above: Some(id.clone()) }, rest);
            }
            if word == TAGS && place.resource.tags {
                return match rest {
                    [] => Some(Meaning::Tags(place, id.clone())),
                    [tag] => Some(Meaning::Tag(place, id.clone(), tag.clone())),
                    _ => None,
                };
            }
            let known = place.resource.actions.iter().any(|action| action.values(told).is_some());
            known.then(|| Meaning::Action(place, id.clone(), told.to_vec()))
        }
    }
}

/// Undoes percent-encoding; none when what comes out is no UTF-8.
fn decode(part: &str) -> Option<String> {
    if !part.contains('%') {
        return Some(part.to_owned());
    }
    let mut out = Vec::with_capacity(part.len());
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |b: u8| char::from(b).to_digit(16);
        let (high, low) = (bytes.next().and_then(digit)?, bytes.next().and_then(digit)?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::tests::tables;
    use proptest::prelude::*;

    fn told(path: &str) -> String {
        tell(meaning(&tables(), path))
    }

    fn tell(meaning: Option<Meaning>) -> String {
        let place = |p: &Place| match &p.above {
            Some(id) => format!("{} of {id}", p.resource.name),
            None => p.resource.name.clone(),
        };
        match meaning {
            None => "nothing".to_owned(),
            Some(Meaning::Index) => "index".to_owned(),
            Some(Meaning::Extensions) => "extensions".to_owned(),
            Some(Meaning::Extension(alias)) => format!("extension {alias}"),
            Some(Meaning::Batch) => "batch".to_owned(),
            Some(Meaning::Watch) => "watch".to_owned(),
            Some(Meaning::Quotas) => "quotas".to_owned(),
            Some(Meaning::Quota(p)) => format!("quota of {p}"),
            Some(Meaning::DefaultQuota(p)) => format!("default quota of {p}"),
            Some(Meaning::QuotaDetails(p)) => format!("details of {p}"),
            Some(Meaning::OwnProject(word)) => format!("own {word}"),
            Some(Meaning::Collection(p)) => format!("all {}", place(&p)),
            Some(Meaning::Item(p, id)) => format!("{id} in {}", place(&p)),
            Some(Meaning::Tags(p, id)) => format!("tags of {id} in {}", place(&p)),
            Some(Meaning::Tag(p, id, tag)) => format!("tag {tag} of {id} in {}", place(&p)),
            Some(Meaning::Action(p, id, action)) => format!("{} {id} in {}", action.join("/"), place(&p)),
        }
    }

    #[test]
    fn paths_mean_what_neutron_means_by_them() {
        for (path, meaning) in [
            ("/v2.0/", "index"),
            ("/v2.0", "nothing"),
            ("/v2.0/extensions", "extensions"),
            ("/v2.0/extensions/", "extensions"),
            ("/v2.0/extensions/polish", "extension polish"),
            ("/v2.0/batch", "batch"),
            ("/v2.0/watch", "watch"),
            ("/v2.0/gadgets", "all gadgets"),
            ("/v2.0/gadgets/", "all gadgets"),
            ("/v2.0/gadgets.json", "all gadgets"),
            ("/v2.0/gadgets/1", "1 in gadgets"),
            ("/v2.0/gadgets/1.json", "1 in gadgets"),
            ("/v2.0/gadgets/a%20b", "a b in gadgets"),
            ("/v2.0/gadgets/%zz", "nothing"),
            ("/v2.0/gadgets/1/parts", "all parts of 1"),
            ("/v2.0/gadgets/1/parts/2", "2 in parts of 1"),
            ("/v2.0/gadgets/1/polish", "polish 1 in gadgets"),
            ("/v2.0/gadgets/1/nosuch", "nothing"),
            ("/v2.0/gadgets/1/polish/2", "nothing"),
            ("/v2.0/gadgets/1/friends", "friends 1 in gadgets"),
            ("/v2.0/gadgets/1/friends/2.json", "friends/2 1 in gadgets"),
            ("/v2.0/gadgets/1/friends/2/3", "nothing"),
            ("/v2.0/gadgets/1/befriend", "nothing"),
            ("/v2.0/gadgets/1/tags", "tags of 1 in gadgets"),
            ("/v2.0/gadgets/1/tags/a%2Fb", "tag a/b of 1 in gadgets"),
            ("/v2.0/gadgets/1/tags/a/b", "nothing"),
            ("/v2.0/store/shelves/3/tags", "nothing"),
            ("/v2.0/gadgets/1/parts/2/tags/a", "tag a of 2 in parts of 1"),
            ("/v2.0/store/shelves/3", "3 in shelves"),
            ("/v2.0/store/print_outs/3", "3 in print_outs"),
            ("/v2.0/store/print_outs/3/ink_stamps/4", "4 in ink_stamps of 3"),
            ("/v2.0/store/print_outs/3/tags/a", "tag a of 3 in print_outs"),
            ("/v2.0/print_outs/3/tags", "tags of 3 in print_outs"),
            ("/v2.0/print_outs/3", "nothing"),
            ("/v2.0/print_outs/3/ink_stamps", "nothing"),
            ("/v2.0/quotas", "quotas"),
            ("/v2.0/quotas/p1", "quota of p1"),
            ("/v2.0/quotas/p1/default", "default quota of p1"),
            ("/v2.0/quotas/p1/details.json", "details of p1"),
            ("/v2.0/quotas/tenant", "own tenant"),
            ("/v2.0/quotas/p1/nosuch", "nothing"),
            ("/v2.0/store", "nothing"),
            ("/v2.0/parts", "nothing"),
        ] {
            assert_eq!(told(path), meaning, "{path}");
        }
    }

    #[test]
    fn every_path_there_is_means_what_it_says() {
        let tables = tables();
        let all = all(&tables, |resource| &resource.member);
        let paths: Vec<&str> = all.iter().map(|(path, _)| path.as_str()).collect();
        for path in [
            "/v2.0/store/shelves",
            "/v2.0/gadgets/{gadget_id}/polish",
            "/v2.0/gadgets/{gadget_id}/friends/{friend_id}",
            "/v2.0/gadgets/{gadget_id}/parts/{part_id}",
        ] {
            assert!(paths.contains(&path), "{path} is not among {paths:?}");
        }
        for (path, meaning) in all {
            assert_eq!(told(&path), tell(Some(meaning)), "{path}");
        }
    }

    #[test]
    fn a_template_has_the_words_of_a_path_and_none_of_its_ids() {
        for (path, expected) in [
            ("/v2.0/", "/v2.0/"),
            ("/v2.0/extensions", "/v2.0/extensions"),
            ("/v2.0/extensions/polish", "/v2.0/extensions/{id}"),
            ("/v2.0/gadgets.json", "/v2.0/gadgets"),
            ("/v2.0/gadgets/1/", "/v2.0/gadgets/{id}"),
            ("/v2.0/gadgets/1/parts/2", "/v2.0/gadgets/{id}/parts/{id}"),
            ("/v2.0/gadgets/1/polish", "/v2.0/gadgets/{id}/polish"),
            ("/v2.0/gadgets/1/friends/2", "/v2.0/gadgets/{id}/friends/{id}"),
            ("/v2.0/store/shelves/3", "/v2.0/store/shelves/{id}"),
        ] {
            assert_eq!(template(&tables(), path), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in "[/a-z0-9%.ß]{0,40}") {
            drop(meaning(&tables(), &format!("/v2.0/{path}")));
        }

        /// However an id is written, it is that id.
        #[test]
        fn encoded_ids_are_found_again(id in "[^/]{1,9}") {
            let encoded: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(told(&format!("/v2.0/gadgets/{encoded}/")), format!("{id} in gadgets"));
        }

        #[test]
        fn what_is_no_text_is_no_path(bytes in prop::collection::vec(any::<u8>(), 1..9)) {
            let encoded: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
            let found = told(&format!("/v2.0/gadgets/{encoded}"));
            prop_assert_eq!(found == "nothing", std::str::from_utf8(&bytes).is_err());
        }
    }
}
