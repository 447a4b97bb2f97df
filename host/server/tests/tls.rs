//! HTTPS: the certificate that is shown, HTTP/2, clients' certificates, and a
//! certificate that is renewed while serving.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// An authority that signs for these tests.
type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, PEM.
fn signed(by: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, by).unwrap().pem(), key.serialize_pem())
}

fn write(folder: &Path, (certificate, key): (String, String)) {
    std::fs::write(folder.join("server.pem"), certificate).unwrap();
    std::fs::write(folder.join("server.key"), key).unwrap();
}

/// A server without plugins that serves HTTPS; killed when dropped.
struct Served {
    process: Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Served {
    fn start(folder: tempfile::TempDir, more: &[&str]) -> Served {
        let mut process = Command::new(env!("CARGO_BIN_EXE_hadron"))
            .args(["serve", "--listen", "127.0.0.1:0", "--set", "tls.certificate=server.pem"])
            .args(["--set", "tls.key=server.key", "--set", "plugins.core="])
            .args(["--set", "plugins.type_drivers=", "--set", "plugins.mechanism_drivers="])
            .args(more)
            .env_remove("HADRON_CONFIG")
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next().expect("the server ended before it was ready").unwrap();
        let address =
            first.split("https://").nth(1).expect("it does not say https").split(' ').next().unwrap();
        let url = format!("https://localhost:{}", address.rsplit(':').next().unwrap());
        // What follows must have a reader, or the server could not print it.
        std::thread::spawn(move || lines.count());
        Served { process, url, folder }
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

/// A client that trusts this authority alone, and may show a certificate.
fn client(trusted: &Authority, own: Option<(String, String)>) -> reqwest::Client {
    // Fails only where another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(trusted.pem().as_bytes()).unwrap();
    let mut builder = reqwest::Client::builder().no_proxy().tls_certs_only([root]).pool_max_idle_per_host(0);
    if let Some((certificate, key)) = own {
        let pem = format!("{certificate}{key}");
        builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
    }
    builder.build().unwrap()
}

#[tokio::test]
async fn https_is_served_with_http2_and_links_say_so() {
    let (authority, stranger) = (authority(), authority());
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), signed(&authority, "localhost"));
    let server = Served::start(folder, &[]);
    let answer = client(&authority, None).get(&server.url).send().await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    let versions: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(versions["versions"][0]["links"][0]["href"], format!("{}/v2.0/", server.url));
    assert!(client(&stranger, None).get(&server.url).send().await.is_err());
    let plain = server.url.replace("https", "http");
    assert!(reqwest::get(plain).await.is_err(), "no request is answered without TLS");
}

#[tokio::test]
async fn clients_must_show_a_certificate_where_that_is_asked_for() {
    let (authority, stranger) = (authority(), authority());
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), signed(&authority, "localhost"));
    std::fs::write(folder.path().join("clients.pem"), authority.pem()).unwrap();
    let server = Served::start(folder, &["--set", "tls.client_ca=clients.pem"]);
    let ask = async |own| client(&authority, own).get(&server.url).send().await;
    assert!(ask(None).await.is_err());
    assert!(ask(Some(signed(&stranger, "ann"))).await.is_err());
    assert!(ask(Some(signed(&authority, "ann"))).await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_after_a_hangup_and_a_broken_one_is_not() {
    let (old, new) = (authority(), authority());
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), signed(&old, "localhost"));
    let server = Served::start(folder, &[]);
    let trusts = async |authority: &Authority| {
        let answer = client(authority, None).get(format!("{}/healthz", server.url)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    };
    std::fs::write(server.folder.path().join("server.pem"), "nothing").unwrap();
    server.signal("-HUP");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(trusts(&old).await, "a broken file leaves the old certificate");
    write(server.folder.path(), signed(&new, "localhost"));
    server.signal("-HUP");
    let began = Instant::now();
    while !trusts(&new).await {
        assert!(began.elapsed() < Duration::from_secs(20), "the new certificate is not shown");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!trusts(&old).await);
}
