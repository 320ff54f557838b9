//! Why a value is closed.

use veil_sql::mysql::query::Expr;

use super::{Around, Resolver};

impl<'a> Resolver<'a, '_> {
    /// The names in a closed value that are not clean.
    pub(super) fn because(&self, expr: &Expr, around: &Around<'a, '_>, names: &mut Vec<String>) {
        match expr {
            Expr::Column(parts) if !self.column(parts, around).flow.is_clean() => {
                let name = parts.join(".");
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            Expr::Call(function) if !self.is_clean(expr, around) => {
                names.push(format!("{}()", function.name))
            }
            Expr::From(parts) => parts.iter().for_each(|part| self.because(part, around, names)),
            Expr::Chosen { among, by } => {
                among.iter().chain(by).for_each(|part| self.because(part, around, names));
            }
            Expr::Named(name) if !self.is_clean(expr, around) => names.push(name.clone()),
            Expr::Nullness(inner) | Expr::Aggregate(inner) if !self.is_clean(expr, around) => {
                self.because(inner, around, names);
            }
            Expr::Column(_)
            | Expr::Named(_)
            | Expr::Nullness(_)
            | Expr::Aggregate(_)
            | Expr::Call(_)
            | Expr::Free
            | Expr::Literal
            | Expr::Default(_)
            | Expr::Windows
            | Expr::Query(_)
            | Expr::Unknown => {}
        }
    }
}
