//! What the name of a column says, with its table's name and its comment: words of many languages, and what turns them into something else.

use std::collections::{HashMap, HashSet};

use crate::class::Class;
use crate::column::Column;
use crate::list;

const LEXICON: &str = include_str!("../data/lexicon.txt");

/// Words of a phrase.
const PHRASE_MAX: usize = 6;

/// Words of a comment that are read.
const COMMENT_MAX: usize = 24;

/// Columns beside one that are read.
const NEIGHBOURS_MAX: usize = 60;

/// Letters that a word has at least which is found at the end of a longer one.
const TAIL_MIN: usize = 5;

/// What a phrase stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sense {
    Is(Class, f64),
    Person,
    Thing,
    Not,
    Other,
    Neutral,
}

#[derive(Debug)]
pub(crate) struct Lexicon {
    phrases: HashMap<&'static str, Vec<Sense>>,
    words: HashSet<&'static str>,
    /// Words by what is left of them without vowels: `brth`.
    short: HashMap<String, &'static str>,
}

/// What names say.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Classes, how strongly each is meant (in log-odds), and the words that mean it.
    pub(crate) classes: Vec<(Class, f64, String)>,
    /// Whether the name says that it is about such values, not one of them.
    pub(crate) is_about: bool,
    /// Whether it means something else.
    pub(crate) is_other: bool,
    /// Whether the table, or the name, is about people.
    pub(crate) of_person: bool,
    /// Whether they are about things.
    pub(crate) of_thing: bool,
}

impl Lexicon {
    pub(crate) fn new() -> Self {
        let (mut phrases, mut words, mut short) =
            (HashMap::<_, Vec<_>>::new(), HashSet::new(), HashMap::new());
        for (head, list) in LEXICON.lines().filter_map(|line| line.split_once(": ")) {
            let (sense, strength) = head.split_once(' ').unwrap_or((head, "0"));
            let strength = strength.parse().unwrap_or(0.0);
            let sense = match (sense, sense.parse()) {
                (_, Ok(class)) => Sense::Is(class, strength),
                ("person", _) => Sense::Person,
                ("thing", _) => Sense::Thing,
                ("not", _) => Sense::Not,
                ("other", _) => Sense::Other,
                ("neutral", _) => Sense::Neutral,
                _ => continue,
            };
            for phrase in list.split(", ") {
                phrases.entry(phrase.trim()).or_default().push(sense);
                words.extend(phrase.split(' ').filter(|word| word.chars().count() > 1));
                for word in phrase.split(' ').filter(|word| word.len() > 4) {
                    short.entry(shortened(word)).or_insert(word);
                }
            }
        }
        Self { phrases, words, short }
    }

    /// What the names of a column and its table say.
    pub(crate) fn said(&self, column: &Column<'_>) -> Said {
        let mut said = Said::default();
        let tokens = self.tokens(column.name);
        self.read(&tokens, &mut said);
        // A word alone says too little: `item`, `field7`.
        said.of_thing &= tokens.len() > 1;
        let mut table = Said::default();
        self.read(&self.tokens(column.table), &mut table);
        said.of_person |= table.of_person;
        said.of_thing = said.of_thing || (table.of_thing && !table.of_person);
        // A value in a table of phones.
        if said.classes.is_empty() && !said.is_about {
            let generic = tokens
                .iter()
                .all(|token| ["value", "number", "val", "data", "nr", "no"].contains(&token.as_str()));
            let of_table = table.classes.into_iter().filter(|_| generic && !tokens.is_empty());
            said.classes = of_table.map(|(class, strength, words)| (class, strength * 0.5, words)).collect();
        }
        if let Some(comment) = column.comment.filter(|_| said.classes.is_empty()) {
            let mut written = Said::default();
            let tokens: Vec<String> = self.tokens(comment).into_iter().take(COMMENT_MAX).collect();
            self.read(&tokens, &mut written);
            if !written.is_about {
                said.classes.extend(
                    written
                        .classes
                        .into_iter()
                        .map(|(class, strength, words)| (class, strength * 0.7, words)),
                );
            }
        }
        let known = |name: &&&str| {
            let mut neighbour = Said::default();
            self.read(&self.tokens(name), &mut neighbour);
            neighbour.classes.iter().any(|(class, strength, _)| {
                *strength > 5.0
                    && matches!(
                        class,
                        Class::Email
                            | Class::GivenName
                            | Class::FamilyName
                            | Class::DateOfBirth
                            | Class::Phone
                            | Class::FullName
                    )
            })
        };
        said.of_person |= column
            .neighbours
            .iter()
            .filter(|name| **name != column.name)
            .take(NEIGHBOURS_MAX)
            .filter(known)
            .take(2)
            .count()
            > 1;
        said
    }

    fn read(&self, tokens: &[String], said: &mut Said) {
        let mut at = 0;
        while let Some(rest) = tokens.get(at..).filter(|rest| !rest.is_empty()) {
            let found = (1..=rest.len().min(PHRASE_MAX)).rev().find_map(|length| {
                let phrase = rest.get(..length)?.join(" ");
                Some((length, self.phrases.get(phrase.as_str())?, phrase))
            });
            let Some((length, senses, phrase)) = found else {
                at += 1;
                continue;
            };
            for sense in senses {
                match sense {
                    Sense::Is(class, strength) => said.classes.push((*class, *strength, phrase.clone())),
                    Sense::Person => said.of_person = true,
                    Sense::Thing => said.of_thing = true,
                    // `is_active`, but `is` is also a Turkish word for work.
                    Sense::Not if phrase == "is" && at > 0 => {}
                    // The status is of no interest where it is all that there is.
                    Sense::Not => said.is_about = true,
                    Sense::Other => said.is_other = true,
                    Sense::Neutral => {}
                }
            }
            at += length;
        }
        said.is_about &= tokens.len() > 1 || said.classes.is_empty();
    }

    /// The words of a name: at marks, at changes of case, between letters and digits; words that are written together are cut apart.
    fn tokens(&self, name: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut word = String::new();
        let chars: Vec<char> = name.chars().collect();
        for (at, &c) in chars.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied();
            let after = chars.get(at + 1).copied();
            let hump = c.is_uppercase()
                && (before.is_some_and(char::is_lowercase)
                    || (before.is_some_and(char::is_uppercase) && after.is_some_and(char::is_lowercase)));
            let number = before.is_some_and(|before| {
                before.is_alphabetic() && c.is_numeric() || before.is_numeric() && c.is_alphabetic()
            });
            if (hump || number || !c.is_alphanumeric()) && !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            if c.is_alphanumeric() {
                word.push(c);
            }
        }
        words.push(word);
        let words = words.into_iter().map(|word| list::folded(&word));
        let words: Vec<String> = words
            .filter(|word| !word.is_empty() && !word.bytes().all(|byte| byte.is_ascii_digit()))
            .collect();
        // `e_mail` and `id_no` are phrases as they stand.
        words.iter().flat_map(|word| self.cut(word)).collect()
    }

    /// A word, or the words that it is made of.
    fn cut(&self, word: &str) -> Vec<String> {
        if word.len() > 64 || self.words.contains(word) || self.phrases.contains_key(word) {
            return vec![word.to_owned()];
        }
        if let Some(whole) = self.short.get(word).filter(|_| word.len() >= 3) {
            return vec![(*whole).to_owned()];
        }
        // The fewest words for each length of the beginning.
        let mut cuts: Vec<Option<Vec<&str>>> = vec![None; word.len() + 1];
        if let Some(first) = cuts.first_mut() {
            *first = Some(vec![]);
        }
        for end in (1..=word.len()).filter(|end| word.is_char_boundary(*end)) {
            for start in (0..end).filter(|start| word.is_char_boundary(*start)) {
                let (Some(part), Some(Some(before))) = (word.get(start..end), cuts.get(start)) else {
                    continue;
                };
                let short = part.len() < 3 && !["nr", "no", "id", "tel", "dt", "ip", "cc"].contains(&part);
                if short || !self.words.contains(part) {
                    continue;
                }
                let longer =
                    cuts.get(end).and_then(Option::as_ref).is_none_or(|known| known.len() > before.len() + 1);
                if longer {
                    let parts: Vec<&str> = before.iter().copied().chain([part]).collect();
                    if let Some(place) = cuts.get_mut(end) {
                        *place = Some(parts);
                    }
                }
            }
        }
        if let Some(Some(parts)) = cuts.pop() {
            return parts.into_iter().map(str::to_owned).collect();
        }
        // `txtlastname`: a phrase at the end.
        let tails = (1..word.len()).filter_map(|at| word.get(at..)).filter(|tail| tail.len() >= TAIL_MIN);
        let tail = tails.into_iter().find(|tail| self.words.contains(tail));
        tail.map_or_else(|| vec![word.to_owned()], |tail| vec!["?".to_owned(), tail.to_owned()])
    }
}

/// A word without the vowels behind its first letter.
fn shortened(word: &str) -> String {
    word.chars().enumerate().filter(|(at, c)| *at == 0 || !"aeiou".contains(*c)).map(|(_, c)| c).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::{Key, Kind};

    fn best(table: &str, name: &str) -> Option<&'static str> {
        let column = Column {
            table,
            name,
            kind: Kind::Text,
            comment: None,
            key: Key::None,
            neighbours: &[],
            samples: &[],
            year: 2026,
        };
        let said = Lexicon::new().said(&column);
        let best = said.classes.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        best.filter(|_| !said.is_about).map(|(class, ..)| class.id())
    }

    #[test]
    fn names_of_columns_are_understood() {
        for (name, class) in [
            ("email", Some("email")),
            ("CustomerEmailAddress", Some("email")),
            ("custemail", Some("email")),
            ("kundenemail", Some("email")),
            ("email_verified", None),
            ("phone_model", None),
            ("home_phone_number", Some("phone")),
            ("TelefonNr", Some("phone")),
            ("geburtsdatum", Some("date_of_birth")),
            ("DATA_NASCIMENTO", Some("date_of_birth")),
            ("straße", Some("address")),
            ("電話番号", Some("phone")),
            ("first_name", Some("given_name")),
            ("LASTNAME", Some("family_name")),
            ("txtLastName", Some("family_name")),
            ("c17", None),
            ("quantity", None),
            ("addressLine2", Some("address")),
            ("card_type", None),
        ] {
            assert_eq!(best("t", name), class, "{name}");
        }
    }
}
