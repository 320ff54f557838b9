//! Questions about masked columns, by the names that they are asked of.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use veil_sql::lineage::Spot;
use veil_sql::mysql::{Facts, Named, Table, TableName};
use veil_sql::question::{Asks, Given, Question};

use super::labels::Labels;
use super::lineage::{Flow, perhaps_same};
use super::translate::{Taken, taken};
use crate::labels::{Label, Standing};
use crate::question::{self, Mixed};

/// Names compared with names, for one statement.
const COMPARED_MAX: usize = 1 << 18;

/// Whether what decides which rows come names nothing labelled.
pub(super) fn asks_nothing(facts: &Facts, labels: &Labels, database: Option<&str>) -> bool {
    let asks = |question: &&Question<Named>| question.asks != Asks::Beside || question.given.constants > 0;
    let taken = taken(facts, labels, database);
    let asked = facts.asked.iter().filter(|question| !tells_nothing(question, &taken));
    let asked = asked.filter(asks).flat_map(|question| &question.about.names);
    let mut asked: BTreeSet<&str> = asked.map(String::as_str).collect();
    // What is computed may be NULL because of what it is computed from.
    let named =
        |name: &&str| facts.given.iter().flat_map(|(given, _)| given).any(|given| is_called(given, name));
    let given: usize = facts.given.iter().map(|(given, named)| given.len() + named.names.len()).sum();
    if (asked.len() + facts.asked_null.len() + given).saturating_mul(given) > COMPARED_MAX {
        return false;
    }
    // Under a name that the statement gives, one value or another may stand.
    let made = |name: &&str| named(name) || !has_column(name, facts, labels, database);
    asked.extend(facts.asked_null.iter().map(String::as_str).filter(made));
    loop {
        let answers = |name: &String| asked.iter().any(|asked| is_called(name, asked));
        let given = facts.given.iter().filter(|(given, _)| given.iter().any(answers));
        let more: BTreeSet<&str> = given.flat_map(|(_, named)| &named.names).map(String::as_str).collect();
        let before = asked.len();
        asked.extend(more);
        if asked.len() == before {
            break;
        }
    }
    if asked.contains("*") || asked.contains("_rowid") {
        return false;
    }
    // Servers make names, too.
    let known = |name: &&str| named(name) || has_column(name, facts, labels, database);
    if !asked.iter().all(known) {
        return false;
    }
    asked.is_empty() || facts.tables.iter().all(|name| answers(name, &asked, facts, labels, database))
}

/// Whether a table has a column of a name, or cannot be told.
fn has_column(name: &str, facts: &Facts, labels: &Labels, database: Option<&str>) -> bool {
    facts.tables.iter().any(|table| {
        let known = table.database.as_deref().or(database);
        let known = known.and_then(|database| labels.catalog().table(database, &table.name));
        known.map_or(!facts.expressions.contains(&table.name.to_lowercase()), |known| {
            known.columns.iter().any(|column| perhaps_same(&column.name, name))
        })
    })
}

/// Whether what the statement calls `given` may go by a name.
fn is_called(given: &str, name: &str) -> bool {
    given == "*" || perhaps_same(given, name)
}

/// Whether no column of a table that goes by one of these names is labelled.
fn answers(
    name: &TableName,
    asked: &BTreeSet<&str>,
    facts: &Facts,
    labels: &Labels,
    database: Option<&str>,
) -> bool {
    if labels.standing(name, facts, database) == Standing::Clean {
        return true;
    }
    let Some(database) = name.database.as_deref().or(database) else { return false };
    labels.catalog().table(database, &name.name).is_some_and(|table| {
        let mut columns = table.columns.iter().map(|column| column.name.as_str());
        columns.all(|column| {
            !asked.iter().any(|asked| perhaps_same(asked, column)) || labels.flow(table, column).is_clean()
        })
    })
}

/// What it costs to answer what is asked of labelled columns.
///
/// # Errors
/// Something is asked that would tell too much at once.
pub(super) fn cost(facts: &Facts, labels: &Labels, database: Option<&str>) -> Result<u32, Mixed> {
    let guarded = |table: &TableName| labels.standing(table, facts, database) == Standing::Guarded;
    if !facts.tables.iter().any(guarded) {
        return Ok(0);
    }
    let scope = Scope::new(facts, labels, database);
    let taken = taken(facts, labels, database);
    let mut sum = 0_u32;
    for question in facts.asked.iter().filter(|question| !tells_nothing(question, &taken)) {
        sum = sum.saturating_add(scope.cost(question)?);
    }
    for name in &facts.asked_null {
        // Under a name that the statement gives, or the server makes, something computed may stand.
        if scope.gives(name) || !has_column(name, facts, labels, database) {
            let about = Named { names: BTreeSet::from([name.clone()]), columns: 1, ..Named::default() };
            sum = sum.saturating_add(scope.cost(&Question {
                about,
                asks: Asks::Other,
                given: Given::default(),
                spots: Vec::new(),
            })?);
        }
    }
    Ok(sum)
}

/// Whether a column is asked for by masks, which shows no more than equal masks do, or is surely none that is labelled.
fn tells_nothing(question: &Question<Named>, taken: &Taken) -> bool {
    let harmless = |spot: &Spot| taken.masks.contains_key(spot) || taken.clean.contains(spot);
    !question.spots.is_empty() && question.spots.iter().all(harmless)
}

/// A column's label and type, if these are sure.
type Sure = Option<(Label, String)>;

/// A statement's names and what they may stand for.
pub(super) struct Scope<'a> {
    facts: &'a Facts,
    pub(super) labels: &'a Labels,
    pub(super) database: Option<&'a str>,
    /// Names that may still be compared.
    work: Cell<usize>,
    sure: RefCell<HashMap<(Option<String>, String), Sure>>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(facts: &'a Facts, labels: &'a Labels, database: Option<&'a str>) -> Self {
        Self { facts, labels, database, work: Cell::new(COMPARED_MAX), sure: RefCell::default() }
    }

    /// The label and the type of a column if all that it may be is masked by one rule, as columns of one type.
    pub(super) fn sure(&self, of: Option<&str>, name: &str) -> Option<(Label, String)> {
        let key = (of.map(str::to_owned), name.to_owned());
        if let Some(known) = self.sure.borrow().get(&key) {
            return known.clone();
        }
        let found = self.surely(of, name);
        self.sure.borrow_mut().insert(key, found.clone());
        found
    }

    fn surely(&self, of: Option<&str>, name: &str) -> Option<(Label, String)> {
        self.spend(self.facts.aliases.len() * (1 + self.facts.with_names.len()))?;
        if self.facts.untold || name.eq_ignore_ascii_case("_rowid") {
            return None;
        }
        // A query's own columns go by their names in tables, or by those that the statement gives.
        let of = of.filter(|of| {
            let mut called = self.facts.aliases.iter().filter(|(own, _)| perhaps_same(own, of));
            called.any(|(_, table)| table.is_some())
        });
        if of.is_none() && (self.facts.makes_names || self.gives_another(name)) {
            return None;
        }
        let named = self.facts.aliases.iter().filter(|(own, _)| of.is_none_or(|of| perhaps_same(own, of)));
        let mut found: Option<(Label, String)> = None;
        for (_, table) in named {
            let table = match table {
                Some(table) if !self.is_query(table) => table,
                _ if of.is_some() => return None,
                _ => continue,
            };
            let known = self.known(table)?;
            let mut columns =
                known.columns.iter().filter(|column| perhaps_same(&column.name, name)).peekable();
            // It may have the column by the time the statement runs.
            if columns.peek().is_none() && (of.is_some() || self.labels.is_clean(known)) {
                return None;
            }
            for column in columns {
                let Flow::Verbatim { label, .. } = self.labels.flow(known, &column.name) else { return None };
                match &found {
                    Some((other, declared))
                        if other.rule != label.rule || *declared != column.column_type =>
                    {
                        return None;
                    }
                    _ => found = Some((label, column.column_type.clone())),
                }
            }
        }
        found
    }

    /// Whether a column of a table that is named with it is not labelled.
    pub(super) fn is_clear(&self, of: &str, name: &str) -> bool {
        if self.spend(self.facts.aliases.len() * (1 + self.facts.with_names.len())).is_none() {
            return false;
        }
        let mut named = self.facts.aliases.iter().filter(|(own, _)| perhaps_same(own, of)).peekable();
        named.peek().is_some()
            && !self.facts.untold
            && named.all(|(_, table)| {
                let table = table.as_ref().filter(|table| !self.is_query(table));
                table.and_then(|table| self.known(table)).is_some_and(|known| {
                    let columns = known.columns.iter().filter(|column| perhaps_same(&column.name, name));
                    let flows: Vec<Flow> =
                        columns.map(|column| self.labels.flow(known, &column.name)).collect();
                    !flows.is_empty() && flows.iter().all(Flow::is_clean)
                })
            })
    }

    fn spend(&self, work: usize) -> Option<()> {
        self.work.set(self.work.get().checked_sub(work)?);
        Some(())
    }

    /// Whether a table's name may be that of a common table expression.
    fn is_query(&self, table: &TableName) -> bool {
        table.database.is_none() && self.facts.with_names.iter().any(|name| perhaps_same(name, &table.name))
    }

    fn known(&self, table: &TableName) -> Option<&'a Table> {
        self.labels.catalog().table(table.database.as_deref().or(self.database)?, &table.name)
    }

    /// Whether the statement gives a name to anything but columns that have it.
    fn gives_another(&self, name: &str) -> bool {
        let another = |(given, named): &(Vec<String>, Named)| {
            let own = named.names.len() == 1 && named.names.iter().all(|own| own == &name.to_lowercase());
            let as_it_is = own && named.columns == 1 && !named.computed && !named.constant && !named.many;
            given.iter().any(|given| is_called(given, name)) && !as_it_is
        };
        self.facts.given.iter().any(another)
    }

    /// Whether two columns are compared that hold nothing labelled, or are masked by one rule.
    fn compares_alike(&self, [(of, name), (with, other)]: &[(String, String); 2]) -> bool {
        let sure = |of: &String, name: &String| self.sure(Some(of), name);
        match (sure(of, name), sure(with, other)) {
            (Some((label, ty)), Some((second, other))) => label.rule == second.rule && ty == other,
            _ => self.is_clear(of, name) && self.is_clear(with, other),
        }
    }

    fn cost(&self, question: &Question<Named>) -> Result<u32, Mixed> {
        if question.asks == Asks::Equality
            && question.about.sides.as_ref().is_some_and(|sides| self.compares_alike(sides))
        {
            return Ok(0);
        }
        let about = self.followed(&question.about).ok_or(Mixed)?;
        let (facts, labels) = (self.facts, self.labels);
        let names: BTreeSet<&str> = about.names.iter().map(String::as_str).collect();
        let mut made =
            names.iter().filter(|name| !self.gives(name) && !has_column(name, facts, labels, self.database));
        let clean = !names.contains("*")
            && !names.contains("_rowid")
            && made.next().is_none()
            && self.is_clean(&names);
        if clean {
            return Ok(0);
        }
        let asks = match question.asks {
            // What is computed may be made to be alike.
            Asks::Alike if about.computed => Asks::Other,
            asks => asks,
        };
        let doubtful = about.constant || !names.iter().all(|name| self.is_labelled(name));
        // Columns that one rule masks are compared by what equal masks show.
        let plain = question.given.constants == 0 && !question.given.many && !about.many && !doubtful;
        if asks == Asks::Equality && about.columns > 1 && plain && self.are_of_one_rule(&names) {
            return Ok(0);
        }
        let mixed = about.columns > 1 && doubtful && facts.sources > 1;
        let given = Given { many: question.given.many || about.many, ..question.given };
        question::cost(asks, given, mixed)
    }

    /// Whether all columns that go by these names are masked by one rule.
    fn are_of_one_rule(&self, names: &BTreeSet<&str>) -> bool {
        let mut rule: Option<Arc<str>> = None;
        let mut tables = self.facts.tables.iter().filter_map(|table| self.known(table));
        tables.all(|known| {
            let mut columns = known.columns.iter();
            columns.all(|column| {
                if !names.iter().any(|name| perhaps_same(&column.name, name)) {
                    return true;
                }
                let Flow::Verbatim { label, .. } = self.labels.flow(known, &column.name) else {
                    return false;
                };
                rule.get_or_insert_with(|| Arc::clone(&label.rule)).as_ref() == label.rule.as_ref()
            })
        })
    }

    fn gives(&self, name: &str) -> bool {
        self.facts.given.iter().flat_map(|(given, _)| given).any(|given| is_called(given, name))
    }

    /// All names that a value is made of, and how many columns these are; `None` if they are too many to follow.
    fn followed(&self, named: &Named) -> Option<Named> {
        let mut about = named.clone();
        let mut left: Vec<&(Vec<String>, Named)> = self.facts.given.iter().collect();
        loop {
            let before = left.len();
            let compared = before.saturating_mul(about.names.len() + 1);
            self.work.set(self.work.get().checked_sub(compared)?);
            left.retain(|(given, inside)| {
                let answers = given.iter().any(|given| about.names.iter().any(|name| is_called(given, name)));
                if answers {
                    about.names.extend(inside.names.iter().cloned());
                    // They stand in the place of a name.
                    about.columns =
                        about.columns.saturating_add(inside.columns.max(1)) - u32::from(about.columns > 0);
                    // What is made of nothing may be any number of guesses.
                    about.constant |= inside.constant;
                    about.computed |= inside.computed;
                    about.many |= inside.many;
                }
                !answers
            });
            if left.len() == before {
                return Some(about);
            }
        }
    }

    fn is_clean(&self, names: &BTreeSet<&str>) -> bool {
        let (facts, labels, database) = (self.facts, self.labels, self.database);
        let missing = |table: &&TableName| labels.standing(table, facts, database) == Standing::Missing;
        let mut tables = facts.tables.iter().filter(|table| !missing(table));
        tables.all(|table| answers(table, names, facts, labels, database))
    }

    /// Whether every column that goes by a name, at least one, is labelled; what the statement calls so is followed.
    fn is_labelled(&self, name: &str) -> bool {
        let mut given = self.facts.given.iter().flat_map(|(given, _)| given);
        let mut found = given.any(|given| given == name);
        for table in &self.facts.tables {
            if self.facts.expressions.contains(&table.name.to_lowercase()) {
                continue;
            }
            let known = table.database.as_deref().or(self.database);
            let known = known.and_then(|database| self.labels.catalog().table(database, &table.name));
            let Some(known) = known else { return false };
            for column in known.columns.iter().filter(|column| perhaps_same(&column.name, name)) {
                if self.labels.flow(known, &column.name).is_clean() {
                    return false;
                }
                found = true;
            }
        }
        found
    }
}
