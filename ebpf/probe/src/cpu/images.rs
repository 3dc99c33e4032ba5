//! The files that mapped code comes from: their segments and unwind tables.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use framehop::ExplicitModuleSectionInfo;
use object::elf::{PF_X, PT_LOAD, ProgramHeader64};
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{Endianness, Object, ObjectSection, ObjectSymbol, ReadCache, ReadRef};

use super::held::{Held, is_path};
use super::perf_map::PerfMaps;

/// Which image: an index into [`Images`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ImageId(u32);

/// A file, or other memory with code.
pub(crate) struct Image {
    /// The frame for its code without a symbol: `[libc.so.6]`, `[vdso]`, `[anon]`.
    pub(crate) label: String,
    /// Its contents, if they can be read.
    pub(crate) elf: Option<Elf>,
    /// Whether it is memory without a file, with code made at run time.
    pub(crate) generated: bool,
}

/// The parts of an ELF file that are needed.
pub(crate) struct Elf {
    /// Where its symbols are.
    pub(crate) symbols: SymbolSource,
    /// Its unwind tables.
    pub(crate) unwind: ExplicitModuleSectionInfo<Bytes>,
    loads: Vec<Load>,
}

/// Where to look an address up.
pub(crate) enum SymbolSource {
    /// In this file and its debug information.
    File(PathBuf),
    /// In this table (start, end, name), sorted: the vdso is no file.
    Table(Vec<(u64, u64, String)>),
}

/// An executable PT_LOAD segment.
#[derive(Clone, Copy, Debug)]
struct Load {
    offset: u64,
    file_size: u64,
    address: u64,
}

/// A section's contents.
pub(crate) type Bytes = Arc<[u8]>;

/// All images met so far.
pub(crate) struct Images {
    list: Vec<Image>,
    by_name: HashMap<Vec<u8>, ImageId>,
    changed: Vec<String>,
    deleted: Vec<String>,
    held: Held,
    /// Names of code made at run time, by process.
    maps: PerfMaps,
    by_map: HashMap<u32, ImageId>,
    /// The root of the observed process's paths, which may be in a container.
    root: PathBuf,
}

impl Default for Images {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            by_name: HashMap::new(),
            changed: Vec::new(),
            deleted: Vec::new(),
            held: Held::default(),
            maps: PerfMaps::default(),
            by_map: HashMap::new(),
            root: PathBuf::from("/"),
        }
    }
}

impl Images {
    /// No images yet; their paths begin at `root`.
    pub(crate) fn below(root: PathBuf) -> Self {
        Self { root, ..Self::default() }
    }

    /// Adds the files that are held open, and the maps that name code made at run time.
    pub(crate) fn with(self, held: Held, maps: PerfMaps) -> Self {
        Self { held, maps, ..self }
    }

    /// The image of code that process `pid` made at `address`, if its perf map names it.
    pub(crate) fn generated(&mut self, pid: u32, address: u64) -> Option<ImageId> {
        let table = self.maps.table(pid)?;
        find(table, address)?;
        let list = &mut self.list;
        let id = *self.by_map.entry(pid).or_insert_with(|| {
            let symbols = SymbolSource::Table(table.to_vec());
            let unwind = ExplicitModuleSectionInfo::default();
            let elf = Some(Elf { symbols, unwind, loads: Vec::new() });
            list.push(Image { label: "[anon]".to_owned(), elf, generated: true });
            ImageId(list.len() as u32 - 1)
        });
        Some(id)
    }

    /// Notes about the files that name code made at run time.
    pub(crate) fn maps(&self) -> &PerfMaps {
        &self.maps
    }

    /// Files that were deleted while mapped, before they could be opened.
    pub(crate) fn deleted(&self) -> &[String] {
        &self.deleted
    }

    /// The image of a mapping of this name, loaded at its first mention.
    ///
    /// `mapped_unix_ns` is when it was mapped: a file changed since then (a rebuild) would give
    /// wrong names, so it counts as missing.
    pub(crate) fn intern(&mut self, name: &[u8], mapped_unix_ns: i128) -> ImageId {
        if let Some(&id) = self.by_name.get(name) {
            return id;
        }
        let elf = match name {
            b"[vdso]" => load_vdso(),
            [b'/', b'/', ..] => None,
            [b'/', ..] => self.load_file(name, mapped_unix_ns),
            _ => None,
        };
        let id = ImageId(self.list.len() as u32);
        let generated =
            name.starts_with(b"//anon") || name.starts_with(b"/memfd:") || name == b"[heap]";
        self.list.push(Image { label: label(name), elf, generated });
        self.by_name.insert(name.to_vec(), id);
        id
    }

    /// The image `id`.
    pub(crate) fn get(&self, id: ImageId) -> &Image {
        &self.list[id.0 as usize]
    }

    /// Files that were changed while the program ran, whose symbols are therefore not used.
    pub(crate) fn changed(&self) -> &[String] {
        &self.changed
    }

    fn load_file(&mut self, name: &[u8], mapped_unix_ns: i128) -> Option<Elf> {
        let shown = || String::from_utf8_lossy(name).into_owned();
        let (file, path) = match self.held.file(name) {
            Some((file, path)) => (file.try_clone().ok()?, path),
            None => {
                let path = self.root.join(OsStr::from_bytes(&name[1..]));
                let Ok(status) = fs::metadata(&path) else {
                    if is_path(name) {
                        self.deleted.push(shown());
                    }
                    return None;
                };
                // Mapped devices and pipes must not be opened, let alone read.
                if !status.is_file() {
                    return None;
                }
                (File::open(&path).ok()?, path)
            }
        };
        let status = file.metadata().ok()?;
        // Deleting a file changes its status, but not its contents.
        let (seconds, ns) = match status.nlink() {
            0 => (status.mtime(), status.mtime_nsec()),
            _ => (status.ctime(), status.ctime_nsec()),
        };
        if i128::from(seconds) * 1_000_000_000 + i128::from(ns) > mapped_unix_ns {
            self.changed.push(shown());
            return None;
        }
        // Read in pieces: debug information can take hundreds of megabytes, and is not needed here.
        parse_elf(&ReadCache::new(file), |_| SymbolSource::File(path))
    }
}

impl Elf {
    /// What to subtract from an address in a mapping to get the file's own address.
    ///
    /// A file's offsets are not its addresses (rust-lld puts them pages apart), and neighbouring
    /// segments may share a page of the file: so take the segment that begins in the page the
    /// mapping begins with, and only then, for the rest of a mapping that was split, one that
    /// contains it.
    pub(crate) fn bias(&self, start: u64, offset: u64) -> Option<u64> {
        let page = |offset: u64| offset / rustix::param::page_size() as u64;
        let first_page = |load: &&Load| page(load.offset) == page(offset);
        let contains = |load: &&Load| (load.offset..load.offset + load.file_size).contains(&offset);
        let load =
            self.loads.iter().find(first_page).or_else(|| self.loads.iter().find(contains))?;
        Some(start.wrapping_sub(load.address.wrapping_add(offset).wrapping_sub(load.offset)))
    }
}

/// The last part of a path in brackets; the kernel's labels as they are.
fn label(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    match text.as_ref() {
        "" => "[unknown]".to_owned(),
        "//anon" => "[anon]".to_owned(),
        label if label.starts_with('[') && label.ends_with(']') => label.to_owned(),
        path => format!("[{}]", path.rsplit('/').next().unwrap_or(path)),
    }
}

/// `None` for anything but a 64-bit ELF file.
fn parse_elf<'data, R: ReadRef<'data>>(
    data: R,
    symbols: impl FnOnce(&ElfFile64<'data, Endianness, R>) -> SymbolSource,
) -> Option<Elf> {
    let file = ElfFile64::<Endianness, R>::parse(data).ok()?;
    let addresses = |name| {
        let section = file.section_by_name(name)?;
        Some(section.address()..section.address().checked_add(section.size())?)
    };
    let contents = |name| file.section_by_name(name)?.data().ok().map(Bytes::from);
    let unwind = ExplicitModuleSectionInfo {
        text_svma: addresses(".text"),
        got_svma: addresses(".got"),
        eh_frame_svma: addresses(".eh_frame"),
        eh_frame: contents(".eh_frame"),
        eh_frame_hdr_svma: addresses(".eh_frame_hdr"),
        eh_frame_hdr: contents(".eh_frame_hdr"),
        ..ExplicitModuleSectionInfo::default()
    };
    Some(Elf { symbols: symbols(&file), unwind, loads: executable_loads(&file) })
}

fn executable_loads<'data, R: ReadRef<'data>>(file: &ElfFile64<'data, Endianness, R>) -> Vec<Load> {
    let endian = file.endian();
    let segments = file.elf_program_headers().iter();
    let executable =
        segments.filter(|s| s.p_type(endian) == PT_LOAD && s.p_flags(endian) & PF_X != 0);
    let load = |s: &ProgramHeader64<Endianness>| Load {
        offset: s.p_offset(endian),
        file_size: s.p_filesz(endian),
        address: s.p_vaddr(endian),
    };
    executable.map(load).collect()
}

/// The kernel gives every 64-bit process the same vdso, so ours serves for theirs.
fn load_vdso() -> Option<Elf> {
    let ours = lab_proc::executable_mappings(std::process::id()).ok()?;
    let vdso = ours.into_iter().find(|mapping| mapping.name == b"[vdso]")?;
    let len = vdso.end.checked_sub(vdso.start)? as usize;
    // SAFETY: the kernel maps the vdso readable for as long as the process lives, and never changes
    // it.
    let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(vdso.start as *const u8, len) };
    parse_elf(bytes, |file| SymbolSource::Table(function_table(file)))
}

/// The last row that begins at or before `address`, if it reaches that far. `table` is sorted by
/// its first column.
pub(crate) fn find(table: &[(u64, u64, String)], address: u64) -> Option<&str> {
    let after = table.partition_point(|(start, ..)| *start <= address);
    let row = table[..after].iter().rev().find(|(_, end, _)| address < *end);
    row.map(|(_, _, name)| name.as_str())
}

fn function_table(file: &ElfFile64<'_, Endianness>) -> Vec<(u64, u64, String)> {
    let functions =
        file.dynamic_symbols().filter(|symbol| symbol.is_definition() && symbol.size() > 0);
    let rows = functions.filter_map(|symbol| {
        let start = symbol.address();
        Some((start, start.checked_add(symbol.size())?, symbol.name().ok()?.to_owned()))
    });
    let mut table: Vec<_> = rows.collect();
    // Of several names for one function, always picks the same: `__vdso_…` sorts first.
    table.sort();
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(loads: &[(u64, u64, u64)]) -> Elf {
        let load = |&(offset, file_size, address)| Load { offset, file_size, address };
        Elf {
            symbols: SymbolSource::Table(Vec::new()),
            unwind: ExplicitModuleSectionInfo::default(),
            loads: loads.iter().map(load).collect(),
        }
    }

    #[test]
    fn bias_follows_the_segment_and_not_the_file_offset() {
        // As rust-lld lays it out: page 15 of the file belongs at page 17.
        let page = rustix::param::page_size() as u64;
        let elf = elf(&[(15 * page + 0x2d0, 5 * page, 17 * page + 0x2d0)]);
        let start = 0x5555_0000_0000 + 17 * page;
        assert_eq!(elf.bias(start, 15 * page), Some(0x5555_0000_0000));
        // The rest of a mapping that was split two pages later has the same bias.
        assert_eq!(elf.bias(start + 2 * page, 17 * page), Some(0x5555_0000_0000));
        assert_eq!(elf.bias(start, 40 * page), None);
    }

    #[test]
    fn of_segments_that_share_a_page_the_one_that_begins_there_wins() {
        // The first segment ends in the page where the second begins.
        let page = rustix::param::page_size() as u64;
        let half = page / 2;
        let elf = elf(&[(page, page + half, page), (2 * page + half, page, 4 * page + half)]);
        assert_eq!(elf.bias(4 * page, 2 * page), Some(0));
    }

    #[test]
    fn labels_name_the_file_or_the_kind_of_memory() {
        assert_eq!(label(b"/usr/lib/libc.so.6"), "[libc.so.6]");
        assert_eq!(label(b"/opt/app (deleted)"), "[app (deleted)]");
        assert_eq!(label(b"/memfd:jit (deleted)"), "[memfd:jit (deleted)]");
        assert_eq!(label(b"//anon"), "[anon]");
        assert_eq!(label(b"[vdso]"), "[vdso]");
        assert_eq!(label(b""), "[unknown]");
    }

    #[test]
    fn the_vdso_is_read_from_ourselves() {
        let mut images = Images::default();
        let id = images.intern(b"[vdso]", 0);
        let Some(Elf { symbols: SymbolSource::Table(table), unwind, .. }) = &images.get(id).elf
        else {
            panic!("no vdso found")
        };
        assert!(table.iter().any(|(_, _, name)| name.contains("clock_gettime")), "{table:?}");
        assert!(unwind.eh_frame.is_some());
    }

    #[test]
    fn a_mapping_without_code_has_only_a_label() {
        let mut images = Images::default();
        for name in [&b"/dev/zero"[..], b"/no/such/file", b"/etc/passwd", b"//anon", b"[heap]"] {
            let id = images.intern(name, i128::MAX);
            assert!(images.get(id).elf.is_none(), "{}", images.get(id).label);
        }
    }

    #[test]
    fn a_file_changed_since_it_was_mapped_is_not_trusted() {
        let ours = std::env::current_exe().unwrap();
        let name = ours.as_os_str().as_bytes();
        let mut images = Images::default();
        let id = images.intern(name, 0);
        assert!(images.get(id).elf.is_none());
        assert_eq!(images.changed(), [ours.display().to_string()]);
        let mut images = Images::default();
        let id = images.intern(name, i128::MAX);
        assert!(images.get(id).elf.is_some());
    }
}
