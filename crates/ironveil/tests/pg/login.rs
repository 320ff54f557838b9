//! Who signs in how, with TLS on either side, both or none.

use veil_testkit::{Auth, Authority, Postgres, PostgresOptions};

use crate::harness::{Proxy, RULES, config, psql, sample_server};

const SELECT: &str = "select email ~ '@example', id from (select email, id from users) u where id = 1";

fn server(auth: Auth, tls: bool) -> Postgres {
    sample_server(PostgresOptions { auth, tls, ..PostgresOptions::default() })
}

/// A configuration with an sslmode, and more lines.
fn with_mode(server: &Postgres, mode: &str, more: &str) -> String {
    let root = server.ca().ca_pem().display();
    let upstream = format!("postgres://localhost:{}?sslmode={mode}&sslrootcert={root}", server.port());
    format!("databases:\n  - {{ name: '*', upstream: '{upstream}' }}\nrules:{RULES}\n{more}")
}

fn url(proxy: &Proxy, more: &str) -> String {
    format!("host=localhost port={} user=postgres dbname=shop {more}", proxy.port())
}

fn listen_tls(authority: &Authority, mode: &str, more: &str) -> String {
    let issued = authority.issue("localhost", &["localhost", "127.0.0.1"]).unwrap();
    let (cert, key) = (issued.cert.display().to_string(), issued.key.display().to_string());
    format!(", tls: {{ mode: {mode}, certificate: '{cert}', key: '{key}' {more} }}")
}

/// The session works and its values are masked.
#[track_caller]
fn works(server: &Postgres, connection: &str) {
    let (ok, text) = psql(server, connection, "select email, note from users where id = 1");
    assert!(ok && text.contains("@example.") && text.contains("note1"), "{connection}: {text}");
}

#[track_caller]
fn fails(server: &Postgres, connection: &str, with: &str) {
    let (ok, text) = psql(server, connection, SELECT);
    assert!(!ok && text.contains(with), "{connection}: {text}");
}

#[test]
fn every_way_to_sign_in_is_passed_through() {
    for auth in [Auth::Trust, Auth::Md5, Auth::Scram, Auth::Password] {
        let server = server(auth, false);
        let proxy = Proxy::start(&config(server.port(), RULES));
        works(&server, &url(&proxy, ""));
        if auth != Auth::Trust {
            fails(&server, &url(&proxy, "password=wrong"), "password authentication failed");
        }
    }
}

#[test]
fn upstream_tls_modes() {
    let server = server(Auth::Scram, true);
    for mode in ["disable", "prefer", "require", "verify-ca", "verify-full"] {
        let proxy = Proxy::start(&with_mode(&server, mode, ""));
        works(&server, &url(&proxy, "sslmode=disable"));
        let (_, tls) =
            psql(&server, &url(&proxy, "sslmode=disable"), "select max(query) from pg_stat_activity");
        assert_eq!(tls.trim(), "", "other sessions are closed: {tls}");
    }
    // Another authority, and a name that the certificate is not for.
    let stranger = Authority::new().unwrap();
    let other_ca = with_mode(&server, "verify-ca", "")
        .replace(&server.ca().ca_pem().display().to_string(), &stranger.ca_pem().display().to_string());
    let proxy = Proxy::start(&other_ca);
    fails(&server, &url(&proxy, "sslmode=disable"), "could not connect to localhost");
    let other_name = with_mode(&server, "verify-full", "").replace("localhost:", "127.0.0.2:");
    let proxy = Proxy::start(&other_name);
    fails(&server, &url(&proxy, "sslmode=disable"), "could not connect to 127.0.0.2");
}

#[test]
fn a_server_without_tls_is_not_spoken_to_where_tls_is_demanded() {
    let server = server(Auth::Trust, false);
    for mode in ["require", "verify-full"] {
        let proxy = Proxy::start(&with_mode(&server, mode, ""));
        fails(&server, &url(&proxy, ""), "does not speak TLS");
    }
    let proxy = Proxy::start(&with_mode(&server, "prefer", ""));
    works(&server, &url(&proxy, ""));
    assert!(proxy.log().contains("spoken to in clear"));
}

#[test]
fn client_tls_modes() {
    let server = server(Auth::Scram, false);
    let authority = Authority::new().unwrap();
    let ca = authority.ca_pem().display().to_string();
    let config = config(server.port(), RULES);

    let off = Proxy::start(&config);
    works(&server, &url(&off, "sslmode=prefer"));
    fails(&server, &url(&off, "sslmode=require"), "does not support SSL");

    let optional = Proxy::start_with(&config, &listen_tls(&authority, "optional", ""));
    works(&server, &url(&optional, "sslmode=disable"));
    works(&server, &url(&optional, &format!("sslmode=verify-full sslrootcert={ca}")));

    let required = Proxy::start_with(&config, &listen_tls(&authority, "required", ""));
    works(&server, &url(&required, "sslmode=require"));
    fails(&server, &url(&required, "sslmode=disable"), "takes connections with TLS only");
}

#[test]
fn client_certificates() {
    let server = server(Auth::Trust, false);
    let authority = Authority::new().unwrap();
    let more = format!(", client_ca: '{}'", authority.ca_pem().display());
    let proxy = Proxy::start_with(&config(server.port(), RULES), &listen_tls(&authority, "required", &more));
    let good = authority.issue("postgres", &[]).unwrap();
    let stranger = Authority::new().unwrap();
    let bad = stranger.issue("postgres", &[]).unwrap();
    let with = |cert: &veil_testkit::Issued| {
        url(&proxy, &format!("sslmode=require sslcert={} sslkey={}", cert.cert.display(), cert.key.display()))
    };
    works(&server, &with(&good));
    fails(&server, &with(&bad), "");
    fails(&server, &url(&proxy, "sslmode=require"), "");

    // Rules may be for the names in them.
    let rules = format!(
        "\n  - {{ who: {{ certificate: ['*.ops.test', boss] }}, unmask: true, reason: test }}{RULES}"
    );
    let mut proxy =
        Proxy::start_with(&config(server.port(), &rules), &listen_tls(&authority, "required", &more));
    // The canary is shown where the rules say so.
    proxy.scanner = None;
    for (issued, clear) in [
        (authority.issue("postgres", &[]).unwrap(), false),
        (authority.issue("boss", &[]).unwrap(), true),
        (authority.issue("postgres", &["a.ops.test"]).unwrap(), true),
        (authority.issue("ops.test", &["ops.test"]).unwrap(), false),
    ] {
        let (cert, key) = (issued.cert.display(), issued.key.display());
        let connection = url(&proxy, &format!("sslmode=require sslcert={cert} sslkey={key}"));
        let (ok, text) = psql(&server, &connection, "select email from users where id = 1");
        assert!(ok && (text.contains("zqcanary1@mail.test") == clear), "{text}");
    }
}

#[test]
fn scram_with_tls_on_both_sides_says_what_to_do_and_then_works() {
    let server = server(Auth::Scram, true);
    let authority = Authority::new().unwrap();
    let listen = listen_tls(&authority, "optional", "");
    let passed = Proxy::start_with(&with_mode(&server, "verify-full", ""), &listen);
    works(&server, &url(&passed, "sslmode=disable"));
    fails(&server, &url(&passed, "sslmode=require"), "under \"users\", or configure \"auth_query\"");

    let verifier =
        server.psql("postgres", "select rolpassword from pg_authid where rolname = 'postgres'").unwrap();
    let users = format!("users:\n  - {{ name: postgres, verifier: '{}' }}\n", verifier.trim());
    let ended = Proxy::start_with(&with_mode(&server, "verify-full", &users), &listen);
    for tls in ["disable", "require"] {
        works(&server, &url(&ended, &format!("sslmode={tls}")));
        fails(
            &server,
            &url(&ended, &format!("sslmode={tls} password=wrong")),
            "password authentication failed",
        );
    }
    // SCRAM-SHA-256-PLUS, bound to the proxy's own certificate.
    works(&server, &url(&ended, "sslmode=require channel_binding=require"));
}

#[test]
fn users_of_the_proxy_may_be_others_upstream() {
    let server = server(Auth::Scram, true);
    server
        .psql("postgres", &format!("create role app login superuser password '{}'", Postgres::password()))
        .unwrap();
    let users = "users:\n  - { name: visitor, password: { env: TEST_PASSWORD }, upstream: { user: app, password: { env: TEST_PASSWORD } } }\n  - { name: app, password: { env: TEST_PASSWORD } }\n";
    let proxy = Proxy::start(&with_mode(&server, "require", users));
    for user in ["visitor", "app"] {
        let connection = url(&proxy, "").replace("user=postgres", &format!("user={user}"));
        works(&server, &connection);
        let (_, who) = psql(&server, &connection, "select current_user");
        assert_eq!(who.trim(), "app");
        fails(&server, &format!("{connection} password=wrong"), "password authentication failed");
    }
}

#[test]
fn verifiers_are_found_by_auth_query() {
    let server = server(Auth::Scram, true);
    let password = Postgres::password();
    server.psql("postgres", &format!("create role keeper login password '{password}'; create role app login superuser password 'other secret'")).unwrap();
    server
        .psql(
            "shop",
            "create function lookup(name text) returns table (u text, v text) language sql security definer set search_path = pg_catalog as
                 'select rolname::text, rolpassword from pg_authid where rolname = name and rolcanlogin';
             revoke all on function lookup from public; grant execute on function lookup to keeper",
        )
        .unwrap();
    let query = "auth_query: { query: 'select * from public.lookup($1)', user: keeper, password: { env: TEST_PASSWORD } }";
    let text = with_mode(&server, "verify-full", "").replace(" }\nrules", &format!(", {query} }}\nrules"));
    let authority = Authority::new().unwrap();
    let proxy = Proxy::start_with(&text, &listen_tls(&authority, "required", ""));
    let connection = |user: &str, password: &str| {
        format!(
            "host=localhost port={} dbname=shop sslmode=require user={user} password='{password}'",
            proxy.port()
        )
    };
    works(&server, &connection("app", "other secret"));
    fails(&server, &connection("app", "x"), "password authentication failed");
    fails(&server, &connection("nobody", "x"), "password authentication failed");
}

#[test]
fn a_database_that_is_not_served_is_named() {
    let server = server(Auth::Trust, false);
    let config = config(server.port(), RULES).replace("'*'", "shop");
    let proxy = Proxy::start(&config);
    works(&server, &url(&proxy, ""));
    fails(&server, &url(&proxy, "dbname=other"), "database \"other\" is not served by this proxy");
}

/// Direct TLS needs a libpq that is newer than the distribution's; psycopg brings one.
#[test]
fn direct_tls_and_protocol_3_2_with_libpq_18() {
    let server = server(Auth::Scram, true);
    let authority = Authority::new().unwrap();
    let verifier =
        server.psql("postgres", "select rolpassword from pg_authid where rolname = 'postgres'").unwrap();
    let users = format!("users:\n  - {{ name: postgres, verifier: '{}' }}\n", verifier.trim());
    let listen = listen_tls(&authority, "required", "");
    let proxy = Proxy::start_with(&with_mode(&server, "verify-full", &users), &listen);
    let script = "import psycopg, sys\n\
        c = psycopg.connect(sys.argv[1])\n\
        print(c.execute('select email from users where id = 1').fetchone()[0])\n\
        t = __import__('threading').Timer(0.5, c.cancel_safe)\n\
        t.start()\n\
        try: c.execute('select pg_sleep(20)')\n\
        except psycopg.errors.QueryCanceled: print('cancelled')";
    let more = format!(
        "sslmode=verify-full sslrootcert={} sslnegotiation=direct channel_binding=require max_protocol_version=3.2",
        authority.ca_pem().display()
    );
    let output = std::process::Command::new(crate::harness::python())
        .args(["-c", script, &url(&proxy, &more)])
        .env("PGPASSWORD", Postgres::password())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(text.contains("@example.") && text.contains("cancelled"), "{text}");
}

/// What is sent in clear behind a request for TLS is never taken for something said inside TLS.
#[test]
fn nothing_sent_before_tls_counts_after_it() {
    use std::io::{Read, Write};
    let server = server(Auth::Trust, false);
    let authority = Authority::new().unwrap();
    let proxy = Proxy::start_with(&config(server.port(), RULES), &listen_tls(&authority, "optional", ""));
    let mut raw = crate::raw::Raw::open(proxy.port());
    let mut out = Vec::new();
    veil_wire::pg::startup::write_request(&mut out, veil_wire::pg::startup::SSL_REQUEST);
    let session = [("user", "postgres"), ("database", "shop")];
    veil_wire::pg::startup::write_session(
        &mut out,
        veil_wire::pg::startup::Version::V3_0,
        session.into_iter(),
    );
    raw.tcp.write_all(&out).unwrap();
    let mut answer = Vec::new();
    let _ = raw.tcp.read_to_end(&mut answer);
    assert_eq!(answer[0], b'S');
    assert!(!answer.windows(4).any(|bytes| bytes == b"UTF8"), "a session was opened");
}
