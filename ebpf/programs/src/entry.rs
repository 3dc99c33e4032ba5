//! What a map has of a thread.

use aya_ebpf::maps::HashMap;

use crate::tally::kept;

/// The entry of thread `pid`, made of `new` where it has none. None where there is no room, which is counted.
#[inline(always)]
pub fn entry<V>(map: &HashMap<u32, V>, pid: u32, new: V) -> Option<*mut V> {
    map.get_ptr_mut(pid).or_else(|| {
        kept(map.insert(pid, new, 0));
        map.get_ptr_mut(pid)
    })
}
