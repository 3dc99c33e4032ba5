//! A client waits for a server, which waits for a disk: who woke whom, and from where.
//!
//! The waking thread leaves its name and its stack with the message, and what last woke itself. So
//! the thread that wakes another knows the whole chain: the blocked stack says what was waited
//! for, the chain says why it took so long.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_kit::Ctx;
use lab_kit::thread::{self, named};

use crate::diary::{self, Diary, State, ThreadTotals};
use crate::stack::Stack;

/// How long the disk takes.
const DISK: Duration = Duration::from_millis(3);
/// How often a waiter checks if no thread wakes it.
const LOOK: Duration = Duration::from_millis(1);
/// The waker at the end of a sleep.
const TIMER: &str = "timer";
/// The chain of wakers expected behind each wait of the client.
const CHAIN: &str = "server < disk < timer";

/// The thread that ended a wait, and what had ended that thread's own last wait.
#[derive(Debug)]
struct Wake {
    by: String,
    from: Option<Stack>,
    before: Option<Arc<Wake>>,
}

/// Holds one message at a time.
#[derive(Default)]
struct Line {
    slot: Mutex<Slot>,
    changed: Condvar,
}

#[derive(Default)]
struct Slot {
    /// True for more work, false for the end.
    message: Option<bool>,
    waiting: bool,
    woken_by: Option<Arc<Wake>>,
}

/// The lines between the three.
#[derive(Default)]
struct Lines {
    to_server: Line,
    to_disk: Line,
    to_server_again: Line,
    to_client: Line,
    polling: bool,
}

/// A thread's diary, and what woke it last.
struct Thread {
    diary: Diary,
    woken: Option<Arc<Wake>>,
}

/// The time of the client's waits, by the folded chain and by the names in it.
#[derive(Default)]
struct Chains {
    us: BTreeMap<String, u64>,
    names: BTreeMap<String, u64>,
}

/// Sends requests one after the other, and reads the chain behind each wait of the client.
pub(crate) fn run(ctx: &mut Ctx) -> anyhow::Result<()> {
    let lines = Lines { polling: ctx.text("wake") == "polling", ..Lines::default() };
    let until = Instant::now() + ctx.timeline().measure;
    let chains = Mutex::new(Chains::default());
    let threads = vec![
        named("client", || client(&lines, until, &chains)),
        named("server", || server(&lines)),
        named("disk", || disk(&lines)),
    ];
    let accounts = thread::run(threads, || ())?;
    let chains = chains.into_inner().unwrap_or_else(PoisonError::into_inner);
    let whole = chains.names.get(CHAIN).copied().unwrap_or(0);
    ctx.proportion("chain_named", whole, chains.names.values().sum());
    for (names, count) in chains.names.iter().filter(|(names, _)| *names != CHAIN) {
        ctx.note(format!("The client was woken {count} times by `{names}`."));
    }
    let folded: String = chains.us.iter().map(|(stack, us)| format!("{stack} {us}\n")).collect();
    ctx.keep("offwake.folded", &folded)?;
    diary::file(ctx, &accounts)
}

fn client(lines: &Lines, until: Instant, chains: &Mutex<Chains>) -> anyhow::Result<ThreadTotals> {
    let mut me = Thread { diary: Diary::begin()?, woken: None };
    let mut waits: Vec<(Duration, Stack, Option<Arc<Wake>>)> = Vec::new();
    while Instant::now() < until || waits.is_empty() {
        me.woken = None;
        let stack = ask_the_server(&mut me, lines);
        let [from, to] = me.diary.last();
        waits.push((to.wall - from.wall, stack, me.woken.clone()));
    }
    lines.to_server.put(false, &me);
    let account = me.diary.end();
    let mut chains = chains.lock().unwrap_or_else(PoisonError::into_inner);
    for (time, stack, woken) in &waits {
        *chains.names.entry(names(woken.as_deref())).or_default() += 1;
        let folded = format!("client;{}{}", stack.folded(), folded(woken.as_deref()));
        *chains.us.entry(folded).or_default() += time.as_micros() as u64;
    }
    account
}

#[inline(never)]
fn ask_the_server(me: &mut Thread, lines: &Lines) -> Stack {
    call(me, &lines.to_server, &lines.to_client, lines.polling);
    Stack::here()
}

fn server(lines: &Lines) -> anyhow::Result<ThreadTotals> {
    let mut me = Thread { diary: Diary::begin()?, woken: None };
    while receive(&mut me, &lines.to_server, lines.polling) {
        ask_the_disk(&mut me, lines);
        answer_the_client(&me, lines);
    }
    lines.to_disk.put(false, &me);
    me.diary.end()
}

#[inline(never)]
fn ask_the_disk(me: &mut Thread, lines: &Lines) {
    call(me, &lines.to_disk, &lines.to_server_again, lines.polling);
    std::hint::black_box(());
}

#[inline(never)]
fn answer_the_client(me: &Thread, lines: &Lines) {
    lines.to_client.put(true, me);
    // What follows a call keeps it from becoming a jump, which would leave no frame.
    std::hint::black_box(());
}

fn disk(lines: &Lines) -> anyhow::Result<ThreadTotals> {
    let mut me = Thread { diary: Diary::begin()?, woken: None };
    while receive(&mut me, &lines.to_disk, lines.polling) {
        me.diary.block(State::Sleeping, || sleep(DISK));
        me.woken = Some(Arc::new(Wake { by: TIMER.into(), from: None, before: None }));
        complete(&me, lines);
    }
    me.diary.end()
}

#[inline(never)]
fn complete(me: &Thread, lines: &Lines) {
    lines.to_server_again.put(true, me);
    std::hint::black_box(());
}

/// Waits for a message.
fn receive(me: &mut Thread, line: &Line, polling: bool) -> bool {
    let (message, woken) = me.diary.block(State::Idle, || line.take(line.lock(), polling));
    me.woken = woken.or(me.woken.take());
    message
}

/// Asks, and waits for the answer. It holds the line of the answer while it asks, so
/// that no answer can arrive before it waits: otherwise no thread would have to wake it.
fn call(me: &mut Thread, request: &Line, reply: &Line, polling: bool) {
    let Thread { diary, woken } = me;
    let asker = woken.clone();
    let (_, by) = diary.block(State::Sleeping, || {
        let slot = reply.lock();
        request.put_from(true, asker);
        reply.take(slot, polling)
    });
    *woken = by;
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, message: bool, me: &Thread) {
        self.put_from(message, me.woken.clone());
    }

    #[inline(never)]
    fn put_from(&self, message: bool, before: Option<Arc<Wake>>) {
        let mut slot = self.lock();
        slot.message = Some(message);
        if slot.waiting {
            let by = std::thread::current().name().unwrap_or("unnamed").to_owned();
            slot.woken_by = Some(Arc::new(Wake { by, from: Some(Stack::here()), before }));
            self.changed.notify_one();
        }
    }

    /// Waits until there is a message; also says which thread ended the wait, if it waited.
    fn take<'a>(
        &'a self,
        mut slot: MutexGuard<'a, Slot>,
        polling: bool,
    ) -> (bool, Option<Arc<Wake>>) {
        loop {
            if let Some(message) = slot.message.take() {
                slot.waiting = false;
                return (message, slot.woken_by.take());
            }
            if polling {
                drop(slot);
                sleep(LOOK);
                slot = self.lock();
            } else {
                slot.waiting = true;
                slot = self.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// `server < disk < timer`.
fn names(wake: Option<&Wake>) -> String {
    chain(wake).map(|wake| wake.by.as_str()).collect::<Vec<_>>().join(" < ")
}

/// `;--;server;…;--;disk;…`, nearest first.
fn folded(wake: Option<&Wake>) -> String {
    let link = |wake: &Wake| {
        let stack = wake.from.as_ref().map(Stack::folded).filter(|stack| !stack.is_empty());
        let stack = stack.map(|stack| format!(";{stack}")).unwrap_or_default();
        format!(";--;{}{stack}", wake.by)
    };
    chain(wake).map(link).collect()
}

fn chain(wake: Option<&Wake>) -> impl Iterator<Item = &Wake> {
    std::iter::successors(wake, |wake| wake.before.as_deref())
}
