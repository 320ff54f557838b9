//! `national_id` and `ssn`: numbers by which states and tax offices know people and companies, with their check digits.
//!
//! One table of forms: `#` is a digit, `@` a letter, `[..]` one of these, `{01-49}` a number between these, `{ymd}` a date, `?` a check
//! character. What a form begins with keeps clear of numbers that are issued where an authority has such a range. The input is read for its digits and letters
//! only; its check is not asked for, because real data have mistakes.

use veil_model::check;

use super::{At, CANDIDATES_MAX, Mask, redacted};
use crate::date::{date_of, day_of};
use crate::key::Draws;
use crate::kind::Kind;
use crate::number::Number;

/// A kind of number.
#[derive(Debug)]
pub(crate) struct Scheme {
    pub(crate) name: &'static str,
    form: &'static str,
    check: Check,
}

/// The check character behind these, or `None` if there is none.
type Check = fn(&[u8]) -> Option<u8>;

pub(crate) const SCHEMES: &[Scheme] = &[
    // The groups 01 to 49 of areas from 900 on keep clear of taxpayer numbers as well.
    scheme("us_ssn", "9##{01-49}{0001-9999}", check::none),
    scheme("us_ein", "#########", check::none),
    scheme("us_itin", "9##{70-88}####", check::none),
    // No number begins with QQ.
    scheme("uk_nino", "QQ######[ABCD]", check::none),
    // Numbers for tests.
    scheme("uk_nhs", "999######?", check::nhs),
    // No number begins with 0.
    scheme("ca_sin", "0#######?", check::luhn_digit),
    scheme("in_aadhaar", "[01]##########?", check::verhoeff),
    scheme("in_pan", "@@@P@####@", check::none),
    scheme("br_cpf", "#########??", check::cpf),
    scheme("br_cnpj", "########0001??", check::cnpj),
    scheme("fr_nir", "[12]##{01-12}{01-95}{001-989}{001-999}??", check::nir),
    scheme("es_dni", "########?", check::dni),
    scheme("it_cf", "@@@@@@##[ABCDEHLMPRST]{01-28}@{100-999}?", check::codice_fiscale),
    scheme("de_steuerid", "[123456789]#########?", check::mod11_10),
    scheme("pl_pesel", "{ymd}####?", check::pesel),
    scheme("nl_bsn", "[123456789]#######?", check::bsn),
    scheme("se_pnr", "{ymd}###?", check::luhn_digit),
    scheme("au_tfn", "[123456789]#######?", check::tfn),
    scheme("au_medicare", "[23456]#######?[123456789]", check::medicare),
    scheme("sg_nric", "S#######?", check::nric),
    scheme("cn_rid", "{110101-659000}{Ymd}###?", check::resident),
    scheme("kr_rrn", "{ymd}[12]#####?", check::rrn),
    scheme("jp_mynumber", "###########?", check::my_number),
];

/// The names of the schemes, for the catalogue.
pub(crate) const NAMES: [&str; SCHEMES.len()] = {
    let mut names = [""; SCHEMES.len()];
    let mut at = 0;
    while at < names.len() {
        #[allow(clippy::indexing_slicing, reason = "at compile time")]
        {
            names[at] = SCHEMES[at].name;
        }
        at += 1;
    }
    names
};

const fn scheme(name: &'static str, form: &'static str, check: Check) -> Scheme {
    Scheme { name, form, check }
}

#[derive(Debug)]
pub(crate) struct NationalId {
    scheme: &'static Scheme,
    /// How many digits a number has; `None` if there are always letters in it.
    digits: Option<usize>,
}

impl std::str::FromStr for NationalId {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let scheme = SCHEMES.iter().find(|scheme| scheme.name == name).ok_or(())?;
        let mut draws = crate::key::Draws::none();
        let mut drawn = (0..CANDIDATES_MAX).filter_map(|_| scheme.drawn(&mut draws));
        let digits = drawn.find(|drawn| drawn.iter().all(u8::is_ascii_digit)).map(|drawn| drawn.len());
        Ok(Self { scheme, digits })
    }
}

impl Mask for NationalId {
    /// As many as there are numbers of the form; not known where it has a date.
    fn room(&self) -> Option<u64> {
        let (mut room, mut form) = (1u64, self.scheme.form);
        while let Some(symbol) = form.bytes().next() {
            form = form.get(1..)?;
            room = room.checked_mul(match symbol {
                b'#' => 10,
                b'@' => 26,
                b'[' => {
                    let (set, rest) = form.split_once(']')?;
                    form = rest;
                    u64::try_from(set.len()).ok()?
                }
                b'{' => {
                    let (range, rest) = form.split_once('}')?;
                    form = rest;
                    let (from, to) = range.split_once('-')?;
                    to.parse::<u64>().ok()? - from.parse::<u64>().ok()? + 1
                }
                _ => 1,
            })?;
        }
        Some(room)
    }

    /// Numbers have to hold the greatest of the scheme.
    fn fits(&self, kind: Kind) -> bool {
        kind.number_max().is_none_or(|max| {
            self.digits
                .is_some_and(|digits| max >= 10u64.pow(u32::try_from(digits).unwrap_or(19).min(19)) - 1)
        })
    }

    fn text(&self, at: &At<'_>, text: &str, out: &mut Vec<u8>) -> Option<()> {
        let symbols: Vec<u8> =
            text.bytes().filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_uppercase()).collect();
        let marks = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -./".contains(&byte));
        let Some(masked) = self.masked(at, &symbols, |_| true).filter(|_| marks) else {
            return redacted(at, out);
        };
        let mut masked = masked.into_iter();
        out.extend(text.bytes().filter_map(|byte| match byte {
            b'a'..=b'z' => masked.next().map(|byte| byte.to_ascii_lowercase()),
            b'A'..=b'Z' | b'0'..=b'9' => masked.next(),
            mark => Some(mark),
        }));
        Some(())
    }

    /// A number column loses the zeros before a number; they count. What has more digits becomes 0.
    fn number(&self, at: &At<'_>, number: &Number) -> Option<Number> {
        let digits = self.digits?;
        let symbols = number.digits(digits).filter(|symbols| symbols.len() == digits);
        let all_digits = |masked: &[u8]| masked.iter().all(u8::is_ascii_digit);
        let masked = symbols.and_then(|symbols| self.masked(at, symbols.as_bytes(), all_digits));
        let masked = masked.and_then(|masked| String::from_utf8(masked).ok()?.parse().ok());
        Number::of(at.kind, masked.unwrap_or(0))
    }
}

impl NationalId {
    /// Another number for one of this form.
    fn masked(&self, at: &At<'_>, symbols: &[u8], fits: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        let mut draws = at.key.prf().bytes(self.scheme.name.as_bytes()).bytes(b"|").bytes(symbols).draws();
        let mut candidates = (0..CANDIDATES_MAX).filter_map(|_| self.scheme.drawn(&mut draws));
        let masked = candidates.find(|candidate| candidate != symbols && fits(candidate))?;
        let alike = |(at, (a, b)): (usize, (&u8, &u8))| {
            a.is_ascii_digit() == b.is_ascii_digit() || at + 1 == symbols.len()
        };
        (masked.len() == symbols.len() && masked.iter().zip(symbols).enumerate().all(alike)).then_some(masked)
    }
}

impl Scheme {
    /// A number of the form; `None` where no check character fits it.
    fn drawn(&self, draws: &mut Draws) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut form = self.form;
        while let Some(symbol) = form.bytes().next() {
            let rest = form.get(1..)?;
            form = match symbol {
                b'#' => (out.push(b'0' + u8::try_from(draws.below(10)).ok()?), rest).1,
                b'@' => (out.push(b'A' + u8::try_from(draws.below(26)).ok()?), rest).1,
                b'?' => (out.push((self.check)(&out)?), rest).1,
                b'[' => {
                    let (set, rest) = rest.split_once(']')?;
                    out.push(draws.pick(set.as_bytes()));
                    rest
                }
                b'{' => {
                    let (range, rest) = rest.split_once('}')?;
                    out.extend(ranged(draws, range)?.into_bytes());
                    rest
                }
                literal => (out.push(literal), rest).1,
            };
        }
        Some(out)
    }
}

/// A number between two of the same width, or a date between 1930 and 1999.
fn ranged(draws: &mut Draws, range: &str) -> Option<String> {
    let Some((from, to)) = range.split_once('-') else {
        let (first, last) = (day_of(1930, 1, 1)?, day_of(1999, 12, 31)?);
        let day = first + i64::try_from(draws.below(u64::try_from(last - first + 1).ok()?)).ok()?;
        let (year, month, day) = date_of(day)?;
        let year = if range.starts_with('Y') { year } else { year % 100 };
        return Some(format!("{year:02}{month:02}{day:02}"));
    };
    let (low, high): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
    Some(format!("{:0width$}", low + draws.below(high - low + 1), width = from.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that authorities and textbooks give as examples.
    #[test]
    fn checks_are_those_of_published_examples() {
        for (scheme, number) in [
            ("uk_nhs", "9434765919"),
            ("ca_sin", "046454286"),
            ("in_aadhaar", "2363"),
            ("br_cpf", "11144477735"),
            ("br_cnpj", "11222333000181"),
            ("fr_nir", "255081416802538"),
            ("es_dni", "12345678Z"),
            ("it_cf", "RSSMRA85T10A562S"),
            ("de_steuerid", "86095742719"),
            ("pl_pesel", "44051401359"),
            ("nl_bsn", "111222333"),
            ("se_pnr", "8112189876"),
            ("au_tfn", "123456782"),
            ("sg_nric", "S1234567D"),
            ("cn_rid", "11010519491231002X"),
            ("jp_mynumber", "123456789018"),
        ] {
            let NationalId { scheme: found, .. } = scheme.parse().unwrap();
            let checks = found.form.matches('?').count();
            let mut built = number.as_bytes()[..number.len() - checks].to_vec();
            for _ in 0..checks {
                built.push((found.check)(&built).unwrap());
            }
            assert_eq!(String::from_utf8(built).unwrap(), number, "{scheme}");
        }
    }

    #[test]
    fn every_scheme_draws_numbers() {
        let mut draws = Draws::none();
        for scheme in SCHEMES {
            let drawn = (0..CANDIDATES_MAX).find_map(|_| scheme.drawn(&mut draws));
            assert!(drawn.is_some(), "{}", scheme.name);
        }
    }
}
