//! An authority with certificates for brokers and clients, made by `openssl` for one run.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::KafkaError;
use crate::install::{need, run};

/// Days that certificates are valid.
const DAYS: &str = "30";

/// Files in PEM.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// Certificate of the authority.
    pub ca: PathBuf,
    /// A client's certificate.
    pub client: PathBuf,
    /// A client's key.
    pub client_key: PathBuf,
    /// Key and certificate of brokers in one file, as Kafka wants them.
    pub(crate) broker: PathBuf,
}

impl Certificates {
    /// Makes an authority and certificates of it in a folder.
    pub fn make(folder: &Path) -> Result<Self, KafkaError> {
        need("openssl", "version", "openssl")?;
        let made = Self {
            ca: folder.join("ca.pem"),
            client: folder.join("client.pem"),
            client_key: folder.join("client.key"),
            broker: folder.join("broker.both.pem"),
        };
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            run(command.args(arguments.split(' ')).current_dir(folder))
        };
        openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -days {DAYS} -subj /CN=tests -keyout ca.key -out ca.pem"
        ))?;
        let extensions = folder.join("broker.ext");
        std::fs::write(&extensions, "subjectAltName=IP:127.0.0.1,DNS:localhost\n")
            .map_err(KafkaError::file(&extensions))?;
        for name in ["broker", "client"] {
            openssl(&format!(
                "req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
            ))?;
            let more = if name == "broker" { " -extfile broker.ext" } else { "" };
            openssl(&format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {DAYS} -out {name}.pem{more}"
            ))?;
        }
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map_err(KafkaError::file(&path))
        };
        let both = read("broker.key")? + &read("broker.pem")?;
        std::fs::write(&made.broker, both).map_err(KafkaError::file(&made.broker))?;
        Ok(made)
    }
}
