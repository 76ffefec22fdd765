//! A login with a key table: a realm of the test's own, and a broker that takes nothing but Kerberos.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kafka_sink::{KerberosConfig, Login, ProducerConfig, TopicAdmin, TopicSpec};
use real_kafka::Version;

use crate::broker::{config, read, send_one, start};

/// Set for the part of the test that runs in the realm: both Kerberos libraries take theirs from the environment.
const INSIDE: &str = "TIDEGATE_TEST_REALM";
/// Name of the realm.
const REALM: &str = "TIDEGATE.TEST";
/// A topic with one partition.
const SPEC: TopicSpec = TopicSpec { partitions: Some(1), replication_factor: 1, auto_create: true };

/// Kills the server when the test ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The variables of the realm in a folder.
fn variables(folder: &Path) -> [(&'static str, String); 4] {
    let file = |name: &str| folder.join(name).display().to_string();
    [
        ("KRB5_CONFIG", file("krb5.conf")),
        ("KRB5_KDC_PROFILE", file("kdc.conf")),
        ("JAVA_TOOL_OPTIONS", format!("-Djava.security.krb5.conf={}", file("krb5.conf"))),
        (INSIDE, folder.display().to_string()),
    ]
}

/// Runs a program in the realm.
fn run(folder: &Path, program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).envs(variables(folder)).stdin(Stdio::null()).status();
    assert!(status.unwrap_or_else(|e| panic!("{program}: {e}")).success(), "{program} {args:?}");
}

/// Makes the realm and starts its server.
fn realm(folder: &Path) -> Server {
    let port = TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("bound").port();
    let shown = folder.display();
    let client = format!(
        "[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n rdns = false\n\
         dns_canonicalize_hostname = false\n udp_preference_limit = 1\n default_ccache_name = FILE:{shown}/tickets\n\
         [realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n"
    );
    std::fs::write(folder.join("krb5.conf"), client).expect("written");
    let server = format!(
        "[kdcdefaults]\n kdc_ports = {port}\n kdc_tcp_ports = {port}\n[realms]\n {REALM} = {{\n\
         database_name = {shown}/principals\n key_stash_file = {shown}/stash\n acl_file = {shown}/acl\n }}\n"
    );
    std::fs::write(folder.join("kdc.conf"), server).expect("written");
    run(folder, "kdb5_util", &["create", "-s", "-r", REALM, "-P", "of-the-test"]);
    for (principal, file) in [("kafka/127.0.0.1", "broker.keytab"), ("cdc", "cdc.keytab")] {
        run(folder, "kadmin.local", &["-q", &format!("addprinc -randkey {principal}")]);
        run(folder, "kadmin.local", &["-q", &format!("ktadd -k {shown}/{file} {principal}")]);
    }
    Server(Command::new("krb5kdc").arg("-n").envs(variables(folder)).spawn().expect("the realm's server"))
}

/// In the realm: a producer and an administrative client log in with their key table, and with none but theirs.
fn inside(folder: &str) {
    let broker = start(Version::V4, |settings| {
        settings.sasl = true;
        settings.properties = vec![
            "listener.name.sasl.sasl.enabled.mechanisms=GSSAPI".to_owned(),
            "sasl.kerberos.service.name=kafka".to_owned(),
            format!(
                "listener.name.sasl.gssapi.sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required \
                 useKeyTab=true storeKey=true keyTab=\"{folder}/broker.keytab\" principal=\"kafka/127.0.0.1@{REALM}\";"
            ),
        ];
    });
    let Some(broker) = broker else { return };
    let with = |keytab: &str| ProducerConfig {
        login: Some(Login::Kerberos(KerberosConfig {
            service_name: "kafka".to_owned(),
            principal: format!("cdc@{REALM}"),
            keytab: format!("{folder}/{keytab}"),
        })),
        ..config(&broker.cluster.sasl())
    };
    let outcome = TopicAdmin::new(&with("broker.keytab")).and_then(|admin| admin.ensure("refused", SPEC));
    assert!(outcome.is_err(), "a key table without the principal: {outcome:?}");
    let good = with("cdc.keytab");
    let admin = TopicAdmin::new(&good).expect("a connection");
    assert_eq!(admin.ensure("kerberos", SPEC).expect("a topic"), 1);
    send_one(&good, "kerberos", b"from the realm").expect("sent");
    assert_eq!(read(&broker.cluster.bootstrap(), "kerberos", 0, 1), [b"from the realm"]);
}

#[test]
fn a_key_table_logs_in_to_kafka_4() {
    if let Ok(folder) = std::env::var(INSIDE) {
        return inside(&folder);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let _server = realm(folder.path());
    let status = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "kerberos::a_key_table_logs_in_to_kafka_4", "--nocapture"])
        .envs(variables(folder.path()))
        .status();
    assert!(status.expect("started").success(), "the part in the realm");
}
