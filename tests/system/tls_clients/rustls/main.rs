// A conversation with an echo server over TLS: rustls HOST PORT CA-FILE SERVER-NAME VERSION ROUNDS
use std::io::{Read, Write};
use std::sync::Arc;

fn message(round: usize) -> Vec<u8> {
    (0..1 + (round * 977) % 40000).map(|i| ((i * 31 + round) % 251) as u8).collect()
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let pem = std::fs::read(&args[3]).unwrap();
    let mut authorities = rustls::RootCertStore::empty();
    let (added, _) = authorities.add_parsable_certificates(&rustls_pemfile::certs(&mut &pem[..]).unwrap());
    assert_eq!(added, 1);
    let version = if args[5] == "1.3" { &rustls::version::TLS13 } else { &rustls::version::TLS12 };
    let config = rustls::ClientConfig::builder()
        .with_safe_default_cipher_suites()
        .with_safe_default_kx_groups()
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(authorities)
        .with_no_client_auth();
    let name = rustls::ServerName::try_from(args[4].as_str()).unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = std::net::TcpStream::connect((args[1].as_str(), args[2].parse().unwrap())).unwrap();
    let mut tls = rustls::StreamOwned::new(connection, socket);
    for round in 0..args[6].parse().unwrap() {
        let expected = message(round);
        let mut heard = vec![0; expected.len()];
        tls.write_all(&expected).unwrap();
        tls.read_exact(&mut heard).unwrap();
        assert!(heard == expected, "something else");
    }
    tls.conn.send_close_notify();
    let mut rest = Vec::new();
    tls.read_to_end(&mut rest).unwrap(); // an end without close_notify is an error
    assert!(rest.is_empty());
    println!("the same");
}
