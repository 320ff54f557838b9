//! The commands, as a person types them.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

fn ironveil(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ironveil")).args(arguments).env_remove("IRONVEIL_KEY").output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn keys_are_made_for_their_owner_alone_and_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    let name = path.to_str().unwrap();
    assert!(ironveil(&["keys", "generate", "--out", name]).status.success());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let first = fs::read_to_string(&path).unwrap();
    assert_eq!(first.trim().len(), 64);
    assert_eq!(ironveil(&["keys", "generate", "--out", name]).status.code(), Some(1));
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
    assert_ne!(text(&ironveil(&["keys", "generate"])), text(&ironveil(&["keys", "generate"])));
}

#[test]
fn check_names_every_fault_with_file_line_and_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("proxy.yaml");
    fs::write(&path, "listen: { postgres: x }\ndatabases: []\nrules:\n  - { column: a, strategy: emial }\n")
        .unwrap();
    let output = ironveil(&["check", path.to_str().unwrap()]);
    let (name, said) = (path.display(), text(&output));
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&format!("{name}: line 1: listen.postgres: ")), "{said}");
    assert!(said.contains(&format!("{name}: line 4: rules[0].strategy: unknown function `emial`")), "{said}");

    let key = directory.path().join("key");
    assert!(ironveil(&["keys", "generate", "--out", key.to_str().unwrap()]).status.success());
    let good = format!(
        "keys: {{ root: {{ file: '{}' }} }}\ndatabases: [{{ name: a, upstream: 'postgres://localhost' }}]\nrules: [{{ column: a, strategy: email }}]\n",
        key.display()
    );
    fs::write(&path, &good).unwrap();
    let output = ironveil(&["check", path.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output));
    let hidden = good.replace("[{ column: a, strategy: email }]", "[{ name: first, column: a, strategy: email }, { name: mine, who: { user: me }, column: a, strategy: hash }, { name: last, table: t, column: a, strategy: name }, { name: wide, column: 'b*', strategy: hash }, { name: narrow, column: 'b?d', strategy: hash }, { name: other, column: '?b', strategy: hash }]");
    fs::write(&path, hidden).unwrap();
    let output = ironveil(&["check", path.to_str().unwrap()]);
    let said = text(&output);
    assert!(output.status.code() == Some(1) && said.contains("line 3: rules[1]: "), "{said}");
    for (name, before) in [("mine", "first"), ("last", "first"), ("narrow", "wide")] {
        assert!(said.contains(&format!("rule {name} is never reached: {before} comes before it")), "{said}");
    }
    assert_eq!(said.matches("never reached").count(), 3, "{said}");
    let kept = good.replace("' } }\n", &format!("' }}, previous: [{{ file: '{}.1' }}] }}\n", key.display()));
    fs::write(&path, kept).unwrap();
    let said = text(&ironveil(&["check", path.to_str().unwrap()]));
    assert!(said.contains("keys.previous, number 1"), "{said}");
    fs::write(&path, good.replace("/key", "/nokey")).unwrap();
    assert_eq!(ironveil(&["check", path.to_str().unwrap()]).status.code(), Some(1));
}

#[test]
fn run_says_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let bare = Command::new(env!("CARGO_BIN_EXE_ironveil"))
        .arg("run")
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(text(&bare).contains("--upstream postgres://"), "{}", text(&bare));
    let output = ironveil(&["run", "--upstream", "nonsense", "--rule", "users.email=email"]);
    assert!(text(&output).contains("postgres://host:port/database"), "{}", text(&output));
    let output =
        ironveil(&["run", "--upstream", "postgres://127.0.0.1", "--rule", "email", "--rule", "a.b=c"]);
    let said = text(&output);
    assert!(said.contains("--rule email: ") && said.contains("--rule a.b=c: "), "{said}");
}

#[test]
fn the_demo_shows_both_sides_and_leaves_nothing() {
    shows_both_sides(&["demo", "--once", "--listen", "127.0.0.1:0"]);
}

#[test]
fn the_demo_of_mariadb_does_too() {
    shows_both_sides(&["demo", "--mysql", "--once", "--listen", "127.0.0.1:0"]);
}

fn shows_both_sides(arguments: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    // The server's user has to be able to enter.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ironveil"))
        .args(arguments)
        .env("TMPDIR", directory.path())
        .output()
        .unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("marco.dubois1@mail-b.test") && said.contains("@example."), "{said}");
    for line in said.lines().filter(|line| line.contains("@mail-")) {
        assert!(
            line.find("@mail-") < line.find("@example.").or(Some(usize::MAX)),
            "clear on the masked side: {line}"
        );
    }
    // A record is found by its mask, and writing that back changes nothing.
    let last = said.lines().rfind(|line| line.contains("lena.svensson2@mail-c.test")).unwrap_or_default();
    assert!(last.contains("Brno") && last.contains("@example.com"), "{said}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "the demo left files");
}

#[test]
fn explain_says_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (directory.path().join("proxy.yaml"), directory.path().join("key"));
    assert!(ironveil(&["keys", "generate", "--out", key.to_str().unwrap()]).status.success());
    let upstream = "postgres://127.0.0.1:1";
    let config = format!(
        "keys: {{ root: {{ file: '{}' }} }}\ndatabases: [{{ name: shop, upstream: '{upstream}' }}]\nrules: [{{ column: a, strategy: email }}]\n",
        key.display()
    );
    fs::write(&path, config).unwrap();
    let explain = |database| {
        let output = ironveil(&[
            "explain",
            "--config",
            path.to_str().unwrap(),
            "--database",
            database,
            "--user",
            "app",
            "select 1",
        ]);
        assert_eq!(output.status.code(), Some(1));
        text(&output)
    };
    assert!(explain("other").contains("no entry of \"databases\""), "{}", explain("other"));
    assert!(explain("shop").contains("127.0.0.1:1"), "{}", explain("shop"));
}

/// Masks are revealed by the key that made them, also when it is no longer the root key, and nothing but that is logged.
#[test]
fn values_are_masked_and_unmasked_on_the_command_line() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (old, new, config) = (place("old.key"), place("new.key"), place("proxy.yaml"));
    for key in [&old, &new] {
        assert!(ironveil(&["keys", "generate", "--out", key]).status.success());
    }
    let with_keys = |keys: &str| {
        let rules = "\
            - { table: users, column: email, strategy: { email: { mode: fpe } } }\n  \
            - { table: users, column: id, strategy: int_perm }\n  \
            - { table: users, column: name, strategy: name }\n  \
            - { table: users, column: note, strategy: token }\n";
        let databases = "[{ name: '*', upstream: 'postgres://localhost' }]";
        fs::write(&config, format!("keys: {keys}\ndatabases: {databases}\nrules:\n  {rules}")).unwrap();
    };
    let said = |arguments: &[&str]| {
        let output = ironveil(&[&arguments[..1], &["--config", &config], &arguments[1..]].concat());
        let out = String::from_utf8(output.stdout).unwrap().trim_end().to_owned();
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(!log.contains("jane"), "{log}");
        if output.status.success() { Ok((out, log)) } else { Err(log) }
    };
    with_keys(&format!("{{ root: {{ command: [cat, '{old}'] }} }}"));
    let (email, _) = said(&["mask", "--column", "users.email", "jane@corp.example"]).unwrap();
    let (ids, _) = said(&["mask", "--column", "users.id", "--type", "int8", "1", "2", "x"]).unwrap();
    let (token, _) = said(&["mask", "--column", "public.users.note", "jane"]).unwrap();
    let ids: Vec<&str> = ids.lines().collect();
    assert!(email.ends_with("@example.com") && ids.len() == 3 && ids[2] == "NULL", "{email} {ids:?}");

    with_keys(&format!("{{ root: {{ file: '{new}' }}, previous: [ {{ file: '{old}' }} ] }}"));
    let (other, _) = said(&["mask", "--column", "users.email", "jane@corp.example"]).unwrap();
    assert_ne!(other, email);
    // Masks may begin with a hyphen.
    for (column, mask, value) in
        [("users.email", email.as_str(), "jane@corp.example"), ("users.note", &token, "jane")]
    {
        let (revealed, log) = said(&["unmask", "--previous", "1", "--column", column, "--", mask]).unwrap();
        assert_eq!(revealed, value);
        assert!(log.contains("\"event\":\"unmask\"") && log.contains(column), "{log}");
        assert!(said(&["unmask", "--column", column, "--", mask]).is_err());
    }
    let revealed =
        said(&["unmask", "--previous", "1", "--column", "users.id", "--type", "int8", "--", ids[1]]);
    assert_eq!(revealed.unwrap().0, "2");
    for (arguments, problem) in [
        (&["unmask", "--column", "users.name", "Alan Boateng"][..], "cannot be undone"),
        (&["unmask", "--previous", "2", "--column", "users.id", "1"], "keys.previous has 1 key"),
        (&["mask", "--column", "users.age", "1"], "no rule masks users.age"),
        (&["mask", "--column", "email", "1"], "TABLE.COLUMN"),
        (&["mask", "--column", "users.id", "1"], "no masks for the type text"),
        (&["mask", "--column", "users.id", "--type", "int", "1"], "--type is one of text"),
    ] {
        let log = said(arguments).unwrap_err();
        assert!(log.contains(problem), "{arguments:?}: {log}");
    }
}
