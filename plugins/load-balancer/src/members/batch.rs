//! What has to be done so that a pool has these members. In Octavia:
//! `MembersController.put`.

use crate::document::{number, text};
use crate::errors;
use hadron_sdk::{Document, Result};
use std::collections::HashSet;

/// Where a member is: no two of a pool are at one place.
pub(crate) type Place = (String, i64);

/// What has to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    /// Members that are new.
    pub(crate) create: Vec<Document>,
    /// Those that are there and are told of: id, and what is told.
    pub(crate) update: Vec<(String, Document)>,
    /// Ids of those that are there and are not told of.
    pub(crate) delete: Vec<String>,
}

impl Plan {
    pub(crate) fn is_empty(&self) -> bool {
        self.create.is_empty() && self.update.is_empty() && self.delete.is_empty()
    }
}

/// Where one is.
pub(crate) fn place(member: &Document) -> Place {
    (text(member, "address").to_owned(), number(member, "protocol_port").unwrap_or_default())
}

/// Compares members that are there with those that are asked for; `additive`: what
/// is not asked for stays.
pub(crate) fn plan(there: &[Document], asked: Vec<Document>, additive: bool) -> Result<Plan> {
    let mut plan = Plan::default();
    let mut places = HashSet::new();
    for member in asked {
        let place = place(&member);
        match there.iter().find(|old| self::place(old) == place) {
            Some(old) if member.iter().all(|(name, value)| old.get(name) == Some(value)) => {}
            Some(old) => plan.update.push((text(old, "id").to_owned(), member)),
            None => plan.create.push(member),
        }
        if !places.insert(place.clone()) {
            return Err(errors::duplicate_member(&place.0, place.1));
        }
    }
    if !additive {
        let gone = there.iter().filter(|old| !places.contains(&place(old)));
        plan.delete = gone.map(|old| text(old, "id").to_owned()).collect();
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadron_sdk::serde_json::{Value, json};
    use proptest::prelude::*;

    fn member(id: Option<u8>, address: u8, weight: i64) -> Document {
        let mut member =
            json!({"address": format!("10.0.0.{address}"), "protocol_port": 80, "weight": weight});
        if let Some(id) = id {
            member["id"] = json!(id.to_string());
        }
        member.as_object().unwrap().clone()
    }

    #[test]
    fn members_come_go_and_change() {
        let there = [member(Some(1), 1, 1), member(Some(2), 2, 1), member(Some(3), 3, 1)];
        let asked = vec![member(None, 1, 1), member(None, 2, 5), member(None, 4, 1)];
        let made = plan(&there, asked.clone(), false).unwrap();
        assert_eq!(made.create, [member(None, 4, 1)]);
        assert_eq!(made.update, [("2".to_owned(), member(None, 2, 5))]);
        assert_eq!(made.delete, ["3"]);
        assert_eq!(plan(&there, asked, true).unwrap().delete, Vec::<String>::new());
        assert!(plan(&there, vec![member(None, 9, 1), member(None, 9, 2)], false).is_err());
        assert!(plan(&there[..1], vec![member(None, 1, 1)], false).unwrap().is_empty());
    }

    proptest! {
        /// Whoever carries a plan out has the members that were asked for, and
        /// nothing is left to do.
        #[test]
        fn a_plan_leads_to_what_was_asked_for(
            old in prop::collection::btree_map(0..9_u8, 0..3_i64, 0..6),
            new in prop::collection::btree_map(0..9_u8, 0..3_i64, 0..6),
            additive in any::<bool>(),
        ) {
            let there: Vec<Document> = old.iter().map(|(at, weight)| member(Some(*at), *at, *weight)).collect();
            let asked: Vec<Document> = new.iter().map(|(at, weight)| member(None, *at, *weight)).collect();
            let made = plan(&there, asked.clone(), additive).unwrap();
            let mut after: Vec<Document> =
                there.into_iter().filter(|old| !made.delete.contains(&text(old, "id").to_owned())).collect();
            for (id, changes) in &made.update {
                let old = after.iter_mut().find(|old| text(old, "id") == id).unwrap();
                old.extend(changes.clone());
            }
            for (place, new) in made.create.into_iter().enumerate() {
                let mut new = new;
                new.insert("id".to_owned(), Value::from(format!("n{place}")));
                after.push(new);
            }
            let expected = if additive { old.keys().chain(new.keys()).collect::<HashSet<_>>().len() } else { new.len() };
            prop_assert_eq!(after.len(), expected);
            prop_assert!(plan(&after, asked, additive).unwrap().is_empty());
        }
    }
}
