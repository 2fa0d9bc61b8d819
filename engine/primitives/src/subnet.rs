//! IP addresses and networks as people write them in settings. ipnet reads more than the reference does (`010.0.0.1`,
//! `10.0.0.0/08`), so these forty lines are our own.

use std::net::IpAddr;

/// An address, or all addresses that begin alike. Families are never mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    net: IpAddr,
    bits: u32,
    /// `fe80::1%eth0`: accepted, but no address of a caller has a zone.
    has_zone: bool,
}

impl Subnet {
    /// `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`; bits of the address beyond the length are allowed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Some((net, bits)) = text.split_once('/') else {
            let (text, zone) = text.split_once('%').map_or((text, None), |(a, z)| (a, Some(z)));
            let net: IpAddr = text.parse().ok()?;
            let is_sound = zone.is_none_or(|zone| net.is_ipv6() && !zone.is_empty());
            return is_sound.then_some(Self { net, bits: width(net), has_zone: zone.is_some() });
        };
        let is_plain =
            bits.bytes().all(|b| b.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
        let (net, bits) = (net.parse().ok()?, bits.parse().ok()?);
        (is_plain && bits <= width(net)).then_some(Self { net, bits, has_zone: false })
    }

    /// True if the address is one of these.
    #[must_use]
    pub fn contains(self, ip: IpAddr) -> bool {
        let differ = match (self.net, ip) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => (net.to_bits() ^ ip.to_bits()).leading_zeros(),
            (IpAddr::V6(net), IpAddr::V6(ip)) => (net.to_bits() ^ ip.to_bits()).leading_zeros(),
            _ => return false,
        };
        !self.has_zone && differ >= self.bits
    }
}

fn width(ip: IpAddr) -> u32 {
    if ip.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted() {
        // as asked of the reference (`superuser ips`)
        for (text, ok) in [
            ("10.0.0.1", true),
            ("10.0.0.1/8", true),
            ("::1%eth0", true),
            ("::/64", true),
            ("::ffff:1.2.3.4/100", true),
            ("10.0.0.0/+8", false),
            ("10.0.0.0/08", false),
            ("10.0.0.0/33", false),
            ("::/129", false),
            ("1.2.3.4/", false),
            ("1.2.3.4%eth0", false),
            ("::1%", false),
            ("fe80::%eth0/64", false),
            ("010.0.0.1", false),
            ("x", false),
            ("", false),
        ] {
            assert_eq!(Subnet::parse(text).is_some(), ok, "{text}");
        }
    }

    #[test]
    fn what_is_inside() {
        for (entry, ip, want) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.9.9.9/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("0.0.0.0/0", "11.1.2.3", true),
            ("1.2.3.4/32", "1.2.3.5", false),
            ("::ffff:1.2.3.4", "1.2.3.4", false),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
            ("::1%eth0", "::1", false),
        ] {
            let found = Subnet::parse(entry).is_some_and(|net| net.contains(ip.parse().unwrap()));
            assert_eq!(found, want, "{entry} {ip}");
        }
    }
}
