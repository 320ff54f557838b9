//! What clients mean by the masks that they give: literals and parameters that meet columns whose masks stand for their values
//! are replaced by these before a statement goes to the server.
//!
//! A value is translated only where everything that it meets is masked by one rule; then all that its answer tells is what equal
//! masks tell. What meets anything else stays as it is, and counts as a question.

mod guard;
mod number;
mod written;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use veil_mask::{Cell, ColumnMask, Given, NoMask, Use};
use veil_model::pgtype::oid;
use veil_model::{Format, PgType};
use veil_sql::lineage::{Literal, Meeting, Meets, Spot, Stored};
use veil_sql::{Kind, Statement};

use self::guard::Guard;
use self::number::{NO_NUMBER, is_number, widen, wider};
use self::written::written;
pub(crate) use self::written::{Written, refuse_computed, refuse_deciding};
use crate::judge::{Refusal, named};
use crate::labels::Labels;
use crate::lineage::{Columns, Flow};
use crate::protection::Predicates;

/// What the masks in a statement stand for.
#[derive(Debug)]
pub struct Translation {
    splices: Vec<Splice>,
    parameters: BTreeMap<u32, Parameter>,
    /// Literals that are not to be what is shown.
    guarded: Vec<(Guard, Box<str>)>,
    /// The same of parameters.
    guards: BTreeMap<u32, Vec<Guard>>,
    /// Texts are among the values.
    texts: bool,
}

/// Statements that mean the same have the same text, with the same parameters.
impl PartialEq for Translation {
    fn eq(&self, other: &Self) -> bool {
        self.splices == other.splices && self.parameters == other.parameters
    }
}

/// A literal that is replaced.
#[derive(PartialEq)]
struct Splice {
    from: usize,
    to: usize,
    text: String,
}

impl std::fmt::Debug for Splice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Splice").field("from", &self.from).finish_non_exhaustive()
    }
}

/// A literal or parameter that is taken for a mask.
#[derive(Clone)]
pub(crate) struct Parameter {
    pub(crate) rule: Arc<str>,
    pub(crate) kind: Type,
    pub(crate) mask: ColumnMask,
    pub(crate) given: Given,
}

/// The type of a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    Pg(PgType),
    /// As it was declared.
    MySql(Box<str>),
}

/// How quotes are written in literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// They are doubled.
    Quotes,
    /// They are doubled, and so are backslashes.
    Backslashes,
}

impl std::fmt::Debug for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parameter").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl PartialEq for Parameter {
    fn eq(&self, other: &Self) -> bool {
        (&self.rule, &self.kind, self.given) == (&other.rule, &other.kind, other.given)
    }
}

const HINT_MASK: &str =
    "Write what is shown as the column's value; \"writes: plain\" in the rule takes values as they are.";

impl Translation {
    /// Of a statement; `None` if there are no masks in it.
    ///
    /// # Errors
    /// Something is written to a column whose masks stand for values, and is no mask.
    pub(crate) fn of(statement: &Statement, labels: &Labels) -> Result<Option<Self>, Refusal> {
        let writes = !statement.facts.writes.is_empty();
        if !(labels.translates() || writes) || (statement.kind == Kind::Explain && !statement.facts.measures)
        {
            return Ok(None);
        }
        let Some(columns) = Columns::new(statement, labels) else {
            let mut targets = statement.facts.writes.iter().map(|write| &write.target);
            let open = targets.all(|target| written(target, None, labels).takes_anything());
            return if open { Ok(None) } else { refuse_computed() };
        };
        if writes {
            columns.check_writes(labels)?;
        }
        let guard = |to: &Stored| match written(&to.target, Some(to), labels) {
            Written::Shown(label) => Some((label.rule, label.masker.column(label.kind?))),
            Written::Plain | Written::Masks(_) | Written::Unsure => None,
        };
        let (meetings, nulls) = (columns.meetings(), columns.nulls());
        Self::new(meetings, &columns.translated(), Escapes::Quotes)?.guarded(meetings, nulls, guard)
    }

    /// Of those that are taken for masks among literals and parameters.
    pub(crate) fn new(
        meetings: &[Meeting],
        found: &HashMap<Spot, Parameter>,
        escapes: Escapes,
    ) -> Result<Self, Refusal> {
        let mut translation = Self {
            splices: Vec::new(),
            parameters: BTreeMap::new(),
            guarded: Vec::new(),
            guards: BTreeMap::new(),
            texts: found.values().any(|parameter| parameter.mask.is_text()),
        };
        for meeting in meetings {
            match (found.get(&meeting.at), meeting.at, &meeting.literal) {
                (Some(_), Spot::Literal(at), _)
                    if translation.splices.iter().any(|splice: &Splice| splice.from == at) => {}
                (Some(parameter), Spot::Literal(at), Some(literal)) => {
                    translation.splices.push(parameter.splice(at, literal, escapes)?);
                }
                (Some(parameter), Spot::Parameter(number), _) => {
                    translation.parameters.insert(number, parameter.clone());
                }
                _ => {}
            }
        }
        translation.splices.sort_by_key(|splice| splice.from);
        Ok(translation)
    }

    /// The same with what is written to columns whose masks are not to be written to them; `None` if there is nothing at all.
    pub(crate) fn guarded(
        mut self,
        meetings: &[Meeting],
        nulls: &[Stored],
        guard: impl Fn(&Stored) -> Option<(Arc<str>, ColumnMask)>,
    ) -> Result<Option<Self>, Refusal> {
        let guard = |to: &Stored, kind: Option<PgType>| {
            let (rule, mask) = guard(to)?;
            let given = Given { used: Use::Stored, kind, list: false };
            Some(Guard { rule, mask, given, replaces: to.replaces })
        };
        for null in nulls {
            guard(null, None).map_or(Ok(()), |guard| guard.check(None, Format::Text, None))?;
        }
        for meeting in meetings {
            let Meets::Stored(to) = &meeting.meets else { continue };
            let Some(guard) = guard(to, meeting.cast) else { continue };
            match (meeting.at, &meeting.literal) {
                (Spot::Literal(_), Some(literal)) => self.guarded.push((guard, literal.value.clone())),
                (Spot::Literal(_), None) => {}
                (Spot::Parameter(number), _) => self.guards.entry(number).or_default().push(guard),
            }
        }
        let translates = !self.splices.is_empty() || !self.parameters.is_empty();
        let guards = !self.guarded.is_empty() || !self.guards.is_empty();
        Ok((translates || guards).then_some(self))
    }

    /// Looks at the literals that are written.
    ///
    /// # Errors
    /// One of them is shown for the value that it would go over.
    pub fn check(&self) -> Result<(), Refusal> {
        let mut all = self.guarded.iter();
        all.try_for_each(|(guard, value)| guard.check(None, Format::Text, Some(value.as_bytes())))
    }

    /// Looks at a parameter, whose type is stated as `declared`, or 0.
    ///
    /// # Errors
    /// It is shown for the value that it would go over.
    fn check_parameter(
        &self,
        number: u32,
        declared: u32,
        format: Format,
        value: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        let declared = (declared != 0).then_some(PgType { oid: declared, modifier: -1 });
        let mut guards = self.guards.get(&number).into_iter().flatten();
        guards.try_for_each(|guard| guard.check(declared, format, value))
    }

    /// Whether texts are among the values, which have to be had in the session's character sets.
    #[must_use]
    pub const fn reads_texts(&self) -> bool {
        self.texts
    }

    /// Whether the text changes.
    #[must_use]
    pub fn changes_text(&self) -> bool {
        !self.splices.is_empty()
    }

    /// Whether the values of some parameters are masks, or are not to be.
    #[must_use]
    pub fn reads_parameters(&self) -> bool {
        !(self.parameters.is_empty() && self.guards.is_empty())
    }

    /// A text with the values in the place of the masks in its statements.
    #[must_use]
    pub fn text<'t>(text: &str, statements: impl Iterator<Item = &'t Self>) -> String {
        let mut splices: Vec<&Splice> = statements.flat_map(|statement| &statement.splices).collect();
        splices.sort_by_key(|splice| splice.from);
        let (mut written, mut at) = (String::with_capacity(text.len()), 0);
        for splice in splices {
            written.push_str(text.get(at..splice.from).unwrap_or_default());
            written.push_str(&splice.text);
            at = splice.to;
        }
        written.push_str(text.get(at..).unwrap_or_default());
        written
    }

    /// The type that a parameter has to have for the server where it is stated as `declared`: drivers state the least
    /// that holds a number, and the value that a mask stands for may be greater.
    #[must_use]
    pub fn widened(&self, number: u32, declared: u32) -> Option<u32> {
        let parameter = self.parameters.get(&number).filter(|parameter| !parameter.given.list)?;
        let Type::Pg(column) = &parameter.kind else { return None };
        wider(declared, column.oid)
    }

    /// Appends the value of a parameter, whose type is stated as `declared`, or 0. `None` if it is no mask, and goes as it is.
    ///
    /// # Errors
    /// The value is no mask, and nothing can stand for it, or it is one that is not to be written.
    pub fn parameter(
        &self,
        number: u32,
        declared: u32,
        format: Format,
        value: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Cell>, Refusal> {
        self.check_parameter(number, declared, format, value)?;
        let Some(value) = value else { return Ok(None) };
        let Some(parameter) = self.parameters.get(&number) else { return Ok(None) };
        let (declared, value) = match self.widened(number, declared) {
            Some(wide) if format == Format::Binary => {
                (wide, Cow::Owned(widen(value, wide).ok_or_else(|| parameter.refuse())?))
            }
            Some(wide) => (wide, Cow::Borrowed(value)),
            None => (declared, Cow::Borrowed(value)),
        };
        let stated = PgType { oid: declared, modifier: -1 };
        let kind = match declared {
            0 | UNKNOWN => parameter.given.kind,
            _ if parameter.given.list => Some(stated.element().unwrap_or(stated)),
            _ => Some(stated),
        };
        // A text of another type may be cut.
        if let (Some(kind), Type::Pg(column)) = (kind, &parameter.kind)
            && is_text(*column)
            && !is_alike(PgType { modifier: -1, ..kind }, *column)
        {
            return Err(parameter.refuse_type());
        }
        // A text that the server casts is the column's value as a text.
        let cast = kind.is_some_and(is_text) && !parameter.mask.is_text();
        let (kind, format) = if cast { (parameter.given.kind, Format::Text) } else { (kind, format) };
        let given = Given { kind, ..parameter.given };
        match parameter.mask.translate(given, format, &value, out) {
            Ok(Cell::Null) | Err(NoMask) if parameter.takes_no_number() => {
                out.extend(NO_NUMBER.as_bytes());
                Ok(Some(Cell::Written))
            }
            Ok(cell) => Ok(Some(cell)),
            Err(NoMask) => Err(parameter.refuse()),
        }
    }
}

/// The type of literals and parameters of which nothing is said.
const UNKNOWN: u32 = 705;

impl Parameter {
    fn refuse(&self) -> Refusal {
        let message =
            format!("IronVeil refused: a value for a column that {} masks is none of its masks", self.rule);
        Refusal { code: "22023", message, hint: HINT_MASK }
    }

    fn refuse_type(&self) -> Refusal {
        let message =
            format!("IronVeil refused: a parameter of another type, for a column that {} masks", self.rule);
        Refusal { code: "42804", message, hint: "State the column's type, or none." }
    }

    fn splice(&self, at: usize, literal: &Literal, escapes: Escapes) -> Result<Splice, Refusal> {
        let mut value = Vec::new();
        let found = self.mask.translate(self.given, Format::Text, literal.value.as_bytes(), &mut value);
        let value = String::from_utf8(value).map_err(|_| self.refuse())?;
        if value.contains('\0') {
            return Err(self.refuse());
        }
        let text = match found {
            Ok(Cell::Null) | Err(NoMask) if self.takes_no_number() => format!(" {NO_NUMBER}"),
            Err(NoMask) if self.is_compared_number() => format!(" {NO_NUMBER}"),
            Err(NoMask) => return Err(self.refuse()),
            Ok(Cell::Null) => " NULL ".to_owned(),
            Ok(Cell::Written) if literal.quoted || !is_number(&value) || self.mask.is_text() => {
                let quoted = value.replace('\'', "''");
                match escapes {
                    Escapes::Quotes => format!(" '{quoted}'"),
                    Escapes::Backslashes => format!(" '{}'", quoted.replace('\\', "\\\\")),
                }
            }
            Ok(Cell::Written) if value.starts_with('-') => format!(" ({value})"),
            Ok(Cell::Written) => format!(" {value}"),
        };
        Ok(Splice { from: at, to: literal.end, text })
    }

    /// Whether it is a number that is compared, one by one.
    fn is_compared_number(&self) -> bool {
        self.mask.is_number() && !self.given.list && self.given.used != Use::Stored
    }

    /// Whether one that is no mask may be any number: MySQL knows that no column holds it before it looks for it.
    fn takes_no_number(&self) -> bool {
        self.is_compared_number() && matches!(self.kind, Type::MySql(_))
    }

    /// The same value for two uses; `None` if it would be another.
    fn and(self, other: Self) -> Option<Self> {
        let same = (&self.rule, &self.kind, self.given.list) == (&other.rule, &other.kind, other.given.list);
        let given = Given { used: self.given.used.max(other.given.used), ..self.given };
        same.then_some(Self { given, ..self })
    }
}

impl Columns<'_> {
    /// What is written to columns whose masks stand for values has to be a mask, or what they hold already.
    fn check_writes(&self, labels: &Labels) -> Result<(), Refusal> {
        let mut replaced = self.replaced().iter();
        if labels.policy().predicates() == Predicates::Deny
            && replaced.any(|to| named(&to.target, labels).any(|oid| labels.decides(oid, to.place.as_ref())))
        {
            return refuse_deciding();
        }
        let translated = self.translated();
        let stored = |stored: &Stored| written(&stored.target, Some(stored), labels);
        for meeting in self.meetings() {
            if let Meets::Stored(to) = &meeting.meets
                && !stored(to).takes_anything()
                && !translated.contains_key(&meeting.at)
            {
                return refuse_computed();
            }
        }
        for store in self.stores() {
            let same = match (stored(&store.to), self.shown(&store.value)) {
                (Written::Plain | Written::Shown(_), _) => true,
                (Written::Masks(own), Flow::Verbatim(label)) => own.rule == label.rule,
                _ => false,
            };
            if !same {
                return refuse_computed();
            }
        }
        // The values of such columns are not read from the row that is proposed, where they are known by then.
        if !self.proposed().iter().all(|read| stored(read).takes_anything()) {
            return refuse_computed();
        }
        Ok(())
    }

    /// The literals and parameters that are taken for masks.
    pub(crate) fn translated(&self) -> HashMap<Spot, Parameter> {
        let mut found: HashMap<Spot, Option<Parameter>> = HashMap::new();
        if !self.labels().translates() || *self.kind() == Kind::Explain {
            return HashMap::new();
        }
        for meeting in self.meetings() {
            let one = self.taken(meeting);
            let known = found.remove(&meeting.at);
            let both = match (known, one) {
                (None, one) => one,
                (Some(Some(known)), Some(one)) => known.and(one),
                (Some(_), _) => None,
            };
            found.insert(meeting.at, both);
        }
        let harmless = |spot: Spot, taken: &Parameter| match spot {
            Spot::Parameter(number) => {
                let mut tested = self.tested().iter().filter(|(own, _)| *own == number);
                !self.elsewhere().contains(&number)
                    && tested.all(|(_, cast)| matches!(taken.kind, Type::Pg(kind) if is_alike(*cast, kind)))
            }
            Spot::Literal(_) => true,
        };
        let taken = found.into_iter().filter_map(|(spot, taken)| Some((spot, taken?)));
        taken.filter(|(spot, taken)| harmless(*spot, taken)).collect()
    }

    /// What a literal or parameter is the mask of, if that is certain.
    fn taken(&self, meeting: &Meeting) -> Option<Parameter> {
        let (label, used) = match &meeting.meets {
            Meets::Compared { column, equal } => {
                (self.sure(column)?, if *equal { Use::Equal } else { Use::Unequal })
            }
            Meets::Stored(stored) => match written(&stored.target, Some(stored), self.labels()) {
                Written::Masks(label) => (label, Use::Stored),
                Written::Plain | Written::Shown(_) | Written::Unsure => return None,
            },
        };
        let (kind, mask) = label.translates()?;
        let cast = meeting.cast;
        if cast.is_some_and(|cast| !is_alike(cast, kind))
            || (meeting.literal.is_none() && meeting.is_literal())
        {
            return None;
        }
        Some(Parameter {
            rule: label.rule,
            kind: Type::Pg(kind),
            mask,
            given: Given { used, kind: cast, list: meeting.list },
        })
    }
}

/// Whether a cast of a column's values to a type leaves them as they are, and never fails.
fn is_alike(cast: PgType, column: PgType) -> bool {
    // What is padded loses its blanks.
    let padded = cast.oid == oid::BPCHAR && column.oid != oid::BPCHAR;
    let same = cast.oid == column.oid || (is_text(cast) && is_text(column) && !padded);
    let wider = match column.oid {
        oid::INT2 => matches!(cast.oid, oid::INT4 | oid::INT8 | oid::NUMERIC),
        oid::INT4 => matches!(cast.oid, oid::INT8 | oid::NUMERIC),
        oid::INT8 => cast.oid == oid::NUMERIC,
        _ => false,
    };
    (same && (cast.modifier == -1 || cast.modifier == column.modifier)) || (wider && cast.modifier == -1)
}

/// A text says what it is when it is cast.
const fn is_text(kind: PgType) -> bool {
    matches!(kind.oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR)
}
