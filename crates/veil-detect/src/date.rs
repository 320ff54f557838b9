//! Days in the forms that columns of texts have, and whether many of them may be dates of birth.

/// A year, a month, a day.
pub(crate) type Day = (i32, u32, u32);

/// Reads a day, in front of which nothing stands and behind which there may be a time. Where a month cannot be told from a day, either will do.
pub(crate) fn day(text: &str) -> Option<(Day, bool)> {
    let (date, time) = match text.find(['T', ' ']).filter(|at| *at >= 8) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?.trim()),
        None => (text, ""),
    };
    let midnight = time.is_empty() || time.starts_with("00:00:00") || time == "00:00";
    if !time.is_empty() && !time.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    if date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()) {
        let part = |range: std::ops::Range<usize>| date.get(range)?.parse::<i32>().ok();
        let day = (part(0..4)?, u32::try_from(part(4..6)?).ok()?, u32::try_from(part(6..8)?).ok()?);
        return is_day(day).then_some((day, midnight));
    }
    if let Some(day) = spelt(text) {
        return Some((day, true));
    }
    let mark = date.chars().find(|c| !c.is_ascii_digit())?;
    if !"-./".contains(mark) {
        return None;
    }
    let mut parts = date.split(mark);
    let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || [a, b, c].iter().any(|part| !part.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return None;
    }
    let number = |part: &str| part.parse::<u32>().ok();
    let (year, month, day) = if a.len() == 4 {
        (number(a)?, number(b)?, number(c)?)
    } else if a.len() <= 2 && matches!(c.len(), 2 | 4) {
        let (one, two) = (number(a)?, number(b)?);
        let (day, month) = if two > 12 { (two, one) } else { (one, two) };
        let year = number(c)?;
        // Two digits: of this century or the last.
        (
            if c.len() == 4 {
                year
            } else if year < 30 {
                2000 + year
            } else {
                1900 + year
            },
            month,
            day,
        )
    } else {
        return None;
    };
    let day = (i32::try_from(year).ok()?, month, day);
    is_day(day).then_some((day, midnight))
}

/// `23 Nov 1987`, `November 23, 1987`.
fn spelt(text: &str) -> Option<Day> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    if text.len() > 20 || !text.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let (mut year, mut month, mut day) = (None, None, None);
    for word in text.split([' ', ',', '-', '.']).filter(|word| !word.is_empty()) {
        let lower = word.to_ascii_lowercase();
        match word.parse::<u32>() {
            Ok(number) if word.len() == 4 && year.is_none() => year = i32::try_from(number).ok(),
            Ok(number) if day.is_none() => day = Some(number),
            Err(_) if month.is_none() && word.len() <= 9 => {
                let at = MONTHS.iter().position(|name| lower.starts_with(name))?;
                month = u32::try_from(at + 1).ok();
            }
            _ => return None,
        }
    }
    Some((year?, month?, day?)).filter(|day| is_day(*day))
}

fn is_day((year, month, day): Day) -> bool {
    (1800..=2200).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
}

/// How much the years and days say for dates of birth, in log-odds, besides their being dates.
pub(crate) fn births(days: &[Day], this_year: i32) -> f64 {
    let mut years: Vec<i32> = days.iter().map(|(year, ..)| *year).collect();
    years.sort_unstable();
    let of = |share: usize| years.get((years.len().saturating_sub(1)) * share / 100).copied().unwrap_or(0);
    let (early, late) = (of(5), of(95));
    let living = early >= this_year - 105 && late < this_year;
    let firsts = days.iter().filter(|(_, month, day)| (*month, *day) == (1, 1)).count();
    let spread = late - early;
    if !living || days.len() < 8 {
        return if late > this_year { -4.0 } else { -1.0 };
    }
    let adults = of(50) <= this_year - 18;
    match spread {
        _ if firsts * 4 > days.len() => -2.0,
        ..8 => -2.0,
        8..=24 if adults => 0.5,
        8..=24 => -1.0,
        _ if late <= this_year - 12 && early >= this_year - 102 => 4.5,
        _ if adults => 1.5,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_in_many_forms() {
        for text in [
            "1984-03-09",
            "09.03.1984",
            "9/3/1984",
            "1984/03/09",
            "19840309",
            "1984-03-09 00:00:00+00",
            "09-03-84",
        ] {
            assert_eq!(day(text), Some(((1984, 3, 9), true)), "{text}");
        }
        assert_eq!(day("1984-03-09T12:00:00Z").map(|(_, midnight)| midnight), Some(false));
        for text in ["1984-13-09", "1.2.3", "1984-03", "x", "1984-03-09-1", "12:30:00"] {
            assert_eq!(day(text), None, "{text}");
        }
    }
}
