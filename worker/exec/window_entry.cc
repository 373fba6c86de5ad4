// SPDX-License-Identifier: Apache-2.0
// An entry in memory: one struct below per call, in order, each at a multiple of 16 bytes.
// Stored, per call, little-endian:
//   COUNT: i64 | integer SUM, AVG: i64 sum, i64 count | decimal: i128 sum, i64 count, u8 overflowed
//   | floating: f64 sum, i64 count | MIN, MAX: u8 present, then i64, i128, f64 or u32 length, bytes
#include "worker/exec/window_entry.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "api/base/check.h"
#include "worker/exec/value_order.h"
#include "worker/types/decimal_math.h"

namespace sj::worker::exec {
namespace {

using plan::AggregateFunction;
using types::Column;
using types::DataType;
using types::Int128;
using types::Physical;
using types::TypeKind;

struct IntSum {
  int64_t sum, count;
};
struct WideSum {
  Int128 sum;
  int64_t count;
  uint8_t overflowed;
};
struct DoubleSum {
  double sum;
  int64_t count;
};
template <typename T>
struct Extreme {
  T value;
  uint8_t present;
};
struct ExtremeText {
  char* data;  // malloc; null when absent or empty
  uint32_t size;
  uint32_t capacity;
  uint8_t present;
};
constexpr size_t kSlotAlign = 16;

template <typename T>
T* At(std::byte* entry, size_t at) {
  return reinterpret_cast<T*>(entry + at);
}
template <typename T>
const T* At(const std::byte* entry, size_t at) {
  return reinterpret_cast<const T*>(entry + at);
}

template <typename T>
void Put(T v, std::string* out) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &v, sizeof(T));
  out->append(bytes, sizeof(T));
}

template <typename T>
bool Get(std::string_view* in, T* v) {
  if (in->size() < sizeof(T)) {
    return false;
  }
  std::memcpy(v, in->data(), sizeof(T));
  in->remove_prefix(sizeof(T));
  return true;
}

void SetText(ExtremeText* text, std::string_view v) {
  if (v.size() > text->capacity) {
    auto* grown = static_cast<char*>(std::realloc(text->data, v.size()));
    SJ_CHECK(grown != nullptr);  // as operator new would: out of memory ends the process
    text->data = grown;
    text->capacity = static_cast<uint32_t>(v.size());
  }
  if (!v.empty()) {
    std::memcpy(text->data, v.data(), v.size());
  }
  text->size = static_cast<uint32_t>(v.size());
  text->present = 1;
}

template <typename T>
void Improve(bool greatest, T v, Extreme<T>* best) {
  if (best->present == 0 || (greatest ? ValueLess(best->value, v) : ValueLess(v, best->value))) {
    best->value = v;
    best->present = 1;
  }
}

template <typename T>
void PutExtreme(const Extreme<T>& v, std::string* out) {
  Put(v.present, out);
  Put(v.value, out);
}

template <typename T>
bool GetExtreme(std::string_view* in, Extreme<T>* v) {
  return Get(in, &v->present) && v->present <= 1 && Get(in, &v->value);
}

bool GetText(std::string_view* in, ExtremeText* text) {
  uint8_t present = 0;
  uint32_t size = 0;
  if (!Get(in, &present) || present > 1 || !Get(in, &size) || size > in->size()) {
    return false;
  }
  if (present == 1) {
    SetText(text, in->substr(0, size));
  }
  in->remove_prefix(size);
  return true;
}

int64_t WrapAt(TypeKind kind, int64_t v) {
  switch (kind) {
    case TypeKind::kTinyint:
      return static_cast<int8_t>(v);
    case TypeKind::kSmallint:
      return static_cast<int16_t>(v);
    case TypeKind::kInt:
      return static_cast<int32_t>(v);
    default:
      return v;
  }
}

void AppendDecimal(std::optional<Int128> v, Column* out) {
  if (!v) {
    out->AppendNull();
  } else if (out->physical() == Physical::kInt128) {
    out->AppendInt128(*v);
  } else {
    out->AppendInt64(static_cast<int64_t>(*v));
  }
}

void AppendDouble(double v, Column* out) {
  out->AppendDouble(
      out->type().kind == TypeKind::kFloat ? static_cast<double>(static_cast<float>(v)) : v);
}

}  // namespace

base::Result<WindowEntry::Slot> WindowEntry::SlotOf(const plan::AggregateCall& call) {
  Slot slot;
  slot.call = call;
  if (call.function == AggregateFunction::kCount) {
    return slot;
  }
  bool extreme =
      call.function == AggregateFunction::kMin || call.function == AggregateFunction::kMax;
  slot.greatest = call.function == AggregateFunction::kMax;
  DataType held = plan::PartialTypes(call)[0];
  slot.scale = held.scale;
  switch (held.physical()) {
    case Physical::kBool:
    case Physical::kInt64:
      slot.kind = extreme ? Kind::kExtremeInt
                          : (held.kind == TypeKind::kDecimal ? Kind::kSumWide : Kind::kSumInt);
      return slot;
    case Physical::kInt128:
      slot.kind = extreme ? Kind::kExtremeWide : Kind::kSumWide;
      return slot;
    case Physical::kDouble:
      slot.kind = extreme ? Kind::kExtremeDouble : Kind::kSumDouble;
      return slot;
    case Physical::kString:
      slot.kind = Kind::kExtremeText;
      break;
    case Physical::kNested:
      break;
  }
  if (slot.kind != Kind::kExtremeText || !extreme) {
    return base::InvalidArgument(
        fmt::format("make aggregate: no such aggregate of {}", held.ToString()));
  }
  return slot;
}

base::Result<std::unique_ptr<WindowEntry>> WindowEntry::Make(
    const std::vector<plan::AggregateCall>& calls, size_t first_partial) {
  static constexpr size_t kSizes[] = {sizeof(int64_t),          sizeof(IntSum),
                                      sizeof(WideSum),          sizeof(DoubleSum),
                                      sizeof(Extreme<int64_t>), sizeof(Extreme<Int128>),
                                      sizeof(Extreme<double>),  sizeof(ExtremeText)};
  auto made = std::make_unique<WindowEntry>();
  for (const plan::AggregateCall& call : calls) {
    SJ_ASSIGN_OR_RETURN(Slot slot, SlotOf(call));
    slot.partial = first_partial;
    first_partial += plan::PartialTypes(call).size();
    slot.at = made->bytes_;
    size_t size = kSizes[static_cast<size_t>(slot.kind)];
    made->bytes_ += (size + kSlotAlign - 1) / kSlotAlign * kSlotAlign;
    made->slots_.push_back(std::move(slot));
  }
  if (made->bytes_ == 0) {
    made->bytes_ = kSlotAlign;  // only windows are asked for; an entry still has a place
  }
  return made;
}

void WindowEntry::Encode(const std::byte* entry, std::string* out) const {
  for (const Slot& slot : slots_) {
    switch (slot.kind) {
      case Kind::kCount:
        Put(*At<int64_t>(entry, slot.at), out);
        break;
      case Kind::kSumInt:
        Put(*At<IntSum>(entry, slot.at), out);
        break;
      case Kind::kSumWide:
        Put(At<WideSum>(entry, slot.at)->sum, out);
        Put(At<WideSum>(entry, slot.at)->count, out);
        Put(At<WideSum>(entry, slot.at)->overflowed, out);
        break;
      case Kind::kSumDouble:
        Put(*At<DoubleSum>(entry, slot.at), out);
        break;
      case Kind::kExtremeInt:
        PutExtreme(*At<Extreme<int64_t>>(entry, slot.at), out);
        break;
      case Kind::kExtremeWide:
        PutExtreme(*At<Extreme<Int128>>(entry, slot.at), out);
        break;
      case Kind::kExtremeDouble:
        PutExtreme(*At<Extreme<double>>(entry, slot.at), out);
        break;
      case Kind::kExtremeText: {
        const auto* text = At<ExtremeText>(entry, slot.at);
        Put(text->present, out);
        Put(text->size, out);
        out->append(text->data == nullptr ? "" : text->data, text->size);
        break;
      }
    }
  }
}

bool WindowEntry::Decode(std::string_view value, std::byte* entry) const {
  bool good = true;
  for (const Slot& slot : slots_) {
    switch (slot.kind) {
      case Kind::kCount:
        good = good && Get(&value, At<int64_t>(entry, slot.at));
        break;
      case Kind::kSumInt:
        good = good && Get(&value, At<IntSum>(entry, slot.at));
        break;
      case Kind::kSumWide: {
        auto* sum = At<WideSum>(entry, slot.at);
        good = good && Get(&value, &sum->sum) && Get(&value, &sum->count) &&
               Get(&value, &sum->overflowed);
        break;
      }
      case Kind::kSumDouble:
        good = good && Get(&value, At<DoubleSum>(entry, slot.at));
        break;
      case Kind::kExtremeInt:
        good = good && GetExtreme(&value, At<Extreme<int64_t>>(entry, slot.at));
        break;
      case Kind::kExtremeWide:
        good = good && GetExtreme(&value, At<Extreme<Int128>>(entry, slot.at));
        break;
      case Kind::kExtremeDouble:
        good = good && GetExtreme(&value, At<Extreme<double>>(entry, slot.at));
        break;
      case Kind::kExtremeText:
        good = good && GetText(&value, At<ExtremeText>(entry, slot.at));
        break;
    }
  }
  return good && value.empty();
}

void WindowEntry::Destroy(std::byte* entry) const {
  for (const Slot& slot : slots_) {
    if (slot.kind == Kind::kExtremeText) {
      std::free(At<ExtremeText>(entry, slot.at)->data);
      *At<ExtremeText>(entry, slot.at) = {};
    }
  }
}

void WindowEntry::MergeExtreme(const Slot& slot, const Column& from, size_t row, std::byte* entry) {
  if (from.IsNull(row)) {
    return;
  }
  switch (slot.kind) {
    case Kind::kExtremeInt:
      Improve(slot.greatest,
              from.physical() == Physical::kBool ? int64_t{from.bools[row]} : from.ints[row],
              At<Extreme<int64_t>>(entry, slot.at));
      break;
    case Kind::kExtremeWide:
      Improve(slot.greatest, from.wides[row], At<Extreme<Int128>>(entry, slot.at));
      break;
    case Kind::kExtremeDouble:
      Improve(slot.greatest, from.doubles[row], At<Extreme<double>>(entry, slot.at));
      break;
    default: {
      auto* best = At<ExtremeText>(entry, slot.at);
      std::string_view v = from.strings[row].view();
      std::string_view held(best->data, best->size);
      if (best->present == 0 || (slot.greatest ? held < v : v < held)) {
        SetText(best, v);
      }
    }
  }
}

void WindowEntry::Merge(const types::Batch& partials, size_t row, std::byte* entry) const {
  for (const Slot& slot : slots_) {
    const Column& first = partials.columns[slot.partial];
    if (slot.kind == Kind::kCount) {
      *At<int64_t>(entry, slot.at) += first.ints[row];
      continue;
    }
    if (slot.kind >= Kind::kExtremeInt) {
      MergeExtreme(slot, first, row, entry);
      continue;
    }
    int64_t count = partials.columns[slot.partial + 1].ints[row];
    if (slot.kind == Kind::kSumInt) {
      auto* sum = At<IntSum>(entry, slot.at);
      sum->sum = static_cast<int64_t>(static_cast<uint64_t>(sum->sum) +
                                      static_cast<uint64_t>(first.ints[row]));
      sum->count += count;
    } else if (slot.kind == Kind::kSumDouble) {
      At<DoubleSum>(entry, slot.at)->sum += first.doubles[row];
      At<DoubleSum>(entry, slot.at)->count += count;
    } else {
      auto* sum = At<WideSum>(entry, slot.at);
      bool wide = first.physical() == Physical::kInt128;
      Int128 by = wide ? first.wides[row] : Int128{first.ints[row]};
      bool lost =
          (first.IsNull(row) && count > 0) || __builtin_add_overflow(sum->sum, by, &sum->sum);
      sum->overflowed |= lost ? 1 : 0;
      sum->count += count;
    }
  }
}

void WindowEntry::AppendExtreme(const Slot& slot, const std::byte* entry, Column* out) {
  switch (slot.kind) {
    case Kind::kExtremeInt: {
      const auto* v = At<Extreme<int64_t>>(entry, slot.at);
      if (v->present == 0) {
        out->AppendNull();
      } else if (out->physical() == Physical::kBool) {
        out->AppendBool(v->value != 0);
      } else {
        out->AppendInt64(v->value);
      }
      break;
    }
    case Kind::kExtremeWide: {
      const auto* v = At<Extreme<Int128>>(entry, slot.at);
      AppendDecimal(v->present != 0 ? std::optional<Int128>(v->value) : std::nullopt, out);
      break;
    }
    case Kind::kExtremeDouble: {
      const auto* v = At<Extreme<double>>(entry, slot.at);
      if (v->present != 0) {
        AppendDouble(v->value, out);
      } else {
        out->AppendNull();
      }
      break;
    }
    default: {
      const auto* v = At<ExtremeText>(entry, slot.at);
      if (v->present != 0) {
        out->AppendString({v->data, v->size});
      } else {
        out->AppendNull();
      }
    }
  }
}

void WindowEntry::AppendSum(const Slot& slot, const std::byte* entry, Column* out) {
  if (slot.kind == Kind::kSumInt) {
    const auto* sum = At<IntSum>(entry, slot.at);
    return sum->count == 0 ? out->AppendNull()
                           : out->AppendInt64(WrapAt(out->type().kind, sum->sum));
  }
  if (slot.kind == Kind::kSumDouble) {
    const auto* sum = At<DoubleSum>(entry, slot.at);
    return sum->count == 0 ? out->AppendNull() : AppendDouble(sum->sum, out);
  }
  const auto* sum = At<WideSum>(entry, slot.at);
  std::optional<Int128> v;
  if (sum->count > 0 && sum->overflowed == 0) {
    v = types::Rescale(sum->sum, slot.scale, out->type().scale, out->type().precision);
  }
  AppendDecimal(v, out);
}

void WindowEntry::AppendAverage(const Slot& slot, const std::byte* entry, Column* out) {
  if (slot.kind == Kind::kSumInt) {
    const auto* sum = At<IntSum>(entry, slot.at);
    return sum->count == 0 ? out->AppendNull() : out->AppendInt64(sum->sum / sum->count);
  }
  if (slot.kind == Kind::kSumDouble) {
    const auto* sum = At<DoubleSum>(entry, slot.at);
    return sum->count == 0 ? out->AppendNull()
                           : AppendDouble(sum->sum / static_cast<double>(sum->count), out);
  }
  const auto* sum = At<WideSum>(entry, slot.at);
  std::optional<Int128> v;
  if (sum->count > 0 && sum->overflowed == 0 &&
      types::FitsPrecision(sum->sum, types::kDecimalPrecisionMax)) {
    v = types::DecimalDivide({sum->sum, slot.scale}, {sum->count, 0},
                             {out->type().precision, out->type().scale});
  }
  AppendDecimal(v, out);
}

void WindowEntry::AppendResult(size_t i, const std::byte* entry, Column* out) const {
  const Slot& slot = slots_[i];
  switch (slot.call.function) {
    case AggregateFunction::kCount:
      out->AppendInt64(*At<int64_t>(entry, slot.at));
      break;
    case AggregateFunction::kSum:
      AppendSum(slot, entry, out);
      break;
    case AggregateFunction::kAvg:
      AppendAverage(slot, entry, out);
      break;
    case AggregateFunction::kMin:
    case AggregateFunction::kMax:
      AppendExtreme(slot, entry, out);
      break;
  }
}

}  // namespace sj::worker::exec
