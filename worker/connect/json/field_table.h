// SPDX-License-Identifier: Apache-2.0
// FieldTable: from a field name in a document to the index of the wanted field. Producers write
// their fields in one order, so the field that followed last time is tried first; then a small
// hash of length and characters. Owned by one task thread.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace sj::worker::connect::json {

class FieldTable {
 public:
  static constexpr size_t kPredictBytesMax = 64;

  explicit FieldTable(const std::vector<std::string>& names) : names_(names) {
    following_.assign(names.size() + 1, -1);
    slots_.fill(-1);
    chain_.assign(names.size(), -1);
    for (size_t i = 0; i < names.size(); ++i) {
      size_t slot = Hash(names[i]);
      chain_[i] = slots_[slot];
      slots_[slot] = static_cast<int>(i);
    }
  }

  // Call before the first field of an object.
  void Start() { last_ = names_.size(); }

  // The wanted field whose name starts at `key` and is followed by a quote, if it is the one that
  // followed last time; else -1. REQUIRES: kPredictBytesMax readable bytes at key.
  int Predict(const char* key) {
    int guess = following_[last_];
    if (guess < 0) {
      return -1;
    }
    const std::string& name = names_[static_cast<size_t>(guess)];
    if (name.size() >= kPredictBytesMax || std::memcmp(key, name.data(), name.size()) != 0 ||
        key[name.size()] != '"') {
      return -1;
    }
    last_ = static_cast<size_t>(guess);
    return guess;
  }

  int Find(std::string_view name) {
    for (int i = slots_[Hash(name)]; i >= 0; i = chain_[static_cast<size_t>(i)]) {
      if (names_[static_cast<size_t>(i)] == name) {
        following_[last_] = i;
        last_ = static_cast<size_t>(i);
        return i;
      }
    }
    return -1;
  }

 private:
  static constexpr size_t kSlots = 128;  // a power of two
  static size_t Hash(std::string_view name) {
    if (name.empty()) {
      return 0;
    }
    auto at = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(name[i])); };
    return (name.size() * 7 + at(0) * 31 + at(name.size() - 1) * 17 + at(name.size() / 2) * 3) &
           (kSlots - 1);
  }

  std::vector<std::string> names_;
  std::vector<int> following_;  // by the field before; the last entry: the first of an object
  std::array<int, kSlots> slots_{};
  std::vector<int> chain_;
  size_t last_ = 0;
};

}  // namespace sj::worker::connect::json
