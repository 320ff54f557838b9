//! `int_perm`: another whole number for each, for keys: no two have one mask, and joins still join.
//!
//! Without a greatest number, those up to 2^31 - 1 are permuted among themselves and greater ones among themselves, so that a key has one
//! mask in `integer` and `bigint` columns. Numbers outside become 0.

use super::{At, Mask};
use crate::ff1::Way;
use crate::kind::Kind;
use crate::number::Number;
use crate::permutation::SMALL;

#[derive(Debug)]
pub(crate) struct IntPerm {
    pub(crate) min: i64,
    /// 0 for the greatest of the type.
    pub(crate) max: i64,
    pub(crate) allow_small_domain: bool,
}

impl Mask for IntPerm {
    fn fits(&self, kind: Kind) -> bool {
        let ranges = self.ranges(kind);
        let values = ranges.first().map_or(0, |(from, to)| to - from + 1);
        let holds = kind.number_max().is_some_and(|max| {
            let max = i128::from(max);
            max >= self.max.into() && -max <= self.min.into()
        });
        holds
            && (values >= i128::try_from(SMALL).unwrap_or(i128::MAX) || self.allow_small_domain && values > 1)
    }

    fn number(&self, at: &At<'_>, number: &Number) -> Option<Number> {
        let whole = number.whole().map(i128::from);
        let exact = match number {
            Number::Int(number) => Some(i128::from(*number)),
            Number::Decimal(_) => whole,
        };
        let ranges = self.ranges(at.kind);
        let found = exact.and_then(|n| {
            ranges.iter().find(|(from, to)| (*from..=*to).contains(&n)).map(|range| (n, range))
        });
        let Some((number, (from, to))) = found else {
            return if at.way == Way::Mask { Number::of(at.kind, 0) } else { None };
        };
        let (size, place) = (u128::try_from(to - from + 1).ok()?, u128::try_from(number - from).ok()?);
        let turned = at.key.permutation().number(at.way, &from.to_be_bytes(), size, place)?;
        Number::of_scaled(at.kind, i128::try_from(turned).ok()? + from, 0)
    }
}

impl IntPerm {
    /// The numbers that are permuted among themselves, in the type.
    fn ranges(&self, kind: Kind) -> Vec<(i128, i128)> {
        let min = i128::from(self.min);
        if self.max != 0 {
            return vec![(min, self.max.into())];
        }
        let int = i128::from(i32::MAX);
        let max = kind.number_max().map_or(0, i128::from).min(i64::MAX.into());
        let ranges = [(min, max.min(int)), ((int + 1).max(min), max)];
        ranges.into_iter().filter(|(from, to)| from <= to).collect()
    }
}
