//! Type drivers.

use crate::bindings::exports::hadron::host::plugin;
use crate::bindings::exports::hadron::ml2::segment_ranges;
use crate::bindings::exports::hadron::ml2::segment_type::Guest;
use crate::worlds::{Component, describe};
use crate::{Context, Json, Manifest, Result, Segment, SegmentRange, panics};

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

/// What a type driver does besides whose segments have numbers from ranges.
/// Register it with [`ranged_type_driver!`](crate::ranged_type_driver).
pub trait SegmentRanges: TypeDriver {
    /// The ranges of the driver's configuration, for every project.
    fn configured(ctx: &Context) -> Result<Vec<SegmentRange>>;

    /// Refuses a range of numbers that the type does not have.
    fn check_range(ctx: &Context, wanted: SegmentRange) -> Result<()>;

    /// Hands numbers out from these ranges too from now on, and from no others
    /// that were given before. `taken` are segments with numbers of ranges that
    /// changed.
    fn apply(ctx: &Context, ranges: Vec<SegmentRange>, taken: Vec<Segment>) -> Result<()>;

    /// As [`TypeDriver::reserve`], for a network of that project: what is left
    /// open is chosen from its own ranges first, and from none of another's.
    fn reserve_for(ctx: &Context, project_id: &str, wanted: Segment) -> Result<Segment>;

    /// As [`TypeDriver::allocate`], for a network of that project.
    fn allocate_for(ctx: &Context, project_id: &str) -> Result<Option<Segment>>;
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

impl<D: SegmentRanges> segment_ranges::Guest for Component<D, SegmentType> {
    fn configured(ctx: Context) -> Result<Vec<SegmentRange>> {
        panics::install();
        D::configured(&ctx)
    }
    fn check(ctx: Context, wanted: SegmentRange) -> Result<()> {
        panics::install();
        D::check_range(&ctx, wanted)
    }
    fn apply(ctx: Context, ranges: Vec<SegmentRange>, taken: Vec<Segment>) -> Result<()> {
        panics::install();
        D::apply(&ctx, ranges, taken)
    }
    fn reserve(ctx: Context, project_id: String, wanted: Segment) -> Result<Segment> {
        panics::install();
        D::reserve_for(&ctx, &project_id, wanted)
    }
    fn allocate(ctx: Context, project_id: String) -> Result<Option<Segment>> {
        panics::install();
        D::allocate_for(&ctx, &project_id)
    }
}
