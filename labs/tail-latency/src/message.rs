//! The messages between client, root and leaves.

/// Client to root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// The client's number for the request; every copy and answer carries it.
    pub id: u64,
    /// The key to look up in every shard.
    pub key: u16,
}

/// Root to client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reply {
    /// [`Request::id`].
    pub id: u64,
    /// Whether every leaf that the root waited for answered correctly.
    pub right: bool,
}

/// Root to leaf: one copy of one shard's part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    /// [`Request::id`].
    pub id: u64,
    /// [`Request::key`].
    pub key: u16,
    /// Whether the other replica gets a copy too: the replica that starts first cancels the
    /// other's.
    pub tied: bool,
}

/// Leaf to its twin: my copy of this request has started, so yours need not.
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
    /// The shard that answers.
    pub shard: u32,
    /// The replica of the shard, 0 or 1.
    pub replica: u8,
    /// What became of the copy.
    pub outcome: CopyOutcome,
}

/// What became of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyOutcome {
    /// It ran.
    Done {
        /// The checksum of the records looked up.
        checksum: u32,
        /// Time from its arrival at the leaf to its start.
        wait_ns: u64,
        /// Time from its start to its end.
        service_ns: u64,
        /// Whether the leaf's background work kept it from starting.
        held_up: bool,
    },
    /// It did not run, because its twin did.
    Cancelled,
    /// The leaf's queue was full, or the leaf is gone.
    Refused,
}
