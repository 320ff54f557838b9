//! Names of people in free text, by a model of a file: a linear-chain conditional random field as CRFsuite writes it.
//!
//! Nothing is downloaded, and no model comes with it: lists of names tell most of them. Whoever has texts with names that are in no list trains one, with
//! CRFsuite or python-crfsuite, on tokens that are labelled `B-PER`, `I-PER` and `O` and have the attributes of [`attributes`].

use std::io;

use crfs::{Attribute, Model};
use veil_model::find::{Find, Span};

/// Bytes of a text that are looked at.
const TEXT_MAX: usize = 1 << 16;

/// Finds names of people.
pub struct People {
    model: Model<'static>,
}

impl People {
    /// By a model, whose bytes are kept for as long as the process runs.
    ///
    /// # Errors
    /// It is none, or knows nothing of people.
    pub fn new(model: Vec<u8>) -> io::Result<Self> {
        let model = Model::new(Box::leak(model.into_boxed_slice()))?;
        if model.to_label_id("B-PER").is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the model has no label B-PER"));
        }
        Ok(Self { model })
    }
}

impl std::fmt::Debug for People {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("People").finish_non_exhaustive()
    }
}

impl Find for People {
    fn find(&self, text: &str, spans: &mut Vec<Span>) {
        let end = (0..=TEXT_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        let text = text.get(..end.unwrap_or(0)).unwrap_or_default();
        let tokens = tokens(text);
        let Some(tagger) = self.model.tagger().ok().filter(|_| !tokens.is_empty()) else { return };
        let words: Vec<&str> = tokens.iter().filter_map(|(from, to)| text.get(*from..*to)).collect();
        let known: Vec<Vec<Attribute>> = attributes(&words)
            .into_iter()
            .map(|of_word| of_word.into_iter().map(|name| Attribute::new(name, 1.0)).collect())
            .collect();
        let Ok(labels) = tagger.tag(&known) else { return };
        let first = spans.len();
        for ((from, to), label) in tokens.into_iter().zip(labels) {
            match (label, spans.get_mut(first..).and_then(<[Span]>::last_mut)) {
                ("I-PER", Some(last)) if text.get(last.to..from).is_some_and(|gap| gap.trim().is_empty()) => {
                    last.to = to;
                }
                ("B-PER" | "I-PER", _) => spans.push(Span { from, to, by: 0 }),
                _ => {}
            }
        }
    }
}

/// Where words stand, and marks one by one.
fn tokens(text: &str) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let mut open = false;
    for (at, c) in text.char_indices() {
        let word = c.is_alphanumeric() || c == '\'' || c == '-';
        let end = at + c.len_utf8();
        match found.last_mut().filter(|_| word && open) {
            Some(last) => last.1 = end,
            None if !c.is_whitespace() => found.push((at, end)),
            None => {}
        }
        open = word;
    }
    found
}

/// What is known of each word: itself, its ends and its form, and the same of its neighbours.
#[must_use]
pub fn attributes(words: &[&str]) -> Vec<Vec<String>> {
    let form = |word: &str| {
        let title = word.starts_with(char::is_uppercase);
        match word {
            _ if word.chars().all(char::is_numeric) => "number",
            _ if title && word.chars().count() > 1 && word.chars().all(char::is_uppercase) => "upper",
            _ if title => "title",
            _ if word.chars().all(char::is_alphanumeric) => "lower",
            _ => "mark",
        }
    };
    let end = |word: &str, count: usize| {
        let skipped = word.chars().count().saturating_sub(count);
        word.chars().skip(skipped).flat_map(char::to_lowercase).collect::<String>()
    };
    let near = |at: Option<usize>, name: &str| match at.and_then(|at| words.get(at)) {
        Some(word) => vec![format!("{name}={}", word.to_lowercase()), format!("{name}.form={}", form(word))],
        None => vec![format!("{name}=")],
    };
    let one = |(at, word): (usize, &&str)| {
        let own = [
            "bias".to_owned(),
            format!("word={}", word.to_lowercase()),
            format!("end3={}", end(word, 3)),
            format!("end2={}", end(word, 2)),
            format!("form={}", form(word)),
        ];
        let around = near(at.checked_sub(1), "before").into_iter().chain(near(Some(at + 1), "after"));
        own.into_iter().chain(around).collect()
    };
    words.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crfs::train::Trainer;

    use super::*;

    /// Names that are in no list, where names stand.
    const TEXTS: [(&str, &[&str]); 8] = [
        ("please call Xorvel Quimby back", &["Xorvel Quimby"]),
        ("spoke with Dralith Ombex about the invoice", &["Dralith Ombex"]),
        ("please call Vantia back", &["Vantia"]),
        ("the invoice was paid", &[]),
        ("met Threnody Akkar and Zebulor today", &["Threnody Akkar", "Zebulor"]),
        ("spoke with Kelvar about the delivery", &["Kelvar"]),
        ("the delivery came late today", &[]),
        ("please call the office back", &[]),
    ];

    fn trained() -> People {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut trainer = Trainer::lbfgs();
        for (text, names) in TEXTS {
            let tokens = tokens(text);
            let words: Vec<&str> = tokens.iter().map(|(from, to)| &text[*from..*to]).collect();
            let label = |(from, to): &(usize, usize)| {
                let inside = |name: &&&str| {
                    let at = text.find(**name).unwrap();
                    at <= *from && *to <= at + name.len()
                };
                match names.iter().find(inside) {
                    Some(name) if text.find(name) == Some(*from) => "B-PER",
                    Some(_) => "I-PER",
                    None => "O",
                }
            };
            let labels: Vec<&str> = tokens.iter().map(label).collect();
            let known: Vec<Vec<Attribute>> = attributes(&words)
                .into_iter()
                .map(|of_word| of_word.into_iter().map(|name| Attribute::new(name, 1.0)).collect())
                .collect();
            trainer.append(&known, &labels).unwrap();
        }
        trainer.train(file.path()).unwrap();
        People::new(std::fs::read(file.path()).unwrap()).unwrap()
    }

    #[test]
    fn a_model_finds_names_that_are_in_no_list() {
        let people = trained();
        let found = |text: &str| {
            let mut spans = Vec::new();
            people.find(text, &mut spans);
            spans.iter().map(|span| text[span.from..span.to].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found("spoke with Brixolan Tereth about the parcel"), ["Brixolan Tereth"]);
        assert_eq!(found("please call Ümlor back"), ["Ümlor"]);
        assert!(found("the parcel came late").is_empty());
        assert!(found("").is_empty() && found("  \n").is_empty());
    }

    #[test]
    fn what_is_no_model_is_said() {
        assert!(People::new(b"no model".to_vec()).is_err());
        assert!(People::new(Vec::new()).is_err());
    }

    #[test]
    fn words_and_marks_are_told_apart() {
        let text = "Ana-Maria, O'Neil (2)";
        let words: Vec<&str> = tokens(text).iter().map(|(from, to)| &text[*from..*to]).collect();
        assert_eq!(words, ["Ana-Maria", ",", "O'Neil", "(", "2", ")"]);
    }
}
