//! Rows in and out.

use crate::cluster::Cluster;

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_inserted_changed_deleted_and_read() {
    let cluster = Cluster::start().await;
    let mut c = cluster.session_in("d").await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v INT, s VARCHAR(20) DEFAULT 'x', KEY (v))").await;
    assert_eq!(c.ok("INSERT INTO t VALUES (1,10,'a'),(2,20,'b'),(3,30,NULL)").await.affected, 3);
    assert_eq!(c.ok("INSERT INTO t (id) VALUES (4)").await.affected, 1);
    assert_eq!(c.rows("SELECT * FROM t ORDER BY id").await, ["1|10|a", "2|20|b", "3|30|NULL", "4|NULL|x"]);
    let updated = c.ok("UPDATE t SET v = v + 1 WHERE id <= 2").await;
    assert_eq!(updated.affected, 2);
    assert_eq!(updated.info, "Rows matched: 2  Changed: 2  Warnings: 0");
    assert_eq!(c.ok("DELETE FROM t WHERE v = 30").await.affected, 1);
    assert_eq!(c.rows("SELECT id, v FROM t WHERE v > 5 ORDER BY v DESC LIMIT 1").await, ["2|21"]);
    assert_eq!(
        c.rows("SELECT COUNT(*), SUM(v), MIN(v), MAX(v), AVG(v) FROM t").await,
        ["3|32|11|21|16.0000"]
    );
    assert_eq!(c.rows("SELECT s, COUNT(*) FROM t GROUP BY s ORDER BY s").await, ["a|1", "b|1", "x|1"]);
    assert_eq!(
        c.err("INSERT INTO t VALUES (1,1,'dup')").await.message,
        "Duplicate entry '1' for key 't.PRIMARY'"
    );
    assert_eq!(c.ok("REPLACE INTO t VALUES (1,5,'r')").await.affected, 2);
    assert_eq!(
        c.ok("INSERT INTO t VALUES (1,1,'q') ON DUPLICATE KEY UPDATE v = v + VALUES(v)").await.affected,
        2
    );
    assert_eq!(c.value("SELECT v FROM t WHERE id = 1").await, "6");
    assert_eq!(c.ok("INSERT IGNORE INTO t VALUES (1,1,'q'),(9,9,'n')").await.affected, 1);
    assert_eq!(c.rows("SELECT a.id, b.id FROM t a JOIN t b ON a.id = b.id - 1 ORDER BY 1").await, ["1|2"]);
    assert_eq!(
        c.rows("SELECT n FROM (SELECT 1 n UNION SELECT 2 UNION SELECT 1) x ORDER BY n").await,
        ["1", "2"]
    );
    assert_eq!(
        c.rows("SELECT id FROM t WHERE id IN (SELECT id FROM t WHERE v < 10) ORDER BY id").await,
        ["1", "9"]
    );
    c.ok("INSERT INTO t SELECT id + 100, v, s FROM t").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "8");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_key_works() {
    let cluster = Cluster::start().await;
    let mut c = cluster.session_in("k").await;
    c.ok("CREATE TABLE pk_common (a VARCHAR(20), b INT, c DATETIME, d INT, PRIMARY KEY (a,b,c) CLUSTERED)")
        .await;
    c.ok("INSERT INTO pk_common VALUES ('abcdefgh',1,'2024-01-01 00:00:00',1),('',-1,'2024-01-01 00:00:00',2),('longer than eight',0,'1999-12-31 23:59:59',3)").await;
    c.ok(
        "UPDATE pk_common SET d=d+1; UPDATE pk_common SET b=100 WHERE a=''; DELETE FROM pk_common WHERE b=1",
    )
    .await;
    assert_eq!(
        c.rows("SELECT * FROM pk_common ORDER BY a").await,
        ["|100|2024-01-01 00:00:00|3", "longer than eight|0|1999-12-31 23:59:59|4"]
    );
    assert_eq!(c.rows("SELECT d FROM pk_common WHERE a='longer than eight'").await, ["4"]);
    c.ok("CREATE TABLE pk_non (a BIGINT PRIMARY KEY NONCLUSTERED, b INT)").await;
    c.ok("INSERT INTO pk_non VALUES (1,1),(2,2); UPDATE pk_non SET a=3 WHERE a=1; DELETE FROM pk_non WHERE a=2").await;
    assert_eq!(c.rows("SELECT * FROM pk_non").await, ["3|1"]);
    assert_eq!(c.err("INSERT INTO pk_non VALUES (3,9)").await.code, 1062);
    c.ok("CREATE TABLE pk_ci (a VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY CLUSTERED, v INT)").await;
    c.ok("INSERT INTO pk_ci VALUES ('Abc',1),('é',2); UPDATE pk_ci SET a='ABC' WHERE a='abc'").await;
    assert_eq!(c.rows("SELECT a FROM pk_ci ORDER BY a").await, ["ABC", "é"]);
    assert_eq!(
        c.err("INSERT INTO pk_ci VALUES ('aBC',9)").await.message,
        "Duplicate entry 'aBC' for key 'pk_ci.PRIMARY'"
    );
    c.ok("CREATE TABLE no_key (a INT, b VARCHAR(10))").await;
    c.ok("INSERT INTO no_key VALUES (1,'x'),(1,'x'); UPDATE no_key SET b='y'; DELETE FROM no_key LIMIT 1")
        .await;
    assert_eq!(c.rows("SELECT * FROM no_key").await, ["1|y"]);
    c.ok("CREATE TABLE pk_u (a BIGINT UNSIGNED PRIMARY KEY, v INT)").await;
    c.ok("INSERT INTO pk_u VALUES (0,1),(18446744073709551615,2); UPDATE pk_u SET v=3; DELETE FROM pk_u WHERE a>0").await;
    assert_eq!(c.rows("SELECT * FROM pk_u").await, ["0|3"]);
    c.ok("CREATE TABLE multi_uk (id INT PRIMARY KEY, u1 INT NOT NULL, u2 VARCHAR(10) NOT NULL, v INT, UNIQUE KEY k1(u1), UNIQUE KEY k2(u2))").await;
    c.ok("INSERT INTO multi_uk VALUES (1,10,'a',1),(2,20,'b',2); UPDATE multi_uk SET u1=30 WHERE id=1; UPDATE multi_uk SET u1=31,u2='z' WHERE id=2").await;
    c.ok("BEGIN; UPDATE multi_uk SET u1=100 WHERE id=1; UPDATE multi_uk SET u1=30 WHERE id=2; UPDATE multi_uk SET u1=31 WHERE id=1; COMMIT").await;
    assert_eq!(c.rows("SELECT * FROM multi_uk").await, ["1|31|a|1", "2|30|z|2"]);
    assert_eq!(
        c.err("INSERT INTO multi_uk VALUES (7,31,'n',1)").await.message,
        "Duplicate entry '31' for key 'multi_uk.k1'"
    );
    assert_eq!(c.ok("REPLACE INTO multi_uk VALUES (1,30,'q',7)").await.affected, 3);
    assert_eq!(c.rows("SELECT * FROM multi_uk WHERE u1 = 30").await, ["1|30|q|7"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_do_not_fit_are_refused_in_strict_mode() {
    let cluster = Cluster::start().await;
    let mut c = cluster.session_in("s").await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, t TINYINT, s VARCHAR(3), d DATE, n INT NOT NULL, e ENUM('a','b'))").await;
    assert_eq!(c.err("INSERT INTO t VALUES (1,200,'a',NULL,1,'a')").await.code, 1264);
    assert_eq!(c.err("INSERT INTO t VALUES (1,1,'abcd',NULL,1,'a')").await.code, 1406);
    assert_eq!(c.err("INSERT INTO t VALUES (1,1,'a','2024-13-01',1,'a')").await.code, 1292);
    assert_eq!(c.err("INSERT INTO t VALUES (1,'x','a',NULL,1,'a')").await.code, 1366);
    assert_eq!(c.err("INSERT INTO t VALUES (1,1,'a',NULL,NULL,'a')").await.code, 1048);
    assert_eq!(c.err("INSERT INTO t (id) VALUES (1)").await.code, 1364);
    assert_eq!(c.err("INSERT INTO t VALUES (1,1,'a',NULL,1,'z')").await.code, 1265);
    assert_eq!(c.err("INSERT INTO t VALUES (1,1)").await.code, 1136);
    assert_eq!(c.err("SELECT nope FROM t").await.code, 1054);
    assert_eq!(c.err("SELECT * FROM missing").await.code, 1146);
    c.ok("SET sql_mode=''").await;
    let result = c.ok("INSERT INTO t VALUES (1,200,'abcd','2024-13-01',NULL,'z')").await;
    assert_eq!(result.warnings, 5);
    assert_eq!(c.rows("SELECT * FROM t").await, ["1|127|abc|0000-00-00|0|"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_increment_numbers_rows() {
    let cluster = Cluster::start().await;
    let mut c = cluster.session_in("a").await;
    c.ok("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)").await;
    assert_eq!(c.ok("INSERT INTO t (v) VALUES (1),(2)").await.last_insert_id, 1);
    assert_eq!(c.value("SELECT LAST_INSERT_ID()").await, "1");
    c.ok("INSERT INTO t VALUES (10, 3), (NULL, 4), (0, 5)").await;
    assert_eq!(c.rows("SELECT id FROM t ORDER BY id").await, ["1", "2", "10", "11", "12"]);
    cluster.stop().await;
}
