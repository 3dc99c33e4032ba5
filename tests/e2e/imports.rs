//! Imports run one way: crates down to `labs/kit`, and files in no circle.
//!
//! A file may use its parent, which declares it, and a parent its children. Between all others the
//! `use` lines and the paths in the code are followed; what a crate's root re-exports is taken for
//! the root's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A module by the names on its way from the crate's root.
type Module = Vec<String>;

#[test]
fn labs_use_the_kit_and_no_other_crate_of_ours() {
    let packages = packages();
    for (name, package) in &packages {
        for used in &package.uses {
            let Some(used) = packages.get(used) else { continue };
            let (from, to) = (&package.folder, &used.folder);
            let to_the_kit = to.starts_with("labs/kit");
            let allowed = match from.components().next().and_then(|part| part.as_os_str().to_str())
            {
                Some("labs") => to_the_kit,
                Some("xtask" | "ebpf") => to_the_kit || from.iter().next() == to.iter().next(),
                // The end-to-end tests.
                _ => true,
            };
            assert!(allowed, "{name} in {} uses {}", from.display(), to.display());
        }
    }
    assert!(packages.contains_key("lab-kit") && packages.len() > 10, "{:?}", packages.keys());
}

#[test]
fn files_import_each_other_without_circles() {
    let mut files = 0;
    for (name, package) in packages() {
        let modules = modules(&checkout().join(&package.folder).join("src"));
        files += modules.len();
        let text = |(module, file): (Module, PathBuf)| (module, fs::read_to_string(file).unwrap());
        let texts = modules.into_iter().map(text).collect();
        let edges = edges(&texts);
        let circle = circle(&edges);
        assert_eq!(circle, None, "in {name}: each uses the next");
    }
    assert!(files > 200, "{files} files were found");
}

#[test]
fn a_real_import_circle_is_found_and_a_seeming_one_is_not() {
    let of = |files: &[(&str, &str)]| {
        let module =
            |path: &str| path.split("::").filter(|p| !p.is_empty()).map(Into::into).collect();
        let texts = files.iter().map(|(path, text)| (module(path), (*text).to_owned()));
        let texts = texts.collect();
        let edges = edges(&texts);
        circle(&edges).map(|circle| circle.len())
    };
    assert_eq!(of(&[("a", "use crate::b::B;"), ("b", "fn f() { crate::a::g() }")]), Some(2));
    assert_eq!(of(&[("a", "use super::{b::B, c};"), ("b", "use crate::c::C;"), ("c", "")]), None);
    assert_eq!(
        of(&[
            ("x::a", "use super::b;"),
            ("x::b", "use super::c::C;"),
            ("x::c", "use super::a::A;")
        ]),
        Some(3)
    );
    // A parent and its child; a comment; a test.
    assert_eq!(of(&[("a", "mod b;\nuse b::B;"), ("a::b", "use super::A;")]), None);
    assert_eq!(of(&[("a", "use crate::b::B;"), ("b", "// crate::a::A\n")]), None);
    let test = "#[cfg(test)]\nmod tests { use crate::a::A; }";
    assert_eq!(of(&[("a", "use crate::b::B;"), ("b", test)]), None);
}

struct Package {
    /// Of the checkout.
    folder: PathBuf,
    /// Names of packages, but for those of its tests.
    uses: Vec<String>,
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The workspace's packages by name, as `cargo metadata` tells.
fn packages() -> BTreeMap<String, Package> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version=1"]);
    let output = cargo.current_dir(checkout()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let package = |package: &Value| {
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let folder = manifest.parent().unwrap().strip_prefix(checkout()).unwrap().to_owned();
        let uses = package["dependencies"].as_array().unwrap().iter();
        let uses = uses.filter(|used| used["kind"].is_null()).map(|used| text(&used["name"]));
        (text(&package["name"]), Package { folder, uses: uses.collect() })
    };
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

/// The modules below `src` that are files, but for tests.
fn modules(src: &Path) -> BTreeMap<Module, PathBuf> {
    let mut found = BTreeMap::new();
    let mut todo = vec![(Module::new(), src.to_owned())];
    while let Some((module, dir)) = todo.pop() {
        for path in fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let below = [module.as_slice(), std::slice::from_ref(&stem)].concat();
            if path.is_dir() {
                todo.push((below, path));
            } else if path.extension().is_some_and(|end| end == "rs") && !stem.ends_with("tests") {
                let root = ["lib", "main", "mod"].contains(&stem.as_str());
                found.insert(if root { module.clone() } else { below }, path);
            }
        }
    }
    found
}

/// Which files each uses, of those that are neither above nor below it.
fn edges(texts: &BTreeMap<Module, String>) -> BTreeMap<&Module, BTreeSet<&Module>> {
    let of_file = |(module, text): (&Module, &String)| {
        let mut used = BTreeSet::new();
        for path in paths(&without_comments_and_tests(text)) {
            used.extend(resolve(texts, module, &path));
        }
        used.retain(|other| !other.starts_with(module) && !module.starts_with(other));
        used
    };
    texts
        .iter()
        .map(|(module, text)| {
            let used = of_file((module, text));
            (module, texts.keys().filter(|key| used.contains(*key)).collect())
        })
        .collect()
}

fn without_comments_and_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The file that holds what `path` names, seen from `module`.
fn resolve(texts: &BTreeMap<Module, String>, module: &Module, path: &[String]) -> Option<Module> {
    let mut path = path.iter().map(String::as_str).peekable();
    let mut at = match path.peek()? {
        &"crate" => {
            path.next();
            Module::new()
        }
        &("super" | "self") => module.clone(),
        first => {
            let child = [module.as_slice(), &[(*first).to_owned()]].concat();
            texts.contains_key(&child).then(|| module.clone())?
        }
    };
    while let Some(up) = path.next_if(|part| ["super", "self"].contains(part)) {
        if up == "super" {
            at.pop();
        }
    }
    for part in path {
        let below = [at.as_slice(), &[part.to_owned()]].concat();
        if !texts.contains_key(&below) {
            break;
        }
        at = below;
    }
    texts.contains_key(&at).then_some(at)
}

/// Every path of a `use`, with its braces written out, and every path from `crate` or `super`
/// beside.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for part in code.split(';') {
        let of_use = part.rsplit_once("use ").filter(|(before, _)| {
            before.is_empty() || before.ends_with(['\n', ' ', ')', '}', '{'])
        });
        if let Some((_, tree)) = of_use
            && !tree.contains('(')
        {
            expand(&[], tree, &mut paths);
        }
        let words = part.split(|c: char| !c.is_alphanumeric() && !"_:".contains(c));
        let ours = words.filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
        paths.extend(ours.map(|word| names(word).collect()));
    }
    paths
}

fn names(path: &str) -> impl Iterator<Item = String> {
    path.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)
}

fn expand(before: &[String], tree: &str, paths: &mut Vec<Vec<String>>) {
    let Some((start, rest)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or_default();
        paths.push(before.iter().cloned().chain(names(name)).collect());
        return;
    };
    let inside = rest.rsplit_once('}').map_or(rest, |(inside, _)| inside);
    let before: Vec<String> = before.iter().cloned().chain(names(start)).collect();
    let (mut depth, mut from) = (0, 0);
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&before, &inside[from..at], paths);
                from = at + 1;
            }
            _ => {}
        }
    }
    if !inside[from..].trim().is_empty() {
        expand(&before, &inside[from..], paths);
    }
}

/// Files that use each other in a circle, if there are any: each the next, and the last the first.
fn circle<'a>(edges: &BTreeMap<&'a Module, BTreeSet<&'a Module>>) -> Option<Vec<&'a Module>> {
    // A file from which no way leads back to it is on no circle.
    let mut done = BTreeSet::new();
    for start in edges.keys() {
        let mut way = vec![*start];
        let mut todo = vec![edges[start].iter().copied().collect::<Vec<_>>()];
        let mut seen = BTreeSet::new();
        while let Some(nexts) = todo.last_mut() {
            let Some(next) = nexts.pop() else {
                todo.pop();
                way.pop();
                continue;
            };
            if next == *start {
                return Some(way);
            }
            if !done.contains(next) && seen.insert(next) {
                way.push(next);
                todo.push(edges[next].iter().copied().collect());
            }
        }
        done.insert(*start);
    }
    None
}
