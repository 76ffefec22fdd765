//! Certificates of callers: signed by the authority, and with a name that is let in.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};

use super::common_name::common_name;

/// A caller whose certificate is good and whose name is not on the list.
#[derive(Debug, thiserror::Error)]
#[error(
    "client certificate authentication failed: the common name {name:?} is not among cert-allowed-cn {allowed:?}"
)]
struct NotAllowed {
    /// The name in the certificate, if there is one.
    name: Option<String>,
    /// Names that are let in.
    allowed: Arc<[String]>,
}

/// Checks the certificates of callers.
pub(super) struct Callers {
    /// Checks the signatures.
    signed: Arc<dyn ClientCertVerifier>,
    /// Names that are let in; empty: all.
    allowed: Arc<[String]>,
}

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callers").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl Callers {
    /// Callers must show a certificate of these authorities, with one of these names if there are any.
    ///
    /// # Errors
    /// What is wrong with the authorities.
    pub(super) fn new(
        authorities: RootCertStore,
        provider: Arc<CryptoProvider>,
        allowed: Arc<[String]>,
    ) -> Result<Self, rustls::server::VerifierBuilderError> {
        let signed = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider).build()?;
        Ok(Self { signed, allowed })
    }

    /// Checks the name in a certificate.
    fn check_name(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        if self.allowed.is_empty() {
            return Ok(());
        }
        let name = common_name(certificate);
        if name.as_ref().is_some_and(|name| self.allowed.contains(name)) {
            return Ok(());
        }
        let refused = NotAllowed { name, allowed: Arc::clone(&self.allowed) };
        Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused)))))
    }
}

impl ClientCertVerifier for Callers {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.signed.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.signed.verify_client_cert(end_entity, intermediates, now)?;
        self.check_name(end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}
