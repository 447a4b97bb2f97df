//! What a plugin says last: a panic traps, and a trap has no message.

use std::sync::Once;

static HOOK: Once = Once::new();

/// Has panics written to the log before they trap.
pub(crate) fn install() {
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|info| crate::log::error(&format!("the plugin {info}"))));
    });
}
