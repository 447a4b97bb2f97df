//! What became of each test, from what the runner prints.

use std::collections::BTreeMap;

/// What became of a test, or of the setting up of a class of tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It was left out; why.
    Skipped(String),
}

/// A test's name without its tags: `….test_a[id-…,smoke]` is `….test_a`.
pub fn name(test: &str) -> &str {
    match test.split_once('[') {
        Some((name, _)) => name.trim_end(),
        None => test.trim_end(),
    }
}

/// The outcomes among a runner's lines, such as `{0} tempest….test_a [0.5s] ...
/// ok`; `setUpClass (CLASS)` stands for all tests of a class.
pub fn read(printed: &str) -> BTreeMap<String, Outcome> {
    let line = |line: &str| {
        let (worker, rest) = line.split_once(' ')?;
        if !worker.starts_with('{') || !worker.ends_with('}') {
            return None;
        }
        let (test, outcome) = rest.split_once(" ... ")?;
        let outcome = match outcome.trim() {
            "ok" => Outcome::Passed,
            skipped if skipped.starts_with("SKIPPED") => Outcome::Skipped(
                skipped.trim_start_matches("SKIPPED").trim_start_matches([':', ' ']).to_owned(),
            ),
            _ => Outcome::Failed,
        };
        Some((name(test).to_owned(), outcome))
    };
    printed.lines().filter_map(line).collect()
}

/// What became of one test: its own outcome, or that of its class.
pub fn of<'a>(outcomes: &'a BTreeMap<String, Outcome>, test: &str) -> Option<&'a Outcome> {
    let class = || test.rsplit_once('.').map(|(class, _)| format!("setUpClass ({class})"));
    outcomes.get(test).or_else(|| outcomes.get(&class()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runners_lines_are_read() {
        let outcomes = read(
            "{0} a.b.C.test_1 [0.031s] ... ok\nnoise ... ok\n{1} a.b.C.test_2 [1.2s] ... FAILED\n\n\
             {1} a.b.C.test_3 [0.0s] ... SKIPPED: no such thing\n\
             {0} setUpClass (a.b.D) [0.0s] ... SKIPPED: left out\n",
        );
        assert_eq!(outcomes.len(), 4);
        assert_eq!(of(&outcomes, "a.b.C.test_1"), Some(&Outcome::Passed));
        assert_eq!(of(&outcomes, "a.b.C.test_2"), Some(&Outcome::Failed));
        assert_eq!(of(&outcomes, "a.b.C.test_3"), Some(&Outcome::Skipped("no such thing".into())));
        assert_eq!(of(&outcomes, "a.b.D.test_9"), Some(&Outcome::Skipped("left out".into())));
        assert_eq!(of(&outcomes, "a.b.E.test_9"), None);
        assert_eq!(name("a.b.C.test_1[id-1,smoke]"), "a.b.C.test_1");
    }
}
