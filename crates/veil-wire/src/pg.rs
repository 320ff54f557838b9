//! PostgreSQL protocol 3.0 and 3.2 (PostgreSQL documentation, chapter "Frontend/Backend Protocol").

pub mod auth;
pub mod bind;
pub mod command;
pub mod copy;
pub mod frame;
pub mod reply;
pub mod row;
pub mod session;
pub mod startup;

/// Named limits of this protocol's messages, in bytes.
pub mod limits {
    /// Start-up packet, as PostgreSQL itself has it.
    pub const STARTUP_MAX: usize = 10_000;
    /// Password and SASL messages.
    pub const AUTH_MAX: usize = 65_536;
    /// One statement's text: it has to be analysed whole.
    pub const STATEMENT_MAX: usize = 16 << 20;
    /// Names and small commands.
    pub const COMMAND_MAX: usize = 65_536;
    /// A row description: 1,664 columns with the longest names are 140 KiB.
    pub const ROW_DESCRIPTION_MAX: usize = 1 << 20;
    /// Errors, notices, parameter values and other short replies.
    pub const REPLY_MAX: usize = 16 << 20;
    /// A row of which a cell has to be masked.
    pub const ROW_MAX: usize = 256 << 20;
    /// Any message: PostgreSQL's own allocation limit.
    pub const MESSAGE_MAX: usize = 0x3fff_ffff;
    /// Statements and portals that a session may hold by name.
    pub const NAMES_MAX: usize = 16_384;
    /// Replies that a client may leave outstanding.
    pub const OUTSTANDING_MAX: usize = 65_536;
}
