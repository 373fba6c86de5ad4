// SPDX-License-Identifier: Apache-2.0
// Partial accumulators. Integer sums wrap; a DECIMAL sum beyond 128 bits is NULL with a count,
// which the global half takes as overflowed for good.
#include "worker/exec/partials.h"

#include <fmt/format.h>

#include <cmath>

#include "worker/exec/value_order.h"

namespace sj::worker::exec {
namespace {

using plan::AggregateCall;
using plan::AggregateFunction;
using types::Column;
using types::DataType;
using types::Int128;
using types::Physical;
using types::TypeKind;

class CountPartial final : public PartialAccumulator {
 public:
  explicit CountPartial(const AggregateCall& call)
      : PartialAccumulator(call), count_(DataType::Of(TypeKind::kBigint)) {}
  void Grow(size_t groups) override { count_.ints.resize(groups); }
  void Take(std::vector<Column>* out) override {
    out->push_back(std::exchange(count_, Column(DataType::Of(TypeKind::kBigint))));
  }

 protected:
  void Add(const Column*, const RowGroups& rows) override {
    for (uint32_t group : rows.groups) {
      ++count_.ints[group];
    }
  }

 private:
  Column count_;
};

// SUM and AVG: the sum and how many values are in it.
class SumPartial final : public PartialAccumulator {
 public:
  SumPartial(const AggregateCall& call, DataType sum_type)
      : PartialAccumulator(call), sum_(sum_type), count_(DataType::Of(TypeKind::kBigint)) {}

  void Grow(size_t groups) override {
    sum_.Resize(groups);
    count_.ints.resize(groups);
  }
  void Take(std::vector<Column>* out) override {
    out->push_back(std::exchange(sum_, Column(sum_.type())));
    out->push_back(std::exchange(count_, Column(DataType::Of(TypeKind::kBigint))));
  }

 protected:
  void Add(const Column* argument, const RowGroups& rows) override {
    for (uint32_t group : rows.groups) {
      ++count_.ints[group];
    }
    switch (sum_.physical()) {
      case Physical::kDouble:
        AddDoubles(*argument, rows);
        break;
      case Physical::kInt128:
        if (argument->physical() == Physical::kInt128) {
          AddWide(argument->wides, rows);
        } else {
          AddWide(argument->ints, rows);
        }
        break;
      default:
        AddInts(argument->ints, rows);
    }
  }

 private:
  void AddInts(const std::vector<int64_t>& values, const RowGroups& rows) {
    for (size_t i = 0; i < rows.groups.size(); ++i) {
      int64_t& sum = sum_.ints[rows.groups[i]];
      sum = static_cast<int64_t>(static_cast<uint64_t>(sum) +
                                 static_cast<uint64_t>(values[rows.RowAt(i)]));
    }
  }
  void AddDoubles(const Column& argument, const RowGroups& rows) {
    for (size_t i = 0; i < rows.groups.size(); ++i) {
      size_t row = rows.RowAt(i);
      sum_.doubles[rows.groups[i]] += argument.physical() == Physical::kDouble
                                          ? argument.doubles[row]
                                          : static_cast<double>(argument.ints[row]);
    }
  }
  template <typename T>
  void AddWide(const std::vector<T>& values, const RowGroups& rows) {
    for (size_t i = 0; i < rows.groups.size(); ++i) {
      uint32_t group = rows.groups[i];
      Int128& sum = sum_.wides[group];
      if (sum_.IsNull(group)) {
        continue;  // overflowed
      }
      if (__builtin_add_overflow(sum, static_cast<Int128>(values[rows.RowAt(i)]), &sum)) {
        sum_.SetNull(group);
      }
    }
  }

  Column sum_;
  Column count_;
};

template <typename T, std::vector<T> Column::*kValues>
class ExtremePartial final : public PartialAccumulator {
 public:
  ExtremePartial(const AggregateCall& call, DataType type)
      : PartialAccumulator(call),
        value_(type),
        greatest_(call.function == AggregateFunction::kMax) {}

  void Grow(size_t groups) override {
    (value_.*kValues).resize(groups);
    value_.valid.resize(groups, 0);
  }
  void Take(std::vector<Column>* out) override {
    text_bytes_ = 0;
    out->push_back(std::exchange(value_, Column(value_.type())));
  }
  size_t text_bytes() const override { return text_bytes_; }

 protected:
  void Add(const Column* argument, const RowGroups& rows) override {
    const std::vector<T>& values = argument->*kValues;
    for (size_t i = 0; i < rows.groups.size(); ++i) {
      uint32_t group = rows.groups[i];
      const T& v = values[rows.RowAt(i)];
      T& best = (value_.*kValues)[group];
      bool better =
          value_.valid[group] == 0 || (greatest_ ? ValueLess(best, v) : ValueLess(v, best));
      if (better) {
        value_.valid[group] = 1;
        Keep(v, &best);
      }
    }
  }

 private:
  void Keep(const T& v, T* best) {
    if constexpr (std::is_same_v<T, types::StringRef>) {
      *best = value_.arena().Copy(v.view());
      text_bytes_ = value_.arena().bytes();
    } else {
      *best = v;
    }
  }

  Column value_;
  bool greatest_;
  size_t text_bytes_ = 0;
};

base::Status NoSuchAggregate(const AggregateCall& call) {
  return base::InvalidArgument(
      fmt::format("make aggregate: no SUM, AVG, MIN or MAX of {}", call.argument_type.ToString()));
}

base::Result<std::unique_ptr<PartialAccumulator>> MakeExtreme(const AggregateCall& call,
                                                              const DataType& type) {
  using Made = std::unique_ptr<PartialAccumulator>;
  if (type.physical() != call.argument_type.physical()) {
    return NoSuchAggregate(call);
  }
  switch (type.physical()) {
    case Physical::kBool:
      return Made(std::make_unique<ExtremePartial<uint8_t, &Column::bools>>(call, type));
    case Physical::kInt64:
      return Made(std::make_unique<ExtremePartial<int64_t, &Column::ints>>(call, type));
    case Physical::kInt128:
      return Made(std::make_unique<ExtremePartial<Int128, &Column::wides>>(call, type));
    case Physical::kDouble:
      return Made(std::make_unique<ExtremePartial<double, &Column::doubles>>(call, type));
    case Physical::kString:
      return Made(std::make_unique<ExtremePartial<types::StringRef, &Column::strings>>(call, type));
    case Physical::kNested:
      break;
  }
  return NoSuchAggregate(call);
}

}  // namespace

base::Result<std::unique_ptr<PartialAccumulator>> PartialAccumulator::Make(
    const AggregateCall& call) {
  using Made = std::unique_ptr<PartialAccumulator>;
  std::vector<DataType> partials = plan::PartialTypes(call);
  switch (call.function) {
    case AggregateFunction::kCount:
      return Made(std::make_unique<CountPartial>(call));
    case AggregateFunction::kMin:
    case AggregateFunction::kMax:
      return MakeExtreme(call, partials[0]);
    case AggregateFunction::kSum:
    case AggregateFunction::kAvg:
      break;
  }
  Physical from = call.argument_type.physical();
  Physical sum = partials[0].physical();
  bool fits = call.argument_type.is_numeric() &&
              ((sum == Physical::kDouble && from != Physical::kInt128) ||
               sum == Physical::kInt128 || (sum == Physical::kInt64 && from == Physical::kInt64));
  if (!fits || (sum == Physical::kInt128 && from == Physical::kDouble)) {
    return NoSuchAggregate(call);
  }
  return Made(std::make_unique<SumPartial>(call, partials[0]));
}

void PartialAccumulator::Update(const types::Batch& batch, const RowGroups& all) {
  const Column* argument =
      call_.argument >= 0 ? &batch.columns[static_cast<size_t>(call_.argument)] : nullptr;
  const Column* filter =
      call_.filter >= 0 ? &batch.columns[static_cast<size_t>(call_.filter)] : nullptr;
  if (filter == nullptr && (argument == nullptr || argument->valid.empty())) {
    Add(argument, all);
    return;
  }
  counted_.rows.clear();
  counted_.groups.clear();
  for (size_t i = 0; i < all.groups.size(); ++i) {
    size_t row = all.RowAt(i);
    bool passes = filter == nullptr || filter->bools[row] != 0;  // a NULL's slot is zero
    if (passes && (argument == nullptr || !argument->IsNull(row))) {
      counted_.rows.push_back(static_cast<uint32_t>(row));
      counted_.groups.push_back(all.groups[i]);
    }
  }
  if (!counted_.groups.empty()) {
    Add(argument, counted_);
  }
}

}  // namespace sj::worker::exec
