//! The table of rules and their tests, `docs/coverage.md`.

use crate::workspace::Workspace;
use anyhow::{Context, Result};

const TABLE: &str = "docs/coverage.md";

/// What is wrong with the table: rows without a rule, a source or a test, and
/// tests that do not exist.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let path = workspace.path(TABLE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(problems(&text, |file| std::fs::read_to_string(workspace.path(file)).ok()))
}

/// A row is `| rule | source | tests |`, its tests are `` `FILE::FUNCTION` ``.
fn problems(table: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in table.lines().enumerate() {
        let place = format!("{TABLE}:{}", number + 1);
        let Some(row) = line.trim().strip_prefix('|').and_then(|row| row.strip_suffix('|')) else { continue };
        let cells: Vec<&str> = row.split(" | ").map(str::trim).collect();
        if cells.first() == Some(&"Rule")
            || cells.iter().all(|cell| cell.trim_matches(['-', '|', ':']).is_empty())
        {
            continue;
        }
        let [rule, source, tests] = cells.as_slice() else {
            problems.push(format!("{place}: a row is a rule, its source and its tests"));
            continue;
        };
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if rule.is_empty() || source.is_empty() || named.is_empty() {
            problems.push(format!("{place}: a rule, its source or its test is missing"));
        }
        for test in named {
            let Some((file, function)) = test.rsplit_once("::") else {
                problems.push(format!("{place}: '{test}' is not FILE::FUNCTION"));
                continue;
            };
            match read(file) {
                None => problems.push(format!("{place}: there is no file {file}")),
                Some(text) if !text.contains(&format!("fn {function}(")) => {
                    problems.push(format!("{place}: {file} has no test {function}"));
                }
                Some(_) => {}
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<String> {
        (path == "tests/a.rs").then(|| "async fn it_works() {}".to_owned())
    }

    fn of(row: &str) -> Vec<String> {
        problems(&format!("| Rule | Source | Tests |\n|---|---|---|\n{row}\n"), read)
    }

    #[test]
    fn a_row_names_tests_that_exist() {
        assert_eq!(of("| r | s | `tests/a.rs::it_works` |"), Vec::<String>::new());
        assert_eq!(
            of("| r | s | `tests/a.rs::it_fails` |"),
            ["docs/coverage.md:3: tests/a.rs has no test it_fails"]
        );
        assert_eq!(of("| r | s | `b.rs::x` |"), ["docs/coverage.md:3: there is no file b.rs"]);
    }

    #[test]
    fn a_row_without_a_test_is_a_problem() {
        for row in ["| r | s | |", "| r | s |", "| r | s | none |", "|  | s | `tests/a.rs::it_works` |"] {
            assert_eq!(of(row).len(), 1, "{row}");
        }
    }
}
