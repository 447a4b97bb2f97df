//! A changed configuration, taken up without a restart.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::{Client, Result, Server, until};
use hadron_tests_operations::builder;
use serde_json::json;
use std::time::Duration;

/// Changes the configuration file.
fn edit(server: &Server, from: &str, to: &str) {
    let file = server.folder().join("hadron.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    std::fs::write(&file, text.replace(from, to)).unwrap();
}

#[tokio::test]
async fn a_plugins_configuration_and_the_log_level_are_taken_up_and_the_rest_is_named() -> Result {
    let server = builder().start().await?;
    let high = json!({"network": {
        "provider:network_type": "vlan",
        "provider:physical_network": "physnet2",
        "provider:segmentation_id": 7,
    }});
    server.post("/v2.0/networks", &high).await?.expect(400)?;
    edit(&server, "physnet1:1:4000", "physnet2:1:9");
    edit(&server, "level = \"info\"", "level = \"error\"");
    edit(&server, "format = \"json\"", "format = \"human\"");
    let reloaded = server.cli_json(&["config", "reload"]).await?;
    assert_eq!(reloaded, json!({"applied": ["log.level", "plugin type-vlan"], "restart": ["log.format"]}));
    let before = server.log().len();
    server.post("/v2.0/networks", &high).await?.expect(201)?;
    assert!(!server.log()[before..].contains("answered"), "nothing is told at that level");
    Ok(())
}

#[tokio::test]
async fn limits_on_requests_and_projects_are_taken_up() -> Result {
    let limits =
        "[api]\nrequests_per_second = 1000\nbatch_operations = 9\n[quota]\nlimits = [\"network=9\"]\n";
    let server = builder().config(limits).start().await?;
    let create = async |client: &Client| client.post("/v2.0/networks", &json!({"network": {}})).await;
    let member = server.client().member_of("busy")?;
    create(&member).await?.expect(201)?;
    edit(&server, "requests_per_second = 1000", "requests_per_second = 1");
    edit(&server, "batch_operations = 9", "batch_operations = 1");
    edit(&server, "network=9", "network=1");
    let reloaded = server.cli_json(&["config", "reload"]).await?;
    let settings = ["api.batch_operations", "api.requests_per_second", "quota.limits"];
    assert_eq!(reloaded, json!({"applied": settings, "restart": []}));
    // One a second, and more than one at once for administrators only.
    let (kind, _) = create(&member).await?.expect_error(409)?;
    assert_eq!(kind, "OverQuota");
    let mut refused = false;
    for _ in 0..50 {
        refused |= member.get("/v2.0/networks").await?.status == 429;
    }
    assert!(refused, "fifty requests in a row");
    let admin = server.client();
    let operation = json!({"op": "create", "collection": "networks", "body": {}});
    admin.post("/v2.0/batch", &json!({"operations": [operation, operation]})).await?.expect_error(400)?;
    let defaults = admin.get("/v2.0/quotas/quiet").await?.expect(200)?;
    assert_eq!(defaults["quota"]["network"], 1);
    Ok(())
}

#[tokio::test]
async fn users_come_and_go_with_a_reload() -> Result {
    let server = builder().user("ann", "secret").start().await?;
    let asks = async |user: &str| -> Result<u16> {
        Ok(server.client().login(user, "secret")?.get("/v2.0/networks").await?.status)
    };
    assert_eq!((asks("ann").await?, asks("bob").await?), (200, 401));
    let file = server.folder().join("htpasswd");
    let users = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, "nonsense").unwrap();
    let said = server.cli(&["config", "reload"]).await?.refused()?;
    assert!(said.contains("line 1 of the password file"), "{said}");
    assert_eq!(asks("ann").await?, 200);
    std::fs::write(&file, users.replace("ann:", "bob:")).unwrap();
    let reloaded = server.cli_json(&["config", "reload"]).await?;
    assert_eq!(reloaded, json!({"applied": ["users"], "restart": []}));
    assert_eq!((asks("ann").await?, asks("bob").await?), (401, 200));
    Ok(())
}

#[tokio::test]
async fn what_takes_a_restart_is_named_until_there_was_one() -> Result {
    let server = builder().start().await?;
    edit(&server, "format = \"json\"", "format = \"human\"");
    for _ in 0..2 {
        let reloaded = server.cli_json(&["config", "reload"]).await?;
        assert_eq!(reloaded, json!({"applied": [], "restart": ["log.format"]}));
    }
    edit(&server, "format = \"human\"", "format = \"json\"");
    let reloaded = server.cli_json(&["config", "reload"]).await?;
    assert_eq!(reloaded, json!({"applied": [], "restart": []}));
    Ok(())
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_is_told() -> Result {
    let mut server = builder().start().await?;
    edit(&server, "physnet1:1:4000", "physnet2:1:9");
    edit(&server, "level = \"info\"", "levle = \"info\"");
    // By its folder: to find it by its configuration that must be readable.
    let folder = server.data_folder().display().to_string();
    let said = server.cli(&["config", "reload", "--data-folder", &folder]).await?.refused()?;
    assert!(said.contains("did you mean 'log.level'?"), "{said}");
    server.signal("HUP").await?;
    until("the signal is heeded", Duration::from_secs(10), || async {
        Ok((server.log().matches("the configuration stays as it was").count() == 2).then_some(()))
    })
    .await?;
    let low = json!({"network": {
        "provider:network_type": "vlan",
        "provider:physical_network": "physnet1",
        "provider:segmentation_id": 7,
    }});
    server.post("/v2.0/networks", &low).await?.expect(201)?;
    edit(&server, "levle", "level");
    server.signal("HUP").await?;
    until("what was mended is taken up", Duration::from_secs(10), || async {
        Ok(server.log().contains("the configuration was read again").then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_configured_plugin_that_was_disabled_stays_so_over_a_restart() -> Result {
    let mut server = builder().start().await?;
    let state = async |server: &Server| -> Result<String> {
        let plugin = server.cli_json(&["plugin", "show", "mech-logger"]).await?;
        Ok(plugin.to_string())
    };
    server.cli(&["plugin", "disable", "mech-logger"]).await?.ok()?;
    server.terminate().await?;
    server.restart().await?;
    assert!(state(&server).await?.contains("\"disabled\""), "{}", state(&server).await?);
    server.cli(&["plugin", "enable", "mech-logger"]).await?.ok()?;
    server.terminate().await?;
    server.restart().await?;
    assert!(state(&server).await?.contains("\"active\""), "{}", state(&server).await?);
    Ok(())
}
