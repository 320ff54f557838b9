"""psycopg 3 through the proxy: text and binary, pipelines, cursors, COPY, types, and libpq's newer ways to connect."""

import sys

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

CANARY = "zqcanary"
proxy_port, server_port = sys.argv[1:]


def connect(port, **more):
    return psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="shop", connect_timeout=10, **more)


def masked(rows):
    assert rows and CANARY not in repr(rows).lower(), rows
    return rows


def main():
    with connect(proxy_port) as conn, connect(server_port) as direct:
        for binary in (False, True):
            cur = conn.cursor(binary=binary, row_factory=tuple_row)
            rows = masked(cur.execute("select * from users order by id").fetchall())
            real = direct.cursor(binary=binary).execute("select * from users order by id").fetchall()
            for seen, true in zip(rows, real):
                assert seen[0] == true[0] and seen[8] == true[8], (seen, true)
                assert seen[1] != true[1] and seen[3] != true[3] and seen[6] != true[6]
                assert type(seen[6]) is type(true[6]) and type(seen[15]) is type(true[15])
            for _ in range(8):  # psycopg prepares on the sixth run
                masked(cur.execute("select email, upper(email), id from users where id = %s", (1,)).fetchall())
            assert cur.execute("select n from items where id = %s", (1,)).fetchone() == (10,)
        conn.commit()

        with conn.pipeline():
            cursors = [conn.execute("select email, id from users where id = %s", (i % 5 + 1,)) for i in range(200)]
            cursors.append(conn.execute("select sum(n) from items"))
        assert cursors[-1].fetchone() == (150,)
        for i, cur in enumerate(cursors[:-1]):
            assert masked(cur.fetchall())[0][1] == i % 5 + 1
        conn.commit()

        with conn.cursor(name="server_side") as cur:
            cur.itersize = 2
            cur.execute("select email, note, lower(email) from users order by id")
            rows = masked([row for row in cur])
            assert len(rows) == 5 and all(row[2] is None for row in rows)
        conn.commit()

        try:
            conn.execute("select nothing from nowhere")
            raise AssertionError("no error")
        except psycopg.errors.UndefinedTable:
            conn.rollback()
        try:
            conn.execute("create table t as select email from users")
            raise AssertionError("no error")
        except psycopg.errors.InsufficientPrivilege as error:
            assert "IronVeil" in str(error)
            conn.rollback()

        for sql in ("copy users to stdout", "copy (select note, email from users) to stdout (format binary)"):
            with conn.cursor() as cur, cur.copy(sql) as copy:
                data = b"".join(bytes(part) for part in copy)
                assert b"zqcanary" not in data and b"note5" in data, data

        with conn.cursor() as cur:
            with cur.copy("copy items (id, label, n) from stdin") as copy:
                for i in range(1000, 3000):
                    copy.write_row((i, f"label {i}", i))
            with cur.copy("copy (select label from items where id >= 1000 order by id) to stdout") as copy:
                assert sum(1 for _ in copy.rows()) == 2000
            with cur.copy("copy items (id, label, n) from stdin (format binary)") as copy:
                copy.set_types(["int4", "text", "int4"])
                copy.write_row((5000, "binary", 1))
        conn.rollback()
        cur = conn.cursor()
        cur.executemany("insert into items values (%s, %s, %s)", [(i, "many", i) for i in range(6000, 6100)])
        assert cur.rowcount == 100
        conn.rollback()

    version = psycopg.pq.version()
    if version >= 180000:
        with connect(proxy_port, max_protocol_version="3.2") as conn:
            assert conn.execute("select 1").fetchone() == (1,)
            conn.cancel_safe()
    print("psycopg", psycopg.__version__, "libpq", version, "done")


main()
