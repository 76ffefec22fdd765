//! The HTTP client of the CLI.

use reqwest::Method;
use serde_json::Value;
use tikv_client::Security;

use super::Connection;
use crate::failure::Failure;

/// Server that is asked when none is named.
const DEFAULT_SERVER: &str = "127.0.0.1:8300";

/// Talks to a CDC server.
pub(crate) struct ApiClient {
    /// Client.
    http: reqwest::Client,
    /// Certificates.
    security: Security,
    /// URL of the server without a trailing slash.
    base: String,
    /// Basic authentication.
    login: Option<(String, String)>,
}

impl ApiClient {
    /// A client for the server that the flags name; the server must answer.
    pub(crate) async fn connect(connection: &Connection) -> Result<Self, Failure> {
        let security = connection.security()?;
        let address = match (&connection.server, &connection.pd) {
            (Some(server), _) if !server.is_empty() => server.clone(),
            (_, Some(pd)) if !pd.is_empty() => owner_of(pd, security.clone()).await?,
            _ => DEFAULT_SERVER.to_owned(),
        };
        let base = with_scheme(&address, capture::scheme(&security));
        let http = capture::http_client(&security)?;
        let client = Self { http, security, base, login: connection.login()? };
        client.call(Method::GET, "/api/v2/status", None).await?;
        Ok(client)
    }

    /// A client for a known server.
    pub(crate) fn to(base: String) -> Self {
        Self { http: reqwest::Client::new(), security: Security::none(), base, login: None }
    }

    /// One request; errors are TiCDC's, or those of the connection in Go's words.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.base);
        let mut verb = method.as_str().to_lowercase();
        verb[..1].make_ascii_uppercase();
        let mut request = self.http.request(method, &url);
        if let Some((user, password)) = &self.login {
            request = request.basic_auth(user, Some(password));
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Err(self.connection_error(&verb, &url, &error).await),
        };
        let status = answer.status();
        let text = answer.text().await?;
        if status.is_success() {
            return Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? });
        }
        match serde_json::from_str::<Value>(&text) {
            Ok(error) if error.get("error_msg").is_some() => {
                Err(Failure::new(error["error_msg"].as_str().unwrap_or_default()))
            }
            _ => Err(Failure::new(format!("{url}: {status}: {text}"))),
        }
    }

    /// A failed connection. The HTTP client does not always know why a server has closed one that had been opened.
    async fn connection_error(&self, verb: &str, url: &str, error: &reqwest::Error) -> Failure {
        if !error.is_connect()
            && let Some(reason) = capture::refusal(&self.security, url).await
        {
            return Failure::new(format!(
                "{verb} \"{url}\": the server refuses the connection: {reason}; check --ca, --cert and --key, and the \
                 server's cert-allowed-cn"
            ));
        }
        connection_error(verb, url, error)
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, None).await
    }

    /// POST.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body)).await
    }
}

/// A server address with a scheme (this one if it has none) and without a trailing slash.
fn with_scheme(server: &str, scheme: &str) -> String {
    let server = server.trim_end_matches('/');
    if server.contains("://") { server.to_owned() } else { format!("{scheme}://{server}") }
}

/// A failed connection, as Go reports it.
fn connection_error(verb: &str, url: &str, error: &reqwest::Error) -> Failure {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let reason = match cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionRefused) => {
            let authority =
                url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
            format!("dial tcp {authority}: connect: connection refused")
        }
        _ => cause.to_string(),
    };
    Failure::new(format!("{verb} \"{url}\": {reason}"))
}

/// Address of the owner, found through PD (the deprecated way).
async fn owner_of(pd: &str, security: Security) -> Result<String, Failure> {
    let endpoints: Vec<String> = pd.split(',').map(str::to_owned).collect();
    let etcd = tikv_client::EtcdClient::new(&endpoints, security)?;
    let captures = etcd.get_prefix("/tidb/cdc/default/__cdc_meta__/capture/").await?;
    let address = captures.kvs.iter().find_map(|kv| {
        let info: Value = serde_json::from_slice(&kv.value).ok()?;
        info.get("address")?.as_str().map(str::to_owned)
    });
    match address {
        Some(address) => Ok(address),
        None => Err(Failure::new("[CDC:ErrOwnerNotFound]owner not found")),
    }
}
