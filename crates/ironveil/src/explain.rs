//! What becomes of statements, and why, by the catalog of the server itself.

use std::io::{self, BufRead, Write};

use anyhow::Result;
use veil_policy::explain::Explanation;

use crate::cli::Explain;
use crate::commands;
use crate::server::{Server, SignIn};

/// Prints what becomes of each statement.
pub(crate) async fn run(mut args: Explain) -> Result<()> {
    let config = commands::stored_config(&args.config).await?;
    if args.statements.is_empty() {
        args.statements = io::stdin().lock().lines().collect::<io::Result<_>>()?;
    }
    let server = Server::open(&config, &args.database, SignIn::of_environment(&args.user)).await?;
    args.statements
        .iter()
        .try_for_each(|sql| print(sql, server.explain(sql, &server.known), &server.meetings(sql)))
}

fn print(sql: &str, explanations: Result<Vec<Explanation>, String>, met: &[String]) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{sql}")?;
    match explanations {
        Ok(explanations) => explanations.iter().try_for_each(|text| writeln!(out, "    {text}"))?,
        Err(what) => writeln!(out, "    IronVeil refused: the text holds {what}")?,
    }
    Ok(met.iter().try_for_each(|met| writeln!(out, "    {met}"))?)
}
