//! What each kind of component may import. An import that is not here is
//! refused at load, by name.

use crate::bindings::{
    clock, config, drivers, http, log, pools, random, rbac, resources, rpc, secrets, store, work,
};
use crate::plugins::PluginKind;
use crate::state::HostState;
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

/// A linker for each kind.
pub(crate) struct Linkers {
    core: Linker<HostState>,
    service: Linker<HostState>,
    mechanism: Linker<HostState>,
    segment_type: Linker<HostState>,
}

impl Linkers {
    /// Links every capability once.
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Linkers> {
        let basic = |engine: &Engine| -> wasmtime::Result<Linker<HostState>> {
            let mut linker = Linker::new(engine);
            log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            config::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            clock::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            random::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            store::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            pools::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
            Ok(linker)
        };
        let segment_type = basic(engine)?;
        let mut mechanism = basic(engine)?;
        secrets::add_to_linker::<_, HasSelf<_>>(&mut mechanism, |state| state)?;
        http::add_to_linker::<_, HasSelf<_>>(&mut mechanism, |state| state)?;
        let mut service = mechanism.clone();
        resources::add_to_linker::<_, HasSelf<_>>(&mut service, |state| state)?;
        rbac::add_to_linker::<_, HasSelf<_>>(&mut service, |state| state)?;
        work::add_to_linker::<_, HasSelf<_>>(&mut service, |state| state)?;
        rpc::add_to_linker::<_, HasSelf<_>>(&mut service, |state| state)?;
        let mut core = service.clone();
        drivers::add_to_linker::<_, HasSelf<_>>(&mut core, |state| state)?;
        Ok(Linkers { core, service, mechanism, segment_type })
    }

    /// Resolves a component's imports.
    pub(crate) fn link(
        &self,
        kind: PluginKind,
        component: &Component,
    ) -> wasmtime::Result<InstancePre<HostState>> {
        match kind {
            PluginKind::CorePlugin => &self.core,
            PluginKind::ServicePlugin => &self.service,
            PluginKind::MechanismDriver => &self.mechanism,
            PluginKind::TypeDriver => &self.segment_type,
        }
        .instantiate_pre(component)
    }
}
