//! oslo.policy's rule language, read into a tree.
//!
//! `or` binds weakest, then `and`, then `not`; parentheses group. An empty rule
//! allows everybody, `@` too, `!` nobody. A check is `KIND:MATCH`, where MATCH
//! may name members of the target as `%(name)s`. The older form, a list of
//! lists of checks, means the same: any of the lists, of which all checks.

use super::pattern::Pattern;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How deep a rule may nest; deeper ones are refused, not overflowed.
const DEPTH: u32 = 64;

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Check {
    /// `@`, or nothing (true); `!` (false).
    Constant(bool),
    /// `not X`.
    Not(Box<Check>),
    /// `X and Y`.
    All(Vec<Check>),
    /// `X or Y`.
    Any(Vec<Check>),
    /// `role:NAME`, in any case of letters.
    Role(Vec<Part>),
    /// `rule:NAME`.
    Rule(String),
    /// Neutron's `field:COLLECTION:ATTRIBUTE=VALUE`.
    Field {
        /// The collection, or a word that means the target's own.
        collection: String,
        /// The attribute.
        attribute: String,
        /// What it has to be.
        wanted: Wanted,
    },
    /// `KIND:MATCH` for anything else: one side is of the caller (or literal),
    /// the other of the target.
    Equal(Side, Vec<Part>),
}

/// What a field has to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wanted {
    /// `=VALUE`.
    Is(String),
    /// `=~PATTERN`.
    Fits(Pattern),
}

/// The left side of a generic check.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Side {
    /// A literal, as Python's `str()` writes it.
    Literal(String),
    /// A member of the caller's credentials.
    Credential(String),
}

/// A piece of the right side of a generic check.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    /// As it stands.
    Text(String),
    /// `%(name)s`: a member of the target.
    Member(String),
}

/// A rule as it is written in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Written {
    /// In the rule language.
    Text(String),
    /// The older form: one of these, each a check or a list of which all hold.
    List(Vec<Alternative>),
}

/// One of the alternatives of a rule in the older form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Alternative {
    /// A check.
    One(String),
    /// Checks that all hold.
    All(Vec<String>),
}

impl Written {
    /// Reads the rule; the error is a sentence.
    pub(crate) fn parse(&self) -> Result<Check, String> {
        let list = match self {
            Written::Text(text) => return parse(text),
            Written::List(list) if list.is_empty() => return Ok(Check::Constant(true)),
            Written::List(list) => list,
        };
        let alternatives = list.iter().filter_map(|alternative| match alternative {
            Alternative::One(text) => Some(check(text)),
            Alternative::All(texts) if texts.is_empty() => None,
            Alternative::All(texts) => Some(
                texts.iter().map(|t| check(t)).collect::<Result<Vec<_>, _>>().map(|c| single(c, Check::All)),
            ),
        });
        Ok(match alternatives.collect::<Result<Vec<_>, _>>()? {
            none if none.is_empty() => Check::Constant(false),
            some => single(some, Check::Any),
        })
    }
}

/// Reads a rule; the error is a sentence.
pub(crate) fn parse(text: &str) -> Result<Check, String> {
    let tokens = tokens(text);
    if tokens.is_empty() {
        return Ok(Check::Constant(true));
    }
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), depth: 0 };
    let check = parser.any()?;
    match parser.tokens.next() {
        None => Ok(check),
        Some(token) => Err(format!("'{}' is not expected in the policy rule '{text}'", token.text())),
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Check(String),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Token::Open => "(",
            Token::Close => ")",
            Token::And => "and",
            Token::Or => "or",
            Token::Not => "not",
            Token::Check(text) => text,
        }
    }
}

/// Words between white space, with the parentheses around them taken off.
fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        let inner = word.trim_start_matches('(');
        out.extend((inner.len()..word.len()).map(|_| Token::Open));
        let bare = inner.trim_end_matches(')');
        match bare.to_ascii_lowercase().as_str() {
            "" => {}
            "and" => out.push(Token::And),
            "or" => out.push(Token::Or),
            "not" => out.push(Token::Not),
            _ => out.push(Token::Check(bare.to_owned())),
        }
        out.extend((bare.len()..inner.len()).map(|_| Token::Close));
    }
    out
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: u32,
}

impl Parser {
    fn any(&mut self) -> Result<Check, String> {
        let mut parts = vec![self.all()?];
        while self.tokens.next_if_eq(&Token::Or).is_some() {
            parts.push(self.all()?);
        }
        Ok(single(parts, Check::Any))
    }

    fn all(&mut self) -> Result<Check, String> {
        let mut parts = vec![self.one()?];
        while self.tokens.next_if_eq(&Token::And).is_some() {
            parts.push(self.one()?);
        }
        Ok(single(parts, Check::All))
    }

    fn one(&mut self) -> Result<Check, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("the policy rule nests deeper than {DEPTH} levels"));
        }
        let check = match self.tokens.next() {
            Some(Token::Not) => Check::Not(Box::new(self.one()?)),
            Some(Token::Open) => {
                let inner = self.any()?;
                if self.tokens.next() != Some(Token::Close) {
                    return Err("a '(' of the policy rule is not closed".to_owned());
                }
                inner
            }
            Some(Token::Check(text)) => check(&text)?,
            Some(other) => return Err(format!("'{}' is not expected in the policy rule", other.text())),
            None => return Err("the policy rule ends too early".to_owned()),
        };
        self.depth -= 1;
        Ok(check)
    }
}

fn single(mut parts: Vec<Check>, wrap: fn(Vec<Check>) -> Check) -> Check {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            wrap(parts)
        }
        None => wrap(parts),
    }
}

fn check(text: &str) -> Result<Check, String> {
    match text {
        "@" => return Ok(Check::Constant(true)),
        "!" => return Ok(Check::Constant(false)),
        _ => {}
    }
    let (kind, target) = kind_and_match(text)
        .ok_or_else(|| format!("'{text}' is no policy check; write KIND:MATCH, '@' or '!'"))?;
    match kind {
        "role" => Ok(Check::Role(parts(&target.to_lowercase()))),
        "rule" => Ok(Check::Rule(target.to_owned())),
        "field" => field(target),
        "http" | "https" => {
            Err(format!("the policy check '{text}' would ask a remote server, which is not done"))
        }
        _ => Ok(Check::Equal(side(kind)?, parts(target))),
    }
}

/// Splits at the first colon; a quoted literal on the left may hold one itself.
fn kind_and_match(text: &str) -> Option<(&str, &str)> {
    let mark = text.chars().next().filter(|c| *c == '\'' || *c == '"');
    let from = mark.and_then(|m| text.get(1..)?.find(m)).map_or(0, |end| end + 1);
    let colon = text.get(from..)?.find(':')? + from;
    Some((text.get(..colon)?, text.get(colon + 1..)?))
}

fn field(target: &str) -> Result<Check, String> {
    let wrong = || format!("'field:{target}' is not of the form field:COLLECTION:ATTRIBUTE=VALUE");
    let (collection, rest) = target.split_once(':').ok_or_else(wrong)?;
    let (attribute, value) = rest.split_once('=').ok_or_else(wrong)?;
    let wanted = match value.strip_prefix('~') {
        None => Wanted::Is(value.to_owned()),
        Some(pattern) => Wanted::Fits(Pattern::new(pattern).map_err(|e| format!("'field:{target}': {e}"))?),
    };
    Ok(Check::Field { collection: collection.to_owned(), attribute: attribute.to_owned(), wanted })
}

fn side(kind: &str) -> Result<Side, String> {
    for mark in ['\'', '"'] {
        if let Some(inner) = kind.strip_prefix(mark).and_then(|k| k.strip_suffix(mark)) {
            return Ok(Side::Literal(inner.to_owned()));
        }
    }
    if ["True", "False", "None"].contains(&kind) || kind.parse::<i64>().is_ok() {
        return Ok(Side::Literal(kind.to_owned()));
    }
    let word = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    if kind.split('.').all(word) {
        return Ok(Side::Credential(kind.to_owned()));
    }
    Err(format!("'{kind}' is no kind of policy check, no credential and no literal"))
}

fn parts(text: &str) -> Vec<Part> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("%(") {
        let Some((name, after)) = after.split_once(")s") else { break };
        if !before.is_empty() {
            out.push(Part::Text(before.to_owned()));
        }
        out.push(Part::Member(name.to_owned()));
        rest = after;
    }
    if !rest.is_empty() || out.is_empty() {
        out.push(Part::Text(rest.to_owned()));
    }
    out
}

impl Check {
    /// Parts of it that are rules themselves.
    pub(crate) fn below(&self) -> &[Check] {
        match self {
            Check::Not(inner) => std::slice::from_ref(&**inner),
            Check::All(parts) | Check::Any(parts) => parts,
            _ => &[],
        }
    }

    /// Names of the rules it names.
    pub(crate) fn rules(&self) -> Vec<&str> {
        match self {
            Check::Rule(name) => vec![name],
            other => other.below().iter().flat_map(Check::rules).collect(),
        }
    }

    /// Credentials it asks about.
    pub(crate) fn credentials(&self) -> Vec<&str> {
        match self {
            Check::Equal(Side::Credential(path), _) => vec![path],
            other => other.below().iter().flat_map(Check::credentials).collect(),
        }
    }
}

/// The rule in a normal form: two texts that mean the same by grammar are
/// written the same.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Check::Constant(true) => f.write_str("@"),
            Check::Constant(false) => f.write_str("!"),
            Check::Not(inner) => write!(f, "not {inner}"),
            Check::All(parts) => joined(f, parts, " and "),
            Check::Any(parts) => joined(f, parts, " or "),
            Check::Role(parts) => write!(f, "role:{}", Pieces(parts)),
            Check::Rule(name) => write!(f, "rule:{name}"),
            Check::Field { collection, attribute, wanted: Wanted::Is(value) } => {
                write!(f, "field:{collection}:{attribute}={value}")
            }
            Check::Field { collection, attribute, wanted: Wanted::Fits(pattern) } => {
                write!(f, "field:{collection}:{attribute}=~{}", pattern.text())
            }
            Check::Equal(Side::Credential(path), parts) => write!(f, "{path}:{}", Pieces(parts)),
            Check::Equal(Side::Literal(text), parts) => {
                let mark = if text.contains('\'') { '"' } else { '\'' };
                write!(f, "{mark}{text}{mark}:{}", Pieces(parts))
            }
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Check], between: &str) -> fmt::Result {
    f.write_str("(")?;
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            f.write_str(between)?;
        }
        write!(f, "{part}")?;
    }
    f.write_str(")")
}

struct Pieces<'a>(&'a [Part]);

impl fmt::Display for Pieces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Member(name) => write!(f, "%({name})s"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn role(name: &str) -> Check {
        Check::Role(vec![Part::Text(name.to_owned())])
    }

    #[test]
    fn and_binds_tighter_than_or_and_not_tighter_than_both() {
        let check = parse("role:a or role:b and not role:c").unwrap();
        assert_eq!(
            check,
            Check::Any(vec![role("a"), Check::All(vec![role("b"), Check::Not(Box::new(role("c")))])])
        );
    }

    #[test]
    fn parentheses_group_and_may_touch_their_neighbours() {
        let check = parse("((role:a or role:B) and (rule:x))").unwrap();
        assert_eq!(
            check,
            Check::All(vec![Check::Any(vec![role("a"), role("b")]), Check::Rule("x".to_owned())])
        );
    }

    #[test]
    fn members_of_the_target_are_named_in_the_match() {
        let owner = vec![Part::Member("project_id".to_owned())];
        assert_eq!(
            parse("(project_id:%(project_id)s)").unwrap(),
            Check::Equal(Side::Credential("project_id".to_owned()), owner.clone())
        );
        assert_eq!(
            parse("'a:b':%(project_id)s").unwrap(),
            Check::Equal(Side::Literal("a:b".to_owned()), owner)
        );
        assert_eq!(
            parse("is_admin:True").unwrap(),
            Check::Equal(Side::Credential("is_admin".to_owned()), vec![Part::Text("True".to_owned())])
        );
    }

    #[test]
    fn a_field_may_hold_a_colon_and_a_pattern() {
        let field = |attribute: &str, wanted| Check::Field {
            collection: "gadgets".to_owned(),
            attribute: attribute.to_owned(),
            wanted,
        };
        let is = |value: &str| Wanted::Is(value.to_owned());
        let fits = |pattern: &str| Wanted::Fits(Pattern::new(pattern).unwrap());
        assert_eq!(parse("field:gadgets:a:b=True").unwrap(), field("a:b", is("True")));
        assert_eq!(parse("field:gadgets:owner=*").unwrap(), field("owner", is("*")));
        assert_eq!(parse("field:gadgets:owner=~^net:").unwrap(), field("owner", fits("^net:")));
        assert_eq!(parse("field:gadgets:owner=~(a|b)c").unwrap(), field("owner", fits("(a|b)c")));
        assert!(parse("field:gadgets:owner=~[").is_err());
    }

    #[test]
    fn roles_may_be_named_by_the_target_and_are_the_same_in_capitals() {
        assert_eq!(parse("role:%(keeper)s").unwrap(), Check::Role(vec![Part::Member("keeper".to_owned())]));
        assert_eq!(parse("role:Admin").unwrap(), role("admin"));
    }

    #[test]
    fn the_older_form_is_any_of_lists_of_which_all_hold() {
        let written = |value: serde_json::Value| serde_json::from_value::<Written>(value).unwrap().parse();
        assert_eq!(
            written(serde_json::json!([["role:a", "role:b"], "role:c", []])),
            Ok(Check::Any(vec![Check::All(vec![role("a"), role("b")]), role("c")]))
        );
        assert_eq!(written(serde_json::json!([["role:a"]])), Ok(role("a")));
        assert_eq!(written(serde_json::json!([])), Ok(Check::Constant(true)));
        assert_eq!(written(serde_json::json!([[]])), Ok(Check::Constant(false)));
        assert!(written(serde_json::json!([["nonsense"]])).is_err());
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for text in [
            "@",
            "!",
            "((role:a and not rule:b) or field:x:y=~^(a|b):)",
            "('it':%(is)s or user.domain.id:%(target.domain)s-x)",
            "(field:a:b:c=* and 7:%(n)s)",
        ] {
            let check = parse(text).unwrap();
            assert_eq!(parse(&check.to_string()).unwrap(), check, "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "role:a or",
            "and role:a",
            "(role:a",
            "role:a)",
            "role:a role:b",
            "nonsense",
            "http://x/%(a)s",
            "a b:c",
            "a+b:%(c)s",
            ".a:b",
            ":a",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse(""), Ok(Check::Constant(true)));
        assert_eq!(parse("!"), Ok(Check::Constant(false)));
        assert!(parse(&"(".repeat(100_000)).is_err());
        assert!(parse(&"not ".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[()@!:%a-z' \"~^=ß]{0,80}") {
            drop(parse(&text));
        }

        #[test]
        fn no_sequence_of_words_makes_the_parser_panic(words in prop::collection::vec(
            prop::sample::select(vec!["(", ")", "and", "or", "not", "role:a", "rule:b", "@", "!", "x:%(y)s", "field:a:b=c", "'", "':"]), 0..40)) {
            drop(parse(&words.join(" ")));
        }
    }
}
