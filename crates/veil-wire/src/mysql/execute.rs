//! The values that COM_STMT_EXECUTE gives to parameters.

use veil_model::mysqltype::kind;

use crate::cursor::{Cursor, Malformed, Result};
use crate::mysql::capability as cap;
use crate::mysql::{frame, value};

/// The flag that says that the number of parameters follows, and that their types have names.
const COUNT_AVAILABLE: u8 = 8;

/// The type of a parameter: its code and its flags.
pub type ParameterType = (u8, u8);

/// Body of COM_STMT_EXECUTE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execute<'a> {
    /// Statement, flags, iterations.
    head: &'a [u8],
    named: bool,
    types: Vec<ParameterType>,
    names: Vec<&'a [u8]>,
    /// With what delimits them; `None` for NULL.
    raw: Vec<Option<&'a [u8]>>,
    values: Vec<Option<&'a [u8]>>,
}

/// A value that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// As the client has sent it.
    Same,
    /// NULL.
    Null,
    /// This text, in the client's character set.
    Text(Vec<u8>),
}

impl<'a> Execute<'a> {
    /// Reads the execution of a statement with so many parameters; `known` are the types that were sent before.
    ///
    /// # Errors
    /// Not the layout of one.
    pub fn decode(
        body: &'a [u8],
        parameters: usize,
        known: &[ParameterType],
        capabilities: u64,
    ) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let head = cursor.take(9)?;
        let flags = head.get(4).copied().unwrap_or_default();
        let named = capabilities & cap::QUERY_ATTRIBUTES != 0 && flags & COUNT_AVAILABLE != 0;
        let count = match named {
            true => usize::try_from(cursor.lenenc()?).map_err(|_| Malformed("impossible count"))?,
            false => parameters,
        };
        if count < parameters {
            return Err(Malformed("fewer parameters than the statement has"));
        }
        let nulls = cursor.take(count.div_ceil(8))?;
        let (mut types, mut names) = (Vec::new(), Vec::new());
        if cursor.u8()? == 1 {
            for _ in 0..count {
                types.push((cursor.u8()?, cursor.u8()?));
                names.push(if named { cursor.lenenc_bytes()? } else { &[] });
            }
        } else {
            types.extend(known.iter().take(count));
            names.resize(types.len(), &[][..]);
        }
        if types.len() != count {
            return Err(Malformed("parameters without types"));
        }
        let (mut raw, mut values) = (Vec::new(), Vec::new());
        for (at, (code, _)) in types.iter().enumerate() {
            let null = nulls.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1) || *code == kind::NULL;
            let before = cursor.rest();
            let value = if null { None } else { Some(value::width(*code)?.take(&mut cursor)?) };
            values.push(value);
            let length = before.len() - cursor.rest().len();
            raw.push(value.and_then(|_| before.get(..length)));
        }
        cursor.end()?;
        Ok(Self { head, named, types, names, raw, values })
    }

    /// The types of the parameters.
    #[must_use]
    pub fn types(&self) -> &[ParameterType] {
        &self.types
    }

    /// The values, without what delimits them; `None` for NULL.
    #[must_use]
    pub fn values(&self) -> &[Option<&'a [u8]>] {
        &self.values
    }

    /// Appends this body with other values, and the types of all of them.
    pub fn write(&self, given: &[Given], out: &mut Vec<u8>) {
        out.extend_from_slice(self.head);
        if self.named {
            frame::put_lenenc(out, u64::try_from(self.types.len()).unwrap_or_default());
        }
        let null = |at: usize| match given.get(at) {
            Some(Given::Null) => true,
            Some(Given::Text(_)) => false,
            Some(Given::Same) | None => self.raw.get(at).is_some_and(Option::is_none),
        };
        let mut nulls = vec![0_u8; self.types.len().div_ceil(8)];
        for at in (0..self.types.len()).filter(|at| null(*at)) {
            if let Some(byte) = nulls.get_mut(at / 8) {
                *byte |= 1 << (at % 8);
            }
        }
        out.extend(nulls);
        out.push(1);
        for (at, ((code, flags), name)) in self.types.iter().zip(&self.names).enumerate() {
            let text = matches!(given.get(at), Some(Given::Text(_)));
            out.extend(if text { [kind::VAR_STRING, 0] } else { [*code, *flags] });
            if self.named {
                frame::put_lenenc_bytes(out, name);
            }
        }
        for (at, raw) in self.raw.iter().enumerate() {
            match given.get(at) {
                Some(Given::Text(text)) => frame::put_lenenc_bytes(out, text),
                Some(Given::Null) => {}
                Some(Given::Same) | None => out.extend_from_slice(raw.unwrap_or_default()),
            }
        }
    }
}
