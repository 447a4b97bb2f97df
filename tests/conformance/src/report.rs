//! How the server does, beside how Neutron does.

use crate::outcome::{self, Outcome};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Both, and what must pass.
pub struct Report {
    /// Here.
    pub here: BTreeMap<String, Outcome>,
    /// There.
    pub neutron: BTreeMap<String, Outcome>,
    /// Beginnings of the names of what must pass.
    pub required: Vec<String>,
}

impl Report {
    /// Tests that must pass and do not: failed, skipped, or not run at all.
    pub fn broken(&self) -> Vec<&str> {
        let required = |test: &str| self.required.iter().any(|prefix| test.starts_with(prefix));
        let passed = |test: &str| outcome::of(&self.here, test) == Some(&Outcome::Passed);
        let in_neutron = self.neutron.iter().filter(|(_, there)| **there == Outcome::Passed);
        in_neutron.map(|(test, _)| test.as_str()).filter(|test| required(test) && !passed(test)).collect()
    }

    /// For people; with `all` also what is not required.
    pub fn text(&self, all: bool) -> String {
        let count = |outcome: fn(&Outcome) -> bool| self.here.values().filter(|o| outcome(o)).count();
        let mut text = String::new();
        if all {
            self.differences(&mut text);
        }
        for test in self.broken() {
            let _ = writeln!(text, "BROKEN    {test}");
        }
        let _ = writeln!(
            text,
            "{} passed, {} failed, {} skipped",
            count(|o| *o == Outcome::Passed),
            count(|o| *o == Outcome::Failed),
            count(|o| matches!(o, Outcome::Skipped(_)))
        );
        text
    }

    /// Every test that Neutron passes and this server does not.
    fn differences(&self, text: &mut String) {
        let (mut same, mut all) = (0, 0);
        for (test, _) in self.neutron.iter().filter(|(_, there)| **there == Outcome::Passed) {
            all += 1;
            let _ = match outcome::of(&self.here, test) {
                Some(Outcome::Passed) => {
                    same += 1;
                    continue;
                }
                Some(Outcome::Failed) => writeln!(text, "failed    {test}"),
                Some(Outcome::Skipped(why)) => writeln!(text, "skipped   {test}: {why}"),
                None => writeln!(text, "not run   {test}"),
            };
        }
        for (test, outcome) in self.here.iter().filter(|(_, outcome)| **outcome == Outcome::Failed) {
            if outcome::of(&self.neutron, test) != Some(&Outcome::Passed) {
                let _ = writeln!(text, "failed    {test} (Neutron did not pass it: {outcome:?} here)");
            }
        }
        let _ = writeln!(text, "{same} of the {all} tests that Neutron passes pass here");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_test_that_is_skipped_or_missing_is_broken() {
        let passed = |tests: &[&str]| tests.iter().map(|t| ((*t).to_owned(), Outcome::Passed)).collect();
        let mut here: BTreeMap<_, _> = passed(&["a.A.one"]);
        here.insert("setUpClass (a.B)".into(), Outcome::Skipped("no".into()));
        let neutron = passed(&["a.A.one", "a.A.two", "a.B.three", "b.C.four"]);
        let report = Report { here, neutron, required: vec!["a.".into()] };
        assert_eq!(report.broken(), ["a.A.two", "a.B.three"]);
        let text = report.text(true);
        for part in
            ["1 of the 4", "skipped   a.B.three: no", "not run   b.C.four", "1 passed, 0 failed, 1 skipped"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
