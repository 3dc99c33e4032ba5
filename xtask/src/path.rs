//! Programs in the folders of `PATH`.

use std::env;
use std::path::PathBuf;

/// Every program with one of these names, in the order of the folders.
pub(crate) fn programs(names: &[&str]) -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let files =
        folders.into_iter().flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    files.filter(|file| file.is_file())
}
