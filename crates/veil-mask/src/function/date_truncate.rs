//! `date_truncate`: the first day of the month, quarter or years that a date lies in. Times are midnight, in UTC where a zone is known.
//!
//! Not keyed. Bands of several years begin with years that the number divides, so that 1985 stands for 1985 to 1989 in bands of five.

use super::{At, Mask, Moved, fitted, written_moment};
use crate::date::{DAY_MICROS, Iso, date_of, day_of};

#[derive(Debug)]
pub(crate) struct DateTruncate {
    pub(crate) unit: Unit,
    /// So many years together.
    pub(crate) years: i64,
    /// Earlier years are shown as this one.
    pub(crate) oldest: i64,
}

/// To what dates are cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unit {
    Month,
    Quarter,
    Year,
}

choice!(Unit, "month" => Month, "quarter" => Quarter, "year" => Year);

impl Mask for DateTruncate {
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let start = out.len();
        written_moment(self, at, &Iso::parse(text)?, out)?;
        fitted(at, start, out)
    }

    fn moment(&self, _at: &At<'_>, micros: i64) -> Option<Moved> {
        let (year, month, _) = date_of(micros.div_euclid(DAY_MICROS))?;
        let (year, month) = match self.unit {
            _ if year < self.oldest => (self.oldest, 1),
            Unit::Month => (year, month),
            Unit::Quarter => (year, (month - 1) / 3 * 3 + 1),
            Unit::Year => ((year / self.years * self.years).max(self.oldest).max(1), 1),
        };
        Some(Moved::To(day_of(year, month, 1)? * DAY_MICROS))
    }
}
