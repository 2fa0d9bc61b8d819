//! CPU per run of SQL on the bench database: name<TAB>sql lines on stdin.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
use std::io::BufRead;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    s.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e6
}
fn main() {
    let db = rusqlite::Connection::open("/tmp/bench/b.db").unwrap();
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    db.execute_batch(
        "pragma cache_size=-32000; pragma mmap_size=268435456; pragma temp_store=memory",
    )
    .unwrap();
    let explain = std::env::args().nth(1).is_some();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let Some((name, sql)) = line.split_once('\t') else { continue };
        let mut st = db.prepare(sql).unwrap();
        let n = st.column_count();
        let mut rows = 0;
        let t = cpu();
        for _ in 0..40 {
            rows = 0;
            let mut q = st.raw_query();
            while let Some(r) = q.next().unwrap() {
                for i in 0..n {
                    std::hint::black_box(r.get_ref(i).unwrap());
                }
                rows += 1;
            }
        }
        let best = (cpu() - t) / 40.0;
        println!("{name:20} {best:8.3} ms  {rows} rows");
        if explain {
            let mut st = db.prepare(&format!("explain query plan {sql}")).unwrap();
            let mut q = st.raw_query();
            while let Some(r) = q.next().unwrap() {
                println!("        {}", r.get_ref(3).unwrap().as_str().unwrap());
            }
        }
    }
}
