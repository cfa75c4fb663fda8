#include "net/http_key.h"

namespace metastore::net {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool StartsWithScheme(std::string_view target, std::string_view scheme) {
  if (target.size() < scheme.size()) return false;
  for (size_t i = 0; i < scheme.size(); ++i) {
    char c = target[i] >= 'A' && target[i] <= 'Z' ? static_cast<char>(target[i] + 32) : target[i];
    if (c != scheme[i]) return false;
  }
  return true;
}

}  // namespace

bool KeyOfTarget(std::string_view target, std::string* key) {
  key->clear();
  for (std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
    if (!StartsWithScheme(target, scheme)) continue;
    target.remove_prefix(scheme.size());
    size_t slash = target.find('/');
    if (slash == std::string_view::npos) return false;
    target.remove_prefix(slash);
    break;
  }
  if (target.empty() || target[0] != '/') return false;
  target.remove_prefix(1);
  key->reserve(target.size());
  for (size_t i = 0; i < target.size(); ++i) {
    if (target[i] != '%') {
      key->push_back(target[i]);
      continue;
    }
    if (target.size() - i < 3) return false;
    int high = HexDigit(target[i + 1]);
    int low = HexDigit(target[i + 2]);
    if (high < 0 || low < 0) return false;
    key->push_back(static_cast<char>(high << 4 | low));
    i += 2;
  }
  return true;
}

}  // namespace metastore::net
