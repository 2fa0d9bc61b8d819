//! Opening sockets: addresses as people type them, errors as they are printed, descriptors for many connections.
//!
//! Source: spec server-settings-operations §1.1, §1.4.

use tokio::net::TcpListener;

/// Why the server could not listen; the text is what the command line prints.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// `host:port` was expected.
    #[error("listen tcp: address {0}: missing port in address")]
    Address(String),
    /// The port is no number and has no known name.
    #[error("listen tcp: lookup tcp/{0}: unknown port")]
    Name(String),
    /// The port is out of range.
    #[error("listen tcp: address {0}: invalid port")]
    Port(String),
    /// The operating system refused.
    #[error("listen tcp {address}: bind: {reason}")]
    Bind {
        /// The address as given.
        address: String,
        /// Why.
        reason: String,
    },
}

/// The address to bind: an empty or unspecified host stands for both families, `http` and `https` for their ports.
fn full(address: &str) -> Result<String, ListenError> {
    let text = if address.is_empty() { ":http" } else { address };
    let (host, port) = text
        .rsplit_once(':')
        .filter(|(host, _)| !host.contains(':') || (host.starts_with('[') && host.ends_with(']')))
        .ok_or_else(|| ListenError::Address(address.to_owned()))?;
    let port = match port {
        "http" => "80",
        "https" => "443",
        "" => "0",
        port if port.bytes().all(|b| b.is_ascii_digit()) => {
            port.parse::<u16>().map_err(|_| ListenError::Port(port.to_owned()))?;
            port
        }
        port => return Err(ListenError::Name(port.to_owned())),
    };
    let host = if matches!(host, "" | "0.0.0.0" | "[::]") { "[::]" } else { host };
    Ok(format!("{host}:{port}"))
}

/// Opens a listening socket.
///
/// # Errors
/// One clear line when the address is malformed or in use.
pub async fn listen(address: &str) -> Result<TcpListener, ListenError> {
    let full = full(address)?;
    let mut bound = TcpListener::bind(&full).await;
    if let Some(port) = full.strip_prefix("[::]")
        && bound.as_ref().is_err_and(|error| error.kind() != std::io::ErrorKind::AddrInUse)
    {
        // a machine without IPv6
        bound = TcpListener::bind(format!("0.0.0.0{port}")).await;
    }
    bound.map_err(|error| ListenError::Bind {
        address: address.to_owned(),
        reason: match error.kind() {
            std::io::ErrorKind::AddrInUse => "address already in use".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        },
    })
}

/// Raises the number of descriptors this process may have to what the system allows; gives the limit in force.
#[must_use]
pub fn raise_descriptor_limit() -> Option<u64> {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
        if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
            return Some(hard);
        }
        Some(soft)
    }
    #[cfg(not(unix))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (address, want) in [
            ("", Some("[::]:80")),
            (":8090", Some("[::]:8090")),
            (":https", Some("[::]:443")),
            ("0.0.0.0:80", Some("[::]:80")),
            ("127.0.0.1:http", Some("127.0.0.1:80")),
            ("[::1]:1", Some("[::1]:1")),
            ("localhost", None),
            ("::1", None),
            ("127.0.0.1:99999", None),
            ("127.0.0.1:x", None),
        ] {
            assert_eq!(full(address).ok().as_deref(), want, "{address}");
        }
        assert_eq!(
            full("x").map_err(|e| e.to_string()),
            Err("listen tcp: address x: missing port in address".to_owned())
        );
    }

    #[tokio::test]
    async fn both_families_on_one_socket() {
        let listener = listen("0.0.0.0:0").await.expect("a socket");
        let port = listener.local_addr().expect("address").port();
        let connect = tokio::net::TcpStream::connect(("127.0.0.1", port));
        let (client, accepted) = tokio::join!(connect, listener.accept());
        client.expect("connected");
        let (_, remote) = accepted.expect("accepted");
        assert_eq!(remote.ip().to_canonical().to_string(), "127.0.0.1");
    }

    #[cfg(unix)]
    #[test]
    fn descriptors() {
        assert!(raise_descriptor_limit().is_some_and(|limit| limit > 0));
    }
}
