//! Who may do what: oslo.policy's rules.
//!
//! The host has the rules that all others are made of, the manifests those of
//! their resources, and the operator's file has the last word. A rule nobody
//! declared is `default`.

mod credentials;
mod defaults;
mod explain;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod neutron;
mod operator;
mod parse;
mod pattern;
mod reduce;
mod target;

pub use explain::Finding;
pub(crate) use explain::explain;
pub(crate) use operator::{Override, read};
pub(crate) use reduce::{Found, Place, Residual, Target};
pub(crate) use target::{Parents, Said, Unread, Wanted, Whole};

use credentials::{Myself, credential};
use hadron_runtime::Caller;
use parse::Check;
use std::collections::{BTreeMap, HashMap, HashSet};

/// How deep a rule may nest with the rules that it names, and how many checks
/// it may come to: a few rules that name each other twice come to millions.
const LARGEST: Extent = Extent { height: 160, size: 4096 };

/// What a name that nobody declared is taken for.
const DEFAULT: &str = "default";

/// Who declares the host's own rules.
const HOST: &str = "hadron";

/// Least likeness of a rule that is not known to one that is, for saying that
/// the one was probably meant.
const LIKENESS: f64 = 0.8;

/// How large a rule is with the rules that it names.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Extent {
    height: usize,
    size: usize,
}

impl Extent {
    fn fits(&self) -> bool {
        self.height <= LARGEST.height && self.size <= LARGEST.size
    }
}

/// A rule in force.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// As read.
    pub(crate) check: Check,
    /// As written.
    pub(crate) text: String,
    /// The plugin that declares it; none where only the operator does.
    pub(crate) owner: Option<String>,
    /// What the plugin declares, where the operator says otherwise.
    pub(crate) declared: Option<String>,
    /// Whether the operator's file has it.
    pub(crate) overridden: bool,
}

/// The rules of a set of plugins and of an operator.
pub(crate) struct Policy {
    rules: BTreeMap<String, Rule>,
}

/// What is wrong with rules.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Complaints {
    /// Rules of manifests that allow nobody, or do not count, and why.
    pub(crate) manifests: Vec<String>,
    /// What the operator's file must not say.
    pub(crate) refused: Vec<String>,
    /// What it says and hardly means.
    pub(crate) remarks: Vec<String>,
}

impl Policy {
    /// Reads the rules: plugin, name and rule. Of two rules of one name the
    /// first counts: a plugin that is loaded later cannot loosen the rules of
    /// one before it, nor the host's. A rule that cannot be used allows nobody.
    pub(crate) fn new<'a>(
        declared: impl Iterator<Item = (&'a str, &'a str, &'a str)>,
        overrides: &[Override],
    ) -> (Policy, Complaints) {
        let mut complaints = Complaints::default();
        let mut rules: BTreeMap<String, Rule> = BTreeMap::new();
        let host = defaults::RULES.iter().map(|(name, text)| (HOST, *name, *text));
        for (owner, name, text) in host.chain(declared) {
            let check = parse::parse(text).unwrap_or_else(|problem| {
                complaints.manifests.push(format!("policy rule '{name}' allows nobody: {problem}"));
                Check::Constant(false)
            });
            match rules.get(name) {
                Some(first) if first.check == check => {}
                Some(first) => complaints.manifests.push(format!(
                    "policy rule '{name}' of '{owner}' does not count: '{}' declares another",
                    first.owner.as_deref().unwrap_or_default()
                )),
                None => {
                    let (text, owner) = (text.to_owned(), Some(owner.to_owned()));
                    let rule = Rule { check, text, owner, declared: None, overridden: false };
                    rules.insert(name.to_owned(), rule);
                }
            }
        }
        let known: Vec<String> = rules.keys().cloned().collect();
        for one in overrides {
            let before = rules.remove(&one.name);
            let rule = Rule {
                check: one.check.clone(),
                text: one.written(),
                owner: before.as_ref().and_then(|r| r.owner.clone()),
                declared: before.map(|r| r.text),
                overridden: true,
            };
            rules.insert(one.name.clone(), rule);
        }
        let mut policy = Policy { rules };
        policy.unwind(&mut complaints);
        policy.remark(overrides, &known, &mut complaints);
        (policy, complaints)
    }

    /// Breaks circles and bounds size: a rule that names itself, at whatever
    /// remove, allows nobody.
    fn unwind(&mut self, complaints: &mut Complaints) {
        loop {
            let extents = self.extents();
            if let Some(circle) = self.circle(&extents) {
                let first = circle.first().cloned().unwrap_or_default();
                let why = format!("'{}' names '{first}'", circle.join("' names '"));
                self.deny(&circle, why, complaints);
                continue;
            }
            let fits = |name: &str| extents.get(name).is_none_or(Extent::fits);
            let named_fit = |rule: &Rule| rule.check.rules().iter().filter_map(|n| self.meant(n)).all(fits);
            let large = self.rules.iter().filter(|(name, rule)| !fits(name) && named_fit(rule));
            let large: Vec<String> = large.map(|(name, _)| name.clone()).collect();
            if large.is_empty() {
                return;
            }
            let Extent { height, size } = LARGEST;
            let why =
                format!("with what it names a rule may have {height} levels and {size} checks, no more");
            self.deny(&large, why, complaints);
        }
    }

    fn deny(&mut self, names: &[String], why: String, complaints: &mut Complaints) {
        let what = if names.len() == 1 { "policy rule" } else { "policy rules" };
        let mut operators = false;
        for name in names {
            if let Some(rule) = self.rules.get_mut(name) {
                operators |= rule.overridden;
                rule.check = Check::Constant(false);
            }
        }
        match operators {
            true => complaints.refused.push(format!("{what} '{}': {why}", names.join("', '"))),
            false => {
                complaints.manifests.push(format!("{what} '{}' allow nobody: {why}", names.join("', '")))
            }
        }
    }

    /// How large each rule is, rules in circles and those that name them left
    /// out. Without recursion from rule to rule: chains may be long.
    fn extents(&self) -> HashMap<String, Extent> {
        let mut extents: HashMap<String, Extent> = HashMap::new();
        let mut waiting: HashMap<&str, HashSet<&str>> = HashMap::new();
        let mut naming: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut ready: Vec<&str> = Vec::new();
        for (name, rule) in &self.rules {
            let named: HashSet<&str> = rule.check.rules().into_iter().filter_map(|n| self.meant(n)).collect();
            if named.is_empty() {
                ready.push(name);
            }
            for other in &named {
                naming.entry(other).or_default().push(name);
            }
            waiting.insert(name, named);
        }
        while let Some(name) = ready.pop() {
            let Some(rule) = self.rules.get(name) else { continue };
            let of_rule = |named: &str| self.meant(named).and_then(|n| extents.get(n)).copied();
            let extent = extent(&rule.check, &|named: &str| of_rule(named).unwrap_or_default());
            extents.insert(name.to_owned(), extent);
            for other in naming.remove(name).unwrap_or_default() {
                if let Some(left) = waiting.get_mut(other) {
                    left.remove(name);
                    if left.is_empty() {
                        ready.push(other);
                    }
                }
            }
        }
        extents
    }

    /// Rules that name each other round in a circle, if there are any.
    fn circle(&self, extents: &HashMap<String, Extent>) -> Option<Vec<String>> {
        let mut name = self.rules.keys().find(|name| !extents.contains_key(*name))?.as_str();
        let mut path: Vec<&str> = Vec::new();
        // Every rule without an extent names one without.
        loop {
            if let Some(start) = path.iter().position(|seen| *seen == name) {
                return Some(path.split_off(start).into_iter().map(str::to_owned).collect());
            }
            path.push(name);
            let named = self.rules.get(name)?.check.rules();
            name = named.into_iter().filter_map(|n| self.meant(n)).find(|n| !extents.contains_key(*n))?;
        }
    }

    fn remark(&self, overrides: &[Override], known: &[String], complaints: &mut Complaints) {
        let named: HashSet<&str> = overrides.iter().flat_map(|one| one.check.rules()).collect();
        for one in overrides {
            let (name, line) = (&one.name, one.line);
            if !known.contains(name) && !named.contains(name.as_str()) {
                let near = nearest(name, known);
                let near = near.map_or(String::new(), |n| format!("; did you mean '{n}'?"));
                complaints
                    .remarks
                    .push(format!("line {line}: no plugin asks for a policy rule '{name}'{near}"));
            }
            for other in one.check.rules().into_iter().filter(|n| !self.rules.contains_key(*n)) {
                let near = nearest(other, known);
                let near = near.map_or(String::new(), |n| format!("; did you mean '{n}'?"));
                complaints.remarks.push(format!(
                    "line {line}: '{name}' names the rule '{other}', which is not there and so is 'default'{near}"
                ));
            }
            let nobody = Caller::default();
            for path in one.check.credentials().into_iter().filter(|p| credential(&nobody, p).is_none()) {
                complaints.remarks.push(format!(
                    "line {line}: '{name}' asks about the credential '{path}', which no caller has: the check never holds"
                ));
            }
        }
    }

    /// Whether there is a rule of that very name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.rules.contains_key(name)
    }

    /// All rules, by name.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (&str, &Rule)> {
        self.rules.iter().map(|(name, rule)| (name.as_str(), rule))
    }

    /// The known rule that one probably meant.
    pub(crate) fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.rules.keys())
    }

    /// What remains of the rule for this caller and target.
    pub(crate) fn reduce(&self, name: &str, caller: &Caller, target: &dyn Target) -> Residual {
        self.named(name).map_or(Residual::Known(false), |check| reduce::reduce(self, check, caller, target))
    }

    /// The caller with what the rules about callers say of it.
    pub(crate) fn settle(&self, mut caller: Caller) -> Caller {
        let holds = |name: &str, caller: &Caller| {
            self.has(name) && self.reduce(name, caller, &Myself(caller)).known() == Some(true)
        };
        caller.is_admin = false;
        caller.is_admin = holds("context_is_admin", &caller);
        caller.has_global_access = caller.is_admin || holds("context_with_global_access", &caller);
        caller.can_set_project_id = caller.is_admin
            || ["context_is_advsvc", "service_api", "context_can_set_project_id"]
                .iter()
                .any(|name| holds(name, &caller));
        caller
    }

    /// The rule that a name stands for.
    fn named(&self, name: &str) -> Option<&Check> {
        self.rules.get(self.meant(name)?).map(|rule| &rule.check)
    }

    /// A name nobody declared means `default`.
    fn meant<'a>(&self, name: &'a str) -> Option<&'a str> {
        [name, DEFAULT].into_iter().find(|name| self.rules.contains_key(*name))
    }
}

fn extent(check: &Check, of_rule: &impl Fn(&str) -> Extent) -> Extent {
    let below = match check {
        Check::Rule(name) => vec![of_rule(name)],
        other => other.below().iter().map(|c| extent(c, of_rule)).collect(),
    };
    Extent {
        height: 1 + below.iter().map(|e| e.height).max().unwrap_or_default(),
        size: below.iter().fold(1usize, |size, e| size.saturating_add(e.size)),
    }
}

fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a String>) -> Option<&'a str> {
    let likeness = known.into_iter().map(|other| (strsim::jaro_winkler(name, other), other));
    let best = likeness.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= LIKENESS).then_some(best.1.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_manifest::Column;
    use hadron_store::Predicate;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    struct Row(Value);
    impl Target for Row {
        fn member(&self, name: &str) -> Found {
            if name.starts_with("parent:") {
                return Found::Unknown;
            }
            self.0.get(name).cloned().map_or(Found::Absent, Found::Value)
        }
        fn field(&self, _: &str, attribute: &str) -> Found {
            self.member(attribute)
        }
    }

    struct Unread;
    impl Target for Unread {
        fn member(&self, name: &str) -> Found {
            let column = |kind| Found::Column(Place { reference: None, column: name.to_owned(), kind });
            match name {
                "project_id" => column(Column::Text),
                "shared" => column(Column::Boolean),
                name if name.starts_with("parent:") => Found::Unknown,
                _ => Found::Absent,
            }
        }
        fn field(&self, _: &str, attribute: &str) -> Found {
            self.member(attribute)
        }
    }

    fn policy(rules: &[(&str, &str)]) -> Policy {
        let (policy, complaints) = with(rules, "");
        assert_eq!(complaints, Complaints::default());
        policy
    }

    fn with(rules: &[(&str, &str)], file: &str) -> (Policy, Complaints) {
        let rules = rules.iter().map(|(name, rule)| ("workshop", *name, *rule));
        Policy::new(rules, &read(file).unwrap())
    }

    fn member() -> Caller {
        Caller {
            project_id: "p1".to_owned(),
            roles: vec!["member".to_owned(), "reader".to_owned()],
            ..Caller::default()
        }
    }

    fn admin() -> Caller {
        Caller {
            project_id: "p9".to_owned(),
            roles: vec!["admin".to_owned()],
            is_admin: true,
            ..Caller::default()
        }
    }

    const GADGETS: &[(&str, &str)] = &[
        ("shared", "field:gadgets:shared=True"),
        ("create_gadget", "(rule:admin_only) or (role:member and project_id:%(project_id)s)"),
        ("get_gadget", "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared"),
        ("delete_gadget", "rule:admin_only or not project_id:%(parent:project_id)s"),
    ];

    #[test]
    fn given_a_row_the_answer_is_yes_or_no() {
        let policy = policy(GADGETS);
        let own = Row(json!({"project_id": "p1"}));
        let others = Row(json!({"project_id": "p2", "shared": false}));
        let shared = Row(json!({"project_id": "p2", "shared": true}));
        assert_eq!(policy.reduce("create_gadget", &member(), &own).known(), Some(true));
        assert_eq!(policy.reduce("create_gadget", &member(), &others).known(), Some(false));
        assert_eq!(policy.reduce("create_gadget", &admin(), &others).known(), Some(true));
        assert_eq!(policy.reduce("get_gadget", &member(), &others).known(), Some(false));
        assert_eq!(policy.reduce("get_gadget", &member(), &shared).known(), Some(true));
    }

    #[test]
    fn before_rows_are_read_what_remains_is_a_condition() {
        let policy = policy(GADGETS);
        assert_eq!(policy.reduce("get_gadget", &admin(), &Unread), Residual::Known(true));
        assert_eq!(
            policy.reduce("get_gadget", &member(), &Unread).predicate(),
            Predicate::Any(vec![
                Predicate::equal("project_id", "p1"),
                Predicate::In("shared".to_owned(), vec![Value::Bool(true)]),
            ])
        );
        assert_eq!(policy.reduce("admin_only", &member(), &Unread).predicate(), Predicate::never());
    }

    #[test]
    fn what_is_unknown_allows_nothing_even_when_negated() {
        let policy = policy(GADGETS);
        let residual = policy.reduce("delete_gadget", &member(), &Unread);
        assert!(residual.is_partial());
        assert_eq!(residual.predicate(), Predicate::Not(Box::new(Predicate::always())));
        assert_eq!(policy.reduce("delete_gadget", &member(), &Row(json!({}))).known(), None);
    }

    #[test]
    fn without_any_rule_administrators_and_the_own_project_remain() {
        let policy = policy(&[]);
        assert_eq!(policy.reduce("get_gadget", &admin(), &Unread), Residual::Known(true));
        assert_eq!(
            policy.reduce("get_gadget", &member(), &Unread).predicate(),
            Predicate::equal("project_id", "p1")
        );
    }

    #[test]
    fn a_rule_without_declaration_is_the_default_rule() {
        let (policy, _) = with(&[("x", "rule:nosuch")], "default: 'role:reader'");
        for rule in ["nosuch", "x"] {
            assert_eq!(policy.reduce(rule, &member(), &Unread), Residual::Known(true), "{rule}");
        }
    }

    #[test]
    fn a_later_plugin_cannot_loosen_an_earlier_rule_and_nonsense_denies() {
        let rules = [("a", "role:admin"), ("a", "@"), ("b", "nonsense"), ("admin_only", "@")];
        let (policy, complaints) = with(&rules, "");
        assert_eq!(complaints.manifests.len(), 3);
        for rule in ["a", "b", "admin_only"] {
            assert_eq!(policy.reduce(rule, &member(), &Unread), Residual::Known(false), "{rule}");
        }
        assert_eq!(policy.reduce("b", &admin(), &Unread), Residual::Known(false));
    }

    #[test]
    fn an_operators_rule_replaces_a_manifests_and_unknown_names_are_told_with_the_nearest() {
        let file = "get_gadget: 'role:auditor'\nget_gadgte: '@'\nown: 'project_id:%(project_id)s'\n\
                    create_gadget: 'rule:own or rule:adminonly or colour:%(x)s'\n";
        let (policy, complaints) = with(GADGETS, file);
        assert_eq!(policy.reduce("get_gadget", &admin(), &Unread), Residual::Known(false));
        assert_eq!(
            complaints.remarks,
            [
                "line 2: no plugin asks for a policy rule 'get_gadgte'; did you mean 'get_gadget'?",
                "line 4: 'create_gadget' names the rule 'adminonly', which is not there and so is 'default'; did you mean 'admin_only'?",
                "line 4: 'create_gadget' asks about the credential 'colour', which no caller has: the check never holds",
            ]
        );
        let (_, rule) = policy.rules().find(|(name, _)| *name == "get_gadget").unwrap();
        assert!(rule.overridden && rule.declared.as_deref().unwrap().contains("role:reader"));
    }

    #[test]
    fn circles_are_refused_and_allow_nobody() {
        let (policy, complaints) = with(&[("a", "rule:b"), ("b", "not rule:a"), ("c", "rule:a or @")], "");
        assert_eq!(complaints.manifests, ["policy rules 'a', 'b' allow nobody: 'a' names 'b' names 'a'"]);
        assert_eq!(policy.reduce("a", &admin(), &Unread), Residual::Known(false));
        assert_eq!(policy.reduce("c", &admin(), &Unread), Residual::Known(true));
        let (_, complaints) = with(&[("a", "rule:b"), ("b", "@")], "b: 'rule:a'\ndefault: 'rule:nosuch'");
        assert_eq!(
            complaints.refused,
            [
                "policy rules 'a', 'b': 'a' names 'b' names 'a'",
                "policy rule 'default': 'default' names 'default'",
            ]
        );
    }

    #[test]
    fn long_chains_and_doublings_are_refused_and_neither_overflow_nor_hang() {
        for link in ["rule:r", "rule:r0 or rule:r"] {
            let link = |i: usize| link.replace("rule:r0", &format!("rule:r{i}")) + &i.to_string();
            let rules: Vec<(String, String)> = (0..1000).map(|i| (format!("r{i}"), link(i + 1))).collect();
            let rules: Vec<(&str, &str)> = rules.iter().map(|(n, r)| (n.as_str(), r.as_str())).collect();
            let (policy, complaints) = with(&rules, "r1000: '@'");
            assert!(!complaints.manifests.is_empty());
            assert_eq!(policy.reduce("r0", &admin(), &Unread), Residual::Known(false));
            assert_eq!(policy.reduce("r999", &admin(), &Unread), Residual::Known(true));
        }
    }

    #[test]
    fn rules_say_who_is_an_administrator() {
        let caller = |roles: &[&str]| Caller {
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            is_admin: true,
            ..Caller::default()
        };
        let (ours, _) =
            with(&[], "context_is_admin: 'role:boss'\ncontext_with_global_access: 'role:auditor'");
        let theirs = policy(&[]);
        assert!(theirs.settle(caller(&["admin"])).is_admin && !theirs.settle(caller(&["boss"])).is_admin);
        assert!(ours.settle(caller(&["boss"])).is_admin && !ours.settle(caller(&["admin"])).is_admin);
        assert!(ours.settle(caller(&["auditor"])).has_global_access);
        assert!(!theirs.settle(caller(&["auditor"])).has_global_access);
        assert!(theirs.settle(caller(&["service"])).can_set_project_id);
        assert!(!theirs.settle(caller(&["member"])).can_set_project_id);
    }

    #[test]
    fn credentials_are_asked_by_name_and_by_path() {
        let caller = Caller {
            user_id: "u".to_owned(),
            user_domain_id: "ud".to_owned(),
            project_id: "p1".to_owned(),
            project_domain_id: "pd".to_owned(),
            system_scope: "all".to_owned(),
            service_roles: vec!["service".to_owned()],
            is_admin: true,
            ..Caller::default()
        };
        let row = Row(json!({"user_id": "u", "domain": "pd", "project_id": null, "level": 5, "up": true}));
        for (rule, holds) in [
            ("user_id:%(user_id)s", true),
            ("user.domain.id:ud", true),
            ("token.project.domain.id:%(domain)s", true),
            ("user_domain_id:pd", false),
            ("system_scope:all", true),
            ("is_admin:1", true),
            ("is_admin:True", true),
            ("is_admin:0", false),
            ("is_admin_project:True", true),
            ("service_roles:service", true),
            ("service_roles:servic", false),
            ("domain_id:None", true),
            ("domain_id:%(project_id)s", false),
            ("colour:red", false),
            ("'u':%(user_id)s", true),
            ("None:%(project_id)s", true),
            ("5:%(level)s", true),
            ("True:%(up)s", true),
            ("'x-u':x-%(user_id)s", true),
            ("'u':%(nosuch)s", false),
        ] {
            let policy = policy(&[("r", rule)]);
            assert_eq!(policy.reduce("r", &caller, &row).known(), Some(holds), "{rule}");
        }
    }

    proptest! {
        /// What the database would answer with the condition is what evaluation
        /// of the row answers: for a rule made at random of the checks there are.
        #[test]
        fn the_condition_fits_a_row_exactly_when_the_rule_allows_it(
            words in prop::collection::vec(0usize..6, 1..6),
            joins in prop::collection::vec(any::<bool>(), 6),
            negate in prop::collection::vec(any::<bool>(), 6),
            project in prop::sample::select(vec!["p1", "p2"]),
            shared in any::<bool>(),
        ) {
            let atoms = ["role:admin", "role:member", "project_id:%(project_id)s", "field:gadgets:shared=True",
                "@", "is_admin:True"];
            let mut rule = String::new();
            for (i, word) in words.iter().enumerate() {
                if i > 0 { rule.push_str(if joins[i] { " and " } else { " or " }); }
                if negate[i] { rule.push_str("not "); }
                rule.push_str(atoms[*word]);
            }
            let policy = policy(&[("r", &rule)]);
            let row = json!({"project_id": project, "shared": shared});
            let direct = policy.reduce("r", &member(), &Row(row.clone())).known().unwrap();
            let predicate = policy.reduce("r", &member(), &Unread).predicate();
            prop_assert_eq!(holds(&predicate, &row), direct);
        }
    }

    fn holds(predicate: &Predicate, row: &Value) -> bool {
        match predicate {
            Predicate::All(parts) => parts.iter().all(|p| holds(p, row)),
            Predicate::Any(parts) => parts.iter().any(|p| holds(p, row)),
            Predicate::Not(inner) => !holds(inner, row),
            Predicate::In(name, values) => values.contains(&row[name]),
            other => panic!("{other:?}"),
        }
    }
}
