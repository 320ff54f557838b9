//! The audit's chain: whatever is done to it afterwards is found; and its files come and go as they should.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use veil_control::{Audit, Receiver, Rotation, Signer, unhex, verify};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("audit")
    }

    fn open(&self, rotation: Rotation) -> Audit {
        Audit::open(&self.path(), rotation, Signer::new(&[7; 32]).unwrap(), None).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn key() -> Vec<u8> {
    unhex(&Signer::new(&[7; 32]).unwrap().public_key()).unwrap()
}

fn write(audit: &Audit, from: usize, to: usize) {
    for at in from..to {
        audit.record("masked", &[("user", json!("ann")), ("rows", json!(at))]).unwrap();
    }
}

fn faults(path: &Path) -> Vec<(usize, String)> {
    let report = verify(path, &[key()]).unwrap();
    report.faults.into_iter().map(|(_, line, what)| (line, what)).collect()
}

#[test]
fn what_is_done_to_lines_is_found() {
    let place = Place::new();
    let audit = place.open(Rotation::default());
    write(&audit, 0, 10);
    audit.checkpoint();
    write(&audit, 10, 15);
    audit.checkpoint();
    drop(audit);
    let path = place.path();
    let report = verify(&path, &[key()]).unwrap();
    assert_eq!(
        (report.lines, report.first, report.last, report.checkpoints, report.unsigned),
        (19, 1, 19, 4, 0)
    );
    assert!(report.faults.is_empty(), "{report}");
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let with = |changed: Vec<String>| {
        std::fs::write(&path, changed.join("\n") + "\n").unwrap();
        faults(&path)
    };
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<String>>();
    // Each line, changed, removed, moved, or written twice.
    for at in 0..lines.len() {
        let mut changed = owned(&lines);
        changed[at] = changed[at].replacen("\"seq\"", "\"Seq\"", 1);
        assert!(with(changed).iter().any(|(line, _)| *line == at + 1), "{at} changed");
        let mut changed = owned(&lines);
        changed[at] = changed[at].replace("ann", "bob").replace("checkpoint", "heckpoint");
        assert!(with(changed).iter().any(|(line, _)| *line == at + 1), "{at} changed");
        let mut changed = owned(&lines);
        changed.remove(at);
        let found = with(changed);
        // What nothing follows is not missed; its number is told.
        assert!(
            found.iter().any(|(line, _)| *line == at + 1) || at == lines.len() - 1,
            "{at} removed: {found:?}"
        );
        let mut changed = owned(&lines);
        changed.insert(at, lines[at].to_owned());
        assert!(!with(changed).is_empty(), "{at} twice");
        if at > 0 {
            let mut changed = owned(&lines);
            changed.swap(at - 1, at);
            assert!(!with(changed).is_empty(), "{at} moved");
        }
    }
    // Other ends of lines, empty lines, and other words in what is signed.
    for changed in [
        whole.replace('\n', "\r\n"),
        whole.replacen('\n', "\n\n", 1),
        whole.replacen("\"event\":\"checkpoint\"", "\"event\":\"login\",\"event\":\"checkpoint\"", 1),
    ] {
        std::fs::write(&path, changed).unwrap();
        assert!(!faults(&path).is_empty());
    }
    // Whoever writes it all anew cannot sign it.
    std::fs::remove_file(&path).unwrap();
    let forged = Audit::open(&path, Rotation::default(), Signer::new(&[8; 32]).unwrap(), None).unwrap();
    write(&forged, 0, 10);
    forged.checkpoint();
    let found = faults(&path);
    assert!(
        found.len() == 3 && found.iter().all(|(_, what)| what.starts_with("the checkpoint is not signed")),
        "{found:?}"
    );
    // Nor leave the signatures out.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.lines()
            .skip(1)
            .map(|line| {
                format!(
                    "{line}
"
                )
            })
            .collect::<String>(),
    )
    .unwrap();
    assert!(faults(&path)[0].1.starts_with("files begin with a checkpoint"));
}

#[test]
fn what_is_added_by_somebody_else_while_it_is_open_is_not_signed_away() {
    let forge = |whole: &str| {
        // A line with a hash of its own, behind the third.
        let other = tempfile::tempdir().unwrap();
        let path = other.path().join("audit");
        std::fs::write(&path, whole.split_inclusive('\n').take(3).collect::<String>()).unwrap();
        Audit::open(&path, Rotation::default(), Signer::new(&[8; 32]).unwrap(), None)
            .unwrap()
            .record("forged", &[])
            .unwrap();
        std::fs::read_to_string(&path).unwrap()
    };
    for forged in [true, false] {
        let place = Place::new();
        let audit = place.open(Rotation::default());
        write(&audit, 0, 6);
        let whole = std::fs::read_to_string(place.path()).unwrap();
        let changed = if forged { forge(&whole) } else { whole.split_inclusive('\n').take(3).collect() };
        std::fs::write(place.path(), changed).unwrap();
        write(&audit, 6, 8);
        audit.checkpoint();
        assert!(!faults(&place.path()).is_empty(), "{forged}");
    }
}

#[test]
fn long_stretches_are_signed() {
    let place = Place::new();
    write(&place.open(Rotation::default()), 0, 2);
    assert_eq!(place.open(Rotation::default()).unsigned(), 1);
    let audit =
        Audit::open(&place.path(), Rotation::default(), Signer::new(&[7; 32]).unwrap(), None).unwrap();
    write(&audit, 0, 1500);
    let report = verify(&place.path(), &[key()]).unwrap();
    assert!(report.faults.is_empty() && report.checkpoints == 4 && report.unsigned < 1000, "{report}");
}

#[test]
fn a_crash_leaves_no_half_line() {
    let place = Place::new();
    write(&place.open(Rotation::default()), 0, 3);
    let whole = std::fs::read(place.path()).unwrap();
    let mut torn = whole.clone();
    torn.extend(&whole[..40]);
    std::fs::write(place.path(), torn).unwrap();
    let audit = place.open(Rotation::default());
    assert_eq!(std::fs::read(place.path()).unwrap(), whole);
    write(&audit, 3, 5);
    assert!(faults(&place.path()).is_empty());
    std::fs::write(place.path(), "something else\n").unwrap();
    let refused = Audit::open(&place.path(), Rotation::default(), Signer::new(&[7; 32]).unwrap(), None);
    assert!(refused.err().unwrap().to_string().contains("none of the audit's"));
}

#[test]
fn two_processes_write_one_chain() {
    let place = Place::new();
    let rotation = Rotation { bytes: 4000, ..Rotation::default() };
    let (one, two) = (place.open(rotation.clone()), place.open(rotation));
    std::thread::scope(|scope| {
        scope.spawn(|| write(&one, 0, 50));
        scope.spawn(|| write(&two, 50, 100));
    });
    let report = verify(&place.path(), &[key()]).unwrap();
    assert!(report.faults.is_empty() && report.lines - report.checkpoints == 100, "{report}");
}

#[test]
fn files_are_put_aside_compressed_and_removed() {
    let place = Place::new();
    let rotation = Rotation { bytes: 3000, compress: true, keep: None, after: None };
    let audit = place.open(rotation.clone());
    write(&audit, 0, 100);
    let since = Instant::now();
    while place.files().iter().filter(|name| name.ends_with(".gz")).count() < 5 {
        assert!(since.elapsed() < Duration::from_secs(20), "{:?}", place.files());
        std::thread::sleep(Duration::from_millis(20));
        audit.record("masked", &[]).unwrap();
    }
    let report = verify(&place.path(), &[key()]).unwrap();
    assert!(report.faults.is_empty() && report.lines >= 100 && report.first == 1, "{report}");
    drop(audit);
    // It goes on behind what was put aside, although its own file is new.
    let last = report.last;
    let audit = place.open(Rotation { keep: Some(Duration::from_millis(1)), ..rotation });
    write(&audit, 0, 60);
    let since = Instant::now();
    loop {
        let report = verify(&place.path(), &[key()]).unwrap();
        assert!(report.faults.is_empty() && report.last > last, "{report}");
        if report.first > 1 {
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "{:?}", place.files());
        std::thread::sleep(Duration::from_millis(20));
        audit.record("masked", &[]).unwrap();
    }
}

#[test]
fn files_are_put_aside_when_they_are_old() {
    let place = Place::new();
    let audit = place.open(Rotation { after: Some(Duration::from_millis(200)), ..Rotation::default() });
    write(&audit, 0, 2);
    std::thread::sleep(Duration::from_millis(300));
    write(&audit, 2, 3);
    assert_eq!(place.files(), ["audit", "audit.000000000004"]);
    assert!(faults(&place.path()).is_empty());
}

#[test]
fn events_are_syslog_messages_too() {
    let place = Place::new();
    let wait = Some(Duration::from_secs(20));
    let check = |message: &str| {
        let (head, event) = message.split_at(message.find('{').unwrap());
        assert!(
            head.starts_with("<110>1 2") && head.contains(" ironveil ") && head.ends_with(" masked - "),
            "{head}"
        );
        assert_eq!(serde_json::from_str::<Value>(event).unwrap()["user"], "ann");
    };
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(wait).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let signer = || Signer::new(&[7; 32]).unwrap();
    let to = Receiver::Udp(udp.local_addr().unwrap().to_string());
    let audit = Audit::open(&place.path(), Rotation::default(), signer(), Some(to)).unwrap();
    write(&audit, 0, 1);
    let mut message = [0; 4096];
    let mut of_masked = || loop {
        let count = udp.recv(&mut message).unwrap();
        let text = std::str::from_utf8(&message[..count]).unwrap().to_owned();
        if !text.contains(" checkpoint - ") {
            break text;
        }
    };
    check(&of_masked());
    let to = Receiver::Tcp(tcp.local_addr().unwrap().to_string());
    let audit = Audit::open(&place.path(), Rotation::default(), signer(), Some(to)).unwrap();
    write(&audit, 0, 2);
    let (mut stream, _) = tcp.accept().unwrap();
    stream.set_read_timeout(wait).unwrap();
    let mut seen = 0;
    while seen < 2 {
        let mut digits = String::new();
        loop {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            if byte[0] == b' ' {
                break;
            }
            digits.push(char::from(byte[0]));
        }
        let mut message = vec![0; digits.parse().unwrap()];
        stream.read_exact(&mut message).unwrap();
        let text = std::str::from_utf8(&message).unwrap();
        if !text.contains(" checkpoint - ") {
            check(text);
            seen += 1;
        }
    }
    // One that is not there is no reason to write less.
    let audit =
        Audit::open(&place.path(), Rotation::default(), signer(), Some(Receiver::Unix("/nowhere".into())))
            .unwrap();
    write(&audit, 0, 3);
    let since = Instant::now();
    while audit.unsent() < 4 {
        assert!(since.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(faults(&place.path()).is_empty());
}
