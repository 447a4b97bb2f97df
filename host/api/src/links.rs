//! Links to the next and the previous page.

use crate::listing::Parameters;
use serde_json::{Value, json};

/// What a page was.
pub(crate) struct Page<'a> {
    /// Scheme, host and path of the request.
    pub(crate) url: &'a str,
    /// Its parameters.
    pub(crate) parameters: &'a Parameters,
    /// Its size.
    pub(crate) limit: u32,
    /// Whether it was asked for backwards.
    pub(crate) reverse: bool,
}

impl Page<'_> {
    /// The links of a page with this many rows, from the first to the last id.
    /// As in Neutron there is a previous page unless one came back too short
    /// when going backwards, even before the first row.
    pub(crate) fn links(&self, rows: u64, ends: Option<(&str, &str)>) -> Vec<Value> {
        let short = rows < u64::from(self.limit);
        let mut links = Vec::new();
        if !short || self.reverse {
            links.push(json!({"rel": "next", "href": self.href(ends.map(|(_, last)| last), false)}));
        }
        if !short || !self.reverse {
            links.push(json!({"rel": "previous", "href": self.href(ends.map(|(first, _)| first), true)}));
        }
        links
    }

    fn href(&self, marker: Option<&str>, reverse: bool) -> String {
        let kept = self.parameters.iter().filter(|(name, _)| name != "marker" && name != "page_reverse");
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept);
        if let Some(marker) = marker {
            query.append_pair("marker", marker);
        }
        if reverse {
            query.append_pair("page_reverse", "True");
        }
        format!("{}?{}", self.url, query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::parameters;

    fn links(query: &str, rows: u64, ends: Option<(&str, &str)>) -> Vec<String> {
        let parameters = parameters(query).unwrap();
        let reverse = query.contains("page_reverse");
        let page = Page { url: "http://h/v2.0/gadgets", parameters: &parameters, limit: 2, reverse };
        let text =
            |link: &Value| format!("{} {}", link["rel"].as_str().unwrap(), link["href"].as_str().unwrap());
        page.links(rows, ends).iter().map(text).collect()
    }

    #[test]
    fn a_full_page_links_both_ways_and_keeps_the_other_parameters() {
        assert_eq!(
            links("limit=2&places=a_substr%3D1&marker=m&fields=id&fields=name", 2, Some(("a", "b"))),
            [
                "next http://h/v2.0/gadgets?limit=2&places=a_substr%3D1&fields=id&fields=name&marker=b",
                "previous http://h/v2.0/gadgets?limit=2&places=a_substr%3D1&fields=id&fields=name&marker=a&page_reverse=True",
            ]
        );
    }

    #[test]
    fn a_short_page_links_back_to_where_it_came_from() {
        assert_eq!(
            links("limit=2", 1, Some(("a", "a"))),
            ["previous http://h/v2.0/gadgets?limit=2&marker=a&page_reverse=True"]
        );
        assert_eq!(
            links("name=&limit=2", 0, None),
            ["previous http://h/v2.0/gadgets?name=&limit=2&page_reverse=True"]
        );
        assert_eq!(
            links("limit=2&marker=m&page_reverse=True", 1, Some(("a", "a"))),
            ["next http://h/v2.0/gadgets?limit=2&marker=a"]
        );
    }
}
