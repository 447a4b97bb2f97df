//! Decisions about subnet pools: which prefixes, of which lengths, who gets how
//! many. In Neutron: `SubnetPoolReader`, `SubnetAllocator`.

use super::errors;
use crate::document::text;
use crate::errors::bad_attribute;
use crate::net::{Cidr, Prefixes, Version};
use hadron_sdk::serde_json::{Value, json};
use hadron_sdk::{Document, Error, Result};
use serde::Deserialize;

/// A pool's row, as far as rules need it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SubnetPool {
    pub(crate) id: String,
    pub(crate) ip_version: u8,
    prefixes: Vec<Cidr>,
    #[serde(flatten)]
    pub(super) lengths: Lengths,
    #[serde(default)]
    default_quota: Option<u64>,
    #[serde(default)]
    pub(crate) address_scope_id: Option<String>,
}

impl SubnetPool {
    /// The family of its addresses.
    pub(crate) fn version(&self) -> Version {
        Version::from_number(self.ip_version).unwrap_or(Version::V4)
    }

    /// The length of prefixes of which none was asked.
    pub(crate) fn default_prefix(&self) -> u8 {
        self.lengths.default
    }

    /// All its addresses.
    pub(super) fn prefixes(&self) -> Prefixes {
        Prefixes::of(self.version(), &self.prefixes)
    }

    /// A network for a project's subnet, where these are taken (each by a
    /// project): the given one, or any of a size.
    pub(super) fn choose(
        &self,
        taken: &[(String, Cidr)],
        project: &str,
        given: Option<Cidr>,
        prefix: u8,
    ) -> Result<Cidr> {
        let prefix = given.map_or(prefix, |cidr| cidr.prefix());
        let version = self.version();
        if given.is_none() && prefix > version.width() {
            return Err(errors::no_prefix(format!("{}/{prefix}", version.address(0))));
        }
        if prefix > self.lengths.max {
            return Err(errors::too_small(prefix, self.lengths.max));
        }
        if prefix < self.lengths.min {
            return Err(errors::too_large(prefix, self.lengths.min));
        }
        self.check_quota(taken, project, prefix)?;
        let used: Vec<Cidr> = taken.iter().map(|(_, cidr)| *cidr).collect();
        let free = self.prefixes().without(&Prefixes::of(version, &used));
        match given {
            None => free.next(prefix).ok_or_else(|| {
                errors::no_room(format!("Insufficient prefix space to allocate subnet size /{prefix}"))
            }),
            Some(cidr) if free.contains(&Prefixes::of(cidr.version(), &[cidr])) => Ok(cidr),
            Some(_) => {
                Err(errors::no_room("Cannot allocate requested subnet from the available set of prefixes"))
            }
        }
    }

    /// In Neutron: `_check_subnetpool_project_quota`; 0 is no limit there.
    fn check_quota(&self, taken: &[(String, Cidr)], project: &str, prefix: u8) -> Result<()> {
        let Some(quota) = self.default_quota.filter(|quota| *quota > 0) else { return Ok(()) };
        let version = self.version();
        let own =
            taken.iter().filter(|(of, _)| of == project).map(|(_, cidr)| addresses(version, cidr.prefix()));
        let wanted = own.fold(addresses(version, prefix), u128::saturating_add);
        match wanted > u128::from(quota).saturating_mul(unit(version)) {
            true => Err(errors::quota_exceeded()),
            false => Ok(()),
        }
    }
}

/// How many addresses a network has, as far as that is a number here.
fn addresses(version: Version, prefix: u8) -> u128 {
    1_u128.checked_shl(u32::from(version.width().saturating_sub(prefix))).unwrap_or(u128::MAX)
}

/// What quotas count: addresses of IPv4, networks of 64 bits of IPv6.
fn unit(version: Version) -> u128 {
    match version {
        Version::V4 => 1,
        Version::V6 => 1 << 64,
    }
}

/// The lengths of prefixes that subnets may have. Shown as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Lengths {
    #[serde(rename = "default_prefixlen", deserialize_with = "from_text")]
    pub(super) default: u8,
    #[serde(rename = "min_prefixlen", deserialize_with = "from_text")]
    pub(super) min: u8,
    #[serde(rename = "max_prefixlen", deserialize_with = "from_text")]
    pub(super) max: u8,
}

fn from_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

impl Lengths {
    /// Those of a request; what it does not say stays as it is, or is what
    /// Neutron has for a family.
    pub(super) fn of(request: &Document, version: Version, before: Option<&Lengths>) -> Result<Lengths> {
        let given = |name| length(request, name);
        let min = given("min_prefixlen")?.or(before.map(|b| b.min)).unwrap_or(match version {
            Version::V4 => 8,
            Version::V6 => 64,
        });
        let max = given("max_prefixlen")?.or(before.map(|b| b.max)).unwrap_or(version.width());
        let default = given("default_prefixlen")?.or(before.map(|b| b.default)).unwrap_or(min);
        Ok(Lengths { default, min, max })
    }

    /// The shortest is not longer than the longest, which the family allows, and
    /// the default lies between them.
    pub(super) fn check(&self, version: Version) -> Result<()> {
        let Lengths { default, min, max } = *self;
        let wrong = [
            (min > max, ("min_prefixlen", min, "max_prefixlen", max)),
            (max > version.width(), ("max_prefixlen", max, "ip_version_max", version.width())),
            (default < min, ("default_prefixlen", default, "min_prefixlen", min)),
            (default > max, ("default_prefixlen", default, "max_prefixlen", max)),
        ];
        let wrong = wrong.into_iter().find(|(is, _)| *is);
        wrong
            .map_or(Ok(()), |(_, (name, length, base, bound))| Err(errors::bounds(name, length, base, bound)))
    }

    /// Puts them into a row.
    pub(super) fn show(&self, row: &mut Document) {
        for (name, length) in
            [("default_prefixlen", self.default), ("min_prefixlen", self.min), ("max_prefixlen", self.max)]
        {
            row.insert(name.to_owned(), json!(length.to_string()));
        }
    }
}

/// A length as clients give it: a number, or its digits.
fn length(request: &Document, name: &str) -> Result<Option<u8>> {
    let Some(given) = request.get(name) else { return Ok(None) };
    let number = given.as_i64().or_else(|| given.as_str()?.trim().parse().ok());
    let Some(number) = number else {
        let shown = match given {
            Value::Null => "None".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        return Err(Error::invalid_input(format!("'{shown}' is not an integer")));
    };
    if number < 0 {
        return Err(bad_attribute(name, format!("'{number}' should be non-negative")));
    }
    Ok(Some(u8::try_from(number).unwrap_or(u8::MAX)))
}

/// The prefixes that a request names, with their lengths.
/// In Neutron: the validator `subnet_list`.
pub(super) fn prefixes(request: &Document, name: &str) -> Result<Vec<Cidr>> {
    let given = request.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let prefix = |value: &Value| {
        let text = value.as_str().filter(|text| text.contains('/'));
        text.and_then(Cidr::parse).ok_or_else(|| {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            bad_attribute(name, format!("'{shown}' is not a valid IP subnet"))
        })
    };
    given.iter().map(prefix).collect()
}

/// The prefixes of an operation, of which Neutron checks nothing but that they
/// are some.
pub(super) fn operands(body: &Document) -> Result<Vec<Cidr>> {
    let given = body.get("prefixes").and_then(Value::as_array).filter(|given| !given.is_empty());
    let prefix = |value: &Value| {
        let shown = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        value.as_str().and_then(Cidr::parse).ok_or_else(|| errors::no_prefix(shown()))
    };
    given.ok_or_else(errors::bad_body)?.iter().map(prefix).collect()
}

/// The one family of these prefixes.
pub(super) fn version(prefixes: &[Cidr]) -> Result<Version> {
    let version = prefixes.first().map(Cidr::version).ok_or_else(errors::empty)?;
    match prefixes.iter().all(|cidr| cidr.version() == version) {
        true => Ok(version),
        false => Err(errors::mixed_versions()),
    }
}

/// The pool's prefixes from now on: none of those it has may be missing.
/// In Neutron: `_update_subnetpool_dict`.
pub(super) fn extended(pool: &SubnetPool, asked: &[Cidr]) -> Result<Prefixes> {
    let version = pool.version();
    let new = Prefixes::of(version, asked);
    if !new.contains(&pool.prefixes()) {
        return Err(errors::prefix_update("Existing prefixes must be a subset of the new prefixes"));
    }
    match self::version(asked)? == version {
        true => Ok(new),
        false => Err(errors::mixed_versions()),
    }
}

/// Prefixes as the API shows them.
pub(super) fn shown(prefixes: &Prefixes) -> Value {
    json!(prefixes.cidrs().iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// A name that is more than blanks. In Neutron: `not_empty_name_string`.
pub(super) fn check_name(request: &Document) -> Result<()> {
    if !request.contains_key("name") || !text(request, "name").trim().is_empty() {
        return Ok(());
    }
    Err(bad_attribute("name", format!("'{}' Blank strings are not permitted", text(request, "name"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::from_value;
    use proptest::prelude::*;

    fn object(value: Value) -> Document {
        from_value(value).unwrap()
    }

    fn pool(prefixes: &[&str], quota: Option<u64>) -> SubnetPool {
        let version = if prefixes[0].contains(':') { 6 } else { 4 };
        from_value(json!({"id": "P", "ip_version": version, "prefixes": prefixes, "default_quota": quota,
            "default_prefixlen": if version == 4 { "26" } else { "64" },
            "min_prefixlen": if version == 4 { "8" } else { "48" },
            "max_prefixlen": if version == 4 { "32" } else { "128" }}))
        .unwrap()
    }

    fn cidr(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    fn said<T: std::fmt::Debug>(result: Result<T>) -> String {
        let error = result.unwrap_err();
        format!("{}: {}", error.fault().kind, error.fault().message)
    }

    #[test]
    fn lengths_are_bounded_by_each_other_and_the_family() {
        let of = |request: Value| {
            let lengths = Lengths::of(&object(request), Version::V4, None)?;
            lengths.check(Version::V4).map(|()| lengths)
        };
        assert_eq!(of(json!({})).unwrap(), Lengths { default: 8, min: 8, max: 32 });
        assert_eq!(of(json!({"default_prefixlen": "24"})).unwrap().default, 24);
        let bounds = |text: &str| format!("IllegalSubnetPoolPrefixBounds: Illegal prefix bounds: {text}.");
        for (request, text) in [
            (json!({"min_prefixlen": 25, "max_prefixlen": 24}), "min_prefixlen=25, max_prefixlen=24"),
            (json!({"max_prefixlen": 33}), "max_prefixlen=33, ip_version_max=32"),
            (json!({"max_prefixlen": 16, "default_prefixlen": 24}), "default_prefixlen=24, max_prefixlen=16"),
            (json!({"min_prefixlen": 16, "default_prefixlen": 8}), "default_prefixlen=8, min_prefixlen=16"),
        ] {
            assert_eq!(said(of(request)), bounds(text));
        }
        assert!(said(of(json!({"min_prefixlen": -1}))).ends_with("Reason: '-1' should be non-negative."));
        assert!(said(of(json!({"min_prefixlen": "x"}))).ends_with("'x' is not an integer."));
        assert!(said(of(json!({"min_prefixlen": null}))).ends_with("'None' is not an integer."));
        let before = Lengths { default: 26, min: 24, max: 28 };
        let changed = Lengths::of(&object(json!({"max_prefixlen": 30})), Version::V4, Some(&before)).unwrap();
        assert_eq!(changed, Lengths { max: 30, ..before });
    }

    #[test]
    fn prefixes_have_lengths_and_one_family() {
        let read = |given: Value| prefixes(&object(json!({"prefixes": given})), "prefixes");
        assert!(said(read(json!(["10.0.0.0"]))).ends_with("Reason: '10.0.0.0' is not a valid IP subnet."));
        assert!(said(read(json!([5]))).ends_with("Reason: '5' is not a valid IP subnet."));
        assert!(said(version(&[])).starts_with("EmptySubnetPoolPrefixList"));
        assert!(said(version(&[cidr("10.0.0.0/8"), cidr("fd00::/8")])).starts_with("PrefixVersionMismatch"));
        let body = |given: Value| operands(&object(json!({"prefixes": given})));
        assert!(said(body(json!([]))).starts_with("HTTPBadRequest"));
        assert_eq!(said(body(json!(["x"]))), "AddrFormatError: invalid IPNetwork x");
        assert_eq!(body(json!(["13.0.0.5"])).unwrap(), [cidr("13.0.0.5/32")]);
    }

    #[test]
    fn prefixes_are_only_added() {
        let pool = pool(&["10.10.0.0/23"], None);
        assert!(said(extended(&pool, &[cidr("10.10.0.0/24")])).starts_with("IllegalSubnetPoolPrefixUpdate"));
        assert!(said(extended(&pool, &[])).starts_with("IllegalSubnetPoolPrefixUpdate"));
        let mixed = [cidr("fd00::/64"), cidr("10.10.0.0/23")];
        assert!(said(extended(&pool, &mixed)).starts_with("PrefixVersionMismatch"));
        let more =
            extended(&pool, &[cidr("10.10.0.0/24"), cidr("10.10.1.0/24"), cidr("11.0.0.0/8")]).unwrap();
        assert_eq!(shown(&more), json!(["10.10.0.0/23", "11.0.0.0/8"]));
    }

    #[test]
    fn networks_are_of_the_allowed_lengths_and_free() {
        let pool = pool(&["10.40.0.0/16"], None);
        let taken = [("a".to_owned(), cidr("10.40.0.0/24"))];
        let choose = |given: Option<&str>, prefix| pool.choose(&taken, "a", given.map(cidr), prefix);
        assert_eq!(choose(None, pool.default_prefix()).unwrap(), cidr("10.40.1.0/26"));
        assert_eq!(choose(None, 28).unwrap(), cidr("10.40.1.0/28"));
        assert_eq!(choose(Some("10.40.9.0/24"), 26).unwrap(), cidr("10.40.9.0/24"));
        assert!(said(choose(None, 7)).starts_with("MinPrefixSubnetAllocationError"));
        assert_eq!(said(choose(None, 33)), "AddrFormatError: invalid IPNetwork 0.0.0.0/33");
        assert_eq!(
            said(choose(None, 15)),
            "SubnetAllocationError: Failed to allocate subnet: Insufficient prefix space to allocate subnet size /15."
        );
        for taken_or_foreign in ["10.40.0.0/25", "10.50.0.0/25"] {
            assert!(said(choose(Some(taken_or_foreign), 26)).contains("available set of prefixes"));
        }
    }

    #[test]
    fn a_quota_counts_addresses_or_networks_of_64_bits() {
        let four = pool(&["10.60.0.0/16"], Some(512));
        let taken = vec![("a".to_owned(), cidr("10.60.0.0/24")), ("b".to_owned(), cidr("10.60.1.0/24"))];
        assert!(four.choose(&taken, "a", None, 24).is_ok());
        assert!(said(four.choose(&taken, "a", None, 23)).starts_with("SubnetPoolQuotaExceeded"));
        let six = pool(&["fd00::/48"], Some(2));
        assert!(six.choose(&[], "a", None, 63).is_ok());
        assert!(six.choose(&[], "a", None, 62).is_err());
        assert!(pool(&["10.0.0.0/8"], Some(0)).choose(&[], "a", None, 8).is_ok());
    }

    proptest! {
        #[test]
        fn no_two_subnets_of_a_pool_overlap(wanted in proptest::collection::vec((24_u8..=32, any::<bool>()), 1..40)) {
            let pool = pool(&["10.0.0.0/23", "10.1.0.0/26"], Some(300));
            let mut taken: Vec<(String, Cidr)> = Vec::new();
            for (prefix, first) in wanted {
                let project = if first { "a" } else { "b" };
                let Ok(cidr) = pool.choose(&taken, project, None, prefix) else { continue };
                prop_assert!(!taken.iter().any(|(_, other)| other.overlaps(&cidr)));
                prop_assert!(pool.prefixes().contains(&Prefixes::of(Version::V4, &[cidr])));
                taken.push((project.to_owned(), cidr));
            }
            for project in ["a", "b"] {
                let own: u128 = taken.iter().filter(|(of, _)| of == project)
                    .map(|(_, cidr)| addresses(Version::V4, cidr.prefix())).sum();
                prop_assert!(own <= 300);
            }
        }
    }
}
