//! A server with two plugins that are all manifest, and what tests need of it.

use hadron_sdk_testing::{Client, Error, Plugin, Result, Server, build_guest};
use serde_json::{Value, json};

const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guests/library");
const BINDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/guests/binder");

/// Where shelves are.
pub const SHELVES: &str = "/v2.0/library/wooden_shelves";

/// A server with a library and a binder.
pub async fn server() -> Result<Server> {
    let library = Plugin::new("library", build_guest(LIBRARY).await?).service();
    let binder = Plugin::new("binder", build_guest(BINDER).await?).service();
    Server::builder().mechanism_drivers(&[]).plugin(library).plugin(binder).start().await
}

/// Makes a row: `{"shelf": {…}}`; answers it.
pub async fn make(client: &Client, path: &str, member: &str, body: Value) -> Result<Value> {
    let mut answer = client.post(path, &json!({ member: body })).await?.expect(201)?;
    match answer.get_mut(member) {
        Some(row) => Ok(row.take()),
        None => Err(Error::new(format!("there is no '{member}' in {answer}"))),
    }
}

/// A member of a row that is a text.
pub fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The path of a row.
pub fn at(path: &str, row: &Value) -> String {
    format!("{path}/{}", text(row, "id"))
}
