//! The names that a statement gives to what its queries show.

use sqlparser::ast::{Expr, Function, FunctionArguments, Ident, Query, SelectItem, SetExpr};

use super::Asked;
use super::names::{ANY, first, named, rows, star};
use crate::mysql::statement::Named;

impl Asked<'_> {
    /// The names of a union are those of its first arm, and stand for all arms; those of written rows are the server's choice.
    pub(super) fn arms(&mut self, body: &SetExpr) {
        let first = match first(body) {
            Some(SetExpr::Select(select)) if matches!(body, SetExpr::SetOperation { .. }) => {
                select.projection.iter().map(shown_as).collect()
            }
            Some(SetExpr::Values(values)) => {
                vec![Some(ANY.to_owned()); values.rows.first().map_or(0, |row| row.content.len())]
            }
            _ => return,
        };
        self.give(first, body);
    }

    /// Gives names to the columns of queries, by their places, or all to all if these cannot be told.
    fn give(&mut self, names: Vec<Option<String>>, body: &SetExpr) {
        let mut places: Vec<Named> = Vec::new();
        let mut plain = true;
        rows(body, &mut |values| {
            plain &= values.len() == names.len();
            places.resize_with(places.len().max(values.len()), Named::default);
            for (value, place) in values.iter().zip(&mut places) {
                let named = value.map_or_else(star, named);
                plain &= value.is_some();
                place.columns += named.columns;
                place.constant |= named.constant;
                place.computed |= named.computed;
                place.many |= named.many;
                place.names.extend(named.names);
            }
        });
        if plain {
            let pairs = names.into_iter().zip(places);
            self.facts.given.extend(pairs.filter_map(|(name, place)| Some((vec![name?], place))));
            return;
        }
        let mut inside = star();
        for place in places {
            inside.columns += place.columns;
            inside.constant |= place.constant;
            inside.many |= place.many;
            inside.names.extend(place.names);
        }
        self.facts.given.push((names.into_iter().flatten().collect(), inside));
    }

    /// Names that a list gives to the columns of a query.
    pub(super) fn renamed<'n>(&mut self, columns: impl Iterator<Item = &'n Ident>, query: &Query) {
        let names: Vec<_> = columns.map(|name| Some(given_name(name))).collect();
        if !names.is_empty() {
            self.give(names, &query.body);
        }
    }
}

/// The name that an item has in a result, in lower case; `None` for one that is written with more than letters and figures.
fn shown_as(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(given_name(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(given_name(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(given_name),
        SelectItem::UnnamedExpr(
            Expr::BinaryOp { .. }
            | Expr::Case { .. }
            | Expr::Subquery(_)
            | Expr::Exists { .. }
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::Function(Function { args: FunctionArguments::List(_), .. }),
        ) => None,
        // Of literals and words, servers make names in ways of their own.
        _ => Some(ANY.to_owned()),
    }
}

/// A name that the statement gives, in lower case; any, where servers trim or cut it.
pub(super) fn given_name(name: &Ident) -> String {
    let starts =
        name.value.chars().next().is_some_and(|first| first.is_ascii_graphic() || first.is_alphanumeric());
    let kept = starts && name.value.len() <= NAME_MAX && !name.value.contains('\0');
    if kept { name.value.to_lowercase() } else { ANY.to_owned() }
}

/// Longer names are cut by some servers.
const NAME_MAX: usize = 64;
