//! A client that sends exactly the bytes that a test wants.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use veil_wire::pg::command::{self, BindNames, Parse, Target};
use veil_wire::pg::frame::{self, HEADER, Header};
use veil_wire::pg::reply;
use veil_wire::pg::row::Cells;
use veil_wire::pg::startup::{self, Version};

pub struct Raw {
    pub tcp: TcpStream,
    read: Vec<u8>,
    pub process: i32,
    pub key: Vec<u8>,
    /// Everything that came, for a look at every byte.
    pub seen: Vec<u8>,
}

/// A message from the server.
#[derive(Clone)]
pub struct Reply {
    pub tag: char,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.tag, String::from_utf8_lossy(&self.body))
    }
}

impl Reply {
    /// The cells of a row as text.
    pub fn cells(&self) -> Vec<Option<String>> {
        let mut cells = Cells::decode(&self.body).unwrap();
        let mut out = Vec::new();
        while let Some(cell) = cells.step().unwrap() {
            out.push(cell.map(|cell| String::from_utf8_lossy(cell).into_owned()));
        }
        out
    }

    /// A field of an error.
    pub fn field(&self, code: u8) -> String {
        let fields = reply::decode_error(&self.body).unwrap();
        String::from_utf8_lossy(fields.field(code).unwrap_or_default()).into_owned()
    }
}

impl Raw {
    pub fn connect(port: u16) -> Self {
        Self::connect_with(port, Version::V3_0, &[])
    }

    pub fn connect_with(port: u16, version: Version, more: &[(&str, &str)]) -> Self {
        let mut raw = Self::open(port);
        let fixed = [("user", "postgres"), ("database", "shop"), ("client_encoding", "UTF8")];
        let mut out = Vec::new();
        startup::write_session(&mut out, version, fixed.into_iter().chain(more.iter().copied()));
        raw.send(&out);
        for reply in raw.until_ready() {
            if reply.tag == 'K' {
                let (process, key) = reply::decode_key(&reply.body).unwrap();
                (raw.process, raw.key) = (process, key.to_vec());
            }
        }
        raw
    }

    /// A connection on which nothing has been said.
    pub fn open(port: u16) -> Self {
        let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        tcp.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        tcp.set_nodelay(true).unwrap();
        Self { tcp, read: Vec::new(), process: 0, key: Vec::new(), seen: Vec::new() }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.tcp.write_all(bytes).unwrap();
    }

    /// The next message; `None` once the server has closed.
    pub fn next(&mut self) -> Option<Reply> {
        loop {
            if let Some(header) = Header::decode(&self.read).unwrap()
                && self.read.len() >= header.total()
            {
                let message: Vec<u8> = self.read.drain(..header.total()).collect();
                return Some(Reply { tag: char::from(message[0]), body: message[HEADER..].to_vec() });
            }
            let mut chunk = [0; 65_536];
            let count = match self.tcp.read(&mut chunk) {
                Ok(0) => return None,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no answer: {error}"),
            };
            self.read.extend(&chunk[..count]);
            self.seen.extend(&chunk[..count]);
        }
    }

    /// All messages up to ReadyForQuery.
    pub fn until_ready(&mut self) -> Vec<Reply> {
        let mut all = Vec::new();
        loop {
            let reply = self.next().unwrap_or_else(|| panic!("closed after {all:?}"));
            let ready = reply.tag == 'Z';
            all.push(reply);
            if ready {
                return all;
            }
        }
    }

    /// All messages until the server closes.
    pub fn until_closed(&mut self) -> Vec<Reply> {
        std::iter::from_fn(|| self.next()).collect()
    }

    pub fn query(&mut self, sql: &str) -> Vec<Reply> {
        let mut out = Vec::new();
        command::write_query(&mut out, sql.as_bytes());
        self.send(&out);
        self.until_ready()
    }

    /// Sends a group of commands as `script` writes them, and Sync.
    pub fn group(&mut self, script: impl FnOnce(&mut Group) -> &mut Group) -> Vec<Reply> {
        let mut group = Group(Vec::new());
        script(&mut group);
        group.sync();
        self.send(&group.0);
        self.until_ready()
    }
}

/// Commands in a row.
pub struct Group(pub Vec<u8>);

impl Group {
    pub fn parse(&mut self, name: &str, sql: &str) -> &mut Self {
        Parse { name: name.as_bytes(), text: sql.as_bytes(), types: &[] }.write(&mut self.0);
        self
    }

    pub fn bind(&mut self, portal: &str, statement: &str) -> &mut Self {
        let names = BindNames { portal: portal.as_bytes(), statement: statement.as_bytes() };
        command::write_bind(&mut self.0, names, &[]);
        self
    }

    pub fn describe_portal(&mut self, name: &str) -> &mut Self {
        command::write_describe(&mut self.0, Target::Portal(name.as_bytes()));
        self
    }

    pub fn describe_statement(&mut self, name: &str) -> &mut Self {
        command::write_describe(&mut self.0, Target::Statement(name.as_bytes()));
        self
    }

    pub fn execute(&mut self, portal: &str, rows_max: i32) -> &mut Self {
        frame::write(&mut self.0, b'E', |out| {
            frame::put_cstr(out, portal);
            out.extend(rows_max.to_be_bytes());
        });
        self
    }

    pub fn close_statement(&mut self, name: &str) -> &mut Self {
        command::write_close(&mut self.0, Target::Statement(name.as_bytes()));
        self
    }

    pub fn flush(&mut self) -> &mut Self {
        frame::write(&mut self.0, b'H', |_| ());
        self
    }

    pub fn sync(&mut self) -> &mut Self {
        command::write_sync(&mut self.0);
        self
    }

    pub fn copy_data(&mut self, data: impl AsRef<[u8]>) -> &mut Self {
        frame::write(&mut self.0, b'd', |out| out.extend(data.as_ref()));
        self
    }

    pub fn copy_done(&mut self) -> &mut Self {
        frame::write(&mut self.0, b'c', |_| ());
        self
    }
}

/// The message types in order, as one text.
pub fn tags(replies: &[Reply]) -> String {
    replies.iter().map(|reply| reply.tag).filter(|tag| !"SNA".contains(*tag)).collect()
}

/// The rows among some replies.
pub fn rows(replies: &[Reply]) -> Vec<Vec<Option<String>>> {
    replies.iter().filter(|reply| reply.tag == 'D').map(Reply::cells).collect()
}
