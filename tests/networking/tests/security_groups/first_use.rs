//! The default group is there before anybody looks.

use super::{ALICE, BOB, GROUPS, default_group, group, world};
use hadron_networking_tests::world::{create, list, network, text};
use hadron_sdk_testing::Result;
use serde_json::json;
use std::collections::BTreeSet;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_first_makes_the_default_group() -> Result {
    let (server, _, _) = world().await?;
    let admin = server.client();
    let shared = json!({"network": {"name": "open", "shared": true}});
    let open = text(&admin.post("/v2.0/networks", &shared).await?.expect(201)?, "/network/id")?;
    let limits = json!({"quota": {"security_group": 2, "security_group_rule": 7}});
    for (project, first) in [
        "list of groups",
        "list of rules",
        "show of a group",
        "group",
        "network",
        "port",
        "administrator's list",
        "administrator's list of rules",
    ]
    .into_iter()
    .enumerate()
    .map(|(number, first)| (format!("{number:032x}"), first))
    {
        let member = server.client().member_of(&project)?;
        admin.put(&format!("/v2.0/quotas/{project}"), &limits).await?.expect(200)?;
        match first {
            "list of groups" => assert_eq!(list(&member, "/v2.0/security_groups").await?.len(), 1),
            "list of rules" => assert_eq!(list(&member, "/v2.0/security_group_rules").await?.len(), 4),
            // By name, the client asks for that id first and then for a list.
            "show of a group" => drop(member.get(&format!("{GROUPS}/default")).await?.expect_error(404)?),
            "group" => drop(group(&member, "web").await?),
            "network" => drop(network(&member, "own").await?),
            "port" => {
                let port = create(&member, "port", json!({"network_id": open})).await?;
                assert_eq!(port["security_groups"].as_array().map(Vec::len), Some(1));
            }
            "administrator's list" => {
                let found = list(&admin, &format!("/v2.0/security_groups?project_id={project}")).await?;
                assert_eq!((found.len(), &found[0]["project_id"]), (1, &json!(project)));
            }
            _ => {
                let found = list(&admin, &format!("/v2.0/security_group_rules?tenant_id={project}")).await?;
                assert_eq!(found.len(), 4);
            }
        }
        let made = default_group(&member).await?;
        assert_eq!(made["security_group_rules"].as_array().map(Vec::len), Some(4), "{first}");
        // It counts, once: one group and three rules are left of the quota.
        let details = admin.get(&format!("/v2.0/quotas/{project}/details")).await?.expect(200)?;
        let used = |name: &str| details["quota"][name]["used"].as_i64();
        let own = i64::from(first == "group");
        assert_eq!(used("security_group"), Some(1 + own), "{first}");
        assert_eq!(used("security_group_rule"), Some(4 + 2 * own), "{first}");
    }
    // A project that asks about another makes nothing.
    let curious = server.client().member_of(ALICE)?;
    assert!(list(&curious, &format!("/v2.0/security_groups?project_id={BOB}")).await?.is_empty());
    let all = list(&admin, "/v2.0/security_groups").await?;
    assert!(all.iter().all(|group| group["project_id"] != BOB && group["project_id"] != ALICE));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn first_lists_at_once_make_one_default_group() -> Result {
    let Some(server) = world::postgres().await? else { return Ok(()) };
    let alice = server.client().member_of(ALICE)?;
    let mut lists = JoinSet::new();
    for number in 0..16 {
        let alice = alice.clone();
        let path = ["/v2.0/security_groups", "/v2.0/security_group_rules"][number % 2];
        lists.spawn(async move { list(&alice, path).await.map(|rows| (number % 2, rows)) });
    }
    let mut groups = BTreeSet::new();
    while let Some(found) = lists.join_next().await {
        let (rules, rows) = found.unwrap()?;
        assert_eq!(rows.len(), if rules == 1 { 4 } else { 1 });
        let name = if rules == 1 { "security_group_id" } else { "id" };
        groups.extend(rows.iter().map(|row| row[name].to_string()));
    }
    assert_eq!(groups.len(), 1);
    Ok(())
}
