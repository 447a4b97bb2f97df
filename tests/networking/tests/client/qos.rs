//! `network qos policy`, `network qos rule`, and policies of networks and ports.

use anyhow::{Result, ensure};
use hadron_networking_tests::{Cli, world};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn qos_policy_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    let made = cli.json("network qos policy create gold --description d --share --default").await?;
    assert_eq!(
        (&made["name"], &made["description"], &made["shared"], &made["is_default"], &made["rules"]),
        (&json!("gold"), &json!("d"), &json!(true), &json!(true), &json!([]))
    );
    cli.run("network qos policy create silver").await?;
    let refused = cli.refused("network qos policy set silver --default").await?;
    ensure!(refused.contains("A default QoS policy exists"), "{refused}");
    assert_eq!(cli.column("network qos policy list --share", "Name").await?, "gold");
    cli.run("network qos policy set gold --name brass --no-default --no-share --description e").await?;
    let shown = cli.json("network qos policy show brass").await?;
    assert_eq!(
        (&shown["shared"], &shown["is_default"], &shown["description"]),
        (&json!(false), &json!(false), &json!("e"))
    );

    cli.run("network create blue --qos-policy brass").await?;
    cli.run("port create p --network blue --qos-policy silver").await?;
    let (brass, silver) = (
        cli.column("network qos policy show brass", "id").await?,
        cli.column("network qos policy show silver", "id").await?,
    );
    let port = cli.json("port show p").await?;
    assert_eq!((&port["qos_policy_id"], &port["qos_network_policy_id"]), (&json!(silver), &json!(brass)));
    ensure!(cli.refused("network qos policy delete silver").await?.contains("is used by port"));
    cli.run("port unset p --qos-policy").await?;
    cli.run("port set p --qos-policy brass").await?;
    cli.run("port unset p --qos-policy").await?;
    cli.run("network set blue --no-qos-policy").await?;
    cli.run("network set blue --qos-policy silver").await?;
    cli.run("network qos policy delete brass").await?;
    cli.run("network set blue --no-qos-policy").await?;
    cli.run("network qos policy delete silver").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn qos_rule_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    cli.run("network qos policy create gold").await?;
    for (options, shown, changes, changed) in [
        (
            "--type bandwidth-limit --max-kbps 1000 --max-burst-kbits 100 --ingress",
            json!({"max_kbps": 1000, "max_burst_kbps": 100, "direction": "ingress"}),
            "--max-kbps 2000 --egress",
            json!({"max_kbps": 2000, "direction": "egress"}),
        ),
        (
            "--type dscp-marking --dscp-mark 26",
            json!({"dscp_mark": 26}),
            "--dscp-mark 8",
            json!({"dscp_mark": 8}),
        ),
        (
            "--type minimum-bandwidth --min-kbps 500 --egress",
            json!({"min_kbps": 500, "direction": "egress"}),
            "--min-kbps 600",
            json!({"min_kbps": 600}),
        ),
        (
            "--type minimum-packet-rate --min-kpps 5 --any",
            json!({"min_kpps": 5, "direction": "any"}),
            "--min-kpps 6",
            json!({"min_kpps": 6}),
        ),
    ] {
        let made = cli.json(&format!("network qos rule create gold {options}")).await?;
        let id = made["id"].as_str().unwrap_or_default().to_owned();
        cli.run(&format!("network qos rule set gold {id} {changes}")).await?;
        let after = cli.json(&format!("network qos rule show gold {id}")).await?;
        for (wanted, row) in [(shown, &made), (changed, &after)] {
            for (name, value) in wanted.as_object().into_iter().flatten() {
                assert_eq!(&row[name], value, "{options}: {row}");
            }
        }
    }
    let listed = cli.json("network qos rule list gold").await?;
    let rules = listed.as_array().cloned().unwrap_or_default();
    assert_eq!(rules.len(), 4);
    let refused = cli.refused("network qos rule create gold --type dscp-marking --dscp-mark 10").await?;
    ensure!(refused.contains("Rule dscp_marking conflicts with rule"), "{refused}");
    for rule in rules {
        cli.run(&format!("network qos rule delete gold {}", rule["ID"].as_str().unwrap_or_default())).await?;
    }
    cli.run("network qos policy delete gold").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn qos_rule_type_commands() -> Result<()> {
    let server = world::sqlite().await?;
    let Some(mut cli) = Cli::start(&server).await? else { return Ok(()) };
    let listed = cli.json("network qos rule type list").await?;
    let types: Vec<&str> =
        listed.as_array().into_iter().flatten().filter_map(|row| row["Type"].as_str()).collect();
    let all =
        ["bandwidth_limit", "dscp_marking", "minimum_bandwidth", "minimum_packet_rate", "packet_rate_limit"];
    ensure!(types.len() == all.len() && all.iter().all(|kind| types.contains(kind)), "{types:?}");
    for flag in ["--all-supported", "--all-rules"] {
        let listed = cli.json(&format!("network qos rule type list {flag}")).await?;
        ensure!(listed.as_array().is_some_and(|types| types.len() == 5), "{listed}");
    }
    let shown = cli.json("network qos rule type show dscp_marking").await?;
    assert_eq!(shown["rule_type_name"], "dscp_marking");
    ensure!(shown["drivers"].to_string().contains("openvswitch"), "{shown}");
    ensure!(cli.refused("network qos rule type show nosuch").await?.contains("could not be found"));
    Ok(())
}
