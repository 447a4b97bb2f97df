//! HTTP basic authentication.

use hadron_api_tests::world::{builder, list, network};
use hadron_sdk_testing::Result;

#[tokio::test(flavor = "multi_thread")]
async fn only_who_logs_in_is_answered() -> Result {
    let server = builder().user("ann", "secret-1").user("bob", "secret-2").start().await?;
    let nobody = server.client();
    for path in ["/v2.0/networks", "/v2.0/extensions", "/v2.0/"] {
        let answer = nobody.get(path).await?;
        assert_eq!(answer.status, 401, "{path}: {}", answer.body);
        let challenge = answer.headers.get("www-authenticate").and_then(|value| value.to_str().ok());
        assert!(challenge.is_some_and(|value| value.starts_with("Basic")), "{challenge:?}");
    }
    // Neutron tells its versions to everybody.
    nobody.get("/").await?.expect(200)?;
    for (user, password) in [("ann", "secret-2"), ("ann", ""), ("carl", "secret-1"), ("", "")] {
        let client = server.client().login(user, password)?;
        assert_eq!(client.get("/v2.0/networks").await?.status, 401, "{user}:{password}");
    }
    for garbage in ["Basic", "Basic !", "Basic YW5u", "Bearer x", "Basic //8="] {
        let client = server.client().header("authorization", garbage)?;
        assert_eq!(client.get("/v2.0/networks").await?.status, 401, "{garbage}");
    }
    let ann = server.client().login("ann", "secret-1")?;
    network(&ann, "a").await?;
    assert_eq!(list(&server.client().login("bob", "secret-2")?, "/v2.0/networks").await?.len(), 1);
    Ok(())
}
