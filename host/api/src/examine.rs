//! What the rules say, for the operator: all of them, and whether one would
//! allow a caller something, with the reasons.

use crate::access::Access;
use crate::policy::{Finding, Parents, Said, Target, Whole, explain};
use crate::source::Source;
use crate::tables::{Resource, Tables};
use hadron_runtime::{Caller, Refusal, Status};
use hadron_store::{Predicate, Row};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleView {
    /// Its name.
    pub name: String,
    /// As it was written.
    pub rule: String,
    /// Who has the last word: a plugin, `hadron`, or `policy file`.
    pub source: String,
    /// What the plugin declares, where the policy file says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The rule in normal form: rules that mean the same by grammar are equal.
    pub normal: String,
}

/// Whether a caller would be allowed something.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Question {
    /// The rule's name: `create_gadget`.
    pub rule: String,
    /// Who asks; what rules say about callers is found out.
    pub caller: Caller,
    /// Attributes of what is asked about: of a create the body, of an update
    /// the changes. Without it and without `id`, something of the caller's own
    /// project.
    pub target: Option<Map<String, Value>>,
    /// The resource that is asked about.
    pub id: Option<String>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether all rules hold.
    pub allowed: bool,
    /// The rule asked for, and those about attributes that the target sets.
    pub findings: Vec<Finding>,
}

/// What is asked about.
enum Subject<'a> {
    Row(&'a Resource, &'a Row, Option<&'a Map<String, Value>>),
    Body(&'a Resource, &'a Map<String, Value>),
    Said(&'a Map<String, Value>),
}

/// All rules, by name.
pub(crate) fn rules(tables: &Tables) -> Vec<RuleView> {
    let view = |(name, rule): (&str, &crate::policy::Rule)| RuleView {
        name: name.to_owned(),
        rule: rule.text.clone(),
        source: match (&rule.owner, rule.overridden) {
            (Some(owner), false) => owner.clone(),
            _ => "policy file".to_owned(),
        },
        default: rule.declared.clone(),
        normal: rule.check.to_string(),
    };
    tables.policy.rules().map(view).collect()
}

/// Answers a question.
pub(crate) async fn examine(
    tables: Arc<Tables>,
    source: &impl Source,
    question: Question,
) -> Result<Verdict, Refusal> {
    let Question { rule, caller, target, id } = question;
    if !tables.policy.has(&rule) {
        let near = tables.policy.nearest(&rule);
        let near = near.map_or(String::new(), |near| format!("; did you mean '{near}'?"));
        return Err(not_found(format!("there is no policy rule '{rule}'{near}")));
    }
    let caller = tables.policy.settle(caller);
    let own = Map::from_iter([("project_id".to_owned(), Value::from(caller.project_id.as_str()))]);
    let resource = tables.about(&rule).cloned();
    let access = Access { tables, caller: Arc::new(caller) };
    let row = match (&id, &resource) {
        (None, _) => None,
        (Some(id), Some(resource)) => Some(read(&access, source, resource, id).await?),
        (Some(_), None) => {
            return Err(not_found(format!(
                "'{rule}' is about no resource of one kind: describe it with --target instead of an id"
            )));
        }
    };
    let subject = match (&resource, &row) {
        (Some(resource), Some(row)) => Subject::Row(resource, row, target.as_ref()),
        (Some(resource), None) => Subject::Body(resource, target.as_ref().unwrap_or(&own)),
        (None, _) => Subject::Said(target.as_ref().unwrap_or(&own)),
    };
    let mut parents = Parents::default();
    let rules = match (&resource, &target) {
        (Some(resource), Some(given)) => access.rules_about(resource, &rule, given),
        _ => vec![rule],
    };
    loop {
        let (findings, wanted) = findings(&access, &rules, &subject, &parents);
        if access.fetch(source, wanted, &mut parents).await?.any {
            continue;
        }
        return Ok(Verdict { allowed: findings.iter().all(|f| f.holds == Some(true)), findings });
    }
}

fn findings(
    access: &Access,
    rules: &[String],
    subject: &Subject<'_>,
    parents: &Parents,
) -> (Vec<Finding>, Vec<crate::policy::Wanted>) {
    let all = |target: &dyn Target| {
        let explained = rules.iter().map(|r| explain(&access.tables.policy, r, &access.caller, target));
        explained.collect::<Vec<_>>()
    };
    let whole = match subject {
        Subject::Said(said) => return (all(&Said(said)), Vec::new()),
        Subject::Row(resource, row, changes) => Whole::row(resource, row, *changes, parents),
        Subject::Body(resource, body) => Whole::body(resource, body, parents),
    };
    let findings = all(&whole);
    (findings, whole.wanted())
}

async fn read(access: &Access, source: &impl Source, resource: &Resource, id: &str) -> Result<Row, Refusal> {
    resource.check_id(id)?;
    let row = source.get(&resource.id.0, id, &Predicate::always(), &access.whole()).await?;
    row.ok_or_else(|| resource.no_such_row(id))
}

fn not_found(message: String) -> Refusal {
    Refusal::new(Status::NotFound, "HTTPNotFound", message)
}
