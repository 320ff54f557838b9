//! The other cells of a row, as texts: conditions and masks may depend on them. A value has one text, whatever server and format
//! it comes by.

use veil_model::{Format, MySqlType, PgType};

use crate::fixed::write_uuid;
use crate::kind::Kind;
use crate::mysql::{Form, form_of};
use crate::number::Number;

/// How the cells of a column are read.
#[derive(Clone, Copy, Debug)]
pub struct Other {
    kind: Kind,
    form: Option<Form>,
}

impl Other {
    /// Of a column of PostgreSQL; `None` if its cells have no such text.
    #[must_use]
    pub fn of(ty: PgType) -> Option<Self> {
        let kind = Kind::of(ty)?;
        let told = matches!(
            kind,
            Kind::Text(_)
                | Kind::Padded(_)
                | Kind::Bool
                | Kind::Int2
                | Kind::Int4
                | Kind::Int8
                | Kind::Numeric(_)
                | Kind::Uuid
        );
        told.then_some(Self { kind, form: None })
    }

    /// The same of MySQL.
    #[must_use]
    pub fn of_mysql(ty: &MySqlType<'_>) -> Option<Self> {
        let (kind, form) = form_of(ty)?;
        let told = matches!(form, Form::Text(_) | Form::Digits | Form::Int { .. });
        told.then_some(Self { kind, form: Some(form) })
    }

    /// The text of a cell; `None` if it has none.
    #[must_use]
    pub fn text(&self, format: Format, cell: &[u8]) -> Option<String> {
        if let Some(form) = self.form {
            return form.text(format, cell);
        }
        let mut out = Vec::new();
        match (self.kind, format) {
            (Kind::Bool, _) => match cell {
                b"t" | [1] => out.extend(b"true"),
                b"f" | [0] => out.extend(b"false"),
                _ => return None,
            },
            (Kind::Padded(_), _) => out.extend(cell.trim_ascii_end()),
            (Kind::Text(_), _) | (_, Format::Text) => out.extend(cell),
            (Kind::Uuid, Format::Binary) => write_uuid(&cell.try_into().ok()?, &mut out),
            (kind, Format::Binary) => {
                Number::read(kind, format, cell)?.write(kind, Format::Text, &mut out)?
            }
        }
        String::from_utf8(out).ok()
    }
}
