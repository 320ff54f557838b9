//! Statements that define tables and indexes, as far as they are understood. What they refer to is collected; code
//! (functions, procedures, triggers, events, views) is not among them.

use sqlparser::tokenizer::Token;

use super::analyse::calls;
use super::catalog::ENGINES;
use super::head::{keyword, mentions};
use super::statement::{Definition, Facts, Kind, TableName};

/// What is said of the others.
const OTHER: Kind = Kind::Refused("a statement that defines or changes objects of this kind");

/// What can put rows of another table, server or file into a table. Where a list of names can stand, it is none of these.
const ELSEWHERE: [&str; 9] = [
    "connection",
    "directory",
    "discard",
    "encryption",
    "exchange",
    "import",
    "secondary_engine",
    "tablespace",
    "union",
];

/// Reads a definition, and the query that fills what is defined.
pub(super) fn classify<'t>(tokens: &'t [Token], facts: &mut Facts) -> (Kind, Option<&'t [Token]>) {
    // Triggers may have set variables, by which defaults could be computed.
    if tokens.iter().any(|token| matches!(token, Token::Word(word) if word.value.starts_with('@'))) {
        return (OTHER, None);
    }
    let mut words = Words(tokens);
    match words.next().as_str() {
        "create" => create(words, facts),
        "alter" => (alter(words, facts).unwrap_or(OTHER), None),
        "drop" => (drop_objects(words, facts).unwrap_or(OTHER), None),
        "rename" => (rename(words, facts).unwrap_or(OTHER), None),
        "truncate" => {
            words.skip(&["table"]);
            (words.names().map_or(OTHER, |_| Kind::Session), None)
        }
        _ => (OTHER, None),
    }
}

fn create<'t>(mut words: Words<'t>, facts: &mut Facts) -> (Kind, Option<&'t [Token]>) {
    words.skip(&["or", "replace"]);
    let kind = match words.peek().as_str() {
        "database" | "schema" => {
            words.next();
            words.skip(&["if", "not", "exists"]);
            words.name().map(|_| Kind::Define(Definition::default()))
        }
        "temporary" | "table" => return table(words, facts).unwrap_or((OTHER, None)),
        "unique" | "fulltext" | "spatial" | "index" => index(words, facts),
        _ => None,
    };
    (kind.unwrap_or(OTHER), None)
}

fn table<'t>(mut words: Words<'t>, facts: &mut Facts) -> Option<(Kind, Option<&'t [Token]>)> {
    let temporary = words.skip(&["temporary"]);
    if !words.skip(&["table"]) {
        return None;
    }
    let keeps = words.skip(&["if", "not", "exists"]);
    let made = Definition { made: vec![words.name()?], temporary, keeps, ..Definition::default() };
    if words.skip(&["like"]) {
        facts.tables.insert(words.name()?);
        return words.0.is_empty().then_some((Kind::Define(made), None));
    }
    let rest = words.0;
    if let Some(group) = words.group() {
        let mut group = Words(group);
        if group.skip(&["like"]) {
            facts.tables.insert(group.name()?);
            return (group.0.is_empty() && words.0.is_empty()).then_some((Kind::Define(made), None));
        }
        if is_query(group.0) {
            facts.defines.extend(names_in(rest));
            return Some((Kind::Define(made), Some(rest)));
        }
        parts(group.0).iter().try_for_each(|part| column_or_key(part, facts))?;
    }
    let (options, query) = words.options();
    options_are_known(options)?;
    facts.defines.extend(query.into_iter().flat_map(names_in));
    Some((Kind::Define(made), query))
}

fn index(mut words: Words<'_>, facts: &mut Facts) -> Option<Kind> {
    for word in ["unique", "fulltext", "spatial"] {
        words.skip(&[word]);
    }
    if !words.skip(&["index"]) {
        return None;
    }
    words.skip(&["if", "not", "exists"]);
    words.name()?;
    while words.peek() != "on" {
        words.0 = words.0.get(1..)?;
    }
    words.next();
    facts.tables.insert(words.name()?);
    words.group()?;
    options_are_known(words.0)?;
    Some(Kind::Define(Definition::default()))
}

fn alter(mut words: Words<'_>, facts: &mut Facts) -> Option<Kind> {
    words.skip(&["online"]);
    words.skip(&["ignore"]);
    if !words.skip(&["table"]) {
        return None;
    }
    words.skip(&["if", "exists"]);
    facts.tables.insert(words.name()?);
    let mut made = Vec::new();
    let known = [
        "add",
        "algorithm",
        "alter",
        "auto_increment",
        "change",
        "character",
        "charset",
        "collate",
        "comment",
        "convert",
        "default",
        "disable",
        "drop",
        "enable",
        "engine",
        "force",
        "lock",
        "modify",
        "order",
        "rename",
        "row_format",
    ];
    for part in parts(words.0) {
        let mut part = Words(part);
        let first = part.next();
        if !known.contains(&first.as_str()) {
            return None;
        }
        match first.as_str() {
            "add" | "change" | "modify" => {
                part.skip(&["column"]);
                part.skip(&["if", "not", "exists"]);
                match part.group() {
                    // Several columns.
                    Some(group) if part.0.is_empty() => {
                        parts(group).iter().try_for_each(|part| column_or_key(part, facts))?;
                    }
                    Some(_) => return None,
                    None => column_or_key(part.0, facts)?,
                }
            }
            "alter" => expressions(part.0, facts)?,
            "rename" if matches!(part.peek().as_str(), "column" | "index" | "key") => {
                facts.defines.extend(names_in(part.0));
            }
            "rename" => {
                let _ = part.skip(&["to"]) || part.skip(&["as"]);
                made.push(part.name()?);
            }
            _ => options_are_known(part.0)?,
        }
        engine_is_known(if first == "engine" { part.0 } else { &[] })?;
    }
    Some(Kind::Define(Definition { made, ..Definition::default() }))
}

fn drop_objects(mut words: Words<'_>, facts: &mut Facts) -> Option<Kind> {
    let temporary = words.skip(&["temporary"]);
    match words.next().as_str() {
        "table" | "tables" | "view" => {
            words.skip(&["if", "exists"]);
            let gone = words.names()?;
            Some(Kind::Define(Definition { gone, temporary, ..Definition::default() }))
        }
        "database" | "schema" => {
            words.skip(&["if", "exists"]);
            let name = words.name().filter(|name| name.database.is_none() && words.0.is_empty())?;
            Some(Kind::Define(Definition { database: Some(name.name), ..Definition::default() }))
        }
        "index" => {
            words.skip(&["if", "exists"]);
            words.name()?;
            if !words.skip(&["on"]) {
                return None;
            }
            facts.tables.insert(words.name()?);
            Some(Kind::Define(Definition::default()))
        }
        _ => None,
    }
}

fn rename(mut words: Words<'_>, facts: &mut Facts) -> Option<Kind> {
    if !words.skip(&["table"]) && !words.skip(&["tables"]) {
        return None;
    }
    words.skip(&["if", "exists"]);
    let mut definition = Definition::default();
    for part in parts(words.0) {
        let mut part = Words(part);
        let old = part.name()?;
        // What one takes the name of, another may have given up.
        if !definition.made.contains(&old) {
            facts.tables.insert(old.clone());
        }
        definition.gone.push(old);
        if !part.skip(&["to"]) {
            return None;
        }
        definition.made.push(part.name()?);
        if !part.0.is_empty() {
            return None;
        }
    }
    Some(Kind::Define(definition))
}

/// A column, a key or a constraint.
fn column_or_key(tokens: &[Token], facts: &mut Facts) -> Option<()> {
    if mentions(tokens, &["select"]) || mentions(tokens.get(1..)?, &ELSEWHERE) {
        return None;
    }
    facts.defines.extend(names_in(tokens.get(..2).unwrap_or(tokens)));
    for (at, token) in tokens.iter().enumerate() {
        if keyword(token) == "references" {
            facts.tables.insert(Words(tokens.get(at + 1..)?).name()?);
        }
    }
    expressions(tokens, facts)
}

/// Notes the functions in what is computed: defaults, generated columns, checks.
fn expressions(tokens: &[Token], facts: &mut Facts) -> Option<()> {
    for (at, token) in tokens.iter().enumerate() {
        if !matches!(keyword(token).as_str(), "default" | "as" | "check" | "update") {
            continue;
        }
        let rest = tokens.get(at + 1..)?;
        let behind_name = usize::from(matches!(rest.first(), Some(Token::Word(_))));
        let end = match Words(rest.get(behind_name..)?).group() {
            Some(group) => behind_name + group.len() + 2,
            None => behind_name,
        };
        calls(rest.get(..end)?, facts);
    }
    Some(())
}

/// What follows the columns of a table.
fn options_are_known(tokens: &[Token]) -> Option<()> {
    if mentions(tokens, &ELSEWHERE)
        || mentions(tokens, &["select", "table", "values", "with"]) && !is_partitioned(tokens)
    {
        return None;
    }
    for (at, token) in tokens.iter().enumerate() {
        if keyword(token) == "engine" {
            engine_is_known(tokens.get(at + 1..)?)?;
        }
    }
    Some(())
}

/// Whether `VALUES` stands before the bounds of partitions only.
fn is_partitioned(tokens: &[Token]) -> bool {
    let bound = |at: usize| {
        tokens.get(at + 1).map(keyword).is_some_and(|next| matches!(next.as_str(), "less" | "in"))
    };
    mentions(tokens, &["partition"])
        && !mentions(tokens, &["select", "table", "with"])
        && tokens.iter().enumerate().all(|(at, token)| keyword(token) != "values" || bound(at))
}

/// Whether an engine keeps rows of its own.
pub(super) fn engine_is_known(tokens: &[Token]) -> Option<()> {
    let rest = match tokens {
        [Token::Eq, rest @ ..] => rest,
        rest => rest,
    };
    match rest.first() {
        None => Some(()),
        Some(Token::Word(word)) => ENGINES.contains(&word.value.to_ascii_lowercase().as_str()).then_some(()),
        Some(Token::SingleQuotedString(name)) => {
            ENGINES.contains(&name.to_ascii_lowercase().as_str()).then_some(())
        }
        Some(_) => None,
    }
}

/// All that a column may be called by in these words; without an alias a column has the text of what it holds for a name.
fn names_in(tokens: &[Token]) -> impl Iterator<Item = String> {
    let name = |token: &Token| match token {
        Token::Word(word) => Some(word.value.clone()),
        Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => Some(text.clone()),
        _ => None,
    };
    tokens.iter().filter_map(name)
}

fn is_query(tokens: &[Token]) -> bool {
    match tokens.first() {
        Some(Token::LParen) => is_query(tokens.get(1..).unwrap_or_default()),
        Some(first) => matches!(keyword(first).as_str(), "select" | "with" | "values" | "table"),
        None => false,
    }
}

/// What commas outside of parentheses separate.
fn parts(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0_usize;
    tokens
        .split(|token| {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && *token == Token::Comma
        })
        .collect()
}

/// Tokens that are read from the front.
struct Words<'t>(&'t [Token]);

impl<'t> Words<'t> {
    /// The next word without quotes, in lower case.
    fn peek(&self) -> String {
        self.0.first().map(keyword).unwrap_or_default()
    }

    fn next(&mut self) -> String {
        let word = self.peek();
        self.0 = self.0.get(1..).unwrap_or_default();
        word
    }

    /// Passes over these words if all are there.
    fn skip(&mut self, words: &[&str]) -> bool {
        let there =
            words.iter().enumerate().all(|(at, word)| self.0.get(at).map(keyword).as_deref() == Some(word));
        if there {
            self.0 = self.0.get(words.len()..).unwrap_or_default();
        }
        there
    }

    fn name(&mut self) -> Option<TableName> {
        match self.0 {
            [Token::Word(database), Token::Period, Token::Word(name), rest @ ..] => {
                self.0 = rest;
                Some(TableName { database: Some(database.value.clone()), name: name.value.clone() })
            }
            [Token::Word(name), rest @ ..] if rest.first() != Some(&Token::Period) => {
                self.0 = rest;
                Some(TableName { database: None, name: name.value.clone() })
            }
            _ => None,
        }
    }

    /// Names up to the end, but for what says how.
    fn names(&mut self) -> Option<Vec<TableName>> {
        let mut names = vec![self.name()?];
        while let [Token::Comma, rest @ ..] = self.0 {
            self.0 = rest;
            names.push(self.name()?);
        }
        let plain = |token: &Token| matches!(keyword(token).as_str(), "restrict" | "cascade");
        self.0.iter().all(plain).then_some(names)
    }

    /// What stands in parentheses here.
    fn group(&mut self) -> Option<&'t [Token]> {
        let Some(Token::LParen) = self.0.first() else { return None };
        let mut depth = 0_usize;
        let end = self.0.iter().position(|token| {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
            depth == 0
        })?;
        let inside = self.0.get(1..end)?;
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        Some(inside)
    }

    /// Options of a table, and the query behind them.
    fn options(self) -> (&'t [Token], Option<&'t [Token]>) {
        let query =
            (0..self.0.len()).find(|at| self.0.get(*at..).is_some_and(is_query) && !self.is_option(*at));
        match query {
            Some(at) => (self.0.get(..at).unwrap_or_default(), self.0.get(at..)),
            None => (self.0, None),
        }
    }

    /// Whether what looks like the beginning of a query is an option: `WITH SYSTEM VERSIONING`, and bounds of partitions.
    fn is_option(&self, at: usize) -> bool {
        let word = |at: usize| self.0.get(at).map(keyword).unwrap_or_default();
        match word(at).as_str() {
            "with" => word(at + 1) == "system",
            "values" => matches!(word(at + 1).as_str(), "less" | "in"),
            _ => false,
        }
    }
}
