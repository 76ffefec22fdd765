//! Programs that the tests need.

use std::path::Path;
use xtask::{Failure, Program, workspace};

/// A program and the Debian package that has it.
struct Tool {
    /// How to find out whether it is there.
    probe: &'static str,
    /// Packages of Debian.
    packages: &'static str,
    /// What it is for.
    purpose: &'static str,
}

/// Everything that the suite starts, besides cargo.
const TOOLS: [Tool; 13] = [
    Tool {
        probe: "cc --version",
        packages: "build-essential",
        purpose: "builds the Kafka client's C library",
    },
    Tool {
        probe: "make --version",
        packages: "build-essential",
        purpose: "builds the Kafka client's C library",
    },
    Tool { probe: "git --version", packages: "git", purpose: "lists the files of the repository" },
    Tool {
        probe: "mysql --version",
        packages: "default-mysql-client",
        purpose: "the walk-through writes with it",
    },
    Tool { probe: "kcat -V", packages: "kcat", purpose: "reads the topic with an older librdkafka" },
    Tool { probe: "sysbench --version", packages: "sysbench", purpose: "writes with prepared statements" },
    Tool { probe: "node --version", packages: "nodejs", purpose: "runs the KafkaJS consumer" },
    Tool { probe: "npm --version", packages: "npm", purpose: "installs KafkaJS" },
    Tool { probe: "docker-compose version", packages: "docker-compose", purpose: "checks the compose file" },
    Tool { probe: "java -version", packages: "default-jre-headless", purpose: "runs the original Kafka" },
    Tool { probe: "mvn --version", packages: "maven", purpose: "fetches the original Kafka" },
    Tool {
        probe: "python3 -m ensurepip --version",
        packages: "python3-venv",
        purpose: "installs the tool that checks the API against its description",
    },
    Tool { probe: "openssl version", packages: "openssl", purpose: "makes certificates for its listeners" },
];

/// Folder with the list of Python packages that the tests need; they are installed beside it.
const PYTHON_FOLDER: &str = "crates/tidegate/tests/python";

/// Makes sure that every tool, every Node package and every Python package is there.
pub(super) fn run() -> Result<(), Failure> {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !is_there(tool)).collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    for folder in
        node_folders(&workspace::root().join("crates"), "crates")?.into_iter().chain(["consumer".to_owned()])
    {
        Program::new("npm ci --no-audit --no-fund --loglevel=error").within(&folder).run()?;
    }
    Program::new("python3 -m venv environment").within(PYTHON_FOLDER).run()?;
    let mut pip = Program::new("").arg(workspace::root().join(PYTHON_FOLDER).join("environment/bin/python"));
    for word in "-m pip install --quiet --disable-pip-version-check --requirement requirements.txt".split(' ')
    {
        pip = pip.arg(word);
    }
    pip.within(PYTHON_FOLDER).run()?;
    println!("All programs are there.");
    Ok(())
}

/// True if the tool answers. Docker's own compose plugin does as well as the separate program.
fn is_there(tool: &Tool) -> bool {
    Program::new(tool.probe).succeeds()
        || (tool.packages == "docker-compose" && Program::new("docker compose version").succeeds())
}

/// Installs packages as root on Debian; elsewhere says what is missing.
fn install(missing: &[&Tool]) -> Result<(), Failure> {
    for tool in missing {
        let name = tool.probe.split(' ').next().unwrap_or_default();
        println!("Missing: {name} ({}), Debian package {}", tool.purpose, tool.packages);
    }
    let mut packages: Vec<&str> = missing.iter().map(|tool| tool.packages).collect();
    packages.dedup();
    let packages = packages.join(" ");
    let root = Program::new("id -u").output().is_ok_and(|id| id.trim() == "0");
    if !root || !Path::new("/usr/bin/apt-get").exists() {
        return Err(Failure::check(format!(
            "install the missing programs first; on Debian or Ubuntu: sudo apt-get install {packages}"
        )));
    }
    Program::new("apt-get update --quiet").run()?;
    let line = format!(
        "env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends {packages}"
    );
    Program::new(&line).run()?;
    match missing.iter().find(|tool| !is_there(tool)) {
        None => Ok(()),
        Some(tool) => Err(Failure::check(format!("`{}` does not run after the installation", tool.probe))),
    }
}

/// Folders below `path` that have a lock file of npm; `name` is the path relative to the root of the repository.
fn node_folders(path: &Path, name: &str) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    if path.join("package-lock.json").exists() {
        found.push(name.to_owned());
    }
    for entry in std::fs::read_dir(path).map_err(Failure::file(path))? {
        let entry = entry.map_err(Failure::file(path))?;
        let folder = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && folder != "node_modules" && folder != "src" {
            found.extend(node_folders(&entry.path(), &format!("{name}/{folder}"))?);
        }
    }
    Ok(found)
}
