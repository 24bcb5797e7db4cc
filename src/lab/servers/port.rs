//! Ports of a lab. A server that is stopped and started again must find its port free, however
//! many labs and other programs run beside it.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

use crate::lab::LabError;

/// A loopback port that nobody else takes while this value lives.
///
/// On Linux a socket is bound to it and never listens: the kernel then hands the port to no
/// other program and to no outgoing connection (a client that keeps knocking at a stopped
/// server would sooner or later connect to itself), connections to it are refused, and a
/// server that sets `SO_REUSEADDR`, as all of ours do, may still listen on it. Other systems
/// do not allow the second bind: there the port was free a moment ago.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    #[cfg(target_os = "linux")]
    _held: TcpSocket,
}

impl Port {
    /// Reserves a free port.
    pub(crate) fn reserve() -> Result<Self, LabError> {
        let reserve = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            Ok((socket.local_addr()?.port(), socket))
        };
        let (number, socket) = reserve().map_err(LabError::Port)?;
        #[cfg(not(target_os = "linux"))]
        drop(socket);
        Ok(Self {
            number,
            #[cfg(target_os = "linux")]
            _held: socket,
        })
    }

    /// Its number.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1:<port>`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn reserved_ports_are_all_different() {
        let ports: Vec<Port> = (0..500).map(|_| Port::reserve().unwrap()).collect();
        let numbers: BTreeSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), ports.len());
    }

    #[test]
    fn a_server_can_listen_on_a_reserved_port_again_and_again() {
        let port = Port::reserve().unwrap();
        assert!(TcpStream::connect(port.address()).is_err(), "nobody listens yet");
        for _ in 0..3 {
            let server = TcpListener::bind(port.address()).unwrap();
            let client = TcpStream::connect(port.address()).unwrap();
            drop(server.accept().unwrap());
            drop((client, server));
            assert!(TcpStream::connect(port.address()).is_err(), "nobody listens any more");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_reserved_port_is_taken_for_others() {
        let port = Port::reserve().unwrap();
        let other = TcpSocket::new_v4().unwrap();
        let address = port.address().parse().unwrap();
        assert!(other.bind(address).is_err());
    }
}
