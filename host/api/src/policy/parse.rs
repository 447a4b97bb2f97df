//! oslo.policy's rule language, read into a tree.
//!
//! `or` binds weakest, then `and`, then `not`; parentheses group. An empty rule
//! allows everybody, `@` too, `!` nobody. A check is `KIND:MATCH`, where MATCH
//! may name members of the target as `%(name)s`.

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
    /// `role:NAME`, in lower case.
    Role(String),
    /// `rule:NAME`.
    Rule(String),
    /// Neutron's `field:COLLECTION:ATTRIBUTE=VALUE`, or `=~^START`.
    Field {
        /// The collection, or a word that means the target's own.
        collection: String,
        /// The attribute.
        attribute: String,
        /// The value.
        value: String,
        /// Whether the attribute only has to start with the value.
        prefix: bool,
    },
    /// `KIND:MATCH` for anything else: one side is of the caller (or literal),
    /// the other of the target.
    Equal(Side, Vec<Part>),
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
        "role" => Ok(Check::Role(target.to_lowercase())),
        "rule" => Ok(Check::Rule(target.to_owned())),
        "field" => field(target),
        "http" | "https" => {
            Err(format!("the policy check '{text}' would ask a remote server, which is not done"))
        }
        _ => Ok(Check::Equal(side(kind), parts(target))),
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
    let (value, prefix) = match value.strip_prefix('~') {
        None => (value, false),
        Some(pattern) => {
            let start = pattern.strip_prefix('^').unwrap_or(pattern);
            if start.contains(|c: char| "\\^$.|?*+()[]{}".contains(c)) {
                return Err(format!(
                    "the pattern of 'field:{target}' is more than the start of a text ('=~^START')"
                ));
            }
            (start, true)
        }
    };
    Ok(Check::Field {
        collection: collection.to_owned(),
        attribute: attribute.to_owned(),
        value: value.to_owned(),
        prefix,
    })
}

fn side(kind: &str) -> Side {
    for mark in ['\'', '"'] {
        if let Some(inner) = kind.strip_prefix(mark).and_then(|k| k.strip_suffix(mark)) {
            return Side::Literal(inner.to_owned());
        }
    }
    if ["True", "False", "None"].contains(&kind) || kind.parse::<f64>().is_ok() {
        return Side::Literal(kind.to_owned());
    }
    Side::Credential(kind.to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn role(name: &str) -> Check {
        Check::Role(name.to_owned())
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
    fn a_field_may_hold_a_colon_and_a_start() {
        let field = |attribute: &str, value: &str, prefix| Check::Field {
            collection: "gadgets".to_owned(),
            attribute: attribute.to_owned(),
            value: value.to_owned(),
            prefix,
        };
        assert_eq!(parse("field:gadgets:a:b=True").unwrap(), field("a:b", "True", false));
        assert_eq!(parse("field:gadgets:owner=~^net:").unwrap(), field("owner", "net:", true));
        assert!(parse("field:gadgets:owner=~(a|b)").is_err());
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in
            ["role:a or", "and role:a", "(role:a", "role:a)", "role:a role:b", "nonsense", "http://x/%(a)s"]
        {
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
