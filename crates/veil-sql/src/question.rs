//! What a statement asks about: each condition, join, order and group by itself, so that what it costs to answer can be told.

use crate::lineage::Spot;

/// One thing that decides which rows come, how many, or in what order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question<T> {
    /// The columns that it names.
    pub about: T,
    /// What it asks of them.
    pub asks: Asks,
    /// What it compares them with.
    pub given: Given,
    /// All of that, if it compares one column with literals and parameters as they are, by equality.
    pub spots: Vec<Spot>,
}

/// What is asked of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Whether a column as it is equals something.
    Equality,
    /// Which rows are alike in a column: groups, DISTINCT, conflicts of unique values.
    Alike,
    /// Nothing: something is computed, which may fail or take long.
    Computed,
    /// Nothing: something is computed that cannot fail.
    Total,
    /// Nothing, but literals may stand beside its value: they are masked like it, so that equal masks confirm a guess.
    Beside,
    /// Anything else.
    Other,
}

/// What columns are compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Literals and parameters.
    pub constants: u32,
    /// Something stands in it that may be any number of constants: rows that are counted or made.
    pub many: bool,
}

/// Functions of any values that do not fail and take no longer than it takes to read these.
const TOTAL: [&str; 34] = [
    "any_value",
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
    "nullif",
    "nvl",
    "octet_length",
    "percent_rank",
    "rank",
    "row_number",
    "rtrim",
    "string_agg",
    "trim",
    "ucase",
];

/// Functions that sum up the rows of a group: what one row holds does not follow, where there are many.
pub(crate) const AGGREGATES: [&str; 9] =
    ["avg", "std", "stddev", "stddev_pop", "stddev_samp", "sum", "var_pop", "var_samp", "variance"];

/// Whether a function never fails.
pub(crate) fn is_total(name: &str) -> bool {
    TOTAL.binary_search(&name).is_ok() || name == "upper"
}

/// Functions whose values differ from row to row without a column, or that make rows.
const MANY: [&str; 38] = [
    "aclexplode",
    "count",
    "cume_dist",
    "dense_rank",
    "generate_series",
    "generate_subscripts",
    "json_array_elements",
    "json_array_elements_text",
    "json_each",
    "json_each_text",
    "json_object_keys",
    "json_populate_recordset",
    "json_to_recordset",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_object_keys",
    "jsonb_path_query",
    "jsonb_path_query_tz",
    "jsonb_populate_recordset",
    "jsonb_to_recordset",
    "ntile",
    "percent_rank",
    "rand",
    "random",
    "rank",
    "regexp_matches",
    "regexp_split_to_table",
    "row_number",
    "string_to_table",
    "ts_debug",
    "ts_parse",
    "ts_token_type",
    "txid_snapshot_xip",
    "unnest",
    "uuid",
    "xpath_table",
];

/// Whether the values of a function may be any number.
pub(crate) fn is_many(name: &str) -> bool {
    MANY.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{MANY, TOTAL};

    #[test]
    fn names_are_in_order() {
        assert!(TOTAL.is_sorted());
        assert!(MANY.is_sorted());
    }
}
