//! Rows: walking cells in place, in the text and the binary form.

use crate::cursor::{Cursor, Malformed, Result};
use crate::mysql::frame;
use crate::mysql::value::Width;

/// First byte of a binary row.
const BINARY: u8 = 0;
/// NULL in a text row.
const NULL: u8 = 0xfb;
/// The bitmap of a binary row has two bits more in front.
const BITMAP_OFFSET: usize = 2;

/// The cells of a text row, in order.
#[derive(Clone, Copy, Debug)]
pub struct TextCells<'a>(Cursor<'a>);

impl<'a> TextCells<'a> {
    /// Reads a row's payload.
    #[must_use]
    pub const fn new(payload: &'a [u8]) -> Self {
        Self(Cursor::new(payload))
    }

    /// The next cell; NULL is `None`.
    ///
    /// # Errors
    /// A length that the row does not have.
    pub fn step(&mut self) -> Result<Option<&'a [u8]>> {
        if self.0.rest().first() == Some(&NULL) {
            return self.0.u8().map(|_| None);
        }
        self.0.lenenc_bytes().map(Some)
    }

    /// # Errors
    /// Cells are left.
    pub fn end(self) -> Result<()> {
        self.0.end()
    }
}

/// Appends a cell to a text row; NULL is `None`.
pub fn put_text(out: &mut Vec<u8>, cell: Option<&[u8]>) {
    match cell {
        None => out.push(NULL),
        Some(cell) => frame::put_lenenc_bytes(out, cell),
    }
}

/// The cells of a binary row, in order.
#[derive(Clone, Copy, Debug)]
pub struct BinaryCells<'a> {
    nulls: &'a [u8],
    values: Cursor<'a>,
    at: usize,
}

impl<'a> BinaryCells<'a> {
    /// Reads the payload of a row with `count` cells.
    ///
    /// # Errors
    /// Not the beginning of such a row.
    pub fn decode(payload: &'a [u8], count: usize) -> Result<Self> {
        let mut cursor = Cursor::new(payload);
        if cursor.u8()? != BINARY {
            return Err(Malformed("not a binary row"));
        }
        let nulls = cursor.take(bitmap_bytes(count))?;
        Ok(Self { nulls, values: cursor, at: 0 })
    }

    /// The next cell, which is delimited by `width`; NULL is `None`.
    ///
    /// # Errors
    /// The row is too short.
    pub fn step(&mut self, width: Width) -> Result<Option<&'a [u8]>> {
        let bit = self.at + BITMAP_OFFSET;
        let byte = self.nulls.get(bit / 8).ok_or(Malformed("row has more cells than columns"))?;
        self.at += 1;
        if byte >> (bit % 8) & 1 == 1 { Ok(None) } else { width.take(&mut self.values).map(Some) }
    }

    /// # Errors
    /// Cells are left.
    pub fn end(self) -> Result<()> {
        self.values.end()
    }
}

/// A binary row being written behind what `out` holds already.
#[derive(Debug)]
pub struct BinaryRow {
    bitmap: usize,
    at: usize,
}

impl BinaryRow {
    /// Begins a row of `count` cells.
    #[must_use]
    pub fn begin(out: &mut Vec<u8>, count: usize) -> Self {
        out.push(BINARY);
        let bitmap = out.len();
        out.resize(bitmap + bitmap_bytes(count), 0);
        Self { bitmap, at: 0 }
    }

    /// Appends a cell; NULL is `None`.
    pub fn put(&mut self, out: &mut Vec<u8>, width: Width, cell: Option<&[u8]>) {
        let bit = self.at + BITMAP_OFFSET;
        self.at += 1;
        match (cell, width) {
            (None, _) => {
                if let Some(byte) = out.get_mut(self.bitmap + bit / 8) {
                    *byte |= 1 << (bit % 8);
                }
            }
            (Some(cell), Width::Fixed(_)) => out.extend_from_slice(cell),
            (Some(cell), Width::Counted) => frame::put_lenenc_bytes(out, cell),
            (Some(cell), Width::Short) => {
                out.push(u8::try_from(cell.len()).unwrap_or_default());
                out.extend_from_slice(cell);
            }
        }
    }
}

const fn bitmap_bytes(count: usize) -> usize {
    (count + BITMAP_OFFSET).div_ceil(8)
}
