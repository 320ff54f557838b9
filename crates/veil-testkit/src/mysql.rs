//! A throwaway MySQL or MariaDB server.

mod flavour;
mod template;

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;
use tempfile::TempDir;

pub use self::flavour::Flavour;
use self::flavour::Installation;
use self::template::data_template;
use crate::account::{Account, run, without_settings};
use crate::install::copy;
use crate::process::Process;
use crate::{Authority, free_port};

/// How often a start is tried when another process takes the port first.
const PORTS_MAX: u32 = 5;

/// What kind of server to start; by default without TLS.
#[derive(Clone, Debug, Default)]
pub struct MySqlOptions {
    /// The make and version; `None` is `$IRONVEIL_MYSQL`, or `mariadb-10.11`.
    pub flavour: Option<Flavour>,
    /// Whether the server offers TLS, with a certificate of its authority for localhost and 127.0.0.1.
    pub tls: bool,
    /// Options of the server's command line, without dashes; they win over the kit's.
    pub settings: Vec<(String, String)>,
}

/// A running MySQL or MariaDB server on the loopback interface; killed and deleted on drop.
///
/// On Linux it is also killed when the process of the test is; only its directory then stays behind.
pub struct MySql {
    installation: Installation,
    port: u16,
    authority: Authority,
    server: Process,
    dir: TempDir,
}

impl MySql {
    /// Starts a server and returns when it accepts connections.
    ///
    /// # Errors
    /// When the flavour is not installed, or the server does not start; the error has the server's log.
    pub fn start(options: MySqlOptions) -> Result<Self> {
        let flavour = options.flavour.map_or_else(Flavour::of_environment, Ok)?;
        let installation = Installation::find(flavour)?;
        let template = data_template(&installation)?;
        let mut attempt = 1;
        loop {
            let mut server = Self::launch(installation.clone(), Some(&template), &options)?;
            let Err(error) = server.wait_until_ready() else { return Ok(server) };
            let log = server.log();
            if attempt == PORTS_MAX || !log.contains("Bind on TCP/IP port") {
                return Err(error.context(format!("{flavour} did not start:\n{log}")));
            }
            attempt += 1;
        }
    }

    /// Whether servers of a flavour can be started here.
    ///
    /// # Errors
    /// The reason why not, for a test to print.
    pub fn available(flavour: Flavour) -> Result<(), String> {
        Installation::find(flavour).map(drop).map_err(|error| format!("{error:#}"))
    }

    /// The make and version.
    pub fn flavour(&self) -> Flavour {
        self.installation.flavour
    }

    /// The version as the program tells it, such as `10.11.19-MariaDB-0+deb12u1`; that of SQL may go on.
    pub fn version(&self) -> &str {
        &self.installation.version
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path of the server's Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    /// The name of the superuser.
    pub fn superuser() -> &'static str {
        "root"
    }

    /// The password of the superuser, over TCP and the socket.
    pub fn password() -> &'static str {
        "throwaway-superuser"
    }

    /// The name of another user with all privileges, from any host.
    pub fn user() -> &'static str {
        "app"
    }

    /// The password of that user.
    pub fn user_password() -> &'static str {
        "throwaway-app"
    }

    /// The command line client of this installation, `mysql` or `mariadb`.
    pub fn client(&self) -> &Path {
        &self.installation.client
    }

    /// The authority that signed the server's certificate.
    pub fn ca(&self) -> &Authority {
        &self.authority
    }

    /// Runs a script by the command line client as the superuser, over the server's own socket, in a database
    /// or (`""`) in none, and returns what it prints: columns separated by tabs, rows by line ends, no last line
    /// end; in values, tab, line end, NUL and backslash as `\t`, `\n`, `\0` and `\\`.
    ///
    /// # Errors
    /// When a statement fails; those after it are not run.
    pub fn sql(&self, db: &str, script: &str) -> Result<String> {
        self.sql_with_password(Self::password(), db, script)
    }

    /// Kills the server, as a crash of its machine would: nothing is written any more.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join("log")).unwrap_or_default()).into_owned()
    }

    /// Starts a process on a copy of the template, or on a newly initialised data directory.
    fn launch(installation: Installation, template: Option<&Path>, options: &MySqlOptions) -> Result<Self> {
        let account = Account::of_mysql()?;
        let authority = Authority::new()?;
        let dir = account.temp_dir("veil-my-")?;
        let data = dir.path().join("data");
        match template {
            Some(template) => copy(template, &data)?,
            None => installation.initialise(account, dir.path(), &data)?,
        }
        let port = free_port();
        let mut command = account.command(&installation.server, dir.path(), "KILL");
        command.arg("--no-defaults").args(installation.settings());
        command.arg(option("port", port)).arg("--bind-address=127.0.0.1");
        account.make_dir(&dir.path().join("tmp"))?;
        for (name, file) in
            [("datadir", "data"), ("tmpdir", "tmp"), ("socket", "socket"), ("pid-file", "pid")]
        {
            command.arg(option(name, dir.path().join(file).display()));
        }
        if options.tls {
            account.install_certificate(&authority, dir.path())?;
            fs::copy(authority.ca_pem(), dir.path().join("ca.pem"))?;
            for (name, file) in [("ssl-ca", "ca.pem"), ("ssl-cert", "cert.pem"), ("ssl-key", "key.pem")] {
                command.arg(option(name, dir.path().join(file).display()));
            }
        } else {
            command.arg(installation.flavour.no_server_tls());
        }
        command.args(options.settings.iter().map(|(name, value)| option(name, value)));
        let log = File::create(dir.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let server = Process::spawn(command)?;
        Ok(Self { installation, port, authority, server, dir })
    }

    /// Waits for the line that the server logs when it begins to accept connections.
    fn wait_until_ready(&mut self) -> Result<()> {
        let log = self.dir.path().join("log");
        self.server.wait_until(|| {
            let log = fs::read(&log).unwrap_or_default();
            String::from_utf8_lossy(&log).contains(": ready for connections")
        })
    }

    fn sql_with_password(&self, password: &str, db: &str, script: &str) -> Result<String> {
        // A file, not a pipe: the client may print more than a pipe holds before it has read the whole script.
        let mut file = tempfile::tempfile()?;
        file.write_all(script.as_bytes())?;
        file.rewind()?;
        let mut client = Command::new(self.client());
        without_settings(&mut client).env("MYSQL_PWD", password).stdin(file);
        client.args(["--no-defaults", "--batch", "--skip-column-names", "--comments", "--local-infile=1"]);
        client.args(["--max-allowed-packet=1G", "--default-character-set=utf8mb4", "--protocol=socket"]);
        client.arg(self.flavour().no_client_tls());
        client.arg(option("socket", self.socket().display())).arg(option("user", Self::superuser()));
        let printed = run(client.arg(option("database", db)))?;
        Ok(printed.strip_suffix('\n').unwrap_or(&printed).to_owned())
    }
}

impl Drop for MySql {
    fn drop(&mut self) {
        self.server.kill();
    }
}

fn option(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    /// Runs a test on a server of every flavour that is to be had here.
    fn on_each(options: &MySqlOptions, test: impl Fn(MySql)) {
        for flavour in Flavour::ALL {
            match MySql::available(flavour) {
                Ok(()) => {
                    test(MySql::start(MySqlOptions { flavour: Some(flavour), ..options.clone() }).unwrap());
                }
                Err(reason) => eprintln!("not tested: {reason}"),
            }
        }
    }

    /// Logs in over TCP and returns what a statement prints.
    fn login(server: &MySql, user: &str, password: &str, options: &[&str], sql: &str) -> Result<String> {
        let mut client = Command::new(server.client());
        without_settings(&mut client).env("MYSQL_PWD", password);
        client.args([
            "--no-defaults",
            "--batch",
            "--skip-column-names",
            "--host=localhost",
            "--protocol=tcp",
        ]);
        client.arg(option("port", server.port())).arg(option("user", user)).args(options);
        run(client.args(["--execute", sql]))
    }

    #[test]
    fn a_server_starts_and_leaves_nothing() {
        on_each(&MySqlOptions::default(), |server| {
            assert_eq!(server.sql("", "SELECT 1, 'é\t'; /* why */ SELECT 2").unwrap(), "1\té\\t\n2");
            assert_eq!(server.sql("mysql", "SELECT database()").unwrap(), "mysql");
            assert!(server.sql("", "SELECT version()").unwrap().starts_with(server.version()));
            assert!(server.sql("", "SELECT nothing").unwrap_err().to_string().contains("ERROR 1054"));
            let (port, dir, pid) = (server.port(), server.dir.path().to_owned(), server.server.id());
            drop(server);
            assert!(!dir.exists());
            assert!(!Path::new(&format!("/proc/{pid}")).exists());
            assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        });
    }

    #[test]
    fn the_accounts_log_in_over_tls() {
        on_each(&MySqlOptions { tls: true, ..MySqlOptions::default() }, |server| {
            let ca = option("ssl-ca", server.ca().ca_pem().display());
            let mariadb = server.flavour().is_mariadb();
            let verify = if mariadb { "--ssl-verify-server-cert" } else { "--ssl-mode=VERIFY_IDENTITY" };
            let status = |user, password| {
                login(&server, user, password, &[&ca, verify], "SHOW STATUS LIKE 'Ssl_version'")
            };
            let tls = "Ssl_version\tTLSv1.3\n";
            assert_eq!(status(MySql::superuser(), MySql::password()).unwrap(), tls);
            assert_eq!(status(MySql::user(), MySql::user_password()).unwrap(), tls);
            assert!(status(MySql::user(), "wrong").is_err());
        });
    }

    #[test]
    fn the_accounts_log_in_without_tls() {
        on_each(&MySqlOptions::default(), |server| {
            let mariadb = server.flavour().is_mariadb();
            let plain: &[&str] =
                if mariadb { &["--skip-ssl"] } else { &["--ssl-mode=DISABLED", "--get-server-public-key"] };
            let cipher =
                |user, password| login(&server, user, password, plain, "SHOW STATUS LIKE 'Ssl_cipher'");
            assert_eq!(cipher(MySql::superuser(), MySql::password()).unwrap(), "Ssl_cipher\t\n");
            assert_eq!(cipher(MySql::user(), MySql::user_password()).unwrap(), "Ssl_cipher\t\n");
            assert!(cipher(MySql::user(), "wrong").is_err());
            assert!(cipher("nobody", "").is_err());
            let tls: &[&str] =
                if mariadb { &["--ssl", "--ssl-verify-server-cert"] } else { &["--ssl-mode=REQUIRED"] };
            assert!(login(&server, MySql::user(), MySql::user_password(), tls, "SELECT 1").is_err());
        });
    }

    #[test]
    fn a_setting_reaches_the_server() {
        let settings = vec![("init_connect".to_owned(), r#"SET @a = "it's \ here""#.to_owned())];
        on_each(&MySqlOptions { settings, ..MySqlOptions::default() }, |server| {
            let set = server.sql("", "SELECT @@init_connect").unwrap();
            assert_eq!(set, r#"SET @a = "it's \\ here""#);
        });
    }

    #[test]
    fn a_big_script_prints_more_than_a_pipe_holds() {
        let server = MySql::start(MySqlOptions::default()).unwrap();
        let rows = server.sql("", &"SELECT 'row';\n".repeat(100_000)).unwrap();
        assert_eq!(rows.lines().count(), 100_000);
    }

    #[test]
    fn a_killed_server_is_gone() {
        on_each(&MySqlOptions::default(), |mut server| {
            server.kill();
            assert!(server.sql("", "SELECT 1").is_err());
            let dir = server.dir.path().to_owned();
            drop(server);
            assert!(!dir.exists());
        });
    }

    #[test]
    fn a_refused_setting_is_reported_with_the_log() {
        let settings = vec![("no_such_setting".to_owned(), "1".to_owned())];
        let error = MySql::start(MySqlOptions { settings, ..MySqlOptions::default() }).err().unwrap();
        assert!(format!("{error:#}").contains("no_such_setting"), "{error:#}");
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = "mysql-8.0".parse::<Flavour>().unwrap_err().to_string();
        assert_eq!(error, "no server mysql-8.0, only mariadb-10.11, mariadb-11.8, mysql-9.7");
    }
}
