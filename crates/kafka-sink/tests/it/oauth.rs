//! OAUTHBEARER: a token server, and a broker that believes tokens which nobody signed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kafka_sink::{Login, OauthConfig, Producer, ProducerConfig, TopicAdmin, TopicSpec};
use real_kafka::Version;

use crate::broker::{Fate, LIMIT, config, read, start};

/// Client id and secret that the server knows.
const CLIENT: (&str, &str) = ("cdc", "s3cret/+=");
/// How long a token is good: short, so that it has to be renewed.
const SECONDS: u64 = 12;
/// How long messages are sent: longer than a token is good.
const SENDING: Duration = Duration::from_secs(15);
/// Pause between two messages.
const PAUSE: Duration = Duration::from_millis(500);

/// A token server.
struct TokenServer {
    /// Where it is.
    url: String,
    /// Tokens that it gave out.
    given: Arc<AtomicUsize>,
}

impl TokenServer {
    /// Starts one; its thread ends with the tests.
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}/token", listener.local_addr().expect("an address"));
        let given = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&given);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &count);
            }
        });
        Self { url, given }
    }

    /// Settings of a client that knows this secret.
    fn client(&self, secret: &str) -> OauthConfig {
        OauthConfig {
            client_id: CLIENT.0.to_owned(),
            client_secret: secret.to_owned(),
            token_url: self.url.clone(),
            scopes: vec!["kafka".to_owned()],
            grant_type: "client_credentials".to_owned(),
            audience: Some("brokers".to_owned()),
        }
    }
}

/// Answers one request: a token for who knows the secret.
fn answer(mut stream: TcpStream, given: &AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "authorization" => value.trim().clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    let whole = reader.read_exact(&mut body).is_ok();
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", CLIENT.0, CLIENT.1)));
    let asked = body == b"grant_type=client_credentials&scope=kafka&audience=brokers";
    let (status, text) = if whole && asked && authorization == basic {
        given.fetch_add(1, Ordering::AcqRel);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let claims =
            format!("{{\"sub\":\"cdc\",\"iat\":{now},\"exp\":{},\"scope\":\"kafka\"}}", now + SECONDS);
        let token =
            format!("{}.{}.", URL_SAFE_NO_PAD.encode("{\"alg\":\"none\"}"), URL_SAFE_NO_PAD.encode(claims));
        (
            "200 OK",
            format!("{{\"access_token\":\"{token}\",\"token_type\":\"bearer\",\"expires_in\":{SECONDS}}}"),
        )
    } else {
        ("401 Unauthorized", "{\"error\":\"invalid_client\"}".to_owned())
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n");
    // A client that is gone already needs no answer.
    let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{text}", text.len());
}

#[test]
fn tokens_are_fetched_renewed_and_believed() {
    let Some(broker) = start(Version::V4, |settings| {
        settings.sasl = true;
        // A connection whose token has ended is closed unless the client sends a new one.
        settings.properties = vec!["connections.max.reauth.ms=10000".to_owned()];
    }) else {
        return;
    };
    let server = TokenServer::start();
    let login = |secret: &str| Some(Login::Oauth(server.client(secret)));
    let good = ProducerConfig { login: login(CLIENT.1), ..config(&broker.cluster.sasl()) };
    let admin = TopicAdmin::new(&good).expect("a connection");
    let spec = TopicSpec { partitions: Some(1), replication_factor: 1, auto_create: true };
    assert_eq!(admin.ensure("tokens", spec).expect("a topic"), 1);
    assert!(admin.max_message_bytes("tokens").is_some());

    let (fate, told) = Fate::new();
    let producer = Producer::new(&good, || {}).expect("a producer");
    let started = std::time::Instant::now();
    let mut sent = Vec::new();
    while started.elapsed() < SENDING {
        let value = sent.len().to_string().into_bytes();
        producer.send("tokens", 0, Some(&[]), &value, Arc::clone(&fate)).expect("queued");
        told.recv_timeout(LIMIT).expect("the fate of a message").expect("delivered");
        sent.push(value);
        std::thread::sleep(PAUSE);
    }
    producer.close();
    assert_eq!(read(&broker.cluster.bootstrap(), "tokens", 0, sent.len()), sent);
    assert_eq!(admin.ensure("tokens", spec).expect("with a new token"), 1);
    // One for each client, and a second for each.
    assert!(server.given.load(Ordering::Acquire) >= 4, "{} tokens", server.given.load(Ordering::Acquire));

    let wrong = ProducerConfig { login: login("wrong"), ..good };
    let error = TopicAdmin::new(&wrong).map(|_| ()).expect_err("a wrong secret");
    assert!(error.to_string().contains("401 Unauthorized"), "{error}");
}
