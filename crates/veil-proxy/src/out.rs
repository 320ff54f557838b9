//! What goes to one socket: as long as nothing but spans of the input is sent, no byte is copied.

use std::ops::Range;

/// Bytes on their way out, in order: what is owned, or else one span of the input that is being walked.
#[derive(Debug, Default)]
pub struct Out {
    owned: Vec<u8>,
    /// How much of `owned` has been written to the socket.
    written: usize,
    /// Only while `owned` is empty.
    span: Range<usize>,
}

/// A buffer above this size is given back once it is empty.
const KEEP_MAX: usize = 64 << 10;

impl Out {
    /// Sends `input[range]` as it is.
    pub fn forward(&mut self, input: &[u8], range: Range<usize>) {
        if self.owned.is_empty() && (self.span.is_empty() || self.span.end == range.start) {
            let start = if self.span.is_empty() { range.start } else { self.span.start };
            self.span = start..range.end;
        } else {
            self.settle(input);
            self.owned.extend_from_slice(input.get(range).unwrap_or_default());
        }
    }

    /// The buffer to write own bytes to.
    pub fn owned(&mut self, input: &[u8]) -> &mut Vec<u8> {
        self.settle(input);
        &mut self.owned
    }

    /// The span of `input` that can be written without a copy, if that is all there is.
    pub fn span<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        input.get(self.span.clone()).unwrap_or_default()
    }

    /// Where that span is.
    pub fn range(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.waiting().is_empty() && self.span.is_empty()
    }

    /// The owned bytes that wait; what is not used of them has to be put back.
    pub fn take(&mut self) -> Vec<u8> {
        let mut owned = std::mem::take(&mut self.owned);
        owned.drain(..std::mem::take(&mut self.written).min(owned.len()));
        owned
    }

    /// Puts back what was not used of what was taken, before anything that has been sent since.
    pub fn put_back(&mut self, mut rest: Vec<u8>, used: usize) {
        rest.drain(..used.min(rest.len()));
        if !rest.is_empty() {
            rest.append(&mut self.owned);
            self.owned = rest;
        }
    }

    /// `count` bytes of the span were written; the rest is kept before `input` goes away.
    pub fn span_written(&mut self, input: &[u8], count: usize) {
        self.span.start = self.span.end.min(self.span.start.saturating_add(count));
        self.settle(input);
    }

    /// Owned bytes that wait for the socket.
    pub fn waiting(&self) -> &[u8] {
        self.owned.get(self.written..).unwrap_or_default()
    }

    /// `count` owned bytes were written.
    pub fn advance(&mut self, count: usize) {
        self.written = self.written.saturating_add(count);
        if self.written >= self.owned.len() {
            self.written = 0;
            self.owned.clear();
            if self.owned.capacity() > KEEP_MAX {
                self.owned = Vec::new();
            }
        }
    }

    /// Gives memory back while there is nothing to send.
    pub fn rest(&mut self) {
        if self.owned.is_empty() {
            self.owned = Vec::new();
        }
    }

    fn settle(&mut self, input: &[u8]) {
        if !self.span.is_empty() {
            self.owned.extend_from_slice(input.get(self.span.clone()).unwrap_or_default());
            self.span = 0..0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Out;

    #[test]
    fn neighbouring_spans_are_one_and_are_not_copied() {
        let input = b"abcdef";
        let mut out = Out::default();
        out.forward(input, 0..2);
        out.forward(input, 2..4);
        assert_eq!(out.span(input), b"abcd");
        assert!(out.waiting().is_empty());
        out.span_written(input, 3);
        assert_eq!(out.waiting(), b"d");
    }

    #[test]
    fn order_is_kept_around_own_bytes_and_gaps() {
        let input = b"abcdef";
        let mut out = Out::default();
        out.forward(input, 0..2);
        out.forward(input, 4..5);
        out.owned(input).extend_from_slice(b"X");
        out.forward(input, 5..6);
        assert_eq!(out.waiting(), b"abeXf");
        out.advance(5);
        assert!(out.waiting().is_empty());
    }
}
