//! Rows as the caller sees them.

use crate::access::Access;
use crate::error;
use crate::source::Source;
use crate::splice;
use crate::tables::{Computed, Resource};
use hadron_runtime::Refusal;
use hadron_store::{Row, View};

/// Which attributes a caller does not see.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mask {
    /// Not of any row.
    pub(crate) hidden: Vec<String>,
    /// Not of rows of which the rule does not hold: attribute and rule.
    pub(crate) conditional: Vec<(String, String)>,
    /// The owner is asked what it computes even if nothing of that is shown.
    pub(crate) asks: bool,
}

impl Mask {
    /// With `fields`, only those are left; names nobody knows leave nothing.
    pub(crate) fn limit(mut self, resource: &Resource, fields: &[String]) -> Mask {
        if fields.is_empty() {
            return self;
        }
        let asked = |name: &String| fields.contains(name);
        self.conditional.retain(|(name, _)| asked(name));
        for name in resource.shown.iter().filter(|n| !asked(n)) {
            if !self.hidden.contains(name) {
                self.hidden.push(name.clone());
            }
        }
        self
    }

    /// Whether no row shows the attribute.
    pub(crate) fn hides(&self, name: &str) -> bool {
        self.hidden.iter().any(|h| h == name)
    }
}

/// Whether the plugin is asked about the attribute of that row.
fn concerns(computed: &Computed, row: &Row) -> bool {
    let set = |name: &str, value: &str| {
        computed.when.iter().any(|when| when == name) && !["null", "[]"].contains(&value)
    };
    let kept = std::iter::once(&row.document).chain(row.extensions.iter().map(|(_, text)| text));
    computed.when.is_empty()
        || kept.flat_map(|text| splice::members(text)).any(|(name, value)| set(name, value))
        || row.derived.iter().any(|(name, value)| set(name, value))
}

/// Writes rows of one resource for one caller.
pub(crate) struct Viewer<'a> {
    /// The caller.
    pub(crate) access: &'a Access,
    /// The resource.
    pub(crate) resource: &'a Resource,
    /// What is not shown.
    pub(crate) mask: &'a Mask,
}

impl Viewer<'_> {
    /// Whether the owner has to be asked for attributes it computes.
    pub(crate) fn computes(&self) -> bool {
        self.wanted().next().is_some()
    }

    /// What is computed.
    fn wanted(&self) -> impl Iterator<Item = &Computed> {
        self.resource.computed.iter().filter(|c| self.mask.asks || !self.mask.hides(&c.attribute.name))
    }

    /// What to read of a row. Where the owner computes attributes it is given
    /// whole rows, and what is hidden is left out when they are written; so it
    /// is where a rule decides row by row on attributes not asked for.
    pub(crate) fn view(&self) -> View {
        let whole = self.computes() || !self.mask.conditional.is_empty();
        View {
            hidden: if whole { Vec::new() } else { self.mask.hidden.clone() },
            derived: self.resource.derived.iter().any(|d| whole || !self.mask.hides(&d.name)),
            project: Some(self.access.caller.project_id.clone()),
        }
    }

    /// Whether rows read with `view` come without what is hidden.
    pub(crate) fn trimmed(&self) -> bool {
        !self.computes() && self.mask.conditional.is_empty()
    }

    /// Appends a row as a JSON object. `trimmed`: the database has left out
    /// what is hidden already. `computed`: the text of an object to be merged.
    pub(crate) fn write(&self, row: &Row, trimmed: bool, computed: Option<&str>, out: &mut String) {
        let more: Vec<(&str, &str)> =
            computed.map(|text| splice::members(text).collect()).unwrap_or_default();
        if trimmed {
            return row.write_json(&self.mask.hidden, &more, out);
        }
        let mut hidden = self.mask.hidden.clone();
        hidden.extend(self.access.hidden_of(self.resource, self.mask, row));
        let cut = Row {
            document: splice::without(&row.document, &hidden),
            extensions: row
                .extensions
                .iter()
                .map(|(plugin, text)| (plugin.clone(), splice::without(text, &hidden)))
                .collect(),
            ..row.clone()
        };
        cut.write_json(&hidden, &more, out);
    }

    /// Computed attributes of a page, of each row the text of an object; none
    /// where there are none to show. Each plugin is asked once, and only about
    /// rows that it has something to say of. A row of which there is nothing
    /// where there should be does not fit what was asked.
    pub(crate) async fn compute(
        &self,
        source: &impl Source,
        rows: &[Row],
    ) -> Result<Vec<Option<String>>, Refusal> {
        if !self.computes() || rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut by_plugin: Vec<(&str, Vec<&Computed>)> = Vec::new();
        for computed in self.wanted() {
            match by_plugin.iter_mut().find(|(plugin, _)| *plugin == &*computed.by) {
                Some((_, theirs)) => theirs.push(computed),
                None => by_plugin.push((&computed.by, vec![computed])),
            }
        }
        let mut members: Vec<Option<Vec<String>>> =
            rows.iter().map(|_| (!self.mask.asks).then(Vec::new)).collect();
        for (plugin, theirs) in by_plugin {
            let concerned = |row: &&Row| theirs.iter().any(|computed| concerns(computed, row));
            let asked: Vec<Row> = rows.iter().filter(concerned).cloned().collect();
            let answers = match asked.is_empty() {
                true => Vec::new(),
                false => source.compute(&self.access.caller, plugin, &self.resource.id.0, &asked).await?,
            };
            if answers.len() != asked.len() {
                let (asked, got) = (asked.len(), answers.len());
                return Err(error::internal(&format!(
                    "plugin '{plugin}' computed attributes of {got} rows of '{}' when asked about {asked}",
                    self.resource.name
                )));
            }
            let mut answers = answers.iter();
            for (row, members) in rows.iter().zip(&mut members) {
                let answer = if concerned(&row) { answers.next() } else { None };
                if answer.is_some_and(|answer| splice::members(answer).next().is_some()) {
                    members.get_or_insert_default();
                }
                let Some(members) = members else { continue };
                for computed in &theirs {
                    let name = computed.attribute.name.as_str();
                    let value = match answer.filter(|_| concerns(computed, row)) {
                        Some(answer) => splice::members(answer).find(|(n, _)| *n == name).map(|(_, v)| v),
                        None => (!computed.absent).then_some("null"),
                    };
                    members.extend(value.map(|value| format!("\"{name}\":{value}")));
                }
            }
        }
        let text = |members: Vec<String>| format!("{{{}}}", members.join(","));
        Ok(members.into_iter().map(|members| members.map(text)).collect())
    }

    /// Rows that a unit of work answered, or one that was read whole.
    pub(crate) async fn texts(
        &self,
        source: &impl Source,
        rows: &[Row],
        trimmed: bool,
    ) -> Result<Vec<String>, Refusal> {
        let computed = self.compute(source, rows).await?;
        let text = |(i, row): (usize, &Row)| {
            let mut out = String::with_capacity(row.document.len() + 512);
            self.write(row, trimmed, computed.get(i).and_then(Option::as_deref), &mut out);
            out
        };
        Ok(rows.iter().enumerate().map(text).collect())
    }
}
