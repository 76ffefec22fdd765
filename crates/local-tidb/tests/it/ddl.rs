//! Schema changes.

use crate::cluster::Cluster;

#[tokio::test(flavor = "multi_thread")]
async fn tables_come_change_and_go() {
    let cluster = Cluster::start().await;
    let mut c = cluster.session_in("s").await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, a INT)").await;
    c.ok("INSERT INTO t VALUES (1,1),(2,2)").await;
    c.ok("ALTER TABLE t ADD COLUMN b VARCHAR(20) NOT NULL DEFAULT 'dflt' AFTER id").await;
    assert_eq!(c.rows("SELECT * FROM t").await, ["1|dflt|1", "2|dflt|2"]);
    c.ok("ALTER TABLE t ADD COLUMN c DATETIME(3) DEFAULT '2024-01-02 03:04:05.678', ADD COLUMN d DECIMAL(8,2) DEFAULT 1.5, ADD COLUMN f BIT(4) DEFAULT b'1010', ADD COLUMN g ENUM('x','y') DEFAULT 'y'").await;
    assert_eq!(c.rows("SELECT c, d, f+0, g FROM t WHERE id=1").await, ["2024-01-02 03:04:05.678|1.50|10|y"]);
    c.ok("ALTER TABLE t DROP COLUMN a").await;
    assert_eq!(c.err("SELECT a FROM t").await.code, 1054);
    c.ok("CREATE UNIQUE INDEX u ON t (d, id)").await;
    assert_eq!(c.rows("SELECT id FROM t WHERE d = 1.5 AND id = 2").await, ["2"]);
    c.ok("TRUNCATE TABLE t").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "0");
    c.ok("RENAME TABLE t TO t9").await;
    assert_eq!(c.rows("SHOW TABLES").await, ["t9"]);
    assert_eq!(c.err("CREATE TABLE t9 (a INT)").await.code, 1050);
    c.ok("DROP TABLE t9").await;
    assert_eq!(c.err("DROP TABLE t9").await.code, 1051);
    c.ok("DROP DATABASE s").await;
    assert_eq!(c.err("USE s").await.code, 1049);
    assert_eq!(c.value("SELECT COUNT(*) FROM mysql.tidb_ddl_job").await, "0");
    assert_eq!(c.value("SELECT COUNT(*) FROM mysql.tidb_ddl_history").await, "10");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_survives_a_new_engine() {
    let cluster = Cluster::start().await;
    let mut c = cluster.session_in("s").await;
    c.ok("CREATE TABLE t (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, n VARCHAR(10) COLLATE utf8mb4_general_ci DEFAULT 'q', KEY k (n)) COMMENT='c'").await;
    c.ok("INSERT INTO t VALUES ()").await;
    let created = c.value("SHOW CREATE TABLE t").await;
    assert!(created.contains("PRIMARY KEY (`id`) /*T![clustered_index] CLUSTERED */"), "{created}");
    c.ok("SET GLOBAL max_allowed_packet = 1048576").await;
    let again = local_tidb::Engine::open(&cluster.pd_endpoint).await.unwrap();
    let mut other = crate::cluster::Client { session: local_tidb::Session::new(again, "root@127.0.0.1") };
    assert_eq!(other.rows("SELECT * FROM s.t").await, ["1|q"]);
    other.ok("INSERT INTO s.t VALUES ()").await;
    assert_eq!(other.value("SELECT MAX(id) FROM s.t").await, "30001");
    assert_eq!(other.value("SELECT @@max_allowed_packet").await, "1048576");
    cluster.stop().await;
}
