//! Commands of the unmodified `openstack` CLI beyond the tour.

use anyhow::{Context, Result, bail, ensure};
use hadron_sdk_testing::{Server, python};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// The CLI; none where `cargo xtask setup` has not been run, said loudly.
fn openstack() -> Result<Option<PathBuf>> {
    let program =
        python().and_then(|python| python.parent().map(Path::to_owned)).map(|f| f.join("openstack"));
    match program.filter(|program| program.exists()) {
        Some(program) => Ok(Some(program)),
        None if std::env::var("HADRON_TEST_NO_SKIP").is_ok_and(|v| v == "1") => {
            bail!("the OpenStack clients are not in target/python: cargo xtask setup")
        }
        None => {
            eprintln!("\n=== SKIPPED: commands (no OpenStack clients: cargo xtask setup) ===\n");
            Ok(None)
        }
    }
}

/// What a command prints, if it ends well.
async fn run(program: &Path, server: &Server, line: &str) -> Result<String> {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OS_")) {
        command.env_remove(name);
    }
    let output = command
        .args(["--os-auth-type", "none", "--os-endpoint", server.url()])
        .args(line.split(' '))
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| program.display().to_string())?;
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "openstack {line}: {printed}{errors}\n{}", server.log());
    Ok(printed)
}

#[tokio::test(flavor = "multi_thread")]
async fn rbac_policies_are_made_listed_shown_and_deleted() -> Result<()> {
    let Some(cli) = openstack()? else { return Ok(()) };
    let server = Server::builder().start().await?;
    run(&cli, &server, "network create blue").await?;
    let made = "network rbac create --type network --action access_as_shared --target-all-projects blue -f value -c id";
    let id = run(&cli, &server, made).await?;
    assert_eq!(run(&cli, &server, "network show blue -f value -c shared").await?, "True");
    let listed = run(&cli, &server, "network rbac list --long -f value").await?;
    ensure!(listed.starts_with(&id) && listed.ends_with("access_as_shared"), "{listed}");
    let shown = run(&cli, &server, &format!("network rbac show {id} -f value -c target_project_id")).await?;
    assert_eq!(shown, "*");
    run(&cli, &server, &format!("network rbac delete {id}")).await?;
    assert_eq!(run(&cli, &server, "network rbac list -f value").await?, "");
    assert_eq!(run(&cli, &server, "network show blue -f value -c shared").await?, "False");
    run(&cli, &server, "network set --share blue").await?;
    assert_eq!(
        run(&cli, &server, "network rbac list --type network -f value -c ID").await?.lines().count(),
        1
    );
    run(&cli, &server, "network set --no-share blue").await?;
    assert_eq!(run(&cli, &server, "network list --share -f value").await?, "");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn service_providers_and_availability_zones_are_listed() -> Result<()> {
    let Some(cli) = openstack()? else { return Ok(()) };
    let providers = "[plugin.service-providers.config]\nservice_provider = [\"VPN:strongswan:ipsec:default\", \"VPN:a:b\"]";
    let server = Server::builder().config(providers).start().await?;
    let listed = run(&cli, &server, "network service provider list -f value").await?;
    assert_eq!(listed, "VPN strongswan True\nVPN a False");
    assert_eq!(run(&cli, &server, "availability zone list --network -f value").await?, "");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn flavors_are_made_of_profiles() -> Result<()> {
    let Some(cli) = openstack()? else { return Ok(()) };
    let server = Server::builder().start().await?;
    run(&cli, &server, "network flavor create --service-type VPN gold").await?;
    let id = run(&cli, &server, "network flavor profile create --metainfo {} -f value -c id").await?;
    run(&cli, &server, &format!("network flavor add profile gold {id}")).await?;
    let shown = run(&cli, &server, "network flavor show gold -f value -c service_profile_ids").await?;
    ensure!(shown.contains(&id), "{shown}");
    run(&cli, &server, &format!("network flavor remove profile gold {id}")).await?;
    run(&cli, &server, "network flavor set --description best --disable gold").await?;
    let listed = run(&cli, &server, "network flavor list -f value").await?;
    ensure!(listed.contains("gold False VPN best"), "{listed}");
    run(&cli, &server, "network flavor delete gold").await?;
    run(&cli, &server, &format!("network flavor profile delete {id}")).await?;
    assert_eq!(run(&cli, &server, "network flavor profile list -f value").await?, "");
    Ok(())
}
