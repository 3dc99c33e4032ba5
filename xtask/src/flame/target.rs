//! Where graphs and exports go: a file that is written completely or not at all, and never one of
//! the inputs.

use std::fs;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::source::{self, STANDARD, Source};
use super::{Args, Export};
use crate::exit::usage;

/// Where one graph goes.
pub(super) enum Target {
    File(PathBuf),
    StandardOutput,
}

impl Target {
    /// The target that the arguments name, else a file beside the stacks.
    pub(super) fn of(args: &Args, graph: &[Source], several: bool) -> Result<Target> {
        let extension = args.export.map_or("svg", Export::extension);
        let file = format!("{}.{extension}", source::file_stem(graph));
        let path = match &args.out {
            Some(out) if out.as_os_str() == STANDARD => return Target::standard_output(several),
            Some(dir) if several || dir.is_dir() => dir.join(file),
            Some(path) => path.clone(),
            None if graph[0].is_pipe() => return Target::standard_output(several),
            // The path into a run, which may be another user's, must not be a link.
            None if graph[0].origin.is_some() => {
                let run = graph[0].home.parent().unwrap_or(Path::new(""));
                lab_files::dir_below(run, "flame")?.join(file)
            }
            None => graph[0].home.join(file),
        };
        check_not_an_input(&path, graph.iter().map(|source| source.path.as_path()))?;
        Ok(Target::File(path))
    }

    fn standard_output(several: bool) -> Result<Target> {
        if several {
            return Err(usage(
                "several graphs do not fit into standard output: name a directory with --out",
            ));
        }
        if io::stdout().is_terminal() {
            return Err(usage("standard output is a terminal: name a file with --out"));
        }
        Ok(Target::StandardOutput)
    }

    pub(super) fn write(&self, draw: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        match self {
            Target::File(path) => write(path, draw),
            Target::StandardOutput => {
                let mut out = BufWriter::new(io::stdout().lock());
                let drawn = draw(&mut out).and_then(|()| Ok(out.flush()?));
                match drawn {
                    // The reader has closed the pipe.
                    Err(error) if is_broken_pipe(&error) => Ok(()),
                    drawn => drawn.context("cannot write to standard output"),
                }
            }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().map(io::Error::kind)
    };
    error.chain().any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

/// Refuses a path that is one of the inputs, by any name.
pub(super) fn check_not_an_input<'a>(
    path: &Path,
    inputs: impl IntoIterator<Item = &'a Path>,
) -> Result<()> {
    if inputs.into_iter().any(|input| lab_files::is_same(input, path)) {
        let path = path.display();
        return Err(usage(format!("{path} would be overwritten: name another file with --out")));
    }
    Ok(())
}

/// Writes a file completely or not at all, and makes its directory.
pub(super) fn write(path: &Path, draw: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
    }
    lab_files::write_with(path, |out| draw(out))
}
