//! Query strings: filters, fields, sorting, paging.

use crate::error::{bad_request, invalid_input};
use crate::python;
use crate::tables::Resource;
use crate::validate::{self, Fault};
use crate::view::Mask;
use hadron_manifest::{Attribute, Column, ListTable, TAGS, Validator};
use hadron_runtime::{Refusal, Status};
use hadron_store::{Direction, Predicate};
use serde_json::Value;

/// Parameters that are no filters.
pub(crate) const CONTROL: [&str; 6] = ["fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"];

/// Asks for text that contains the value: `ip_address_substr`.
pub(crate) const SUBSTRING: &str = "_substr";

/// What a list request asks for.
#[derive(Debug, PartialEq)]
pub(crate) struct Listing {
    /// Which rows.
    pub(crate) predicate: Predicate,
    /// What the owner is asked to leave out others than: by name, lists.
    pub(crate) asked: Vec<(String, Value)>,
    /// Which attributes; all when empty.
    pub(crate) fields: Vec<String>,
    /// In which order.
    pub(crate) sort: Vec<(String, Direction)>,
    /// The size of a page.
    pub(crate) limit: Option<u32>,
    /// The row before the page.
    pub(crate) marker: Option<String>,
    /// The page before the marker instead.
    pub(crate) reverse: bool,
}

/// The parameters, in order.
pub(crate) type Parameters = Vec<(String, String)>;

/// Splits a query string; one that holds what is no text is refused, not
/// mended: what was meant is not known.
pub(crate) fn parameters(query: &str) -> Result<Parameters, Refusal> {
    let invalid = || bad_request("The query string contains invalid data");
    percent_encoding::percent_decode_str(query).decode_utf8().map_err(|_| invalid())?;
    let all: Parameters = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    if all.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(invalid());
    }
    Ok(all)
}

/// The project whose rows are asked for; of several the first.
pub(crate) fn project(parameters: &Parameters) -> Option<&str> {
    named(parameters, "project_id").chain(named(parameters, "tenant_id")).next()
}

/// The attributes asked for; all when empty.
pub(crate) fn fields(parameters: &Parameters) -> Vec<String> {
    named(parameters, "fields").filter(|f| !f.is_empty()).map(str::to_owned).collect()
}

/// Reads the parameters of a list of this resource, for a caller with this
/// mask: what the caller does not see cannot be asked about either, since the
/// answer would tell its value.
pub(crate) fn read(parameters: &Parameters, resource: &Resource, mask: &Mask) -> Result<Listing, Refusal> {
    let (predicate, asked) = filters(parameters, resource, mask)?;
    Ok(Listing {
        predicate,
        asked,
        fields: fields(parameters),
        sort: sort(parameters, resource, mask)?,
        limit: limit(parameters)?,
        marker: named(parameters, "marker").last().filter(|m| !m.is_empty()).map(str::to_owned),
        reverse: named(parameters, "page_reverse").last().is_some_and(|v| v.eq_ignore_ascii_case("true")),
    })
}

fn named<'a>(parameters: &'a Parameters, name: &'static str) -> impl Iterator<Item = &'a str> {
    parameters.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
}

fn limit(parameters: &Parameters) -> Result<Option<u32>, Refusal> {
    let Some(given) = named(parameters, "limit").last().filter(|l| !l.is_empty()) else { return Ok(None) };
    let digits = given.trim();
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::new(
            Status::Invalid,
            "BadRequest",
            format!("Bad limit request: Limit must be an integer 0 or greater and not '{given}'."),
        ));
    }
    // More rows than fit a number are all rows.
    Ok(digits.parse::<u32>().ok().filter(|limit| *limit > 0))
}

fn sort(
    parameters: &Parameters,
    resource: &Resource,
    mask: &Mask,
) -> Result<Vec<(String, Direction)>, Refusal> {
    let mut keys: Vec<&str> = Vec::new();
    for key in named(parameters, "sort_key") {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let directions: Vec<&str> = named(parameters, "sort_dir").collect();
    if keys.len() != directions.len() {
        return Err(bad_request("The number of sort_keys and sort_dirs must be same"));
    }
    let column = |key: &str| sortable(resource, mask, key).map(str::to_owned);
    let absent: Vec<&str> = keys.iter().copied().filter(|key| column(key).is_none()).collect();
    if !absent.is_empty() {
        return Err(bad_request(format!("{} is invalid attribute for sort_keys", python::list(absent))));
    }
    let wrong: Vec<&str> = directions.iter().copied().filter(|d| !["asc", "desc"].contains(d)).collect();
    if !wrong.is_empty() {
        return Err(bad_request(format!(
            "{} is invalid value for sort_dirs, valid value is 'asc' and 'desc'",
            python::list(wrong)
        )));
    }
    let pairs = keys.into_iter().filter_map(column).zip(directions);
    Ok(pairs
        .map(|(key, way)| (key, if way == "desc" { Direction::Descending } else { Direction::Ascending }))
        .collect())
}

/// The column that sorting by an attribute goes by; none where it cannot.
pub(crate) fn sortable<'a>(resource: &'a Resource, mask: &Mask, key: &str) -> Option<&'a str> {
    let declared = resource.attribute(key).is_none_or(|a| a.filter && !a.hidden);
    resource.column(key).filter(|_| declared && !mask.hides(key)).map(|(column, _)| column)
}

/// The attributes that can be asked about by a caller who sees all of them.
pub(crate) fn filterable(resource: &Resource) -> impl Iterator<Item = (&str, Kind<'_>)> {
    let named = |name| kind(resource, &Mask::default(), name).map(|kind| (name, kind));
    let tags = TAG_FILTERS.into_iter().filter(|name| *name != TAGS);
    let asked = resource.asks.iter().map(|a| a.name.as_str());
    resource.shown.iter().map(String::as_str).chain(tags).chain(asked).filter_map(named)
}

/// What a list is filtered by.
type Filters = (Predicate, Vec<(String, Value)>);

fn filters(parameters: &Parameters, resource: &Resource, mask: &Mask) -> Result<Filters, Refusal> {
    let mut asked: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, value) in parameters.iter().filter(|(name, _)| !CONTROL.contains(&name.as_str())) {
        match asked.iter_mut().find(|(n, _)| n == name) {
            Some((_, values)) => values.push(value),
            None => asked.push((name, vec![value])),
        }
    }
    let unknown: Vec<&str> =
        asked.iter().map(|(name, _)| *name).filter(|name| kind(resource, mask, name).is_none()).collect();
    if !unknown.is_empty() {
        return Err(bad_request(format!("{} is invalid attribute for filtering", python::list(unknown))));
    }
    let assumed = |a: &&Attribute| asked.iter().all(|(name, _)| *name != a.name);
    let assumed = resource.asks.iter().filter(assumed);
    let assumed = assumed.filter_map(|a| Some((a.name.clone(), Value::from(vec![a.default.clone()?]))));
    let (mut all, mut of_owner) = (Vec::with_capacity(asked.len()), assumed.collect::<Vec<_>>());
    for (name, values) in asked {
        all.push(match kind(resource, mask, name) {
            None => Predicate::never(),
            Some(Kind::Asked(a)) => {
                let values: Result<Vec<Value>, Refusal> =
                    values.iter().map(|text| value(&a.validate, text)).collect();
                of_owner.push((name.to_owned(), Value::from(values?)));
                continue;
            }
            Some(Kind::Above(reference, column, kind)) => {
                let fits = one_of(column, &values, |text| standard(kind, text))?;
                Predicate::Referred(reference.to_owned(), Box::new(fits))
            }
            Some(Kind::Standard(column, kind)) => one_of(column, &values, |text| standard(kind, text))?,
            Some(Kind::Scalar(a)) if a.any_case => {
                Predicate::Alike(name.to_owned(), values.into_iter().map(str::to_owned).collect())
            }
            Some(Kind::Scalar(a)) => one_of(name, &values, |text| value(&a.validate, text))?,
            Some(Kind::Scalars(item)) => one_of(&format!("{name}.value"), &values, |text| value(item, text))?,
            Some(Kind::Items(members, table)) => items(name, &values, members, table)?,
            Some(Kind::Tags { all, none }) => tags(&values, all, none),
        });
    }
    Ok((Predicate::All(all), of_owner))
}

/// How an attribute can be filtered.
pub(crate) enum Kind<'a> {
    /// Kept by the host: the column and what it holds.
    Standard(&'a str, Column),
    /// An attribute of the row that this attribute refers to, and what it holds.
    Above(&'a str, &'a str, Column),
    /// By the owner, when it computes.
    Asked(&'a Attribute),
    /// By its value.
    Scalar(&'a Attribute),
    /// A list of scalars, by one of them.
    Scalars(&'a Validator),
    /// A list of objects, by members of one of them.
    Items(&'a [Attribute], &'a ListTable),
    /// By tags: all of them or one, and whether a row must not have them.
    Tags {
        /// Whether all are meant.
        all: bool,
        /// Whether a row must not have them.
        none: bool,
    },
}

/// Neutron's four ways to ask for tags.
const TAG_FILTERS: [&str; 4] = [TAGS, "tags-any", "not-tags", "not-tags-any"];

/// What each of them asks.
fn by_tags(name: &str) -> Option<Kind<'static>> {
    Some(match name {
        "tags" => Kind::Tags { all: true, none: false },
        "tags-any" => Kind::Tags { all: false, none: false },
        "not-tags" => Kind::Tags { all: true, none: true },
        "not-tags-any" => Kind::Tags { all: false, none: true },
        _ => return None,
    })
}

/// Several tags are separated by commas, or the filter is repeated.
fn tags(values: &[&str], all: bool, none: bool) -> Predicate {
    let column = || format!("{TAGS}.value");
    let tags: Vec<Value> = values.iter().flat_map(|text| text.split(',')).map(Value::from).collect();
    let fits = match all {
        true => Predicate::All(tags.into_iter().map(|tag| Predicate::In(column(), vec![tag])).collect()),
        false => Predicate::In(column(), tags),
    };
    if none { Predicate::Not(Box::new(fits)) } else { fits }
}

fn kind<'a>(resource: &'a Resource, mask: &Mask, name: &str) -> Option<Kind<'a>> {
    if ["id", "project_id", "tenant_id", "revision_number"].contains(&name) && !mask.hides(name) {
        return resource.column(name).map(|(column, kind)| Kind::Standard(column, kind));
    }
    if resource.tags
        && !mask.hides(TAGS)
        && let Some(kind) = by_tags(name)
    {
        return Some(kind);
    }
    if let Some((reference, attribute, true)) = resource.above(name).filter(|_| !mask.hides(name)) {
        let column = reference.columns.iter().find(|(name, _)| name == attribute);
        return column.map(|(column, kind)| Kind::Above(&reference.attribute, column, *kind));
    }
    if let Some(asked) = resource.asks.iter().find(|a| a.name == name) {
        return Some(Kind::Asked(asked));
    }
    let attribute = resource.attribute(name).filter(|a| a.filter && !a.hidden && !mask.hides(name))?;
    match (&attribute.validate, &attribute.list) {
        (Validator::List { items, .. }, Some(table)) => match items.as_ref() {
            Validator::Object { members } => Some(Kind::Items(members, table)),
            item => Some(Kind::Scalars(item)),
        },
        (Validator::List { .. } | Validator::Object { .. } | Validator::Dict, _) => None,
        _ => Some(Kind::Scalar(attribute)),
    }
}

fn one_of(
    column: &str,
    values: &[&str],
    convert: impl Fn(&str) -> Result<Value, Refusal>,
) -> Result<Predicate, Refusal> {
    let values = values.iter().map(|text| convert(text)).collect::<Result<_, _>>()?;
    Ok(Predicate::In(column.to_owned(), values))
}

/// `places=room%3D1`: of the members of one item. Repeated for one member it
/// means or, for different members and.
fn items(
    name: &str,
    values: &[&str],
    members: &[Attribute],
    table: &ListTable,
) -> Result<Predicate, Refusal> {
    let mut asked: Vec<(String, Vec<Predicate>)> = Vec::new();
    for given in values {
        let malformed = || invalid_input(&format!("'{given}' is not of the form <key>=[value]"));
        let (key, text) = given.split_once('=').ok_or_else(malformed)?;
        let (key, text) = (key.trim(), text.trim());
        let column =
            |key: &str| table.columns.iter().any(|c| c.filter && c.name == key).then(|| key.to_owned());
        let (column, condition) = if let Some(column) = column(key) {
            let member = members.iter().find(|m| m.name == key);
            let value = value(member.map_or(&Validator::Any, |m| &m.validate), text)?;
            (column.clone(), Predicate::In(column, vec![value]))
        } else if let Some(column) = key.strip_suffix(SUBSTRING).and_then(column) {
            (key.to_owned(), Predicate::Contains(column, text.to_owned()))
        } else {
            let named = format!("{name}={key}");
            return Err(bad_request(format!(
                "{} is invalid attribute for filtering",
                python::list([named.as_str()])
            )));
        };
        match asked.iter_mut().find(|(c, _)| *c == column) {
            Some((_, conditions)) => conditions.push(condition),
            None => asked.push((column, vec![condition])),
        }
    }
    let conditions = asked.into_iter().map(|(_, mut any)| match any.pop() {
        Some(only) if any.is_empty() => only,
        last => Predicate::Any(any.into_iter().chain(last).collect()),
    });
    Ok(Predicate::Item(name.to_owned(), conditions.collect()))
}

fn standard(column: Column, text: &str) -> Result<Value, Refusal> {
    match column {
        Column::Integer => value(&Validator::Integer { min: None, max: None }, text),
        Column::Boolean => value(&Validator::Boolean, text),
        Column::Text => Ok(Value::from(text)),
    }
}

/// The value to compare with. As in Neutron a filter is converted but not
/// validated: a text that cannot be a value of the attribute matches nothing.
fn value(validator: &Validator, text: &str) -> Result<Value, Refusal> {
    match validate::convert(validator, false, Value::from(text)) {
        Ok(value) => Ok(value),
        Err(fault @ Fault::Conversion(_)) => Err(validate::refusal("", fault)),
        Err(Fault::Reason(_)) => match validator.column() {
            Column::Text | Column::Boolean => Ok(Value::from(text)),
            Column::Integer => value(&Validator::Integer { min: None, max: None }, text),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::tests::tables;
    use proptest::prelude::*;
    use serde_json::json;

    fn listing(query: &str) -> Result<Listing, Refusal> {
        let tables = tables();
        let mask = Mask { hidden: vec!["notes".into(), "vendor:kind".into()], ..Mask::default() };
        read(&parameters(query)?, tables.at("gadgets").unwrap(), &mask)
    }

    fn message(query: &str) -> String {
        listing(query).unwrap_err().message
    }

    fn predicate(query: &str) -> Predicate {
        let Predicate::All(mut all) = listing(query).unwrap().predicate else { panic!("not a conjunction") };
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    fn is_in(name: &str, values: Value) -> Predicate {
        Predicate::In(name.to_owned(), values.as_array().unwrap().clone())
    }

    #[test]
    fn repeated_is_or_and_different_is_and() {
        assert_eq!(
            listing("id=a&name=x&id=b").unwrap().predicate,
            Predicate::All(vec![is_in("id", json!(["a", "b"])), is_in("name", json!(["x"]))])
        );
        assert_eq!(predicate("name="), is_in("name", json!([""])));
        assert_eq!(predicate("tenant_id=p"), is_in("project_id", json!(["p"])));
        assert_eq!(predicate("acme%3Acolour=red"), is_in("acme:colour", json!(["red"])));
        let alike = Predicate::Alike("status".into(), vec!["Up".into(), "DOWN".into()]);
        assert_eq!(predicate("status=Up&status=DOWN"), alike);
    }

    #[test]
    fn values_are_converted_but_not_validated() {
        assert_eq!(predicate("shared=True&shared=0"), is_in("shared", json!([true, false])));
        assert_eq!(predicate("level=5000"), is_in("level", json!([5000])));
        assert_eq!(predicate("shelf_id=no-uuid"), is_in("shelf_id", json!(["no-uuid"])));
        assert_eq!(predicate("revision_number=7"), is_in("revision_number", json!([7])));
        assert_eq!(
            message("shared=maybe"),
            "Invalid input for operation: 'maybe' cannot be converted to boolean."
        );
        assert_eq!(message("level=x"), "Invalid input for operation: 'x' is not an integer.");
    }

    #[test]
    fn unknown_and_hidden_attributes_are_no_filters() {
        assert_eq!(message("nosuch=1&x=2&shared=1"), "['nosuch', 'x'] is invalid attribute for filtering");
        for query in ["parts=1", "notes=1", "vendor:kind=1", "created_at=x", "changed_since=2020"] {
            assert!(message(query).ends_with("is invalid attribute for filtering"), "{query}");
        }
    }

    #[test]
    fn items_of_lists_are_filtered_by_their_members() {
        assert_eq!(
            predicate("places=ip_address%3D10.0.0.1&places=ip_address=10.0.0.2&places=room=r"),
            Predicate::Item(
                "places".into(),
                vec![
                    Predicate::Any(vec![
                        is_in("ip_address", json!(["10.0.0.1"])),
                        is_in("ip_address", json!(["10.0.0.2"]))
                    ]),
                    is_in("room", json!(["r"])),
                ]
            )
        );
        assert_eq!(
            predicate("places=ip_address_substr%3D10.10"),
            Predicate::Item("places".into(), vec![Predicate::Contains("ip_address".into(), "10.10".into())])
        );
        assert_eq!(predicate("labels=a&labels=b"), is_in("labels.value", json!(["a", "b"])));
        assert_eq!(message("places=x"), "Invalid input for operation: 'x' is not of the form <key>=[value].");
        assert_eq!(message("places=x=1"), "['places=x'] is invalid attribute for filtering");
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for query in ["name=%ff", "name=%00", "%c3=1", "name=%ed%a0%80", "name=a&%fe%fe"] {
            assert_eq!(message(query), "The query string contains invalid data", "{query}");
        }
        assert_eq!(predicate("name=%C3%A4+%zz%"), is_in("name", json!(["ä %zz%"])));
    }

    #[test]
    fn tags_are_asked_for_in_four_ways() {
        let tag = |tags: Value| is_in("tags.value", tags);
        let both = Predicate::All(vec![tag(json!(["a"])), tag(json!(["b"]))]);
        assert_eq!(predicate("tags=a,b"), both);
        assert_eq!(predicate("tags=a&tags=b"), both);
        assert_eq!(predicate("tags-any=a,b"), tag(json!(["a", "b"])));
        assert_eq!(predicate("not-tags=a,b"), Predicate::Not(Box::new(both)));
        assert_eq!(predicate("not-tags-any=a"), Predicate::Not(Box::new(tag(json!(["a"])))));
        let tables = tables();
        let ask = |path: &str, mask: &Mask| {
            read(&parameters("tags-any=a").unwrap(), tables.at(path).unwrap(), mask).map_err(|r| r.message)
        };
        let unseen = Mask { hidden: vec!["tags".into()], ..Mask::default() };
        assert!(ask("gadgets", &Mask::default()).is_ok());
        assert!(ask("gadgets", &unseen).is_err());
        assert!(ask("store/shelves", &Mask::default()).is_err());
    }

    #[test]
    fn limits_and_sort_keys_are_checked() {
        assert_eq!(
            message("limit=abc"),
            "Bad limit request: Limit must be an integer 0 or greater and not 'abc'."
        );
        assert_eq!(listing("limit=-1").unwrap_err().kind, "BadRequest");
        assert_eq!(listing("limit=0").unwrap().limit, None);
        assert_eq!(listing("limit=99999999999").unwrap().limit, None);
        assert_eq!(message("sort_key=nosuch"), "The number of sort_keys and sort_dirs must be same");
        assert_eq!(message("sort_key=nosuch&sort_dir=asc"), "['nosuch'] is invalid attribute for sort_keys");
        assert_eq!(message("sort_key=places&sort_dir=asc"), "['places'] is invalid attribute for sort_keys");
        assert_eq!(
            message("sort_key=name&sort_dir=up"),
            "['up'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'"
        );
        let listing = listing("sort_key=name&sort_dir=desc&sort_key=tenant_id&sort_dir=asc&fields=id&fields=&page_reverse=True&marker=m").unwrap();
        assert_eq!(
            listing.sort,
            [("name".to_owned(), Direction::Descending), ("project_id".to_owned(), Direction::Ascending)]
        );
        assert_eq!(
            (listing.fields, listing.marker, listing.reverse),
            (vec!["id".to_owned()], Some("m".to_owned()), true)
        );
    }

    proptest! {
        #[test]
        fn no_query_makes_it_panic(query in "((name|level|shared|places|labels|limit|sort_key|fields|nosuch)=[a-z0-9%=_.ß-]{0,8}&?){0,6}") {
            drop(listing(&query));
        }

        #[test]
        fn no_bytes_make_it_panic_and_none_become_a_server_error(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let query: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
            for query in [query, String::from_utf8_lossy(&bytes).into_owned()] {
                if let Err(refusal) = listing(&query) {
                    prop_assert_eq!(refusal.status, Status::Invalid);
                }
            }
        }

        /// What was encoded by the rules comes out as it was.
        #[test]
        fn encoded_text_is_found_again(names in prop::collection::vec("[^\0]{0,9}", 0..5)) {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(names.iter().map(|name| ("name", name)));
            let listing = listing(&query.finish()).unwrap();
            let wanted: Vec<Value> = names.into_iter().map(Value::from).collect();
            let wanted = if wanted.is_empty() { vec![] } else { vec![Predicate::In("name".into(), wanted)] };
            prop_assert_eq!(listing.predicate, Predicate::All(wanted));
        }
    }
}
