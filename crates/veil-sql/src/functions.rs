//! The built-in functions that have been looked at. What is on no list is unknown.

/// What a function may do, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Computes its result from its arguments, the clock, the session or definitions; keeps nothing.
    Pure,
    /// Leaves something behind (a sequence, a lock, a setting, a message) or waits.
    Keeps,
    /// Not looked at.
    Unknown,
    /// Runs query text, or reads files, statistics or other sessions.
    Dangerous,
}

/// What the built-in function `name` may do.
#[must_use]
pub fn effect(name: &str) -> Effect {
    let on = |list: &[&str]| list.binary_search(&name).is_ok();
    if on(PURE) {
        Effect::Pure
    } else if on(KEEPS) {
        Effect::Keeps
    } else if on(DANGEROUS) || DANGEROUS_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        Effect::Dangerous
    } else {
        Effect::Unknown
    }
}

const DANGEROUS_PREFIXES: &[&str] = &["dblink", "lo_", "pg_logical_", "pg_ls_", "pg_read_", "pg_walinspect"];

#[rustfmt::skip]
const PURE: &[&str] = &[
    "abbrev", "abs", "acldefault", "aclexplode", "acos", "acosd", "acosh", "age", "akeys", "any_value",
    "area", "armor", "array_agg", "array_append", "array_cat", "array_dims", "array_fill", "array_length",
    "array_lower", "array_ndims", "array_position", "array_positions", "array_prepend", "array_remove",
    "array_replace", "array_reverse", "array_sample", "array_shuffle", "array_sort", "array_to_json",
    "array_to_string", "array_to_tsvector", "array_upper", "ascii", "asin", "asind", "asinh", "atan",
    "atan2", "atan2d", "atand", "atanh", "avals", "avg", "bit", "bit_and", "bit_count", "bit_length",
    "bit_or", "bit_xor", "bool", "bool_and", "bool_or", "bound_box", "box", "bpchar", "btrim", "bytea",
    "cardinality", "cbrt", "ceil", "ceiling", "center", "char", "char_length", "character_length", "chr",
    "cidr", "circle", "clock_timestamp", "col_description", "concat", "concat_ws", "convert",
    "convert_from", "convert_to", "corr", "cos", "cosd", "cosh", "cot", "cotd", "count", "covar_pop",
    "covar_samp", "crc32", "crc32c", "crypt", "cube", "cube_dim", "cube_distance", "cume_dist",
    "current_catalog", "current_database", "current_date", "current_role", "current_schema",
    "current_schemas", "current_setting", "current_time", "current_timestamp", "current_user", "date",
    "date_add", "date_bin", "date_part", "date_subtract", "date_trunc", "daterange", "dearmor", "decode",
    "degrees", "dense_rank", "diagonal", "diameter", "difference", "digest", "div", "dmetaphone",
    "dmetaphone_alt", "encode", "enum_first", "enum_last", "enum_range", "erf", "erfc", "every", "exp",
    "extract", "factorial", "family", "first_value", "float4", "float8", "floor", "format", "format_type",
    "gamma", "gcd", "gen_random_uuid", "gen_salt", "generate_series", "generate_subscripts", "get_bit",
    "get_byte", "get_current_ts_config", "grouping", "has_any_column_privilege", "has_column_privilege",
    "has_database_privilege", "has_foreign_data_wrapper_privilege", "has_function_privilege",
    "has_language_privilege", "has_schema_privilege", "has_sequence_privilege", "has_server_privilege",
    "has_table_privilege", "has_tablespace_privilege", "has_type_privilege", "hashtext", "hashtextextended",
    "height", "hmac", "host", "hostmask", "hstore", "hstore_to_json", "hstore_to_jsonb", "inet",
    "inet_client_addr", "inet_client_port", "inet_merge", "inet_same_family", "inet_server_addr",
    "inet_server_port", "initcap", "int2", "int4", "int4multirange", "int4range", "int8", "int8multirange",
    "int8range", "interval", "is_valid", "isclosed", "isempty", "isfinite", "isn_weak", "isopen", "json",
    "json_agg", "json_array", "json_array_elements", "json_array_elements_text", "json_array_length",
    "json_arrayagg", "json_build_array", "json_build_object", "json_each", "json_each_text", "json_exists",
    "json_extract_path", "json_extract_path_text", "json_object", "json_object_agg", "json_object_keys",
    "json_objectagg", "json_populate_record", "json_populate_recordset", "json_query", "json_scalar",
    "json_serialize", "json_strip_nulls", "json_table", "json_to_record", "json_to_recordset",
    "json_typeof", "json_value", "jsonb", "jsonb_agg", "jsonb_array_elements", "jsonb_array_elements_text",
    "jsonb_array_length", "jsonb_build_array", "jsonb_build_object", "jsonb_each", "jsonb_each_text",
    "jsonb_extract_path", "jsonb_extract_path_text", "jsonb_insert", "jsonb_object", "jsonb_object_agg",
    "jsonb_object_keys", "jsonb_path_exists", "jsonb_path_match", "jsonb_path_query",
    "jsonb_path_query_array", "jsonb_path_query_first", "jsonb_populate_record", "jsonb_populate_recordset",
    "jsonb_pretty", "jsonb_set", "jsonb_set_lax", "jsonb_strip_nulls", "jsonb_to_record",
    "jsonb_to_recordset", "jsonb_typeof", "justify_days", "justify_hours", "justify_interval", "lag",
    "last_value", "lca", "lcm", "lead", "left", "length", "levenshtein", "levenshtein_less_equal", "lgamma", "like_escape",
    "line", "ln", "localtime", "localtimestamp", "log", "log10", "lower", "lower_inc", "lower_inf", "lpad",
    "lseg", "ltree2text", "ltrim", "macaddr", "macaddr8_set7bit", "make_date", "make_interval", "make_time",
    "make_timestamp", "make_timestamptz", "masklen", "max", "md5", "merge_action", "metaphone", "min",
    "min_scale", "mod", "mode", "money", "multirange", "name", "netmask", "network", "nlevel", "normalize",
    "now", "npoints", "nth_value", "ntile", "num_nonnulls", "num_nulls", "numeric", "numnode", "numrange",
    "obj_description", "octet_length", "oid", "overlaps", "overlay", "parse_ident", "path", "pclose",
    "percent_rank", "percentile_cont", "percentile_disc", "pg_backend_pid", "pg_blocking_pids",
    "pg_char_to_encoding", "pg_client_encoding", "pg_collation_is_visible", "pg_column_compression",
    "pg_column_size", "pg_conf_load_time", "pg_conversion_is_visible", "pg_current_wal_flush_lsn",
    "pg_current_wal_insert_lsn", "pg_current_wal_lsn", "pg_database_size", "pg_describe_object",
    "pg_encoding_to_char", "pg_function_is_visible", "pg_get_constraintdef", "pg_get_expr",
    "pg_get_function_arguments", "pg_get_function_identity_arguments", "pg_get_function_result",
    "pg_get_function_sqlbody", "pg_get_functiondef", "pg_get_indexdef", "pg_get_keywords",
    "pg_get_object_address", "pg_get_partition_constraintdef", "pg_get_partkeydef", "pg_get_ruledef",
    "pg_get_serial_sequence", "pg_get_statisticsobjdef", "pg_get_statisticsobjdef_columns",
    "pg_get_triggerdef", "pg_get_userbyid", "pg_get_viewdef", "pg_has_role", "pg_identify_object",
    "pg_index_column_has_property", "pg_index_has_property", "pg_indexam_has_property", "pg_indexes_size",
    "pg_is_in_recovery", "pg_is_other_temp_schema", "pg_is_wal_replay_paused", "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn", "pg_my_temp_schema", "pg_opclass_is_visible", "pg_operator_is_visible",
    "pg_opfamily_is_visible", "pg_options_to_table", "pg_partition_ancestors", "pg_partition_root",
    "pg_partition_tree", "pg_postmaster_start_time", "pg_relation_filenode", "pg_relation_is_publishable",
    "pg_relation_size", "pg_safe_snapshot_blocking_pids", "pg_size_bytes", "pg_size_pretty",
    "pg_stat_get_dead_tuples", "pg_stat_get_live_tuples", "pg_stat_get_numscans",
    "pg_stat_get_tuples_returned", "pg_statistics_obj_is_visible", "pg_table_is_visible", "pg_table_size",
    "pg_tablespace_databases", "pg_tablespace_location", "pg_tablespace_size", "pg_timezone_names",
    "pg_total_relation_size", "pg_ts_config_is_visible", "pg_ts_dict_is_visible", "pg_ts_parser_is_visible",
    "pg_ts_template_is_visible", "pg_type_is_visible", "pg_typeof", "pg_wal_lsn_diff", "pg_walfile_name",
    "phraseto_tsquery", "pi", "plainto_tsquery", "point", "polygon", "popen", "position", "power",
    "quote_ident", "quote_literal", "quote_nullable", "radians", "radius", "random", "random_normal",
    "range_agg", "range_intersect_agg", "range_merge", "rank", "regclass", "regexp_count", "regexp_instr",
    "regexp_like", "regexp_match", "regexp_matches", "regexp_replace", "regexp_split_to_array",
    "regexp_split_to_table", "regexp_substr", "regr_avgx", "regr_avgy", "regr_count", "regr_intercept",
    "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy", "repeat", "replace", "reverse", "right",
    "round", "row_number", "row_security_active", "row_to_json", "rpad", "rtrim", "scale", "session_user",
    "set_bit", "set_byte", "set_masklen", "setweight", "sha224", "sha256", "sha384", "sha512",
    "shobj_description", "show_trgm", "sign", "similar_escape", "similar_to_escape", "similarity", "sin",
    "sind", "sinh", "skeys", "slope", "soundex", "split_part", "sqrt", "starts_with", "statement_timestamp",
    "stddev", "stddev_pop", "stddev_samp", "strict_word_similarity", "string_agg", "string_to_array",
    "string_to_table", "strip", "strpos", "subltree", "subpath", "substr", "substring", "sum", "svals",
    "system_user", "tan", "tand", "tanh", "text", "text2ltree", "textcat", "time", "timeofday", "timestamp",
    "timestamptz", "timetz", "timezone", "to_ascii", "to_bin", "to_char", "to_date", "to_hex", "to_json",
    "to_jsonb", "to_number", "to_oct", "to_regclass", "to_regcollation", "to_regnamespace", "to_regoper",
    "to_regoperator", "to_regproc", "to_regprocedure", "to_regrole", "to_regtype", "to_timestamp",
    "to_tsquery", "to_tsvector", "transaction_timestamp", "translate", "trim_array", "trim_scale", "trunc",
    "ts_delete", "ts_filter", "ts_headline", "ts_lexize", "ts_rank", "ts_rank_cd", "tsquery_phrase",
    "tsrange", "tstzrange", "tsvector_to_array", "txid_current_if_assigned", "txid_current_snapshot",
    "txid_snapshot_xmax", "txid_snapshot_xmin", "txid_visible_in_snapshot", "unaccent", "unistr", "unnest",
    "upper", "upper_inc", "upper_inf", "uuid", "uuid_extract_timestamp", "uuid_extract_version",
    "uuid_generate_v1", "uuid_generate_v4", "uuid_nil", "uuidv4", "uuidv7", "var_pop", "var_samp", "varbit",
    "varchar", "variance", "version", "websearch_to_tsquery", "width", "width_bucket", "word_similarity",
    "xml", "xml_is_well_formed", "xmlagg", "xmlcomment", "xmlconcat", "xpath", "xpath_exists",
];

#[rustfmt::skip]
const KEEPS: &[&str] = &[
    "currval", "lastval", "nextval", "pg_advisory_lock", "pg_advisory_lock_shared", "pg_advisory_unlock",
    "pg_advisory_unlock_all", "pg_advisory_unlock_shared", "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared", "pg_cancel_backend", "pg_current_snapshot", "pg_current_xact_id",
    "pg_current_xact_id_if_assigned", "pg_export_snapshot", "pg_notify", "pg_sleep", "pg_sleep_for",
    "pg_sleep_until", "pg_terminate_backend", "pg_try_advisory_lock", "pg_try_advisory_lock_shared",
    "pg_try_advisory_xact_lock", "pg_try_advisory_xact_lock_shared", "pg_xact_status", "set_config",
    "setseed", "setval", "txid_current", "txid_status",
];

#[rustfmt::skip]
const DANGEROUS: &[&str] = &[
    "brin_page_items", "bt_page_items", "bt_page_stats", "connectby", "crosstab", "crosstab2", "crosstab3",
    "crosstab4", "crosstabn", "cursor_to_xml", "cursor_to_xmlschema", "database_to_xml",
    "database_to_xml_and_xmlschema", "database_to_xmlschema", "get_raw_page", "heap_page_item_attrs",
    "heap_page_items", "loread", "lowrite", "pg_current_logfile", "pg_extension_config_dump",
    "pg_file_write", "pg_get_multixact_members", "pg_prepared_statement", "pg_reload_conf",
    "pg_rotate_logfile", "pg_show_replication_origin_status", "pg_stat_file", "pg_stat_get_activity",
    "pg_stat_get_backend_activity", "pg_stat_statements", "query_to_xml", "query_to_xml_and_xmlschema",
    "query_to_xmlschema", "schema_to_xml", "schema_to_xml_and_xmlschema", "schema_to_xmlschema",
    "table_to_xml", "table_to_xml_and_xmlschema", "table_to_xmlschema", "ts_debug", "ts_rewrite", "ts_stat",
    "xpath_table",
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

    #[test]
    fn functions_that_run_text_are_dangerous() {
        for name in ["query_to_xml", "dblink_exec", "lo_get", "pg_read_file", "ts_stat", "ts_rewrite"] {
            assert_eq!(effect(name), Effect::Dangerous, "{name}");
        }
    }
}
