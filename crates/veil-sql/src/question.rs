//! What a statement asks about: each condition, join, order and group by itself, so that what it costs to answer can be told.

use std::hash::{DefaultHasher, Hash, Hasher};

/// One thing that decides which rows come, how many, or in what order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question<T> {
    /// The columns that it names.
    pub about: T,
    /// What it asks of them.
    pub asks: Asks,
    /// Its constants.
    pub given: Given,
}

/// What is asked of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Whether a column as it is equals something.
    Equality,
    /// Which rows are alike in a column as it is: groups, DISTINCT, conflicts of unique values.
    Alike,
    /// Nothing: something is computed, which may fail or take long.
    Computed,
    /// Nothing: something is computed that cannot fail.
    Total,
    /// Nothing, but constants may stand beside its value: they are masked like it, so that equal masks confirm a guess.
    Beside,
    /// Anything else.
    Other,
}

/// Literals and parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// How many there are.
    pub constants: u32,
    /// The same where the same is written.
    pub key: u64,
    /// Parameters are among them.
    pub parameters: bool,
    /// The answer may depend on what is not written: the time, a variable.
    pub moment: bool,
}

impl Given {
    /// Those of a text that has so many.
    pub(crate) fn written(text: impl Hash, constants: u32) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self { constants, key: hasher.finish(), ..Self::default() }
    }
}

/// Functions whose values follow from their arguments, as far as a question has to know: by these, what is written alike is one question.
const FIXED: [&str; 44] = [
    "abs",
    "ascii",
    "btrim",
    "char_length",
    "character_length",
    "coalesce",
    "concat",
    "concat_ws",
    "count",
    "date",
    "date_part",
    "date_trunc",
    "day",
    "extract",
    "floor",
    "greatest",
    "hour",
    "if",
    "ifnull",
    "initcap",
    "instr",
    "lcase",
    "least",
    "left",
    "length",
    "lower",
    "ltrim",
    "max",
    "md5",
    "min",
    "month",
    "nullif",
    "nvl",
    "octet_length",
    "position",
    "replace",
    "right",
    "round",
    "rtrim",
    "substr",
    "substring",
    "trim",
    "upper",
    "year",
];

/// Whether a function's value follows from its arguments.
pub(crate) fn is_fixed(name: &str) -> bool {
    FIXED.binary_search(&name).is_ok()
}

/// Functions of any values that do not fail and take no longer than it takes to read these.
const TOTAL: [&str; 43] = [
    "any_value",
    "array_agg",
    "avg",
    "btrim",
    "char_length",
    "character_length",
    "coalesce",
    "concat",
    "concat_ws",
    "count",
    "cume_dist",
    "dense_rank",
    "first_value",
    "group_concat",
    "ifnull",
    "initcap",
    "json_agg",
    "jsonb_agg",
    "lag",
    "last_value",
    "lcase",
    "lead",
    "length",
    "lower",
    "ltrim",
    "max",
    "md5",
    "min",
    "nth_value",
    "ntile",
    "nullif",
    "nvl",
    "octet_length",
    "percent_rank",
    "rank",
    "row_number",
    "row_to_json",
    "rtrim",
    "string_agg",
    "sum",
    "trim",
    "ucase",
    "upper",
];

/// Functions that sum up the rows of a group: what one row holds does not follow, where there are many.
pub(crate) const AGGREGATES: [&str; 9] =
    ["avg", "std", "stddev", "stddev_pop", "stddev_samp", "sum", "var_pop", "var_samp", "variance"];

/// Whether a function never fails.
pub(crate) fn is_total(name: &str) -> bool {
    TOTAL.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{FIXED, TOTAL};

    #[test]
    fn names_are_in_order() {
        assert!(FIXED.is_sorted());
        assert!(TOTAL.is_sorted());
    }
}
