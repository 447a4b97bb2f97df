//! Files that are no plugin are refused with a sentence that says why: by
//! `hadron plugin add`, and at start, where the server starts without them.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests"
)]

use hadron_sdk_testing::{Error, Plugin, Result, Server, build_guest};
use hadron_tests_drivers::create;
use serde_json::json;
use std::path::PathBuf;

const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/minimal-driver");

/// A good component with a name in it replaced by one as long: what a plugin
/// for another host, or of another contract, looks like.
fn renamed(component: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "lengths are part of the format");
    let mut bytes = component.to_vec();
    let mut found = 0;
    for place in 0..bytes.len().saturating_sub(from.len()) {
        if bytes[place..].starts_with(from.as_bytes()) {
            bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "there is no '{from}' in the component");
    bytes
}

/// Files, and what the refusal must say.
async fn files() -> Result<Vec<(&'static str, Vec<u8>, &'static str)>> {
    let file = build_guest(DRIVER).await?;
    let good = std::fs::read(&file).map_err(Error::new)?;
    let half = good[..good.len() / 2].to_vec();
    Ok(vec![
        ("empty", Vec::new(), "WebAssembly"),
        ("text", b"#!/bin/sh\necho hello\n".to_vec(), "WebAssembly"),
        ("half", half, "compiled"),
        ("module", b"\0asm\x01\0\0\0".to_vec(), "exports no hadron:host/plugin"),
        ("import", renamed(&good, "hadron:host/log@", "hadron:host/lag@"), "hadron:host/lag"),
        (
            "foreign",
            renamed(&good, "hadron:host/plugin@", "hadron:host/plugon@"),
            "exports no hadron:host/plugin",
        ),
        ("contract", renamed(&good, "@0.1.0", "@0.9.0"), "0.9.0"),
    ])
}

#[tokio::test]
async fn what_is_no_plugin_is_not_added() -> Result {
    let mut server = Server::builder().mechanism_drivers(&[]).start().await?;
    for (name, bytes, says) in files().await? {
        let path = server.folder().join(format!("{name}.wasm"));
        std::fs::write(&path, bytes).map_err(Error::new)?;
        let refused = server.cli(&["plugin", "add", &path.display().to_string()]).await?.refused()?;
        assert!(refused.contains(says), "{name}: '{says}' is not in: {refused}");
    }
    let missing = server.cli(&["plugin", "add", "/nowhere.wasm"]).await?.refused()?;
    assert!(missing.contains("/nowhere.wasm"), "{missing}");
    assert!(server.is_running());
    create(&server.client(), "network", json!({"name": "n"})).await?;
    Ok(())
}

#[tokio::test]
async fn a_server_starts_without_what_it_cannot_load_and_says_so() -> Result {
    let folder = std::env::temp_dir().join(format!("hadron-refused-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(Error::new)?;
    let mut builder = Server::builder().mechanism_drivers(&[]);
    let files = files().await?;
    for (name, bytes, _) in &files {
        let path: PathBuf = folder.join(format!("{name}.wasm"));
        std::fs::write(&path, bytes).map_err(Error::new)?;
        builder = builder.plugin(Plugin::new(name, path));
    }
    let server = builder.plugin(Plugin::new("missing", "/nowhere.wasm")).start().await?;
    let _ = std::fs::remove_dir_all(&folder);
    let plugins = server.cli_json(&["plugin", "list"]).await?;
    let refused = plugins["refused"].as_array().cloned().unwrap_or_default();
    for (name, says) in files.iter().map(|(name, _, says)| (*name, *says)).chain([("nowhere", "nowhere")]) {
        let entry = refused.iter().find(|e| e[0].as_str().is_some_and(|path| path.contains(name)));
        let why = entry.and_then(|e| e[1].as_str()).unwrap_or_default();
        assert!(why.contains(says), "{name}: '{says}' is not in '{why}' of {plugins}");
    }
    let list = server.cli(&["plugin", "list"]).await?.ok()?;
    assert!(list.contains("not loaded: "), "{list}");
    create(&server.client(), "network", json!({"name": "n"})).await?;
    Ok(())
}

#[tokio::test]
async fn a_plugin_is_added_once_and_only_what_was_added_is_removed() -> Result {
    let server = Server::builder().mechanism_drivers(&[]).start().await?;
    let file = build_guest(DRIVER).await?.display().to_string();
    server.cli(&["plugin", "add", &file]).await?.ok()?;
    let again = server.cli(&["plugin", "add", &file]).await?.refused()?;
    assert!(again.contains("hadron plugin upgrade minimal-driver"), "{again}");
    let core = server.cli(&["plugin", "remove", "ml2"]).await?.refused()?;
    assert!(core.contains("configuration"), "{core}");
    let unknown = server.cli(&["plugin", "remove", "acme"]).await?.refused()?;
    assert!(unknown.contains("acme"), "{unknown}");
    let wrong = server.cli(&["plugin", "add", &file, "--grant", "htp=x"]).await?.refused()?;
    assert!(wrong.contains("a grant is http=URL"), "{wrong}");
    server.cli(&["plugin", "remove", "minimal-driver"]).await?.ok()?;
    Ok(())
}

#[tokio::test]
async fn what_was_added_is_there_after_a_restart() -> Result {
    let mut server = Server::builder().mechanism_drivers(&[]).start().await?;
    let file = build_guest(DRIVER).await?.display().to_string();
    server.cli(&["plugin", "add", &file]).await?.ok()?;
    server.kill9();
    server.restart().await?;
    let refused = server.post("/v2.0/networks", &json!({"network": {"name": "a test"}})).await?;
    assert_eq!(refused.status / 100, 4, "{refused:?}");
    server.cli(&["plugin", "disable", "minimal-driver"]).await?.ok()?;
    create(&server.client(), "network", json!({"name": "a test"})).await?;
    server.cli(&["plugin", "enable", "minimal-driver"]).await?.ok()?;
    let refused = server.post("/v2.0/networks", &json!({"network": {"name": "a test"}})).await?;
    assert_eq!(refused.status / 100, 4, "{refused:?}");
    Ok(())
}
