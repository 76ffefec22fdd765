//! Logins at the server crate of the local stack, and at a scripted server with TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use mysql_server::{
    Backend, Client, Column, Credential, Param, Prepared, ResultWriter, ServerConfig, Session, SqlError,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// Users of a server: one with a password.
struct Known;

/// Nobody asks anything after the login.
struct Silent;

impl Backend for Known {
    type Session = Silent;

    fn credential(&self, user: &str, _: SocketAddr) -> Option<Credential> {
        (user == "test").then(|| Credential::from_password("s3cret"))
    }

    async fn open(&self, _: Client) -> Result<Silent, SqlError> {
        Ok(Silent)
    }

    fn kill(&self, _: u32) -> Result<(), SqlError> {
        Ok(())
    }
}

impl Session for Silent {
    async fn query(&mut self, _: &[u8], _: &mut ResultWriter<'_>) -> Result<(), SqlError> {
        Ok(())
    }

    async fn prepare(&mut self, _: &[u8]) -> Result<Prepared, SqlError> {
        Ok(Prepared::default())
    }

    async fn execute(&mut self, _: u32, _: Vec<Param>, _: &mut ResultWriter<'_>) -> Result<(), SqlError> {
        Ok(())
    }

    fn close_statement(&mut self, _: u32) {}

    async fn use_database(&mut self, _: &str) -> Result<(), SqlError> {
        Ok(())
    }

    async fn fields(&mut self, _: &str) -> Result<Vec<Column>, SqlError> {
        Ok(Vec::new())
    }

    async fn reset(&mut self) -> Result<(), SqlError> {
        Ok(())
    }

    fn status(&self) -> u16 {
        0
    }

    async fn close(self) {}
}

#[tokio::test]
async fn a_password_is_checked_by_the_server() {
    let config = ServerConfig {
        addr: "127.0.0.1:0".parse().expect("an address"),
        version: "8.0.11-TiDB-v8.5.4".to_owned(),
        max_connections: 4,
    };
    let server = mysql_server::start(config, Arc::new(Known)).await.expect("a server");
    let address = server.local_addr().to_string();
    check(&address, "test", "s3cret").await.expect("let in");
    for (user, password) in [("test", "guess"), ("test", ""), ("other", "s3cret")] {
        let error = check(&address, user, password).await.expect_err("not let in");
        assert!(matches!(error, LoginError::Denied { code: 1045, .. }), "{user} {password}: {error}");
        assert!(!error.to_string().contains("guess"), "{error}");
    }
    server.shutdown().await;
    assert!(matches!(check(&address, "test", "s3cret").await, Err(LoginError::Io(_))));
}

/// A greeting with these capabilities and this method.
fn greeting(capabilities: u32, plugin: &str) -> Vec<u8> {
    let mut out = b"\x0a8.0\0\x01\0\0\0saltsalt\0".to_vec();
    out.extend_from_slice(&(capabilities as u16).to_le_bytes());
    out.extend_from_slice(&[COLLATION, 2, 0]);
    out.extend_from_slice(&((capabilities >> 16) as u16).to_le_bytes());
    out.push(21);
    out.extend_from_slice(&[0; 10]);
    out.extend_from_slice(b"moresaltmore\0");
    out.extend_from_slice(plugin.as_bytes());
    out.push(0);
    out
}

/// A server that asks for the password itself, encrypted or not. What it was told last.
async fn asks_for_the_password(
    encrypts: bool,
) -> (String, tokio::task::JoinHandle<Result<Vec<u8>, LoginError>>) {
    let key = KeyPair::generate().expect("a key");
    let cert = CertificateParams::new(vec!["tidb".to_owned()]).expect("parameters");
    let cert = cert.self_signed(&key).expect("signed").der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)
            .expect("a certificate");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut plain = Packets { stream, sequence: 0 };
        let capabilities = CAPABILITIES | if encrypts { SSL } else { 0 };
        plain.write(&greeting(capabilities, CACHING_SHA2)).await?;
        if !encrypts {
            plain.read().await?;
            plain.write(&[MORE, FULL_AUTH]).await?;
            return plain.read().await;
        }
        let request = plain.read().await?;
        assert_eq!(request.len(), 32, "a request to encrypt, and nothing about the user");
        let stream = TlsAcceptor::from(Arc::new(config)).accept(plain.stream).await?;
        let mut packets = Packets { stream, sequence: plain.sequence };
        packets.read().await?;
        packets.write(&[MORE, FULL_AUTH]).await?;
        let password = packets.read().await?;
        packets.write(&[OK, 0, 0, 2, 0, 0, 0]).await?;
        Ok(password)
    });
    (address, served)
}

#[tokio::test]
async fn a_password_is_sent_as_it_is_on_encrypted_connections_only() {
    let (address, served) = asks_for_the_password(true).await;
    check(&address, "test", "s3cret").await.expect("let in");
    assert_eq!(served.await.expect("the server ended").expect("a password"), b"s3cret\0");
    let (address, served) = asks_for_the_password(false).await;
    assert!(matches!(check(&address, "test", "s3cret").await, Err(LoginError::NeedsTls)));
    assert!(served.await.expect("the server ended").is_err(), "nothing more was sent");
}

#[tokio::test]
async fn garbage_is_an_error() {
    let whole = greeting(CAPABILITIES, NATIVE);
    let read = Greeting::parse(&whole).expect("a greeting");
    assert_eq!((read.salt.as_slice(), read.plugin.as_str()), (b"saltsaltmoresaltmore".as_slice(), NATIVE));
    for end in 0..whole.len() - NATIVE.len() - 1 {
        assert!(Greeting::parse(&whole[..end]).is_err(), "{end}");
    }
    let refused = Greeting::parse(b"\xff\x10\x04Too many connections").expect_err("refused");
    assert_eq!(refused.to_string(), "Error 1040: Too many connections");
    assert!(matches!(refusal(b"\xff\x15"), LoginError::Protocol(_)));
}
