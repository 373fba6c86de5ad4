// SPDX-License-Identifier: Apache-2.0
// Scatter by shard, then one of three ways.
#include "worker/runtime/edge_sender.h"

#include <algorithm>
#include <memory>
#include <numeric>

#include "worker/runtime/exchange_message.h"
#include "worker/runtime/exchange_origin.h"
#include "worker/types/key_group.h"

namespace sj::worker::runtime {
namespace {

// Half of what a broker takes by default (message.max.bytes); larger batches go as several
// messages.
constexpr size_t kExchangeBytesMax = 512u << 10;

}  // namespace

EdgeSender::EdgeSender(RunContext* run, const EdgeInfo& edge, int thread, LocalShards* local)
    : run_(run), edge_(edge), thread_(thread), local_(local) {
  by_shard_.resize(run->own.shards);
}

base::Status EdgeSender::Push(types::Batch batch) {
  const int groups = run_->own.max_parallelism;
  const int shards = run_->own.shards;
  for (uint32_t row = 0; row < batch.rows; ++row) {
    key_.clear();
    for (int column : edge_.edge->keys) {
      types::AppendKeyBytes(batch.columns[column], row, &key_);
    }
    int shard = types::ShardOf(types::KeyGroupOf(key_, groups), shards, groups);
    by_shard_[shard].push_back(row);
  }
  for (int shard = 0; shard < shards; ++shard) {
    std::vector<uint32_t>& rows = by_shard_[shard];
    if (rows.empty()) {
      continue;
    }
    types::Batch part = rows.size() == batch.rows ? std::move(batch) : batch.Gather(rows);
    rows.clear();
    SJ_RETURN_IF_ERROR(SendShard(shard, std::move(part)));
  }
  return base::OkStatus();
}

base::Status EdgeSender::SendShard(int shard, types::Batch rows) {
  int owner = local_->placement().ThreadOfShard(shard);
  if (owner < 0) {
    return SendRemote(shard, rows);
  }
  if (owner == thread_) {
    return local_->TakeRows(edge_.edge->id, shard, std::move(rows));
  }
  ThreadMessage message;
  message.kind = ThreadMessage::Kind::kRows;
  message.edge = edge_.edge->id;
  message.shard = shard;
  message.rows = std::move(rows);
  run_->channels[thread_][owner]->Push(std::move(message));
  run_->ports[owner]->waker.Wake();
  return base::OkStatus();
}

base::Status EdgeSender::SendRemote(int shard, const types::Batch& rows) {
  payload_.clear();
  SJ_RETURN_IF_ERROR(EncodeRows(rows, &payload_));
  if (payload_.size() <= kExchangeBytesMax || rows.rows == 1) {
    return Produce(shard, payload_);
  }
  std::vector<uint32_t> half(rows.rows / 2);
  std::iota(half.begin(), half.end(), 0);
  SJ_RETURN_IF_ERROR(SendRemote(shard, rows.Gather(half)));
  half.resize(rows.rows - half.size());
  std::iota(half.begin(), half.end(), static_cast<uint32_t>(rows.rows / 2));
  return SendRemote(shard, rows.Gather(half));
}

base::Status EdgeSender::Produce(int shard, const std::string& payload) {
  if (origin_epoch_ != local_->epoch()) {
    origin_epoch_ = local_->epoch();
    // Of the start: the one in the names of this worker's objects.
    origin_ = FormatOrigin({run_->config->ordinal, run_->config->generation, origin_epoch_});
  }
  connect::OutputRecord record;
  record.topic = edge_.topic;
  record.partition = shard;
  record.key = origin_;
  record.has_key = true;
  record.value = payload;
  local_->NoteOutput();
  return run_->log->Produce(local_->epoch(), record)
      .WithContext("send rows to exchange topic \"" + edge_.topic + "\"");
}

base::Status EdgeSender::Announce(const std::vector<NamedMark>& marks) {
  auto shared = std::make_shared<const std::vector<NamedMark>>(marks);
  for (int to = 0; to < run_->own.threads; ++to) {
    if (to == thread_) {
      continue;
    }
    ThreadMessage message;
    message.kind = ThreadMessage::Kind::kMarks;
    message.edge = edge_.edge->id;
    message.marks = shared;
    run_->channels[thread_][to]->Push(std::move(message));
    run_->ports[to]->waker.Wake();
  }
  SJ_RETURN_IF_ERROR(local_->TakeMarks(edge_.edge->id, marks));
  payload_.clear();
  for (int shard = 0; shard < run_->own.shards; ++shard) {
    if (!local_->placement().OwnsShard(shard)) {
      if (payload_.empty()) {
        EncodeMarks(marks, &payload_);
      }
      SJ_RETURN_IF_ERROR(Produce(shard, payload_));
    }
  }
  return base::OkStatus();
}

bool EdgeSender::Full() const {
  const auto& channels = run_->channels[thread_];
  return std::any_of(channels.begin(), channels.end(),
                     [](const auto& channel) { return channel != nullptr && channel->Full(); });
}

}  // namespace sj::worker::runtime
