//! The one reader of bytes. Every length is checked against what is there before anything is taken.

use thiserror::Error;

/// A message that breaks the protocol; the text says what was expected, never what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// Result of decoding.
pub type Result<T> = std::result::Result<T, Malformed>;

/// A shrinking slice with PostgreSQL's big-endian scalars and MySQL's little-endian ones.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What has not been read.
    #[must_use]
    pub const fn rest(self) -> &'a [u8] {
        self.0
    }

    /// # Errors
    /// Fewer than `n` bytes are left.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(Malformed("message is too short"))?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk().ok_or(Malformed("message is too short"))?;
        self.0 = tail;
        Ok(*head)
    }

    /// # Errors
    /// Nothing is left.
    pub fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[b]| b)
    }

    /// # Errors
    /// Fewer than two bytes are left.
    pub fn i16(&mut self) -> Result<i16> {
        self.array().map(i16::from_be_bytes)
    }

    /// # Errors
    /// Fewer than four bytes are left.
    pub fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// # Errors
    /// Fewer than four bytes are left.
    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A count, which PostgreSQL reads without a sign.
    ///
    /// # Errors
    /// Fewer than two bytes are left.
    pub fn count16(&mut self) -> Result<usize> {
        self.array().map(|bytes| usize::from(u16::from_be_bytes(bytes)))
    }

    /// A NUL-terminated string, without its terminator.
    ///
    /// # Errors
    /// No terminator.
    pub fn cstr(&mut self) -> Result<&'a [u8]> {
        let end = self.0.iter().position(|&b| b == 0).ok_or(Malformed("string has no terminator"))?;
        let text = self.take(end)?;
        self.u8()?;
        Ok(text)
    }

    /// # Errors
    /// Fewer than two bytes are left.
    pub fn u16_le(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// # Errors
    /// Fewer than three bytes are left.
    pub fn u24_le(&mut self) -> Result<u32> {
        self.array().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// # Errors
    /// Fewer than four bytes are left.
    pub fn u32_le(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// # Errors
    /// Fewer than eight bytes are left.
    pub fn u64_le(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// MySQL's length-encoded integer; `None` is its NULL.
    ///
    /// # Errors
    /// Too short, or the first byte begins no such integer.
    pub fn lenenc_or_null(&mut self) -> Result<Option<u64>> {
        Ok(Some(match self.u8()? {
            0xfb => return Ok(None),
            0xfc => self.u16_le()?.into(),
            0xfd => self.u24_le()?.into(),
            0xfe => self.u64_le()?,
            0xff => return Err(Malformed("not a length")),
            small => small.into(),
        }))
    }

    /// MySQL's length-encoded integer.
    ///
    /// # Errors
    /// Too short, or not one.
    pub fn lenenc(&mut self) -> Result<u64> {
        self.lenenc_or_null()?.ok_or(Malformed("NULL in place of a length"))
    }

    /// Bytes behind their length-encoded count.
    ///
    /// # Errors
    /// Too short.
    pub fn lenenc_bytes(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.lenenc()?).map_err(|_| Malformed("impossible length"))?;
        self.take(length)
    }

    /// # Errors
    /// Bytes are left.
    pub fn end(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed("message is too long")) }
    }
}
