//! Other people's clients, through the proxy.

use std::process::Command;

use veil_testkit::{Authority, MySql};

use crate::harness::{CANARY, Pair, command_line, config, flavours, of, python, sample_server, workspace};
use crate::proxy::Proxy;

fn suite(port: u16, ca: &str) -> (bool, String) {
    let output = Command::new(python())
        .arg(workspace().join("crates/ironveil/tests/clients/mysql_suite.py"))
        .args([&port.to_string(), MySql::user(), MySql::user_password(), ca])
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn the_python_drivers() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        let authority = Authority::new().unwrap();
        let issued = authority.issue("localhost", &["localhost", "127.0.0.1"]).unwrap();
        let listen = format!(
            ", tls: {{ mode: optional, certificate: '{}', key: '{}' }}",
            issued.cert.display(),
            issued.key.display()
        );
        let proxy = Proxy::start_with(&config(server.port(), ""), &listen);
        let (fine, text) = suite(proxy.port(), &authority.ca_pem().display().to_string());
        assert!(fine, "{}: {text}", server.version());
    }
}

#[test]
fn the_command_line_client() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "");
        let run = |more: &[&str], sql: &str| command_line(&pair.server, pair.proxy.port(), more, sql);
        for more in [
            &[][..],
            &["--compress"],
            &["--quick"],
            &["--default-character-set=latin1"],
            &["--column-type-info"],
        ] {
            let (fine, text) = run(more, "select email, note from users; show tables");
            assert!(
                fine && text.contains("note1") && text.contains("item_view") && !text.contains(CANARY),
                "{text}"
            );
        }
        let (fine, text) =
            run(&["--show-warnings"], "select cast(concat(note, 'x') as signed) from users; select 1/0");
        assert!(fine && !text.contains("note1x"), "{text}");
        let (_, text) =
            run(&[], "/*!40101 SET NAMES utf8mb4 */; select /*!40001 SQL_NO_CACHE */ email, note from users");
        assert!(text.contains("note1") && !text.contains(CANARY), "{text}");
    }
}
