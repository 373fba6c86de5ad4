// SPDX-License-Identifier: Apache-2.0
// MappedFile: a file's bytes as a view, without copying them. Thread-compatible.
#pragma once

#include <string>
#include <string_view>

#include "api/base/status.h"

namespace sj::worker::checkpoint {

class MappedFile {
 public:
  static base::Result<MappedFile> Open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  // Valid while the object lives and nobody shortens the file.
  std::string_view view() const { return {static_cast<const char*>(data_), size_}; }

 private:
  MappedFile() = default;
  void* data_ = nullptr;
  size_t size_ = 0;
};

// Appends bytes to a file, making it when missing. kExhausted when the disk is full.
base::Status AppendToFile(const std::string& path, std::string_view bytes);

}  // namespace sj::worker::checkpoint
