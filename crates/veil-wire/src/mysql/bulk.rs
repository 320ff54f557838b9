//! The values that MariaDB's COM_STMT_BULK_EXECUTE gives to parameters, for many rows.

use veil_model::mysqltype::kind;

use crate::cursor::{Cursor, Malformed, Result};
use crate::mysql::execute::{Given, ParameterType};
use crate::mysql::{frame, value};

/// The flag that says that types follow.
const TYPES: u8 = 128;

/// What stands before each value: that it follows, or that it is NULL.
const FOLLOWS: u8 = 0;
const NULL: u8 = 1;

/// Body of COM_STMT_BULK_EXECUTE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulk<'a> {
    statement: &'a [u8],
    flags: [u8; 2],
    types: Vec<ParameterType>,
    cells: Vec<Cell<'a>>,
}

/// A value of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cell<'a> {
    indicator: u8,
    /// With what delimits it.
    raw: &'a [u8],
    value: Option<&'a [u8]>,
}

impl<'a> Bulk<'a> {
    /// Reads the execution of a statement with so many parameters; `known` are the types that were sent before.
    ///
    /// # Errors
    /// Not the layout of one.
    pub fn decode(body: &'a [u8], parameters: usize, known: &[ParameterType]) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let statement = cursor.take(4)?;
        let flags = [cursor.u8()?, cursor.u8()?];
        let mut types = Vec::new();
        if flags[0] & TYPES == 0 {
            types.extend_from_slice(known);
        } else {
            for _ in 0..parameters {
                types.push((cursor.u8()?, cursor.u8()?));
            }
        }
        if types.len() != parameters || parameters == 0 {
            return Err(Malformed("rows of parameters without types"));
        }
        let mut cells = Vec::new();
        while !cursor.rest().is_empty() {
            for (code, _) in &types {
                let indicator = cursor.u8()?;
                let before = cursor.rest();
                let follows = indicator == FOLLOWS && *code != kind::NULL;
                let value = if follows { Some(value::width(*code)?.take(&mut cursor)?) } else { None };
                let raw = before.get(..before.len() - cursor.rest().len()).unwrap_or_default();
                cells.push(Cell { indicator, raw, value });
            }
        }
        Ok(Self { statement, flags, types, cells })
    }

    /// The types of the parameters.
    #[must_use]
    pub fn types(&self) -> &[ParameterType] {
        &self.types
    }

    /// The values, row by row, with the place of their parameter; `None` for NULL and what else has none.
    pub fn values(&self) -> impl Iterator<Item = (usize, Option<&'a [u8]>)> {
        let parameters = self.types.len();
        self.cells.iter().enumerate().map(move |(at, cell)| (at % parameters, cell.value))
    }

    /// Appends this body with other values, of which those of one parameter are texts or NULL, or as they were sent.
    pub fn write(&self, given: &[Given], out: &mut Vec<u8>) {
        let parameters = self.types.len();
        let text = |at: usize| {
            given.iter().skip(at).step_by(parameters).any(|given| matches!(given, Given::Text(_)))
        };
        out.extend_from_slice(self.statement);
        out.extend([self.flags[0] | TYPES, self.flags[1]]);
        for (at, (code, flags)) in self.types.iter().enumerate() {
            out.extend(if text(at) { [kind::VAR_STRING, 0] } else { [*code, *flags] });
        }
        for (cell, given) in self.cells.iter().zip(given) {
            match given {
                Given::Same => {
                    out.push(cell.indicator);
                    out.extend_from_slice(cell.raw);
                }
                Given::Null => out.push(NULL),
                Given::Text(text) => {
                    out.push(FOLLOWS);
                    frame::put_lenenc_bytes(out, text);
                }
            }
        }
    }
}
