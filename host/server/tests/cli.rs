//! The command line as its users meet it: help texts, exit codes, sentences.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::process::{Command, Output};

/// An empty folder of its own, which is the working folder of what runs in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn with(file: &str, text: &str) -> Place {
        let place = Place::new();
        std::fs::write(place.0.path().join(file), text).unwrap();
        place
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hadron"));
        command.args(arguments).current_dir(self.0.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HADRON_") {
                command.env_remove(name);
            }
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Compares with a file beside the tests; `HADRON_TEST_BLESS=1` writes it anew.
fn same_as_golden(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("HADRON_TEST_BLESS").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, golden, "{} differs; HADRON_TEST_BLESS=1 writes it anew", file.display());
}

#[test]
fn help_texts_are_the_reviewed_ones() {
    let place = Place::new();
    for (name, arguments) in [
        ("help.txt", &["--help"][..]),
        ("help-serve.txt", &["serve", "--help"]),
        ("help-agent.txt", &["agent", "--help"]),
        ("help-plugin-add.txt", &["plugin", "add", "--help"]),
        ("help-journal-retry.txt", &["journal", "retry", "--help"]),
    ] {
        let output = place.run(arguments);
        assert!(output.status.success());
        same_as_golden(name, &out(&output));
    }
}

#[test]
fn the_whole_configuration_is_shown_with_its_documentation() {
    let output = Place::new().run(&["config", "show"]);
    assert_eq!(output.status.code(), Some(0));
    same_as_golden("config-show.toml", &out(&output));
}

#[test]
fn a_value_is_shown_with_where_it_came_from() {
    let place = Place::with("hadron.toml", "[database]\nunits = 5\nurl = 'postgres://u:hunter2@h/d'\n");
    let output = place
        .command(&["config", "show", "--set", "log.level=debug"])
        .env("HADRON_DRAIN_MS", "7")
        .output()
        .unwrap();
    let text = out(&output);
    assert!(text.contains("# from hadron.toml; default 16\nunits = 5"), "{text}");
    assert!(
        text.contains("# from HADRON_DRAIN_MS in the environment; default 30000\ndrain_ms = 7"),
        "{text}"
    );
    assert!(text.contains("# from --set; default \"info\"\nlevel = \"debug\""), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn without_arguments_it_shows_its_help_and_fails_as_misused() {
    let output = Place::new().run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("Usage: hadron"));
}

#[test]
fn a_misspelt_command_is_misuse_and_the_right_one_is_named() {
    let output = Place::new().run(&["plugin", "lst"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("'list'"), "{}", err(&output));
}

#[test]
fn commands_without_a_server_say_how_to_start_one() {
    for arguments in [
        &["plugin", "list"][..],
        &["plugin", "show", "x"],
        &["journal", "list"],
        &["journal", "retry", "--all"],
        &["journal", "drop", "x"],
    ] {
        let output = Place::new().run(arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        let text = err(&output);
        assert!(text.contains("no server answers at .hadron/hadron.sock"), "{text}");
        assert!(text.contains("hadron serve"), "{text}");
    }
}

#[test]
fn a_wrong_configuration_has_its_exit_code_and_all_its_problems() {
    let place = Place::with("hadron.toml", "lisen = 'x'\n[log]\nformat = 'xml'\n");
    for arguments in [&["serve"][..], &["config", "check"], &["plugin", "list"], &["db", "status"]] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {}", err(&output));
        let text = err(&output);
        assert!(text.contains("hadron.toml: there is no setting 'lisen'; did you mean 'listen'?"), "{text}");
        assert!(text.contains("log.format"), "{text}");
    }
}

#[test]
fn a_named_configuration_file_must_be_there() {
    let output = Place::new().run(&["serve", "--config", "nowhere.toml"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(err(&output).contains("there is no file nowhere.toml"));
}

#[test]
fn serving_everyone_without_auth_is_refused() {
    let output = Place::new().run(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(err(&output).contains("allow_remote_without_auth"), "{}", err(&output));
}

#[test]
fn a_good_configuration_is_told_with_what_is_probably_not_meant() {
    let place = Place::with("hadron.toml", "[plugin.acme]\npath = 'acme.wasm'\n");
    let output = place.run(&["config", "check"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(out(&output).contains("[plugin.acme] is in no list of [plugins]"), "{}", out(&output));
}

#[test]
fn an_agent_says_what_it_needs() {
    let place = Place::new();
    let output = place.run(&["agent", "openvswitch"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(err(&output).contains("hadron serve --with-agent openvswitch"), "{}", err(&output));
    let output = place.run(&[
        "agent",
        "openvswitch",
        "--set",
        "bus.url=amqp://u:p@127.0.0.1:1/",
        "--set",
        "openvswitch.local_ip=here",
    ]);
    assert_eq!(output.status.code(), Some(4));
    assert!(err(&output).contains("'here' is not an IP address"), "{}", err(&output));
    let output = place.run(&["serve", "--set", "agents.with=ovs"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(err(&output).contains("there is no agent 'ovs'"), "{}", err(&output));
    assert_eq!(place.run(&["agent", "ovs"]).status.code(), Some(2));
}

#[test]
fn a_taken_address_has_its_exit_code() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Place::new().run(&["serve", "--listen", &address]);
    assert_eq!(output.status.code(), Some(5), "{}", err(&output));
    assert!(err(&output).contains(&address));
}

#[test]
fn completions_are_made_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = Place::new().run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(out(&output).contains("journal"), "{shell}");
    }
}

#[test]
fn a_database_that_is_not_there_is_not_made_by_asking_for_its_status() {
    let place = Place::new();
    let output = place.run(&["db", "status"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("hadron db migrate"), "{}", err(&output));
    assert!(!place.0.path().join(".hadron").exists());
}
