// SPDX-License-Identifier: Apache-2.0
// EpochBuilder: makes the next chains and the object of one epoch out of the former chains and the
// epoch's changes. It works on copies; nothing is true before the object is stored. Used once, by
// the epoch thread.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "api/base/status.h"
#include "worker/checkpoint/chain.h"
#include "worker/checkpoint/checkpointer.h"
#include "worker/checkpoint/chunk_files.h"

namespace sj::worker::checkpoint {

class EpochBuilder {
 public:
  // None is owned. `object`: the key under which the result will be stored. `rewrite_credit`: bytes
  // of other workers' chunks that may be copied into it.
  EpochBuilder(const CheckpointerOptions& options, ChunkFiles* files, std::string object,
               uint64_t rewrite_credit)
      : options_(options),
        files_(files),
        object_(std::move(object)),
        rewrite_credit_(rewrite_credit) {}

  // The chains as they will be, with `former` where nothing changes.
  base::Status Build(const Chains& former, EpochCapture* capture);
  // Writes chunks and footer into a scratch file; gives its path. `footer` gets the footer's bytes.
  base::Result<std::string> Pack(const EpochCapture& capture, std::string* footer);

  Chains TakeChains() { return std::move(chains_); }
  // The credit that is left; 0 when nothing of others is left either.
  uint64_t credit_left() const { return foreign_left_ ? rewrite_credit_ - rewritten_ : 0; }
  // New chunks and their local files, for the cache. REQUIRES: Pack.
  const std::vector<std::pair<ChunkRef, std::string>>& made() const { return made_; }

 private:
  base::Status CheckShards(const EpochCapture& capture) const;
  base::Status Collect(state::FrozenRun* run, const EpochCapture& capture);
  base::Status Extend(Chain* chain, std::vector<state::FrozenEntry>* entries);
  base::Status MergeFrom(Chain* chain, size_t from);
  base::Status RewriteForeign();
  base::Status CopyToPending(ChunkRef* chunk);
  bool IsForeign(const ChunkRef& chunk) const;
  bool IsPending(const ChunkRef& chunk) const { return chunk.object.empty(); }
  base::Result<std::string> FileOf(const ChunkRef& chunk);
  Chain& ChainOf(const ChainKey& key);

  const CheckpointerOptions& options_;
  ChunkFiles* const files_;
  const std::string object_;
  const uint64_t rewrite_credit_;
  uint64_t rewritten_ = 0;
  bool foreign_left_ = false;
  Chains chains_;
  std::map<ChainKey, std::vector<state::FrozenEntry>> changes_;
  // Chunks made here have no object yet; their `offset` is the place in this list of files.
  std::vector<std::string> pending_files_;
  std::vector<std::pair<ChunkRef, std::string>> made_;
};

}  // namespace sj::worker::checkpoint
