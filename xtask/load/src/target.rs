//! Where requests go: an address that was typed, resolved and allowed.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use hyper::Uri;

/// A service and a path on it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    pub(crate) place: Place,
    /// Host and port, as the `Host` header has them.
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) path: String,
}

/// How a service is reached.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    /// Over TCP. Connections take the addresses in turn.
    Tcp(Vec<SocketAddr>),
    /// Over a socket in the file system.
    Unix(PathBuf),
}

impl Target {
    /// Reads and resolves an address. Unless `anywhere`, it must be loopback, private or a socket:
    /// load on somebody else's service is an attack.
    ///
    /// # Errors
    /// The address is none, cannot be resolved, or must not be asked.
    pub(crate) fn parse(url: &str, anywhere: bool) -> anyhow::Result<Self> {
        if let Some(unix) = url.strip_prefix("unix:") {
            let (socket, path) = unix.split_once(':').unwrap_or((unix, "/"));
            ensure!(!socket.is_empty(), "`{url}` names no socket: unix:/run/x.sock:/path");
            let place = Place::Unix(socket.into());
            return Ok(Self { place, authority: "localhost".into(), path: path.into() });
        }
        let form = "write it as http://127.0.0.1:8080/path";
        let uri: Uri = url.parse().with_context(|| format!("`{url}` is no address; {form}"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some(other) => bail!("`{url}`: {other} is not supported, only http; {form}"),
            None => bail!("`{url}` has no scheme; {form}"),
        }
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.with_context(|| format!("`{url}` names no host; {form}"))?;
        let port = uri.port_u16().unwrap_or(80);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = (bare, port).to_socket_addrs().with_context(|| format!("resolve {host}"))?;
        let addresses: Vec<SocketAddr> = found.collect();
        ensure!(!addresses.is_empty(), "{host} has no address");
        let foreign = addresses.iter().find(|address| !is_own(address.ip()));
        if let Some(foreign) = foreign.filter(|_| !anywhere) {
            bail!(
                "{host} ({}) is neither loopback nor private: load on a service of others is an \
                 attack. If it is yours: --yes-i-run-this-server",
                foreign.ip()
            );
        }
        let authority = uri.authority().map(|authority| {
            // Without `user:password@`, which is no part of a Host header.
            let text = authority.as_str();
            text.rsplit_once('@').map_or(text, |(_, host)| host).to_owned()
        });
        Ok(Self {
            place: Place::Tcp(addresses),
            authority: authority.unwrap_or_else(|| host.to_owned()),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

/// Loopback, private or link-local.
fn is_own(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_own(ip.into()),
            None => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_service_and_a_path() {
        let target = Target::parse("http://127.0.0.1:8080/a?b=c", false).unwrap();
        assert_eq!(target.place, Place::Tcp(vec!["127.0.0.1:8080".parse().unwrap()]));
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("127.0.0.1:8080", "/a?b=c"));
        let target = Target::parse("http://[::1]:9", false).unwrap();
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("[::1]:9", "/"));
        let target = Target::parse("unix:/run/x.sock:/a", false).unwrap();
        assert_eq!((target.place, target.path.as_str()), (Place::Unix("/run/x.sock".into()), "/a"));
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_its_form() {
        let form = "write it as http://127.0.0.1:8080/path";
        for (url, said) in [
            ("", form),
            ("127.0.0.1:8080", form),
            ("localhost:8080/a", form),
            ("http://", form),
            ("ftp://127.0.0.1/", "ftp is not supported"),
            ("https://127.0.0.1/", "https is not supported"),
            ("unix:", "names no socket"),
        ] {
            let error = Target::parse(url, false).unwrap_err();
            assert!(format!("{error:#}").contains(said), "{url}: {error:#}");
        }
    }

    #[test]
    fn only_loopback_and_private_addresses_are_asked_unless_the_user_says_otherwise() {
        for own in ["127.9.9.9", "10.0.0.1", "192.168.1.1", "169.254.1.1", "[::1]", "[fd00::1]"] {
            assert!(Target::parse(&format!("http://{own}/"), false).is_ok(), "{own}");
        }
        for foreign in ["1.2.3.4", "[2001:db8::1]", "[::ffff:1.2.3.4]"] {
            let url = format!("http://{foreign}/");
            let error = Target::parse(&url, false).unwrap_err().to_string();
            assert!(error.contains("--yes-i-run-this-server"), "{error}");
            assert!(Target::parse(&url, true).is_ok(), "{foreign}");
        }
    }
}
