//! With whom rows are shared: RBAC policies that are made, changed and removed,
//! about every type of object that this plugin has. In Neutron:
//! `RbacNeutronDbObjectMixin`, and for networks `NeutronDbPluginV2`.

use crate::document::{set, text};
use crate::{address_groups, address_scopes, networks, security_groups, subnetpools};
use hadron_sdk::events::{Event, Moment as Happened};
use hadron_sdk::manifest::{EVERY_PROJECT, Moment, Subscription};
use hadron_sdk::{Context, Document, Error, Result, rbac, serde_json, store};

/// The action that makes `shared` true.
pub(crate) const ACCESS_SHARED: &str = "access_as_shared";

/// A type of objects that policies share.
pub(crate) struct Shareable {
    /// What policies call it.
    pub(crate) object_type: &'static str,
    /// Where the objects are.
    pub(crate) collection: &'static str,
    /// The projects whose own rows rely on an object.
    pub(crate) users: fn(&str) -> Result<Vec<String>>,
    /// The answer for an object that the caller does not see.
    pub(crate) not_found: fn(&str) -> Error,
}

/// Types that know no other rules about their policies than everybody's.
const SHAREABLES: &[&Shareable] =
    &[&address_groups::SHARING, &address_scopes::SHARING, &security_groups::SHARING, &subnetpools::SHARING];

/// A policy that is about to be made, changed or removed.
pub(crate) struct Policy<'a> {
    pub(crate) moment: Happened,
    pub(crate) document: &'a Document,
    changes: Option<&'a Document>,
}

impl Policy<'_> {
    /// The row that it shares.
    pub(crate) fn object(&self) -> &str {
        text(self.document, "object_id")
    }

    /// What it allows.
    pub(crate) fn action(&self) -> &str {
        text(self.document, "action")
    }

    /// To which project, or to all.
    pub(crate) fn target(&self) -> &str {
        text(self.document, "target_tenant")
    }

    /// To which it will be, where that changes.
    pub(crate) fn new_target(&self) -> Option<&str> {
        let new = self.changes.and_then(|changes| set(changes, "target_tenant")?.as_str());
        new.filter(|new| *new != self.target())
    }

    /// Whether its target loses what it allows.
    pub(crate) fn is_withdrawn(&self) -> bool {
        match self.moment {
            Happened::BeforeDelete => true,
            Happened::BeforeUpdate => self.new_target().is_some(),
            _ => false,
        }
    }
}

/// Where policies are.
pub(crate) const POLICIES: &str = "rbac_policies";

/// The events of policies that objects have a say in.
pub(crate) fn subscription() -> Subscription {
    Subscription {
        collection: POLICIES.to_owned(),
        on: vec![Moment::BeforeCreate, Moment::BeforeUpdate, Moment::BeforeDelete],
    }
}

/// A policy is about to be made, changed or removed.
pub(crate) fn heard(ctx: &Context, event: &Event) -> Result<()> {
    let mut changes = event.changes.iter();
    for text_of_policy in &event.documents {
        let document: Document = serde_json::from_str(text_of_policy)?;
        let changes = changes.next().map(|text| serde_json::from_str::<Document>(text)).transpose()?;
        let policy = Policy { moment: event.moment, document: &document, changes: changes.as_ref() };
        let about = text(&document, "object_type").trim().to_lowercase();
        if about == networks::OBJECT_TYPE {
            networks::policy(ctx, &policy)?;
        } else if let Some(kind) = SHAREABLES.iter().find(|kind| kind.object_type == about) {
            kind.policy(ctx, &policy)?;
        }
    }
    Ok(())
}

impl Shareable {
    /// In Neutron: `validate_rbac_policy_change`.
    fn policy(&self, ctx: &Context, policy: &Policy<'_>) -> Result<()> {
        let id = policy.object();
        // Whoever is about to rely on the policy has either done so by the time
        // we hold the object, or finds the policy gone.
        store::lock(self.collection, id).map_err(|_| (self.not_found)(id))?;
        let object = store::get::<Document>(self.collection, id)?.ok_or_else(|| (self.not_found)(id))?;
        let owner = text(&object, "project_id");
        if policy.moment != Happened::BeforeDelete && !ctx.caller.is_admin && owner != ctx.caller.project_id {
            return Err(Error::invalid_input(
                "Only admins can manipulate policies on objects they do not own",
            ));
        }
        if policy.moment == Happened::BeforeCreate && self.collection == subnetpools::SHARING.collection {
            subnetpools::check_target(&object, policy.target())?;
        }
        let widens = policy.new_target() == Some(EVERY_PROJECT);
        if policy.is_withdrawn() && !widens && policy.target() != owner {
            self.check_unused(id, owner, policy.target())?;
        }
        Ok(())
    }

    /// A project loses its access only when nothing of its own relies on it that
    /// nothing else allows.
    fn check_unused(&self, id: &str, owner: &str, target: &str) -> Result<()> {
        let targets = rbac::targets(self.collection, id, ACCESS_SHARED)?;
        let mut users = (self.users)(id)?;
        users.retain(|user| user != owner);
        let used = if target == EVERY_PROJECT {
            users.iter().any(|user| !targets.contains(user))
        } else {
            !targets.iter().any(|other| other == EVERY_PROJECT) && users.iter().any(|user| user == target)
        };
        if !used {
            return Ok(());
        }
        Err(Error::conflict(
            "RbacPolicyInUse",
            format!(
                "RBAC policy on object {id} cannot be removed because other objects depend on it.\nDetails: \
                 project_id={target}"
            ),
        ))
    }
}

/// Whether policies share a row with the caller's project.
pub(crate) fn allows(ctx: &Context, collection: &str, id: &str) -> Result<bool> {
    allows_project(collection, id, &ctx.caller.project_id)
}

/// Whether policies share a row with a project.
pub(crate) fn allows_project(collection: &str, id: &str, project: &str) -> Result<bool> {
    let targets = rbac::targets(collection, id, ACCESS_SHARED)?;
    Ok(targets.iter().any(|target| target == EVERY_PROJECT || target == project))
}

/// A row that the caller can see, held until the end of the unit, so that
/// neither the row goes nor what shares it.
pub(crate) fn held(ctx: &Context, kind: &Shareable, id: &str) -> Result<Document> {
    let missing = || (kind.not_found)(id);
    store::lock(kind.collection, id).map_err(|error| match error {
        store::StoreError::NotFound => missing(),
        other => Error::from(other),
    })?;
    let document = store::get::<Document>(kind.collection, id)?.ok_or_else(missing)?;
    let own = ctx.caller.is_admin || text(&document, "project_id") == ctx.caller.project_id;
    if own || allows(ctx, kind.collection, id)? { Ok(document) } else { Err(missing()) }
}
