//! A throwaway PostgreSQL server.

use std::env;
use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::account::{Account, run, without_settings};
use crate::install::{copy, init_template, program, required_bin};
use crate::process::{Process, signal};
use crate::{Authority, free_port};

const VERSION: u32 = 15;
const STOP_MAX: Duration = Duration::from_secs(10);
/// How often a start is tried when another process takes the port first.
const PORTS_MAX: u32 = 5;

/// How a server asks clients on TCP who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    #[default]
    Trust,
    /// By an MD5 challenge.
    Md5,
    /// By SCRAM-SHA-256.
    Scram,
    /// By the password in clear text.
    Password,
}

/// What kind of server to start; by default trusting, without TLS.
#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    /// The major version; `None` is `$IRONVEIL_PG_VERSION`, or 15.
    pub version: Option<u32>,
    /// The authentication of TCP clients, on replication connections too.
    pub auth: Auth,
    /// Whether the server offers TLS, with a certificate of its authority for localhost and 127.0.0.1.
    pub tls: bool,
    /// Settings of `postgresql.conf`; they win over the kit's.
    pub settings: Vec<(String, String)>,
    /// Whether it is a standby, of nobody, until it is promoted.
    pub standby: bool,
}

/// A running PostgreSQL server on the loopback interface; stopped and deleted on drop.
///
/// On Linux it also stops when the process of the test is killed; only its directory then stays behind.
pub struct Postgres {
    bin: PathBuf,
    port: u16,
    authority: Authority,
    postmaster: Process,
    dir: TempDir,
}

impl Postgres {
    /// Starts a server and returns when it accepts connections.
    ///
    /// # Errors
    /// When the version is not installed, or the server does not start; the error has the server's log.
    pub fn start(options: PostgresOptions) -> Result<Self> {
        let version = match (options.version, env::var("IRONVEIL_PG_VERSION")) {
            (Some(version), _) => version,
            (None, Ok(version)) => version.parse().context("IRONVEIL_PG_VERSION is not a number")?,
            (None, Err(_)) => VERSION,
        };
        let mut attempt = 1;
        loop {
            let mut server = Self::launch(version, &options)?;
            let Err(error) = server.wait_until_ready() else {
                server.set_password(options.auth)?;
                return Ok(server);
            };
            let log = server.log();
            if attempt == PORTS_MAX || !log.contains("could not create any TCP/IP sockets") {
                return Err(error.context(format!("PostgreSQL {version} did not start:\n{log}")));
            }
            attempt += 1;
        }
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name of the superuser.
    pub fn superuser() -> &'static str {
        "postgres"
    }

    /// The password of the superuser.
    pub fn password() -> &'static str {
        "throwaway-superuser"
    }

    /// A program of this version, or for want of that of the newest PostgreSQL on this machine.
    pub fn bin(&self, name: &str) -> PathBuf {
        program(&self.bin, name)
    }

    /// The authority that signed the server's certificate.
    pub fn ca(&self) -> &Authority {
        &self.authority
    }

    /// Runs a script by psql as the superuser, over the server's own socket, and returns what it prints:
    /// columns separated by `|`, rows by line ends, no last line end.
    ///
    /// # Errors
    /// When a statement fails; those after it are not run.
    pub fn psql(&self, db: &str, sql: &str) -> Result<String> {
        // A file, not a pipe: psql may print more than a pipe holds before it has read the whole script.
        let mut script = tempfile::tempfile()?;
        script.write_all(sql.as_bytes())?;
        script.rewind()?;
        let mut psql = Command::new(self.bin("psql"));
        without_settings(&mut psql).args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", db]);
        psql.args(["-U", Self::superuser(), "-p", &self.port.to_string(), "-h"]).arg(self.dir.path());
        let printed = run(psql.env("PGCLIENTENCODING", "UTF8").stdin(script))?;
        Ok(printed.strip_suffix('\n').unwrap_or(&printed).to_owned())
    }

    /// Kills the whole server, as a crash of its machine would: nothing is written any more.
    pub fn kill(&mut self) {
        let pid = self.postmaster.id();
        let backends = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        // Line 7 of the lock file ends with the System V segment that a killed postmaster leaves behind.
        let lock = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let segment = lock.lines().nth(6).and_then(|line| line.split_whitespace().last());
        signal("KILL", &format!("{pid} {backends}"));
        let _ = self.postmaster.wait();
        if let Some(segment) = segment {
            let _ = Command::new("ipcrm").args(["-m", segment]).output();
        }
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join("log")).unwrap_or_default()).into_owned()
    }

    fn launch(version: u32, options: &PostgresOptions) -> Result<Self> {
        let bin = required_bin(version)?;
        let account = Account::of_postgres()?;
        let authority = Authority::new()?;
        let dir = account.temp_dir("veil-pg-")?;
        let port = free_port();
        let data = dir.path().join("data");
        copy(&init_template(version)?, &data)?;
        fs::write(data.join("pg_hba.conf"), client_authentication(options.auth))?;
        if options.standby {
            let signal = data.join("standby.signal");
            fs::write(&signal, "")?;
            account.own(&signal)?;
        }
        let mut settings = settings(port, dir.path(), options.auth);
        if options.tls {
            account.install_certificate(&authority, dir.path())?;
            settings.push(("ssl".into(), "on".into()));
            settings.push(("ssl_cert_file".into(), dir.path().join("cert.pem").display().to_string()));
            settings.push(("ssl_key_file".into(), dir.path().join("key.pem").display().to_string()));
        }
        settings.extend_from_slice(&options.settings);
        let mut configuration = File::options().append(true).open(data.join("postgresql.conf"))?;
        for (name, value) in settings {
            writeln!(configuration, "{name} = '{}'", value.replace('\\', "\\\\").replace('\'', "''"))?;
        }
        // Told by SIGQUIT, the postmaster stops its backends at once and frees the shared memory.
        let mut command = account.command(&bin.join("postgres"), dir.path(), "QUIT");
        command.arg("-D").arg(&data).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(dir.path().join("log"))?);
        let postmaster = Process::spawn(command)?;
        Ok(Self { bin, port, authority, postmaster, dir })
    }

    /// Waits for the line by which `pg_ctl`, too, knows that the server is up.
    fn wait_until_ready(&mut self) -> Result<()> {
        let lock = self.data().join("postmaster.pid");
        self.postmaster.wait_until(|| {
            let lock = fs::read_to_string(&lock).unwrap_or_default();
            lock.lines().nth(7).is_some_and(|status| status.trim() == "ready")
        })
    }

    /// The template has the password hashed for SCRAM, which serves every method but MD5.
    fn set_password(&self, auth: Auth) -> Result<()> {
        if auth == Auth::Md5 {
            let (user, password) = (Self::superuser(), Self::password());
            self.psql("postgres", &format!("ALTER ROLE {user} PASSWORD '{password}'"))?;
        }
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if !self.postmaster.stop("QUIT", STOP_MAX) {
            self.kill();
        }
    }
}

fn client_authentication(auth: Auth) -> String {
    let method = match auth {
        Auth::Trust => "trust",
        Auth::Md5 => "md5",
        Auth::Scram => "scram-sha-256",
        Auth::Password => "password",
    };
    let tcp = |database| format!("host {database} all 127.0.0.1/32 {method}\n");
    format!("local all all trust\nlocal replication all trust\n{}{}", tcp("all"), tcp("replication"))
}

fn settings(port: u16, dir: &Path, auth: Auth) -> Vec<(String, String)> {
    let port = port.to_string();
    let dir = dir.display().to_string();
    let settings = [
        ("port", port.as_str()),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", &dir),
        ("max_connections", "100"),
        ("password_encryption", if auth == Auth::Md5 { "md5" } else { "scram-sha-256" }),
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("full_page_writes", "off"),
        // In the data directory, so that a killed server leaves no segments in /dev/shm.
        ("dynamic_shared_memory_type", "mmap"),
    ];
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::thread;

    use super::*;

    /// Logs in over TCP and TLS, with the authority checked, and returns what a statement prints.
    fn login(server: &Postgres, password: &str, sql: &str) -> Result<String> {
        let target = format!(
            "host=localhost hostaddr=127.0.0.1 port={} user=postgres dbname=postgres sslmode=verify-full sslrootcert={}",
            server.port(),
            server.ca().ca_pem().display()
        );
        let mut psql = Command::new(server.bin("psql"));
        without_settings(&mut psql).env("PGPASSWORD", password);
        run(psql.args(["-X", "-q", "-A", "-t", "-w", "-c", sql, "-d"]).arg(target))
    }

    #[test]
    fn a_server_starts_and_leaves_nothing() {
        let server = Postgres::start(PostgresOptions::default()).unwrap();
        assert_eq!(server.psql("postgres", "SELECT 1, 'é'; SELECT 2").unwrap(), "1|é\n2");
        assert!(server.psql("postgres", "SELECT 1/0").unwrap_err().to_string().contains("division by zero"));
        assert!(server.log().contains("division by zero"));
        let (port, dir, pid) = (server.port(), server.dir.path().to_owned(), server.postmaster.id());
        drop(server);
        assert!(!dir.exists());
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }

    #[test]
    fn every_password_method_works_over_tls() {
        for (auth, stored) in [(Auth::Scram, "SCRAM-SHA-256"), (Auth::Md5, "md5"), (Auth::Password, "SCRAM")]
        {
            let options = PostgresOptions { auth, tls: true, ..PostgresOptions::default() };
            let server = Postgres::start(options).unwrap();
            let version = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            assert_eq!(login(&server, Postgres::password(), version).unwrap(), "TLSv1.3\n");
            let hash = "SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'";
            assert!(server.psql("postgres", hash).unwrap().starts_with(stored));
            assert!(login(&server, "wrong", version).is_err(), "{auth:?}");
        }
    }

    #[test]
    fn a_setting_reaches_the_server() {
        let settings = vec![("cluster_name".to_owned(), r"it's \ here".to_owned())];
        let server = Postgres::start(PostgresOptions { settings, ..PostgresOptions::default() }).unwrap();
        assert_eq!(server.psql("postgres", "SHOW cluster_name").unwrap(), r"it's \ here");
    }

    #[test]
    fn a_killed_server_is_gone() {
        let mut server = Postgres::start(PostgresOptions::default()).unwrap();
        server.kill();
        assert!(server.psql("postgres", "SELECT 1").is_err());
        let dir = server.dir.path().to_owned();
        drop(server);
        assert!(!dir.exists());
    }

    #[test]
    fn a_server_outlives_the_thread_that_started_it() {
        let start = || Postgres::start(PostgresOptions::default()).unwrap();
        let server = thread::spawn(start).join().unwrap();
        assert_eq!(server.psql("postgres", "SELECT 1").unwrap(), "1");
    }

    #[test]
    fn a_refused_setting_is_reported_with_the_log() {
        let settings = vec![("no_such_setting".to_owned(), "1".to_owned())];
        let error =
            Postgres::start(PostgresOptions { settings, ..PostgresOptions::default() }).err().unwrap();
        assert!(format!("{error:#}").contains("no_such_setting"));
    }
}
