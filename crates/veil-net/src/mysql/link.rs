//! Whole packets over a stream, one at a time: for logins, not for the data path. Never reads beyond a packet, so that
//! what follows may belong to TLS.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use veil_wire::Malformed;
use veil_wire::mysql::frame::{self, HEADER, Header};

use crate::error::NetError;
use crate::stream::Stream;

/// A stream, what was read from it already, and the number of the next packet.
pub struct Link {
    stream: Stream,
    unread: Vec<u8>,
    sequence: u8,
}

impl Link {
    /// Over `stream`, from which `unread` was read ahead.
    #[must_use]
    pub const fn new(stream: Stream, unread: Vec<u8>) -> Self {
        Self { stream, unread, sequence: 0 }
    }

    /// Whether TLS protects it.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.stream.is_tls()
    }

    /// The names in the certificate that the other side has shown.
    #[must_use]
    pub fn certificate_names(&self) -> Vec<String> {
        self.stream.certificate_names()
    }

    /// Reads one packet of at most `max` bytes.
    ///
    /// # Errors
    /// The connection fails or ends, or the packet is longer.
    pub async fn read(&mut self, max: usize) -> Result<Vec<u8>, NetError> {
        self.fill(HEADER).await?;
        let header = Header::decode(&self.unread).ok_or(NetError::Closed)?;
        if header.body > max {
            return Err(Malformed("packet is longer than it may be here").into());
        }
        self.fill(header.total()).await?;
        let rest = self.unread.split_off(header.total());
        let mut packet = std::mem::replace(&mut self.unread, rest);
        packet.drain(..HEADER);
        self.sequence = header.sequence.wrapping_add(1);
        Ok(packet)
    }

    async fn fill(&mut self, length: usize) -> Result<(), NetError> {
        let have = self.unread.len();
        if have < length {
            self.unread.resize(length, 0);
            let read = self.stream.read_exact(self.unread.get_mut(have..).unwrap_or_default()).await;
            read.map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => NetError::Closed,
                _ => error.into(),
            })?;
        }
        Ok(())
    }

    /// Writes one packet, whose payload `body` writes, and flushes.
    ///
    /// # Errors
    /// The connection fails.
    pub async fn write(&mut self, body: impl FnOnce(&mut Vec<u8>)) -> Result<(), NetError> {
        let mut out = Vec::new();
        frame::write(&mut out, &mut self.sequence, body);
        self.stream.write_all(&out).await?;
        Ok(self.stream.flush().await?)
    }

    /// The next packet begins a command, or answers the packet with this number.
    pub const fn set_sequence(&mut self, next: u8) {
        self.sequence = next;
    }

    /// The number of the next packet.
    #[must_use]
    pub const fn sequence(&self) -> u8 {
        self.sequence
    }

    /// The stream, for TLS to take over.
    pub(super) fn take_stream(&mut self) -> Stream {
        std::mem::replace(&mut self.stream, Stream::Closed)
    }

    /// Goes on over `stream`.
    pub(super) fn set_stream(&mut self, stream: Stream) {
        self.stream = stream;
    }

    /// The stream, and what has been read ahead.
    #[must_use]
    pub fn into_parts(self) -> (Stream, Vec<u8>) {
        (self.stream, self.unread)
    }
}
