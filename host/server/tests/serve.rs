//! A server of one's own, without plugins: how it starts, is reached and stops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// A server that has said it is ready; killed when dropped.
struct Served {
    process: Child,
    address: String,
    folder: tempfile::TempDir,
}

fn hadron() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hadron"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HADRON_") {
            command.env_remove(name);
        }
    }
    command
}

impl Served {
    fn start() -> Served {
        Served::start_in(tempfile::tempdir().unwrap())
    }

    fn start_in(folder: tempfile::TempDir) -> Served {
        let mut process = hadron()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(
                ["plugins.core=", "plugins.service=", "plugins.type_drivers=", "plugins.mechanism_drivers="]
                    .map(|s| format!("--set={s}")),
            )
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next().expect("the server ended before it was ready").unwrap();
        let address = first.split("http://").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        // What follows must have a reader, or the server could not print it.
        std::thread::spawn(move || lines.count());
        Served { process, address, folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join(".hadron/hadron.sock")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        hadron().args(arguments).current_dir(self.folder.path()).output().unwrap()
    }

    fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn commands_reach_it_through_a_socket_that_only_its_user_may_open() {
    let server = Served::start();
    let mode = std::fs::metadata(server.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let list = server.run(&["plugin", "list", "--json"]);
    assert_eq!(list.status.code(), Some(0), "{}", text(&list.stderr));
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list, serde_json::json!({"plugins": [], "refused": []}));
    let journal = server.run(&["journal", "list"]);
    assert_eq!(text(&journal.stdout).trim(), "nothing waits to be delivered");
}

#[test]
fn commands_need_the_data_folder_and_none_of_the_servers_secrets() {
    let server = Served::start();
    let file = server.folder.path().join("hadron.toml");
    std::fs::write(&file, "[auth]\nmode = \"keystone\"\n[policy]\nfile = \"nowhere\"\n").unwrap();
    for command in [["plugin", "list"], ["journal", "list"], ["policy", "list"]] {
        let said = server.run(&command);
        assert_eq!(said.status.code(), Some(0), "{command:?}: {}", text(&said.stderr));
    }
    assert_eq!(server.run(&["config", "check"]).status.code(), Some(4));
    std::fs::write(&file, "[auth]\nmod = \"keystone\"\n").unwrap();
    let misspelt = server.run(&["plugin", "list"]);
    assert_eq!(misspelt.status.code(), Some(4));
    assert!(text(&misspelt.stderr).contains("did you mean 'auth.mode'?"));
}

#[test]
fn what_the_server_refuses_is_a_sentence_and_an_exit_code() {
    let server = Served::start();
    std::fs::write(server.folder.path().join("text.wasm"), "no component").unwrap();
    for (arguments, sentence) in [
        (&["plugin", "show", "acme"][..], "there is no plugin 'acme'"),
        (&["plugin", "add", "text.wasm"], "text.wasm: it is not WebAssembly"),
        (&["plugin", "add", "nowhere.wasm"], "nowhere.wasm cannot be read"),
        (&["plugin", "remove", "acme"], "acme"),
        (&["journal", "show", "x"], "the journal has no entry 'x'"),
        (&["journal", "retry", "x"], "the journal has no entry 'x'"),
        (&["journal", "drop", "x"], "the journal has no entry 'x'"),
    ] {
        let output = server.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(said.starts_with("hadron: ") && said.contains(sentence), "{arguments:?}: {said}");
    }
}

#[test]
fn a_second_server_on_the_same_data_folder_is_refused() {
    let server = Served::start();
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["db", "migrate"]] {
        let second = server.run(arguments);
        assert_eq!(second.status.code(), Some(5), "{arguments:?}");
        assert!(text(&second.stderr).contains("another server uses the data folder .hadron"));
    }
}

#[test]
fn it_answers_and_stops_when_told_and_leaves_no_socket() {
    for signal in ["-TERM", "-INT"] {
        let mut server = Served::start();
        let client = std::net::TcpStream::connect(&server.address).unwrap();
        server.signal(signal);
        assert_eq!(server.process.wait().unwrap().code(), Some(0), "{signal}");
        assert!(!server.socket().exists());
        drop(client);
    }
}

#[test]
fn after_a_crash_the_same_folder_is_served_again() {
    let mut server = Served::start();
    server.signal("-KILL");
    server.process.wait().unwrap();
    assert!(server.socket().exists(), "a crash cleans nothing up");
    let folder = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
    let again = Served::start_in(folder);
    assert_eq!(again.run(&["plugin", "list"]).status.code(), Some(0));
}

#[test]
fn the_database_can_be_looked_at_beside_the_server() {
    let server = Served::start();
    let status = server.run(&["db", "status", "--json"]);
    assert_eq!(status.status.code(), Some(0), "{}", text(&status.stderr));
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["waiting"], 0);
}

/// `script` gives the server a terminal; one that cannot listen ends by itself,
/// after it has warned of a plugin that is not there.
#[test]
fn on_a_terminal_the_log_is_for_people_and_elsewhere_it_is_json() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let serve = format!(
        "{} serve --set plugins.core=nowhere --listen {}",
        env!("CARGO_BIN_EXE_hadron"),
        taken.local_addr().unwrap()
    );
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
        command.env_remove("HADRON_CONFIG").output()
    };
    let warning = |output: &str| {
        let line = output.lines().find(|line| line.contains("there is no file plugins/nowhere.wasm"));
        line.unwrap_or_else(|| panic!("no warning in {output}")).to_owned()
    };
    let elsewhere = run("sh", &["-c", &serve]).unwrap();
    assert_eq!(elsewhere.status.code(), Some(5));
    let line: serde_json::Value = serde_json::from_str(&warning(&text(&elsewhere.stderr))).unwrap();
    assert_eq!(line["level"], "warn");
    let Ok(terminal) = run("script", &["-qec", &serve, "/dev/null"]) else {
        eprintln!("\n=== SKIPPED: the log on a terminal (no program 'script') ===\n");
        return;
    };
    let line = warning(&text(&terminal.stdout));
    assert!(line.contains("WARN") && !line.contains('{'), "{line}");
}
