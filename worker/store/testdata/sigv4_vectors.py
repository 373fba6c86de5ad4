#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Writes sigv4_vectors.json: requests and their Authorization headers, computed here with nothing but
# hmac and hashlib, so that the C++ code has an independent second opinion. The first four are the
# examples of Amazon's S3 reference ("Authenticating Requests"); their published signatures are
# asserted below. The others are the keys and queries that clients are known to sign wrongly.
# Run it in this folder to write the file anew.
import hashlib
import hmac
import json
from urllib.parse import quote

ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DATE, REGION = "20130524T000000Z", "us-east-1"
HOST = "examplebucket.s3.amazonaws.com"
PUBLISHED = {
    "get_range": "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    "put_dollar": "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    "get_lifecycle": "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    "list_prefix": "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
}


def digest(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def vector(name, method, path, query=(), headers=(), body=b""):
    payload = hashlib.sha256(body).hexdigest()
    signed = {"Host": HOST, "x-amz-date": DATE, "x-amz-content-sha256": payload, **dict(headers)}
    lower = sorted((k.lower(), " ".join(v.split())) for k, v in signed.items())
    names = ";".join(k for k, _ in lower)
    pairs = sorted((quote(k, safe="~"), quote(v, safe="~")) for k, v in query)  # by name, then by value
    canonical_query = "&".join(f"{k}={v}" for k, v in pairs)
    canonical = "\n".join(
        [method, quote(path, safe="/~"), canonical_query, "".join(f"{k}:{v}\n" for k, v in lower), names, payload])
    scope = f"{DATE[:8]}/{REGION}/s3/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", DATE, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in (DATE[:8], REGION, "s3", "aws4_request"):
        key = digest(key, part)
    signature = digest(key, to_sign).hex()
    assert PUBLISHED.get(name, signature) == signature, name
    target = quote(path, safe="/~") + ("?" + canonical_query if query else "")
    return {"name": name, "method": method, "path": path, "query": list(query), "headers": list(signed.items()),
            "payload_sha256": payload, "date": DATE, "target": target,
            "authorization": f"AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, SignedHeaders={names}, "
                             f"Signature={signature}"}


VECTORS = [
    vector("get_range", "GET", "/test.txt", headers=[("Range", "bytes=0-9")]),
    vector("put_dollar", "PUT", "/test$file.text", body=b"Welcome to Amazon S3.",
           headers=[("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")]),
    vector("get_lifecycle", "GET", "/", query=[("lifecycle", "")]),
    vector("list_prefix", "GET", "/", query=[("max-keys", "2"), ("prefix", "J")]),
    vector("unsorted_query", "GET", "/b",
           query=[("prefix", "a/ b+c"), ("list-type", "2"), ("continuation-token", "1/=+~x")]),
    vector("odd_key", "PUT", "/b/dt=2024/a b+c/ü~-_.", body=b"\x00\xff"),
    vector("blanks_in_header", "GET", "/b", headers=[("X-Amz-Meta-A", "  a   b  ")]),
    vector("same_name_order", "GET", "/b", query=[("a", "2"), ("a", "1"), ("a-", "0"), ("A", "3")]),
]

if __name__ == "__main__":
    with open("sigv4_vectors.json", "w", encoding="utf-8") as out:
        json.dump(VECTORS, out, indent=1)
        out.write("\n")
