//! The functions of the servers, by what they may do besides answering. A name that is not here is a user's function,
//! or one that nobody has looked at. They are those of all versions of MySQL and MariaDB; where the server lacks one, a
//! user's function can have its name, which the catalog tells.

pub use crate::functions::Effect;

/// What the function `name`, in lower case, may do. NAME_CONST, which names a column by its argument, is not among those that are known.
#[must_use]
pub fn effect(name: &str) -> Effect {
    if PURE.binary_search(&name).is_ok() {
        Effect::Pure
    } else if KEEPS.binary_search(&name).is_ok() {
        Effect::Keeps
    } else if DANGEROUS.binary_search(&name).is_ok() {
        Effect::Dangerous
    } else {
        Effect::Unknown
    }
}

#[rustfmt::skip]
const PURE: &[&str] = &[
    "abs", "acos", "adddate", "addtime", "aes_decrypt", "aes_encrypt", "any_value", "asbinary", "ascii",
    "asin", "astext", "aswkb", "aswkt", "atan", "atan2", "avg", "bin", "bin_to_uuid", "bit_and",
    "bit_count", "bit_length", "bit_or", "bit_xor", "cast", "ceil", "ceiling", "char", "char_length",
    "character_length", "charset", "chr", "coalesce", "coercibility", "collation", "compress", "concat",
    "concat_ws", "connection_id", "conv", "convert", "convert_tz", "cos", "cot", "count", "crc32", "crc32c",
    "cume_dist", "curdate", "current_date", "current_role", "current_time", "current_timestamp",
    "current_user", "curtime", "database", "date", "date_add", "date_format", "date_sub", "datediff", "day",
    "dayname", "dayofmonth", "dayofweek", "dayofyear", "decode", "default", "degrees", "dense_rank", "elt",
    "encode", "exp", "export_set", "extract", "field", "find_in_set", "first_value", "floor", "format",
    "format_bytes", "format_pico_time", "found_rows", "from_base64", "from_days", "from_unixtime",
    "from_vector", "geomcollection", "geometrycollection", "geometryfromtext", "geomfromtext",
    "geomfromwkb", "get_format", "greatest", "group_concat", "grouping", "hex", "hour", "icu_version", "if",
    "ifnull", "in", "inet6_aton", "inet6_ntoa", "inet_aton", "inet_ntoa", "insert", "instr", "interval",
    "is_ipv4", "is_ipv4_compat", "is_ipv4_mapped", "is_ipv6", "is_uuid", "isnull", "json_array",
    "json_array_append", "json_array_insert", "json_arrayagg", "json_compact", "json_contains",
    "json_contains_path", "json_depth", "json_detailed", "json_equals", "json_exists", "json_extract",
    "json_insert", "json_keys", "json_length", "json_loose", "json_merge", "json_merge_patch",
    "json_merge_preserve", "json_normalize", "json_object", "json_objectagg", "json_overlaps",
    "json_pretty", "json_query", "json_quote", "json_remove", "json_replace", "json_schema_valid",
    "json_schema_validation_report", "json_search", "json_set", "json_storage_free", "json_storage_size",
    "json_type", "json_unquote", "json_valid", "json_value", "lag", "last_day", "last_value", "lcase",
    "lead", "least", "left", "length", "lengthb", "linestring", "ln", "localtime", "localtimestamp",
    "locate", "log", "log10", "log2", "lower", "lpad", "ltrim", "make_set", "makedate", "maketime", "max",
    "mbrcontains", "mbrcoveredby", "mbrcovers", "mbrdisjoint", "mbrequal", "mbrequals", "mbrintersects",
    "mbroverlaps", "mbrtouches", "mbrwithin", "md5", "median", "microsecond", "mid", "min", "minute", "mod",
    "month", "monthname", "multilinestring", "multipoint", "multipolygon", "natural_sort_key",
    "now", "nth_value", "ntile", "nullif", "nvl", "nvl2", "oct", "octet_length", "old_password", "ord",
    "password", "percent_rank", "percentile_cont", "percentile_disc", "period_add", "period_diff", "pi",
    "point", "polygon", "position", "pow", "power", "ps_current_thread_id", "quarter", "quote", "radians",
    "rand", "random_bytes", "rank", "regexp_instr", "regexp_like", "regexp_replace", "regexp_substr",
    "repeat", "replace", "reverse", "right", "round", "row", "row_count", "row_number", "rpad", "rtrim",
    "schema", "sec_to_time", "second", "session_user", "sformat", "sha", "sha1", "sha2", "sign", "sin",
    "soundex", "space", "sqrt", "st_area", "st_asbinary", "st_asgeojson", "st_astext", "st_aswkb",
    "st_aswkt", "st_boundary", "st_buffer", "st_buffer_strategy", "st_centroid", "st_collect",
    "st_contains", "st_convexhull", "st_crosses", "st_difference", "st_dimension", "st_disjoint",
    "st_distance", "st_distance_sphere", "st_endpoint", "st_envelope", "st_equals", "st_exteriorring",
    "st_frechetdistance", "st_geohash", "st_geomcollfromtext", "st_geometrycollectionfromtext",
    "st_geometryfromtext", "st_geometryn", "st_geometrytype", "st_geomfromgeojson", "st_geomfromtext",
    "st_geomfromwkb", "st_hausdorffdistance", "st_interiorringn", "st_intersection", "st_intersects",
    "st_isclosed", "st_isempty", "st_isring", "st_issimple", "st_isvalid", "st_latfromgeohash",
    "st_latitude", "st_length", "st_linefromtext", "st_linefromwkb", "st_lineinterpolatepoint",
    "st_lineinterpolatepoints", "st_linestringfromtext", "st_longfromgeohash", "st_longitude",
    "st_makeenvelope", "st_mlinefromtext", "st_mpointfromtext", "st_mpolyfromtext", "st_numgeometries",
    "st_numinteriorring", "st_numinteriorrings", "st_numpoints", "st_overlaps", "st_pointatdistance",
    "st_pointfromgeohash", "st_pointfromtext", "st_pointfromwkb", "st_pointn", "st_pointonsurface",
    "st_polyfromtext", "st_polyfromwkb", "st_polygonfromtext", "st_relate", "st_simplify", "st_srid",
    "st_startpoint", "st_swapxy", "st_symdifference", "st_touches", "st_transform", "st_union",
    "st_validate", "st_within", "st_x", "st_y", "statement_digest", "statement_digest_text", "std",
    "stddev", "stddev_pop", "stddev_samp", "str_to_date", "strcmp", "string_to_vector", "subdate", "substr",
    "substr_oracle", "substring", "substring_index", "subtime", "sum", "sys_guid", "sysdate", "system_user",
    "tan", "time", "time_format", "time_to_sec", "timediff", "timestamp", "timestampadd", "timestampdiff",
    "to_base64", "to_char", "to_days", "to_seconds", "to_vector", "trim", "trim_oracle", "truncate",
    "ucase", "uncompress", "uncompressed_length", "unhex", "unix_timestamp", "upper", "user", "utc_date",
    "utc_time", "utc_timestamp", "uuid", "uuid_short", "uuid_to_bin", "values", "var_pop", "var_samp",
    "variance", "vec_distance", "vec_distance_cosine", "vec_distance_euclidean", "vec_fromtext",
    "vec_totext", "vector_dim", "vector_to_string", "version", "week", "weekday", "weekofyear",
    "weight_string", "year", "yearweek",
];

/// They keep something beyond the statement, or can be told apart by the time they take.
#[rustfmt::skip]
const KEEPS: &[&str] = &[
    "benchmark", "get_lock", "is_free_lock", "is_used_lock", "last_insert_id", "lastval", "master_pos_wait",
    "nextval", "release_all_locks", "release_lock", "setval", "sleep", "source_pos_wait",
    "wait_for_executed_gtid_set",
];

/// They read files or run programs, or answer by error texts.
#[rustfmt::skip]
const DANGEROUS: &[&str] = &[
    "binlog_gtid_pos", "column_get", "column_json", "decode_histogram", "extractvalue",
    "lib_mysqludf_sys_info", "load_file", "sys_eval", "sys_exec", "updatexml",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_disjoint() {
        for list in [PURE, KEEPS, DANGEROUS] {
            assert!(list.is_sorted_by(|a, b| a < b));
        }
        assert!(KEEPS.iter().chain(DANGEROUS).all(|name| PURE.binary_search(name).is_err()));
    }
}
