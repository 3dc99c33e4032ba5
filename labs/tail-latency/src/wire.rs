//! Messages as frames on a TCP connection.
//!
//! A frame is a length (u16, little endian, of what follows), a kind (u8) and fixed fields, little
//! endian. Anything else from a peer is an error that ends its connection, but nothing more.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::message::{Answer, Ask, Cancel, CopyOutcome, Reply, Request};

/// The longest valid frame, in bytes: a longer length is an error.
pub(crate) const MAX_FRAME: usize = 64;

/// Any message on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    /// Client to root.
    Request(Request),
    /// Root to client.
    Reply(Reply),
    /// Root to leaf.
    Ask(Ask),
    /// Leaf to its twin.
    Cancel(Cancel),
    /// Leaf to root.
    Answer(Answer),
}

impl Frame {
    /// Appends the frame to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 2]);
        match *self {
            Self::Request(Request { id, key }) => {
                put(out, 1, &[&id.to_le_bytes(), &key.to_le_bytes()])
            }
            Self::Reply(Reply { id, right }) => {
                put(out, 2, &[&id.to_le_bytes(), &[u8::from(right)]])
            }
            Self::Ask(Ask { id, key, tied }) => {
                put(out, 3, &[&id.to_le_bytes(), &key.to_le_bytes(), &[u8::from(tied)]]);
            }
            Self::Cancel(Cancel { id }) => put(out, 4, &[&id.to_le_bytes()]),
            Self::Answer(Answer { id, shard, replica, outcome }) => {
                let head: [&[u8]; 3] = [&id.to_le_bytes(), &shard.to_le_bytes(), &[replica]];
                match outcome {
                    CopyOutcome::Done { checksum, wait_ns, service_ns, held_up } => {
                        put(out, 5, &head);
                        out.extend_from_slice(&checksum.to_le_bytes());
                        out.extend_from_slice(&wait_ns.to_le_bytes());
                        out.extend_from_slice(&service_ns.to_le_bytes());
                        out.push(u8::from(held_up));
                    }
                    CopyOutcome::Cancelled => put(out, 6, &head),
                    CopyOutcome::Refused => put(out, 7, &head),
                }
            }
        }
        let length = (out.len() - start - 2) as u16;
        out[start..start + 2].copy_from_slice(&length.to_le_bytes());
    }

    /// Reads what [`Frame::encode`] wrote after the length; `None` for anything else.
    pub(crate) fn decode(body: &[u8]) -> Option<Self> {
        let mut fields = Fields(body);
        let kind = fields.u8()?;
        let id = fields.u64()?;
        let frame = match kind {
            1 => Self::Request(Request { id, key: fields.u16()? }),
            2 => Self::Reply(Reply { id, right: fields.flag()? }),
            3 => Self::Ask(Ask { id, key: fields.u16()?, tied: fields.flag()? }),
            4 => Self::Cancel(Cancel { id }),
            5..=7 => {
                let (shard, replica) = (fields.u32()?, fields.u8()?);
                let outcome = match kind {
                    5 => CopyOutcome::Done {
                        checksum: fields.u32()?,
                        wait_ns: fields.u64()?,
                        service_ns: fields.u64()?,
                        held_up: fields.flag()?,
                    },
                    6 => CopyOutcome::Cancelled,
                    _ => CopyOutcome::Refused,
                };
                Self::Answer(Answer { id, shard, replica, outcome })
            }
            _ => return None,
        };
        fields.0.is_empty().then_some(frame)
    }
}

fn put(out: &mut Vec<u8>, kind: u8, fields: &[&[u8]]) {
    out.push(kind);
    fields.iter().for_each(|field| out.extend_from_slice(field));
}

/// The fields of a frame that are not read yet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }
    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }
    fn flag(&mut self) -> Option<bool> {
        self.u8().filter(|byte| *byte < 2).map(|byte| byte == 1)
    }
    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }
    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

/// Reads one frame; `None` if the peer has closed the connection between frames.
///
/// # Errors
/// The peer sent an invalid frame, or closed the connection within one.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Frame>> {
    let mut length = [0; 2];
    if stream.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut length[1..]).await?;
    let length = usize::from(u16::from_le_bytes(length));
    if length > MAX_FRAME {
        return Err(io::Error::other(format!("a frame of {length} bytes is not ours")));
    }
    let mut body = [0; MAX_FRAME];
    stream.read_exact(&mut body[..length]).await?;
    Frame::decode(&body[..length]).map(Some).ok_or_else(|| io::Error::other("not a frame of ours"))
}

/// Sends `messages` until either side closes, over the stream that `open` returns at the first
/// message. Messages that have gathered meanwhile go out in one write.
///
/// # Errors
/// The stream cannot be opened, or the peer is gone.
pub(crate) async fn send_all<M, S: AsyncWrite + Unpin>(
    mut messages: UnboundedReceiver<M>,
    frame: impl Fn(M) -> Frame,
    open: impl AsyncFnOnce() -> io::Result<S>,
) -> io::Result<()> {
    let Some(mut message) = messages.recv().await else { return Ok(()) };
    let mut stream = open().await?;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        frame(message).encode(&mut bytes);
        while let Ok(message) = messages.try_recv() {
            frame(message).encode(&mut bytes);
        }
        stream.write_all(&bytes).await?;
        match messages.recv().await {
            Some(next) => message = next,
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<Frame> {
        let answer = |outcome| Frame::Answer(Answer { id: 7, shard: 99, replica: 1, outcome });
        let done =
            CopyOutcome::Done { checksum: 5, wait_ns: u64::MAX, service_ns: 0, held_up: true };
        vec![
            Frame::Request(Request { id: u64::MAX, key: 63 }),
            Frame::Reply(Reply { id: 2, right: true }),
            Frame::Ask(Ask { id: 3, key: 1, tied: false }),
            Frame::Cancel(Cancel { id: 4 }),
            answer(done),
            answer(CopyOutcome::Cancelled),
            answer(CopyOutcome::Refused),
        ]
    }

    #[test]
    fn every_frame_is_read_back_and_no_prefix_of_it_is_a_frame() {
        for frame in frames() {
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            let body = &bytes[2..];
            assert!(body.len() <= MAX_FRAME);
            assert_eq!(usize::from(u16::from_le_bytes([bytes[0], bytes[1]])), body.len());
            assert_eq!(Frame::decode(body), Some(frame));
            for cut in 0..body.len() {
                assert_eq!(Frame::decode(&body[..cut]), None, "{frame:?} cut at {cut}");
            }
            assert_eq!(Frame::decode(&[body, &[0]].concat()), None, "a byte too many");
        }
    }

    #[tokio::test]
    async fn an_invalid_frame_is_an_error_and_no_message() {
        let too_long = [0xff, 0xff, 1, 2, 3];
        let unknown = [9, 0, 200, 0, 0, 0, 0, 0, 0, 0, 0];
        let cut_off = [9, 0, 4, 1];
        for mut bytes in [&too_long[..], &unknown, &cut_off, &[1]] {
            assert!(read(&mut bytes).await.is_err());
        }
        assert_eq!(read(&mut &[][..]).await.unwrap(), None, "closed between frames");
    }
}
