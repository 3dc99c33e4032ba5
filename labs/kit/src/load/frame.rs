//! The protocol: frames of 24 bytes each, so that no length is needed on the wire.
//!
//! Three little-endian `u64`: the request's number, its work in nanoseconds, and a question. A
//! reply has the same number, a status (0: answered, 1: refused, 2: failed) and the answer. The
//! answer depends only on the question, so a client recognises a wrong one.

use std::time::Duration;

/// Bytes of a request, and of a reply.
pub const FRAME: usize = 24;

/// A message on the wire.
pub type Frame = [u8; FRAME];

const ANSWERED: u64 = 0;
const REFUSED: u64 = 1;
const FAILED: u64 = 2;

/// What a reply says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The correct answer.
    Correct,
    /// A wrong answer, or none.
    Wrong,
    /// A refusal.
    Refused,
}

/// The frame of request `number`, with its work.
pub fn request(number: u64, work: Duration) -> Frame {
    frame([number, work.as_nanos() as u64, question(number)])
}

/// The work of a request.
pub fn work_of(request: &Frame) -> Duration {
    Duration::from_nanos(words(request)[1])
}

/// The number of a request.
pub(super) fn number_of(request: &Frame) -> u64 {
    words(request)[0]
}

/// Turns a request into its reply, in place.
pub fn answer(request: &mut Frame) {
    reply(request, ANSWERED);
}

/// Turns a request into a refusal, in place.
pub fn refuse(request: &mut Frame) {
    reply(request, REFUSED);
}

/// Turns a request into an error, in place.
pub(super) fn fail(request: &mut Frame) {
    reply(request, FAILED);
}

fn reply(request: &mut Frame, status: u64) {
    let [number, _, question] = words(request);
    *request = frame([number, status, reply_to(question)]);
}

/// The number of the request that a reply answers, and what it says.
pub fn read(reply: &Frame) -> (u64, Answer) {
    let [number, status, answer] = words(reply);
    let says = match status {
        _ if answer != reply_to(question(number)) => Answer::Wrong,
        ANSWERED => Answer::Correct,
        REFUSED => Answer::Refused,
        _ => Answer::Wrong,
    };
    (number, says)
}

/// Bits that differ from request to request (Knuth's multiplicative hash).
fn question(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn reply_to(question: u64) -> u64 {
    question.rotate_left(23) ^ 0x5353_5353_5353_5353
}

fn frame(words: [u64; 3]) -> Frame {
    let mut bytes = [0; FRAME];
    for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *to = word.to_le_bytes();
    }
    bytes
}

fn words(frame: &Frame) -> [u64; 3] {
    let (words, _) = frame.as_chunks::<8>();
    [words[0], words[1], words[2]].map(u64::from_le_bytes)
}

/// A buffer for a stream, whose last frame may be incomplete.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    filled: usize,
}

impl Inbox {
    /// Room for this many frames at a time.
    pub(super) fn new(frames: usize) -> Self {
        Self { bytes: vec![0; frames * FRAME], filled: 0 }
    }

    /// Reads once, passes every whole frame to `take`, and returns the bytes read: 0 at the end of
    /// the stream.
    ///
    /// # Errors
    /// The stream fails.
    pub(super) fn read(
        &mut self,
        mut stream: impl std::io::Read,
        mut take: impl FnMut(&mut Frame),
    ) -> std::io::Result<usize> {
        let read = stream.read(&mut self.bytes[self.filled..])?;
        self.filled += read;
        let (frames, rest) = self.bytes[..self.filled].as_chunks_mut();
        frames.iter_mut().for_each(&mut take);
        let (whole, part) = (frames.len() * FRAME, rest.len());
        self.bytes.copy_within(whole..whole + part, 0);
        self.filled = part;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correct_answer_is_distinguished_from_a_wrong_one_and_a_refusal() {
        let mut reply = request(41, Duration::from_micros(7));
        assert_eq!(work_of(&reply), Duration::from_micros(7));
        assert_eq!(read(&reply), (41, Answer::Wrong), "a request is not its own answer");
        answer(&mut reply);
        assert_eq!(read(&reply), (41, Answer::Correct));
        reply[23] ^= 1;
        assert_eq!(read(&reply), (41, Answer::Wrong));
        let mut refused = request(7, Duration::ZERO);
        refuse(&mut refused);
        assert_eq!(read(&refused), (7, Answer::Refused));
    }

    #[test]
    fn a_frame_in_parts_is_one_frame() {
        let bytes = [request(1, Duration::ZERO), request(2, Duration::ZERO)].concat();
        let mut inbox = Inbox::new(4);
        let mut numbers = Vec::new();
        for part in [&bytes[..10], &bytes[10..30], &bytes[30..]] {
            inbox.read(part, |frame| numbers.push(words(frame)[0])).unwrap();
        }
        assert_eq!(numbers, [1, 2]);
    }
}
