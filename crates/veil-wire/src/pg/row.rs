//! DataRow: walking cells in place.

use crate::cursor::{Cursor, Malformed, Result};

/// The cells of a row, in order; NULL is `None`.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    cursor: Cursor<'a>,
    left: usize,
}

impl<'a> Cells<'a> {
    /// Reads the body of a DataRow.
    ///
    /// # Errors
    /// No cell count.
    pub fn decode(body: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let left = cursor.count16()?;
        Ok(Self { cursor, left })
    }

    /// Cells that are left.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.left
    }

    /// Whether no cell is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// A copy of the cell at a place, if it is not NULL.
    #[must_use]
    pub fn nth(mut self, at: usize) -> Option<Vec<u8>> {
        for _ in 0..at {
            self.step().ok()??;
        }
        self.step().ok()??.map(<[u8]>::to_vec)
    }

    /// The next cell, or `None` behind the last.
    ///
    /// # Errors
    /// A length that the row does not have, or bytes behind the last cell.
    pub fn step(&mut self) -> Result<Option<Option<&'a [u8]>>> {
        let Some(left) = self.left.checked_sub(1) else { return self.cursor.end().map(|()| None) };
        self.left = left;
        match self.cursor.i32()? {
            -1 => Ok(Some(None)),
            length => {
                let length = usize::try_from(length).map_err(|_| Malformed("negative cell length"))?;
                self.cursor.take(length).map(|cell| Some(Some(cell)))
            }
        }
    }
}

/// Appends a cell; NULL is `None`.
pub fn write_cell(out: &mut Vec<u8>, cell: Option<&[u8]>) {
    match cell {
        None => out.extend((-1_i32).to_be_bytes()),
        Some(cell) => {
            out.extend(u32::try_from(cell.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(cell);
        }
    }
}
