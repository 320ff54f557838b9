//! Texts to statements.

use std::sync::Arc;

use sqlparser::ast::Statement as Tree;
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

pub use super::known::Analyser;

use super::head::{self, Head, keyword};
use super::lexer::{self, Fault, Mode};
use super::places::Places;
use super::query::Query;
use super::statement::{Facts, Function, Kind, Statement};
use super::{asked, define, facts, met, write};

/// Depth of expressions and queries that is followed.
const DEPTH_MAX: usize = 60;
/// Words that may nest without parentheses, as the operands of `1 + 1 + ...` do in the grammar's trees.
const CHAIN_MAX: usize = 32 << 10;
/// Words that an ordinary stack has room for.
const CHAIN_ORDINARY: usize = 128;
/// Stack for one such word; measured without optimisation, and doubled.
const CHAIN_STACK: usize = 8 << 10;
/// Tokens of one text. A bulk INSERT has many; more are refused.
const TOKENS_MAX: usize = 4 << 20;
/// Statements of one text.
const STATEMENTS_MAX: usize = 1000;

/// What is known of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Its statements, in order.
    pub statements: Vec<Arc<Statement>>,
    /// The text to send in its place: comments that the server would run are written out.
    pub rewritten: Option<String>,
}

pub(super) type Result = std::result::Result<Arc<Analysis>, Fault>;

/// Analyses `text` without a cache.
///
/// # Errors
/// It cannot be cut into tokens.
pub fn analyse(text: &str, mode: Mode) -> Result {
    let lexed = lexer::lex(text, mode)?;
    if lexed.tokens.len() > TOKENS_MAX {
        return Err("a text of so many words");
    }
    let chain = chain(&lexed.tokens);
    if chain > CHAIN_MAX {
        return Err("an expression of so many words");
    }
    if chain > CHAIN_ORDINARY {
        return stacker::grow((1 << 20) + chain * CHAIN_STACK, || statements(lexed, mode));
    }
    statements(lexed, mode)
}

/// How deep a tree of these tokens can be, but for parentheses, which the grammar counts.
fn chain(tokens: &[Token]) -> usize {
    let (mut deepest, mut outside, mut here) = (0, 0, 0);
    // Queries that are set together nest too, whatever stands between them.
    let mut sets = 0;
    let mut open = Vec::new();
    for token in tokens {
        match token {
            Token::LParen => {
                open.push(here);
                outside += here;
                here = 0;
            }
            Token::RParen => {
                here = open.pop().unwrap_or(0);
                outside -= here;
            }
            Token::Comma | Token::SemiColon => here = 0,
            token if matches!(keyword(token).as_str(), "union" | "except" | "intersect" | "minus") => {
                sets += 1
            }
            _ => here += 1,
        }
        deepest = deepest.max(outside + here + sets);
    }
    deepest
}

fn statements(lexed: lexer::Lexed, mode: Mode) -> Result {
    let parts: Vec<&[Token]> = lexed.tokens.split(|token| *token == Token::SemiColon).collect();
    let mut from = 0;
    let mut places = Vec::with_capacity(parts.len());
    for part in &parts {
        places.push(Places::of(part, lexed.extents.get(from..).unwrap_or_default()));
        from += part.len() + 1;
    }
    // What ends with a semicolon has nothing behind it.
    let count = parts.iter().rposition(|part| !part.is_empty()).map_or(0, |last| last + 1);
    if count > STATEMENTS_MAX {
        return Err("a text of so many statements");
    }
    let spaced = Facts {
        functions: lexed
            .spaced
            .into_iter()
            .map(|name| Function { database: Some(String::new()), name })
            .collect(),
        plain_backslashes: mode.no_backslash_escapes,
        ..Facts::default()
    };
    let statements = parts.into_iter().zip(&places).take(count);
    let statements =
        statements.map(|(tokens, places)| Arc::new(statement(tokens, places, mode, &spaced))).collect();
    Ok(Arc::new(Analysis { statements, rewritten: lexed.rewritten }))
}

fn statement(tokens: &[Token], places: &Places, mode: Mode, spaced: &Facts) -> Statement {
    let mut facts = spaced.clone();
    let mut result = None;
    let kind = match head::read(tokens) {
        Head::Is(kind) => {
            if matches!(kind, Kind::Show(_)) {
                listing(tokens, &mut facts);
            }
            facts.reads_variables |= matches!(kind, Kind::Execute { .. }) && reads_variables(tokens);
            kind
        }
        Head::Grammar(tokens) => {
            result = grammar(tokens, places, mode, &mut facts);
            Kind::Data
        }
        Head::Explain(tokens) => {
            grammar(tokens, places, mode, &mut facts);
            // It is sent as it is: a plan would quote what masks stand for.
            facts.lose_places();
            Kind::Explain
        }
        Head::Words(kind, tokens) => {
            calls(&tokens, &mut facts);
            facts.reads_variables = reads_variables(&tokens);
            kind
        }
        Head::Define => {
            let (kind, query) = define::classify(tokens, &mut facts);
            if let Some(query) = query {
                grammar(query.to_vec(), &Places::default(), mode, &mut facts);
            }
            kind
        }
        Head::Call(tokens) => call(&tokens, &mut facts),
        Head::Text { name, text } => {
            let mut read = inner(name, &text, mode);
            read.facts.reads_variables |= reads_variables(tokens);
            return read;
        }
    };
    facts.asks_warnings |= matches!(kind, Kind::Show(super::Show::Warnings));
    facts.asks_back |= facts.asks_warnings;
    facts.reads_counter = reads_counter(tokens);
    facts.reads_counts = reads_counts(tokens);
    Statement { kind, facts, result }
}

/// The statement that a literal text holds: it has to be one, without a text inside.
fn inner(name: Option<String>, text: &str, mode: Mode) -> Statement {
    let refused = |what| Statement { kind: Kind::Refused(what), facts: Facts::default(), result: None };
    // The server reads such a text in another character set than the one around it.
    if !text.is_ascii() {
        return refused("a prepared text with letters outside of ASCII");
    }
    let Ok(analysis) = analyse_flat(text, mode) else {
        return refused("a prepared text that is not understood");
    };
    let ([only], None) = (analysis.statements.as_slice(), &analysis.rewritten) else {
        return refused("a prepared text that is not one statement");
    };
    let mut own = only.as_ref().clone();
    own.facts.lose_places();
    match name {
        Some(name) => {
            let facts = Facts { inner_text: true, ..own.facts.clone() };
            Statement { kind: Kind::Prepare { name, inner: Arc::new(own) }, facts, result: None }
        }
        None => {
            own.facts.inner_text = true;
            own
        }
    }
}

fn analyse_flat(text: &str, mode: Mode) -> Result {
    let head = lexer::lex(text, mode)?.tokens.first().map(keyword).unwrap_or_default();
    if matches!(head.as_str(), "prepare" | "execute" | "deallocate" | "use" | "set" | "call") {
        return Err("a text inside a text");
    }
    analyse(text, mode)
}

fn grammar(tokens: Vec<Token>, places: &Places, mode: Mode, facts: &mut Facts) -> Option<Query> {
    if mode.oracle {
        facts.opaque = Some("sql_mode ORACLE or MSSQL");
        return None;
    }
    let tokens = places.mark(without_extras(tokens, mode.mariadb, facts));
    let dialect = MySqlDialect {};
    let mut parser = Parser::new(&dialect).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(tokens);
    let tree = match parser.parse_statement() {
        Ok(tree) if parser.peek_token().token == Token::EOF => tree,
        _ => {
            facts.opaque.get_or_insert("what IronVeil cannot parse");
            return None;
        }
    };
    facts::collect(&tree, facts);
    asked::collect(&tree, places, facts);
    met::collect(&tree, places, facts);
    if mode.high_not {
        facts.lose_places();
    }
    let result = write::read(&tree, facts);
    facts.writes_variables = facts.reads_variables && write::repeats(&tree);
    if !matches!(tree, Tree::Query(_) | Tree::Insert(_) | Tree::Update(_) | Tree::Delete(_)) {
        facts.opaque.get_or_insert("a statement of this form");
    }
    result
}

/// Takes out what the grammar does not know and what changes nothing of what a statement reads and writes: `INTO @a`,
/// `LOCK IN SHARE MODE`, `SQL_CACHE`. Operators and units that it does not know become others, and lists of tables joins.
fn without_extras(tokens: Vec<Token>, mariadb: bool, facts: &mut Facts) -> Vec<Token> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    let first = tokens.first().map(keyword).unwrap_or_default();
    let insert = matches!(first.as_str(), "insert" | "replace");
    let mut lists = TableLists { before_set: first == "update", open: Vec::new() };
    while let Some((token, after)) = rest.split_first() {
        let words: Vec<String> = rest.iter().take(4).map(keyword).collect();
        let word = |at: usize| words.get(at).map_or("", String::as_str);
        if lists.joins(token, word(0), kept.last()) {
            kept.extend([Token::make_keyword("CROSS"), Token::make_keyword("JOIN")]);
            rest = after;
            continue;
        }
        rest = match (word(0), word(1), word(2), word(3)) {
            ("ignore" | "low_priority" | "quick", ..) if is_modified(&kept) => after,
            ("lock", "in", "share", "mode") => rest.get(4..).unwrap_or_default(),
            ("mod", ..) if after.first() != Some(&Token::LParen) || ends_value(kept.last()) => {
                kept.push(Token::Mod);
                after
            }
            ("sounds", "like", ..) => after,
            ("", ..) if matches!(token, Token::ExclamationMark | Token::DoubleExclamationMark) => {
                kept.push(Token::Minus);
                after
            }
            (unit, ..) if UNITS.contains(&unit) => {
                kept.push(Token::make_keyword("DAY"));
                after
            }
            ("unique", ..) if is_modifier(kept.last()) => {
                facts.opaque.get_or_insert("SELECT UNIQUE");
                after
            }
            ("sql_cache", ..) if mariadb && is_modifier(kept.last()) => after,
            ("into", "outfile" | "dumpfile", ..) => {
                facts.opaque.get_or_insert("INTO OUTFILE");
                after
            }
            ("into", name, ..) if name.starts_with('@') && !insert => {
                facts.assigns = true;
                skip_variables(after)
            }
            _ => {
                kept.push(token.clone());
                after
            }
        };
    }
    kept
}

/// Units of two parts, which are reserved words.
const UNITS: [&str; 11] = [
    "day_hour",
    "day_microsecond",
    "day_minute",
    "day_second",
    "hour_microsecond",
    "hour_minute",
    "hour_second",
    "minute_microsecond",
    "minute_second",
    "second_microsecond",
    "year_month",
];

/// Where commas join tables that the grammar wants joined by a word: in UPDATE before SET, and in parentheses behind FROM.
struct TableLists {
    before_set: bool,
    /// Of each open parenthesis, whether it is around tables.
    open: Vec<bool>,
}

impl TableLists {
    /// Whether a token is such a comma.
    fn joins(&mut self, token: &Token, word: &str, before: Option<&Token>) -> bool {
        let inside = self.open.last().copied();
        match token {
            Token::LParen => {
                let behind = before.map(keyword).unwrap_or_default();
                let nested = inside == Some(true) && before == Some(&Token::LParen);
                self.open.push(nested || matches!(behind.as_str(), "from" | "join"));
            }
            Token::RParen => drop(self.open.pop()),
            Token::Comma => return inside.unwrap_or(self.before_set),
            // A query: what it selects stands in a list of its own.
            _ if matches!(word, "select" | "values" | "with") => {
                self.open.last_mut().into_iter().for_each(|open| *open = false)
            }
            _ => self.before_set &= inside.is_some() || word != "set",
        }
        false
    }
}

/// Whether modifiers of SELECT may follow.
fn is_modifier(token: Option<&Token>) -> bool {
    let word = token.map(keyword).unwrap_or_default();
    word.starts_with("sql_")
        || matches!(
            word.as_str(),
            "select" | "all" | "distinct" | "distinctrow" | "high_priority" | "straight_join"
        )
}

/// Whether a value ends here that is no name: behind a name, a parenthesis may be that of a function.
fn ends_value(token: Option<&Token>) -> bool {
    matches!(token, Some(Token::RParen | Token::Number(..) | Token::SingleQuotedString(_)))
}

/// Whether only UPDATE or DELETE has come so far, behind which modifiers stand.
fn is_modified(kept: &[Token]) -> bool {
    matches!(kept, [first] if matches!(keyword(first).as_str(), "update" | "delete"))
}

/// Passes over `@a, @b`.
fn skip_variables(mut rest: &[Token]) -> &[Token] {
    loop {
        rest = match rest {
            [_, Token::Comma, next, ..] if keyword(next).starts_with('@') => {
                rest.get(2..).unwrap_or_default()
            }
            [_, after @ ..] => return after,
            [] => return rest,
        };
    }
}

/// Every word before a parenthesis is a function.
pub(super) fn calls(tokens: &[Token], facts: &mut Facts) {
    for window in tokens.windows(2) {
        if let [Token::Word(word), Token::LParen] = window
            && !matches!(
                keyword(window.first().unwrap_or(&Token::EOF)).as_str(),
                "in" | "and" | "or" | "not" | "where"
            )
        {
            let database = word.quote_style.map(|_| String::new());
            facts.functions.insert(Function { database, name: word.value.to_ascii_lowercase() });
        }
    }
    if tokens
        .windows(4)
        .any(|window| matches!(window, [Token::Word(_), Token::Period, Token::Word(_), Token::LParen]))
    {
        facts.opaque.get_or_insert("a function of a database");
    }
}

/// SHOW may have a condition, in which expressions stand.
fn listing(tokens: &[Token], facts: &mut Facts) {
    let condition = tokens.iter().position(|token| keyword(token) == "where");
    let condition = condition.and_then(|at| tokens.get(at..)).unwrap_or_default();
    calls(condition, facts);
    facts.reads_variables = reads_variables(condition);
    if condition.contains(&Token::Assignment) || head::mentions(condition, &["table", "values"]) {
        facts.opaque.get_or_insert("a condition of this form");
    }
}

/// Whether a variable stands anywhere but where it is given a value.
fn reads_variables(tokens: &[Token]) -> bool {
    let given = |at: usize| {
        let first =
            at.checked_sub(1).and_then(|at| tokens.get(at)).is_none_or(|token| *token == Token::Comma);
        first && matches!(tokens.get(at + 1), Some(Token::Eq | Token::Assignment))
    };
    let is_variable = |token: &Token| matches!(token, Token::Word(word) if facts::is_variable(&word.value));
    tokens.iter().enumerate().any(|(at, token)| is_variable(token) && !given(at))
}

/// Names of the number that a column was counted up to last.
const COUNTERS: [&str; 3] = ["last_insert_id", "insert_id", "identity"];

/// Whether that number is among what is read or set: by its names, or with all variables.
fn reads_counter(tokens: &[Token]) -> bool {
    let like = |at: usize| match tokens.get(at + 1..at + 3) {
        Some([like, Token::SingleQuotedString(pattern)]) if keyword(like) == "like" => {
            let start = pattern.split(['%', '_', '\\']).next().unwrap_or_default().to_ascii_lowercase();
            COUNTERS.iter().any(|name| name.starts_with(&start))
        }
        _ => true,
    };
    tokens.iter().enumerate().any(|(at, token)| {
        let Token::Word(word) = token else { return false };
        let word = word.value.to_ascii_lowercase();
        let own = word.starts_with('@') && !word.starts_with("@@");
        let named = word.contains("insert_id") || word.ends_with("identity") || word == "lastval";
        !own && (named || (word.ends_with("variables") && like(at)))
    })
}

/// Whether how far columns have been counted is among what is read or set, by its name or with other columns under other names.
fn reads_counts(tokens: &[Token]) -> bool {
    let has = |wanted: &str| {
        tokens
            .iter()
            .filter(|token| matches!(token, Token::Word(word) if word.value.eq_ignore_ascii_case(wanted)))
            .count()
    };
    let named = |token: &Token| matches!(token, Token::Word(word) if word.value.to_ascii_lowercase().contains("auto_increment"));
    let inside = has("select") + has("table") + has("union") + has("with") > 1;
    let all = tokens.contains(&Token::Mul) || has("table") > 0;
    // The session's database may be `information_schema`.
    tokens.iter().any(named) || (has("tables") > 0 && inside && all)
}

fn call(tokens: &[Token], facts: &mut Facts) -> Kind {
    let (database, name, rest) = match tokens {
        [Token::Word(database), Token::Period, Token::Word(name), rest @ ..] => {
            (Some(database.value.clone()), &name.value, rest)
        }
        [Token::Word(name), rest @ ..] => (None, &name.value, rest),
        _ => return Kind::Refused("CALL of this form"),
    };
    calls(rest, facts);
    facts.reads_variables = reads_variables(rest);
    if head::mentions(rest, &["select", "values", "table", "with"]) {
        return Kind::Refused("CALL with a query");
    }
    facts.functions.insert(Function { database, name: name.to_ascii_lowercase() });
    Kind::Call
}
