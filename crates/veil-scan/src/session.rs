//! A session of a scan on a server.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tokio_postgres::{Client, SimpleQueryMessage};

/// Rows of text; NULL is `None`.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

/// For one statement of a scan.
const STATEMENT_TIMEOUT_SECONDS: u32 = 10;

/// What a server says no to. Its text may quote values, so nobody is shown it; its code tells enough.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server has refused a statement, with this code (SQLSTATE, or number).
    #[error("the server answers with the error {0}")]
    Refused(String),
    /// The connection is lost.
    #[error("the connection to the server is lost")]
    Lost,
}

/// A session, which nothing else uses.
#[derive(Debug)]
pub enum Session {
    /// Of PostgreSQL.
    Postgres(Client),
    /// Of MySQL or MariaDB.
    MySql(Box<Conn>),
}

impl Session {
    /// Makes a session one that reads, and gives up soon.
    pub(crate) async fn prepare(&mut self) -> Result<(), Error> {
        let ms = STATEMENT_TIMEOUT_SECONDS * 1000;
        match self {
            Self::Postgres(_) => {
                let settings = format!(
                    "set default_transaction_read_only = on; set statement_timeout = {ms}; set lock_timeout = 500; \
                     set application_name = 'ironveil scan'; set search_path = ''; set datestyle = 'ISO, YMD'; set bytea_output = 'hex'; \
                     set extra_float_digits = 1; set max_parallel_workers_per_gather = 0"
                );
                self.rows(&settings).await?;
            }
            Self::MySql(_) => {
                self.rows("set session transaction read only").await?;
                self.rows("set session lock_wait_timeout = 1").await?;
                // Each of the two servers knows one of these.
                let limits = [
                    format!("set session max_statement_time = {STATEMENT_TIMEOUT_SECONDS}"),
                    format!("set session max_execution_time = {ms}"),
                ];
                for limit in limits {
                    match self.rows(&limit).await {
                        Err(Error::Lost) => return Err(Error::Lost),
                        Ok(_) | Err(Error::Refused(_)) => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// The rows of a query, as texts.
    pub(crate) async fn rows(&mut self, query: &str) -> Result<Rows, Error> {
        match self {
            Self::Postgres(client) => {
                let answer = client.simple_query(query).await.map_err(|error| match error.code() {
                    Some(code) => Error::Refused(code.code().to_owned()),
                    None => Error::Lost,
                })?;
                let cells = |message: &SimpleQueryMessage| match message {
                    SimpleQueryMessage::Row(row) => {
                        Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
                    }
                    _ => None,
                };
                Ok(answer.iter().filter_map(cells).collect())
            }
            Self::MySql(connection) => {
                let answer: Vec<Row> = connection.query(query).await.map_err(|error| match error {
                    mysql_async::Error::Server(error) => Error::Refused(error.code.to_string()),
                    _ => Error::Lost,
                })?;
                let text =
                    |cell: Option<Vec<u8>>| cell.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                let cells = |row: Row| {
                    (0..row.len()).map(|at| text(row.get::<Option<Vec<u8>>, _>(at).flatten())).collect()
                };
                Ok(answer.into_iter().map(cells).collect())
            }
        }
    }
}
