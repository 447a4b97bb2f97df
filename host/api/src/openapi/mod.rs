//! The description of the API: OpenAPI 3.1, from the tables that requests are
//! routed and checked by, so that the two cannot disagree.
//!
//! It is made once for each set of plugins, when it is first asked for. It is
//! shown to everybody, as `GET /` is: it holds the names of resources,
//! attributes and rules, and nothing of what is in them.

mod answers;
mod beyond;
mod documents;
mod kept;
mod operations;
mod page;
mod parameters;
mod rows;
mod schema;
mod words;

pub(crate) use page::page;

use crate::auth::Auth;
use crate::routes::{self, Meaning};
use crate::tables::Tables;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use words::Words;

/// What the description says about itself.
const ABOUT: &str = "\
OpenStack Networking API v2.0, and what the loaded plugins add to it.\n\n\
Texts must not hold the character NUL, and bodies are at most 8 MiB and 128 levels deep. A path may end \
with `/` or `.json`. Attributes that a policy rule guards (`x-hadron-policy`) are refused or left out \
where the rule does not allow them.";

/// Operations of one path by method.
type Operations = Vec<(&'static str, Value)>;

/// What all parts of the document are made from.
struct Context<'a> {
    tables: &'a Tables,
    words: &'a Words,
    auth: &'a Auth,
}

/// A document that is made once and answered often.
pub(crate) struct Served {
    media: &'static str,
    text: Bytes,
    etag: String,
    policy: Option<HeaderValue>,
}

impl Served {
    fn new(media: &'static str, text: impl Into<Bytes>) -> Served {
        let text = text.into();
        let etag = format!("\"{}\"", short(&Sha256::digest(&text)));
        Served { media, text, etag, policy: None }
    }

    /// The answer, which is short for a caller who has the document already.
    pub(crate) fn answer(&self, headers: &HeaderMap) -> Response {
        let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut tags = known.flat_map(|list| list.split(','));
        let has = tags.any(|tag| ["*", &self.etag].contains(&tag.trim().trim_start_matches("W/")));
        let mut response = match has {
            true => Response::new(Body::empty()),
            false => Response::new(Body::from(self.text.clone())),
        };
        if has {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let answered = response.headers_mut();
        answered.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media));
        answered.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // To be asked for again each time: plugins come and go.
        answered.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            answered.insert(header::ETAG, etag);
        }
        if let Some(policy) = &self.policy {
            answered.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        }
        response
    }
}

fn short(digest: &[u8]) -> String {
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// `GET /openapi.json`.
pub(crate) fn description(tables: &Tables, auth: &Auth) -> Served {
    Served::new("application/json", document(tables, auth).to_string())
}

fn document(tables: &Tables, auth: &Auth) -> Value {
    let words = Words::of(tables);
    let context = Context { tables, words: &words, auth };
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {"title": "Hadron", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT},
        "servers": [{"url": "/"}],
        "security": security(auth),
        "tags": tags(tables),
        "paths": paths(&context),
        "components": {
            "schemas": schemas(&context),
            "responses": answers::refusals(),
            "headers": answers::headers(),
            "securitySchemes": schemes(auth),
        },
    })
}

fn tags(tables: &Tables) -> Vec<Value> {
    let resources = tables.all().map(|resource| {
        json!({"name": resource.collection(), "description": format!("Of the plugin {}.", resource.id.0.plugin)})
    });
    let own = [
        json!({"name": kept::TAG, "description": "How much a project may have, and has."}),
        json!({"name": beyond::TAG, "description": "Batches, and a stream of changes."}),
        json!({"name": documents::TAG, "description": "About the server itself."}),
    ];
    resources.chain(own).collect()
}

fn paths(context: &Context<'_>) -> Map<String, Value> {
    let mut paths = Map::new();
    for (path, operations) in documents::open(context) {
        paths.insert(path.to_owned(), path_item(path, operations));
    }
    for (path, meaning) in routes::all(context.tables, |resource| context.words.word(resource)) {
        let operations = match &meaning {
            Meaning::Index => documents::index(context),
            Meaning::Extensions => documents::extensions(context),
            Meaning::Extension(_) => documents::extension(context),
            Meaning::Batch => beyond::batch(context),
            Meaning::Watch => beyond::watch(context),
            Meaning::Collection(place) => operations::collection(context, place),
            Meaning::Item(place, _) => operations::item(context, place),
            Meaning::Quotas => kept::quotas(context),
            Meaning::Quota(_) => kept::quota(context),
            Meaning::DefaultQuota(_) => kept::default_quota(context),
            Meaning::QuotaDetails(_) => kept::quota_details(context),
            Meaning::OwnProject(word) => kept::own_project(context, word),
            Meaning::Tags(place, _) => kept::tags(context, place),
            Meaning::Tag(place, ..) => kept::tag(context, place),
            Meaning::Action(place, _, told) => {
                let path = told.join("/");
                let there = place.resource.actions.iter().filter(|action| action.path() == path);
                there.map(|action| operations::action(context, place, action)).collect()
            }
        };
        let item = path_item(&path, operations);
        paths.insert(path, item);
    }
    paths
}

/// Operations of a path, with the parameters that its braces name.
fn path_item(path: &str, operations: Operations) -> Value {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let parameters: Vec<Value> = names.map(parameters::id).collect();
    let mut item = Map::new();
    if !parameters.is_empty() {
        item.insert("parameters".to_owned(), json!(parameters));
    }
    item.extend(operations.into_iter().map(|(method, operation)| (method.to_owned(), operation)));
    Value::from(item)
}

fn schemas(context: &Context<'_>) -> Map<String, Value> {
    let owned = |(name, schema): (&str, Value)| (name.to_owned(), schema);
    let mut all: Map<String, Value> =
        schema::named().into_iter().chain(answers::schemas()).map(owned).collect();
    for resource in context.tables.all() {
        all.extend(rows::schemas(context.tables, context.words, resource));
    }
    all
}

/// How callers say who they are.
fn schemes(auth: &Auth) -> Value {
    match auth {
        Auth::None => json!({}),
        Auth::HttpBasic(_) => json!({"basic": {"type": "http", "scheme": "basic"}}),
        Auth::Keystone(_) => json!({"keystone": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}}),
    }
}

fn security(auth: &Auth) -> Value {
    let names = schemes(auth);
    let names = names.as_object().into_iter().flatten().map(|(name, _)| json!({name: []}));
    Value::from(names.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::CONTROL;
    use crate::tables::tests::tables;
    use hadron_manifest::Manifest;
    use std::collections::HashSet;

    fn each<'a>(value: &'a Value, found: &mut impl FnMut(&'a str, &'a Value)) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, member)| {
                found(name, member);
                each(member, found);
            }),
            Value::Array(items) => items.iter().for_each(|item| each(item, found)),
            _ => {}
        }
    }

    fn operation_ids(document: &Value) -> Vec<String> {
        let mut all = Vec::new();
        for item in document["paths"].as_object().unwrap().values() {
            let operations = item.as_object().unwrap().values().filter_map(|o| o.get("operationId"));
            all.extend(operations.map(|id| id.as_str().unwrap().to_owned()));
        }
        all
    }

    #[test]
    fn whatever_is_referred_to_is_there() {
        let document = document(&tables(), &Auth::None);
        let mut count = 0;
        let all = operation_ids(&document);
        let ids: HashSet<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(ids.len(), all.len());
        each(&document, &mut |name, value| {
            if name == "$ref" {
                let pointer = value.as_str().unwrap().trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{pointer}");
                count += 1;
            }
        });
        assert!(count > 50, "{count}");
        assert!(
            ids.contains("polish_gadget") && ids.contains("weigh_gadget") && ids.contains("list_shelves")
        );
        let friends = &document["paths"]["/v2.0/gadgets/{gadget_id}/friends"]["post"];
        let body = &friends["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body["required"], json!(["friend"]));
        assert_eq!(body["properties"]["friend"]["required"], json!(["id"]));
        assert!(friends["responses"].get("201").is_some());
        let friend = &document["paths"]["/v2.0/gadgets/{gadget_id}/friends/{friend_id}"];
        assert_eq!(friend["delete"]["operationId"], "forget_gadget");
        assert_eq!(friend["parameters"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_is_hidden_is_not_told() {
        let document = document(&tables(), &Auth::None);
        let gadget = &document["components"]["schemas"]["Gadget"]["properties"];
        assert!(gadget.get("notes").is_none());
        assert_eq!(gadget["acme:colour"], json!({"enum": ["red", "blue"]}));
        assert_eq!(gadget["status"]["readOnly"], true);
        assert_eq!(gadget["vendor:kind"]["x-hadron-policy"], "get_gadget:vendor:kind");
        assert!(!document.to_string().contains("notes"));
    }

    #[test]
    fn every_parameter_of_a_list_is_told() {
        let document = document(&tables(), &Auth::None);
        let parameters = document.pointer("/paths/~1v2.0~1gadgets/get/parameters").unwrap();
        let names: Vec<&str> =
            parameters.as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
        for name in
            CONTROL.into_iter().chain(["acme:colour", "places", "labels", "tenant_id", "revision_number"])
        {
            assert!(names.contains(&name), "{name} is not among {names:?}");
        }
        assert!(!names.contains(&"notes") && !names.contains(&"created_at"));
        let places = parameters.as_array().unwrap().iter().find(|p| p["name"] == "places").unwrap();
        assert_eq!(places["schema"]["items"]["pattern"], "^\\s*(room|ip_address)(_substr)?\\s*=");
    }

    #[test]
    fn operations_of_plugins_that_use_the_same_word_are_told_apart() {
        let manifest = |plugin: &str, plural: &str| -> Manifest {
            let collection = json!({"name": plural, "member": "thing", "attributes": []});
            serde_json::from_value(json!({"name": plugin, "collections": [collection]})).unwrap()
        };
        let (one, two) = (manifest("one", "things"), manifest("two", "stuff"));
        let (tables, _) = Tables::of(&[&one, &two], 1, &crate::rule_file::Overrides::default());
        let document = document(&tables, &Auth::None);
        let paths = &document["paths"];
        assert_eq!(paths["/v2.0/things"]["post"]["operationId"], "create_thing");
        assert_eq!(paths["/v2.0/stuff"]["post"]["operationId"], "create_thing_of_stuff");
        assert!(paths.get("/v2.0/stuff/{thing_of_stuff_id}").is_some());
        assert!(document["components"]["schemas"].get("ThingOfStuffCreate").is_some());
    }

    #[test]
    fn a_caller_who_has_the_document_is_told_so() {
        let served = Served::new("application/json", "{}");
        let asked = |value: &str| HeaderMap::from_iter([(header::IF_NONE_MATCH, value.parse().unwrap())]);
        let status = |headers: HeaderMap| served.answer(&headers).status();
        assert_eq!(status(HeaderMap::new()), StatusCode::OK);
        assert_eq!(status(asked(&served.etag)), StatusCode::NOT_MODIFIED);
        assert_eq!(status(asked(&format!("\"x\", W/{}", served.etag))), StatusCode::NOT_MODIFIED);
        assert_eq!(status(asked("\"x\"")), StatusCode::OK);
    }
}
