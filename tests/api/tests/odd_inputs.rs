//! Bytes that no client means to send: each is refused in Neutron's form and
//! changes nothing, and the connection goes on.

use hadron_api_tests::world::{list, network, sqlite};
use hadron_sdk_testing::{Answer, Error, Result, Server};
use reqwest::Method;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn refused(answer: &Answer, status: u16, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    let message = answer.body.pointer("/NeutronError/message").and_then(|m| m.as_str());
    assert!(message.is_some_and(|m| !m.is_empty()), "{what}: {}", answer.body);
    assert!(answer.headers.contains_key("x-openstack-request-id"), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_parsers_differ_about_are_refused() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let long = format!("{{\"network\": {{\"name\": \"{}\"}}}}", "x".repeat(1 << 20));
    let key = format!("{{\"network\": {{\"{}\": 1}}}}", "k".repeat(1 << 16));
    let deep = format!("{{\"network\": {{\"name\": {}1{}}}}}", "[".repeat(126), "]".repeat(126));
    let digits = format!("{{\"network\": {{\"mtu\": {}}}}}", "9".repeat(5000));
    let bodies: [&[u8]; 17] = [
        br#"{"network": {"name": "a\u0000b"}}"#,
        br#"{"network": {"a\u0000b": 1}}"#,
        b"{\"network\": {\"name\": \"a\0b\"}}",
        br#"{"network": {"name": "\ud800"}}"#,
        br#"{"network": {"name": "\udc00\ud800"}}"#,
        b"{\"network\": {\"name\": \"\xff\xfe\"}}",
        b"{\"network\": {\"name\": \"\xed\xa0\x80\"}}",
        b"\xef\xbb\xbf{\"network\": {}}",
        br#"{"network": {"mtu": 1e999}}"#,
        br#"{"network": {"mtu": 9223372036854775808}}"#,
        br#"{"network": {"mtu": NaN}}"#,
        br#"{"network": {"mtu": 0x10}}"#,
        br#"{"network": {}} {"network": {}}"#,
        long.as_bytes(),
        key.as_bytes(),
        deep.as_bytes(),
        digits.as_bytes(),
    ];
    for body in bodies {
        let answer = client.send(Method::POST, "/v2.0/networks", Some(body.to_vec())).await?;
        let shown: String = String::from_utf8_lossy(body).chars().take(60).collect();
        refused(&answer, 400, &shown);
    }
    assert!(list(&client, "/v2.0/networks").await?.is_empty());
    // Of two members of one name the last counts, as Python reads it.
    let twice = br#"{"network": {"name": "a", "name": "b"}}"#.to_vec();
    let made = client.send(Method::POST, "/v2.0/networks", Some(twice)).await?.expect(201)?;
    assert_eq!(made["network"]["name"], "b");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_queries_that_are_no_text_are_refused() -> Result {
    let server = sqlite().await?;
    let client = server.client();
    let id = network(&client, "a").await?;
    let long = format!("/v2.0/networks/{}", "a".repeat(8000));
    for path in [
        "/v2.0/networks/%ff",
        "/v2.0/networks/%c3",
        "/v2.0/networks/%ed%a0%80",
        "/v2.0/networks/%00",
        "/v2.0/networks/%",
        "/v2.0/networks/%4",
        "/v2.0/networks/%zz",
        "/v2.0/networks//",
        "/v2.0/networks/%2e%2e%2f%2e%2e",
        "/v2.0/%6eetworks%00",
        "/v2.0//networks",
        "/v2.0/%ff",
        long.as_str(),
    ] {
        refused(&client.get(path).await?, 404, path);
    }
    for query in [
        "name=%ff",
        "name=%00",
        "%ff=1",
        "name=%ed%a0%80",
        "fields=%fe",
        "marker=%ff&limit=1",
        "limit=1e3",
        "limit=-1",
        "limit=%F0%9F%92%A9",
        "limit=0x10",
        "sort_key=%00&sort_dir=asc",
        "mtu=99999999999999999999",
        "mtu=1.5",
        "admin_state_up=%E2%98%83",
    ] {
        refused(&client.get(&format!("/v2.0/networks?{query}")).await?, 400, query);
    }
    // What is encoded without need is what it is without.
    let shown = client.get(&format!("/v2.0/%6e%65tworks/{id}?%66ields=id")).await?.expect(200)?;
    assert_eq!(shown["network"]["id"], id.as_str());
    let many = "name=x&".repeat(2000);
    assert_eq!(client.get(&format!("/v2.0/networks?{many}")).await?.status, 200);
    Ok(())
}

async fn connect(server: &Server) -> Result<TcpStream> {
    let address = server.url().trim_start_matches("http://");
    TcpStream::connect(address).await.map_err(Error::new)
}

/// What comes until the server closes or is silent for a while.
async fn read(stream: &mut TcpStream, quiet: Duration) -> String {
    let mut all = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(Ok(count @ 1..)) = tokio::time::timeout(quiet, stream.read(&mut piece)).await {
        all.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_ends_its_own_connection_only() -> Result {
    let server = sqlite().await?;
    let long = [b"GET /".as_slice(), &[b'a'; 200_000], b" HTTP/1.1\r\nhost: h\r\n\r\n"].concat();
    let requests: [&[u8]; 9] = [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /v2.0/networks\xff HTTP/1.1\r\nhost: h\r\n\r\n",
        b"GET /v2.0/net works HTTP/1.1\r\nhost: h\r\n\r\n",
        b"GET /v2.0/networks HTTP/1.1\r\nhost: h\r\nx-roles: a\0b\r\n\r\n",
        b"GET /v2.0/networks HTTP/9.9\r\n\r\n",
        b"POST /v2.0/networks HTTP/1.1\r\nhost: h\r\ncontent-length: nine\r\n\r\n",
        b"POST /v2.0/networks HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"\r\n\r\n\r\n\r\nnonsense\r\n\r\n",
        &long,
    ];
    for request in requests {
        let mut stream = connect(&server).await?;
        // It may hang up before it has read all.
        let _ = stream.write_all(request).await;
        let answer = read(&mut stream, Duration::from_secs(2)).await;
        let shown: String = String::from_utf8_lossy(request).chars().take(50).collect();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{shown}: {answer}");
    }
    network(&server.client(), "still here").await?;
    Ok(())
}

/// A body that the operation has no use for is read all the same: a connection
/// that is closed over it is reset, and the client may lose the answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_wants_does_not_cost_the_connection() -> Result {
    let server = sqlite().await?;
    let mut stream = connect(&server).await?;
    let big = "x".repeat(100_000);
    for (method, path, status, body) in [
        ("OPTIONS", "/v2.0/networks", 200, "{}"),
        ("GET", "/v2.0/networks", 200, "{}"),
        ("POST", "/v2.0/nosuch", 404, big.as_str()),
        ("DELETE", "/v2.0/networks/x", 404, "{}"),
        ("PATCH", "/v2.0/networks", 405, big.as_str()),
        ("GET", "/v2.0/networks", 200, ""),
    ] {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.map_err(Error::new)?;
        // The server has answered by now if it is going to without the body.
        tokio::time::sleep(Duration::from_millis(150)).await;
        stream.write_all(body.as_bytes()).await.map_err(Error::new)?;
        let mut begun = vec![0; 16];
        let answered = tokio::time::timeout(PATIENCE, stream.read_exact(&mut begun)).await;
        answered.map_err(Error::new)?.map_err(|e| Error::new(format!("{method} {path}: {e}")))?;
        let begun = String::from_utf8_lossy(&begun).into_owned();
        assert!(begun.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path}: {begun}");
        read(&mut stream, Duration::from_millis(200)).await;
    }
    Ok(())
}
