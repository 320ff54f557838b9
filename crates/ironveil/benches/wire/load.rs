//! What clients do.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use veil_testkit::Postgres;
use veil_wire::pg::command as wire;
use veil_wire::pg::frame::Header;
use veil_wire::pg::startup::{self, Version};

use crate::contender::Contender;

#[derive(Clone, Copy, Debug)]
pub enum Mode {
    Simple,
    Extended,
    Prepared,
}

/// Statements by pgbench.
pub struct Script {
    pub text: String,
    pub mode: Mode,
    pub clients: u32,
    /// A connection for each.
    pub anew: bool,
}

/// What pgbench has seen.
pub struct Ran {
    pub statements: f64,
    pub rate: f64,
    pub mean_ms: f64,
    /// Of one client only.
    pub median_us: f64,
    pub late_us: f64,
    /// Seconds of the contender's.
    pub processor: Option<f64>,
}

impl Script {
    pub fn run(&self, contender: &Contender, server: &Postgres, seconds: u32) -> Ran {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("script"), &self.text).unwrap();
        let mode = match self.mode {
            Mode::Simple => "simple",
            Mode::Extended => "extended",
            Mode::Prepared => "prepared",
        };
        let mut command = Command::new(server.bin("pgbench"));
        command.current_dir(directory.path()).env("PGPASSWORD", Postgres::password());
        command.args(["-h", "127.0.0.1", "-p", &contender.port.to_string(), "-U", Postgres::superuser()]);
        command.args([
            "-n",
            "-f",
            "script",
            "-M",
            mode,
            "-c",
            &self.clients.to_string(),
            "-T",
            &seconds.to_string(),
        ]);
        if self.anew {
            command.arg("-C");
        }
        if self.clients == 1 {
            command.args(["-l", "--log-prefix", "each"]);
        }
        let before = contender.processor();
        let output = command.arg("bench").output().unwrap();
        let processor = contender.processor().zip(before).map(|(after, before)| after - before);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = |what: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(what));
            let text = line.and_then(|rest| rest.split_whitespace().next());
            text.and_then(|text| text.parse::<f64>().ok())
                .unwrap_or_else(|| panic!("{}: {output:?}", contender.name))
        };
        let mut each: Vec<f64> = fs::read_dir(directory.path())
            .unwrap()
            .flatten()
            .filter(|file| file.file_name().to_string_lossy().starts_with("each"))
            .flat_map(|file| {
                let text = fs::read_to_string(file.path()).unwrap();
                text.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok()).collect::<Vec<f64>>()
            })
            .collect();
        each.sort_by(f64::total_cmp);
        let at = |of_hundred: usize| each.get(each.len() * of_hundred / 100).copied().unwrap_or_default();
        Ran {
            statements: number("number of transactions actually processed: "),
            rate: number("tps = "),
            mean_ms: number("latency average = "),
            median_us: at(50),
            late_us: at(99),
            processor,
        }
    }
}

/// A query with many rows, by the simple protocol; what comes is only counted.
pub struct Bulk<'a>(pub &'a str);

/// What came.
pub struct Came {
    pub rows: f64,
    pub rate: f64,
    pub processor: Option<f64>,
}

impl Bulk<'_> {
    pub fn run(&self, contender: &Contender) -> Came {
        let mut client = sign_in(contender);
        let before = contender.processor();
        let start = Instant::now();
        let mut out = Vec::new();
        wire::write_query(&mut out, self.0.as_bytes());
        client.write_all(&out).unwrap();
        let rows = until_ready(&mut client);
        let seconds = start.elapsed().as_secs_f64();
        let processor = contender.processor().zip(before).map(|(after, before)| after - before);
        Came { rows: rows as f64, rate: rows as f64 / seconds, processor }
    }
}

/// KiB of the contender's for each of so many sessions that do nothing.
pub fn memory(contender: &Contender, sessions: usize) -> f64 {
    let one = |_| {
        let mut client = sign_in(contender);
        let mut out = Vec::new();
        wire::write_query(&mut out, b"select * from plain where id = 1");
        client.write_all(&out).unwrap();
        until_ready(&mut client);
        client
    };
    let first: Vec<TcpStream> = (0..10).map(one).collect();
    let before = contender.memory().unwrap();
    let more: Vec<TcpStream> = (0..sessions).map(one).collect();
    let after = contender.memory().unwrap();
    drop((first, more));
    (after - before) / sessions as f64
}

fn sign_in(contender: &Contender) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", contender.port)).unwrap();
    client.set_nodelay(true).unwrap();
    let mut out = Vec::new();
    startup::write_session(
        &mut out,
        Version::V3_0,
        [("user", Postgres::superuser()), ("database", "bench")].into_iter(),
    );
    client.write_all(&out).unwrap();
    until_ready(&mut client);
    client
}

/// Reads until the server is ready; returns how many rows came.
fn until_ready(client: &mut TcpStream) -> u64 {
    let mut buffer = vec![0; 1 << 18];
    let (mut kept, mut rows) = (0, 0);
    loop {
        let read = client.read(&mut buffer[kept..]).unwrap();
        assert!(read > 0, "the server has gone");
        let end = kept + read;
        let mut at = 0;
        while let Some(header) = buffer.get(at..end).and_then(|rest| Header::decode(rest).unwrap()) {
            if at + header.total() > end {
                break;
            }
            match header.tag {
                b'D' => rows += 1,
                b'E' => panic!("{}", String::from_utf8_lossy(&buffer[at..at + header.total()])),
                b'Z' => return rows,
                _ => {}
            }
            at += header.total();
        }
        buffer.copy_within(at..end, 0);
        kept = end - at;
    }
}
