//! libFuzzer before one target of `testkit::fuzz`; `WAXSEAL_FUZZ` names it. `cargo xtask fuzz` builds and runs it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use testkit::fuzz::Target;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("WAXSEAL_FUZZ").unwrap_or_default();
    Target::named(&name).unwrap_or_else(|| panic!("WAXSEAL_FUZZ=`{name}`: no target has this name"))
});

fuzz_target!(|data: &[u8]| (TARGET.run)(data));
