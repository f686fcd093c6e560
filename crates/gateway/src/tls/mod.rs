//! The gateway's own certificate authority and leaf, made once and kept under `<data>/tls`.
//! Agents trust the CA by its pin, so it is never replaced; the leaf is renewed in time and when names change.

mod files;
mod leaf;

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::Error;
pub(crate) use files::{read_text, write_private};
use leaf::Leaf;

/// What a TLS listener is for. A client that names other protocols (RFC 7301) is turned away, so that nobody can lead
/// a browser to a mail door that shows the same certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Http,
    Smtp,
    Pop3,
}

impl Purpose {
    pub(crate) const ALL: [Self; 3] = [Self::Http, Self::Smtp, Self::Pop3];

    fn protocols(self) -> Vec<Vec<u8>> {
        match self {
            Self::Http => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Self::Smtp => vec![b"smtp".to_vec()],
            Self::Pop3 => vec![b"pop3".to_vec()],
        }
    }
}

/// The settings of all listeners, in the order of [`Purpose::ALL`].
pub(crate) type Configs = [Arc<ServerConfig>; 3];

/// The CA and where its certificate lies.
pub(crate) struct Authority {
    folder: PathBuf,
    ca_pem: String,
    ca_der: CertificateDer<'static>,
    key_pem: String,
}

impl Authority {
    /// Opens the CA of this data folder; makes it at the first start.
    pub(crate) fn open(data: &Path) -> Result<Self, Error> {
        let folder = data.join("tls");
        std::fs::create_dir_all(&folder).map_err(|source| Error::File { path: folder.clone(), source })?;
        let (ca_path, key_path) = (folder.join("ca.pem"), folder.join("ca.key"));
        let (ca_pem, key_pem) = match (read_text(&ca_path)?, read_text(&key_path)?) {
            (Some(ca), Some(key)) => (ca, key),
            (None, _) => make_ca(&ca_path, &key_path)?,
            (Some(_), None) => {
                let reason = "the CA certificate is there but its key is not: restore it from the backup".to_owned();
                return Err(Error::Damaged { path: key_path, reason });
            }
        };
        let ca_der = CertificateDer::from_pem_slice(ca_pem.as_bytes())
            .map_err(|e| Error::Damaged { path: ca_path, reason: e.to_string() })?;
        Ok(Self { folder, ca_pem, ca_der, key_pem })
    }

    /// First 16 bytes of the SHA-256 of the certificate: what enrolment tokens carry.
    pub(crate) fn pin(&self) -> [u8; 16] {
        let mut pin = [0; 16];
        pin.copy_from_slice(&digest(&SHA256, &self.ca_der).as_ref()[..16]);
        pin
    }

    /// The certificate as PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.ca_pem
    }

    /// File that holds the certificate.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// TLS 1.2 and 1.3 with a leaf for these names. Also tells when the leaf is to be renewed.
    pub(crate) fn server_configs(&self, names: &[String]) -> Result<(Configs, SystemTime), Error> {
        let leaf = Leaf::open(&self.folder, names, |params, key| {
            let ca_key = KeyPair::from_pem(&self.key_pem)?;
            params.signed_by(key, &Issuer::from_ca_cert_pem(&self.ca_pem, ca_key)?)
        })?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(vec![leaf.certificate.clone(), self.ca_der.clone()], leaf.key.clone_key())
            })
            .map_err(|e| Error::Tls(e.to_string()))?;
        config.max_early_data_size = 0;
        let configs = Purpose::ALL.map(|purpose| {
            let mut config = config.clone();
            config.alpn_protocols = purpose.protocols();
            Arc::new(config)
        });
        Ok((configs, leaf.renew_at))
    }

    /// A certificate and its key for calls to devices: fresh at each start, for nobody remembers it.
    pub(crate) fn caller(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
        let make = || {
            let key = KeyPair::generate()?;
            let mut params = CertificateParams::new(Vec::<String>::new())?;
            params.distinguished_name.push(DnType::CommonName, "Platen gateway caller");
            params.use_authority_key_identifier_extension = true;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            params.not_before = date_time_ymd(1970, 1, 1);
            params.not_after = date_time_ymd(1970, 1, 1) + since_epoch(SystemTime::now() + LEAF_LIFE);
            let issuer = Issuer::from_ca_cert_pem(&self.ca_pem, KeyPair::from_pem(&self.key_pem)?)?;
            let certificate = params.signed_by(&key, &issuer)?;
            Ok::<_, rcgen::Error>((certificate.der().clone(), key.serialize_der()))
        };
        let (certificate, key) = make().map_err(|e| Error::Tls(e.to_string()))?;
        Ok((vec![certificate], PrivateKeyDer::Pkcs8(key.into())))
    }
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn make_ca(ca_path: &Path, key_path: &Path) -> Result<(String, String), Error> {
    let make = || {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.distinguished_name.push(DnType::CommonName, "Platen gateway CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Agents may start with a clock of 1970; the pin, not the date, is what they trust.
        params.not_before = date_time_ymd(1970, 1, 1);
        params.not_after = date_time_ymd(2120, 1, 1);
        Ok::<_, rcgen::Error>((params.self_signed(&key)?.pem(), key.serialize_pem()))
    };
    let (ca, key) = make().map_err(|e| Error::Tls(e.to_string()))?;
    // The key first: a crash in between leaves a key without certificate, which is simply made anew.
    write_private(key_path, key.as_bytes())?;
    write_private(ca_path, ca.as_bytes())?;
    Ok((ca, key))
}

/// Names that the leaf must carry: loopback, the address that is listened on, this host, the public URL's host and the domain of mail.
pub(crate) fn names_for(listen: SocketAddr, public_url: Option<&str>, mail: &[String]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.extend(reachable_address(listen).map(|ip| ip.to_string()));
    names.extend(files::host_name());
    names.extend(public_url.and_then(host_of));
    names.extend(mail.iter().map(|name| name.to_ascii_lowercase()));
    names.sort_unstable();
    names.dedup();
    names
}

/// The address that others reach this listener at: its own, or the machine's first one when it listens on all.
pub(crate) fn reachable_address(listen: SocketAddr) -> Option<IpAddr> {
    if !listen.ip().is_unspecified() {
        return Some(listen.ip());
    }
    // Connecting a UDP socket sends nothing; it only asks the kernel which address it would use.
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified())
}

/// Host of an `https://` URL, without port and brackets.
fn host_of(url: &str) -> Option<String> {
    let authority = url.split_once("://")?.1.split(['/', '?']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// How long before its end a leaf is renewed.
const RENEW_BEFORE: Duration = Duration::from_secs(60 * 86_400);
/// How long a leaf is valid.
const LEAF_LIFE: Duration = Duration::from_secs(397 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_public_url_becomes_a_name_of_the_leaf() {
        assert_eq!(host_of("https://Fleet.Example.org:8443/x").as_deref(), Some("fleet.example.org"));
        assert_eq!(host_of("https://[2001:db8::1]:8443").as_deref(), Some("2001:db8::1"));
        assert_eq!(host_of("nothing"), None);
    }

    #[test]
    fn the_ca_and_its_pin_stay_while_the_leaf_follows_the_names() {
        let data = tempfile::tempdir().unwrap();
        let first = Authority::open(data.path()).unwrap();
        let leaf = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            Authority::open(data.path()).unwrap().server_configs(&names).unwrap();
            std::fs::read(data.path().join("tls/leaf.pem")).unwrap()
        };
        let (a, b, c) = (leaf(&["localhost"]), leaf(&["localhost"]), leaf(&["localhost", "10.0.0.1"]));
        assert_eq!(a, b, "same names, same leaf");
        assert_ne!(b, c, "a new name needs a new leaf");
        assert_eq!(Authority::open(data.path()).unwrap().pin(), first.pin());
    }

    #[test]
    fn private_files_are_readable_by_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let data = tempfile::tempdir().unwrap();
        Authority::open(data.path()).unwrap().server_configs(&["localhost".to_owned()]).unwrap();
        for name in ["ca.key", "leaf.key"] {
            let mode = std::fs::metadata(data.path().join("tls").join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_ca_without_its_key_stops_the_start_instead_of_being_replaced() {
        let data = tempfile::tempdir().unwrap();
        Authority::open(data.path()).unwrap();
        std::fs::remove_file(data.path().join("tls/ca.key")).unwrap();
        assert!(matches!(Authority::open(data.path()), Err(Error::Damaged { .. })));
    }
}
