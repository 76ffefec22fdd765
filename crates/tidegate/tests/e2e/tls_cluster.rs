//! A cluster whose ports speak TLS only: PD, TiKV and their clients have certificates that the test makes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use local_kafka::KafkaConfig;
use local_pd::PdConfig;
use local_tidb::TidbConfig;
use local_tikv::TikvConfig;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tikv_client::Security;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::stack::Ports;

/// A certificate authority.
pub(crate) struct Authority {
    /// Its certificate.
    pub(crate) pem: String,
    /// Signs.
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("signed").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for this machine with a common name, and its key.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.signed_by(&key, &self.issuer).expect("signed").pem(), key.serialize_pem())
    }

    /// Puts a certificate with a common name into files: authority, certificate, key.
    pub(crate) fn files(&self, folder: &Path, name: &str) -> Files {
        let (cert, key) = self.issue(name);
        let write = |kind: &str, text: &str| {
            let path = folder.join(format!("{name}-{kind}.pem"));
            std::fs::write(&path, text).expect("a file");
            path
        };
        Files { ca: write("ca", &self.pem), cert: write("cert", &cert), key: write("key", &key) }
    }
}

/// Certificates in files.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// Authority.
    pub(crate) ca: PathBuf,
    /// Certificate.
    pub(crate) cert: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
}

impl Files {
    /// Flags of server and command line.
    pub(crate) fn flags(&self) -> Vec<String> {
        [("--ca", &self.ca), ("--cert", &self.cert), ("--key", &self.key)]
            .into_iter()
            .flat_map(|(flag, path)| [flag.to_owned(), path.display().to_string()])
            .collect()
    }

    /// The same for clients in this process.
    pub(crate) fn security(&self) -> Security {
        let some = |path: &PathBuf| Some(path.clone());
        Security::from_files(some(&self.ca), some(&self.cert), some(&self.key)).expect("certificates")
    }
}

/// Decrypts what comes in and hands it on.
async fn front(listener: TcpListener, behind: SocketAddr, config: Arc<ServerConfig>) {
    let acceptor = TlsAcceptor::from(config);
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(mut encrypted) = acceptor.accept(stream).await else { return };
            let Ok(mut plain) = TcpStream::connect(behind).await else { return };
            let _ = copy_bidirectional(&mut encrypted, &mut plain).await;
        });
    }
}

/// Settings of a server that asks its clients for certificates.
fn server_config(files: &Files) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut authorities = RootCertStore::empty();
    authorities.add(CertificateDer::from_pem_file(&files.ca).expect("a certificate")).expect("an authority");
    let callers = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(&provider))
        .build()
        .expect("a verifier");
    let chain = vec![CertificateDer::from_pem_file(&files.cert).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_file(&files.key).expect("a key");
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(callers)
        .with_single_cert(chain, key)
        .expect("a server");
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// The services; SQL and Kafka are reached in plain text.
pub(crate) struct TlsCluster {
    /// Folder of certificates and data.
    pub(crate) folder: TempDir,
    /// Who signed the certificates.
    pub(crate) authority: Authority,
    /// URL of PD.
    pub(crate) pd_url: String,
    /// Where SQL and Kafka are.
    pub(crate) ports: Ports,
    /// They run as long as these are there.
    _running: (local_pd::Running, local_tikv::Running, local_tidb::Running, local_kafka::Running),
}

impl TlsCluster {
    /// Starts the services.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new();
        let files = authority.files(folder.path(), "cluster");
        let config = server_config(&files);
        let any = Ports::addr(0);
        let ports = Ports::free();
        let (pd_addr, kv_addr) = (Ports::addr(ports.pd), Ports::addr(ports.kv));
        let pd_front = TcpListener::bind(any).await.expect("a port");
        let kv_front = TcpListener::bind(any).await.expect("a port");
        let pd_url = format!("https://{}", pd_front.local_addr().expect("an address"));
        let kv_outside = kv_front.local_addr().expect("an address").to_string();
        tokio::spawn(front(pd_front, pd_addr, Arc::clone(&config)));
        tokio::spawn(front(kv_front, kv_addr, config));
        let data = |name: &str| folder.path().join(name);
        let pd = PdConfig { advertise_url: Some(pd_url.clone()), ..PdConfig::new(pd_addr, data("pd")) };
        let pd = local_pd::start(pd).await.expect("a placement driver");
        let kv = TikvConfig {
            advertise_addr: Some(kv_outside),
            ..TikvConfig::new(kv_addr, format!("http://{pd_addr}"), data("tikv"))
        };
        let kv = local_tikv::start(kv).await.expect("a store");
        let sql = TidbConfig {
            security: files.security(),
            ..TidbConfig::new(Ports::addr(ports.sql), pd_url.clone())
        };
        let sql = local_tidb::start(sql).await.expect("a database");
        let kafka = KafkaConfig::new(Ports::addr(ports.kafka), data("kafka"));
        let kafka = local_kafka::start(kafka).await.expect("a broker");
        Self { folder, authority, pd_url, ports, _running: (pd, kv, sql, kafka) }
    }

    /// Certificates with a common name.
    pub(crate) fn files(&self, name: &str) -> Files {
        self.authority.files(self.folder.path(), name)
    }
}
