//! The allocator and how it is set.
//!
//! Rows come in frames of up to some MiB, which the threads that read streams allocate and those that encode free: memory
//! goes up and down in large steps all the time. Two settings follow from that, both measured with
//! `cargo xtask bench capture --rows 800000 --rate 0`:
//!
//! * No huge pages (the feature `no_thp`). Each time a step goes up, the system would clear two MiB for the first byte:
//!   280,000 rows per CPU second instead of 400,000.
//! * Memory goes back to the system after [`PURGE_DELAY_MS`], not after a second: 360 MiB at most instead of 520.

use std::ffi::c_long;

use libmimalloc_sys::{mi_option_set, mi_option_t};

/// The allocator of everything but C libraries.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` in `mimalloc.h`, the same number in versions 2 and 3; the bindings leave it out.
const PURGE_DELAY: mi_option_t = 15;
/// Milliseconds until freed memory is given back.
const PURGE_DELAY_MS: c_long = 10;
/// The variable by which a user sets the same.
const PURGE_DELAY_VARIABLE: &str = "MIMALLOC_PURGE_DELAY";

/// Sets the allocator up, unless the environment says otherwise. Before threads are started.
#[allow(unsafe_code)]
pub(crate) fn set_up() {
    if std::env::var_os(PURGE_DELAY_VARIABLE).is_some() {
        return;
    }
    // SAFETY: the function takes any number of an option that exists, and stores one integer. It is not synchronised:
    // the program has one thread at this point.
    unsafe { mi_option_set(PURGE_DELAY, PURGE_DELAY_MS) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of the option is right if it has the default value that mimalloc documents for it.
    #[test]
    #[allow(unsafe_code)]
    fn the_option_is_the_one_that_is_meant() {
        if std::env::var_os(PURGE_DELAY_VARIABLE).is_some() {
            return;
        }
        // SAFETY: reads one integer of an option that exists.
        let value = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert!([1000, PURGE_DELAY_MS].contains(&value), "{value}");
        set_up();
        // SAFETY: as above.
        assert_eq!(unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) }, PURGE_DELAY_MS);
    }
}
