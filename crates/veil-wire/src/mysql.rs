//! MySQL's client/server protocol, as MySQL 5.7 to 9 and MariaDB 10 to 11 speak it (MySQL source documentation,
//! page "Client/Server Protocol"; MariaDB Knowledge Base, "Clients & Utilities: MariaDB protocol").

pub mod auth;
pub mod bulk;
pub mod capability;
pub mod command;
pub mod execute;
pub mod frame;
pub mod reply;
pub mod row;
pub mod startup;
pub mod value;

/// Named limits of this protocol's messages, in bytes.
pub mod limits {
    /// Handshake and authentication packets.
    pub const AUTH_MAX: usize = 65_536;
    /// One text of statements: it has to be analysed whole.
    pub const STATEMENT_MAX: usize = 64 << 20;
    /// Column definitions, OK, EOF and error packets.
    pub const REPLY_MAX: usize = 1 << 20;
    /// A row of which a cell has to be masked.
    pub const ROW_MAX: usize = 256 << 20;
    /// Columns of a result.
    pub const COLUMNS_MAX: usize = 4096;
    /// Prepared statements that a session may hold.
    pub const STATEMENTS_MAX: usize = 16_384;
}
