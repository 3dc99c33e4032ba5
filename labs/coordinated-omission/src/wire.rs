//! The protocol: frames of sixteen bytes, so that nothing on the wire says how long it is.
//!
//! A request is its number and a question, a reply the same number and the answer; all are
//! little-endian `u64`. The answer depends on the question alone, so a client knows a wrong one.

pub(crate) const FRAME: usize = 16;

/// A request's frame.
pub(crate) fn request(number: u64) -> [u8; FRAME] {
    frame(number, question(number))
}

/// Turns a request into its reply, in place: the server's work.
pub(crate) fn answer(frame: &mut [u8; FRAME]) {
    let (number, question) = split(frame);
    *frame = self::frame(number, reply_to(question));
}

/// The request that a reply answers, and whether it does so rightly.
pub(crate) fn check(reply: &[u8; FRAME]) -> (u64, bool) {
    let (number, answer) = split(reply);
    (number, answer == reply_to(question(number)))
}

/// Bits that differ from request to request (Knuth's multiplicative hash).
fn question(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn reply_to(question: u64) -> u64 {
    question.rotate_left(23) ^ 0x5353_5353_5353_5353
}

fn frame(number: u64, word: u64) -> [u8; FRAME] {
    (u128::from(number) | u128::from(word) << 64).to_le_bytes()
}

fn split(frame: &[u8; FRAME]) -> (u64, u64) {
    let both = u128::from_le_bytes(*frame);
    (both as u64, (both >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_answer_is_told_from_a_wrong_one() {
        let mut frame = request(41);
        assert_eq!(check(&frame), (41, false), "a request is not its own answer");
        answer(&mut frame);
        assert_eq!(check(&frame), (41, true));
        frame[15] ^= 1;
        assert_eq!(check(&frame), (41, false));
    }
}
