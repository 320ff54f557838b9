//! Times as RFC 3339 writes them, in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use veil_model::calendar::{date_of, day_of};

/// From 1970-01-01 to 2000-01-01.
const DAYS_TO_2000: i64 = 10_957;

/// `2026-12-31T23:59:59.123Z`.
#[must_use]
pub fn write(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let days = i64::try_from(days).unwrap_or(i64::MAX);
    let (year, month, day) = date_of(days.saturating_sub(DAYS_TO_2000)).unwrap_or((9999, 12, 31));
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let (second, millis) = (second % 60, since.subsec_millis());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Reads a time: a day, or with hours, minutes, seconds and parts of these, and `Z`.
#[must_use]
pub fn read(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
    let number = |text: Option<&str>| -> Option<i64> {
        let text = text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))?;
        text.parse().ok()
    };
    let mut parts = date.split('-');
    let (year, month, day) = (number(parts.next())?, number(parts.next())?, number(parts.next())?);
    let (time, rest) = time.strip_suffix('Z')?.split_once('.').unwrap_or((time.strip_suffix('Z')?, "0"));
    let mut clock = time.split(':');
    let (hour, minute, second) = (number(clock.next())?, number(clock.next())?, number(clock.next())?);
    let fits = hour < 24 && minute < 60 && second < 60 && parts.next().is_none() && clock.next().is_none();
    let days = day_of(year, month, day).filter(|_| fits)?;
    let seconds = (days + DAYS_TO_2000) * 86_400 + hour * 3600 + minute * 60 + second;
    let millis: u64 = format!("{rest:0<3}").get(..3)?.parse().ok()?;
    Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?) + Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_798_761_599_001, "2026-12-31T23:59:59.001Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_millis(millis);
            assert_eq!(write(time), text);
            assert_eq!(read(text), Some(time));
        }
        assert_eq!(read("2000-02-29"), read("2000-02-29T00:00:00Z"));
        for wrong in ["", "2000", "2000-02-30", "2000-02-29T24:00:00Z", "2000-02-29T00:00:00", "x-y-z"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
