// SPDX-License-Identifier: Apache-2.0
// Signatures against testdata/sigv4_vectors.json, which holds Amazon's published examples and
// others computed by an independent program.
#include "worker/store/sigv4.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "api/base/json.h"
#include "api/base/testing/source_dir.h"

namespace sj::worker::store {
namespace {

base::Json Vectors() {
  std::ifstream file(base::testing::SourceDir() + "/worker/store/testdata/sigv4_vectors.json");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return base::ParseJson(text).value();
}

TEST(SigV4Test, EqualsTheVectors) {
  SigningKey key;
  key.access_key = "AKIAIOSFODNN7EXAMPLE";
  key.secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  key.region = "us-east-1";
  base::Json vectors = Vectors();
  ASSERT_GE(vectors.size(), 8u);
  for (const base::Json& vector : vectors) {
    SigningInput input;
    input.method = vector["method"].get<std::string>();
    input.path = vector["path"].get<std::string>();
    for (const base::Json& pair : vector["query"]) {
      input.query.emplace_back(pair[0].get<std::string>(), pair[1].get<std::string>());
    }
    for (const base::Json& pair : vector["headers"]) {
      input.headers.emplace_back(pair[0].get<std::string>(), pair[1].get<std::string>());
    }
    input.payload_sha256 = vector["payload_sha256"].get<std::string>();
    input.amz_date = vector["date"].get<std::string>();
    EXPECT_EQ(Authorization(key, input), vector["authorization"].get<std::string>())
        << vector["name"];
    EXPECT_EQ(EncodedTarget(input.path, input.query), vector["target"].get<std::string>());
  }
}

}  // namespace
}  // namespace sj::worker::store
