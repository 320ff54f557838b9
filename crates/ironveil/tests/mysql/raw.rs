//! A client that sends exact bytes, and checks the number of every packet that comes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use veil_net::mysql::password::{Nonce, native, rsa, sha2};
use veil_testkit::MySql;
use veil_wire::mysql::auth::{Request, plugin};
use veil_wire::mysql::frame::{self, HEADER, Header};
use veil_wire::mysql::reply::{self, End, Prepared};
use veil_wire::mysql::startup::{Greeting, Response};
use veil_wire::mysql::{capability as cap, command};

pub struct Raw {
    stream: TcpStream,
    sequence: u8,
    /// Everything that came, for a look at every byte.
    pub seen: Vec<u8>,
    pub capabilities: u64,
    pub greeting: Greeting,
    /// Of the columns of the statement that was prepared last.
    pub definitions: Vec<Vec<u8>>,
    /// A cursor was asked for last.
    cursor: bool,
}

/// One result: its rows, or its error, and whether another follows.
#[derive(Debug, Default)]
pub struct Answer {
    pub definitions: Vec<Vec<u8>>,
    pub rows: Vec<Vec<u8>>,
    pub status: u16,
    pub warnings: u16,
    pub error: Option<(u16, String)>,
}

impl Raw {
    /// Signs in without the capabilities in `without`.
    pub fn connect(port: u16, without: u64) -> Self {
        Self::connect_as(port, without, MySql::user(), MySql::user_password())
    }

    pub fn connect_as(port: u16, without: u64, user: &str, password: &str) -> Self {
        let mut raw = Self::open(port);
        raw.capabilities = raw.greeting.capabilities & !without & !cap::SSL | cap::CONNECT_WITH_DB;
        let nonce = Nonce::parse(&raw.greeting.nonce).unwrap();
        let response = Response {
            capabilities: raw.capabilities,
            packet_max: 1 << 30,
            collation: 45,
            user: user.into(),
            proof: native::response(password.as_bytes(), &nonce),
            database: b"shop".to_vec(),
            plugin: plugin::NATIVE.to_vec(),
            attributes: Vec::new(),
        };
        raw.write(|out| response.put(out));
        raw.finish_login(password);
        raw
    }

    /// Connects and reads the greeting.
    pub fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        let empty = Greeting {
            version: Vec::new(),
            connection: 0,
            nonce: [0; 20],
            capabilities: 0,
            collation: 0,
            status: 0,
            plugin: Vec::new(),
        };
        let mut raw = Self {
            stream,
            sequence: 0,
            seen: Vec::new(),
            capabilities: 0,
            greeting: empty,
            definitions: Vec::new(),
            cursor: false,
        };
        raw.greeting = Greeting::decode(&raw.read()).unwrap();
        raw
    }

    /// Answers what the server asks until there is OK.
    pub fn finish_login(&mut self, password: &str) {
        let mut nonce = None;
        loop {
            let packet = self.read();
            match Request::decode(&packet).unwrap() {
                Request::Ok => return,
                Request::Switch { plugin, data } => {
                    let challenge = Nonce::parse(data).unwrap();
                    let answer = match plugin {
                        plugin::NATIVE => native::response(password.as_bytes(), &challenge),
                        _ => sha2::response(password.as_bytes(), &challenge),
                    };
                    nonce = Some(challenge);
                    self.write(|out| out.extend(&answer));
                }
                Request::More([3]) => {}
                Request::More([4]) => {
                    self.write(|out| out.push(2));
                    let pem = self.read();
                    let sealed = rsa::encrypt(&pem[1..], password.as_bytes(), &nonce.unwrap()).unwrap();
                    self.write(|out| out.extend(&sealed));
                }
                other => panic!("{other:?} {}", String::from_utf8_lossy(&packet)),
            }
        }
    }

    /// Sends a packet by the next number.
    pub fn write(&mut self, body: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        frame::write(&mut out, &mut self.sequence, body);
        self.stream.write_all(&out).unwrap();
    }

    /// Sends a command.
    pub fn send(&mut self, payload: &[u8]) {
        self.sequence = 0;
        self.write(|out| out.extend_from_slice(payload));
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.sequence = 1;
        self.stream.write_all(bytes).unwrap();
    }

    pub fn query_payload(&self, sql: &[u8]) -> Vec<u8> {
        let mut payload = vec![command::QUERY];
        if self.capabilities & cap::QUERY_ATTRIBUTES != 0 {
            payload.extend([0, 1]);
        }
        payload.extend_from_slice(sql);
        payload
    }

    pub fn query(&mut self, sql: &str) -> Vec<Answer> {
        let payload = self.query_payload(sql.as_bytes());
        self.send(&payload);
        self.answers()
    }

    /// Reads a message; panics if its number is not the next.
    pub fn read(&mut self) -> Vec<u8> {
        self.try_read().expect("the connection is closed")
    }

    pub fn try_read(&mut self) -> Option<Vec<u8>> {
        let mut payload = Vec::new();
        loop {
            let mut header = [0; HEADER];
            self.stream.read_exact(&mut header).ok()?;
            let header = Header::decode(&header).unwrap();
            assert_eq!(header.sequence, self.sequence, "packet out of order");
            self.sequence = self.sequence.wrapping_add(1);
            let start = payload.len();
            payload.resize(start + header.body, 0);
            self.stream.read_exact(&mut payload[start..]).ok()?;
            self.seen.extend_from_slice(&payload[start..]);
            if !header.continues() {
                return Some(payload);
            }
        }
    }

    /// Reads results up to the last.
    pub fn answers(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        loop {
            let answer = self.answer();
            let more = answer.error.is_none() && answer.status & reply::status::MORE_RESULTS != 0;
            answers.push(answer);
            if !more {
                return answers;
            }
        }
    }

    pub fn answer(&mut self) -> Answer {
        let mut answer = Answer::default();
        let first = self.read();
        match first[0] {
            reply::OK => answer.status = End::decode_ok(&first).unwrap().status,
            reply::ERR => answer.error = Some(error(&first)),
            count => {
                answer.definitions = (0..count).map(|_| self.read()).collect();
                let mut open = false;
                if self.capabilities & cap::DEPRECATE_EOF == 0 {
                    answer.status = End::decode_eof(&self.read(), 0).unwrap().status;
                    open = self.cursor && answer.status & reply::status::CURSOR_EXISTS != 0;
                }
                if !open {
                    self.rows(&mut answer);
                }
            }
        }
        answer
    }

    /// Reads rows up to their end.
    pub fn rows(&mut self, answer: &mut Answer) {
        loop {
            let row = self.read();
            if row[0] == reply::ERR {
                answer.error = Some(error(&row));
                return;
            }
            if reply::ends_rows(row[0], row.len(), self.capabilities) {
                answer.status = End::decode_eof(&row, self.capabilities).unwrap().status;
                let at = if self.capabilities & cap::DEPRECATE_EOF == 0 { 1 } else { 5 };
                answer.warnings = u16::from_le_bytes([row[at], row[at + 1]]);
                return;
            }
            answer.rows.push(row);
        }
    }

    /// Prepares a statement; returns its number.
    pub fn prepare(&mut self, sql: &str) -> Result<Prepared, (u16, String)> {
        self.send(&[&[22], sql.as_bytes()].concat());
        self.prepared()
    }

    pub fn prepared(&mut self) -> Result<Prepared, (u16, String)> {
        let first = self.read();
        if first[0] == reply::ERR {
            return Err(error(&first));
        }
        let prepared = Prepared::decode(&first).unwrap();
        let eof = usize::from(self.capabilities & cap::DEPRECATE_EOF == 0);
        for count in [prepared.parameters, prepared.columns].map(usize::from) {
            self.definitions = (0..count).map(|_| self.read()).collect();
            (0..if count > 0 { eof } else { 0 }).for_each(|_| drop(self.read()));
        }
        Ok(prepared)
    }

    /// Executes a statement without parameters; a cursor if `cursor`.
    pub fn execute(&mut self, statement: u32, cursor: bool) -> Answer {
        self.cursor = cursor;
        self.send(&execute_payload(statement, cursor));
        self.answer()
    }
}

pub fn execute_payload(statement: u32, cursor: bool) -> Vec<u8> {
    let mut payload = vec![23];
    payload.extend(statement.to_le_bytes());
    payload.push(u8::from(cursor));
    payload.extend(1_u32.to_le_bytes());
    payload
}

fn error(payload: &[u8]) -> (u16, String) {
    let error = reply::Error::decode(payload).unwrap();
    (error.number, String::from_utf8_lossy(error.message).into_owned())
}
