// SPDX-License-Identifier: Apache-2.0
// The placement rule both programs share: which contiguous part of `count` units (partitions of one
// topic, or shards) belongs to an ordinal. Pure, and fixed for ever: offsets and state were written
// by it.
#pragma once

namespace sj::control {

struct Range {
  int begin = 0;
  int end = 0;  // exclusive
  int size() const { return end - begin; }
  bool contains(int i) const { return i >= begin && i < end; }
  bool operator==(const Range&) const = default;
};

// The ranges of ordinals 0..replicas-1 are disjoint, in order, cover [0, count) and differ in size
// by at most one. REQUIRES: count >= 0, replicas >= 1, 0 <= ordinal < replicas.
Range AssignRange(int count, int replicas, int ordinal);

// The ordinal whose range contains `unit`. REQUIRES: 0 <= unit < count, replicas >= 1.
int OwnerOf(int count, int replicas, int unit);

}  // namespace sj::control
