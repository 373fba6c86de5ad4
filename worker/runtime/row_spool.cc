// SPDX-License-Identifier: Apache-2.0
// One file a partition while they come, then all of them behind one another.
#include "worker/runtime/row_spool.h"

#include <filesystem>

#include "worker/checkpoint/chunk_files.h"
#include "worker/checkpoint/mapped_file.h"

namespace sj::worker::runtime {
namespace {

constexpr size_t kBufferBytes = 64u << 10;  // of each partition

}  // namespace

RowSpool::~RowSpool() {
  std::error_code ignored;
  for (const auto& [id, part] : parts_) {
    std::filesystem::remove(part.file, ignored);
  }
}

base::Status RowSpool::Add(int edge, int shard, std::string_view payload) {
  bytes_ += payload.size();
  if (bytes_ > bytes_max_) {
    return base::Exhausted("read the rows in flight: more than " +
                           std::to_string(bytes_max_ >> 20) +
                           " MiB wait on the exchange topics; a worker is far behind");
  }
  Part& part = parts_[{edge, shard}];
  if (part.file.empty()) {
    part.file = directory_ + "/rows-" + std::to_string(edge) + "-" + std::to_string(shard);
  }
  checkpoint::AppendFrame(payload, &part.buffer);
  part.records += 1;
  records_ += 1;
  return part.buffer.size() < kBufferBytes ? base::OkStatus() : Flush(&part);
}

base::Status RowSpool::Flush(Part* part) {
  SJ_RETURN_IF_ERROR(checkpoint::AppendToFile(part->file, part->buffer));
  part->buffer.clear();
  return base::OkStatus();
}

base::Result<std::vector<checkpoint::SnapshotRows>> RowSpool::Finish(const std::string& file) {
  std::vector<checkpoint::SnapshotRows> out;
  uint64_t offset = 0;
  for (auto& [id, part] : parts_) {
    SJ_RETURN_IF_ERROR(Flush(&part));
    SJ_ASSIGN_OR_RETURN(const auto bytes, checkpoint::MappedFile::Open(part.file));
    SJ_RETURN_IF_ERROR(checkpoint::AppendToFile(file, bytes.view()));
    out.push_back({id.first, id.second, offset, bytes.view().size(), part.records,
                   checkpoint::ChecksumOf(bytes.view())});
    offset += bytes.view().size();
  }
  return out;
}

}  // namespace sj::worker::runtime
