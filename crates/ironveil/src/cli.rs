//! What is typed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

/// A proxy that masks personal data in the results of PostgreSQL, MySQL and MariaDB.
#[derive(Debug, Parser)]
#[command(name = "ironveil", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the proxy.
    Run(Run),
    /// Check a configuration and say everything that is wrong with it; and with --database, what it means there.
    Check(Check),
    /// Say what becomes of statements, and why: which columns are shown, masked or NULL, or why they are refused.
    Explain(Explain),
    /// Find personal data in a database, and propose rules. Ends with the status 2 if there is some that no rule protects.
    Scan(Scan),
    /// Mask values as the rules mask those of a column.
    Mask(Values),
    /// Find the values of which these are masks, where the function can be undone. Who did it is written to the log.
    Unmask(Unmask),
    /// Show the proxy at work on a throw-away PostgreSQL or MariaDB with sample data.
    Demo(Demo),
    /// Make keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Look after the audit.
    #[command(subcommand)]
    Audit(Audit),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Run {
    /// The configuration file [default: proxy.yaml, if it is there and no --upstream is given].
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// Where the database is, as postgres://host:5432 or mysql://host:3306; makes a file unnecessary.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    pub(crate) upstream: Option<String>,
    /// What to mask, as users.email=email or '*.ssn=ssn'; may be repeated.
    #[arg(long = "rule", value_name = "TABLE.COLUMN=STRATEGY", conflicts_with = "config")]
    pub(crate) rules: Vec<String>,
    /// Where clients connect [default: 127.0.0.1:6543 for PostgreSQL, 127.0.0.1:6306 for MySQL, or what the file says].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// The root key's file [default: what the configuration says, or the variable IRONVEIL_KEY].
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Write logs as JSON lines.
    #[arg(long)]
    pub(crate) log_json: bool,
    /// End at once if an upstream cannot be reached at the start.
    #[arg(long)]
    pub(crate) require_upstream: bool,
    /// Seconds that sessions have to end by themselves when the proxy stops.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) shutdown_timeout: u64,
}

impl Run {
    /// By a configuration file alone.
    pub(crate) fn of(config: &Path) -> Self {
        Self {
            config: Some(config.to_owned()),
            upstream: None,
            rules: Vec::new(),
            listen: None,
            key_file: None,
            log_json: false,
            require_upstream: false,
            shutdown_timeout: 0,
        }
    }

    /// The configuration file, if there is one.
    pub(crate) fn config_path(&self) -> Option<PathBuf> {
        match &self.upstream {
            Some(_) => None,
            None => Some(self.config.clone().unwrap_or_else(|| PathBuf::from("proxy.yaml"))),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The configuration file.
    #[arg(default_value = "proxy.yaml")]
    pub(crate) config: PathBuf,
    /// A database, as clients name it: what is masked there, what is closed, and what may get round the masks.
    #[arg(long, requires = "user")]
    pub(crate) database: Option<String>,
    /// Who asks. The password is taken from the variable IRONVEIL_PASSWORD.
    #[arg(long, requires = "database")]
    pub(crate) user: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The configuration file.
    #[arg(long, default_value = "proxy.yaml")]
    pub(crate) config: PathBuf,
    /// The database, as clients name it.
    #[arg(long)]
    pub(crate) database: String,
    /// Whose statements they are. Its password is taken from the variable IRONVEIL_PASSWORD.
    #[arg(long)]
    pub(crate) user: String,
    /// The statements [default: the standard input, one a line].
    #[arg(value_name = "SQL")]
    pub(crate) statements: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// The configuration file [default: proxy.yaml, if it is there and no --upstream is given].
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// Where the database is, as postgres://host:5432/name or mysql://host:3306/name; makes a file unnecessary.
    #[arg(long, value_name = "URL", conflicts_with_all = ["config", "apply"])]
    pub(crate) upstream: Option<String>,
    /// The database, as clients name it.
    #[arg(long)]
    pub(crate) database: String,
    /// Who reads. The password is taken from the variable IRONVEIL_PASSWORD; it is kept nowhere.
    #[arg(long)]
    pub(crate) user: String,
    /// A schema to scan; may be repeated [default: all].
    #[arg(long = "schema", value_name = "SCHEMA")]
    pub(crate) schemas: Vec<String>,
    /// Write rules for what no rule protects into the configuration.
    #[arg(long)]
    pub(crate) apply: bool,
    /// What is printed: a table, JSON, or the proposed rules as YAML.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Leave out what is less likely, from 0.5 to 1.
    #[arg(long, value_name = "PROBABILITY", default_value_t = 0.7)]
    pub(crate) min_confidence: f64,
    /// Sessions that read side by side, from 1 to 16.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) sessions: u8,
    /// How many times as long as it has worked on a table a session rests, from 0 to 100.
    #[arg(long, value_name = "TIMES", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) rest: u32,
    /// What chooses the rows of large tables, so that a scan reads the same ones again [default: the time].
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Yaml,
}

#[derive(Debug, Args)]
pub(crate) struct Values {
    /// The configuration file.
    #[arg(long, default_value = "proxy.yaml")]
    pub(crate) config: PathBuf,
    /// The column, whose rule says how.
    #[arg(long, value_name = "[SCHEMA.]TABLE.COLUMN")]
    pub(crate) column: String,
    /// The database, as clients name it.
    #[arg(long, default_value = "*")]
    pub(crate) database: String,
    /// For whom [default: a user of no name, whom rules without `who` concern].
    #[arg(long, default_value = "")]
    pub(crate) user: String,
    /// The type of the column, as text, int4, numeric or uuid.
    #[arg(long = "type", default_value = "text")]
    pub(crate) kind: String,
    /// The values [default: the standard input, one a line].
    pub(crate) values: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Unmask {
    #[command(flatten)]
    pub(crate) of: Values,
    /// With the key that was used so many times before; 0 is the key of now.
    #[arg(long, default_value_t = 0)]
    pub(crate) previous: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// On MariaDB.
    #[arg(long)]
    pub(crate) mysql: bool,
    /// Where clients connect [default: 127.0.0.1:6543, for MariaDB 127.0.0.1:6306, or a free port if that is taken].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// End after showing the queries, without waiting for Ctrl-C.
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Say whether the audit is what was written: find each line that was changed, removed or moved.
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The audit's file [default: that of the configuration].
    pub(crate) file: Option<PathBuf>,
    /// The configuration file, whose root key has signed the checkpoints.
    #[arg(long, default_value = "proxy.yaml")]
    pub(crate) config: PathBuf,
    /// What has signed the checkpoints, as verifying with the configuration prints it; makes the configuration unnecessary.
    #[arg(long, value_name = "HEX", requires = "file")]
    pub(crate) public_key: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a root key. Whoever has it can recompute every mask: keep it as you keep the data.
    Generate {
        /// The file to write, readable by you alone; it must not exist. Without it the key is printed.
        #[arg(long)]
        out: Option<PathBuf>,
    },
}
