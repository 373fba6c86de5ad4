// SPDX-License-Identifier: Apache-2.0
// One list of fields per struct, three uses: reading JSON, writing JSON, and listing what is known
// (so that a schema can be compared with it). A struct S takes part by a function found beside it:
//
//   template <typename V> void Fields(V& v, S& s) { v("name", s.name); v("count", s.count); }
//
// and an enum E by `std::span<const EnumName<E>> EnumNames(E)`. Members may be bool, int, int64_t,
// double, std::string, Millis (a duration text), WallTime (RFC 3339), enums, structs, and
// std::optional, std::vector and std::map<std::string, ...> of them; a type with `kRawJson` and a
// member `text` holds any JSON object. JSON null counts as absent. Absent members keep their value.
// Thread-compatible.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "api/base/clock.h"
#include "api/base/json.h"

namespace sj::base {

enum class Need : uint8_t { kOptional, kRequired };
enum class UnknownFields : uint8_t { kRefuse, kIgnore };

template <typename E>
struct EnumName {
  E value;
  std::string_view name;
};

// The name of an enum's value.
template <typename E>
std::string_view NameOf(E value) {
  for (const auto& entry : EnumNames(value)) {
    if (entry.value == value) {
      return entry.name;
    }
  }
  return "";
}

// A field that could not be understood. `message` names the path.
struct FieldProblem {
  std::string path;
  std::string message;
};

namespace fields {

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};
template <typename T>
struct IsMap : std::false_type {};
template <typename T>
struct IsMap<std::map<std::string, T>> : std::true_type {};
template <typename T>
concept RawJson = requires {
  T::kRawJson;
};
template <typename T>
concept Scalar = std::is_same_v<T, std::string> || std::is_arithmetic_v<T> ||
    std::is_same_v<T, Millis> || std::is_same_v<T, WallTime>;

inline std::string Join(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

}  // namespace fields

// Reads one JSON value into `out`; problems are collected, at most kFieldProblemsMax of them.
inline constexpr size_t kFieldProblemsMax = 50;
class FieldReader {
 public:
  FieldReader(const Json& object, std::string path, UnknownFields unknown,
              std::vector<FieldProblem>& problems)
      : object_(object), path_(std::move(path)), unknown_(unknown), problems_(problems) {}

  template <typename T>
  void operator()(const char* name, T& out, Need need = Need::kOptional) {
    if (const Json* value = Find(name, need)) {
      Value(*value, fields::Join(path_, name), out);
    }
  }
  // A duration as an integer of milliseconds.
  void Ms(const char* name, Millis& out) {
    int64_t count = out.count();
    (*this)(name, count);
    out = Millis(count);
  }
  // A map of Kubernetes quantities: texts, or integers taken as texts.
  void Quantities(const char* name, std::map<std::string, std::string>& out);
  // Call after the last field: reports the fields nobody asked for.
  void Finish();

  // Reads a whole struct. False when `object` is not a JSON object.
  template <typename T>
  static bool Struct(const Json& object, std::string path, UnknownFields unknown,
                     std::vector<FieldProblem>& problems, T& out) {
    FieldReader reader(object, std::move(path), unknown, problems);
    if (!reader.IsObject()) {
      return false;
    }
    Fields(reader, out);
    reader.Finish();
    return true;
  }

 private:
  bool IsObject();
  const Json* Find(const char* name, Need need);
  void Problem(const std::string& path, std::string_view what);
  void Expected(const std::string& path, std::string_view what, const Json& found);

  template <typename T>
  void Value(const Json& value, const std::string& path, T& out) {
    if constexpr (fields::IsOptional<T>::value) {
      Value(value, path, out.emplace());
    } else if constexpr (fields::IsVector<T>::value) {
      List(value, path, out);
    } else if constexpr (fields::IsMap<T>::value) {
      Map(value, path, out);
    } else if constexpr (fields::Scalar<T>) {
      ScalarValue(value, path, out);
    } else if constexpr (std::is_enum_v<T>) {
      Enum(value, path, out);
    } else if constexpr (fields::RawJson<T>) {
      if (value.is_object()) {
        out.text = DumpJson(value);
      } else {
        Expected(path, "an object", value);
      }
    } else {
      Struct(value, path, unknown_, problems_, out);
    }
  }

  template <typename T>
  void List(const Json& value, const std::string& path, std::vector<T>& out) {
    if (!value.is_array()) {
      Expected(path, "a list", value);
      return;
    }
    for (size_t i = 0; i < value.size(); ++i) {
      Value(value[i], path + "[" + std::to_string(i) + "]", out.emplace_back());
    }
  }

  template <typename T>
  void Map(const Json& value, const std::string& path, std::map<std::string, T>& out) {
    if (!value.is_object()) {
      Expected(path, "an object", value);
      return;
    }
    for (const auto& [key, item] : value.items()) {
      Value(item, fields::Join(path, key), out[key]);
    }
  }

  template <typename E>
  void Enum(const Json& value, const std::string& path, E& out) {
    std::string wanted;
    for (const auto& entry : EnumNames(out)) {
      if (value.is_string() && value.get_ref<const std::string&>() == entry.name) {
        out = entry.value;
        return;
      }
      wanted += (wanted.empty() ? "" : ", ") + std::string(entry.name);
    }
    // A newer writer may know further values; without strictness ours stays as it was.
    if (unknown_ == UnknownFields::kRefuse || !value.is_string()) {
      Expected(path, "one of " + wanted, value);
    }
  }

  void ScalarValue(const Json& value, const std::string& path, std::string& out);
  void ScalarValue(const Json& value, const std::string& path, bool& out);
  void ScalarValue(const Json& value, const std::string& path, int& out);
  void ScalarValue(const Json& value, const std::string& path, int64_t& out);
  void ScalarValue(const Json& value, const std::string& path, double& out);
  void ScalarValue(const Json& value, const std::string& path, Millis& out);
  void ScalarValue(const Json& value, const std::string& path, WallTime& out);

  const Json& object_;
  const std::string path_;
  const UnknownFields unknown_;
  std::vector<FieldProblem>& problems_;
  std::vector<std::string_view> known_;
};

// Writes a struct. Left out: absent optionals, empty texts, lists, maps and structs. Numbers and
// bools are always written.
class FieldWriter {
 public:
  template <typename T>
  void operator()(const char* name, const T& value, Need = Need::kOptional) {
    if constexpr (fields::IsOptional<T>::value) {
      if (value) {
        object_[name] = ToJson(*value);
      }
    } else {
      Json json = ToJson(value);
      const bool empty = (json.is_string() && json.get_ref<const std::string&>().empty()) ||
                         (json.is_structured() && json.empty()) || json.is_null();
      if (!empty) {
        object_[name] = std::move(json);
      }
    }
  }
  void Ms(const char* name, const Millis& value) { object_[name] = value.count(); }
  void Quantities(const char* name, const std::map<std::string, std::string>& value) {
    (*this)(name, value);
  }

  template <typename T>
  static Json Struct(const T& value) {
    FieldWriter writer;
    // Fields takes a reference that readers write to; this visitor only looks.
    Fields(writer, const_cast<T&>(value));
    return std::move(writer.object_);
  }

 private:
  template <typename T>
  static Json ToJson(const T& value) {
    if constexpr (fields::IsOptional<T>::value) {
      return value ? ToJson(*value) : Json(nullptr);
    } else if constexpr (fields::IsVector<T>::value) {
      Json list = Json::array();
      for (const auto& item : value) {
        list.push_back(ToJson(item));
      }
      return list;
    } else if constexpr (fields::IsMap<T>::value) {
      Json map = Json::object();
      for (const auto& [key, item] : value) {
        map[key] = ToJson(item);
      }
      return map;
    } else if constexpr (std::is_same_v<T, Millis>) {
      return FormatDuration(value);
    } else if constexpr (std::is_same_v<T, WallTime>) {
      return FormatTime(value, value.time_since_epoch().count() % 1000 != 0);
    } else if constexpr (fields::Scalar<T>) {
      return value;
    } else if constexpr (std::is_enum_v<T>) {
      return std::string(NameOf(value));
    } else if constexpr (fields::RawJson<T>) {
      return RawToJson(value.text);
    } else {
      return Struct(value);
    }
  }
  static Json RawToJson(const std::string& text);

  Json object_ = Json::object();
};

// What a struct's field list knows, for comparison with a schema.
struct FieldShape {
  std::string path;  // "checkpoint.interval", "connections[].name", "labels{}"
  std::string type;  // string, boolean, integer, ..., enum(A|B), object, list, map, raw
  bool required = false;
};
class FieldLister {
 public:
  FieldLister(std::string path, std::vector<FieldShape>& out) : path_(std::move(path)), out_(out) {}

  template <typename T>
  void operator()(const char* name, T& value, Need need = Need::kOptional) {
    Add(fields::Join(path_, name), value, need == Need::kRequired);
  }
  void Ms(const char* name, Millis&) { out_.push_back({fields::Join(path_, name), "integer"}); }

  void Quantities(const char* name, std::map<std::string, std::string>&) {
    out_.push_back({fields::Join(path_, name), "map"});
    out_.push_back({fields::Join(path_, name) + "{}", "quantity"});
  }

 private:
  template <typename T>
  void Add(const std::string& path, T& value, bool required) {
    if constexpr (fields::IsOptional<T>::value) {
      typename T::value_type inner{};
      Add(path, inner, required);
    } else if constexpr (fields::IsVector<T>::value) {
      out_.push_back({path, "list", required});
      typename T::value_type inner{};
      Add(path + "[]", inner, false);
    } else if constexpr (fields::IsMap<T>::value) {
      out_.push_back({path, "map", required});
      typename T::mapped_type inner{};
      Add(path + "{}", inner, false);
    } else if constexpr (std::is_enum_v<T>) {
      std::string names;
      for (const auto& entry : EnumNames(value)) {
        names += (names.empty() ? "" : "|") + std::string(entry.name);
      }
      out_.push_back({path, "enum(" + names + ")", required});
    } else if constexpr (fields::Scalar<T>) {
      out_.push_back({path, std::string(ScalarName<T>()), required});
    } else if constexpr (fields::RawJson<T>) {
      out_.push_back({path, "raw", required});
    } else {
      out_.push_back({path, "object", required});
      FieldLister inner(path, out_);
      Fields(inner, value);
    }
  }

  template <typename T>
  static constexpr std::string_view ScalarName() {
    if constexpr (std::is_same_v<T, std::string>) {
      return "string";
    } else if constexpr (std::is_same_v<T, bool>) {
      return "boolean";
    } else if constexpr (std::is_integral_v<T>) {
      return "integer";
    } else if constexpr (std::is_floating_point_v<T>) {
      return "number";
    } else if constexpr (std::is_same_v<T, Millis>) {
      return "duration";
    } else {
      return "time";
    }
  }

  const std::string path_;
  std::vector<FieldShape>& out_;
};

}  // namespace sj::base
