//! How much the values of a column speak for each class, in log-odds.
//!
//! A form that anything may have says little; what passes a check that few look-alikes pass says much, and more the more values pass it. What most values
//! do not have the form of is not it. The sum is bounded, since the values of a column are made alike.

mod marked;
mod numbers;
mod people;
mod places;

use crate::cell::Cell;
use crate::class::Class;
use crate::column::{Column, Key, Kind};
use crate::finding::Evidence;
use crate::phone;
use crate::words::Words;
use crate::{date, forms, national, secrets};

/// Distinct values that count; more of them are alike.
const COUNTED_MAX: f64 = 20.0;

/// What a check can say at most, for and against: real data have bad numbers.
const CHECK_MAX: f64 = 7.0;
const CHECK_MIN: f64 = -2.5;

/// For values that are none of a class.
pub(crate) const NEVER: f64 = -8.0;

/// Whether a value is something.
type Is<'a> = &'a dyn Fn(&Cell<'_>) -> bool;

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
        if let (Some(known), Some(count)) =
            (self.scores.get_mut(class as usize), self.matching.get_mut(class as usize))
        {
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
    let mut weights = Weights {
        scores: vec![0.0; classes],
        none: 2.0,
        scheme: None,
        matching: vec![None; classes],
        of: values.len(),
        is_digest: false,
    };
    // Keys that count rows.
    if column.key != Key::None && column.key != Key::Unique {
        weights.none += if column.kind == Kind::Integer { 5.0 } else { 1.5 };
    }
    if !values.is_empty() {
        by_values(values, column, words, &mut weights);
    }
    by_kind(column, &mut weights);
    weights
}

fn by_values(values: &[&str], column: &Column<'_>, words: &Words, weights: &mut Weights) {
    let cells: Vec<Cell<'_>> = values.iter().map(|text| Cell::new(text)).collect();
    match column.kind {
        Kind::Text | Kind::TextArray | Kind::Json | Kind::Enum => {
            things(&cells, weights);
            marked::marked(&cells, weights);
            numbers::numbers(&cells, weights);
            numbers::phones(values, column, weights);
            people::people(values, column.samples.len(), words, weights);
            places::places(&cells, words, weights);
            people::closed(values, words, weights);
            places::days(values, column, weights);
            marked::opaque(&cells, weights);
        }
        Kind::Integer => {
            things(&cells, weights);
            numbers::numbers(&cells, weights);
            numbers::phones(values, column, weights);
            places::places(&cells, words, weights);
            if values.iter().all(|value| value.len() == 8) {
                places::days(values, column, weights);
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
        Kind::Date | Kind::Timestamp => places::days(values, column, weights),
        Kind::Decimal => places::coordinates(&cells, weights),
        Kind::Inet => weights.set(Class::IpAddress, 7.0, values.len()),
        Kind::Mac => weights.set(Class::MacAddress, 7.0, values.len()),
        Kind::Point => {
            let near = values.iter().filter(|text| places::is_pair(text)).count();
            weights.set(Class::Geo, form(near, values.len(), 4.0), near);
        }
        Kind::Uuid => weights.none += 6.0,
        Kind::Bool | Kind::Other => {}
    }
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
                C::Phone
                    | C::CreditCard
                    | C::Ssn
                    | C::NationalId
                    | C::Passport
                    | C::DriverLicence
                    | C::Postcode
                    | C::Imei
                    | C::BankAccount
                    | C::RoutingNumber
                    | C::MedicalRecord
                    | C::Salary
                    | C::Gender
                    | C::DateOfBirth
                    | C::Ethnicity
                    | C::Religion
            ),
            Kind::Decimal => matches!(class, C::Geo | C::Salary),
            Kind::Date | Kind::Timestamp => class == C::DateOfBirth,
            Kind::Bool => false,
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
}

/// What is known to be something else.
fn things(cells: &[Cell<'_>], weights: &mut Weights) {
    let of = cells.len();
    let share = |is: &dyn Fn(&Cell<'_>) -> bool| ratio(cells.iter().filter(|cell| is(cell)).count(), of);
    let hex = |cell: &Cell<'_>| {
        matches!(cell.length(), 7 | 8 | 12 | 16 | 20 | 24 | 32 | 40 | 56 | 64 | 96 | 128)
            && cell.digits > 0
            && forms::is_hex(cell.text)
    };
    let epoch = |cell: &Cell<'_>| {
        cell.is_digits()
            && matches!(cell.length(), 10 | 13 | 16 | 19)
            && matches!(cell.text.get(..2), Some("14" | "15" | "16" | "17" | "18"))
    };
    let version = |cell: &Cell<'_>| {
        let numbers: Vec<&str> = cell.text.trim_start_matches(['v', 'V']).split('.').collect();
        (3..=4).contains(&numbers.len())
            && numbers.iter().all(|part| {
                !part.is_empty() && part.len() <= 6 && part.bytes().all(|byte| byte.is_ascii_digit())
            })
    };
    let small = |cell: &Cell<'_>| {
        version(cell)
            && cell.text.trim_start_matches(['v', 'V']).split('.').filter(|part| part.len() >= 3).count() <= 1
    };
    let path = |cell: &Cell<'_>| {
        cell.text.starts_with('/') && cell.text.matches('/').count() >= 2
            || cell.text.get(1..3) == Some(":\\")
    };
    let moment = |cell: &Cell<'_>| date::day(cell.text).is_some_and(|(_, midnight)| !midnight);
    let ulid = |cell: &Cell<'_>| {
        cell.length() == 26 && cell.text.starts_with("01") && cell.lower == 0 && cell.marks == 0
    };
    weights.none += 8.0 * f64::from(u8::from(share(&|cell| forms::is_uuid(cell.text)) > 0.8));
    let rules: [(Is<'_>, f64); 7] = [
        (&hex, 2.0),
        (&epoch, 4.0),
        (&small, 5.0),
        (&path, 5.0),
        (&moment, 5.0),
        (&ulid, 6.0),
        (&|cell| cell.text.starts_with("1Z") && cell.length() == 18, 6.0),
    ];
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

/// Whether a value is one of a class that validates itself.
pub(crate) fn is_valid(class: &str, value: &str) -> bool {
    let cell = Cell::new(value);
    let compact = cell.compact();
    if let Some(name) = class.strip_prefix("national_id:") {
        return national::SCHEMES
            .iter()
            .any(|scheme| scheme.name == name && scheme.is_like(&cell) && scheme.is_valid(compact));
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
        Ok(Class::CryptoWallet) => secrets::is_wallet(value),
        Ok(Class::Jwt) => secrets::is_jwt(value),
        Ok(Class::RoutingNumber) => bare && forms::is_routing(compact),
        Ok(Class::Ssn) => cell.is_like(&["999-99-9999", "999999999"]) && national::is_ssn(compact),
        Ok(Class::Phone) => value.starts_with('+') && phone::is_international(value),
        _ => false,
    }
}
