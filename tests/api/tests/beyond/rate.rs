//! Limits on the requests of a project.

use hadron_api_tests::world::builder;
use hadron_sdk_testing::Result;

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_asks_too_often_is_told_to_wait() -> Result {
    let limits = "[api]\nrequests_per_second = 1\nburst = 5\n";
    let server = builder().config(limits).start().await?;
    let busy = server.client().member_of("busy")?;
    let mut refused = None;
    for _ in 0..20 {
        let answer = busy.get("/v2.0/networks").await?;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        answer.expect(200)?;
    }
    let refused = refused.expect("no limit was met");
    let wait: u64 = refused.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert_eq!(wait, 1);
    let (kind, message) = refused.expect_error(429)?;
    assert_eq!(kind, "OverLimit");
    assert!(message.contains("too many requests"), "{message}");
    // Others are not in its way.
    server.client().member_of("quiet")?.get("/v2.0/networks").await?.expect(200)?;
    for _ in 0..10 {
        server.client().header("x-project-id", "busy")?.get("/v2.0/networks").await?.expect(200)?;
    }
    tokio::time::sleep(std::time::Duration::from_millis(1100 * wait)).await;
    busy.get("/v2.0/networks").await?.expect(200)?;
    Ok(())
}
