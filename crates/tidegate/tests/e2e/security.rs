//! TLS from end to end: the server's API and its ways to PD, TiKV and etcd are encrypted, callers are known by their
//! certificates and by their names and passwords in TiDB.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tikv_client::Security;
use tokio::process::Child;

use crate::programs::{Ended, run, tidegate};
use crate::replay::changes;
use crate::sql_client::SqlClient;
use crate::stack::Ports;
use crate::tls_cluster::{Authority, Files, TlsCluster};
use crate::topic;
use crate::wait::until;

/// How long a server may take to be registered and to have an owner.
const ELECTION: Duration = Duration::from_secs(30);
/// How long a change may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);
/// Given where it must not be let in.
const WRONG_PASSWORD: &str = "hunter-wrong-7";

/// Callers are let in with one common name, and as one user of TiDB.
const ACCESS: &str = "[security]\n\
                      mtls = true\n\
                      cert-allowed-cn = ['operator']\n\
                      client-user-required = true\n\
                      client-allowed-user = ['root']\n";

/// A server, and how to call it.
struct Server {
    /// The process; killed at the end.
    _child: Child,
    /// Address.
    addr: String,
}

impl Server {
    /// Starts a server of a cluster and waits until it is registered and there is an owner.
    async fn start(cluster: &TlsCluster, certificate: &Files, caller: &Security) -> Self {
        let addr = Ports::addr(Ports::free().capture).to_string();
        let config = cluster.folder.path().join("server.toml");
        std::fs::write(&config, ACCESS).expect("a file");
        let [config, data, log] =
            [config, cluster.folder.path().join(&addr), cluster.folder.path().join("log")]
                .map(|path| path.display().to_string());
        let mut args =
            ["server", "--pd", &cluster.pd_url, "--addr", &addr, "--config", &config, "--data-dir", &data]
                .map(str::to_owned)
                .to_vec();
        args.extend(["--log-file".to_owned(), log, "--log-level".to_owned(), "debug".to_owned()]);
        args.extend(certificate.flags());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let child = tidegate(&args).kill_on_drop(true).spawn().expect("the program starts");
        let server = Self { _child: child, addr };
        until("the server is registered", ELECTION, async || {
            let (_, captures) = server.call(caller, Method::GET, "/api/v2/captures", None).await?;
            let items = captures["items"].as_array().cloned().unwrap_or_default();
            let is_there = items.iter().any(|item| item["address"] == server.addr.as_str());
            let has_owner = items.iter().any(|item| item["is_owner"] == true);
            if is_there && has_owner { Ok(()) } else { Err(captures.to_string()) }
        })
        .await;
        server
    }

    /// URL.
    fn url(&self) -> String {
        format!("https://{}", self.addr)
    }

    /// One call, as a user if one is given: status and body, or why there is no answer.
    async fn call(
        &self,
        caller: &Security,
        method: Method,
        path: &str,
        user: Option<(&str, &str)>,
    ) -> Result<(StatusCode, Value), String> {
        let http = capture::http_client(caller).map_err(|error| error.to_string())?;
        let mut request = http.request(method, format!("{}{path}", self.url()));
        if let Some((user, password)) = user {
            request = request.basic_auth(user, Some(password));
        }
        let answer = request.send().await.map_err(|error| format!("{error:?}"))?;
        let status = answer.status();
        Ok((status, answer.json().await.map_err(|error| error.to_string())?))
    }

    /// One command; `login` are variables of the environment.
    async fn cli(&self, files: &Files, login: &[(&str, &str)], args: &[&str]) -> Ended {
        let mut all = vec!["cli".to_owned(), format!("--server={}", self.url())];
        all.extend(files.flags());
        all.extend(args.iter().map(|&arg| arg.to_owned()));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        run(tidegate(&all).envs(login.iter().copied()), "").await
    }
}

/// Waits until a topic has the rows with these ids.
async fn wait_rows(ports: Ports, topic: &str, wanted: &[i64]) {
    until("the rows arrive", ARRIVAL, async || {
        let messages = topic::read_all(ports, topic).await;
        let mut ids: Vec<i64> = changes(&messages).iter().map(|change| change.number("id")).collect();
        ids.dedup();
        if ids == wanted { Ok(()) } else { Err(ids) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_known_callers_get_an_answer_from_an_encrypted_server() {
    let cluster = TlsCluster::start().await;
    let (own, operator) = (cluster.files("ticdc"), cluster.files("operator"));
    let caller = operator.security();
    let server = Server::start(&cluster, &own, &caller).await;
    let root = [("TICDC_USER", "root")];
    let sink = format!(
        "kafka://127.0.0.1:{}/secured?protocol=canal-json&enable-tidb-extension=true",
        cluster.ports.kafka
    );
    let create = ["changefeed", "create", "-c", "feed", "--sink-uri", &sink];
    let mut client = SqlClient::connect(Ports::addr(cluster.ports.sql)).await.expect("an SQL connection");
    client.query("CREATE TABLE test.t (id INT PRIMARY KEY)").await.expect("created");
    let said = server.cli(&operator, &root, &create).await.ok();
    assert!(said.starts_with("Create changefeed successfully!\nID: feed\n"), "{said}");
    client.query("INSERT INTO test.t VALUES (1)").await.expect("inserted");
    wait_rows(cluster.ports, "secured", &[1]).await;
    strangers_are_not_let_in(&cluster, &server, &own).await;
    users_are_asked_for_passwords(&server, &operator).await;
    credentials_are_kept_in_a_file(&cluster, &server, &operator).await;
    filters_are_tried_on_the_tables_of_an_encrypted_server(&cluster, &server, &operator).await;
    // A standby sends requests on to the owner with its own certificate, and the user with them.
    let standby = Server::start(&cluster, &own, &caller).await;
    let (status, _) =
        standby.call(&caller, Method::GET, "/api/v2/changefeeds/feed", None).await.expect("an answer");
    assert_eq!(status, StatusCode::OK);
    let pause = "/api/v2/changefeeds/feed/pause";
    let (status, body) = standby.call(&caller, Method::POST, pause, None).await.expect("an answer");
    assert_eq!(
        (status, &body["error_code"]),
        (StatusCode::UNAUTHORIZED, &json!("CDC:ErrCredentialNotFound"))
    );
    let (status, body) =
        standby.call(&caller, Method::POST, pause, Some(("root", ""))).await.expect("an answer");
    assert_eq!(status, StatusCode::OK, "{body}");
    let (_, body) =
        server.call(&caller, Method::GET, "/api/v2/changefeeds/feed", None).await.expect("an answer");
    assert_eq!(body["state"], "stopped");
    certificates_are_read_again(&cluster, &server, &own).await;
    let log = std::fs::read_to_string(cluster.folder.path().join("log")).expect("a log");
    assert!(log.contains("a caller was not let in"), "{log}");
    assert!(!log.contains(WRONG_PASSWORD), "the log tells a password");
}

/// `filter test` shows a certificate as the other commands do.
async fn filters_are_tried_on_the_tables_of_an_encrypted_server(
    cluster: &TlsCluster,
    server: &Server,
    operator: &Files,
) {
    let file = cluster.folder.path().join("filter.toml");
    std::fs::write(&file, "[filter]\nrules = ['test.*']\n").expect("a file");
    let mut args: Vec<String> = ["filter", "test", "--config"].map(str::to_owned).into();
    args.extend([file.display().to_string(), format!("--server={}", server.url())]);
    let run_with = async |args: &[String]| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        run(tidegate(&args).env("TICDC_USER", "root"), "").await
    };
    assert_eq!(run_with(&args).await.code, Some(1), "no certificate");
    args.extend(operator.flags());
    let shown = run_with(&args).await.ok();
    assert!(shown.contains("test.t: replicated (filter.rules: test.*)\n"), "{shown}");
}

/// Who has another name, another authority, or no certificate.
async fn strangers_are_not_let_in(cluster: &TlsCluster, server: &Server, own: &Files) {
    let stranger = cluster.files("stranger");
    let ended = server.cli(&stranger, &[("TICDC_USER", "root")], &["changefeed", "list"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    assert!(ended.stderr.contains("alert"), "TLS says no: {ended:?}");
    // The name in the server's own certificate is let in: captures call each other with it.
    server.call(&own.security(), Method::GET, "/status", None).await.expect("an answer");
    let forged = Authority::new();
    let (cert, key) = forged.issue("operator");
    let path = |name: &str, text: &str| {
        let path = cluster.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let forged =
        Files { ca: stranger.ca.clone(), cert: path("forged.pem", &cert), key: path("forged-key.pem", &key) };
    let trusting = Security::from_files(Some(stranger.ca.clone()), None, None).expect("an authority");
    let other = Security::from_files(Some(path("other.pem", &Authority::new().pem)), None, None)
        .expect("an authority");
    for (what, security) in [
        ("another authority", forged.security()),
        ("no certificate", trusting),
        ("the client trusts another authority", other),
        ("the client trusts no private authority", Security::none()),
    ] {
        let answer = server.call(&security, Method::GET, "/status", None).await;
        assert!(answer.is_err(), "{what}: {answer:?}");
    }
    let plain = reqwest::get(format!("http://{}/status", server.addr)).await;
    assert!(plain.is_err(), "plain text: {plain:?}");
}

/// Name and password are those of a user of TiDB who is on the list.
async fn users_are_asked_for_passwords(server: &Server, operator: &Files) {
    let caller = operator.security();
    for (user, code, text) in [
        (None, "CDC:ErrCredentialNotFound", "please specify the user and password via authorization header"),
        (Some(("root", WRONG_PASSWORD)), "CDC:ErrUnauthorized", "Access denied for user 'root'"),
        (
            Some(("mallory", "")),
            "CDC:ErrUnauthorized",
            "user mallory unauthorized, error: The user is not allowed.",
        ),
        (Some(("", "")), "CDC:ErrUnauthorized", "Empty username is not allowed."),
    ] {
        for (method, path) in [
            (Method::POST, "/api/v2/changefeeds/feed/pause"),
            (Method::GET, "/api/v2/changefeeds/feed/status"),
            (Method::DELETE, "/api/v2/changefeeds/feed"),
            (Method::GET, "/api/v2/unsafe/metadata"),
        ] {
            let (status, body) = server.call(&caller, method, path, user).await.expect("an answer");
            assert_eq!(
                (status, &body["error_code"]),
                (StatusCode::UNAUTHORIZED, &json!(code)),
                "{path}: {body}"
            );
            assert!(
                body["error_msg"].as_str().is_some_and(|message| message.contains(text)),
                "{path}: {body}"
            );
            assert!(!body.to_string().contains(WRONG_PASSWORD), "{body}");
        }
    }
    // As in TiCDC not every question is for users only.
    let (status, _) =
        server.call(&caller, Method::GET, "/api/v2/changefeeds", None).await.expect("an answer");
    assert_eq!(status, StatusCode::OK);
    let login = [("TICDC_USER", "root"), ("TICDC_PASSWORD", WRONG_PASSWORD)];
    let ended = server.cli(operator, &login, &["changefeed", "pause", "-c", "feed"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.starts_with("Error: [CDC:ErrUnauthorized]user root unauthorized"), "{ended:?}");
    let flags = ["changefeed", "why", "-c", "feed", "--user", "root", "--password", ""];
    server.cli(operator, &login, &flags).await.ok();
    let ended = server.cli(operator, &[], &["changefeed", "list", "--password", "x"]).await;
    assert!(ended.stderr.contains("password is specified without user"), "{ended:?}");
}

/// `configure-credentials` writes what other commands read.
async fn credentials_are_kept_in_a_file(cluster: &TlsCluster, server: &Server, operator: &Files) {
    let home = cluster.folder.path().join("home");
    std::fs::create_dir(&home).expect("a folder");
    let url = format!("--server={}", server.url());
    let at_home = |args: &[&str]| {
        let mut command = tidegate(args);
        command.env("HOME", &home);
        command
    };
    let configure = ["cli", "configure-credentials"];
    let Files { ca, cert, key } = operator;
    let answers = format!("1\n{}\n{}\n{}\n", ca.display(), cert.display(), key.display());
    let said = run(&mut at_home(&configure), &answers).await.ok();
    assert!(said.contains("2) TiDB User Credentials\nSelect Credential Type [default 1]:"), "{said}");
    run(&mut at_home(&configure), "2\nroot\n\n").await.ok();
    let why = ["cli", &url, "changefeed", "why", "-c", "feed"];
    assert!(run(&mut at_home(&why), "").await.ok().contains("\"id\": \"feed\""));
    let file = home.join(".ticdc/credentials");
    let rights =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).expect("a file").permissions());
    assert_eq!(rights & 0o777, 0o600, "only the user reads it");
    let ended = run(&mut at_home(&configure), "3\n").await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), "Error: invalid input\n"));
    std::fs::write(&file, "ticdc_password = 'hunter\n").expect("a file");
    let ended = run(&mut at_home(&why), "").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(!ended.stderr.contains("hunter"), "a broken file is not shown: {ended:?}");
}

/// New certificates are used without a restart.
async fn certificates_are_read_again(cluster: &TlsCluster, server: &Server, own: &Files) {
    let next = Authority::new();
    let (cert, key) = next.issue("operator");
    let path = |name: &str, text: &str| {
        let path = cluster.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let renewed =
        Files { ca: own.ca.clone(), cert: path("renewed.pem", &cert), key: path("renewed-key.pem", &key) };
    let answer = server.call(&renewed.security(), Method::GET, "/status", None).await;
    assert!(answer.is_err(), "the authority is not known yet: {answer:?}");
    std::fs::write(&own.ca, format!("{}{}", cluster.authority.pem, next.pem)).expect("a file");
    let (status, _) =
        server.call(&renewed.security(), Method::GET, "/status", None).await.expect("an answer");
    assert_eq!(status, StatusCode::OK);
    std::fs::write(&own.ca, "nonsense").expect("a file");
    let operator = cluster.files("operator");
    let answer = server.call(&operator.security(), Method::GET, "/status", None).await;
    assert!(answer.is_ok(), "what cannot be read does not replace what works: {answer:?}");
}
