//! A broker on its own: `cargo run -p local-kafka --example broker -- [ADDRESS] [DATA_DIR]`.

use std::net::SocketAddr;

use local_kafka::KafkaConfig;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let mut args = std::env::args().skip(1);
    let addr: SocketAddr = args.next().unwrap_or_else(|| "127.0.0.1:9092".into()).parse()?;
    let data_dir = args.next().unwrap_or_else(|| "kafka-data".into());
    let broker = local_kafka::start(KafkaConfig::new(addr, data_dir)).await?;
    println!("listening on {}", broker.local_addr());
    tokio::signal::ctrl_c().await?;
    broker.shutdown().await;
    Ok(())
}
