//! Telling a new driver what is there already, page by page: networks before
//! subnets before ports.

use crate::document::{distinct, text};
use crate::mechanisms::Mechanisms;
use crate::networks::{self, Networks};
use hadron_sdk::store::{self, Comparison, Query};
use hadron_sdk::{Document, Error, Result};

/// Rows of a page: journal entries of one unit of work.
const PAGE: u32 = 100;

const ORDER: [&str; 3] = ["networks", "subnets", "ports"];

/// Sends a page and answers where the next one begins: `COLLECTION/ID`, the ID
/// of the last row sent, or nothing when there is no next one.
pub(crate) fn send(driver: &str, cursor: Option<&str>) -> Result<Option<String>> {
    let (collection, after) = cursor.and_then(|cursor| cursor.split_once('/')).unwrap_or(("networks", ""));
    if !ORDER.contains(&collection) {
        return Err(Error::internal(format!("'{collection}' is no place to go on from")));
    }
    let mut query = Query::all().sort("id").limit(PAGE);
    if !after.is_empty() {
        query = query.condition("id", Comparison::Greater, [after]);
    }
    let rows: Vec<Document> = store::find(collection, &query)?;
    let mechanisms = Mechanisms::only(driver);
    match collection {
        "networks" => networks::send(&mechanisms, &rows)?,
        "subnets" => mechanisms.send_subnets(&rows, &parents(&rows)?)?,
        _ => mechanisms.send_ports(&rows, &parents(&rows)?)?,
    }
    let next = ORDER.iter().skip_while(|name| **name != collection).nth(1);
    Ok(match rows.last() {
        Some(last) => Some(format!("{collection}/{}", text(last, "id"))),
        None => next.map(|name| format!("{name}/")),
    })
}

fn parents(rows: &[Document]) -> Result<Networks> {
    if rows.is_empty() { Ok(Networks::default()) } else { Networks::load(&distinct(rows, "network_id")) }
}
