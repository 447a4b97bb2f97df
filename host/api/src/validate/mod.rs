//! Request bodies against the declarations, in the order of Neutron's checks:
//! project, unknown attributes, what may be given, defaults, values.

mod values;

pub(crate) use values::{Fault, convert};

use crate::error::{bad_request, invalid_input};
use crate::python;
use crate::tables::{Resource, STANDARD};
use hadron_manifest::Attribute;
use hadron_runtime::{Caller, Refusal};
use serde_json::{Map, Value};

/// Longest project id, in characters (Neutron's PROJECT_ID_FIELD_SIZE).
const PROJECT_LENGTH: usize = 255;

/// The body of a create, checked and with defaults filled in. `above` is the
/// parent's id from the URL of a child collection.
pub(crate) fn create(
    resource: &Resource,
    caller: &Caller,
    mut body: Map<String, Value>,
    above: Option<&str>,
) -> Result<Map<String, Value>, Refusal> {
    let project = project(resource, caller, &mut body)?;
    refuse_unknown(resource, &body)?;
    let refuse = |name: &str| bad_request(format!("Attribute '{name}' not allowed in POST"));
    if let Some(name) = kept_by_host(resource).find(|name| body.contains_key(*name)) {
        return Err(refuse(name));
    }
    let mut out = Map::with_capacity(resource.attributes.len() + 1);
    out.insert("project_id".to_owned(), Value::from(project));
    // The parent's id comes from the URL and is checked by looking for the row.
    let parent = resource.parent.as_ref().zip(above).map(|(parent, id)| (parent.attribute.as_str(), id));
    for attribute in &resource.attributes {
        let given = body.remove(&attribute.name);
        if parent.is_some_and(|(name, _)| name == attribute.name) {
            if given.is_some() {
                return Err(refuse(&attribute.name));
            }
            continue;
        }
        match given {
            Some(_) if !attribute.post => return Err(refuse(&attribute.name)),
            Some(value) => {
                out.insert(attribute.name.clone(), value);
            }
            None if attribute.required => {
                return Err(missing(&attribute.name));
            }
            None => {
                if let Some(default) = &attribute.default {
                    out.insert(attribute.name.clone(), default.clone());
                }
            }
        }
    }
    let mut out = convert_all(resource, out)?;
    if let Some((name, id)) = parent {
        out.insert(name.to_owned(), Value::from(id));
    }
    Ok(out)
}

/// The body of an update, checked.
pub(crate) fn update(
    resource: &Resource,
    caller: &Caller,
    mut body: Map<String, Value>,
) -> Result<Map<String, Value>, Refusal> {
    let owned = body.contains_key("project_id") || body.contains_key("tenant_id");
    if owned {
        project(resource, caller, &mut body)?;
    }
    refuse_unknown(resource, &body)?;
    let refuse = |name: &str| bad_request(format!("Cannot update read-only attribute {name}"));
    // Neutron finds the older name of the two first.
    if owned {
        return Err(refuse("tenant_id"));
    }
    if let Some(name) = kept_by_host(resource).find(|name| body.contains_key(*name)) {
        return Err(refuse(name));
    }
    let fixed = |a: &&Attribute| body.contains_key(&a.name) && !a.put;
    if let Some(attribute) = resource.attributes.iter().find(fixed) {
        return Err(refuse(&attribute.name));
    }
    convert_all(resource, body)
}

/// The project of a caller that has one: a token for a domain or for the system
/// has none.
fn own_project(caller: &Caller) -> Result<Option<String>, Refusal> {
    match caller.project_id.as_str() {
        "" => Err(bad_request("Running without keystone AuthN requires that tenant_id is specified")),
        own => Ok(Some(own.to_owned())),
    }
}

/// The project a new row is to belong to, if to any; takes both names out of
/// the body.
fn project(
    resource: &Resource,
    caller: &Caller,
    body: &mut Map<String, Value>,
) -> Result<Option<String>, Refusal> {
    let (new, old) = (body.remove("project_id"), body.remove("tenant_id"));
    if let (Some(new), Some(old)) = (&new, &old)
        && new != old
    {
        return Err(bad_request("'project_id' and 'tenant_id' do not match"));
    }
    let given = match new.or(old) {
        None => return own_project(caller),
        Some(given) => given,
    };
    let name = match given.as_str() {
        Some("") => return own_project(caller),
        None if given.is_null() && resource.ownerless => None,
        Some(text) if text.chars().count() <= PROJECT_LENGTH => Some(text.to_owned()),
        Some(text) => {
            return Err(bad_request(format!(
                "Invalid input for project_id. Reason: '{text}' exceeds maximum length of {PROJECT_LENGTH}."
            )));
        }
        None => {
            return Err(bad_request(format!(
                "Invalid input for project_id. Reason: '{}' is not a valid string.",
                python::text(&given)
            )));
        }
    };
    if name.as_ref() != Some(&caller.project_id) && !(caller.is_admin || caller.can_set_project_id) {
        return Err(bad_request(
            "Specifying 'project_id' other than the authenticated project in request is not allowed for the \
             current user.",
        ));
    }
    Ok(name)
}

/// Names of attributes that the host, or the plugin when asked, fills in.
fn kept_by_host(resource: &Resource) -> impl Iterator<Item = &str> {
    let standard = STANDARD.iter().map(|(name, _)| *name);
    let computed = resource.computed.iter().map(|c| &c.attribute).filter(|a| !a.hidden);
    let computed = computed.map(|a| a.name.as_str());
    standard.chain(resource.derived.iter().map(|d| d.name.as_str())).chain(computed)
}

/// What an action takes, checked and with defaults filled in.
pub(crate) fn taken(
    attributes: &[Attribute],
    mut body: Map<String, Value>,
) -> Result<Map<String, Value>, Refusal> {
    refuse_others(&body, |name| attributes.iter().any(|a| a.name == name))?;
    let mut out = Map::with_capacity(attributes.len());
    for attribute in attributes {
        let name = &attribute.name;
        let value = match body.remove(name) {
            None if attribute.required => return Err(missing(name)),
            None => attribute.default.clone(),
            Some(given) => {
                let converted = convert(&attribute.validate, attribute.nullable, given);
                Some(converted.map_err(|fault| refusal(name, fault))?)
            }
        };
        out.extend(value.map(|value| (name.clone(), value)));
    }
    Ok(out)
}

fn missing(name: &str) -> Refusal {
    bad_request(format!("Failed to parse request. Required attribute '{name}' not specified"))
}

fn refuse_unknown(resource: &Resource, body: &Map<String, Value>) -> Result<(), Refusal> {
    // What is given once and never shown is known, too.
    let is_given = |name: &str| resource.attribute(name).is_some_and(|a| a.post || a.put);
    refuse_others(body, |name| is_given(name) || resource.shown.iter().any(|shown| shown == name))
}

fn refuse_others(body: &Map<String, Value>, known: impl Fn(&str) -> bool) -> Result<(), Refusal> {
    let unknown: Vec<&str> = body.keys().map(String::as_str).filter(|name| !known(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(bad_request(format!("Unrecognized attribute(s) '{}'", unknown.join(", "))))
}

fn convert_all(resource: &Resource, body: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let mut out = Map::with_capacity(body.len());
    for (name, value) in body {
        let value = match resource.attribute(&name) {
            None => value,
            Some(a) => convert(&a.validate, a.nullable, value).map_err(|fault| refusal(&name, fault))?,
        };
        out.insert(name, value);
    }
    Ok(out)
}

/// The answer for a value that does not fit.
pub(crate) fn refusal(attribute: &str, fault: Fault) -> Refusal {
    match fault {
        Fault::Reason(reason) => bad_request(format!("Invalid input for {attribute}. Reason: {reason}.")),
        Fault::Conversion(reason) => invalid_input(&reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::tests::tables;
    use serde_json::json;

    fn admin() -> Caller {
        Caller { project_id: "p1".into(), is_admin: true, roles: vec!["admin".into()], ..Caller::default() }
    }

    fn member() -> Caller {
        Caller { project_id: "p1".into(), roles: vec!["member".into()], ..Caller::default() }
    }

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn made(caller: &Caller, body: Value) -> Result<Value, String> {
        let tables = tables();
        create(tables.at("gadgets").unwrap(), caller, object(body), None)
            .map(Value::from)
            .map_err(|r| r.message)
    }

    fn changed(body: Value) -> Result<Value, String> {
        let tables = tables();
        update(tables.at("gadgets").unwrap(), &admin(), object(body)).map(Value::from).map_err(|r| r.message)
    }

    #[test]
    fn a_create_gets_its_project_and_defaults() {
        assert_eq!(
            made(&admin(), json!({"level": "5"})).unwrap(),
            json!({"project_id": "p1", "name": "", "admin_state_up": true, "shared": false, "level": 5,
                "description": "", "tags": [], "acme:colour": "red"})
        );
        let system = Caller { project_id: String::new(), ..admin() };
        assert_eq!(
            made(&system, json!({})).unwrap_err(),
            "Running without keystone AuthN requires that tenant_id is specified"
        );
        assert_eq!(made(&admin(), json!({"tenant_id": "p2"})).unwrap()["project_id"], "p2");
    }

    #[test]
    fn another_projects_rows_are_made_by_administrators_only() {
        assert_eq!(
            made(&member(), json!({"project_id": "p2"})).unwrap_err(),
            "Specifying 'project_id' other than the authenticated project in request is not allowed for the current user."
        );
        assert!(made(&member(), json!({"project_id": "p1"})).is_ok());
        assert_eq!(
            made(&admin(), json!({"project_id": "a", "tenant_id": "b"})).unwrap_err(),
            "'project_id' and 'tenant_id' do not match"
        );
    }

    #[test]
    fn rows_of_no_project_are_made_by_administrators_where_there_are_such() {
        let tables = tables();
        let mut resource = tables.at("gadgets").unwrap().as_ref().clone();
        let nobodys = |resource: &Resource, caller: &Caller| {
            create(resource, caller, object(json!({"project_id": null})), None).map_err(|r| r.message)
        };
        let refused = "Invalid input for project_id. Reason: 'None' is not a valid string.";
        assert_eq!(nobodys(&resource, &admin()).unwrap_err(), refused);
        resource.ownerless = true;
        assert_eq!(nobodys(&resource, &admin()).unwrap()["project_id"], Value::Null);
        assert!(nobodys(&resource, &member()).unwrap_err().starts_with("Specifying 'project_id' other than"));
        let own = create(&resource, &admin(), object(json!({})), None).map_err(|r| r.message);
        assert_eq!(own.unwrap()["project_id"], "p1");
    }

    #[test]
    fn what_may_not_be_given_is_named() {
        for (body, message) in [
            (json!({"nosuch": 1, "other": 2}), "Unrecognized attribute(s) 'nosuch, other'"),
            (json!({"notes": 1}), "Unrecognized attribute(s) 'notes'"),
            (json!({"id": "x"}), "Attribute 'id' not allowed in POST"),
            (json!({"status": "x"}), "Attribute 'status' not allowed in POST"),
            (json!({"parts": []}), "Attribute 'parts' not allowed in POST"),
            (json!({"tags": ["a"]}), "Attribute 'tags' not allowed in POST"),
            (json!({"name": 5}), "Invalid input for name. Reason: '5' is not a valid string."),
            (json!({"shared": "abc"}), "Invalid input for operation: 'abc' cannot be converted to boolean."),
            (json!({"acme:colour": "x"}), "Invalid input for acme:colour. Reason: x is not in valid_values."),
            (json!({"project_id": 7}), "Invalid input for project_id. Reason: '7' is not a valid string."),
        ] {
            assert_eq!(made(&admin(), body).unwrap_err(), message);
        }
    }

    #[test]
    fn updates_name_what_is_fixed() {
        for (body, message) in [
            (json!({"status": "x"}), "Cannot update read-only attribute status"),
            (json!({"project_id": "x"}), "Cannot update read-only attribute tenant_id"),
            (json!({"revision_number": 5}), "Cannot update read-only attribute revision_number"),
            (json!({"shelf_id": null}), "Cannot update read-only attribute shelf_id"),
            (json!({"tags": ["a"]}), "Cannot update read-only attribute tags"),
            (json!({"nosuch": 1}), "Unrecognized attribute(s) 'nosuch'"),
        ] {
            assert_eq!(changed(body).unwrap_err(), message);
        }
        assert_eq!(changed(json!({})).unwrap(), json!({}));
        assert_eq!(
            changed(json!({"level": null, "shared": "True"})).unwrap(),
            json!({"level": null, "shared": true})
        );
    }

    #[test]
    fn a_childs_parent_comes_from_the_url() {
        let tables = tables();
        let parts = tables.child(tables.at("gadgets").unwrap(), "parts").unwrap().clone();
        let made = |body| create(&parts, &admin(), object(body), Some("g1")).map_err(|r| r.message);
        assert_eq!(made(json!({"size": 3})).unwrap()["gadget_id"], "g1");
        assert_eq!(
            made(json!({"size": 3, "gadget_id": "g2"})).unwrap_err(),
            "Attribute 'gadget_id' not allowed in POST"
        );
        assert_eq!(
            made(json!({})).unwrap_err(),
            "Failed to parse request. Required attribute 'size' not specified"
        );
    }
}
