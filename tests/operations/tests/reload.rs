//! A changed configuration, taken up without a restart.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use hadron_sdk_testing::{Result, Server, until};
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
