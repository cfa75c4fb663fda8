// The few file operations whose durability matters: a file's bytes and a directory's names are
// separate things to sync. Errors name the file and the reason.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace metastore::engine {

// kNoSpace when the disk or a quota is full, else kIoError: "cannot <what> <path>: <reason>".
Status ErrnoStatus(std::string_view what, const std::string& path, int error);

Status CreateDirectories(const std::string& path);  // and parents; existing ones are fine
// The names in a directory, sorted, without "." and "..". kNotFound when it does not exist.
Result<std::vector<std::string>> ListDirectory(const std::string& path);
Status RemoveTree(const std::string& path);  // fine when there is nothing
Status Rename(const std::string& from, const std::string& to);

Status SyncFile(const std::string& path);
Status SyncDirectory(const std::string& path);

// kNotFound when there is none; kCorruption when it is longer than max_bytes.
Result<std::string> ReadSmallFile(const std::string& path, size_t max_bytes);
// Replaces the file in one step: after a crash it holds the old bytes or the new ones. An error
// means that nothing changed.
Status WriteFileAtomically(const std::string& path, std::string_view bytes);

}  // namespace metastore::engine
