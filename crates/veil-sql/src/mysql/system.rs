//! The servers' own databases, and which of their tables show definitions, settings and counters only. Not here:
//! histograms, statements of other sessions, lock and buffer contents, logs, passwords, user variables.

/// Databases of the servers themselves, in lower case.
pub const DATABASES: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

/// Whether a database, in lower case, is the server's own.
#[must_use]
pub fn is_system(database: &str) -> bool {
    DATABASES.contains(&database)
}

/// Whether a table of a system database shows nothing of a user's rows; both names in lower case.
#[must_use]
pub fn harmless(database: &str, table: &str) -> bool {
    let list = match database {
        "information_schema" => INFORMATION_SCHEMA,
        "performance_schema" => PERFORMANCE_SCHEMA,
        "mysql" => MYSQL,
        _ => return false,
    };
    list.binary_search(&table).is_ok()
}

#[rustfmt::skip]
const INFORMATION_SCHEMA: &[&str] = &[
    "administrable_role_authorizations", "all_plugins", "applicable_roles", "character_sets", "check_constraints",
    "collation_character_set_applicability", "collations", "column_privileges", "columns", "columns_extensions",
    "enabled_roles", "engines", "events", "files", "global_variables", "key_caches", "key_column_usage", "keywords", "parameters", "partitions", "periods", "plugins",
    "referential_constraints", "resource_groups", "role_column_grants", "role_routine_grants", "role_table_grants",
    "routines", "schema_privileges", "schemata", "schemata_extensions", "sequences", "session_variables", "sql_functions", "st_geometry_columns", "st_spatial_reference_systems",
    "st_units_of_measure", "statistics", "system_variables", "table_constraints", "table_constraints_extensions",
    "table_privileges", "tables", "tables_extensions", "tablespaces", "tablespaces_extensions",
    "triggers", "user_attributes", "user_privileges", "view_routine_usage", "view_table_usage", "views",
];

#[rustfmt::skip]
const PERFORMANCE_SCHEMA: &[&str] = &[
    "global_variables", "keyring_component_status", "log_status", "persisted_variables",
    "replication_group_member_stats", "replication_group_members", "session_account_connect_attrs",
    "session_variables", "variables_info",
];

#[rustfmt::skip]
const MYSQL: &[&str] = &[
    "help_category", "help_keyword", "help_relation", "help_topic", "time_zone", "time_zone_leap_second",
    "time_zone_name", "time_zone_transition", "time_zone_transition_type",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        assert!([INFORMATION_SCHEMA, PERFORMANCE_SCHEMA, MYSQL].iter().all(|list| list.is_sorted()));
    }

    #[test]
    fn histograms_and_other_sessions_are_not_harmless() {
        for (database, table) in [
            ("information_schema", "processlist"),
            // Counters grow with the bytes that are sent.
            ("information_schema", "session_status"),
            ("information_schema", "table_statistics"),
            ("performance_schema", "global_status"),
            ("information_schema", "column_statistics"),
            ("information_schema", "user_variables"),
            ("information_schema", "innodb_trx"),
            ("performance_schema", "events_statements_history"),
            ("mysql", "column_stats"),
            ("mysql", "user"),
            ("sys", "processlist"),
        ] {
            assert!(!harmless(database, table), "{database}.{table}");
        }
    }
}
