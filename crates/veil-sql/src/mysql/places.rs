//! Where the literals and parameters of a statement stand in its text.
//!
//! The grammar gets other tokens than the text has: some are left out, others are put in. Literals and parameters it gets all, in their
//! order, or else none of them is known by its place.

use std::ops::Range;

use sqlparser::ast::{Expr, UnaryOperator, Value, ValueWithSpan};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use super::head::keyword;
use crate::lineage::{Literal, Spot};

/// The literals and parameters, in order.
#[derive(Default)]
pub(super) struct Places(Vec<Place>);

struct Place {
    token: Token,
    extent: Range<usize>,
    /// A minus stands before it, here.
    minus: Option<usize>,
    /// Of a parameter, from 1.
    number: u32,
    /// Nothing follows that could bind it closer than what stands before it.
    ends: bool,
}

/// Words behind which a condition, or a part of one, has ended.
const ENDS: [&str; 25] = [
    "and",
    "or",
    "group",
    "order",
    "limit",
    "having",
    "for",
    "lock",
    "union",
    "except",
    "intersect",
    "minus",
    "into",
    "on",
    "inner",
    "left",
    "right",
    "join",
    "cross",
    "natural",
    "straight_join",
    "window",
    "returning",
    "set",
    "where",
];

/// The line of the marks, which no token has otherwise.
const MARK: u64 = 1;

fn is_given(token: &Token) -> bool {
    matches!(token, Token::SingleQuotedString(_) | Token::Number(..) | Token::Placeholder(_))
}

impl Places {
    /// Of tokens that stand at these places.
    pub(super) fn of(tokens: &[Token], extents: &[Range<usize>]) -> Self {
        let mut found = Vec::new();
        let mut before: Option<(&Token, &Range<usize>)> = None;
        let mut number = 0;
        for (at, (token, extent)) in tokens.iter().zip(extents).enumerate() {
            if is_given(token) {
                let minus = before.filter(|(token, _)| **token == Token::Minus).map(|(_, at)| at.start);
                number += u32::from(matches!(token, Token::Placeholder(_)));
                let ends = match tokens.get(at + 1) {
                    None | Some(Token::RParen | Token::Comma) => true,
                    Some(next) => ENDS.contains(&keyword(next).as_str()),
                };
                found.push(Place { token: token.clone(), extent: extent.clone(), minus, number, ends });
            }
            before = Some((token, extent));
        }
        Self(found)
    }

    /// Marks tokens by their places.
    pub(super) fn mark(&self, tokens: Vec<Token>) -> Vec<TokenWithSpan> {
        let given = tokens.iter().filter(|token| is_given(token));
        let same = given.eq(self.0.iter().map(|place| &place.token));
        let mut number = 0;
        let marked = tokens.into_iter().map(|token| {
            let mut span = Span::empty();
            if same && is_given(&token) {
                number += 1;
                span = Span::new(Location::new(MARK, number), Location::new(MARK, number));
            }
            TokenWithSpan { token, span }
        });
        marked.collect()
    }

    /// The literal or parameter that a value is, if it ends what it stands in.
    pub(super) fn last(&self, value: &Expr) -> Option<(Spot, Option<Literal>)> {
        let inner = match value {
            Expr::Nested(inner) => inner,
            value => value,
        };
        let plain = match inner {
            Expr::UnaryOp { expr, .. } => expr,
            other => other,
        };
        let Expr::Value(written) = plain else { return None };
        self.place(written).filter(|place| place.ends)?;
        self.spot(inner)
    }

    /// The literal or parameter that a value is.
    pub(super) fn spot(&self, value: &Expr) -> Option<(Spot, Option<Literal>)> {
        let (value, negative) = match value {
            Expr::Value(value) => (value, false),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match expr.as_ref() {
                Expr::Value(value) => (value, true),
                _ => return None,
            },
            _ => return None,
        };
        let place = self.place(value)?;
        match (&value.value, &place.token) {
            (Value::Placeholder(_), Token::Placeholder(_)) if !negative => {
                Some((Spot::Parameter(place.number), None))
            }
            (Value::SingleQuotedString(text), Token::SingleQuotedString(written)) if !negative => {
                // Texts beside each other are one.
                let literal = Literal { end: place.extent.end, value: text.as_str().into(), quoted: true };
                (text == written).then_some((Spot::Literal(place.extent.start), Some(literal)))
            }
            (Value::Number(number, _), Token::Number(written, _)) if number == written => {
                let start = if negative { place.minus? } else { place.extent.start };
                let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                // What is no decimal number is written as one, of which nothing is known.
                let length = place.extent.end - place.extent.start;
                let value = format!("{}{number}", if negative { "-" } else { "" });
                let literal = Literal { end: place.extent.end, value: value.into(), quoted: false };
                (plain && number.len() == length).then_some((Spot::Literal(start), Some(literal)))
            }
            _ => None,
        }
    }

    fn place(&self, value: &ValueWithSpan) -> Option<&Place> {
        let Location { line: MARK, column } = value.span.start else { return None };
        self.0.get(usize::try_from(column).ok()?.checked_sub(1)?)
    }
}
