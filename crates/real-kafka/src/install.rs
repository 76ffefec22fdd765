//! The jars: Maven resolves and fetches them.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::error::KafkaError;

/// Maven's plugin that copies an artifact with everything it needs.
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies";
/// Scala version of the broker's artifact.
const SCALA: &str = "2.13";
/// Prints the log of a broker to its standard error; without it there is none.
const LOGGER: &str = "slf4j-simple";
/// Version of [`LOGGER`] that goes with the one that Kafka uses.
const LOGGER_VERSION: &str = "1.7.36";
/// Bytes of a failed program's output that an error keeps.
const KEPT_OUTPUT: usize = 2000;

/// A release line of Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// 3.9: the last line that can use ZooKeeper.
    V3_9,
    /// 4: KRaft only.
    V4,
}

impl Version {
    /// The release that is taken of the line.
    pub fn release(self) -> &'static str {
        match self {
            Self::V3_9 => "3.9.1",
            Self::V4 => "4.1.1",
        }
    }
}

/// Jars of one version in a folder.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Version of the jars.
    version: Version,
    /// Folder of the jars.
    libraries: PathBuf,
}

/// Where it is set, a machine without Java or Maven fails tests instead of letting them be skipped. The suite sets it.
pub const NEED_KAFKA: &str = "TIDEGATE_NEED_KAFKA";

/// One installation at a time in this process.
static INSTALLING: Mutex<()> = Mutex::new(());

impl Installation {
    /// Jars below `folder`; fetches them if they are not there yet. Several processes may do this at the same time.
    pub fn below(folder: &Path, version: Version) -> Result<Self, KafkaError> {
        need("java", "-version", "default-jre-headless")?;
        let _one = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let place = folder.join(version.release());
        let libraries = place.join("libs");
        if !libraries.is_dir() {
            need("mvn", "--version", "maven")?;
            fetch(folder, &place, version)?;
        }
        Ok(Self { version, libraries })
    }

    /// Jars for a test: below `kafka` beside `folder`, a folder of build output. `None` on a machine without Java or
    /// Maven, which is said on standard error where no test harness keeps it, unless [`NEED_KAFKA`] is set.
    pub fn for_test(folder: &str, version: Version) -> Result<Option<Self>, KafkaError> {
        match Self::below(&Path::new(folder).join("../kafka"), version) {
            Err(error) if error.is_missing_program() && std::env::var_os(NEED_KAFKA).is_none() => {
                let thread = std::thread::current();
                let test = thread.name().unwrap_or("a test");
                // Nothing can be done about a standard error that is closed.
                let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {error}");
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// Version of the jars.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The class path for `java -cp`.
    pub fn class_path(&self) -> OsString {
        self.libraries.join("*").into_os_string()
    }

    /// One of Kafka's own tools, by its class, ready for arguments. `heap` is an option such as `-Xmx256m`.
    pub fn tool(&self, class: &str, heap: &str) -> Command {
        let mut command = Command::new("java");
        command.args([heap, "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp"]);
        command.arg(self.class_path()).arg(class).stdin(Stdio::null());
        command
    }
}

/// Fails if a program doesn't answer.
pub(crate) fn need(program: &'static str, question: &str, package: &'static str) -> Result<(), KafkaError> {
    let mut command = Command::new(program);
    command.arg(question).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(KafkaError::NotInstalled { program, package }),
    }
}

/// Runs a program to its end; its output is part of the error.
pub(crate) fn run(command: &mut Command) -> Result<String, KafkaError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| KafkaError::Start { program: program.clone(), source })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let all = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
    let start = all.char_indices().rev().nth(KEPT_OUTPUT).map_or(0, |(at, _)| at);
    Err(KafkaError::Program { program, output: all.get(start..).unwrap_or_default().to_owned() })
}

/// Lets Maven fetch the jars into a folder of this process, which then gets its name in one step.
fn fetch(folder: &Path, place: &Path, version: Version) -> Result<(), KafkaError> {
    let work = folder.join(format!("{}.{}", version.release(), std::process::id()));
    std::fs::create_dir_all(&work).map_err(KafkaError::file(&work))?;
    let project = work.join("pom.xml");
    std::fs::write(&project, manifest(version)).map_err(KafkaError::file(&project))?;
    let mut maven = Command::new("mvn");
    maven.args(["--quiet", "--batch-mode", COPY, "-DincludeScope=runtime"]).current_dir(&work);
    maven.arg("-DexcludeArtifactIds=slf4j-reload4j,slf4j-log4j12");
    maven.arg(format!("-DoutputDirectory={}", work.join("libs").display()));
    run(&mut maven)?;
    match std::fs::rename(&work, place) {
        Ok(()) => Ok(()),
        // Another process was first.
        Err(_) if place.join("libs").is_dir() => {
            std::fs::remove_dir_all(&work).map_err(KafkaError::file(&work))
        }
        Err(source) => Err(KafkaError::File { path: place.to_owned(), source }),
    }
}

/// A Maven project that needs Kafka's broker and tools.
fn manifest(version: Version) -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
        )
    };
    let release = version.release();
    let dependencies = [
        dependency("org.apache.kafka", &format!("kafka_{SCALA}"), release),
        dependency("org.apache.kafka", "kafka-tools", release),
        dependency("org.slf4j", LOGGER, LOGGER_VERSION),
    ];
    format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>tidegate</groupId><artifactId>real-kafka</artifactId>\
         <version>1</version><packaging>pom</packaging><dependencies>{}</dependencies></project>\n",
        dependencies.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_is_named_with_its_package() {
        let error = need("no-such-program", "--version", "a-package").unwrap_err();
        assert!(error.is_missing_program());
        assert!(error.to_string().ends_with("apt-get install a-package"), "{error}");
    }

    #[test]
    fn the_manifest_names_the_release() {
        assert!(
            manifest(Version::V3_9).contains("<artifactId>kafka_2.13</artifactId><version>3.9.1</version>")
        );
    }
}
