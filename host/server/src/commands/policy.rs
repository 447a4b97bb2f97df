//! `hadron policy`.

use super::answer;
use crate::block_on;
use crate::cli::{CheckArgs, PolicyCommand};
use crate::control::{Client, encode};
use crate::exit::{Exit, Failure};
use crate::table::{fields, table};
use hadron_api::{Finding, Question, RuleView, Verdict};
use hadron_runtime::Caller;
use http::Method;

/// Asks the running server.
pub(crate) fn run(command: PolicyCommand) -> Result<(), Failure> {
    match command {
        PolicyCommand::List { overridden, server } => {
            let client = Client::of(&server)?;
            let mut rules: Vec<RuleView> = block_on(client.ask(Method::GET, "/policy", Vec::new()))?;
            rules.retain(|rule| !overridden || rule.source == "policy file");
            answer(&rules, server.json, |rules| list(rules))
        }
        PolicyCommand::Show { name, server } => {
            let client = Client::of(&server)?;
            let path = format!("/policy/{}", encode(&name));
            let rule: RuleView = block_on(client.ask(Method::GET, &path, Vec::new()))?;
            answer(&rule, server.json, show)
        }
        PolicyCommand::Check(args) => check(*args),
    }
}

fn check(args: CheckArgs) -> Result<(), Failure> {
    let target = args.target.map(|text| serde_json::from_str(&text)).transpose();
    let target = target.map_err(|e| Failure::failed(format!("--target is no JSON object: {e}")))?;
    let caller = Caller {
        user_id: args.user,
        user_domain_id: args.user_domain,
        project_id: args.project,
        project_domain_id: args.project_domain,
        domain_id: args.domain,
        system_scope: if args.system { "all".to_owned() } else { String::new() },
        roles: args.roles,
        service_roles: args.service_roles,
        ..Caller::default()
    };
    let question = Question { rule: args.rule, caller, target, id: args.id };
    let body = serde_json::to_vec(&question).map_err(Failure::failed)?;
    let client = Client::of(&args.server)?;
    let verdict: Verdict = block_on(client.ask(Method::POST, "/policy/check", body))?;
    answer(&verdict, args.server.json, explained)?;
    match verdict.allowed {
        true => Ok(()),
        false => Err(Failure::new(Exit::Failed, format!("'{}' does not allow it", question.rule))),
    }
}

fn list(rules: &[RuleView]) -> String {
    let rows: Vec<Vec<String>> =
        rules.iter().map(|r| vec![r.name.clone(), r.source.clone(), r.rule.clone()]).collect();
    table(&["NAME", "SOURCE", "RULE"], &rows)
}

fn show(rule: &RuleView) -> String {
    fields(&[
        ("name", rule.name.clone()),
        ("source", rule.source.clone()),
        ("rule", rule.rule.clone()),
        ("default", rule.default.clone().unwrap_or_default()),
    ])
}

/// The trees of the rules, each part below the one it belongs to.
fn explained(verdict: &Verdict) -> String {
    let mut lines = vec![if verdict.allowed { "allowed" } else { "refused" }.to_owned()];
    for finding in &verdict.findings {
        tree(finding, 0, &mut lines);
    }
    lines.join("\n")
}

fn tree(finding: &Finding, depth: usize, lines: &mut Vec<String>) {
    let mark = match finding.holds {
        Some(true) => "yes",
        Some(false) => "no ",
        None => "?  ",
    };
    let why = finding.why.as_ref().map_or(String::new(), |why| format!("   ({why})"));
    lines.push(format!("{mark} {}{}{why}", "  ".repeat(depth), finding.check));
    for part in &finding.parts {
        tree(part, depth + 1, lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_printed_as_a_tree() {
        let leaf = |check: &str, holds| Finding {
            check: check.to_owned(),
            holds,
            why: Some("because".to_owned()),
            parts: Vec::new(),
        };
        let rule = Finding {
            check: "rule:get_gadget".to_owned(),
            holds: Some(false),
            why: None,
            parts: vec![leaf("role:admin", Some(false)), leaf("x:%(y)s", None)],
        };
        assert_eq!(
            explained(&Verdict { allowed: false, findings: vec![rule] }),
            "refused\nno  rule:get_gadget\nno    role:admin   (because)\n?     x:%(y)s   (because)"
        );
    }
}
