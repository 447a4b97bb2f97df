//! Actions: what a row can be told and asked besides to be shown, changed and
//! deleted.

use crate::{Attribute, Verb};
use serde::{Deserialize, Serialize};

/// Something a row can be told or asked, below its URL: `PUT …/{id}/polish`, or
/// other rows that are put to it, `POST …/{id}/friends`, and taken away again,
/// `DELETE …/{id}/friends/{friend_id}`.
///
/// The plugin is called with one object: what the client gave, and the values
/// of the path's variables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Action {
    /// What the plugin is told. Also the name of the policy rule that guards it;
    /// where there is none it is `NAME_MEMBER`, and where there is none either,
    /// `get_MEMBER` of an action that reads and `update_MEMBER` of others.
    pub name: String,
    /// The method: `get` (GET) only reads and is given the query string, what
    /// `create` (POST, 201), `update` (PUT, 200) and `delete` (DELETE, 204 and
    /// no answer) do is a unit of work.
    pub verb: Verb,
    /// What follows the row's id in the URL, where that is not the name: words and
    /// variables in turn, `friends/{friend_id}`.
    pub path: Option<String>,
    /// What the body must be; any JSON where absent.
    pub takes: Option<Takes>,
}

/// What the body of an action must be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Takes {
    /// The member that holds the attributes; they are the body itself where
    /// absent.
    pub member: Option<String>,
    /// Attributes; of each only name, validate, nullable, required and default
    /// count.
    pub attributes: Vec<Attribute>,
}

impl Action {
    /// What follows the row's id in the URL.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(&self.name)
    }

    /// Whether it changes anything.
    pub fn writes(&self) -> bool {
        self.verb != Verb::Get
    }

    /// Names of the path's variables.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.path().split('/').filter_map(variable)
    }

    /// The values of the path's variables, where these parts of a URL are the
    /// path.
    pub fn values<'a>(&'a self, parts: &'a [String]) -> Option<Vec<(&'a str, &'a str)>> {
        let path: Vec<&str> = self.path().split('/').collect();
        if path.len() != parts.len() {
            return None;
        }
        let mut values = Vec::new();
        for (wanted, given) in path.into_iter().zip(parts) {
            match variable(wanted) {
                Some(name) => values.push((name, given.as_str())),
                None if wanted == given => {}
                None => return None,
            }
        }
        Some(values)
    }
}

fn variable(part: &str) -> Option<&str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> Vec<String> {
        path.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn a_path_binds_its_variables() {
        let path = Some("friends/{friend_id}".to_owned());
        let action = Action { name: "forget".to_owned(), verb: Verb::Delete, path, takes: None };
        assert_eq!(action.values(&parts("friends/7")), Some(vec![("friend_id", "7")]));
        for other in ["friends", "foes/7", "friends/7/8", "forget"] {
            assert_eq!(action.values(&parts(other)), None, "{other}");
        }
        assert_eq!(action.variables().collect::<Vec<_>>(), ["friend_id"]);
        let polish = Action { name: "polish".to_owned(), ..Action::default() };
        assert_eq!((polish.values(&parts("polish")), polish.writes()), (Some(Vec::new()), false));
    }
}
