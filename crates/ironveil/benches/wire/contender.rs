//! What stands between the client and the server.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use veil_testkit::free_port;

/// One of them.
#[derive(Clone, Copy)]
pub enum Kind {
    Direct,
    HaProxy,
    PgBouncer,
    /// What is said of it, and its rules.
    IronVeil(&'static str, &'static str),
}

/// One that runs; it ends with this.
pub struct Contender {
    pub name: String,
    pub port: u16,
    child: Option<Child>,
    _directory: tempfile::TempDir,
}

impl Contender {
    pub fn start(kind: Kind, server: u16) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // PgBouncer reads as another user.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let port = if matches!(kind, Kind::Direct) { server } else { free_port() };
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let (name, command) = match kind {
            Kind::Direct => ("direct".to_owned(), None),
            Kind::HaProxy => {
                let path = write(
                    "haproxy.cfg",
                    &format!(
                        "global\n  maxconn 4000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
                     listen pg\n  bind 127.0.0.1:{port}\n  server one 127.0.0.1:{server}\n"
                    ),
                );
                ("HAProxy".to_owned(), Some(command("haproxy", &["-f"], &path)))
            }
            Kind::PgBouncer => {
                let path = write(
                    "pgbouncer.ini",
                    &format!(
                        "[databases]\n* = host=127.0.0.1 port={server} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                     auth_type = any\npool_mode = session\nmax_client_conn = 2000\ndefault_pool_size = 200\n\
                     unix_socket_dir =\nlog_connections = 0\nlog_disconnections = 0\n"
                    ),
                );
                ("PgBouncer".to_owned(), Some(command("/usr/sbin/pgbouncer", &["-u", "nobody", "-q"], &path)))
            }
            Kind::IronVeil(what, rules) => {
                write("key", &"00112233445566778899aabbccddeeff".repeat(2));
                let path = write(
                    "proxy.yaml",
                    &format!(
                        "listen: {{ postgres: '127.0.0.1:{port}' }}\nkeys: {{ root: {{ file: '{}/key' }} }}\n\
                     databases: [{{ name: '*', upstream: 'postgres://127.0.0.1:{server}' }}]\nrules: [{rules}]\n",
                        directory.path().display()
                    ),
                );
                let mut command = command(env!("CARGO_BIN_EXE_ironveil"), &["run", "--config"], &path);
                command.env("IRONVEIL_LOG", "warn");
                (format!("IronVeil, {what}"), Some(command))
            }
        };
        let child = command.map(|mut command| {
            let said = fs::File::create(directory.path().join("log")).unwrap();
            command
                .stdout(Stdio::null())
                .stderr(said)
                .spawn()
                .unwrap_or_else(|error| panic!("{name}: {error}"))
        });
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(directory.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "{name} does not listen: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { name, port, child, _directory: directory }
    }

    /// Seconds that it has had a processor so far.
    pub fn processor(&self) -> Option<f64> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.as_ref()?.id())).ok()?;
        let ran = |task: &Path| {
            let text = fs::read_to_string(task.join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        let all: u64 = tasks.flatten().filter_map(|task| ran(&task.path())).sum();
        Some(all as f64 / 1e9)
    }

    /// Memory that it has to itself, in KiB.
    pub fn memory(&self) -> Option<f64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.as_ref()?.id())).ok()?;
        let lines = text.lines().filter(|line| line.starts_with("Private_"));
        lines.map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).sum()
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn command(program: &str, arguments: &[&str], file: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(file);
    command
}
