//! Streets, cities and postcodes.

use crate::cell::Cell;
use crate::list;
use crate::words::{Set, Words};

/// Endings that make a street of a word.
const ENDINGS: &[&str] = &[
    "strasse", "str.", "str", "weg", "platz", "gasse", "allee", "damm", "ring", "ufer", "straat", "laan",
    "plein", "kade", "gracht", "dreef", "singel", "gatan", "vagen", "gata", "vag", "grand", "stigen", "gade",
    "vej", "veien", "gaten", "katu", "tie", "steig", "chaussee", "markt", "hof", "caddesi", "sokagi",
];

/// Marks of Chinese, Japanese and Korean addresses.
const MARKS: &[&str] =
    &["丁目", "番地", "番", "号", "町", "区", "市", "県", "路", "街", "道", "省", "로", "길", "동", "구"];

/// Whether a folded text names a street with a word for it, and whether it has a number beside words.
pub(crate) fn street(folded: &str, words: &Words) -> (bool, bool) {
    let (mut number, mut named, mut plain) = (false, false, 0);
    for word in folded.split([' ', ',', '\n', ';']).filter(|word| !word.is_empty()) {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        if digits > 0 && digits <= 6 {
            number = true;
        } else if word.chars().any(char::is_alphabetic) {
            plain += 1;
        }
        let bare = word.trim_matches(['(', ')']);
        named |= words.has(Set::Street, bare)
            || ENDINGS.iter().any(|ending| bare.len() > ending.len() + 2 && bare.ends_with(ending))
            || bare.strip_prefix("c/").is_some();
    }
    let eastern = folded.chars().any(|c| c > '\u{2e80}');
    let marked = MARKS.iter().filter(|mark| folded.contains(**mark)).count();
    if eastern && (marked >= 2 || (marked == 1 && folded.bytes().any(|byte| byte.is_ascii_alphanumeric()))) {
        return (true, true);
    }
    let long = folded.split([' ', ',']).count() <= 22;
    (named && number && plain > 0 && long, number && plain > 0 && long)
}

/// Whether a folded text is a city, perhaps with what stands behind a comma or in parentheses.
pub(crate) fn is_city(folded: &str) -> bool {
    let bare = folded.split([',', '(', '/']).next().unwrap_or_default().trim();
    let bare = bare.trim_end_matches(['市', '区', '町', '村']).trim_end_matches(" city");
    let endings = [
        "ville", "burgh", "bury", "mouth", "furt", "shire", "chester", "stead", "borough", "haven", "fort",
        "berg", "stadt", "dorf", "hausen", "heim", "市", "ikskylä",
    ];
    let heads = [
        "new ", "north ", "south ", "east ", "west ", "lake ", "port ", "san ", "santa ", "sao ", "saint ",
        "st. ", "bad ", "sankt ", "villa ", "los ", "las ", "le ", "la ", "el ",
    ];
    let alone = !bare.contains(' ');
    (alone && bare.len() > 6 && endings.iter().any(|ending| bare.ends_with(ending)))
        || (bare.split(' ').count() <= 3 && heads.iter().any(|head| bare.starts_with(head)))
        || folded.ends_with('市')
        || list::is_city(bare)
        || list::is_city(folded)
        || (bare.contains('-') && list::is_city(&bare.replace('-', " ")))
        || list::is_city(&bare.replace("st. ", "saint "))
}

/// How many values are postcodes, and how much their form says.
pub(crate) fn postcodes(cells: &[Cell<'_>]) -> (usize, f64) {
    /// Forms that little else has, and that many numbers have.
    const FORMS: &[(&[&str], f64)] = &[
        (
            &[
                "A9 9AA", "A99 9AA", "AA9 9AA", "AA99 9AA", "A9A 9AA", "AA9A 9AA", "A99AA", "A999AA",
                "AA99AA", "AA999AA", "A9A9AA", "AA9A9AA",
            ],
            4.5,
        ),
        (&["9999 AA", "9999AA"], 3.5),
        (&["A9A 9A9", "A9A9A9", "A9A-9A9"], 4.0),
        (&["99-999"], 3.2),
        (&["99999-999"], 4.2),
        (&["999-9999"], 2.2),
        (&["999 99"], 3.0),
        (&["9999-999"], 3.0),
        (&["99999-9999", "99999"], 0.3),
        (&["A-9999", "A-99999", "AA-9999", "AA-999 99"], 3.0),
        (&["AA-99999"], 0.5),
        (&["9999"], -0.5),
        (&["999999", "999 999"], 0.0),
        (&["99999999"], -1.0),
        (&["9999", "99999", "99999-9999", "999999"], -0.8),
        (&["999 99", "99999"], 0.5),
    ];
    let count =
        |layouts: &[&str]| cells.iter().filter(|cell| cell.length() <= 10 && cell.is_like(layouts)).count();
    let best = FORMS.iter().map(|(layouts, weight)| (count(layouts), *weight));
    let best = best.max_by(|(a, x), (b, y)| a.cmp(b).then(x.total_cmp(y))).unwrap_or((0, 0.0));
    let any = cells
        .iter()
        .filter(|cell| (3..=10).contains(&cell.length()) && cell.digits >= 2 && cell.wide == 0)
        .count();
    // Of several countries.
    if best.0 * 4 < cells.len() * 3 && any * 4 > cells.len() * 3 { (any, -1.0) } else { best }
}
