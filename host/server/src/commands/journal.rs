//! `hadron journal`.

use super::answer;
use crate::block_on;
use crate::cli::JournalCommand;
use crate::control::{Client, Count, EntryView, JournalQuery, RetryQuery, encode};
use crate::exit::Failure;
use crate::table::{fields, table};
use http::Method;

/// Asks the running server.
pub(crate) fn run(command: JournalCommand) -> Result<(), Failure> {
    match command {
        JournalCommand::List { filter, limit, server } => {
            let query = JournalQuery { plugin: filter.plugin, resource: filter.resource, limit };
            let client = Client::of(&server)?;
            let path = format!("/journal?{}", parameters(&query));
            let entries: Vec<EntryView> = block_on(client.ask(Method::GET, &path, Vec::new()))?;
            answer(&entries, server.json, |entries| list(entries))
        }
        JournalCommand::Show { id, server } => {
            let client = Client::of(&server)?;
            let path = format!("/journal/{}", encode(&id));
            let entry: EntryView = block_on(client.ask(Method::GET, &path, Vec::new()))?;
            answer(&entry, server.json, show)
        }
        JournalCommand::Retry { id, filter, all: _, server } => {
            let query = RetryQuery { id, plugin: filter.plugin, resource: filter.resource };
            let body = serde_json::to_vec(&query).map_err(Failure::failed)?;
            let count: Count = block_on(Client::of(&server)?.ask(Method::POST, "/journal/retry", body))?;
            answer(&count, server.json, |count| format!("{} entries are due now", count.entries))
        }
        JournalCommand::Drop { ids, server } => {
            let client = Client::of(&server)?;
            let dropped = block_on(async {
                let mut dropped = Count { entries: 0 };
                for id in &ids {
                    let path = format!("/journal/{}", encode(id));
                    let count: Count = client.ask(Method::DELETE, &path, Vec::new()).await?;
                    dropped.entries += count.entries;
                }
                Ok(dropped)
            })?;
            answer(&dropped, server.json, |count| format!("{} entries dropped undelivered", count.entries))
        }
    }
}

fn parameters(query: &JournalQuery) -> String {
    let named = [("plugin", query.plugin.as_ref()), ("resource", query.resource.as_ref())];
    let named = named.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encode(value?))));
    named.chain([format!("limit={}", query.limit)]).collect::<Vec<_>>().join("&")
}

fn list(entries: &[EntryView]) -> String {
    if entries.is_empty() {
        return "nothing waits to be delivered".to_owned();
    }
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|e| {
            vec![
                e.id.clone(),
                e.plugin.clone(),
                e.kind.clone(),
                e.resource.clone(),
                e.state.clone(),
                e.attempts.to_string(),
                e.due_at.clone(),
                e.error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table(&["ID", "PLUGIN", "CALL", "RESOURCE", "STATE", "ATTEMPTS", "DUE", "LAST ERROR"], &rows)
}

fn show(entry: &EntryView) -> String {
    fields(&[
        ("id", entry.id.clone()),
        ("plugin", entry.plugin.clone()),
        ("call", entry.kind.clone()),
        ("operation", entry.operation.clone()),
        ("resource", format!("{} {} revision {}", entry.collection, entry.resource, entry.revision)),
        ("state", entry.state.clone()),
        ("attempts", entry.attempts.to_string()),
        ("last error", entry.error.clone().unwrap_or_default()),
        ("created", entry.created_at.clone()),
        ("due", entry.due_at.clone()),
        ("after", entry.after.join("\n")),
        ("unit of work", entry.unit.clone()),
        ("payload", entry.payload.as_ref().map(|p| format!("{p:#}")).unwrap_or_default()),
    ])
}
