# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The cluster's certificates and kubeconfig files: one authority made for this run, one client or server
# certificate for each part, as a real installation has. They live in the run folder only and are worth
# nothing elsewhere.

PKI=$STREAMJOB_RUN/pki
KUBECONFIGS=$STREAMJOB_RUN/kubeconfig

# make_key NAME: ECDSA P-256, which is quick to make. The administrator's is RSA, because some clients
# (Java ones among them) read no EC key from a kubeconfig.
make_key() {
  if [ "$1" = admin ]; then
    openssl genrsa -out "$PKI/$1.key" 2048 2>/dev/null
  else
    openssl ecparam -name prime256v1 -genkey -noout -out "$PKI/$1.key"
  fi
}

# make_cert NAME SUBJECT [SUBJECT_ALT_NAMES]: signed by the authority, good for client and server.
make_cert() {
  make_key "$1"
  {
    printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n'
    printf 'basicConstraints=CA:FALSE\n'
    [ -z "${3:-}" ] || printf 'subjectAltName=%s\n' "$3"
  } >"$PKI/$1.ext"
  openssl req -new -key "$PKI/$1.key" -subj "$2" 2>/dev/null |
    openssl x509 -req -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -CAcreateserial -days 30 \
      -extfile "$PKI/$1.ext" -out "$PKI/$1.crt" 2>/dev/null
  rm "$PKI/$1.ext"
}

# make_kubeconfig USER: a kubeconfig that logs in with that user's certificate.
make_kubeconfig() {
  cat >"$KUBECONFIGS/$1.conf" <<K
apiVersion: v1
kind: Config
clusters:
- name: streamjob-e2e
  cluster: {server: "https://$HOST_IP:$KUBE_API_PORT", certificate-authority: $PKI/ca.crt}
users:
- name: $1
  user: {client-certificate: $PKI/$1.crt, client-key: $PKI/$1.key}
contexts:
- name: streamjob-e2e
  context: {cluster: streamjob-e2e, user: $1}
current-context: streamjob-e2e
K
}

# make_certs: all of them, about half a second; nothing when they are there and still good for a day.
# The kubeconfigs come last: their presence says that the rest is complete.
make_certs() {
  local n user names
  if [ -e "$KUBECONFIGS/.complete" ] &&
    openssl x509 -checkend 86400 -noout -in "$PKI/ca.crt" >/dev/null; then
    return
  fi
  rm -rf "$PKI" "$KUBECONFIGS"
  mkdir -p -m 700 "$PKI" "$KUBECONFIGS"
  make_key ca
  openssl req -x509 -new -key "$PKI/ca.key" -subj /CN=streamjob-e2e-ca -days 30 -out "$PKI/ca.crt" \
    -addext basicConstraints=critical,CA:TRUE \
    -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature
  names=DNS:localhost,IP:127.0.0.1,IP:$HOST_IP,IP:$API_SERVICE_IP
  names+=,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc
  names+=,DNS:kubernetes.default.svc.cluster.local
  make_cert apiserver /CN=kube-apiserver "$names"
  make_cert apiserver-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client
  make_cert admin /O=system:masters/CN=admin
  for user in kube-controller-manager kube-scheduler kube-proxy coredns; do
    make_cert "$user" "/CN=system:$user"
  done
  for n in $(seq "$KUBE_NODES_MAX"); do
    make_cert "node$n" "/O=system:nodes/CN=system:node:node$n" "DNS:node$n,IP:$(node_ip "$n")"
    make_kubeconfig "node$n"
  done
  openssl genrsa -out "$PKI/sa.key" 2048 2>/dev/null
  openssl rsa -in "$PKI/sa.key" -pubout -out "$PKI/sa.pub" 2>/dev/null
  for user in admin kube-controller-manager kube-scheduler kube-proxy coredns; do
    make_kubeconfig "$user"
  done
  touch "$KUBECONFIGS/.complete"
  say "certificates"
}
