//! Capability flags. The low 32 bits are MySQL's, the high 32 MariaDB's, which travel in filler bytes of the
//! handshake where the flag [`MYSQL`] is not set.

#![allow(missing_docs, reason = "the names are the protocol's own")]

/// Set by MySQL's servers and clients, not by MariaDB's.
pub const MYSQL: u64 = 1;
pub const FOUND_ROWS: u64 = 1 << 1;
pub const LONG_FLAG: u64 = 1 << 2;
pub const CONNECT_WITH_DB: u64 = 1 << 3;
pub const COMPRESS: u64 = 1 << 5;
pub const ODBC: u64 = 1 << 6;
pub const LOCAL_FILES: u64 = 1 << 7;
pub const IGNORE_SPACE: u64 = 1 << 8;
pub const PROTOCOL_41: u64 = 1 << 9;
pub const INTERACTIVE: u64 = 1 << 10;
pub const SSL: u64 = 1 << 11;
pub const IGNORE_SIGPIPE: u64 = 1 << 12;
pub const TRANSACTIONS: u64 = 1 << 13;
pub const RESERVED: u64 = 1 << 14;
pub const SECURE_CONNECTION: u64 = 1 << 15;
pub const MULTI_STATEMENTS: u64 = 1 << 16;
pub const MULTI_RESULTS: u64 = 1 << 17;
pub const PS_MULTI_RESULTS: u64 = 1 << 18;
pub const PLUGIN_AUTH: u64 = 1 << 19;
pub const CONNECT_ATTRS: u64 = 1 << 20;
pub const PLUGIN_AUTH_LENENC: u64 = 1 << 21;
pub const EXPIRED_PASSWORDS: u64 = 1 << 22;
pub const SESSION_TRACK: u64 = 1 << 23;
pub const DEPRECATE_EOF: u64 = 1 << 24;
/// Result sets without column definitions, which cannot be masked.
pub const OPTIONAL_METADATA: u64 = 1 << 25;
pub const ZSTD: u64 = 1 << 26;
pub const QUERY_ATTRIBUTES: u64 = 1 << 27;
pub const MULTI_FACTOR: u64 = 1 << 28;
pub const MARIADB_PROGRESS: u64 = 1 << 32;
pub const MARIADB_COM_MULTI: u64 = 1 << 33;
pub const MARIADB_BULK: u64 = 1 << 34;
pub const MARIADB_EXTENDED_METADATA: u64 = 1 << 35;
/// Executions without column definitions, which cannot be masked.
pub const MARIADB_CACHE_METADATA: u64 = 1 << 36;
pub const MARIADB_BULK_UNIT_RESULTS: u64 = 1 << 37;

/// What a peer has to speak.
pub const DEMANDED: u64 = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH;

/// What can be relayed. Not in it, besides what hides column definitions: compression, which this proxy would have
/// to end on both sides; several factors; progress reports and COM_MULTI; files and TLS, which are agreed on apart.
pub const RELAYED: u64 = MYSQL
    | FOUND_ROWS
    | LONG_FLAG
    | CONNECT_WITH_DB
    | ODBC
    | IGNORE_SPACE
    | PROTOCOL_41
    | INTERACTIVE
    | IGNORE_SIGPIPE
    | TRANSACTIONS
    | RESERVED
    | SECURE_CONNECTION
    | MULTI_STATEMENTS
    | MULTI_RESULTS
    | PS_MULTI_RESULTS
    | PLUGIN_AUTH
    | CONNECT_ATTRS
    | PLUGIN_AUTH_LENENC
    | EXPIRED_PASSWORDS
    | SESSION_TRACK
    | DEPRECATE_EOF
    | QUERY_ATTRIBUTES
    | MARIADB_BULK
    | MARIADB_EXTENDED_METADATA;
