//! Against a stand-in that counts what it is asked and can be told what to
//! answer. A real Keystone is asked in the project's whole-system tests.

use super::*;
use axum::Json;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::HashMap;

/// What the stand-in was asked, and how it is to answer.
#[derive(Default)]
struct Identity {
    logins: usize,
    validations: usize,
    /// By token; others are not found.
    tokens: HashMap<String, Value>,
    /// The own token that is good.
    own: String,
    url: String,
    broken: bool,
}

type Shared = Arc<Mutex<Identity>>;

fn at(seconds: i64) -> String {
    (Timestamp::now() + SignedDuration::from_secs(seconds)).to_string()
}

async fn log_in(State(identity): State<Shared>, Json(body): Json<Value>) -> Response {
    let mut identity = identity.lock();
    identity.logins += 1;
    if body["auth"]["identity"]["password"]["user"]["password"] != "secret" {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    identity.own = format!("own-{}", identity.logins);
    let endpoint = |interface: &str, region: &str, path: &str| {
        let url = format!("{}{path}", identity.url);
        json!({"interface": interface, "region_id": region, "url": url})
    };
    let catalog = json!([{"type": "identity", "endpoints": [
        endpoint("internal", "elsewhere", "/nothing"),
        endpoint("internal", "here", ""),
        endpoint("public", "here", "/public"),
    ]}]);
    let answer = json!({"token": {
        "expires_at": at(3600), "user": {"id": "u", "domain": {"id": "d"}}, "catalog": catalog,
    }});
    (StatusCode::CREATED, [("x-subject-token", identity.own.clone())], Json(answer)).into_response()
}

async fn validate(
    State(identity): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    // Long enough for others to come and wait.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut identity = identity.lock();
    identity.validations += 1;
    if identity.broken {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    if headers["x-auth-token"] != identity.own.as_str() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let token = identity.tokens.get(headers["x-subject-token"].to_str().unwrap());
    let expired = token.is_some_and(|t| t["expires_at"].as_str().unwrap() < at(0).as_str());
    match token {
        Some(token) if !expired || query.contains_key("allow_expired") => {
            Json(json!({ "token": token })).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn identity() -> Shared {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let identity = Shared::default();
    identity.lock().url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/v3/auth/tokens", get(validate).post(log_in)).with_state(identity.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    identity
}

fn settings(auth_url: &str) -> KeystoneSettings {
    KeystoneSettings {
        auth_url: auth_url.into(),
        username: "hadron".into(),
        password: "secret".into(),
        user_domain_name: "Default".into(),
        project_name: "service".into(),
        project_domain_name: "Default".into(),
        region: "here".into(),
        interface: "internal".into(),
        www_authenticate_uri: String::new(),
        ca_file: None,
        timeout: Duration::from_secs(10),
        cache: Duration::from_secs(300),
        service_token_roles: vec!["service".into()],
        service_token_roles_required: true,
    }
}

fn token(role: &str, seconds: i64) -> Value {
    json!({
        "expires_at": at(seconds), "user": {"id": "ann", "domain": {"id": "d1"}}, "roles": [{"name": role}],
        "project": {"id": "p1", "domain": {"id": "d2"}}, "catalog": [{"type": "network"}],
    })
}

async fn ask(keystone: &Keystone, headers: &[(&'static str, &str)]) -> Result<Caller, Denial> {
    let mut request = Request::get("/v2.0/ports");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    keystone.authenticate(&parts, "req-1").await
}

async fn with(tokens: &[(&str, Value)]) -> (Shared, Keystone) {
    let identity = identity().await;
    let url = identity.lock().url.clone();
    identity.lock().tokens = tokens.iter().map(|(name, token)| ((*name).to_owned(), token.clone())).collect();
    (identity, Keystone::new(settings(&url)).unwrap())
}

#[tokio::test]
async fn many_requests_with_a_token_are_one_login_and_one_validation() {
    let (identity, keystone) = with(&[("t", token("member", 60))]).await;
    let asked = futures::future::join_all((0..16).map(|_| ask(&keystone, &[("x-auth-token", " t ")]))).await;
    for caller in asked {
        let caller = caller.unwrap();
        assert_eq!((caller.user_id.as_str(), caller.user_domain_id.as_str()), ("ann", "d1"));
        assert_eq!((caller.project_id.as_str(), caller.project_domain_id.as_str()), ("p1", "d2"));
        assert_eq!(caller.roles, ["member"]);
        assert!(caller.is_admin_project);
    }
    let asked = identity.lock();
    assert_eq!((asked.logins, asked.validations), (1, 1));
}

#[tokio::test]
async fn a_bad_token_is_asked_for_once_and_clients_are_sent_to_the_public_endpoint() {
    let (identity, keystone) = with(&[]).await;
    let url = identity.lock().url.clone();
    assert_eq!(keystone.challenge(), format!("Keystone uri=\"{url}/v3\""));
    for _ in 0..3 {
        assert_eq!(ask(&keystone, &[("x-auth-token", "t")]).await, Err(Denial::Nobody));
    }
    assert_eq!(identity.lock().validations, 1);
    assert_eq!(keystone.challenge(), format!("Keystone uri=\"{url}/public\""));
    for nobody in [&[][..], &[("x-auth-token", "")], &[("x-auth-token", "x".repeat(9000).as_str())]] {
        assert_eq!(ask(&keystone, nobody).await, Err(Denial::Nobody));
    }
    assert_eq!(identity.lock().validations, 1);
}

#[tokio::test]
async fn a_token_is_good_no_longer_than_it_says() {
    let (identity, keystone) = with(&[("short", token("member", 5)), ("long", token("member", 60))]).await;
    ask(&keystone, &[("x-auth-token", "short")]).await.unwrap();
    ask(&keystone, &[("x-auth-token", "long")]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5100)).await;
    assert_eq!(ask(&keystone, &[("x-auth-token", "short")]).await, Err(Denial::Nobody));
    ask(&keystone, &[("x-auth-token", "long")]).await.unwrap();
    assert_eq!(identity.lock().validations, 3);
}

#[tokio::test]
async fn the_servers_own_token_is_renewed_when_it_is_revoked() {
    let (identity, keystone) = with(&[("a", token("member", 60)), ("b", token("member", 60))]).await;
    ask(&keystone, &[("x-auth-token", "a")]).await.unwrap();
    identity.lock().own = "revoked".into();
    ask(&keystone, &[("x-auth-token", "b")]).await.unwrap();
    assert_eq!(identity.lock().logins, 2);
}

#[tokio::test]
async fn what_keystone_cannot_tell_is_no_denial_and_is_not_remembered() {
    let (identity, keystone) = with(&[("t", token("member", 60))]).await;
    identity.lock().broken = true;
    assert_eq!(ask(&keystone, &[("x-auth-token", "t")]).await, Err(Denial::Unavailable));
    identity.lock().broken = false;
    ask(&keystone, &[("x-auth-token", "t")]).await.unwrap();
    let wrong = KeystoneSettings { password: "wrong".into(), ..settings(&identity.lock().url) };
    let wrong = Keystone::new(wrong).unwrap();
    assert_eq!(ask(&wrong, &[("x-auth-token", "t")]).await, Err(Denial::Unavailable));
    let nobody = Keystone::new(settings("http://127.0.0.1:9")).unwrap();
    assert_eq!(ask(&nobody, &[("x-auth-token", "t")]).await, Err(Denial::Unavailable));
}

#[tokio::test]
async fn a_service_with_the_role_may_pass_an_expired_token_on() {
    let tokens =
        [("old", token("member", -60)), ("nova", token("service", 60)), ("bob", token("member", 60))];
    let (_identity, keystone) = with(&tokens).await;
    assert_eq!(ask(&keystone, &[("x-auth-token", "old")]).await, Err(Denial::Nobody));
    let passed = ask(&keystone, &[("x-auth-token", "old"), ("x-service-token", "nova")]).await.unwrap();
    assert_eq!((passed.roles, passed.service_roles), (vec!["member".to_owned()], vec!["service".to_owned()]));
    assert_eq!((passed.service_user_id.as_str(), passed.service_project_id.as_str()), ("ann", "p1"));
    for service in ["bob", "unknown"] {
        for user in ["old", "bob"] {
            let asked = ask(&keystone, &[("x-auth-token", user), ("x-service-token", service)]).await;
            assert_eq!(asked, Err(Denial::Nobody), "{user} by {service}");
        }
    }
    // What was learnt with a service's help is not good without.
    assert_eq!(ask(&keystone, &[("x-auth-token", "old")]).await, Err(Denial::Nobody));
    assert_eq!(ask(&keystone, &[("x-service-token", "nova")]).await, Err(Denial::Nobody));
}

#[tokio::test]
async fn access_rules_hold_for_users_and_not_for_services_on_their_way() {
    let restricted = |path: &str, service: &str| {
        let mut token = token("member", 60);
        let rule = json!({"service": service, "method": "GET", "path": path});
        token["application_credential"] = json!({"id": "c", "access_rules": [rule]});
        token
    };
    let mut foreign = restricted("/v2.0/ports", "network");
    foreign["catalog"] = json!([{"type": "compute"}]);
    let tokens = [
        ("good", restricted("/v2.0/p*", "network")),
        ("other", restricted("/v2.0/ports/*", "network")),
        ("compute", restricted("/v2.0/ports", "compute")),
        ("foreign", foreign),
        ("nova", token("service", 60)),
    ];
    let (_identity, keystone) = with(&tokens).await;
    ask(&keystone, &[("x-auth-token", "good")]).await.unwrap();
    for bad in ["other", "compute", "foreign"] {
        assert_eq!(ask(&keystone, &[("x-auth-token", bad)]).await, Err(Denial::Nobody), "{bad}");
    }
    ask(&keystone, &[("x-auth-token", "other"), ("x-service-token", "nova")]).await.unwrap();
}

#[tokio::test]
async fn scopes_are_told_apart() {
    let mut domain = token("admin", 60);
    domain["project"] = Value::Null;
    domain["domain"] = json!({"id": "d9"});
    let mut system = token("reader", 60);
    system["project"] = Value::Null;
    system["system"] = json!({"all": true});
    system["is_admin_project"] = json!(false);
    let (_identity, keystone) = with(&[("domain", domain), ("system", system)]).await;
    let caller = ask(&keystone, &[("x-auth-token", "domain")]).await.unwrap();
    assert_eq!((caller.project_id.as_str(), caller.domain_id.as_str()), ("", "d9"));
    let caller = ask(&keystone, &[("x-storage-token", "system")]).await.unwrap();
    assert_eq!((caller.project_id.as_str(), caller.system_scope.as_str()), ("", "all"));
    assert!(!caller.is_admin_project);
}

#[test]
fn certificates_that_cannot_be_read_are_named() {
    let settings = KeystoneSettings { ca_file: Some("/nowhere.pem".into()), ..settings("http://h") };
    let message = Keystone::new(settings).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message.contains("/nowhere.pem"), "{message}");
}
