//! Certificates and keys in files, read again when they change: certificates are renewed while the process runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tracing::{info, warn};

use super::callers::Callers;
use super::common_name::common_name;
use super::{Access, TlsError};

/// Protocols that the API speaks, the one that it likes best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The files of a server.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    /// Authority of the callers' certificates.
    pub(super) ca: PathBuf,
    /// Our certificate and those between it and the authority.
    pub(super) cert: PathBuf,
    /// Its key.
    pub(super) key: PathBuf,
}

/// When the files were written, and how long they are: what tells that they changed.
pub(super) type Stamps = [Option<(SystemTime, u64)>; 3];

/// The state of files; that of a file that is not given or not there is none.
pub(super) fn stamps(paths: [Option<&PathBuf>; 3]) -> Stamps {
    paths.map(|path| {
        let metadata = std::fs::metadata(path?).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

impl Paths {
    /// The state of the files.
    fn stamps(&self) -> Stamps {
        stamps([Some(&self.ca), Some(&self.cert), Some(&self.key)])
    }
}

/// The certificates of a PEM file; there is at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |reason: String| TlsError::File { path: path.to_owned(), reason };
    let all: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?.collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(failed("it holds no certificate".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// The certificates of the authority.
fn authorities(paths: &Paths) -> Result<RootCertStore, TlsError> {
    let mut authorities = RootCertStore::empty();
    for certificate in certificates(&paths.ca)? {
        authorities
            .add(certificate)
            .map_err(|error| TlsError::File { path: paths.ca.clone(), reason: error.to_string() })?;
    }
    Ok(authorities)
}

/// The key of the certificate.
fn key(paths: &Paths) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(&paths.key)
        .map_err(|error| TlsError::File { path: paths.key.clone(), reason: error.to_string() })
}

/// The settings of a caller with these files.
pub(super) fn client_settings(paths: &Paths) -> Result<ClientConfig, TlsError> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Settings)?
        .with_root_certificates(authorities(paths)?)
        .with_client_auth_cert(certificates(&paths.cert)?, key(paths)?)
        .map_err(|error| TlsError::File { path: paths.cert.clone(), reason: error.to_string() })
}

/// The settings of TLS that the files and the rules for callers amount to.
pub(super) fn load(paths: &Paths, access: &Access) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = certificates(&paths.cert)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Settings)?;
    let builder = if access.asks_for_certificates() {
        let mut allowed = access.cert_allowed_cn.clone();
        if !allowed.is_empty() {
            // Captures forward requests to each other with the certificate that they serve with.
            allowed.extend(chain.first().and_then(|own| common_name(own)));
        }
        let callers = Callers::new(authorities(paths)?, provider, allowed.into())
            .map_err(|error| TlsError::File { path: paths.ca.clone(), reason: error.to_string() })?;
        builder.with_client_cert_verifier(Arc::new(callers))
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder
        .with_single_cert(chain, key(paths)?)
        .map_err(|error| TlsError::File { path: paths.cert.clone(), reason: error.to_string() })?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}

/// Settings that follow their files.
pub(super) struct Files {
    /// The files.
    paths: Paths,
    /// Who is let in.
    access: Access,
    /// What was read last, with the state of the files then.
    loaded: ArcSwap<(Stamps, Arc<ServerConfig>)>,
}

impl Files {
    /// Reads the files.
    pub(super) fn open(paths: Paths, access: Access) -> Result<Self, TlsError> {
        // Before reading: what is written meanwhile is read again.
        let stamps = paths.stamps();
        let config = Arc::new(load(&paths, &access)?);
        Ok(Self { paths, access, loaded: ArcSwap::from_pointee((stamps, config)) })
    }

    /// Settings for the next connection. Files that cannot be used are told, and the last good ones go on.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        let loaded = self.loaded.load();
        let stamps = self.paths.stamps();
        if loaded.0 == stamps {
            return Arc::clone(&loaded.1);
        }
        let config = match load(&self.paths, &self.access) {
            Ok(config) => {
                info!(certificate = %self.paths.cert.display(), "certificates of the API were read again");
                Arc::new(config)
            }
            Err(error) => {
                warn!(%error, "changed certificates cannot be used; the former ones go on");
                Arc::clone(&loaded.1)
            }
        };
        self.loaded.store(Arc::new((stamps, Arc::clone(&config))));
        config
    }
}
