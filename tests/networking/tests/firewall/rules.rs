//! What a rule must be, and where it is used.

use super::{create, list, made, path, put, refused, server, show};
use hadron_sdk_testing::Result;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_says_what_it_is_about() -> Result {
    let server = server().await?;
    let client = server.client();
    let asked = json!({"name": "web", "protocol": "tcp", "destination_port": 443, "action": "ALLOW",
        "source_ip_address": "10.0.0.0/8"});
    let rule = create(&client, "rule", asked).await?;
    let mut members = rule.as_object().unwrap().clone();
    for kept in ["id", "project_id", "tenant_id", "created_at", "updated_at"] {
        assert!(members.remove(kept).is_some_and(|value| value.is_string()), "{kept}");
    }
    assert_eq!(
        Value::Object(members),
        json!({"name": "web", "description": "", "shared": false, "protocol": "tcp", "ip_version": 4,
            "source_ip_address": "10.0.0.0/8", "destination_ip_address": null, "source_port": null,
            "destination_port": "443", "action": "allow", "enabled": true, "firewall_policy_id": null,
            "revision_number": 0})
    );
    let id = super::id(&rule)?;
    let changes = json!({"destination_port": "80:90", "protocol": "udp", "enabled": "no"});
    let changed = put(&client, "rule", &id, changes).await?.expect(200)?;
    let changed = &changed["firewall_rule"];
    assert_eq!(
        (&changed["destination_port"], &changed["protocol"], &changed["enabled"], &changed["action"]),
        (&json!("80:90"), &json!("udp"), &json!(false), &json!("allow"))
    );
    assert_eq!(list(&client, "rule", "?protocol=udp&enabled=false").await?.len(), 1);
    client.delete(&path("rule", &id)).await?.expect(204)?;
    assert_eq!(client.get(&path("rule", &id)).await?.expect_error(404)?.0, "FirewallRuleNotFound");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_in_neutrons_words() -> Result {
    let server = server().await?;
    let client = server.client();
    let value = |name: &str, reason: &str| {
        ("HTTPBadRequest".to_owned(), format!("Invalid input for {name}. Reason: {reason}."))
    };
    let said = |kind: &str, message: &str| (kind.to_owned(), message.to_owned());
    let no_protocol =
        said("FirewallRuleWithPortWithoutProtocolInvalid", "Source/destination port requires a protocol.");
    let no_ports = said(
        "FirewallRuleInvalidICMPParameter",
        "Source, destination port are not allowed when protocol is set to ICMP.",
    );
    let version =
        said("FirewallIpAddressConflict", "Invalid input - IP addresses do not agree with IP Version.");
    for (document, wrong) in [
        (json!({"source_port": "80"}), no_protocol.clone()),
        (json!({"protocol": "icmp", "source_port": "80"}), no_ports.clone()),
        (json!({"source_ip_address": "2001:db8::1"}), version.clone()),
        (json!({"ip_version": 6, "destination_ip_address": "10.0.0.0/8"}), version.clone()),
        (json!({"action": "drop"}), value("action", "drop is not in valid_values")),
        (json!({"ip_version": 5}), value("ip_version", "5 is not in valid_values")),
        (json!({"protocol": "TCP"}), value("protocol", "TCP is not in valid_values")),
        (
            json!({"protocol": "tcp", "source_port": "90:80"}),
            value("source_port", "First port in a port range must be lower than the second port"),
        ),
        (
            json!({"source_ip_address": "x"}),
            value("source_ip_address", "'x' is neither a valid IP address, nor is it a valid IP subnet"),
        ),
        (json!({"position": 1}), said("HTTPBadRequest", "Attribute 'position' not allowed in POST")),
        (
            json!({"firewall_policy_id": null}),
            said("HTTPBadRequest", "Attribute 'firewall_policy_id' not allowed in POST"),
        ),
    ] {
        assert_eq!(refused(&client, "rule", document.clone(), 400).await?, wrong, "{document}");
    }
    // A change must go with what is there.
    let rule = made(&client, "rule", json!({"protocol": "tcp", "source_port": 80})).await?;
    for (changes, wrong) in [
        (json!({"protocol": null}), no_protocol),
        (json!({"protocol": "icmp"}), no_ports),
        (json!({"source_ip_address": "2001:db8::1"}), version),
    ] {
        assert_eq!(put(&client, "rule", &rule, changes).await?.expect_error(400)?, wrong);
    }
    let both = json!({"protocol": "icmp", "source_port": null});
    put(&client, "rule", &rule, both).await?.expect(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_a_policy_has_stays_and_shows_it() -> Result {
    let server = server().await?;
    let client = server.client();
    let rule = made(&client, "rule", json!({})).await?;
    let policy = made(&client, "policy", json!({"firewall_rules": [rule], "audited": true})).await?;
    let other = made(&client, "policy", json!({"firewall_rules": [rule]})).await?;
    let mut shown = show(&client, "rule", &rule).await?["firewall_policy_id"].take();
    shown.as_array_mut().unwrap().sort_by_key(|id| *id != json!(policy));
    assert_eq!(shown, json!([policy, other]));
    let in_use = ("FirewallRuleInUse".to_owned(), format!("Firewall rule {rule} is being used."));
    assert_eq!(client.delete(&path("rule", &rule)).await?.expect_error(409)?, in_use);
    // Whoever audited the policy has not seen the rule as it is now.
    assert_eq!(show(&client, "policy", &policy).await?["audited"], true);
    put(&client, "rule", &rule, json!({"action": "allow"})).await?.expect(200)?;
    assert_eq!(show(&client, "policy", &policy).await?["audited"], false);
    for policy in [policy, other] {
        client.delete(&path("policy", &policy)).await?.expect(204)?;
    }
    assert_eq!(show(&client, "rule", &rule).await?["firewall_policy_id"], Value::Null);
    client.delete(&path("rule", &rule)).await?.expect(204)?;
    Ok(())
}
