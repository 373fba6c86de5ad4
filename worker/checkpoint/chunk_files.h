// SPDX-License-Identifier: Apache-2.0
// ChunkFiles: local copies of chunks, fetched from the object store when missing and verified
// against their checksums. A cache in a scratch directory. Thread-compatible.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/base/status.h"
#include "worker/checkpoint/footer.h"
#include "worker/store/object_store.h"

namespace sj::worker::checkpoint {

class ChunkFiles {
 public:
  // `store` is not owned. The directory exists and is ours.
  ChunkFiles(std::string directory, store::ObjectStore* store)
      : directory_(std::move(directory)), store_(store) {}

  std::string NewFile();  // a path never given out before
  // The local copy of a chunk. kCorrupt when the object is missing or its bytes are not those that
  // were written.
  base::Result<std::string> Get(const ChunkRef& chunk);
  // Fetches what is missing of `chunks`, few large reads instead of many small ones. `go_on` is
  // asked before each; false ends it.
  base::Status Prefetch(
      const std::vector<ChunkRef>& chunks,
      const std::function<bool()>& go_on = [] { return true; });
  // Takes over all copies of `other`.
  void AdoptAll(ChunkFiles* other);
  // Takes over a file as the local copy.
  void Adopt(const ChunkRef& chunk, const std::string& file);
  // Removes the copies of other chunks, and the largest ones until bytes_max is kept.
  void Keep(const std::vector<const ChunkRef*>& chunks, uint64_t bytes_max);

  uint64_t fetched_bytes() const { return fetched_bytes_; }

 private:
  using Place = std::pair<std::string, uint64_t>;  // object, offset
  struct Copy {
    std::string file;
    uint64_t bytes = 0;
  };
  struct Span {
    std::string object;
    uint64_t begin = 0;
    uint64_t end = 0;
    std::vector<const ChunkRef*> chunks;
  };

  std::vector<Span> PlanSpans(const std::vector<ChunkRef>& chunks) const;
  base::Status FetchSpan(const Span& span);
  base::Status FetchOne(const ChunkRef& chunk, const std::string& file);

  const std::string directory_;
  store::ObjectStore* const store_;
  std::map<Place, Copy> copies_;
  uint64_t next_file_ = 0;
  uint64_t fetched_bytes_ = 0;
};

// XXH3-64, hex.
std::string ChecksumOf(std::string_view bytes);

}  // namespace sj::worker::checkpoint
