//! Who may have what done by the API, and what it does with requests that nobody thought of.

use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use veil_testkit::Authority;

use crate::harness::{Proxy, RULES, SECRET, SOON, Servers, pg_email};

/// A database that is not there.
const NOWHERE: &str = "databases:\n  - { name: shop, upstream: 'postgres://127.0.0.1:1' }\n";

fn bearer(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\n")
}

/// Makes a key with this role.
fn make_key(proxy: &Proxy, role: &str, more: &Value) -> Value {
    let mut wanted = json!({ "name": role, "role": role });
    wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = proxy.admin("POST", "/keys", None, &wanted);
    assert_eq!(made.status, 201, "{made:?}");
    made.json()
}

/// The status of a request, whose answer may have no end.
fn status(proxy: &Proxy, method: &str, path: &str, headers: &str) -> u16 {
    use std::io::Write;
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.api)).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{headers}\r\n")
        .unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    std::str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}

/// Each operation of the document refuses who shows nothing, and who has a weaker role; and does not refuse who has its own.
#[test]
fn every_operation_is_for_its_role_only() {
    let proxy = Proxy::start(&format!("{NOWHERE}{RULES}"));
    let document = proxy.admin("GET", "/openapi.json", None, &Value::Null).json();
    let keys = ["viewer", "operator", "admin"]
        .map(|role| (role, make_key(&proxy, role, &json!({}))["api_key"].as_str().unwrap().to_owned()));
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let place = path.replace("{name}", "x.y").replace("{id}", "77").replace("{number}", "1");
        let place = place.replace("{database}", "shop");
        for (method, operation) in item.as_object().unwrap() {
            let (method, what) = (method.to_uppercase(), format!("{method} {path}"));
            let open = ["GET /livez", "GET /readyz", "GET /health", "POST /session"];
            let Some(role) = operation["x-role"].as_str() else {
                assert!(open.contains(&format!("{method} {path}").as_str()), "{what}");
                continue;
            };
            assert_eq!(status(&proxy, &method, &place, ""), 401, "{what} for nobody");
            assert_eq!(status(&proxy, &method, &place, "Cookie: ironveil_session=x\r\n"), 401, "{what}");
            let needed = keys.iter().position(|(name, _)| *name == role).unwrap();
            for (at, (name, key)) in keys.iter().enumerate() {
                let status = status(&proxy, &method, &place, &bearer(key));
                assert_eq!(status == 403, at < needed, "{what} for {name}: {status}");
                assert!(status != 401 && status < 500, "{what} for {name}: {status}");
            }
            seen += 1;
        }
    }
    assert!(seen >= 30, "{seen}");
    for path in ["/livez", "/readyz", "/health"] {
        assert!([200, 503].contains(&status(&proxy, "GET", path, "")), "{path}");
    }
    assert_eq!(status(&proxy, "GET", "/nowhere", ""), 404);
    assert_eq!(status(&proxy, "PATCH", "/rules", ""), 405);
}

#[test]
fn keys_expire_are_taken_back_and_are_not_shown_again() {
    let mut proxy = Proxy::start(&format!("{NOWHERE}{RULES}"));
    let file = std::fs::metadata(proxy.path("ironveil-admin.key")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o777, 0o600);
    assert!(proxy.log().contains("ironveil-admin.key"), "{}", proxy.log());
    let key = make_key(&proxy, "viewer", &json!({ "expires_in": 4 }));
    let shown = bearer(key["api_key"].as_str().unwrap());
    assert_eq!(proxy.http_with("GET", "/version", &shown).0, 200);
    proxy.wait_for("it expires", |proxy| proxy.http_with("GET", "/version", &shown).0 == 401);
    let key = make_key(&proxy, "operator", &json!({}));
    let (shown, id) = (bearer(key["api_key"].as_str().unwrap()), key["id"].as_str().unwrap());
    assert_eq!(proxy.http_with("GET", "/version", &shown).0, 200);
    assert_eq!(proxy.admin("DELETE", &format!("/keys/{id}"), None, &Value::Null).status, 204);
    assert_eq!(proxy.http_with("GET", "/version", &shown).0, 401);
    assert_eq!(proxy.admin("DELETE", "/keys/nobody", None, &Value::Null).status, 404);
    let listed = proxy.admin("GET", "/keys", None, &Value::Null);
    assert!(
        !listed.body.contains(key["api_key"].as_str().unwrap()) && !listed.body.contains("argon2"),
        "{listed:?}"
    );
    let kept = std::fs::read(proxy.path("ironveil.db")).unwrap();
    let wal = std::fs::read(proxy.path("ironveil.db-wal")).unwrap_or_default();
    let secret = key["api_key"].as_str().unwrap().as_bytes();
    assert!(![kept, wal].iter().any(|file| file.windows(secret.len()).any(|part| part == secret)));
    for wrong in
        [json!({ "name": "", "role": "viewer" }), json!({ "name": "x", "role": "viewer", "expires_in": 0 })]
    {
        assert_eq!(proxy.admin("POST", "/keys", None, &wrong).status, 422);
    }
    for wrong in [json!({ "name": "x", "role": "king" }), json!({ "name": "x" }), json!([])] {
        assert_eq!(proxy.admin("POST", "/keys", None, &wrong).status, 400);
    }
    // Who guesses waits, whatever is shown then.
    for _ in 0..20 {
        proxy.http_with("GET", "/version", &bearer("iv_000000000000_x"));
    }
    let late = proxy.call("GET", "/version", &bearer("iv_000000000000_y"), "");
    assert!(late.status == 429 && late.headers.contains("retry-after"), "{late:?}");
    let audit = std::fs::read_to_string(proxy.path("audit")).unwrap();
    for event in ["key_created", "key_revoked", "api_denied"] {
        assert!(audit.contains(event), "{event}");
    }
}

#[test]
fn browsers_sign_in_and_change_things_by_their_own_pages_only() {
    let proxy = Proxy::start(&format!("{NOWHERE}{RULES}"));
    let key = proxy.admin_key();
    let signed = proxy.call("POST", "/session", "", &json!({ "api_key": key }).to_string());
    assert_eq!(signed.status, 200, "{signed:?}");
    let cookie =
        signed.headers.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap().to_owned();
    assert!(cookie.contains("httponly") && cookie.contains("samesite=strict"), "{cookie}");
    let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
    let csrf = signed.json()["csrf_token"].as_str().unwrap().to_owned();
    assert_eq!(proxy.call("GET", "/session", &cookie, "").json()["csrf_token"], csrf);
    assert_eq!(proxy.call("GET", "/rules", &cookie, "").status, 200);
    assert_eq!(proxy.call("POST", "/config/reload", &cookie, "").status, 403);
    assert_eq!(
        proxy.call("POST", "/config/reload", &format!("{cookie}X-CSRF-Token: no\r\n"), "").status,
        403
    );
    let own = format!("{cookie}X-CSRF-Token: {csrf}\r\n");
    assert_eq!(proxy.call("POST", "/config/reload", &own, "").status, 200);
    let page = proxy.call("GET", "/docs", "Accept: text/html\r\n", "");
    assert!(page.status == 401 && page.body.contains("Sign in"), "{page:?}");
    let docs = proxy.call("GET", "/docs", &cookie, "");
    assert!(
        docs.status == 200 && !docs.body.contains("http://") && !docs.body.contains("https://"),
        "{docs:?}"
    );
    for header in [
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "content-security-policy:",
        "cache-control: no-store",
    ] {
        assert!(docs.headers.contains(header), "{header}");
    }
    assert!(!docs.headers.contains("access-control"), "{docs:?}");
    assert_eq!(proxy.call("DELETE", "/session", &own, "").status, 204);
    assert_eq!(proxy.call("GET", "/rules", &cookie, "").status, 401);
    assert_eq!(proxy.call("POST", "/session", "", &json!({ "api_key": "wrong" }).to_string()).status, 401);
}

/// A token with these claims.
fn token(algorithm: Algorithm, name: Option<&str>, key: &EncodingKey, claims: &Value) -> String {
    let header = Header { kid: name.map(str::to_owned), ..Header::new(algorithm) };
    bearer(&encode(&header, claims, key).unwrap())
}

fn base64(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut bits = String::new();
    bytes.iter().for_each(|byte| write!(bits, "{byte:08b}").unwrap());
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
    let chunk = |bits: &[u8]| {
        alphabet[usize::from_str_radix(&format!("{:0<6}", std::str::from_utf8(bits).unwrap()), 2).unwrap()]
    };
    bits.as_bytes().chunks(6).map(chunk).collect()
}

#[test]
fn tokens_are_believed_by_what_signs_them() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).unwrap();
        directory.path().join(name).display().to_string()
    };
    let secret = "a shared secret of some length, 32 bytes";
    let pair = |algorithm| rcgen::KeyPair::generate_for(algorithm).unwrap();
    let (ed, es) = (pair(&rcgen::PKCS_ED25519), pair(&rcgen::PKCS_ECDSA_P256_SHA256));
    let eddsa = EncodingKey::from_ed_der(ed.serialized_der());
    let es256 = EncodingKey::from_ec_der(es.serialized_der());
    let mut es_key = Jwk::from_encoding_key(&es256, Algorithm::ES256).unwrap();
    es_key.common.key_id = Some("es".to_owned());
    let ed_key = json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(ed.public_key_raw()), "kid": "ed", "alg": "EdDSA", "use": "sig" });
    let set = json!({ "keys": [ed_key, es_key] }).to_string();
    let proxy = Proxy::start(&format!(
        "{NOWHERE}{RULES}# API , jwt_secret: {{ file: '{}' }}, jwks_file: '{}', jwt_issuer: us, jwt_audience: ironveil\n",
        file("secret", secret),
        file("jwks", &set)
    ));
    assert!(!proxy.path("ironveil-admin.key").exists());
    let shared = EncodingKey::from_secret(secret.as_bytes());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = |more: Value| {
        let mut claims =
            json!({ "sub": "ann", "iss": "us", "aud": "ironveil", "role": "operator", "exp": now + 600 });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims
    };
    let who = |header: &str| proxy.call("GET", "/session", header, "");
    for (algorithm, name, key) in [
        (Algorithm::HS256, None, &shared),
        (Algorithm::EdDSA, Some("ed"), &eddsa),
        (Algorithm::ES256, Some("es"), &es256),
    ] {
        let known = who(&token(algorithm, name, key, &claims(json!({}))));
        assert_eq!((known.status, known.json()["name"].as_str()), (200, Some("token:ann")), "{known:?}");
        assert_eq!(known.json()["role"], "operator");
    }
    let many = token(Algorithm::HS256, None, &shared, &claims(json!({ "role": ["viewer", "admin", "x"] })));
    assert_eq!(who(&many).json()["role"], "admin");
    let unsigned = format!(
        "{}.{}.",
        base64(br#"{"alg":"none","typ":"JWT"}"#),
        base64(claims(json!({ "role": "admin" })).to_string().as_bytes())
    );
    // The public keys are no secrets that sign.
    let confused = EncodingKey::from_secret(set.as_bytes());
    for (what, header) in [
        ("unsigned", bearer(&unsigned)),
        ("confusion", token(Algorithm::HS256, Some("ed"), &confused, &claims(json!({})))),
        (
            "another secret",
            token(Algorithm::HS256, None, &EncodingKey::from_secret(b"other"), &claims(json!({}))),
        ),
        ("another algorithm", token(Algorithm::HS512, None, &shared, &claims(json!({})))),
        ("another name", token(Algorithm::EdDSA, Some("es"), &eddsa, &claims(json!({})))),
        ("no name", token(Algorithm::EdDSA, Some("nobody"), &eddsa, &claims(json!({})))),
        ("over", token(Algorithm::HS256, None, &shared, &claims(json!({ "exp": now - 600 })))),
        ("not yet", token(Algorithm::HS256, None, &shared, &claims(json!({ "nbf": now + 600 })))),
    ] {
        assert_eq!(who(&header).status, 401, "{what}");
    }
    drop(proxy);
    // Others, by a proxy that has not been guessed at.
    let proxy = Proxy::start(&format!(
        "{NOWHERE}{RULES}# API , jwt_secret: {{ file: '{}' }}, jwt_issuer: us, jwt_audience: ironveil, jwt_role_claim: groups\n",
        file("secret", secret)
    ));
    let who =
        |claims: &Value| proxy.call("GET", "/session", &token(Algorithm::HS256, None, &shared, claims), "");
    for (what, more) in [
        ("no audience", json!({ "aud": "others", "groups": "admin" })),
        ("no issuer", json!({ "iss": "them", "groups": "admin" })),
        ("no end", json!({ "exp": null, "groups": "admin" })),
        ("no role", json!({})),
        ("no such role", json!({ "groups": ["root"] })),
    ] {
        assert_eq!(who(&claims(more)).status, 401, "{what}");
    }
    assert_eq!(who(&claims(json!({ "groups": ["viewer"] }))).json()["role"], "viewer");
}

/// A set of keys that is asked for by HTTP: a key that it has not is looked for again.
#[test]
fn a_set_of_keys_at_an_address_is_asked_for() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let key = EncodingKey::from_ed_der(pair.serialized_der());
    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": base64(pair.public_key_raw()), "kid": "ed" }] }).to_string();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", set.len());
            let _ = std::io::Write::write_all(&mut stream, format!("{head}{set}").as_bytes());
        }
    });
    let proxy = Proxy::start(&format!("{NOWHERE}{RULES}# API , jwks_url: 'http://127.0.0.1:{port}/keys'\n"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({ "sub": "ann", "role": "admin", "exp": now + 600 });
    let known = proxy.call("GET", "/session", &token(Algorithm::EdDSA, Some("ed"), &key, &claims), "");
    assert_eq!((known.status, known.json()["role"].as_str()), (200, Some("admin")), "{known:?}");
    assert_eq!(
        proxy.call("GET", "/session", &token(Algorithm::EdDSA, Some("other"), &key, &claims), "").status,
        401
    );
}

/// The listener has a certificate, if it is told to; one that cannot be read, and a port that is taken, end the start.
#[test]
fn the_listener_is_secure_or_says_why_not() {
    let authority = Authority::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let issued = authority.issue("localhost", &["localhost", "127.0.0.1"]).unwrap();
    let proxy = Proxy::start(&format!(
        "{NOWHERE}{RULES}# API , tls: {{ certificate: '{}', key: '{}' }}\n",
        issued.cert.display(),
        issued.key.display()
    ));
    let script = "import ssl, sys, urllib.request as u; c = ssl.create_default_context(cafile=sys.argv[1]); \
        r = u.urlopen(u.Request(sys.argv[2], headers={'X-API-Key': sys.argv[3]}), context=c); print(r.status, r.headers['strict-transport-security'])";
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(authority.ca_pem())
        .args([&format!("https://localhost:{}/version", proxy.api), &proxy.admin_key()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("200 max-age="), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // Another certificate is used when it is there.
    let other = Authority::new().unwrap();
    let fresh = other.issue("localhost", &["localhost"]).unwrap();
    std::fs::copy(&fresh.key, &issued.key).unwrap();
    std::fs::copy(&fresh.cert, &issued.cert).unwrap();
    let since = std::time::Instant::now();
    loop {
        let output = Command::new("python3")
            .args(["-c", script])
            .arg(other.ca_pem())
            .args([&format!("https://localhost:{}/version", proxy.api), &proxy.admin_key()])
            .output()
            .unwrap();
        if output.status.success() {
            break;
        }
        assert!(since.elapsed() < SOON, "{}", String::from_utf8_lossy(&output.stderr));
    }
    let ends = |config: &str, api: &str, why: &str| {
        let file = directory.path().join("proxy.yaml");
        std::fs::write(directory.path().join("key"), "00112233445566778899aabbccddeeff".repeat(2)).unwrap();
        let head = format!(
            "listen: {{ postgres: '127.0.0.1:0' }}\nkeys: {{ root: {{ file: '{}/key' }} }}\napi: {{ {api} }}\n",
            directory.path().display()
        );
        std::fs::write(&file, head + config).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_ironveil"))
            .args(["run", "--config"])
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(why), "{why}: {said}");
    };
    let plain = format!("{NOWHERE}{RULES}");
    ends(&plain, &format!("listen: '127.0.0.1:{}'", proxy.api), "api.listen: cannot listen on");
    let nothing = directory.path().join("nothing");
    let tls = format!("listen: '127.0.0.1:0', tls: {{ certificate: '{0}', key: '{0}' }}", nothing.display());
    ends(&plain, &tls, "api.tls");
    ends(&plain, "listen: '0.0.0.0:0'", "is needed");
    ends(&plain, &format!("listen: '127.0.0.1:0', jwks_file: '{}'", nothing.display()), "api.jwks_file");
    let store = format!("store: {{ file: '{}/x/y' }}\n", directory.path().display());
    ends(&format!("{plain}{store}"), "listen: '127.0.0.1:0'", "name another place");
}

/// Sessions are seen and ended, statements are seen without values, and what happens is told as it happens.
#[tokio::test(flavor = "multi_thread")]
async fn traffic_is_seen_without_values() {
    let servers = Servers::start();
    let mut proxy = Proxy::start(&format!("{}{RULES}", servers.databases()));
    let (pg, _mysql) = (proxy.pg().await, proxy.mysql().await);
    let mut events = TcpStream::connect(("127.0.0.1", proxy.api)).unwrap();
    events.set_read_timeout(Some(SOON)).unwrap();
    let head = bearer(&proxy.admin_key());
    std::io::Write::write_all(
        &mut events,
        format!("GET /events HTTP/1.1\r\nHost: x\r\n{head}\r\n").as_bytes(),
    )
    .unwrap();
    let mut told = String::new();
    let mut read = |wanted: &str| {
        let mut piece = [0; 4096];
        while !told.contains(wanted) {
            let count = events.read(&mut piece).unwrap();
            assert!(count > 0, "{told}");
            told.push_str(std::str::from_utf8(&piece[..count]).unwrap());
        }
        told.clone()
    };
    read("event: begin");
    pg_email(&pg).await.unwrap();
    pg.query("select email from users where email = 'zqcanary5@mail.test' or note = 'zqcanary'", &[])
        .await
        .unwrap();
    let told = read("note = ?");
    assert!(
        told.contains("event: statement") && told.contains("event: masked") && !told.contains(SECRET),
        "{told}"
    );
    let logs = proxy.admin("GET", "/logs?limit=1&user=postgres", None, &Value::Null).json();
    let last = &logs["statements"][0];
    assert_eq!(last["statement"], "select email from users where email = ? or note = ?");
    assert_eq!((&last["verdict"], &last["operation"]), (&json!("masked"), &json!("SELECT")));
    assert_eq!(last["columns"][0]["rule"], "users.email");
    assert_eq!(proxy.admin("GET", "/logs?limit=0", None, &Value::Null).status, 400);
    let listed = proxy.admin("GET", "/connections", None, &Value::Null).json();
    let of_pg =
        listed["connections"].as_array().unwrap().iter().find(|one| one["protocol"] == "postgresql").unwrap();
    assert_eq!(
        (&of_pg["user"], &of_pg["state"], &of_pg["tls"]),
        (&json!("postgres"), &json!("idle"), &json!(false))
    );
    assert!(
        of_pg["statements"].as_u64().unwrap() >= 2 && of_pg["received_bytes"].as_u64().unwrap() > 0,
        "{of_pg}"
    );
    let stats = proxy.admin("GET", "/stats", None, &Value::Null).json();
    assert!(stats["statements"]["masked"].as_u64().unwrap() >= 1, "{stats}");
    assert!(stats["fields_masked"]["email"].as_u64().unwrap() >= 1, "{stats}");
    let place = format!("/connections/{}", of_pg["id"]);
    assert_eq!(proxy.admin("DELETE", &place, None, &Value::Null).status, 202);
    proxy.wait_for("it is ended", |_| pg.is_closed());
    proxy.wait_for("it is gone", |proxy| proxy.admin("DELETE", &place, None, &Value::Null).status == 404);
    assert_eq!(proxy.admin("DELETE", "/connections/x", None, &Value::Null).status, 400);
    // What is masked where, and what becomes of a statement.
    let schema = proxy.admin("GET", "/schema/shop", None, &Value::Null).json();
    let users = schema["tables"].as_array().unwrap().iter().find(|table| table["name"] == "users").unwrap();
    let email = users["columns"].as_array().unwrap().iter().find(|column| column["name"] == "email").unwrap();
    assert_eq!(email["rule"], json!({ "name": "users.email", "strategy": "email" }));
    let told = proxy.admin(
        "POST",
        "/rules/test",
        None,
        &json!({ "statement": { "database": "shop", "sql": "select id, email, upper(email) from users" } }),
    );
    let columns = &told.json()["statements"][0]["columns"];
    assert_eq!(columns[0]["outcome"], "shown", "{told:?}");
    assert_eq!((&columns[1]["outcome"], &columns[1]["rule"]), (&json!("masked"), &json!("users.email")));
    assert_eq!(columns[2]["outcome"], "null");
    let found = proxy.admin("GET", "/audit?event=masked&user=postgres&limit=1", None, &Value::Null).json();
    assert_eq!(found["events"][0]["statement"], "select email from users where email = ? or note = ?");
    let older = proxy
        .admin("GET", &format!("/audit?event=masked&before={}", found["next"]), None, &Value::Null)
        .json();
    assert_eq!(older["events"].as_array().unwrap().len(), 1, "{older}");
    assert_eq!(proxy.admin("GET", "/audit?from=yesterday", None, &Value::Null).status, 400);
    let config = proxy.admin("GET", "/config", None, &Value::Null);
    assert!(config.status == 200 && config.json()["rules"].is_array(), "{config:?}");
}

/// Random requests, made from the document by a program that is not ours: no answer is a server's error, or one that the document does not have.
#[test]
fn random_requests_get_answers_that_the_document_has() {
    // Of servers that are there: 503 says that there are none.
    let servers = Servers::start();
    let proxy = Proxy::start(&format!("{}{RULES}", servers.databases()));
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let document = proxy.admin("GET", "/openapi.json", None, &Value::Null).body;
    std::fs::write(proxy.path("openapi.json"), document).unwrap();
    let examples = std::env::var("IRONVEIL_API_EXAMPLES").unwrap_or_else(|_| "15".to_owned());
    let output = Command::new(workspace.join("target/venv/bin/schemathesis"))
        .current_dir(proxy.path(""))
        .args(["run", "openapi.json", "--url", &format!("http://127.0.0.1:{}", proxy.api)])
        .args(["-H", &format!("Authorization: Bearer {}", proxy.admin_key())])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        // It has no end; who signs in too often with wrong keys waits, and the rest with him.
        .args(["--exclude-path", "/events", "--exclude-path", "/session"])
        .args(["--max-examples", &examples, "--seed", "7", "--request-timeout", "20", "--no-color"])
        .args(["--phases", "examples,coverage,fuzzing"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let tail: Vec<&str> = text.lines().rev().take(12).collect();
    eprintln!("{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}
