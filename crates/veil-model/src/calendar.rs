//! Days, and the dates that they have in the Gregorian calendar.

/// 0001-01-01, in days since 2000-01-01.
pub const DAY_MIN: i64 = -730_119;
/// 9999-12-31.
pub const DAY_MAX: i64 = 2_921_939;

/// The day of a date since 2000-01-01; `None` if there is no such date. It is counted in years that begin in March so that the leap day comes last.
#[must_use]
pub fn day_of(year: i64, month: i64, day: i64) -> Option<i64> {
    if year < 1 || !(1..=12).contains(&month) || day < 1 {
        return None;
    }
    let year_from_march = year - i64::from(month < 3);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year_from_march + year_from_march / 4 - year_from_march / 100
        + year_from_march / 400
        + day_of_year
        - 730_425;
    // A day that the month does not have comes back as another date.
    (date_of(days)? == (year, month, day)).then_some(days)
}

/// Year, month and day of a day since 2000-01-01; `None` outside the years 1 to 9999. By the inverse of `day_of` over eras of 400 years.
#[must_use]
pub fn date_of(day: i64) -> Option<(i64, i64, i64)> {
    if !(DAY_MIN..=DAY_MAX).contains(&day) {
        return None;
    }
    let days = day + 730_425;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    Some((era * 400 + year_of_era + i64::from(month < 3), month, day))
}
