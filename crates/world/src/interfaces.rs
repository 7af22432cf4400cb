//! The addresses of this machine.

use std::net::IpAddr;

/// The addresses of all interfaces that are up, loopback included, IPv4-mapped ones as IPv4. Empty where the system does
/// not tell.
pub fn addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.into_iter().map(|interface| interface.ip().to_canonical()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_machine_has_itself() {
        assert!(super::addresses().iter().any(std::net::IpAddr::is_loopback));
    }
}
