//! Whole messages over a stream, one at a time: for logins and short conversations, not for the data path.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use veil_wire::Malformed;
use veil_wire::pg::frame::{self, Header};

use crate::error::NetError;
use crate::stream::Stream;

const READ_CHUNK: usize = 8 << 10;

/// A stream, and what was read from it beyond the last message.
pub struct Link {
    stream: Stream,
    buffer: Vec<u8>,
}

/// One message.
pub struct Message {
    /// Type.
    pub tag: u8,
    /// Body.
    pub body: Vec<u8>,
}

impl Link {
    /// Over `stream`, from its present position.
    #[must_use]
    pub const fn new(stream: Stream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Whether TLS protects it.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.stream.is_tls()
    }

    /// Reads one message with a body of at most `body_max` bytes.
    ///
    /// # Errors
    /// The connection fails or ends, or the message is longer.
    pub async fn read(&mut self, body_max: usize) -> Result<Message, NetError> {
        loop {
            if let Some(header) = Header::decode(&self.buffer)? {
                if header.body > body_max {
                    return Err(Malformed("message is longer than it may be here").into());
                }
                if let Some(body) = self.buffer.get(frame::HEADER..header.total()) {
                    let message = Message { tag: header.tag, body: body.to_vec() };
                    self.buffer.drain(..header.total());
                    return Ok(message);
                }
            }
            self.buffer.reserve(READ_CHUNK);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(NetError::Closed);
            }
        }
    }

    /// Writes and flushes.
    ///
    /// # Errors
    /// The connection fails.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), NetError> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// The stream, and what has been read ahead.
    #[must_use]
    pub fn into_parts(self) -> (Stream, Vec<u8>) {
        (self.stream, self.buffer)
    }
}
