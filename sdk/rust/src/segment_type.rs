//! Type drivers.

use crate::bindings::exports::hadron::host::plugin;
use crate::bindings::exports::hadron::ml2::segment_type::Guest;
use crate::worlds::{Component, describe};
use crate::{Context, Json, Manifest, Result, Segment, panics};

/// A type driver: which segments of one network type there are, and who has
/// them. Register it with [`type_driver!`](crate::type_driver). Everything runs
/// inside the unit of work.
pub trait TypeDriver: 'static {
    /// What the driver says about itself; `network_type` is required.
    fn manifest() -> Manifest;

    /// Called in a unit of work when the driver was loaded or its configuration
    /// changed, if the manifest says `start`: the place to define pools.
    fn start(_ctx: &Context) -> Result<()> {
        Ok(())
    }

    /// Checks a segment that an administrator asked for and takes it; what it
    /// leaves open is chosen.
    fn reserve(_ctx: &Context, wanted: Segment) -> Result<Segment> {
        Ok(wanted)
    }

    /// Takes any segment for a project's network; none when all are taken.
    fn allocate(_ctx: &Context) -> Result<Option<Segment>> {
        Ok(None)
    }

    /// Gives a segment back.
    fn release(_ctx: &Context, _segment: Segment) -> Result<()> {
        Ok(())
    }

    /// Largest MTU of a network on this segment, bytes; 0 for no limit of its
    /// own.
    fn mtu(_ctx: &Context, _segment: Segment) -> Result<u32> {
        Ok(0)
    }
}

/// Marks the world.
#[doc(hidden)]
pub struct SegmentType;

impl<D: TypeDriver> plugin::Guest for Component<D, SegmentType> {
    fn describe() -> Json {
        describe(D::manifest)
    }
    fn start(ctx: Context) -> Result<()> {
        panics::install();
        D::start(&ctx)
    }
}

impl<D: TypeDriver> Guest for Component<D, SegmentType> {
    fn reserve(ctx: Context, wanted: Segment) -> Result<Segment> {
        panics::install();
        D::reserve(&ctx, wanted)
    }
    fn allocate(ctx: Context) -> Result<Option<Segment>> {
        panics::install();
        D::allocate(&ctx)
    }
    fn release(ctx: Context, segment: Segment) -> Result<()> {
        panics::install();
        D::release(&ctx, segment)
    }
    fn mtu(ctx: Context, segment: Segment) -> Result<u32> {
        panics::install();
        D::mtu(&ctx, segment)
    }
}
