//! Encrypted connections, with certificates that the tests make for themselves.

use std::path::PathBuf;
use std::time::Duration;

use local_pd::PdConfig;
use local_tikv::TikvConfig;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tikv_client::{Error, EtcdClient, PdClient, Security, TikvClient, TransactionOptions};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use super::facade::Facade;

/// A certificate authority.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for this machine, and its key.
    fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// Settings of a server that asks its clients for certificates of this authority.
    fn server(&self) -> ServerTlsConfig {
        let (cert, key) = self.issue();
        ServerTlsConfig::new()
            .identity(Identity::from_pem(cert, key))
            .client_ca_root(Certificate::from_pem(&self.pem))
    }
}

/// A cluster of one store whose ports speak TLS only, with clients' files.
struct Secured {
    dir: TempDir,
    authority: Authority,
    pd_front: Facade,
    _store_front: Facade,
    _pd: local_pd::Running,
    _tikv: local_tikv::Running,
    _dirs: [TempDir; 2],
}

/// A free address.
fn free() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Secured {
    async fn start() -> Self {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let authority = Authority::new();
        let (pd_addr, store_addr) = (free(), free());
        let pd_front = Facade::with_tls(&format!("http://{pd_addr}"), Some(authority.server())).await;
        let store_front = Facade::with_tls(&format!("http://{store_addr}"), Some(authority.server())).await;
        let config =
            PdConfig { advertise_url: Some(pd_front.url()), ..PdConfig::new(pd_addr, dirs[0].path()) };
        let pd = local_pd::start(config).await.unwrap();
        let config = TikvConfig {
            advertise_addr: Some(store_front.addr.to_string()),
            ..TikvConfig::new(store_addr, format!("http://{pd_addr}"), dirs[1].path())
        };
        let tikv = local_tikv::start(config).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        Self { dir, authority, pd_front, _store_front: store_front, _pd: pd, _tikv: tikv, _dirs: dirs }
    }

    fn file(&self, name: &str, text: &str) -> Option<PathBuf> {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    }

    /// Files of a client that trusts one authority and was certified by another, if by any.
    fn security(&self, trusted: &Authority, certified_by: Option<&Authority>) -> Security {
        let ca = self.file("ca.pem", &trusted.pem);
        let (cert, key) = match certified_by.map(Authority::issue) {
            Some((cert, key)) => (self.file("cert.pem", &cert), self.file("key.pem", &key)),
            None => (None, None),
        };
        Security::from_files(ca, cert, key).unwrap()
    }

    async fn refused(&self, security: Security) -> Error {
        let endpoints = [self.pd_front.url()];
        let budget = Duration::from_millis(300);
        PdClient::connect_within(&endpoints, security, budget).await.unwrap_err()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn placement_driver_metadata_and_stores_are_reached_with_a_client_certificate() {
    let secured = Secured::start().await;
    let security = secured.security(&secured.authority, Some(&secured.authority));
    // The scheme may be left out: certificates are given.
    let endpoints = [secured.pd_front.addr.to_string()];
    let pd = PdClient::connect(&endpoints, security.clone()).await.unwrap();
    assert_eq!(pd.leader_url(), secured.pd_front.url());
    assert!(pd.get_ts().await.unwrap() > 0);
    let etcd = EtcdClient::new(&pd.urls(), security).unwrap();
    etcd.put("k", "v", 0).await.unwrap();
    assert_eq!(super::text(etcd.get("k").await.unwrap().unwrap().value), "v");
    let client = TikvClient::new(pd);
    let mut txn = client.begin(TransactionOptions::optimistic()).await.unwrap();
    txn.put("a", "1").unwrap();
    txn.commit().await.unwrap();
    let ts = client.pd().get_ts().await.unwrap();
    assert_eq!(super::text(client.snapshot(ts).get(b"a").await.unwrap().unwrap()), "1");
    assert!(secured._store_front.count("KvGet") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_another_authority_are_refused() {
    let secured = Secured::start().await;
    let other = Authority::new();
    let error = secured.refused(secured.security(&other, Some(&secured.authority))).await;
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().to_lowercase().contains("certificate"), "the reason is told: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_fitting_certificate_is_not_let_in() {
    let secured = Secured::start().await;
    let error = secured.refused(secured.security(&secured.authority, None)).await;
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    let other = Authority::new();
    let error = secured.refused(secured.security(&secured.authority, Some(&other))).await;
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    let error = secured.refused(Security::none()).await;
    assert!(matches!(error, Error::TlsNotConfigured { .. }), "{error}");
    let calls = secured.pd_front.calls();
    assert!(calls.is_empty(), "nobody got as far as a call: {calls:?}");
}
