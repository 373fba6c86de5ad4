// SPDX-License-Identifier: Apache-2.0
// YAML to JSON from yaml-cpp's event stream. We build the value ourselves, so aliases (which can
// multiply), merge keys, duplicate keys and depth are refused where they occur, with line and
// column, and plain scalars are typed by the YAML 1.2 core schema.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <charconv>
#include <istream>
#include <streambuf>
#include <utility>
#include <vector>

#include "api/base/json.h"

namespace sj::base {
namespace {

constexpr size_t kDocumentsMax = 1000;
constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";

bool OneOf(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool AllDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<Json> ToInteger(std::string_view text) {
  int base = 10;
  const bool minus = text.starts_with('-');
  std::string_view digits = text;
  if (text.starts_with("0x") || text.starts_with("0o")) {
    base = text[1] == 'x' ? 16 : 8;
    digits.remove_prefix(2);
  } else {
    if (minus || text.starts_with('+')) {
      digits.remove_prefix(1);
    }
    if (!AllDigits(digits)) {
      return std::nullopt;
    }
  }
  uint64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, value, base);
  if (error != std::errc() || at != end || digits.empty()) {
    return std::nullopt;
  }
  if (!minus) {
    return value <= uint64_t{INT64_MAX} ? Json(static_cast<int64_t>(value)) : Json(value);
  }
  if (value > uint64_t{INT64_MAX}) {
    return std::nullopt;
  }
  return Json(-static_cast<int64_t>(value));
}

std::optional<Json> ToFloat(std::string_view text) {
  std::string_view rest = text;
  if (rest.starts_with('-') || rest.starts_with('+')) {
    rest.remove_prefix(1);
  }
  // Only digits, dot and exponent: from_chars alone would take "inf" and "nan".
  if (rest.empty() || rest.find_first_not_of("0123456789.eE+-") != std::string_view::npos ||
      rest.find_first_of("0123456789") == std::string_view::npos) {
    return std::nullopt;
  }
  if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end) {
    return std::nullopt;
  }
  return Json(value);
}

Json TypePlain(std::string_view text) {
  if (OneOf(text, {"", "~", "null", "Null", "NULL"})) {
    return nullptr;
  }
  if (OneOf(text, {"true", "True", "TRUE"})) {
    return true;
  }
  if (OneOf(text, {"false", "False", "FALSE"})) {
    return false;
  }
  if (auto integer = ToInteger(text)) {
    return *integer;
  }
  if (auto number = ToFloat(text)) {
    return *number;
  }
  return std::string(text);
}

// Collects one document. After the first error it ignores everything.
class Builder final : public YAML::EventHandler {
 public:
  // `previous`: where the document before began, or -1. yaml-cpp hands out an empty document
  // without consuming anything when the text begins with, say, a comma; a document that begins
  // where the last one did would repeat for ever.
  Builder(const JsonLimits& limits, int previous) : limits_(limits), previous_(previous) {}

  int start() const { return start_; }

  const Status& status() const { return status_; }
  Json Take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (mark.pos <= previous_) {
      Fail(mark, "unexpected text");
    }
    start_ = mark.pos;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Anchor(mark, anchor);
    Scalar(mark, nullptr);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Fail(mark, "aliases are not supported");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Anchor(mark, anchor);
    if (tag == "?") {
      // A plain key stays text whatever it looks like.
      Scalar(mark, WantsKey() ? Json(value) : TypePlain(value));
    } else if (tag.empty() || tag == "!" || tag == std::string(kTagPrefix) + "str") {
      Scalar(mark, value);
    } else {
      Fail(mark, fmt::format("tag \"{}\" is not supported", tag.substr(0, 64)));
    }
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Anchor(mark, anchor);
    Open(mark, tag, "seq", Json::array());
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Anchor(mark, anchor);
    Open(mark, tag, "map", Json::object());
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Level {
    Json value;
    std::string key;
    bool has_key = false;
  };

  bool WantsKey() const {
    return !levels_.empty() && levels_.back().value.is_object() && !levels_.back().has_key;
  }

  void Fail(const YAML::Mark& mark, std::string_view what) {
    if (status_.ok()) {
      status_ = InvalidArgument(
          fmt::format("YAML line {}, column {}: {}", mark.line + 1, mark.column + 1, what));
    }
  }

  void Anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) {
      Fail(mark, "anchors are not supported");
    }
  }

  void Scalar(const YAML::Mark& mark, Json value) {
    if (!status_.ok()) {
      return;
    }
    if (!WantsKey()) {
      Put(std::move(value));
      return;
    }
    if (!value.is_string()) {
      Fail(mark, "a key must be a string");
    } else if (value == "<<") {
      Fail(mark, "merge keys are not supported");
    } else if (levels_.back().value.contains(value.get_ref<const std::string&>())) {
      Fail(mark, fmt::format("key \"{}\" occurs twice",
                             value.get_ref<const std::string&>().substr(0, 64)));
    } else {
      levels_.back().key = value.get<std::string>();
      levels_.back().has_key = true;
    }
  }

  void Open(const YAML::Mark& mark, const std::string& tag, std::string_view kind, Json empty) {
    if (!status_.ok()) {
      return;
    }
    if (WantsKey()) {
      Fail(mark, "a key must be a string");
    } else if (static_cast<int>(levels_.size()) >= limits_.depth_max) {
      Fail(mark, fmt::format("nested deeper than the limit of {}", limits_.depth_max));
    } else if (!tag.empty() && tag != "?" && tag != "!" &&
               tag != fmt::format("{}{}", kTagPrefix, kind)) {
      Fail(mark, fmt::format("tag \"{}\" is not supported", tag.substr(0, 64)));
    } else {
      levels_.push_back({std::move(empty), "", false});
    }
  }

  void Close() {
    if (!status_.ok()) {
      return;
    }
    Json done = std::move(levels_.back().value);
    levels_.pop_back();
    Put(std::move(done));
  }

  void Put(Json value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return;
    }
    Level& level = levels_.back();
    if (level.value.is_object()) {
      level.value[level.key] = std::move(value);
      level.has_key = false;
    } else {
      level.value.push_back(std::move(value));
    }
  }

  const JsonLimits& limits_;
  const int previous_;
  int start_ = -1;
  std::vector<Level> levels_;
  Json root_;
  Status status_;
};

// Reads from memory without a copy.
class ViewBuffer final : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // the get area is never written
    setg(begin, begin, begin + text.size());
  }
};

}  // namespace

Result<std::vector<Json>> ParseYamlDocuments(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return InvalidArgument(fmt::format("YAML of {} bytes is larger than the limit of {}",
                                       text.size(), limits.bytes_max));
  }
  std::vector<Json> documents;
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    int previous = -1;
    while (true) {
      Builder builder(limits, previous);
      if (!parser.HandleNextDocument(builder)) {
        return documents;
      }
      SJ_RETURN_IF_ERROR(builder.status());
      previous = builder.start();
      if (documents.size() == kDocumentsMax) {
        return InvalidArgument(fmt::format("more than {} YAML documents", kDocumentsMax));
      }
      documents.push_back(builder.Take());
    }
  } catch (const YAML::Exception& e) {
    return InvalidArgument(
        fmt::format("YAML line {}, column {}: {}", e.mark.line + 1, e.mark.column + 1, e.msg));
  } catch (const std::exception&) {
    return InvalidArgument("YAML cannot be read");
  }
}

Result<Json> ParseYaml(std::string_view text, const JsonLimits& limits) {
  SJ_ASSIGN_OR_RETURN(std::vector<Json> documents, ParseYamlDocuments(text, limits));
  if (documents.size() != 1) {
    return InvalidArgument(fmt::format("expected one YAML document, found {}", documents.size()));
  }
  return std::move(documents.front());
}

}  // namespace sj::base
