//! Expressions without tables.

use crate::cluster::Cluster;

#[tokio::test(flavor = "multi_thread")]
async fn functions_and_operators_answer_as_mysql_does() {
    let cluster = Cluster::start().await;
    let mut c = cluster.session();
    let cases = [
        ("1+1", "2"),
        ("7/2", "3.5000"),
        ("7 DIV 2", "3"),
        ("-7 % 3", "-1"),
        ("1.10 + 2", "3.10"),
        ("'3 apples' + 1", "4"),
        ("1/0", "NULL"),
        ("NULL AND 0", "0"),
        ("NULL OR 1", "1"),
        ("NOT NULL", "NULL"),
        ("1 <=> NULL", "0"),
        ("'a' = 'A'", "0"),
        ("'a ' = 'a'", "1"),
        ("'abc' LIKE 'a%'", "1"),
        ("2 BETWEEN 1 AND 3", "1"),
        ("3 IN (1,2,NULL)", "NULL"),
        ("CASE WHEN 1>2 THEN 'x' ELSE 'y' END", "y"),
        ("IF(1,'a','b')", "a"),
        ("IFNULL(NULL, 5)", "5"),
        ("COALESCE(NULL, NULL, 'z')", "z"),
        ("CONCAT('a', 1, NULL)", "NULL"),
        ("CONCAT_WS(',', 'a', NULL, 'b')", "a,b"),
        ("HEX('abc')", "616263"),
        ("HEX(255)", "FF"),
        ("UNHEX('4D')", "M"),
        ("SUBSTRING('Sakila', -3, 2)", "il"),
        ("UPPER('é')", "É"),
        ("CHAR_LENGTH('日本')", "2"),
        ("LENGTH('日本')", "6"),
        ("REPEAT('ab', 3)", "ababab"),
        ("LPAD('5', 3, '0')", "005"),
        ("ROUND(2.5)", "3"),
        ("ROUND(1.298, 1)", "1.3"),
        ("TRUNCATE(1.999, 1)", "1.9"),
        ("CAST('12.9' AS SIGNED)", "12"),
        ("CAST(1.50 AS DECIMAL(10,1))", "1.5"),
        ("CAST('2024-02-30' AS DATE)", "NULL"),
        ("DATE_ADD('2024-01-31', INTERVAL 1 MONTH)", "2024-02-29"),
        ("TIMESTAMP '2024-01-01 00:00:00' - INTERVAL 1 SECOND", "2023-12-31 23:59:59"),
        ("DATEDIFF('2024-03-01', '2024-02-01')", "29"),
        ("DATE_FORMAT('2024-02-03 04:05:06', '%Y/%m/%d %H:%i:%s')", "2024/02/03 04:05:06"),
        ("JSON_EXTRACT('{\"a\": [1, 2]}', '$.a[1]')", "2"),
        ("JSON_OBJECT('k', 1, 'j', 'x')", "{\"j\": \"x\", \"k\": 1}"),
        ("JSON_UNQUOTE(JSON_EXTRACT('{\"a\": \"q\"}', '$.a'))", "q"),
        ("DATABASE()", "NULL"),
        ("x'41'", "A"),
        ("1e3", "1000"),
        ("18446744073709551615", "18446744073709551615"),
        ("(SELECT 5)", "5"),
        ("EXISTS (SELECT 1)", "1"),
    ];
    for (expression, expected) in cases {
        assert_eq!(c.value(&format!("SELECT {expression}")).await, expected, "{expression}");
    }
    assert!(c.value("SELECT VERSION()").await.starts_with("8.0.11-TiDB-"));
    assert!(c.value("SELECT tidb_version()").await.starts_with("Release Version: v8.5"));
    assert_eq!(c.value("SELECT @@version_comment").await, "Tidegate local TiDB (Apache License 2.0)");
    assert_eq!(c.err("SELECT 9223372036854775807 + 1").await.code, 1690);
    assert_eq!(c.err("SELECT * FROM t").await.code, 1046);
    assert_eq!(c.err("SELEC 1").await.code, 1064);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_and_long_expressions_are_answered_or_refused() {
    let cluster = Cluster::start().await;
    let mut c = cluster.session();
    let many = vec!["1=2"; 3000].join(" OR ");
    assert_eq!(c.value(&format!("SELECT {many}")).await, "0");
    for depth in [50, 150, 1000, 20_000] {
        let nested = format!("SELECT {}1{}", "(".repeat(depth), ")".repeat(depth));
        let calls = format!("SELECT {}1{}", "ABS(".repeat(depth), ")".repeat(depth));
        let sum = format!("SELECT {}1", "1+".repeat(depth));
        let minus = format!("SELECT {}1", "- ".repeat(depth));
        let selects = format!("SELECT {}1{}", "(SELECT ".repeat(depth), ")".repeat(depth));
        for sql in [nested, calls, sum, minus, selects] {
            if let Err(error) = c.session.execute(&sql).await {
                assert!([1064, 1436].contains(&error.code), "{error}");
            }
        }
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_supported_is_refused_by_name() {
    let cluster = Cluster::start().await;
    let mut c = cluster.session_in("u").await;
    c.ok("CREATE TABLE a (id INT PRIMARY KEY, n VARCHAR(10))").await;
    assert_eq!(c.value("SELECT SLEEP(0.01)").await, "0");
    let refused = [
        "SELECT id FROM a WHERE EXISTS (SELECT 1 FROM a b WHERE b.id = a.id)",
        "WITH c AS (SELECT 1) SELECT * FROM c",
        "CREATE VIEW v AS SELECT 1",
        "SELECT SLEEP(1) FROM a",
        "SELECT ROW_NUMBER() OVER () FROM a",
        "CREATE TABLE p (id INT) PARTITION BY HASH(id) PARTITIONS 2",
        "CREATE TABLE f (id INT, FULLTEXT KEY (id))",
        "SET tidb_row_format_version = 1",
        "UPDATE a, a b SET a.n = 1",
    ];
    c.ok("INSERT INTO a VALUES (1,'x')").await;
    for sql in refused {
        assert_eq!(c.err(sql).await.code, 1235, "{sql}");
    }
    assert_eq!(c.err("SELECT id FROM a WHERE id IN (SELECT nope FROM a)").await.code, 1054);
    assert_eq!(c.rows("SELECT * FROM a").await, ["1|x"]);
    cluster.stop().await;
}
