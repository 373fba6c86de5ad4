// SPDX-License-Identifier: Apache-2.0
// Manifest files: YAML, JSON, .sql, ConfigMaps beside the job, and what is refused.
#include "api/v1alpha1/manifest_file.h"

#include <gtest/gtest.h>

namespace sj::v1alpha1 {
namespace {

std::string Error(std::string_view text, std::string_view name = "a.yaml") {
  const auto job = ReadManifest(text, name);
  return job.ok() ? "ok" : job.status().message();
}

constexpr std::string_view kHead = "apiVersion: streamjob.io/v1alpha1\nkind: StreamJob\n";

TEST(ManifestFile, PlainSqlIsAJob) {
  const auto job = ReadManifest("INSERT INTO a SELECT 1;", "/x/My First_Job!.sql");
  ASSERT_TRUE(job.ok());
  EXPECT_EQ(job->metadata.name, "my-first-job");
  EXPECT_EQ(job->spec.sql, "INSERT INTO a SELECT 1;");
  EXPECT_EQ(ReadManifest("x", "---.sql")->metadata.name, "job");
}

TEST(ManifestFile, YamlAndJson) {
  EXPECT_EQ(ReadManifest(std::string(kHead) + "metadata: {name: n}\nspec: {sql: x}", "a.yaml")
                ->metadata.name,
            "n");
  EXPECT_EQ(ReadManifest(R"({"apiVersion":"streamjob.io/v1alpha1","kind":"StreamJob",
                             "spec":{"sql":"x"}})",
                         "dir/b.json")
                ->metadata.name,
            "b");
}

TEST(ManifestFile, ConfigMapOfTheSameFileGivesTheSql) {
  const std::string job = std::string(kHead) +
                          "metadata: {name: n}\nspec: {sqlFrom: {configMapKeyRef: {name: c, key: "
                          "k}}}\n";
  const std::string map = "---\nkind: ConfigMap\nmetadata: {name: c}\ndata: {k: SELECT 1}\n";
  const auto read = ReadManifest(job + map, "a.yaml");
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->spec.sql, "SELECT 1");
  EXPECT_FALSE(read->spec.sql_from.has_value());
  EXPECT_NE(Error(job).find("no ConfigMap \"c\" with key \"k\""), std::string::npos);
}

TEST(ManifestFile, RefusesWithWords) {
  EXPECT_EQ(Error("kind: Deployment"), "the file holds no object of kind StreamJob");
  EXPECT_EQ(Error(""), "the file holds no object of kind StreamJob");
  EXPECT_EQ(Error("kind: StreamJob"), "apiVersion: expected \"streamjob.io/v1alpha1\"");
  EXPECT_EQ(Error("apiVersion: streamjob.io/v9\nkind: StreamJob"),
            "apiVersion: expected \"streamjob.io/v1alpha1\"");
  const std::string one = std::string(kHead) + "spec: {sql: x}\n";
  EXPECT_EQ(Error(one + "---\n" + one), "the file holds more than one StreamJob");
  EXPECT_EQ(Error(std::string(kHead) + "spec: {sql: x, replica: 1}"),
            "spec.replica: unknown field");
  EXPECT_EQ(Error(std::string(kHead) + "spec: {}"), "spec.sql: there is no SQL in the file");
  EXPECT_EQ(Error(" \n", "a.sql"), "spec.sql: there is no SQL in the file");
  EXPECT_NE(Error("kind: [").find("YAML line 1"), std::string::npos);
}

}  // namespace
}  // namespace sj::v1alpha1
