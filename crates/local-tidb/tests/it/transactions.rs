//! Isolation, conflicts, savepoints.

use crate::cluster::Cluster;

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_sees_its_snapshot_and_its_own_writes() {
    let cluster = Cluster::start().await;
    let mut a = cluster.session_in("t").await;
    let mut b = cluster.session_in("t").await;
    a.ok("CREATE TABLE x (id INT PRIMARY KEY, v INT)").await;
    a.ok("INSERT INTO x VALUES (1,1)").await;
    a.ok("BEGIN").await;
    assert_ne!(a.value("SELECT @@tidb_current_ts").await, "0");
    assert_eq!(a.value("SELECT v FROM x WHERE id=1").await, "1");
    b.ok("UPDATE x SET v=2 WHERE id=1").await;
    assert_eq!(a.value("SELECT v FROM x WHERE id=1").await, "1");
    a.ok("UPDATE x SET v=v+10 WHERE id=1").await;
    assert_eq!(a.value("SELECT v FROM x WHERE id=1").await, "12");
    a.ok("COMMIT").await;
    assert_eq!(b.value("SELECT v FROM x").await, "12");
    a.ok("BEGIN; INSERT INTO x VALUES (4,4); DELETE FROM x WHERE id=4; INSERT INTO x VALUES (4,44); COMMIT")
        .await;
    assert_eq!(b.rows("SELECT * FROM x").await, ["1|12", "4|44"]);
    a.ok("BEGIN OPTIMISTIC; UPDATE x SET v=v+1; SAVEPOINT p; DELETE FROM x; ROLLBACK TO p; COMMIT").await;
    assert_eq!(b.rows("SELECT * FROM x").await, ["1|13", "4|45"]);
    a.ok("BEGIN; INSERT INTO x VALUES (9,9); ROLLBACK").await;
    assert_eq!(b.value("SELECT COUNT(*) FROM x").await, "2");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_are_answered_as_tidb_does() {
    let cluster = Cluster::start().await;
    let mut a = cluster.session_in("t").await;
    let mut b = cluster.session_in("t").await;
    a.ok("CREATE TABLE x (id INT PRIMARY KEY, v INT)").await;
    a.ok("INSERT INTO x VALUES (1,1),(2,2)").await;
    a.ok("BEGIN OPTIMISTIC; UPDATE x SET v=10 WHERE id=1").await;
    b.ok("UPDATE x SET v=20 WHERE id=1").await;
    assert_eq!(a.err("COMMIT").await.code, 9007);
    assert!(!a.session.in_transaction());
    a.ok("BEGIN; UPDATE x SET v=30 WHERE id=1").await;
    b.ok("SET innodb_lock_wait_timeout=1").await;
    assert_eq!(b.err("BEGIN; UPDATE x SET v=40 WHERE id=1").await.code, 1205);
    b.ok("ROLLBACK").await;
    a.ok("COMMIT").await;
    b.ok("SET innodb_lock_wait_timeout=20").await;
    a.ok("BEGIN; UPDATE x SET v=1 WHERE id=1").await;
    b.ok("BEGIN; UPDATE x SET v=2 WHERE id=2").await;
    let (x, y) = tokio::join!(
        a.session.execute("UPDATE x SET v=3 WHERE id=2"),
        b.session.execute("UPDATE x SET v=4 WHERE id=1")
    );
    let codes: Vec<u16> = [x.err(), y.err()].into_iter().flatten().map(|e| e.code).collect();
    assert_eq!(codes, [1213]);
    a.ok("ROLLBACK").await;
    b.ok("ROLLBACK").await;
    a.ok("BEGIN; INSERT INTO x VALUES (7,7)").await;
    b.ok("ALTER TABLE x ADD COLUMN w INT").await;
    assert_eq!(a.err("COMMIT").await.code, 8028);
    assert_eq!(b.value("SELECT COUNT(*) FROM x").await, "2");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_increments_are_never_lost() {
    const SESSIONS: usize = 6;
    const ROUNDS: usize = 20;
    let cluster = Cluster::start().await;
    let mut c = cluster.session_in("t").await;
    c.ok("CREATE TABLE n (id INT PRIMARY KEY, v INT, k INT, UNIQUE KEY (k))").await;
    c.ok("INSERT INTO n VALUES (1,0,0)").await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..SESSIONS {
        let mut client = cluster.session_in("t").await;
        tasks.spawn(async move {
            for round in 0..ROUNDS {
                if round % 2 == 0 {
                    client.ok("UPDATE n SET v = v + 1 WHERE id = 1").await;
                } else {
                    client.ok("BEGIN; SELECT v FROM n WHERE id = 1 FOR UPDATE").await;
                    client.ok("UPDATE n SET v = v + 1 WHERE id = 1; COMMIT").await;
                }
                let key = 100 + round;
                let id = 1000 + number * ROUNDS + round;
                client.ok(&format!("INSERT IGNORE INTO n VALUES ({id}, 0, {key})")).await;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(c.value("SELECT v FROM n WHERE id = 1").await, (SESSIONS * ROUNDS).to_string());
    assert_eq!(c.rows("SELECT COUNT(*), COUNT(DISTINCT k) FROM n").await, [format!("{0}|{0}", ROUNDS + 1)]);
    cluster.stop().await;
}
