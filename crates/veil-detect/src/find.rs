//! Values of some kinds inside of texts, found in one direction and in time in proportion to the text.
//!
//! A first pass over the bytes tells which kinds may be there at all; most texts end with it.

use std::sync::Arc;

use veil_model::check;
use veil_model::find::{Find, Span};

use crate::{forms, list, national, secrets};

/// A kind of value that is found inside of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity {
    /// Email addresses.
    Email,
    /// Numbers of payment cards that an issuer may have given, with the check of Luhn.
    CreditCard,
    /// International bank account numbers, with their check digits.
    Iban,
    /// Telephone numbers with a country code.
    Phone,
    /// Social security numbers of the United States, with hyphens.
    Ssn,
    /// Addresses of hosts.
    Ip,
    /// JSON Web Tokens.
    Jwt,
    /// Keys of providers that mark theirs, and private keys in PEM.
    Secret,
    /// Addresses of crypto currencies.
    Wallet,
    /// Names of people that are in lists.
    Name,
}

/// Finds entities.
#[derive(Clone, Debug)]
pub struct Finder {
    entities: Vec<Entity>,
    care: Care,
}

/// What counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// All that may be one, for whoever hides them: a card of an issuer that nobody knows, a social security number that was never given.
    All,
    /// What is likely to be one, for whoever tells of them.
    Likely,
}

/// What a text may have in it, by its bytes.
#[derive(Clone, Copy, Default)]
struct Gate {
    digits: usize,
    ats: usize,
    dots: usize,
    colons: usize,
    pluses: usize,
    hyphens: usize,
    capitals: usize,
    /// The longest run of letters, digits, `-`, `_`, `.`.
    run: usize,
}

impl Entity {
    /// Every entity.
    pub const ALL: &'static [Self] = &[
        Self::Email,
        Self::CreditCard,
        Self::Iban,
        Self::Phone,
        Self::Ssn,
        Self::Ip,
        Self::Jwt,
        Self::Secret,
        Self::Wallet,
        Self::Name,
    ];

    /// Those that show by themselves what they are.
    pub const CERTAIN: &'static [Self] = &[
        Self::Email,
        Self::CreditCard,
        Self::Iban,
        Self::Phone,
        Self::Ssn,
        Self::Jwt,
        Self::Secret,
        Self::Wallet,
    ];

    /// As configuration calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::CreditCard => "credit_card",
            Self::Iban => "iban",
            Self::Phone => "phone",
            Self::Ssn => "ssn",
            Self::Ip => "ip",
            Self::Jwt => "jwt",
            Self::Secret => "secret",
            Self::Wallet => "wallet",
            Self::Name => "name",
        }
    }

    const fn may_be(self, gate: &Gate) -> bool {
        match self {
            Self::Email => gate.ats > 0 && gate.dots > 0,
            Self::CreditCard => gate.digits >= 12,
            Self::Iban => gate.digits >= 2,
            Self::Phone => gate.pluses > 0 && gate.digits >= 7,
            Self::Ssn => gate.digits >= 9 && gate.hyphens >= 2,
            Self::Ip => gate.dots >= 3 && gate.digits >= 4 || gate.colons >= 2,
            Self::Jwt => gate.run >= 20 && gate.dots >= 2,
            Self::Secret => gate.run >= 10,
            Self::Wallet => gate.run >= 25,
            Self::Name => gate.capitals >= 2,
        }
    }

    /// Where one begins that begins at or behind `at`.
    fn next(self, text: &str, at: usize, care: Care) -> Option<(usize, usize)> {
        let bytes = text.as_bytes();
        if self == Self::Email {
            return email(text, at, care);
        }
        let mut from = at;
        while let Some(place) = (from..bytes.len()).find(|place| self.begins(bytes, *place)) {
            if let Some(length) = self.length(text, place, care) {
                return Some((place, place + length));
            }
            from = place + 1;
        }
        None
    }

    /// Whether it may begin with this byte.
    fn begins(self, bytes: &[u8], at: usize) -> bool {
        let (Some(&byte), before) = (bytes.get(at), at.checked_sub(1).and_then(|at| bytes.get(at))) else {
            return false;
        };
        let fresh = !before.is_some_and(|byte| is_word(*byte));
        match self {
            Self::Email => false,
            Self::CreditCard | Self::Ssn => fresh && byte.is_ascii_digit(),
            Self::Iban => {
                fresh && byte.is_ascii_alphabetic() && bytes.get(at + 2).is_some_and(u8::is_ascii_digit)
            }
            Self::Phone => byte == b'+' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit),
            // An address may stand behind letters that are no part of it: `ip2001:db8::1`.
            Self::Ip => {
                byte == b':' || byte.is_ascii_hexdigit() && !before.is_some_and(u8::is_ascii_hexdigit)
            }
            Self::Jwt => fresh && byte == b'e',
            Self::Secret => fresh && (byte.is_ascii_alphabetic() || byte == b'-'),
            Self::Wallet => fresh && byte.is_ascii_alphanumeric(),
            Self::Name => {
                fresh && before.is_none_or(u8::is_ascii) && (byte.is_ascii_uppercase() || byte >= 0xc0)
            }
        }
    }

    /// How long the one is that begins here.
    fn length(self, text: &str, at: usize, care: Care) -> Option<usize> {
        let rest = text.get(at..)?;
        match self {
            Self::Email => None,
            // Digits behind a point are a fraction.
            Self::CreditCard if care == Care::Likely && is_fraction(text.as_bytes(), at) => None,
            Self::CreditCard => card(rest, care),
            Self::Iban => iban(rest, care),
            Self::Phone => phone(rest, care),
            Self::Ssn => ssn(rest, care),
            Self::Ip => ip(rest),
            Self::Jwt => Some(token(rest)).filter(|end| rest.get(..*end).is_some_and(secrets::is_jwt)),
            Self::Secret => secret(rest),
            Self::Wallet => {
                let end = rest.bytes().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len());
                Some(end)
                    .filter(|end| (25..=90).contains(end) && rest.get(..*end).is_some_and(secrets::is_wallet))
            }
            Self::Name => name(rest),
        }
    }
}

impl std::str::FromStr for Entity {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|entity| entity.name() == name).ok_or(())
    }
}

/// What finds entities of these names, each in its place; `None` if one is not known.
#[must_use]
pub fn finder(names: &[&str]) -> Option<Arc<dyn Find>> {
    let entities = names.iter().map(|name| name.parse()).collect::<Result<Vec<_>, ()>>().ok()?;
    Some(Arc::new(Finder::new(&entities, Care::All)))
}

impl Finder {
    /// Finds these, of which the first that is found counts.
    #[must_use]
    pub fn new(entities: &[Entity], care: Care) -> Self {
        Self { entities: entities.to_vec(), care }
    }

    /// The entities that it finds.
    #[must_use]
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }
}

impl Find for Finder {
    fn find(&self, text: &str, spans: &mut Vec<Span>) {
        let gate = Gate::of(text.as_bytes());
        let first = spans.len();
        for (by, entity) in self.entities.iter().enumerate().filter(|(_, entity)| entity.may_be(&gate)) {
            let mut at = 0;
            while let Some((from, to)) = entity.next(text, at, self.care) {
                spans.push(Span { from, to, by });
                at = to;
            }
        }
        let Some(found) = spans.get_mut(first..).filter(|found| found.len() > 1) else { return };
        found.sort_by_key(|span| (span.from, std::cmp::Reverse(span.to), span.by));
        // What lies over another belongs to it, so that no end of it is shown.
        let mut kept: Vec<Span> = Vec::with_capacity(found.len());
        for span in found.iter() {
            match kept.last_mut().filter(|last| span.from < last.to) {
                Some(last) => last.to = last.to.max(span.to),
                None => kept.push(*span),
            }
        }
        spans.truncate(first);
        spans.extend(kept);
    }
}

impl Gate {
    fn of(bytes: &[u8]) -> Self {
        let mut gate = Self::default();
        let mut run = 0;
        for &byte in bytes {
            let class = CLASSES.get(usize::from(byte)).copied().unwrap_or(0);
            gate.digits += usize::from(class & 1);
            gate.ats += usize::from(class >> 1 & 1);
            gate.dots += usize::from(class >> 2 & 1);
            gate.colons += usize::from(class >> 3 & 1);
            gate.pluses += usize::from(class >> 4 & 1);
            gate.hyphens += usize::from(class >> 5 & 1);
            gate.capitals += usize::from(class >> 6 & 1);
            run = if class >> 7 == 1 { run + 1 } else { 0 };
            gate.run = gate.run.max(run);
        }
        gate
    }
}

/// What each byte counts for, by the bits in the order of [`Gate`].
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, clippy::indexing_slicing, reason = "at compile time")]
        {
            let b = byte as u8;
            classes[byte] = match b {
                b'0'..=b'9' => 0x81,
                b'@' => 0x02,
                b'.' => 0x84,
                b':' => 0x08,
                b'+' => 0x10,
                b'-' => 0xa0,
                b'A'..=b'Z' => 0xc0,
                b'a'..=b'z' | b'_' => 0x80,
                0xc0.. => 0x40,
                _ => 0,
            };
        }
        byte += 1;
    }
    classes
};

/// Whether what stands beside it makes a longer word of a value. Letters outside of ASCII do not: they need no blank before a number, and marks like `：` are among them.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Letters, digits, `-`, `_`, `.`, without dots at the end.
fn run(text: &str) -> usize {
    let end = text
        .bytes()
        .position(|byte| !(byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)))
        .unwrap_or(text.len());
    text.get(..end).map_or(0, |run| run.trim_end_matches('.').len())
}

fn email(text: &str, at: usize, care: Care) -> Option<(usize, usize)> {
    let mut from = at;
    loop {
        let place = from + text.get(from..)?.find('@')?;
        let local = |c: char| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-.".contains(c);
        // No `@` is in it, so that no part of the text is read twice.
        let before = text.get(from..place)?.char_indices().rev().take_while(|(_, c)| local(*c)).last();
        let after = text.get(place + 1..)?;
        let end = after.find(|c: char| !(c.is_alphanumeric() || "-.".contains(c))).unwrap_or(after.len());
        let domain = after.get(..end)?.trim_end_matches(['.', '-']);
        if let Some((start, _)) = before.filter(|_| domain.trim_start_matches('.').contains('.')) {
            let start = from + start;
            // Marks before it belong to the text: `'a@b.example'`.
            let open =
                text.get(start..place)?.find(|c: char| c.is_alphanumeric() || "_+".contains(c)).unwrap_or(0);
            // `user@10.0.0.5` is one of a database.
            let host = !domain.rsplit('.').next().is_some_and(|top| top.contains(char::is_alphabetic));
            if care == Care::All || !(host || forms::is_file(domain)) {
                return Some((start + open, place + 1 + domain.len()));
            }
        }
        from = place + 1;
    }
}

/// Digits, one mark between two of them at most, up to so many; each with where it ends.
fn digits<const MAX: usize>(text: &str, marks: &[u8], gap: usize) -> ([u8; MAX], [usize; MAX], usize) {
    let (mut digits, mut ends, mut count, mut skipped) = ([0; MAX], [0; MAX], 0, 0);
    for (at, byte) in text.bytes().enumerate() {
        if byte.is_ascii_digit() {
            let (Some(digit), Some(end)) = (digits.get_mut(count), ends.get_mut(count)) else { break };
            (*digit, *end) = (byte, at + 1);
            (count, skipped) = (count + 1, 0);
        } else if marks.contains(&byte) && skipped < gap {
            skipped += 1;
        } else {
            break;
        }
    }
    (digits, ends, count)
}

/// Whether a value may end here.
fn ends(text: &str, end: usize) -> bool {
    !text.as_bytes().get(end).is_some_and(|byte| is_word(*byte))
}

fn card(text: &str, care: Care) -> Option<usize> {
    let (digits, at, count) = digits::<19>(text, b" -.", 1);
    (12..=count).rev().find_map(|length| {
        let end = *at.get(length.checked_sub(1)?)?;
        let is_one = digits.get(..length).is_some_and(|digits| {
            (care == Care::All && length >= 13 || forms::is_issued(digits)) && check::luhn(digits)
        });
        (ends(text, end) && is_one).then_some(end)
    })
}

fn is_fraction(bytes: &[u8], at: usize) -> bool {
    let before = |count: usize| at.checked_sub(count).and_then(|at| bytes.get(at));
    before(1) == Some(&b'.') && before(2).is_some_and(u8::is_ascii_digit)
}

fn ssn(text: &str, care: Care) -> Option<usize> {
    let found = text.get(..11).filter(|found| crate::cell::is_like(found, "999-99-9999"))?;
    let digits: [u8; 9] = found.bytes().filter(u8::is_ascii_digit).collect::<Vec<_>>().try_into().ok()?;
    (ends(text, 11) && (care == Care::All || national::is_ssn(&digits))).then_some(11)
}

fn phone(text: &str, care: Care) -> Option<usize> {
    let rest = text.get(1..)?;
    let (digits, at, count) = digits::<15>(rest, b" ().-/", 3);
    let end = *at.get(count.checked_sub(1)?)?;
    let whole = !rest.as_bytes().get(end).is_some_and(u8::is_ascii_digit);
    let likely = whole && digits.first() != Some(&b'0');
    (count >= 7 && (care == Care::All || likely)).then_some(1 + end)
}

fn iban(text: &str, care: Care) -> Option<usize> {
    let (mut compact, mut at, mut count) = ([0_u8; 34], [0_usize; 34], 0);
    let mut blank = false;
    for (place, byte) in text.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() {
            let (Some(symbol), Some(end)) = (compact.get_mut(count), at.get_mut(count)) else { break };
            (*symbol, *end) = (byte.to_ascii_uppercase(), place + 1);
            (count, blank) = (count + 1, false);
        } else if b" -".contains(&byte) && !blank {
            blank = true;
        } else {
            break;
        }
    }
    // Two letters and two digits begin one.
    if !matches!(compact, [a, b, c, d, ..] if a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit())
    {
        return None;
    }
    (15..=count).rev().find_map(|length| {
        let end = *at.get(length - 1)?;
        let iban = std::str::from_utf8(compact.get(..length)?).ok()?;
        if !ends(text, end) {
            return None;
        }
        let checks = || {
            check::iban_digits(iban.get(..2)?, iban.get(4..)?).filter(|digits| iban.get(2..4) == Some(digits))
        };
        let is_one = check::is_iban(iban) || (care == Care::All && checks().is_some());
        is_one.then_some(end)
    })
}

fn ip(text: &str) -> Option<usize> {
    const LENGTH_MAX: usize = 45;
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
    let bytes = text.as_bytes();
    let end = bytes.iter().take(LENGTH_MAX).take_while(|byte| is_part(byte)).count();
    let mark = |at: usize| bytes.get(at).is_none_or(|byte| b":.".contains(byte) || !is_part(byte));
    // It ends where a part of it does: a port, or the end of a sentence, may stand behind.
    (4..=end).rev().filter(|end| mark(*end) || mark(end - 1)).find(|end| {
        let found = text.get(..*end).unwrap_or_default();
        let last = found.bytes().last().is_some_and(|byte| byte.is_ascii_hexdigit() || found.ends_with("::"));
        last && ends(text, *end) && found.parse::<std::net::IpAddr>().is_ok()
    })
}

/// Three parts of letters, digits, `-` and `_`, with dots between them.
fn token(text: &str) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let mut dots = 0;
    let within = text.bytes().take_while(|byte| {
        dots += usize::from(*byte == b'.');
        is_part(byte) && dots < 3
    });
    within.count()
}

fn secret(text: &str) -> Option<usize> {
    const END: &str = "PRIVATE KEY-----";
    const HEAD_MAX: usize = 64;
    if text.starts_with("-----BEGIN ") {
        let head = text.char_indices().take(HEAD_MAX).last().map_or(0, |(at, _)| at);
        let head = text.get(..head)?.find(END)? + END.len();
        // Without an end it goes on to the end of the text.
        return Some(text.get(head..)?.find(END).map_or(text.len(), |at| head + at + END.len()));
    }
    let is_known = secrets::KEY_PREFIXES.iter().any(|(prefix, _)| text.starts_with(prefix));
    let end = if is_known { run(text) } else { 0 };
    Some(end).filter(|end| *end >= 16 && text.get(..*end).is_some_and(secrets::is_marked_key))
}

/// Characters of a name.
const NAME_MAX: usize = 160;

/// A given name and what stands behind it in capitals: two words, or three with a particle or an initial between.
fn name(text: &str) -> Option<usize> {
    const BETWEEN: &[&str] =
        &["de", "van", "von", "der", "den", "la", "le", "da", "dos", "di", "del", "al", "el", "bin"];
    let (mut end, mut words, mut known, mut at) = (0, 0, 0, 0);
    // Longer words are no names, and are not read.
    let head = text.char_indices().nth(NAME_MAX).map_or(text.len(), |(at, _)| at);
    for word in text.get(..head)?.split_inclusive(' ').take(5) {
        let bare =
            word.trim_end_matches(' ').trim_end_matches([',', '.', ';', ':', '!', '?', ')', '"', '\'', '\n']);
        let capital = bare.chars().next().is_some_and(char::is_uppercase);
        let is_name = capital
            && bare.chars().count() > 1
            && bare.chars().all(|c| c.is_alphabetic() || "-'’".contains(c));
        if !is_name && (words == 0 || !(BETWEEN.contains(&bare) || (capital && bare.chars().count() == 1))) {
            break;
        }
        let (given, family) =
            if is_name { list::name(&list::folded(bare)).unwrap_or_default() } else { (0, 0) };
        if words == 0 && given < 8 {
            return None;
        }
        if is_name {
            words += 1;
            known += usize::from(given > 0 || family > 0);
            end = at + bare.len();
        }
        at += word.len();
        if words == 3
            || (is_name && bare.len() + 1 < word.len() && word.ends_with(' '))
            || !word.ends_with(' ')
        {
            break;
        }
    }
    (words >= 2 && known >= 1 && ends(text, end)).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&'static str, &str)> {
        let finder = Finder::new(Entity::ALL, Care::Likely);
        let mut spans = vec![];
        finder.find(text, &mut spans);
        spans.iter().map(|span| (Entity::ALL[span.by].name(), &text[span.from..span.to])).collect()
    }

    #[test]
    fn entities_are_found_in_texts() {
        for (text, expected) in [
            (
                "write to <jane.doe@corp.example>, or call +1 (212) 736-5000.",
                vec![("email", "jane.doe@corp.example"), ("phone", "+1 (212) 736-5000")],
            ),
            ("paid by 4111 1111 1111 1111 yesterday", vec![("credit_card", "4111 1111 1111 1111")]),
            ("to DE89 3704 0044 0532 0130 00 please", vec![("iban", "DE89 3704 0044 0532 0130 00")]),
            (
                "ssn 219-09-9999, from 10.0.0.1 and 2001:db8::1",
                vec![("ssn", "219-09-9999"), ("ip", "10.0.0.1"), ("ip", "2001:db8::1")],
            ),
            ("key AKIAIOSFODNN7EXAMPLE!", vec![("secret", "AKIAIOSFODNN7EXAMPLE")]),
            (
                "pay 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
                vec![("wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")],
            ),
            ("Spoke with Maria Rossi today", vec![("name", "Maria Rossi")]),
            ("order 1234567890123456 of 2024-05-01, v1.2.3", vec![]),
            ("a@b, @home, 3+4, +12, x@y., logo@2x.png, 000-12-3456", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    /// Who hides values hides what may be one.
    #[test]
    fn all_that_may_be_one_is_found_for_masks() {
        let finder = finder(&["email", "credit_card", "iban", "phone", "ssn"]).unwrap();
        let long = format!("{}@corp.example", "a".repeat(90));
        for text in [
            "logo@2x.png",
            long.as_str(),
            "!!!@corp.example",
            "9111 1111 1111 1110",
            "000-12-3456",
            "+0123456789012345678",
            "ZZ59 1234 5678 9012 3456",
        ] {
            let mut spans = vec![];
            finder.find(text, &mut spans);
            assert!(
                spans.first().is_some_and(|span| span.from == 0 && span.to >= 15.min(text.len())),
                "{text}: {spans:?}"
            );
        }
    }

    /// What stands before a value without a blank does not hide it.
    #[test]
    fn values_are_found_behind_any_mark() {
        for (text, value) in [
            ("カード：4111 1111 1111 1111。", "4111 1111 1111 1111"),
            ("Karte №4111111111111111", "4111111111111111"),
            ("«DE89 3704 0044 0532 0130 00»", "DE89 3704 0044 0532 0130 00"),
            ("社会保障番号219-09-9999です", "219-09-9999"),
            ("from\u{a0}10.1.2.3", "10.1.2.3"),
            ("ip2001:db8::1", "2001:db8::1"),
        ] {
            let finder = finder(&["email", "credit_card", "iban", "phone", "ssn", "ip"]).unwrap();
            let mut spans = vec![];
            finder.find(text, &mut spans);
            let found: Vec<&str> = spans.iter().map(|span| &text[span.from..span.to]).collect();
            assert_eq!(found, [value], "{text}");
        }
    }

    /// Time in proportion to the text, whatever it is.
    #[test]
    fn long_texts_of_marks_are_passed_over() {
        let finder = Finder::new(Entity::ALL, Care::Likely);
        for piece in [
            "a@",
            "1",
            "1 ",
            "+1",
            "-----BEGIN ",
            "aa11",
            "A ",
            "::",
            "1.",
            "eyJ.",
            "@",
            "Maria ",
            "e.",
            "s-",
            "A.",
            "sk-",
        ] {
            let text = piece.repeat(300_000 / piece.len());
            let mut spans = vec![];
            finder.find(&text, &mut spans);
            // In time that grows with the square of the text, nobody would see this.
            assert!(spans.iter().all(|span| span.from < span.to && span.to <= text.len()), "{piece}");
            assert!(spans.is_sorted_by(|a, b| a.to <= b.from), "{piece}");
        }
    }
}
