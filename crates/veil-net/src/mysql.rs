//! What is MySQL's and MariaDB's own on the way to a session.

pub mod password;
