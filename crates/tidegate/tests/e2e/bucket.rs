//! A bucket that takes everything and keeps the heads of the requests. Signatures are checked where the crate is tested
//! that makes them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The heads of all requests so far, in lower case.
type Heads = Arc<Mutex<Vec<String>>>;

/// The bucket's server; it ends with the test.
pub(crate) struct Bucket {
    /// Where it listens.
    addr: SocketAddr,
    /// Requests.
    heads: Heads,
}

impl Bucket {
    /// Starts it on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        let heads = Heads::default();
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen)));
            }
        });
        Self { addr, heads }
    }

    /// Its address as a parameter of a URI.
    pub(crate) fn endpoint(&self) -> String {
        format!("endpoint=http%3A%2F%2F{}", self.addr)
    }

    /// The heads of all requests so far, in lower case.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("heads").clone()
    }
}

/// Answers requests until the client goes; `None` then.
async fn serve(stream: TcpStream, heads: Heads) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        head.make_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let mut body = vec![0; length.and_then(|text| text.parse().ok()).unwrap_or(0)];
        stream.read_exact(&mut body).await.ok()?;
        heads.lock().expect("heads").push(head);
        let answer = b"HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.ok()?;
    }
}
