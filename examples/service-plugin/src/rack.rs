//! `acme:rack`, an attribute this plugin adds to ports: `r1` to `r42`, or none.

use crate::declaration::RACK;
use hadron_sdk::events::Extension;
use hadron_sdk::serde_json::{self, Value};
use hadron_sdk::{Document, Error, Operation, Result};

/// Racks there are.
const RACKS: u32 = 42;

/// What is kept of a request, or why it is vetoed.
pub(crate) fn check(operation: Operation, item: &Extension) -> Result<Document> {
    let requested: Document = serde_json::from_str(&item.requested)?;
    let original: Document = match &item.original {
        Some(original) => serde_json::from_str(original)?,
        None => Document::new(),
    };
    // What the request does not name stays.
    let mut kept = original;
    match requested.get(RACK) {
        Some(Value::String(rack)) => {
            let number = rack.strip_prefix('r').and_then(|number| number.parse::<u32>().ok());
            let number = number.ok_or_else(|| {
                Error::invalid_input(format!("'{rack}' is not a rack: it is 'r' and a number"))
            })?;
            if !(1..=RACKS).contains(&number) {
                return Err(Error::conflict("NoSuchRack", format!("There are only {RACKS} racks.")));
            }
            kept.insert(RACK.to_owned(), Value::String(rack.clone()));
        }
        Some(_) => {
            kept.insert(RACK.to_owned(), Value::Null);
        }
        None if operation == Operation::Create => {
            kept.insert(RACK.to_owned(), Value::Null);
        }
        None => {}
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(requested: &str, original: Option<&str>) -> Result<Document> {
        let item = Extension {
            id: "P".into(),
            document: "{}".into(),
            original: original.map(str::to_owned),
            requested: requested.to_owned(),
        };
        check(if original.is_some() { Operation::Update } else { Operation::Create }, &item)
    }

    #[test]
    fn a_rack_is_kept_until_it_is_changed() {
        assert_eq!(asked(r#"{"acme:rack": "r7"}"#, None).unwrap()[RACK], "r7");
        assert_eq!(asked("{}", None).unwrap()[RACK], Value::Null);
        assert_eq!(asked("{}", Some(r#"{"acme:rack": "r7"}"#)).unwrap()[RACK], "r7");
        assert_eq!(
            asked(r#"{"acme:rack": null}"#, Some(r#"{"acme:rack": "r7"}"#)).unwrap()[RACK],
            Value::Null
        );
    }

    #[test]
    fn what_is_no_rack_is_vetoed() {
        assert!(matches!(asked(r#"{"acme:rack": "x"}"#, None), Err(Error::Invalid(_))));
        assert!(matches!(asked(r#"{"acme:rack": "r43"}"#, None), Err(Error::Conflict(_))));
    }
}
