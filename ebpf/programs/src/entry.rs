//! Entries of hash maps, made where there are none.

use aya_ebpf::maps::{HashMap, PerCpuHashMap};

use crate::add::add;
use crate::tally::kept;

/// The entry of thread `pid`; a new one of value `new` if it has none. `None` if the map is full,
/// which is counted.
#[inline(always)]
pub fn entry<V>(map: &HashMap<u32, V>, pid: u32, new: V) -> Option<*mut V> {
    map.get_ptr_mut(pid).or_else(|| {
        kept(map.insert(pid, new, 0));
        map.get_ptr_mut(pid)
    })
}

/// Adds to the value of `key`, in a tracepoint. A value that the map has no room for is counted as
/// lost.
#[inline(always)]
pub fn add_to<K>(map: &PerCpuHashMap<K, u64>, key: &K, more: u64) {
    match map.get_ptr_mut(key) {
        Some(value) => add(value, more),
        None => kept(map.insert(key, more, 0)),
    }
}
