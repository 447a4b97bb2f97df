//! The order of a policy's rules: the first that fits a packet decides.

/// Where a rule is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// Before all others.
    First,
    /// Before this rule.
    Before(&'a str),
    /// After this rule.
    After(&'a str),
}

impl<'a> Place<'a> {
    /// What a request says. Where it says both, `insert_before` counts; what is
    /// empty is not said.
    pub(crate) fn of(before: Option<&'a str>, after: Option<&'a str>) -> Place<'a> {
        let said = |id: Option<&'a str>| id.filter(|id| !id.is_empty());
        match (said(before), said(after)) {
            (Some(before), _) => Place::Before(before),
            (None, Some(after)) => Place::After(after),
            (None, None) => Place::First,
        }
    }
}

/// Rules with one more; none where the rule that the place names is not among
/// them.
pub(crate) fn with(rules: &[String], rule: &str, place: Place<'_>) -> Option<Vec<String>> {
    let of = |id: &str| rules.iter().position(|other| other == id);
    let at = match place {
        Place::First => 0,
        Place::Before(id) => of(id)?,
        Place::After(id) => of(id)? + 1,
    };
    let (before, after) = rules.split_at_checked(at)?;
    Some(before.iter().cloned().chain([rule.to_owned()]).chain(after.iter().cloned()).collect())
}

/// Rules without one of them; none where it is not.
pub(crate) fn without(rules: &[String], rule: &str) -> Option<Vec<String>> {
    rules
        .iter()
        .any(|other| other == rule)
        .then(|| rules.iter().filter(|other| *other != rule).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(rules: &str) -> Vec<String> {
        rules.chars().map(String::from).collect()
    }

    #[test]
    fn a_rule_goes_where_the_request_says() {
        for (before, after, became) in [
            (None, None, "xabc"),
            (Some(""), Some(""), "xabc"),
            (Some("a"), None, "xabc"),
            (Some("c"), Some("a"), "abxc"),
            (None, Some("a"), "axbc"),
            (Some(""), Some("c"), "abcx"),
        ] {
            assert_eq!(with(&list("abc"), "x", Place::of(before, after)), Some(list(became)));
        }
        assert_eq!(with(&list("abc"), "x", Place::Before("z")), None);
        assert_eq!(with(&list(""), "x", Place::First), Some(list("x")));
        assert_eq!(without(&list("abc"), "z"), None);
    }

    proptest! {
        /// Removing undoes inserting, and the others keep their order.
        #[test]
        fn the_others_keep_their_order(rules in "[a-w]{0,8}", at in 0..8_usize, after in any::<bool>()) {
            let mut rules = list(&rules);
            rules.sort();
            rules.dedup();
            let place = match rules.get(at) {
                Some(id) if after => Place::After(id),
                Some(id) => Place::Before(id),
                None => Place::First,
            };
            let more = with(&rules, "x", place).unwrap();
            let found = more.iter().position(|id| id == "x").unwrap();
            let expected = if at < rules.len() { at + usize::from(after) } else { 0 };
            prop_assert_eq!(found, expected);
            prop_assert_eq!(without(&more, "x"), Some(rules));
        }
    }
}
