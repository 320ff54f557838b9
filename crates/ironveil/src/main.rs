//! The binary. `main` is exit codes; what the program does is in `commands`.

mod cli;
mod commands;
mod control;
mod demo;
mod explain;
mod keys;
mod mask;
mod operations;
mod report;
mod run;
mod scan;
mod server;
mod signals;
mod source;
mod watched;
mod wire_up;

use std::io;
use std::process::ExitCode;

use clap::Parser;

/// It gives memory back when sessions end, which the system's does not.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // A panic's text may quote what it choked on.
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, ToString::to_string);
        eprintln!("ironveil: panicked at {place}; this is a bug, please report it");
    }));
    match commands::run(cli::Cli::parse()) {
        Ok(status) => status,
        // Whoever read the output has seen enough of it.
        Err(error)
            if error
                .downcast_ref()
                .is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("ironveil: {error:#}");
            ExitCode::FAILURE
        }
    }
}
