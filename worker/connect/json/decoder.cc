// SPDX-License-Identifier: Apache-2.0
// simdjson's on-demand parser finds the tokens (and checks UTF-8, quotes and control characters of
// the whole record); we read each token ourselves. Recursion follows the declared types only, so
// its depth is the schema's, whatever the record holds.
#include "worker/connect/json/decoder.h"

#include <fmt/core.h>
#include <simdjson.h>

#include <cstring>
#include <optional>

#include "worker/connect/json/object_plan.h"
#include "worker/connect/json/scalar.h"

namespace sj::worker::connect::json {
namespace {

namespace ondemand = simdjson::ondemand;
using types::Column;
using types::DataType;
using types::StringRef;
using types::TypeKind;

// Column::Reserve leaves the fields of a ROW alone; there are as many of them as rows.
void ReserveAll(Column* column, size_t rows) {
  column->Reserve(rows);
  if (column->type().kind == TypeKind::kRow) {
    for (Column& child : column->children) {
      ReserveAll(&child, rows);
    }
  }
}

// What became of a value: kBad concerns this value only, kBroken the whole record.
enum class Outcome : uint8_t { kOk, kNull, kBad, kBroken };

}  // namespace

class Decoder::State {
 public:
  State(const types::Schema& schema, const std::vector<int>& columns, const JsonOptions& options);
  bool Decode(char* data, size_t size, std::vector<Column>* columns, DecodeError* error);

  std::vector<DataType> types;
  bool no_views = true;

 private:
  bool DecodeRoot(char* data, size_t size, std::vector<Column>* columns);
  Outcome DecodeObject(ondemand::object object, ObjectPlan* plan, std::vector<Column>* columns);
  Outcome DecodeField(ondemand::value value, ObjectPlan* plan, size_t field, Column* column);
  Outcome DecodeValue(ondemand::value value, const DataType& type, ObjectPlan* child,
                      Column* column);
  Outcome DecodeScalar(std::string_view token, const DataType& type, Column* column);
  Outcome DecodeText(std::string_view text, const DataType& type, Column* column);
  Outcome DecodeString(ondemand::value value, std::string_view token, Column* column);
  Outcome DecodeRow(ondemand::value value, ObjectPlan* child, Column* column);
  Outcome DecodeArray(ondemand::value value, ObjectPlan* child, Column* column);
  Outcome DecodeMap(ondemand::value value, ObjectPlan* child, Column* column);
  Outcome DecodeNested(ondemand::value value, const DataType& type, ObjectPlan* child,
                       Column* column);
  Outcome FillMissing(ObjectPlan* plan, std::vector<Column>* columns);
  std::optional<std::string_view> Content(std::string_view token);
  int FindField(ObjectPlan* plan, ondemand::field& field);
  Outcome Bad(std::string what) {
    error_->what = std::move(what);
    return Outcome::kBad;
  }
  Outcome Broken(simdjson::error_code code) {
    error_->column.clear();
    error_->what = fmt::format("not valid JSON ({})", simdjson::error_message(code));
    return Outcome::kBroken;
  }

  const JsonOptions options_;
  std::unique_ptr<ObjectPlan> plan_;
  ondemand::parser parser_;
  DecodeError* error_ = nullptr;
  std::string scratch_;
};

Decoder::State::State(const types::Schema& schema, const std::vector<int>& columns,
                      const JsonOptions& options)
    : options_(options) {
  std::vector<std::string> names;
  for (int column : columns) {
    const types::Field& field = schema.fields[static_cast<size_t>(column)];
    names.push_back(field.name);
    types.push_back(field.type);
    no_views = no_views && !HoldsViews(field.type);
  }
  plan_ = PlanObject(names, types);
}

// The bytes between the quotes of a string token, escapes resolved; nullopt when malformed.
std::optional<std::string_view> Decoder::State::Content(std::string_view token) {
  token = Trim(token);
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') {
    return std::nullopt;
  }
  char* begin = const_cast<char*>(token.data()) + 1;  // inside the caller's mutable buffer
  size_t size = token.size() - 2;
  if (std::memchr(begin, '\\', size) != nullptr) {
    std::optional<size_t> unescaped = UnescapeInPlace(begin, size);
    if (!unescaped.has_value()) {
      return std::nullopt;
    }
    size = *unescaped;
  }
  return std::string_view(begin, size);
}

Outcome Decoder::State::DecodeText(std::string_view text, const DataType& type, Column* column) {
  ScalarResult result = ScalarResult::kBad;
  int64_t number = 0;
  switch (type.kind) {
    case TypeKind::kTinyint:
    case TypeKind::kSmallint:
    case TypeKind::kInt:
    case TypeKind::kBigint:
      result = ReadInteger(text, type.kind, &number);
      if (result == ScalarResult::kOk) {
        column->AppendInt64(number);
      }
      break;
    case TypeKind::kFloat:
    case TypeKind::kDouble: {
      double value = 0;
      result = ReadDouble(text, type.kind == TypeKind::kFloat, &value);
      if (result == ScalarResult::kOk) {
        column->AppendDouble(value);
      }
      break;
    }
    case TypeKind::kDecimal: {
      types::Int128 value = 0;
      result = ReadDecimal(text, type, &value);
      if (result == ScalarResult::kOk && column->physical() == types::Physical::kInt128) {
        column->AppendInt128(value);
      } else if (result == ScalarResult::kOk) {
        column->AppendInt64(static_cast<int64_t>(value));
      }
      break;
    }
    default:
      break;
  }
  switch (result) {
    case ScalarResult::kOk:
      return Outcome::kOk;
    case ScalarResult::kNull:
      return Outcome::kNull;
    case ScalarResult::kBad:
      break;
  }
  return Bad(fmt::format("\"{}\" is not a {}", text.substr(0, 60), type.ToString()));
}

Outcome Decoder::State::DecodeScalar(std::string_view token, const DataType& type, Column* column) {
  bool quoted = token[0] == '"';
  if (!quoted && token[0] != '{' && token[0] != '[' && type.is_numeric()) {
    return DecodeText(Trim(token), type, column);
  }
  if (type.kind == TypeKind::kBoolean && !quoted) {
    std::string_view text = Trim(token);
    if (text == "true" || text == "false") {
      column->AppendBool(text == "true");
      return Outcome::kOk;
    }
  }
  if (!quoted) {
    return Bad(fmt::format("{} is not a {}", Trim(token).substr(0, 60), type.ToString()));
  }
  std::optional<std::string_view> content = Content(token);
  if (!content.has_value()) {
    return Bad("a malformed string");
  }
  switch (type.kind) {
    case TypeKind::kBoolean:
      if (*content == "true" || *content == "false") {
        column->AppendBool(*content == "true");
        return Outcome::kOk;
      }
      break;
    case TypeKind::kBytes:
      if (std::optional<std::string> bytes = DecodeBase64(*content)) {
        column->AppendString(*bytes);
        return Outcome::kOk;
      }
      return Bad("a string that is not base64");
    case TypeKind::kDate:
    case TypeKind::kTime:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      if (std::optional<int64_t> value = ReadTime(*content, type, options_.timestamp_format)) {
        column->AppendInt64(*value);
        return Outcome::kOk;
      }
      break;
    default:
      return DecodeText(Trim(*content), type, column);
  }
  return Bad(fmt::format("\"{}\" is not a {}", content->substr(0, 60), type.ToString()));
}

Outcome Decoder::State::DecodeString(ondemand::value value, std::string_view token,
                                     Column* column) {
  if (token[0] == '"') {
    std::optional<std::string_view> content = Content(token);
    if (!content.has_value()) {
      return Bad("a malformed string");
    }
    column->AppendStringRef(StringRef{content->data(), static_cast<uint32_t>(content->size())});
    return Outcome::kOk;
  }
  if (token[0] == '{' || token[0] == '[') {
    std::string_view json;
    simdjson::error_code code = simdjson::SUCCESS;
    if (token[0] == '{') {
      ondemand::object object;
      code = value.get_object().get(object);
      code = code == simdjson::SUCCESS ? object.raw_json().get(json) : code;
    } else {
      ondemand::array array;
      code = value.get_array().get(array);
      code = code == simdjson::SUCCESS ? array.raw_json().get(json) : code;
    }
    if (code != simdjson::SUCCESS) {
      return Broken(code);
    }
    column->AppendString(CompactJson(Trim(json)));
    return Outcome::kOk;
  }
  std::string_view text = Trim(token);
  if (text != "true" && text != "false" && !IsNumber(text)) {
    return Bad(fmt::format("{} is not a JSON value", text.substr(0, 60)));
  }
  column->AppendStringRef(StringRef{text.data(), static_cast<uint32_t>(text.size())});
  return Outcome::kOk;
}

Outcome Decoder::State::DecodeRow(ondemand::value value, ObjectPlan* child, Column* column) {
  ondemand::object object;
  if (simdjson::error_code code = value.get_object().get(object)) {
    return code == simdjson::INCORRECT_TYPE ? Bad("not a JSON object") : Broken(code);
  }
  Outcome outcome = DecodeObject(object, child, &column->children);
  if (outcome == Outcome::kOk && !column->valid.empty()) {
    column->valid.push_back(1);
  }
  return outcome;
}

Outcome Decoder::State::DecodeArray(ondemand::value value, ObjectPlan* child, Column* column) {
  ondemand::array array;
  if (simdjson::error_code code = value.get_array().get(array)) {
    return code == simdjson::INCORRECT_TYPE ? Bad("not a JSON array") : Broken(code);
  }
  for (auto element : array) {
    ondemand::value item;
    if (simdjson::error_code code = element.get(item)) {
      return Broken(code);
    }
    Outcome outcome = DecodeField(item, child, 0, &column->children[0]);
    if (outcome != Outcome::kOk) {
      return outcome;
    }
  }
  column->offsets.push_back(static_cast<uint32_t>(column->children[0].size()));
  if (!column->valid.empty()) {
    column->valid.push_back(1);
  }
  return Outcome::kOk;
}

Outcome Decoder::State::DecodeMap(ondemand::value value, ObjectPlan* child, Column* column) {
  ondemand::object object;
  if (simdjson::error_code code = value.get_object().get(object)) {
    return code == simdjson::INCORRECT_TYPE ? Bad("not a JSON object") : Broken(code);
  }
  for (auto entry : object) {
    ondemand::field field;
    if (simdjson::error_code code = std::move(entry).get(field)) {
      return Broken(code);
    }
    const char* begin = field.key().raw();
    const char* end = begin;
    while (*end != '"') {
      end += *end == '\\' ? 2 : 1;
    }
    std::optional<std::string_view> key =
        Content(std::string_view(begin - 1, static_cast<size_t>(end - begin) + 2));
    if (!key.has_value()) {
      return Bad("a malformed key");
    }
    column->children[0].AppendStringRef(StringRef{key->data(), static_cast<uint32_t>(key->size())});
    Outcome outcome = DecodeField(field.value(), child, 1, &column->children[1]);
    if (outcome != Outcome::kOk) {
      return outcome;
    }
  }
  column->offsets.push_back(static_cast<uint32_t>(column->children[0].size()));
  if (!column->valid.empty()) {
    column->valid.push_back(1);
  }
  return Outcome::kOk;
}

Outcome Decoder::State::DecodeNested(ondemand::value value, const DataType& type, ObjectPlan* child,
                                     Column* column) {
  switch (type.kind) {
    case TypeKind::kRow:
      return DecodeRow(value, child, column);
    case TypeKind::kArray:
      return DecodeArray(value, child, column);
    default:
      return DecodeMap(value, child, column);
  }
}

Outcome Decoder::State::DecodeValue(ondemand::value value, const DataType& type, ObjectPlan* child,
                                    Column* column) {
  std::string_view token = value.raw_json_token();
  if (token.empty()) {
    return Broken(simdjson::TAPE_ERROR);
  }
  if (token[0] == 'n') {
    return Trim(token) == "null" ? Outcome::kNull : Broken(simdjson::N_ATOM_ERROR);
  }
  if (child != nullptr) {
    return DecodeNested(value, type, child, column);
  }
  if (type.kind == TypeKind::kString) {
    return DecodeString(value, token, column);
  }
  return DecodeScalar(token, type, column);
}

// Appends exactly one value to *column, unless the record is bad.
Outcome Decoder::State::DecodeField(ondemand::value value, ObjectPlan* plan, size_t field,
                                    Column* column) {
  const DataType& type = plan->types[field];
  size_t before = type.kind == TypeKind::kRow ? column->size() : 0;
  Outcome outcome = DecodeValue(value, type, plan->children[field].get(), column);
  if (outcome == Outcome::kOk || outcome == Outcome::kBroken) {
    return outcome;
  }
  if (outcome == Outcome::kBad && !options_.ignore_parse_errors) {
    const std::string& name = plan->names[field];
    if (!name.empty()) {
      error_->column = error_->column.empty() ? name : name + "." + error_->column;
    }
    return outcome;
  }
  if (outcome == Outcome::kBad && plan->children[field] != nullptr) {
    column->Resize(type.kind == TypeKind::kRow ? before : column->offsets.size() - 1);
  }
  error_->column.clear();
  if (!type.nullable && !options_.ignore_parse_errors) {
    error_->column = plan->names[field];
    return Bad("is NULL in a NOT NULL column");
  }
  column->AppendNull();
  return Outcome::kOk;
}

int Decoder::State::FindField(ObjectPlan* plan, ondemand::field& field) {
  const char* key = field.key().raw();
  int found = plan->table->Predict(key);
  if (found != FieldTable::kNoGuess) {
    return found;
  }
  // The quote that ends the key: the parser has seen that there is one.
  const char* end = key;
  bool escaped = false;
  while (*end != '"') {
    escaped = escaped || *end == '\\';
    end += *end == '\\' ? 2 : 1;
  }
  std::string_view name(key, static_cast<size_t>(end - key));
  if (escaped) {
    scratch_ = name;
    std::optional<size_t> size = UnescapeInPlace(scratch_.data(), scratch_.size());
    name = std::string_view(scratch_).substr(0, size.value_or(0));
  }
  return plan->table->Find(name, !escaped);
}

Outcome Decoder::State::DecodeObject(ondemand::object object, ObjectPlan* plan,
                                     std::vector<Column>* columns) {
  uint64_t number = ++plan->objects;
  size_t found = 0;
  plan->table->Start();
  for (auto entry : object) {
    ondemand::field field;
    if (simdjson::error_code code = std::move(entry).get(field)) {
      return Broken(code);
    }
    int index = FindField(plan, field);
    if (index < 0) {
      continue;
    }
    auto i = static_cast<size_t>(index);
    Column* column = &(*columns)[i];
    if (plan->seen[i] == number) {
      column->Resize(column->size() - 1);  // a duplicate: the last one counts
    } else {
      plan->seen[i] = number;
      ++found;
    }
    Outcome outcome = DecodeField(field.value(), plan, i, column);
    if (outcome != Outcome::kOk) {
      return outcome;
    }
  }
  return found == plan->names.size() ? Outcome::kOk : FillMissing(plan, columns);
}

Outcome Decoder::State::FillMissing(ObjectPlan* plan, std::vector<Column>* columns) {
  for (size_t i = 0; i < plan->names.size(); ++i) {
    if (plan->seen[i] == plan->objects) {
      continue;
    }
    if (options_.fail_on_missing_field ||
        (!plan->types[i].nullable && !options_.ignore_parse_errors)) {
      error_->column = plan->names[i];
      return Bad("is missing");
    }
    (*columns)[i].AppendNull();
  }
  return Outcome::kOk;
}

bool Decoder::State::DecodeRoot(char* data, size_t size, std::vector<Column>* columns) {
  ondemand::document document;
  simdjson::padded_string_view view(data, size, size + kPadding);
  if (simdjson::error_code code = parser_.iterate(view).get(document)) {
    return Broken(code) == Outcome::kOk;
  }
  ondemand::object object;
  if (simdjson::error_code code = document.get_object().get(object)) {
    if (code == simdjson::INCORRECT_TYPE) {
      return Bad("not a JSON object") == Outcome::kOk;
    }
    return Broken(code) == Outcome::kOk;
  }
  if (DecodeObject(object, plan_.get(), columns) != Outcome::kOk) {
    return false;
  }
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
    return Bad("more text follows the JSON object") == Outcome::kOk;
  }
  return true;
}

bool Decoder::State::Decode(char* data, size_t size, std::vector<Column>* columns,
                            DecodeError* error) {
  size_t rows = columns->empty() ? 0 : columns->front().size();
  error_ = error;
  error->column.clear();
  error->what.clear();
  if (DecodeRoot(data, size, columns)) {
    return true;
  }
  for (Column& column : *columns) {
    column.Resize(rows);
  }
  return false;
}

base::Status Decoder::CheckTypes(const types::Schema& schema) {
  return CheckJsonTypes(schema);
}

Decoder::Decoder(const types::Schema& schema, const std::vector<int>& columns,
                 const JsonOptions& options)
    : state_(std::make_unique<State>(schema, columns, options)) {
}

Decoder::~Decoder() = default;

std::vector<Column> Decoder::MakeColumns(size_t rows) const {
  std::vector<Column> columns;
  columns.reserve(state_->types.size());
  for (const DataType& type : state_->types) {
    ReserveAll(&columns.emplace_back(type), rows);
  }
  return columns;
}

bool Decoder::Decode(char* data, size_t size, std::vector<Column>* columns, DecodeError* error) {
  return state_->Decode(data, size, columns, error);
}

bool Decoder::keeps_no_views() const {
  return state_->no_views;
}

}  // namespace sj::worker::connect::json
