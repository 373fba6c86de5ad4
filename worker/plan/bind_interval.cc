// SPDX-License-Identifier: Apache-2.0
// Interval literals: one unit ('10' SECOND, '1.5' SECOND) or a range of units ('1:30' MINUTE TO
// SECOND, '2-6' YEAR TO MONTH).
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

#include "worker/plan/bind_expression.h"
#include "worker/plan/expr_tree.h"
#include "worker/sql/error.h"

namespace sj::worker::plan {
namespace {

using types::TypeKind;

struct Unit {
  std::string_view name;
  bool months;       // counts months, else milliseconds
  int64_t scale;     // months or milliseconds
  int64_t part_max;  // as a later part of a range
  char before;       // separator in front of it in a range
};
constexpr std::array<Unit, 9> kUnits = {{{"YEAR", true, 12, 0, ' '},
                                         {"QUARTER", true, 3, 0, ' '},
                                         {"MONTH", true, 1, 11, '-'},
                                         {"WEEK", false, 604'800'000, 0, ' '},
                                         {"DAY", false, 86'400'000, 0, ' '},
                                         {"HOUR", false, 3'600'000, 23, ' '},
                                         {"MINUTE", false, 60'000, 59, ':'},
                                         {"SECOND", false, 1'000, 59, ':'},
                                         {"MILLISECOND", false, 1, 0, ' '}}};

const Unit* FindUnit(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) {
      return &unit;
    }
  }
  return nullptr;
}

std::optional<int64_t> TakeDigits(std::string_view* text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end == text->data() || text->front() == '-') {
    return std::nullopt;
  }
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return value;
}

// The part of `unit` at the head of *text: digits, for seconds maybe a fraction.
std::optional<int64_t> TakePart(const Unit& unit, bool first, std::string_view* text) {
  std::optional<int64_t> count = TakeDigits(text);
  int64_t value = 0;
  if (!count.has_value() || (!first && *count > unit.part_max) ||
      __builtin_mul_overflow(*count, unit.scale, &value)) {
    return std::nullopt;
  }
  if (unit.name == "SECOND" && !text->empty() && text->front() == '.') {
    text->remove_prefix(1);
    int64_t place = 100;
    size_t digits = 0;
    for (; digits < text->size() && (*text)[digits] >= '0' && (*text)[digits] <= '9'; ++digits) {
      if (__builtin_add_overflow(value, ((*text)[digits] - '0') * place, &value)) {
        return std::nullopt;
      }
      place /= 10;
    }
    if (digits == 0) {
      return std::nullopt;
    }
    text->remove_prefix(digits);
  }
  return value;
}

std::optional<int64_t> ParseInterval(std::string_view text, const Unit& from, const Unit& to) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  const bool negative = !text.empty() && text.front() == '-';
  if (negative || (!text.empty() && text.front() == '+')) {
    text.remove_prefix(1);
  }
  int64_t total = 0;
  for (const Unit* unit = &from; unit <= &to; ++unit) {
    if (unit->name == "QUARTER" && &from != &to) {
      continue;
    }
    if (unit != &from) {
      if (text.empty() || text.front() != unit->before) {
        return std::nullopt;
      }
      text.remove_prefix(1);
    }
    std::optional<int64_t> part = TakePart(*unit, unit == &from, &text);
    if (!part.has_value() || __builtin_add_overflow(total, *part, &total)) {
      return std::nullopt;
    }
  }
  if (!text.empty()) {
    return std::nullopt;
  }
  return negative ? -total : total;
}

}  // namespace

base::Result<Expr> BindInterval(const sql::Expression& node) {
  const Unit* from = FindUnit(node.unit);
  const Unit* to = node.unit_to.empty() ? from : FindUnit(node.unit_to);
  const bool range = to != from;
  const bool single_only = node.unit == "QUARTER" || node.unit == "WEEK" ||
                           node.unit == "MILLISECOND" || node.unit_to == "QUARTER" ||
                           node.unit_to == "WEEK" || node.unit_to == "MILLISECOND";
  if (from == nullptr || to == nullptr || to < from || from->months != to->months ||
      (range && single_only)) {
    return sql::ErrorAt(
        node.pos, fmt::format("an interval cannot run from {} to {}", node.unit, node.unit_to));
  }
  std::optional<int64_t> value = ParseInterval(node.text, *from, *to);
  if (!value.has_value()) {
    return sql::ErrorAt(
        node.pos,
        fmt::format("cannot read {} as an interval of {}{}{}", sql::Quoted(node.text), node.unit,
                    range ? " TO " : "", range ? node.unit_to : ""),
        "Examples are INTERVAL '5' SECOND and INTERVAL '1:30' MINUTE TO SECOND.");
  }
  return Int64Literal(from->months ? TypeKind::kIntervalMonth : TypeKind::kIntervalDay,
                      node.negated ? -*value : *value);
}

}  // namespace sj::worker::plan
