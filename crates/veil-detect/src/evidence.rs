//! How much the values of a column speak for each class, in log-odds.
//!
//! A form that anything may have says little; what passes a check that few look-alikes pass says much, and more the more values pass it. What most values
//! do not have the form of is not it. The sum is bounded, since the values of a column are made alike.

use std::collections::HashSet;

use crate::cell::Cell;
use crate::class::Class;
use crate::column::{Column, Key, Kind};
use crate::finding::Evidence;
use crate::person::{self, Name};
use crate::phone::{self, Numbers};
use crate::places;
use crate::words::{Set, Words};
use crate::{date, forms, list, national};

/// Distinct values that count; more of them are alike.
const COUNTED_MAX: f64 = 20.0;

/// What a check can say at most, for and against: real data have bad numbers.
const CHECK_MAX: f64 = 7.0;
const CHECK_MIN: f64 = -2.5;

/// For values that are none of a class.
pub(crate) const NEVER: f64 = -8.0;

/// What values say.
#[derive(Debug)]
pub(crate) struct Weights {
    /// By class.
    scores: Vec<f64>,
    /// For none of them.
    pub(crate) none: f64,
    pub(crate) scheme: Option<&'static str>,
    matching: Vec<Option<usize>>,
    pub(crate) of: usize,
    /// Whether values are digests.
    pub(crate) is_digest: bool,
}

impl Weights {
    pub(crate) fn score(&self, class: Class) -> f64 {
        self.scores.get(class as usize).copied().unwrap_or(NEVER)
    }

    pub(crate) fn matching(&self, class: Class) -> Option<Evidence> {
        let matching = self.matching.get(class as usize).copied().flatten()?;
        Some(Evidence::Values { matching, of: self.of })
    }

    pub(crate) fn share(&self, class: Class) -> f64 {
        self.matching.get(class as usize).copied().flatten().map_or(1.0, |matching| ratio(matching, self.of))
    }

    fn set(&mut self, class: Class, score: f64, matching: usize) {
        if let (Some(known), Some(count)) = (self.scores.get_mut(class as usize), self.matching.get_mut(class as usize)) {
            (*known, *count) = (score, Some(matching));
        }
    }

    fn at_least(&mut self, class: Class, score: f64, matching: usize) {
        if score > self.score(class) {
            self.set(class, score, matching);
        }
    }

    /// Without a count: what does not speak for it.
    fn only(&mut self, class: Class, score: f64) {
        if let Some(known) = self.scores.get_mut(class as usize) {
            *known = score;
        }
    }
}

pub(crate) fn ratio(part: usize, of: usize) -> f64 {
    let float = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if of == 0 { 0.0 } else { float(part) / float(of) }
}

/// Log-odds of so many hits, where `hit` of a true column's values are expected and `chance` of another's.
pub(crate) fn odds(hits: usize, of: usize, hit: f64, chance: f64) -> f64 {
    let (share, counted) = (ratio(hits, of), ratio(of, 1).min(COUNTED_MAX));
    counted * (share * (hit / chance).ln() + (1.0 - share) * ((1.0 - hit) / (1.0 - chance)).ln())
}

/// A form that most values have to have.
fn form(alike: usize, of: usize, weight: f64) -> f64 {
    let (share, counted) = (ratio(alike, of), ratio(of, 1));
    match share {
        ..0.4 => NEVER + 4.0 * share,
        0.4..0.75 => -3.0 + (weight.max(0.0) + 3.0) * (share - 0.4) / 0.35 * 0.8,
        _ => weight * counted / (counted + 1.0),
    }
}

/// A form, and a check that so many of those pass.
fn checked(alike: usize, valid: usize, of: usize, weight: f64, chance: f64) -> f64 {
    form(alike, of, weight) + odds(valid, alike, 0.95, chance).clamp(CHECK_MIN, CHECK_MAX)
}

/// What the distinct values of a column say.
pub(crate) fn weigh(values: &[&str], column: &Column<'_>, words: &Words) -> Weights {
    let classes = Class::ALL.len();
    let mut weights = Weights { scores: vec![0.0; classes], none: 2.0, scheme: None, matching: vec![None; classes], of: values.len(), is_digest: false };
    // Keys that count rows.
    if column.key != Key::None && column.key != Key::Unique {
        weights.none += if column.kind == Kind::Integer { 5.0 } else { 1.5 };
    }
    by_kind(column, &mut weights);
    if values.is_empty() {
        return weights;
    }
    let cells: Vec<Cell<'_>> = values.iter().map(|text| Cell::new(text)).collect();
    match column.kind {
        Kind::Text | Kind::TextArray | Kind::Json | Kind::Enum => {
            things(&cells, &mut weights);
            marked(&cells, &mut weights);
            numbers(&cells, &mut weights);
            phones(values, column, &mut weights);
            people(values, column.samples.len(), words, &mut weights);
            places(&cells, words, &mut weights);
            closed(values, words, &mut weights);
            days(values, column, &mut weights);
            opaque(&cells, &mut weights);
        }
        Kind::Integer => {
            things(&cells, &mut weights);
            numbers(&cells, &mut weights);
            phones(values, column, &mut weights);
            places(&cells, words, &mut weights);
            if values.iter().all(|value| value.len() == 8) {
                days(values, column, &mut weights);
            } else {
                weights.only(Class::DateOfBirth, NEVER);
            }
            // Codes for few words.
            let codes = if values.len() <= 20 { -1.0 } else { NEVER };
            for class in [Class::Gender, Class::Ethnicity, Class::Religion] {
                weights.only(class, codes);
            }
            for class in [Class::Address, Class::City] {
                weights.only(class, NEVER);
            }
        }
        Kind::Date | Kind::Timestamp => days(values, column, &mut weights),
        Kind::Decimal => coordinates(&cells, &mut weights),
        Kind::Inet => weights.set(Class::IpAddress, 7.0, values.len()),
        Kind::Mac => weights.set(Class::MacAddress, 7.0, values.len()),
        Kind::Point => {
            let near = values.iter().filter(|text| is_pair(text)).count();
            weights.set(Class::Geo, form(near, values.len(), 4.0), near);
        }
        Kind::Uuid => weights.none += 6.0,
        Kind::Bool | Kind::Other => {}
    }
    weights
}

/// Which classes a type can hold.
fn by_kind(column: &Column<'_>, weights: &mut Weights) {
    use Class as C;
    for &class in Class::ALL {
        let fits = match column.kind {
            Kind::Text | Kind::TextArray | Kind::Json => true,
            Kind::Enum => matches!(class, C::Gender | C::Ethnicity | C::Religion | C::Health | C::City),
            Kind::Integer => matches!(
                class,
                C::Phone | C::CreditCard | C::Ssn | C::NationalId | C::Passport | C::DriverLicence | C::Postcode | C::Imei | C::BankAccount | C::RoutingNumber | C::MedicalRecord | C::Salary | C::Gender | C::DateOfBirth | C::Ethnicity | C::Religion
            ),
            Kind::Decimal => matches!(class, C::Geo | C::Salary),
            Kind::Date | Kind::Timestamp => class == C::DateOfBirth,
            Kind::Bool => class == C::Gender,
            Kind::Uuid => matches!(class, C::ApiKey | C::MedicalRecord),
            Kind::Inet => class == C::IpAddress,
            Kind::Mac => class == C::MacAddress,
            Kind::Point => class == C::Geo,
            Kind::Other => matches!(class, C::Password | C::PasswordHash | C::PrivateKey | C::Geo),
        };
        if !fits {
            weights.only(class, NEVER * 2.0);
        }
    }
    if column.kind == Kind::Bool {
        weights.none += 4.0;
    }
}

/// What is known to be something else.
fn things(cells: &[Cell<'_>], weights: &mut Weights) {
    let of = cells.len();
    let share = |is: &dyn Fn(&Cell<'_>) -> bool| ratio(cells.iter().filter(|cell| is(cell)).count(), of);
    let hex = |cell: &Cell<'_>| matches!(cell.length(), 7 | 8 | 12 | 16 | 20 | 24 | 32 | 40 | 56 | 64 | 96 | 128) && cell.digits > 0 && forms::is_hex(cell.text);
    let epoch = |cell: &Cell<'_>| cell.is_digits() && matches!(cell.length(), 10 | 13 | 16 | 19) && matches!(cell.text.get(..2), Some("14" | "15" | "16" | "17" | "18"));
    let version = |cell: &Cell<'_>| {
        let numbers: Vec<&str> = cell.text.trim_start_matches(['v', 'V']).split('.').collect();
        (3..=4).contains(&numbers.len()) && numbers.iter().all(|part| !part.is_empty() && part.len() <= 6 && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let small = |cell: &Cell<'_>| version(cell) && cell.text.trim_start_matches(['v', 'V']).split('.').filter(|part| part.len() >= 3).count() <= 1;
    let path = |cell: &Cell<'_>| cell.text.starts_with('/') && cell.text.matches('/').count() >= 2 || cell.text.get(1..3) == Some(":\\");
    let moment = |cell: &Cell<'_>| date::day(cell.text).is_some_and(|(_, midnight)| !midnight);
    let ulid = |cell: &Cell<'_>| cell.length() == 26 && cell.text.starts_with("01") && cell.lower == 0 && cell.marks == 0;
    weights.none += 8.0 * f64::from(u8::from(share(&|cell| forms::is_uuid(cell.text)) > 0.8));
    let rules: [(&dyn Fn(&Cell<'_>) -> bool, f64); 7] = [(&hex, 2.0), (&epoch, 4.0), (&small, 5.0), (&path, 5.0), (&moment, 5.0), (&ulid, 6.0), (&|cell| cell.text.starts_with("1Z") && cell.length() == 18, 6.0)];
    for (is, weight) in rules {
        if share(is) > 0.9 {
            weights.none += weight;
        }
    }
    let books = share(&|cell| cell.length() == 10 && cell.digits >= 9);
    if books > 0.95 && cells.iter().any(|cell| cell.text.ends_with('X')) {
        weights.none += 6.0;
    }
    // Articles of trade have a check digit of their own.
    let article = cells.iter().filter(|cell| cell.is_digits() && matches!(cell.length(), 8 | 12 | 13 | 14));
    let (mut alike, mut valid) = (0, 0);
    for cell in article {
        alike += 1;
        valid += usize::from(national::ean(cell.compact()));
    }
    if ratio(alike, of) > 0.9 && ratio(valid, alike) > 0.9 {
        weights.none += odds(valid, alike, 0.98, 0.1).min(6.0);
    }
}

/// Values that show by their form what they are.
fn marked(cells: &[Cell<'_>], weights: &mut Weights) {
    let of = cells.len();
    let count = |is: &dyn Fn(&Cell<'_>) -> bool| cells.iter().filter(|cell| is(cell)).count();
    let forms: [(Class, f64, &dyn Fn(&Cell<'_>) -> bool); 10] = [
        (Class::Email, 11.0, &|cell| cell.marks > 0 && forms::has_emails(cell.text)),
        (Class::MacAddress, 9.0, &|cell| (14..=17).contains(&cell.length()) && forms::is_mac(cell.text)),
        (Class::Jwt, 11.0, &|cell| cell.length() > 30 && forms::is_jwt(cell.text.trim_start_matches("Bearer "))),
        (Class::CryptoWallet, 9.0, &|cell| cell.length() >= 25 && cell.spaces == 0 && forms::is_wallet(cell.text)),
        (Class::PrivateKey, 11.0, &|cell| cell.text.contains("-----BEGIN") && cell.text.contains("PRIVATE KEY")),
        (Class::PasswordHash, 9.0, &|cell| forms::is_password_hash(cell.text)),
        (Class::Url, 7.0, &|cell| forms::is_personal_url(cell.text)),
        (Class::Vin, 5.0, &|cell| cell.length() == 17 && forms::is_vin_like(cell.compact())),
        (Class::ApiKey, 9.0, &|cell| cell.length() >= 20 && forms::is_marked_key(cell.text)),
        (Class::IpAddress, 8.0, &|cell| cell.digits + cell.marks >= 4 && forms::has_ips(cell.text)),
    ];
    for (class, weight, is) in forms {
        let alike = count(is);
        weights.set(class, form(alike, of, weight), alike);
    }
    let opaque = count(&|cell| (25..=90).contains(&cell.length()) && cell.spaces + cell.wide + cell.marks == 0 && cell.digits > 0);
    if ratio(opaque, of) > 0.75 {
        weights.at_least(Class::CryptoWallet, -1.5, opaque);
    }
    let urls = count(&|cell| forms::is_url(cell.text));
    if ratio(urls, of) > 0.8 && weights.share(Class::Url) < 0.3 {
        weights.none += 6.0;
    } else if weights.share(Class::Url) >= 0.3 && ratio(urls, of) > 0.8 {
        weights.only(Class::Url, 6.0);
    }
    let vins = count(&|cell| cell.length() == 17 && forms::is_vin_like(cell.compact()));
    if ratio(vins, of) > 0.75 {
        let valid = count(&|cell| cell.length() == 17 && forms::is_vin_like(cell.compact()) && forms::is_vin(cell.compact()));
        let check = odds(valid, vins, 0.9, 0.09).clamp(-0.5, CHECK_MAX);
        weights.set(Class::Vin, form(vins, of, 4.0) + check, vins.max(valid));
    }
    // Numbers of versions and sections lie close together.
    let first: HashSet<&str> = cells.iter().filter_map(|cell| cell.text.split('.').next()).collect();
    if weights.score(Class::IpAddress) > 0.0 && cells.iter().all(|cell| !cell.text.contains(':')) && (first.len() < 4 || first.iter().all(|octet| octet.len() < 3 && *octet < "32")) && of > 12 {
        let inside = |cell: &&Cell<'_>| ["10.", "192.168.", "172."].iter().any(|net| cell.text.starts_with(net));
        let weight = if ratio(cells.iter().filter(inside).count(), of) > 0.8 { 4.0 } else { -1.0 };
        weights.only(Class::IpAddress, weight);
    }
    let bare = count(&|cell| (cell.length() == 12 && forms::is_hex(cell.text)) || (cell.length() > 17 && forms::is_mac(cell.text)));
    if ratio(bare, of) > 0.75 {
        weights.at_least(Class::MacAddress, 0.0, bare);
    }
    let masks = count(&|cell| cell.text.starts_with("255.") || cell.text.starts_with("0."));
    if ratio(masks, of) > 0.6 {
        weights.only(Class::IpAddress, NEVER);
    }
    let zones = count(&|cell| cell.text.starts_with("P<"));
    weights.set(Class::Passport, form(zones, of, 9.0), zones);
    let bics = cells.iter().filter(|cell| matches!(cell.length(), 8 | 11) && cell.lower + cell.marks + cell.spaces == 0 && cell.upper >= 6);
    let (mut alike, mut valid) = (0, 0);
    for cell in bics {
        alike += 1;
        valid += usize::from(forms::is_bic(cell.text));
    }
    weights.set(Class::Bic, checked(alike, valid, of, 0.5, 0.3), valid);
    let (mut alike, mut valid) = (0, 0);
    for cell in cells.iter().filter(|cell| cell.digits >= 2 && cell.length() >= 15) {
        let iban = std::str::from_utf8(cell.compact()).unwrap_or_default();
        let is_like = iban.len() >= 15 && iban.get(..2).is_some_and(|country| country.bytes().all(|byte| byte.is_ascii_uppercase())) && iban.get(2..4).is_some_and(|two| two.bytes().all(|byte| byte.is_ascii_digit()));
        alike += usize::from(is_like);
        valid += usize::from(is_like && veil_model::check::is_iban(iban));
    }
    weights.set(Class::Iban, checked(alike, valid, of, 2.0, 0.01), valid);
    let pairs = count(&|cell| is_pair(cell.text));
    weights.set(Class::Geo, form(pairs, of, 6.0), pairs);
    if pairs == 0 {
        coordinates(cells, weights);
    }
}

/// Digits, with a check inside.
fn numbers(cells: &[Cell<'_>], weights: &mut Weights) {
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
    let (alike, valid) = tally(&|cell| (13..=19).contains(&cell.digits) && plain(cell) && forms::is_issued(cell.compact()), &forms::is_card);
    weights.set(Class::CreditCard, checked(alike, valid, of, 0.0, 0.1), valid);
    let as_many = |from: usize, to: usize| cells.iter().filter(|cell| (from..=to).contains(&cell.digits) && cell.letters() + cell.wide == 0).count();
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
    let like_an_id = cells.iter().filter(|cell| (6..=20).contains(&cell.length()) && cell.digits >= 4 && cell.wide == 0).count();
    let unknown = if ratio(like_an_id, of) > 0.75 { -0.8 } else { NEVER };
    if best.0 < unknown { weights.set(Class::NationalId, unknown, like_an_id) } else { weights.set(Class::NationalId, best.0, best.1) }
    weights.scheme = best.2;
    // Forms that anything may have: the name has to say so.
    let ids: [(Class, std::ops::RangeInclusive<usize>, usize); 4] = [(Class::Passport, 6..=12, 1), (Class::DriverLicence, 5..=20, 4), (Class::BankAccount, 7..=34, 6), (Class::MedicalRecord, 2..=24, 1)];
    for class in [Class::DriverLicence, Class::BankAccount, Class::MedicalRecord] {
        weights.only(class, NEVER);
    }
    for (class, lengths, digits) in ids {
        let alike = cells.iter().filter(|cell| lengths.contains(&cell.length()) && cell.digits >= digits && cell.spaces <= 5).count();
        weights.at_least(class, if ratio(alike, of) >= 0.7 { 0.0 } else { NEVER + 6.0 * ratio(alike, of) }, alike);
    }
    let polish = |cell: &Cell<'_>| std::str::from_utf8(cell.compact()).is_ok_and(|digits| veil_model::check::is_iban(&format!("PL{digits}")));
    let accounts = cells.iter().filter(|cell| cell.digits == 26 && polish(cell)).count();
    weights.at_least(Class::BankAccount, form(accounts, of, 7.0), accounts);
    let records = cells.iter().filter(|cell| cell.text.starts_with("MRN")).count();
    weights.at_least(Class::MedicalRecord, form(records, of, 5.0), records);
    plates(cells, weights);
    let alike = cells.iter().filter(|cell| cell.text.trim_start_matches(['$', '€', '£']).parse::<f64>().is_ok_and(|amount| amount >= 1.0) || (cell.digits >= 2 && cell.letters() <= 4)).count();
    weights.set(Class::Salary, if ratio(alike, of) > 0.7 { 0.0 } else { NEVER }, alike);
}

/// Plates: capitals and digits in groups, in few forms.
fn plates(cells: &[Cell<'_>], weights: &mut Weights) {
    const LAYOUTS: &[&str] = &["AA99 AAA", "AA99AAA", "AA-999-AA", "AA 999 AA", "AA999AA", "9999 AAA", "9999AAA", "9999-AAA", "AAA9A99", "AAA-9999", "AAA-9A99", "99-AAA-9", "9-AAA-99", "AA-99-99", "99-99-AA", "99-AA-99", "AA-999-A", "A-999-AA", "AAA 999", "AAA 99A", "99 AA 999", "99 AAA 99", "99 A 9999", "99 AA 9999", "99 AAA 999", "AA 99999", "AA 9999A", "AAA 9999", "AA99 AA 9999", "AA 99 AA 9999", "AA99AA9999", "AA-99-AA-9999", "99AA999", "99AAA99", "AA 9999 AA", "AA-99-AAA", "A-99-AAA", "AAA99A", "AAA 99", "AA9999A", "AAA9999A", "A99 AAA", "A999 AAA", "AA 99 AAA", "AA99 AAA", "AA 99 A 9999", "99 A 999"];
    let german = |text: &str| {
        let (district, rest) = text.split_once(['-', ' ']).unwrap_or_default();
        let (letters, number) = rest.split_once([' ', '-']).unwrap_or_default();
        (1..=3).contains(&district.chars().count()) && district.chars().all(char::is_uppercase) && (1..=2).contains(&letters.len()) && letters.bytes().all(|byte| byte.is_ascii_uppercase()) && (1..=4).contains(&number.trim_end_matches(['E', 'H']).len()) && number.trim_end_matches(['E', 'H']).bytes().all(|byte| byte.is_ascii_digit())
    };
    let polish = |cell: &Cell<'_>| {
        let (district, rest) = cell.text.split_once(' ').unwrap_or_default();
        (2..=3).contains(&district.len()) && rest.len() == 5 && cell.lower == 0 && rest.bytes().filter(u8::is_ascii_digit).count() >= 2
    };
    let kanji = |text: &str| text.chars().filter(char::is_ascii_digit).count() >= 3 && (1..=6).contains(&text.chars().filter(|c| *c > '\u{3000}').count()) && text.chars().count() < 16;
    let alike = cells.iter().filter(|cell| cell.lower == 0 && cell.digits > 0 && (cell.is_like(LAYOUTS) || german(cell.text) || polish(cell) || kanji(cell.text))).count();
    let any = cells.iter().filter(|cell| (3..=13).contains(&cell.text.chars().count()) && cell.digits > 0 && cell.digits < cell.length() && cell.lower == 0).count();
    if ratio(alike, cells.len()) > 0.6 {
        weights.set(Class::LicencePlate, form(alike, cells.len(), 2.6).max(0.0), alike);
    } else {
        weights.set(Class::LicencePlate, if ratio(any, cells.len()) > 0.7 { 0.0 } else { NEVER }, any);
    }
}

fn phones(values: &[&str], column: &Column<'_>, weights: &mut Weights) {
    let candidates = values.iter().filter(|text| phone::is_alike(text)).count();
    let of = values.len();
    if ratio(candidates, of) < 0.4 {
        weights.set(Class::Phone, NEVER + 6.0 * ratio(candidates, of), candidates);
        return;
    }
    let numbers = Numbers::of(values);
    let abroad = ratio(numbers.international, numbers.alike);
    let whole = if column.kind == Kind::Integer || numbers.marked < 0.2 { Numbers::with_codes(values) } else { 0.0 };
    if whole > 0.85 {
        weights.set(Class::Phone, form(numbers.alike, of, 2.5), numbers.alike);
        return;
    }
    let score = if abroad > 0.25 {
        5.0 + 4.0 * abroad.min(1.0)
    } else {
        let plan = if numbers.national > 0.8 { 1.5 } else if numbers.national > 0.5 { 0.3 } else { -1.0 };
        plan + 3.5 * (numbers.marked - 0.35) * numbers.national + if column.kind == Kind::Integer { -1.0 } else { 0.0 }
    };
    weights.set(Class::Phone, form(numbers.alike, of, score), numbers.alike);
}

fn people(values: &[&str], samples: usize, words: &Words, weights: &mut Weights) {
    let of = values.len();
    let (mut single, mut several, mut listed, mut lean, mut full, mut two_given, mut two_family) = (0_usize, 0_usize, 0, 0_i32, 0, 0_usize, 0_usize);
    let (mut things, mut capital, mut companies) = (0, 0, 0);
    for value in values {
        let folded = list::folded(value);
        let first = folded.split(' ').next().unwrap_or_default();
        things += usize::from(words.is_thing(&folded) || words.has(Set::Color, first) || folded.ends_with(['県', '府', '省']));
        companies += usize::from(folded.split([' ', ',']).any(|word| words.has(Set::Company, word)));
        capital += usize::from(value.chars().next().is_some_and(|c| c.is_uppercase() || c.is_alphabetic() && !c.is_lowercase()));
        match person::name(value, words) {
            Name::No => {}
            Name::One(given, family) => {
                single += 1;
                listed += usize::from(given > 6 || family > 6);
                lean += (given - family).clamp(-6, 6);
            }
            Name::Several { known, first, last } => {
                several += 1;
                full += usize::from(known >= 50);
                two_given += usize::from(known == 100 && first > 2 && last > 2);
                two_family += usize::from(known == 100 && first < -2 && last < -2);
            }
        }
    }
    let is_thing = ratio(things, of) > 0.4;
    let case = if ratio(capital, of) < 0.5 { -3.0 } else { 0.0 };
    // Few values that come again and again are those of a list.
    let few = if of < 8 { -2.0 } else if of < 30 && of * 6 < samples { -6.0 } else { 0.0 };
    let company = ratio(companies, of) > 0.06;
    let thing = if is_thing || company { -6.0 } else { 0.0 };
    let words_of_names = single + two_given + two_family;
    let one = if ratio(words_of_names, of) < 0.6 {
        NEVER + 6.0 * ratio(words_of_names, of)
    } else {
        odds(listed + two_given + two_family, words_of_names, 0.72, 0.2).clamp(-2.5, 6.0)
    };
    let counted = u32::try_from(words_of_names.max(1)).map_or(1.0, f64::from);
    let lean = (f64::from(lean) + 4.0 * (ratio(two_given, 1) - ratio(two_family, 1))) / counted;
    let direction = (lean * 1.2).clamp(-3.5, 3.5);
    weights.set(Class::GivenName, one + direction.min(2.0) + case + few + thing - 1.0, listed);
    weights.set(Class::FamilyName, one - direction.max(-2.0) + case + few + thing - 1.0, listed);
    let names = several.saturating_sub(two_given + two_family);
    let whole = if ratio(names, of) < 0.5 {
        NEVER + 8.0 * ratio(names, of)
    } else {
        odds(full, names, 0.85, 0.3).clamp(-2.5, 8.0) - 0.5
    };
    weights.set(Class::FullName, whole + case + few + thing, full);
    if is_thing {
        weights.none += 3.0;
    }
    let user = |text: &&&str| {
        let plain = text.trim_start_matches('@').chars().all(|c| c.is_alphanumeric() || "._-\\".contains(c));
        (3..=40).contains(&text.len()) && plain && text.chars().any(char::is_alphabetic) && !forms::is_domain(text)
    };
    let users = values.iter().filter(user).count();
    let named = values.iter().filter(user).filter(|text| text.bytes().any(|byte| !byte.is_ascii_alphabetic()) && has_name(text)).count();
    let score = match ratio(users, of) {
        ..0.6 => NEVER,
        _ if values.iter().filter(|text| text.starts_with('@') || text.contains('\\')).count() * 4 > of * 3 => 4.0,
        _ if ratio(named, of) > 0.4 => 4.0 * ratio(named, of),
        _ => 0.0,
    };
    weights.set(Class::Username, score, users);
}

/// Whether a word of a text, between marks and digits, is a name: `maria.rossi`, `jsmith42`.
fn has_name(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let known = |word: &str| word.len() >= 4 && list::name(word).is_some_and(|(given, family)| given.max(family) >= 9);
    lower.split(|c: char| !c.is_ascii_alphabetic()).any(|word| known(word) || word.get(1..).is_some_and(known))
}

fn places(cells: &[Cell<'_>], words: &Words, weights: &mut Weights) {
    let of = cells.len();
    let (mut streets, mut like, mut cities, mut worded, mut things) = (0, 0, 0, 0, 0);
    for cell in cells {
        let text = cell.text;
        let small = text.split(' ').filter(|word| word.len() > 1 && word.starts_with(|c: char| c.is_lowercase())).count();
        if cell.letters() + cell.wide > 1 && text.len() <= 200 && small < 5 && !text.contains(['@', '=', '{', '_']) {
            let folded = list::folded(text);
            let (street, number) = places::street(&folded, words);
            streets += usize::from(street);
            like += usize::from(street || number);
            if cell.digits == 0 && text.len() <= 40 {
                worded += 1;
                things += usize::from(words.is_thing(&folded));
                cities += usize::from(places::is_city(&folded));
            }
        }
    }
    let street = odds(streets, of, 0.7, 0.06).clamp(-4.0, 8.0);
    let score = if ratio(like, of) < 0.5 { NEVER + 6.0 * ratio(like, of) } else { street.max(-1.0) };
    weights.set(Class::Address, score, streets.max(like));
    let score = if ratio(worded, of) < 0.6 { NEVER } else { odds(cities, worded, 0.75, 0.12).clamp(-2.0, 6.0) - 1.2 };
    weights.set(Class::City, score + if ratio(things, of) > 0.4 { -6.0 } else { 0.0 }, cities);
    let (codes, weight) = places::postcodes(cells);
    weights.set(Class::Postcode, form(codes, of, weight), codes);
}

/// Words of closed lists.
fn closed(values: &[&str], words: &Words, weights: &mut Weights) {
    let of = values.len();
    let folded: Vec<String> = values.iter().map(|value| list::folded(value)).collect();
    let among = |set: Set| folded.iter().filter(|word| words.has(set, word)).count();
    let gender = among(Set::Gender);
    let spelt = folded.iter().filter(|word| words.has(Set::Gender, word) && word.len() > 3).count();
    let letters = ["m", "f", "w", "h", "k", "e"].iter().filter(|letter| folded.iter().any(|word| word == *letter)).count();
    let score = match ratio(gender, of) {
        share if share > 0.85 && spelt >= 2 => 7.0,
        share if share > 0.85 && letters >= 2 && of <= 6 => 4.0,
        share if share > 0.85 => 0.5,
        share if share >= 0.5 && spelt >= 2 => 2.0,
        _ if of <= 6 && values.iter().all(|value| value.len() <= 2) => -0.5,
        share => NEVER + 6.0 * share,
    };
    weights.set(Class::Gender, score, gender);
    for (set, class) in [(Set::Ethnicity, Class::Ethnicity), (Set::Religion, Class::Religion)] {
        let count = among(set);
        let score = match ratio(count, of) {
            share if share > 0.6 && count >= 3 => 4.0 + 4.0 * (share - 0.6),
            share if share > 0.4 && count >= 2 => 1.0,
            share => -5.0 + 8.0 * share,
        };
        weights.set(class, score - if of > 60 { 3.0 } else { 0.0 }, count);
    }
    let blood = among(Set::Blood);
    let signed = folded.iter().filter(|word| words.has(Set::Blood, word) && word.len() > 1).count();
    let icd = values.iter().filter(|text| is_icd(text.split(' ').next().unwrap_or_default())).count();
    let chapters = values.iter().filter_map(|text| text.bytes().next()).collect::<HashSet<u8>>().len();
    let ill = folded.iter().filter(|text| text.split([' ', ',', '-', '/', '(', ')']).any(|word| words.has(Set::Health, word)) || words.has(Set::Health, text)).count();
    let score = match (ratio(blood, of), ratio(icd, of), ratio(ill, of)) {
        (share, ..) if share > 0.85 && signed >= 2 => 7.0,
        (_, share, _) if share > 0.85 => form(icd, of, if chapters > 3 { 3.5 } else { 1.0 }),
        (.., share) if share > 0.5 => 4.0,
        (.., share) if share > 0.25 => 2.0,
        (.., share) => -1.0 + 2.0 * share,
    };
    weights.set(Class::Health, score, blood.max(icd).max(ill));
}

/// A code of the International Classification of Diseases, version 10.
fn is_icd(text: &str) -> bool {
    let (head, tail) = text.split_once('.').unwrap_or((text, ""));
    let tail = tail.len() <= 4 && tail.bytes().all(|byte| byte.is_ascii_alphanumeric());
    head.len() == 3 && tail && (crate::cell::is_like(head, "A99") || crate::cell::is_like(head, "A9A")) && text.bytes().all(|byte| !byte.is_ascii_lowercase())
}

fn days(values: &[&str], column: &Column<'_>, weights: &mut Weights) {
    let read: Vec<_> = values.iter().filter_map(|text| date::day(text)).collect();
    let of = values.len();
    let midnights = read.iter().filter(|(_, midnight)| *midnight).count();
    let days: Vec<date::Day> = read.iter().map(|(day, _)| *day).collect();
    let timed = if ratio(midnights, read.len()) < 0.9 { -5.0 } else { 0.0 };
    weights.set(Class::DateOfBirth, form(days.len(), of, date::births(&days, column.year)) + timed, days.len());
    if ratio(days.len(), of) > 0.8 {
        weights.only(Class::Phone, NEVER);
        weights.only(Class::NationalId, NEVER);
    }
}

/// Latitudes or longitudes, by their digits behind the point.
fn coordinates(cells: &[Cell<'_>], weights: &mut Weights) {
    let of = cells.len();
    let fine = |cell: &&Cell<'_>| {
        let fraction = cell.text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let number = cell.text.parse::<f64>().ok();
        number.is_some_and(|number| number.abs() <= 180.0) && fraction >= 4
    };
    let coarse = cells.iter().filter(|cell| cell.text.parse::<f64>().is_ok_and(|number| number.abs() <= 180.0)).count();
    let alike = cells.iter().filter(fine).count();
    let large = cells.iter().filter(|cell| cell.text.parse::<f64>().is_ok_and(|number| number.abs() > 1.0)).count();
    let score = if ratio(alike, of) > 0.75 && ratio(large, of) > 0.6 { 1.6 } else if ratio(coarse, of) > 0.9 { -0.5 } else { NEVER };
    weights.set(Class::Geo, score, alike.max(coarse));
    let amounts = cells.iter().filter(|cell| cell.text.parse::<f64>().is_ok_and(|amount| amount > 0.0)).count();
    weights.only(Class::Salary, if ratio(amounts, of) > 0.7 { 0.0 } else { NEVER });
}

/// `48.137, 11.575`, perhaps in parentheses.
fn is_pair(text: &str) -> bool {
    let bare = text.trim_start_matches("POINT").trim_matches(['(', ')', '[', ']', ' ']);
    let Some((a, b)) = bare.split_once([',', ' ', ';']) else { return false };
    let degrees = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.abs() <= 180.0 && text.contains('.'));
    degrees(a).is_some() && degrees(b).is_some()
}

/// Tokens, passwords and digests, which nothing but their disorder tells.
fn opaque(cells: &[Cell<'_>], weights: &mut Weights) {
    let of = cells.len();
    let count = |is: &dyn Fn(&Cell<'_>) -> bool| cells.iter().filter(|cell| is(cell)).count();
    let hex = count(&|cell| cell.length() >= 32 && forms::is_hex(cell.text));
    let marked = cells.iter().filter(|cell| forms::is_password_hash(cell.text)).count();
    weights.is_digest = ratio(hex + marked, of) > 0.6;
    if ratio(marked, of) < 0.3 {
        let long = count(&|cell| cell.length() >= 16 && cell.spaces == 0);
        weights.set(Class::PasswordHash, if ratio(hex.max(long), of) > 0.8 { 0.0 } else { NEVER }, hex);
    }
    if weights.share(Class::ApiKey) < 0.3 {
        let random = count(&forms::is_random_token);
        let opaque = count(&|cell| cell.length() >= 8 && cell.spaces == 0 && cell.wide == 0);
        let score = if ratio(random, of) > 0.85 { 1.5 } else if ratio(opaque, of) > 0.8 { 0.0 } else { NEVER };
        weights.set(Class::ApiKey, score, random.max(opaque));
    }
    let mixed = count(&|cell| (6..=24).contains(&cell.length()) && cell.spaces == 0 && cell.wide == 0 && cell.marks > 0 && cell.marks * 2 < cell.length() && cell.digits > 0 && cell.letters() > 2 && !cell.text.contains(['@', '/', ':']) && !cell.text.starts_with('#'));
    let possible = count(&|cell| (4..=64).contains(&cell.length()) && cell.spaces <= 4);
    let odd = count(&|cell| cell.text.bytes().any(|byte| b"!#$%^&*()+=?<>~".contains(&byte)));
    let score = if ratio(mixed, of) > 0.5 && ratio(odd, of) > 0.4 { 2.2 } else if ratio(possible, of) > 0.7 { 0.0 } else { NEVER };
    weights.set(Class::Password, if weights.is_digest { NEVER } else { score }, possible);
    for class in [Class::Jwt, Class::PrivateKey] {
        if weights.share(class) < 0.3 {
            let opaque = count(&|cell| cell.length() >= 16 && cell.spaces * 6 <= cell.length());
            weights.only(class, if ratio(opaque, of) > 0.8 { -1.5 } else { NEVER });
        }
    }
}

/// Whether a value is one of a class that validates itself.
pub(crate) fn is_valid(class: &str, value: &str) -> bool {
    let cell = Cell::new(value);
    let compact = cell.compact();
    if let Some(name) = class.strip_prefix("national_id:") {
        return national::SCHEMES.iter().any(|scheme| scheme.name == name && scheme.is_like(&cell) && scheme.is_valid(compact));
    }
    let bare = cell.letters() + cell.wide == 0;
    match class.parse() {
        Ok(Class::Email) => forms::is_email(value),
        Ok(Class::CreditCard) => bare && forms::is_grouped(value) && forms::is_card(compact),
        Ok(Class::Iban) => std::str::from_utf8(compact).is_ok_and(veil_model::check::is_iban),
        Ok(Class::IpAddress) => forms::is_ip(value),
        Ok(Class::MacAddress) => forms::is_mac(value),
        Ok(Class::Imei) => bare && forms::is_imei(compact),
        Ok(Class::Vin) => forms::is_vin_like(compact) && forms::is_vin(compact),
        Ok(Class::CryptoWallet) => forms::is_wallet(value),
        Ok(Class::Jwt) => forms::is_jwt(value),
        Ok(Class::RoutingNumber) => bare && forms::is_routing(compact),
        Ok(Class::Ssn) => cell.is_like(&["999-99-9999", "999999999"]) && national::is_ssn(compact),
        Ok(Class::Phone) => value.starts_with('+') && phone::is_international(value),
        _ => false,
    }
}
