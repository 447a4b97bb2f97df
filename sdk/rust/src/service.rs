//! Service plugins, and the core plugin.

use crate::bindings::exports::hadron::host::delivery::{Entry, Outcome};
use crate::bindings::exports::hadron::host::extender::Extension;
use crate::bindings::exports::hadron::host::subscriber::Event;
use crate::bindings::exports::hadron::host::{
    delivery, extender, handler, messages, plugin, subscriber, ticker,
};
use crate::bindings::exports::hadron::ml2::reports;
use crate::worlds::{Component, describe};
use crate::{Bound, Context, Error, Json, Manifest, Operation, ResourceRef, Result, convert, panics};
use serde_json::{Map, Value};

/// A document: a JSON object.
pub type Document = Map<String, Value>;

fn unexpected(what: &str) -> Error {
    Error::internal(format!("the manifest promises {what}, which the plugin does not do"))
}

/// A plugin with resources of its own. Register it with
/// [`service_plugin!`](crate::service_plugin).
///
/// Everything but `deliver` runs inside a unit of work. The host calls only
/// what the manifest declares.
pub trait ServicePlugin: 'static {
    /// What the plugin says about itself.
    fn manifest() -> Manifest;

    /// Called when the plugin was loaded or its configuration changed, if the
    /// manifest says `start`.
    fn start(_ctx: &Context) -> Result<()> {
        Ok(())
    }

    /// Makes resources, all or none: the rows must have been inserted when this
    /// returns. Bodies are validated, defaults filled in, `id` given.
    fn create(_ctx: &Context, collection: &str, _bodies: Vec<Document>) -> Result<()> {
        Err(unexpected(&format!("to create {collection}")))
    }

    /// Changes one; `current` is its document.
    fn update(
        _ctx: &Context,
        collection: &str,
        _id: &str,
        _current: Document,
        _changes: Document,
    ) -> Result<()> {
        Err(unexpected(&format!("to update {collection}")))
    }

    /// Removes some, all or none; the documents are the current ones.
    fn delete(_ctx: &Context, collection: &str, _documents: Vec<Document>) -> Result<()> {
        Err(unexpected(&format!("to delete {collection}")))
    }

    /// Does what the manifest declares as an action.
    fn act(_ctx: &Context, collection: &str, _id: &str, action: &str, _body: Value) -> Result<Value> {
        Err(unexpected(&format!("the action {action} of {collection}")))
    }

    /// Makes what every project has, before the first read of a project's rows
    /// in a collection with `first_use`; called again it finds everything made.
    fn first_use(_ctx: &Context, collection: &str, _project: &str) -> Result<()> {
        Err(unexpected(&format!("what {collection} have from the first")))
    }

    /// The computed attributes of a page of documents; of each, the text of an
    /// object ([`texts`](crate::texts)). Also of other plugins' collections, where
    /// the manifest adds them.
    fn compute(_ctx: &Context, _collection: &str, documents: Vec<Document>) -> Result<Vec<Json>> {
        Ok(documents.iter().map(|_| "{}".to_owned()).collect())
    }

    /// Checks this plugin's attributes of other plugins' rows that are about to
    /// be written, and returns what is kept of each.
    fn extend(
        _ctx: &Context,
        _collection: &str,
        _operation: Operation,
        items: Vec<Extension>,
    ) -> Result<Vec<Document>> {
        items.iter().map(|item| convert::parse(&item.requested)).collect()
    }

    /// Hears of an event; an error vetoes the whole request.
    fn notify(_ctx: &Context, _event: Event) -> Result<()> {
        Ok(())
    }

    /// Handles one message on a topic that the manifest names. What it returns
    /// goes back to a call; to a cast nothing does.
    fn receive(_ctx: &Context, topic: &str, method: &str, _arguments: Value) -> Result<Value> {
        Err(Error::no_such_method(topic, method))
    }

    /// Does what is due.
    fn tick(_ctx: &Context, _name: &str) -> Result<()> {
        Ok(())
    }

    /// Does one piece of work that was put off until after the commit; must be
    /// idempotent. The store is not available, HTTP is.
    fn deliver(_entry: Entry) -> Outcome {
        Outcome::Done(Vec::new())
    }
}

/// What the core plugin does besides. Register it with
/// [`core_plugin!`](crate::core_plugin).
pub trait CorePlugin: ServicePlugin {
    /// A driver's postcommit answered with a status or a binding.
    fn report(
        _ctx: &Context,
        _driver: &str,
        _operation: Operation,
        _about: ResourceRef,
        _status: Option<String>,
        _bound: Option<Bound>,
    ) -> Result<()> {
        Ok(())
    }

    /// A driver was added to a cloud that has resources already: calls its
    /// postcommit hooks with `create` for some of them. `cursor` is what the
    /// call before answered, none at the beginning; answers none when nothing
    /// is left.
    fn send_existing(_ctx: &Context, _driver: &str, _cursor: Option<String>) -> Result<Option<String>> {
        Ok(None)
    }
}

/// Marks the world.
#[doc(hidden)]
pub struct Service;

impl<P: ServicePlugin> plugin::Guest for Component<P, Service> {
    fn describe() -> Json {
        describe(P::manifest)
    }
    fn start(ctx: Context) -> Result<()> {
        panics::install();
        P::start(&ctx)
    }
}

impl<P: ServicePlugin> handler::Guest for Component<P, Service> {
    fn create(ctx: Context, collection: String, bodies: Vec<Json>) -> Result<()> {
        panics::install();
        P::create(&ctx, &collection, convert::parse_all(&bodies)?)
    }
    fn update(ctx: Context, collection: String, id: String, current: Json, changes: Json) -> Result<()> {
        panics::install();
        P::update(&ctx, &collection, &id, convert::parse(&current)?, convert::parse(&changes)?)
    }
    fn delete(ctx: Context, collection: String, documents: Vec<Json>) -> Result<()> {
        panics::install();
        P::delete(&ctx, &collection, convert::parse_all(&documents)?)
    }
    fn act(ctx: Context, collection: String, id: String, action: String, body: Json) -> Result<Json> {
        panics::install();
        convert::print(&P::act(&ctx, &collection, &id, &action, convert::parse(&body)?)?)
    }
    fn first_use(ctx: Context, collection: String, project: String) -> Result<()> {
        panics::install();
        P::first_use(&ctx, &collection, &project)
    }
    fn compute(ctx: Context, collection: String, documents: Vec<Json>) -> Result<Vec<Json>> {
        panics::install();
        P::compute(&ctx, &collection, convert::parse_all(&documents)?)
    }
}

impl<P: ServicePlugin> extender::Guest for Component<P, Service> {
    fn extend(
        ctx: Context,
        collection: String,
        operation: Operation,
        items: Vec<Extension>,
    ) -> Result<Vec<Json>> {
        panics::install();
        P::extend(&ctx, &collection, operation, items)?.iter().map(convert::print).collect()
    }
}

impl<P: ServicePlugin> subscriber::Guest for Component<P, Service> {
    fn notify(ctx: Context, event: Event) -> Result<()> {
        panics::install();
        P::notify(&ctx, event)
    }
}

impl<P: ServicePlugin> messages::Guest for Component<P, Service> {
    fn receive(ctx: Context, topic: String, method: String, arguments: Json) -> Result<Json> {
        panics::install();
        convert::print(&P::receive(&ctx, &topic, &method, convert::parse(&arguments)?)?)
    }
}

impl<P: ServicePlugin> ticker::Guest for Component<P, Service> {
    fn tick(ctx: Context, name: String) -> Result<()> {
        panics::install();
        P::tick(&ctx, &name)
    }
}

impl<P: ServicePlugin> delivery::Guest for Component<P, Service> {
    fn deliver(entry: Entry) -> Outcome {
        panics::install();
        P::deliver(entry)
    }
}

impl<P: CorePlugin> reports::Guest for Component<P, Service> {
    fn report(
        ctx: Context,
        driver: String,
        operation: Operation,
        about: ResourceRef,
        status: Option<String>,
        bound: Option<Bound>,
    ) -> Result<()> {
        panics::install();
        P::report(&ctx, &driver, operation, about, status, bound)
    }
    fn send_existing(ctx: Context, driver: String, cursor: Option<String>) -> Result<Option<String>> {
        panics::install();
        P::send_existing(&ctx, &driver, cursor)
    }
}
