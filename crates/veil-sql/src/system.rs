//! The system relations whose rows hold no value of a user's table: definitions, settings and counters.
//! Not here: statistics (`pg_stats`, `pg_statistic`), other sessions' statements (`pg_stat_activity`), large
//! objects, server logs and files, passwords.

/// Whether a system relation shows definitions and counters only.
#[must_use]
pub fn harmless(schema: &str, name: &str) -> bool {
    match schema {
        "pg_catalog" => PG_CATALOG.binary_search(&name).is_ok(),
        "information_schema" => !name.starts_with("user_mapping") && !name.starts_with("_pg_"),
        _ => false,
    }
}

/// Columns of these relations that hold more: values that rows had when a column was added, a password.
const SECRETS: [(&str, &str); 2] = [("pg_attribute", "attmissingval"), ("pg_subscription", "subconninfo")];

/// The column of a system relation that is not harmless, although the relation is.
#[must_use]
pub fn secret_column(relation: &str) -> Option<&'static str> {
    SECRETS.iter().find(|(name, _)| *name == relation).map(|(_, column)| *column)
}

#[rustfmt::skip]
const PG_CATALOG: &[&str] = &[
    "pg_aggregate", "pg_am", "pg_amop", "pg_amproc", "pg_attrdef", "pg_attribute", "pg_auth_members",
    "pg_available_extension_versions", "pg_available_extensions", "pg_cast", "pg_class", "pg_collation",
    "pg_constraint", "pg_conversion", "pg_database", "pg_db_role_setting", "pg_default_acl", "pg_depend",
    "pg_description", "pg_enum", "pg_event_trigger", "pg_extension", "pg_foreign_data_wrapper",
    "pg_foreign_server", "pg_foreign_table", "pg_group", "pg_index", "pg_indexes", "pg_inherits",
    "pg_init_privs", "pg_language", "pg_largeobject_metadata", "pg_locks", "pg_matviews", "pg_namespace",
    "pg_opclass", "pg_operator", "pg_opfamily", "pg_partitioned_table", "pg_policies", "pg_policy",
    "pg_proc", "pg_publication", "pg_publication_namespace", "pg_publication_rel", "pg_publication_tables",
    "pg_range", "pg_rewrite", "pg_roles", "pg_rules", "pg_seclabel", "pg_seclabels", "pg_sequence",
    "pg_sequences", "pg_settings", "pg_shdepend", "pg_shdescription", "pg_stat_all_indexes",
    "pg_stat_all_tables", "pg_stat_bgwriter", "pg_stat_sys_indexes",
    "pg_stat_sys_tables", "pg_stat_user_functions", "pg_stat_user_indexes", "pg_stat_user_tables",
    "pg_statio_all_indexes", "pg_statio_all_tables", "pg_statio_user_indexes", "pg_statio_user_tables",
    "pg_statistic_ext", "pg_subscription", "pg_tables", "pg_tablespace", "pg_timezone_abbrevs", "pg_timezone_names",
    "pg_transform", "pg_trigger", "pg_ts_config", "pg_ts_config_map", "pg_ts_dict", "pg_ts_parser",
    "pg_ts_template", "pg_type", "pg_user", "pg_views",
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_list_is_sorted() {
        assert!(super::PG_CATALOG.is_sorted());
    }

    #[test]
    fn statistics_and_other_sessions_are_not_harmless() {
        for name in ["pg_stats", "pg_statistic", "pg_stat_activity", "pg_largeobject", "pg_authid"] {
            assert!(!super::harmless("pg_catalog", name), "{name}");
        }
        assert!(!super::harmless("pg_toast", "pg_toast_16384"));
    }
}
