//! Subnet pools, and subnets that are taken from them.

use hadron_networking_tests::world::{self, create, list, network, text};
use hadron_sdk_testing::{Client, Result};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const OTHERS: &str = "4fb4dec05f47409fa688e15287ac626a";
const NOBODY: &str = "8f2f0f5e-0a0a-4d6e-9a64-3a2c0d2d6c11";

/// A pool; its id.
async fn pool(client: &Client, more: Value) -> Result<String> {
    let mut pool = json!({"name": "pool", "prefixes": ["10.40.0.0/16"], "default_prefixlen": 24});
    pool.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    text(&create(client, "subnetpool", pool).await?, "/id")
}

/// What a create is refused with.
async fn refused(client: &Client, status: u16, member: &str, document: Value) -> Result<(String, String)> {
    client.post(&format!("/v2.0/{member}s"), &json!({ member: document })).await?.expect_error(status)
}

async fn subnet_of(client: &Client, network: &str, pool: &str, more: Value) -> Result<Value> {
    create(client, "subnet", subnet(network, pool, more)).await
}

fn subnet(network: &str, pool: &str, more: Value) -> Value {
    let mut subnet = json!({"network_id": network, "ip_version": 4, "subnetpool_id": pool});
    subnet.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    subnet
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_are_made_shown_changed_and_deleted() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let given = json!({"name": "p", "prefixes": ["10.10.0.0/24", "10.10.1.0/24", "10.9.0.1/16"]});
    let made = create(&client, "subnetpool", given).await?;
    let id = text(&made, "/id")?;
    let project = made["project_id"].clone();
    let mut known = made.clone();
    for time in ["created_at", "updated_at"] {
        known.as_object_mut().unwrap().remove(time).unwrap();
    }
    assert_eq!(
        known,
        json!({"id": id, "name": "p", "project_id": project, "tenant_id": project, "ip_version": 4,
            "prefixes": ["10.9.0.0/16", "10.10.0.0/23"], "default_prefixlen": "8", "min_prefixlen": "8",
            "max_prefixlen": "32", "is_default": false, "shared": false, "default_quota": null,
            "address_scope_id": null, "description": "", "tags": [], "revision_number": 0})
    );
    let path = format!("/v2.0/subnetpools/{id}");
    assert_eq!(client.get(&path).await?.expect(200)?["subnetpool"], made);
    let change = async |change: Value| client.put(&path, &json!({ "subnetpool": change })).await;
    let more = json!({"prefixes": ["10.10.0.0/23", "10.9.0.0/16", "11.0.0.0/8"], "default_prefixlen": "30",
        "default_quota": 7, "description": "d"});
    let changed = change(more).await?.expect(200)?["subnetpool"].clone();
    assert_eq!(changed["prefixes"], json!(["10.9.0.0/16", "10.10.0.0/23", "11.0.0.0/8"]));
    assert_eq!((&changed["default_prefixlen"], &changed["default_quota"]), (&json!("30"), &json!(7)));
    for (body, kind) in [
        (json!({"prefixes": ["10.10.0.0/24"]}), "IllegalSubnetPoolPrefixUpdate"),
        (json!({"prefixes": []}), "IllegalSubnetPoolPrefixUpdate"),
        (json!({"min_prefixlen": 31}), "IllegalSubnetPoolPrefixBounds"),
        (json!({"shared": true}), "HTTPBadRequest"),
        (json!({"ip_version": 6}), "HTTPBadRequest"),
        (json!({"default_quota": null}), "InvalidInput"),
        (json!({"name": " "}), "HTTPBadRequest"),
    ] {
        assert_eq!(change(body.clone()).await?.expect_error(400)?.0, kind, "{body}");
    }
    assert_eq!(client.get(&path).await?.expect(200)?["subnetpool"], changed);
    assert_eq!(
        list(&client, "/v2.0/subnetpools?ip_version=4&default_prefixlen=30&fields=id").await?.len(),
        1
    );
    assert_eq!(list(&client, "/v2.0/subnetpools?ip_version=6").await?.len(), 0);
    client.delete(&path).await?.expect(204)?;
    let (kind, message) = client.get(&path).await?.expect_error(404)?;
    assert_eq!(
        (kind.as_str(), message),
        ("SubnetPoolNotFound", format!("Subnet pool {id} could not be found."))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_pool_is_refused() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    for (more, kind, says) in [
        (json!({"prefixes": []}), "EmptySubnetPoolPrefixList", "Empty subnet pool prefix list."),
        (
            json!({"prefixes": ["10.0.0.0/8", "fd00::/64"]}),
            "PrefixVersionMismatch",
            "Cannot mix IPv4 and IPv6",
        ),
        (
            json!({"prefixes": ["x"]}),
            "HTTPBadRequest",
            "Invalid input for prefixes. Reason: 'x' is not a valid IP subnet.",
        ),
        (json!({"prefixes": ["10.0.0.0"]}), "HTTPBadRequest", "'10.0.0.0' is not a valid IP subnet."),
        (json!({"prefixes": "10.0.0.0/8"}), "HTTPBadRequest", "'10.0.0.0/8' is not a list."),
        (
            json!({"prefixes": ["10.0.0.0/8", "10.0.0.0/8"]}),
            "HTTPBadRequest",
            "Duplicate items in the list: '10.0.0.0/8'.",
        ),
        (json!({"prefixes": null}), "HTTPBadRequest", "'None' is not a list."),
        (json!({"min_prefixlen": -1}), "HTTPBadRequest", "'-1' should be non-negative."),
        (json!({"min_prefixlen": "x"}), "InvalidInput", "'x' is not an integer."),
        (json!({"min_prefixlen": null}), "InvalidInput", "'None' is not an integer."),
        (
            json!({"min_prefixlen": 25}),
            "IllegalSubnetPoolPrefixBounds",
            "default_prefixlen=24, min_prefixlen=25.",
        ),
        (
            json!({"max_prefixlen": 33}),
            "IllegalSubnetPoolPrefixBounds",
            "max_prefixlen=33, ip_version_max=32.",
        ),
        (json!({"name": ""}), "HTTPBadRequest", "'' Blank strings are not permitted."),
        (json!({"name": null}), "HTTPBadRequest", "'None' is not a valid string."),
        (json!({"ip_version": 4}), "HTTPBadRequest", "Attribute 'ip_version' not allowed in POST"),
        (json!({"address_scope_id": "x"}), "HTTPBadRequest", "'x' is not a valid UUID."),
    ] {
        let mut document = json!({"name": "p", "prefixes": ["10.0.0.0/8"], "default_prefixlen": 24});
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (found, message) = refused(&client, 400, "subnetpool", document).await?;
        assert_eq!(found, kind, "{more}: {message}");
        assert!(message.contains(says), "{more}: {message}");
    }
    let without_name = refused(&client, 400, "subnetpool", json!({"prefixes": ["10.0.0.0/8"]})).await?;
    assert_eq!(without_name.1, "Failed to parse request. Required attribute 'name' not specified");
    let scope = json!({"name": "p", "prefixes": ["10.0.0.0/8"], "address_scope_id": NOBODY});
    let (kind, message) = refused(&client, 404, "subnetpool", scope).await?;
    assert_eq!(kind, "AddressScopeNotFound");
    assert_eq!(message, format!("Address scope {NOBODY} could not be found."));
    assert_eq!(list(&client, "/v2.0/subnetpools").await?.len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_default_pool_of_a_family() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let blue = network(&client, "blue").await?;
    let asked = json!({"network_id": blue, "ip_version": 4, "use_default_subnetpool": true});
    let (kind, message) = refused(&client, 400, "subnet", asked.clone()).await?;
    assert_eq!(kind, "BadRequest");
    assert_eq!(message, "Bad subnets request: No default subnetpool found for IPv4.");
    let id = pool(&client, json!({"is_default": true})).await?;
    let second = json!({"name": "q", "prefixes": ["12.0.0.0/8"], "is_default": true});
    let (kind, message) = refused(&client, 400, "subnetpool", second.clone()).await?;
    assert_eq!(kind, "InvalidInput");
    assert!(message.contains("A default subnetpool for this IP family has already been set."), "{message}");
    pool(&client, json!({"prefixes": ["fd01::/48"], "default_prefixlen": 64, "is_default": true})).await?;
    let made = create(&client, "subnet", asked.clone()).await?;
    assert_eq!((&made["subnetpool_id"], &made["cidr"]), (&json!(id), &json!("10.40.0.0/24")));
    assert!(made.get("use_default_subnetpool").is_none() && made.get("prefixlen").is_none());
    let both = subnet(&blue, &id, json!({"use_default_subnetpool": true}));
    assert!(refused(&client, 400, "subnet", both).await?.1.contains("cannot both be specified"));
    // A default that others do not see is none for them.
    let other = client.clone().member_of(OTHERS)?;
    let theirs = network(&other, "theirs").await?;
    let asked = json!({"network_id": theirs, "ip_version": 4, "use_default_subnetpool": true});
    assert!(refused(&other, 400, "subnet", asked).await?.1.contains("No default subnetpool"));
    let refusal = refused(&other, 403, "subnetpool", second).await?.1;
    assert_eq!(
        refusal,
        "(rule:create_subnetpool and rule:create_subnetpool:is_default) is disallowed by policy"
    );
    // Once it is given up, another one may be it.
    client
        .put(&format!("/v2.0/subnetpools/{id}"), &json!({"subnetpool": {"is_default": false}}))
        .await?
        .expect(200)?;
    pool(&client, json!({"prefixes": ["12.0.0.0/8"], "is_default": true})).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn subnets_are_taken_from_pools() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let id = pool(&client, json!({"max_prefixlen": 30})).await?;
    let blue = network(&client, "blue").await?;
    let made = subnet_of(&client, &blue, &id, json!({})).await?;
    assert_eq!((&made["cidr"], &made["gateway_ip"]), (&json!("10.40.0.0/24"), &json!("10.40.0.1")));
    assert_eq!(made["allocation_pools"], json!([{"start": "10.40.0.2", "end": "10.40.0.254"}]));
    assert_eq!(made["subnetpool_id"], json!(id));
    let by_gateway = subnet_of(&client, &blue, &id, json!({"gateway_ip": "10.40.77.1"})).await?;
    assert_eq!(by_gateway["cidr"], "10.40.77.0/24");
    let none = subnet_of(&client, &blue, &id, json!({"prefixlen": 28, "gateway_ip": null})).await?;
    assert_eq!((&none["cidr"], &none["gateway_ip"]), (&json!("10.40.1.0/28"), &Value::Null));
    let given =
        json!({"cidr": "10.40.9.5/24", "allocation_pools": [{"start": "10.40.9.9", "end": "10.40.9.20"}]});
    assert_eq!(subnet_of(&client, &blue, &id, given).await?["cidr"], "10.40.9.0/24");
    assert_eq!(list(&client, &format!("/v2.0/subnets?subnetpool_id={id}")).await?.len(), 4);

    let bad = "Bad subnets request: ";
    for (status, more, kind, says) in [
        (
            400,
            json!({"prefixlen": 7}),
            "MinPrefixSubnetAllocationError",
            "Unable to allocate subnet with prefix length 7, minimum allowed prefix is 8.",
        ),
        (
            400,
            json!({"prefixlen": 31}),
            "MaxPrefixSubnetAllocationError",
            "Unable to allocate subnet with prefix length 31, maximum allowed prefix is 30.",
        ),
        (400, json!({"prefixlen": 33}), "AddrFormatError", "invalid IPNetwork 0.0.0.0/33"),
        (
            409,
            json!({"prefixlen": 15}),
            "SubnetAllocationError",
            "Failed to allocate subnet: Insufficient prefix space to allocate subnet size /15.",
        ),
        (
            409,
            json!({"cidr": "10.40.0.0/25"}),
            "SubnetAllocationError",
            "Cannot allocate requested subnet from the available set of prefixes.",
        ),
        (409, json!({"cidr": "10.50.0.0/25"}), "SubnetAllocationError", "Cannot allocate requested subnet"),
        (
            409,
            json!({"gateway_ip": "10.99.77.1"}),
            "SubnetAllocationError",
            "Cannot allocate requested subnet",
        ),
        (
            400,
            json!({"cidr": "10.40.128.0/25", "prefixlen": 25}),
            "BadRequest",
            "cidr and prefixlen must not be supplied together.",
        ),
        (400, json!({"ip_version": 6}), "BadRequest", "Cannot allocate IPv6 subnet from IPv4 subnet pool."),
        (
            400,
            json!({"allocation_pools": []}),
            "BadRequest",
            "allocation_pools allowed only for specific subnet requests.",
        ),
        (404, json!({"subnetpool_id": NOBODY}), "SubnetPoolNotFound", "could not be found."),
        (400, json!({"subnetpool_id": "x"}), "HTTPBadRequest", "'x' is not a valid UUID."),
        (
            400,
            json!({"subnetpool_id": null}),
            "BadRequest",
            "a subnetpool must be specified in the absence of a cidr.",
        ),
        (400, json!({"use_default_subnetpool": "x"}), "InvalidInput", "'x' cannot be converted to boolean."),
    ] {
        let (found, message) = refused(&client, status, "subnet", subnet(&blue, &id, more.clone())).await?;
        assert_eq!(found, kind, "{more}: {message}");
        assert!(
            message.contains(says) && (kind != "BadRequest" || message.starts_with(bad)),
            "{more}: {message}"
        );
    }
    let change = json!({"subnet": {"subnetpool_id": null}});
    let path = format!("/v2.0/subnets/{}", text(&none, "/id")?);
    let message = client.put(&path, &change).await?.expect_error(400)?.1;
    assert_eq!(message, "Cannot update read-only attribute subnetpool_id");

    // What was given back is given out again.
    client.delete(&format!("/v2.0/subnets/{}", text(&made, "/id")?)).await?.expect(204)?;
    assert_eq!(subnet_of(&client, &blue, &id, json!({})).await?["cidr"], "10.40.0.0/24");
    let (kind, message) = client.delete(&format!("/v2.0/subnetpools/{id}")).await?.expect_error(400)?;
    assert_eq!(kind, "SubnetPoolDeleteError");
    assert_eq!(message, "Unable to delete subnet pool: Subnet pool has existing allocations.");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ipv6_subnets_are_taken_from_pools_too() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let id = pool(&client, json!({"prefixes": ["fd77::/48"], "default_prefixlen": 64})).await?;
    let blue = network(&client, "blue").await?;
    let made = subnet_of(&client, &blue, &id, json!({"ip_version": 6})).await?;
    assert_eq!((&made["cidr"], &made["gateway_ip"]), (&json!("fd77::/64"), &json!("fd77::1")));
    assert_eq!(made["allocation_pools"], json!([{"start": "fd77::2", "end": "fd77::ffff:ffff:ffff:ffff"}]));
    let automatic =
        json!({"ip_version": 6, "prefixlen": 80, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"});
    let (_, message) = refused(&client, 400, "subnet", subnet(&blue, &id, automatic)).await?;
    assert!(message.contains("requires the prefix to be /64"), "{message}");

    // A prefix that is delegated later stands for itself.
    let green = network(&client, "green").await?;
    let delegated = |more: Value| subnet(&green, "prefix_delegation", more);
    for (more, says) in [
        (json!({}), "Prefix Delegation can only be used with IPv6 subnets."),
        (json!({"ip_version": 6}), "IPv6 RA Mode must be SLAAC or Stateless for Prefix Delegation."),
        (json!({"ip_version": 6, "ipv6_ra_mode": "slaac"}), "IPv6 Address Mode must be SLAAC or Stateless"),
    ] {
        assert!(refused(&client, 400, "subnet", delegated(more)).await?.1.contains(says));
    }
    let slaac = json!({"ip_version": 6, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"});
    let made = create(&client, "subnet", delegated(slaac.clone())).await?;
    assert_eq!((&made["cidr"], &made["subnetpool_id"]), (&json!("::/64"), &json!("prefix_delegation")));
    create(&client, "subnet", delegated(slaac)).await?;
    let other = json!({"network_id": green, "ip_version": 6, "cidr": "fd00:9::/64"});
    assert_eq!(refused(&client, 400, "subnet", other).await?.0, "NetworkSubnetPoolAffinityError");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn subnets_of_a_network_are_of_one_pool() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let (one, two) =
        (pool(&client, json!({})).await?, pool(&client, json!({"prefixes": ["10.60.0.0/16"]})).await?);
    let blue = network(&client, "blue").await?;
    subnet_of(&client, &blue, &one, json!({})).await?;
    let (kind, message) = refused(&client, 400, "subnet", subnet(&blue, &two, json!({}))).await?;
    assert_eq!(kind, "NetworkSubnetPoolAffinityError");
    assert_eq!(message, "Subnets hosted on the same network must be allocated from the same subnet pool.");
    let without = json!({"network_id": blue, "ip_version": 4, "cidr": "172.16.0.0/24"});
    assert_eq!(refused(&client, 400, "subnet", without).await?.0, kind);
    // The other family is another matter.
    world::subnet(&client, &blue, "fd00:5::/64").await?;
    // A bulk is one request: the second one of it is on the network of the first.
    let green = network(&client, "green").await?;
    let bulk = json!({"subnets": [subnet(&green, &one, json!({})), subnet(&green, &two, json!({}))]});
    assert_eq!(client.post("/v2.0/subnets", &bulk).await?.expect_error(400)?.0, kind);
    let bulk = json!({"subnets": [subnet(&green, &one, json!({})), subnet(&green, &one, json!({}))]});
    let made = client.post("/v2.0/subnets", &bulk).await?.expect(201)?;
    assert_eq!(made["subnets"][0]["cidr"], "10.40.1.0/24");
    assert_eq!(made["subnets"][1]["cidr"], "10.40.2.0/24");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_a_quota_of_a_pool() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let id = pool(&client, json!({"default_quota": 512, "shared": true})).await?;
    let blue = network(&client, "blue").await?;
    subnet_of(&client, &blue, &id, json!({})).await?;
    subnet_of(&client, &blue, &id, json!({})).await?;
    let (kind, message) =
        refused(&client, 409, "subnet", subnet(&blue, &id, json!({"prefixlen": 30}))).await?;
    assert_eq!(kind, "SubnetPoolQuotaExceeded");
    assert_eq!(message, "Per-project subnet pool prefix quota exceeded.");
    let other = client.clone().member_of(OTHERS)?;
    let theirs = network(&other, "theirs").await?;
    subnet_of(&other, &theirs, &id, json!({"prefixlen": 23})).await?;
    assert_eq!(refused(&other, 409, "subnet", subnet(&theirs, &id, json!({}))).await?.0, kind);

    let limits = json!({"quota": {"subnetpool": 1}});
    let project = text(
        &create(&other, "subnetpool", json!({"name": "q", "prefixes": ["11.0.0.0/8"]})).await?,
        "/project_id",
    )?;
    client.put(&format!("/v2.0/quotas/{project}"), &limits).await?.expect(200)?;
    let more = json!({"name": "r", "prefixes": ["12.0.0.0/8"]});
    let (kind, message) = refused(&other, 409, "subnetpool", more).await?;
    assert_eq!(kind, "OverQuota");
    assert!(message.contains("subnetpool"), "{message}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_are_shared_by_policies() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let other = client.clone().member_of(OTHERS)?;
    let id = pool(&client, json!({})).await?;
    let theirs = network(&other, "theirs").await?;
    assert_eq!(
        refused(&other, 404, "subnet", subnet(&theirs, &id, json!({}))).await?.0,
        "SubnetPoolNotFound"
    );
    let policy = json!({"rbac_policy": {"object_type": "subnetpool", "object_id": id,
        "action": "access_as_shared", "target_tenant": OTHERS}});
    let made = client.post("/v2.0/rbac-policies", &policy).await?.expect(201)?;
    let path = format!("/v2.0/rbac-policies/{}", text(&made, "/rbac_policy/id")?);
    assert_eq!(list(&other, "/v2.0/subnetpools").await?[0]["shared"], true);
    let made = subnet_of(&other, &theirs, &id, json!({})).await?;
    // Who only sees it does not change it.
    let own = format!("/v2.0/subnetpools/{id}");
    let change = json!({"subnetpool": {"name": "mine"}});
    assert_eq!(
        other.put(&own, &change).await?.expect_error(403)?.1,
        "rule:update_subnetpool is disallowed by policy"
    );
    other.delete(&own).await?.expect_error(403)?;
    let (kind, message) = client.delete(&path).await?.expect_error(409)?;
    assert_eq!(kind, "RbacPolicyInUse");
    assert!(message.starts_with(&format!("RBAC policy on object {id} cannot be removed")), "{message}");
    let elsewhere = json!({"rbac_policy": {"target_tenant": "b198a1aec1a74cb1a50c16e31efe0d26"}});
    assert_eq!(client.put(&path, &elsewhere).await?.expect_error(409)?.0, "RbacPolicyInUse");
    client.delete(&format!("/v2.0/subnets/{}", text(&made, "/id")?)).await?.expect(204)?;
    client.delete(&path).await?.expect(204)?;
    other.get(&own).await?.expect_error(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_are_added_and_removed() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let id = pool(&client, json!({"prefixes": ["10.40.0.0/16"]})).await?;
    let blue = network(&client, "blue").await?;
    subnet_of(&client, &blue, &id, json!({})).await?;
    let add = format!("/v2.0/subnetpools/{id}/add_prefixes");
    let remove = format!("/v2.0/subnetpools/{id}/remove_prefixes");
    let body = |prefixes: Value| json!({ "prefixes": prefixes });
    let answer = client.put(&add, &body(json!(["10.41.0.0/16", "10.43.0.0/24"]))).await?.expect(200)?;
    assert_eq!(answer, json!({"prefixes": ["10.40.0.0/15", "10.43.0.0/24"]}));
    let answer = client.put(&remove, &body(json!(["10.41.128.0/17"]))).await?.expect(200)?;
    let left = json!({"prefixes": ["10.40.0.0/16", "10.41.0.0/17", "10.43.0.0/24"]});
    assert_eq!(answer, left);
    assert_eq!(client.put(&remove, &body(json!(["99.0.0.0/16"]))).await?.expect(200)?, left);
    let (kind, message) = client.put(&remove, &body(json!(["10.40.0.0/26"]))).await?.expect_error(400)?;
    assert_eq!(kind, "IllegalSubnetPoolPrefixUpdate");
    assert!(message.contains("One or more the prefixes to be removed is in use by a subnet."), "{message}");
    for (path, given, kind) in [
        (&add, json!(["fd00::/64"]), "PrefixVersionMismatch"),
        (&add, json!(["x"]), "AddrFormatError"),
        (&remove, json!(["x"]), "AddrFormatError"),
        (&add, json!([]), "HTTPBadRequest"),
        (&remove, json!("10.0.0.0/8"), "HTTPBadRequest"),
    ] {
        assert_eq!(
            client.put(path, &body(given.clone())).await?.expect_error(400)?.0,
            kind,
            "{path} {given}"
        );
    }
    assert_eq!(
        client.put(&add, &json!({})).await?.expect_error(400)?.1,
        "Request body contains invalid data"
    );
    let other = client.clone().member_of(OTHERS)?;
    other.put(&add, &body(json!(["13.0.0.0/8"]))).await?.expect_error(404)?;
    let shown = client.get(&format!("/v2.0/subnetpools/{id}")).await?.expect(200)?;
    assert_eq!(shown["subnetpool"]["prefixes"], left["prefixes"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn subnets_of_a_network_join_a_pool() -> Result {
    let server = world::sqlite().await?;
    let client = server.client();
    let id = pool(&client, json!({})).await?;
    let blue = network(&client, "blue").await?;
    let four = world::subnet(&client, &blue, "10.61.0.0/24").await?;
    let six = world::subnet(&client, &blue, "fd00:5::/64").await?;
    let path = format!("/v2.0/subnetpools/{id}/onboard_network_subnets");
    let body = json!({ "network_id": blue });
    let answer = client.put(&path, &body).await?.expect(200)?;
    assert_eq!(answer, json!([{"id": four, "cidr": "10.61.0.0/24"}]));
    let shown = client.get(&format!("/v2.0/subnets/{four}")).await?.expect(200)?;
    assert_eq!(shown["subnet"]["subnetpool_id"], json!(id));
    let shown = client.get(&format!("/v2.0/subnets/{six}")).await?.expect(200)?;
    assert_eq!(shown["subnet"]["subnetpool_id"], Value::Null);
    let shown = client.get(&format!("/v2.0/subnetpools/{id}")).await?.expect(200)?;
    assert_eq!(shown["subnetpool"]["prefixes"], json!(["10.40.0.0/16", "10.61.0.0/24"]));
    let (kind, message) = client.put(&path, &body).await?.expect_error(400)?;
    assert_eq!(kind, "IllegalSubnetPoolUpdate");
    assert_eq!(
        message,
        format!(
            "Illegal subnetpool update : Onboarding subnet {four}: 10.61.0.0/24 conflicts with allocated prefixes in subnet pool {id}."
        )
    );
    for (body, status, kind) in [
        (json!({"network_id": NOBODY}), 404, "NetworkNotFound"),
        (json!({"network_id": null}), 400, "InvalidInput"),
        (json!({}), 400, "InvalidInput"),
    ] {
        assert_eq!(client.put(&path, &body).await?.expect_error(status)?.0, kind, "{body}");
    }
    // Nobody's subnets are drawn into a pool by a stranger.
    let other = client.clone().member_of(OTHERS)?;
    let own = pool(&other, json!({})).await?;
    let path = format!("/v2.0/subnetpools/{own}/onboard_network_subnets");
    assert_eq!(other.put(&path, &body).await?.expect_error(404)?.0, "NetworkNotFound");
    Ok(())
}

/// 16 at once, on networks of their own: no two get overlapping networks, and as
/// many get one as the pool has.
#[tokio::test(flavor = "multi_thread")]
async fn no_two_subnets_of_a_pool_overlap_however_many_are_taken_at_once() -> Result {
    let Some(server) = world::postgres().await? else { return Ok(()) };
    let client = server.client();
    let id = pool(&client, json!({"prefixes": ["10.70.0.0/22", "10.80.0.0/24"]})).await?;
    let mut networks = Vec::new();
    for place in 0..16 {
        networks.push(network(&client, &format!("n{place}")).await?);
    }
    let mut asking = JoinSet::new();
    for network in networks {
        let (client, body) = (client.clone(), json!({ "subnet": subnet(&network, &id, json!({})) }));
        asking.spawn(async move { client.post("/v2.0/subnets", &body).await });
    }
    let mut given = Vec::new();
    while let Some(answer) = asking.join_next().await {
        let answer = answer.expect("a task ended")?;
        match answer.status {
            201 => given.push(text(&answer.body, "/subnet/cidr")?),
            _ => assert_eq!(answer.expect_error(409)?.0, "SubnetAllocationError"),
        }
    }
    given.sort();
    assert_eq!(given, ["10.70.0.0/24", "10.70.1.0/24", "10.70.2.0/24", "10.70.3.0/24", "10.80.0.0/24"]);
    Ok(())
}
