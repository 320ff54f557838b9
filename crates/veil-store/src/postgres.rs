//! In a PostgreSQL that several proxies share.
//!
//! One session belongs to the store. It hears of changes by NOTIFY; where it is lost it is made again, and what is known holds until then.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Row};
use veil_net::connect::Target;

use crate::{Change, Key, Result, SCANS_MAX, Scan, State, Store, StoreError, Version};

/// After the session was lost, it is tried again after so long.
const RETRY: Duration = Duration::from_millis(500);
/// A statement may take so long.
const STATEMENT_MAX: Duration = Duration::from_secs(10);
/// A server that says nothing is asked so often whether it is there.
const ALIVE_INTERVAL: Duration = Duration::from_secs(5);
const CHANNEL: &str = "ironveil_rules";

/// What makes each version of the schema of the one before.
const MIGRATIONS: [&str; 2] = [
    "
    create table ironveil.versions (
        number bigint primary key, time bigint not null, author text not null, comment text not null,
        rules text not null
    );
    create table ironveil.keys (
        id text primary key, name text not null, role text not null, hash text not null, created bigint not null,
        created_by text not null, expires bigint, revoked bigint
    );
",
    "
    create table ironveil.scans (
        id text collate \"C\" primary key, database text not null, began bigint not null, ended bigint not null, author text not null,
        outcome text not null, summary text not null, report text not null
    );
    create index scans_of on ironveil.scans (database, id);
",
];

const VERSION: &str = "select number, time, author, comment, rules from ironveil.versions";

/// Who signs in, and where.
#[derive(Clone)]
pub struct Place {
    /// The servers; the first that can be used is.
    pub targets: Vec<Target>,
    /// User, password and database.
    pub login: Config,
}

/// A PostgreSQL database.
pub struct PostgresStore {
    runtime: Handle,
    place: Place,
    client: Mutex<Option<Client>>,
    state: watch::Sender<State>,
}

impl PostgresStore {
    /// Connects, makes what is missing, and stays connected for as long as the runtime lives.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn open(place: Place) -> Result<Arc<Self>> {
        let state = watch::channel(State::default()).0;
        let store = Arc::new(Self { runtime: Handle::current(), place, client: Mutex::default(), state });
        let lost = store.connect().await?;
        tokio::spawn(Arc::clone(&store).keep(lost));
        Ok(store)
    }

    /// A session; what is returned says when it has ended.
    async fn connect(self: &Arc<Self>) -> Result<tokio::task::JoinHandle<()>> {
        let mut failed = StoreError::Unavailable("there is no server".to_owned());
        for target in &self.place.targets {
            match self.connect_to(target).await {
                Ok(ended) => return Ok(ended),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn connect_to(self: &Arc<Self>, target: &Target) -> Result<tokio::task::JoinHandle<()>> {
        let unavailable = |error: veil_net::NetError| StoreError::Unavailable(error.to_string());
        let connected = target.connect().await.map_err(unavailable)?;
        let (mut client, mut connection) = self.place.login.connect_raw(connected.stream, NoTls).await?;
        let store = Arc::clone(self);
        let ended = tokio::spawn(async move {
            loop {
                match poll_fn(|cx| connection.poll_message(cx)).await {
                    Some(Ok(AsyncMessage::Notification(_))) => {
                        store.state.send_modify(|state| state.changes += 1);
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                }
            }
        });
        limited(migrate(&mut client)).await?;
        limited(client.batch_execute(&format!("listen {CHANNEL}"))).await?;
        *self.client.lock().await = Some(client);
        Ok(ended)
    }

    /// Connects again whenever the session is lost.
    async fn keep(self: Arc<Self>, mut ended: tokio::task::JoinHandle<()>) {
        loop {
            tokio::select! {
                _ = &mut ended => {}
                () = self.dies() => ended.abort(),
            }
            *self.client.lock().await = None;
            self.lose("the connection was lost");
            ended = loop {
                tokio::time::sleep(RETRY).await;
                match self.connect().await {
                    Ok(ended) => break ended,
                    Err(error) => self.lose(&error.to_string()),
                }
            };
            tracing::info!("the store is there again");
            // What was changed in between has to be read.
            self.state.send_modify(|state| {
                state.lost = None;
                state.changes += 1;
            });
        }
    }

    /// Returns when the server answers no more.
    async fn dies(&self) {
        loop {
            tokio::time::sleep(ALIVE_INTERVAL).await;
            let client = self.client.lock().await;
            let Some(client) = client.as_ref() else { return };
            if limited(client.batch_execute("")).await.is_err() {
                return;
            }
        }
    }

    fn lose(&self, why: &str) {
        self.state.send_if_modified(|state| {
            let first = state.lost.is_none();
            if first {
                tracing::warn!(why, "the store is lost; the rules that are known hold");
            }
            state.lost = Some(why.to_owned());
            first
        });
    }

    /// Waits for something that is done with the session.
    fn with<T>(&self, work: impl AsyncFnOnce(&mut Client) -> Result<T>) -> Result<T> {
        let done = async {
            let mut client = self.client.lock().await;
            let why = || self.state.borrow().lost.clone().unwrap_or_else(|| "it is not connected".to_owned());
            let client = client.as_mut().ok_or_else(|| StoreError::Unavailable(why()))?;
            limited(work(client)).await
        };
        tokio::task::block_in_place(|| self.runtime.block_on(done))
    }
}

async fn limited<T, E: Into<StoreError>>(work: impl Future<Output = std::result::Result<T, E>>) -> Result<T> {
    match tokio::time::timeout(STATEMENT_MAX, work).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(StoreError::Unavailable("it does not answer".to_owned())),
    }
}

async fn migrate(client: &mut Client) -> std::result::Result<(), StoreError> {
    let transaction = client.transaction().await?;
    // Proxies that start together wait for one another.
    transaction.batch_execute("select pg_advisory_xact_lock(5318008731)").await?;
    transaction
        .batch_execute(
            "create schema if not exists ironveil; create table if not exists ironveil.migrations (number bigint primary key)",
        )
        .await?;
    let found = transaction.query_one("select count(*) from ironveil.migrations", &[]).await?;
    let found = usize::try_from(found.get::<_, i64>(0)).unwrap_or(usize::MAX);
    let Some(missing) = MIGRATIONS.get(found..) else {
        return Err(StoreError::Unavailable("its schema is of a newer version of IronVeil".to_owned()));
    };
    for (migration, number) in missing.iter().zip(found..) {
        transaction.batch_execute(migration).await?;
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        transaction.execute("insert into ironveil.migrations values ($1)", &[&number]).await?;
    }
    Ok(transaction.commit().await?)
}

fn version(row: &Row) -> Result<Version> {
    let rules: String = row.get(4);
    Ok(Version {
        number: row.get(0),
        time: row.get(1),
        author: row.get(2),
        comment: row.get(3),
        rules: serde_json::from_str(&rules)?,
    })
}

fn scan(row: &Row) -> Result<Scan> {
    let (summary, report): (String, Option<String>) = (row.get(6), row.get(7));
    Ok(Scan {
        id: row.get(0),
        database: row.get(1),
        began: row.get(2),
        ended: row.get(3),
        author: row.get(4),
        outcome: row.get(5),
        summary: serde_json::from_str(&summary)?,
        report: report.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default(),
    })
}

impl Store for PostgresStore {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn head(&self) -> Result<Option<Version>> {
        let sql = format!("{VERSION} order by number desc limit 1");
        self.with(async |client| client.query_opt(&sql, &[]).await?.as_ref().map(version).transpose())
    }

    fn commit(&self, expected: i64, change: &Change) -> Result<i64> {
        let rules = serde_json::to_string(&change.rules)?;
        self.with(async |client| {
            let transaction = client.transaction().await?;
            // One change at a time; who waited sees the one before.
            transaction
                .batch_execute("set local synchronous_commit = on; lock table ironveil.versions in exclusive mode")
                .await?;
            let sql = format!("{VERSION} order by number desc limit 1");
            let head = transaction.query_opt(&sql, &[]).await?.as_ref().map(version).transpose()?;
            let number = head.as_ref().map_or(0, |head| head.number);
            if number != expected {
                let lost = || StoreError::Unavailable("the store has lost its history".to_owned());
                return Err(head.map_or_else(lost, |head| StoreError::Conflict(Box::new(head))));
            }
            let insert = "insert into ironveil.versions (number, time, author, comment, rules) values ($1, $2, $3, $4, $5)";
            let Change { time, author, comment, .. } = change;
            transaction.execute(insert, &[&(number + 1), time, author, comment, &rules]).await?;
            transaction.execute("select pg_notify($1, $2)", &[&CHANNEL, &(number + 1).to_string()]).await?;
            transaction.commit().await?;
            Ok(number + 1)
        })
    }

    fn version(&self, number: i64) -> Result<Option<Version>> {
        let sql = format!("{VERSION} where number = $1");
        self.with(async |client| client.query_opt(&sql, &[&number]).await?.as_ref().map(version).transpose())
    }

    fn history(&self, before: Option<i64>, limit: u32) -> Result<Vec<Version>> {
        let sql = format!("{VERSION} where number < $1 order by number desc limit $2");
        let before = before.unwrap_or(i64::MAX);
        self.with(async |client| {
            let found = client.query(&sql, &[&before, &i64::from(limit)]).await?;
            found.iter().map(version).collect()
        })
    }

    fn keys(&self) -> Result<Vec<Key>> {
        let sql = "select id, name, role, hash, created, created_by, expires, revoked from ironveil.keys order by created, id";
        self.with(async |client| {
            let found = client.query(sql, &[]).await?;
            let key = |row: &Row| Key {
                id: row.get(0),
                name: row.get(1),
                role: row.get(2),
                hash: row.get(3),
                created: row.get(4),
                created_by: row.get(5),
                expires: row.get(6),
                revoked: row.get(7),
            };
            Ok(found.iter().map(key).collect())
        })
    }

    fn add_key(&self, key: &Key) -> Result<()> {
        let Key { id, name, role, hash, created, created_by, expires, .. } = key;
        let sql = "insert into ironveil.keys (id, name, role, hash, created, created_by, expires) values ($1, $2, $3, $4, $5, $6, $7)";
        self.with(async |client| {
            client.execute(sql, &[id, name, role, hash, created, created_by, expires]).await?;
            Ok(())
        })
    }

    fn revoke_key(&self, id: &str, time: i64) -> Result<bool> {
        let sql = "update ironveil.keys set revoked = coalesce(revoked, $2) where id = $1";
        self.with(async |client| Ok(client.execute(sql, &[&id, &time]).await? > 0))
    }

    fn add_scan(&self, scan: &Scan) -> Result<()> {
        let Scan { id, database, began, ended, author, outcome, summary, report } = scan;
        let (summary, report) = (summary.to_string(), report.to_string());
        self.with(async |client| {
            let transaction = client.transaction().await?;
            let insert = "insert into ironveil.scans (id, database, began, ended, author, outcome, summary, report) values ($1, $2, $3, $4, $5, $6, $7, $8)";
            transaction.execute(insert, &[id, database, began, ended, author, outcome, &summary, &report]).await?;
            let forget = "delete from ironveil.scans where database = $1 and outcome = $2 and id not in \
                (select id from ironveil.scans where database = $1 and outcome = $2 order by id desc limit $3)";
            transaction.execute(forget, &[database, outcome, &i64::from(SCANS_MAX)]).await?;
            Ok(transaction.commit().await?)
        })
    }

    fn scan(&self, id: &str) -> Result<Option<Scan>> {
        let sql = "select id, database, began, ended, author, outcome, summary, report from ironveil.scans where id = $1";
        self.with(async |client| client.query_opt(sql, &[&id]).await?.as_ref().map(scan).transpose())
    }

    fn scans(&self, database: Option<&str>, before: Option<&str>, limit: u32) -> Result<Vec<Scan>> {
        let sql = "select id, database, began, ended, author, outcome, summary, null::text from ironveil.scans \
            where ($1::text is null or database = $1) and ($2::text is null or id < $2) order by id desc limit $3";
        self.with(async |client| {
            let found = client.query(sql, &[&database, &before, &i64::from(limit)]).await?;
            found.iter().map(scan).collect()
        })
    }

    fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }
}
