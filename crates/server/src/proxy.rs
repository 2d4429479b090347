//! Server: who sent a request that a proxy passed on. Whoever connects is believed about that only where they are a proxy that
//! was named: anybody can write a header.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName};
use bellwether_model::operand::as_written;
use ipnet::IpNet;

const PASSED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies in front of a server, by their networks; a proxy alone is a network of one.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Arc<[IpNet]>);

impl Proxies {
    /// The proxies at these addresses and in these networks.
    ///
    /// ```
    /// use bellwether_server::Proxies;
    /// assert!(Proxies::at(["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"]).is_ok());
    /// assert_eq!(Proxies::at(["10.0.0.0/8", "proxy.example"]).unwrap_err(), "proxy.example");
    /// ```
    ///
    /// # Errors
    /// The first that is neither.
    pub fn at<'n>(networks: impl IntoIterator<Item = &'n str>) -> Result<Self, &'n str> {
        let read = |text: &str| {
            text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(canonical)
        };
        networks.into_iter().map(|text| read(text).ok_or(text)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// A request, as if whoever sent it had sent it here.
    pub(crate) fn seen_through(&self, mut request: Request) -> Request {
        if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied()
            && self.has(peer.ip())
        {
            let from = self.sender(peer.ip(), request.headers());
            // Which port it had there nobody says.
            request.extensions_mut().insert(ConnectInfo(SocketAddr::new(from, 0)));
        }
        request
    }

    /// The last of those who passed it on that is none of the proxies: each proxy adds at the end whom it had it from, and what
    /// stands before that its sender wrote.
    fn sender(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lists = headers.get_all(PASSED_FOR).iter().map(|list| String::from_utf8_lossy(list.as_bytes()));
        let lists: Vec<_> = lists.collect();
        let mut from = peer;
        for one in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
            match as_written(one) {
                Some(address) => from = address.to_canonical(),
                None => return from,
            }
            if !self.has(from) {
                return from;
            }
        }
        from
    }
}

/// A network of version 4 as such, also where it is written within version 6, as sockets for both do.
fn canonical(network: IpNet) -> IpNet {
    let length = network.prefix_len().checked_sub(96);
    match (network.network().to_canonical(), length) {
        (address @ IpAddr::V4(_), Some(length)) if matches!(network, IpNet::V6(_)) => {
            IpNet::new(address, length).unwrap_or(network)
        }
        _ => network,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_a_proxy_is_believed_and_only_about_whom_it_had_it_from() {
        let proxies = Proxies::at(["::ffff:127.0.0.1", "10.0.0.0/8", "::ffff:172.16.0.0/112"]).unwrap();
        for (peer, headers, from) in [
            ("203.0.113.9", vec!["198.51.100.7"], "203.0.113.9"),
            ("127.0.0.1", vec![], "127.0.0.1"),
            ("127.0.0.1", vec!["198.51.100.7"], "198.51.100.7"),
            ("::ffff:127.0.0.1", vec!["198.51.100.7"], "198.51.100.7"),
            // Written by the sender, and by the first of two proxies.
            ("127.0.0.1", vec!["1.2.3.4, 198.51.100.7, 10.1.2.3"], "198.51.100.7"),
            ("127.0.0.1", vec!["1.2.3.4", "198.51.100.7", "10.1.2.3"], "198.51.100.7"),
            ("127.0.0.1", vec!["[2001:db8::7]:5000"], "2001:db8::7"),
            ("127.0.0.1", vec!["198.51.100.7:81"], "198.51.100.7"),
            // Not read: of the last one that is known.
            ("127.0.0.1", vec!["198.51.100.7, unknown"], "127.0.0.1"),
            ("127.0.0.1", vec!["198.51.100.7, unknown, 10.1.2.3"], "10.1.2.3"),
            ("127.0.0.1", vec!["10.9.9.9, 10.1.2.3"], "10.9.9.9"),
            ("127.0.0.1", vec!["8.8.8.8", "\u{e4}, 198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", vec!["8.8.8.8", "\u{e4}"], "127.0.0.1"),
            ("172.16.0.1", vec!["198.51.100.7"], "198.51.100.7"),
            ("172.17.0.1", vec!["198.51.100.7"], "172.17.0.1"),
        ] {
            let mut request = Request::new(axum::body::Body::empty());
            for header in &headers {
                let header = HeaderValue::from_bytes(header.as_bytes()).unwrap();
                request.headers_mut().append(PASSED_FOR, header);
            }
            let peer = SocketAddr::new(peer.parse().unwrap(), 4_711);
            request.extensions_mut().insert(ConnectInfo(peer));
            let seen = proxies.seen_through(request);
            let ConnectInfo(seen) = seen.extensions().get::<ConnectInfo<SocketAddr>>().unwrap();
            assert_eq!(seen.ip(), from.parse::<IpAddr>().unwrap(), "{peer} {headers:?}");
        }
    }
}
