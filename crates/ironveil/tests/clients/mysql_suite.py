"""PyMySQL and mysql-connector-python through the proxy: text and binary rows, streamed and buffered cursors, character
sets, several results. Exits with an error at the first value that is not as it should be."""

import sys

import mysql.connector
import pymysql
import pymysql.constants.CLIENT as flags

port, user, password, ca = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
CANARY = "zqcanary"
SQL = "select id, email, note, birth, salary, token from users order by id"


def check(rows):
    rows = [list(row.values()) if isinstance(row, dict) else list(row) for row in rows]
    assert len(rows) == 3, rows
    assert CANARY not in repr(rows), rows
    assert [row[2] for row in rows] == ["note1", "note2", "note3"], rows
    assert rows[0][1] and "@" in rows[0][1] and rows[2][1] is None, rows
    assert rows[0][3] is not None and rows[0][4] is not None, rows
    return rows


def with_pymysql(**options):
    connection = pymysql.connect(host="127.0.0.1", port=port, user=user, password=password, database="shop",
                                 client_flag=flags.MULTI_STATEMENTS, **options)
    with connection.cursor() as cursor:
        cursor.execute(SQL)
        check(cursor.fetchall())
        cursor.execute("select note, email from users where id = %s", (1,))
        assert cursor.fetchone()[0] == "note1"
        cursor.execute("select label from items; select email from users; select n from items")
        results = [cursor.fetchall()]
        while cursor.nextset():
            results.append(cursor.fetchall())
        assert len(results) == 3 and results[0][0] == ("item1",) and CANARY not in repr(results)
        cursor.executemany("insert into items values (%s, %s, %s)", [(i, "été", i) for i in range(100, 160)])
        cursor.execute("select length(%s), label from items where id = 1", (b"\xff\x00\\'bytes",))
        assert cursor.fetchone() == (9, "item1")
        cursor.execute("delete from items where id >= 100")
        connection.commit()
        try:
            cursor.execute("insert into users (id, email) values (50, 'zqcanary1@mail.test')")
            raise AssertionError("a duplicate was taken")
        except pymysql.err.IntegrityError as error:
            assert error.args[0] == 1062 and CANARY not in str(error), error
        connection.rollback()
    with connection.cursor(pymysql.cursors.SSDictCursor) as cursor:
        cursor.execute(SQL)
        check(list(cursor.fetchall_unbuffered()))
    connection.ping()
    connection.select_db("shop")
    connection.close()


def with_connector(**options):
    connection = mysql.connector.connect(host="127.0.0.1", port=port, user=user, password=password,
                                         database="shop", use_pure=True, **options)
    for kind in ({}, {"buffered": True}, {"dictionary": True}, {"prepared": True}):
        cursor = connection.cursor(**kind)
        for _ in range(2):
            cursor.execute(SQL)
            check(cursor.fetchall())
        cursor.execute("select note, email from users where id = %s", (1,))
        row = cursor.fetchall()[0]
        assert CANARY not in repr(row), row
        cursor.close()
    connection.cmd_reset_connection()
    connection.cmd_change_user(user, password, "shop")
    cursor = connection.cursor()
    cursor.execute(SQL)
    check(cursor.fetchall())
    connection.close()


for charset in ("utf8mb4", "latin1", "gbk"):
    with_pymysql(charset=charset)
    # This driver reads bytes in single-byte sets by Python's own tables.
    if charset != "gbk":
        with_connector(charset=charset, ssl_disabled=True)
# This driver compresses even where the server has not offered to.
try:
    with_connector(ssl_disabled=True, compress=True)
    raise AssertionError("compressed packets were taken")
except mysql.connector.Error as error:
    assert "compress" in str(error), error
if ca:
    with_pymysql(ssl={"ca": ca})
    with_connector(ssl_ca=ca, ssl_verify_cert=True)
print("all as it should be")
