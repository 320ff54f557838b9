//! The commands.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use tracing_subscriber::EnvFilter;
use veil_policy::config::operations::{LOGIN_TIMEOUT, Limits, Store, Timeouts};
use veil_policy::config::pool::Pool;
use veil_policy::config::{
    Config, Database, Listen, Protection, Upstream, default_listen, default_listen_mysql, rule_from_argument,
};
use veil_policy::glob::Glob;

use crate::cli::{Audit, Check, Cli, Command, Keys, Run, Verify};
use crate::server::{Server, SignIn};
use crate::source::Source;
use crate::{control, demo, explain, keys, mask, report, run, scan, wire_up};

/// Statements are parsed on these threads, by a parser that recurses.
const STACK: usize = 8 << 20;

/// Does what was typed.
pub(crate) fn run(cli: Cli) -> Result<ExitCode> {
    let done = match cli.command {
        Command::Scan(args) => {
            start_logs(false, "warn");
            return runtime()?.block_on(scan::run(&args));
        }
        Command::Run(run) => {
            start_logs(run.log_json, "info");
            run::serve(run)
        }
        Command::Check(check) => check_config(&check),
        Command::Explain(explain) => {
            start_logs(false, "warn");
            runtime()?.block_on(explain::run(explain))
        }
        Command::Mask(values) => mask::mask(&values),
        Command::Unmask(values) => mask::unmask(&values),
        Command::Demo(demo) => {
            start_logs(false, "warn");
            runtime()?.block_on(demo::run(&demo))
        }
        Command::Keys(Keys::Generate { out }) => keys::generate(out.as_deref()),
        Command::Audit(Audit::Verify(verify)) => verify_audit(&verify),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// What asynchronous commands run on.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build()?)
}

fn start_logs(json: bool, level: &str) {
    let filter = EnvFilter::try_from_env("IRONVEIL_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_writer(io::stderr);
    let logs = logs.with_ansi(io::stderr().is_terminal());
    if json {
        logs.json().init();
    } else {
        logs.init();
    }
}

/// The configuration that the command line means.
pub(crate) fn config_of(run: &Run) -> Result<Config> {
    if let Some(url) = &run.upstream {
        return config_from_arguments(url, &run.rules);
    }
    let path = run.config_path().unwrap_or_default();
    if run.config.is_none() && !path.exists() {
        bail!(
            "there is no proxy.yaml here. Name a file by --config, or go without:\n  \
             ironveil run --upstream postgres://host:5432 --rule users.email=email --rule '*.ssn=ssn'"
        );
    }
    if !run.rules.is_empty() {
        bail!("--rule goes together with --upstream; with a file, rules stand in the file");
    }
    read_config(&path)
}

fn config_from_arguments(url: &str, rules: &[String]) -> Result<Config> {
    let upstream =
        Upstream::parse(url).map_err(|faults| anyhow::anyhow!("--upstream: {}", faults.join("; ")))?;
    let mut parsed = Vec::new();
    let mut faults = Vec::new();
    for rule in rules {
        match rule_from_argument(rule) {
            Ok(rule) => parsed.push(rule),
            Err(fault) => faults.push(format!("--rule {rule}: {fault}")),
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(Config {
        listen: Listen {
            postgres: default_listen(),
            mysql: default_listen_mysql(),
            tls: None,
            reuse_port: false,
        },
        root_key: None,
        previous_keys: Vec::new(),
        databases: vec![Database {
            pool: Pool::default(),
            name: Glob::any(),
            upstream,
            auth_query: None,
            check: None,
            scans: None,
            timeouts: Timeouts::default(),
            max_connections: 0,
        }],
        users: Vec::new(),
        rules: parsed,
        protection: Protection::default(),
        tests: Vec::new(),
        limits: Limits::default(),
        login_timeout: LOGIN_TIMEOUT,
        api: None,
        audit: None,
        store: Store::default(),
        otlp: None,
    })
}

/// Reads a file; the error names every fault with its line and key.
pub(crate) fn read_config(path: &Path) -> Result<Config> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Config::parse(&text).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(|fault| format!("{}: {fault}", path.display())).collect();
        anyhow::anyhow!("the configuration has {} fault(s)\n{}", lines.len(), lines.join("\n"))
    })
}

/// Reads a file, and the rules of the store that it names, if these stand elsewhere.
pub(crate) async fn stored_config(path: &Path) -> Result<Config> {
    let config = read_config(path)?;
    match config.store {
        Store::File(_) => Ok(config),
        Store::Sqlite(_) | Store::Postgres(..) => Source::open(Run::of(path)).await?.config(),
    }
}

/// Runs the tests of statements in a database.
fn run_tests(config: &Config, database: &str, server: &Server) -> Result<()> {
    let here = config.tests.iter().filter(|test| test.database == "*" || test.database == database);
    let mut failed = Vec::new();
    for (test, sql) in here.filter_map(|test| Some((test, test.sql()?))) {
        let checked = server.known_to(test).check(test, sql, &server.database);
        failed.extend(checked.err().map(|what| format!("line {}: {what}", test.line)));
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("{} of the configuration's tests fail in {database}:\n{}", failed.len(), failed.join("\n"))
}

/// Rules that are never reached.
fn conflicts(config: &Config, path: &Path) -> Vec<String> {
    let rules = config.rules.iter().enumerate();
    let hidden = rules.filter(|(_, rule)| rule.line > 0).filter_map(|(at, rule)| {
        let before = config.rules.iter().take(at).find(|before| before.hides(rule))?;
        let (name, line) = (&rule.name, rule.line);
        Some(format!(
            "{}: line {line}: rules[{at}]: rule {name} is never reached: {} comes before it",
            path.display(),
            before.name
        ))
    });
    hidden.collect()
}

fn check_config(check: &Check) -> Result<()> {
    start_logs(false, "warn");
    let config = runtime()?.block_on(stored_config(&check.config))?;
    let root = match &config.root_key {
        Some(secret) => secret.clone(),
        None => keys::default_root()?,
    };
    wire_up::parts(&config, &keys::read_root(&root)?, None)?;
    for (at, key) in config.previous_keys.iter().enumerate() {
        keys::read_root(key).with_context(|| format!("keys.previous, number {}", at + 1))?;
    }
    let conflicts = conflicts(&config, &check.config);
    if !conflicts.is_empty() {
        bail!("{}", conflicts.join("\n"));
    }
    let (databases, rules, users) = (config.databases.len(), config.rules.len(), config.users.len());
    writeln!(
        io::stdout(),
        "{}: databases {databases}, rules {rules}, users {users}: no fault found",
        check.config.display()
    )?;
    if let (Some(database), Some(user)) = (&check.database, &check.user) {
        let report = runtime()?.block_on(async {
            let mut server = Server::open(&config, database, SignIn::of_environment(user)).await?;
            run_tests(&config, database, &server)?;
            report::report(&config, &mut server, user).await
        })?;
        write!(io::stdout(), "{report}")?;
    }
    Ok(())
}

/// Says whether an audit is what was written.
fn verify_audit(verify: &Verify) -> Result<()> {
    let (file, public_keys) = match (&verify.file, &verify.public_key) {
        (Some(file), Some(key)) => (file.clone(), vec![key.clone()]),
        (file, _) => {
            let config = read_config(&verify.config)?;
            let root = config.root_key.clone().map_or_else(keys::default_root, Ok)?;
            let all = std::iter::once(&root).chain(&config.previous_keys);
            let public = |secret| Ok(control::signer(&keys::read_root(secret)?)?.public_key());
            let public_keys = all.map(public).collect::<Result<Vec<String>>>()?;
            let own = config.audit.map(|audit| audit.file);
            let file = file.clone().or(own).context("the configuration has no \"audit\"; name its file")?;
            (file, public_keys)
        }
    };
    let keys: Option<Vec<_>> = public_keys.iter().map(|key| veil_control::unhex(key)).collect();
    let report = veil_control::verify(&file, &keys.context("--public-key has hexadecimal digits")?)
        .with_context(|| format!("cannot read the audit {}", file.display()))?;
    writeln!(
        io::stdout(),
        "{}: signed by {}\n{report}",
        file.display(),
        public_keys.join(", or before by ")
    )?;
    if !report.faults.is_empty() {
        bail!("the audit was changed");
    }
    Ok(())
}
