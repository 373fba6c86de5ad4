// SPDX-License-Identifier: Apache-2.0
// Reading and appending scratch files by system calls; nothing here is synced.
#include "worker/checkpoint/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace sj::worker::checkpoint {
namespace {

base::Status FromErrno(int error, std::string_view what, const std::string& path) {
  std::string text = fmt::format("{} \"{}\": {}", what, path, std::strerror(error));
  return error == ENOSPC || error == EDQUOT ? base::Exhausted(std::move(text))
                                            : base::Unavailable(std::move(text));
}

}  // namespace

base::Result<MappedFile> MappedFile::Open(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return FromErrno(errno, "open", path);
  }
  struct stat info {};
  MappedFile file;
  int failed = ::fstat(fd, &info) == 0 ? 0 : errno;
  if (failed == 0 && info.st_size > 0) {
    file.size_ = static_cast<size_t>(info.st_size);
    void* data = ::mmap(nullptr, file.size_, PROT_READ, MAP_PRIVATE, fd, 0);
    failed = data == MAP_FAILED ? errno : 0;
    file.data_ = failed == 0 ? data : nullptr;
  }
  ::close(fd);
  if (failed != 0) {
    return FromErrno(failed, "map", path);
  }
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {
}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) {
    ::munmap(data_, size_);
  }
}

base::Status AppendToFile(const std::string& path, std::string_view bytes) {
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (fd < 0) {
    return FromErrno(errno, "open", path);
  }
  int failed = 0;
  while (!bytes.empty() && failed == 0) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (errno != EINTR) {
      failed = errno;
    }
  }
  if (::close(fd) != 0 && failed == 0) {
    failed = errno;
  }
  return failed == 0 ? base::OkStatus() : FromErrno(failed, "write", path);
}

}  // namespace sj::worker::checkpoint
