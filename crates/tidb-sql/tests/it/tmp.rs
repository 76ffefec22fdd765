#[test]
fn measure() {
  std::thread::Builder::new().stack_size(64<<20).spawn(|| {
    for (open, inner, close) in [("(", "1", ")"),("-", "1", ""),("not ", "1", ""),("f(", "1", ")"),("case when ", "1", " then 1 end"),("(select ", "1", ")"),("1 between 2 and ", "3", ""),("@a := ", "1", ""),("cast(", "1", " as signed)"),("case ","1"," when 1 then 2 end"),("1 in (","1",")"),("(select 1 from a where ", "1", ")"),("(select 1 from (", "select 1", ") a)"),] {
        for d in [200] {
        eprintln!("shape {open}");
        let sql = format!("select {}{inner}{}", open.repeat(d), close.repeat(d));
        let _ = tidb_sql::parse(&sql, tidb_sql::SqlMode::default());
    }}
        eprintln!("shape explain"); let _ = tidb_sql::parse(&"explain ".repeat(200), tidb_sql::SqlMode::default());
        eprintln!("shape left join"); let _ = tidb_sql::parse(&format!("select * from {}", "a left join ".repeat(200)), tidb_sql::SqlMode::default());
  }).unwrap().join().unwrap();
}
