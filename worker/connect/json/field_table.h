// SPDX-License-Identifier: Apache-2.0
// FieldTable: from a field name in a document to the index of the wanted field. Producers write
// their fields in one order, so the field that followed last time is tried first; then a small
// hash of length and characters. Unwanted names are learnt too, up to a bound, so that they are
// passed over as fast. Owned by one task thread.
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
  static constexpr size_t kLearntMax = 64;
  // Answers of Predict and Find besides an index.
  static constexpr int kUnwanted = -1;
  static constexpr int kNoGuess = -2;

  explicit FieldTable(const std::vector<std::string>& names)
      : names_(names), wanted_(names.size()), start_(names.size() + kLearntMax), last_(start_) {
    following_.assign(start_ + 1, -1);
    slots_.fill(-1);
    chain_.assign(names.size(), -1);
    for (size_t i = 0; i < names.size(); ++i) {
      size_t slot = Hash(names[i]);
      chain_[i] = slots_[slot];
      slots_[slot] = static_cast<int>(i);
      heads_.push_back(HeadOf(names[i]));
    }
  }

  // Call before the first field of an object.
  void Start() { last_ = start_; }

  // The field whose name starts at `key` and is followed by a quote, if it is the one that followed
  // last time: its index or kUnwanted; else kNoGuess. REQUIRES: kPredictBytesMax readable bytes at
  // key.
  int Predict(const char* key) {
    int guess = following_[last_];
    if (guess < 0) {
      return kNoGuess;
    }
    const Head& head = heads_[static_cast<size_t>(guess)];
    std::array<uint64_t, 2> text;
    std::memcpy(text.data(), key, sizeof text);
    if ((((text[0] ^ head.bytes[0]) & head.mask[0]) | ((text[1] ^ head.bytes[1]) & head.mask[1])) !=
        0) {
      return kNoGuess;
    }
    const std::string& name = names_[static_cast<size_t>(guess)];
    if (name.size() >= sizeof text && !TailMatches(key, name)) {
      return kNoGuess;
    }
    last_ = static_cast<size_t>(guess);
    return last_ < wanted_ ? guess : kUnwanted;
  }

  // `plain`: the name stands in the document without escapes, so Predict may find it again.
  int Find(std::string_view name, bool plain) {
    size_t slot = Hash(name);
    int found = slots_[slot];
    while (found >= 0 && names_[static_cast<size_t>(found)] != name) {
      found = chain_[static_cast<size_t>(found)];
    }
    bool learn = plain && name.size() < kPredictBytesMax && names_.size() < wanted_ + kLearntMax;
    if (found < 0 && !learn) {
      return kUnwanted;
    }
    if (found < 0) {
      found = static_cast<int>(names_.size());
      names_.emplace_back(name);
      heads_.push_back(HeadOf(name));
      chain_.push_back(slots_[slot]);
      slots_[slot] = found;
    }
    if (plain) {
      following_[last_] = found;
    }
    last_ = static_cast<size_t>(found);
    return last_ < wanted_ ? found : kUnwanted;
  }

 private:
  // The first 16 bytes of a name with its closing quote, and which of them count: most names are
  // compared by two words.
  struct Head {
    std::array<uint64_t, 2> bytes{};
    std::array<uint64_t, 2> mask{};
  };
  static Head HeadOf(std::string_view name) {
    std::array<char, sizeof(Head::bytes)> text{};
    std::array<char, sizeof(Head::mask)> mask{};
    for (size_t i = 0; i < text.size() && i <= name.size(); ++i) {
      text[i] = i < name.size() ? name[i] : '"';
      mask[i] = static_cast<char>(0xff);
    }
    Head head;
    std::memcpy(head.bytes.data(), text.data(), text.size());
    std::memcpy(head.mask.data(), mask.data(), mask.size());
    return head;
  }
  static bool TailMatches(const char* key, const std::string& name) {
    constexpr size_t kHead = sizeof(Head::bytes);
    return name.size() < kPredictBytesMax && key[name.size()] == '"' &&
           std::memcmp(key + kHead, name.data() + kHead, name.size() - kHead) == 0;
  }

  static constexpr size_t kSlots = 128;  // a power of two
  static size_t Hash(std::string_view name) {
    if (name.empty()) {
      return 0;
    }
    auto at = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(name[i])); };
    return (name.size() * 7 + at(0) * 31 + at(name.size() - 1) * 17 + at(name.size() / 2) * 3) &
           (kSlots - 1);
  }

  std::vector<std::string> names_;  // the wanted ones, then the learnt ones
  std::vector<Head> heads_;         // of the names
  const size_t wanted_;
  const size_t start_;          // stands for "before the first field" in following_
  std::vector<int> following_;  // by the field before
  std::array<int, kSlots> slots_{};
  std::vector<int> chain_;
  size_t last_;
};

}  // namespace sj::worker::connect::json
