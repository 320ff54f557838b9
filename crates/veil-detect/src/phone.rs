//! Telephone numbers, by the numbering plans that libphonenumber publishes.

use phonenumber::country::Id;

/// Countries whose national numbers are tried.
const COUNTRIES: &[Id] = &[
    Id::US,
    Id::GB,
    Id::DE,
    Id::FR,
    Id::ES,
    Id::IT,
    Id::NL,
    Id::PL,
    Id::BR,
    Id::IN,
    Id::JP,
    Id::SE,
    Id::TR,
    Id::CA,
    Id::AU,
    Id::BE,
    Id::CH,
    Id::AT,
    Id::PT,
    Id::DK,
    Id::NO,
    Id::FI,
    Id::IE,
    Id::MX,
    Id::AR,
    Id::CN,
    Id::KR,
    Id::RU,
    Id::UA,
    Id::CZ,
    Id::SK,
    Id::HU,
    Id::RO,
    Id::GR,
    Id::IL,
    Id::ZA,
    Id::ID,
    Id::SG,
    Id::NZ,
    Id::CL,
    Id::CO,
    Id::TW,
    Id::EG,
    Id::SA,
    Id::AE,
    Id::TH,
    Id::VN,
    Id::PH,
    Id::MY,
    Id::PK,
    Id::BG,
    Id::HR,
];

/// Values that are looked at.
const LOOKED_MAX: usize = 30;

/// Values by which the countries are chosen whose plans all of them are held against.
const PROBED: usize = 6;
const COUNTRIES_MAX: usize = 4;

/// What the values of a column say, taken as telephone numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers {
    /// How many are written like one.
    pub(crate) alike: usize,
    /// How many have a country code, and are numbers of that country.
    pub(crate) international: usize,
    /// The share of those without one that are numbers of one country, the best.
    pub(crate) national: f64,
    /// Share of those that are written with marks between the digits, or a zero in front.
    pub(crate) marked: f64,
}

/// Whether a text has the digits of a telephone number, and the marks that people put between them.
pub(crate) fn is_alike(text: &str) -> bool {
    let body = without_extension(text);
    let groups = |mark: char| body.split(mark).map(str::len);
    // Numbers of chemicals, of social security, of versions.
    let other = (body.contains('-') && groups('-').next_back() == Some(1))
        || groups('-').eq([3, 2, 4])
        || (groups('.').count() == 4
            && (groups('.').next() < Some(3) || groups('.').all(|length| length <= 3)));
    let digits = body.bytes().filter(u8::is_ascii_digit).count();
    let first = body.bytes().next();
    !other
        && (7..=15).contains(&digits)
        && body.len() <= 26
        && first.is_some_and(|byte| byte.is_ascii_digit() || b"+(".contains(&byte))
        && body
            .bytes()
            .enumerate()
            .all(|(at, byte)| byte.is_ascii_digit() || b" -./()".contains(&byte) || (byte == b'+' && at < 2))
        && body.bytes().last().is_some_and(|byte| byte.is_ascii_digit())
        && body.matches('/').count() < 2
        && body.matches('.').count() <= 4
}

/// Without a label in front, and an extension behind.
fn without_extension(text: &str) -> &str {
    let label =
        text.find(|c: char| c.is_ascii_digit() || "+(".contains(c)).filter(|at| *at <= 10).unwrap_or(0);
    let is_label = text.get(..label).is_some_and(|label| {
        label.chars().all(|c| c.is_alphabetic() || " .:".contains(c)) && label.ends_with([' ', '.', ':'])
    });
    let text = if is_label { text.get(label..).unwrap_or_default() } else { text };
    let at =
        ["ext", "x", "EXT", "Ext", "#", ";", "Durchwahl"].iter().filter_map(|mark| text.find(mark)).min();
    text.get(..at.unwrap_or(text.len())).unwrap_or_default().trim_end()
}

/// Keeps the expressions of all plans, of which the library would keep a hundred and make the others anew each time.
pub(crate) fn keep_plans() {
    const EXPRESSIONS_MAX: usize = 4096;
    if let Ok(mut cache) = phonenumber::metadata::DATABASE.cache().lock() {
        cache.set_capacity(EXPRESSIONS_MAX);
    }
}

impl Numbers {
    pub(crate) fn of(values: &[&str]) -> Self {
        let alike: Vec<&str> = values.iter().copied().filter(|value| is_alike(value)).collect();
        let looked: Vec<&str> = alike.iter().copied().take(LOOKED_MAX).map(without_extension).collect();
        if looked.is_empty() {
            return Self::default();
        }
        let is_marked = |text: &&&str| {
            text.bytes().filter(|byte| b" -./()".contains(byte)).count() > 1
                || text.contains(' ')
                || text.starts_with('0')
        };
        let (abroad, at_home): (Vec<&str>, Vec<&str>) =
            looked.iter().partition(|text| text.starts_with('+') || text.starts_with("00"));
        let international = abroad.iter().filter(|text| is_international(text)).count();
        let valid =
            |country: Id, among: &[&str]| among.iter().filter(|text| is_valid(Some(country), text)).count();
        // Some values tell which countries it may be.
        let first = at_home.get(..at_home.len().min(PROBED)).unwrap_or_default();
        let mut countries: Vec<(usize, Id)> =
            COUNTRIES.iter().map(|country| (valid(*country, first), *country)).collect();
        countries.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let best = countries
            .iter()
            .take(COUNTRIES_MAX)
            .map(|(_, country)| valid(*country, &at_home))
            .max()
            .unwrap_or(0);
        let share = |part: usize, of: usize| if of == 0 { 0.0 } else { ratio(part, of) };
        Self {
            alike: alike.len(),
            international: international * alike.len() / looked.len(),
            national: share(best, at_home.len()),
            marked: share(looked.iter().filter(is_marked).count(), looked.len()),
        }
    }
}

impl Numbers {
    /// The share of numbers that begin with a country code, though nothing marks it.
    pub(crate) fn with_codes(values: &[&str]) -> f64 {
        let looked = || {
            values
                .iter()
                .filter(|text| text.len() >= 10 && text.bytes().all(|byte| byte.is_ascii_digit()))
                .take(LOOKED_MAX)
        };
        let valid = looked().filter(|text| is_valid(None, &format!("+{text}"))).count();
        if looked().count() * 2 < values.len().min(LOOKED_MAX) { 0.0 } else { ratio(valid, looked().count()) }
    }
}

fn ratio(part: usize, of: usize) -> f64 {
    f64::from(u32::try_from(part).unwrap_or(u32::MAX)) / f64::from(u32::try_from(of).unwrap_or(u32::MAX))
}

pub(crate) fn is_international(text: &str) -> bool {
    let plus = text.strip_prefix("00").map_or_else(|| text.to_owned(), |rest| format!("+{rest}"));
    is_valid(None, &plus)
}

fn is_valid(country: Option<Id>, text: &str) -> bool {
    phonenumber::parse(country, text).is_ok_and(|number| phonenumber::is_valid(&number))
}
