//! Where predictions come from: a terminal, a pipe or a file, a line each.

use std::fs;
use std::io::{BufRead as _, BufReader, IsTerminal as _, stdin};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::bail;

use crate::exit::usage;
use crate::output::print;
use crate::process::Interrupt;

/// How often a prompt checks for Ctrl-C.
const TICK: Duration = Duration::from_millis(50);

/// A source of answers, a line at a time.
pub(crate) struct Learner {
    lines: Receiver<String>,
    /// Whether the terminal shows what is typed.
    is_shown: bool,
}

impl Learner {
    /// Reads standard input, or `answers`, where lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// A usage error if the file cannot be read.
    pub(crate) fn listen(answers: Option<&Path>) -> anyhow::Result<Self> {
        let text = answers.map(|file| {
            let unreadable = |error| usage(format!("--answers {}: {error}", file.display()));
            fs::read_to_string(file).map_err(unreadable)
        });
        let is_shown = text.is_none() && stdin().is_terminal();
        let lines = match text.transpose()? {
            Some(text) => send(text.lines().map(str::to_owned).collect::<Vec<_>>().into_iter()),
            None => send(BufReader::new(stdin()).lines().map_while(Result::ok)),
        };
        Ok(Self { lines, is_shown })
    }

    /// Asks with `prompt`, and waits for a line.
    ///
    /// # Errors
    /// Ctrl-C was typed, or there are no more lines.
    pub(crate) fn ask(&self, prompt: &str, interrupt: &Interrupt) -> anyhow::Result<String> {
        print(prompt)?;
        loop {
            if interrupt.raised() {
                print("\n")?;
                bail!("interrupted");
            }
            match self.lines.recv_timeout(TICK) {
                Ok(line) if line.starts_with('#') => {}
                Ok(line) => {
                    if !self.is_shown {
                        print(&format!("{line}\n"))?;
                    }
                    return Ok(line);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    print("\n")?;
                    bail!("there are no more answers");
                }
            }
        }
    }
}

/// Reads on a separate thread, since a signal does not end a read.
fn send(lines: impl Iterator<Item = String> + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(0);
    thread::spawn(move || lines.map_while(|line| sender.send(line).ok()).for_each(drop));
    receiver
}
