//! TLS: the server's certificate, read again when the operator says so.

use crate::config::Tls;
use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use std::path::Path;
use std::sync::Arc;

/// What is offered in the handshake, the better first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificate that new connections are shown. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Certificates(Arc<ArcSwap<ServerConfig>>);

impl Certificates {
    /// Reads the files; none where TLS is not configured. The error is a
    /// sentence.
    pub(crate) fn read(tls: &Tls) -> Result<Option<Certificates>, String> {
        let config = server_config(tls)?;
        Ok(config.map(|config| Certificates(Arc::new(ArcSwap::from_pointee(config)))))
    }

    /// Shows what is in the files now to connections that come; those that are
    /// there keep what they were shown.
    pub(crate) fn read_again(&self, tls: &Tls) -> Result<(), String> {
        if let Some(config) = server_config(tls)? {
            self.0.store(Arc::new(config));
        }
        Ok(())
    }

    /// For the next handshake.
    pub(crate) fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        self.0.load_full().into()
    }
}

/// The one crypto provider of the process, for what asks for the default.
pub(crate) fn install_provider() {
    // Fails only where it is installed already.
    let _ = ring::default_provider().install_default();
}

fn server_config(tls: &Tls) -> Result<Option<ServerConfig>, String> {
    let given = |path: &Path| !path.as_os_str().is_empty();
    match (given(&tls.certificate), given(&tls.key)) {
        (true, true) => {}
        (false, false) if given(&tls.client_ca) => {
            return Err("tls.client_ca needs tls.certificate and tls.key".to_owned());
        }
        (false, false) => return Ok(None),
        _ => return Err("tls.certificate and tls.key need each other".to_owned()),
    }
    let chain = certificates("tls.certificate", &tls.certificate)?;
    let key =
        PrivateKeyDer::from_pem_file(&tls.key).map_err(|e| format!("tls.key: {}: {e}", tls.key.display()))?;
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
    let wrong = |what: &str, e: &dyn std::fmt::Display| format!("{what}: {e}");
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong("tls", &e))?;
    let builder = if given(&tls.client_ca) {
        let mut roots = RootCertStore::empty();
        for certificate in certificates("tls.client_ca", &tls.client_ca)? {
            roots.add(certificate).map_err(|e| wrong("tls.client_ca", &e))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|e| wrong("tls.client_ca", &e))?;
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let mut config =
        builder.with_single_cert(chain, key).map_err(|e| wrong("tls.certificate and tls.key", &e))?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Some(config))
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |e: &dyn std::fmt::Display| format!("{key}: {}: {e}", path.display());
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(|e| wrong(&e))?
        .collect::<Result<_, _>>()
        .map_err(|e| wrong(&e))?;
    if found.is_empty() { Err(wrong(&"there is no certificate in it")) } else { Ok(found) }
}
