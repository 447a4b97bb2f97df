//! `/v2.0/quotas`: how many of a resource a project may have, and has.
//!
//! What can be limited follows from the manifests; defaults are the operator's,
//! else the manifests'; limits of single projects are in the store. In Neutron:
//! `QuotaSetsController`.

use crate::body;
use crate::error::{self, bad_request, disallowed, json_answer};
use crate::policy::{Found, Target};
use crate::resources::{Answer, Asked, no_content};
use crate::validate;
use axum::http::StatusCode;
use hadron_manifest::Validator;
use hadron_runtime::{Refusal, Status};
use hadron_store::{Numbers, StoreError};
use serde_json::{Map, Value, json};

/// Largest limit. In Neutron: `DB_INTEGER_MAX_VALUE`.
const LARGEST: i64 = 0x7fff_ffff;

/// What the rules are about.
struct Project<'a>(&'a str);

impl Target for Project<'_> {
    fn member(&self, name: &str) -> Found {
        match name {
            "project_id" | "tenant_id" => Found::Value(Value::from(self.0)),
            _ => Found::Absent,
        }
    }

    fn field(&self, _: &str, _: &str) -> Found {
        Found::Absent
    }
}

impl Asked {
    /// `GET /quotas`: of projects that have limits of their own.
    pub(crate) async fn quotas(self) -> Answer {
        let own = self.access.caller.project_id.clone();
        self.check("get_quota", &own)?;
        let all = self.runtime.store().quotas().all().await.map_err(error::from_store)?;
        // A manager sees no other project's.
        let seen = all.into_iter().filter(|(project, _)| self.may("get_quota", project));
        let rows: Vec<Value> = seen
            .map(|(project, limits)| {
                let mut row = self.limits(&limits);
                row.insert("project_id".to_owned(), Value::from(project.as_str()));
                row.insert("tenant_id".to_owned(), Value::from(project));
                Value::from(row)
            })
            .collect();
        Ok(json_answer(StatusCode::OK, &json!({ "quotas": rows })))
    }

    /// `GET /quotas/{project}`.
    pub(crate) async fn quota(self, project: &str) -> Answer {
        self.check_other("get_quota", project)?;
        self.show_quota(project).await
    }

    /// `GET /quotas/{project}/default`.
    pub(crate) async fn default_quota(self, project: &str) -> Answer {
        self.check_other("get_quota", project)?;
        Ok(quota(self.limits(&Numbers::new())))
    }

    /// `GET /quotas/{project}/details`: with what is used.
    pub(crate) async fn quota_details(self, project: &str) -> Answer {
        self.check_other("get_quota", project)?;
        check_id(project)?;
        let quotas = self.runtime.store().quotas();
        let limits = quotas.limits(project).await.map_err(error::from_store)?;
        let usage = quotas.usage(project).await.map_err(error::from_store)?;
        let details = self.limits(&limits).into_iter().map(|(name, limit)| {
            let used = usage.get(&name).copied().unwrap_or_default();
            (name, json!({"limit": limit, "used": used, "reserved": 0}))
        });
        Ok(quota(details.collect()))
    }

    /// `GET /quotas/project`, and `tenant`, its older name: whose quotas the
    /// caller's are.
    pub(crate) async fn own_project(self, word: &str) -> Answer {
        let project = &self.access.caller.project_id;
        if project.is_empty() {
            let message = "Tenant-id was missing from quota request.";
            return Err(Refusal::new(Status::Invalid, "QuotaMissingTenant", message));
        }
        Ok(json_answer(StatusCode::OK, &json!({ word: { format!("{word}_id"): project } })))
    }

    /// `PUT /quotas/{project}`. A limit below what is used is refused, unless
    /// the request says `force`.
    pub(crate) async fn set_quota(mut self, project: &str) -> Answer {
        self.check("update_quota", project)?;
        check_id(project)?;
        self.check_terms()?;
        let bytes = body::read(std::mem::take(&mut self.body)).await?;
        let mut given = body::member(&bytes, "quota")?;
        let force = flag(&mut given, "force")?;
        let _ = flag(&mut given, "check_limit")?;
        let limits = self.wanted(given)?;
        let quotas = self.runtime.store().quotas();
        if !force {
            let usage = quotas.usage(project).await.map_err(error::from_store)?;
            for (name, limit) in limits.iter().filter(|(_, limit)| **limit >= 0) {
                let used = usage.get(name).copied().unwrap_or_default();
                if used > *limit {
                    return Err(bad_request(format!(
                        "Quota limit {limit} for {name} must be greater than or equal to already used {used}"
                    )));
                }
            }
        }
        quotas.set(project, &limits).await.map_err(error::from_store)?;
        self.show_quota(project).await
    }

    /// `DELETE /quotas/{project}`: back to the defaults.
    pub(crate) async fn delete_quota(self, project: &str) -> Answer {
        self.check("delete_quota", project)?;
        check_id(project)?;
        self.check_terms()?;
        match self.runtime.store().quotas().clear(project).await {
            Ok(()) => Ok(no_content()),
            Err(StoreError::NotFound) => Err(Refusal::new(
                Status::NotFound,
                "TenantQuotaNotFound",
                format!("Quota for tenant {project} could not be found."),
            )),
            Err(failure) => Err(error::from_store(failure)),
        }
    }

    /// Limits are set outside of units of work: what only these can do must not
    /// be taken for done.
    fn check_terms(&self) -> Result<(), Refusal> {
        let terms = self.terms()?;
        match terms.dry_run || terms.once.is_some() {
            true => Err(bad_request("Quotas are set without dry_run and Idempotency-Key")),
            false => Ok(()),
        }
    }

    async fn show_quota(self, project: &str) -> Answer {
        check_id(project)?;
        let limits = self.runtime.store().quotas().limits(project).await.map_err(error::from_store)?;
        Ok(quota(self.limits(&limits)))
    }

    /// Every limit: the project's own, else the default.
    fn limits(&self, own: &Numbers) -> Map<String, Value> {
        let defaults = self.runtime.default_quotas();
        let limit = |(name, declared): (&String, &i64)| {
            let limit = own.get(name).copied().unwrap_or_else(|| defaults.of(name, *declared));
            (name.clone(), Value::from(limit))
        };
        self.access.tables.quotas.iter().map(limit).collect()
    }

    /// The limits in a request.
    fn wanted(&self, given: Map<String, Value>) -> Result<Numbers, Refusal> {
        let known = &self.access.tables.quotas;
        let unknown: Vec<&str> =
            given.keys().map(String::as_str).filter(|k| !known.contains_key(*k)).collect();
        if !unknown.is_empty() {
            return Err(bad_request(format!("Unrecognized attribute(s) '{}'", unknown.join(", "))));
        }
        let number = Validator::Integer { min: Some(-1), max: Some(LARGEST) };
        let convert = |(name, value): (String, Value)| {
            let value = validate::convert(&number, false, value);
            let value = value.map_err(|fault| validate::refusal(&name, fault))?;
            Ok((name, value.as_i64().unwrap_or(-1)))
        };
        given.into_iter().map(convert).collect()
    }

    fn may(&self, rule: &str, project: &str) -> bool {
        let policy = &self.access.tables.policy;
        policy.reduce(rule, &self.access.caller, &Project(project)).known() == Some(true)
    }

    fn check(&self, rule: &str, project: &str) -> Result<(), Refusal> {
        if self.may(rule, project) { Ok(()) } else { Err(disallowed(&format!("rule:{rule}"))) }
    }

    /// Everybody may look at the own project's.
    fn check_other(&self, rule: &str, project: &str) -> Result<(), Refusal> {
        if project == self.access.caller.project_id { Ok(()) } else { self.check(rule, project) }
    }
}

fn quota(members: Map<String, Value>) -> axum::response::Response {
    json_answer(StatusCode::OK, &json!({ "quota": members }))
}

/// Neutron takes any text for a project's id; no database keeps a NUL in one.
fn check_id(project: &str) -> Result<(), Refusal> {
    match project.len() > 255 || project.contains('\0') {
        true => Err(error::no_such_path()),
        false => Ok(()),
    }
}

/// A switch beside the limits.
fn flag(given: &mut Map<String, Value>, name: &str) -> Result<bool, Refusal> {
    let Some(value) = given.remove(name) else { return Ok(false) };
    let value = validate::convert(&Validator::Boolean, false, value);
    let value = value.map_err(|fault| validate::refusal(name, fault))?;
    Ok(value == Value::Bool(true))
}
