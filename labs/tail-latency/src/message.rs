//! What client, root and leaves say to each other.

/// Client to root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// The client's number for it; every copy and answer carries it.
    pub id: u64,
    /// What to look up, in every shard.
    pub key: u16,
}

/// Root to client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reply {
    /// [`Request::id`].
    pub id: u64,
    /// Every leaf that was waited for answered correctly.
    pub right: bool,
}

/// Root to leaf: one copy of one shard's part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    /// [`Request::id`].
    pub id: u64,
    /// [`Request::key`].
    pub key: u16,
    /// The other replica has a copy too, or will: who starts first cancels it there.
    pub tied: bool,
}

/// Leaf to its twin: your copy of this request need not start, mine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cancel {
    /// [`Request::id`].
    pub id: u64,
}

/// Leaf to root, one for each copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// [`Request::id`].
    pub id: u64,
    /// Which shard answers.
    pub shard: u32,
    /// Which of its replicas.
    pub replica: u8,
    /// What became of the copy.
    pub outcome: CopyOutcome,
}

/// What became of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyOutcome {
    /// It ran.
    Done {
        /// Of the records looked up.
        checksum: u32,
        /// From its arrival at the leaf to its start.
        wait_ns: u64,
        /// From its start to its end.
        service_ns: u64,
        /// Whether the leaf's background work kept it from starting.
        held_up: bool,
    },
    /// Its twin ran, so it did not.
    Cancelled,
    /// The leaf's queue was full, or the leaf is gone.
    Refused,
}
