//! The binary. `main` is exit codes; what the program does is in `commands`.

#![allow(clippy::print_stdout, reason = "a command line program speaks to its user")]

mod cli;
mod commands;
mod demo;
mod keys;
mod wire_up;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match commands::run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ironveil: {error:#}");
            ExitCode::FAILURE
        }
    }
}
