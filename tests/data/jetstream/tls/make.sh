#!/bin/sh
# Makes the certificates of these tests anew: an authority, a server for localhost and
# 127.0.0.1, a client, and a second authority that signed none of them.
set -eu
cd "$(dirname "$0")"
days=36500
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days $days \
        -subj "/CN=$2" -keyout "$1.key" -out "$1.pem" 2>/dev/null
}
signed() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    printf '%s\n' "$3" > "$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$4.pem" -CAkey "$4.key" -CAcreateserial -days $days -extfile "$1.ext" -out "$1.pem" 2>/dev/null
    rm "$1.csr" "$1.ext"
}
authority ca "test authority"
authority other-ca "another authority"
signed server "nats" "subjectAltName=DNS:localhost,IP:127.0.0.1" ca
signed misnamed "elsewhere" "subjectAltName=DNS:elsewhere.example" ca
signed client "hookwatch" "extendedKeyUsage=clientAuth" ca
signed stranger "stranger" "extendedKeyUsage=clientAuth" other-ca
rm -f ./*.srl ca.key other-ca.key
