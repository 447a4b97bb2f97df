//! Who may do what: Neutron's default rules, the operator's file, and what a
//! rule grants through the row that another refers to.

use hadron_api_tests::world::{builder, create, list, port, postgres, sqlite, subnet, text};
use hadron_sdk_testing::{Client, Error, Output, Result, Server, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Neutron's rules, one a line: `"name": "rule"`.
const NEUTRON: &str = include_str!("../data/neutron-policy.yaml");

/// Longer than the server takes to find that a file has changed.
const SOON: Duration = Duration::from_secs(20);

fn neutrons() -> BTreeMap<&'static str, &'static str> {
    let rule = |line: &'static str| line.strip_prefix('"')?.strip_suffix('"')?.split_once("\": \"");
    NEUTRON.lines().filter_map(rule).collect()
}

/// The normal forms of rules, as the server prints them.
async fn normal(server: &Server) -> Result<BTreeMap<String, String>> {
    let rules = server.cli_json(&["policy", "list"]).await?;
    let field = |rule: &Value, name: &str| rule[name].as_str().unwrap_or_default().to_owned();
    let rules = rules.as_array().cloned().unwrap_or_default();
    Ok(rules.iter().map(|rule| (field(rule, "name"), field(rule, "normal"))).collect())
}

/// Rules that are another here: a rule of a metering label has no project of its
/// own, so by Neutron's nobody but administrators would see one again.
const ELSE: [&str; 2] = ["delete_metering_label_rule", "get_metering_label_rule"];

/// A server whose policy file holds all of Neutron's rules prints them in the
/// form in which another prints its own.
#[tokio::test(flavor = "multi_thread")]
async fn every_rule_that_is_served_is_neutrons_own() -> Result {
    let folder = tempfile::tempdir().map_err(Error::new)?;
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, NEUTRON).map_err(Error::new)?;
    let ours = normal(&sqlite().await?).await?;
    let server = builder().config(&policy_file(&file)).start().await?;
    let theirs = normal(&server).await?;
    assert_eq!(neutrons().len(), 418);
    let mut missing = Vec::new();
    for name in neutrons().into_keys() {
        match ours.get(name) {
            Some(_) if ELSE.contains(&name) => {}
            Some(rule) => assert_eq!(Some(rule), theirs.get(name), "{name}"),
            None => missing.push(name),
        }
    }
    println!("{} of Neutron's rules are served, {} not yet", 418 - missing.len(), missing.len());
    // A rule about a resource and an attribute that are there must be too.
    let admin = server.client();
    let (network, subnet, port) = lent(&server, "p", "p", false).await?;
    for (member, id) in [("network", network), ("subnet", subnet), ("port", port)] {
        let shown = admin.get(&format!("/v2.0/{member}s/{id}")).await?.expect(200)?;
        for rule in &missing {
            let (asked, attribute) = rule.split_once(':').unwrap_or((rule, "id"));
            let has = |name: &str| shown[member].get(name).is_some();
            let served = has(attribute) || attribute.rsplit_once(':').is_some_and(|(name, _)| has(name));
            let about = asked.split_once('_').is_some_and(|(_, about)| about == member);
            assert!(!(about && served), "no manifest has {rule}");
        }
    }
    Ok(())
}

fn policy_file(path: &Path) -> String {
    format!("[policy]\nfile = '{}'\n", path.display())
}

fn member(server: &Server, project: &str) -> Result<Client> {
    server.client().member_of(project)
}

/// A project's network with a subnet, and on it a port of another project.
async fn lent(server: &Server, owner: &str, guest: &str, shared: bool) -> Result<(String, String, String)> {
    let admin = server.client();
    let document = json!({"name": owner, "project_id": owner, "shared": shared});
    let network = text(&create(&admin, "network", document).await?, "/id")?;
    let subnet = subnet(&admin, &network, "10.0.0.0/24").await?;
    let port = create(&admin, "port", json!({"network_id": network, "project_id": guest})).await?;
    Ok((network, subnet, text(&port, "/id")?))
}

fn ids(rows: &[Value]) -> Vec<&str> {
    let mut ids: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    ids.sort_unstable();
    ids
}

async fn lists_and_shows_agree(server: &Server) -> Result {
    let (_, closed_subnet, lodger) = lent(server, "landlord", "lodger", false).await?;
    let (open, open_subnet, _) = lent(server, "host", "guest", true).await?;
    // Who owns a network sees the ports that others have on it.
    let landlord = member(server, "landlord")?;
    assert_eq!(ids(&list(&landlord, "/v2.0/ports").await?), [lodger.as_str()]);
    landlord.get(&format!("/v2.0/ports/{lodger}")).await?.expect(200)?;
    // Everybody sees a shared network and its subnets, but no other's ports.
    let stranger = member(server, "stranger")?;
    assert_eq!(ids(&list(&stranger, "/v2.0/networks").await?), [open.as_str()]);
    assert_eq!(ids(&list(&stranger, "/v2.0/subnets").await?), [open_subnet.as_str()]);
    assert_eq!(list(&stranger, "/v2.0/ports").await?.len(), 0);
    stranger.get(&format!("/v2.0/subnets/{open_subnet}")).await?.expect(200)?;
    stranger.get(&format!("/v2.0/subnets/{closed_subnet}")).await?.expect_error(404)?;
    stranger.get(&format!("/v2.0/ports/{lodger}")).await?.expect_error(404)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_grants_through_another_row_counts_in_lists_as_in_shows() -> Result {
    lists_and_shows_agree(&sqlite().await?).await?;
    match postgres().await? {
        Some(server) => lists_and_shows_agree(&server).await,
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_members_page_is_one_statement() -> Result {
    let server = builder().log_level("warn,hadron_store::statement=trace").start().await?;
    let (network, ..) = lent(&server, "landlord", "lodger", true).await?;
    for _ in 0..4 {
        port(&server.client(), &network).await?;
    }
    // Each read of rows, by whomever: nothing else goes on here.
    let reads = || server.log().lines().filter(|line| line.contains(" AS t WHERE ")).count();
    for (collection, seen) in [("ports", 5), ("subnets", 1), ("networks", 1)] {
        let client = member(&server, "landlord")?;
        let before = reads();
        assert_eq!(
            list(&client, &format!("/v2.0/{collection}?limit=100")).await?.len(),
            seen,
            "{collection}"
        );
        assert_eq!(reads() - before, 1, "{collection}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_about_attributes_and_their_members_are_asked() -> Result {
    let server = sqlite().await?;
    let (network, subnet, port) = lent(&server, "host", "guest", true).await?;
    let guest = member(&server, "guest")?;
    let refused = async |body: Value| -> Result<String> {
        let answer = guest.post("/v2.0/ports", &json!({"port": body})).await?;
        Ok(answer.expect_error(403)?.1)
    };
    // On another's shared network a member may choose the subnet, not the address.
    let chosen = json!({"network_id": network, "fixed_ips": [{"subnet_id": subnet}]});
    create(&guest, "port", chosen).await?;
    let fixed =
        json!({"network_id": network, "fixed_ips": [{"subnet_id": subnet, "ip_address": "10.0.0.9"}]});
    assert_eq!(
        refused(fixed.clone()).await?,
        "(rule:create_port and (rule:create_port:fixed_ips and (rule:create_port:fixed_ips:subnet_id and \
         rule:create_port:fixed_ips:ip_address))) is disallowed by policy"
    );
    for (name, value) in [
        ("mac_address", json!("fa:16:3e:00:00:09")),
        ("binding:host_id", json!("h")),
        ("device_owner", json!("network:dhcp")),
    ] {
        let message = refused(json!({"network_id": network, name: value})).await?;
        assert_eq!(
            message,
            format!("(rule:create_port and rule:create_port:{name}) is disallowed by policy")
        );
    }
    // Its owner may.
    let mut owners = fixed;
    owners["project_id"] = json!("host");
    create(&member(&server, "host")?, "port", owners).await?;
    let update = json!({"port": {"mac_address": "fa:16:3e:00:00:0a"}});
    let (kind, _) = guest.put(&format!("/v2.0/ports/{port}"), &update).await?.expect_error(403)?;
    assert_eq!(kind, "PolicyNotAuthorized");
    // A port of a server is deleted by its own service only.
    let computes = json!({"network_id": network, "project_id": "guest", "device_owner": "compute:nova"});
    let computes = text(&create(&server.client(), "port", computes).await?, "/id")?;
    let path = format!("/v2.0/ports/{computes}");
    guest.delete(&path).await?.expect_error(403)?;
    member(&server, "guest")?.header("x-service-roles", "service")?.delete(&path).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_file_replaces_rules_and_is_read_again_when_it_changes() -> Result {
    let folder = tempfile::tempdir().map_err(Error::new)?;
    let file = folder.path().join("policy.yaml");
    let write = |text: &str| std::fs::write(&file, text).map_err(Error::new);
    write("# who leads\ncontext_is_admin: 'role:boss'\n\"create_netwrok\": '@'\n")?;
    let server = builder().config(&policy_file(&file)).start().await?;
    let as_roles = |roles: &str| server.client().header("x-project-id", "p")?.header("x-roles", roles);
    let (boss, admin, reader) = (as_roles("boss")?, as_roles("admin")?, as_roles("reader")?);
    let others = |name: &str| json!({"network": {"name": name, "project_id": "q", "shared": true}});
    boss.post("/v2.0/networks", &others("a")).await?.expect(201)?;
    admin.post("/v2.0/networks", &others("b")).await?.expect_error(400)?;
    assert!(server.log().contains("did you mean 'create_network'?"), "{}", server.log());
    let mine = json!({"network": {"name": "c"}});
    reader.post("/v2.0/networks", &mine).await?.expect_error(403)?;

    // JSON, another inode: as an editor saves it.
    let saved = folder.path().join("new");
    std::fs::write(
        &saved,
        "{\n  \"create_network\": [[\"role:reader\", \"project_id:%(project_id)s\"]]\n}\n",
    )
    .and_then(|()| std::fs::rename(&saved, &file))
    .map_err(Error::new)?;
    until("the changed rules", SOON, || async {
        let answer = reader.post("/v2.0/networks", &mine).await?;
        Ok((answer.status == 201).then_some(()))
    })
    .await?;
    admin.post("/v2.0/networks", &others("d")).await?.expect_error(403)?;

    // What cannot be read changes nothing, and is told with its line.
    write("create_network: '!'\nget_network: 'role:x or'\n")?;
    until("the error", SOON, || async {
        Ok(server.log().contains("line 2: 'get_network': the policy rule ends too early").then_some(()))
    })
    .await?;
    reader.post("/v2.0/networks", &mine).await?.expect(201)?;
    write("admin_only: 'rule:a'\na: 'rule:admin_only'\n")?;
    until("the circle", SOON, || async {
        Ok(server.log().contains("'a' names 'admin_only' names 'a'").then_some(()))
    })
    .await?;
    reader.post("/v2.0/networks", &mine).await?.expect(201)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_not_start_with_a_policy_file_that_is_wrong() -> Result {
    let folder = tempfile::tempdir().map_err(Error::new)?;
    let file = folder.path().join("policy.yaml");
    for (text, said) in [
        ("a: '@'\nb: 'http://h/%(x)s'\n", "line 2: 'b'"),
        ("owner: 'rule:admin_or_owner'\n", "names 'owner'"),
    ] {
        std::fs::write(&file, text).map_err(Error::new)?;
        match builder().config(&policy_file(&file)).start().await {
            Ok(_) => return Err(Error::new(format!("it started with {text}"))),
            Err(error) => assert!(error.to_string().contains(said), "{error}"),
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_is_told_why_something_is_allowed_or_refused() -> Result {
    let server = sqlite().await?;
    let (network, _, port) = lent(&server, "host", "guest", false).await?;
    let check = async |arguments: &[&str]| -> Result<Output> {
        server.cli(&[&["policy", "check"], arguments].concat()).await
    };
    let said = check(&["--rule", "create_network", "--roles", "member,reader", "--project", "p"]).await?;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.starts_with("allowed\nyes rule:create_network\n"), "{}", said.stdout);
    assert!(
        said.stdout.contains("no          role:admin   (the caller's roles: member reader)"),
        "{}",
        said.stdout
    );

    let said =
        check(&["--rule", "get_network", "--roles", "reader", "--project", "p", "--id", &network]).await?;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stdout.contains(
            "project_id:%(project_id)s   (the caller's project_id: p, the target's project_id: host)"
        ),
        "{}",
        said.stdout
    );
    // The rows that rules ask for are read.
    let said =
        check(&["--rule", "get_port", "--roles", "reader", "--project", "host", "--id", &port]).await?;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.contains("the target's network:project_id: host"), "{}", said.stdout);
    let target =
        json!({"project_id": "p", "network_id": network, "mac_address": "fa:16:3e:00:00:01"}).to_string();
    let said = check(&[
        "--rule",
        "create_port",
        "--roles",
        "member",
        "--project",
        "p",
        "--target",
        &target,
        "--json",
    ])
    .await?;
    assert_eq!(said.code, Some(1), "{said:?}");
    let verdict: Value = serde_json::from_str(&said.stdout).map_err(Error::new)?;
    assert_eq!(verdict["allowed"], false);
    assert_eq!(verdict["findings"][1]["check"], "rule:create_port:mac_address");

    let said = check(&["--rule", "get_netwrok", "--roles", "reader"]).await?;
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("did you mean 'get_network'?"), "{}", said.stderr);
    let said = check(&["--rule", "admin_only", "--id", &network]).await?.refused()?;
    assert!(said.contains("describe it with --target"), "{said}");
    let shown = server.cli_json(&["policy", "show", "network_owner"]).await?;
    assert_eq!(
        (&shown["source"], &shown["rule"]),
        (&json!("ml2"), &json!("project_id:%(network:project_id)s"))
    );
    // Questions change nothing.
    assert_eq!(list(&server.client(), "/v2.0/networks").await?.len(), 1);
    Ok(())
}
