// SPDX-License-Identifier: Apache-2.0
// Fetching chunks: neighbours in one object are read together (gaps of up to 256 KiB are read and
// thrown away), large ones in slices. What comes back wrong is fetched once more by itself before
// it is called corrupt.
#include "worker/checkpoint/chunk_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "api/base/hash.h"
#include "worker/checkpoint/mapped_file.h"

namespace sj::worker::checkpoint {
namespace {

constexpr uint64_t kSpanBytesMax = 16u << 20;
constexpr uint64_t kGapBytesMax = 256u << 10;

void RemoveFile(const std::string& file) {
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
}

base::Status AsMissing(base::Status status, const ChunkRef& chunk) {
  if (status.kind() != base::ErrorKind::kNotFound) {
    return status;
  }
  return base::Corrupt(
      fmt::format("checkpoint object \"{}\" is missing; it holds state that a committed checkpoint "
                  "refers to. Look for lifecycle rules or deletions in the bucket",
                  chunk.object));
}

}  // namespace

std::string ChecksumOf(std::string_view bytes) {
  return fmt::format("{:016x}", base::Hash64(bytes));
}

std::string ChunkFiles::NewFile() {
  return fmt::format("{}/chunk-{}.sst", directory_, next_file_++);
}

base::Result<std::string> ChunkFiles::Get(const ChunkRef& chunk) {
  auto it = copies_.find({chunk.object, chunk.offset});
  if (it == copies_.end()) {
    std::string file = NewFile();
    SJ_RETURN_IF_ERROR(FetchOne(chunk, file));
    Adopt(chunk, file);
    it = copies_.find({chunk.object, chunk.offset});
  }
  return it->second.file;
}

base::Status ChunkFiles::Prefetch(const std::vector<ChunkRef>& chunks,
                                  const std::function<bool()>& go_on) {
  for (const Span& span : PlanSpans(chunks)) {
    if (!go_on()) {
      break;
    }
    SJ_RETURN_IF_ERROR(FetchSpan(span));
  }
  return base::OkStatus();
}

std::vector<ChunkFiles::Span> ChunkFiles::PlanSpans(const std::vector<ChunkRef>& chunks) const {
  std::map<Place, const ChunkRef*> wanted;
  for (const ChunkRef& chunk : chunks) {
    if (!copies_.contains({chunk.object, chunk.offset})) {
      wanted[{chunk.object, chunk.offset}] = &chunk;
    }
  }
  std::vector<Span> spans;
  for (const auto& [place, chunk] : wanted) {
    uint64_t end = chunk->offset + chunk->length;
    bool joins = !spans.empty() && spans.back().object == chunk->object &&
                 chunk->offset >= spans.back().end &&
                 chunk->offset - spans.back().end <= kGapBytesMax &&
                 end - spans.back().begin <= kSpanBytesMax;
    if (joins) {
      spans.back().end = end;
    } else {
      spans.push_back({chunk->object, chunk->offset, end, {}});
    }
    spans.back().chunks.push_back(chunk);
  }
  return spans;
}

base::Status ChunkFiles::FetchSpan(const Span& span) {
  if (span.chunks.size() == 1) {
    return Get(*span.chunks[0]).status();
  }
  base::Result<std::string> bytes =
      store_->GetRange(span.object, span.begin, span.end - span.begin);
  if (!bytes.ok() && bytes.status().kind() != base::ErrorKind::kCorrupt) {
    return AsMissing(std::move(bytes).status(), *span.chunks[0]);
  }
  for (const ChunkRef* chunk : span.chunks) {
    std::string_view part;
    uint64_t from = chunk->offset - span.begin;
    if (bytes.ok() && from + chunk->length <= bytes->size()) {
      part = std::string_view(*bytes).substr(from, chunk->length);
    }
    if (part.empty() || ChecksumOf(part) != chunk->checksum) {
      SJ_RETURN_IF_ERROR(Get(*chunk).status());
      continue;
    }
    std::string file = NewFile();
    SJ_RETURN_IF_ERROR(AppendToFile(file, part));
    fetched_bytes_ += part.size();
    Adopt(*chunk, file);
  }
  return base::OkStatus();
}

base::Status ChunkFiles::FetchOne(const ChunkRef& chunk, const std::string& file) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    RemoveFile(file);
    uint64_t done = 0;
    while (done < chunk.length) {
      uint64_t part = std::min(kSpanBytesMax, chunk.length - done);
      base::Result<std::string> bytes = store_->GetRange(chunk.object, chunk.offset + done, part);
      if (!bytes.ok()) {
        return AsMissing(std::move(bytes).status(), chunk);
      }
      SJ_RETURN_IF_ERROR(AppendToFile(file, *bytes));
      done += part;
    }
    fetched_bytes_ += chunk.length;
    SJ_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(file));
    if (ChecksumOf(mapped.view()) == chunk.checksum) {
      return base::OkStatus();
    }
  }
  RemoveFile(file);
  return base::Corrupt(
      fmt::format("chunk of {} bytes at {} of checkpoint object \"{}\" does not match its checksum",
                  chunk.length, chunk.offset, chunk.object));
}

void ChunkFiles::Adopt(const ChunkRef& chunk, const std::string& file) {
  copies_[{chunk.object, chunk.offset}] = {file, chunk.length};
}

void ChunkFiles::AdoptAll(ChunkFiles* other) {
  copies_.merge(other->copies_);
  for (const auto& [place, copy] : other->copies_) {
    RemoveFile(copy.file);
  }
  other->copies_.clear();
}

void ChunkFiles::Keep(const std::vector<const ChunkRef*>& chunks, uint64_t bytes_max) {
  std::set<Place> kept;
  uint64_t bytes = 0;
  std::vector<std::pair<uint64_t, Place>> by_size;
  for (const ChunkRef* chunk : chunks) {
    Place place{chunk->object, chunk->offset};
    if (kept.insert(place).second && copies_.contains(place)) {
      bytes += chunk->length;
      by_size.emplace_back(chunk->length, place);
    }
  }
  std::sort(by_size.begin(), by_size.end());
  while (bytes > bytes_max && !by_size.empty()) {
    bytes -= by_size.back().first;
    kept.erase(by_size.back().second);
    by_size.pop_back();
  }
  std::erase_if(copies_, [&](const auto& entry) {
    if (kept.contains(entry.first)) {
      return false;
    }
    RemoveFile(entry.second.file);
    return true;
  });
}

}  // namespace sj::worker::checkpoint
