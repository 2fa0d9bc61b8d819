//! The memory allocator of the process, and giving memory back to the system.
//!
//! The only place with `unsafe`. Knows nothing of what memory is used for.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Returns free memory to the system: a password hash leaves 19 MiB behind that nothing else needs.
#[allow(unsafe_code)]
pub(crate) fn release() {
    // SAFETY: `mi_collect` may be called at any time from any thread; it takes and returns nothing and only touches
    // memory that mimalloc itself holds free.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
