//! Who the command line says it is: flags, else variables of the environment, else the file of `configure-credentials`.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::prompt::ask;
use crate::failure::Failure;

/// The file, below the user's home.
const FILE: &str = ".ticdc/credentials";
/// Largest file that is read, bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What the file holds. TiCDC reads it too.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Credentials {
    /// User of TiDB.
    #[serde(skip_serializing_if = "String::is_empty")]
    ticdc_user: String,
    /// Password.
    #[serde(skip_serializing_if = "String::is_empty")]
    ticdc_password: String,
    /// Authority of the server's certificate.
    #[serde(skip_serializing_if = "String::is_empty")]
    ca_path: String,
    /// Our certificate.
    #[serde(skip_serializing_if = "String::is_empty")]
    cert_path: String,
    /// Its key.
    #[serde(skip_serializing_if = "String::is_empty")]
    key_path: String,
}

/// An error of TiCDC about credentials.
fn not_found(reason: impl std::fmt::Display) -> Failure {
    Failure::new(format!("[CDC:ErrCredentialNotFound]credential not found: {reason}"))
}

/// A variable of the environment that is set to something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Credentials {
    /// Where the file is.
    fn path() -> Result<PathBuf, Failure> {
        let home = std::env::home_dir().ok_or_else(|| not_found("failed to get user home directory"))?;
        Ok(home.join(FILE))
    }

    /// Reads the file; without one there are no credentials.
    fn read() -> Result<Self, Failure> {
        let path = Self::path()?;
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(_) => return Ok(Self::default()),
        };
        let named = |error: &dyn std::fmt::Display| {
            not_found(format!(
                "failed to parse client authentication from credential file <{}>: {error}",
                path.display()
            ))
        };
        if metadata.len() > MAX_FILE_BYTES {
            return Err(named(&"it is too large"));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| named(&error))?;
        // The parser's own message shows the line, and with it the password.
        toml::from_str(&text).map_err(|error: toml::de::Error| named(&error.message().to_owned()))
    }

    /// Writes the file so that only the user can read it.
    fn store(&self) -> Result<(), Failure> {
        let path = Self::path()?;
        let named = |error: std::io::Error| {
            Failure::new(format!("failed to write the credential file <{}>: {error}", path.display()))
        };
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(named)?;
        }
        let text = toml::to_string(self).map_err(|error| Failure::new(error.to_string()))?;
        // A new file takes the place of the old one, whose rights may be wider.
        let fresh = path.with_extension("new");
        let _ = std::fs::remove_file(&fresh);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh);
        let mut file = file.map_err(named)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(named)?;
        std::fs::rename(&fresh, &path).map_err(named)
    }
}

/// Paths of the files for TLS: authority, certificate and key of one source.
pub(super) fn certificates(flags: [Option<&String>; 3]) -> [Option<PathBuf>; 3] {
    let given = |values: [Option<String>; 3]| {
        let paths = values.map(|value| value.filter(|path| !path.is_empty()).map(PathBuf::from));
        paths.iter().any(Option::is_some).then_some(paths)
    };
    given(flags.map(|flag| flag.cloned()))
        .or_else(|| given(["TICDC_CA_PATH", "TICDC_CERT_PATH", "TICDC_KEY_PATH"].map(variable)))
        .or_else(|| match Credentials::read() {
            Ok(file) => given([Some(file.ca_path), Some(file.cert_path), Some(file.key_path)]),
            Err(Failure::Message(message)) => {
                eprintln!("[WARN] {message}; the connection is not encrypted");
                None
            }
            Err(_) => None,
        })
        .unwrap_or_default()
}

/// Name and password. A name given by a flag without a password is asked about.
pub(super) fn login(
    user: Option<&String>,
    password: Option<&String>,
) -> Result<Option<(String, String)>, Failure> {
    let given = |value: Option<&String>| value.filter(|text| !text.is_empty()).cloned();
    if let Some(user) = given(user) {
        let password = match password.cloned().or_else(|| std::env::var("TICDC_PASSWORD").ok()) {
            Some(password) => password,
            None => ask_password()?,
        };
        return Ok(Some((user, password)));
    }
    if given(password).is_some() {
        return Err(not_found("invalid authentication: password is specified without user"));
    }
    if let Some(user) = variable("TICDC_USER") {
        return Ok(Some((user, std::env::var("TICDC_PASSWORD").unwrap_or_default())));
    }
    let file = Credentials::read()?;
    match (file.ticdc_user, file.ticdc_password) {
        (user, password) if !user.is_empty() => Ok(Some((user, password))),
        (_, password) if !password.is_empty() => {
            Err(not_found("invalid authentication: password is specified without user"))
        }
        _ => Ok(None),
    }
}

/// Switches the echo of the terminal off, and on again at the end.
struct Quiet;

impl Quiet {
    /// Runs `stty`; whether it could.
    fn stty(mode: &str) -> bool {
        let ended = Command::new("stty").arg(mode).stdout(Stdio::null()).stderr(Stdio::null()).status();
        ended.is_ok_and(|status| status.success())
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        Self::stty("echo");
        eprintln!();
    }
}

/// Asks for a password, which the terminal does not show.
fn ask_password() -> Result<String, Failure> {
    let stdin = std::io::stdin();
    eprint!("Enter password: ");
    let quiet = if stdin.is_terminal() {
        if !Quiet::stty("-echo") {
            return Err(not_found("the terminal would show the password: give it in TICDC_PASSWORD"));
        }
        Some(Quiet)
    } else {
        None
    };
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    drop(quiet);
    read.map_err(|error| not_found(format!("Error reading password, {error}")))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// `cdc cli configure-credentials`: asks for certificates or for name and password, and keeps them in the file.
pub(super) fn configure() -> Result<(), Failure> {
    println!("1) TLS Client Certificate\n2) TiDB User Credentials");
    let option = ask("Select Credential Type [default 1]:")?;
    let mut file = Credentials::read()?;
    let change = |question: &str, value: &mut String| -> Result<(), Failure> {
        let answer = ask(question)?;
        if !answer.is_empty() {
            *value = answer;
        }
        Ok(())
    };
    match option.as_str() {
        "" | "1" => {
            change(&format!("CA Certificate path [{}]:", file.ca_path), &mut file.ca_path)?;
            change(&format!("Client Certificate path [{}]:", file.cert_path), &mut file.cert_path)?;
            change(&format!("Client Private Key path [{}]:", file.key_path), &mut file.key_path)?;
        }
        "2" => {
            change(&format!("TiCDC User name [{}]:", file.ticdc_user), &mut file.ticdc_user)?;
            // TiCDC shows the password that is there; nobody needs to see it.
            let there = if file.ticdc_password.is_empty() { "" } else { "xxxxx" };
            change(&format!("TiCDC Password  [{there}]:"), &mut file.ticdc_password)?;
        }
        other => {
            println!("Received invalid input: {other}, abort the command.");
            return Err(Failure::new("invalid input"));
        }
    }
    file.store()
}
