//! Columns on which there is no rule, where they are looked into.

use mysql_async::prelude::Queryable;

use crate::harness::{Proxy, connect, flavours, of, sample_server};

const SHOWN: &str = "from [REDACTED] by [REDACTED]";

#[tokio::test(flavor = "multi_thread")]
async fn values_that_show_what_they_are_are_replaced() {
    for flavour in flavours() {
        let server = sample_server(of(flavour));
        for sql in [
            "create table log (id bigint primary key, line varchar(80), old varchar(80) character set latin1, doc json, raw varbinary(80), code text, shown varchar(40))",
            "insert into log values (4111111111111111, 'from zqcanary@mail.test by 4111 1111 1111 1111', 'ä zqcanary@mail.test', \
             '{\"to\": [\"zqcanary@mail.test\", 7]}', 'zqcanary@mail.test', 'ok 12', 'b@mail.test')",
            "create view line_view as select line as l from log",
        ] {
            server.sql("shop", sql).unwrap();
        }
        let port = server.port();
        let proxy = Proxy::start(&format!(
            "databases:\n  - {{ name: '*', upstream: 'mysql://127.0.0.1:{port}' }}\nrules:\n  - {{ table: users, column: '*', strategy: 'null' }}\n  \
             - {{ table: log, column: shown, unmask: true, reason: test }}\nprotection: {{ unclassified: scan }}\n"
        ));
        let mut client = connect(proxy.port()).await;
        type Row = (i64, String, String, String, Vec<u8>, String, String);
        let sql = "select id, line, old, doc, raw, code, shown from log";
        let wanted = || -> Row {
            let doc = "{\"to\": [\"[REDACTED]\", 7]}".to_owned();
            let (old, raw) = ("ä [REDACTED]".to_owned(), b"[REDACTED]".to_vec());
            (
                4_111_111_111_111_111,
                SHOWN.to_owned(),
                old,
                doc,
                raw,
                "ok 12".to_owned(),
                "b@mail.test".to_owned(),
            )
        };
        let texts: Vec<Row> = client.query(sql).await.unwrap();
        assert_eq!(texts, [wanted()]);
        let binary: Vec<Row> = client.exec(sql, ()).await.unwrap();
        assert_eq!(binary, [wanted()]);
        for sql in [
            "select l from line_view",
            "select concat('', line) from log",
            "select group_concat(line) from log",
            "select line from log join users on users.id = 1",
            "select x.line from (select line from log union select 'a') x where line <> 'a'",
        ] {
            let texts: Vec<String> = client.query(sql).await.unwrap();
            assert_eq!(texts, [SHOWN], "{sql}");
            let binary: Vec<String> = client.exec(sql, ()).await.unwrap();
            assert_eq!(binary, [SHOWN], "{sql}");
        }
        // No character set hides a value.
        for names in ["cp850", "sjis", "latin1", "binary"] {
            client.query_drop(format!("set character_set_results = {names}")).await.unwrap();
            let shown: Option<Vec<u8>> = client.query_first("select line from log").await.unwrap().unwrap();
            let dense: Vec<u8> = shown.unwrap_or_default().into_iter().filter(|byte| *byte != 0).collect();
            assert!(dense.is_empty() || dense == SHOWN.as_bytes(), "{names}: {dense:?}");
        }
        client.query_drop("set character_set_results = utf8mb4").await.unwrap();
        let documents: Vec<String> =
            client.query("select json_object('card', 4111111111111111)").await.unwrap();
        assert_eq!(documents, ["{\"card\": \"[REDACTED]\"}"]);
        let user: String = client.query_first("select current_user()").await.unwrap().unwrap();
        assert!(user.ends_with("@%"), "{user}");
        // Who asks for an error gets one without values.
        let error =
            client.query_drop("select extractvalue('<a/>', concat('/', line)) from log").await.unwrap_err();
        assert!(!error.to_string().contains("zqcanary"), "{error}");
    }
}
