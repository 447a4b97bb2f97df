//! Commands of a document, so that the document is the test.
//!
//! A fenced block marked `console tour` holds lines that begin with `$ `, each
//! a command as a reader would type it, and below each the output it has to
//! have: every line shown must be among the lines printed, in this order. `...`
//! stands for any text, also within a line.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail};

/// A command and what it has to print.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The line of the document.
    pub line: usize,
    /// What is typed.
    pub command: String,
    /// Lines of its output, in order.
    pub output: Vec<String>,
}

/// What opens a block of the tour.
const OPENING: &str = "```console tour";

/// The tour's steps.
pub fn steps(document: &str) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (line, text) in document.lines().enumerate().map(|(index, text)| (index + 1, text)) {
        match (inside, text.trim_end()) {
            (false, OPENING) => inside = true,
            (true, "```") => inside = false,
            (true, text) => match (text.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => {
                    steps.push(Step { line, command: command.to_owned(), output: Vec::new() });
                }
                // What a shell reads up to a word belongs to the command.
                (None, Some(last)) if open(&last.command) => {
                    last.command.push('\n');
                    last.command.push_str(text);
                }
                (None, Some(last)) => match last.command.strip_suffix('\\') {
                    // Continued, as a shell continues it.
                    Some(begun) if last.output.is_empty() => {
                        last.command = format!("{}{}", begun, text.trim_start());
                    }
                    _ => last.output.push(text.to_owned()),
                },
                (None, None) => bail!("line {line}: output before the first command"),
            },
            _ => {}
        }
    }
    if inside {
        bail!("the last block does not end");
    }
    Ok(steps)
}

/// Whether a command waits for the line that ends what is fed to it: `<<'END'`.
fn open(command: &str) -> bool {
    let Some((_, rest)) = command.split_once("<<'") else { return false };
    let Some((word, rest)) = rest.split_once('\'') else { return false };
    !rest.lines().any(|line| line == word)
}

/// Whether a command printed what the document shows; what is missing if not.
pub fn shows(printed: &str, expected: &[String]) -> Result<()> {
    let mut lines = printed.lines();
    for wanted in expected.iter().filter(|wanted| wanted.trim() != "...") {
        lines
            .find(|line| fits(line.trim_end(), wanted.trim_end()))
            .with_context(|| format!("no line as '{wanted}' in:\n{printed}"))?;
    }
    Ok(())
}

/// Whether a line is as shown: runs of blanks and dashes are one, since tables
/// are as wide as their contents; `...` is any text.
fn fits(line: &str, shown: &str) -> bool {
    let line = narrow(line);
    let shown = narrow(shown);
    let mut parts = shown.split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

fn narrow(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let repeated = matches!(c, ' ' | '-') && out.ends_with(c);
        if !repeated {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_commands_with_their_output() {
        let text = "# Tour\n```console tour\n$ a \\\n    -b\none\n$ c\n```\n```console\n$ not this\n```\n";
        let steps = steps(text).unwrap();
        let step = |line, command: &str, output: &[&str]| Step {
            line,
            command: command.into(),
            output: output.iter().map(|&s| s.into()).collect(),
        };
        assert_eq!(steps, [step(3, "a -b", &["one"]), step(6, "c", &[])]);
        let fed = "```console tour\n$ cat <<'END'\na\nEND\na\n```\n";
        assert_eq!(super::steps(fed).unwrap(), [step(2, "cat <<'END'\na\nEND", &["a"])]);
        assert!(super::steps("```console tour\nx\n```").is_err());
        assert!(super::steps("```console tour\n$ x\n").is_err());
    }

    #[test]
    fn lines_are_found_in_order_and_dots_are_anything() {
        let printed = "+----+------+\n| id | 77-8 |\n| name | demo  |\n";
        let shown = |lines: &[&str]| shows(printed, &lines.iter().map(|&s| s.into()).collect::<Vec<_>>());
        assert!(shown(&["| id   | ... |", "| name | demo |"]).is_ok());
        assert!(shown(&["...", "+--+--+"]).is_ok());
        assert!(shown(&["| name | demo |", "| id | ... |"]).is_err());
        assert!(shown(&["| name | dem |"]).is_err());
    }
}
