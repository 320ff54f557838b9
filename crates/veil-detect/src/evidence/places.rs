//! Where people are, and when they were born.

use super::{NEVER, Weights, form, odds, ratio};
use crate::cell::Cell;
use crate::class::Class;
use crate::column::Column;
use crate::words::Words;
use crate::{date, list};

pub(super) fn places(cells: &[Cell<'_>], words: &Words, weights: &mut Weights) {
    let of = cells.len();
    let (mut streets, mut like, mut cities, mut worded, mut things) = (0, 0, 0, 0, 0);
    for cell in cells {
        let text = cell.text;
        let small = text
            .split(' ')
            .filter(|word| word.len() > 1 && word.starts_with(|c: char| c.is_lowercase()))
            .count();
        if cell.letters() + cell.wide > 1
            && text.len() <= 200
            && small < 5
            && !text.contains(['@', '=', '{', '_'])
        {
            let folded = list::folded(text);
            let (street, number) = crate::places::street(&folded, words);
            streets += usize::from(street);
            like += usize::from(street || number);
            if cell.digits == 0 && text.len() <= 40 {
                worded += 1;
                things += usize::from(words.is_thing(&folded));
                cities += usize::from(crate::places::is_city(&folded));
            }
        }
    }
    let street = odds(streets, of, 0.7, 0.06).clamp(-4.0, 8.0);
    let score = if ratio(like, of) < 0.5 { NEVER + 6.0 * ratio(like, of) } else { street.max(-1.0) };
    weights.set(Class::Address, score, streets.max(like));
    let score =
        if ratio(worded, of) < 0.6 { NEVER } else { odds(cities, worded, 0.75, 0.12).clamp(-2.0, 6.0) - 1.2 };
    weights.set(Class::City, score + if ratio(things, of) > 0.4 { -6.0 } else { 0.0 }, cities);
    let (codes, weight) = crate::places::postcodes(cells);
    weights.set(Class::Postcode, form(codes, of, weight), codes);
}

pub(super) fn days(values: &[&str], column: &Column<'_>, weights: &mut Weights) {
    let read: Vec<_> = values.iter().filter_map(|text| date::day(text)).collect();
    let of = values.len();
    let midnights = read.iter().filter(|(_, midnight)| *midnight).count();
    let days: Vec<date::Day> = read.iter().map(|(day, _)| *day).collect();
    let timed = if ratio(midnights, read.len()) < 0.9 { -5.0 } else { 0.0 };
    weights.set(
        Class::DateOfBirth,
        form(days.len(), of, date::births(&days, column.year)) + timed,
        days.len(),
    );
    if ratio(days.len(), of) > 0.8 {
        weights.only(Class::Phone, NEVER);
        weights.only(Class::NationalId, NEVER);
    }
}

/// Latitudes or longitudes, by their digits behind the point.
pub(super) fn coordinates(cells: &[Cell<'_>], weights: &mut Weights) {
    let of = cells.len();
    let fine = |cell: &&Cell<'_>| {
        let fraction = cell.text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let number = cell.text.parse::<f64>().ok();
        number.is_some_and(|number| number.abs() <= 180.0) && fraction >= 4
    };
    let coarse = cells
        .iter()
        .filter(|cell| cell.text.parse::<f64>().is_ok_and(|number| number.abs() <= 180.0))
        .count();
    let alike = cells.iter().filter(fine).count();
    let large =
        cells.iter().filter(|cell| cell.text.parse::<f64>().is_ok_and(|number| number.abs() > 1.0)).count();
    let score = if ratio(alike, of) > 0.75 && ratio(large, of) > 0.6 {
        1.6
    } else if ratio(coarse, of) > 0.9 {
        -0.5
    } else {
        NEVER
    };
    weights.set(Class::Geo, score, alike.max(coarse));
    let amounts =
        cells.iter().filter(|cell| cell.text.parse::<f64>().is_ok_and(|amount| amount > 0.0)).count();
    weights.only(Class::Salary, if ratio(amounts, of) > 0.7 { 0.0 } else { NEVER });
}

/// `48.137, 11.575`, perhaps in parentheses.
pub(super) fn is_pair(text: &str) -> bool {
    let bare = text.trim_start_matches("POINT").trim_matches(['(', ')', '[', ']', ' ']);
    let Some((a, b)) = bare.split_once([',', ' ', ';']) else { return false };
    let degrees = |text: &str| {
        text.trim().parse::<f64>().ok().filter(|number| number.abs() <= 180.0 && text.contains('.'))
    };
    degrees(a).is_some() && degrees(b).is_some()
}
