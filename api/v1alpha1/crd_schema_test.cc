// SPDX-License-Identifier: Apache-2.0
// The CRD's schema and the C++ parser know exactly the same fields, in both directions: name, type,
// enum values and whether required. Also what the API server demands of a schema with CEL rules: a
// bound on every text, list and map; and what we demand: no defaults, below 100 KB.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "api/base/testing/source_dir.h"
#include "api/v1alpha1/manifest_file.h"
#include "api/v1alpha1/stream_job_fields.h"
#include "api/v1alpha1/stream_job_json.h"
#include "api/v1alpha1/stream_job_snapshot_fields.h"

namespace sj::v1alpha1 {
namespace {

using base::FieldShape;
using base::Json;

constexpr std::string_view kDurationPattern = "^(0|([0-9]+(ms|s|m|h|d))+)$";

std::string ReadFile(const std::string& path) {
  std::ifstream file(base::testing::SourceDir() + "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Json Crd(const std::string& plural = std::string(kPlural)) {
  const auto crd = base::ParseYaml(ReadFile("crds/bases/" + plural + ".yaml"));
  EXPECT_TRUE(crd.ok()) << crd.status().ToString();
  return *crd;
}

Json Schema(const Json& crd, const std::string& part) {
  return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part];
}

std::string TypeOf(const Json& schema) {
  if (schema.contains("enum")) {
    std::string names;
    for (const Json& name : schema["enum"]) {
      names += (names.empty() ? "" : "|") + name.get<std::string>();
    }
    return "enum(" + names + ")";
  }
  if (schema.value("x-kubernetes-int-or-string", false)) {
    return "quantity";
  }
  const std::string type = schema.value("type", "");
  if (type == "string" && schema.value("format", "") == "date-time") {
    return "time";
  }
  if (type == "string" && schema.value("pattern", "") == kDurationPattern) {
    return "duration";
  }
  if (type == "array") {
    return "list";
  }
  if (type == "object" && schema.value("x-kubernetes-preserve-unknown-fields", false)) {
    return "raw";
  }
  return type == "object" && schema.contains("additionalProperties") ? "map" : type;
}

// Lists a schema as FieldLister lists a struct.
void List(const Json& schema, const std::string& path, bool required,
          std::vector<FieldShape>& out) {
  out.push_back({path, TypeOf(schema), required});
  if (schema.contains("items")) {
    List(schema["items"], path + "[]", false, out);
  }
  if (schema.contains("additionalProperties")) {
    List(schema["additionalProperties"], path + "{}", false, out);
  }
  if (!schema.contains("properties")) {
    return;
  }
  const Json needed = schema.value("required", Json::array());
  for (const auto& [name, property] : schema["properties"].items()) {
    List(property, path + "." + name,
         std::find(needed.begin(), needed.end(), Json(name)) != needed.end(), out);
  }
}

std::set<std::string> Lines(const std::vector<FieldShape>& shapes, bool durations) {
  std::set<std::string> lines;
  for (const FieldShape& shape : shapes) {
    const bool as_text = !durations && shape.type == "duration";
    lines.insert(shape.path + ": " + (as_text ? "string" : shape.type) +
                 (shape.required ? ", required" : ""));
  }
  return lines;
}

std::set<std::string> SchemaLines(const Json& schema, const std::string& part, bool durations) {
  std::vector<FieldShape> shapes;
  List(schema, part, false, shapes);
  shapes.erase(shapes.begin());  // the part itself
  return Lines(shapes, durations);
}

template <typename T>
std::set<std::string> CodeLines(const std::string& part, bool durations) {
  std::vector<FieldShape> shapes;
  T value;
  base::FieldLister lister(part, shapes);
  Fields(lister, value);
  return Lines(shapes, durations);
}

// Every node of the schema.
void Visit(const Json& schema, const std::string& path,
           const std::function<void(const std::string&, const Json&)>& see) {
  see(path, schema);
  for (const char* key : {"items", "additionalProperties"}) {
    if (schema.contains(key)) {
      Visit(schema[key], path + "/" + key, see);
    }
  }
  const Json properties = schema.value("properties", Json::object());
  for (const auto& [name, property] : properties.items()) {
    Visit(property, path + "." + name, see);
  }
}

TEST(CrdSchema, SpecIsWhatTheParserKnows) {
  EXPECT_EQ(SchemaLines(Schema(Crd(), "spec"), "spec", true),
            CodeLines<StreamJobSpec>("spec", true));
}

TEST(CrdSchema, StatusIsWhatTheOperatorWrites) {
  // Status durations are written by us, so the schema does not check their form.
  EXPECT_EQ(SchemaLines(Schema(Crd(), "status"), "status", false),
            CodeLines<StreamJobStatus>("status", false));
}

TEST(CrdSchema, SnapshotsAreWhatTheParserKnows) {
  const Json crd = Crd(std::string(kSnapshotPlural));
  EXPECT_EQ(SchemaLines(Schema(crd, "spec"), "spec", true),
            CodeLines<StreamJobSnapshotSpec>("spec", true));
  EXPECT_EQ(SchemaLines(Schema(crd, "status"), "status", false),
            CodeLines<StreamJobSnapshotStatus>("status", false));
  EXPECT_EQ(crd["spec"]["group"], std::string(kGroup));
  EXPECT_EQ(crd["spec"]["names"]["kind"], std::string(kSnapshotKind));
  EXPECT_EQ(crd["spec"]["names"]["plural"], std::string(kSnapshotPlural));
  EXPECT_EQ(crd["metadata"]["name"], std::string(kSnapshotPlural) + "." + std::string(kGroup));
}

TEST(CrdSchema, DriftIsSeen) {
  const auto code = CodeLines<StreamJobSpec>("spec", true);
  Json removed = Schema(Crd(), "spec");
  removed["properties"]["worker"]["properties"].erase("threads");
  EXPECT_NE(SchemaLines(removed, "spec", true), code);
  Json added = Schema(Crd(), "spec");
  added["properties"]["checkpoint"]["properties"]["extra"] = {{"type", "string"}};
  EXPECT_NE(SchemaLines(added, "spec", true), code);
  Json retyped = Schema(Crd(), "spec");
  retyped["properties"]["replicas"]["type"] = "string";
  EXPECT_NE(SchemaLines(retyped, "spec", true), code);
  Json fewer_values = Schema(Crd(), "spec");
  fewer_values["properties"]["state"]["enum"] = {"Running"};
  EXPECT_NE(SchemaLines(fewer_values, "spec", true), code);
  Json optional = Schema(Crd(), "spec");
  optional["properties"]["sqlFrom"].erase("required");
  EXPECT_NE(SchemaLines(optional, "spec", true), code);
}

TEST(CrdSchema, EverythingIsBoundedAndNothingHasADefault) {
  for (const auto& [plural, part] : {std::pair(kPlural, "spec"),
                                     {kPlural, "status"},
                                     {kSnapshotPlural, "spec"},
                                     {kSnapshotPlural, "status"}}) {
    const Json crd = Crd(std::string(plural));
    Visit(Schema(crd, part), part, [](const std::string& path, const Json& node) {
      EXPECT_FALSE(node.contains("default")) << path;
      const std::string type = TypeOf(node);
      if (type == "string" || type == "duration" || type == "quantity") {
        EXPECT_TRUE(node.contains("maxLength")) << path;
      } else if (type == "list") {
        EXPECT_TRUE(node.contains("maxItems")) << path;
        EXPECT_TRUE(node.contains("x-kubernetes-list-type")) << path;
      } else if (type == "map") {
        EXPECT_TRUE(node.contains("maxProperties")) << path;
      }
    });
  }
  EXPECT_LT(ReadFile("crds/bases/streamjobs.yaml").size(), 100'000u);
}

TEST(CrdSchema, NamesAreTheCodes) {
  const Json crd = Crd();
  EXPECT_EQ(crd["spec"]["group"], std::string(kGroup));
  EXPECT_EQ(crd["spec"]["names"]["plural"], std::string(kPlural));
  EXPECT_EQ(crd["spec"]["names"]["kind"], std::string(kKind));
  EXPECT_EQ(crd["spec"]["versions"][0]["name"], std::string(kVersion));
  EXPECT_EQ(crd["metadata"]["name"], std::string(kPlural) + "." + std::string(kGroup));
}

TEST(CrdSamples, AreReadable) {
  const auto job =
      ReadManifest(ReadFile("crds/samples/purchases-per-minute.yaml"), "purchases-per-minute.yaml");
  ASSERT_TRUE(job.ok()) << job.status().ToString();
  EXPECT_EQ(job->metadata.name, "purchases-per-minute");
  EXPECT_NE(job->spec.sql.find("WATERMARK FOR event_time"), std::string::npos);
  const auto first = ReadManifest(ReadFile("crds/samples/first-try.sql"), "first-try.sql");
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  EXPECT_EQ(first->metadata.name, "first-try");
}

}  // namespace
}  // namespace sj::v1alpha1
