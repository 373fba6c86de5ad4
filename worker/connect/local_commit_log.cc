// SPDX-License-Identifier: Apache-2.0
// The two commit logs without Kafka: positions in a file, and in memory. The file,
// DIRECTORY/positions, is text:
//   streamjob-positions 1
//   <offset> TAB <partition> TAB <topic> TAB <metadata>      one line a position
//   sha256 <hex of all before this line>
// It is replaced by rename after fsync, so it is always one commit or the one before. Owned by one
// thread but for Produce, which is always refused.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "api/base/failpoint.h"
#include "api/base/hash.h"
#include "worker/connect/commit_log.h"
#include "worker/connect/positions.h"

namespace sj::worker::connect {
namespace {

using types::InputPartition;
constexpr std::string_view kHeader = "streamjob-positions 1\n";
constexpr size_t kFileBytesMax = 64u << 20;

std::string Errno(std::string_view what, const std::string& path) {
  return fmt::format("{} \"{}\": {}", what, path, std::strerror(errno));
}

class MemoryCommitLog : public CommitLog {
 public:
  base::Status Fence(const std::vector<int>&) override { return base::OkStatus(); }
  base::Result<std::vector<CommittedPosition>> ReadCommitted(
      const std::vector<InputPartition>& partitions) override {
    std::vector<CommittedPosition> out;
    for (const InputPartition& partition : partitions) {
      auto found = positions_.find(partition);
      out.push_back(found == positions_.end()
                        ? CommittedPosition{.partition = partition, .metadata = {}}
                        : found->second);
    }
    return out;
  }
  base::Status Produce(types::Epoch, const OutputRecord& record) override {
    return base::InvalidArgument(fmt::format(
        "write a record to topic \"{}\": this job has no Kafka connection", record.topic));
  }
  base::Status Flush(types::Epoch) override { return base::OkStatus(); }
  base::Status Commit(types::Epoch, const std::vector<CommittedPosition>& positions) override {
    SJ_RETURN_IF_ERROR(CheckPositions(positions));
    for (const CommittedPosition& position : positions) {
      positions_[position.partition] = position;
    }
    return base::OkStatus();
  }
  void Cancel() override {}
  void Close() override {}

 protected:
  std::map<InputPartition, CommittedPosition> positions_;
};

class FileCommitLog final : public MemoryCommitLog {
 public:
  FileCommitLog(std::string directory, int lock_fd)
      : directory_(std::move(directory)), lock_fd_(lock_fd) {}
  ~FileCommitLog() override { CloseLock(); }
  FileCommitLog(const FileCommitLog&) = delete;
  FileCommitLog& operator=(const FileCommitLog&) = delete;

  base::Status Load();
  base::Status Commit(types::Epoch epoch,
                      const std::vector<CommittedPosition>& positions) override {
    if (lock_fd_ < 0) {
      return base::Fenced("commit to a closed log");
    }
    SJ_RETURN_IF_ERROR(base::Failpoint("commit.before_end_txn"));
    SJ_RETURN_IF_ERROR(MemoryCommitLog::Commit(epoch, positions));
    SJ_RETURN_IF_ERROR(Save());
    return base::Failpoint("commit.after_end_txn");
  }
  void Close() override { CloseLock(); }

 private:
  base::Status Save();
  void CloseLock() {
    if (lock_fd_ >= 0) {
      ::close(lock_fd_);
      lock_fd_ = -1;
    }
  }
  std::string Path() const { return directory_ + "/positions"; }

  const std::string directory_;
  int lock_fd_;
};

bool ParseLine(std::string_view line, CommittedPosition* out) {
  auto next = [&line](std::string_view* field) {
    size_t tab = line.find('\t');
    *field = line.substr(0, tab);
    line.remove_prefix(tab == std::string_view::npos ? line.size() : tab + 1);
  };
  std::string_view offset;
  std::string_view partition;
  std::string_view topic;
  next(&offset);
  next(&partition);
  next(&topic);
  auto number = [](std::string_view text, auto* value) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
    return error == std::errc() && end == text.data() + text.size();
  };
  out->partition.topic = topic;
  out->metadata = line;
  return number(offset, &out->offset) && number(partition, &out->partition.partition) &&
         !topic.empty();
}

base::Status FileCommitLog::Load() {
  std::error_code missing;
  uintmax_t bytes = std::filesystem::file_size(Path(), missing);
  if (missing) {
    return base::OkStatus();
  }
  auto corrupt = [this](std::string_view what) {
    return base::Corrupt(fmt::format("read committed positions \"{}\": {}", Path(), what));
  };
  if (bytes > kFileBytesMax) {
    return corrupt("the file is too large");
  }
  std::ifstream in(Path(), std::ios::binary);
  std::stringstream stream;
  stream << in.rdbuf();
  std::string text = stream.str();
  size_t trailer = text.rfind("sha256 ");
  if (!text.starts_with(kHeader) || trailer == std::string::npos) {
    return corrupt("not a positions file");
  }
  std::string_view body = std::string_view(text).substr(0, trailer);
  if (text.substr(trailer) != "sha256 " + base::Sha256Hex(body) + "\n") {
    return corrupt("the checksum does not match");
  }
  body.remove_prefix(kHeader.size());
  while (!body.empty()) {
    size_t end = body.find('\n');
    CommittedPosition position;
    if (end == std::string_view::npos || !ParseLine(body.substr(0, end), &position)) {
      return corrupt("a line is malformed");
    }
    positions_[position.partition] = position;
    body.remove_prefix(end + 1);
  }
  return base::OkStatus();
}

base::Status WriteDurably(const std::string& path, const std::string& text) {
  int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
  if (fd < 0) {
    return base::Unavailable(Errno("open", path));
  }
  size_t done = 0;
  while (done < text.size()) {
    ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      base::Status status = base::Unavailable(Errno("write", path));
      ::close(fd);
      return status;
    }
    done += static_cast<size_t>(n);
  }
  base::Status status =
      ::fsync(fd) == 0 ? base::OkStatus() : base::Unavailable(Errno("sync", path));
  ::close(fd);
  return status;
}

base::Status FileCommitLog::Save() {
  std::string text(kHeader);
  for (const auto& [partition, position] : positions_) {
    text += fmt::format("{}\t{}\t{}\t{}\n", position.offset, partition.partition, partition.topic,
                        position.metadata);
  }
  text += "sha256 " + base::Sha256Hex(text) + "\n";
  std::string temporary = Path() + ".new";
  SJ_RETURN_IF_ERROR(WriteDurably(temporary, text).WithContext("commit positions"));
  if (::rename(temporary.c_str(), Path().c_str()) != 0) {
    return base::Unavailable(Errno("rename to", Path()));
  }
  int fd = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || ::fsync(fd) != 0) {
    base::Status status = base::Unavailable(Errno("sync directory", directory_));
    if (fd >= 0) {
      ::close(fd);
    }
    return status;
  }
  ::close(fd);
  return base::OkStatus();
}

}  // namespace

base::Status CheckPositions(const std::vector<CommittedPosition>& positions) {
  for (const CommittedPosition& position : positions) {
    auto refuse = [&position](std::string_view what) {
      return base::InvalidArgument(fmt::format("commit \"{}\" partition {}: {}",
                                               position.partition.topic,
                                               position.partition.partition, what));
    };
    if (position.offset < 0 || position.partition.partition < 0) {
      return refuse(fmt::format("offset {} is not concrete", position.offset));
    }
    if (position.partition.topic.empty() ||
        position.partition.topic.find_first_of("\t\n") != std::string::npos) {
      return refuse("the topic's name is not valid");
    }
    if (position.metadata.size() >= kCommitMetadataBytesMax) {
      return refuse(fmt::format("metadata has {} bytes", position.metadata.size()));
    }
    for (char c : position.metadata) {
      if (c < 0x20 || c > 0x7e) {
        return refuse("metadata is not printable ASCII");
      }
    }
  }
  return base::OkStatus();
}

base::Result<std::unique_ptr<CommitLog>> OpenFileCommitLog(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return base::InvalidArgument(
        fmt::format("make directory \"{}\": {}", directory, error.message()));
  }
  std::string path = directory + "/lock";
  int fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
  if (fd < 0) {
    return base::InvalidArgument(Errno("open", path));
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return base::Conflict(
        fmt::format("open commit log \"{}\": another worker holds it", directory));
  }
  auto log = std::make_unique<FileCommitLog>(directory, fd);
  SJ_RETURN_IF_ERROR(log->Load());
  return std::unique_ptr<CommitLog>(std::move(log));
}

std::unique_ptr<CommitLog> MakeMemoryCommitLog() {
  return std::make_unique<MemoryCommitLog>();
}

}  // namespace sj::worker::connect
