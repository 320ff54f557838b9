//! Statements that are told apart by their first words. What has a query inside is left to the grammar.

use sqlparser::tokenizer::Token;

use super::define::engine_is_known;
use super::statement::{Kind, Show};

/// What a statement is by its first words.
pub(super) enum Head {
    /// The grammar reads these tokens.
    Grammar(Vec<Token>),
    /// The grammar reads these tokens, which are explained.
    Explain(Vec<Token>),
    /// PREPARE or EXECUTE IMMEDIATE of a literal text.
    Text {
        /// Name of the statement; `None` to run it at once.
        name: Option<String>,
        /// The text.
        text: String,
    },
    /// Functions in these tokens are all that matters.
    Words(Kind, Vec<Token>),
    /// It defines objects.
    Define,
    /// CALL, and the tokens behind it.
    Call(Vec<Token>),
    /// Nothing else matters.
    Is(Kind),
}

const REFUSED_ADMINISTRATION: &str = "a statement that administers the server";

/// Reads the first words.
pub(super) fn read(tokens: &[Token]) -> Head {
    let words: Vec<String> = tokens.iter().take(6).map(keyword).collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let rest = |from: usize| tokens.get(from..).unwrap_or_default().to_vec();
    match word(0) {
        // `DO` evaluates as SELECT does, and shows nothing.
        "do" => Head::Grammar([vec![Token::make_word("SELECT", None)], rest(1)].concat()),
        "select" | "with" | "values" | "table" | "insert" | "replace" | "update" | "delete" => {
            Head::Grammar(tokens.to_vec())
        }
        "" if matches!(tokens.first(), Some(Token::LParen)) => Head::Grammar(tokens.to_vec()),
        "explain" | "describe" | "desc" | "analyze" => explain(tokens),
        "show" => Head::Is(show(&words, tokens)),
        "set" => set(&words, tokens),
        "use" => match tokens {
            [_, Token::Word(name)] => Head::Is(Kind::Use(name.value.clone())),
            _ => Head::Is(Kind::Refused("USE of this form")),
        },
        "begin" | "commit" | "rollback" => transaction(tokens),
        "start" if word(1) == "transaction" => transaction(tokens),
        "savepoint" | "release" | "xa" | "lock" | "unlock" => Head::Is(simple(tokens)),
        "check" | "optimize" | "repair" if is_maintenance(word(1)) => Head::Is(simple(tokens)),
        "kill" => Head::Is(kill(tokens)),
        "prepare" => prepare(tokens),
        "execute" => execute(tokens),
        "deallocate" if word(1) == "prepare" => Head::Is(deallocate(tokens)),
        "drop" if word(1) == "prepare" => Head::Is(deallocate(tokens)),
        "call" => Head::Call(rest(1)),
        "help" => Head::Is(simple(tokens)),
        "flush" | "reset" | "purge" | "change" | "install" | "uninstall" | "shutdown" | "clone"
        | "binlog" | "start" | "stop" | "cache" | "restart" => {
            Head::Is(Kind::Refused(REFUSED_ADMINISTRATION))
        }
        "handler" => Head::Is(Kind::Refused("HANDLER")),
        "load" => Head::Is(Kind::Refused("LOAD")),
        "checksum" => Head::Is(Kind::Refused("CHECKSUM TABLE")),
        "signal" | "resignal" | "get" => Head::Is(Kind::Refused("a statement about conditions")),
        "create" | "alter" | "drop" | "rename" | "truncate" => Head::Define,
        "grant" | "revoke" | "import" => Head::Is(Kind::Refused(REFUSED_ADMINISTRATION)),
        _ => Head::Is(Kind::Refused("a statement that IronVeil does not know")),
    }
}

/// A word without quotes, in lower case.
pub(super) fn keyword(token: &Token) -> String {
    match token {
        Token::Word(word) if word.quote_style.is_none() => word.value.to_ascii_lowercase(),
        _ => String::new(),
    }
}

/// Whether a keyword stands anywhere in the tokens.
pub(super) fn mentions(tokens: &[Token], words: &[&str]) -> bool {
    tokens.iter().any(|token| words.contains(&keyword(token).as_str()))
}

/// A statement in which nothing can be computed.
fn simple(tokens: &[Token]) -> Kind {
    if mentions(tokens, &["select", "values", "with"]) || tokens.contains(&Token::LParen) {
        Kind::Refused("a query inside this statement")
    } else {
        Kind::Session
    }
}

fn is_maintenance(word: &str) -> bool {
    matches!(word, "table" | "tables" | "no_write_to_binlog" | "local")
}

/// BEGIN may also begin a block of statements, in MariaDB.
fn transaction(tokens: &[Token]) -> Head {
    const WORDS: [&str; 15] = [
        "begin",
        "work",
        "commit",
        "rollback",
        "start",
        "transaction",
        "with",
        "consistent",
        "snapshot",
        "read",
        "only",
        "write",
        "and",
        "no",
        "chain",
    ];
    let known = |token: &Token| {
        matches!(token, Token::Comma)
            || WORDS.contains(&keyword(token).as_str())
            || keyword(token) == "release"
    };
    let to_savepoint = mentions(tokens, &["to"]) && tokens.len() <= 5 && keyword_at(tokens, 0) == "rollback";
    Head::Is(if to_savepoint || tokens.iter().all(known) {
        Kind::Session
    } else {
        Kind::Refused("a block of statements")
    })
}

fn keyword_at(tokens: &[Token], at: usize) -> String {
    tokens.get(at).map(keyword).unwrap_or_default()
}

fn explain(tokens: &[Token]) -> Head {
    let mut at = 1;
    loop {
        match keyword_at(tokens, at).as_str() {
            "extended" | "partitions" | "analyze" => at += 1,
            "format" => at += 3,
            "select" | "with" | "values" | "table" | "insert" | "replace" | "update" | "delete"
                if keyword_at(tokens, 0) != "analyze" || !is_table_of(tokens, at) =>
            {
                return Head::Explain(tokens.get(at..).unwrap_or_default().to_vec());
            }
            "for" | "into" => return Head::Is(Kind::Refused("EXPLAIN of another connection")),
            _ => break,
        }
    }
    if keyword_at(tokens, 0) == "analyze" {
        let table = is_maintenance(&keyword_at(tokens, 1)) && !tokens.contains(&Token::LParen);
        return Head::Is(if table { Kind::Session } else { Kind::Refused("ANALYZE of this form") });
    }
    // DESCRIBE of a table.
    let named = tokens.len() > 1
        && tokens
            .iter()
            .skip(1)
            .all(|token| matches!(token, Token::Word(_) | Token::Period | Token::SingleQuotedString(_)));
    Head::Is(if named { Kind::Show(Show::Definitions) } else { Kind::Refused("EXPLAIN of this form") })
}

/// ANALYZE TABLE is no explanation of the query `TABLE t`.
fn is_table_of(tokens: &[Token], at: usize) -> bool {
    at == 1 && keyword_at(tokens, at) == "table"
}

fn show(words: &[String], tokens: &[Token]) -> Kind {
    const DEFINITIONS: [&str; 32] = [
        "character",
        "charset",
        "collation",
        "columns",
        "create",
        "databases",
        "engines",
        "events",
        "fields",
        "function",
        "grants",
        "index",
        "indexes",
        "keys",
        "open",
        "package",
        "plugins",
        "privileges",
        "procedure",
        "schemas",
        "storage",
        "table",
        "tables",
        "triggers",
        "variables",
        "authors",
        "contributors",
        "master",
        "binary",
        "replicas",
        "parse_tree",
        "sequences",
    ];
    const SCOPES: [&str; 5] = ["full", "global", "session", "local", "extended"];
    if mentions(tokens, &["select", "values", "with"]) {
        return Kind::Refused("a query inside SHOW");
    }
    let mut rest = words.iter().skip(1).map(String::as_str).skip_while(|word| SCOPES.contains(word));
    match (rest.next().unwrap_or_default(), rest.next().unwrap_or_default()) {
        ("warnings" | "errors" | "count", _) => Kind::Show(Show::Warnings),
        ("processlist", _) => Kind::Show(Show::Processes),
        ("procedure" | "function", "code") => Kind::Refused("SHOW of code"),
        ("binary", "logs" | "log") | ("master", "status" | "logs") => Kind::Show(Show::Definitions),
        ("binary" | "master" | "parse_tree", _) => Kind::Refused("SHOW of the binary log"),
        ("status", _) => counters(tokens),
        (word, _) if DEFINITIONS.contains(&word) => Kind::Show(Show::Definitions),
        _ => Kind::Refused("SHOW of what may quote statements or rows"),
    }
}

/// Counters that no values move begin so.
const HARMLESS_COUNTERS: [&str; 7] =
    ["aborted", "com_", "connections", "max_used_connections", "ssl", "threads", "uptime"];

/// SHOW STATUS: how many bytes were sent, rows read and tables made depends on values.
fn counters(tokens: &[Token]) -> Kind {
    match tokens {
        [.., like, Token::SingleQuotedString(pattern)] if keyword(like) == "like" => {
            let pattern = pattern.to_ascii_lowercase();
            let harmless = HARMLESS_COUNTERS.iter().any(|known| pattern.starts_with(known));
            Kind::Show(if harmless { Show::Definitions } else { Show::Counters })
        }
        _ if mentions(tokens, &["where"]) => Kind::Refused("SHOW STATUS with a condition"),
        _ => Kind::Show(Show::Counters),
    }
}

/// Variables whose value, without a scope, is the next transaction's.
const OF_TRANSACTION: [&str; 4] =
    ["@@transaction_isolation", "@@transaction_read_only", "@@tx_isolation", "@@tx_read_only"];

fn set(words: &[String], tokens: &[Token]) -> Head {
    if words.get(1).is_some_and(|word| word == "statement") {
        return Head::Is(Kind::Refused("SET STATEMENT"));
    }
    if words.get(1).is_some_and(|word| word == "password") {
        return Head::Is(Kind::Refused("SET PASSWORD"));
    }
    if mentions(tokens, &["from", "values", "table", "with"]) {
        return Head::Is(Kind::Refused("SET to the result of a query"));
    }
    let of_server = |token: &Token| {
        let word = keyword(token);
        matches!(word.as_str(), "global" | "persist" | "persist_only")
            || ["@@global", "@@persist"].iter().any(|scope| word.starts_with(scope))
    };
    if tokens.iter().any(of_server) {
        return Head::Is(Kind::Refused("SET for the whole server"));
    }
    let engine = |at: usize, token: &Token| match token {
        Token::Word(word) if word.value.to_ascii_lowercase().ends_with("storage_engine") => {
            engine_is_known(tokens.get(at + 1..).unwrap_or_default()).is_none()
        }
        _ => false,
    };
    if tokens.iter().enumerate().any(|(at, token)| engine(at, token)) {
        return Head::Is(Kind::Refused("SET of a storage engine whose rows may be those of others"));
    }
    let role = mentions(tokens, &["role"]);
    let once = words.get(1).is_some_and(|word| word == "transaction") || mentions(tokens, &OF_TRANSACTION);
    Head::Words(Kind::Set { role, once }, tokens.get(1..).unwrap_or_default().to_vec())
}

fn kill(tokens: &[Token]) -> Kind {
    let skipped = tokens
        .iter()
        .skip(1)
        .skip_while(|token| matches!(keyword(token).as_str(), "hard" | "soft" | "connection" | "query"));
    let rest: Vec<&Token> = skipped.collect();
    match rest.as_slice() {
        [Token::Number(number, _)] => {
            number.parse().map_or(Kind::Refused("KILL of this form"), |connection| Kind::Kill {
                connection,
                query: mentions(tokens, &["query"]),
            })
        }
        _ => Kind::Refused("KILL of this form"),
    }
}

fn prepare(tokens: &[Token]) -> Head {
    match tokens {
        [_, Token::Word(name), Token::Word(from), Token::SingleQuotedString(text)]
            if from.value.eq_ignore_ascii_case("from") && is_plain_name(&name.value) =>
        {
            Head::Text { name: Some(name.value.to_ascii_lowercase()), text: text.clone() }
        }
        _ => Head::Is(Kind::Refused("PREPARE of a text that is not a literal")),
    }
}

fn execute(tokens: &[Token]) -> Head {
    match tokens {
        [_, Token::Word(immediate), Token::SingleQuotedString(text), rest @ ..]
            if immediate.value.eq_ignore_ascii_case("immediate") && is_using(rest) =>
        {
            Head::Text { name: None, text: text.clone() }
        }
        [_, Token::Word(name), rest @ ..]
            if !name.value.eq_ignore_ascii_case("immediate")
                && is_plain_name(&name.value)
                && is_using(rest) =>
        {
            Head::Is(Kind::Execute { name: name.value.to_ascii_lowercase() })
        }
        _ => Head::Is(Kind::Refused("EXECUTE of a text that is not a literal")),
    }
}

/// Whether a prepared statement's name is told apart here as in the server, which also takes letters with and without
/// accents for one.
fn is_plain_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Nothing, or USING of variables and literals.
fn is_using(tokens: &[Token]) -> bool {
    let Some((first, rest)) = tokens.split_first() else { return true };
    let plain = |token: &Token| match token {
        Token::Comma | Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_) => true,
        Token::Word(word) => word.value.starts_with('@') || word.value.eq_ignore_ascii_case("null"),
        _ => false,
    };
    keyword(first) == "using" && rest.iter().all(plain)
}

fn deallocate(tokens: &[Token]) -> Kind {
    match tokens {
        [_, _, Token::Word(name)] if is_plain_name(&name.value) => {
            Kind::Deallocate { name: name.value.to_ascii_lowercase() }
        }
        _ => Kind::Refused("DEALLOCATE of this form"),
    }
}
