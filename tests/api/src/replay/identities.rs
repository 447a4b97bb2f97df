//! What servers make up themselves: ids, addresses, revisions. Each of the
//! recording's is replaced by the one the server under test made up in its
//! place.

use serde_json::Value;
use std::collections::HashMap;

/// Where the recorded server was.
const RECORDED: &str = "http://127.0.0.1:29696";
/// What the recorded subnet handed out.
const ADDRESSES: &str = "10.10.0.";

/// The pairs so far.
pub(super) struct Identities {
    url: String,
    pairs: HashMap<String, String>,
    /// Of rows, by the recording's id: its revision and ours, as last seen.
    revisions: HashMap<String, (i64, i64)>,
}

/// A sort of made-up text, found at the beginning of `text`: its length.
fn made_up(text: &str) -> Option<usize> {
    let whole = |length: usize| {
        let after = text.get(length..)?.chars().next();
        (!after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-')).then_some(length)
    };
    let hex = |part: &str| part.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    let is = |length: usize, separator: char, lengths: &[usize]| {
        let part = text.get(..length)?;
        let pieces: Vec<&str> = part.split(separator).collect();
        let fits = pieces.len() == lengths.len()
            && pieces.iter().zip(lengths).all(|(piece, length)| piece.len() == *length && hex(piece));
        fits.then_some(length).and_then(whole)
    };
    let address = || {
        let rest = text.strip_prefix(ADDRESSES)?;
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        // No prefix length: that is a subnet's, not a port's.
        let after = rest.get(digits..)?.chars().next();
        ((1..=3).contains(&digits) && !matches!(after, Some('/' | '.'))).then_some(ADDRESSES.len() + digits)
    };
    is(36, '-', &[8, 4, 4, 4, 12])
        .or_else(|| is(17, ':', &[2; 6]))
        .or_else(|| is(32, '-', &[32]))
        .or_else(address)
}

/// What recording and server both know of a row; everything else may be made up.
pub(super) fn known(row: &Value) -> [Option<String>; 7] {
    ["name", "alias", "direction", "ethertype", "protocol", "network_name", "cidr"]
        .map(|name| row.get(name).map(Value::to_string))
}

/// Rows in an order that both have; of equals in the order in which they came.
fn by_what_is_known(rows: &[Value]) -> Vec<&Value> {
    let mut ordered: Vec<&Value> = rows.iter().collect();
    ordered.sort_by_cached_key(|row| known(row));
    ordered
}

/// Replaces everything made up in a text.
pub(super) fn replace(text: &str, mut by: impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some((before, rest)) = text.split_at_checked(at).filter(|(_, rest)| !rest.is_empty()) {
        match made_up(rest).filter(|_| begins_here(before)) {
            Some(length) => {
                out += &by(rest.get(..length).unwrap_or_default());
                at += length;
            }
            None => {
                let first = rest.chars().next().unwrap_or_default();
                out.push(first);
                at += first.len_utf8();
            }
        }
    }
    out
}

/// Whether a word can begin after this text: it ends with no letter or digit,
/// or with an escape of a URL (`%3D`).
fn begins_here(before: &str) -> bool {
    let escaped = before
        .len()
        .checked_sub(3)
        .and_then(|at| before.get(at..))
        .is_some_and(|end| end.starts_with('%') && end.chars().skip(1).all(|c| c.is_ascii_hexdigit()));
    escaped || !before.ends_with(|c: char| c.is_ascii_alphanumeric())
}

impl Identities {
    /// For a server at that URL.
    pub(super) fn new(url: &str) -> Identities {
        Identities { url: url.to_owned(), pairs: HashMap::new(), revisions: HashMap::new() }
    }

    /// A recorded text as this server would have put it.
    pub(super) fn ours(&self, text: &str) -> String {
        let text = text.replace(RECORDED, &self.url);
        replace(&text, |known| self.pairs.get(known).cloned().unwrap_or_else(|| known.to_owned()))
    }

    /// A recorded text as this server would have put it; what it has no
    /// counterpart for becomes `ID`.
    pub(super) fn expected(&self, text: &str) -> String {
        let text = text.replace(RECORDED, &self.url);
        replace(&text, |known| self.pairs.get(known).cloned().unwrap_or_else(|| "ID".to_owned()))
    }

    /// A text of this server; what has no counterpart in the recording becomes
    /// `ID`.
    pub(super) fn got(&self, text: &str) -> String {
        replace(text, |part| {
            let known = self.pairs.values().any(|ours| ours == part);
            if known { part.to_owned() } else { "ID".to_owned() }
        })
    }

    /// Whether something of the recording has its counterpart here.
    pub(super) fn knows(&self, recorded: &str) -> bool {
        self.pairs.contains_key(recorded)
    }

    /// A header's value: a revision is moved to where this server's is.
    pub(super) fn header(&self, path: &str, value: &str) -> String {
        let id = path.rsplit('/').next().unwrap_or_default();
        let number = value.strip_prefix("revision_number=").and_then(|n| n.parse::<i64>().ok());
        match (number, self.revisions.get(id)) {
            (Some(number), Some((recorded, ours))) => format!("revision_number={}", number - recorded + ours),
            _ => value.to_owned(),
        }
    }

    /// Pairs what is made up in two answers to the same creation.
    pub(super) fn learn(&mut self, recorded: &Value, ours: &Value) {
        match (recorded, ours) {
            (Value::Object(recorded), Value::Object(ours)) => {
                for (name, value) in recorded {
                    if let Some(other) = ours.get(name) {
                        self.learn(value, other);
                    }
                }
            }
            (Value::Array(recorded), Value::Array(ours)) => {
                by_what_is_known(recorded)
                    .into_iter()
                    .zip(by_what_is_known(ours))
                    .for_each(|(value, other)| self.learn(value, other));
            }
            (Value::String(recorded), Value::String(ours))
                if recorded != ours
                    && made_up(recorded) == Some(recorded.len())
                    && made_up(ours) == Some(ours.len()) =>
            {
                self.pairs.entry(recorded.clone()).or_insert_with(|| ours.clone());
            }
            (Value::String(recorded), Value::String(ours))
                if recorded == ours && made_up(recorded) == Some(recorded.len()) =>
            {
                self.pairs.entry(recorded.clone()).or_insert_with(|| recorded.clone());
            }
            _ => {}
        }
    }

    /// Remembers a single row's revision.
    pub(super) fn learn_revision(&mut self, recorded: &Value, ours: &Value) {
        let row = |body: &Value| body.as_object().and_then(|body| body.values().next().cloned());
        let (Some(recorded), Some(ours)) = (row(recorded), row(ours)) else { return };
        let revision = |row: &Value| row.get("revision_number").and_then(Value::as_i64);
        let id = recorded.get("id").and_then(Value::as_str);
        if let (Some(id), Some(theirs), Some(ours)) = (id, revision(&recorded), revision(&ours)) {
            self.revisions.insert(id.to_owned(), (theirs, ours));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "28e128e5-d182-4ded-bb07-a66d70c2365f";
    const OTHER: &str = "00000000-0000-4000-8000-000000000001";

    #[test]
    fn ids_addresses_and_the_servers_place_are_replaced_wherever_they_stand() {
        let mut identities = Identities::new("http://h:1");
        identities.learn(
            &json!({"port": {"id": ID, "fixed_ips": [{"ip_address": "10.10.0.86"}], "mac": "fa:16:3e:86:e0:5d"}}),
            &json!({"port": {"id": OTHER, "fixed_ips": [{"ip_address": "10.10.0.9"}], "mac": "fa:16:3e:00:00:01"}}),
        );
        assert_eq!(identities.ours(&format!("/v2.0/ports/{ID}.json")), format!("/v2.0/ports/{OTHER}.json"));
        assert_eq!(identities.ours("10.10.0.86, fa:16:3e:86:e0:5d."), "10.10.0.9, fa:16:3e:00:00:01.");
        assert_eq!(identities.ours("10.10.0.0/24 10.10.0.8 net-bec18d"), "10.10.0.0/24 10.10.0.8 net-bec18d");
        assert_eq!(identities.ours("fixed_ips=ip_address%3D10.10.0.86"), "fixed_ips=ip_address%3D10.10.0.9");
        assert_eq!(identities.ours("http://127.0.0.1:29696/v2.0/"), "http://h:1/v2.0/");
    }

    #[test]
    fn a_revision_is_moved_to_where_ours_is() {
        let mut identities = Identities::new("");
        let row = |revision: i64| json!({"network": {"id": ID, "revision_number": revision}});
        identities.learn_revision(&row(9), &row(3));
        assert_eq!(
            identities.header(&format!("/v2.0/networks/{ID}"), "revision_number=9"),
            "revision_number=3"
        );
        assert_eq!(identities.header(&format!("/v2.0/networks/{ID}"), "nonsense"), "nonsense");
    }
}
