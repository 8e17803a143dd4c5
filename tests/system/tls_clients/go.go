// A conversation with an echo server over TLS: go run go.go HOST PORT CA-FILE SERVER-NAME VERSION ROUNDS
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func message(round int) []byte {
	bytes := make([]byte, 1+(round*977)%40000)
	for i := range bytes {
		bytes[i] = byte((i*31 + round) % 251)
	}
	return bytes
}

func main() {
	authorities := x509.NewCertPool()
	pem, err := os.ReadFile(os.Args[3])
	must(err)
	authorities.AppendCertsFromPEM(pem)
	version := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[os.Args[5]]
	rounds, err := strconv.Atoi(os.Args[6])
	must(err)
	config := tls.Config{RootCAs: authorities, ServerName: os.Args[4], MinVersion: version, MaxVersion: version}
	conn, err := tls.Dial("tcp", net.JoinHostPort(os.Args[1], os.Args[2]), &config)
	must(err)
	for round := 0; round < rounds; round++ {
		expected := message(round)
		heard := make([]byte, len(expected))
		_, err = conn.Write(expected)
		must(err)
		_, err = io.ReadFull(conn, heard)
		must(err)
		if !bytes.Equal(heard, expected) {
			panic("something else")
		}
	}
	must(conn.CloseWrite())
	rest, err := io.ReadAll(conn)
	must(err)
	if len(rest) == 0 {
		fmt.Println("the same")
	}
}
