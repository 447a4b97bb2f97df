//! Connections by TLS.

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files in PEM, read for each connection, so that renewed ones are taken up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificates that the broker's must lead to; no others are trusted.
    pub ca: PathBuf,
    /// This client's own certificate and key, where the broker wants one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    /// What is wrong with the files, if anything is.
    ///
    /// # Errors
    /// That, naming the file.
    pub fn check(&self) -> Result<(), String> {
        self.config().map(drop)
    }

    /// Reads the files.
    pub(super) fn config(&self) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.ca)? {
            roots.add(certificate).map_err(|error| wrong(&self.ca, &error))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        Ok(match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let own = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
                builder.with_client_auth_cert(chain, own).map_err(|error| wrong(certificate, &error))?
            }
        })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| wrong(path, &error))?;
    let found = read.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(path, &error))?;
    if found.is_empty() { Err(wrong(path, &"there is no certificate in it")) } else { Ok(found) }
}

fn wrong(path: &Path, why: &impl Display) -> String {
    format!("{}: {why}", path.display())
}
