//! Signing in: TLS on both sides, every authentication plugin, users of the proxy's own, change of user.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, SslOpts};
use veil_testkit::{Authority, Flavour, MySql, MySqlOptions};

use crate::harness::{
    CANARY, Pair, command_line, config, flavours, number, of, options, sample_server, text,
};
use crate::proxy::Proxy;
use crate::raw::Raw;

fn listen_tls(authority: &Authority, mode: &str) -> String {
    let issued = authority.issue("localhost", &["localhost", "127.0.0.1"]).unwrap();
    format!(
        ", tls: {{ mode: {mode}, certificate: '{}', key: '{}' }}",
        issued.cert.display(),
        issued.key.display()
    )
}

/// A configuration whose upstream is spoken to as `sslmode` says.
fn with_mode(server: &MySql, mode: &str, more: &str) -> String {
    let ca = server.ca().ca_pem().display();
    config(server.port(), more).replace("127.0.0.1:", "localhost:").replacen(
        &format!("{}'", server.port()),
        &format!("{}?sslmode={mode}&sslrootcert={ca}'", server.port()),
        1,
    )
}

async fn masked(options: OptsBuilder) -> Result<bool, mysql_async::Error> {
    let mut client = Conn::new(options).await?;
    let rows = text(&mut client, "select email, note from users order by id").await?;
    let note = matches!(&rows[0][1], mysql_async::Value::Bytes(note) if note == b"note1");
    Ok(note && !crate::masking::holds_canary(&rows[0]))
}

fn tls(options: OptsBuilder, authority: &Authority) -> OptsBuilder {
    let ca = SslOpts::default().with_root_certs(vec![authority.ca_pem().to_owned().into()]);
    options.ip_or_hostname("localhost").ssl_opts(ca.with_danger_skip_domain_validation(false))
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_on_either_side() {
    for flavour in flavours() {
        let secure = sample_server(MySqlOptions { tls: true, ..of(flavour) });
        let plain = sample_server(of(flavour));
        let authority = Authority::new().unwrap();
        for (server, mode) in [
            (&secure, "verify-full"),
            (&secure, "require"),
            (&secure, "prefer"),
            (&plain, "prefer"),
            (&plain, "disable"),
        ] {
            let text = with_mode(server, mode, "");
            let required = Proxy::start_with(&text, &listen_tls(&authority, "required"));
            assert!(masked(tls(options(required.port()), &authority)).await.unwrap(), "{mode}");
            let refused = masked(options(required.port())).await.unwrap_err();
            assert_eq!(number(&refused), 1045, "{refused}");
            let optional = Proxy::start_with(&text, &listen_tls(&authority, "optional"));
            assert!(masked(tls(options(optional.port()), &authority)).await.unwrap(), "{mode}");
            assert!(masked(options(optional.port())).await.unwrap(), "{mode}");
        }
        let none = Proxy::start(&with_mode(&plain, "require", ""));
        assert!(masked(options(none.port())).await.unwrap_err().to_string().contains("does not speak TLS"));
        let other = config(secure.port(), "").replace("127.0.0.1:", "localhost:");
        let other = other.replacen(
            &format!("{}'", secure.port()),
            &format!("{}?sslmode=verify-full&sslrootcert={}'", secure.port(), authority.ca_pem().display()),
            1,
        );
        assert!(masked(options(Proxy::start(&other).port())).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_and_unknown_users_are_refused() {
    for flavour in flavours() {
        let pair = Pair::with(of(flavour), "");
        let wrong = Conn::new(options(pair.proxy.port()).pass(Some("wrong"))).await.unwrap_err();
        assert_eq!(number(&wrong), 1045);
        // MySQL asks users that it does not have for any plugin.
        assert!(Conn::new(options(pair.proxy.port()).user(Some("nobody"))).await.is_err());
        let nowhere = Conn::new(options(pair.proxy.port()).db_name(Some("nowhere"))).await.unwrap_err();
        assert_eq!(number(&nowhere), 1049);
        assert!(masked(options(pair.proxy.port())).await.unwrap());
    }
}

/// Fast and full, by TLS and by RSA; the server forgets what it knows when privileges are flushed.
#[tokio::test(flavor = "multi_thread")]
async fn caching_sha2_password_is_relayed() {
    if let Err(reason) = MySql::available(Flavour::MySql9) {
        eprintln!("not tested: {reason}");
        return;
    }
    for server_tls in [false, true] {
        let server = sample_server(MySqlOptions { tls: server_tls, ..of(Some(Flavour::MySql9)) });
        let authority = Authority::new().unwrap();
        let mode = if server_tls { "require" } else { "disable" };
        let proxy = Proxy::start_with(&with_mode(&server, mode, ""), &listen_tls(&authority, "optional"));
        for client_tls in [false, true] {
            server.sql("", "flush privileges").unwrap();
            for _ in 0..2 {
                let mut options = options(proxy.port());
                if client_tls {
                    options = tls(options, &authority);
                }
                assert!(masked(options).await.unwrap(), "{server_tls} {client_tls}");
            }
            server.sql("", "flush privileges").unwrap();
            let wrong = options(proxy.port()).pass(Some("wrong"));
            assert_eq!(number(&Conn::new(wrong).await.unwrap_err()), 1045);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_of_mariadb() {
    let pair = Pair::start();
    if !pair.server.flavour().is_mariadb() {
        eprintln!("not tested: {} has no ed25519", pair.server.version());
        return;
    }
    if pair.server.sql("", "install soname 'auth_ed25519'").is_err() {
        eprintln!("not tested: the plugin ed25519 is not installed");
    } else {
        let sql =
            "create user ed@'%' identified via ed25519 using password('edpw'); grant all on shop.* to ed@'%'";
        pair.server.sql("", sql).unwrap();
        let (fine, text) = command_line(
            &pair.server,
            pair.proxy.port(),
            &["--user=ed", "--password=edpw"],
            "select email, note from users",
        );
        assert!(fine && text.contains("note1") && !text.contains(CANARY), "{text}");
        let (fine, _) =
            command_line(&pair.server, pair.proxy.port(), &["--user=ed", "--password=no"], "select 1");
        assert!(!fine);
    }
    pair.server.sql("", "create user empty@'%'; grant all on shop.* to empty@'%'").unwrap();
    let options = options(pair.proxy.port()).user(Some("empty")).pass(None::<String>);
    assert!(masked(options).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_the_proxy_sign_in_by_what_is_listed() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        let upstream = format!("upstream: {{ user: {}, password: {{ env: APP_PASSWORD }} }}", MySql::user());
        let native = "'*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'"; // "password"
        let sha2 = server
            .sql("", "create user if not exists probe@'%' identified by 'password'; select hex(authentication_string) from mysql.user where user = 'probe'")
            .unwrap();
        let mut users = format!(
            "users:\n  - {{ name: listed, password: {{ env: LISTED }}, {upstream} }}\n  - {{ name: native, verifier: {native}, {upstream} }}\n  - {{ name: {}, password: {{ env: APP_PASSWORD }} }}\n",
            MySql::user()
        );
        if sha2.starts_with("244124") {
            users += &format!(
                "  - {{ name: sha, verifier: '0x{sha2}', {upstream} }}\n  - {{ name: probe, verifier: '0x{sha2}' }}\n"
            );
            server.sql("", "grant all on shop.* to probe@'%'").unwrap();
        }
        let proxy = Proxy::start(&config(server.port(), &users));
        let as_user =
            |user: &str, password: &str| options(proxy.port()).user(Some(user)).pass(Some(password));
        let mut logins =
            vec![("listed", "listedpw"), ("native", "password"), (MySql::user(), MySql::user_password())];
        if sha2.starts_with("244124") {
            // The second time by what was learnt the first time.
            logins.extend([
                ("sha", "password"),
                ("sha", "password"),
                ("probe", "password"),
                ("probe", "password"),
            ]);
        }
        for (user, password) in logins {
            assert!(masked(as_user(user, password)).await.unwrap(), "{user} {}", server.version());
            assert_eq!(number(&Conn::new(as_user(user, "wrong")).await.unwrap_err()), 1045, "{user}");
            assert_eq!(number(&Conn::new(as_user(user, "")).await.unwrap_err()), 1045, "{user}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_on_the_same_connection_is_masked_by_its_own_rules() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        let exempt = "rules:\n  - { who: { user: root }, unmask: true, reason: test }\n";
        let proxy = Proxy::start(&config(server.port(), "").replace("rules:\n", exempt));
        let root = || options(proxy.port()).user(Some(MySql::superuser())).pass(Some(MySql::password()));
        let sql = "select email from users where id = 1";
        let mut client = Conn::new(options(proxy.port())).await.unwrap();
        let app = || {
            mysql_async::ChangeUserOpts::default()
                .with_user(Some(MySql::user().to_owned()))
                .with_pass(Some(MySql::user_password().to_owned()))
                .with_db_name(Some("shop".to_owned()))
        };
        let boss = || {
            mysql_async::ChangeUserOpts::default()
                .with_user(Some(MySql::superuser().to_owned()))
                .with_pass(Some(MySql::password().to_owned()))
                .with_db_name(Some("shop".to_owned()))
        };
        for _ in 0..2 {
            assert!(!crate::masking::holds_canary(&text(&mut client, sql).await.unwrap()[0]));
            client.change_user(boss()).await.unwrap();
            assert!(crate::masking::holds_canary(&text(&mut client, sql).await.unwrap()[0]));
            client.change_user(app()).await.unwrap();
        }
        client.reset().await.unwrap();
        assert!(!crate::masking::holds_canary(&text(&mut client, sql).await.unwrap()[0]));
        let wrong = app().with_pass(Some("wrong".to_owned()));
        assert!(client.change_user(wrong).await.is_err());
        let mut exempt = Conn::new(root()).await.unwrap();
        exempt.change_user(app()).await.unwrap();
        assert!(!crate::masking::holds_canary(&text(&mut exempt, sql).await.unwrap()[0]));
    }
}

#[test]
fn clients_that_are_too_old_are_told() {
    let pair = Pair::start();
    let mut raw = Raw::open(pair.proxy.port());
    raw.write(|out| out.extend([0x85, 0x24, 0, 0, 0, b'a', b'p', b'p', 0]));
    assert!(raw.answer().error.unwrap().1.contains("older than 4.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_client_are_asked_for_only_where_that_is_allowed() {
    let server = sample_server(of(None));
    let file = tempfile_with("7\tseven\t70\n");
    let path = file.path().display().to_string();
    let load = format!("load data local infile '{path}' into table items");
    let exempt = "rules:\n  - { who: { user: app }, unmask: true, reason: test }\n";
    let guarded = Proxy::start(&config(server.port(), "protection: { local_infile: true }"));
    let (fine, text) = command_line(&server, guarded.port(), &["--local-infile=1"], &load);
    assert!(!fine && text.contains("1227"), "{text}");
    let denied = Proxy::start(&config(server.port(), "").replace("rules:\n", exempt));
    let (fine, text) = command_line(&server, denied.port(), &["--local-infile=1"], &load);
    assert!(!fine, "{text}");
    let allowed = Proxy::start(
        &config(server.port(), "protection: { local_infile: true }").replace("rules:\n", exempt),
    );
    let (fine, text) = command_line(&server, allowed.port(), &["--local-infile=1"], &load);
    assert!(fine, "{text}");
    assert_eq!(server.sql("shop", "select label from items where id = 7").unwrap(), "seven");
    let mut client = Conn::new(options(allowed.port())).await.unwrap();
    client.query_drop("select 1").await.unwrap();
    // More pieces than their numbers tell apart, all of which begin like COM_CHANGE_USER.
    server.sql("shop", "create table pieces (label varchar(120) charset binary)").unwrap();
    let long = tempfile_with(&format!("{}\n", "\u{11}".repeat(99)).repeat(200_000));
    let load = format!("load data local infile '{}' into table pieces", long.path().display());
    let (fine, text) = command_line(&server, allowed.port(), &["--local-infile=1"], &load);
    assert!(fine, "{text}");
    assert_eq!(server.sql("shop", "select count(*) from pieces").unwrap(), "200000");
}

fn tempfile_with(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}
