//! A cluster in one process for trying clients by hand: `cargo run -p local-tidb --example serve -- 4000 DIR`.

use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let port: u16 = args.next().unwrap_or_else(|| "4000".to_owned()).parse()?;
    let dir = args.next().ok_or("usage: serve PORT DIR")?;
    let any = "127.0.0.1:0".parse()?;
    let pd = local_pd::start(local_pd::PdConfig::new(any, format!("{dir}/pd"))).await?;
    let pd_url = format!("http://{}", pd.local_addr());
    let tikv =
        local_tikv::start(local_tikv::TikvConfig::new(any, pd_url.clone(), format!("{dir}/kv"))).await?;
    let addr = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let tidb = local_tidb::start(local_tidb::TidbConfig::new(addr, pd_url)).await?;
    println!("mysql -h 127.0.0.1 -P {} -u root", tidb.local_addr().port());
    tokio::signal::ctrl_c().await?;
    tidb.shutdown().await;
    tikv.shutdown().await;
    pd.shutdown().await;
    Ok(())
}
