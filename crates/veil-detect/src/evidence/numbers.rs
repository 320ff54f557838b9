//! Numbers with a check inside, numbers of which only the name can tell what they are, plates and telephones.

use super::{NEVER, Weights, checked, form, ratio};
use crate::cell::Cell;
use crate::class::Class;
use crate::column::{Column, Kind};
use crate::phone::{self, Numbers};
use crate::{forms, national};

/// Digits, with a check inside.
pub(super) fn numbers(cells: &[Cell<'_>], weights: &mut Weights) {
    let of = cells.len();
    let tally = |alike: &dyn Fn(&Cell<'_>) -> bool, valid: &dyn Fn(&[u8]) -> bool| {
        let like = cells.iter().filter(|cell| alike(cell));
        let (mut alike, mut good) = (0, 0);
        for cell in like {
            alike += 1;
            good += usize::from(valid(cell.compact()));
        }
        (alike, good)
    };
    let plain = |cell: &Cell<'_>| cell.letters() + cell.wide == 0 && forms::is_grouped(cell.text);
    let (alike, valid) = tally(
        &|cell| (13..=19).contains(&cell.digits) && plain(cell) && forms::is_issued(cell.compact()),
        &forms::is_card,
    );
    weights.set(Class::CreditCard, checked(alike, valid, of, 0.0, 0.1), valid);
    let as_many = |from: usize, to: usize| {
        cells
            .iter()
            .filter(|cell| (from..=to).contains(&cell.digits) && cell.letters() + cell.wide == 0)
            .count()
    };
    // Numbers that only look so: the name has to say it.
    let look = |count: usize| if ratio(count, of) > 0.75 { -1.5 } else { NEVER };
    weights.at_least(Class::CreditCard, look(as_many(12, 19)), as_many(12, 19));
    let (alike, valid) = tally(&|cell| cell.digits == 15 && cell.letters() == 0, &forms::is_imei);
    weights.set(Class::Imei, checked(alike, valid, of, -0.5, 0.04), valid);
    weights.at_least(Class::Imei, look(as_many(14, 17)), as_many(14, 17));
    let (alike, valid) = tally(&|cell| cell.digits == 9 && cell.is_digits(), &forms::is_routing);
    weights.set(Class::RoutingNumber, checked(alike, valid, of, -1.0, 0.05), valid);
    let dashed = |cell: &Cell<'_>| cell.is_like(&["999-99-9999", "999 99 9999"]);
    let (alike, valid) = tally(&dashed, &national::is_ssn);
    let (bare, good) = tally(&|cell| cell.digits == 9 && cell.is_digits(), &national::is_ssn);
    let score = checked(alike, valid, of, 5.0, 0.8).max(checked(bare, good, of, -0.5, 0.85));
    weights.set(Class::Ssn, score, valid.max(good));
    let mut best = (NEVER, 0, None);
    for scheme in national::SCHEMES {
        let (alike, valid) = tally(&|cell| scheme.is_like(cell), &|compact| scheme.is_valid(compact));
        if alike > 0 {
            let score = checked(alike, valid, of, scheme.form, scheme.chance);
            let is_valid = ratio(valid, alike) > 0.5;
            if score > best.0 {
                best = (score, valid, is_valid.then_some(scheme.name));
            }
        }
    }
    // It may be one of a country whose form is not known.
    let like_an_id = cells
        .iter()
        .filter(|cell| (6..=20).contains(&cell.length()) && cell.digits >= 4 && cell.wide == 0)
        .count();
    let unknown = if ratio(like_an_id, of) > 0.75 { -0.8 } else { NEVER };
    if best.0 < unknown {
        weights.set(Class::NationalId, unknown, like_an_id)
    } else {
        weights.set(Class::NationalId, best.0, best.1)
    }
    weights.scheme = best.2;
    // Forms that anything may have: the name has to say so.
    let ids: [(Class, std::ops::RangeInclusive<usize>, usize); 4] = [
        (Class::Passport, 6..=12, 1),
        (Class::DriverLicence, 5..=20, 4),
        (Class::BankAccount, 7..=34, 6),
        (Class::MedicalRecord, 2..=24, 1),
    ];
    for class in [Class::DriverLicence, Class::BankAccount, Class::MedicalRecord] {
        weights.only(class, NEVER);
    }
    for (class, lengths, digits) in ids {
        let alike = cells
            .iter()
            .filter(|cell| lengths.contains(&cell.length()) && cell.digits >= digits && cell.spaces <= 5)
            .count();
        weights.at_least(
            class,
            if ratio(alike, of) >= 0.7 { 0.0 } else { NEVER + 6.0 * ratio(alike, of) },
            alike,
        );
    }
    let polish = |cell: &Cell<'_>| {
        std::str::from_utf8(cell.compact())
            .is_ok_and(|digits| veil_model::check::is_iban(&format!("PL{digits}")))
    };
    let accounts = cells.iter().filter(|cell| cell.digits == 26 && polish(cell)).count();
    weights.at_least(Class::BankAccount, form(accounts, of, 7.0), accounts);
    let records = cells.iter().filter(|cell| cell.text.starts_with("MRN")).count();
    weights.at_least(Class::MedicalRecord, form(records, of, 5.0), records);
    plates(cells, weights);
    let alike = cells
        .iter()
        .filter(|cell| {
            cell.text.trim_start_matches(['$', '€', '£']).parse::<f64>().is_ok_and(|amount| amount >= 1.0)
                || (cell.digits >= 2 && cell.letters() <= 4)
        })
        .count();
    weights.set(Class::Salary, if ratio(alike, of) > 0.7 { 0.0 } else { NEVER }, alike);
}

/// Plates: capitals and digits in groups, in few forms.
fn plates(cells: &[Cell<'_>], weights: &mut Weights) {
    const LAYOUTS: &[&str] = &[
        "AA99 AAA",
        "AA99AAA",
        "AA-999-AA",
        "AA 999 AA",
        "AA999AA",
        "9999 AAA",
        "9999AAA",
        "9999-AAA",
        "AAA9A99",
        "AAA-9999",
        "AAA-9A99",
        "99-AAA-9",
        "9-AAA-99",
        "AA-99-99",
        "99-99-AA",
        "99-AA-99",
        "AA-999-A",
        "A-999-AA",
        "AAA 999",
        "AAA 99A",
        "99 AA 999",
        "99 AAA 99",
        "99 A 9999",
        "99 AA 9999",
        "99 AAA 999",
        "AA 99999",
        "AA 9999A",
        "AAA 9999",
        "AA99 AA 9999",
        "AA 99 AA 9999",
        "AA99AA9999",
        "AA-99-AA-9999",
        "99AA999",
        "99AAA99",
        "AA 9999 AA",
        "AA-99-AAA",
        "A-99-AAA",
        "AAA99A",
        "AAA 99",
        "AA9999A",
        "AAA9999A",
        "A99 AAA",
        "A999 AAA",
        "AA 99 AAA",
        "AA99 AAA",
        "AA 99 A 9999",
        "99 A 999",
    ];
    let german = |text: &str| {
        let (district, rest) = text.split_once(['-', ' ']).unwrap_or_default();
        let (letters, number) = rest.split_once([' ', '-']).unwrap_or_default();
        (1..=3).contains(&district.chars().count())
            && district.chars().all(char::is_uppercase)
            && (1..=2).contains(&letters.len())
            && letters.bytes().all(|byte| byte.is_ascii_uppercase())
            && (1..=4).contains(&number.trim_end_matches(['E', 'H']).len())
            && number.trim_end_matches(['E', 'H']).bytes().all(|byte| byte.is_ascii_digit())
    };
    let polish = |cell: &Cell<'_>| {
        let (district, rest) = cell.text.split_once(' ').unwrap_or_default();
        (2..=3).contains(&district.len())
            && rest.len() == 5
            && cell.lower == 0
            && rest.bytes().filter(u8::is_ascii_digit).count() >= 2
    };
    let kanji = |text: &str| {
        text.chars().filter(char::is_ascii_digit).count() >= 3
            && (1..=6).contains(&text.chars().filter(|c| *c > '\u{3000}').count())
            && text.chars().count() < 16
    };
    let alike = cells
        .iter()
        .filter(|cell| {
            cell.lower == 0
                && cell.digits > 0
                && (cell.is_like(LAYOUTS) || german(cell.text) || polish(cell) || kanji(cell.text))
        })
        .count();
    let any = cells
        .iter()
        .filter(|cell| {
            (3..=13).contains(&cell.text.chars().count())
                && cell.digits > 0
                && cell.digits < cell.length()
                && cell.lower == 0
        })
        .count();
    if ratio(alike, cells.len()) > 0.6 {
        weights.set(Class::LicencePlate, form(alike, cells.len(), 2.6).max(0.0), alike);
    } else {
        weights.set(Class::LicencePlate, if ratio(any, cells.len()) > 0.7 { 0.0 } else { NEVER }, any);
    }
}

pub(super) fn phones(values: &[&str], column: &Column<'_>, weights: &mut Weights) {
    let candidates = values.iter().filter(|text| phone::is_alike(text)).count();
    let of = values.len();
    if ratio(candidates, of) < 0.4 {
        weights.set(Class::Phone, NEVER + 6.0 * ratio(candidates, of), candidates);
        return;
    }
    let numbers = Numbers::of(values);
    let abroad = ratio(numbers.international, numbers.alike);
    let whole =
        if column.kind == Kind::Integer || numbers.marked < 0.2 { Numbers::with_codes(values) } else { 0.0 };
    if whole > 0.85 {
        weights.set(Class::Phone, form(numbers.alike, of, 2.5), numbers.alike);
        return;
    }
    let score = if abroad > 0.25 {
        5.0 + 4.0 * abroad.min(1.0)
    } else {
        let plan = if numbers.national > 0.8 {
            1.5
        } else if numbers.national > 0.5 {
            0.3
        } else {
            -1.0
        };
        plan + 3.5 * (numbers.marked - 0.35) * numbers.national
            + if column.kind == Kind::Integer { -1.0 } else { 0.0 }
    };
    weights.set(Class::Phone, form(numbers.alike, of, score), numbers.alike);
}
