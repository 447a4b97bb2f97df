//! `GET /v2.0/watch`: each change that the caller may see, once, in order.

use hadron_api_tests::world::{builder, create, network, port, postgres, sqlite, subnet, text};
use hadron_sdk_testing::{Client, Error, Plugin, Result, Server, component};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longer than any event takes.
const LIMIT: Duration = Duration::from_secs(20);

/// A project with which a network is shared.
const FRIEND: &str = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0";

/// An event stream, read by hand.
struct Stream {
    response: reqwest::Response,
    unread: String,
    /// Of the last event.
    cursor: String,
}

#[derive(Debug)]
struct Event {
    kind: String,
    data: Value,
}

impl Stream {
    async fn open(server: &Server, query: &str, headers: &[(&str, &str)]) -> Result<Stream> {
        let mut request = reqwest::Client::builder()
            .no_proxy()
            .build()
            .map_err(Error::new)?
            .get(format!("{}/v2.0/watch?{query}", server.url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.map_err(Error::new)?;
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Stream { response, unread: String::new(), cursor: String::new() };
        assert_eq!(stream.next().await?.kind, "started");
        Ok(stream)
    }

    async fn next(&mut self) -> Result<Event> {
        loop {
            while let Some((block, rest)) = self.unread.split_once("\n\n") {
                let field =
                    |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let (id, kind, data) = (field("id: "), field("event: "), field("data: "));
                self.unread = rest.to_owned();
                if let Some(id) = id {
                    self.cursor = id;
                }
                if let (Some(kind), Some(data)) = (kind, data) {
                    return Ok(Event { kind, data: serde_json::from_str(&data).map_err(Error::new)? });
                }
            }
            let chunk = tokio::time::timeout(LIMIT, self.response.chunk()).await.map_err(Error::new)?;
            let chunk = chunk.map_err(Error::new)?.ok_or_else(|| Error::new("the stream ended"))?;
            self.unread.push_str(std::str::from_utf8(&chunk).map_err(Error::new)?);
        }
    }
}

async fn rename(client: &Client, id: &str, name: &str) -> Result {
    client.put(&format!("/v2.0/networks/{id}"), &json!({"network": {"name": name}})).await?.expect(200)?;
    Ok(())
}

async fn what_the_caller_may_see(server: Server) -> Result {
    let admin = server.client();
    let member = server.client().member_of("p1")?;
    let mut all = Stream::open(&server, "collections=networks,subnets,ports", &[]).await?;
    let own = [("x-project-id", "p1"), ("x-roles", "member,reader")];
    let mut theirs = Stream::open(&server, "collections=networks,subnets", &own).await?;

    network(&admin, "hidden").await?;
    let net = network(&member, "mine").await?;
    let first = all.next().await?;
    assert_eq!((first.kind.as_str(), &first.data["network"]["name"]), ("created", &json!("hidden")));
    let event = theirs.next().await?;
    assert_eq!((event.kind.as_str(), &event.data["collection"]), ("created", &json!("networks")));
    assert_eq!((&event.data["id"], &event.data["network"]["name"]), (&json!(net), &json!("mine")));
    // As a list shows it: what only administrators see is not there.
    let listed = member.get(&format!("/v2.0/networks/{net}")).await?.expect(200)?;
    assert_eq!(event.data["network"], listed["network"]);
    assert!(event.data["network"].get("provider:network_type").is_none());
    assert!(all.next().await?.data["network"]["provider:network_type"].is_string());

    rename(&member, &net, "renamed").await?;
    let event = theirs.next().await?;
    assert_eq!((event.kind.as_str(), &event.data["network"]["name"]), ("updated", &json!("renamed")));
    assert_eq!(event.data["revision_number"], event.data["network"]["revision_number"]);
    let before = theirs.cursor.clone();

    // A batch is told of whole; a dry run and a refusal are not.
    let sub = subnet(&member, &net, "10.0.0.0/24").await?;
    member.post("/v2.0/networks?dry_run=true", &json!({"network": {}})).await?.expect(201)?;
    member.post("/v2.0/networks", &json!({"network": {"shared": true}})).await?.expect(403)?;
    member.delete(&format!("/v2.0/subnets/{sub}")).await?.expect(204)?;
    member.delete(&format!("/v2.0/networks/{net}")).await?.expect(204)?;
    let mut told = Vec::new();
    while told.len() < 3 {
        let event = theirs.next().await?;
        // A row that is gone when it is told of is shown as it was at last.
        assert!(event.data["network"].is_object() || event.data["subnet"].is_object(), "{event:?}");
        if event.kind != "updated" {
            told.push((event.kind, text(&event.data, "/id")?));
        }
    }
    let expected = [("created", sub.clone()), ("deleted", sub), ("deleted", net.clone())]
        .map(|(k, id)| (k.to_owned(), id));
    assert_eq!(told, expected);

    // From a cursor, by either name.
    let resumed = [("last-event-id", before.as_str()), own[0], own[1]];
    let mut again = Stream::open(&server, "collections=networks&since=0", &resumed).await?;
    loop {
        let event = again.next().await?;
        if event.kind == "deleted" {
            assert_eq!(event.data["network"]["name"], "renamed");
            break;
        }
    }
    let mut others = Stream::open(
        &server,
        &format!("collections=networks&since={before}"),
        &[own[1], ("x-project-id", "p2")],
    )
    .await?;
    let seen = network(&admin.clone().member_of("p2")?, "theirs").await?;
    assert_eq!(others.next().await?.data["id"], json!(seen), "others' networks are not shown");

    for bad in ["since=x", "nosuch=1", "collections=nosuch"] {
        admin.get(&format!("/v2.0/watch?{bad}")).await?.expect(400)?;
    }
    let (kind, _) = admin.get("/v2.0/watch?since=999999999").await?.expect_error(410)?;
    assert_eq!(kind, "CursorExpired");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_may_see_on_sqlite() -> Result {
    what_the_caller_may_see(sqlite().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_may_see_on_postgres() -> Result {
    match postgres().await? {
        Some(server) => what_the_caller_may_see(server).await,
        None => Ok(()),
    }
}

/// A network shared with one project: that one follows it to its end, another
/// does not.
async fn what_is_shared(server: Server) -> Result {
    let [owner, friend] = ["p1", FRIEND].map(|project| server.client().member_of(project));
    let (owner, friend) = (owner?, friend?);
    let net = network(&owner, "lent").await?;
    let entry = json!({"object_type": "network", "object_id": net, "action": "access_as_shared",
        "target_tenant": FRIEND});
    owner.post("/v2.0/rbac-policies", &json!({"rbac_policy": entry})).await?.expect(201)?;
    let member = |project| [("x-project-id", project), ("x-roles", "member,reader")];
    let collections = "collections=networks,subnets,rbac_policies";
    let mut theirs = Stream::open(&server, collections, &member(FRIEND)).await?;
    let mut others = Stream::open(&server, collections, &member("p3")).await?;

    rename(&owner, &net, "renamed").await?;
    let event = theirs.next().await?;
    assert_eq!((event.kind.as_str(), &event.data["network"]["name"]), ("updated", &json!("renamed")));
    assert_eq!(event.data["network"]["shared"], true);
    let shown = friend.get(&format!("/v2.0/networks/{net}")).await?.expect(200)?;
    assert_eq!(event.data["network"], shown["network"]);
    let sub = subnet(&owner, &net, "10.0.0.0/24").await?;
    owner.delete(&format!("/v2.0/networks/{net}")).await?.expect(204)?;
    let mut told = Vec::new();
    while told.last().is_none_or(|(kind, id)| kind != "deleted" || *id != net) {
        let event = theirs.next().await?;
        let shared = event.data.pointer("/network/shared").unwrap_or(&Value::Bool(true));
        assert_eq!(shared, true, "{event:?}");
        told.push((event.kind.clone(), text(&event.data, "/id")?));
    }
    assert!(told.contains(&("created".to_owned(), sub.clone())), "{told:?}");
    assert!(told.contains(&("deleted".to_owned(), sub)), "{told:?}");
    let own = network(&server.client().member_of("p3")?, "own").await?;
    assert_eq!(others.next().await?.data["id"], json!(own), "what is shared with one is not another's");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shared_on_sqlite() -> Result {
    what_is_shared(sqlite().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shared_on_postgres() -> Result {
    match postgres().await? {
        Some(server) => what_is_shared(server).await,
        None => Ok(()),
    }
}

/// A vendor's resources, which a network takes along, are watched like all
/// others; what the plugin computes is there too.
#[tokio::test(flavor = "multi_thread")]
async fn a_vendors_resources_are_told_of() -> Result {
    let vendor = Plugin::new("acme-gadgets", component("service-plugin")?).service();
    let server = builder().plugin(vendor).start().await?;
    let admin = server.client();
    let net = network(&admin, "n").await?;
    let mut stream = Stream::open(&server, "collections=gadgets,parts,networks", &[]).await?;
    let gadget = create(&admin, "gadget", json!({"network_id": net, "name": "g"})).await?;
    let path = format!("/v2.0/gadgets/{}", text(&gadget, "/id")?);
    let event = stream.next().await?;
    assert_eq!((event.kind.as_str(), &event.data["collection"]), ("created", &json!("gadgets")));
    assert_eq!(event.data["gadget"]["weight"], gadget["weight"]);
    admin.post(&format!("{path}/parts"), &json!({"part": {"name": "p"}})).await?.expect(201)?;
    admin.delete(&format!("/v2.0/networks/{net}")).await?.expect(204)?;
    let mut gone = Vec::new();
    while gone.len() < 3 {
        let event = stream.next().await?;
        if event.kind == "deleted" {
            gone.push(text(&event.data, "/collection")?);
        }
    }
    assert_eq!(gone, ["parts", "gadgets", "networks"]);
    Ok(())
}

/// Who may not watch, or may no longer, is told nothing.
#[tokio::test(flavor = "multi_thread")]
async fn rights_are_looked_at_again_and_again() -> Result {
    let folder = tempfile::tempdir().map_err(Error::new)?;
    let file = folder.path().join("policy.yaml");
    let write = |rule: &str| std::fs::write(&file, format!("\"watch\": \"{rule}\"\n")).map_err(Error::new);
    write("role:reader")?;
    let server = builder().config(&format!("[policy]\nfile = '{}'\n", file.display())).start().await?;
    let nobody = server.client().header("x-roles", "other")?;
    let (_, message) = nobody.get("/v2.0/watch").await?.expect_error(403)?;
    assert!(message.contains("rule:watch"), "{message}");
    let mut stream = Stream::open(&server, "collections=networks", &[]).await?;
    network(&server.client(), "first").await?;
    assert_eq!(stream.next().await?.data["network"]["name"], "first");
    write("role:nobody-has-this")?;
    let ended = async {
        loop {
            network(&server.client(), "more").await?;
            let event = stream.next().await;
            if event.is_err() {
                return Ok::<_, Error>(());
            }
        }
    };
    tokio::time::timeout(LIMIT, ended).await.map_err(Error::new)??;
    server.client().get("/v2.0/watch").await?.expect(403)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_is_missed_or_told_twice_on_sqlite() -> Result {
    let server = sqlite().await?;
    no_change_is_missed_or_told_twice([&server, &server]).await
}

/// Two servers on one database.
#[tokio::test(flavor = "multi_thread")]
async fn no_change_is_missed_or_told_twice_on_postgres() -> Result {
    let Some(postgres) = hadron_test_support::shared() else { return Ok(()) };
    let database = postgres.fresh_database().await;
    let one = builder().database(&database).start().await?;
    let other = builder().database(&database).start().await?;
    no_change_is_missed_or_told_twice([&one, &other]).await
}

/// Sixteen clients write, and one that comes and goes watches, through the other
/// server each time.
async fn no_change_is_missed_or_told_twice(servers: [&Server; 2]) -> Result {
    let net = network(&servers[0].client(), "n").await?;
    subnet(&servers[0].client(), &net, "10.0.0.0/16").await?;
    let mut rows = Vec::new();
    for _ in 0..6 {
        rows.push(text(&port(&servers[0].client(), &net).await?, "/id")?);
    }
    let mut stream = Stream::open(servers[0], "collections=ports", &[]).await?;
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let (client, rows, net) = (servers[writer % 2].client(), rows.clone(), net.clone());
            tokio::spawn(async move {
                for step in 0..8 {
                    let path = format!("/v2.0/ports/{}", rows[(writer * 5 + step * 3) % rows.len()]);
                    let name = format!("{writer}-{step}");
                    client.put(&path, &json!({"port": {"name": name}})).await?.expect(200)?;
                    create(&client, "port", json!({"network_id": net, "name": name})).await?;
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    let mut seen: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut count = 0;
    while count < 16 * 8 * 2 {
        let event = stream.next().await?;
        let revision = event.data["revision_number"].as_i64().unwrap_or_default();
        seen.entry(text(&event.data, "/id")?).or_default().push(revision);
        count += 1;
        if count % 17 == 0 {
            let cursor = stream.cursor.clone();
            let server = servers[(count / 17) % 2];
            stream = Stream::open(server, "collections=ports", &[("last-event-id", &cursor)]).await?;
        }
    }
    for writer in writers {
        writer.await.expect("a writer panicked")?;
    }
    for (row, revisions) in &seen {
        assert!(revisions.is_sorted_by(|a, b| a < b), "{row}: {revisions:?}");
    }
    let updates: usize = rows.iter().filter_map(|row| seen.get(row)).map(Vec::len).sum();
    assert_eq!((updates, seen.len() - rows.len()), (128, 128));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_the_server_stops() -> Result {
    let mut server = builder().config("[api]\nwatchers = 1\n").start().await?;
    let mut stream = Stream::open(&server, "", &[]).await?;
    server.client().get("/v2.0/watch").await?.expect(503)?;
    let begun = std::time::Instant::now();
    assert_eq!(server.terminate().await?, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "the stream kept the server");
    assert!(stream.next().await.is_err());
    Ok(())
}
