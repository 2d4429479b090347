//! Bench of flags: the system's allocator, which counts while it is asked to. While times are taken
//! it does not count, so that an engine that allocates pays for its allocations and not for ours.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

static COUNTS: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, watched.
pub(crate) struct Counting;

impl Counting {
    fn count(bytes: usize) {
        if COUNTS.load(Relaxed) {
            CALLS.fetch_add(1, Relaxed);
            BYTES.fetch_add(bytes as u64, Relaxed);
        }
    }
}

// SAFETY: every call is handed to `System` as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size());
        // SAFETY: the caller keeps the promises of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(size);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// How often memory was asked for, and how much.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count {
    /// Calls that allocate or grow.
    pub(crate) calls: u64,
    /// Bytes that they asked for.
    pub(crate) bytes: u64,
}

/// What `work` allocates. There must be no other thread.
pub(crate) fn during(work: impl FnOnce()) -> Count {
    CALLS.store(0, Relaxed);
    BYTES.store(0, Relaxed);
    COUNTS.store(true, Relaxed);
    work();
    COUNTS.store(false, Relaxed);
    Count { calls: CALLS.load(Relaxed), bytes: BYTES.load(Relaxed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_is_counted() {
        let mut kept = Vec::new();
        let count = during(|| kept.push(vec![0_u64; 4]));
        assert!(count.calls >= 2 && count.bytes >= 32, "{count:?}");
        drop(kept);
    }
}
