//! The table of masking functions: what configuration may say, what is checked, and what documentation prints.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Mask;
use super::address::Address;
use super::blob::Blob;
use super::boolean::Boolean;
use super::canary::Canary;
use super::category::Category;
use super::company::Company;
use super::composite::Composite;
use super::credit_card::CreditCard;
use super::date_shift::DateShift;
use super::date_truncate::DateTruncate;
use super::email::Email;
use super::fixed::{Constant, Null, Redact};
use super::fpe::Fpe;
use super::geo::Geo;
use super::hash::Hash;
use super::iban::Iban;
use super::int_perm::IntPerm;
use super::ip::Ip;
use super::json::Json;
use super::lookup::Lookup;
use super::mac::Mac;
use super::name::Name;
use super::national_id::{NAMES, NationalId};
use super::number::NumberMask;
use super::partial::Partial;
use super::phone::Phone;
use super::postcode::Postcode;
use super::regex::Replace;
use super::template::Template;
use super::text_entities::TextEntities;
use super::token::Token;
use super::truncate::Truncate;
use super::url::Url;
use super::username::Username;
use super::uuid_perm::UuidPerm;
use crate::strategy::{Function, Guarantee, Parameter, ParameterKind, Strategy, StrategyError, Tag, Takes};

use ParameterKind as Kind;

type Built = Result<Arc<dyn Mask>, StrategyError>;

fn built(mask: impl Mask + 'static) -> Built {
    Ok(Arc::new(mask))
}

const fn parameter(
    name: &'static str,
    kind: ParameterKind,
    default: Option<&'static str>,
    what: &'static str,
) -> Parameter {
    Parameter { name, kind, default, what }
}

const fn always(tag: Tag) -> Guarantee {
    Guarantee { tag, with: None }
}

const fn when(tag: Tag, parameter: &'static str, words: &'static [&'static str]) -> Guarantee {
    Guarantee { tag, with: Some((parameter, words)) }
}

const SMALL: Parameter = parameter(
    "allow_small_domain",
    Kind::Bool,
    Some("false"),
    "whether values are masked that are so few (below a million) that they could be found by trying",
);

const fn fpe_mode(what: &'static str) -> Parameter {
    parameter("mode", Kind::Choice(&["fake", "fpe"]), Some("fake"), what)
}

const TEXTS: &[Takes] = &[Takes::Text, Takes::Json];
const TEXTS_AND_NUMBERS: &[Takes] = &[Takes::Text, Takes::Json, Takes::Number];

pub(crate) const CATALOGUE: &[Function] = &[
    Function {
        name: "null",
        summary: "Replaces every value of any type by NULL.",
        takes: Takes::ALL,
        tags: &[always(Tag::Deterministic), always(Tag::Lossy), always(Tag::Safe)],
        leaks: "nothing",
        params: &[],
        build: |_| built(Null),
    },
    Function {
        name: "default",
        summary: "Replaces every value by the type's zero: an empty text, 0, 1970-01-01, false.",
        takes: Takes::ALL,
        tags: &[always(Tag::Deterministic), always(Tag::Lossy), always(Tag::Safe)],
        leaks: "whether it is NULL",
        params: &[],
        build: |_| built(Redact(String::new())),
    },
    Function {
        name: "redact",
        summary: "Replaces texts by a label, and values of other types by the type's zero.",
        takes: Takes::ALL,
        tags: &[always(Tag::Deterministic), always(Tag::Lossy), always(Tag::Safe)],
        leaks: "whether it is NULL",
        params: &[parameter(
            "label",
            Kind::Text,
            Some("[REDACTED]"),
            "text shown instead, cut to the column's length",
        )],
        build: |arguments| built(Redact(arguments.value("label")?)),
    },
    Function {
        name: "secret",
        summary: "Replaces passwords, keys and the like by a label, whatever they are.",
        takes: Takes::ALL,
        tags: &[always(Tag::Deterministic), always(Tag::Lossy), always(Tag::Safe)],
        leaks: "whether it is NULL",
        params: &[],
        build: |_| built(Redact("[SECRET]".to_owned())),
    },
    Function {
        name: "constant",
        summary: "Replaces every value by one value, which the column's type must be able to hold.",
        takes: Takes::ALL,
        tags: &[always(Tag::Deterministic), always(Tag::Lossy)],
        leaks: "whether it is NULL",
        params: &[parameter(
            "value",
            Kind::Any,
            None,
            "value shown instead, in the form that the column's type reads",
        )],
        build: |arguments| built(Constant(arguments.value("value")?)),
    },
    Function {
        name: "partial",
        summary: "Keeps the first and last characters of a text and covers the others, keeping its length; \
                  covers everything if it would show half of the text or more.",
        takes: TEXTS,
        tags: &[always(Tag::Deterministic), always(Tag::Lossy)],
        leaks: "length, and what is kept",
        params: &[
            parameter("first", Kind::Int { min: 0, max: 64 }, Some("0"), "characters kept at the beginning"),
            parameter("last", Kind::Int { min: 0, max: 64 }, Some("4"), "characters kept at the end"),
            parameter("fill", Kind::Character, Some("*"), "character that covers the others"),
            parameter(
                "keep_punctuation",
                Kind::Bool,
                Some("false"),
                "whether blanks and marks of ASCII stay where they are",
            ),
        ],
        build: |arguments| {
            built(Partial {
                first: arguments.value("first")?,
                last: arguments.value("last")?,
                fill: arguments.value("fill")?,
                keep_punctuation: arguments.value("keep_punctuation")?,
            })
        },
    },
    Function {
        name: "truncate",
        summary: "Keeps the beginning of a text; a text of which that would be half or more becomes a label.",
        takes: TEXTS,
        tags: &[always(Tag::Deterministic), always(Tag::Lossy)],
        leaks: "the beginning",
        params: &[parameter("length", Kind::Int { min: 1, max: 64 }, None, "characters kept")],
        build: |arguments| built(Truncate { length: arguments.value("length")? }),
    },
    Function {
        name: "regex",
        summary: "Replaces all that a regular expression finds in a text; a text in which it finds nothing becomes a label.",
        takes: TEXTS,
        tags: &[always(Tag::Deterministic), always(Tag::Lossy)],
        leaks: "what the pattern does not find",
        params: &[
            parameter(
                "pattern",
                Kind::Text,
                None,
                "regular expression, without look-around and back references",
            ),
            parameter("replace", Kind::Text, Some("*"), "text in its place; $1 stands for the first group"),
        ],
        build: |arguments| {
            let pattern: String = arguments.value("pattern")?;
            let replace = Replace::new(&pattern, arguments.value("replace")?);
            replace
                .map_err(|_| {
                    arguments.wrong("pattern", "a regular expression without look-around and back references")
                })
                .and_then(built)
        },
    },
    Function {
        name: "hash",
        summary: "Replaces a value by a keyed digest of the same type, the same for equal values.",
        takes: &[Takes::Text, Takes::Json, Takes::Number, Takes::Float, Takes::Uuid, Takes::Bytes],
        tags: &[always(Tag::Deterministic), always(Tag::Probable)],
        leaks: "nothing",
        params: &[
            parameter(
                "length",
                Kind::Int { min: 8, max: 64 },
                Some("32"),
                "digits of a text digest, cut to the column's length",
            ),
            parameter(
                "encoding",
                Kind::Choice(&["hex", "base32"]),
                Some("hex"),
                "digits that a text digest has",
            ),
        ],
        build: |arguments| {
            built(Hash { length: arguments.value("length")?, encoding: arguments.value("encoding")? })
        },
    },
    Function {
        name: "fpe",
        summary: "Encrypts the digits and letters of a text or number so that it keeps its length and looks (FF1 of NIST SP 800-38G).",
        takes: TEXTS_AND_NUMBERS,
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Unique),
            always(Tag::Format),
            always(Tag::Reversible),
        ],
        leaks: "length, marks, which places hold digits, capitals and small letters, whether a number begins with 0; what is kept",
        params: &[
            parameter(
                "alphabet",
                Kind::Text,
                Some("auto"),
                "symbols that are encrypted: auto (each among its like), digits, hex, lower, upper, alnum, or the symbols themselves",
            ),
            parameter(
                "keep_first",
                Kind::Int { min: 0, max: 64 },
                Some("0"),
                "symbols kept at the beginning",
            ),
            parameter("keep_last", Kind::Int { min: 0, max: 64 }, Some("0"), "symbols kept at the end"),
            SMALL,
        ],
        build: |arguments| {
            built(Fpe {
                alphabet: arguments.value("alphabet")?,
                keep_first: arguments.value("keep_first")?,
                keep_last: arguments.value("keep_last")?,
                allow_small_domain: arguments.value("allow_small_domain")?,
            })
        },
    },
    Function {
        name: "token",
        summary: "Replaces a text or bytes by what only the key can open (AES-SIV of RFC 5297); it begins with iv1:.",
        takes: &[Takes::Text, Takes::Json, Takes::Bytes],
        tags: &[always(Tag::Deterministic), always(Tag::Unique), always(Tag::Safe), always(Tag::Reversible)],
        leaks: "length",
        params: &[],
        build: |_| built(Token),
    },
    Function {
        name: "int_perm",
        summary: "Replaces whole numbers by others, each by one of its own; for keys. Numbers outside of the range become 0.",
        takes: &[Takes::Number],
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Unique),
            always(Tag::Format),
            always(Tag::Reversible),
        ],
        leaks: "whether it is above 2^31 - 1",
        params: &[
            parameter(
                "min",
                Kind::Int { min: i64::MIN, max: i64::MAX },
                Some("1"),
                "least number of the range",
            ),
            parameter(
                "max",
                Kind::Int { min: 0, max: i64::MAX },
                Some("0"),
                "greatest number of the range; 0 for the type's",
            ),
            SMALL,
        ],
        build: |arguments| {
            let (min, max) = (arguments.value("min")?, arguments.value("max")?);
            if max != 0 && min >= max {
                return Err(arguments.wrong("max", "greater than `min`"));
            }
            built(IntPerm { min, max, allow_small_domain: arguments.value("allow_small_domain")? })
        },
    },
    Function {
        name: "uuid_perm",
        summary: "Replaces uuids by others of the same version, each by one of its own.",
        takes: &[Takes::Uuid, Takes::Text, Takes::Json],
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Unique),
            always(Tag::Format),
            always(Tag::Valid),
            always(Tag::Reversible),
        ],
        leaks: "version and variant",
        params: &[],
        build: |_| built(UuidPerm),
    },
    Function {
        name: "email",
        summary: "Replaces an email address by an invented one in a domain reserved for examples, or by one that it can be found from.",
        takes: TEXTS,
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Valid),
            when(Tag::Probable, "mode", &["fake"]),
            when(Tag::Lossy, "mode", &["partial"]),
            when(Tag::Unique, "mode", &["fpe"]),
            when(Tag::Reversible, "mode", &["fpe"]),
            when(Tag::Safe, "keep_domain", &["false"]),
        ],
        leaks: "nothing; with fpe the length, with partial the first letter; what is kept",
        params: &[
            parameter(
                "mode",
                Kind::Choice(&["fake", "fpe", "partial"]),
                Some("fake"),
                "an invented address; the address encrypted, which is unique and reversible; or its first letter",
            ),
            parameter(
                "keep_domain",
                Kind::Bool,
                Some("false"),
                "whether the address keeps its own domain, and so may be somebody's",
            ),
        ],
        build: |arguments| {
            built(Email { mode: arguments.value("mode")?, keep_domain: arguments.value("keep_domain")? })
        },
    },
    Function {
        name: "name",
        summary: "Replaces a person's name by another one; many names share a mask.",
        takes: TEXTS,
        tags: &[always(Tag::Deterministic), always(Tag::Lossy)],
        leaks: "whether it has one word",
        params: &[parameter(
            "part",
            Kind::Choice(&["full", "first", "last"]),
            Some("full"),
            "which part of a name the column holds",
        )],
        build: |arguments| built(Name { part: arguments.value("part")? }),
    },
    Function {
        name: "username",
        summary: "Replaces a user's name by a given name with keyed letters and digits.",
        takes: TEXTS,
        tags: &[always(Tag::Deterministic), always(Tag::Probable)],
        leaks: "nothing",
        params: &[],
        build: |_| built(Username),
    },
    Function {
        name: "company",
        summary: "Replaces a company's name by an invented one; many names share a mask.",
        takes: TEXTS,
        tags: &[always(Tag::Deterministic), always(Tag::Lossy)],
        leaks: "nothing",
        params: &[],
        build: |_| built(Company),
    },
    Function {
        name: "phone",
        summary: "Replaces a phone number by one from a range reserved for fiction, which many numbers share, or by one that it can be found from.",
        takes: TEXTS_AND_NUMBERS,
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Format),
            when(Tag::Lossy, "mode", &["fake"]),
            when(Tag::Safe, "mode", &["fake"]),
            when(Tag::Unique, "mode", &["fpe"]),
            when(Tag::Reversible, "mode", &["fpe"]),
        ],
        leaks: "whether it is North American, British or French; with fpe the country code and the length",
        params: &[fpe_mode(
            "an invented number; or the number encrypted, which is unique and reversible but may be somebody's",
        )],
        build: |arguments| built(Phone { mode: arguments.value("mode")? }),
    },
    Function {
        name: "address",
        summary: "Replaces parts of a postal address by invented ones; many share a mask.",
        takes: TEXTS,
        tags: &[always(Tag::Deterministic), always(Tag::Lossy)],
        leaks: "nothing",
        params: &[parameter(
            "part",
            Kind::Choice(&["full", "street", "city", "region", "country"]),
            Some("full"),
            "which part of an address the column holds",
        )],
        build: |arguments| built(Address { part: arguments.value("part")? }),
    },
    Function {
        name: "postcode",
        summary: "Replaces the digits and letters of a postal code by keyed ones, but for those that say the region.",
        takes: TEXTS,
        tags: &[always(Tag::Deterministic), always(Tag::Lossy), always(Tag::Format)],
        leaks: "its form, and what is kept",
        params: &[parameter(
            "keep_first",
            Kind::Int { min: 0, max: 4 },
            Some("0"),
            "digits and letters kept at the beginning",
        )],
        build: |arguments| built(Postcode { keep_first: arguments.value("keep_first")? }),
    },
    Function {
        name: "geo",
        summary: "Replaces a coordinate by the middle of the square of a grid that it lies in.",
        takes: &[Takes::Float, Takes::Number, Takes::Point, Takes::Text, Takes::Json],
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Lossy),
            always(Tag::Format),
            always(Tag::Valid),
            always(Tag::Order),
        ],
        leaks: "the square",
        params: &[parameter(
            "grid_m",
            Kind::Int { min: 10, max: 1_000_000 },
            Some("1000"),
            "side of a square in metres",
        )],
        build: |arguments| built(Geo { grid_m: arguments.value("grid_m")? }),
    },
    Function {
        name: "credit_card",
        summary: "Replaces a card number by another with a valid check digit: with a prefix that no scheme is known to use, or one that it can be found from.",
        takes: TEXTS_AND_NUMBERS,
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Format),
            always(Tag::Valid),
            when(Tag::Probable, "mode", &["fake"]),
            when(Tag::Unique, "mode", &["fpe"]),
            when(Tag::Reversible, "mode", &["fpe"]),
        ],
        leaks: "length, and what is kept",
        params: &[
            fpe_mode(
                "an invented number; or the number encrypted, which is unique and reversible but may be somebody's",
            ),
            parameter(
                "keep_bin",
                Kind::Int { min: 0, max: 8 },
                Some("0"),
                "digits of the issuer kept at the beginning",
            ),
            parameter(
                "keep_last4",
                Kind::Bool,
                Some("false"),
                "whether the number keeps its last four digits",
            ),
        ],
        build: |arguments| {
            built(CreditCard {
                mode: arguments.value("mode")?,
                keep_bin: arguments.value("keep_bin")?,
                keep_last4: arguments.value("keep_last4")?,
            })
        },
    },
    Function {
        name: "iban",
        summary: "Encrypts the account number of an IBAN; country, form and check digits stay right.",
        takes: TEXTS,
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Unique),
            always(Tag::Format),
            always(Tag::Valid),
            always(Tag::Reversible),
        ],
        leaks: "country, and what is kept",
        params: &[parameter(
            "keep_bank",
            Kind::Int { min: 0, max: 12 },
            Some("0"),
            "characters of the account number kept at its beginning: the bank",
        )],
        build: |arguments| built(Iban { keep_bank: arguments.value("keep_bank")? }),
    },
    Function {
        name: "ssn",
        summary: "Replaces a US social security number by one from the areas that are never issued.",
        takes: TEXTS_AND_NUMBERS,
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Probable),
            always(Tag::Format),
            always(Tag::Valid),
            always(Tag::Safe),
        ],
        leaks: "nothing",
        params: &[],
        build: |arguments| {
            built("us_ssn".parse::<NationalId>().map_err(|()| arguments.wrong("kind", "known"))?)
        },
    },
    Function {
        name: "national_id",
        summary: "Replaces the number by which a state or tax office knows a person or company by another with valid check digits.",
        takes: TEXTS_AND_NUMBERS,
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Probable),
            always(Tag::Format),
            always(Tag::Valid),
            when(Tag::Safe, "kind", &["us_ssn", "uk_nino", "uk_nhs", "ca_sin", "in_aadhaar"]),
        ],
        leaks: "nothing",
        params: &[parameter(
            "kind",
            Kind::Choice(&NAMES),
            None,
            "whose number it is; those of us_ssn, uk_nino, uk_nhs, ca_sin and in_aadhaar come from ranges that are never issued",
        )],
        build: |arguments| built(arguments.value::<NationalId>("kind")?),
    },
    Function {
        name: "passport",
        summary: "Encrypts the digits and letters of a passport, licence or plate number among their like.",
        takes: TEXTS,
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Unique),
            always(Tag::Format),
            always(Tag::Reversible),
        ],
        leaks: "length, marks, and which places hold digits, capitals and small letters",
        params: &[],
        build: |_| {
            let alphabet = super::fpe::Alphabet::Classes;
            built(Fpe { alphabet, keep_first: 0, keep_last: 0, allow_small_domain: false })
        },
    },
    Function {
        name: "date_shift",
        summary: "Moves a date by a number of days that depends on the date, keeping the time of day.",
        takes: &[Takes::Date, Takes::Text],
        tags: &[always(Tag::Format), always(Tag::Valid), when(Tag::Deterministic, "by", &[""])],
        leaks: "the date, but for so many days; the time of day; with by, the intervals between dates of one",
        params: &[
            parameter(
                "days",
                Kind::Int { min: 1, max: 3650 },
                Some("365"),
                "days that a date moves at most, forwards or backwards",
            ),
            parameter(
                "by",
                Kind::Text,
                Some(""),
                "a column of the same table, as `user_id`: all dates of rows with one value of it move alike, so that intervals and order stay; NULL where the result has no such column",
            ),
        ],
        build: |arguments| {
            let by: String = arguments.value("by")?;
            built(DateShift { days: arguments.value("days")?, by: !by.is_empty() })
        },
    },
    Function {
        name: "date_truncate",
        summary: "Replaces a date by the first day of its month, quarter or years; with several years, ages come in bands.",
        takes: &[Takes::Date, Takes::Text],
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Lossy),
            always(Tag::Format),
            always(Tag::Valid),
            always(Tag::Order),
        ],
        leaks: "the month, quarter or years",
        params: &[
            parameter(
                "unit",
                Kind::Choice(&["month", "quarter", "year"]),
                Some("year"),
                "to what a date is cut",
            ),
            parameter(
                "years",
                Kind::Int { min: 1, max: 100 },
                Some("1"),
                "years taken together, where the unit is the year",
            ),
            parameter(
                "oldest",
                Kind::Int { min: 0, max: 9999 },
                Some("0"),
                "year that earlier ones are shown as; 0 for none",
            ),
        ],
        build: |arguments| {
            built(DateTruncate {
                unit: arguments.value("unit")?,
                years: arguments.value("years")?,
                oldest: arguments.value("oldest")?,
            })
        },
    },
    Function {
        name: "number",
        summary: "Replaces a number by one near it: with keyed noise, rounded, the lower end of a bucket, or cut to a range.",
        takes: &[Takes::Number, Takes::Float],
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Lossy),
            always(Tag::Format),
            when(Tag::Order, "mode", &["round", "bucket", "clamp"]),
        ],
        leaks: "about how great it is; with clamp all that lies in the range, and with round and bucket numbers that are multiples",
        params: &[
            parameter(
                "mode",
                Kind::Choice(&["noise", "round", "bucket", "clamp"]),
                Some("noise"),
                "what becomes of a number",
            ),
            parameter(
                "percent",
                Kind::Int { min: 1, max: 100 },
                Some("10"),
                "noise at most, in hundredths of the value",
            ),
            parameter(
                "step",
                Kind::Int { min: 2, max: 1_000_000_000_000 },
                Some("100"),
                "what numbers are rounded to a multiple of; width of a bucket",
            ),
            parameter(
                "min",
                Kind::Int { min: i64::MIN, max: i64::MAX },
                Some("0"),
                "least number of the range",
            ),
            parameter(
                "max",
                Kind::Int { min: i64::MIN, max: i64::MAX },
                Some("1000000"),
                "greatest number of the range",
            ),
        ],
        build: |arguments| {
            let (min, max) = (arguments.value("min")?, arguments.value("max")?);
            if min > max {
                return Err(arguments.wrong("max", "no less than `min`"));
            }
            built(NumberMask {
                mode: arguments.value("mode")?,
                percent: arguments.value("percent")?,
                step: arguments.value("step")?,
                min,
                max,
            })
        },
    },
    Function {
        name: "boolean",
        summary: "Randomised response: a keyed coin answers for some rows, the value for the others; shares can still be estimated.",
        takes: &[Takes::Bool, Takes::Number],
        tags: &[always(Tag::Lossy), always(Tag::Format), always(Tag::Valid)],
        leaks: "the value, with the doubt that the coin leaves",
        params: &[
            parameter(
                "by",
                Kind::Text,
                None,
                "a column of the same table that tells the rows apart, as `id`: each value of it has one coin; NULL where the result has no such column",
            ),
            parameter(
                "percent",
                Kind::Int { min: 1, max: 100 },
                Some("50"),
                "rows for which the coin answers, in a hundred",
            ),
        ],
        build: |arguments| {
            if arguments.value::<String>("by")?.is_empty() {
                return Err(arguments.wrong("by", "the name of a column"));
            }
            built(Boolean { percent: arguments.value("percent")? })
        },
    },
    Function {
        name: "canary",
        summary: "Masks as another function does, and warns in the log when one of the planted values is read.",
        takes: &[Takes::Text],
        tags: &[],
        leaks: "what the masks of the other function say",
        params: &[
            parameter("values", Kind::Texts, None, "the planted values; case and blanks around do not count"),
            parameter(
                "like",
                Kind::Text,
                Some("hash"),
                "a function that masks all values, without parameters",
            ),
        ],
        build: |arguments| {
            let like: String = arguments.value("like")?;
            let like = Strategy::parse(&like, &BTreeMap::new())
                .ok()
                .filter(|like| !like.function().params.iter().any(|parameter| parameter.name == "by"))
                .filter(|like| like.name() != "canary")
                .ok_or_else(|| arguments.wrong("like", "the name of a function that needs no parameters"))?;
            built(Canary::new(arguments.texts("values"), like))
        },
    },
    Function {
        name: "category",
        summary: "Replaces a text by one of the given words; many share one.",
        takes: TEXTS,
        tags: &[always(Tag::Deterministic), always(Tag::Lossy)],
        leaks: "nothing",
        params: &[parameter("values", Kind::Texts, None, "words, of which each value gets one")],
        build: |arguments| built(Category { values: arguments.texts("values").to_vec() }),
    },
    Function {
        name: "lookup",
        summary: "Replaces a text by what a list says for it.",
        takes: TEXTS,
        tags: &[always(Tag::Deterministic), always(Tag::Lossy)],
        leaks: "what the list says",
        params: &[
            parameter(
                "values",
                Kind::Pairs,
                None,
                "texts, and what stands for each; case and blanks around do not count",
            ),
            parameter(
                "otherwise",
                Kind::Choice(&["redact", "null"]),
                Some("redact"),
                "what becomes of other texts",
            ),
        ],
        build: |arguments| built(Lookup::new(arguments.pairs("values"), arguments.value("otherwise")?)),
    },
    Function {
        name: "template",
        summary: "Replaces a text by one made of a template, whose parts depend on the value.",
        takes: TEXTS,
        tags: &[always(Tag::Deterministic)],
        leaks: "nothing",
        params: &[parameter(
            "template",
            Kind::Text,
            None,
            "text with parts: {{first_name}}, {{last_name}}, {{digits 6}}, {{base32 8}}; |lower makes letters small",
        )],
        build: |arguments| {
            let text: String = arguments.value("template")?;
            text.parse::<Template>().map_err(|what| arguments.wrong("template", what)).and_then(built)
        },
    },
    Function {
        name: "text_entities",
        summary: "Finds emails, card numbers and the like inside a free text and masks each as a column of them would be; the rest of the text is shown.",
        takes: TEXTS,
        tags: &[always(Tag::Deterministic)],
        leaks: "all of the text that is not found to be such a value",
        params: &[parameter(
            "entities",
            Kind::Functions,
            None,
            "what to look for (email, credit_card, iban, phone with its country code, ssn, ip, name, secret, jwt, wallet), with a function for each",
        )],
        build: |arguments| {
            let entities = arguments.functions("entities");
            let names: Vec<&str> = entities.iter().map(|(name, _)| name.as_str()).collect();
            let finder = (arguments.finders)(&names).ok_or_else(|| {
                let what = "some of email, credit_card, iban, phone, ssn, ip, name, secret, jwt and wallet, with a function for each";
                arguments.wrong("entities", what)
            })?;
            built(TextEntities {
                finder,
                functions: entities.iter().map(|(_, function)| function.clone()).collect(),
            })
        },
    },
    Function {
        name: "ip",
        summary: "Replaces a network address: by one that shares its beginning with another exactly where the addresses do, by its network, or by one reserved for documentation.",
        takes: &[Takes::Inet, Takes::Text, Takes::Json],
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Format),
            always(Tag::Valid),
            when(Tag::Unique, "mode", &["prefix"]),
            when(Tag::Reversible, "mode", &["prefix"]),
            when(Tag::Lossy, "mode", &["truncate", "reserved"]),
            when(Tag::Order, "mode", &["truncate"]),
            when(Tag::Safe, "mode", &["reserved"]),
        ],
        leaks: "which addresses are near each other; with truncate the network; with reserved nothing, but many share one",
        params: &[
            parameter(
                "mode",
                Kind::Choice(&["prefix", "truncate", "reserved"]),
                Some("prefix"),
                "how an address is made",
            ),
            parameter(
                "ipv4_bits",
                Kind::Int { min: 0, max: 31 },
                Some("24"),
                "bits of an IPv4 address kept by truncate",
            ),
            parameter(
                "ipv6_bits",
                Kind::Int { min: 0, max: 127 },
                Some("48"),
                "bits of an IPv6 address kept by truncate",
            ),
        ],
        build: |arguments| {
            built(Ip {
                mode: arguments.value("mode")?,
                ipv4_bits: arguments.value("ipv4_bits")?,
                ipv6_bits: arguments.value("ipv6_bits")?,
            })
        },
    },
    Function {
        name: "mac",
        summary: "Replaces a hardware address by another, each by one of its own.",
        takes: &[Takes::Mac, Takes::Text, Takes::Json],
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Unique),
            always(Tag::Format),
            always(Tag::Valid),
            always(Tag::Reversible),
        ],
        leaks: "group and local bits; what is kept",
        params: &[parameter("keep_oui", Kind::Bool, Some("false"), "whether the vendor's three bytes stay")],
        build: |arguments| built(Mac { keep_oui: arguments.value("keep_oui")? }),
    },
    Function {
        name: "composite",
        summary: "Masks the fields of a composite type of PostgreSQL, each by a function of its own; the others are NULL.",
        takes: &[Takes::Row],
        tags: &[always(Tag::Deterministic)],
        leaks: "what the masks of the fields say, and which fields are NULL",
        params: &[parameter("fields", Kind::Functions, None, "names of fields, with a function for each")],
        build: |arguments| {
            let (names, functions) = arguments.functions("fields").iter().cloned().unzip();
            built(Composite { names, functions })
        },
    },
    Function {
        name: "url",
        summary: "Replaces a URL by one on an invented host; equal hosts stay equal, query and credentials are dropped.",
        takes: TEXTS,
        tags: &[always(Tag::Deterministic), always(Tag::Probable), always(Tag::Valid), always(Tag::Safe)],
        leaks: "scheme, how many parts the path has, and which of them are equal",
        params: &[parameter(
            "keep_path",
            Kind::Bool,
            Some("true"),
            "whether the path keeps as many parts as it has",
        )],
        build: |arguments| built(Url { keep_path: arguments.value("keep_path")? }),
    },
    Function {
        name: "json",
        summary: "Masks what stands at given paths of a document, each by a function of its own, and leaves the rest as it is.",
        takes: TEXTS,
        tags: &[always(Tag::Deterministic), always(Tag::Valid)],
        leaks: "all that no path leads to, and names",
        params: &[
            parameter(
                "paths",
                Kind::Functions,
                None,
                "paths of JSONPath, as $.customer.email, $.items[*].name or $..phone, with a function for each",
            ),
            parameter(
                "otherwise",
                Kind::Choice(&["keep", "null"]),
                Some("keep"),
                "what becomes of values to which no path leads",
            ),
        ],
        build: |arguments| {
            let read = |(path, function): &(String, crate::Strategy)| {
                let wrong = |()| {
                    arguments.wrong("paths", format!("paths of JSONPath, as $.customer.email, not {path}"))
                };
                path.parse().map_err(wrong).map(|path| (path, function.clone()))
            };
            let pairs: Result<Vec<_>, _> = arguments.functions("paths").iter().map(read).collect();
            let (paths, functions) = pairs?.into_iter().unzip();
            built(Json { paths, functions, otherwise: arguments.value("otherwise")? })
        },
    },
    Function {
        name: "blob",
        summary: "Replaces bytes by none, by zeros, or by keyed ones.",
        takes: &[Takes::Bytes],
        tags: &[
            always(Tag::Deterministic),
            always(Tag::Safe),
            when(Tag::Lossy, "mode", &["empty", "zeros"]),
            when(Tag::Probable, "mode", &["keyed"]),
        ],
        leaks: "with zeros and keyed the length",
        params: &[parameter(
            "mode",
            Kind::Choice(&["empty", "zeros", "keyed"]),
            Some("empty"),
            "what stands in their place",
        )],
        build: |arguments| built(Blob { mode: arguments.value("mode")? }),
    },
];
