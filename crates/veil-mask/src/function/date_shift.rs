//! `date_shift`: moves a date by keyed days, never zero.
//!
//! The shift depends on the calendar date, in UTC where a zone is known: equal dates stay equal and a timestamp
//! keeps its time of day and its zone as written. Intervals between dates do not survive, unless the shift is that of a subject. Dates stay within the
//! years 1 to 9999; what is outside them, infinities and text that is not ISO become NULL.

use super::{At, Mask, Moved, written_moment};
use crate::date::{DAY_MAX, DAY_MICROS, DAY_MIN, Iso};

/// By so many days at most.
#[derive(Debug)]
pub(crate) struct DateShift {
    pub(crate) days: u32,
    /// All dates of one subject move alike.
    pub(crate) by: bool,
}

impl Mask for DateShift {
    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        written_moment(self, at, &Iso::parse(text)?, out)
    }

    /// Away from the end of the calendar if it would leave it.
    fn moment(&self, at: &At<'_>, micros: i64) -> Option<Moved> {
        let calendar = DAY_MIN..=DAY_MAX;
        let day = micros.div_euclid(DAY_MICROS);
        if !calendar.contains(&day) {
            return None;
        }
        let prf = match (self.by, at.subject) {
            (false, _) => at.key.prf().bytes(&day.to_be_bytes()),
            (true, Some(subject)) => at.key.prf().bytes(b"of|").bytes(subject.as_bytes()),
            (true, None) => return None,
        };
        let drawn = prf.draws().below(2 * u64::from(self.days));
        let centred = i64::try_from(drawn).ok()? - i64::from(self.days);
        let shift = if centred >= 0 { centred + 1 } else { centred };
        Some(Moved::Days(if calendar.contains(&(day + shift)) { shift } else { -shift }))
    }
}
