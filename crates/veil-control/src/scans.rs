//! What the API has to say of scans for personal data.

use veil_model::Sensitive;

/// A scan that is wanted.
#[derive(Default)]
pub struct ScanRequest {
    /// As clients name it.
    pub database: String,
    /// `postgresql` or `mysql`, where both have such a database.
    pub protocol: Option<String>,
    /// Who reads; if nobody is named, whoever checks the database.
    pub user: Option<String>,
    /// With this password, which is kept nowhere.
    pub password: Option<Sensitive<String>>,
    /// Only these schemas; all if there are none.
    pub schemas: Vec<String>,
    /// What is less likely is left out.
    pub min_confidence: Option<f64>,
    /// Sessions that read side by side.
    pub sessions: Option<u32>,
    /// How many times as long as it has worked on a table a session rests.
    pub rest: Option<u32>,
}

/// Why a scan does not begin.
#[derive(Debug)]
pub enum ScanRefusal {
    /// It cannot be done.
    Faults(Vec<String>),
    /// Others run.
    Busy(String),
}

/// What becomes of a scan that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanControl {
    /// The tables that are being read are the last.
    Cancel,
    /// The next tables wait.
    Pause,
    /// They wait no more.
    Resume,
}

/// What of the newest scan of a database no rule protects now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// `postgresql` or `mysql`.
    pub protocol: &'static str,
    /// As clients name it.
    pub database: String,
    /// When the scan ended, in seconds since 1970.
    pub ended: i64,
    /// Columns that no rule protects,
    pub unprotected: usize,
    /// and of these, those that had come since the scan before.
    pub drifted: usize,
}
