//! Asks a server what a Neutron was asked once, in order, and compares the
//! answers.
//!
//! `data/probes.jsonl` holds requests with the answers that Neutron 29 gave.
//! What a server makes up itself (ids, addresses, times) is mapped as it appears
//! in answers to creations. What belongs to extensions that the server does not
//! advertise is left out of requests and of expected answers; requests that are
//! about nothing else are out of scope, by the table in `scope`.

mod compare;
mod identities;
mod scope;

use compare::compare;
use identities::Identities;
use reqwest::Method;
use scope::{Scope, Verdict};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Requests and answers, one a line.
const PROBES: &str = include_str!("../../data/probes.jsonl");

/// What the recorded server was configured with: Neutron's limits, and a domain
/// of ports' names.
pub const LIMITS: &str =
    "[quota]\nlimits = []\n\n[plugin.ml2.config]\ndns_domain = \"openstackgate.local.\"\n";

/// A request and the answer to it.
#[derive(Clone, Debug, Deserialize)]
struct Probe {
    note: String,
    #[serde(rename = "as")]
    who: String,
    method: String,
    path: String,
    request: Option<Value>,
    request_headers: BTreeMap<String, String>,
    status: u16,
    body: Value,
}

/// What came of a probe.
#[derive(Clone, Debug)]
pub struct Result {
    /// Who asked what, and why.
    pub request: String,
    /// What is different: a sentence each.
    pub differences: Vec<String>,
}

/// What came of all.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Probes that were compared.
    pub compared: Vec<Result>,
    /// Probes out of scope: how many for each reason.
    pub left_out: BTreeMap<&'static str, usize>,
}

impl Report {
    /// Those with differences.
    pub fn different(&self) -> impl Iterator<Item = &Result> {
        self.compared.iter().filter(|result| !result.differences.is_empty())
    }

    /// All of it for people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for result in self.different() {
            text += &format!("{}\n", result.request);
            for difference in &result.differences {
                text += &format!("    {difference}\n");
            }
        }
        for (reason, count) in &self.left_out {
            text += &format!("out of scope: {count} about {reason}\n");
        }
        let different = self.different().count();
        let left_out: usize = self.left_out.values().sum();
        text + &format!(
            "{} probes compared, {different} differ; {left_out} out of scope\n",
            self.compared.len()
        )
    }
}

/// The recorded callers, and what tells a server without authentication who
/// they are.
fn roles(who: &str) -> Option<&'static str> {
    match who {
        "admin" => Some("admin,manager,member,reader"),
        "demo" => Some("member,reader"),
        "reader" => Some("reader"),
        _ => None,
    }
}

/// Replays everything against the server at that URL, which runs without
/// authentication and is empty.
pub async fn replay(url: &str) -> anyhow::Result<Report> {
    let probes: Vec<Probe> =
        PROBES.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>()?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let scope = Scope::of(&http, url).await?;
    let mut identities = Identities::new(url);
    let projects = projects(&probes);
    let mut report = Report::default();
    for probe in &probes {
        if let Verdict::Out(reason) = scope.verdict(probe) {
            *report.left_out.entry(reason).or_default() += 1;
            continue;
        }
        let mut request = http
            .request(
                Method::from_bytes(probe.method.as_bytes())?,
                format!("{url}{}", identities.ours(&probe.path)),
            )
            .header("accept", "application/json");
        if let Some(roles) = roles(&probe.who) {
            let project = projects.get(probe.who.as_str()).copied().unwrap_or_default();
            request = request
                .header("x-project-id", project)
                .header("x-user-id", &probe.who)
                .header("x-roles", roles);
        }
        for (name, value) in &probe.request_headers {
            request = request.header(name, identities.header(&probe.path, value));
        }
        if let Some(body) = &probe.request {
            let text = match body {
                Value::String(text) => text.clone(),
                document => scope.without_unknown(document).to_string(),
            };
            if !probe.request_headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
                request = request.header("content-type", "application/json");
            }
            request = request.body(identities.ours(&text));
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let got = parsed(Value::String(answer.text().await?));
        let expected = parsed(probe.body.clone());
        let mut differences = Vec::new();
        if status != probe.status {
            differences.push(format!("status {} expected, {status} got: {got}", probe.status));
        } else {
            if probe.method == "POST" && status == 201 || scope::is_one_found(probe) {
                identities.learn(&expected, &got);
            }
            identities.learn_revision(&expected, &got);
            let expected = scope.expected(probe, &expected, &identities);
            compare(
                &expected,
                &scope.comparable(probe, &got),
                &identities,
                scope::is_loose(probe),
                &mut differences,
            );
        }
        let request = format!("{} {} {} ({})", probe.who, probe.method, probe.path, probe.note);
        report.compared.push(Result { request, differences });
    }
    Ok(report)
}

/// The recorded callers' projects: what their creations show.
fn projects(probes: &[Probe]) -> BTreeMap<&str, &str> {
    let mut projects = BTreeMap::new();
    for probe in probes.iter().filter(|probe| probe.method == "POST") {
        let members = probe.body.as_object().into_iter().flat_map(|body| body.values());
        for project in members.filter_map(|member| member.get("project_id").and_then(Value::as_str)) {
            projects.entry(probe.who.as_str()).or_insert(project);
        }
    }
    if let Some(demo) = projects.get("demo").copied() {
        projects.insert("reader", demo);
    }
    projects
}

/// A body that is a text, as the JSON in it where it is some.
fn parsed(body: Value) -> Value {
    match &body {
        Value::String(text) => serde_json::from_str(text).unwrap_or(body),
        _ => body,
    }
}
