// SPDX-License-Identifier: Apache-2.0
// Arena, Column and Batch. The switch over Physical appears once per whole-column operation, so
// per-row work stays free of dispatch.
#include "worker/types/column.h"

#include <algorithm>

#include "api/base/check.h"

namespace sj::worker::types {
namespace {

template <typename T>
void GatherInto(const std::vector<T>& from, const std::vector<uint32_t>& selection,
                std::vector<T>* to) {
  to->resize(selection.size());
  T* out = to->data();
  const T* in = from.data();
  for (size_t i = 0; i < selection.size(); ++i) {
    out[i] = in[selection[i]];
  }
}

}  // namespace

char* Arena::Allocate(size_t n) {
  bytes_ += n;
  if (n <= left_) {
    char* at = next_;
    next_ += n;
    left_ -= n;
    return at;
  }
  // Small batches get small chunks: each is as large as all before it, up to chunk_bytes_.
  size_t size = std::max(n, std::min(chunk_bytes_, std::max(bytes_, size_t{2048})));
  chunks_.emplace_back(new char[size]);
  char* at = chunks_.back().get();
  if (size - n > left_) {
    next_ = at + n;
    left_ = size - n;
  }
  return at;
}

StringRef Arena::Copy(std::string_view text) {
  if (text.empty()) {
    return {"", 0};
  }
  char* at = Allocate(text.size());
  std::memcpy(at, text.data(), text.size());
  return {at, static_cast<uint32_t>(text.size())};
}

Column::Column(DataType type) : type_(std::move(type)), physical_(type_.physical()) {
  if (physical_ != Physical::kNested) {
    return;
  }
  for (const DataType& child : type_.children) {
    children.emplace_back(child);
  }
  if (type_.kind != TypeKind::kRow) {
    offsets.push_back(0);
  }
}

size_t Column::size() const {
  switch (physical_) {
    case Physical::kBool:
      return bools.size();
    case Physical::kInt64:
      return ints.size();
    case Physical::kInt128:
      return wides.size();
    case Physical::kDouble:
      return doubles.size();
    case Physical::kString:
      return strings.size();
    case Physical::kNested:
      break;
  }
  if (type_.kind == TypeKind::kRow) {
    return children.empty() ? 0 : children[0].size();
  }
  return offsets.empty() ? 0 : offsets.size() - 1;
}

void Column::Reserve(size_t rows) {
  switch (physical_) {
    case Physical::kBool:
      bools.reserve(rows);
      break;
    case Physical::kInt64:
      ints.reserve(rows);
      break;
    case Physical::kInt128:
      wides.reserve(rows);
      break;
    case Physical::kDouble:
      doubles.reserve(rows);
      break;
    case Physical::kString:
      strings.reserve(rows);
      break;
    case Physical::kNested:
      offsets.reserve(type_.kind == TypeKind::kRow ? 0 : rows + 1);
      break;
  }
}

void Column::Resize(size_t rows) {
  switch (physical_) {
    case Physical::kBool:
      bools.resize(rows);
      break;
    case Physical::kInt64:
      ints.resize(rows);
      break;
    case Physical::kInt128:
      wides.resize(rows);
      break;
    case Physical::kDouble:
      doubles.resize(rows);
      break;
    case Physical::kString:
      strings.resize(rows);
      break;
    case Physical::kNested:
      if (type_.kind == TypeKind::kRow) {
        for (Column& child : children) {
          child.Resize(rows);
        }
      } else {
        uint32_t last = offsets.empty() ? 0 : offsets[std::min(rows, offsets.size() - 1)];
        offsets.resize(rows + 1, last);
        for (Column& child : children) {
          child.Resize(last);
        }
      }
      break;
  }
  if (!valid.empty()) {
    valid.resize(rows, 1);
  }
}

void Column::SetNull(size_t row) {
  if (valid.empty()) {
    valid.assign(size(), 1);
  }
  valid[row] = 0;
  switch (physical_) {
    case Physical::kBool:
      bools[row] = 0;
      break;
    case Physical::kInt64:
      ints[row] = 0;
      break;
    case Physical::kInt128:
      wides[row] = 0;
      break;
    case Physical::kDouble:
      doubles[row] = 0;
      break;
    case Physical::kString:
      strings[row] = {};
      break;
    case Physical::kNested:
      break;  // what the children hold below a NULL row is not looked at
  }
}

void Column::AppendNull() {
  size_t rows = size();
  if (valid.empty()) {
    valid.assign(rows, 1);
  }
  switch (physical_) {
    case Physical::kBool:
      bools.push_back(0);
      break;
    case Physical::kInt64:
      ints.push_back(0);
      break;
    case Physical::kInt128:
      wides.push_back(0);
      break;
    case Physical::kDouble:
      doubles.push_back(0);
      break;
    case Physical::kString:
      strings.push_back({});
      break;
    case Physical::kNested:
      if (type_.kind != TypeKind::kRow) {
        offsets.push_back(offsets.back());
        break;
      }
      for (Column& child : children) {
        child.AppendNull();
      }
      break;
  }
  valid.push_back(0);
}

void Column::AppendString(std::string_view v) {
  AppendStringRef(arena().Copy(v));
}

void Column::AppendFrom(const Column& other, size_t row) {
  if (other.IsNull(row)) {
    AppendNull();
    return;
  }
  switch (physical_) {
    case Physical::kBool:
      bools.push_back(other.bools[row]);
      break;
    case Physical::kInt64:
      ints.push_back(other.ints[row]);
      break;
    case Physical::kInt128:
      wides.push_back(other.wides[row]);
      break;
    case Physical::kDouble:
      doubles.push_back(other.doubles[row]);
      break;
    case Physical::kString:
      strings.push_back(arena().Copy(other.strings[row].view()));
      break;
    case Physical::kNested: {
      bool is_row = type_.kind == TypeKind::kRow;
      size_t begin = is_row ? row : other.offsets[row];
      size_t end = is_row ? row + 1 : other.offsets[row + 1];
      for (size_t c = 0; c < children.size(); ++c) {
        for (size_t i = begin; i < end; ++i) {
          children[c].AppendFrom(other.children[c], i);
        }
      }
      if (!is_row) {
        offsets.push_back(offsets.back() + static_cast<uint32_t>(end - begin));
      }
      break;
    }
  }
  AppendValid();
}

Column Column::Gather(const std::vector<uint32_t>& selection) const {
  Column out(type_);
  out.owners_ = owners_;
  if (!valid.empty()) {
    GatherInto(valid, selection, &out.valid);
  }
  switch (physical_) {
    case Physical::kBool:
      GatherInto(bools, selection, &out.bools);
      break;
    case Physical::kInt64:
      GatherInto(ints, selection, &out.ints);
      break;
    case Physical::kInt128:
      GatherInto(wides, selection, &out.wides);
      break;
    case Physical::kDouble:
      GatherInto(doubles, selection, &out.doubles);
      break;
    case Physical::kString:
      GatherInto(strings, selection, &out.strings);
      break;
    case Physical::kNested: {
      std::vector<uint32_t> elements = selection;
      if (type_.kind != TypeKind::kRow) {
        elements.clear();
        for (uint32_t row : selection) {
          for (uint32_t i = offsets[row]; i < offsets[row + 1]; ++i) {
            elements.push_back(i);
          }
          out.offsets.push_back(static_cast<uint32_t>(elements.size()));
        }
      }
      for (size_t c = 0; c < children.size(); ++c) {
        out.children[c] = children[c].Gather(elements);
      }
      break;
    }
  }
  return out;
}

void Column::KeepAlive(std::shared_ptr<const void> owner) {
  if (owner != nullptr && std::find(owners_.begin(), owners_.end(), owner) == owners_.end()) {
    owners_.push_back(std::move(owner));
  }
}

void Column::ShareOwners(const Column& other) {
  for (const std::shared_ptr<const void>& owner : other.owners_) {
    KeepAlive(owner);
  }
}

Arena& Column::arena() {
  if (own_.arena == nullptr) {
    // Shared by this column and the columns gathered from it.
    auto made = std::make_shared<Arena>();
    own_.arena = made.get();
    owners_.push_back(std::move(made));
  }
  return *own_.arena;
}

std::string_view ToString(RowKind kind) {
  switch (kind) {
    case RowKind::kInsert:
      return "+I";
    case RowKind::kUpdateBefore:
      return "-U";
    case RowKind::kUpdateAfter:
      return "+U";
    case RowKind::kDelete:
      return "-D";
  }
  return "?";
}

Batch Batch::Gather(const std::vector<uint32_t>& selection) const {
  Batch out;
  out.rows = selection.size();
  out.columns.reserve(columns.size());
  for (const Column& column : columns) {
    out.columns.push_back(column.Gather(selection));
  }
  if (!kinds.empty()) {
    GatherInto(kinds, selection, &out.kinds);
  }
  return out;
}

Batch Batch::ForSchema(const Schema& schema) {
  Batch out;
  out.columns.reserve(schema.fields.size());
  for (const Field& field : schema.fields) {
    out.columns.emplace_back(field.type);
  }
  return out;
}

}  // namespace sj::worker::types
