// SPDX-License-Identifier: Apache-2.0
// An object with key a/b is the file <root>/a/b. A Put writes <root>/.tmp/<random>, syncs it,
// renames it without replacing, and syncs the directories, so an object is there whole or not at
// all. Keys never start a segment with a dot, so temporary files cannot be objects. What a crash
// leaves in .tmp is removed by a later Open once it is a day old; no write lives that long.
// Thread-safe: no state but the root.
#include "worker/store/file_object_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "api/base/failpoint.h"
#include "api/base/hash.h"
#include "worker/store/object_key.h"

namespace sj::worker::store {
namespace {

namespace fs = std::filesystem;

constexpr auto kTemporaryAge = std::chrono::hours(24);
constexpr size_t kPutBytesMax = size_t{1} << 40;
constexpr uint64_t kCopyBytes = 4u << 20;  // in memory at a time

base::Status FromErrno(int error, std::string_view what) {
  std::string text = fmt::format("{}: {}", what, std::strerror(error));
  switch (error) {
    case ENOENT:
      return base::NotFound(std::move(text));
    case EEXIST:
      return base::Conflict(std::move(text));
    case ENOSPC:
    case EDQUOT:
      return base::Exhausted(std::move(text));
    default:
      return base::Unavailable(std::move(text));
  }
}

class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0640)) {}
  ~File() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  bool ok() const { return fd_ >= 0; }

  base::Status Write(std::string_view bytes, std::string_view what) {
    while (!bytes.empty()) {
      ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) {
        continue;
      }
      if (n < 0) {
        return FromErrno(errno, what);
      }
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return base::OkStatus();
  }
  base::Status Sync(std::string_view what) {
    return ::fsync(fd_) == 0 ? base::OkStatus() : FromErrno(errno, what);
  }
  base::Result<uint64_t> Size(std::string_view what) {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) {
      return FromErrno(errno, what);
    }
    if (!S_ISREG(info.st_mode)) {
      return base::NotFound(fmt::format("{}: not an object", what));
    }
    return static_cast<uint64_t>(info.st_size);
  }
  base::Result<std::string> Read(uint64_t offset, uint64_t length, std::string_view what) {
    std::string out(length, '\0');
    size_t done = 0;
    while (done < length) {
      ssize_t n = ::pread(fd_, out.data() + done, length - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) {
        continue;
      }
      if (n < 0) {
        return FromErrno(errno, what);
      }
      if (n == 0) {
        return base::Corrupt(fmt::format("{}: the object is shorter than its listing", what));
      }
      done += static_cast<size_t>(n);
    }
    return out;
  }

 private:
  int fd_;
};

base::Status SyncDirectory(const std::string& path) {
  File directory(path, O_RDONLY | O_DIRECTORY);
  if (!directory.ok()) {
    return FromErrno(errno, fmt::format("open directory \"{}\"", path));
  }
  return directory.Sync(fmt::format("sync directory \"{}\"", path));
}

// rename() that never replaces; on file systems without that flag, look first (keys are unique).
int RenameNew(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
    return 0;
  }
  if (errno != EINVAL && errno != ENOSYS) {
    return errno;
  }
  if (::access(to.c_str(), F_OK) == 0) {
    return EEXIST;
  }
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

class FileObjectStore final : public ObjectStore {
 public:
  explicit FileObjectStore(std::string root) : root_(std::move(root)) {}

  base::Status Put(const std::string& key, std::string_view bytes) override;
  base::Status Copy(const std::string& from, const std::string& to) override;
  base::Result<std::string> Get(const std::string& key) override {
    return ReadPart(key, [](uint64_t size) { return Part{0, size}; });
  }
  base::Result<std::string> GetRange(const std::string& key, uint64_t offset,
                                     uint64_t length) override {
    return ReadPart(key, [&](uint64_t) { return Part{offset, length}; });
  }
  base::Result<std::string> GetTail(const std::string& key, uint64_t length) override {
    return ReadPart(key, [&](uint64_t size) {
      uint64_t part = std::min(size, length);
      return Part{size - part, part};
    });
  }
  base::Result<std::vector<ObjectInfo>> List(const std::string& prefix) override;
  base::Status Delete(const std::string& key) override;
  std::string Describe() const override { return "file://" + root_; }

 private:
  struct Part {
    uint64_t offset;
    uint64_t length;
  };
  template <typename Choose>
  base::Result<std::string> ReadPart(const std::string& key, Choose choose);
  base::Status MakeParents(const std::string& key);
  // `fill` writes all of the `bytes`.
  template <typename Fill>
  base::Status Store(const std::string& key, const std::string& what, uint64_t bytes, Fill fill);
  std::string PathOf(const std::string& key) const { return root_ + "/" + key; }

  const std::string root_;
};

// Every directory it makes is synced into its parent.
base::Status FileObjectStore::MakeParents(const std::string& key) {
  for (size_t slash = key.find('/'); slash != std::string::npos; slash = key.find('/', slash + 1)) {
    std::string path = PathOf(key.substr(0, slash));
    if (::mkdir(path.c_str(), 0750) == 0) {
      SJ_RETURN_IF_ERROR(SyncDirectory(fs::path(path).parent_path().string()));
    } else if (errno != EEXIST) {
      return FromErrno(errno, fmt::format("make directory for object \"{}\"", key));
    }
  }
  return base::OkStatus();
}

template <typename Fill>
base::Status FileObjectStore::Store(const std::string& key, const std::string& what, uint64_t bytes,
                                    Fill fill) {
  SJ_RETURN_IF_ERROR(MakeParents(key));
  const std::string temporary = root_ + "/.tmp/" + base::RandomHex(16);
  auto write = [&]() -> base::Status {
    File file(temporary, O_WRONLY | O_CREAT | O_EXCL);
    if (!file.ok()) {
      return FromErrno(errno, what);
    }
    SJ_RETURN_IF_ERROR(fill(&file));
    SJ_RETURN_IF_ERROR(file.Sync(what));
    SJ_ASSIGN_OR_RETURN(uint64_t size, file.Size(what));
    return size == bytes ? base::OkStatus() : base::Corrupt(fmt::format("{}: written short", what));
  };
  base::Status written = write();
  int renamed = written.ok() ? RenameNew(temporary, PathOf(key)) : 0;
  if (!written.ok() || renamed != 0) {
    ::unlink(temporary.c_str());
    return written.ok() ? FromErrno(renamed, what) : written;
  }
  return SyncDirectory(fs::path(PathOf(key)).parent_path().string());
}

base::Status FileObjectStore::Put(const std::string& key, std::string_view bytes) {
  SJ_RETURN_IF_ERROR(CheckKey(key));
  const std::string what = fmt::format("put object \"{}\"", key);
  if (bytes.size() > kPutBytesMax) {
    return base::InvalidArgument(fmt::format("{}: too large", what));
  }
  return Store(key, what, bytes.size(), [&](File* file) -> base::Status {
    size_t half = bytes.size() / 2;
    SJ_RETURN_IF_ERROR(file->Write(bytes.substr(0, half), what));
    SJ_RETURN_IF_ERROR(base::Failpoint("checkpoint.in_upload"));
    return file->Write(bytes.substr(half), what);
  });
}

base::Status FileObjectStore::Copy(const std::string& from, const std::string& to) {
  SJ_RETURN_IF_ERROR(CheckKey(from));
  SJ_RETURN_IF_ERROR(CheckKey(to));
  const std::string what = fmt::format("copy object \"{}\" to \"{}\"", from, to);
  File source(PathOf(from), O_RDONLY);
  if (!source.ok()) {
    return FromErrno(errno == ENOTDIR ? ENOENT : errno, what);
  }
  SJ_ASSIGN_OR_RETURN(const uint64_t bytes, source.Size(what));
  base::Status stored = Store(to, what, bytes, [&](File* file) -> base::Status {
    for (uint64_t at = 0; at < bytes; at += kCopyBytes) {
      SJ_ASSIGN_OR_RETURN(std::string part,
                          source.Read(at, std::min(kCopyBytes, bytes - at), what));
      SJ_RETURN_IF_ERROR(file->Write(part, what));
    }
    return base::OkStatus();
  });
  return !stored.ok() && stored.kind() == base::ErrorKind::kConflict ? base::OkStatus() : stored;
}

template <typename Choose>
base::Result<std::string> FileObjectStore::ReadPart(const std::string& key, Choose choose) {
  SJ_RETURN_IF_ERROR(CheckKey(key));
  const std::string what = fmt::format("get object \"{}\"", key);
  File file(PathOf(key), O_RDONLY);
  if (!file.ok()) {
    return errno == ENOTDIR ? FromErrno(ENOENT, what) : FromErrno(errno, what);
  }
  SJ_ASSIGN_OR_RETURN(uint64_t size, file.Size(what));
  Part part = choose(size);
  if (part.offset > size || part.length > size - part.offset) {
    return base::Corrupt(fmt::format("{}: wanted {} bytes at {}, the object has {}", what,
                                     part.length, part.offset, size));
  }
  return file.Read(part.offset, part.length, what);
}

base::Result<std::vector<ObjectInfo>> FileObjectStore::List(const std::string& prefix) {
  SJ_RETURN_IF_ERROR(CheckPrefix(prefix));
  std::vector<ObjectInfo> out;
  // Only the directory part of the prefix can hold matches.
  size_t slash = prefix.rfind('/');
  const std::string start = slash == std::string::npos ? root_ : PathOf(prefix.substr(0, slash));
  std::error_code error;
  fs::recursive_directory_iterator it(start, error);
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) {
    return out;
  }
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (it->path().filename().string().starts_with('.')) {
      it.disable_recursion_pending();
      continue;
    }
    std::string key = it->path().string().substr(root_.size() + 1);
    std::error_code gone;  // deleted meanwhile: not listed
    if (!key.starts_with(prefix) || !it->is_regular_file(gone)) {
      continue;
    }
    uint64_t bytes = it->file_size(gone);
    if (!gone) {
      out.push_back({std::move(key), bytes});
    }
    if (out.size() > kListEntriesMax) {
      return base::Exhausted(fmt::format("list \"{}\": more than {}", prefix, kListEntriesMax));
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return base::Unavailable(fmt::format("list \"{}\": {}", prefix, error.message()));
  }
  std::sort(out.begin(), out.end(),
            [](const ObjectInfo& a, const ObjectInfo& b) { return a.key < b.key; });
  return out;
}

base::Status FileObjectStore::Delete(const std::string& key) {
  SJ_RETURN_IF_ERROR(CheckKey(key));
  if (::unlink(PathOf(key).c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) {
    return base::OkStatus();
  }
  return FromErrno(errno, fmt::format("delete object \"{}\"", key));
}

// Best effort: what cannot be looked at or removed stays.
void RemoveOldTemporaries(const std::string& directory) {
  std::error_code error;
  auto oldest = fs::file_time_type::clock::now() - kTemporaryAge;
  for (fs::directory_iterator it(directory, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    std::error_code ignored;
    if (it->last_write_time(ignored) < oldest && !ignored) {
      fs::remove(it->path(), ignored);
    }
  }
}

}  // namespace

base::Result<std::unique_ptr<ObjectStore>> OpenFileObjectStore(const std::string& directory) {
  std::error_code error;
  fs::create_directories(directory + "/.tmp", error);
  if (error) {
    return base::Unavailable(
        fmt::format("open object store \"file://{}\": {}", directory, error.message()));
  }
  RemoveOldTemporaries(directory + "/.tmp");
  return std::unique_ptr<ObjectStore>(new FileObjectStore(directory));
}

}  // namespace sj::worker::store
